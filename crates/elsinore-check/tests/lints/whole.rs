//! The list of findings as a whole.

use crate::scene::{Scene, fail, quiet};
use crate::{chains, dns, domain, presented, records};
use elsinore_check::lint::{Lint, asks_for_work};
use elsinore_check::report::{Security, Severity};
use std::collections::BTreeSet;

/// No lint without a row.
#[test]
fn every_lint_has_a_row() {
    let rows = [dns::ROWS, domain::ROWS, records::ROWS, presented::ROWS];
    let mut tested: BTreeSet<&str> = rows
        .iter()
        .flat_map(|rows| rows.iter())
        .map(|row| row.0.id)
        .collect();
    tested.extend(chains::TESTED);
    let missing: Vec<&str> = Lint::all()
        .map(|lint| lint.id)
        .filter(|id| !tested.contains(id))
        .collect();
    assert!(missing.is_empty(), "no test for {missing:?}");
}

/// A domain in good order is not sent to work.
#[test]
fn good_order_is_left_alone() {
    let findings = quiet().findings();
    let work: Vec<_> = findings
        .iter()
        .filter(|one| asks_for_work(one.severity))
        .collect();
    assert!(work.is_empty(), "{work:?}");
}

/// Nobody restarts servers that answer well: where a signature is at fault, the zone is to be signed.
#[test]
fn what_does_not_validate_is_mended_by_signing() {
    for (security, part) in [
        (Security::Bogus, "sign the zone again"),
        (Security::Indeterminate, "Make every name server"),
    ] {
        let mut scene = quiet();
        fail(scene.lookup("mx1.example.org", "A"), security);
        let findings = scene.findings();
        let advice = (findings.iter())
            .find(|one| one.id == "LOOKUP-UNANSWERED")
            .and_then(|one| one.advice.as_ref());
        let text = advice.map(|advice| advice.text.as_str());
        assert!(text.is_some_and(|text| text.contains(part)), "{text:?}");
    }
}

/// A note never tells anybody to do something at once.
#[test]
fn notes_are_no_work() {
    for lint in Lint::all().filter(|lint| lint.severity == Severity::Note) {
        let advice = lint.advice;
        let idle = [
            "Nothing",
            "To have DANE",
            "Set the TTL to 3600 before the next",
        ];
        assert!(
            idle.iter().any(|words| advice.starts_with(words)),
            "{}: {advice}",
            lint.id
        );
    }
}

fn troubled() -> Scene {
    let mut scene = quiet();
    scene.refuse(0, 1);
    scene.ask("example.org", "MX", ["NOERROR", "REFUSED"]);
    scene.host(1).tlsa.truncate(1);
    scene.host(2).tlsa.truncate(1);
    scene.report.sts.as_mut().unwrap().max_age_s = Some(60);
    scene
}

#[test]
fn the_worst_come_first_and_always_in_the_same_order() {
    let findings = troubled().findings();
    let severities: Vec<Severity> = findings.iter().map(|one| one.severity).collect();
    assert!(severities.is_sorted(), "{severities:?}");
    assert!(severities.contains(&Severity::FailsNow) && severities.contains(&Severity::Note));
    assert_eq!(findings, troubled().findings());
}

/// The same about two hosts is said once, and both are named.
#[test]
fn findings_are_folded() {
    let findings = troubled().findings();
    let single: Vec<_> = findings
        .iter()
        .filter(|one| one.id == "TLSA-SINGLE")
        .collect();
    let [single] = single.as_slice() else {
        panic!("{single:?}");
    };
    assert_eq!(
        single.subject,
        "_25._tcp.mx2.example.org TLSA, _25._tcp.mx3.example.org TLSA"
    );
}

/// Strangers' text is bounded and printable.
#[test]
fn hostile_text_is_harmless() {
    let mut scene = quiet();
    scene.ask("example.org", "MX", ["NOERROR", "NOERROR"]);
    scene.server(1).answers[1].differs = Some(format!("\u{1b}[2J{}", "x".repeat(100_000)));
    for finding in scene.findings() {
        let text = format!("{finding:?}").replace("\\\\u{", "");
        assert!(finding.evidence.chars().count() < 1_000, "{}", finding.id);
        assert!(!finding.evidence.contains('\u{1b}'), "{text}");
    }
    let text = include_str!("../samples/hostile.json");
    scene.report = serde_json::from_str(text).unwrap();
    for finding in scene.findings() {
        assert!(
            !finding.evidence.chars().any(char::is_control),
            "{finding:?}"
        );
    }
}
