//! The lab as its users meet it: the program lists, runs, stays up, is sent into, and leaves
//! nothing behind.

#![allow(
    clippy::unwrap_used,
    reason = "every step of an end-to-end test must succeed"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn elsinore(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_elsinore"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

#[test]
fn list_names_every_scenario() {
    let human = elsinore(&["lab", "list"]);
    assert!(human.status.success());
    assert!(text(&human.stdout).starts_with("dane-ee\n"));
    let json = elsinore(&["--format", "json", "lab", "list", "dane-ee"]);
    let listed: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(listed["schema_version"], 1);
    assert_eq!(listed["scenarios"].as_array().unwrap().len(), 1);
    assert_eq!(listed["scenarios"][0]["zones"][0], "dane-ee.example");
}

#[test]
fn run_says_what_differs() {
    let run = elsinore(&["lab", "run", "dane-ee", "dane-mismatch"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stdout));
    assert!(text(&run.stdout).ends_with("All 6 as expected.\n"));
    // In a pipe nothing is cut; the columns are as on a terminal, whose width the table's own
    // tests look at.
    assert!(!text(&run.stdout).contains('…'), "{}", text(&run.stdout));
    for line in text(&run.stdout).lines() {
        assert!(line.starts_with(' ') || line.len() <= 80, "{line}");
    }

    let folder = tempfile::tempdir().unwrap();
    let scenario = "[[scenario]]\nid = \"wrong\"\ntitle = \"t\"\nshows = []\n\
        [[scenario.zone]]\nname = \"wrong.example\"\nrecords = \"@ MX 0 .\"\n\
        [[scenario.case]]\nexpect = { outcome = \"delivered\" }\n";
    std::fs::write(folder.path().join("own.toml"), scenario).unwrap();
    let own = elsinore(&["lab", "run", "--dir", folder.path().to_str().unwrap()]);
    assert_eq!(own.status.code(), Some(1));
    let table = text(&own.stdout);
    assert!(
        table.contains("expected \"delivered\", got \"bounced\""),
        "{table}"
    );
    assert!(table.ends_with("1 of 1 not as expected.\n"), "{table}");
}

#[test]
fn mistakes_have_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(
        elsinore(&["lab", "run", "--dir", path]).status.code(),
        Some(65)
    );
    std::fs::write(folder.path().join("a.toml"), "[[scenario]]\nidd = \"x\"\n").unwrap();
    let refused = elsinore(&["lab", "run", "--dir", path]);
    assert_eq!(refused.status.code(), Some(65));
    let said = text(&refused.stderr);
    assert!(said.contains("a.toml:2: unknown field `idd`"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(elsinore(&["lab", "run", "no-such"]).status.code(), Some(64));
}

/// A lab that is up; ended when dropped.
struct Lab {
    child: Child,
    configuration: PathBuf,
}

impl Lab {
    fn up(id: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_elsinore"))
            .args(["lab", "up", id])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut configuration = PathBuf::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some((_, path)) = line.split_once("ELSINORE_CONFIG=") {
                configuration = path.into();
            }
            if line.contains("Ctrl-C") {
                break;
            }
        }
        Self {
            child,
            configuration,
        }
    }

    fn folder(&self) -> &Path {
        self.configuration.parent().unwrap()
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(told.success());
        assert!(self.child.wait().unwrap().success());
        assert!(!self.folder().exists(), "the folder is left behind");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn up_can_be_sent_into_and_leaves_nothing() {
    let lab = Lab::up("dane-ee");
    let configuration = lab.configuration.to_str().unwrap();
    let mut send = Command::new(env!("CARGO_BIN_EXE_elsinore"))
        .args(["--config", configuration, "--format", "json", "send"])
        .args([
            "--from",
            "alice@sender.example",
            "--to",
            "bob@dane-ee.example",
        ])
        .args(["--file", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = send.stdin.take().unwrap();
    input.write_all(b"Subject: lab\n\nWho's there?\n").unwrap();
    drop(input);
    let sent = send.wait_with_output().unwrap();
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent.stdout));
    let report: serde_json::Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!(report["recipients"][0]["security"], "dane");

    let asked = elsinore(&["--config", configuration, "dns", "dane-ee.example", "MX"]);
    assert!(
        text(&asked.stdout).contains("secure"),
        "{}",
        text(&asked.stdout)
    );
    for (rtype, kind, records, proofs) in [
        ("MX", "data", &[" IN MX ", " IN RRSIG MX "][..], &[][..]),
        (
            "TXT",
            "nodata",
            &[],
            &[" IN SOA ", " IN RRSIG SOA ", " IN NSEC"],
        ),
    ] {
        let arguments = ["--config", configuration, "--format", "json", "dns"];
        let asked = elsinore(&[&arguments[..], &["--records", "dane-ee.example", rtype]].concat());
        let shown: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
        assert_eq!(shown["answer"]["kind"], kind, "{shown}");
        assert_eq!(shown["answer"]["security"], "secure", "{shown}");
        for (part, expected) in [("records", records), ("proofs", proofs)] {
            let lines = shown["answer"]["evidence"][part].as_array().unwrap();
            let lines: Vec<_> = lines.iter().map(|line| line.as_str().unwrap()).collect();
            for word in expected {
                assert!(
                    lines.iter().any(|line| line.contains(word)),
                    "{word}: {lines:?}"
                );
            }
            assert_eq!(lines.is_empty(), expected.is_empty(), "{lines:?}");
        }
    }
    lab.stop();
}
