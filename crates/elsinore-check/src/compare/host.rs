//! MX hosts: names, aliases, addresses, TLSA records, certificates.

use super::{ChangeKind, Changes, Direction};
use crate::rail::{date, shortened};
use crate::report::{
    Address, AddressState, Certificate, Host, KeyKind, Report, Security, State, Tlsa, TlsaLabel,
};
use std::collections::{BTreeMap, BTreeSet};

/// The MX set, then each host that both reports have.
pub(super) fn hosts(changes: &mut Changes, earlier: &Report, later: &Report) {
    let security = |report: &Report| {
        let lookup = report.lookups.get(report.mx_lookup?)?;
        Some((lookup.security, lookup.reason.clone()))
    };
    if let (Some((was, _)), Some((is, reason))) = (security(earlier), security(later)) {
        let direction = match (was, is) {
            (Security::Secure, Security::Insecure | Security::Bogus)
            | (Security::Insecure, Security::Bogus) => Some(Direction::Worse),
            (Security::Insecure | Security::Bogus, Security::Secure)
            | (Security::Bogus, Security::Insecure) => Some(Direction::Better),
            (Security::Indeterminate, _) | (_, Security::Indeterminate) => None,
            (Security::Secure, Security::Secure)
            | (Security::Insecure, Security::Insecure)
            | (Security::Bogus, Security::Bogus) => None,
        };
        if let Some(direction) = direction {
            let text = format!("the MX records were {}, are {}", word(was), word(is));
            changes.because(ChangeKind::Mx, direction, &later.domain, text, reason);
        }
    }
    // Without a verdict the list of hosts may be empty for reasons of ours.
    let told = later.state != State::CouldNotTell && earlier.state != State::CouldNotTell;
    for host in &later.hosts {
        match earlier.hosts.iter().find(|one| one.mx_host == host.mx_host) {
            Some(before) => same_host(changes, (earlier, before), (later, host)),
            None if told => {
                let protected = obliges(host) && host.addresses.iter().all(is_met);
                let direction = match (protected, earlier.state) {
                    (true, _) => Direction::Neutral,
                    (false, State::Protected) => Direction::Worse,
                    (false, _) => Direction::Neutral,
                };
                let preference = host
                    .preference
                    .map_or(String::new(), |it| format!(" at {it}"));
                let text = format!("MX host added{preference} ({})", host.obligation);
                changes.push(ChangeKind::Mx, direction, &host.mx_host, text);
            }
            None => {}
        }
    }
    for host in &earlier.hosts {
        if told && !later.hosts.iter().any(|one| one.mx_host == host.mx_host) {
            let text = "MX host removed".to_owned();
            changes.push(ChangeKind::Mx, Direction::Neutral, &host.mx_host, text);
        }
    }
}

const fn word(security: Security) -> &'static str {
    match security {
        Security::Secure => "secure",
        Security::Insecure => "insecure",
        Security::Indeterminate => "not to be found out",
        Security::Bogus => "bogus",
    }
}

fn obliges(host: &Host) -> bool {
    !matches!(host.obligation.as_str(), "may" | "skip" | "encrypt")
}

fn is_met(address: &Address) -> bool {
    address.state == AddressState::Met
}

fn same_host(
    changes: &mut Changes,
    (earlier, before): (&Report, &Host),
    (later, host): (&Report, &Host),
) {
    let name = &host.mx_host;
    if let (Some(was), Some(is)) = (before.preference, host.preference)
        && was != is
    {
        let text = format!("the preference was {was}, is {is}");
        changes.push(ChangeKind::Mx, Direction::Neutral, name, text);
    }
    let path = |host: &Host| -> Vec<String> {
        host.aliases
            .iter()
            .map(|link| link.target.clone())
            .collect()
    };
    let (was, is) = (path(before), path(host));
    if was != is {
        let shown = |path: &[String]| match path {
            [] => "no alias".to_owned(),
            path => format!("an alias of {}", path.join(", then ")),
        };
        let text = format!("was {}, is {}", shown(&was), shown(&is));
        changes.push(ChangeKind::Alias, Direction::Neutral, name, text);
    }
    records(changes, before, host);
    certificates(changes, (earlier, before), (later, host));
    addresses(changes, before, host);
}

