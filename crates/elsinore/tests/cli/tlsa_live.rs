//! `elsinore tlsa` against running servers: those of the lab.

use crate::command::{Run, Workplace};
use crate::lab_up::Lab;

fn run(place: &Workplace, lab: &Lab, words: &str) -> Run {
    let mut arguments = vec!["--config", lab.config()];
    arguments.extend(words.split(' '));
    place.run(&arguments)
}

/// What is published for the lab's host, by the resolver's word.
fn published(place: &Workplace, lab: &Lab) -> String {
    let words = "dns _25._tcp.mx.dane-ee.example TLSA";
    let run = run(place, lab, words);
    let line = run
        .stdout
        .lines()
        .find(|line| line.contains(" TLSA 3 1 1 "));
    let line = line.unwrap_or_else(|| panic!("{run:?}"));
    line.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn from_a_running_server_to_records_and_pins() {
    let lab = Lab::up(&["dane-ee"]);
    let place = Workplace::new().with("message.eml", "Subject: x\r\n\r\ny\r\n");
    let digest = published(&place, &lab);

    let made = run(&place, &lab, "tlsa make mx.dane-ee.example");
    assert_eq!(made.code, 0, "{made:?}");
    let records: Vec<&str> = made
        .stdout
        .lines()
        .filter(|line| !line.starts_with(';'))
        .collect();
    let owner = "_25._tcp.mx.dane-ee.example.";
    assert_eq!(records, [format!("{owner} 3600 IN TLSA 3 1 1 {digest}")]);

    let pin = "tlsa pin mx.dane-ee.example --domain dane-ee.example";
    let pinned = run(&place, &lab, pin);
    assert_eq!(pinned.code, 0, "{pinned:?}");
    assert!(pinned.stdout.starts_with("# COMPARE FIRST."), "{pinned:?}");
    let json = run(&place, &lab, &format!("{pin} --format json")).json();
    assert_eq!(json["pins"][0]["pin"], format!("sha256:{digest}"));
    assert_eq!(json["pins"][0]["authenticated_by_dane"], true);
    // Both addresses, IPv6 and IPv4, have the one key.
    assert_eq!(json["pins"].as_array().unwrap().len(), 1);
    assert_eq!(json["pins"][0]["presented_by"].as_array().unwrap().len(), 2);
    assert_eq!(json["unseen"].as_array().unwrap().len(), 0);

    // The entry is one that the configuration takes, and the pin is the one that is checked.
    let configuration = std::fs::read_to_string(lab.config()).unwrap();
    let send = |entry: &str| {
        // Beside the lab's own, whose paths are relative.
        let path = std::path::Path::new(lab.config()).with_file_name("pinned.toml");
        std::fs::write(&path, format!("{configuration}\n{entry}")).unwrap();
        place.run(&[
            "--config",
            path.to_str().unwrap(),
            "send",
            "--from",
            "alice@sender.example",
            "--to",
            "bob@dane-ee.example",
            "--file",
            "message.eml",
            "--format",
            "json",
        ])
    };
    let sent = send(&pinned.stdout);
    assert_eq!(sent.code, 0, "{sent:?}");
    let wrong = pinned.stdout.replace(&digest, &"0".repeat(64));
    let refused = send(&wrong);
    assert_eq!(refused.code, 75, "{refused:?}");
}

#[test]
fn nothing_is_made_of_what_was_not_seen() {
    let lab = Lab::up(&["dane-ee"]);
    let place = Workplace::new();
    let make = run(&place, &lab, "tlsa make absent.dane-ee.example");
    make.assert_refused(75, "showed no certificate");
    let pin = run(&place, &lab, "tlsa pin absent.dane-ee.example");
    pin.assert_refused(75, "nothing to pin");
    assert!(!pin.stdout.contains("[[destination]]"), "{pin:?}");
    for (words, part) in [
        ("tlsa pin 192.0.2.1", "an address has no TLSA records"),
        ("tlsa pin mx.test:0", "is not a port"),
        ("tlsa pin *.test", "a wildcard is not a host"),
        ("tlsa pin", "HOST"),
        ("tlsa make mx.test --certificate x", "cannot be used with"),
        ("tlsa make --incomplete --key x", "HOST"),
    ] {
        run(&place, &lab, words).assert_refused(64, part);
    }
}
