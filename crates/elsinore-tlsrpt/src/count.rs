//! From what a delivery found out to what is counted: a pure function (RFC 8460 §4).
//!
//! One session is counted once under each policy that was applied to it: as a success when it met
//! that policy, else as a failure with at least one [`Detail`] saying why. What is judged is the
//! recipient's policy, not the fate of the mail: under a *testing* policy, or none, mail may well have
//! been delivered by a session that is counted as failed.
//!
//! - **tlsa**: the MX host has TLSA records that count. The policy domain is the TLSA base domain
//!   (RFC 8460 §1.1).
//! - **sts**: an MTA-STS policy of mode *enforce* or *testing* applies and DANE does not decide alone
//!   (RFC 8461 §2), or a policy is announced and could not be had. The policy domain is that of the
//!   recipients.
//! - **no-policy-found**: neither.
//!
//! Not counted: sessions that never came to STARTTLS (RFC 8460 §4.3.4 leaves transient failures out),
//! hosts left out for reasons of our own, and what only our administrator demanded of the server
//! (pinned digests). A lookup of `_mta-sts` that failed says nothing about TLS and is not counted
//! either.

mod session;

use crate::terms::{PolicyType, ResultType};
use elsinore_dane::answer::RecordType;
use elsinore_dane::mta_sts::{StsMode, StsPolicy};
use elsinore_dane::obligation::SkipReason;
use elsinore_dane::security::Security;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_net::deliver::account::{DomainAccount, StsAccount};
use elsinore_net::deliver::{Attempt, SendReport};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// Records and lines of a policy that are told.
const POLICY_STRINGS: usize = 100;
/// Characters of each: a whole certificate in hexadecimal (RFC 6698 §2.1.3, Full) has a few thousand.
const STRING_LENGTH: usize = 16_384;
/// Characters of a `failure-reason-code`, which is to be short (RFC 8460 §4.3.3).
const REASON_LENGTH: usize = 160;

/// The policy that was applied, as a report names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AppliedPolicy {
    /// Its type.
    #[serde(rename = "policy-type")]
    pub kind: PolicyType,
    /// The records or lines it consists of (RFC 8460 §4.5).
    #[serde(rename = "policy-string")]
    pub strings: Vec<String>,
    /// The domain it belongs to, in A-labels without trailing dot.
    #[serde(rename = "policy-domain")]
    pub domain: String,
    /// The patterns of an MTA-STS policy.
    #[serde(rename = "mx-host")]
    pub mx_hosts: Vec<String>,
}

/// Why a session is counted as failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Detail {
    /// The result type.
    #[serde(rename = "t")]
    pub result: ResultType,
    /// The address of ours.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sending_ip: Option<IpAddr>,
    /// The name in the MX record.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub mx_host: Option<String>,
    /// The name by which the server answered EHLO.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// The address of the server.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub receiving_ip: Option<IpAddr>,
    /// The failure reason code: one short line.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of one session under one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It met the policy.
    Success,
    /// It did not, for one or more reasons.
    Failure(Vec<Detail>),
}

/// One session under one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Whose mail it was: the recipients' domain, or the smart host.
    pub domain: String,
    /// The policy.
    pub policy: Arc<AppliedPolicy>,
    /// What became of it.
    pub verdict: Verdict,
}

/// What is to be counted of a delivery. Mail to address literals is not: nobody can be told.
#[must_use]
pub fn rows(report: &SendReport) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut seen: Vec<&Arc<Vec<Attempt>>> = Vec::new();
    for recipient in &report.recipients {
        // The recipients of one domain share their attempts.
        let attempts = &recipient.attempts;
        if seen.iter().any(|other| Arc::ptr_eq(other, attempts)) {
            continue;
        }
        seen.push(attempts);
        let account = &recipient.account;
        let Some(domain) = &account.policy_domain else {
            continue;
        };
        let mut counting = Counting {
            domain: domain.as_str(),
            account,
            rows: &mut rows,
        };
        for attempt in attempts.iter() {
            counting.attempt(attempt);
        }
        if attempts.is_empty() {
            counting.no_hosts();
        }
    }
    rows
}

/// The counting of one domain.
struct Counting<'a> {
    domain: &'a str,
    account: &'a DomainAccount,
    rows: &'a mut Vec<Row>,
}

