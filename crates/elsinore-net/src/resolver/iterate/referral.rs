//! What a reply of an authoritative server is: an answer, a referral, or nothing.

use crate::resolver::cache::{Kept, Kind, Weigh, block};
use crate::resolver::route::RouteKind;
use crate::resolver::servers::port_53;
use crate::resolver::wire::{Message, Name, Question, Rcode, Record, rtype};
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr};

/// Name servers of one delegation that are kept.
const MOST_SERVERS: usize = 16;
/// Addresses of one name server that are kept.
pub(super) const MOST_ADDRESSES: usize = 8;

/// Who says where the servers of a zone are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::resolver) enum Source {
    /// A server of the zone above: a stranger.
    Referral,
    /// The hints: the administrator.
    Hints,
    /// A route: the administrator.
    Route(RouteKind),
}

/// A zone cut as the parent's servers told it. Nothing in it is believed beyond "ask there";
/// the DS or its denial is judged by its signatures.
#[derive(Debug, Clone)]
pub(in crate::resolver) struct Delegation {
    pub(in crate::resolver) zone: Name,
    /// The zone whose servers gave the referral.
    pub(in crate::resolver) parent: Name,
    pub(in crate::resolver) source: Source,
    /// Servers by name, as a referral tells them.
    pub(super) servers: Vec<(Name, Vec<IpAddr>)>,
    /// Servers by address, as the administrator tells them.
    pub(super) fixed: Vec<SocketAddr>,
    /// DS, NSEC, NSEC3 and RRSIG records of the referral.
    pub(in crate::resolver) security: Vec<Record>,
    pub(in crate::resolver) ttl: u32,
}

impl Delegation {
    pub(super) fn root(addresses: &[IpAddr]) -> Self {
        let fixed = addresses.iter().map(|address| port_53(*address)).collect();
        Self::fixed(Name::root(), Source::Hints, fixed)
    }

    pub(in crate::resolver) fn route(zone: Name, kind: RouteKind, servers: &[SocketAddr]) -> Self {
        Self::fixed(zone, Source::Route(kind), servers.to_vec())
    }

    fn fixed(zone: Name, source: Source, fixed: Vec<SocketAddr>) -> Self {
        Self {
            parent: zone.clone(),
            zone,
            source,
            servers: Vec::new(),
            fixed,
            security: Vec::new(),
            ttl: u32::MAX,
        }
    }

    /// Gives back memory that was reserved for more servers than there are.
    pub(in crate::resolver) fn shrink(&mut self) {
        self.servers.shrink_to_fit();
        for (_, addresses) in &mut self.servers {
            addresses.shrink_to_fit();
        }
    }

    /// The servers by name, each with the addresses that came along.
    pub(in crate::resolver) fn named(&self) -> &[(Name, Vec<IpAddr>)] {
        &self.servers
    }

    pub(super) fn has_ds(&self) -> bool {
        self.security
            .iter()
            .any(|record| record.rtype == rtype::DS && record.owner == self.zone)
    }
}

impl Weigh for Delegation {
    fn heap(&self) -> usize {
        let servers: usize = self
            .servers
            .iter()
            .map(|(name, list)| name.heap() + block(list.capacity() * size_of::<IpAddr>()))
            .sum();
        let list = block(self.servers.capacity() * size_of::<(Name, Vec<IpAddr>)>());
        self.zone.heap() + self.parent.heap() + list + servers + self.security.heap()
    }
}

impl Kept for Delegation {
    const KIND: Kind = Kind::Delegation;
    type Key = Name;
}

/// The DS, NSEC, NSEC3 and RRSIG records of a referral, for as long as they may be used. The
/// delegation itself may be used for longer.
#[derive(Debug, Clone)]
pub(in crate::resolver) struct ReferralProof(pub(in crate::resolver) Vec<Record>);

impl ReferralProof {
    /// The records when `left` seconds of their time are left: what is concluded from them late
    /// must not begin a TTL anew.
    pub(in crate::resolver) fn aged(&self, left: u32) -> Vec<Record> {
        let aged = |record: &Record| Record {
            ttl: record.ttl.min(left),
            ..record.clone()
        };
        self.0.iter().map(aged).collect()
    }
}

impl Weigh for ReferralProof {
    fn heap(&self) -> usize {
        self.0.heap()
    }
}

impl Kept for ReferralProof {
    const KIND: Kind = Kind::ReferralProof;
    type Key = Name;
}

/// The addresses of one family of a name server; none when it has none.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerAddresses(pub(super) Vec<IpAddr>);

impl Weigh for ServerAddresses {
    fn heap(&self) -> usize {
        block(self.0.capacity() * size_of::<IpAddr>())
    }
}

