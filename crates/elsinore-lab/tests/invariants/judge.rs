//! The two properties.
//!
//! *Protected* is an answer that is secure from the first alias link to its end in the undisturbed
//! run. From protected answers follow, and may not be weakened:
//! - the set of hosts, and that it is trusted, where the MX answer is protected;
//! - that the domain has, or has no, mail hosts at all (no bounce, no forged existence);
//! - the addresses of a host whose A and AAAA answers are protected;
//! - what a host owes by its TLSA records: the base domain and the records (they are only ever
//!   taken from secure answers, below a host name whose own zone is signed), or TLS where none of
//!   them is usable, or nothing where they are absent. This belongs to the host's *name* and holds
//!   for it wherever it is found, also in a forged MX answer of an unsigned domain.
//!
//! Failing is always allowed: a host may be skipped and a domain deferred.

use crate::attacker::Attack;
use crate::drive::{End, Outcome, describe};
use crate::runs::Run;
use elsinore_dane::answer::{Answer, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::{DaneRequirement, Obligation, SkipReason};
use elsinore_dane::plan::{HostPlan, HostSource};
use elsinore_dane::security::Security;
use elsinore_dane::tlsa::TlsaRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What a host owes by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owed {
    Dane(DomainName, Vec<TlsaRecord>),
    Encrypt,
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct HostTruth {
    owed: Owed,
    /// The addresses, where they are protected.
    addresses: Option<BTreeSet<IpAddr>>,
    /// Whether the host's own name is shown to lie in an unsigned zone.
    is_unsigned: bool,
}

/// What is known of each host from the undisturbed runs of all domains.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    hosts: BTreeMap<String, HostTruth>,
}

fn answer<'a>(outcome: &'a Outcome, host: &str, record_type: RecordType) -> Option<&'a Answer> {
    let question = Question::new(host.parse().ok()?, record_type);
    outcome.answers.get(&question)
}

fn is_secure(answer: Option<&Answer>) -> bool {
    answer.is_some_and(|answer| answer.overall().security() == Security::Secure)
}

fn first_security(answer: &Answer) -> Security {
    let first = answer.chain.first();
    first
        .map_or(answer.last.status(), |link| &link.status)
        .security()
}

impl Truth {
    /// Learns from an undisturbed run. Two runs that disagree about a host are an error.
    pub(crate) fn learn(&mut self, outcome: &Outcome) {
        for plan in &outcome.plans {
            let owed = match &plan.obligation {
                Obligation::Authenticate(requirements) => {
                    let dane = requirements.dane.as_ref().expect("DANE");
                    Owed::Dane(dane.base_domain.clone(), sorted(&dane.records))
                }
                Obligation::Encrypt => Owed::Encrypt,
                Obligation::Opportunistic => Owed::Nothing,
                other => panic!("{}: {other:?} in an undisturbed run", plan.mx_host),
            };
            let [a, aaaa] =
                [RecordType::A, RecordType::Aaaa].map(|t| answer(outcome, &plan.mx_host, t));
            let truth = HostTruth {
                owed,
                addresses: (is_secure(a) && is_secure(aaaa))
                    .then(|| plan.addresses.iter().copied().collect()),
                is_unsigned: [a, aaaa]
                    .into_iter()
                    .flatten()
                    .all(|answer| first_security(answer) == Security::Insecure),
            };
            let known = self.hosts.insert(plan.mx_host.clone(), truth.clone());
            assert!(known.is_none_or(|known| known == truth), "{}", plan.mx_host);
        }
    }

    fn host(&self, host: &str) -> Option<&HostTruth> {
        self.hosts.get(host)
    }
}

fn sorted(records: &[TlsaRecord]) -> Vec<TlsaRecord> {
    let mut records = records.to_vec();
    records.sort();
    records
}

/// What an attack achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    Failure,
    Other,
}

/// A domain, its undisturbed outcome, and what is known of hosts.
pub(crate) struct Judge<'a> {
    domain: &'a str,
    honest: &'a Outcome,
    truth: &'a Truth,
}

impl<'a> Judge<'a> {
    pub(crate) const fn new(run: &'a Run, truth: &'a Truth) -> Self {
        Self {
            domain: run.domain,
            honest: &run.outcome,
            truth,
        }
    }

    /// What is wrong with an outcome under attack; empty if nothing is.
    pub(crate) fn faults(&self, attack: &Attack, outcome: &Outcome) -> Vec<String> {
        let mut faults = Vec::new();
        self.judge_route(attack, outcome, &mut faults);
        for plan in &outcome.plans {
            self.judge_host(plan, &mut faults);
        }
        faults
            .into_iter()
            .map(|fault| {
                let (domain, found) = (self.domain, describe(outcome));
                let owed = describe(self.honest);
                format!("{domain}: {fault}\n  attack: {attack}\n  found: {found}\n  owed:  {owed}")
            })
            .collect()
    }

    /// Whether the attack changed nothing that matters, made something fail, or made something
    /// else of data that nothing protects.
    pub(crate) fn effect(&self, outcome: &Outcome) -> Effect {
        let is_skipped = |plan: &HostPlan| matches!(plan.obligation, Obligation::Skip(_));
        if describe(outcome) == describe(self.honest) {
            Effect::None
        } else if outcome.end != End::Hosts || outcome.plans.iter().any(is_skipped) {
            Effect::Failure
        } else {
            Effect::Other
        }
    }

    fn mx_is_protected(&self) -> bool {
        is_secure(answer(self.honest, self.domain, RecordType::Mx))
    }

