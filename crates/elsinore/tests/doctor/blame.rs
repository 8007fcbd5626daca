//! A lookup fails while mail is sent or a name looked up: is it their DNS or ours?

use crate::world::{Machine, World};
use elsinore_net::clock::{Clock, SystemClock};

const YEAR: i64 = 365 * 86_400;

/// What `send` to that domain says of whose fault it is: the rule, and the reply.
fn send(machine: &Machine<'_>, domain: &str) -> (Vec<String>, String) {
    let message = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(message.path(), "Subject: test\r\n\r\nHello\r\n").expect("a message");
    let to = format!("bob@{domain}");
    let file = message.path().display().to_string();
    let output = machine.run(&[
        "--format",
        "json",
        "send",
        "--from",
        "alice@client.test",
        "--to",
        &to,
        "--file",
        &file,
    ]);
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let recipient = &object["recipients"][0];
    let findings = recipient["findings"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let rules = (findings.iter())
        .filter_map(|finding| finding["rule"].as_str())
        .filter(|rule| rule.ends_with("-DNS-FAILS"))
        .map(str::to_owned)
        .collect();
    let reply = recipient["reply"].as_str().unwrap_or_default().to_owned();
    (rules, reply)
}

/// What `dns` says of whose fault it is: the word, and the remark for people.
fn dns(machine: &Machine<'_>, arguments: &[&str]) -> (String, String) {
    let json = machine.run(&[&["--format", "json", "dns"], arguments].concat());
    let object: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let human = machine.run(&[&["dns"], arguments].concat());
    let text = String::from_utf8(human.stdout).expect("text");
    let whose = object["fault"]["whose"].as_str().unwrap_or("-").to_owned();
    (whose, text)
}

#[test]
fn theirs_and_ours_are_two_messages() {
    let world = World::now();
    let anchor = world.folder().join("other-anchor.txt");
    let digest = "0123456789abcdef".repeat(4);
    std::fs::write(&anchor, format!(". DS 20326 8 2 {digest}\n")).expect("a file");
    let stale = format!("trust_anchor = \"{}\"\n", anchor.display());
    let behind = World::signed_at(SystemClock.now().plus_seconds(YEAR));
    for (machine, rule, whose, part) in [
        (
            world.machine(),
            "THEIR-DNS-FAILS",
            "theirs",
            "their DNS is broken, ours works",
        ),
        (
            world.machine().without_roots(),
            "OUR-DNS-FAILS",
            "ours",
            "our own DNS is broken: no root server or upstream resolver answers",
        ),
        (
            world.machine().dns(&stale),
            "OUR-DNS-FAILS",
            "ours",
            "our own DNS is broken: no trust anchor fits the root's keys",
        ),
        (
            behind.machine(),
            "OUR-DNS-FAILS",
            "ours",
            "our own DNS is broken: our clock is behind",
        ),
    ] {
        let (rules, reply) = send(&machine, "forged.test");
        assert_eq!(rules, [rule], "{reply}");
        assert!(reply.contains(part), "no {part:?} in {reply}");
        let (word, text) = dns(&machine, &["forged.test", "A"]);
        assert_eq!(word, whose, "{text}");
        assert!(text.contains(part), "no {part:?} in {text}");
        // An extended error of our own says its reason once.
        assert!(text.contains("    extended error "), "{text}");
        assert!(!text.contains("): \""), "{text}");
    }
}

/// Where nothing failed, nothing is said and nobody is asked.
#[test]
fn a_lookup_that_succeeds_blames_nobody() {
    let world = World::now();
    for arguments in [
        ["good.test", "A"],
        ["nowhere.good.test", "A"],
        ["plain.test", "A"],
    ] {
        let (whose, text) = dns(&world.machine(), &arguments);
        assert_eq!(whose, "-", "{text}");
        assert!(!text.contains("broken"), "{text}");
    }
}
