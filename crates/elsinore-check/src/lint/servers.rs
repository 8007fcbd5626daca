//! Lints about name servers asked one by one.

use super::catalogue::dns as known;
use super::draft::Draft;
use super::view::{View, list};
use crate::report::{ServerAnswer, Severity, ZoneServers};
use std::collections::BTreeMap;

/// The largest answer over UDP that passes everywhere.
const UDP_OCTETS: u32 = 1232;

pub(super) fn lints(view: &View<'_>, found: &mut Vec<Draft>) {
    for zone in &view.report.servers {
        delegation(zone, found);
        disagreement(zone, found);
        failing(view, zone, found);
        size(zone, found);
    }
}

/// Whether a server answered: it has records, or says that there are none.
pub(super) fn is_answer(answer: &ServerAnswer) -> bool {
    matches!(answer.result.as_str(), "NOERROR" | "NXDOMAIN")
}

/// The result of a reply that was cut, and whose whole did not come by TCP.
const TRUNCATED: &str = "truncated";

/// Whether a server said that it will not or cannot answer.
pub(super) fn is_refusal(answer: &ServerAnswer) -> bool {
    let word = answer.result.as_str();
    !is_answer(answer)
        && !word.starts_with("not ")
        && !matches!(word, "timeout" | "unreachable" | "malformed" | TRUNCATED)
}

fn delegation(zone: &ZoneServers, found: &mut Vec<Draft>) {
    let both = zone.servers.iter().any(|server| server.in_zone)
        && zone.servers.iter().any(|server| server.in_delegation);
    let names = |wanted: fn(bool, bool) -> bool| {
        list(
            zone.servers
                .iter()
                .filter(|server| wanted(server.in_delegation, server.in_zone))
                .map(|server| server.name.as_str()),
        )
    };
    let parent_only = names(|parent, zone| parent && !zone);
    let zone_only = names(|parent, zone| zone && !parent);
    if !both || (parent_only.is_empty() && zone_only.is_empty()) {
        return;
    }
    let mut parts = Vec::new();
    if !parent_only.is_empty() {
        parts.push(format!("only the parent names {parent_only}"));
    }
    if !zone_only.is_empty() {
        parts.push(format!("only the zone names {zone_only}"));
    }
    let apex = absolute(&zone.zone);
    let lines = (zone.servers.iter()).map(|server| format!("{apex} IN NS {}.", server.name));
    found.push(
        Draft::new(&known::DELEGATION_DIFFERS, &zone.zone, parts.join("; "))
            .advice(
                "Choose the servers that really serve the zone, and name exactly these on both \
                 sides: in the zone and at the registrar. These are all that either side names.",
            )
            .paste(lines),
    );
}

fn absolute(name: &str) -> String {
    match name {
        "." => ".".to_owned(),
        name => format!("{name}."),
    }
}

/// Answers that are answers and differ.
fn disagreement(zone: &ZoneServers, found: &mut Vec<Draft>) {
    let mut odd: BTreeMap<(&str, &str), Vec<(String, &str)>> = BTreeMap::new();
    for server in &zone.servers {
        for answer in server.answers.iter().filter(|answer| is_answer(answer)) {
            // A server without authority is no voice of the zone; it is reported as failing.
            let Some(differs) = answer.differs.as_ref().filter(|_| answer.authoritative) else {
                continue;
            };
            odd.entry((&answer.name, &answer.record_type))
                .or_default()
                .push((
                    format!("{} [{}]: {differs}", server.name, answer.address),
                    &answer.address,
                ));
        }
    }
    for ((name, record_type), who) in odd {
        let lint = match record_type {
            "SOA" => &known::SERIALS_DIFFER,
            _ => &known::SERVERS_DIFFER,
        };
        let lines: Vec<String> = (who.iter())
            .map(|(_, address)| format!("dig @{address} +norecurse +nsid {name}. {record_type}"))
            .collect();
        let who = list(who.iter().map(|(said, _)| said.as_str()));
        found.push(Draft::new(lint, &format!("{name} {record_type}"), who).paste(lines));
    }
}

/// Servers that give no answer where others do.
fn failing(view: &View<'_>, zone: &ZoneServers, found: &mut Vec<Draft>) {
    let all = || zone.servers.iter().flat_map(|server| &server.answers);
    let others_answer = |answer: &ServerAnswer| {
        all().any(|other| {
            other.name == answer.name
                && other.record_type == answer.record_type
                && is_answer(other)
                && other.authoritative
        })
    };
    // Without IPv6 of our own every IPv6 address is silent; that says nothing of them.
    let six_works = view
        .answers()
        .any(|(_, _, answer)| answer.address.contains(':') && is_answer(answer));
    for server in &zone.servers {
        let mut refused: Vec<String> = Vec::new();
        let mut silent: Vec<&str> = Vec::new();
        for answer in server.answers.iter().filter(|answer| others_answer(answer)) {
            let question = format!("{} {}", answer.name, answer.record_type);
            let lame = is_answer(answer) && !answer.authoritative;
            if is_refusal(answer) || answer.result == "malformed" {
                refused.push(format!(
                    "[{}] {question}: {}",
                    answer.address, answer.result
                ));
            } else if lame {
                refused.push(format!(
                    "[{}] {question}: not authoritative",
                    answer.address
                ));
            } else if answer.result == "timeout" && (six_works || !answer.address.contains(':')) {
                silent.push(&answer.address);
            }
        }
        if !refused.is_empty() {
            let evidence = list(refused.iter().map(String::as_str));
            found.push(Draft::new(&known::SERVER_FAILS, &server.name, evidence));
        }
        if !silent.is_empty() {
            let evidence = format!("no answer in time from {}", list(silent));
            found.push(Draft::new(&known::SERVER_SILENT, &server.name, evidence));
        }
    }
}

fn size(zone: &ZoneServers, found: &mut Vec<Draft>) {
    let mut big: BTreeMap<&str, u32> = BTreeMap::new();
    for server in &zone.servers {
        for answer in &server.answers {
            if answer.record_type == "TLSA"
                && let Some(octets) = answer.octets.filter(|octets| *octets > UDP_OCTETS)
            {
                let most = big.entry(&answer.name).or_default();
                *most = octets.max(*most);
            }
            // Asked again over TCP because the reply was cut, not because there was none.
            let cut = (answer.tcp.as_deref()).filter(|_| answer.result == TRUNCATED);
            if let Some(word) = cut {
                let severity = match is_answer(answer) && !answer.records.is_empty() {
                    true => Severity::Weak,
                    false => Severity::WillFail,
                };
                found.push(
                    Draft::new(
                        &known::TCP_FAILS,
                        &format!("{} [{}]", server.name, answer.address),
                        format!("{} {} over UDP: {word}", answer.name, answer.record_type),
                    )
                    .severity(severity)
                    .paste([format!(
                        "dig +tcp +norecurse @{} {}. {}",
                        answer.address, answer.name, answer.record_type
                    )]),
                );
            }
        }
    }
    for (name, octets) in big {
        let evidence = format!("the answer has {octets} octets");
        found.push(Draft::new(
            &known::TLSA_ANSWER_BIG,
            &format!("{name} TLSA"),
            evidence,
        ));
    }
}
