//! Lints about single TLSA records: fields and data.

use super::catalogue::record as known;
use super::draft::Draft;
use super::known_ca::hexadecimal;
use super::view::{View, accepted, base, counted, recommended_all, record, short, usable};
use crate::report::{Host, Severity, Tlsa};
use elsinore_dane::tlsa::Unusable;
use openssl::sha::{sha256, sha512};

pub(super) fn lints(view: &View<'_>, found: &mut Vec<Draft>) {
    for host in &view.report.hosts {
        let mut drafts = Vec::new();
        for tlsa in &host.tlsa {
            fields(host, tlsa, &mut drafts);
            contents(host, tlsa, &mut drafts);
        }
        let lines = recommended_all(view, host);
        found.extend(drafts.into_iter().map(|draft| draft.paste(lines.clone())));
        if !host.tlsa.is_empty() && usable(host).next().is_none() {
            let evidence = format!("{}, none usable", counted(host.tlsa.len()));
            let draft = Draft::new(&known::TLSA_NONE_USABLE, &owner(host), evidence);
            found.push(draft.paste(lines));
        }
    }
}

/// The name at which the records of a host stand.
pub(super) fn owner(host: &Host) -> String {
    format!("_25._tcp.{} TLSA", base(host))
}

fn fields(host: &Host, tlsa: &Tlsa, found: &mut Vec<Draft>) {
    let why = match record(tlsa) {
        Some(record) => match record.usability() {
            Ok(_) => return,
            Err(why) => why,
        },
        None => Unusable::TooShort(0),
    };
    let lint = match why {
        Unusable::PkixUsage(_) => &known::TLSA_PKIX_USAGE,
        Unusable::DigestLength { .. } => &known::TLSA_DIGEST_LENGTH,
        Unusable::TooShort(_)
        | Unusable::UnknownUsage(_)
        | Unusable::UnknownSelector(_)
        | Unusable::UnknownMatchingType(_)
        | Unusable::Empty
        | Unusable::NotACertificate
        | Unusable::NotAPublicKey => &known::TLSA_MALFORMED,
    };
    let reason = tlsa.unusable.clone().unwrap_or_else(|| why.to_string());
    let evidence = format!("{}: {reason}", short(tlsa));
    found.push(Draft::new(lint, &owner(host), evidence));
}

fn contents(host: &Host, tlsa: &Tlsa, found: &mut Vec<Draft>) {
    // Beside a record that matches, a dead one stops no mail.
    let severity = match host.tlsa.iter().any(accepted) {
        true => Severity::Weak,
        false => Severity::FailsNow,
    };
    let lint = if is_digest_of_nothing(&tlsa.association) {
        &known::TLSA_EMPTY_DIGEST
    } else if is_placeholder(&tlsa.association) {
        &known::TLSA_PLACEHOLDER
    } else {
        return;
    };
    found.push(Draft::new(lint, &owner(host), short(tlsa)).severity(severity));
}

/// Whether it is a digest of no octets.
pub(super) fn is_digest_of_nothing(association: &str) -> bool {
    association == hexadecimal(&sha256(b"")) || association == hexadecimal(&sha512(b""))
}

/// Whether the data was never meant: one octet repeated, or digits that count.
pub(super) fn is_placeholder(association: &str) -> bool {
    let digits = association.as_bytes();
    if digits.len() < 32 {
        return false;
    }
    let repeats = |period: usize| {
        digits
            .iter()
            .zip(digits.iter().skip(period))
            .all(|(a, b)| a == b)
    };
    let counts = |pattern: &str| {
        let pattern = pattern.as_bytes();
        digits
            .iter()
            .zip(pattern.iter().cycle())
            .all(|(a, b)| a == b)
    };
    repeats(2)
        || repeats(8)
        || [
            "0123456789abcdef",
            "123456789abcdef0",
            "1234567890",
            "0123456789",
        ]
        .into_iter()
        .any(counts)
}
