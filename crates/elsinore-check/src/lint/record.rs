//! Lints about the TLSA records of a host as a set.

use super::catalogue::record as known;
use super::draft::Draft;
use super::record_content::{is_digest_of_nothing, is_placeholder, owner};
use super::view::{View, accepted, base, fields, list, recommended, short, tlsa_line, usable};
use crate::report::{Host, KeyKind, Offer, Severity, Tlsa, TlsaLabel};
use std::collections::{BTreeMap, BTreeSet};

/// Hexadecimal digits in which a copy may differ. Digests of different keys agree in one of
/// sixteen digits; to agree in all but eight of sixty-four has a chance below 2^-180.
const SLIP: usize = 8;
/// A certificate with a shorter life is renewed by a program: nobody does it by hand every quarter.
const SHORT_LIFE: i64 = 100 * 86_400;

pub(super) fn lints(view: &View<'_>, found: &mut Vec<Draft>) {
    for host in &view.report.hosts {
        number(view, host, found);
        same_key(host, found);
        unmatched(host, found);
        combinations(view, host, found);
        renewed(view, host, found);
        digests(view, host, found);
    }
}

/// Where a record is accepted: address and offer.
fn places(tlsa: &Tlsa) -> BTreeSet<(&str, Offer)> {
    let accepted = tlsa.wires.iter().filter(|wire| wire.accepted);
    accepted
        .map(|wire| (wire.address.as_str(), wire.offer))
        .collect()
}

fn number(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let records: Vec<&Tlsa> = usable(host).collect();
    if records.len() == 1 && records.iter().all(|one| accepted(one)) {
        let evidence = "one usable record, and it matches";
        found.push(Draft::new(&known::TLSA_SINGLE, &owner(host), evidence));
    }
    let kinds: BTreeMap<KeyKind, &str> = (records.iter())
        .filter(|record| record.usage == Some(3))
        .flat_map(|record| {
            let accepted = record.wires.iter().filter(|wire| wire.accepted);
            accepted.filter_map(|wire| {
                let certificate = view.report.certificates.get(wire.certificate.as_ref()?)?;
                Some((certificate.key, record.association.as_str()))
            })
        })
        .collect();
    if let (Some(rsa), Some(ecdsa), 2) = (
        kinds.get(&KeyKind::Rsa),
        kinds.get(&KeyKind::Ecdsa),
        records.len(),
    ) && rsa != ecdsa
    {
        let cut = |digest: &str| digest.chars().take(16).collect::<String>();
        let evidence = format!("RSA key {}…, ECDSA key {}…", cut(rsa), cut(ecdsa));
        found.push(Draft::new(
            &known::TLSA_TWO_ALGORITHMS,
            &owner(host),
            evidence,
        ));
    }
}

fn same_key(host: &Host, found: &mut Vec<Draft>) {
    let mut groups: BTreeMap<BTreeSet<(&str, Offer)>, Vec<&Tlsa>> = BTreeMap::new();
    for record in usable(host).filter(|record| record.usage == Some(3)) {
        let places = places(record);
        if !places.is_empty() {
            groups.entry(places).or_default().push(record);
        }
    }
    for group in groups.into_values().filter(|group| group.len() > 1) {
        let texts: Vec<String> = group.iter().map(|record| short(record)).collect();
        let evidence = list(texts.iter().map(String::as_str));
        found.push(Draft::new(
            &known::TLSA_SAME_KEY_TWICE,
            &owner(host),
            evidence,
        ));
    }
}

fn differing_digits(a: &str, b: &str) -> Option<usize> {
    (a.len() == b.len() && a.len() >= 64)
        .then(|| a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count())
}

fn unmatched(host: &Host, found: &mut Vec<Draft>) {
    let some_match = host.tlsa.iter().any(accepted);
    for record in usable(host).filter(|record| record.wires.is_empty()) {
        if is_digest_of_nothing(&record.association) || is_placeholder(&record.association) {
            continue;
        }
        let model = host.tlsa.iter().find(|other| {
            let digits = differing_digits(&record.association, &other.association);
            !other.wires.is_empty() && digits.is_some_and(|digits| (1..=SLIP).contains(&digits))
        });
        if let Some(model) = model {
            let evidence = format!("{} beside {}", record.text, model.text);
            found.push(Draft::new(&known::TLSA_NEAR_COPY, &owner(host), evidence));
            continue;
        }
        let severity = match record.label {
            TlsaLabel::Stale => Severity::Weak,
            TlsaLabel::Next | TlsaLabel::Unmatched => Severity::Note,
            // The lint about retired keys says it; or nothing is known.
            TlsaLabel::Current
            | TlsaLabel::RetiredCa
            | TlsaLabel::Unusable
            | TlsaLabel::Unknown => continue,
        };
        if some_match {
            let evidence = format!("{}: {}", short(record), record.label_text);
            let draft = Draft::new(&known::TLSA_UNMATCHED, &owner(host), evidence);
            found.push(match severity {
                Severity::Weak => draft
                    .severity(severity)
                    .advice("Remove the record: it stands for a key that is no longer in use."),
                Severity::FailsNow | Severity::WillFail | Severity::Note => draft,
            });
        }
    }
}

