//! Denials without a question (RFC 8198): records that were validated before are put together like
//! the authority section of a reply, and that reply is judged as any other would be.

use super::Freshness;
use super::cache::{Candidate, Validated};
use super::config::{AggressiveDenial, Mode};
use super::core::{Core, Found, Work};
use super::evidence::{NOBODY, Records};
use super::limits::Budget;
use super::step::{End, Step};
use super::transcript::Checking;
use super::validate::{Proof, Proofs, Signed, ZoneKeys, verify};
use super::wire::{Message, Name, Question, Rcode, Record, Rrsig, rtype};
use elsinore_dane::security::Security;
use std::sync::Arc;

impl Core {
    /// As [`Proofs::collect`]; what holds is kept for other names of the zone.
    pub(super) fn proofs<'a>(
        &self,
        section: &[Record],
        keys: &'a ZoneKeys,
        budget: &'a Budget,
    ) -> Proofs<'a> {
        let proofs = Proofs::collect(section, keys, self.now(), budget);
        if self.synthesises() && !proofs.verified.is_empty() {
            self.learn(section, keys, &proofs, budget);
        }
        proofs
    }

    /// The proofs in the authority section of a reply. Those that were put together from what was
    /// learnt are not learnt once more: the time that takes would prolong them, again and again.
    pub(super) fn proofs_of<'a>(
        &self,
        message: &Message,
        keys: &'a ZoneKeys,
        budget: &'a Budget,
    ) -> Proofs<'a> {
        if message.is_recalled {
            Proofs::collect(&message.authority, keys, self.now(), budget)
        } else {
            self.proofs(&message.authority, keys, budget)
        }
    }

    fn synthesises(&self) -> bool {
        self.config.aggressive_denial == AggressiveDenial::Synthesised
            && self.config.mode != Mode::Ad
    }

    fn learn(&self, section: &[Record], keys: &ZoneKeys, proofs: &Proofs<'_>, budget: &Budget) {
        let zone = &keys.zone;
        let mut negative = u32::MAX;
        if let Some(set) = Signed::find(section, zone, rtype::SOA)
            && let [soa] = set.records.as_slice()
        {
            negative = soa.negative_ttl().unwrap_or(0);
            if !self.cache.knows_soa(soa)
                && let Ok(verified) = verify(&set, keys, self.now(), budget)
            {
                self.cache.learn(Validated {
                    zone,
                    records: &with_signatures(section, zone, rtype::SOA, zone),
                    ttl: verified.ttl,
                });
            }
        }
        for (owner, rtype, ttl) in &proofs.verified {
            self.cache.learn(Validated {
                zone,
                records: &with_signatures(section, owner, *rtype, zone),
                // RFC 9077: no longer than the zone wants its denials kept.
                ttl: negative.min(*ttl),
            });
        }
    }

    /// The denial of `asked`, if records that were validated before show it.
    pub(super) async fn deny_from_cache(&self, asked: &Question, work: &Work) -> Option<Step> {
        let candidate = self.candidate(asked, work)?;
        // To whoever wants to see the records, a denial without the SOA is not whole.
        if !candidate.has_soa && work.records == Records::Kept {
            return None;
        }
        let (proofs, name) = (
            Proofs::known(&candidate.records, &candidate.zone, &work.budget),
            &asked.name,
        );
        let proof = if candidate.whole_name {
            proofs.no_name(name)
        } else {
            proofs.no_data(name, asked.rtype)
        };
        if !matches!(proof, Ok(Proof::Shown)) {
            return None;
        }
        let ttl = candidate.ttl;
        let step = self.judge(asked, &as_reply(candidate), work).await;
        match &step.end {
            End::Denied(denial) if denial.status.security() == Security::Secure => {
                let left = step.ttl().min(ttl);
                Some(step.with_ttl(left))
            }
            _ => None,
        }
    }

    /// What stands in place of the DS RRset of `name`, as a reply, if records that were validated
    /// before show it. Spans that opt out count: what is delegated there is unsigned
    /// (RFC 5155 §8.9).
    /// Beside it the seconds for which that holds.
    pub(super) fn no_ds_from_cache(
        &self,
        name: &Name,
        parent: &Name,
        work: &Work,
    ) -> Option<(Found, u32)> {
        let candidate = self.ds_candidate(name, work)?;
        if candidate.zone != *parent {
            return None;
        }
        let ttl = candidate.ttl;
        Some((as_reply(candidate), ttl))
    }

    /// Whether it is known that no DS is to be had for `name`.
    pub(super) fn is_without_ds(&self, name: &Name, work: &Work) -> bool {
        self.ds_candidate(name, work).is_some()
    }

    fn ds_candidate(&self, name: &Name, work: &Work) -> Option<Candidate> {
        let asked = Question {
            name: name.clone(),
            rtype: rtype::DS,
        };
        let candidate = self.candidate(&asked, work)?;
        let proofs = Proofs::known(&candidate.records, &candidate.zone, &work.budget);
        proofs.no_ds(name).ok()?;
        Some(candidate)
    }

    fn candidate(&self, asked: &Question, work: &Work) -> Option<Candidate> {
        let is_meta = matches!(
            asked.rtype,
            rtype::RRSIG | rtype::NSEC | rtype::NSEC3 | 128..=255
        );
        let is_wanted = self.synthesises()
            && work.freshness == Freshness::Cached
            && work.checking == Checking::Enabled;
        if is_meta || !is_wanted || self.negative_anchor(&asked.name).is_some() {
            return None;
        }
        let candidate = self.cache.candidate(asked)?;
        // A zone that the administrator says is elsewhere is not its parent's to deny.
        let elsewhere = self.routes.covering(asked);
        if elsewhere.is_some_and(|route| route.zone.is_below(&candidate.zone)) {
            return None;
        }
        Some(candidate)
    }
}

/// The records of `owner` and `rtype`, then the signatures of `zone` over them.
fn with_signatures<'a>(
    section: &'a [Record],
    owner: &Name,
    rtype: u16,
    zone: &Name,
) -> Vec<&'a Record> {
    let mut records = Message::rrset(section, owner, rtype);
    let signatures = Message::rrset(section, owner, rtype::RRSIG);
    records.extend(signatures.into_iter().filter(|record| {
        Rrsig::parse(&record.rdata)
            .is_some_and(|rrsig| rrsig.covered == rtype && rrsig.signer == *zone)
    }));
    records
}

fn as_reply(candidate: Candidate) -> Found {
    let rcode = if candidate.whole_name {
        Rcode::NXDOMAIN
    } else {
        Rcode::NOERROR
    };
    Found {
        message: Arc::new(Message {
            rcode,
            authoritative: true,
            truncated: false,
            authentic: false,
            recursion_available: false,
            answer: Vec::new(),
            authority: candidate.records,
            additional: Vec::new(),
            ede: None,
            is_recalled: true,
            wire: None,
        }),
        bailiwick: candidate.zone,
        server: NOBODY,
    }
}
