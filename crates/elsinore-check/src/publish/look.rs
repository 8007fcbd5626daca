//! The two looks that rollovers and pins rest on: what every authoritative server serves, and what
//! every address of a host presents. This asks and connects; nothing is decided here.
//!
//! Sessions are those of a check: held by the [`World`], one at a time at each address with a pause
//! between them, ended by QUIT before MAIL. The first offers everything, the second only the algorithm
//! that the first did not bring, so that a server with two certificates is seen twice.

use super::material::{KeyAlgorithm, Material};
use super::rollover::{Dnssec, EndpointView, Presented, ServerAnswer, ServerView};
use crate::measure::lacks_certificate;
use crate::report::{Offer, SenderKind};
use crate::world::{Visit, World};
use elsinore_dane::answer::{Answer, Last, Question, RecordData, RecordType};
use elsinore_dane::destination::Level;
use elsinore_dane::discovery::{DaneUse, DiscoveryPolicy, StsUse};
use elsinore_dane::name::DomainName;
use elsinore_dane::next_hop::{NextHop, Target};
use elsinore_dane::plan::HostPlan;
use elsinore_dane::security::Security;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_net::clock::FixedClock;
use elsinore_net::deliver::{Prober, RouteSighting, SenderConfig, Sounding};
use elsinore_net::dialer::MappedDialer;
use elsinore_net::resolver::servers_of::{ServerReply, ServerReplyKind};
use elsinore_net::resolver::{Freshness, SecureResolver};
use elsinore_net::tls::KeyProof;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Port of DNS servers.
const DNS: u16 = 53;
/// Servers asked at one time.
const AT_ONCE: usize = 16;
/// Addresses of one host that are named although nobody looked at them.
const MOST_ADDRESSES: usize = 32;

/// What the TLSA records of a host are, by everybody's word.
#[derive(Debug, Clone)]
pub struct RecordsLook {
    /// Where the records stand: the owner name, or what it is an alias for.
    pub owner: DomainName,
    /// The zone that holds them.
    pub zone: DomainName,
    /// What the validating resolver says.
    pub dnssec: Dnssec,
    /// The records by the resolver's word; none unless there are some.
    pub records: Vec<TlsaRecord>,
    /// Every authoritative server at every address.
    pub servers: Vec<ServerView>,
    /// What was left out and why.
    pub notes: Vec<String>,
}

/// What a host presents.
#[derive(Debug, Clone)]
pub struct HostLook {
    /// Each address, once for each key and each failure.
    pub endpoints: Vec<EndpointView>,
    /// Why there is no address to look at.
    pub problem: Option<String>,
}

/// Asks for the TLSA records at `owner`: the resolver, and every authoritative server directly.
pub async fn look_at_records(world: &dyn World, owner: &DomainName) -> RecordsLook {
    let resolver = world.resolver();
    let question = Question::new(owner.clone(), RecordType::Tlsa);
    let answer = resolver.lookup(&question, Freshness::Fresh).await;
    let end = answer.final_name().clone();
    let zones = resolver.zones(&end).await;
    let zone = zones
        .last()
        .map_or_else(DomainName::root, |zone| zone.apex.clone());
    let named = resolver.zone_servers(&zone).await;
    let question = Question::new(end.clone(), RecordType::Tlsa);
    let mut whom: Vec<(DomainName, IpAddr)> = Vec::new();
    let mut notes = Vec::new();
    for server in &named.servers {
        notes.extend(
            server
                .problems
                .iter()
                .map(|problem| format!("server {} of {zone}: {problem}", server.name)),
        );
        for address in server.addresses.iter().chain(&server.glue) {
            let one = (server.name.clone(), *address);
            if !whom.contains(&one) {
                whom.push(one);
            }
        }
    }
    let question = &question;
    let replies: Vec<ServerReply> = stream::iter(&whom)
        .map(|(_, address)| resolver.ask_server(SocketAddr::new(*address, DNS), question))
        .buffered(AT_ONCE)
        .collect()
        .await;
    // A machine without IPv6 sees no server there; the same servers answer by IPv4.
    let unreachable = |reply: &ServerReply| matches!(reply.udp, ServerReplyKind::Unreachable(_));
    let is_six = |reply: &ServerReply| reply.server.is_ipv6();
    let without_six = replies.iter().any(is_six)
        && replies.iter().filter(|one| is_six(one)).all(unreachable)
        && replies
            .iter()
            .any(|one| !is_six(one) && one.said().is_some());
    if without_six {
        notes.push("servers were not asked by IPv6, which this machine does not have".to_owned());
    }
    let answers_by_four = |name: &DomainName| {
        let all = whom.iter().zip(&replies);
        let mut own = all.filter(|((one, _), _)| one == name);
        own.any(|(_, reply)| !is_six(reply) && reply.said().is_some())
    };
    // A server that has IPv6 alone stays: nobody knows what it serves.
    let servers = whom
        .iter()
        .zip(&replies)
        .filter(|((name, _), reply)| !(without_six && is_six(reply) && answers_by_four(name)))
        .map(|((name, address), reply)| ServerView {
            server: format!("{name} [{address}]"),
            answer: server_answer(reply, &end),
        })
        .collect();
    RecordsLook {
        owner: end,
        zone,
        dnssec: dnssec(&answer),
        records: match &answer.last {
            Last::Data(set) => set.records.iter().filter_map(tlsa).cloned().collect(),
            Last::Denied(_) | Last::Failed(_) => Vec::new(),
        },
        servers,
        notes,
    }
}

