//! States and lints, compared with what the scenario files expect.

use crate::look::look;
use elsinore_check::lint::catalogue::Lint;
use elsinore_check::report::Report;
use elsinore_lab::run::Bench;
use elsinore_lab::scenario::{CheckSpec, ResolverMode, Scenario};
use std::collections::BTreeSet;

/// Checks the domains of a scenario at that moment; returns what is not as expected.
pub(crate) async fn compare(
    bench: &Bench<'_>,
    scenario: &Scenario,
    moment: Option<i64>,
) -> Vec<String> {
    let mut complaints = Vec::new();
    // The settings of the first case: timeouts, above all.
    let case = &scenario.cases[0];
    for check in scenario.checks.iter().filter(|one| one.at == moment) {
        let domain = domain(scenario, check);
        match look(bench, scenario, case, ResolverMode::Recursive, domain).await {
            Ok(report) => complaints.extend(
                differences(check, &report)
                    .into_iter()
                    .map(|line| format!("{}: {domain}: {line}", scenario.id)),
            ),
            Err(error) => complaints.push(format!("{}: {error}", scenario.id)),
        }
    }
    complaints
}

fn domain<'a>(scenario: &'a Scenario, check: &'a CheckSpec) -> &'a str {
    let first = || scenario.zones[0].name.as_str();
    check.domain.as_deref().unwrap_or_else(first)
}

fn differences(check: &CheckSpec, report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    if report.state.word() != check.state {
        found.push(format!(
            "expected {}, got {}: {} {:?}",
            check.state,
            report.state.word(),
            report.sentence,
            report.inconclusive
        ));
    }
    let ids: BTreeSet<&str> = (report.findings.iter())
        .map(|finding| finding.id.as_str())
        .collect();
    for wanted in &check.lints {
        if !ids.contains(wanted.as_str()) {
            found.push(format!("no {wanted} among {ids:?}"));
        }
    }
    for finding in &report.findings {
        let forbidden = check.not.iter().any(|one| *one == finding.id || one == "*");
        if forbidden && !check.lints.contains(&finding.id) {
            found.push(format!(
                "{} though nothing of it is there: {}: {}",
                finding.id, finding.subject, finding.evidence
            ));
        }
    }
    found
}

/// Every lint is demanded by some scenario and forbidden by one, under a name that exists.
pub(crate) fn cover_the_catalogue(scenarios: &[Scenario]) {
    let checks = || scenarios.iter().flat_map(|scenario| &scenario.checks);
    let demanded: BTreeSet<&str> = checks()
        .flat_map(|check| &check.lints)
        .map(String::as_str)
        .collect();
    let forbidden: BTreeSet<&str> = checks()
        .flat_map(|check| &check.not)
        .map(String::as_str)
        .collect();
    let known: BTreeSet<&str> = Lint::all().map(|lint| lint.id).collect();
    let all: BTreeSet<&str> = demanded.union(&forbidden).copied().collect();
    let unknown: Vec<_> = all.difference(&known).filter(|one| **one != "*").collect();
    let missing: Vec<_> = known.difference(&demanded).collect();
    let lonely: Vec<_> = known.difference(&forbidden).collect();
    assert!(
        unknown.is_empty() && missing.is_empty() && lonely.is_empty(),
        "unknown {unknown:?}, never planted {missing:?}, without neighbour {lonely:?}"
    );
}
