//! The destination as the envelope or the administrator names it (RFC 5321 §5.1, §4.1.3).

use crate::name::{DomainName, NameError};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a message is to go next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NextHop {
    /// The name or address.
    pub target: Target,
    /// The TCP port, when one was named.
    pub port: Option<u16>,
}

/// What stands for the next hop.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A domain, subject to MX lookup.
    Domain(DomainName),
    /// `[host]`: no MX lookup, the administrator vouches for the name (RFC 7672 §2.2.2).
    Host(DomainName),
    /// An address literal: DANE does not apply (RFC 7672 §2.2).
    Address(IpAddr),
}

/// Why a text names no next hop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NextHopError {
    /// Nothing there, or nothing between the brackets.
    #[error("no destination given")]
    Empty,
    /// An opening bracket that is never closed, or text behind the closing one.
    #[error("brackets do not match in {0:?}")]
    Brackets(String),
    /// Not a decimal number from 1 to 65535.
    #[error("not a port number: {0:?}")]
    Port(String),
    /// `[IPv6:...]` that holds no IPv6 address.
    #[error("not an IPv6 address: {0:?}")]
    Address(String),
    /// The name itself is malformed.
    #[error("{0:?} is not a domain name: {1}")]
    Name(String, NameError),
    /// An address without brackets, which would be looked up as a name.
    #[error("write the address {0} as [{0}]")]
    BareAddress(IpAddr),
}

impl NextHop {
    /// A domain subject to MX lookup, on the default port.
    #[must_use]
    pub const fn domain(domain: DomainName) -> Self {
        Self {
            target: Target::Domain(domain),
            port: None,
        }
    }

    /// Parses `domain`, `domain:port`, `[host]`, `[host]:port`, `[192.0.2.1]`, `[IPv6:2001:db8::1]`
    /// (RFC 5321 §4.1.3; a bare `[2001:db8::1]` is accepted too).
    ///
    /// # Errors
    /// [`NextHopError`] names the part that is malformed.
    pub fn parse(text: &str) -> Result<Self, NextHopError> {
        if let Some(rest) = text.strip_prefix('[') {
            let (inside, behind) = rest
                .split_once(']')
                .ok_or_else(|| NextHopError::Brackets(text.to_owned()))?;
            let port = match behind.strip_prefix(':') {
                Some(digits) => Some(parse_port(digits)?),
                None if behind.is_empty() => None,
                None => return Err(NextHopError::Brackets(text.to_owned())),
            };
            let target = parse_bracketed(inside)?;
            return Ok(Self { target, port });
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Err(NextHopError::BareAddress(address));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, digits)) => (name, Some(parse_port(digits)?)),
            None => (text, None),
        };
        if let Ok(address) = name.parse::<IpAddr>() {
            return Err(NextHopError::BareAddress(address));
        }
        Ok(Self {
            target: Target::Domain(parse_name(name)?),
            port,
        })
    }
}

fn parse_bracketed(inside: &str) -> Result<Target, NextHopError> {
    let tag = inside.get(..5);
    if tag.is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:")) {
        let digits = &inside[5..];
        return digits
            .parse::<Ipv6Addr>()
            .map(|address| Target::Address(address.into()))
            .map_err(|_| NextHopError::Address(digits.to_owned()));
    }
    if let Ok(address) = inside.parse::<Ipv4Addr>() {
        return Ok(Target::Address(address.into()));
    }
    if let Ok(address) = inside.parse::<Ipv6Addr>() {
        return Ok(Target::Address(address.into()));
    }
    parse_name(inside).map(Target::Host)
}

fn parse_name(text: &str) -> Result<DomainName, NextHopError> {
    if text.is_empty() {
        return Err(NextHopError::Empty);
    }
    let name = DomainName::parse(text).map_err(|e| NextHopError::Name(text.to_owned(), e))?;
    if name.is_root() {
        return Err(NextHopError::Empty);
    }
    Ok(name)
}

fn parse_port(digits: &str) -> Result<u16, NextHopError> {
    let wrong = || NextHopError::Port(digits.to_owned());
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    match digits.parse::<u16>() {
        Ok(0) | Err(_) => Err(wrong()),
        Ok(port) => Ok(port),
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Domain(name) => write!(f, "{name}")?,
            Target::Host(name) => write!(f, "[{name}]")?,
            Target::Address(IpAddr::V4(address)) => write!(f, "[{address}]")?,
            Target::Address(IpAddr::V6(address)) => write!(f, "[IPv6:{address}]")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, printed) in [
            ("Example.org", "example.org"),
            ("example.org:587", "example.org:587"),
            ("[mx.example.org]", "[mx.example.org]"),
            ("[mx.example.org]:2525", "[mx.example.org]:2525"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[192.0.2.1]:26", "[192.0.2.1]:26"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("[ipv6:2001:DB8::1]:25", "[IPv6:2001:db8::1]:25"),
            ("[2001:db8::1]", "[IPv6:2001:db8::1]"),
        ] {
            let hop = NextHop::parse(text).unwrap();
            assert_eq!(hop.to_string(), printed, "{text}");
            assert_eq!(NextHop::parse(printed).unwrap(), hop, "{printed}");
        }
    }

    #[test]
    fn refused() {
        for text in [
            "",
            ".",
            "[]",
            "[",
            "[mx.example",
            "[mx.example]x",
            "example.org:",
            "example.org:0",
            "example.org:65536",
            "example.org:+25",
            "[IPv6:192.0.2.1]",
            "192.0.2.1",
            "192.0.2.1:25",
            "2001:db8::1",
            "a..b",
        ] {
            assert!(NextHop::parse(text).is_err(), "{text:?}");
        }
    }
}
