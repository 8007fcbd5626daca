//! Lints about MX records and the hosts they name, taken together.

use super::catalogue::domain as known;
use super::catalogue::record::TLSA_SAME_KEY_EVERYWHERE;
use super::draft::Draft;
use super::view::{View, accepted, base, counted, has_dane, is_signed, list, recommended_all};
use crate::report::{
    AddressState, AnswerKind, CandidateEnd, Host, Security, SenderKind, SenderOutcome, Severity,
};
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(super) fn lints(view: &View<'_>, found: &mut Vec<Draft>) {
    for host in &view.report.hosts {
        alias(view, host, found);
        unfit(view, host, found);
    }
    null_mx(view, found);
    implied(view, found);
    missing(view, found);
    wrong_name(view, found);
    on_some(view, found);
    backup(view, found);
    same_key(view, found);
}

fn alias(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let (Some(preference), Some(last)) = (host.preference, host.aliases.last()) else {
        return;
    };
    // One that runs in a circle leads to no host that could be named instead.
    if host.aliases.iter().any(|link| link.owner == last.target) {
        return;
    }
    let links: Vec<String> = host
        .aliases
        .iter()
        .map(|link| {
            let security = match link.security {
                Security::Secure => "signed",
                Security::Insecure => "not signed",
                Security::Indeterminate => "not found out",
                Security::Bogus => "bogus",
            };
            let (owner, kind, target) = (&link.owner, &link.record_type, &link.target);
            format!("{owner} {kind} {target} ({security})")
        })
        .collect();
    found.push(
        Draft::new(&known::MX_ALIAS, &host.mx_host, links.join(", ")).paste([format!(
            "{}. 3600 IN MX {preference} {}.",
            view.report.domain, last.target
        )]),
    );
    both_ends(host, found);
}

fn both_ends(host: &Host, found: &mut Vec<Draft>) {
    let mut ends = Vec::new();
    for candidate in &host.candidates {
        let (records, matching) = match candidate.in_force {
            true => (
                host.tlsa.len(),
                host.tlsa.iter().filter(|one| accepted(one)).count(),
            ),
            false => (
                candidate.other_records.len(),
                (candidate.other_records.iter()).filter(|one| one.1).count(),
            ),
        };
        let end = match candidate.end {
            CandidateEnd::Expanded => "the end of the alias",
            CandidateEnd::Original => "the name in the MX record",
            CandidateEnd::Only => continue,
        };
        if records > 0 {
            ends.push((candidate, end, records, matching));
        }
    }
    if ends.len() < 2 {
        return;
    }
    let judged = !host.addresses.is_empty()
        && (host.addresses.iter()).any(|one| one.state != AddressState::Inconclusive);
    let parts: Vec<String> = ends
        .iter()
        .map(|(candidate, end, records, matching)| {
            let used = match candidate.in_force {
                true => "used",
                false => "not used",
            };
            let matching = match (judged, matching) {
                (false, _) => "not compared".to_owned(),
                (true, 0) => "none matches".to_owned(),
                (true, some) => format!("{some} of {records} match"),
            };
            format!("{} ({end}, {used}): {matching}", candidate.base)
        })
        .collect();
    let all_match = ends.iter().all(|(.., matching)| *matching > 0);
    let severity = match all_match || !judged {
        true => Severity::Note,
        false => Severity::Weak,
    };
    found.push(
        Draft::new(
            &known::MX_ALIAS_TLSA_BOTH_ENDS,
            &host.mx_host,
            parts.join("; "),
        )
        .severity(severity),
    );
}

