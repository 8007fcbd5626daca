//! Records in presentation format, one to a line: owner, then TTL and class in any order or not
//! at all, type, RDATA (RFC 1035 §5.1, RFC 3597 §5).

use bytes::Bytes;
use domain::base::iana::{Class, Rtype};
use domain::base::name::ParsedName;
use domain::base::rdata::{ComposeRecordData, ParseAnyRecordData};
use domain::base::{Name, Ttl};
use domain::dep::octseq::Parser;
use domain::rdata::AllRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};
use std::fmt;
use std::str::FromStr;

/// An absolute domain name in uncompressed wire format; two that differ in letter case are equal.
pub(crate) type WireName = Name<Vec<u8>>;

/// One record, or the expectation of one.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Who owns it.
    pub(crate) owner: WireName,
    /// Its type.
    pub(crate) rtype: Rtype,
    /// Its class.
    pub(crate) class: Class,
    /// Its time to live, in seconds.
    pub(crate) ttl: u32,
    /// Its RDATA, names in it uncompressed.
    pub(crate) rdata: Vec<u8>,
}

/// What a question asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The name.
    pub(crate) name: WireName,
    /// The type.
    pub(crate) rtype: Rtype,
    /// The class.
    pub(crate) class: Class,
}

/// What holds for lines that leave something out.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    /// Appended to names without a final dot (`$ORIGIN`).
    pub(super) origin: Name<Bytes>,
    /// The TTL of records that have none (`$TTL`), in seconds.
    pub(super) ttl: u32,
}

impl Defaults {
    /// Takes a line that begins with `$ORIGIN` or `$TTL`.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub(super) fn set(&mut self, word: &str, value: &str) -> Result<(), String> {
        if word == "$ORIGIN" {
            let name = name(value, &self.origin)?;
            self.origin = Name::from_octets(name.as_slice().to_vec().into())
                .map_err(|error| format!("{value:?} is no name: {error}"))?;
        } else {
            self.ttl = seconds(value)?;
        }
        Ok(())
    }
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            origin: Name::root_bytes(),
            ttl: 3600,
        }
    }
}

impl Record {
    /// Whether both say the same: owner, type, class and RDATA, names compared without regard to
    /// letter case. The TTL is another matter.
    #[must_use]
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.owner == other.owner
            && self.rtype == other.rtype
            && self.class == other.class
            && (self.rdata == other.rdata
                || match (self.parsed(), other.parsed()) {
                    (Some(mine), Some(theirs)) => mine == theirs,
                    _ => false,
                })
    }

    fn parsed(&self) -> Option<AllRecordData<&[u8], ParsedName<&[u8]>>> {
        let mut parser = Parser::from_ref(self.rdata.as_slice());
        let parsed = AllRecordData::parse_any_rdata(self.rtype, &mut parser).ok()?;
        (parser.remaining() == 0).then_some(parsed)
    }

    /// The type that the signature of an RRSIG record covers (RFC 4034 §3.1.1), or its own type.
    #[must_use]
    pub(crate) fn covered(&self) -> Rtype {
        match self.rdata.as_slice() {
            [high, low, ..] if self.rtype == Rtype::RRSIG => {
                Rtype::from_int(u16::from_be_bytes([*high, *low]))
            }
            _ => self.rtype,
        }
    }

    /// Reads one line that stands outside of every entry.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub(crate) fn parse_alone(line: &str) -> Result<Self, String> {
        Self::parse(line, &Defaults::default())
    }

    /// Reads one line.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub(super) fn parse(line: &str, defaults: &Defaults) -> Result<Self, String> {
        let head = Head::read(line)?;
        let owner = name(head.owner, &defaults.origin)?;
        let rtype = head.rtype;
        let ttl = head.ttl.unwrap_or(defaults.ttl);
        let class = head.class.unwrap_or(Class::IN);
        let rdata = match generic(head.rest) {
            Some(octets) => octets?,
            None => scan(rtype, head.rest, defaults)?,
        };
        Ok(Self {
            owner,
            rtype,
            class,
            ttl,
            rdata,
        })
    }
}

