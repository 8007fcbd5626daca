//! What a judgement rests on: the reply it was read from, shared and not copied, so that keeping
//! it costs no copy. Records are picked out of it only when somebody wants to see
//! them.

use super::cache::{Kept, Kind, Weigh, shared_block};
use super::core::Found;
use super::step::dname_above;
use super::wire::{Message, Name, Question, Record, Rrsig, presentation, rtype};
use elsinore_dane::answer::{Answer, RecordType};
use elsinore_dane::name::DomainName;
use std::fmt;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::time::Instant;

/// One record of class IN.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceRecord {
    /// The owner name.
    pub owner: DomainName,
    /// The type.
    pub record_type: RecordType,
    /// Seconds it may be reused.
    pub ttl: u32,
    /// RDATA, uncompressed, in canonical form (RFC 4034 §6.2).
    pub rdata: Vec<u8>,
}

impl ResourceRecord {
    pub(super) fn new(record: &Record, ttl: u32) -> Self {
        Self {
            owner: record.owner.to_domain(),
            record_type: RecordType::from_code(record.rtype),
            ttl,
            rdata: record.rdata.clone(),
        }
    }

    /// The data in presentation format; RFC 3597 form where the type is not known here or the data
    /// is malformed. Printable ASCII alone.
    #[must_use]
    pub fn rdata_text(&self) -> String {
        presentation::rdata(self.record_type.code(), &self.rdata)
    }
}

/// As a line of a zone file (RFC 1035 §5.1, RFC 3597 §5), names with their trailing dot.
impl fmt::Display for ResourceRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rtype = self.record_type.code();
        let owner = presentation::absolute(&Name::from_domain(&self.owner));
        let (kind, rdata) = (presentation::mnemonic(rtype), self.rdata_text());
        write!(f, "{owner} {} IN {kind} {rdata}", self.ttl)
    }
}

/// The server of a reply that nobody was asked for.
pub(super) const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Whether a lookup keeps what its answer rests on. The way of mail does not: it never shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Records {
    Kept,
    Dropped,
}

/// The reply from which one link, or the end, was judged.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    message: Arc<Message>,
    /// What it was asked for.
    asked: Question,
    /// The zone whose servers gave it: only records at or below count.
    bailiwick: Name,
    received: Instant,
}

impl Weigh for Evidence {
    fn heap(&self) -> usize {
        let message = shared_block(size_of::<Message>()) + self.message.heap();
        let names = self.bailiwick.heap() + self.asked.name.heap();
        shared_block(size_of::<Self>()) + message + names
    }
}

impl Evidence {
    pub(super) fn new(found: &Found, asked: &Question) -> Self {
        Self {
            message: Arc::clone(&found.message),
            asked: asked.clone(),
            bailiwick: found.bailiwick.clone(),
            received: Instant::now(),
        }
    }

    pub(super) fn message(&self) -> &Message {
        &self.message
    }

    /// The reply as it was found; by whom is not known any more.
    pub(super) fn found(&self) -> Found {
        Found {
            message: Arc::clone(&self.message),
            bailiwick: self.bailiwick.clone(),
            server: NOBODY,
        }
    }

    /// Whether it is the reply to a question of that very lookup: what an alias that was learnt by
    /// another question came with is about other names.
    pub(super) fn was_asked_by(&self, answer: &Answer) -> bool {
        let mut targets = answer.chain.iter().map(|link| &link.target);
        let own = |name: &DomainName| Name::from_domain(name) == self.asked.name;
        self.asked.rtype == answer.question.record_type.code()
            && (own(&answer.question.name) || targets.any(own))
    }

    /// What is left of `ttl`.
    pub(super) fn left_of(&self, ttl: u32) -> u32 {
        let age = self.received.elapsed().as_secs();
        ttl.saturating_sub(u32::try_from(age).unwrap_or(u32::MAX))
    }

    /// The records of `owner` and `rtype` in the answer section, then the signatures over them.
    pub(super) fn answer(&self, owner: &Name, rtype: u16) -> Vec<&Record> {
        with_signatures(&self.message.answer, owner, rtype)
    }

    /// Whether the records of `owner` and `rtype` were made from a wildcard (RFC 4035 §5.3.4).
    pub(super) fn is_expanded(&self, owner: &Name, rtype: u16) -> bool {
        let own = owner.label_count() - usize::from(owner.is_wildcard());
        self.answer(owner, rtype).into_iter().any(|record| {
            record.rtype == rtype::RRSIG
                && Rrsig::parse(&record.rdata).is_some_and(|rrsig| usize::from(rrsig.labels) < own)
        })
    }

    /// The owner of the DNAME that stands above `name` in the answer section.
    pub(super) fn dname_above(&self, name: &Name) -> Option<Name> {
        dname_above(&self.message.answer, name, &self.bailiwick).map(|set| set.owner)
    }

    /// Whether it came from a server that has a say in `owner`.
    pub(super) fn is_from(&self, owner: &Name) -> bool {
        owner.is_at_or_below(&self.bailiwick)
    }

    /// The RRsets of the authority section, each with its signatures.
    pub(super) fn authority(&self) -> Vec<Vec<&Record>> {
        let mut seen: Vec<(&Name, u16)> = Vec::new();
        let mut sets = Vec::new();
        for record in &self.message.authority {
            let key = (&record.owner, record.rtype);
            if record.rtype == rtype::RRSIG || seen.contains(&key) {
                continue;
            }
            seen.push(key);
            sets.push(with_signatures(
                &self.message.authority,
                &record.owner,
                record.rtype,
            ));
        }
        sets
    }
}

/// The reply in whose authority section the name servers of a zone stood, by the word of the zone
/// itself: what a server without recursion refers to (RFC 1034 §4.3.2).
#[derive(Debug, Clone)]
pub(super) struct ZoneServers(pub(super) Evidence);

impl Weigh for ZoneServers {
    fn heap(&self) -> usize {
        self.0.heap()
    }
}

impl Kept for ZoneServers {
    const KIND: Kind = Kind::Servers;
    type Key = Name;
}

/// An RRset and the signatures that cover it.
fn with_signatures<'a>(section: &'a [Record], owner: &Name, rtype: u16) -> Vec<&'a Record> {
    let mut records = Message::rrset(section, owner, rtype);
    if rtype != rtype::RRSIG {
        let signatures = Message::rrset(section, owner, rtype::RRSIG);
        records.extend(signatures.into_iter().filter(|record| {
            Rrsig::parse(&record.rdata).is_some_and(|rrsig| rrsig.covered == rtype)
        }));
    }
    records
}