impl Kept for ServerAddresses {
    const KIND: Kind = Kind::ServerAddresses;
    type Key = Question;
}

/// The kinds of reply.
#[derive(Debug)]
pub(super) enum Reply {
    Answer,
    Referral(Delegation),
    /// Neither; the text says what is missing.
    Lame(&'static str),
}

/// Whether a reply brings a proof of `zone` with which it may deny something. The proof beside a
/// referral to a zone above is not one: who sends that does not know the zone he is asked about.
fn denies_within(message: &Message, zone: &Name) -> bool {
    message.authority.iter().any(|record| {
        matches!(record.rtype, rtype::NSEC | rtype::NSEC3) && record.owner.is_at_or_below(zone)
    })
}

/// Reads a reply without error code from a server of `zone` to `question`.
pub(super) fn classify(message: &Message, zone: &Name, question: &Question) -> Reply {
    let name = &question.name;
    let answers = message.answer.iter().any(|record| {
        let alias = record.rtype == rtype::CNAME && record.owner == *name;
        let dname = record.rtype == rtype::DNAME && name.is_below(&record.owner);
        let asked = question.rtype == rtype::ANY || record.rtype == question.rtype;
        alias || dname || (asked && record.owner == *name)
    });
    if answers || message.rcode == Rcode::NXDOMAIN {
        return Reply::Answer;
    }
    let has_soa = message
        .authority
        .iter()
        .any(|record| record.rtype == rtype::SOA && name.is_at_or_below(&record.owner));
    if has_soa {
        return Reply::Answer;
    }
    let cut = message
        .authority
        .iter()
        .filter(|record| record.rtype == rtype::NS)
        .map(|record| &record.owner)
        .find(|owner| owner.is_below(zone) && name.is_at_or_below(owner));
    match cut {
        // The parent has the DS: a referral to the name itself is no step towards it.
        Some(cut) if question.rtype == rtype::DS && cut == name => Reply::Answer,
        Some(cut) => Reply::Referral(referral(message, zone, cut)),
        None if message.authoritative => Reply::Answer,
        // Whoever denies with a proof need not say that he may: the proof is judged.
        None if denies_within(message, zone) => Reply::Answer,
        None => Reply::Lame("no answer, no referral, no authority"),
    }
}

fn referral(message: &Message, parent: &Name, cut: &Name) -> Delegation {
    let ns = Message::rrset(&message.authority, cut, rtype::NS);
    let ttl = ns.iter().map(|record| record.ttl).min().unwrap_or(0);
    let servers = servers_named(&ns, message, parent);
    let security = message
        .authority
        .iter()
        .filter(|record| {
            matches!(
                record.rtype,
                rtype::DS | rtype::NSEC | rtype::NSEC3 | rtype::RRSIG
            )
        })
        .cloned()
        .collect();
    Delegation {
        zone: cut.clone(),
        parent: parent.clone(),
        source: Source::Referral,
        servers,
        fixed: Vec::new(),
        security,
        // A TTL of zero would have every step ask from the root again.
        ttl: ttl.max(5),
    }
}

/// The servers that NS records name, each with the addresses that came along. Glue counts only for
/// names that the speaking zone, `bailiwick`, has a say in.
pub(super) fn servers_named(
    ns: &[&Record],
    message: &Message,
    bailiwick: &Name,
) -> Vec<(Name, Vec<IpAddr>)> {
    ns.iter()
        .take(MOST_SERVERS)
        .filter_map(|record| record.target())
        .map(|server| {
            let glue = if server.is_at_or_below(bailiwick) {
                [rtype::A, rtype::AAAA]
                    .into_iter()
                    .flat_map(|rtype| Message::rrset(&message.additional, &server, rtype))
                    .filter_map(address)
                    .take(MOST_ADDRESSES)
                    .collect()
            } else {
                Vec::new()
            };
            (server, glue)
        })
        .collect()
}

/// The address in an A or AAAA record.
pub(super) fn address(record: &Record) -> Option<IpAddr> {
    let octets = record.rdata.as_slice();
    match record.rtype {
        rtype::A => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
        rtype::AAAA => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_of_referrals_age() {
        let record = |ttl| Record {
            owner: Name::root(),
            rtype: rtype::DS,
            ttl,
            rdata: vec![1],
        };
        let proof = ReferralProof(vec![record(60), record(3_600)]);
        assert_eq!(proof.aged(3_600), [record(60), record(3_600)]);
        assert_eq!(proof.aged(60), [record(60), record(60)]);
        assert_eq!(proof.aged(7), [record(7), record(7)]);
    }
}