impl Asked {
    /// Reads the line of a question section.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub(super) fn parse(line: &str, defaults: &Defaults) -> Result<Self, String> {
        let head = Head::read(line)?;
        if !head.rest.trim().is_empty() {
            return Err(format!("{:?} after a question", head.rest.trim()));
        }
        Ok(Self {
            name: name(head.owner, &defaults.origin)?,
            rtype: head.rtype,
            class: head.class.unwrap_or(Class::IN),
        })
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            owner, rtype, ttl, ..
        } = self;
        write!(f, "{} {ttl} {rtype}", owner.fmt_with_dot())?;
        match self.parsed() {
            Some(parsed) => write!(f, " {parsed}"),
            None => {
                write!(f, " \\# {} ", self.rdata.len())?;
                self.rdata
                    .iter()
                    .try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name.fmt_with_dot(), self.rtype)
    }
}

/// Reads a name; one without a final dot is completed by `origin`.
pub(super) fn name(text: &str, origin: &Name<Bytes>) -> Result<WireName, String> {
    let fault = |problem: &dyn fmt::Display| format!("{text:?} is no name: {problem}");
    if text == "@" {
        return Ok(
            Name::from_octets(origin.as_slice().to_vec()).unwrap_or_else(|_| Name::root_vec())
        );
    }
    let is_absolute = text.ends_with('.') && !text.ends_with("\\.");
    let whole = if is_absolute {
        text.to_owned()
    } else {
        format!(
            "{text}.{}",
            origin.fmt_with_dot().to_string().trim_start_matches('.')
        )
    };
    WireName::from_str(&whole).map_err(|error| fault(&error))
}

/// What stands before the RDATA.
struct Head<'a> {
    owner: &'a str,
    ttl: Option<u32>,
    class: Option<Class>,
    rtype: Rtype,
    rest: &'a str,
}

impl<'a> Head<'a> {
    fn read(line: &'a str) -> Result<Self, String> {
        let (owner, mut rest) = word(line).ok_or("no owner")?;
        let (mut ttl, mut class) = (None, None);
        loop {
            let (next, after) = word(rest).ok_or_else(|| format!("no type after {owner:?}"))?;
            rest = after;
            if ttl.is_none() && next.starts_with(|c: char| c.is_ascii_digit()) {
                ttl = Some(seconds(next)?);
            } else if class.is_none()
                && let Ok(found) = Class::from_str(next)
                // ANY is a type too.
                && (found != Class::ANY || word(rest).is_some())
            {
                class = Some(found);
            } else {
                let rtype = Rtype::from_str(next).map_err(|_| format!("{next:?} is no type"))?;
                return Ok(Self {
                    owner,
                    ttl,
                    class,
                    rtype,
                    rest,
                });
            }
        }
    }
}

/// The first word and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    if text.is_empty() {
        return None;
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    Some(text.split_at(end))
}

/// A TTL: digits, or digits with units (`1h30m`).
fn seconds(text: &str) -> Result<u32, String> {
    let fault = || format!("{text:?} is no TTL");
    let (mut total, mut number) = (0_u32, None);
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            let next = number.unwrap_or(0_u32).checked_mul(10);
            number = Some(next.and_then(|n| n.checked_add(digit)).ok_or_else(fault)?);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(fault()),
        };
        let part = number.take().and_then(|n| n.checked_mul(unit));
        total = part.and_then(|n| total.checked_add(n)).ok_or_else(fault)?;
    }
    total.checked_add(number.unwrap_or(0)).ok_or_else(fault)
}

/// RDATA of any type written as `\# LENGTH HEX` (RFC 3597 §5); `None` when it is written otherwise.
fn generic(text: &str) -> Option<Result<Vec<u8>, String>> {
    let rest = text.trim_start().strip_prefix("\\#")?;
    let fault = || format!("malformed generic RDATA: {:?}", text.trim());
    let Some((length, digits)) = word(rest) else {
        return Some(Err(fault()));
    };
    let digits: String = without_comment(digits)
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')'))
        .collect();
    Some(match (length.parse::<usize>(), octets_of(&digits)) {
        (Ok(length), Some(octets)) if octets.len() == length => Ok(octets),
        _ => Err(fault()),
    })
}

/// Text up to a `;` (no string of this text is quoted).
fn without_comment(text: &str) -> &str {
    text.split(';').next().unwrap_or(text)
}

