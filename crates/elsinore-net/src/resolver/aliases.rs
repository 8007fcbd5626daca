//! Aliases hold for every type at a name, and a DNAME for every name below it: what was shown once
//! is not asked for again (RFC 1034 §3.6.2, RFC 6672 §3.4.1). Only secure ones: the servers of an
//! unsigned zone may say another thing for each type.

use super::core::{Core, Work};
use super::evidence::Records;
use super::step::{End, Step};
use super::transcript::Checking;
use super::wire::{Name, Question, rtype};
use elsinore_dane::answer::{AliasKind, RecordData};
use elsinore_dane::security::Security;
use std::sync::Arc;

/// KEY (RFC 2535), which may stand beside a CNAME as the types of DNSSEC may (RFC 4034 §3).
const KEY: u16 = 25;

impl Core {
    /// What is known to stand at a name.
    pub(super) fn known_step(&self, asked: &Question, work: &Work) -> Option<Step> {
        if let Some((step, left)) = self.cache.find::<Step>(asked)
            && is_enough(&step, work)
        {
            return Some(Step::clone(&step).with_ttl(left));
        }
        let coexists = matches!(
            asked.rtype,
            KEY | rtype::DS | rtype::RRSIG | rtype::NSEC | rtype::ANY
        );
        // Whether another lookup has learnt the alias already is chance, and a tape is to be complete
        // without it.
        if coexists || self.config.tape.is_running() {
            return None;
        }
        if asked.rtype != rtype::CNAME
            && let Some((step, target)) = self.known_target(&asked.name, rtype::CNAME, work)
        {
            return Some(alias(step, AliasKind::Cname, target));
        }
        for count in 0..asked.name.label_count() {
            let owner = asked.name.suffix(count);
            if let Some((step, target)) = self.known_target(&owner, rtype::DNAME, work)
                && let Some(target) = asked.name.rebased(&owner, &target)
            {
                return Some(if asked.rtype == rtype::CNAME {
                    data(step, &target)
                } else {
                    alias(step, AliasKind::Dname, target)
                });
            }
        }
        None
    }

    /// The target of a secure alias that is known.
    fn known_target(&self, owner: &Name, rtype: u16, work: &Work) -> Option<(Step, Name)> {
        let question = Question {
            name: owner.clone(),
            rtype,
        };
        let (step, left) = self.cache.find::<Step>(&question)?;
        match &step.end {
            End::Data(records, status, _)
                if status.security() == Security::Secure && is_enough(&step, work) =>
            {
                let [RecordData::Name(target)] = records.as_slice() else {
                    return None;
                };
                let target = Name::from_domain(target);
                Some((Step::clone(&step).with_ttl(left), target))
            }
            _ => None,
        }
    }

    /// Keeps a secure alias for other types, or other names below a DNAME: `owner` has the one
    /// record of `rtype` that leads to `target`.
    pub(super) fn keep_alias(&self, owner: &Name, rtype: u16, target: &Name, step: &Step) {
        let is_secure = match &step.end {
            End::Alias(_, _, status, _) | End::Data(_, status, _) => {
                status.security() == Security::Secure
            }
            End::Denied(_) | End::Failed(_) => false,
        };
        if is_secure {
            let question = Question {
                name: owner.clone(),
                rtype,
            };
            let step = data(step.clone(), target);
            let ttl = step.ttl();
            self.cache.keep(&question, Arc::new(step), ttl);
        }
    }
}

/// Whether what is kept will do: what was kept for mail shows no records, and what was rejected
/// is no answer to who wants it unchecked.
fn is_enough(step: &Step, work: &Work) -> bool {
    if step.is_failed() {
        return work.checking == Checking::Enabled;
    }
    work.records == Records::Dropped || step.evidence.is_some()
}

fn alias(step: Step, kind: AliasKind, target: Name) -> Step {
    let end = match step.end {
        End::Data(_, status, ttl) => End::Alias(kind, target, status, ttl),
        end => end,
    };
    Step { end, ..step }
}

fn data(step: Step, target: &Name) -> Step {
    let end = match step.end {
        End::Alias(_, _, status, ttl) | End::Data(_, status, ttl) => {
            End::Data(vec![RecordData::Name(target.to_domain())], status, ttl)
        }
        end => end,
    };
    Step { end, ..step }
}
