//! What speaks against each step.

use super::wanted::{Wanted, published};
use super::{
    Dnssec, EndpointView, Goal, Memory, Observation, Presented, Replaces, ServerAnswer, Unsafe,
    accepts, is_same,
};
use crate::publish::material::Material;
use elsinore_dane::tlsa::TlsaRecord;

pub(super) fn against_publishing(look: &Observation, wanted: &Wanted<'_>) -> Vec<Unsafe> {
    let mut found: Vec<Unsafe> = wanted.fault.iter().cloned().collect();
    let current = &wanted.goal.current;
    let is_current = |key: &&Material| current.iter().any(|old| is_same(look, key, old));
    if let Some(key) = wanted.goal.next.iter().find(is_current) {
        found.push(Unsafe::NextIsCurrent {
            origin: key.origin().to_owned(),
        });
    }
    // The first records bind senders to keys that have to be known, all of them.
    if published(look).is_empty() {
        found.extend(unreachable_addresses(look));
    }
    found
}

pub(super) fn against_deploying(
    goal: &Goal,
    look: &Observation,
    memory: &Memory,
    wanted: &Wanted<'_>,
) -> Vec<Unsafe> {
    let mut found: Vec<Unsafe> = wanted.fault.iter().cloned().collect();
    match &look.dnssec {
        Dnssec::Failed(reason) => found.push(Unsafe::DnssecFailed(reason.clone())),
        Dnssec::Secure | Dnssec::Insecure(_) => {}
    }
    if look.servers.is_empty() {
        found.push(Unsafe::NoServer);
    }
    for server in &look.servers {
        let name = || server.server.clone();
        if let ServerAnswer::Nothing(reason) = &server.answer {
            found.push(Unsafe::ServerUnreachable {
                server: name(),
                reason: reason.clone(),
            });
            continue;
        }
        let records = server.records();
        let missing = |record: &&TlsaRecord| !records.contains(record);
        let missing: Vec<&TlsaRecord> = wanted.records.iter().filter(missing).collect();
        for record in &missing {
            found.push(Unsafe::NextNotPublished {
                server: name(),
                record: (*record).clone(),
            });
        }
        let uncovered = |key: &&Material| !accepts(&goal.host, records, key.chain(), look.ended);
        // With a record missing that is no news.
        for key in wanted
            .future()
            .filter(uncovered)
            .filter(|_| missing.is_empty())
        {
            found.push(Unsafe::NextNotCovered {
                origin: key.origin().to_owned(),
                key: key.key().to_string(),
                server: name(),
            });
        }
        for (endpoint, chain) in live(look) {
            let is_lost = wanted.is_lost(look, chain);
            let is_covered = accepts(&goal.host, records, chain.chain(), look.ended);
            if !records.is_empty() && !is_covered && !is_lost {
                found.push(Unsafe::KeyNotCovered {
                    address: endpoint.address.clone(),
                    key: chain.key().to_string(),
                    server: name(),
                });
            }
        }
    }
    match (memory.complete_since, memory.wait_until()) {
        (Some(since), Some(until)) if look.began < until => found.push(Unsafe::WaitNotOver {
            since,
            ttl: memory.longest_ttl,
            until,
        }),
        (Some(_), Some(_)) => {}
        // Whatever broke the row stands above; this is for what only memory knows.
        (None, _) | (_, None) if found.is_empty() => found.push(Unsafe::WaitNotOver {
            since: look.ended,
            ttl: memory.longest_ttl,
            until: look
                .ended
                .plus_seconds(super::TTLS * i64::from(memory.longest_ttl)),
        }),
        (None, _) | (_, None) => {}
    }
    found
}

pub(super) fn live(look: &Observation) -> impl Iterator<Item = (&EndpointView, &Material)> {
    look.endpoints
        .iter()
        .filter_map(|endpoint| endpoint.chain().map(|chain| (endpoint, chain)))
}

pub(super) fn unreachable_addresses(look: &Observation) -> Vec<Unsafe> {
    let mut found: Vec<Unsafe> = look
        .endpoints
        .iter()
        .filter_map(|endpoint| match &endpoint.presented {
            Presented::Nothing(reason) => Some(Unsafe::AddressUnreachable {
                address: endpoint.address.clone(),
                reason: reason.clone(),
            }),
            Presented::Chain(_) | Presented::NoSuchKey => None,
        })
        .collect();
    found.dedup();
    if look.endpoints.is_empty() {
        found.push(Unsafe::NoAddress);
    }
    found
}

pub(super) fn against_having_verified(goal: &Goal, look: &Observation) -> Vec<Unsafe> {
    let mut found = unreachable_addresses(look);
    let same = |chain: &Material| {
        let algorithm = |next: &Material| next.key().algorithm == chain.key().algorithm;
        match goal.replaces {
            Replaces::All => true,
            Replaces::SameAlgorithm => goal.next.iter().any(algorithm),
        }
    };
    for (endpoint, chain) in live(look) {
        if !goal.is_next(look, chain) && same(chain) {
            found.push(Unsafe::OldKeyServed {
                address: endpoint.address.clone(),
                key: chain.key().to_string(),
            });
        }
    }
    let mut addresses: Vec<&String> = look.endpoints.iter().map(|one| &one.address).collect();
    addresses.dedup();
    for address in addresses {
        for next in &goal.next {
            let served = live(look)
                .any(|(one, chain)| one.address == *address && is_same(look, next, chain));
            let reached = live(look).any(|(one, _)| one.address == *address);
            if reached && !served {
                found.push(Unsafe::NextNotServed {
                    address: address.clone(),
                    key: next.key().to_string(),
                    origin: next.origin().to_owned(),
                });
            }
        }
    }
    found
}

/// Whether every key in use is still covered on every server without the records to be removed.
pub(super) fn against_retiring(
    goal: &Goal,
    look: &Observation,
    remove: &[TlsaRecord],
) -> Vec<Unsafe> {
    let mut found = Vec::new();
    match &look.dnssec {
        Dnssec::Failed(reason) => found.push(Unsafe::DnssecFailed(reason.clone())),
        Dnssec::Secure | Dnssec::Insecure(_) => {}
    }
    if look.servers.is_empty() {
        found.push(Unsafe::NoServer);
    }
    for server in &look.servers {
        if let ServerAnswer::Nothing(reason) = &server.answer {
            found.push(Unsafe::ServerUnreachable {
                server: server.server.clone(),
                reason: reason.clone(),
            });
            continue;
        }
        let records: Vec<TlsaRecord> = server
            .records()
            .iter()
            .filter(|record| !remove.contains(record))
            .cloned()
            .collect();
        for (endpoint, chain) in live(look) {
            if !accepts(&goal.host, &records, chain.chain(), look.ended) {
                found.push(Unsafe::RetireBreaks {
                    address: endpoint.address.clone(),
                    key: chain.key().to_string(),
                    server: server.server.clone(),
                });
            }
        }
    }
    found
}
