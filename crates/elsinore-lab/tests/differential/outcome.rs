//! What a resolver found, in a form in which two resolvers can be compared.

use crate::contents::Asked;
use domain::base::iana::{Class, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::AllRecordData;
use elsinore_dane::answer::{Answer, DenialKind, Last, RecordData};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Security;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verdict {
    Secure,
    Insecure,
    /// Found to be false.
    Bogus,
    /// Not found out.
    Failed,
}

/// Verdict and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// `data`, `nodata`, `nxdomain` or `failed`.
    pub(crate) kind: &'static str,
    /// Aliases followed, each `owner target`; of a failure they do not count.
    pub(crate) chain: Vec<(String, String)>,
    pub(crate) records: BTreeSet<String>,
    /// Why, in that resolver's words.
    pub(crate) reason: String,
}

impl Outcome {
    /// Whether two resolvers say the same.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        self.verdict == other.verdict
            && (self.kind == "failed"
                || (self.kind == other.kind
                    && self.chain == other.chain
                    && self.records == other.records))
    }

    /// In a line.
    pub(crate) fn line(&self) -> String {
        let chain: Vec<&str> = self
            .chain
            .iter()
            .map(|(_, target)| target.as_str())
            .collect();
        format!(
            "{:?} {} {} {:?} ({})",
            self.verdict,
            self.kind,
            chain.join(" -> "),
            self.records,
            self.reason
        )
    }
}

pub(crate) fn of_answer(answer: &Answer) -> Outcome {
    let verdict = match answer.overall().security() {
        Security::Secure => Verdict::Secure,
        Security::Insecure => Verdict::Insecure,
        Security::Bogus => Verdict::Bogus,
        Security::Indeterminate => Verdict::Failed,
    };
    let mut records = BTreeSet::new();
    let kind = match &answer.last {
        Last::Data(rrset) => {
            records.extend(rrset.records.iter().map(text_of));
            "data"
        }
        Last::Denied(denial) if denial.kind == DenialKind::NxDomain => "nxdomain",
        Last::Denied(_) => "nodata",
        Last::Failed(_) => "failed",
    };
    Outcome {
        verdict,
        kind,
        chain: answer
            .chain
            .iter()
            .map(|link| (link.owner.to_string(), link.target.to_string()))
            .collect(),
        records,
        reason: answer.overall().reason().to_owned(),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn text_of(record: &RecordData) -> String {
    match record {
        RecordData::A(address) => address.to_string(),
        RecordData::Aaaa(address) => address.to_string(),
        RecordData::Mx {
            preference,
            exchange,
        } => format!("{preference} {exchange}"),
        RecordData::Tlsa(record) => hex(record.rdata()),
        RecordData::Txt(text) => hex(text),
        RecordData::Name(name) => name.to_string(),
        RecordData::Other(text) => lower(text),
    }
}

/// Hexadecimal RDATA in which upper-case letters count as lower-case; other text as it is.
fn lower(text: &str) -> String {
    let Some(octets) = text
        .strip_prefix("\\# ")
        .and_then(|rest| rest.split_once(' '))
        .map(|(_, octets)| octets)
    else {
        return text.to_owned();
    };
    let octets: Vec<u8> = (0..octets.len() / 2)
        .filter_map(|index| u8::from_str_radix(octets.get(2 * index..2 * index + 2)?, 16).ok())
        .collect();
    format!("\\# {}", hex(&octets.to_ascii_lowercase()))
}

/// A query as a stub would send it to a validating resolver.
pub(crate) fn query(asked: &Asked, checking_disabled: bool) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_rd(true);
    builder.header_mut().set_cd(checking_disabled);
    let mut question = builder.question();
    let name = Name::<Vec<u8>>::from_str(&asked.name).expect("a name of the tree");
    question
        .push((name, Rtype::from_int(asked.rtype), Class::IN))
        .expect("room");
    let mut additional = question.additional();
    additional
        .opt(|opt| {
            opt.set_udp_payload_size(4096);
            opt.set_dnssec_ok(true);
            Ok(())
        })
        .expect("room");
    additional.finish()
}

/// Rcode, extended errors and content of a reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) rcode: u8,
    pub(crate) errors: Vec<(u16, String)>,
    pub(crate) outcome: Outcome,
}

type Parsed<'a> = AllRecordData<&'a [u8], domain::base::ParsedName<&'a [u8]>>;

