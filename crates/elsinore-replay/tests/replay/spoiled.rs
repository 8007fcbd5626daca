//! Files of ours with one thing changed. Each must fail, and for the reason that it has.

use super::{ours, told};
use elsinore_replay::{Verdict, replay};

/// Replaces what stands once in the file, or the occurrence with this number from 0.
struct Change {
    file: &'static str,
    from: &'static str,
    nth: usize,
    to: &'static str,
    /// Part of what the runner says.
    said: &'static str,
}

const fn change(
    file: &'static str,
    from: &'static str,
    nth: usize,
    to: &'static str,
    said: &'static str,
) -> Change {
    Change {
        file,
        from,
        nth,
        to,
        said,
    }
}

const ANSWERS: &str = "answers-ed25519.rpl";
const FORGED: &str = "forged.rpl";
const STEPS: &str = "steps.rpl";

const CHANGES: &[Change] = &[
    // What is expected of the answer.
    change(
        ANSWERS,
        "REPLY QR RD RA AD DO NXDOMAIN",
        0,
        "REPLY QR RD RA AD DO NOERROR",
        "NXDOMAIN, expected NOERROR",
    ),
    change(
        ANSWERS,
        "REPLY QR RD RA AD DO NOERROR",
        0,
        "REPLY QR RD RA DO NOERROR",
        "flags QR RD RA AD DO, expected QR RD RA DO",
    ),
    change(
        ANSWERS,
        "REPLY QR RD RA DO NOERROR",
        0,
        "REPLY QR RD RA AD DO NOERROR",
        "flags QR RD RA DO, expected QR RD RA AD DO",
    ),
    change(
        ANSWERS,
        "MATCH all ttl\nREPLY QR RD RA AD DO NOERROR\nSECTION QUESTION\nwww.castle.example. IN A\nSECTION ANSWER\n",
        0,
        "MATCH all ttl\nREPLY QR RD RA AD DO NOERROR\nSECTION QUESTION\nwww.castle.example. IN A\nSECTION ANSWER\nwww.castle.example. 3600 IN A 192.0.2.99\n",
        "answer lacks www.castle.example. 3600 A 192.0.2.99",
    ),
    change(
        ANSWERS,
        "www.castle.example. 3000 IN A",
        0,
        "www.castle.example. 3600 IN A",
        "answer lacks www.castle.example. 3600 A 192.0.2.80",
    ),
    change(
        ANSWERS,
        "MATCH all\nREPLY QR RD RA AD DO NXDOMAIN",
        0,
        "MATCH all ede=6\nREPLY QR RD RA AD DO NXDOMAIN",
        "no extended error, expected 6",
    ),
    change(
        ANSWERS,
        "MATCH all\nREPLY QR RA DO SERVFAIL",
        0,
        "MATCH all\nREPLY QR RA DO NOERROR",
        "SERVFAIL, expected NOERROR",
    ),
    change(
        FORGED,
        "MATCH all\nREPLY QR RD RA DO SERVFAIL",
        0,
        "MATCH all ede=7\nREPLY QR RD RA DO SERVFAIL",
        "expected 7",
    ),
    // A forgery that the file believes.
    change(
        FORGED,
        "REPLY QR RD RA DO SERVFAIL",
        1,
        "REPLY QR RD RA DO NXDOMAIN",
        "SERVFAIL, expected NXDOMAIN",
    ),
    // What the servers say.
    change(
        ANSWERS,
        "www.castle.example. 3600 IN A 192.0.2.80",
        0,
        "www.castle.example. 3600 IN A 192.0.2.81",
        "SERVFAIL, expected NOERROR",
    ),
    change(
        ANSWERS,
        "REPLY QR AA DO NXDOMAIN\n",
        0,
        "REPLY QR AA DO NXDOMAIN\nHEX_ANSWER_BEGIN\n00\nHEX_ANSWER_END\n",
        "SERVFAIL, expected NXDOMAIN",
    ),
    // The time and the anchor.
    change(
        ANSWERS,
        "20260601000000",
        0,
        "20460601000000",
        "SERVFAIL, expected NOERROR",
    ),
    change(
        ANSWERS,
        "20260601000000",
        0,
        "20250601000000",
        "SERVFAIL, expected NOERROR",
    ),
    change(
        ANSWERS,
        "66FC113E",
        0,
        "66FC113F",
        "SERVFAIL, expected NOERROR",
    ),
    change(
        ANSWERS,
        "castle.example. IN DS",
        0,
        "other.example. IN DS",
        "flags QR RD RA DO, expected QR RD RA AD DO",
    ),
    // Steps.
    change(
        STEPS,
        "STEP 20 CHECK_OUT_QUERY ADDRESS 192.0.2.53",
        0,
        "STEP 20 CHECK_OUT_QUERY ADDRESS 192.0.2.54",
        "step 20 (line 34): no such question was put",
    ),
    change(STEPS, "MATCH qname UDP", 0, "MATCH qname TCP", "step 70"),
    change(
        STEPS,
        "www2.castle.example. 3300 IN A",
        0,
        "www2.castle.example. 3301 IN A",
        "step 230",
    ),
    change(
        STEPS,
        "TIME_PASSES EVAL ${$wait + 100}",
        0,
        "TIME_PASSES EVAL ${$weight}",
        "no variable \"weight\"",
    ),
    change(
        STEPS,
        "REPLY QR RD RA NOERROR\nSECTION QUESTION\nbig.castle.example. IN TXT\nSECTION ANSWER\nbig",
        0,
        "REPLY QR RD RA NOERROR\nSECTION QUESTION\nbig.castle.example. IN TXT\nSECTION ANSWER\nlarge",
        "answer lacks large.castle.example.",
    ),
    change(
        STEPS,
        "\nSCENARIO_END",
        0,
        "\nSTEP 600 QUERY\nENTRY_BEGIN\nREPLY RD\nSECTION QUESTION\nlate.castle.example. IN A\nENTRY_END\nSCENARIO_END",
        "an answer that no step checks: late.castle.example. A",
    ),
    change(
        STEPS,
        "STEP 1 NOTHING",
        0,
        "STEP 1 TIMEOUT",
        "no question waits for an answer",
    ),
    // What the runner does not know.
    change(
        STEPS,
        "STEP 1 NOTHING",
        0,
        "STEP 1 DANCE",
        "step \"DANCE\" is not supported",
    ),
    change(
        STEPS,
        "STEP 1 NOTHING",
        0,
        "STEP 1 INFRA_RTT 192.0.2.53 castle.example. 100",
        "INFRA_RTT",
    ),
    change(
        STEPS,
        "MATCH qname TCP",
        0,
        "MATCH qname QUIC",
        "line 74: MATCH QUIC is not supported",
    ),
    change(
        STEPS,
        "ADJUST copy_query sleep=1",
        0,
        "ADJUST copy_that",
        "ADJUST copy_that is not supported",
    ),
    change(
        STEPS,
        "REPLY QR AA TC",
        0,
        "REPLY QR AA XX",
        "REPLY XX is not supported",
    ),
    change(
        STEPS,
        "ADDRESS 192.0.2.53\n$ORIGIN",
        0,
        "ADDRESS nowhere\n$ORIGIN",
        "\"nowhere\" is no address",
    ),
    change(STEPS, "192.0.2.84\n", 0, "192.0.2\n", "malformed A"),
    change(
        STEPS,
        "stub-zone:",
        0,
        "stub-zone:\n\tstub-tls-upstream: yes",
        "stub-tls-upstream: yes is not supported",
    ),
    change(
        STEPS,
        "server:",
        0,
        "server:\n\tdance: yes",
        "line 3: option dance: yes is not supported",
    ),
    change(STEPS, "ENTRY_END", 0, "", "no type after"),
    change(
        STEPS,
        "\nSCENARIO_END",
        0,
        "\n",
        "the file ends before SCENARIO_END",
    ),
    change(
        STEPS,
        "00 00 84",
        0,
        "00 0 84",
        "not a whole number of hexadecimal octets",
    ),
];

