//! Address ranges, and which addresses a stranger's DNS may send us to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address range in CIDR notation (RFC 4632, RFC 4291 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Net {
    address: IpAddr,
    prefix: u8,
}

/// The text is not `ADDRESS/PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address range: {0:?}")]
pub struct NetError(String);

impl Net {
    /// Whether `address` lies in the range; an IPv4-mapped address counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let shift = 32_u32.saturating_sub(self.prefix.into());
                u32::from(net).checked_shr(shift).unwrap_or(0)
                    == u32::from(address).checked_shr(shift).unwrap_or(0)
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let shift = 128_u32.saturating_sub(self.prefix.into());
                u128::from(net).checked_shr(shift).unwrap_or(0)
                    == u128::from(address).checked_shr(shift).unwrap_or(0)
            }
            _ => false,
        }
    }
}

impl FromStr for Net {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Self, NetError> {
        let refused = || NetError(text.to_owned());
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.parse().map_err(|_| refused())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            "" if text.contains('/') => return Err(refused()),
            "" => widest,
            digits => digits.parse().map_err(|_| refused())?,
        };
        if prefix > widest {
            return Err(refused());
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Whether a server named by a stranger's DNS may be contacted: its address is globally routable
/// unicast, or lies in one of `allowed`. Refused are loopback, private, link-local, shared
/// (RFC 6598), unspecified, multicast, broadcast, reserved, IETF protocol and benchmarking
/// ranges, unique-local and site-local IPv6, and the documentation ranges (RFC 6890).
#[must_use]
pub fn may_contact(address: IpAddr, allowed: &[Net]) -> bool {
    let refused = match address.to_canonical() {
        IpAddr::V4(v4) => refused_v4(v4),
        IpAddr::V6(v6) => refused_v6(v6),
    };
    !refused || allowed.iter().any(|net| net.contains(address))
}

fn refused_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || matches!(
            (a, b, c),
            (0 | 224..=255, _, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _)
        )
}

fn refused_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // The only global unicast space given out so far is 2000::/3.
    segments[0] & 0xe000 != 0x2000
        || (segments[0] == 0x2001 && segments[1] == 0x0db8)
        // Teredo and 6to4 carry an IPv4 address that would have to be judged in turn.
        || (segments[0] == 0x2001 && segments[1] == 0)
        || segments[0] == 0x2002
        || (segments[0] == 0x3fff && segments[1] < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (net, address, inside) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "::ffff:203.0.113.1", true),
            ("::/0", "203.0.113.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("192.0.2.1", "192.0.2.1", true),
        ] {
            let net: Net = net.parse().unwrap();
            assert_eq!(
                net.contains(address.parse().unwrap()),
                inside,
                "{net} {address}"
            );
        }
        for text in ["", "192.0.2.0/33", "192.0.2.0/", "example/8", "192.0.2.0/x"] {
            assert!(text.parse::<Net>().is_err(), "{text}");
        }
    }

    #[test]
    fn contact() {
        let lab: Vec<Net> = vec!["192.0.2.0/24".parse().unwrap()];
        for (address, plain, with_lab) in [
            ("198.41.0.4", true, true),
            ("2001:503:ba3e::2:30", true, true),
            ("127.0.0.1", false, false),
            ("10.1.2.3", false, false),
            ("100.64.0.1", false, false),
            ("169.254.0.1", false, false),
            ("0.0.0.0", false, false),
            ("224.0.0.1", false, false),
            ("192.0.2.7", false, true),
            ("::1", false, false),
            ("::ffff:127.0.0.1", false, false),
            ("fe80::1", false, false),
            ("fd00::1", false, false),
            ("2002:7f00:1::", false, false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(may_contact(address, &[]), plain, "{address}");
            assert_eq!(may_contact(address, &lab), with_lab, "{address}");
        }
    }
}
