//! What mends a break: the finding about the same thing, in one line.

use super::Trouble;
use crate::lint::Lint;
use crate::lint::catalogue::{dns, domain, zone};
use crate::report::{Finding, Report, Severity};

/// What a break is about: only a finding about the same mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matter {
    /// DNS and its signatures.
    Dns,
    /// The MTA-STS policy and TLS-RPT.
    Policy,
    /// Records, certificates and the session with the server.
    Server,
}

impl Matter {
    /// What a lint is about; `None` for one that this version does not know.
    fn of(id: &str) -> Option<Self> {
        let lint = Lint::from_id(id)?;
        let is_among = |several: &[&Lint]| several.iter().any(|one| one.id == lint.id);
        let of_dns = is_among(dns::ENTRIES)
            || is_among(zone::ENTRIES)
            || is_among(&[&domain::MX_ALIAS_LOOP, &domain::MX_WITHOUT_ADDRESS]);
        let of_policy = is_among(&[
            &domain::STS_MX_UNLISTED,
            &domain::STS_HOST_FAILS,
            &domain::DANE_AND_STS_DISAGREE,
            &domain::STS_RECORD_UNFIT,
            &domain::STS_POLICY_UNFIT,
            &domain::STS_MAX_AGE_SHORT,
            &domain::STS_TESTING_ONLY,
            &domain::TLS_RPT_MISSING,
            &domain::TLS_RPT_INVALID,
        ]);
        Some(match (of_dns, of_policy) {
            (true, _) => Self::Dns,
            (false, true) => Self::Policy,
            (false, false) => Self::Server,
        })
    }
}

/// The trouble with `reason`, and the fix of the first serious finding about `matter` and one of
/// `subjects`, which stand with the nearest first.
pub(super) fn trouble(report: &Report, matter: Matter, reason: &str, subjects: &[&str]) -> Trouble {
    let found = subjects.iter().find_map(|subject| {
        (report.findings.iter().enumerate())
            .filter(|(_, finding)| serious(finding.severity))
            .filter(|(_, finding)| Matter::of(&finding.id).is_none_or(|one| one == matter))
            .find(|(_, finding)| finding.advice.is_some() && speaks_of(finding, subject))
    });
    Trouble {
        reason: reason.to_owned(),
        fix: found.and_then(|(_, finding)| {
            let advice = finding.advice.as_ref()?;
            Some(advice.text.clone())
        }),
        finding: found.map(|(at, _)| at),
    }
}

const fn serious(severity: Severity) -> bool {
    match severity {
        Severity::FailsNow | Severity::WillFail => true,
        Severity::Weak | Severity::Note => false,
    }
}

/// Whether the finding's subject names `subject`, as a whole name or address.
fn speaks_of(finding: &Finding, subject: &str) -> bool {
    let of_names = |one: char| one.is_alphanumeric() || matches!(one, '.' | ':' | '-' | '_');
    (finding.subject.split(|one| !of_names(one))).any(|word| {
        let word = word.trim_end_matches([':', '.']);
        word == subject
    })
}
