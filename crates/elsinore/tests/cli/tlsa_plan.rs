//! `elsinore tlsa plan` against the lab: what it says at each stage of a rollover. Between two stages
//! somebody would change the zone or the server; here each stage is a domain of its own.

use crate::command::{Run, Workplace};
use crate::lab_up::Lab;
use serde_json::Value;
use std::process::Command;

/// Domains at three stages: before the rollover, with both records, and afterwards. `spki` holds the
/// server's own key, so that the test has it.
const STAGES: &str = r#"
[[scenario]]
id = "before"
title = "One record, for the key in use"
shows = ["RFC 7671 §8.1"]
[[scenario.zone]]
name = "before.example"
records = """
@             MX    10 mx
mx            A     {mx}
mx            AAAA  {mx:6}
spki          TLSA  {tlsa 3 1 0 mx}
_25._tcp.mx   TLSA  {tlsa 3 1 1 mx}
"""
[[scenario.receiver]]
name = "mx"
[[scenario.case]]
expect = { outcome = "delivered" }

[[scenario]]
id = "both"
title = "Two records, one of a key that nobody presents"
shows = ["RFC 7671 §8.1"]
[[scenario.zone]]
name = "both.example"
records = """
@             MX    10 mx
mx            A     {mx}
spki          TLSA  {tlsa 3 1 0 mx}
_25._tcp.mx   TLSA  {tlsa 3 1 1 mx}
_25._tcp.mx   TLSA  3 1 1 OTHER
"""
[[scenario.receiver]]
name = "mx"
[[scenario.case]]
expect = { outcome = "delivered" }
"#;

struct Stages {
    lab: Lab,
    place: Workplace,
    other: String,
}

fn stages() -> Stages {
    let place = Workplace::new();
    let made = Command::new("openssl")
        .args("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem".split(' '))
        .current_dir(place.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let words = [
        "tlsa",
        "make",
        "--key",
        "other.pem",
        "--name",
        "x.test",
        "--format",
        "json",
    ];
    let record = place.run(&words).json()["records"][0]["record"].clone();
    let other = record
        .as_str()
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    let folder = place.path().join("scenarios");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("stages.toml"), STAGES.replace("OTHER", &other)).unwrap();
    let lab = Lab::up(&["--dir", folder.to_str().unwrap()]);
    Stages { lab, place, other }
}

impl Stages {
    fn run(&self, words: &str) -> Run {
        let mut arguments = vec!["--config", self.lab.config()];
        arguments.extend(words.split(' '));
        self.place.run(&arguments)
    }

    fn plan(&self, words: &str) -> Value {
        let run = self.run(&format!("tlsa plan {words} --format json"));
        assert_eq!(run.code, 0, "{run:?}");
        run.json()
    }

    /// Writes the key that the host of that domain presents into a file.
    fn write_spki(&self, domain: &str, file: &str) {
        let json = self
            .run(&format!("dns spki.{domain}.example TLSA --format json"))
            .json();
        let record = json["answer"]["records"][0].as_str().unwrap().to_owned();
        let hex = record.rsplit(' ').next().unwrap();
        let octets = |place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap();
        let der: Vec<u8> = (0..hex.len()).step_by(2).map(octets).collect();
        std::fs::write(self.place.path().join(file), der).unwrap();
    }

    /// What each step is said to be.
    fn progress(json: &Value) -> Vec<String> {
        let steps = json["steps"].as_array().unwrap().iter();
        let word = |step: &Value| {
            let (step, progress) = (step["step"].as_str(), step["progress"].as_str());
            format!("{} {}", step.unwrap(), progress.unwrap())
        };
        steps.map(word).collect()
    }
}

