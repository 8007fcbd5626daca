//! Reading scenario files: the embedded ones and those of a folder.

use super::certificate::SentWhen;
use super::check::STATES;
use super::{
    Expectation, Families, Family, Scenario, ScenarioError, Signing, TOP_LEVEL_DOMAINS, places,
    places::Place,
};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The files of `scenarios/`, as they were when this was built.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    scenario: Vec<Scenario>,
}

/// The scenarios that are part of this program.
///
/// # Errors
/// [`ScenarioError`] when an embedded file is wrong; a test of ours excludes that.
pub fn embedded() -> Result<Vec<Scenario>, ScenarioError> {
    read_all(EMBEDDED.iter().copied())
}

/// The scenarios of every `*.toml` file of a folder, in the order of the file names.
///
/// # Errors
/// [`ScenarioError`] when the folder or a file cannot be read or used.
pub fn folder(path: &Path) -> Result<Vec<Scenario>, ScenarioError> {
    let unreadable = |file: &Path, error: std::io::Error| ScenarioError::Unreadable {
        file: file.display().to_string(),
        reason: error.to_string(),
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| unreadable(path, error))? {
        let file = entry.map_err(|error| unreadable(path, error))?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(file);
        }
    }
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|error| unreadable(&file, error))?;
        texts.push((file.display().to_string(), text));
    }
    read_all(
        texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str())),
    )
}

/// Reads the files one after the other and checks them as a whole.
///
/// # Errors
/// The first [`ScenarioError`] met.
pub fn read_all<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<Scenario>, ScenarioError> {
    let mut all = Vec::new();
    let mut ids = BTreeSet::new();
    let mut apexes = BTreeSet::new();
    for (file, text) in files {
        for scenario in read_one(file, text)? {
            if !ids.insert(scenario.id.clone()) {
                return Err(meaning(
                    &scenario,
                    "id",
                    "another scenario has the same one",
                ));
            }
            for zone in &scenario.zones {
                if !apexes.insert(zone.name.clone()) {
                    let reason = format!("{} is a zone of another scenario too", zone.name);
                    return Err(meaning(&scenario, "zone.name", reason));
                }
            }
            all.push(scenario);
        }
    }
    Ok(all)
}

fn read_one(file: &str, text: &str) -> Result<Vec<Scenario>, ScenarioError> {
    let parsed: File = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        ScenarioError::Syntax {
            file: file.to_owned(),
            line: text.as_bytes()[..start]
                .iter()
                .filter(|octet| **octet == b'\n')
                .count()
                + 1,
            reason: error.message().replace('\n', " "),
        }
    })?;
    let mut scenarios = parsed.scenario;
    for scenario in &mut scenarios {
        file.clone_into(&mut scenario.file);
        check(scenario)?;
    }
    Ok(scenarios)
}

fn meaning(scenario: &Scenario, key: &str, reason: impl Into<String>) -> ScenarioError {
    ScenarioError::Meaning {
        file: scenario.file.clone(),
        id: scenario.id.clone(),
        key: key.to_owned(),
        reason: reason.into(),
    }
}

fn check(scenario: &Scenario) -> Result<(), ScenarioError> {
    let wrong = |key: &str, reason: String| Err(meaning(scenario, key, reason));
    if !plain(&scenario.id) {
        return wrong(
            "id",
            "may hold lower-case letters, digits and hyphens".into(),
        );
    }
    let mut hosts = BTreeSet::new();
    for name in (scenario.receivers.iter().map(|receiver| &receiver.name))
        .chain(scenario.policy_hosts.iter().map(|host| &host.name))
    {
        if !plain(name) || !hosts.insert(name.as_str()) {
            return wrong(
                "name",
                format!("\"{name}\" is used twice or not a plain word"),
            );
        }
    }
    for receiver in &scenario.receivers {
        let lacking = match receiver.addresses {
            Families::Both => None,
            Families::Ipv4 => Some(Family::Ipv6),
            Families::Ipv6 => Some(Family::Ipv4),
        };
        if lacking.is_some_and(|family| receiver.dead.contains(&family)) {
            let reason = format!("\"{}\" has no address of that family", receiver.name);
            return wrong("receiver.dead", reason);
        }
    }
    check_certificates(scenario)?;
    check_servers(scenario)?;
    for zone in &scenario.zones {
        let below_tld = TOP_LEVEL_DOMAINS.iter().any(|(tld, _)| {
            zone.name
                .strip_suffix(tld)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        });
        if !below_tld || zone.name != zone.name.to_ascii_lowercase() {
            let reason = format!(
                "\"{}\" is not a lower-case name below {}",
                zone.name,
                tlds()
            );
            return wrong("zone.name", reason);
        }
        let further = zone.server.iter().map(|server| server.records.as_ref());
        for text in [Some(&zone.records), zone.other_records.as_ref()]
            .into_iter()
            .chain(further)
        {
            let found = places::find(text.map_or("", String::as_str))
                .map_err(|reason| meaning(scenario, "zone.records", reason))?;
            for place in found {
                check_place(scenario, "zone.records", &place)?;
            }
        }
    }
    check_checks(scenario)?;
    check_cases(scenario)
}