/// Reads what a validating resolver answered: its AD bit is the verdict, unless it failed.
pub(crate) fn of_reply(asked: &Asked, octets: &[u8]) -> Reply {
    let message = Message::from_octets(octets).expect("a DNS message");
    let rcode = message.header().rcode().to_int();
    let mut errors = Vec::new();
    if let Some(opt) = message.opt() {
        for error in opt
            .opt()
            .iter::<domain::base::opt::ExtendedError<_>>()
            .flatten()
        {
            let text = error
                .text()
                .and_then(Result::ok)
                .map_or_else(String::new, ToString::to_string);
            errors.push((error.code().to_int(), text));
        }
    }
    let mut aliases = Vec::new();
    let mut data = Vec::new();
    for record in message.answer().expect("an answer section").flatten() {
        let owner = canonical(&flat_name(record.owner()));
        let rtype = record.rtype().to_int();
        let Ok(Some(parsed)) = record.to_any_record::<Parsed<'_>>().map(Some) else {
            continue;
        };
        let mut rdata = Vec::new();
        let _ = domain::base::rdata::ComposeRecordData::compose_rdata(parsed.data(), &mut rdata);
        if rtype == 5 && asked.rtype != 5 {
            aliases.push((owner, canonical(&rdata)));
        } else if rtype == asked.rtype {
            data.push((owner, of_rdata(rtype, &rdata)));
        } else if rtype == 5 {
            aliases.push((owner, canonical(&rdata)));
        }
    }
    let mut place = canonical_text(&asked.name);
    let mut chain = Vec::new();
    while let Some(index) = aliases.iter().position(|(owner, _)| *owner == place) {
        // A question for CNAME is answered by the first.
        if asked.rtype == 5 {
            data.push((place.clone(), aliases[index].1.clone()));
            break;
        }
        let alias = aliases.remove(index);
        place.clone_from(&alias.1);
        chain.push(alias);
    }
    let records: BTreeSet<String> = data
        .into_iter()
        .filter(|(owner, _)| *owner == place)
        .map(|(_, text)| text)
        .collect();
    let kind = match rcode {
        // Asked for an alias to nowhere, Unbound passes the code of its target on.
        0 | 3 if !records.is_empty() => "data",
        0 => "nodata",
        3 => "nxdomain",
        _ => "failed",
    };
    let verdict = match (kind, message.header().ad()) {
        ("failed", _) => Verdict::Failed,
        (_, true) => Verdict::Secure,
        (_, false) => Verdict::Insecure,
    };
    let reason = errors
        .iter()
        .map(|(code, text)| format!("EDE {code} {text}"))
        .collect::<Vec<_>>()
        .join(", ");
    Reply {
        rcode,
        errors,
        outcome: Outcome {
            verdict,
            kind,
            chain,
            records,
            reason,
        },
    }
}

fn flat_name(name: impl domain::base::ToName) -> Vec<u8> {
    let name: Name<Vec<u8>> = name.to_name();
    name.as_slice().to_vec()
}

fn labels(octets: &[u8]) -> Option<(DomainName, usize)> {
    let mut labels = Vec::new();
    let mut at = 0;
    loop {
        let length = usize::from(*octets.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(octets.get(at..at + length)?);
        at += length;
    }
    if labels.is_empty() {
        return Some((DomainName::root(), at));
    }
    Some((DomainName::from_labels(labels).ok()?, at))
}

fn canonical(octets: &[u8]) -> String {
    labels(octets).expect("an uncompressed name").0.to_string()
}

fn canonical_text(name: &str) -> String {
    name.parse::<DomainName>()
        .expect("a name of the tree")
        .to_string()
}

/// RDATA without compression in the words of [`text_of`].
fn of_rdata(rtype: u16, rdata: &[u8]) -> String {
    match rtype {
        1 => std::net::Ipv4Addr::from(<[u8; 4]>::try_from(rdata).expect("an address")).to_string(),
        28 => {
            std::net::Ipv6Addr::from(<[u8; 16]>::try_from(rdata).expect("an address")).to_string()
        }
        2 | 5 | 12 | 39 => canonical(rdata),
        15 => format!(
            "{} {}",
            u16::from_be_bytes([rdata[0], rdata[1]]),
            canonical(&rdata[2..])
        ),
        16 => {
            let mut text = Vec::new();
            let mut rest = rdata;
            while let Some((length, tail)) = rest.split_first() {
                let (string, after) = tail.split_at(usize::from(*length));
                text.extend(string);
                rest = after;
            }
            hex(&text)
        }
        52 => hex(rdata),
        6 => {
            let (primary, first) = labels(rdata).expect("a name");
            let (mailbox, second) = labels(&rdata[first..]).expect("a name");
            let mut text = format!("{primary} {mailbox}");
            for number in rdata[first + second..].chunks_exact(4) {
                let number = u32::from_be_bytes(number.try_into().expect("four octets"));
                let _ = write!(text, " {number}");
            }
            text
        }
        43 => format!(
            "{} {} {} {}",
            u16::from_be_bytes([rdata[0], rdata[1]]),
            rdata[2],
            rdata[3],
            hex(&rdata[4..])
        ),
        48 => format!(
            "{} {} {} {}",
            u16::from_be_bytes([rdata[0], rdata[1]]),
            rdata[2],
            rdata[3],
            openssl::base64::encode_block(&rdata[4..])
        ),
        _ => format!("\\# {}", hex(&rdata.to_ascii_lowercase())),
    }
}
