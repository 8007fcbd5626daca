//! What Postfix looks up: the next-hop destination as its transport names it, verbatim, and for a
//! plain name that was not found its parents with a leading dot (`TLS_README`, "policy table").

use elsinore_dane::next_hop::{NextHop, Target};

/// Longest key that can name a destination: 253 octets of a name, brackets and a port, with room
/// for names in UTF-8 (RFC 6531), which are longer than their A-labels.
pub const LONGEST_KEY: usize = 1024;

/// A key, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupKey {
    /// A destination to decide about.
    Destination(NextHop),
    /// Nothing that this service knows of: a parent domain (`.example.org`), another transport
    /// (`unix:/path`), or no domain name at all. The administrator's default applies.
    Unknown,
}

impl LookupKey {
    /// Reads a key. Ports may be service names, of which the three of mail are known.
    #[must_use]
    pub fn parse(key: &[u8]) -> Self {
        let Ok(text) = std::str::from_utf8(key) else {
            return Self::Unknown;
        };
        // A backslash would be read as an escape of presentation format.
        if text.len() > LONGEST_KEY
            || text.starts_with('.')
            || text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\')
        {
            return Self::Unknown;
        }
        let known = service_port(text).map(|(host, port)| format!("{host}:{port}"));
        match NextHop::parse(known.as_deref().unwrap_or(text)) {
            Ok(hop) if is_destination(&hop) => Self::Destination(hop),
            Ok(_) | Err(_) => Self::Unknown,
        }
    }
}

/// Names of other things than hosts have no place in a next hop; with a colon or an at sign a text
/// is another kind of key.
fn is_destination(hop: &NextHop) -> bool {
    match &hop.target {
        Target::Domain(name) | Target::Host(name) => {
            let name = name.as_str();
            name.bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'))
        }
        Target::Address(_) => true,
    }
}

/// The host and port of `host:service` (the services file has more; these are of mail).
fn service_port(text: &str) -> Option<(&str, u16)> {
    let (host, service) = text.rsplit_once(':')?;
    let port = match service {
        "smtp" => 25,
        "submission" => 587,
        "submissions" | "smtps" => 465,
        _ => return None,
    };
    Some((host, port))
}

/// The form under which answers to `key` are kept, written into `buffer`: ASCII in lower case, no
/// trailing dot. `None` for a key that is too long to be any destination.
#[must_use]
pub fn canonical<'a>(key: &[u8], buffer: &'a mut [u8; LONGEST_KEY]) -> Option<&'a [u8]> {
    let key = match key {
        [rest @ .., b'.'] if !rest.is_empty() => rest,
        key => key,
    };
    let place = buffer.get_mut(..key.len())?;
    place.copy_from_slice(key);
    place.make_ascii_lowercase();
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_postfix() {
        for (key, expected) in [
            ("example.org", Some("example.org")),
            ("Example.ORG.", Some("example.org")),
            ("example.org:587", Some("example.org:587")),
            ("example.org:submission", Some("example.org:587")),
            ("[mail.example.org]", Some("[mail.example.org]")),
            ("[mail.example.org]:smtps", Some("[mail.example.org]:465")),
            ("[192.0.2.1]", Some("[192.0.2.1]")),
            ("[IPv6:2001:db8::1]:26", Some("[IPv6:2001:db8::1]:26")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("_smtp.example.org", Some("_smtp.example.org")),
            (".example.org", None),
            ("", None),
            (".", None),
            ("..", None),
            ("a..b", None),
            ("192.0.2.1", None),
            ("unix:/var/run/lmtp", None),
            ("user@example.org", None),
            ("example.org:nosuchservice", None),
            ("exam ple.org", None),
            ("example.org\n", None),
            ("a\\.b.example", None),
            ("*", None),
        ] {
            let found = match LookupKey::parse(key.as_bytes()) {
                LookupKey::Destination(hop) => Some(hop.to_string()),
                LookupKey::Unknown => None,
            };
            assert_eq!(found.as_deref(), expected, "{key:?}");
        }
        assert_eq!(LookupKey::parse(b"\xff.example"), LookupKey::Unknown);
        assert_eq!(LookupKey::parse(&[b'a'; 2000]), LookupKey::Unknown);
    }

    #[test]
    fn one_form_for_one_destination() {
        let mut buffer = [0; LONGEST_KEY];
        for (key, expected) in [
            ("Example.ORG", Some("example.org")),
            ("example.org.", Some("example.org")),
            (".", Some(".")),
            ("", Some("")),
        ] {
            let found = canonical(key.as_bytes(), &mut buffer);
            assert_eq!(found, expected.map(str::as_bytes), "{key:?}");
        }
        assert_eq!(canonical(&[b'a'; LONGEST_KEY + 1], &mut buffer), None);
    }
}
