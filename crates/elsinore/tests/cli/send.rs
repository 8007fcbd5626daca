//! `elsinore send`: what cannot be sent at all, and deliveries to a running lab.

use crate::command::Workplace;
use crate::lab_up::Lab;
use std::io::Write as _;
use std::process::Stdio;

const LONG: &str = concat!(
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "@example.org"
);

const MESSAGE: &[u8] = b"From: a@sender.example\nSubject: hello\n\nHello\n.\n";

#[test]
fn addresses_that_cannot_be_sent_to() {
    let place = Workplace::new();
    for (option, address, part) in [
        ("--to", "bob", "no domain"),
        ("--to", "bob@", "nothing after the @"),
        ("--to", "<bob@example.org>", "without <>"),
        ("--to", "Bob <bob@example.org>", "without <>"),
        ("--to", "bob@example.org.", "ends in a dot"),
        ("--to", "", "empty"),
        ("--to", LONG, "more than the 64"),
        ("--to", "@example.org", "nothing before the @"),
        ("--to", "bob smith@example.org", "without quotes"),
        ("--to", "\"bob@example.org", "malformed quoting"),
        ("--to", "bob@exa mple.org", "not a domain name"),
        ("--to", "bob@[192.0.2.300]", "not an address literal"),
        (
            "--to",
            "bob@example.org\r\nRCPT TO:<eve@example.org>",
            "control character",
        ),
        ("--from", "alice", "no domain"),
    ] {
        let (from, to) = match option {
            "--from" => (address, "carol@example.org"),
            _ => ("alice@sender.example", address),
        };
        let arguments = [
            "--format",
            "json",
            "send",
            "--from",
            from,
            "--to",
            to,
            "--to",
            "dave@example.org",
        ];
        let run = place.run_with_input(&arguments, MESSAGE);
        run.assert_refused(65, part);
        assert!(run.stderr.len() < 300, "a line to be read: {run:?}");
        let recipients = run.json()["recipients"].clone();
        let recipients = recipients.as_array().unwrap();
        assert_eq!(recipients.len(), 2, "every recipient is listed: {run:?}");
        for recipient in recipients {
            assert_eq!(recipient["outcome"], "bounced", "{run:?}");
            assert!(recipient.get("mx_host").is_none(), "{run:?}");
        }
    }
}

#[test]
fn messages_that_cannot_be_sent() {
    let place = Workplace::new().with("lone-cr", "Subject: x\n\na\rb\n");
    let send = [
        "send",
        "--from",
        "a@sender.example",
        "--to",
        "b@example.org",
    ];
    for (message, part) in [
        (&b"Subject: x\n\na\rb\n"[..], "line 3"),
        (b"Subject: x\n\nok\na\0b\n", "line 4"),
        (b"Subject: x\r\n\r\nend\r", "carriage return"),
    ] {
        let run = place.run_with_input(&send, message);
        run.assert_refused(65, part);
        assert_eq!(run.stdout, "");
        let mut jsonl = vec!["--format", "jsonl"];
        jsonl.extend(send);
        let run = place.run_with_input(&jsonl, message);
        run.assert_refused(65, part);
        assert_eq!(run.stdout.lines().count(), 1);
        assert_eq!(run.json()["recipients"][0]["outcome"], "bounced");
    }
    let mut from_file = send.to_vec();
    from_file.extend(["--file", "lone-cr"]);
    place.run(&from_file).assert_refused(65, "line 3");
    let mut missing = send.to_vec();
    missing.extend(["--file", "nowhere"]);
    place.run(&missing).assert_refused(74, "nowhere");
}

