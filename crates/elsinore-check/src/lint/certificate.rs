//! Lints about what servers present: matches, differences, dates, strength.

use super::catalogue::certificate as known;
use super::draft::Draft;
use super::view::{Met, View, base, has_dane, list, recommended, title, usable};
use crate::publish::moment::{day, length, second};
use crate::report::{Host, KeyKind, Offer, SenderKind, SessionState, Severity};
use elsinore_dane::time::UnixTime;
use std::collections::{BTreeMap, BTreeSet};

/// Programs renew when a third of the life is left; half of that is late.
const LATE: i64 = 6;
/// Nobody needs more notice than this.
const NOTICE: i64 = 14 * 86_400;

pub(super) fn lints(view: &View<'_>, found: &mut Vec<Draft>) {
    for host in &view.report.hosts {
        if has_dane(host) {
            matches(view, host, found);
            algorithms(view, host, found);
            vary(view, host, found);
            harmless(view, host, found);
        }
        ends(view, host, found);
        strength(view, host, found);
    }
}

/// Whether some record's data is in the chain where its usage looks, accepted or not. Then the
/// lints about usage 2 say what is wrong.
fn touched(host: &Host, met: &Met<'_>) -> bool {
    usable(host).any(|record| {
        record.wires.iter().any(|wire| {
            wire.address == met.address.address
                && wire.offer == met.session.offer
                && (record.usage == Some(2)) == (wire.depth > 0)
                && (wire.accepted || record.usage == Some(2))
        })
    })
}

fn matches(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let own: Vec<Met<'_>> = (view.met(host).into_iter())
        .filter(|met| met.session.offer == Offer::Sender)
        .collect();
    let good: Vec<&str> = (own.iter())
        .filter(|met| met.session.state == SessionState::Met)
        .map(|met| met.address.address.as_str())
        .collect();
    let bad: Vec<&Met<'_>> = (own.iter())
        .filter(|met| met.session.state == SessionState::Refused)
        .collect();
    if bad.is_empty() {
        return;
    }
    let presented: Vec<String> = bad
        .iter()
        .map(|met| {
            let key: String = met.leaf.spki_sha256.chars().take(16).collect();
            let (address, subject) = (&met.address.address, title(met.leaf));
            format!("[{address}] presents {subject}, key {key}…")
        })
        .collect();
    let presented = list(presented.iter().map(String::as_str));
    let lines: BTreeSet<String> = bad
        .iter()
        .map(|met| recommended(base(host), met.leaf))
        .collect();
    if !good.is_empty() {
        let evidence = format!("{presented}; matched at {}", list(good));
        let draft = Draft::new(&known::ADDRESSES_DIFFER, &host.mx_host, evidence);
        found.push(draft.paste(lines));
    } else if !bad.iter().all(|met| touched(host, met)) {
        let records: Vec<&str> = usable(host)
            .map(|record| record.label_text.as_str())
            .collect();
        let evidence = format!("{presented}; records: {}", list(records));
        let renew = format!("certbot renew --cert-name {} --reuse-key", host.mx_host);
        let draft = Draft::new(&known::TLSA_NO_MATCH, &host.mx_host, evidence);
        found.push(draft.paste(lines).paste([renew]));
    }
}

const fn algorithm(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Rsa => "RSA",
        KeyKind::Ecdsa => "ECDSA",
        KeyKind::Eddsa => "EdDSA",
        KeyKind::Other => "other",
    }
}

/// One algorithm is accepted at an address and the other is not.
fn algorithms(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let all = view.met(host);
    let mut odd: BTreeMap<(KeyKind, &str), Vec<&str>> = BTreeMap::new();
    let mut lines = BTreeSet::new();
    for met in &all {
        let single = matches!(met.session.offer, Offer::Rsa | Offer::Ecdsa);
        let other_is_met = all.iter().any(|other| {
            other.address.address == met.address.address
                && matches!(
                    other.session.offer,
                    Offer::Sender | Offer::Rsa | Offer::Ecdsa
                )
                && other.leaf.key != met.leaf.key
                && other.session.state == SessionState::Met
        });
        if single && other_is_met && met.session.state == SessionState::Refused {
            let addresses = odd
                .entry((met.leaf.key, &met.leaf.spki_sha256))
                .or_default();
            if !addresses.contains(&met.address.address.as_str()) {
                addresses.push(&met.address.address);
            }
            lines.insert(recommended(base(host), met.leaf));
        }
    }
    for ((kind, key), addresses) in odd {
        let evidence = format!(
            "the {} certificate (key {key}) matches no record, at {}; that of the other algorithm \
             does",
            algorithm(kind),
            list(addresses)
        );
        let draft = Draft::new(&known::ALGORITHM_UNMATCHED, &host.mx_host, evidence);
        found.push(draft.paste(lines.clone()));
    }
}

