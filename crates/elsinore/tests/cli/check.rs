//! `elsinore check` as a person, a script and a monitor use it.

use crate::command::{Run, Workplace};
use crate::lab_up::Lab;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// What people type instead of a domain gets a clear refusal or a clear answer; nothing is asked
/// before it is understood.
#[test]
fn what_is_no_domain_is_refused() {
    let place = Workplace::new();
    let long = format!("{}example.org", "abcdefghi.".repeat(29));
    for (operands, part) in [
        (&["192.0.2.1"][..], "is the address of one server"),
        (&["[2001:db8::1]"], "is the address of one server"),
        (&["https://example.org/x"], "try example.org"),
        (&["_25._tcp.mx.example.org"], "perhaps mx.example.org"),
        (&[""], "no domain given"),
        (&["."], "the root of DNS"),
        (&["ex ample.org"], "a space"),
        (&["\u{1b}]0;x\u{7}.org"], "\\u{1b}]0;x"),
        (&[&long], "longer than 255 octets"),
        (&["example.org", "a..b"], "empty label"),
        (&[], "no domain given"),
        (&["-", "--from", "-"], "stdin can be read once"),
        (&["--frobnicate"], "--frobnicate"),
        (&["example.org", "--sessions", "0"], "between 1 and 1000"),
        (&["example.org", "--pause=-1"], "between 0 and 3600"),
        (&["example.org", "--columns", "10"], "40..=200"),
        (&["example.org", "--color", "pink"], "pink"),
        (&["example.org", "--watch=0"], "86400"),
        (&["example.org", "--warning", "3"], "--nagios"),
        (&["example.org", "--schema"], "cannot be used"),
        (
            &["example.org", "example.net", "--format", "svg"],
            "draws one domain",
        ),
        (
            &["example.org", "--format", "svg", "--watch"],
            "draws one report",
        ),
        (
            &["example.org", "--compare", "none.json"],
            "cannot read none.json",
        ),
        (
            &["example.org", "--compare", "report.json"],
            "no report in it",
        ),
        (&["example.org", "--compare", "list"], "not a report"),
        (&["--offline", "list"], "not a bundle"),
        (&["--from", "only-bad"], "nothing to check: 192.0.2.7"),
    ] {
        let place = &place;
        for (name, text) in [
            ("report.json", ""),
            ("list", "example.org\n"),
            ("only-bad", "# nothing\n192.0.2.7\n"),
        ] {
            std::fs::write(place.path().join(name), text).unwrap();
        }
        let run = place.run(&[&["check"], operands].concat());
        let code = if part.contains("cannot read") { 74 } else { 2 };
        run.assert_refused(code, part);
        assert!(run.stdout.is_empty(), "{run:?}");
        let control = run.stderr.trim_end().chars().any(char::is_control);
        assert!(!control, "{operands:?}: {run:?}");
    }
}

/// A monitor takes every code for a verdict: whatever is wrong is UNKNOWN, in one line on stdout.
#[test]
fn a_monitor_hears_unknown_of_every_error() {
    let place = Workplace::new().with("bad.toml", "nonsense = 1\n");
    for arguments in [
        &["check", "--nagios"][..],
        &["check", "--nagios", "192.0.2.1"],
        &["check", "--nagios", "--frobnicate", "example.org"],
        &["check", "--nagios", "--watch", "example.org"],
        &["--config", "gone.toml", "check", "--nagios", "example.org"],
        &["--config", "bad.toml", "check", "--nagios", "a|b.example"],
    ] {
        let run = place.run(arguments);
        assert_eq!(run.code, 3, "{arguments:?}: {run:?}");
        assert!(run.stdout.starts_with("UNKNOWN - "), "{run:?}");
        assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
        assert!(!run.stdout.contains('|'), "{run:?}");
        assert!(run.stderr.is_empty(), "{run:?}");
    }
}