/// TLSA records that came, went, or match otherwise than before.
fn records(changes: &mut Changes, before: &Host, host: &Host) {
    let name = &host.mx_host;
    // A lookup that failed takes nothing away.
    if host.skipped.is_some() || before.skipped.is_some() {
        if host.skipped != before.skipped {
            let direction = match (&before.skipped, &host.skipped) {
                (None, Some(_)) => Direction::Worse,
                (Some(_), None) => Direction::Better,
                (Some(_), Some(_)) | (None, None) => Direction::Neutral,
            };
            let text = match host.skipped {
                Some(_) => "senders that honour DANE no longer contact it".to_owned(),
                None => "senders that honour DANE contact it again".to_owned(),
            };
            let cause = host.skipped.clone();
            changes.because(ChangeKind::Tlsa, direction, name, text, cause);
        }
        return;
    }
    if before.tlsa_base_domain != host.tlsa_base_domain
        && let (Some(was), Some(is)) = (&before.tlsa_base_domain, &host.tlsa_base_domain)
    {
        let text = format!("the TLSA base domain was {was}, is {is}");
        changes.push(ChangeKind::Tlsa, Direction::Neutral, name, text);
    }
    let none_left = !before.tlsa.is_empty() && host.tlsa.is_empty();
    if none_left || (before.tlsa.is_empty() && !host.tlsa.is_empty()) {
        let (direction, text) = match none_left {
            true => (Direction::Worse, "the TLSA records are gone".to_owned()),
            false => (
                Direction::Better,
                format!("TLSA records are now published: {}", host.tlsa.len()),
            ),
        };
        let cause = (host.candidates.iter()).find_map(|one| one.reason.clone());
        changes.because(ChangeKind::Tlsa, direction, name, text, cause);
        return;
    }
    let known = |records: &[Tlsa], wanted: &Tlsa| {
        (records.iter())
            .find(|one| numbers(one) == numbers(wanted))
            .map(|one| one.label)
    };
    for record in &host.tlsa {
        let shown = shortened(&record.text);
        match known(&before.tlsa, record) {
            None => {
                let text = format!("TLSA record added: {shown} ({})", record.label_text);
                changes.push(ChangeKind::Tlsa, Direction::Neutral, name, text);
            }
            Some(was) if was != record.label => {
                if let Some((direction, how)) = relabelled(was, record.label) {
                    let cause = Some(record.label_text.clone());
                    let text = format!("TLSA {shown} {how}");
                    changes.because(ChangeKind::Tlsa, direction, name, text, cause);
                }
            }
            Some(_) => {}
        }
    }
    for record in &before.tlsa {
        if known(&host.tlsa, record).is_none() {
            let direction = match record.label {
                TlsaLabel::Current if !host.addresses.iter().all(is_met) => Direction::Worse,
                _ => Direction::Neutral,
            };
            let text = format!("TLSA record removed: {}", shortened(&record.text));
            changes.push(ChangeKind::Tlsa, direction, name, text);
        }
    }
}

fn numbers(record: &Tlsa) -> (Option<u8>, Option<u8>, Option<u8>, &str) {
    let digest = record.association.as_str();
    (record.usage, record.selector, record.matching_type, digest)
}

/// What a new label means; nothing where one side could not be told.
const fn relabelled(was: TlsaLabel, is: TlsaLabel) -> Option<(Direction, &'static str)> {
    match (was, is) {
        (TlsaLabel::Unknown, _) | (_, TlsaLabel::Unknown) => None,
        (TlsaLabel::Next, TlsaLabel::Current) => Some((
            Direction::Neutral,
            "was waiting, now matches: the key was rolled over",
        )),
        (_, TlsaLabel::Current) => Some((Direction::Better, "now matches")),
        (TlsaLabel::Current, TlsaLabel::Unmatched) => {
            Some((Direction::Worse, "matched, and nothing does any more"))
        }
        (TlsaLabel::Current, _) => Some((
            Direction::Neutral,
            "matched and no longer does; another record does",
        )),
        (_, TlsaLabel::RetiredCa) => Some((Direction::Worse, "is now of a retired CA key")),
        (
            TlsaLabel::Next
            | TlsaLabel::Stale
            | TlsaLabel::RetiredCa
            | TlsaLabel::Unmatched
            | TlsaLabel::Unusable,
            TlsaLabel::Next | TlsaLabel::Stale | TlsaLabel::Unmatched | TlsaLabel::Unusable,
        ) => None,
    }
}

/// The servers' own certificates, by kind of key: digest of the certificate and of the key.
fn leaves<'a>(
    report: &'a Report,
    host: &'a Host,
) -> BTreeMap<KeyKind, BTreeMap<&'a str, &'a Certificate>> {
    let mut leaves: BTreeMap<KeyKind, BTreeMap<&str, &Certificate>> = BTreeMap::new();
    let sessions = host.addresses.iter().flat_map(|address| &address.sessions);
    for key in sessions.filter_map(|session| session.chain.first()) {
        if let Some(certificate) = report.certificates.get(key) {
            leaves
                .entry(certificate.key)
                .or_default()
                .insert(key, certificate);
        }
    }
    leaves
}