/// Different keys at different addresses, all accepted.
fn vary(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let own: Vec<Met<'_>> = (view.met(host).into_iter())
        .filter(|met| met.session.offer == Offer::Sender)
        .collect();
    let keys: BTreeSet<&str> = own
        .iter()
        .map(|met| met.leaf.spki_sha256.as_str())
        .collect();
    if keys.len() < 2 || own.iter().any(|met| met.session.state != SessionState::Met) {
        return;
    }
    let parts: Vec<String> = own
        .iter()
        .map(|met| {
            let key: String = met.leaf.spki_sha256.chars().take(16).collect();
            format!("[{}] {key}…", met.address.address)
        })
        .collect();
    let evidence = list(parts.iter().map(String::as_str));
    found.push(Draft::new(
        &known::CERTIFICATES_VARY,
        &host.mx_host,
        evidence,
    ));
}

/// The usage of the record by which a session was accepted.
fn usage(host: &Host, met: &Met<'_>) -> Option<u8> {
    let matched = met.session.matched.as_ref()?;
    host.tlsa.get(matched.record)?.usage
}

fn harmless(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for met in view.met(host) {
        let Some(end) = met.leaf.not_after_at.filter(|end| *end < view.now()) else {
            continue;
        };
        if usage(host, &met) == Some(3) && told.insert(met.leaf_key) {
            let evidence = format!("{} expired {}", title(met.leaf), day(UnixTime(end)));
            found.push(Draft::new(
                &known::EXPIRED_HARMLESS,
                &host.mx_host,
                evidence,
            ));
        }
    }
}

/// Whether senders that know MTA-STS only are served at the host now, by its certificate.
fn serves_sts(view: &View<'_>, host: &Host) -> bool {
    let Some(sender) = view.sender(SenderKind::StsOnly) else {
        return false;
    };
    (sender.hosts.iter())
        .any(|one| one.mx_host == host.mx_host && one.obligation.contains("sts") && one.met > 0)
}

fn ends(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let now = view.now();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for met in view.met(host) {
        let by_ca = usage(host, &met) == Some(2);
        let by_sts = serves_sts(view, host) && met.session.offer == Offer::Sender;
        if !by_ca && !by_sts {
            continue;
        }
        // Under usage 2 every certificate up to the trust anchor counts, and that itself too.
        let depth = match (&met.session.matched, by_ca) {
            (Some(matched), true) => usize::try_from(matched.depth).unwrap_or(usize::MAX),
            _ => 0,
        };
        for key in met.session.chain.iter().take(depth.saturating_add(1)) {
            let Some(certificate) = view.report.certificates.get(key) else {
                continue;
            };
            let (Some(start), Some(end)) = (certificate.not_before_at, certificate.not_after_at)
            else {
                continue;
            };
            let left = end.saturating_sub(now);
            let notice = (end.saturating_sub(start) / LATE).min(NOTICE);
            if left < 0 || left >= notice || !told.insert(key) {
                continue;
            }
            let whom = match (by_ca, by_sts) {
                (true, true) => "senders with DANE (usage 2) and with MTA-STS",
                (true, false) => "senders with DANE (usage 2)",
                (false, _) => "senders with MTA-STS",
            };
            let evidence = format!(
                "{} expires {}, in {}; {whom} depend on it",
                title(certificate),
                second(UnixTime(end)),
                length(left)
            );
            found.push(
                Draft::new(&known::CERTIFICATE_ENDS_SOON, &host.mx_host, evidence)
                    .fails_at(Some(end.saturating_add(1)))
                    .paste([format!(
                        "certbot renew --cert-name {} --reuse-key",
                        host.mx_host
                    )]),
            );
        }
    }
}

fn strength(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
    let usage_2 = usable(host).any(|record| record.usage == Some(2));
    for met in view.met(host) {
        if met.leaf.key == KeyKind::Rsa
            && (1..2048).contains(&met.leaf.key_bits)
            && told.insert(("key", met.leaf_key))
        {
            let evidence = format!("{}: RSA, {} bits", title(met.leaf), met.leaf.key_bits);
            found.push(Draft::new(&known::KEY_SHORT, &host.mx_host, evidence));
        }
        for key in &met.session.chain {
            let Some(certificate) = view.report.certificates.get(key) else {
                continue;
            };
            let algorithm = certificate.signature_algorithm.to_ascii_lowercase();
            let weak = algorithm.contains("sha1") || algorithm.contains("md5");
            // Nobody checks the signature of a root over itself.
            if !weak || certificate.self_issued || !told.insert(("digest", key)) {
                continue;
            }
            let severity = match usage_2 || serves_sts(view, host) {
                true => Severity::Weak,
                false => Severity::Note,
            };
            let evidence = format!(
                "{}: {}",
                title(certificate),
                certificate.signature_algorithm
            );
            found.push(Draft::new(&known::CHAIN_SHA1, &host.mx_host, evidence).severity(severity));
        }
    }
}
