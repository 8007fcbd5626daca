//! A refused certificate beside the TLSA records that it had to match: what an operator compares.

use crate::tls::judge::Refusal;
use crate::tls::{TlsFailure, TlsFailureCause};
use elsinore_dane::obligation::{DaneRequirement, Obligation};
use elsinore_dane::plan::HostPlan;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::{CertificateSummary, Rejection};

/// Records and names shown; the rest is counted.
const SHOWN: usize = 4;
/// Octets of an association shown: enough to tell two digests apart.
const ASSOCIATION: usize = 8;
/// Characters shown of a name that the certificate carries.
const NAME: usize = 48;

/// The failure in one line; when TLSA records are not met, with the records that were published
/// and what the server presented.
pub(super) fn evidence(plan: &HostPlan, failure: &TlsFailure) -> String {
    let TlsFailureCause::Refused(Refusal::Dane { rejection, leaf }) = &failure.cause else {
        return failure.to_string();
    };
    let Obligation::Authenticate(requirements) = &plan.obligation else {
        return failure.to_string();
    };
    let mut text = failure.to_string();
    if let Some(requirement) = &requirements.dane {
        text.push_str("; published: ");
        text.push_str(&published(&requirement.records));
        if let Some(leaf) = leaf {
            text.push_str("; presented: ");
            text.push_str(&presented(leaf, requirement, *rejection));
        }
    }
    text
}

fn published(records: &[TlsaRecord]) -> String {
    listed(records.iter().map(record), records.len())
}

/// A record with the beginning of its association.
fn record(record: &TlsaRecord) -> String {
    let association = record.association();
    let (Some(usage), Some(selector), Some(matching_type), false) = (
        record.usage(),
        record.selector(),
        record.matching_type(),
        association.is_empty(),
    ) else {
        return format!("a record of {} octets", record.rdata().len());
    };
    let start = &association[..association.len().min(ASSOCIATION)];
    let cut = if association.len() > ASSOCIATION {
        "…"
    } else {
        ""
    };
    format!("{usage} {selector} {matching_type} {}{cut}", hex(start))
}

/// The leaf as the record that would match it, and what it says of itself.
fn presented(
    leaf: &CertificateSummary,
    requirement: &DaneRequirement,
    rejection: Rejection,
) -> String {
    let mut text = format!("3 1 1 {}", hex(&leaf.public_key_sha256));
    let of_certificates = |record: &TlsaRecord| record.selector() == Some(0);
    if requirement.records.iter().any(of_certificates) {
        text.push_str(&format!(", 3 0 1 {}", hex(&leaf.sha256)));
    }
    if let Some(name) = leaf.subject_common_names.first() {
        text.push_str(&format!(", subject {}", quoted(name)));
    }
    if let Some(last) = leaf.not_after {
        // Beyond the years that a calendar knows there are only the seconds.
        let date = jiff::Timestamp::from_second(last.0);
        let date = date.map_or_else(|_| last.0.to_string(), |date| date.to_string());
        text.push_str(&format!(", notAfter {date}"));
    }
    if rejection == Rejection::NameMismatch {
        let names = &leaf.subject_alt_names;
        let count = names.len().saturating_add(leaf.further_names);
        text.push_str(", names ");
        text.push_str(&listed(names.iter().map(|name| quoted(name)), count));
        text.push_str(", expected ");
        let expected = &requirement.reference_identifiers;
        text.push_str(&listed(
            expected.iter().map(|name| quoted(name.as_str())),
            expected.len(),
        ));
    }
    text
}

/// The first few of `count` entries, and how many more there are.
fn listed(entries: impl Iterator<Item = String>, count: usize) -> String {
    if count == 0 {
        return "none".to_owned();
    }
    let shown: Vec<String> = entries.take(SHOWN).collect();
    let text = shown.join(", ");
    match count.saturating_sub(shown.len()) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// Foreign text in quotation marks, escaped and cut.
fn quoted(text: &str) -> String {
    let start: String = text.chars().take(NAME).collect();
    let cut = if start.len() < text.len() { "…" } else { "" };
    format!("{start:?}{cut}")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests;
