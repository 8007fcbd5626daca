//! Lints: what can be wrong with a domain and be seen from outside.
//!
//! Every lint reads what was seen and what the judge made of it. None of them judges a chain, an
//! answer or a record by itself: where one has to know why a chain was refused it asks the
//! verifier again. What says nothing about the domain (a session that was inconclusive, lookups
//! that fail because our own DNS does) is never held against it.

pub mod catalogue;
mod certificate;
mod chain;
mod dns;
mod domain;
mod draft;
pub mod known_ca;
mod policy;
mod record;
mod record_content;
mod servers;
mod session;
pub(crate) mod view;
pub(crate) mod zone;

pub use catalogue::{LEFT_OUT, LeftOut, Lint, Source};

use crate::report::{Finding, Report, Severity};
use crate::sighting::Sighting;
use draft::Draft;
use view::View;

/// Findings that are kept. More than these nobody reads.
const MOST: usize = 200;

/// Everything that is wrong or worth knowing, the worst first, identical findings about several
/// things folded into one.
#[must_use]
pub fn run(sighting: &Sighting, report: &Report) -> Vec<Finding> {
    let view = View { sighting, report };
    let mut drafts = Vec::new();
    for group in [
        dns::lints,
        servers::lints,
        zone::lints,
        domain::lints,
        policy::lints,
        record::lints,
        record_content::lints,
        chain::lints,
        certificate::lints,
        session::lints,
    ] {
        group(&view, &mut drafts);
    }
    let mut findings = folded(drafts);
    let place = |finding: &Finding| Lint::all().position(|lint| lint.id == finding.id);
    findings.sort_by_cached_key(|finding| {
        (
            finding.severity,
            finding.fails_at.unwrap_or(i64::MAX),
            place(finding),
            finding.subject.clone(),
            finding.evidence.clone(),
        )
    });
    findings.truncate(MOST);
    findings
}

/// Findings that differ in their subject only become one that names all subjects.
fn folded(drafts: Vec<Draft>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for finding in drafts.into_iter().map(Draft::finish) {
        let twin = findings.iter_mut().find(|known| {
            known.id == finding.id
                && known.severity == finding.severity
                && known.fails_at == finding.fails_at
                && known.evidence == finding.evidence
                && known.advice.as_ref().map(|one| &one.text)
                    == finding.advice.as_ref().map(|one| &one.text)
        });
        let Some(known) = twin else {
            findings.push(finding);
            continue;
        };
        if !known.subject.split(", ").any(|one| one == finding.subject) {
            known.subject = format!("{}, {}", known.subject, finding.subject);
        }
        if let (Some(known), Some(more)) = (&mut known.advice, finding.advice) {
            for line in more.paste {
                if !known.paste.contains(&line) && known.paste.len() < draft::MOST_LINES {
                    known.paste.push(line);
                }
            }
        }
    }
    findings
}

/// Whether a finding asks for something to be done.
#[must_use]
pub const fn asks_for_work(severity: Severity) -> bool {
    match severity {
        Severity::FailsNow | Severity::WillFail | Severity::Weak => true,
        Severity::Note => false,
    }
}
