//! Machines: the clock, the anchors, the way to the root, port 25.

use crate::world::{MX, World};
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::{Clock, SystemClock};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

const YEAR: i64 = 365 * 86_400;

/// A mail server that says this and no more. It lives as long as the test.
fn mail_server(greeting: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let at = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().flatten() {
            // A client that has gone does not matter.
            let _ = stream.write_all(greeting);
            open.push(stream);
        }
    });
    at
}

/// A port where nobody listens.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address")
}

#[test]
fn a_machine_that_is_well() {
    let world = World::now();
    let machine = world
        .machine()
        .with_mail(mail_server(b"220 mx.good.test ESMTP\r\n"));
    let said = machine.doctor(&[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.object["can_do_dane"], "yes");
    for (area, expected) in [
        ("clock", "ok right"),
        ("root", "ok reachable"),
        ("anchors", "ok current"),
        ("lookups", "ok validating"),
        ("resolver", "note no-file"),
        ("port 25", "ok open"),
        ("state", "ok can-be-made"),
    ] {
        assert_eq!(said.of(area), [expected], "{said:?}");
    }
    // The shape of the JSON (ADR 0008): what is added here may stay away, nothing else may change.
    let keys = |value: &serde_json::Value| -> Vec<String> {
        let object = value.as_object().expect("an object");
        object.keys().cloned().collect()
    };
    assert_eq!(
        keys(&said.object),
        ["can_do_dane", "checks", "schema_version"]
    );
    for check in said.object["checks"].as_array().expect("a list") {
        let keys = keys(check);
        for needed in ["area", "finding", "text", "verdict"] {
            assert!(keys.iter().any(|key| key == needed), "{check}");
        }
        for key in keys {
            let known = [
                "advice", "area", "details", "finding", "subject", "text", "verdict",
            ];
            assert!(known.contains(&key.as_str()), "{key}: {check}");
        }
    }
    // For people: verdict first, one line each where there is nothing to say about it, and the
    // answer at the end.
    let output = machine.run(&["doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("ok    clock: "), "{text}");
    assert_eq!(
        lines.last(),
        Some(&"This machine can do DANE: yes"),
        "{text}"
    );
    let begins = |line: &str| {
        ["ok    ", "note  ", "warn  "]
            .iter()
            .any(|mark| line.starts_with(mark))
    };
    let checks = &lines[..lines.len() - 2];
    assert!(checks.iter().all(|line| begins(line)), "{text}");
}

/// The world was signed for a moment a year away: seen from there, it is our clock that is wrong.
#[test]
fn a_clock_wrong_by_a_year_is_our_clock_and_not_everybody() {
    for (shift, side) in [(YEAR, "behind"), (-YEAR, "ahead")] {
        let world = World::signed_at(SystemClock.now().plus_seconds(shift));
        let machine = world.machine();
        let said = machine.doctor(&["--no-mail"]);
        assert_eq!(said.code, 1, "{said:?}");
        assert_eq!(said.of("clock"), ["fail wrong"], "{said:?}");
        assert_eq!(said.of("lookups"), ["fail clock"], "{said:?}");
        assert_eq!(said.of("anchors"), ["ok current"], "{said:?}");
        let text = said.text_of("clock");
        for part in [
            side,
            "days or more",
            "the root validates",
            "nothing is wrong with their DNS",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }
}

#[test]
fn anchors_of_another_root_are_stale() {
    let world = World::now();
    let anchor = world.folder().join("other-anchor.txt");
    let digest = "0123456789abcdef".repeat(4);
    std::fs::write(&anchor, format!(". DS 20326 8 2 {digest}\n")).expect("a file");
    let machine = (world.machine()).dns(&format!("trust_anchor = \"{}\"\n", anchor.display()));
    let said = machine.doctor(&["--no-mail"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(said.of("clock"), ["ok right"], "{said:?}");
    assert_eq!(said.of("anchors"), ["fail stale"], "{said:?}");
    assert_eq!(said.of("lookups"), ["fail all-bogus"], "{said:?}");
}

#[test]
fn no_way_to_the_root() {
    let world = World::now();
    let said = world.machine().without_roots().doctor(&["--no-mail"]);
    assert_eq!(said.code, 1, "{said:?}");
    for (area, expected) in [
        ("clock", "unknown unknown"),
        ("root", "fail unreachable"),
        ("anchors", "unknown unknown"),
        ("lookups", "fail no-answers"),
        ("port 25", "note left-out"),
    ] {
        assert_eq!(said.of(area), [expected], "{said:?}");
    }
}

#[test]
fn port_25() {
    let world = World::now();
    for (place, arguments, code, expected) in [
        (Some(mail_server(b"220 mx\r\n")), &[][..], 0, "ok open"),
        (
            Some(mail_server(b"554 5.7.1 we do not know you\r\n")),
            &[],
            0,
            "warn unwelcome",
        ),
        (
            Some(mail_server(b"HTTP/1.1 400 Bad Request\r\n")),
            &[],
            1,
            "fail intercepted",
        ),
        (Some(closed_port()), &[], 1, "fail blocked"),
        (None, &["--mail-host", MX], 1, "fail blocked"),
        (
            None,
            &["--mail-host", "@nobody.test"],
            3,
            "unknown not-tried",
        ),
        (None, &["--no-mail"], 0, "note left-out"),
    ] {
        let mut machine = world.machine();
        if let Some(place) = place {
            machine = machine.with_mail(place);
        }
        let said = machine.doctor(arguments);
        assert_eq!(said.of("port 25"), [expected], "{said:?}");
        assert_eq!(said.code, code, "{said:?}");
    }
}

#[test]
fn a_clock_wrong_by_decades() {
    // Signatures of 1970 and of 2100 are read as what they are.
    for moment in [UnixTime(40_000_000), UnixTime(4_100_000_000)] {
        let world = World::signed_at(moment);
        let said = world.machine().doctor(&["--no-mail"]);
        assert_eq!(said.of("clock"), ["fail wrong"], "{said:?}");
        assert!(said.text_of("clock").contains("years or more"), "{said:?}");
    }
}