fn unfit(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let name = host.mx_host.as_str();
    if host.preference.is_none() {
        return;
    }
    let why = if name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        Some("it is an address")
    } else if name == "localhost" || name.ends_with(".localhost") {
        Some("it stands for the sender itself")
    } else if !name.is_empty() && name != "." && !name.contains('.') {
        Some("it is a top-level name")
    } else {
        None
    };
    if let Some(why) = why {
        found.push(Draft::new(&known::MX_NAME_UNFIT, name, why));
    }
    for note in (host.notes.iter()).filter(|note| note.rule == "ADDRESS-REFUSED") {
        let evidence = format!("{}: {}", note.subject, note.evidence);
        found.push(Draft::new(&known::MX_ADDRESS_UNFIT, name, evidence));
    }
    let lookups = || {
        host.address_lookups
            .iter()
            .filter_map(|index| view.lookup(Some(*index)))
    };
    let absent = lookups().next().is_some()
        && lookups().all(|one| matches!(one.kind, AnswerKind::NoData | AnswerKind::NxDomain));
    if absent {
        let gone = lookups().any(|lookup| lookup.kind == AnswerKind::NxDomain);
        let evidence = match gone {
            true => "the name does not exist",
            false => "neither A nor AAAA records",
        };
        // Where no host is left mail is returned.
        let severity = match view.report.hosts.iter().all(|one| one.addresses.is_empty()) {
            true => Severity::FailsNow,
            false => Severity::Weak,
        };
        found.push(Draft::new(&known::MX_WITHOUT_ADDRESS, name, evidence).severity(severity));
    }
}

fn null_mx(view: &View<'_>, found: &mut Vec<Draft>) {
    let Some(lookup) = view.lookup(view.report.mx_lookup) else {
        return;
    };
    let is_null = |record: &&String| record.split_whitespace().nth(1) == Some(".");
    let others: Vec<&str> = (lookup.records.iter())
        .filter(|record| !is_null(record))
        .map(String::as_str)
        .collect();
    if lookup.records.iter().any(|record| is_null(&record)) && !others.is_empty() {
        let lines: Vec<String> = (others.iter())
            .map(|record| format!("{}. 3600 IN MX {record}", view.report.domain))
            .collect();
        let evidence = format!("beside it: {}", list(others));
        let draft = Draft::new(&known::NULL_MX_MISUSED, &view.report.domain, evidence);
        found.push(draft.paste(lines));
    }
}

fn implied(view: &View<'_>, found: &mut Vec<Draft>) {
    let absent = (view.lookup(view.report.mx_lookup))
        .is_some_and(|lookup| lookup.kind == AnswerKind::NoData);
    let received = view
        .report
        .hosts
        .iter()
        .any(|host| !host.addresses.is_empty());
    if absent && received {
        let evidence = "no MX records, and addresses at the domain itself";
        found.push(Draft::new(
            &known::MX_IMPLIED,
            &view.report.domain,
            evidence,
        ));
    }
}

/// Neither MX records nor addresses that stand in for them.
fn missing(view: &View<'_>, found: &mut Vec<Draft>) {
    let Some(mx) = view.lookup(view.report.mx_lookup) else {
        return;
    };
    let domain = &view.report.domain;
    let is_absent = |kind| matches!(kind, AnswerKind::NoData | AnswerKind::NxDomain);
    let mut addresses = (view.report.lookups.iter())
        .filter(|one| matches!(one.record_type.as_str(), "A" | "AAAA") && one.name == mx.name)
        .peekable();
    let (evidence, advice) = match mx.kind {
        AnswerKind::NxDomain => (
            format!("{} MX: the name does not exist", mx.name),
            Some(
                "If the name is misspelt, correct it. To receive mail there, publish an MX record \
                 that names a mail host.",
            ),
        ),
        AnswerKind::NoData
            if addresses.peek().is_some() && addresses.all(|one| is_absent(one.kind)) =>
        {
            (format!("{}: no MX, A or AAAA records", mx.name), None)
        }
        AnswerKind::NoData | AnswerKind::Data | AnswerKind::Failed => return,
    };
    let draft = Draft::new(&known::MAIL_HOST_MISSING, domain, evidence);
    found.push(match advice {
        Some(advice) => draft.advice(advice),
        None => draft.paste([format!("{domain}. 3600 IN MX 10 mail.{domain}.")]),
    });
}

fn wrong_name(view: &View<'_>, found: &mut Vec<Draft>) {
    let candidates = || view.report.hosts.iter().flat_map(|host| &host.candidates);
    let right: BTreeSet<String> = (view.report.hosts.iter())
        .map(|host| host.mx_host.as_str())
        .chain(candidates().map(|candidate| candidate.base.as_str()))
        .map(|base| format!("_25._tcp.{base}"))
        .collect();
    for lookup in &view.report.lookups {
        let stray = lookup.record_type == "TLSA"
            && lookup.kind == AnswerKind::Data
            && !right.contains(&lookup.name);
        if !stray || view.report.hosts.is_empty() {
            continue;
        }
        let evidence = format!(
            "{}; the mail hosts are {}",
            counted(lookup.records.len()),
            list(view.report.hosts.iter().map(|host| host.mx_host.as_str()))
        );
        let missing = view
            .report
            .hosts
            .iter()
            .filter(|host| !has_dane(host) && is_signed(host));
        let lines: Vec<String> = missing
            .flat_map(|host| recommended_all(view, host))
            .collect();
        let subject = format!("{} TLSA", lookup.name);
        found.push(Draft::new(&known::TLSA_WRONG_NAME, &subject, evidence).paste(lines));
    }
}

