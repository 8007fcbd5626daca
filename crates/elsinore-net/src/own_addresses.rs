//! The addresses under which a relay can be found: what it needs to find itself in an MX list
//! (RFC 5321 §5.1).
//!
//! # Limitations
//! Addresses that a router in front of this machine translates are not known here; names are
//! (`own_names`). The lists of the kernel are Linux' own.

use std::fs;
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest list that is read, in octets: some ten thousand addresses.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Where `listeners` can be reached on this machine: a listener on every address stands for each
/// address that the machine has now. What cannot be found out is left out.
#[must_use]
pub fn reachable_at(listeners: &[SocketAddr]) -> Vec<SocketAddr> {
    let local = if listeners.iter().any(|it| it.ip().is_unspecified()) {
        local_addresses()
    } else {
        Vec::new()
    };
    spread(listeners, &local)
}

/// The addresses of this machine.
fn local_addresses() -> Vec<IpAddr> {
    let read = |path| {
        let mut text = String::new();
        let file = fs::File::open(path).map(|file| file.take(LONGEST));
        // Half a list, or none, is what is known.
        let _ = file.and_then(|mut file| file.read_to_string(&mut text));
        text
    };
    let mut all: Vec<IpAddr> = ipv4(&read("/proc/net/fib_trie"));
    all.extend(ipv6(&read("/proc/net/if_inet6")));
    all
}

fn spread(listeners: &[SocketAddr], local: &[IpAddr]) -> Vec<SocketAddr> {
    let mut all = Vec::new();
    for listener in listeners {
        if !listener.ip().is_unspecified() {
            all.push(*listener);
            continue;
        }
        // A socket on `[::]` takes IPv4 as well unless it was told otherwise; an address too many
        // would only be one that nobody reaches mail at.
        let heard = |address: &&IpAddr| listener.is_ipv6() || address.is_ipv4();
        let here = local.iter().filter(heard);
        all.extend(here.map(|address| SocketAddr::new(*address, listener.port())));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Leaves of the routing trie that are addresses of this machine.
fn ipv4(text: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut leaf: Option<Ipv4Addr> = None;
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse().ok();
        } else if line.starts_with("/32 ") && line.ends_with(" LOCAL") {
            found.extend(leaf.map(IpAddr::V4));
        }
    }
    found
}

/// The first column: 32 hexadecimal digits.
fn ipv6(text: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let digits = line.split_ascii_whitespace().next()?;
        let is_whole = digits.len() == 32 && digits.bytes().all(|it| it.is_ascii_hexdigit());
        let bits = u128::from_str_radix(digits, 16).ok().filter(|_| is_whole)?;
        Some(IpAddr::V6(Ipv6Addr::from_bits(bits)))
    };
    text.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIE: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     \
        +-- 127.0.0.0/8 2 0 2\n        |-- 127.0.0.0\n           /8 host LOCAL\n        |-- 127.0.0.1\n           \
        /32 host LOCAL\n     |-- 192.0.2.7\n        /32 host LOCAL\n     |-- 192.0.2.255\n        \
        /32 link BROADCAST\n     |-- 192.0.2.0\n        /24 link UNICAST\n";
    const INET6: &str = "00000000000000000000000000000001 01 80 10 80       lo\n\
        20010db8000000000000000000000007 02 40 00 80     eth0\nshort 02 40 00 80     eth0\n";

    fn addresses(text: &str) -> Vec<IpAddr> {
        text.split(' ').map(|it| it.parse().unwrap()).collect()
    }

    #[test]
    fn lists_of_the_kernel() {
        assert_eq!(ipv4(TRIE), addresses("127.0.0.1 192.0.2.7"));
        assert_eq!(ipv6(INET6), addresses("::1 2001:db8::7"));
        for nonsense in ["", "|-- x\n/32 host LOCAL", "/32 host LOCAL"] {
            assert!(ipv4(nonsense).is_empty() && ipv6(nonsense).is_empty());
        }
    }

    #[test]
    fn a_listener_on_every_address_is_found_at_each() {
        let local = addresses("127.0.0.1 192.0.2.7 2001:db8::7");
        for (listeners, expected) in [
            ("192.0.2.7:25", "192.0.2.7:25"),
            ("0.0.0.0:25", "127.0.0.1:25 192.0.2.7:25"),
            ("[::]:25", "127.0.0.1:25 192.0.2.7:25 [2001:db8::7]:25"),
            (
                "0.0.0.0:25 192.0.2.7:25 127.0.0.1:2525",
                "127.0.0.1:25 127.0.0.1:2525 192.0.2.7:25",
            ),
        ] {
            let parse = |text: &str| -> Vec<SocketAddr> {
                text.split(' ').map(|it| it.parse().unwrap()).collect()
            };
            assert_eq!(spread(&parse(listeners), &local), parse(expected));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_has_a_loopback_address() {
        let found = reachable_at(&["0.0.0.0:25".parse().unwrap()]);
        assert!(
            found.contains(&"127.0.0.1:25".parse().unwrap()),
            "{found:?}"
        );
    }
}
