//! The way to one MX host: its zones, aliases, TLSA base and records, addresses.

mod branch;

use super::remedy::Matter;
use super::{Base, Chip, Lane, Mark, Node, NodeKind, remedy, shortened, stem, wording};
use crate::report::{
    Address, AddressState, AnswerKind, Candidate, CandidateEnd, Host, Report, Security, Tlsa,
    TlsaLabel,
};
use elsinore_dane::obligation::SkipReason;

/// The lane of the host at a place in `Report::hosts`.
pub(super) fn lane(report: &Report, at: usize, stem_zones: &[usize]) -> Option<Lane> {
    let host = report.hosts.get(at)?;
    let mut broken = false;
    let zones = zone_nodes(report, at, host, stem_zones, &mut broken);
    let address_lookup = host.address_lookups.first().copied();
    let aliases = (host.aliases.iter().enumerate())
        .map(|(link, alias)| {
            let id = format!("host-{at}-alias-{link}");
            stem::alias_node(report, id, address_lookup, alias, &mut broken)
        })
        .collect();
    let branches = branch::branches(report, at, host);
    let bases = bases(report, at, host);
    let mut station = host_node(report, at, host, &branches, broken);
    if bases.iter().any(|base| base.node.trouble.is_some()) {
        // Named where it is: the host is skipped for it.
        station.trouble = None;
    }
    Some(Lane {
        host: station,
        twins: Vec::new(),
        zones,
        aliases,
        bases,
        branches,
    })
}

/// The zones of a host that are not on the stem: one node for all when each is secure, else one
/// each, so that the break has its place.
fn zone_nodes(
    report: &Report,
    at: usize,
    host: &Host,
    stem_zones: &[usize],
    broken: &mut bool,
) -> Vec<Node> {
    let name = host.zone.as_deref().unwrap_or(&host.mx_host);
    let mut nodes: Vec<Node> = (stem::path_to(report, name).into_iter())
        .filter(|zone| !stem_zones.contains(zone))
        .filter_map(|zone| {
            let mut node = stem::zone_node(report, zone, report.zones.get(zone)?, broken);
            node.id = format!("host-{at}-zone-{zone}");
            Some(node)
        })
        .collect();
    if nodes.len() > 1 && nodes.iter().all(|node| node.mark == Mark::Good) {
        let path: Vec<String> = nodes.iter().map(|node| node.title.clone()).collect();
        nodes.drain(..nodes.len() - 1);
        if let Some(last) = nodes.last_mut() {
            last.title = path.join(" → ");
            last.notes.clear();
        }
    }
    nodes
}

fn host_node(
    report: &Report,
    at: usize,
    host: &Host,
    branches: &[super::Branch],
    broken: bool,
) -> Node {
    let mut notes = Vec::new();
    let met = branches.iter().map(|branch| branch.node.mark);
    let worst = met.max().unwrap_or(Mark::Unknown);
    let (mark, word) = match &host.skipped {
        Some(_) if host.address_security == Security::Indeterminate => {
            (Mark::Unknown, "not contacted".to_owned())
        }
        Some(_) => (Mark::Bad, "not contacted".to_owned()),
        None => (worst, obliged(&host.obligation)),
    };
    if host.address_security != Security::Secure {
        // A break above has named the reason.
        let why = (host.address_reason.as_deref())
            .filter(|_| !broken)
            .map_or_else(String::new, |why| format!(": {why}"));
        let how = wording::security(host.address_security);
        notes.push(format!("addresses {how}{why}"));
    }
    let preference = (host.preference).map_or_else(String::new, |number| format!("{number} "));
    Node {
        id: format!("host-{at}"),
        anchor: Some(format!("host-{at}")),
        kind: NodeKind::Host,
        mark,
        word,
        title: format!("{preference}{}", host.mx_host),
        notes,
        trouble: (host.skipped.as_deref()).map(|reason| {
            let matter = match reason == SkipReason::StsMismatch.sentence() {
                true => Matter::Policy,
                false => Matter::Dns,
            };
            remedy::trouble(report, matter, reason, &[&host.mx_host])
        }),
    }
}

/// The obligation words of `send`, for people.
fn obliged(obligation: &str) -> String {
    match obligation {
        "may" => "nothing is demanded".to_owned(),
        "encrypt" => "must encrypt".to_owned(),
        "dane" | "dane-only" => "must match TLSA".to_owned(),
        "sts" | "verify" | "secure" => "must pass WebPKI".to_owned(),
        "dane+sts" => "must match TLSA and WebPKI".to_owned(),
        "fingerprint" => "must match a pin".to_owned(),
        "skip" => "not contacted".to_owned(),
        other => other.to_owned(),
    }
}

fn bases(report: &Report, at: usize, host: &Host) -> Vec<Base> {
    let mut bases: Vec<Base> = (host.candidates.iter().enumerate())
        .map(|(place, candidate)| Base {
            node: base_node(report, at, host, place, candidate),
            chips: if candidate.in_force {
                chips(at, host)
            } else {
                Vec::new()
            },
        })
        .collect();
    // Records without a candidate that claims them would be lost to sight.
    if !host.tlsa.is_empty() && bases.iter().all(|base| base.chips.is_empty()) {
        let base = host.tlsa_base_domain.as_deref().unwrap_or(&host.mx_host);
        bases.push(Base {
            node: Node {
                id: format!("host-{at}-base"),
                anchor: None,
                kind: NodeKind::Base,
                mark: Mark::Good,
                word: records(host.tlsa.len()),
                title: format!("TLSA {base}"),
                notes: Vec::new(),
                trouble: None,
            },
            chips: chips(at, host),
        });
    }
    bases
}

