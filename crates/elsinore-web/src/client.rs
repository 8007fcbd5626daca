//! Who asks: the address that a request counts for.
//!
//! Behind a reverse proxy every connection comes from the proxy, and its `X-Forwarded-For` names the
//! client. Anybody can send that header, so it is believed only of proxies the administrator named,
//! and read from the right: what stands left of the first address that is no trusted proxy was
//! written by a stranger.

use axum::http::HeaderMap;
use elsinore_dane::network::Network;
use std::net::{IpAddr, Ipv6Addr};

/// Addresses in `X-Forwarded-For` that are looked at: nobody has more proxies in a row.
const PROXIES: usize = 16;

/// What limits are counted by: an IPv4 address, or the /64 that an IPv6 client can choose from
/// (RFC 6177 §2 gives every site at least that).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl Client {
    /// That of `address`.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(IpAddr::V4(v4)),
            IpAddr::V6(v6) => {
                let network = v6.to_bits() & !u128::from(u64::MAX);
                Self(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
        }
    }
}

/// Whether `address` is a proxy that the administrator named.
pub(crate) fn is_proxy(address: IpAddr, proxies: &[Network]) -> bool {
    proxies.iter().any(|network| network.contains(address))
}

/// The client of a request that came over a connection from `peer`.
pub(crate) fn of_request(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> Client {
    let mut nearest = peer;
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for text in forwarded.iter().rev().take(PROXIES) {
        if !is_proxy(nearest, proxies) {
            break;
        }
        let Ok(address) = text.parse() else {
            break;
        };
        nearest = address;
    }
    Client::of(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_proxies_and_not() {
        let proxies: Vec<Network> = ["127.0.0.1", "10.0.0.0/8"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        for (peer, forwarded, expected) in [
            ("192.0.2.1", vec![], "192.0.2.1"),
            // A stranger's word is not believed.
            ("192.0.2.1", vec!["198.51.100.7"], "192.0.2.1"),
            ("127.0.0.1", vec![], "127.0.0.1"),
            ("127.0.0.1", vec!["198.51.100.7"], "198.51.100.7"),
            (
                "127.0.0.1",
                vec!["203.0.113.9, 198.51.100.7"],
                "198.51.100.7",
            ),
            (
                "127.0.0.1",
                vec!["203.0.113.9", "198.51.100.7,10.1.1.1"],
                "198.51.100.7",
            ),
            ("127.0.0.1", vec!["198.51.100.7, unknown"], "127.0.0.1"),
            ("127.0.0.1", vec!["2001:db8::17"], "2001:db8::"),
            ("2001:db8::1", vec![], "2001:db8::99"),
            ("::ffff:192.0.2.1", vec![], "192.0.2.1"),
        ] {
            let mut headers = HeaderMap::new();
            for value in &forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let client = of_request(peer.parse().unwrap(), &headers, &proxies);
            let expected = Client::of(expected.parse().unwrap());
            assert_eq!(client, expected, "{peer} {forwarded:?}");
        }
    }
}