impl Counting<'_> {
    fn push(&mut self, policy: AppliedPolicy, verdict: Verdict) {
        self.rows.push(Row {
            domain: self.domain.to_owned(),
            policy: Arc::new(policy),
            verdict,
        });
    }

    /// The hosts of the domain are not known.
    fn no_hosts(&mut self) {
        let is_mx = |record_type| record_type == RecordType::Mx;
        if let Some(detail) = self.failed_lookup(is_mx, None) {
            self.push(self.general_policy(), Verdict::Failure(vec![detail]));
        }
    }

    fn attempt(&mut self, attempt: &Attempt) {
        match attempt.skipped {
            Some(reason) => self.skipped(attempt, reason),
            None => session::count(self, attempt),
        }
    }

    /// A host that was left out.
    fn skipped(&mut self, attempt: &Attempt, reason: SkipReason) {
        let host = attempt.mx_host.as_str();
        match reason {
            SkipReason::TlsaLookupFailed | SkipReason::ZoneStatusUnknown => {
                let is_tlsa = |record_type| record_type == RecordType::Tlsa;
                let detail = self
                    .failed_lookup(is_tlsa, Some(attempt))
                    .unwrap_or_else(|| {
                        Detail::of(ResultType::ValidationFailure, attempt)
                            .because(reason.sentence())
                    });
                let policy = tlsa_policy(&self.failed_base(attempt), &[]);
                self.push(policy, Verdict::Failure(vec![detail]));
            }
            SkipReason::AddressLookupFailed => {
                let is_address =
                    |record_type| matches!(record_type, RecordType::A | RecordType::Aaaa);
                if let Some(detail) = self.failed_lookup(is_address, Some(attempt)) {
                    self.push(self.general_policy(), Verdict::Failure(vec![detail]));
                }
            }
            SkipReason::StsMismatch => {
                let detail = Detail::of(ResultType::ValidationFailure, attempt).because(NOT_LISTED);
                self.push(self.sts_policy(), Verdict::Failure(vec![detail]));
            }
            SkipReason::DaneOnlyInsecureMx | SkipReason::DaneOnlyNoUsableTlsa => {
                let detail = Detail::of(ResultType::DaneRequired, attempt);
                // An MX record may hold an address, which has no domain of its own.
                let is_address = host.parse::<IpAddr>().is_ok();
                let domain = if is_address { self.domain } else { host };
                self.push(tlsa_policy(domain, &[]), Verdict::Failure(vec![detail]));
            }
            // Nothing about their TLS, or our own business.
            SkipReason::NoAddress
            | SkipReason::AddressesRefused
            | SkipReason::Loop
            | SkipReason::Unverifiable
            | SkipReason::RequireTlsUnmet => {}
        }
    }

    /// The detail of a failed lookup of this kind, about the host of `attempt` where there is one.
    fn failed_lookup(
        &self,
        of_kind: impl Fn(RecordType) -> bool,
        attempt: Option<&Attempt>,
    ) -> Option<Detail> {
        let about = |name: &str| match attempt {
            None => true,
            Some(attempt) => {
                name == attempt.mx_host
                    || (attempt.findings.iter())
                        .any(|finding| name.ends_with(&format!("_tcp.{}", finding.subject)))
            }
        };
        let mut found = self
            .account
            .failed_lookups
            .iter()
            .filter(|lookup| of_kind(lookup.question.record_type))
            .filter(|lookup| about(lookup.question.name.as_str()));
        let first = found.next()?;
        // One family may be bogus and the other silent: what does not validate is the news.
        let lookup = if first.security == Security::Bogus {
            first
        } else {
            found
                .find(|lookup| lookup.security == Security::Bogus)
                .unwrap_or(first)
        };
        let result = match lookup.security {
            Security::Bogus => ResultType::DnssecInvalid,
            Security::Secure | Security::Insecure | Security::Indeterminate => {
                ResultType::ValidationFailure
            }
        };
        let mut detail = Detail::of_nobody(result);
        detail.mx_host = attempt.map(|attempt| attempt.mx_host.clone());
        let reason = format!("{}: {}", lookup.question, lookup.reason);
        Some(detail.because(&reason))
    }

    /// The base domain whose TLSA lookup failed.
    fn failed_base(&self, attempt: &Attempt) -> String {
        let failed = |finding: &&elsinore_dane::finding::Finding| {
            finding.rule == elsinore_dane::rule::Rule::TlsaLookupFailed
        };
        let found = attempt.findings.iter().find(failed);
        found.map_or_else(
            || attempt.mx_host.clone(),
            |finding| finding.subject.clone(),
        )
    }

    /// The policy of the domain where TLSA says nothing.
    fn general_policy(&self) -> AppliedPolicy {
        match &self.account.sts {
            StsAccount::Policy(policy) if policy.mode != StsMode::None => self.sts_policy(),
            StsAccount::None
            | StsAccount::Policy(_)
            | StsAccount::NotFetched(_)
            | StsAccount::Invalid { .. }
            | StsAccount::RecordInvalid(_) => AppliedPolicy {
                kind: PolicyType::NoPolicyFound,
                strings: Vec::new(),
                domain: self.domain.to_owned(),
                mx_hosts: Vec::new(),
            },
        }
    }

    /// The MTA-STS policy, as far as it is known.
    fn sts_policy(&self) -> AppliedPolicy {
        let (strings, mx_hosts) = match &self.account.sts {
            StsAccount::Policy(policy) => (lines_of(policy), patterns(policy)),
            StsAccount::Invalid { body, .. } => {
                let text = String::from_utf8_lossy(body);
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                (lines.take(POLICY_STRINGS).map(plain).collect(), Vec::new())
            }
            StsAccount::None | StsAccount::NotFetched(_) | StsAccount::RecordInvalid(_) => {
                (Vec::new(), Vec::new())
            }
        };
        AppliedPolicy {
            kind: PolicyType::Sts,
            strings,
            domain: self.domain.to_owned(),
            mx_hosts,
        }
    }
}

