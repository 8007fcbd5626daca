//! The resolvers of this machine, as resolv.conf(5) names them.

use super::check::{Area, Check, Verdict};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// `nameserver` lines that the C library reads (MAXNS); the rest it ignores.
pub const HEEDED: usize = 3;
/// Addresses that are kept of a file, however long it is.
const MOST: usize = 16;
/// Lines that are looked at.
const MOST_LINES: usize = 10_000;

/// What a resolv.conf says of name servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// The addresses, in their order, each once, port 53. Those from [`HEEDED`] on are of no use
    /// to the C library.
    pub servers: Vec<SocketAddr>,
    /// `nameserver` lines that name no address: line from 1 and what stands there, cut at 60
    /// characters.
    pub faults: Vec<(usize, String)>,
}

/// Reads the text of a resolv.conf. Lines that are not about name servers are passed over, as the
/// C library does; a `#` or `;` in the first column makes a comment. `scope` turns the name of a
/// network interface (`fe80::1%eth0`) into its number; a number stands for itself.
pub fn parse(text: &str, scope: impl Fn(&str) -> Option<u32>) -> ResolvConf {
    let mut found = ResolvConf::default();
    for (index, line) in text.lines().enumerate().take(MOST_LINES) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        let mut words = line.split_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        // What follows the address is ignored, as the C library does.
        let word = words.next().unwrap_or_default();
        match address(word, &scope) {
            Some(server) if found.servers.contains(&server) => {}
            Some(server) if found.servers.len() < MOST => found.servers.push(server),
            Some(_) => {}
            None if found.faults.len() < MOST => {
                let text = word.chars().take(60).collect();
                found.faults.push((index + 1, text));
            }
            None => {}
        }
    }
    found
}

/// An address, of IPv6 with an optional scope (RFC 4007 §11), on port 53.
fn address(word: &str, scope: impl Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
    let Some((address, zone)) = word.split_once('%') else {
        return word.parse::<IpAddr>().ok().map(|ip| (ip, 53).into());
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let number = zone.parse().ok().or_else(|| scope(zone))?;
    Some(SocketAddrV6::new(address, 53, 0, number).into())
}

/// The lines about the file itself; `shown` is its path.
#[must_use]
pub fn faults(shown: &str, found: &ResolvConf) -> Vec<Check> {
    let new = |verdict, finding, text: String| {
        Check::new(verdict, Area::Resolver, finding, text).about(shown)
    };
    let mut checks: Vec<Check> = (found.faults.iter())
        .map(|(line, word)| {
            let text = match word.as_str() {
                "" => format!("line {line}: no address after nameserver"),
                word => format!("line {line}: {word:?} is no address"),
            };
            new(Verdict::Warn, "no-address", text)
                .advise("Programs pass over this line. Write an address there, or remove it.")
        })
        .collect();
    if found.servers.is_empty() {
        checks.push(new(
            Verdict::Note,
            "no-resolver",
            "names no resolver".to_owned(),
        ));
    }
    if found.servers.len() > HEEDED {
        let number = found.servers.len();
        checks.push(new(
            Verdict::Note,
            "too-many",
            format!("names {number} resolvers; programs use the first {HEEDED}"),
        ));
    }
    checks
}

/// The line about a file that cannot be read.
#[must_use]
pub fn missing(shown: &str, error: &io::Error) -> Check {
    let check = match error.kind() {
        io::ErrorKind::NotFound => Check::new(
            Verdict::Note,
            Area::Resolver,
            "no-file",
            "does not exist, so no resolver was looked at",
        ),
        _ => Check::new(
            Verdict::Warn,
            Area::Resolver,
            "unreadable",
            format!("cannot be read: {error}"),
        )
        .advise("Other programs that read it find no resolver either."),
    };
    check.about(shown)
}

/// The number of a network interface on this machine (Linux).
#[must_use]
pub fn interface_number(name: &str) -> Option<u32> {
    let plain = name
        .bytes()
        .all(|octet| octet.is_ascii_graphic() && octet != b'/');
    if !plain || name.starts_with('.') || name.len() > 15 {
        return None;
    }
    let text = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex")).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        let scope = |name: &str| (name == "eth0").then_some(7);
        for (text, servers, faults) in [
            ("", &[][..], &[][..]),
            ("nameserver 192.0.2.53\n", &["192.0.2.53:53"], &[]),
            (
                "# nameserver 192.0.2.1\n; nameserver 192.0.2.2\nsearch example\n\
                 nameserver\t192.0.2.3 # trailing\nnameserver 2001:db8::53\noptions edns0\n",
                &["192.0.2.3:53", "[2001:db8::53]:53"],
                &[],
            ),
            (
                "nameserver fe80::1%eth0\nnameserver fe80::2%3\nnameserver fe80::3%wlan9\n",
                &["[fe80::1%7]:53", "[fe80::2%3]:53"],
                &[(3, "fe80::3%wlan9")],
            ),
            (
                "nameserver\nnameserver example.org\nnameserver 192.0.2.256\nnameservers 192.0.2.1\n\
                 nameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver 192.0.2.1%eth0\n",
                &["192.0.2.1:53"],
                &[
                    (1, ""),
                    (2, "example.org"),
                    (3, "192.0.2.256"),
                    (7, "192.0.2.1%eth0"),
                ],
            ),
            ("\u{0}\u{1b}[2Jgarbage\r\nnameserver\r\n", &[], &[(2, "")]),
        ] {
            let found = parse(text, scope);
            let shown: Vec<String> = found.servers.iter().map(ToString::to_string).collect();
            assert_eq!(shown, servers, "{text:?}");
            let seen: Vec<(usize, &str)> = (found.faults.iter())
                .map(|(line, text)| (*line, text.as_str()))
                .collect();
            assert_eq!(seen, faults, "{text:?}");
        }
    }

    #[test]
    fn bounded() {
        let many: String = (0..200)
            .map(|n| format!("nameserver 192.0.2.{n}\nnameserver x{n}\n"))
            .collect();
        let found = parse(&many, |_| None);
        assert_eq!((found.servers.len(), found.faults.len()), (MOST, MOST));
    }

    #[test]
    fn no_path_comes_out_of_a_name() {
        for name in ["../net/lo", "lo/", "", "..", "a b"] {
            assert_eq!(interface_number(name), None, "{name}");
        }
        assert_eq!(interface_number("lo"), Some(1));
    }
}