#[test]
fn each_stage_of_a_rollover() {
    let stages = stages();
    let other = format!("3 1 1 {}", stages.other);

    // Before: the record of the next key is missing on both addresses of the server.
    let before = "--name mx.before.example --next other.pem";
    let json = stages.plan(before);
    assert_eq!(json["stage"], "publish", "{json}");
    assert_eq!(json["dnssec"]["state"], "secure");
    assert_eq!(json["add"], serde_json::json!([other]));
    assert_eq!(json["zone"], "before.example");
    assert_eq!(json["servers"].as_array().unwrap().len(), 2);
    assert_eq!(json["addresses"][0]["state"], "other");
    let expected = [
        "publish now",
        "wait later",
        "deploy later",
        "verify later",
        "retire later",
    ];
    assert_eq!(Stages::progress(&json), expected);
    let script = json["steps"][0]["nsupdate"].as_str().unwrap();
    let owner = "_25._tcp.mx.before.example.";
    let expected = format!("zone before.example.\nupdate add {owner} 300 IN TLSA {other}\nsend\n");
    assert_eq!(script, expected);
    for (step, code) in [("publish", 0), ("deploy", 1), ("verify", 1), ("retire", 1)] {
        let asked = stages.run(&format!("tlsa plan {before} --step {step}"));
        assert_eq!(asked.code, code, "{asked:?}");
    }
    let asked = stages.run(&format!("tlsa plan {before} --step deploy"));
    assert!(
        asked.stdout.contains("deploy: no: next-not-published: "),
        "{asked:?}"
    );

    // Both: the wait counts from the first look, unless somebody knows better.
    let both = "--name mx.both.example --next other.pem";
    let first = stages.plan(both);
    assert_eq!(first["stage"], "wait", "{first}");
    let again = stages.plan(both);
    assert_eq!(
        again["complete_since"], first["complete_since"],
        "not remembered"
    );
    let asked = stages.run(&format!("tlsa plan {both} --step deploy"));
    assert_eq!(asked.code, 1, "{asked:?}");
    assert!(
        asked.stdout.starts_with("deploy: no: wait-not-over: "),
        "{asked:?}"
    );
    let since = format!("{both} --since 2026-01-01");
    assert_eq!(
        stages.run(&format!("tlsa plan {since} --step deploy")).code,
        0
    );
    assert_eq!(stages.plan(&since)["stage"], "deploy");
    assert_eq!(
        stages.plan(both)["stage"],
        "wait",
        "--since is not remembered"
    );
    let retire = stages.run(&format!("tlsa plan {since} --step retire"));
    assert_eq!(retire.code, 1);
    assert!(
        retire.stdout.contains("retire: no: old-key-served: "),
        "{retire:?}"
    );

    // Afterwards: the server presents the next key, and the other record is that of the key before.
    stages.write_spki("both", "next.der");
    let after = "--name mx.both.example --next next.der --current other.pem";
    let json = stages.plan(after);
    assert_eq!(json["stage"], "retire", "{json}");
    assert_eq!(json["remove"], serde_json::json!([other]));
    let expected = [
        "publish done",
        "wait done",
        "deploy done",
        "verify done",
        "retire now",
    ];
    assert_eq!(Stages::progress(&json), expected);
    assert!(
        json["steps"][4]["nsupdate"]
            .as_str()
            .unwrap()
            .contains("update delete ")
    );
    assert_eq!(
        stages.run(&format!("tlsa plan {after} --step retire")).code,
        0
    );

    // What was remembered of a key still counts when it is named no more.
    let remembered = stages.plan("--name mx.both.example --next next.der");
    assert_eq!(remembered["stage"], "retire", "{remembered}");

    // In the end nothing is left; and for people it says so first.
    stages.write_spki("before", "own.der");
    let done = "tlsa plan --name mx.before.example --next own.der";
    let told = stages.run(done);
    assert_eq!(told.code, 0, "{told:?}");
    let first = told.stdout.lines().next().unwrap();
    assert_eq!(first, "mx.before.example, port 25: nothing is left to do");
    assert!(
        told.stdout
            .contains("the next ECDSA key of 256 bits, 3 1 1 "),
        "{told:?}"
    );
}

#[test]
fn bad_input() {
    let place = Workplace::new().with("empty", "").with("noise", "noise");
    for (words, code, part) in [
        ("", 64, "--next"),
        ("--name mx.test", 64, "--next"),
        ("--name mx.test --next empty", 65, "the file is empty"),
        (
            "--name mx.test --next noise",
            65,
            "neither a certificate nor a key",
        ),
        ("--name mx.test --next absent", 74, "cannot read absent"),
        ("--name *.test --next noise", 64, "a wildcard is not a host"),
        ("--name mx.test --next noise --port 0", 64, "--port"),
        ("--name mx.test --next noise --step fly", 64, "--step"),
        (
            "--name mx.test --next noise --since never",
            64,
            "not a time such as",
        ),
        ("--name mx.test --next noise --server a;b", 64, "--server"),
    ] {
        let mut arguments = vec!["tlsa", "plan"];
        arguments.extend(words.split(' ').filter(|word| !word.is_empty()));
        place.run(&arguments).assert_refused(code, part);
    }
}
