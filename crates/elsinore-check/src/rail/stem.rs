//! From the root of DNS to the MX set.

use super::{Mark, Node, NodeKind, remedy, wording};
use crate::report::{AliasLink, AnswerKind, Delegation, Lookup, Report, Security, Zone};

/// Places in `Report::zones` of the zones from the root down to that of the domain.
pub(super) fn zones(report: &Report) -> Vec<usize> {
    path_to(report, &report.domain)
}

/// Places of the zones from the root down to the one that holds `name`.
pub(super) fn path_to(report: &Report, name: &str) -> Vec<usize> {
    let holds = |zone: &Zone| {
        zone.apex == "."
            || name == zone.apex
            || (name.strip_suffix(&zone.apex)).is_some_and(|front| front.ends_with('.'))
    };
    let mut path: Vec<usize> = (report.zones.iter().enumerate())
        .filter(|(_, zone)| holds(zone))
        .map(|(at, _)| at)
        .collect();
    path.sort_by_key(|&at| match report.zones[at].apex.as_str() {
        "." => 0,
        apex => apex.len(),
    });
    path
}

/// The nodes of the stem.
pub(super) fn stem(report: &Report, zones: &[usize]) -> Vec<Node> {
    let mut broken = false;
    let mut nodes: Vec<Node> = (zones.iter())
        .filter_map(|&at| Some((at, report.zones.get(at)?)))
        .map(|(at, zone)| zone_node(report, at, zone, &mut broken))
        .collect();
    let lookup = report
        .mx_lookup
        .and_then(|at| Some((at, report.lookups.get(at)?)));
    if let Some((at, lookup)) = lookup {
        for (link, alias) in lookup.chain.iter().enumerate() {
            let id = format!("mx-alias-{link}");
            nodes.push(alias_node(report, id, Some(at), alias, &mut broken));
        }
        nodes.push(mx_node(report, at, lookup, broken));
    }
    nodes
}

/// A zone; `broken` says whether a break was named above already.
pub(super) fn zone_node(report: &Report, at: usize, zone: &Zone, broken: &mut bool) -> Node {
    let mut notes = Vec::new();
    let about_keys = keys(zone);
    if !about_keys.is_empty() {
        notes.push(about_keys);
    }
    let until = (zone.signatures.iter())
        .map(|signature| signature.expiration_at)
        .min();
    if let Some(until) = until {
        notes.push(format!("signatures until {}", wording::date(until)));
    }
    Node {
        id: format!("zone-{at}"),
        anchor: Some(format!("zone-{at}")),
        kind: NodeKind::Zone,
        mark: Mark::of_security(zone.security),
        word: wording::security(zone.security).to_owned(),
        title: match zone.apex.as_str() {
            "." => ". (root)".to_owned(),
            apex => apex.to_owned(),
        },
        notes,
        trouble: break_at(
            report,
            zone.security,
            zone.reason.as_deref(),
            &[&zone.apex],
            broken,
        ),
    }
}

/// A trouble where trust ends for the first time; below it there is nothing more to break.
fn break_at(
    report: &Report,
    security: Security,
    reason: Option<&str>,
    subjects: &[&str],
    broken: &mut bool,
) -> Option<super::Trouble> {
    if security == Security::Secure || *broken {
        return None;
    }
    *broken = true;
    let reason = reason.unwrap_or(match security {
        Security::Insecure => "not signed from here on",
        Security::Bogus => "the signatures do not hold",
        Security::Secure | Security::Indeterminate => "could not be found out",
    });
    Some(remedy::trouble(
        report,
        remedy::Matter::Dns,
        reason,
        subjects,
    ))
}

fn keys(zone: &Zone) -> String {
    let what = if zone.apex == "." { "anchor" } else { "DS" };
    let mut parts: Vec<String> = (zone.delegation.iter())
        .take(4)
        .map(|one| format!("{what} {}", delegation(one)))
        .collect();
    if zone.delegation.len() > 4 {
        parts.push(format!("and {} more", zone.delegation.len() - 4));
    }
    parts.join(", ")
}

fn delegation(one: &Delegation) -> String {
    let digest =
        (one.digest_type).map_or_else(String::new, |kind| format!(" {}", wording::digest(kind)));
    let lost = if one.has_key { "" } else { " (no such key)" };
    let algorithm = wording::algorithm(one.algorithm);
    format!("{} {algorithm}{digest}{lost}", one.tag)
}

/// One link of an alias chain.
pub(super) fn alias_node(
    report: &Report,
    id: String,
    lookup: Option<usize>,
    alias: &AliasLink,
    broken: &mut bool,
) -> Node {
    Node {
        id,
        anchor: lookup.map(|at| format!("lookup-{at}")),
        kind: NodeKind::Alias,
        mark: Mark::of_security(alias.security),
        word: wording::security(alias.security).to_owned(),
        title: format!("{} {} {}", alias.owner, alias.record_type, alias.target),
        notes: Vec::new(),
        trouble: break_at(
            report,
            alias.security,
            alias.reason.as_deref(),
            &[&alias.owner, &alias.target],
            broken,
        ),
    }
}

fn mx_node(report: &Report, at: usize, lookup: &Lookup, mut broken: bool) -> Node {
    let mut notes = Vec::new();
    let title = match lookup.kind {
        AnswerKind::Data => match lookup.records.as_slice() {
            [only] if only.trim_end() == "0 ." => "null MX: takes no mail".to_owned(),
            [_] => "1 MX host".to_owned(),
            records => format!("{} MX hosts", records.len()),
        },
        AnswerKind::NoData => "no MX record: the domain itself is the host".to_owned(),
        AnswerKind::NxDomain => "the domain does not exist".to_owned(),
        AnswerKind::Failed => "the MX records could not be found out".to_owned(),
    };
    if let Some(ttl) = lookup.ttl_s {
        notes.push(format!("TTL {}", wording::span(ttl.into())));
    }
    let until = (lookup.signatures.iter())
        .map(|signature| signature.expiration_at)
        .min();
    if let Some(until) = until {
        notes.push(format!("signature until {}", wording::date(until)));
    }
    Node {
        id: "mx".to_owned(),
        anchor: Some(format!("lookup-{at}")),
        kind: NodeKind::MxSet,
        mark: match (lookup.kind, Mark::of_security(lookup.security)) {
            (AnswerKind::NxDomain, _) => Mark::Bad,
            (AnswerKind::Failed, Mark::Good | Mark::Plain) => Mark::Unknown,
            (_, mark) => mark,
        },
        word: match (lookup.kind, lookup.security) {
            (AnswerKind::Failed, Security::Secure) => "failed".to_owned(),
            (_, security) => wording::security(security).to_owned(),
        },
        title,
        notes,
        trouble: break_at(
            report,
            lookup.security,
            lookup.reason.as_deref(),
            &[&lookup.name],
            &mut broken,
        ),
    }
}
