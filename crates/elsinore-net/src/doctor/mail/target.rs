//! Whom to knock at.

use elsinore_dane::name::DomainName;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A mail server to knock at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailTarget {
    /// The best MX host of a domain.
    Domain(DomainName),
    /// A host by name, and the port.
    Host(DomainName, u16),
    /// An address and port.
    Address(SocketAddr),
}

/// The usual port.
pub(super) const SMTP: u16 = 25;

impl FromStr for MailTarget {
    type Err = String;

    /// `mx.example.org`, `mx.example.org:2525`, `192.0.2.1`, `[2001:db8::1]:25`, and `@example.org`
    /// for the MX host of a domain.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = |text: &str| DomainName::parse(text).map_err(|error| error.to_string());
        if let Some(domain) = text.strip_prefix('@') {
            return name(domain).map(Self::Domain);
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
            return Ok(Self::Address((address, SMTP).into()));
        }
        match text.rsplit_once(':') {
            Some((host, port)) => match port.parse() {
                Ok(port) if port > 0 => name(host).map(|host| Self::Host(host, port)),
                _ => Err(format!("{port:?} is not a port")),
            },
            None => name(text).map(|host| Self::Host(host, SMTP)),
        }
    }
}

impl fmt::Display for MailTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(name) => write!(f, "@{name}"),
            Self::Host(name, SMTP) => name.fmt(f),
            Self::Host(name, port) => write!(f, "{name}:{port}"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// The servers that are knocked at unless others are named, one after the other until one greets:
/// those of three large operators on three networks, who are there for anybody to connect to at any
/// time, by their domains, because hosts are renamed. One connection and QUIT is what each of them
/// sees many thousand times an hour from monitoring.
#[must_use]
pub fn default_targets() -> Vec<MailTarget> {
    // Constants, which a test parses.
    ["@gmail.com", "@ietf.org", "@posteo.de"]
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (text, expected) in [
            ("mx.example.org", Some("mx.example.org")),
            ("mx.example.org:2525", Some("mx.example.org:2525")),
            ("@example.org", Some("@example.org")),
            ("192.0.2.1", Some("192.0.2.1:25")),
            ("192.0.2.1:26", Some("192.0.2.1:26")),
            ("[192.0.2.1]", Some("192.0.2.1:25")),
            ("2001:db8::1", Some("[2001:db8::1]:25")),
            ("[2001:db8::1]", Some("[2001:db8::1]:25")),
            ("[2001:db8::1]:26", Some("[2001:db8::1]:26")),
            ("mx.example.org:0", None),
            ("mx.example.org:port", None),
            ("", None),
            ("a..b", None),
            ("@", None),
        ] {
            let parsed = text.parse::<MailTarget>().ok();
            let shown = parsed.map(|target| target.to_string());
            assert_eq!(shown.as_deref(), expected, "{text:?}");
        }
        assert_eq!(default_targets().len(), 3);
    }
}