fn check_certificates(scenario: &Scenario) -> Result<(), ScenarioError> {
    for receiver in &scenario.receivers {
        let mut names = BTreeSet::from(["leaf", "intermediate", "root"]);
        for also in &receiver.also {
            let wanted = (also.when == SentWhen::Sni) != also.sni.is_empty();
            if names.insert(&also.name) && wanted {
                continue;
            }
            let reason = if wanted {
                "is used twice or a word of its own"
            } else {
                "needs server names with when = \"sni\", and only then"
            };
            let reason = format!("\"{}\" {reason}", also.name);
            return Err(meaning(scenario, "receiver.also", reason));
        }
        if let Some(zone) = &receiver.zone
            && !scenario.zones.iter().any(|known| &known.name == zone)
        {
            let reason = format!("there is no zone \"{zone}\"");
            return Err(meaning(scenario, "receiver.zone", reason));
        }
    }
    Ok(())
}

fn check_servers(scenario: &Scenario) -> Result<(), ScenarioError> {
    for zone in &scenario.zones {
        let mut names = BTreeSet::from(["ns1"]);
        for server in &zone.server {
            if !plain(&server.name) || !names.insert(&server.name) {
                let reason = format!("\"{}\" is used twice or not a plain word", server.name);
                return Err(meaning(scenario, "zone.server.name", reason));
            }
        }
        let hashed = matches!(zone.signing, Signing::Nsec3 | Signing::OptOut);
        if zone.nsec3.is_some() && !hashed {
            let reason = format!("{} is not signed with NSEC3", zone.name);
            return Err(meaning(scenario, "zone.nsec3", reason));
        }
    }
    Ok(())
}

fn check_checks(scenario: &Scenario) -> Result<(), ScenarioError> {
    for check in &scenario.checks {
        if check.domain.is_none() && scenario.zones.is_empty() {
            let reason = "is needed where no zone is added";
            return Err(meaning(scenario, "check.domain", reason));
        }
        if !STATES.contains(&check.state.as_str()) {
            let reason = format!("\"{}\" is none of {}", check.state, STATES.join(", "));
            return Err(meaning(scenario, "check.state", reason));
        }
        if let Some(both) = check.lints.iter().find(|one| check.not.contains(one)) {
            let reason = format!("{both} is demanded and forbidden");
            return Err(meaning(scenario, "check.not", reason));
        }
    }
    Ok(())
}

/// Whether a text is a word of lower-case letters, digits and hyphens.
fn plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn check_place(scenario: &Scenario, key: &str, place: &Place) -> Result<(), ScenarioError> {
    let Some(host) = place.host() else {
        return Ok(());
    };
    let receiver = scenario.receivers.iter().find(|known| known.name == host);
    let policy_host = scenario.policy_hosts.iter().any(|known| known.name == host);
    if receiver.is_none() && !(policy_host && place.is_address()) {
        return Err(meaning(
            scenario,
            key,
            format!("there is no receiver \"{host}\""),
        ));
    }
    if let Place::Tlsa {
        also: Some(name), ..
    } = place
        && !receiver.is_some_and(|one| one.also.iter().any(|known| &known.name == name))
    {
        let reason = format!("\"{host}\" has no certificate \"{name}\"");
        return Err(meaning(scenario, key, reason));
    }
    let lacking = match place {
        Place::Ipv4(_) => Families::Ipv6,
        Place::Ipv6(_) => Families::Ipv4,
        Place::Tlsa { .. } | Place::Slip { .. } | Place::WrongTlsa { .. } | Place::Pin { .. } => {
            return Ok(());
        }
    };
    if receiver.is_some_and(|receiver| receiver.addresses == lacking) {
        let reason = format!("\"{host}\" has no address of that family");
        return Err(meaning(scenario, key, reason));
    }
    Ok(())
}