/// Hosts of which it is known that they have no DANE: contacted, and without records that count.
fn lacks_dane(host: &Host) -> bool {
    !has_dane(host) && host.skipped.is_none() && !host.addresses.is_empty()
}

fn on_some(view: &View<'_>, found: &mut Vec<Draft>) {
    let with: Vec<&str> = (view.report.hosts.iter().filter(|host| has_dane(host)))
        .map(|host| host.mx_host.as_str())
        .collect();
    let without: Vec<&Host> = view
        .report
        .hosts
        .iter()
        .filter(|host| lacks_dane(host))
        .collect();
    if with.is_empty() || without.is_empty() {
        return;
    }
    let parts: Vec<String> = without
        .iter()
        .map(|host| {
            let why = match (host.tlsa.is_empty(), is_signed(host)) {
                (false, _) => "its records are unusable",
                (true, true) => "no records",
                (true, false) => "its zone is not signed",
            };
            format!("{} ({why})", host.mx_host)
        })
        .collect();
    let evidence = format!(
        "with: {}; without: {}",
        list(with),
        list(parts.iter().map(String::as_str))
    );
    let signed = without.iter().filter(|host| is_signed(host));
    let lines: Vec<String> = signed
        .flat_map(|host| recommended_all(view, host))
        .collect();
    found.push(Draft::new(&known::DANE_ON_SOME_MX, &view.report.domain, evidence).paste(lines));
}

/// Hosts of a worse preference than the one that works.
fn backup(view: &View<'_>, found: &mut Vec<Draft>) {
    let Some(sender) = view.sender(SenderKind::Dane) else {
        return;
    };
    if sender.outcome != SenderOutcome::Delivered {
        return;
    }
    let best = view
        .report
        .hosts
        .iter()
        .filter(|host| Some(&host.mx_host) == sender.mx_host.as_ref())
        .find_map(|host| host.preference);
    for (host, outlook) in view.report.hosts.iter().zip(&sender.hosts) {
        let worse = host
            .preference
            .zip(best)
            .is_some_and(|(own, best)| own > best);
        let useless = match outlook.skipped.as_deref() {
            None => outlook.met == 0 && outlook.failed > 0 && outlook.inconclusive == 0,
            Some("tlsa-lookup-failed" | "address-lookup-failed" | "zone-status-unknown") => {
                !view.dns_is_ours()
            }
            Some("sts-mismatch") => true,
            // A host without addresses is a finding of its own.
            Some(_) => false,
        };
        if !worse || !useless {
            continue;
        }
        let reason = (host.addresses.iter())
            .find_map(|address| address.reason.as_deref())
            .or(host.skipped.as_deref())
            .unwrap_or("no address meets the obligation");
        let evidence = format!(
            "preference {} against {}: {reason}",
            host.preference.unwrap_or_default(),
            best.unwrap_or_default()
        );
        found.push(Draft::new(
            &known::BACKUP_MX_BROKEN,
            &host.mx_host,
            evidence,
        ));
    }
}

fn same_key(view: &View<'_>, found: &mut Vec<Draft>) {
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    let mut hosts: Vec<&str> = Vec::new();
    for host in view.report.hosts.iter().filter(|host| has_dane(host)) {
        for met in view.met(host) {
            keys.insert(&met.leaf.spki_sha256);
            if !hosts.contains(&base(host)) {
                hosts.push(base(host));
            }
        }
    }
    if keys.len() == 1
        && hosts.len() > 1
        && let Some(key) = keys.first()
    {
        let evidence = format!("key {key} at {}", list(hosts));
        found.push(Draft::new(
            &TLSA_SAME_KEY_EVERYWHERE,
            &view.report.domain,
            evidence,
        ));
    }
}