#[test]
fn spoiled_files_fail() {
    let mut faults = Vec::new();
    for change in CHANGES {
        let text = std::fs::read_to_string(ours().join(change.file)).unwrap();
        let (at, _) = text
            .match_indices(change.from)
            .nth(change.nth)
            .unwrap_or_else(|| panic!("{}: no {:?}", change.file, change.from));
        let after = &text[at + change.from.len()..];
        let outcome = replay(&format!("{}{}{after}", &text[..at], change.to));
        let told = told(&outcome);
        let context = format!(
            "{}: {:?} for {:?}: {told}",
            change.file, change.to, change.from
        );
        if !matches!(outcome.verdict, Verdict::Failed(_)) || !told.contains(change.said) {
            faults.push(context);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_is_no_resolver_is_skipped() {
    for (options, reason) in [
        ("rpz:\n\tname: \"x.\"", "response policy zones"),
        (
            "server:\n\taccess-control: 192.0.2.0/24 refuse",
            "turns clients away",
        ),
        (
            "server:\n\tmodule-config: \"python validator iterator\"",
            "no resolver",
        ),
        (
            "server:\n\tlocal-data: \"x. A 192.0.2.1\"",
            "data of its own",
        ),
    ] {
        let outcome = replay(&format!(
            "{options}\nCONFIG_END\nSCENARIO_BEGIN x\nSCENARIO_END\n"
        ));
        match &outcome.verdict {
            Verdict::Skipped(said) => assert!(said.contains(reason), "{said}"),
            other => panic!("{options}: {other}"),
        }
    }
}

/// What checks nothing has not passed.
#[test]
fn files_without_a_scenario_fail() {
    for (text, said) in [
        ("", "ends before CONFIG_END"),
        ("CONFIG_END\n", "ends before SCENARIO_BEGIN"),
        ("CONFIG_END\nSCENARIO_BEGIN x\n", "ends before SCENARIO_END"),
        ("CONFIG_END\nSCENARIO_BEGIN x\nSCENARIO_END\n", "no step"),
        ("\u{0}\u{1b}[31m\n", "line 1"),
    ] {
        match &replay(text).verdict {
            Verdict::Failed(reason) => assert!(reason.contains(said), "{text:?}: {reason}"),
            other => panic!("{text:?}: {other}"),
        }
    }
}

/// A key of DSA, or of RSA with 512 bits, validates here and in no build.
#[test]
fn old_algorithms_are_of_the_runner_alone() {
    use elsinore_net::resolver::{Cryptography, OpenSsl};
    for algorithm in [1, 3, 6, 12] {
        assert!(!OpenSsl::default().supports(algorithm), "{algorithm}");
    }
}
