//! What a goal wants of the servers: which keys stay, which go, and the records that all need.

use super::{EndpointView, Goal, Observation, Replaces, ServerAnswer, Unsafe, accepts};
use crate::publish::material::{Kind, Material};
use crate::publish::proposal::Parameters;
use elsinore_dane::tlsa::{MatchingType, Selector, TlsaRecord, Usage};
use elsinore_dane::verify::record_for;

/// What the goal wants of the servers.
pub(super) struct Wanted<'a> {
    /// Keys in use that stay.
    kept: Vec<&'a Material>,
    /// Keys in use that are replaced.
    pub(super) replaced: Vec<&'a Material>,
    /// Records that every server has to have before anything is deployed.
    pub(super) records: Vec<TlsaRecord>,
    /// Why records could not be made.
    pub(super) fault: Option<Unsafe>,
    pub(super) goal: &'a Goal,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(goal: &'a Goal, look: &'a Observation) -> Self {
        let mut kept: Vec<&Material> = Vec::new();
        let mut replaced: Vec<&Material> = Vec::new();
        for chain in look.endpoints.iter().filter_map(EndpointView::chain) {
            if goal.is_next(look, chain) {
                continue;
            }
            let same = |next: &Material| next.key().algorithm == chain.key().algorithm;
            let list = match goal.replaces {
                Replaces::All => &mut replaced,
                Replaces::SameAlgorithm if goal.next.iter().any(same) => &mut replaced,
                Replaces::SameAlgorithm => &mut kept,
            };
            // Another certificate with the same key is another chain.
            if !list.iter().any(|known| known.chain() == chain.chain()) {
                list.push(chain);
            }
        }
        let mut wanted = Self {
            kept,
            replaced,
            records: Vec::new(),
            fault: None,
            goal,
        };
        if let Err(fault) = wanted.make_records(look) {
            wanted.fault = Some(fault);
        }
        wanted
    }

    /// The records of the next keys, and of those in use, with every combination of parameters of
    /// usage 3 that is published (RFC 7671 §8, §8.3); `3 1 1` where there is none.
    fn make_records(&mut self, look: &Observation) -> Result<(), Unsafe> {
        let published = || look.servers.iter().flat_map(|server| server.records());
        let mut parameters: Vec<Parameters> = Vec::new();
        for usable in published().filter_map(|record| record.usability().ok()) {
            let found = Parameters {
                usage: usable.usage(),
                selector: usable.selector(),
                matching_type: usable.matching_type(),
            };
            if found.usage == Usage::DaneEe && !parameters.contains(&found) {
                parameters.push(found);
            }
        }
        if parameters.is_empty() {
            let next = self.goal.next.iter();
            let covered = |material: &Material| {
                look.servers.iter().all(|server| {
                    accepts(
                        &self.goal.host,
                        server.records(),
                        material.chain(),
                        look.ended,
                    )
                })
            };
            // Under usage 2 alone a chain of the same authority needs nothing new.
            if !look.servers.is_empty() && next.clone().count() > 0 && next.clone().all(covered) {
                return Ok(());
            }
            parameters.push(Parameters::RECOMMENDED);
        }
        let keys = self.goal.next.iter();
        let keys = keys.chain(self.kept.iter().copied());
        // A key that no record covers now needs none for the time it has left.
        let replaced = self.replaced.iter().copied();
        let replaced = replaced.filter(|key| !self.is_lost(look, key));
        let keys: Vec<&Material> = keys.chain(replaced).collect();
        for parameters in parameters {
            for key in &keys {
                let record = record(key, parameters)?;
                // Once nothing presents them, the keys before need no record.
                if !self.records.contains(&record) {
                    self.records.push(record);
                }
            }
        }
        Ok(())
    }

    /// Whether `chain` is to be replaced and no server has a record for it: waiting does it no good.
    pub(super) fn is_lost(&self, look: &Observation, chain: &Material) -> bool {
        let covered = |records: &[TlsaRecord]| {
            records.is_empty() || accepts(&self.goal.host, records, chain.chain(), look.ended)
        };
        let is_replaced = self.replaced.iter().any(|old| old.chain() == chain.chain());
        is_replaced && answering(look).next().is_some() && !answering(look).any(covered)
    }

    /// The keys in use once the rollover is done.
    pub(super) fn future(&self) -> impl Iterator<Item = &'a Material> + '_ {
        let next = self.goal.next.iter();
        next.chain(self.kept.iter().copied())
    }

    /// Published records that match a key to be replaced, and none that stays.
    pub(super) fn replaced_records(&self, look: &Observation) -> Vec<TlsaRecord> {
        published(look)
            .into_iter()
            .filter(|record| {
                let alone = std::slice::from_ref(record);
                let matches =
                    |key: &&Material| accepts(&self.goal.host, alone, key.chain(), look.ended);
                let before = self.replaced.iter().copied().chain(&self.goal.current);
                before.clone().any(|key| matches(&key)) && !self.future().any(|key| matches(&key))
            })
            .collect()
    }
}

/// The records of each server that gave an answer.
pub(super) fn answering(look: &Observation) -> impl Iterator<Item = &[TlsaRecord]> {
    look.servers
        .iter()
        .filter_map(|server| match server.answer {
            ServerAnswer::Records { .. } | ServerAnswer::Absent => Some(server.records()),
            ServerAnswer::Nothing(_) => None,
        })
}

/// Every record that any server serves, each once.
pub(super) fn published(look: &Observation) -> Vec<TlsaRecord> {
    let mut records: Vec<TlsaRecord> = Vec::new();
    for record in look.servers.iter().flat_map(|server| server.records()) {
        if !records.contains(record) {
            records.push(record.clone());
        }
    }
    records
}

fn record(key: &Material, parameters: Parameters) -> Result<TlsaRecord, Unsafe> {
    let needed = || Unsafe::CertificateNeeded {
        parameters: format!(
            "{} {} {}",
            parameters.usage.code(),
            parameters.selector.code(),
            parameters.matching_type.code()
        ),
        origin: key.origin().to_owned(),
    };
    // Full over a key is as good as a digest of it.
    let needs_certificate = match (parameters.selector, parameters.matching_type) {
        (Selector::Cert, MatchingType::Full | MatchingType::Sha256 | MatchingType::Sha512) => true,
        (Selector::Spki, MatchingType::Full | MatchingType::Sha256 | MatchingType::Sha512) => false,
    };
    if needs_certificate && *key.kind() != Kind::Certificate {
        return Err(needed());
    }
    record_for(
        key.leaf(),
        parameters.usage,
        parameters.selector,
        parameters.matching_type,
    )
    .map_err(|_| needed())
}
