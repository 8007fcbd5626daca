//! The scenarios' cases as command lines, and what came of them compared with what the scenario
//! files expect.

use crate::elsinore::{Dns, Letter, configuration};
use elsinore_lab::scenario::case::{DestinationSpec, RequireTlsSpec};
use elsinore_lab::scenario::{Case, Scenario};
use elsinore_lab::world::World;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Cases that are sent at the same time.
const SIDE_BY_SIDE: usize = 8;

/// One case in one resolver mode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) case: &'a Case,
    pub(crate) dns: Dns,
}

impl Task<'_> {
    /// `scenario` or `scenario/case`.
    pub(crate) fn name(&self) -> String {
        if self.case.id.is_empty() {
            return self.scenario.id.clone();
        }
        format!("{}/{}", self.scenario.id, self.case.id)
    }
}

/// Whether a command line can say all that the case says, in one run: policies fetched earlier,
/// repeated attempts and what a submitter left undeclared have no flags.
pub(crate) fn is_one_run(case: &Case) -> bool {
    case.cached_policy.is_empty()
        && case.settings.attempts.is_none()
        && case.settings.own_names.is_empty()
        && !case.undeclared_utf8
}

/// Sends every task, several at a time, and returns for each where it did not end as its scenario
/// file expects. `command` makes the command that runs elsinore.
pub(crate) fn differences(
    tasks: &[Task<'_>],
    world: &World,
    trust: &Path,
    command: &(dyn Fn() -> Command + Sync),
) -> Vec<Vec<String>> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(vec![Vec::new(); tasks.len()]);
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = tasks.get(index) else {
                        break;
                    };
                    let differences = difference(task, world, trust, command());
                    found.lock().expect("no thread fails with the lock")[index] = differences;
                }
            });
        }
    });
    found.into_inner().expect("no thread fails with the lock")
}

fn difference(task: &Task<'_>, world: &World, trust: &Path, command: Command) -> Vec<String> {
    let letter = letter(task, world);
    let text = case_configuration(task, world, trust);
    match crate::elsinore::send(command, &text, task.dns, &letter) {
        Ok(recipients) => judge(task.case, &recipients),
        Err(error) => vec![error],
    }
}

/// The recipients of a case, places filled.
pub(crate) fn recipients(scenario: &Scenario, case: &Case, world: &World) -> Vec<String> {
    if case.to.is_empty() {
        let zone = scenario.zones.first().expect("a case has a recipient");
        return vec![format!("bob@{}", zone.name)];
    }
    (case.to.iter())
        .map(|to| {
            world
                .fill(&scenario.id, to)
                .expect("places of the scenario")
        })
        .collect()
}

fn letter(task: &Task<'_>, world: &World) -> Letter {
    let mut letter = Letter::to(recipients(task.scenario, task.case, world));
    letter.from.clone_from(&task.case.from);
    if let Some(message) = &task.case.message {
        letter.message.clone_from(message);
    }
    match task.case.require_tls {
        RequireTlsSpec::Unsaid => {}
        RequireTlsSpec::Required => letter.flags.push("--require-tls".to_owned()),
        RequireTlsSpec::Waived => letter.flags.push("--tls-required-no".to_owned()),
    }
    letter
}

fn case_configuration(task: &Task<'_>, world: &World, trust: &Path) -> String {
    let settings = &task.case.settings;
    let dns = format!("nta = {:?}\n", settings.nta);
    let tls = (settings.legacy).map_or_else(String::new, |legacy| format!("legacy = {legacy}\n"));
    let mut rest = String::new();
    if let Some(word) = &settings.insecure_mx {
        let _ = writeln!(rest, "[policy]\ninsecure_mx = {word:?}");
    }
    for spec in &task.case.destination {
        destination(&mut rest, spec, |text| {
            let filled = world.fill(&task.scenario.id, text);
            filled.expect("places of the scenario")
        });
    }
    configuration(trust, &dns, &tls, &rest)
}

fn destination(text: &mut String, spec: &DestinationSpec, fill: impl Fn(&str) -> String) {
    let _ = writeln!(text, "[[destination]]\ndomain = {:?}", spec.domain);
    let words = [
        ("level", &spec.level),
        ("mode", &spec.mode),
        ("relay", &spec.relay),
        ("insecure_mx", &spec.insecure_mx),
    ];
    for (key, word) in words {
        if let Some(word) = word {
            let _ = writeln!(text, "{key} = {:?}", fill(word));
        }
    }
    if let Some(port) = spec.port {
        let _ = writeln!(text, "port = {port}");
    }
    let pins: Vec<String> = spec.pins.iter().map(|pin| fill(pin)).collect();
    let _ = writeln!(text, "match = {:?}\npins = {pins:?}", spec.match_names);
}

/// What differs from the expectation in what a sender's user sees.
fn judge(case: &Case, recipients: &[Value]) -> Vec<String> {
    let expect = &case.expect;
    let mut differences = Vec::new();
    let mut compare = |what: &str, expected: Option<&str>, got: &str| {
        if let Some(expected) = expected
            && expected != got
        {
            differences.push(format!("{what}: expected {expected:?}, got {got:?}"));
        }
    };
    for one in recipients {
        let name = text(one, "recipient");
        let expected = expect.recipients.get(name).unwrap_or(&expect.outcome);
        compare(name, Some(expected), text(one, "outcome"));
    }
    let Some(first) = recipients.first() else {
        return vec!["no recipient in the result".to_owned()];
    };
    compare(
        "security",
        expect.security.as_deref(),
        text(first, "security"),
    );
    compare("mx_host", expect.mx_host.as_deref(), text(first, "mx_host"));
    let base = text(first, "tlsa_base_domain");
    compare("tlsa_base_domain", expect.tlsa_base_domain.as_deref(), base);
    let matched = first.get("matched");
    let number = |field: &str| matched.map_or_else(String::new, |m| m[field].to_string());
    let triple = ["usage", "selector", "matching_type"]
        .map(&number)
        .join(" ");
    compare("matched", expect.matched.as_deref(), triple.trim());
    let depth = expect.depth.map(|depth| depth.to_string());
    compare("depth", depth.as_deref(), &number("depth"));
    if let Some(attempts) = &expect.attempts {
        let got: Vec<String> = (first["attempts"].as_array().into_iter().flatten())
            .map(|one| {
                ["mx_host", "obligation", "outcome"]
                    .map(|field| text(one, field))
                    .join(" ")
            })
            .collect();
        let fits = |pattern: &str, got: &str| {
            (pattern.split(' '))
                .zip(got.split(' '))
                .all(|(pattern, got)| pattern == "*" || pattern == got)
        };
        let all_fit = attempts.len() == got.len()
            && attempts
                .iter()
                .zip(&got)
                .all(|(pattern, got)| fits(pattern, got));
        if !all_fit {
            differences.push(format!("attempts: expected {attempts:?}, got {got:?}"));
        }
    }
    if !differences.is_empty() {
        differences.push(format!("reply: {}", text(first, "reply")));
    }
    differences
}

/// A member that is a string, empty when absent.
pub(crate) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
