//! Addresses are given out in order: name servers from 192.0.2.0/24, hosts from 198.51.100.0/24
//! and then 203.0.113.0/24 (RFC 5737), each with an IPv6 address of 2001:db8::/32 (RFC 3849).

use std::net::{Ipv4Addr, Ipv6Addr};

/// What was given out so far.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    servers: u8,
    hosts: u16,
}

/// Hosts per /24: .1 to .254.
const PER_NETWORK: u16 = 254;

impl Addresses {
    /// The next name server's addresses, if any is left.
    pub(super) fn server(&mut self) -> Option<(Ipv4Addr, Ipv6Addr)> {
        let number = self.servers.checked_add(1).filter(|number| *number < 255)?;
        self.servers = number;
        let ipv6 = Ipv6Addr::new(0x2001, 0xdb8, 0x53, 0, 0, 0, 0, u16::from(number));
        Some((Ipv4Addr::new(192, 0, 2, number), ipv6))
    }

    /// The next host's addresses, if any is left.
    pub(super) fn host(&mut self) -> Option<(Ipv4Addr, Ipv6Addr)> {
        let index = self.hosts;
        self.hosts = index.checked_add(1)?;
        // The remainder is below 254.
        let last = u8::try_from(index % PER_NETWORK + 1).ok()?;
        let ipv4 = match index / PER_NETWORK {
            0 => Ipv4Addr::new(198, 51, 100, last),
            1 => Ipv4Addr::new(203, 0, 113, last),
            _ => return None,
        };
        let ipv6 = Ipv6Addr::new(0x2001, 0xdb8, 0x25, 0, 0, 0, 0, index + 1);
        Some((ipv4, ipv6))
    }
}
