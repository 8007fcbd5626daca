//! `elsinore tlsrpt`: reports of other people, from files and from standard input; what the relay would
//! send; the record of its key.

use crate::command::Workplace;

const REPORT: &str = r#"{"organization-name":"Sender \u001b[31m","date-range":{"start-datetime":
"2025-11-22T00:00:00Z","end-datetime":"2025-11-22T23:59:59Z"},"contact-info":"a@sender.example",
"report-id":"1","policies":[{"policy":{"policy-type":"tlsa","policy-string":["3 1 1 AA"],
"policy-domain":"mx.example.org"},"summary":{"total-successful-session-count":7,
"total-failure-session-count":0}}]}"#;

#[test]
fn reads_files_and_standard_input() {
    let expected = "\
Report from Sender [31m <a@sender.example>
Covers      2025-11-22, the whole day (UTC)
Id          1

mx.example.org, DANE: 7 sessions, all good
  | 3 1 1 AA
";
    let message = format!(
        "Content-Type: multipart/report; boundary=x\n\n--x\n\nwords\n--x\n\
         Content-Type: application/tlsrpt+json\n\n{REPORT}\n--x--\n"
    );
    let place = Workplace::new()
        .with("report.json", REPORT)
        .with("mail", message);
    let run = place.run(&["tlsrpt", "read", "report.json"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, expected),
        "{}",
        run.stderr
    );
    let run = place.run(&["tlsrpt", "read", "--format", "jsonl", "mail"]);
    let line: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(line["schema_version"], 1);
    assert_eq!(line["file"], "mail");
    assert_eq!(line["policies"][0]["type"], "tlsa");
    assert_eq!(line["policies"][0]["successes"], 7);
    // Standard input is empty here.
    assert_eq!(place.run(&["tlsrpt", "read"]).code, 65);
}

#[test]
fn what_is_no_report_does_not_hide_the_others() {
    let place = Workplace::new().with("good", REPORT).with("bad", "hello");
    for (bad, code) in [("bad", 65), ("none", 74)] {
        let run = place.run(&["tlsrpt", "read", bad, "good"]);
        assert_eq!(run.code, code);
        assert!(
            run.stdout.starts_with("Report from Sender"),
            "{}",
            run.stdout
        );
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}

/// A configuration of the relay with `tlsrpt`, and two keys beside it.
fn place_with(tlsrpt: &str) -> Workplace {
    let rsa = openssl::rsa::Rsa::generate(2048).unwrap();
    let ed25519 = openssl::pkey::PKey::generate_ed25519().unwrap();
    Workplace::new()
        .with("rsa.pem", rsa.private_key_to_pem().unwrap())
        .with("ed25519.pem", ed25519.private_key_to_pem_pkcs8().unwrap())
        .with("bad.pem", "no key")
        .with(
            "elsinore.toml",
            format!(
                "state_dir = \"state\"\n[dns]\nmode = \"forward\"\nupstream = [\"127.0.0.1:1\"]\n\
                 timeout = 1\n[relay]\nname = \"relay.example\"\n[relay.tlsrpt]\n{tlsrpt}"
            ),
        )
}

const REPORTING: &str =
    "enabled = true\norganisation = \"Example\"\ncontact = \"tls@sender.example\"\n";

fn key(file: &str) -> String {
    format!("dkim_domain = \"sender.example\"\ndkim_selector = \"sel\"\ndkim_key = \"{file}\"\n")
}

#[test]
fn the_record_of_the_key_is_what_a_zone_takes() {
    for (file, kind) in [("rsa.pem", "rsa"), ("ed25519.pem", "ed25519")] {
        let place = place_with(&format!("{REPORTING}{}", key(file)));
        let run = place.run(&["--config", "elsinore.toml", "tlsrpt", "dkim-record"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let name = "sel._domainkey.sender.example. IN TXT \"";
        assert!(run.stdout.starts_with(name), "{}", run.stdout);
        // Put together again as DNS does it.
        let quoted: Vec<&str> = run.stdout.split('"').collect();
        let parts: Vec<&str> = quoted.iter().skip(1).step_by(2).copied().collect();
        assert!(parts.iter().all(|part| part.len() <= 255), "{}", run.stdout);
        let text = parts.concat();
        let start = format!("v=DKIM1; k={kind}; s=tlsrpt; p=");
        let public = text.strip_prefix(&start).unwrap();
        let public = openssl::base64::decode_block(public).unwrap();
        let pem = std::fs::read(place.path().join(file)).unwrap();
        let private = openssl::pkey::PKey::private_key_from_pem(&pem).unwrap();
        let expected = match kind {
            "rsa" => private.public_key_to_der().unwrap(),
            _ => private.raw_public_key().unwrap(),
        };
        assert_eq!(public, expected, "{kind}");
        let run = place.run(&[
            "--config",
            "elsinore.toml",
            "--format",
            "json",
            "tlsrpt",
            "dkim-record",
        ]);
        let record: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(record["text"], text);
        assert_eq!(record["name"], "sel._domainkey.sender.example");
    }
    for (tlsrpt, word) in [
        (REPORTING.to_owned(), "dkim_domain"),
        (
            format!("{REPORTING}{}", key("bad.pem")),
            "not a private key",
        ),
        (format!("{REPORTING}{}", key("none.pem")), "none.pem"),
    ] {
        place_with(&tlsrpt)
            .run(&["--config", "elsinore.toml", "tlsrpt", "dkim-record"])
            .assert_refused(78, word);
    }
}

#[test]
fn a_dry_run_wants_a_relay_that_reports() {
    let send = ["--config", "elsinore.toml", "tlsrpt", "send"];
    let dry = ["--config", "elsinore.toml", "tlsrpt", "send", "--dry-run"];
    let place = place_with(REPORTING);
    place.run(&send).assert_refused(64, "--dry-run");
    place.run(&dry).assert_refused(69, "there is no queue");
    place_with("").run(&dry).assert_refused(78, "enabled");
    let bad = place_with(&format!("{REPORTING}{}", key("bad.pem")));
    bad.run(&dry).assert_refused(78, "not a private key");
    // A store without counts.
    let made = elsinore_queue::sqlite::SqliteStore::open(
        elsinore_queue::sqlite::SqliteSettings::new(place.path().join("state/queue")),
    );
    drop(made.unwrap());
    let run = place.run(&dry);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.starts_with("nothing was counted on "),
        "{}",
        run.stdout
    );
}
