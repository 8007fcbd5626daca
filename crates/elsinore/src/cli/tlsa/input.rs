//! What the subcommands of `tlsa` read: files with a limit, host names that can own records.

use crate::exit::Refusal;
use anyhow::{Context, Result};
use elsinore_check::publish::material::{FILE_LIMIT, Material, MaterialError};
use elsinore_dane::name::DomainName;
use std::io::{Error, ErrorKind, Read};
use std::net::IpAddr;
use std::path::Path;

/// Reads a file of at most `limit` octets; `-` is stdin.
///
/// # Errors
/// An error of reading that names the file.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    read_at_most(path, limit).with_context(|| format!("cannot read {}", path.display()))
}

/// Reads at most one octet more than the limit: enough to see that it is exceeded.
fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut octets = Vec::new();
    if path.as_os_str() == "-" {
        let stdin = std::io::stdin().lock();
        stdin.take(limit + 1).read_to_end(&mut octets)?;
    } else {
        let file = std::fs::File::open(path)?;
        file.take(limit + 1).read_to_end(&mut octets)?;
    }
    if octets.len() as u64 > limit {
        let text = format!("more than {} MiB", limit >> 20);
        return Err(Error::new(ErrorKind::FileTooLarge, text));
    }
    Ok(octets)
}

/// What a file is to hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    /// A chain.
    Certificates,
    /// A key.
    Key,
    /// A request.
    Request,
    /// Any of them.
    Anything,
}

/// Reads what records are made of.
///
/// # Errors
/// An error of reading, or [`Refusal::unusable_input`].
pub(super) fn material(path: &Path, holds: Holds) -> Result<Material> {
    let shown = path.display().to_string();
    let octets = read(path, FILE_LIMIT)?;
    let made = match holds {
        Holds::Certificates => Material::from_certificates(&shown, &octets),
        Holds::Key => Material::from_key(&shown, &octets),
        Holds::Request => Material::from_request(&shown, &octets),
        Holds::Anything => Material::from_any(&shown, &octets),
    };
    made.map_err(|error: MaterialError| Refusal::unusable_input(format!("{shown}: {error}")))
}

/// A host name that can stand in an MX record and own TLSA records. U-labels become A-labels.
///
/// # Errors
/// One line that says what was given instead, and what to give.
pub(super) fn host(text: &str) -> Result<DomainName, String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Err("an address has no TLSA records; give the MX host's name".to_owned());
    }
    if text.contains('*') {
        return Err("a wildcard is not a host; give the MX host's name".to_owned());
    }
    if text.contains('@') || text.contains("://") || text.contains('/') {
        return Err("give the MX host's name alone, such as mx.example.net".to_owned());
    }
    if text.starts_with('_') {
        return Err(
            "give the MX host's name; the labels _25._tcp before it come from --port".to_owned(),
        );
    }
    let name = DomainName::parse(text).map_err(|error| error.to_string())?;
    let is_host_label = |label: &Vec<u8>| {
        let is_letter = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
        label.iter().all(is_letter) && label.first() != Some(&b'-') && label.last() != Some(&b'-')
    };
    if name.is_root() || !name.labels().iter().all(is_host_label) {
        return Err(
            "not a host name: letters, digits and hyphens, such as mx.example.net".to_owned(),
        );
    }
    Ok(name)
}

/// A host, and a port if one was given: `mx.example.net`, `mx.example.net:465`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostPort {
    /// The host.
    pub(super) host: DomainName,
    /// The port.
    pub(super) port: Option<u16>,
}

/// Parses [`HostPort`].
///
/// # Errors
/// As [`host`], and for what is not a port.
pub(super) fn host_port(text: &str) -> Result<HostPort, String> {
    // More than one colon is an IPv6 address, which `host` refuses with the reason.
    let (name, port) = match text.split_once(':') {
        Some((name, port)) if !port.contains(':') && !port.contains('/') => (name, Some(port)),
        _ => (text, None),
    };
    let port = match port {
        None => None,
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 => Some(number),
            _ => return Err(format!("{port:?} is not a port from 1 to 65535")),
        },
    };
    Ok(HostPort {
        host: host(name)?,
        port,
    })
}

/// A name or address, and a port behind a space if need be, as nsupdate takes it.
///
/// # Errors
/// What to give.
pub(super) fn update_server(text: &str) -> Result<String, &'static str> {
    const FORM: &str = "a name or an address, and a port behind a space if need be";
    let mut words = text.split(' ');
    let host = words.next().unwrap_or_default();
    let is_host = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '%'));
    let is_port = match words.next() {
        None => true,
        Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
    };
    if is_host && is_port && words.next().is_none() {
        Ok(text.to_owned())
    } else {
        Err(FORM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (text, expected) in [
            ("mx.example.net", Ok("mx.example.net")),
            ("MX.Example.NET.", Ok("mx.example.net")),
            ("b\u{fc}cher.example", Ok("xn--bcher-kva.example")),
            ("localhost", Ok("localhost")),
            ("192.0.2.1", Err("an address")),
            ("[192.0.2.1]", Err("an address")),
            ("2001:db8::1", Err("an address")),
            ("[2001:db8::1]", Err("an address")),
            ("*.example.net", Err("a wildcard")),
            ("anna@example.net", Err("the MX host's name alone")),
            ("https://example.net/", Err("the MX host's name alone")),
            ("_25._tcp.mx.example.net", Err("come from --port")),
            ("mx_1.example.net", Err("not a host name")),
            ("-mx.example.net", Err("not a host name")),
            ("mx.example.net;rm", Err("not a host name")),
            (".", Err("not a host name")),
            ("", Err("")),
            ("a..b", Err("")),
        ] {
            match (host(text), expected) {
                (Ok(name), Ok(expected)) => assert_eq!(name.as_str(), expected),
                (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
        let parsed = host_port("mx.example.net:2525").map(|parsed| parsed.port);
        assert_eq!(parsed, Ok(Some(2525)));
        for wrong in [":0", ":65536", ":", ":smtp"] {
            assert!(
                host_port(&format!("mx.example.net{wrong}")).is_err(),
                "{wrong}"
            );
        }
    }
}