#[test]
fn root_servers_that_do_not_answer() {
    // The address map of no lab: every address is unreachable at once.
    let place = Workplace::new()
        .with("hints", ". NS a.root.\na.root. A 192.0.2.53\n")
        .with("anchor", crate::bad_configuration::ANCHOR)
        .with("map", "")
        .with(
            "elsinore.toml",
            "[dns]\nroot_hints = \"hints\"\ntrust_anchor = \"anchor\"\n\
             allow_nets = [\"192.0.2.0/24\"]\n[lab]\nmap = \"map\"\n",
        );
    let run = place.run_with_input(
        &[
            "--config",
            "elsinore.toml",
            "--format",
            "json",
            "send",
            "--from",
            "a@sender.example",
            "--to",
            "b@example.org",
        ],
        MESSAGE,
    );
    assert_eq!(run.code, 75, "{run:?}");
    assert_eq!(run.json()["recipients"][0]["outcome"], "deferred");
}

#[test]
fn deliveries_to_a_running_lab() {
    let lab = Lab::up(&[
        "dane-ee",
        "dane-mismatch",
        "null-mx",
        "tlsa-unusable-no-starttls",
    ]);
    let place = Workplace::new();
    let send = |format: &str, recipients: &[&str], message: &[u8]| {
        let mut arguments = vec!["--config", lab.config(), "--format", format, "send"];
        arguments.extend(["--from", "alice@sender.example", "--to"]);
        arguments.extend(recipients);
        place.run_with_input(&arguments, message)
    };

    let run = send(
        "json",
        &["bob@dane-ee.example", "bob@Dane-EE.example"],
        MESSAGE,
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    // The whole shape: a change here is a change of the schema (ADR 0008).
    let expected = serde_json::json!({
        "schema_version": 1,
        "recipients": [{
            "recipient": "bob@dane-ee.example",
            "outcome": "delivered",
            "security": "dane",
            "mx_host": "mx.dane-ee.example",
            "mx_address": run.json()["recipients"][0]["mx_address"],
            "tlsa_base_domain": "mx.dane-ee.example",
            "sni": "mx.dane-ee.example",
            "tls": {
                "version": "TLSv1.3",
                "cipher": run.json()["recipients"][0]["tls"]["cipher"],
                "group": "X25519MLKEM768",
                "backend": "rustls",
            },
            "matched": {"usage": 3, "selector": 1, "matching_type": 1, "depth": 0},
            "reply": run.json()["recipients"][0]["reply"],
            "attempts": [{
                "mx_host": "mx.dane-ee.example",
                "mx_address": run.json()["recipients"][0]["mx_address"],
                "obligation": "dane",
                "outcome": "delivered",
                "findings": [{
                    "rule": "TLSA-USABLE",
                    "rfc": 7672,
                    "section": "2.2",
                    "subject": "mx.dane-ee.example",
                    "evidence": "1 usable of 1 records",
                }],
            }],
        }],
    });
    assert_eq!(run.json(), expected);
    assert!(
        run.json()["recipients"][0]["reply"]
            .as_str()
            .unwrap()
            .starts_with("250 ")
    );

    for (recipient, code, outcome, rule) in [
        ("bob@dane-mismatch.example", 75, "deferred", "TLSA-MISMATCH"),
        ("bob@null-mx.example", 69, "bounced", ""),
        (
            "bob@tlsa-unusable-clear.example",
            75,
            "deferred",
            "TLSA-UNUSABLE",
        ),
    ] {
        let run = send("jsonl", &[recipient], MESSAGE);
        assert_eq!(run.code, code, "{run:?}");
        let result = run.json()["recipients"][0].clone();
        assert_eq!(result["outcome"], outcome, "{run:?}");
        assert!(run.stdout.contains(rule), "{run:?}");
    }

    // Deferred beats bounced beats delivered.
    let run = send(
        "json",
        &[
            "bob@dane-ee.example",
            "bob@null-mx.example",
            "bob@dane-mismatch.example",
        ],
        MESSAGE,
    );
    assert_eq!(run.code, 75, "{run:?}");
    let run = send(
        "json",
        &["bob@dane-ee.example", "bob@null-mx.example"],
        MESSAGE,
    );
    assert_eq!(run.code, 69, "{run:?}");

    // People see who, why, and the line that operators look for.
    let run = send("human", &["bob@dane-ee.example"], b"no header at all\n");
    assert_eq!(run.code, 0, "{run:?}");
    for part in [
        "bob@dane-ee.example: delivered to mx.dane-ee.example[",
        "authenticated by DANE",
        "TLSA-USABLE (RFC 7672 §2.2)",
        "Verified TLS connection established to mx.dane-ee.example[",
    ] {
        assert!(run.stdout.contains(part), "{part:?} in {run:?}");
    }

    // Who is not delivered to learns what to do, and where to read on.
    for (recipients, advice) in [
        (&["bob@dane-ee.example"][..], ""),
        (
            &["bob@dane-mismatch.example"],
            "Deferred: send again later to the deferred recipients only. \
             More: elsinore explain TLSA-MISMATCH\n",
        ),
        (
            &["bob@null-mx.example"],
            "Bounced: sending again will not help before the reason is gone. \
             More: elsinore explain NULL-MX\n",
        ),
        (
            &["bob@null-mx.example", "bob@dane-mismatch.example"],
            "Deferred: send again later to these recipients only. Bounced: do not. \
             More: elsinore explain NULL-MX\n",
        ),
    ] {
        let run = send("human", recipients, MESSAGE);
        assert!(run.stdout.ends_with(advice), "{advice:?}: {run:?}");
        assert_eq!(advice.is_empty(), !run.stdout.contains("send"), "{run:?}");
    }

    // What stdout does not take changes nothing either: sending again would be a duplicate.
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = place
        .command(&["--config", lab.config(), "send", "--from", "<>"])
        .args(["--to", "bob@dane-ee.example"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("cannot print the result"), "{stderr}");
    assert!(
        stderr.contains("bob@dane-ee.example: delivered"),
        "{stderr}"
    );

    // An override that has run out says which, and why it was there.
    let config = std::fs::read_to_string(lab.config()).unwrap();
    let folder = std::path::Path::new(lab.config()).parent().unwrap();
    let config = config
        + "[[destination]]\ndomain = \"dane-ee.example\"\nlevel = \"none\"\n\
        mode = \"exact\"\nexpires = 2020-01-01\nreason = \"ticket 7\"\n";
    let with_override = folder.join("override.toml");
    std::fs::write(&with_override, config).unwrap();
    let run = place.run_with_input(
        &[
            "--config",
            with_override.to_str().unwrap(),
            "send",
            "--from",
            "<>",
            "--to",
            "bob@dane-ee.example",
        ],
        MESSAGE,
    );
    assert_eq!(run.code, 0, "{run:?}");
    for part in ["DESTINATION-EXPIRED", "(ticket 7)", "authenticated by DANE"] {
        assert!(run.stdout.contains(part), "{part:?} in {run:?}");
    }

    // A reader that goes away changes nothing about the outcome.
    let mut child = place
        .command(&[
            "--config",
            lab.config(),
            "send",
            "--from",
            "<>",
            "--to",
            "bob@dane-ee.example",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_spooled_message_has_no_name() {
    let place = Workplace::new();
    let spools = place.path().join("tmp");
    std::fs::create_dir(&spools).unwrap();
    let send = ["send", "--from", "<>", "--to", "b@example.org"];
    let mut child = place
        .command(&send)
        .env("TMPDIR", &spools)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    // More than a pipe holds: when this is written, the spool has been made.
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(&b"x: y\n".repeat(1 << 18)).unwrap();
    assert_eq!(std::fs::read_dir(&spools).unwrap().count(), 0);
    child.kill().unwrap();
    child.wait().unwrap();

    let output = place
        .command(&send)
        .env("TMPDIR", place.path().join("nowhere"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(74), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("nowhere"), "{stderr}");
}

#[test]
fn a_name_for_ehlo_that_is_none() {
    Workplace::new()
        .run(&[
            "send",
            "--from",
            "<>",
            "--to",
            "b@example.org",
            "--helo",
            "a\r\nb",
        ])
        .assert_refused(64, "--helo");
}
