//! Lints about lookups as our resolver had them.

use super::Lint;
use super::catalogue::dns as known;
use super::catalogue::domain::MX_ALIAS_LOOP;
use super::draft::Draft;
use super::view::{View, list};
use crate::report::{AnswerKind, Host, Lookup, Security, Severity};
use elsinore_dane::answer::Oddity;

pub(super) fn lints(view: &View<'_>, found: &mut Vec<Draft>) {
    for host in &view.report.hosts {
        tlsa(view, host, found);
        addresses(view, host, found);
        above(view, host, found);
    }
    if let Some(mx) = view.lookup(view.report.mx_lookup)
        && failed(view, mx)
    {
        let subject = format!("{} MX", mx.name);
        found.push(unanswered(view, &known::LOOKUP_UNANSWERED, &subject, mx));
    }
}

/// Whether a lookup failed, and that is no fault of ours: a signature that does not verify is
/// theirs by itself, silence only when our DNS is known to work or a server said so to our face.
fn failed(view: &View<'_>, lookup: &Lookup) -> bool {
    if lookup.kind != AnswerKind::Failed || view.dns_is_ours() {
        return false;
    }
    lookup.security == Security::Bogus
        || view.dns_is_theirs()
        || view.answers().any(|(_, _, answer)| {
            answer.name == lookup.name
                && answer.record_type == lookup.record_type
                && super::servers::is_refusal(answer)
        })
}

/// A lookup that failed. Servers whose answers do not validate do answer: it is the zone that has
/// to be mended, and not they.
fn unanswered(view: &View<'_>, lint: &'static Lint, subject: &str, lookup: &Lookup) -> Draft {
    let draft = Draft::new(lint, subject, why(view, lookup)).paste([dig(view, lookup)]);
    match lookup.security {
        Security::Bogus if lint.id != known::TLSA_DENIAL_BOGUS.id => draft.advice(
            "The servers answer, and what they say does not validate: sign the zone again, and \
             where no key fits the DS record, replace that at the parent.",
        ),
        Security::Bogus | Security::Secure | Security::Insecure | Security::Indeterminate => draft,
    }
}

/// The reason of a failure, and what each server said.
fn why(view: &View<'_>, lookup: &Lookup) -> String {
    let reason = lookup.reason.as_deref().unwrap_or("no answer");
    let said: Vec<String> = view
        .answers()
        .filter(|(_, _, answer)| {
            answer.name == lookup.name && answer.record_type == lookup.record_type
        })
        .map(|(_, server, answer)| format!("{server} [{}] {}", answer.address, answer.result))
        .collect();
    match said.is_empty() {
        true => reason.to_owned(),
        false => format!(
            "{reason}; asked directly: {}",
            list(said.iter().map(String::as_str))
        ),
    }
}

/// How to see it oneself: from the first server that gave no answer, where one was asked directly.
fn dig(view: &View<'_>, lookup: &Lookup) -> String {
    let (name, record_type) = (&lookup.name, &lookup.record_type);
    let asked = || {
        view.answers()
            .map(|(_, _, answer)| answer)
            .filter(|answer| answer.name == *name && answer.record_type == *record_type)
    };
    let silent = asked().find(|answer| !super::servers::is_answer(answer));
    match silent.or_else(|| asked().next()) {
        Some(answer) => format!(
            "dig @{} +dnssec +norecurse {name}. {record_type}",
            answer.address
        ),
        None => format!("dig +dnssec {name}. {record_type}"),
    }
}

