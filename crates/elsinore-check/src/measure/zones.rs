//! The zones above the domain and its hosts, their name servers by both sides of the cut, and what
//! each server says when it is asked directly. Nothing of the latter is believed; it is compared.

use super::session::milliseconds;
use crate::report::{
    Delegation, Key, NameServer, Proofs, Security, ServerAnswer, Signature, Zone, ZoneServers,
};
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Security as Status;
use elsinore_net::resolver::servers_of::{
    NamedBy, ServerReply, ServerReplyKind, ZoneServers as Found,
};

use elsinore_net::resolver::zones::{DenialView, DsStanding, Vouched, ZoneView};
use elsinore_net::resolver::{Resolver, ResourceRecord, Signature as SignatureView};
use futures_util::StreamExt;
use futures_util::stream;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

/// Zones whose servers are compared.
const ZONES: usize = 12;
/// Questions put to single servers in one check.
const DIRECT: usize = 600;
/// Of these, under way at one time.
const AT_ONCE: usize = 24;
/// The port of name servers.
const DNS: u16 = 53;
/// RRSIG (RFC 4034 §3).
const RRSIG: u16 = 46;

/// What was found out about zones so far. Names come in as they become known; nothing is asked
/// twice.
#[derive(Debug, Default)]
pub(super) struct Zones {
    found: Mutex<Findings>,
}

#[derive(Debug, Default)]
struct Findings {
    /// The names looked above, with the zones from the root down.
    above: BTreeMap<String, Vec<ZoneView>>,
    /// Who the servers of each zone are; `None` while that is being asked.
    servers: BTreeMap<String, Option<Found>>,
    /// What was asked of servers of each zone, and the replies.
    asked: BTreeSet<(SocketAddr, String, u16)>,
    replies: Vec<(String, ServerReply)>,
    left_out: usize,
}

