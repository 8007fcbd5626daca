//! What is recomputed is what was measured, in every scenario of the lab.

use crate::lab::Looking;
use elsinore_check::report::Report;
use elsinore_lab::scenario::files;
use futures_util::StreamExt;

/// What the verdict rests on, line by line: all of the report but the questions to DNS, of which a
/// live check that ends early may have put fewer.
fn evidence(report: &Report) -> String {
    let hosts = report.hosts.iter();
    let seen: Vec<_> = hosts.map(|host| (&host.addresses, &host.tlsa)).collect();
    // Of hosts without an address some were given up before their records were asked for.
    let is_whole = report.hosts.iter().all(|host| !host.addresses.is_empty());
    format!(
        "{:#?}",
        (
            &report.zones,
            seen,
            &report.certificates,
            is_whole.then_some(&report.servers),
            &report.forecast
        )
    )
}

/// Everything that a verdict consists of, in words that can be compared at a glance.
fn verdict(report: &Report) -> String {
    let mut lines = vec![format!("{} {}", report.state.word(), report.sentence)];
    for sender in &report.senders {
        lines.push(format!("{:?} {:?}", sender.kind, sender.outcome));
    }
    for host in &report.hosts {
        lines.push(format!("{} {}", host.mx_host, host.obligation));
        for tlsa in &host.tlsa {
            lines.push(format!("  {} {:?} {:?}", tlsa.text, tlsa.label, tlsa.wires));
        }
        for address in &host.addresses {
            let sessions = address.sessions.len();
            lines.push(format!(
                "  {} {:?} {sessions}",
                address.address, address.state
            ));
        }
    }
    for zone in &report.zones {
        lines.push(format!("{} {:?}", zone.apex, zone.security));
    }
    for finding in &report.findings {
        lines.push(format!("{} {}", finding.id, finding.subject));
    }
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn recomputed_is_saved() {
    let mut scenarios = files::embedded().unwrap();
    if let Ok(wanted) = std::env::var("SCENARIOS") {
        scenarios.retain(|scenario| wanted.split(',').any(|id| id == scenario.id));
    }
    let domains: Vec<String> = scenarios
        .iter()
        .filter_map(|scenario| scenario.zones.first())
        .map(|zone| zone.name.clone())
        .collect();
    let looking = Looking::at(scenarios).await;
    let looking = &looking;
    let compared = futures_util::stream::iter(domains).map(|domain| async move {
        let (saved, bundle) = looking.check(&domain).await;
        let again = looking.again(&bundle).await;
        assert!(!again.unproven.is_empty(), "{domain}");
        let (one, other) = (verdict(&saved), verdict(&again));
        if one != other {
            let difference = format!("{domain}:\n{one}\n--- recomputed:\n{other}\n");
            return (false, saved.state, difference);
        }
        // What the verdict does not tell.
        let [one, other] = [evidence(&saved), evidence(&again)];
        let pairs = one.lines().zip(other.lines());
        let differing = pairs.filter(|(one, other)| one != other).take(6);
        let told: Vec<String> = differing.map(|(a, b)| format!("{a}\n    {b}")).collect();
        let difference = format!("{domain}:\n{}\n", told.join("\n"));
        (one == other, saved.state, difference)
    });
    let compared: Vec<_> = compared.buffer_unordered(8).collect().await;
    let wrong: Vec<&str> = compared
        .iter()
        .filter(|(same, ..)| !same)
        .map(|(_, _, difference)| difference.as_str())
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        compared.len(),
        wrong.join("\n")
    );
    if std::env::var("SCENARIOS").is_err() {
        let mut states: Vec<_> = compared.iter().map(|(_, state, ..)| *state).collect();
        states.sort_unstable();
        states.dedup();
        assert!(states.len() >= 4, "{states:?}");
        assert!(compared.len() > 60, "{}", compared.len());
    }
}