    fn judge_route(&self, attack: &Attack, outcome: &Outcome, faults: &mut Vec<String>) {
        let honest = self.honest.end;
        if let End::Bounce(_) = outcome.end
            && outcome.end != honest
        {
            // Failures are no statement of anybody's: no mail is returned for them.
            if attack.is_failure() {
                faults.push("failures alone led to a bounce".to_owned());
            }
            let reachable = self.honest.plans.iter().any(|plan| {
                let truth = self.truth.host(&plan.mx_host);
                truth.is_some_and(|truth| truth.addresses.is_some())
            });
            if self.mx_is_protected() && (reachable || honest != End::Hosts) {
                faults.push("bounced, though signed data says otherwise".to_owned());
            }
        }
        if !self.mx_is_protected() {
            return;
        }
        if matches!(honest, End::Bounce(_)) && outcome.end == End::Hosts {
            faults.push("mail for a domain that is signed to have no mail".to_owned());
        }
        let names = |outcome: &Outcome| -> BTreeSet<(Option<u16>, String)> {
            let plans = outcome.plans.iter();
            plans
                .map(|plan| (plan.preference, plan.mx_host.clone()))
                .collect()
        };
        let (found, signed) = (names(outcome), names(self.honest));
        if !found.is_empty() && found != signed {
            faults.push("other hosts than the signed MX records name".to_owned());
        }
        if outcome.plans.iter().any(|plan| !plan.source.is_trusted()) {
            faults.push("a signed MX answer is called insecure".to_owned());
        }
    }

    fn judge_host(&self, plan: &HostPlan, faults: &mut Vec<String>) {
        let host = &plan.mx_host;
        if plan.source.is_trusted() && !self.mx_is_protected() {
            faults.push(format!("{host}: an insecure MX answer is called secure"));
        }
        // Of hosts that are the attacker's own nothing is known and nothing owed.
        let Some(truth) = self.truth.host(host) else {
            return;
        };
        if let Some(addresses) = &truth.addresses {
            if plan
                .addresses
                .iter()
                .any(|address| !addresses.contains(address))
            {
                faults.push(format!("{host}: an address that is not the signed one"));
            }
            if plan.obligation == Obligation::Skip(SkipReason::NoAddress) {
                faults.push(format!("{host}: signed addresses count as absent"));
            }
        }
        let dane = match &plan.obligation {
            Obligation::Skip(_) => return,
            Obligation::Cleartext => {
                faults.push(format!("{host}: cleartext"));
                return;
            }
            Obligation::Authenticate(requirements) => requirements.dane.as_ref(),
            Obligation::Opportunistic | Obligation::Encrypt => None,
        };
        match (&truth.owed, dane) {
            (Owed::Dane(base, records), Some(dane)) => {
                if dane.base_domain != *base || sorted(&dane.records) != *records {
                    faults.push(format!("{host}: other TLSA records than the signed ones"));
                }
                self.judge_names(plan, dane, faults);
            }
            (Owed::Dane(..), None) => faults.push(format!("{host}: DANE is owed, not demanded")),
            (Owed::Encrypt | Owed::Nothing, Some(_)) => {
                faults.push(format!("{host}: TLSA records that nobody signed"));
            }
            (Owed::Encrypt, None) => {
                if !plan.obligation.requires_tls() {
                    faults.push(format!("{host}: TLS is owed, not demanded"));
                }
            }
            (Owed::Nothing, None) => {}
        }
    }

    /// Names that a certificate may carry: under a protected MX those of the undisturbed run,
    /// else the base domain.
    fn judge_names(&self, plan: &HostPlan, dane: &DaneRequirement, faults: &mut Vec<String>) {
        let own = self
            .honest
            .plans
            .iter()
            .find(|own| own.mx_host == plan.mx_host);
        let allowed = own.and_then(|own| match &own.obligation {
            Obligation::Authenticate(requirements) => requirements.dane.as_ref(),
            _ => None,
        });
        let is_allowed = |name: &DomainName| {
            *name == dane.base_domain
                || allowed.is_some_and(|own| own.reference_identifiers.contains(name))
        };
        if !dane.reference_identifiers.iter().all(is_allowed) {
            faults.push(format!("{}: a name that nothing vouches for", plan.mx_host));
        }
        let is_claimed = dane.mx_secure || plan.source == HostSource::SecureMx;
        if is_claimed && !self.mx_is_protected() {
            faults.push(format!(
                "{}: called authenticated to the domain",
                plan.mx_host
            ));
        }
    }

    /// The hosts whose names are shown to lie in unsigned zones.
    pub(crate) fn unsigned_hosts(&self) -> Vec<&HostPlan> {
        let is_unsigned = |plan: &&HostPlan| {
            let truth = self.truth.host(&plan.mx_host);
            truth.is_some_and(|truth| truth.is_unsigned)
        };
        self.honest.plans.iter().filter(is_unsigned).collect()
    }

    /// *Robust*: what is wrong when nothing but CNAME, TLSA and `_mta-sts` lookups failed.
    pub(crate) fn robustness_faults(&self, attack: &Attack, outcome: &Outcome) -> Vec<String> {
        let mut faults = Vec::new();
        for owed in self.unsigned_hosts() {
            let found = outcome
                .plans
                .iter()
                .find(|plan| plan.mx_host == owed.mx_host);
            let is_same = found.is_some_and(|found| {
                found.obligation == owed.obligation && !found.addresses.is_empty()
            });
            if outcome.end != End::Hosts || !is_same {
                let (domain, host) = (self.domain, &owed.mx_host);
                let found = describe(outcome);
                faults.push(format!(
                    "{domain}: {host} lies in an unsigned zone and is not delivered to\n  \
                     attack: {attack}\n  found: {found}"
                ));
            }
        }
        faults
    }
}
