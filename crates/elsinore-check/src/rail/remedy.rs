//! What mends a break: the finding about the same thing, in one line.

use super::Trouble;
use crate::report::{Finding, Report, Severity};

/// The trouble with `reason`, and the fix of the first serious finding about one of `subjects`,
/// which stand with the nearest first.
pub(super) fn trouble(report: &Report, reason: &str, subjects: &[&str]) -> Trouble {
    let found = subjects.iter().find_map(|subject| {
        (report.findings.iter().enumerate())
            .filter(|(_, finding)| serious(finding.severity))
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
