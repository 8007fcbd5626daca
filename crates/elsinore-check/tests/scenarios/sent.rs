//! Check and delivery, compared.
//!
//! A check holds no transaction: what MAIL, RCPT and DATA would be answered it cannot know. So the
//! first session of the delivery that met its obligation is what a check must foresee, whatever
//! the server said after that; where there was none, the outcome.

use crate::look::look;
use elsinore_check::report::{Report, SenderKind, SenderOutcome};
use elsinore_lab::run::Bench;
use elsinore_lab::scenario::case::RequireTlsSpec;
use elsinore_lab::scenario::{Case, ResolverMode, Scenario};
use elsinore_net::deliver::RecipientReport;
use std::collections::BTreeSet;

/// What came of one domain.
#[derive(Debug, PartialEq, Eq)]
struct End {
    outcome: &'static str,
    security: Option<String>,
    mx_host: Option<String>,
}

/// Sends every case of a scenario and checks its domains; returns what differs.
pub(crate) async fn compare(bench: &Bench<'_>, scenario: &Scenario) -> Vec<String> {
    let mut complaints = Vec::new();
    for case in scenario.cases.iter().filter(|case| is_comparable(case)) {
        for mode in modes(case) {
            let what = format!("{}/{} ({})", scenario.id, case.id, mode.word());
            let mut found = Err(Vec::new());
            // On a machine with other work a lookup may come too late, in one of the two alone.
            for _ in 0..TRIALS {
                found = compare_case(bench, scenario, case, mode).await;
                if found.is_ok() {
                    break;
                }
            }
            for line in found.err().into_iter().flatten() {
                complaints.push(format!("{what}: {line}"));
            }
        }
    }
    complaints
}

/// How often a difference is looked at: one that is there stays.
const TRIALS: usize = 3;

/// One resolver that validates by itself and one that is trusted: the others differ in the way to
/// the same answers.
fn modes(case: &Case) -> impl Iterator<Item = ResolverMode> {
    let own = case.modes.iter().find(|mode| **mode != ResolverMode::Ad);
    let trusted = case.modes.iter().find(|mode| **mode == ResolverMode::Ad);
    own.into_iter().chain(trusted).copied()
}

/// Whether a check is about the same thing: REQUIRETLS and its waiver are the message's, not the
/// domain's, and a domain has no second attempt.
fn is_comparable(case: &Case) -> bool {
    let waived = |message: &String| message.contains("TLS-Required:");
    case.require_tls == RequireTlsSpec::Unsaid
        && !case.message.as_ref().is_some_and(waived)
        && case.settings.attempts.is_none()
}

async fn compare_case(
    bench: &Bench<'_>,
    scenario: &Scenario,
    case: &Case,
    mode: ResolverMode,
) -> Result<(), Vec<String>> {
    let sent = (bench.send(scenario, case, mode).await).map_err(|error| vec![error])?;
    let mut complaints = Vec::new();
    let mut seen = BTreeSet::new();
    for one in &sent.recipients {
        let Some((_, domain)) = one.recipient.rsplit_once('@') else {
            continue;
        };
        // An address literal is no domain.
        if domain.starts_with('[') || !seen.insert(domain) {
            continue;
        }
        match look(bench, scenario, case, mode, domain).await {
            Ok(report) => complaints.extend(differences(one, &report)),
            Err(error) => complaints.push(error),
        }
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints)
    }
}

fn differences(one: &RecipientReport, report: &Report) -> Option<String> {
    let sent = sent(one);
    let checked = checked(report)?;
    // Hosts of equal preference are tried in random order.
    let preference = |host: &Option<String>| {
        (report.hosts.iter())
            .find(|known| Some(&known.mx_host) == host.as_ref())
            .map(|known| known.preference)
    };
    let same_host = sent.mx_host == checked.mx_host
        || (preference(&sent.mx_host).is_some()
            && preference(&sent.mx_host) == preference(&checked.mx_host));
    let same = sent.outcome == checked.outcome && sent.security == checked.security && same_host;
    (!same).then(|| {
        format!(
            "{}: send came to {sent:?} ({}), check to {checked:?} (state {}: {})",
            report.domain,
            one.reply
                .as_ref()
                .map_or(String::new(), ToString::to_string),
            report.state.word(),
            report.sentence,
        )
    })
}

/// What the delivery came to before MAIL.
fn sent(one: &RecipientReport) -> End {
    let met = one.attempts.iter().find_map(|attempt| {
        let security = attempt.session.as_ref()?.security?;
        Some((attempt.mx_host.clone(), security.word().to_owned()))
    });
    match met {
        Some((mx_host, security)) => End {
            outcome: "delivered",
            security: Some(security),
            mx_host: Some(mx_host),
        },
        None => End {
            outcome: one.outcome.word(),
            security: None,
            mx_host: None,
        },
    }
}

/// What the check says of a DANE sender.
fn checked(report: &Report) -> Option<End> {
    let sender = (report.senders.iter()).find(|sender| sender.kind == SenderKind::Dane)?;
    Some(match sender.outcome {
        SenderOutcome::Delivered => End {
            outcome: "delivered",
            security: sender.security.clone(),
            mx_host: sender.mx_host.clone(),
        },
        SenderOutcome::Deferred => End {
            outcome: "deferred",
            security: None,
            mx_host: None,
        },
        SenderOutcome::Bounced => End {
            outcome: "bounced",
            security: None,
            mx_host: None,
        },
    })
}