const fn tlsa(data: &RecordData) -> Option<&TlsaRecord> {
    match data {
        RecordData::Tlsa(record) => Some(record),
        _ => None,
    }
}

fn dnssec(answer: &Answer) -> Dnssec {
    let status = answer.overall();
    let reason = || status.reason().to_owned();
    match (&answer.last, status.security()) {
        (Last::Failed(_), _) | (_, Security::Bogus | Security::Indeterminate) => {
            Dnssec::Failed(reason())
        }
        (Last::Data(_) | Last::Denied(_), Security::Secure) => Dnssec::Secure,
        (Last::Data(_) | Last::Denied(_), Security::Insecure) => Dnssec::Insecure(reason()),
    }
}

/// What one server says of the records at `owner`.
fn server_answer(reply: &ServerReply, owner: &DomainName) -> ServerAnswer {
    let Some(said) = reply.said() else {
        let why = match reply.tcp.as_ref().unwrap_or(&reply.udp) {
            ServerReplyKind::Unreachable(text) => text.clone(),
            ServerReplyKind::Malformed => "a reply that cannot be read".to_owned(),
            ServerReplyKind::NotContacted => "its address may not be contacted".to_owned(),
            ServerReplyKind::NotRecorded => "not in the recording".to_owned(),
            ServerReplyKind::Said(_) | ServerReplyKind::Silent => "no reply in time".to_owned(),
        };
        return ServerAnswer::Nothing(why);
    };
    let found = || {
        said.answer
            .iter()
            .filter(|record| record.record_type == RecordType::Tlsa && record.owner == *owner)
    };
    match said.rcode {
        0 | 3 if !said.authoritative => {
            ServerAnswer::Nothing("it does not speak for the zone".to_owned())
        }
        0 if found().next().is_some() => ServerAnswer::Records {
            records: found()
                .map(|record| TlsaRecord::from_rdata(record.rdata.clone()))
                .collect(),
            ttl: found().map(|record| record.ttl).max().unwrap_or_default(),
        },
        0 if said
            .answer
            .iter()
            .any(|record| record.record_type == RecordType::Cname) =>
        {
            ServerAnswer::Nothing("it has an alias there, others have not".to_owned())
        }
        0 | 3 => ServerAnswer::Absent,
        2 => ServerAnswer::Nothing("SERVFAIL".to_owned()),
        5 => ServerAnswer::Nothing("REFUSED".to_owned()),
        other => ServerAnswer::Nothing(format!("response code {other}")),
    }
}

/// Looks at every address of `host`, with the settings of the sender that it stands for.
pub async fn look_at_host(
    world: &dyn World,
    sender: &SenderConfig,
    host: &DomainName,
    port: u16,
) -> HostLook {
    let names: Arc<dyn SecureResolver> = Arc::clone(world.resolver()) as Arc<_>;
    let clock = Arc::new(FixedClock(world.now()));
    // The plan alone is made here; every session is held by the world.
    let nowhere = Arc::new(MappedDialer::default());
    let prober = Prober::new(sender.clone(), names, nowhere, clock);
    // Whatever is demanded of the host elsewhere: here it is looked at, not trusted.
    let policy = DiscoveryPolicy {
        port,
        level: Level::May,
        pins: Vec::new(),
        dane: DaneUse::Ignore,
        sts: StsUse::Ignore,
        ..sender.policy.clone()
    };
    let hop = NextHop {
        target: Target::Host(host.clone()),
        port: Some(port),
    };
    let plans = prober.plans(hop, policy).await;
    let Some(plan) = plans
        .hosts
        .first()
        .filter(|plan| !plan.addresses.is_empty())
    else {
        let why = match plans.route {
            RouteSighting::Bounce(refusal) | RouteSighting::Defer(refusal) => refusal.reason,
            RouteSighting::TimedOut => "the lookup took too long".to_owned(),
            RouteSighting::Hosts => "no address may be contacted".to_owned(),
        };
        return HostLook {
            endpoints: Vec::new(),
            problem: Some(why),
        };
    };
    let looks = plan.addresses.iter();
    let looks = looks.map(|address| look_at_address(world, &prober, plan, *address));
    let mut endpoints: Vec<EndpointView> = join_all(looks).await.into_iter().flatten().collect();
    endpoints.extend(passed_over(world, sender, host, &plan.addresses).await);
    HostLook {
        endpoints,
        problem: None,
    }
}