impl Zones {
    /// Looks at the zones above `name`, and puts `questions` to each server of the zone that holds
    /// it.
    pub(super) async fn look(
        &self,
        resolver: &Resolver,
        name: &DomainName,
        questions: &[Question],
    ) {
        let above = resolver.zones(name).await;
        let Some(zone) = above.last().map(|zone| zone.apex.clone()) else {
            return;
        };
        self.with(|found| found.above.insert(name.to_string(), above));
        let Some(servers) = self.servers(resolver, &zone).await else {
            return;
        };
        let soa = Question::new(zone.clone(), RecordType::Soa);
        let addresses: BTreeSet<IpAddr> = (servers.servers.iter())
            .flat_map(|server| server.addresses.iter().copied())
            .collect();
        let mut wanted = Vec::new();
        for address in addresses {
            let server = SocketAddr::new(address, DNS);
            for question in std::iter::once(&soa).chain(questions) {
                let key = (
                    server,
                    question.name.to_string(),
                    question.record_type.code(),
                );
                let is_new = self.with(|found| {
                    if found.asked.len() >= DIRECT {
                        found.left_out += 1;
                        return false;
                    }
                    found.asked.insert(key)
                });
                if is_new {
                    wanted.push((server, question.clone()));
                }
            }
        }
        let mut replies = stream::iter(wanted)
            .map(|(server, question)| async move { resolver.ask_server(server, &question).await })
            .buffer_unordered(AT_ONCE);
        while let Some(reply) = replies.next().await {
            self.with(|found| found.replies.push((zone.to_string(), reply)));
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Findings) -> T) -> T {
        // Each change is whole before the lock is given back.
        change(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn servers(&self, resolver: &Resolver, zone: &DomainName) -> Option<Found> {
        let key = zone.to_string();
        let is_mine = self.with(|found| {
            let is_new = !found.servers.contains_key(&key);
            if is_new && found.servers.len() >= ZONES {
                found.left_out += 1;
                return None;
            }
            if is_new {
                found.servers.insert(key.clone(), None);
            }
            Some(is_new)
        })?;
        if !is_mine && let Some(known) = self.with(|found| found.servers.get(&key).cloned()?) {
            return Some(known);
        }
        // Whoever else is asking now has the same questions under way: the resolver asks once.
        let servers = resolver.zone_servers(zone).await;
        self.with(|found| found.servers.insert(key, Some(servers.clone())));
        Some(servers)
    }

    /// What was left out because of a bound.
    pub(super) fn left_out(&self) -> usize {
        self.with(|found| found.left_out)
    }

    /// Apex of the zone that holds `name`.
    pub(super) fn zone_of(&self, name: &DomainName) -> Option<String> {
        self.with(|found| {
            let above = found.above.get(name.as_str())?;
            above.last().map(|zone| shown(&zone.apex))
        })
    }

    /// The zones from the root to that of the domain, then those of the other names, each once.
    pub(super) fn zones(&self, domain: &DomainName) -> Vec<Zone> {
        self.with(|found| {
            let others = found
                .above
                .iter()
                .filter(|(name, _)| *name != domain.as_str());
            let own = found.above.get(domain.as_str()).into_iter();
            let all = own.chain(others.map(|(_, above)| above));
            let mut zones: Vec<Zone> = Vec::new();
            for above in all {
                let mut parent = None;
                for view in above {
                    let apex = shown(&view.apex);
                    let seen = zone(view, parent.take());
                    match zones.iter_mut().find(|known| known.apex == apex) {
                        Some(known) => join(known, &seen),
                        None => zones.push(seen),
                    }
                    parent = Some(apex);
                }
            }
            zones
        })
    }

    /// The servers of each zone with what they said, in the order of names.
    pub(super) fn servers_seen(&self) -> Vec<ZoneServers> {
        self.with(|found| {
            let known = found.servers.iter();
            known
                .filter_map(|(zone, servers)| {
                    let replies = found.replies.iter().filter(|(of, _)| of == zone);
                    let replies: Vec<&ServerReply> = replies.map(|(_, reply)| reply).collect();
                    Some(zone_servers(servers.as_ref()?, &replies))
                })
                .collect()
        })
    }
}

/// Opt-out shows only on the way to a name below an unsigned delegation.
fn join(known: &mut Zone, again: &Zone) {
    if let (Some(known), Some(again)) = (&mut known.proofs, &again.proofs) {
        known.opt_out |= again.opt_out;
    }
}

/// A name as the report shows it: without the trailing dot, the root as a dot.
fn shown(name: &DomainName) -> String {
    if name.is_root() {
        ".".to_owned()
    } else {
        name.to_string()
    }
}

fn zone(view: &ZoneView, parent: Option<String>) -> Zone {
    let security = match view.status.security() {
        Status::Secure => Security::Secure,
        Status::Insecure => Security::Insecure,
        Status::Bogus => Security::Bogus,
        Status::Indeterminate => Security::Indeterminate,
    };
    let reason = view.status.reason().to_owned();
    let signatures = view.ds_signatures.iter().chain(&view.key_signatures);
    Zone {
        apex: shown(&view.apex),
        parent,
        security,
        reason: Some(reason).filter(|_| security != Security::Secure),
        delegation: (view.ds.iter())
            .map(|ds| Delegation {
                tag: ds.key_tag,
                algorithm: ds.algorithm,
                digest_type: ds.digest_type,
                has_key: ds.standing == DsStanding::Matches,
            })
            .collect(),
        keys: (view.keys.iter())
            .map(|key| Key {
                tag: key.key_tag,
                algorithm: key.algorithm,
                flags: key.flags,
                bits: key.bits.unwrap_or_default(),
                anchored: match key.vouched {
                    Vouched::ByAnchor | Vouched::ByDs => true,
                    Vouched::No => false,
                },
                signs_keys: key.signs_keys,
            })
            .collect(),
        signatures: signatures.map(signature_seen).collect(),
        proofs: view.denial.as_ref().map(|denial| match denial {
            DenialView::Nsec => Proofs {
                nsec3: false,
                iterations: None,
                salt_octets: None,
                opt_out: false,
            },
            DenialView::Nsec3 {
                iterations,
                salt,
                opt_out,
            } => Proofs {
                nsec3: true,
                iterations: Some(*iterations),
                salt_octets: u8::try_from(salt.len()).ok(),
                opt_out: *opt_out,
            },
        }),
        serial: view.serial,
    }
}

fn signature_seen(seen: &SignatureView) -> Signature {
    Signature {
        owner: shown(&seen.owner),
        covers: seen.covered.to_string(),
        signer: shown(&seen.signer),
        tag: seen.key_tag,
        algorithm: seen.algorithm,
        inception_at: seen.inception.0,
        expiration_at: seen.expiration.0,
        original_ttl_s: seen.original_ttl,
    }
}

fn zone_servers(found: &Found, replies: &[&ServerReply]) -> ZoneServers {
    let servers = found.servers.iter().map(|server| {
        let (in_delegation, in_zone) = match server.named_by {
            NamedBy::Parent => (true, false),
            NamedBy::Zone => (false, true),
            NamedBy::Both => (true, true),
        };
        let of_server = replies
            .iter()
            .filter(|it| server.addresses.contains(&it.server.ip()));
        let mut answers: Vec<ServerAnswer> = of_server.filter_map(|it| answer(it)).collect();
        answers.sort_by(|a, b| {
            let key = |it: &ServerAnswer| {
                let (address, name) = (it.address.clone(), it.name.clone());
                (address, name, it.record_type.clone())
            };
            key(a).cmp(&key(b))
        });
        NameServer {
            name: shown(&server.name),
            in_delegation,
            in_zone,
            answers,
        }
    });
    ZoneServers {
        zone: shown(&found.zone),
        servers: servers.collect(),
    }
}

/// What a server said; `None` where it was not asked.
fn answer(reply: &ServerReply) -> Option<ServerAnswer> {
    let is_asked = match reply.udp {
        ServerReplyKind::NotContacted | ServerReplyKind::NotRecorded => false,
        ServerReplyKind::Said(_)
        | ServerReplyKind::Silent
        | ServerReplyKind::Unreachable(_)
        | ServerReplyKind::Malformed => true,
    };
    if !is_asked {
        return None;
    }
    let said = reply.said();
    let wanted = reply.question.record_type;
    let mut records: Vec<String> = (said.iter())
        .flat_map(|said| &said.answer)
        .filter(|record| record.record_type.code() != RRSIG)
        .map(|record| text(record, wanted))
        .collect();
    records.sort();
    Some(ServerAnswer {
        address: reply.server.ip().to_string(),
        name: shown(&reply.question.name),
        record_type: wanted.to_string(),
        result: said.map_or_else(|| trouble(&reply.udp).to_owned(), |said| rcode(said.rcode)),
        authoritative: said.is_some_and(|said| said.authoritative),
        records,
        octets: said.and_then(|said| u32::try_from(said.octets).ok()),
        tcp: reply.tcp.as_ref().map(|tcp| over_tcp(&reply.udp, tcp)),
        differs: None,
        elapsed_ms: milliseconds(reply.elapsed),
    })
}

/// How it went on over TCP, after what came by UDP.
fn over_tcp(udp: &ServerReplyKind, tcp: &ServerReplyKind) -> String {
    let is_cut = match udp {
        ServerReplyKind::Said(said) => said.truncated,
        ServerReplyKind::Silent
        | ServerReplyKind::Unreachable(_)
        | ServerReplyKind::Malformed
        | ServerReplyKind::NotContacted
        | ServerReplyKind::NotRecorded => false,
    };
    match (is_cut, tcp) {
        (true, ServerReplyKind::Said(_)) => "truncated, answered over TCP".to_owned(),
        (true, other) => format!("truncated, no answer over TCP: {}", trouble(other)),
        (false, ServerReplyKind::Said(_)) => {
            format!("{} over UDP, answered over TCP", trouble(udp))
        }
        (false, other) => format!("{} over UDP, {} over TCP", trouble(udp), trouble(other)),
    }
}

/// A record of the answer; an alias on the way is told from the records asked for.
fn text(record: &ResourceRecord, wanted: RecordType) -> String {
    if record.record_type == wanted {
        record.rdata_text()
    } else {
        format!("{} {}", record.record_type, record.rdata_text())
    }
}

const fn trouble(kind: &ServerReplyKind) -> &'static str {
    match kind {
        // A reply that was cut, and whose whole did not come by TCP.
        ServerReplyKind::Said(_) => "truncated",
        ServerReplyKind::Silent => "timeout",
        ServerReplyKind::Unreachable(_) => "unreachable",
        ServerReplyKind::Malformed => "malformed",
        ServerReplyKind::NotContacted | ServerReplyKind::NotRecorded => "not asked",
    }
}

fn rcode(code: u16) -> String {
    match code {
        0 => "NOERROR".to_owned(),
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        9 => "NOTAUTH".to_owned(),
        other => format!("RCODE{other}"),
    }
}
