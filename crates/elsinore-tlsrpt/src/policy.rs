//! Where a domain wants its reports: the `_smtp._tls` TXT record (RFC 8460 §3).

use elsinore_dane::name::DomainName;
use elsinore_smtp::address::{MailDomain, Mailbox};
use std::fmt;

/// Destinations of one record that are used; more would make us somebody's multiplier.
const DESTINATIONS: usize = 4;
/// Octets of a record that are read.
const RECORD_OCTETS: usize = 4_096;
/// Octets of one destination.
const URI_OCTETS: usize = 1_024;

/// Where reports are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPolicy {
    /// In the order of the record, without repetitions, at most four. Empty when all are of schemes
    /// that we do not know.
    pub destinations: Vec<Destination>,
}

/// One `rua`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// By mail, to this address.
    Mail(String),
    /// By POST.
    Https(Collector),
}

/// Where a report is posted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Collector {
    /// The host.
    pub host: DomainName,
    /// The TCP port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(address) => write!(f, "mailto:{address}"),
            Self::Https(Collector { host, port, path }) => match port {
                443 => write!(f, "https://{host}{path}"),
                port => write!(f, "https://{host}:{port}{path}"),
            },
        }
    }
}

/// Why TXT records ask for no reports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// None begins with `v=TLSRPTv1`.
    #[error("no record of version TLSRPTv1")]
    Absent,
    /// More than one does.
    #[error("{0} records of version TLSRPTv1 where one is allowed")]
    Several(usize),
    /// Too long to be meant.
    #[error("the record is longer than {RECORD_OCTETS} octets")]
    TooLong,
    /// A field that is not `name=value` in the allowed characters.
    #[error("field {0} is not name=value")]
    Field(usize),
    /// No `rua`.
    #[error("there is no rua")]
    NoRua,
    /// A destination that is no URI, or none that can be used.
    #[error("rua: {0}")]
    Uri(&'static str),
}

/// The policy in the TXT records at `_smtp._tls.DOMAIN`, each with its character-strings joined.
/// Records of other versions are discarded; exactly one must remain.
///
/// # Errors
/// [`PolicyError`]; the domain then gets no reports.
pub fn select<'a>(
    records: impl IntoIterator<Item = &'a [u8]>,
) -> Result<ReportPolicy, PolicyError> {
    let mut candidates = 0;
    let mut only = None;
    for record in records {
        if let Some(rest) = after_version(record) {
            candidates += 1;
            only = Some(rest);
        }
    }
    match (candidates, only) {
        (1, Some(rest)) => parse(rest),
        (0, _) | (_, None) => Err(PolicyError::Absent),
        (several, Some(_)) => Err(PolicyError::Several(several)),
    }
}

/// What follows `v=TLSRPTv1` and its semicolon, before which the grammar allows blanks.
fn after_version(record: &[u8]) -> Option<&[u8]> {
    let rest = record.strip_prefix(b"v=TLSRPTv1")?;
    let blanks = rest
        .iter()
        .take_while(|octet| matches!(octet, b' ' | b'\t'))
        .count();
    rest.get(blanks..)?.strip_prefix(b";")
}

fn parse(fields: &[u8]) -> Result<ReportPolicy, PolicyError> {
    if fields.len() > RECORD_OCTETS {
        return Err(PolicyError::TooLong);
    }
    // Nothing but visible ASCII and blanks stands in the grammar.
    let text = std::str::from_utf8(fields).map_err(|_| PolicyError::Field(1))?;
    let mut pieces = text.split(';').enumerate().peekable();
    let mut destinations: Option<Vec<Destination>> = None;
    while let Some((index, piece)) = pieces.next() {
        let piece = piece.trim_matches([' ', '\t']);
        if piece.is_empty() && pieces.peek().is_none() {
            // The trailing delimiter.
            break;
        }
        let malformed = || PolicyError::Field(index + 1);
        let (name, value) = piece.split_once('=').ok_or_else(malformed)?;
        if name == "rua" {
            let into = destinations.get_or_insert_default();
            for uri in value.split(',') {
                if let Some(destination) = destination(uri.trim_matches([' ', '\t']))?
                    && into.len() < DESTINATIONS
                    && !into.contains(&destination)
                {
                    into.push(destination);
                }
            }
        } else if !is_extension(name, value) {
            return Err(malformed());
        }
    }
    destinations
        .map(|destinations| ReportPolicy { destinations })
        .ok_or(PolicyError::NoRua)
}