/// The reason code of a host that a policy does not list (RFC 8461 §4.1).
const NOT_LISTED: &str = "mx-host-not-listed-in-policy";

/// The policy of TLSA records; in canonical order, because servers shuffle them.
fn tlsa_policy(base_domain: &str, records: &[TlsaRecord]) -> AppliedPolicy {
    let mut strings: Vec<String> = records
        .iter()
        .take(POLICY_STRINGS)
        .map(|record| cut(&record.to_string(), STRING_LENGTH))
        .collect();
    strings.sort();
    AppliedPolicy {
        kind: PolicyType::Tlsa,
        strings,
        domain: base_domain.to_owned(),
        mx_hosts: Vec::new(),
    }
}

/// The lines of a policy (RFC 8460 §4.5), each `mx` on its own.
fn lines_of(policy: &StsPolicy) -> Vec<String> {
    let mut lines = vec![
        "version: STSv1".to_owned(),
        format!("mode: {}", policy.mode.word()),
    ];
    lines.extend(patterns(policy).iter().map(|mx| format!("mx: {mx}")));
    lines.push(format!("max_age: {}", policy.max_age));
    lines
}

fn patterns(policy: &StsPolicy) -> Vec<String> {
    let patterns = policy.mx.iter().take(POLICY_STRINGS);
    patterns.map(ToString::to_string).collect()
}

/// A stranger's line: bounded, without control characters.
fn plain(line: &str) -> String {
    let clean: String = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    cut(clean.trim(), 500)
}

fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}

impl Detail {
    /// The result type alone.
    #[must_use]
    pub const fn bare(&self) -> Self {
        Self::of_nobody(self.result)
    }

    const fn of_nobody(result: ResultType) -> Self {
        Self {
            result,
            sending_ip: None,
            mx_host: None,
            helo: None,
            receiving_ip: None,
            reason: None,
        }
    }

    fn of(result: ResultType, attempt: &Attempt) -> Self {
        Self {
            result,
            sending_ip: attempt.mx_address.and(attempt.account.sending_address),
            mx_host: Some(attempt.mx_host.clone()),
            helo: attempt.account.receiving_helo.as_deref().map(plain),
            receiving_ip: attempt.mx_address,
            reason: None,
        }
    }

    fn because(self, reason: &str) -> Self {
        let reason = cut(&plain(reason), REASON_LENGTH);
        Self {
            reason: Some(reason).filter(|reason| !reason.is_empty()),
            ..self
        }
    }
}
