//! The servers of a zone one by one, for comparing them with each other: whom the parent names,
//! whom the zone itself names, where they are, and what each of them says to the same question.
//! Nothing of this is believed: trust comes from the validator alone.

use super::evidence::ResourceRecord;
use elsinore_dane::answer::{ExtendedError, Question};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Status;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Who names the servers of one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneServers {
    /// The zone.
    pub zone: DomainName,
    /// The zone above, whose servers delegate it; the root's own for the root.
    pub parent: DomainName,
    /// Every server that either side names, in the order of their names, at most
    /// [`MOST_SERVERS`].
    pub servers: Vec<NamedServer>,
    /// The security of the NS records by the word of the zone itself; their failure where they were
    /// not had.
    pub own: Status,
    /// Seconds for which the NS records of the delegation may be reused; `None` where it was not
    /// seen.
    pub delegation_ttl: Option<u32>,
    /// Why the delegation could not be seen, where it could not.
    pub delegation_failure: Option<String>,
}

/// Servers of one zone that are looked at.
pub const MOST_SERVERS: usize = 16;
/// Addresses of one server that are looked at.
pub const MOST_ADDRESSES: usize = 8;

/// One server, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedServer {
    /// Its name.
    pub name: DomainName,
    /// Who names it.
    pub named_by: NamedBy,
    /// The addresses that came with the delegation (glue), sorted.
    pub glue: Vec<IpAddr>,
    /// The addresses that its name resolves to, sorted.
    pub addresses: Vec<IpAddr>,
    /// What is wrong with its name: lookups that failed, an alias (RFC 2181 §10.3), no address.
    pub problems: Vec<String>,
}

/// Who names a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamedBy {
    /// The delegation alone.
    Parent,
    /// The zone itself alone.
    Zone,
    /// Both, as it should be (RFC 1034 §4.2.2).
    Both,
}

/// What one server said to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerReply {
    /// The server.
    pub server: SocketAddr,
    /// What it was asked, without RD, with DO.
    pub question: Question,
    /// What came back by UDP.
    pub udp: ServerReplyKind,
    /// What came back by TCP, which is asked where the reply was truncated, or silence followed.
    pub tcp: Option<ServerReplyKind>,
    /// Time until the reply by UDP, or until it was given up.
    pub elapsed: Duration,
}

impl ServerReply {
    /// The whole reply, by whichever way it came.
    #[must_use]
    pub fn said(&self) -> Option<&ServerAnswer> {
        match (&self.udp, &self.tcp) {
            (ServerReplyKind::Said(answer), _) if !answer.truncated => Some(answer),
            (_, Some(ServerReplyKind::Said(answer))) => Some(answer),
            _ => None,
        }
    }
}

/// What came of asking one server one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerReplyKind {
    /// It said something.
    Said(Box<ServerAnswer>),
    /// Nothing within the time given.
    Silent,
    /// The network refused; the text says how.
    Unreachable(String),
    /// A reply that cannot be read.
    Malformed,
    /// It was not asked: the address may not be contacted.
    NotContacted,
    /// A replay has no record of this question.
    NotRecorded,
}

/// A reply as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAnswer {
    /// RCODE, extended by EDNS: 0 NOERROR, 3 NXDOMAIN, 5 REFUSED.
    pub rcode: u16,
    /// AA: it speaks as a server of the zone.
    pub authoritative: bool,
    /// TC: cut to what a datagram holds.
    pub truncated: bool,
    /// Length of the reply.
    pub octets: usize,
    /// The extended error (RFC 8914).
    pub ede: Option<ExtendedError>,
    /// The answer section, RRSIG records included.
    pub answer: Vec<ResourceRecord>,
    /// The authority section, RRSIG records included.
    pub authority: Vec<ResourceRecord>,
}

impl ServerAnswer {
    /// The serial number of the SOA record in it, if it has one (RFC 1035 §3.3.13).
    #[must_use]
    pub fn serial(&self) -> Option<u32> {
        let mut records = self.answer.iter().chain(&self.authority);
        let soa = records.find(|record| record.record_type.code() == super::wire::rtype::SOA)?;
        // Serial, refresh, retry, expire and minimum end the RDATA, four octets each.
        let serial = soa.rdata.len().checked_sub(20)?;
        let octets = soa.rdata.get(serial..serial + 4)?;
        Some(u32::from_be_bytes(octets.try_into().ok()?))
    }
}