/// `tlsrpt-ext-name "=" tlsrpt-ext-value`.
fn is_extension(name: &str, value: &str) -> bool {
    let mut octets = name.bytes();
    let first = octets.next().is_some_and(|o| o.is_ascii_alphanumeric());
    let rest = octets.all(|o| o.is_ascii_alphanumeric() || b"_-.".contains(&o));
    let is_value = |o: u8| (0x21..=0x7E).contains(&o) && o != b';' && o != b'=';
    first && rest && name.len() <= 32 && !value.is_empty() && value.bytes().all(is_value)
}

/// One `tlsrpt-uri`; `None` for a scheme that we do not know.
fn destination(uri: &str) -> Result<Option<Destination>, PolicyError> {
    let is_uri = |octet: u8| (0x21..=0x7E).contains(&octet) && !b"\"<>\\^`{|}!".contains(&octet);
    if uri.is_empty() || uri.len() > URI_OCTETS || !uri.bytes().all(is_uri) {
        return Err(PolicyError::Uri("not a URI"));
    }
    let (scheme, rest) = uri.split_once(':').ok_or(PolicyError::Uri("not a URI"))?;
    // RFC 3986 §3.1: schemes are case-insensitive.
    if scheme.eq_ignore_ascii_case("mailto") {
        mail(rest).map(Some)
    } else if scheme.eq_ignore_ascii_case("https") {
        https(uri).map(Some)
    } else if scheme
        .bytes()
        .all(|o| o.is_ascii_alphanumeric() || b"+-.".contains(&o))
    {
        Ok(None)
    } else {
        Err(PolicyError::Uri("not a URI"))
    }
}

/// RFC 6068: one address; header fields that a URI asks for are not ours to set.
fn mail(rest: &str) -> Result<Destination, PolicyError> {
    let malformed = PolicyError::Uri("mailto: without one address of a domain");
    let to = rest.split('?').next().unwrap_or_default();
    let Some(decoded) = percent_decoded(to) else {
        return Err(malformed);
    };
    match Mailbox::parse(&decoded) {
        Ok(mailbox) if matches!(mailbox.domain(), MailDomain::Name(_)) => {
            Ok(Destination::Mail(decoded))
        }
        Ok(_) | Err(_) => Err(malformed),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(if octet == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()?
        } else {
            octet
        });
    }
    let text = String::from_utf8(octets).ok()?;
    (text.is_ascii() && !text.chars().any(char::is_control)).then_some(text)
}

