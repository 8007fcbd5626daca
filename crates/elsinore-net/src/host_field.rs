//! Whether a request over HTTP calls this machine by a name of its own (RFC 9110 §7.2).
//!
//! A page that somebody looks at can make the browser ask a server on loopback. It cannot read the
//! answer, unless the name it came from was made to point here (DNS rebinding): then that name stands
//! in the Host field. Every server of ours that is not meant for everybody asks this first.

use elsinore_dane::name::DomainName;
use hyper::HeaderMap;
use hyper::header::HOST;
use std::net::IpAddr;

/// Whether the one Host field is an IP address, `localhost` or one of `names`, whatever its port. None
/// and several are neither.
#[must_use]
pub fn is_own(headers: &HeaderMap, names: &[DomainName]) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Ok(host) = host.to_str() else {
        return false;
    };
    let Some(name) = without_port(host) else {
        return false;
    };
    let bare = (name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']')))
    .unwrap_or(name);
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || DomainName::parse(name).is_ok_and(|name| names.contains(&name))
}

/// `host` of `host:port`; nothing when the port is none.
fn without_port(host: &str) -> Option<&str> {
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => {
            Some(name)
        }
        Some(_) if host.ends_with(']') => Some(host),
        Some(_) => None,
        None => Some(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(hosts: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        headers
    }

    #[test]
    fn own_names() {
        let names = [DomainName::parse("relay.example.org").unwrap()];
        for (host, expected) in [
            ("127.0.0.1:2580", true),
            ("127.0.0.1", true),
            ("[::1]:2580", true),
            ("[::1]", true),
            ("localhost:2580", true),
            ("LOCALHOST", true),
            ("relay.example.org:2580", true),
            ("Relay.Example.Org", true),
            ("evil.example", false),
            ("evil.example:2580", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("relay.example.org.evil.example", false),
            ("localhost:99999", false),
            ("user@localhost", false),
            ("::1", false),
            ("[::1", false),
            ("", false),
        ] {
            assert_eq!(is_own(&headers(&[host]), &names), expected, "{host:?}");
        }
        assert!(!is_own(&headers(&[]), &names));
        assert!(!is_own(&headers(&["localhost", "localhost"]), &names));
        assert!(!is_own(&headers(&["relay.example.org"]), &[]));
    }
}
