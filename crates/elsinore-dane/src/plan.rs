//! The result of discovery: per MX host the addresses and the obligation, or why there is none.

use crate::finding::Finding;
use crate::name::DomainName;
use crate::obligation::Obligation;
use std::net::IpAddr;

/// One host of the plan, in the order in which hosts are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPlan {
    /// The host as the MX record (or the administrator) names it, never an alias target; the
    /// text of an address literal when there is no name.
    pub mx_host: String,
    /// MX preference; `None` for an implicit MX and for a configured host.
    pub preference: Option<u16>,
    /// Addresses in the order to try, IPv6 and IPv4 interleaved. Empty when the host is skipped.
    pub addresses: Vec<IpAddr>,
    /// TCP port.
    pub port: u16,
    /// What the session is obliged to.
    pub obligation: Obligation,
    /// Server name to send (RFC 7672 §8.1); `None` for address literals.
    pub sni: Option<DomainName>,
    /// What was noticed about this host.
    pub findings: Vec<Finding>,
}