#[test]
fn the_schema_is_that_of_the_report() {
    let run = Workplace::new().run(&["check", "--schema"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json(), elsinore_check::report::schema());
}

/// The variable is no argument that could be in the way of `--schema`.
#[test]
fn the_schema_beside_a_variable() {
    let output = Workplace::new()
        .command(&["check", "--schema"])
        .env("ELSINORE_CONFIG", "elsinore.toml")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn only_check_draws() {
    let place = Workplace::new();
    let run = place.run(&["--format", "svg", "explain"]);
    run.assert_refused(64, "only check draws");
}

/// Everything that needs servers, on one lab.
#[test]
fn domains_of_a_running_lab() {
    let lab = Lab::up(&["dane-ee", "dane-mismatch", "alias-insecure", "tlsa-failed"]);
    let place = Workplace::new();
    let check = |arguments: &[&str]| {
        let mut words = vec!["--config", lab.config(), "check", "--pause", "0"];
        words.extend(arguments);
        place.run(&words)
    };
    verdicts(&check);
    lists(&place, &lab);
    monitors(&check);
    let earlier = changes(&place, &check);
    bundles(&place, &check);
    watching(&place, &lab, &earlier);
}

fn verdicts(check: &impl Fn(&[&str]) -> Run) {
    for (domain, code, state) in [
        ("dane-ee.example", 0, "protected"),
        ("dane-mismatch.example", 1, "refused"),
        ("alias-insecure.example", 1, "not-protected"),
    ] {
        let run = check(&["--format", "json", domain]);
        assert_eq!(run.code, code, "{run:?}");
        assert!(run.stderr.is_empty(), "{run:?}");
        let report: elsinore_check::report::Report = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(
            (report.state.word(), report.domain.as_str()),
            (state, domain)
        );
        assert_eq!(report.measured.most_sessions_per_address, 1, "{domain}");
    }
    let run = check(&["anna@DANE-EE.example"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("is a mailbox"), "{run:?}");
    // The environment is empty: no locale that could show more than ASCII.
    assert!(
        run.stdout.starts_with("+ dane-ee.example: protected\n"),
        "{run:?}"
    );
    assert!(
        run.stdout.is_ascii() && !run.stdout.contains('\u{1b}'),
        "{run:?}"
    );
    assert!(
        run.stdout
            .lines()
            .all(|line| line.len() <= 80 || line.starts_with('_')),
        "{run:?}"
    );
    let run = check(&["--format", "svg", "dane-ee.example"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stdout.starts_with("<svg ") && run.stdout.ends_with("</svg>\n"),
        "{run:?}"
    );
}

fn lists(place: &Workplace, lab: &Lab) {
    let input =
        b"# ours\ndane-ee.example # the first\n\n192.0.2.1\nDANE-EE.example.\n\xff.example\n\
        dane-mismatch.example\n";
    let arguments = [
        "--config",
        lab.config(),
        "--format",
        "jsonl",
        "check",
        "--pause",
        "0",
        "-",
    ];
    let run = place.run_with_input(&arguments, input);
    let states: Vec<String> = (run.stdout.lines())
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|value| value["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["protected", "refused"], "{run:?}");
    // Both wrong entries are named, and the worst state decides.
    assert_eq!(run.stderr.lines().count(), 2, "{run:?}");
    assert!(run.stderr.contains("192.0.2.1 is the address"), "{run:?}");
    assert_eq!(run.code, 1);
    let arguments = ["--config", lab.config(), "check", "--pause", "0", "-"];
    let run = place.run_with_input(&arguments, b"dane-ee.example\n192.0.2.1\n");
    assert_eq!(run.code, 2, "a refused entry is no success: {run:?}");
}

fn monitors(check: &impl Fn(&[&str]) -> Run) {
    for (arguments, code, begin) in [
        (
            &["dane-ee.example"][..],
            0,
            "OK - dane-ee.example: protected: ",
        ),
        (
            &["dane-mismatch.example"],
            2,
            "CRITICAL - dane-mismatch.example: ",
        ),
        (
            &["alias-insecure.example"],
            1,
            "WARNING - alias-insecure.example: ",
        ),
        (
            &[
                "dane-ee.example",
                "alias-insecure.example",
                "dane-mismatch.example",
            ],
            2,
            "CRITICAL - 1 of 3 domains, first dane-mismatch.example: ",
        ),
    ] {
        let run = check(&[&["--nagios"], arguments].concat());
        assert_eq!(run.code, code, "{run:?}");
        assert!(run.stdout.starts_with(begin), "{run:?}");
        assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
        let (_, numbers) = run.stdout.split_once(" | ").unwrap();
        assert!(numbers.contains("sessions="), "{run:?}");
    }
}

/// Returns the earlier result.
fn changes(place: &Workplace, check: &impl Fn(&[&str]) -> Run) -> String {
    let run = check(&["--format", "json", "dane-ee.example"]);
    let earlier = run.stdout;
    std::fs::write(place.path().join("earlier.json"), &earlier).unwrap();
    let run = check(&["--compare", "earlier.json", "dane-ee.example"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains("nothing changed"), "{run:?}");
    // An earlier result with another record and another verdict.
    let mut report: elsinore_check::report::Report = serde_json::from_str(&earlier).unwrap();
    report.state = elsinore_check::report::State::Refused;
    report.hosts[0].tlsa[0].association = "00".repeat(32);
    let text = serde_json::to_string(&report).unwrap();
    std::fs::write(place.path().join("other.json"), text).unwrap();
    let run = check(&[
        "--format",
        "jsonl",
        "--compare",
        "other.json",
        "dane-ee.example",
    ]);
    let comparison = run.json();
    assert_eq!(comparison["earlier_state"], "refused", "{run:?}");
    assert_eq!(comparison["changes"][0]["kind"], "state", "{run:?}");
    assert_eq!(comparison["changes"][0]["direction"], "better", "{run:?}");
    assert!(run.stdout.contains("TLSA record added"), "{run:?}");
    let run = check(&["--compare", "earlier.json", "dane-mismatch.example"]);
    assert!(run.stdout.contains("no earlier result"), "{run:?}");
    earlier
}

fn bundles(place: &Workplace, check: &impl Fn(&[&str]) -> Run) {
    let run = check(&[
        "--save",
        "seen.json",
        "--format",
        "json",
        "dane-mismatch.example",
    ]);
    assert_eq!(run.code, 1, "{run:?}");
    let measured = run.json();
    let run = check(&["--offline", "seen.json", "--format", "json"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stderr.is_empty(), "{run:?}");
    let recomputed = run.json();
    for field in ["state", "sentence", "hosts", "zones", "senders", "findings"] {
        assert_eq!(measured[field], recomputed[field], "{field}");
    }
    assert!(!recomputed["unproven"].as_array().unwrap().is_empty());
    check(&["--offline", "seen.json", "dane-ee.example"]).assert_refused(2, "the bundle is about");
    check(&[
        "--save",
        "x.json",
        "dane-ee.example",
        "dane-mismatch.example",
    ])
    .assert_refused(2, "keeps one domain");
    assert!(!place.path().join("x.json").exists());
    check(&["--save", "no/such/folder/x.json", "dane-ee.example"])
        .assert_refused(74, "cannot write");
}

/// The first result, and an end in order when interrupted.
fn watching(place: &Workplace, lab: &Lab, earlier: &str) {
    let mut child = place
        .command(&[
            "--config",
            lab.config(),
            "--format",
            "jsonl",
            "check",
            "--pause",
            "0",
            "--watch=1",
            "dane-ee.example",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let first: serde_json::Value = serde_json::from_str(&line).unwrap();
    let earlier: serde_json::Value = serde_json::from_str(earlier).unwrap();
    assert_eq!(first["sentence"], earlier["sentence"]);
    let kill = format!("kill -INT {}", child.id());
    let sent = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut rest).unwrap();
    assert_eq!(rest, "", "nothing changed, nothing is said");
}
