//! A generated tree of signed and broken zones, the same questions to Unbound and to this
//! resolver, and every difference explained.
#![allow(missing_docs, reason = "a test binary has no public items")]

mod contents;
#[allow(dead_code, reason = "the tests of the command use all of it")]
#[path = "../../../elsinore/tests/peers/daemon.rs"]
mod daemon;
mod differences;
mod fault;
#[allow(dead_code, reason = "the tests of the command use all of it")]
#[path = "../../../elsinore/tests/peers/namespace.rs"]
mod namespace;
mod oracle;
mod outcome;
mod plan;
mod random;
mod run;
mod servers;
mod sign;

/// The time of every signature check, for us and, in its own words, for Unbound.
const NOW: i64 = 1_780_000_000;
const NOW_IN_WORDS: &str = "20260528202640";

#[test]
fn unbound_and_we_agree() {
    namespace::inside(
        "unbound_and_we_agree",
        &[
            "nsd",
            "knotd",
            "unbound",
            "dnssec-keygen",
            "dnssec-signzone",
            "ldns-signzone",
        ],
        run::all,
    );
}
