//! The MTA-STS side of a search: the record, the cached policy, the fetch (RFC 8461 §3, §5.1).
//! Whatever fails here leaves a cached policy in force and otherwise stops nothing.

use super::flaw::{Flaw, Flaws};
use crate::answer::{Answer, Last};
use crate::finding::Finding;
use crate::mta_sts::{self, CachedPolicy, RecordError, StsFetch, StsMode, StsPolicy};
use crate::name::DomainName;
use crate::rule::Rule;
use crate::security::Security;
use crate::time::UnixTime;

#[derive(Debug, Clone)]
pub(super) struct Sts {
    /// `None` where MTA-STS does not apply.
    domain: Option<DomainName>,
    cached: Option<CachedPolicy>,
    record: Record,
    fetch: Fetch,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Record {
    Pending,
    /// The record's `id`.
    Found(String),
    /// None, or none that is valid, or not found out.
    Missing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fetch {
    NotNeeded,
    Pending,
    Done(CachedPolicy),
    Failed,
}

/// Whether the answer to the record question lets the search go on; it always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StsAnswer {
    Taken,
    /// Only an engine broken on purpose says this.
    Broken,
}

impl Sts {
    pub(super) fn new(
        domain: Option<DomainName>,
        cached: Option<CachedPolicy>,
        now: UnixTime,
    ) -> Self {
        let cached = cached
            .filter(|cached| Some(&cached.domain) == domain.as_ref() && cached.is_current(now));
        Self {
            domain,
            cached,
            record: Record::Pending,
            fetch: Fetch::NotNeeded,
        }
    }

    /// The name of the TXT record, to be asked at once. A domain too long to have one has none.
    pub(super) fn record_name(&mut self) -> Option<DomainName> {
        let name = self.domain.as_ref()?.prefixed("_mta-sts").ok();
        if name.is_none() {
            self.record = Record::Missing;
        }
        name
    }

    pub(super) fn take_record(
        &mut self,
        answer: &Answer,
        now: UnixTime,
        findings: &mut Vec<Finding>,
        flaws: Flaws,
    ) -> StsAnswer {
        let Some(domain) = &self.domain else {
            return StsAnswer::Taken;
        };
        if flaws.has(Flaw::StsCacheForgotten) && !matches!(answer.last, Last::Data(_)) {
            self.cached = None;
        }
        let has_cached = self.cached.as_ref().is_some_and(|c| c.is_current(now));
        let overall = answer.overall();
        let failed = matches!(
            overall.security(),
            Security::Bogus | Security::Indeterminate
        );
        self.record = match &answer.last {
            _ if failed => {
                let fallback = if has_cached {
                    "the cached policy stays in force"
                } else {
                    "no policy is known, delivery goes on"
                };
                findings.push(Finding::new(
                    Rule::StsLookupFailed,
                    domain.as_str(),
                    format!("{}; {fallback}", overall.reason()),
                ));
                if flaws.has(Flaw::StsFailureDefers) {
                    return StsAnswer::Broken;
                }
                Record::Missing
            }
            Last::Failed(_) => Record::Missing,
            Last::Denied(_) => {
                if has_cached {
                    findings.push(Finding::new(
                        Rule::StsCached,
                        domain.as_str(),
                        "the record is gone, the cached policy stays in force",
                    ));
                }
                Record::Missing
            }
            Last::Data(set) => match mta_sts::select_in(&set.records) {
                Ok(record) => Record::Found(record.id),
                Err(RecordError::Absent) => Record::Missing,
                Err(why) => {
                    findings.push(Finding::new(
                        Rule::StsRecordInvalid,
                        domain.as_str(),
                        why.to_string(),
                    ));
                    Record::Missing
                }
            },
        };
        StsAnswer::Taken
    }

    /// Called when a host needs the policy: what to fetch, the first time a fetch is called for.
    /// A cached policy of the same `id` is fetched again when it has become old (RFC 8461 §3.3,
    /// §10.2): an attacker who can keep a sender from fetching must not be able to wait until it
    /// has run out.
    pub(super) fn want_policy(&mut self, now: UnixTime) -> Option<(DomainName, String)> {
        let Record::Found(id) = &self.record else {
            return None;
        };
        if self.fetch != Fetch::NotNeeded {
            return None;
        }
        if self
            .cached_as(id, now)
            .is_some_and(|cached| !cached.wants_refresh(now))
        {
            return None;
        }
        let wanted = (self.domain.clone()?, id.clone());
        self.fetch = Fetch::Pending;
        Some(wanted)
    }

    fn cached_as(&self, id: &str, now: UnixTime) -> Option<&CachedPolicy> {
        self.cached
            .as_ref()
            .filter(|cached| cached.id == id && cached.is_current(now))
    }

    pub(super) fn take_policy(
        &mut self,
        fetch: StsFetch,
        now: UnixTime,
        findings: &mut Vec<Finding>,
    ) {
        let (Some(domain), Record::Found(id)) = (&self.domain, &self.record) else {
            return;
        };
        let why = match fetch {
            StsFetch::Fetched(body) => match StsPolicy::parse(&body) {
                Ok(policy) => {
                    if policy.mode == StsMode::None {
                        findings.push(Finding::new(
                            Rule::StsModeNone,
                            domain.as_str(),
                            "the policy says that there is none",
                        ));
                    }
                    self.fetch = Fetch::Done(CachedPolicy {
                        domain: domain.clone(),
                        id: id.clone(),
                        policy,
                        fetched_at: now,
                    });
                    return;
                }
                Err(why) => (Rule::StsPolicyInvalid, why.to_string()),
            },
            StsFetch::Failed(why) => (Rule::StsFetchFailed, why.to_string()),
        };
        self.fetch = Fetch::Failed;
        findings.push(Finding::new(why.0, domain.as_str(), why.1));
        if self.cached.as_ref().is_some_and(|c| c.is_current(now)) {
            findings.push(Finding::new(
                Rule::StsCached,
                domain.as_str(),
                "the cached policy stays in force",
            ));
        }
    }

    /// Whether the policy that applies is known. To be asked after [`Self::want_policy`]. A
    /// refresh is not waited for: the `id` says that the policy at hand is still the right one.
    pub(super) fn is_settled(&self, now: UnixTime) -> bool {
        if self.domain.is_none() {
            return true;
        }
        match &self.record {
            Record::Pending => false,
            Record::Missing => true,
            Record::Found(id) => self.fetch != Fetch::Pending || self.cached_as(id, now).is_some(),
        }
    }

    pub(super) const fn fetched(&self) -> Option<&CachedPolicy> {
        match &self.fetch {
            Fetch::Done(policy) => Some(policy),
            Fetch::NotNeeded | Fetch::Pending | Fetch::Failed => None,
        }
    }

    pub(super) fn current(&self, now: UnixTime) -> Option<&CachedPolicy> {
        match &self.fetch {
            // Fetched a moment ago: it applies to this delivery even with `max_age: 0`.
            Fetch::Done(policy) => Some(policy),
            Fetch::NotNeeded | Fetch::Pending | Fetch::Failed => {
                self.cached.as_ref().filter(|cached| cached.is_current(now))
            }
        }
    }
}
