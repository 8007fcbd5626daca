//! The servers of a zone one by one, for comparing them with each other: whom the parent names,
//! whom the zone itself names, where they are, and what each of them says to the same question.
//! Nothing of this is believed: trust comes from the validator alone.

use super::core::{Core, Work};
use super::evidence::ResourceRecord;
use super::exchange::Raw;
use super::iterate::Source;
use super::tape::{Asked, Pending, Tape, TapeFailure, TapeOutcome};
use super::transcript::Recursion;
use super::wire::{self, Message, Name, Query, QueryBits, Record};
use super::{Freshness, Mode, Resolver, SecureResolver, may_contact};
use elsinore_dane::answer::{ExtendedError, Last, Question, RecordData, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::{Cause, Status};
use futures_util::future::join;
use futures_util::stream::{self, StreamExt};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;

/// Who names the servers of one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneServers {
    /// The zone.
    pub zone: DomainName,
    /// The zone above, whose servers delegate it (for the root the root itself); `None` where the
    /// delegation was not seen.
    pub parent: Option<DomainName>,
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
/// Records of one section of one reply that are shown.
pub const MOST_RECORDS: usize = 200;

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
        let soa = records.find(|record| record.record_type.code() == wire::rtype::SOA)?;
        // Serial, refresh, retry, expire and minimum end the RDATA, four octets each.
        let serial = soa.rdata.len().checked_sub(20)?;
        let octets = soa.rdata.get(serial..serial + 4)?;
        Some(u32::from_be_bytes(octets.try_into().ok()?))
    }
}

/// Address lookups under way at one time for the servers of one zone.
const LOOKUPS_AT_ONCE: usize = 8;

impl Resolver {
    /// Who the servers of `zone` are: by the delegation of the zone above, and by its own word.
    /// Their addresses are looked up as those of any host.
    ///
    /// The delegation is what the servers of the zone above said on the way there. Behind an
    /// upstream resolver, or where a route leads to the zone, it is not seen.
    pub async fn zone_servers(&self, zone: &DomainName) -> ZoneServers {
        let question = Question::new(zone.clone(), RecordType::Ns);
        if zone.is_root() {
            // Its servers are asked for who they are beside the first lookup, which may be over first.
            let work = Work::beside(self.core.config.limits, Recursion::Desired);
            self.core.prime(&work).await;
        }
        let own = self.lookup(&question, Freshness::Cached).await;
        let apex = Name::from_domain(zone);
        let delegation = match self.core.known_delegation(&apex) {
            // The delegation may have left the cache before the answer did.
            None if !zone.is_root() => {
                self.lookup(&question, Freshness::Fresh).await;
                self.core.known_delegation(&apex)
            }
            known => known,
        };
        let delegation = delegation.filter(|known| known.source == Source::Referral);
        let mut servers: BTreeMap<DomainName, NamedServer> = BTreeMap::new();
        for (name, glue) in delegation.iter().flat_map(|known| known.named()) {
            let mut glue = glue.clone();
            glue.sort_unstable();
            glue.dedup();
            let name = name.to_domain();
            servers.entry(name.clone()).or_insert(NamedServer {
                name,
                named_by: NamedBy::Parent,
                glue,
                addresses: Vec::new(),
                problems: Vec::new(),
            });
        }
        if let Last::Data(set) = &own.last
            && own.chain.is_empty()
        {
            for record in &set.records {
                let RecordData::Name(name) = record else {
                    continue;
                };
                let has_room = servers.len() < MOST_SERVERS;
                match servers.get_mut(name) {
                    Some(server) => server.named_by = NamedBy::Both,
                    None if has_room => {
                        let server = NamedServer {
                            name: name.clone(),
                            named_by: NamedBy::Zone,
                            glue: Vec::new(),
                            addresses: Vec::new(),
                            problems: Vec::new(),
                        };
                        servers.insert(name.clone(), server);
                    }
                    None => {}
                }
            }
        }
        let located = servers.into_values().map(|server| self.locate(server));
        let servers = stream::iter(located).buffered(LOOKUPS_AT_ONCE);
        let failure = || match self.core.config.mode {
            Mode::Recursive => "no server of the zone above has told its delegation".to_owned(),
            Mode::Forward | Mode::Ad => {
                "the delegation is not seen behind an upstream resolver".to_owned()
            }
        };
        ZoneServers {
            zone: zone.clone(),
            parent: delegation.as_ref().map(|known| known.parent.to_domain()),
            servers: servers.collect().await,
            own: own.overall().clone(),
            delegation_ttl: delegation.as_ref().map(|known| known.ttl),
            delegation_failure: delegation.is_none().then(failure),
        }
    }