fn tlds() -> String {
    let names: Vec<&str> = TOP_LEVEL_DOMAINS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

fn check_cases(scenario: &Scenario) -> Result<(), ScenarioError> {
    let wrong = |key: &str, reason: String| Err(meaning(scenario, key, reason));
    if scenario.cases.is_empty() {
        return wrong("case", "at least one is needed".into());
    }
    let mut ids = BTreeSet::new();
    for case in &scenario.cases {
        if !ids.insert(case.id.as_str()) {
            return wrong("case.id", format!("\"{}\" is used twice", case.id));
        }
        if case.to.is_empty() && scenario.zones.is_empty() {
            return wrong("case.to", "is needed where no zone is added".into());
        }
        for pin in case.destination.iter().flat_map(|one| &one.pins) {
            for place in places::find(pin)
                .map_err(|reason| meaning(scenario, "case.destination.pins", reason))?
            {
                check_place(scenario, "case.destination.pins", &place)?;
            }
        }
        for name in &case.expect.not_contacted {
            if !scenario.receivers.iter().any(|known| &known.name == name) {
                let reason = format!("there is no receiver \"{name}\"");
                return wrong("case.expect.not_contacted", reason);
            }
        }
        check_words(scenario, &case.expect)?;
    }
    Ok(())
}

const OUTCOMES: [&str; 3] = ["delivered", "deferred", "bounced"];
const SECURITIES: [&str; 7] = [
    "dane",
    "dane-insecure-mx",
    "sts",
    "pinned",
    "webpki",
    "encrypted",
    "plaintext",
];

fn check_words(scenario: &Scenario, expect: &Expectation) -> Result<(), ScenarioError> {
    let one_of = |key: &str, word: &str, words: &[&str]| {
        if words.contains(&word) {
            return Ok(());
        }
        let reason = format!("\"{word}\" is none of {}", words.join(", "));
        Err(meaning(scenario, key, reason))
    };
    one_of("case.expect.outcome", &expect.outcome, &OUTCOMES)?;
    for outcome in expect.recipients.values() {
        one_of("case.expect.recipients", outcome, &OUTCOMES)?;
    }
    if let Some(security) = &expect.security {
        one_of("case.expect.security", security, &SECURITIES)?;
    }
    for attempt in expect.attempts.iter().flatten() {
        if attempt.split_whitespace().count() != 3 {
            let reason = format!("\"{attempt}\" is not HOST OBLIGATION OUTCOME");
            return Err(meaning(scenario, "case.expect.attempts", reason));
        }
    }
    for question in expect.asked.iter().chain(&expect.not_asked) {
        if question.split_whitespace().count() != 2 {
            let reason = format!("\"{question}\" is not NAME TYPE");
            return Err(meaning(scenario, "case.expect.asked", reason));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_files_are_right() {
        let scenarios = embedded().unwrap_or_else(|error| panic!("{error}"));
        assert!(scenarios.len() > 60, "{}", scenarios.len());
    }

    #[test]
    fn mistakes_are_named_with_file_and_key() {
        let zone = "[[scenario.zone]]\nname = \"a.example\"\nrecords = \"@ MX 10 {mx}\"\n";
        let case = "[[scenario.case]]\nexpect = { outcome = \"delivered\" }\n";
        let head = "[[scenario]]\nid = \"x\"\ntitle = \"t\"\nshows = []\n";
        let receiver = "[[scenario.receiver]]\nname = \"mx\"\naddresses = \"ipv4\"\n";
        for (text, expected) in [
            (
                format!("{head}colour = 1\n{case}"),
                "f.toml:5: unknown field `colour`",
            ),
            (
                "[[scenario]]\nid = \"x\"\n".to_owned(),
                "f.toml:1: missing field `title`",
            ),
            ("scenario = 3".to_owned(), "f.toml:1: invalid type"),
            (format!("{head}{zone}"), "f.toml:1: missing field `case`"),
            (
                format!("{head}{zone}{case}"),
                "f.toml: scenario x: zone.records: there is no receiver \"mx\"",
            ),
            (
                format!("{head}{zone}{case}").replace("{mx}", "{mx"),
                "f.toml: scenario x: zone.records: a brace is not closed",
            ),
            (
                format!("{head}{zone}{receiver}{case}").replace("{mx}", "{mx:6}"),
                "f.toml: scenario x: zone.records: \"mx\" has no address of that family",
            ),
            (
                format!("{head}{zone}{receiver}{case}").replace("{mx}", "{tlsa 3 1 mx}"),
                "f.toml: scenario x: zone.records: {tlsa 3 1 mx} is not a place",
            ),
            (
                format!("{head}{zone}{receiver}{case}").replace("a.example", "a.org"),
                "f.toml: scenario x: zone.name: \"a.org\" is not a lower-case name below",
            ),
            (
                format!("{head}{zone}{receiver}{case}").replace("delivered", "fine"),
                "f.toml: scenario x: case.expect.outcome: \"fine\" is none of delivered",
            ),
            (
                format!("{head}{zone}{receiver}{case}{case}"),
                "f.toml: scenario x: case.id: \"\" is used twice",
            ),
            (
                format!("{head}{zone}{receiver}{case}").repeat(2),
                "f.toml: scenario x: id: another scenario has the same one",
            ),
        ] {
            let error = read_all([("f.toml", text.as_str())])
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(expected), "{error}\nexpected {expected}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