/// The TLSA lookups of a host that its fate depends on.
fn tlsa(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    for candidate in host.candidates.iter().filter(|one| one.asked_by_sender) {
        let Some(lookup) = view.lookup(candidate.lookup) else {
            continue;
        };
        let subject = format!("{} TLSA", lookup.name);
        if lookup.kind == AnswerKind::Failed {
            if !failed(view, lookup) {
                continue;
            }
            let records = lookup
                .evidence
                .iter()
                .any(|line| line.contains(" IN TLSA "));
            let lint = if !lookup.chain.is_empty() {
                &known::TLSA_ALIAS_BROKEN
            } else if lookup.security == Security::Bogus && !records {
                &known::TLSA_DENIAL_BOGUS
            } else {
                &known::TLSA_UNANSWERED
            };
            found.push(unanswered(view, lint, &subject, lookup));
            continue;
        }
        let links: Vec<String> = lookup
            .chain
            .iter()
            .map(|link| format!("{} {} {}", link.owner, link.record_type, link.target))
            .collect();
        let path = links.join(", ");
        match (lookup.kind, lookup.security) {
            (AnswerKind::Data, Security::Secure) if !lookup.chain.is_empty() => {
                found.push(Draft::new(&known::TLSA_ALIAS, &subject, path));
            }
            (AnswerKind::Data, Security::Insecure) if !lookup.chain.is_empty() => {
                let reason = lookup.reason.as_deref().unwrap_or("not signed");
                let draft = Draft::new(
                    &known::TLSA_ALIAS_INSECURE,
                    &subject,
                    format!("{path}: {reason}"),
                );
                let lines = lookup
                    .records
                    .iter()
                    .map(|rdata| format!("{}. 3600 IN TLSA {rdata}", lookup.name));
                found.push(draft.paste(lines));
            }
            (AnswerKind::NoData | AnswerKind::NxDomain, Security::Insecure)
                if host.address_security == Security::Secure =>
            {
                let reason = lookup
                    .reason
                    .as_deref()
                    .unwrap_or("the denial is not signed");
                found.push(Draft::new(&known::TLSA_DENIAL_UNSIGNED, &subject, reason));
            }
            _ => {}
        }
    }
}

/// Address lookups that fail. One family is enough to be reached.
fn addresses(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    let lookups: Vec<&Lookup> = (host.address_lookups.iter())
        .filter_map(|index| view.lookup(Some(*index)))
        .collect();
    let reachable = lookups.iter().any(|lookup| lookup.kind == AnswerKind::Data);
    for lookup in &lookups {
        if !failed(view, lookup) {
            continue;
        }
        let subject = format!("{} {}", lookup.name, lookup.record_type);
        let severity = match reachable {
            true => Severity::Weak,
            false => Severity::FailsNow,
        };
        let circle = lookup
            .chain
            .iter()
            .any(|link| lookup.chain.iter().any(|other| other.owner == link.target));
        let draft = match circle {
            true => {
                let links: Vec<&str> = lookup.chain.iter().map(|one| one.owner.as_str()).collect();
                let evidence = format!("the alias runs in a circle: {}", list(links));
                Draft::new(&MX_ALIAS_LOOP, &host.mx_host, evidence)
            }
            false => unanswered(view, &known::LOOKUP_UNANSWERED, &subject, lookup),
        };
        found.push(draft.severity(severity));
    }
}

/// `_tcp` below a host denied although there is something below it.
fn above(view: &View<'_>, host: &Host, found: &mut Vec<Draft>) {
    for candidate in &host.candidates {
        let tlsa = format!("_25._tcp.{}", candidate.base);
        let denied = format!("_tcp.{}", candidate.base);
        let exists = view.report.lookups.iter().any(|lookup| {
            lookup.name == tlsa && lookup.record_type == "TLSA" && lookup.kind == AnswerKind::Data
        }) || view.answers().any(|(_, _, answer)| {
            answer.name == tlsa && answer.record_type == "TLSA" && !answer.records.is_empty()
        });
        if !exists {
            continue;
        }
        let mut who: Vec<String> = view
            .answers()
            .filter(|(_, _, answer)| answer.name == denied && answer.result == "NXDOMAIN")
            .map(|(_, server, answer)| format!("{server} [{}]", answer.address))
            .collect();
        let odd = view
            .sighting
            .lookups
            .iter()
            .flat_map(|lookup| &lookup.explained.answer.oddities);
        for oddity in odd {
            let Oddity::EmptyNonTerminalDenied { name, zone } = oddity;
            if name.as_str() == denied && who.is_empty() {
                who.push(format!("the servers of {zone}"));
            }
        }
        if who.is_empty() {
            continue;
        }
        let at = (view.answers())
            .find(|(_, _, answer)| answer.name == denied && answer.result == "NXDOMAIN")
            .map(|(_, _, answer)| &answer.address);
        let fails = view
            .lookup(candidate.lookup)
            .is_some_and(|lookup| lookup.kind == AnswerKind::Failed);
        let severity = match fails {
            true => Severity::FailsNow,
            false => Severity::WillFail,
        };
        let evidence = format!(
            "{denied} NXDOMAIN from {}, and {tlsa} has TLSA records",
            list(who.iter().map(String::as_str))
        );
        found.push(
            Draft::new(&known::NAME_ABOVE_TLSA_DENIED, &denied, evidence)
                .severity(severity)
                .paste([match at {
                    Some(address) => format!("dig @{address} +norecurse {denied}. A"),
                    None => format!("dig {denied}. A"),
                }]),
        );
    }
}