    /// Finds the addresses of one server.
    async fn locate(&self, mut server: NamedServer) -> NamedServer {
        let question = |record_type| Question::new(server.name.clone(), record_type);
        let (a, aaaa) = (question(RecordType::A), question(RecordType::Aaaa));
        let (a, aaaa) = join(
            self.lookup(&a, Freshness::Cached),
            self.lookup(&aaaa, Freshness::Cached),
        )
        .await;
        for answer in [&a, &aaaa] {
            match &answer.last {
                Last::Data(set) => {
                    let addresses = set.records.iter().filter_map(|record| match record {
                        RecordData::A(address) => Some(IpAddr::from(*address)),
                        RecordData::Aaaa(address) => Some(IpAddr::from(*address)),
                        _ => None,
                    });
                    server.addresses.extend(addresses.take(MOST_ADDRESSES));
                }
                Last::Denied(_) => {}
                Last::Failed(failure) => {
                    let text = format!("{}: {}", answer.question, failure.status.reason());
                    server.problems.push(text);
                }
            }
        }
        if let Some(link) = a.chain.first().or(aaaa.chain.first()) {
            let text = format!("{} is an alias for {}", link.owner, link.target);
            server.problems.push(text);
        }
        if server.addresses.is_empty() && server.problems.is_empty() {
            server.problems.push("it has no address".to_owned());
        }
        server.addresses.sort_unstable();
        server.addresses.dedup();
        server
    }

    /// Puts `question` to one server, without RD and with DO: by UDP, and by TCP where the reply
    /// is truncated or none comes.
    pub async fn ask_server(&self, server: SocketAddr, question: &Question) -> ServerReply {
        let reply = |udp, tcp, elapsed| ServerReply {
            server,
            question: question.clone(),
            udp,
            tcp,
            elapsed,
        };
        if !may_contact(server.ip(), &self.core.config.allow_nets) {
            return reply(ServerReplyKind::NotContacted, None, Duration::ZERO);
        }
        let (udp, elapsed) = self.core.put(Asked::ServerByUdp(server), question).await;
        let needs_tcp = match &udp {
            ServerReplyKind::Said(answer) => answer.truncated,
            ServerReplyKind::Silent | ServerReplyKind::Malformed => true,
            ServerReplyKind::Unreachable(_)
            | ServerReplyKind::NotContacted
            | ServerReplyKind::NotRecorded => false,
        };
        let tcp = if needs_tcp {
            Some(self.core.put(Asked::ServerByTcp(server), question).await.0)
        } else {
            None
        };
        reply(udp, tcp, elapsed)
    }
}

impl Core {
    /// One question to one server by one way, or from a recording.
    async fn put(&self, asked: Asked, question: &Question) -> (ServerReplyKind, Duration) {
        if let Tape::Replay(recording) = &self.config.tape {
            return match recording.entry(&asked, question) {
                Some(entry) => (replayed(&entry.outcome), entry.elapsed),
                None => (ServerReplyKind::NotRecorded, Duration::ZERO),
            };
        }
        let query = Query {
            question: wire::Question {
                name: Name::from_domain(&question.name),
                rtype: question.record_type.code(),
            },
            bits: QueryBits::Iterative,
            edns: true,
            id: 0,
            case: rand::random(),
        };
        let pending = match &self.config.tape {
            Tape::Record(recorder) => {
                let question = question.clone();
                Some(Pending::new(recorder, asked.clone(), question, self.now()))
            }
            Tape::Off | Tape::Replay(_) => None,
        };
        let start = Instant::now();
        let (server, raw) = match asked {
            Asked::ServerByTcp(server) => (server, self.wires.once_by_tcp(server, &query).await),
            Asked::ServerByUdp(server) => (server, self.wires.once_by_udp(server, &query).await),
            // Sets of servers are asked elsewhere.
            Asked::Zone(_) | Asked::Resolvers(_) => {
                return (ServerReplyKind::NotContacted, Duration::ZERO);
            }
        };
        let elapsed = start.elapsed();
        let failed = |cause, reason: String| {
            TapeOutcome::Failed(TapeFailure {
                cause,
                reason,
                ede: None,
            })
        };
        let outcome = match raw {
            Raw::Octets(octets) => TapeOutcome::Reply(octets.into()),
            Raw::Silent => failed(Cause::Deadline, "nothing (timeout)".to_owned()),
            Raw::Unreachable(text) => failed(Cause::Unreachable, text),
            Raw::Other => failed(Cause::Garbled, "a reply to something else".to_owned()),
        };
        let said = replayed(&outcome);
        if let Some(pending) = pending {
            pending.end_after(elapsed, Some(server), outcome);
        }
        (said, elapsed)
    }
}

/// What an outcome tells of the server.
fn replayed(outcome: &TapeOutcome) -> ServerReplyKind {
    match outcome {
        TapeOutcome::Reply(wire) => match Message::parse(wire) {
            Some(message) => ServerReplyKind::Said(Box::new(told(&message, wire.len()))),
            None => ServerReplyKind::Malformed,
        },
        TapeOutcome::Failed(failure) => match failure.cause {
            Cause::Deadline => ServerReplyKind::Silent,
            Cause::Garbled => ServerReplyKind::Malformed,
            _ => ServerReplyKind::Unreachable(failure.reason.clone()),
        },
        TapeOutcome::Abandoned => ServerReplyKind::Silent,
    }
}

fn told(message: &Message, octets: usize) -> ServerAnswer {
    let records = |section: &[Record]| {
        let records = section.iter().take(MOST_RECORDS);
        let records = records.map(|record| ResourceRecord::new(record, record.ttl));
        records.collect()
    };
    ServerAnswer {
        rcode: message.rcode.0,
        authoritative: message.authoritative,
        truncated: message.truncated,
        octets,
        ede: message.ede.clone(),
        answer: records(&message.answer),
        authority: records(&message.authority),
    }
}
