//! Networks in CIDR notation, and which addresses a server of a stranger may have.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network: an address and a prefix length (RFC 4632 §3.1, RFC 4291 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The part before the slash is not an IPv4 or IPv6 address.
    #[error("not an IP address")]
    Address,
    /// The part after the slash is not a number, or longer than the address.
    #[error("not a prefix length")]
    Prefix,
    /// Bits are set beyond the prefix: probably a slip.
    #[error("address bits set beyond the prefix")]
    HostBits,
}

impl Network {
    /// Whether `address` lies in this network. An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) is
    /// judged as the IPv4 address it stands for.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                masked(u128::from(own.to_bits()), self.prefix, 32)
                    == masked(u128::from(other.to_bits()), self.prefix, 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                masked(own.to_bits(), self.prefix, 128) == masked(other.to_bits(), self.prefix, 128)
            }
            _ => false,
        }
    }
}

/// The first `prefix` bits of a `width`-bit address.
fn masked(bits: u128, prefix: u8, width: u32) -> u128 {
    bits.checked_shr(width - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Parses `192.0.2.0/24`, `2001:db8::/32`, or a single address.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) => digits.parse().map_err(|_| NetworkError::Prefix)?,
        };
        if prefix > width {
            return Err(NetworkError::Prefix);
        }
        let bits = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let host = u32::from(width - prefix);
        if host > 0 && bits & (u128::MAX >> (128 - host)) != 0 {
            return Err(NetworkError::HostBits);
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Which addresses may be contacted when DNS (and so a stranger) names them: by default only
/// those that can be somebody's on the open Internet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkPolicy {
    /// Networks that are allowed although they are not public (`allow_nets`).
    pub allowed: Vec<Network>,
}

impl NetworkPolicy {
    /// `None` when `address` may be contacted, else the reason in a few words.
    #[must_use]
    pub fn refusal(&self, address: IpAddr) -> Option<&'static str> {
        let reason = not_public(address)?;
        if self.allowed.iter().any(|network| network.contains(address)) {
            return None;
        }
        Some(reason)
    }
}

/// Why `address` cannot be a server of somebody else on the open Internet (RFC 6890 and the IANA
/// special-purpose registries); documentation ranges are left alone, nothing answers there.
fn not_public(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(v4) => not_public_v4(v4),
        IpAddr::V6(v6) => not_public_v6(v6),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    let octets = address.octets();
    if address.is_loopback() {
        Some("loopback address")
    } else if address.is_private() {
        Some("private address")
    } else if address.is_link_local() {
        Some("link-local address")
    } else if octets[0] == 0 {
        Some("address of this network")
    } else if octets[0] == 100 && octets[1] & 0xc0 == 64 {
        Some("shared address space")
    } else if address.is_multicast() {
        Some("multicast address")
    } else if octets[0] >= 240 {
        Some("reserved address")
    } else {
        None
    }
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    if address.is_loopback() {
        return Some("loopback address");
    }
    if address.is_unspecified() {
        return Some("unspecified address");
    }
    if address.is_unique_local() {
        return Some("private address");
    }
    if address.is_unicast_link_local() || segments[0] & 0xffc0 == 0xfec0 {
        return Some("link-local address");
    }
    if address.is_multicast() {
        return Some("multicast address");
    }
    // The well-known prefix of RFC 6052 §2.1 embeds an IPv4 address, which decides.
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let low = address.octets();
        return not_public_v4(Ipv4Addr::new(low[12], low[13], low[14], low[15]));
    }
    // So does 6to4 (RFC 3056 §2).
    if segments[0] == 0x2002 {
        let octets = address.octets();
        return not_public_v4(Ipv4Addr::new(octets[2], octets[3], octets[4], octets[5]));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containment() {
        for (network, address, expected) in [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(
                parsed.contains(address.parse().unwrap()),
                expected,
                "{address} in {network}"
            );
        }
    }

    #[test]
    fn refused_texts() {
        for (text, expected) in [
            ("", NetworkError::Address),
            ("lan", NetworkError::Address),
            ("10.0.0.0/33", NetworkError::Prefix),
            ("10.0.0.0/", NetworkError::Prefix),
            ("10.0.0.1/8", NetworkError::HostBits),
            ("2001:db8::1/64", NetworkError::HostBits),
        ] {
            assert_eq!(text.parse::<Network>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn who_may_be_contacted() {
        let open = NetworkPolicy::default();
        let lab = NetworkPolicy {
            allowed: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
        };
        for (address, public, allowed_in_lab) in [
            ("192.0.2.1", true, true),
            ("127.0.0.1", false, true),
            ("::1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("10.0.0.1", false, false),
            ("169.254.1.1", false, false),
            ("100.64.0.1", false, false),
            ("0.0.0.0", false, false),
            ("255.255.255.255", false, false),
            ("fd00::1", false, false),
            ("fe80::1", false, false),
            ("64:ff9b::7f00:1", false, false),
            ("2002:7f00:1::1", false, false),
            ("2001:db8::25", true, true),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(open.refusal(address).is_none(), public, "{address}");
            assert_eq!(lab.refusal(address).is_none(), allowed_in_lab, "{address}");
        }
    }
}