/// Octets from pairs of hexadecimal digits.
pub(super) fn octets_of(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

/// Mnemonics of signature algorithms (RFC 4034 §A.1 and the IANA registry).
const ALGORITHMS: &[(&str, u8)] = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// RDATA with the mnemonic of an algorithm replaced by its number: the scanner knows numbers.
fn numbered(rtype: Rtype, rest: &str) -> String {
    let place = match rtype {
        Rtype::RRSIG | Rtype::DS | Rtype::CDS => 1,
        Rtype::DNSKEY | Rtype::CDNSKEY => 2,
        _ => return rest.to_owned(),
    };
    let mut words = rest
        .split_whitespace()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    let number = words.get(place).and_then(|word| {
        let known = |(name, _): &&(&str, u8)| name.eq_ignore_ascii_case(word);
        ALGORITHMS.iter().find(known).map(|(_, number)| number)
    });
    match number {
        Some(number) => {
            words[place] = number.to_string();
            words.join(" ")
        }
        None => rest.to_owned(),
    }
}

fn scan(rtype: Rtype, rest: &str, defaults: &Defaults) -> Result<Vec<u8>, String> {
    let line = format!("owner. 0 IN {rtype} {}\n", numbered(rtype, rest));
    let mut zone = Zonefile::from(line.as_str());
    zone.set_origin(defaults.origin.clone());
    let entry = zone
        .next_entry()
        .map_err(|error| format!("malformed {rtype}: {error}"))?;
    let Some(Entry::Record(record)) = entry else {
        return Err(format!("malformed {rtype}: {:?}", rest.trim()));
    };
    let mut rdata = Vec::new();
    record
        .data()
        .compose_rdata(&mut rdata)
        .map_err(|_| format!("{rtype}: too much RDATA"))?;
    debug_assert_eq!(record.ttl(), Ttl::from_secs(0));
    Ok(rdata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        match Record::parse(line, &Defaults::default()) {
            Ok(record) => record.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                ". IN NS\tK.ROOT-SERVERS.NET.",
                ". 3600 NS K.ROOT-SERVERS.NET.",
            ),
            ("ns1 IN A 192.0.2.1 ; here", "ns1. 3600 A 192.0.2.1"),
            ("a. 600 A 192.0.2.1", "a. 600 A 192.0.2.1"),
            ("a. IN 1h30m A 192.0.2.1", "a. 5400 A 192.0.2.1"),
            ("a. IN A \\# 4 c0 00 02 01", "a. 3600 A 192.0.2.1"),
            ("a. A \\# 3 c00002", "a. 3600 A \\# 3 c00002"),
            ("a. TYPE4001 \\# 1 01", "a. 3600 TYPE4001 \\# 1 01"),
            (
                "a. DS 1 3 1 46e4ffc6 e9a4793b ( 488954bd3f0cc6af0dfb201b )",
                "a. 3600 DS 1 3 1 46e4ffc6e9a4793b488954bd3f0cc6af0dfb201b",
            ),
            (
                "a. DS 1 DSA 1 46e4ffc6e9a4793b488954bd3f0cc6af0dfb201b ; x",
                "a. 3600 DS 1 3 1 46e4ffc6e9a4793b488954bd3f0cc6af0dfb201b",
            ),
            ("a. IN", "error: no type after \"a.\""),
            (
                "a. IN A \\# 4 c0",
                "error: malformed generic RDATA: \"\\\\# 4 c0\"",
            ),
            ("a. IN NONSENSE x", "error: \"NONSENSE\" is no type"),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn letter_case_does_not_matter() {
        let parse = |line| Record::parse(line, &Defaults::default()).unwrap();
        for (one, other, same) in [
            ("A.b. NS c.", "a.B. NS C.", true),
            ("a. MX 1 b.", "a. MX 1 B.", true),
            ("a. MX 1 b.", "a. MX 2 b.", false),
            ("a. TXT b", "a. TXT B", false),
            ("a. 1 A 192.0.2.1", "a. 2 A 192.0.2.1", true),
        ] {
            assert_eq!(parse(one).same_as(&parse(other)), same, "{one} / {other}");
        }
    }

    #[test]
    fn questions() {
        for (line, expected) in [
            ("a.b. IN MX", "a.b. MX"),
            ("a.b. IN ANY", "a.b. ANY"),
            (". NS", ". NS"),
        ] {
            assert_eq!(
                Asked::parse(line, &Defaults::default())
                    .unwrap()
                    .to_string(),
                expected
            );
        }
        assert!(Asked::parse("a. IN MX 1 b.", &Defaults::default()).is_err());
    }
}