fn certificates(
    changes: &mut Changes,
    (earlier, before): (&Report, &Host),
    (later, host): (&Report, &Host),
) {
    let (was, is) = (leaves(earlier, before), leaves(later, host));
    for (kind, new) in &is {
        let Some(old) = was.get(kind) else { continue };
        let digests = |set: &BTreeMap<&str, &Certificate>| -> BTreeSet<String> {
            set.values().map(|one| one.spki_sha256.clone()).collect()
        };
        let fresh: Vec<&&Certificate> = (new.iter())
            .filter(|(digest, _)| !old.contains_key(*digest))
            .map(|(_, certificate)| certificate)
            .collect();
        let Some(certificate) = fresh.first() else {
            continue;
        };
        let until = (certificate.not_after_at)
            .map_or_else(String::new, |at| format!(", now until {}", date(at)));
        let what = match kind {
            KeyKind::Rsa => "RSA certificate",
            KeyKind::Ecdsa => "ECDSA certificate",
            KeyKind::Eddsa => "EdDSA certificate",
            KeyKind::Other => "certificate",
        };
        let name = &host.mx_host;
        if digests(old).contains(&certificate.spki_sha256) {
            let text = format!("{what} renewed with the same key{until}");
            changes.push(ChangeKind::Certificate, Direction::Neutral, name, text);
            continue;
        }
        let matched = host.tlsa.iter().any(|record| {
            record.wires.iter().any(|wire| {
                wire.accepted
                    && (wire
                        .certificate
                        .as_deref()
                        .and_then(|key| later.certificates.get(key)))
                    .is_some_and(|one| one.key == *kind)
            })
        });
        let (direction, text) = match (host.tlsa.is_empty(), matched) {
            (true, _) => (
                Direction::Neutral,
                format!("{what} renewed with a new key{until}"),
            ),
            (false, true) => (
                Direction::Neutral,
                format!("{what} renewed with a new key that a TLSA record matches{until}"),
            ),
            (false, false) => (
                Direction::Worse,
                format!("{what} renewed with a new key without a TLSA record for it{until}"),
            ),
        };
        changes.push(ChangeKind::Certificate, direction, name, text);
    }
}

/// Addresses that came and went, and what is met there.
fn addresses(changes: &mut Changes, before: &Host, host: &Host) {
    let name = &host.mx_host;
    let set = |host: &Host| -> BTreeSet<String> {
        host.addresses
            .iter()
            .map(|one| one.address.clone())
            .collect()
    };
    let (was, is) = (set(before), set(host));
    // No address at all may be a lookup that failed.
    if !was.is_empty() && !is.is_empty() {
        for (verb, names) in [
            ("added", is.difference(&was)),
            ("gone", was.difference(&is)),
        ] {
            let names: Vec<&str> = names.map(String::as_str).collect();
            if !names.is_empty() {
                let text = format!("addresses {verb}: {}", names.join(", "));
                changes.push(ChangeKind::Address, Direction::Neutral, name, text);
            }
        }
    }
    for address in &host.addresses {
        let Some(old) = (before.addresses.iter()).find(|one| one.address == address.address) else {
            continue;
        };
        let subject = format!("{name}[{}]", address.address);
        let direction = match (standing(old.state), standing(address.state)) {
            (Some(was), Some(is)) if is < was => Direction::Worse,
            (Some(was), Some(is)) if is > was => Direction::Better,
            (Some(_), Some(_)) if old.security != address.security => {
                let shown = |one: &Address| one.security.clone().unwrap_or_default();
                let text = format!("was {}, is {}", shown(old), shown(address));
                changes.push(ChangeKind::Address, Direction::Neutral, &subject, text);
                continue;
            }
            (Some(_) | None, Some(_) | None) => continue,
        };
        let text = match direction {
            Direction::Worse => "a sender's obligation is no longer met",
            Direction::Better | Direction::Neutral => "a sender's obligation is met again",
        };
        let cause = address.reason.clone();
        changes.because(
            ChangeKind::Address,
            direction,
            &subject,
            text.to_owned(),
            cause,
        );
    }
}

/// More is better; nothing where it could not be told.
const fn standing(state: AddressState) -> Option<u8> {
    match state {
        AddressState::Met => Some(2),
        AddressState::MetInPart => Some(1),
        AddressState::Failed => Some(0),
        AddressState::Inconclusive | AddressState::NotTried => None,
    }
}