fn records(count: usize) -> String {
    match count {
        1 => "1 record".to_owned(),
        more => format!("{more} records"),
    }
}

fn base_node(report: &Report, at: usize, host: &Host, place: usize, candidate: &Candidate) -> Node {
    let lookup = candidate.lookup.and_then(|one| report.lookups.get(one));
    let mut notes = Vec::new();
    match candidate.end {
        CandidateEnd::Only => {}
        CandidateEnd::Expanded => notes.push("the alias's target, tried first".to_owned()),
        CandidateEnd::Original => notes.push("the name in the MX record".to_owned()),
    }
    if !candidate.asked_by_sender && candidate.lookup.is_some() {
        notes.push("senders do not ask here; asked for comparison".to_owned());
    }
    let failed = lookup.is_some_and(|one| one.kind == AnswerKind::Failed);
    // Where a lookup failed the reason is what breaks trust; elsewhere it explains.
    let trouble = (candidate.reason.as_deref())
        .filter(|_| failed && candidate.asked_by_sender)
        .map(|reason| {
            let mut subjects = vec![candidate.base.as_str(), host.mx_host.as_str()];
            if let Some(one) = lookup {
                subjects.insert(0, &one.name);
            }
            remedy::trouble(report, Matter::Dns, reason, &subjects)
        });
    if let (Some(reason), None) = (&candidate.reason, &trouble) {
        notes.push(reason.clone());
    }
    for (record, matches) in candidate.other_records.iter().take(8) {
        let what = if *matches {
            "would match"
        } else {
            "would match nothing"
        };
        notes.push(format!("{} {what}", shortened(record)));
    }
    let (mark, word) = match lookup {
        _ if candidate.in_force => (Mark::Good, records(host.tlsa.len())),
        None => (Mark::Plain, "not asked".to_owned()),
        Some(one) => match (one.kind, one.security) {
            (AnswerKind::Data, Security::Secure) => (Mark::Plain, "not in force".to_owned()),
            (AnswerKind::Data, _) => (Mark::Weak, "records, insecure".to_owned()),
            (AnswerKind::NoData | AnswerKind::NxDomain, Security::Secure) => {
                (Mark::Plain, "shown: no records".to_owned())
            }
            (AnswerKind::NoData | AnswerKind::NxDomain, Security::Insecure) => {
                (Mark::Weak, "no records, insecure".to_owned())
            }
            (_, Security::Bogus) => (Mark::Bad, "bogus".to_owned()),
            (_, Security::Indeterminate) | (AnswerKind::Failed, _) => {
                let mark = if candidate.asked_by_sender {
                    Mark::Bad
                } else {
                    Mark::Unknown
                };
                (mark, "lookup failed".to_owned())
            }
        },
    };
    Node {
        id: format!("host-{at}-base-{place}"),
        anchor: candidate.lookup.map(|one| format!("lookup-{one}")),
        kind: NodeKind::Base,
        mark,
        word,
        title: match lookup {
            Some(one) => format!("TLSA {}", one.name),
            None => format!("TLSA at {}", candidate.base),
        },
        notes,
        trouble,
    }
}

/// The letter of a record: A to Z, then by number.
fn letter(place: usize) -> String {
    match u8::try_from(place) {
        Ok(place @ 0..=25) => char::from(b'A' + place).to_string(),
        _ => (place + 1).to_string(),
    }
}

fn chips(at: usize, host: &Host) -> Vec<Chip> {
    (host.tlsa.iter().enumerate())
        .map(|(place, record)| Chip {
            letter: letter(place),
            node: chip_node(at, place, record),
        })
        .collect()
}

fn chip_node(at: usize, place: usize, record: &Tlsa) -> Node {
    let accepted = record.wires.iter().any(|wire| wire.accepted);
    let (mark, word) = match record.label {
        TlsaLabel::Current if accepted => (Mark::Good, "current"),
        TlsaLabel::Current => (Mark::Bad, "matches, chain does not hold"),
        TlsaLabel::Next => (Mark::Plain, "next"),
        TlsaLabel::Stale => (Mark::Weak, "stale"),
        TlsaLabel::RetiredCa => (Mark::Weak, "retired CA key"),
        TlsaLabel::Unmatched => (Mark::Bad, "matches nothing"),
        TlsaLabel::Unusable => (Mark::Weak, "unusable"),
        TlsaLabel::Unknown => (Mark::Unknown, "not compared"),
    };
    let mut notes = Vec::new();
    if let Some(decoded) = wording::decoded(record.usage, record.selector, record.matching_type) {
        notes.push(decoded);
    }
    if !record.label_text.is_empty() && record.label_text != word {
        notes.push(record.label_text.clone());
    }
    Node {
        id: format!("host-{at}-tlsa-{place}"),
        anchor: Some(format!("tlsa-{at}-{place}")),
        kind: NodeKind::Record,
        mark,
        word: word.to_owned(),
        title: shortened(&record.text),
        notes,
        // The session that it fails in names the break.
        trouble: None,
    }
}

/// The sign and the words for what a DANE sender comes to at an address.
fn come_to(address: &Address) -> (Mark, String) {
    match address.state {
        AddressState::Met => {
            let word = address.security.as_deref().unwrap_or("met");
            let mark = match word {
                "dane" | "sts" | "pinned" => Mark::Good,
                _ => Mark::Weak,
            };
            (mark, wording::achieved(word).to_owned())
        }
        AddressState::MetInPart => (Mark::Weak, "met in part".to_owned()),
        AddressState::Failed => (Mark::Bad, "failed".to_owned()),
        AddressState::Inconclusive => (Mark::Unknown, "could not tell".to_owned()),
        AddressState::NotTried => (Mark::Plain, "not tried".to_owned()),
    }
}