/// Combinations of fields of which nothing matches, while another one does (RFC 7671 §8).
fn combinations(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let mut groups: BTreeMap<_, Vec<&Tlsa>> = BTreeMap::new();
    for record in usable(host) {
        groups.entry(fields(record)).or_default().push(record);
    }
    if !host.tlsa.iter().any(accepted) || view.met(host).is_empty() {
        return;
    }
    for group in groups.into_values() {
        if group.iter().any(|record| !record.wires.is_empty()) {
            continue;
        }
        let texts: Vec<String> = group.iter().map(|record| short(record)).collect();
        let evidence = format!(
            "nothing presented matches {}; records with other fields match",
            list(texts.iter().map(String::as_str))
        );
        found.push(Draft::new(
            &known::TLSA_COMBINATION_UNMATCHED,
            &owner(host),
            evidence,
        ));
    }
}

/// Digests of whole certificates that will be replaced.
fn renewed(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    for record in usable(host).filter(|one| one.usage == Some(3) && one.selector == Some(0)) {
        let others: BTreeSet<(&str, Offer)> = usable(host)
            .filter(|other| other.usage != Some(3) || other.selector != Some(0))
            .flat_map(places)
            .collect();
        let alone = places(record).iter().any(|place| !others.contains(place));
        let key = record
            .wires
            .iter()
            .find(|wire| wire.accepted)
            .and_then(|wire| wire.certificate.as_ref());
        let Some((key, leaf)) = key.and_then(|key| Some((key, view.report.certificates.get(key)?)))
        else {
            continue;
        };
        let by_program = view
            .der(key)
            .and_then(|der| super::known_ca::renews_by_program(&der));
        let life = leaf
            .not_after_at
            .zip(leaf.not_before_at)
            .map(|(end, start)| end - start);
        let is_short = !leaf.self_issued && life.is_some_and(|life| life <= SHORT_LIFE);
        if !alone || (by_program.is_none() && !is_short) {
            continue;
        }
        let evidence = format!(
            "{} is the whole certificate, issued by {}{}",
            short(record),
            by_program.unwrap_or(&leaf.issuer),
            match life {
                Some(life) => format!(" for {}", crate::publish::moment::length(life)),
                None => String::new(),
            }
        );
        let name = &host.mx_host;
        found.push(
            Draft::new(&known::TLSA_CERTIFICATE_RENEWED, &owner(host), evidence)
                .fails_at(leaf.not_after_at)
                .paste([
                    recommended(base(host), leaf),
                    format!("certbot renew --cert-name {name} --reuse-key"),
                ]),
        );
    }
}

/// Data that is whole or digested with SHA-512.
fn digests(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    for record in usable(host).filter(|record| record.matching_type == Some(0)) {
        // A trust anchor that is not sent has to be published whole (RFC 7671 §5.2.2).
        let sent = record.wires.iter().any(|wire| wire.certificate.is_some());
        if record.usage == Some(2) && !sent {
            continue;
        }
        let octets = record.association.len() / 2;
        let evidence = format!("{}: {octets} octets of data", short(record));
        let certificate = record
            .wires
            .iter()
            .find_map(|wire| view.report.certificates.get(wire.certificate.as_ref()?));
        let lines = certificate.map(|one| {
            let usage = record.usage.unwrap_or(3);
            tlsa_line(base(host), &format!("{usage} 1 1 {}", one.spki_sha256))
        });
        let draft = Draft::new(&known::TLSA_WHOLE_DATA, &owner(host), evidence);
        found.push(draft.paste(lines));
    }
    let types: BTreeSet<Option<u8>> = usable(host).map(|record| record.matching_type).collect();
    if types.len() == 1 && types.contains(&Some(2)) {
        let evidence = "every usable record has matching type 2";
        found.push(Draft::new(&known::TLSA_SHA512, &owner(host), evidence));
    }
}