/// What a sender may contact and was not looked at: addresses of a family whose lookup failed, and
/// those beyond the number that a sender considers. Another sender may know them.
async fn passed_over(
    world: &dyn World,
    sender: &SenderConfig,
    host: &DomainName,
    looked_at: &[IpAddr],
) -> Vec<EndpointView> {
    let nothing = |address: String, reason: &str| EndpointView {
        address,
        algorithm: KeyAlgorithm::Other,
        presented: Presented::Nothing(reason.to_owned()),
    };
    let mut found = Vec::new();
    for (record_type, any) in [
        (RecordType::A, "any IPv4 address"),
        (RecordType::Aaaa, "any IPv6 address"),
    ] {
        let question = Question::new(host.clone(), record_type);
        let answer = world.resolver().lookup(&question, Freshness::Cached).await;
        match &answer.last {
            Last::Failed(failure) => found.push(nothing(any.to_owned(), failure.status.reason())),
            Last::Denied(_) => {}
            Last::Data(set) => {
                let addresses = set.records.iter().filter_map(address);
                let left_out = addresses.filter(|address| {
                    !looked_at.contains(address)
                        && sender.policy.networks.refusal(*address).is_none()
                });
                let left_out = left_out.take(MOST_ADDRESSES);
                found.extend(
                    left_out.map(|one| nothing(one.to_string(), "too many addresses to look at")),
                );
            }
        }
    }
    found
}

const fn address(data: &RecordData) -> Option<IpAddr> {
    match data {
        RecordData::A(address) => Some(IpAddr::V4(*address)),
        RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
        RecordData::Mx { .. }
        | RecordData::Tlsa(_)
        | RecordData::Txt(_)
        | RecordData::Name(_)
        | RecordData::Other(_) => None,
    }
}

async fn look_at_address(
    world: &dyn World,
    prober: &Prober,
    plan: &HostPlan,
    address: IpAddr,
) -> Vec<EndpointView> {
    let shown = address.to_string();
    let visit = |offer, seen| Visit {
        sender: SenderKind::Opportunistic,
        plan,
        address,
        offer,
        other_name: None,
        seen,
    };
    let view = |algorithm, presented| EndpointView {
        address: shown.clone(),
        algorithm,
        presented,
    };
    let seen = world.visit(&visit(Offer::Sender, &[])).await;
    let why = |soundings: &[Sounding]| {
        let last = soundings.last();
        let assessed =
            last.and_then(|last| (prober.assessor()).assess(last, plan, address, world.now()));
        assessed
            .and_then(|assessed| assessed.reason)
            .unwrap_or_else(|| "no TLS session".to_owned())
    };
    let first = match chain(&seen, &shown) {
        Some(Ok(material)) => material,
        Some(Err(reason)) => return vec![view(KeyAlgorithm::Other, Presented::Nothing(reason))],
        None => return vec![view(KeyAlgorithm::Other, Presented::Nothing(why(&seen)))],
    };
    let (offer, other) = match first.key().algorithm {
        KeyAlgorithm::Rsa => (Offer::Ecdsa, KeyAlgorithm::Ecdsa),
        KeyAlgorithm::Ecdsa | KeyAlgorithm::EdDsa | KeyAlgorithm::Other => {
            (Offer::Rsa, KeyAlgorithm::Rsa)
        }
    };
    let again = world.visit(&visit(offer, &seen)).await;
    let second = match chain(&again, &shown) {
        // Some servers show what they have whatever is offered.
        Some(Ok(material)) if material.leaf() == first.leaf() => Presented::NoSuchKey,
        Some(Ok(material)) => Presented::Chain(Box::new(material)),
        Some(Err(reason)) => Presented::Nothing(reason),
        None if again.iter().any(|one| lacks_certificate(offer, one)) => Presented::NoSuchKey,
        None => Presented::Nothing(why(&again)),
    };
    let algorithm = match &second {
        Presented::Chain(material) => material.key().algorithm,
        Presented::NoSuchKey | Presented::Nothing(_) => other,
    };
    vec![
        view(first.key().algorithm, Presented::Chain(Box::new(first))),
        view(algorithm, second),
    ]
}

/// The chain of the last handshake, or why it is none; `None` without a handshake.
fn chain(soundings: &[Sounding], origin: &str) -> Option<Result<Material, String>> {
    let handshake = soundings.iter().rev().find_map(Sounding::handshake)?;
    if handshake.key_proof == KeyProof::Missing {
        let text = "it did not show that it holds the key of its certificate";
        return Some(Err(text.to_owned()));
    }
    let material = Material::from_presented(origin, &handshake.chain);
    Some(material.map_err(|error| error.to_string()))
}