fn https(uri: &str) -> Result<Destination, PolicyError> {
    let malformed = || PolicyError::Uri("https: without a host name");
    let parsed: hyper::Uri = uri.parse().map_err(|_| malformed())?;
    let authority = parsed.authority().ok_or_else(malformed)?;
    if authority.as_str().contains('@') {
        return Err(PolicyError::Uri("https: with a user name"));
    }
    let host = parsed.host().ok_or_else(malformed)?;
    let is_host = |octet: u8| octet.is_ascii_alphanumeric() || b"-.".contains(&octet);
    if !host.bytes().all(is_host) || host.parse::<std::net::IpAddr>().is_ok() {
        return Err(malformed());
    }
    let host = DomainName::parse(host).map_err(|_| malformed())?;
    let port = match (authority.as_str().contains(':'), parsed.port_u16()) {
        (_, Some(port)) => port,
        (false, None) => 443,
        (true, None) => return Err(malformed()),
    };
    // Nobody collects reports where other services live.
    if port != 443 && port < 1_024 {
        return Err(PolicyError::Uri("https: on a port of another service"));
    }
    let path = parsed.path_and_query().map_or("/", |path| path.as_str());
    Ok(Destination::Https(Collector {
        host,
        port,
        path: path.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(records: &[&str]) -> Result<Vec<String>, PolicyError> {
        let policy = select(records.iter().map(|record| record.as_bytes()))?;
        let destinations = policy.destinations.iter();
        Ok(destinations.map(ToString::to_string).collect())
    }

    #[test]
    fn records_that_ask_for_reports() {
        for (records, expected) in [
            // RFC 8460 §3.1.1, §3.1.2.
            (
                &["v=TLSRPTv1;rua=mailto:reports@example.com"][..],
                &["mailto:reports@example.com"][..],
            ),
            (
                &["v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt"],
                &["https://reporting.example.com/v1/tlsrpt"],
            ),
            (
                &[
                    "v=spf1 -all",
                    "v=TLSRPTv1 ; rua=mailto:a@b.example ,\thttps://c.example;",
                ],
                &["mailto:a@b.example", "https://c.example/"],
            ),
            (
                &[
                    "v=TLSRPTv2;rua=x:y",
                    "v=TLSRPTv1;ext.1=a:b;rua=MAILTO:a%2Bb@c.example?subject=x",
                ],
                &["mailto:a+b@c.example"],
            ),
            (
                &["v=TLSRPTv1;rua=https://C.example:8443/a%2Cb?c=d#e"],
                &["https://c.example:8443/a%2Cb?c=d"],
            ),
            (&["v=TLSRPTv1;rua=gopher://a.example/"], &[]),
            (
                &["v=TLSRPTv1;rua=mailto:a@b.example,mailto:a@b.example;rua=mailto:c@d.example"],
                &["mailto:a@b.example", "mailto:c@d.example"],
            ),
            (
                &[
                    "v=TLSRPTv1;rua=mailto:a@b.c,mailto:b@b.c,mailto:c@b.c,mailto:d@b.c,mailto:e@b.c",
                ],
                &[
                    "mailto:a@b.c",
                    "mailto:b@b.c",
                    "mailto:c@b.c",
                    "mailto:d@b.c",
                ],
            ),
        ] {
            let expected: Vec<String> = expected.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(words(records), Ok(expected), "{records:?}");
        }
    }

    #[test]
    fn records_that_do_not() {
        use PolicyError::{Absent, Field, NoRua, Several};
        let one = "v=TLSRPTv1;rua=mailto:a@b.example";
        let long = format!("v=TLSRPTv1;rua=mailto:a@b.example;x={}", "y".repeat(5_000));
        for (records, expected) in [
            (&[][..], Absent),
            (&["v=TLSRPTv1"], Absent),
            (&["V=TLSRPTv1;rua=mailto:a@b.example"], Absent),
            (&[" v=TLSRPTv1;rua=mailto:a@b.example"], Absent),
            (&["v=TLSRPTv10;rua=mailto:a@b.example"], Absent),
            (&[one, one], Several(2)),
            (&["v=TLSRPTv1;"], NoRua),
            (&["v=TLSRPTv1;a=b"], NoRua),
            (&["v=TLSRPTv1;RUA=mailto:a@b.example"], NoRua),
            (&["v=TLSRPTv1;;rua=mailto:a@b.example"], Field(1)),
            (&["v=TLSRPTv1;rua=mailto:a@b.example;-x=y"], Field(2)),
            (&["v=TLSRPTv1;rua=mailto:a@b.example;x="], Field(2)),
            (&[long.as_str()], PolicyError::TooLong),
        ] {
            assert_eq!(words(records), Err(expected), "{records:?}");
        }
        for uri in [
            "",
            "a@b.example",
            "mailto:",
            "mailto:a",
            "mailto:a@[192.0.2.1]",
            "mailto:a%0D%0ABcc:b@c.example",
            "mailto:a%2Cb@c.example%2Cd@e.example",
            "mailto:a@b.example!10m",
            "mailto:a%@b.example",
            "https:",
            "https://",
            "https:///x",
            "https://192.0.2.1/",
            "https://[2001:db8::1]/",
            "https://user@a.example/",
            "https://a.example:25/",
            "https://a.example:0/",
            "https://a.example:99999/",
            "https://a b.example/",
            "https://a.example/\u{e9}",
            "h_ps://a.example/",
        ] {
            let record = format!("v=TLSRPTv1;rua={uri}");
            assert!(
                matches!(words(&[&record]), Err(PolicyError::Uri(_) | Field(_))),
                "{record}: {:?}",
                words(&[&record])
            );
        }
    }
}
