//! Results as others read them: JSON shapes with a version (ADR 0008), and text for people. The
//! only place, beside the subcommands' own small ones, that knows field names.

pub(crate) mod narrative;
pub(crate) mod send;

use elsinore_dane::finding::Finding;
use serde::Serialize;

/// The version of every JSON shape. A new field keeps it, anything else raises it.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// A finding in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct FindingRecord {
    rule: &'static str,
    rfc: u16,
    section: &'static str,
    subject: String,
    evidence: String,
}

impl FindingRecord {
    /// Findings in the order in which they were made.
    pub(crate) fn all(findings: &[Finding]) -> Vec<Self> {
        findings.iter().map(Self::new).collect()
    }

    fn new(finding: &Finding) -> Self {
        let citation = finding.rule.citation();
        Self {
            rule: finding.rule.id(),
            rfc: citation.rfc,
            section: citation.section,
            subject: finding.subject.clone(),
            evidence: finding.evidence.clone(),
        }
    }
}
