//! Zones whose signatures, keys or DS records are not what they ought to be.

use crate::net::summary;
use crate::world::{Bench, authority, config, net};
use elsinore_net::resolver::{Mode, OpenSsl, ResolverConfig, Sha1Signatures};

pub(crate) const BROKEN: &[(&str, &str, &str)] = &[
    ("a.badsig.test A", "- failed B", "does not verify"),
    ("b.badsig.test A", "- data S", "signed by badsig.test"),
    ("badmx.test MX", "- failed B", "does not verify"),
    ("mx.badmx.test A", "- data S", "signed by badmx.test"),
    (
        "_25._tcp.mx.badtlsa.test TLSA",
        "- failed B",
        "does not verify",
    ),
    ("mx.badtlsa.test A", "- data S", "signed by badtlsa.test"),
    ("mx.badkeys.test A", "- failed B", "badkeys.test DNSKEY"),
    ("mx.expired.test A", "- failed B", "expired"),
    ("mx.future.test A", "- failed B", "not valid for another"),
    (
        "mx.nosig.test A",
        "- failed B",
        "no signature, though nosig.test is signed",
    ),
    ("nosig.test MX", "- data S", "signed by nosig.test"),
    ("mx.stripped.test A", "- data S", "signed by stripped.test"),
    (
        "nowhere.stripped.test A",
        "- failed B",
        "denied without proof",
    ),
    ("mx.stripped.test TXT", "- failed B", "denied without proof"),
    ("x.wild.stripped.test A", "- failed B", "no NSEC"),
    (
        "mx.nokeys.test A",
        "- failed B",
        "nokeys.test publishes no DNSKEY",
    ),
    ("mx.revoked.test A", "- failed B", "revoked.test"),
    ("mx.replaced.test A", "- failed B", "does not verify"),
    (
        "mx.wrongds.test A",
        "- failed B",
        "no key of wrongds.test matches",
    ),
    (
        "mx.otherds.test A",
        "- failed B",
        "no key of otherds.test matches",
    ),
    ("mx.mixedds.test A", "- data S", "signed by mixedds.test"),
    ("mx.sha1ds.test A", "- data S", "signed by sha1ds.test"),
    ("mx.sha384ds.test A", "- data S", "signed by sha384ds.test"),
    // RFC 4509 §3: the right SHA-1 digest does not save a wrong SHA-256.
    (
        "mx.weakds.test A",
        "- failed B",
        "no key of weakds.test matches",
    ),
    ("mx.newalgds.test A", "- data I", "unknown algorithm 200"),
    ("mx.newdigest.test A", "- data I", "unknown digest type 99"),
    ("mx.alg99.test A", "- data I", "unknown algorithm 99"),
    (
        "nowhere.alg99.test A",
        "- nxdomain I",
        "unknown algorithm 99",
    ),
    ("mx.alg5.test A", "- data S", "signed by alg5.test"),
    ("mx.alg7.test A", "- data S", "signed by alg7.test"),
    ("mx.alg8.test A", "- data S", "signed by alg8.test"),
    ("mx.alg10.test A", "- data S", "signed by alg10.test"),
    ("mx.alg14.test A", "- data S", "signed by alg14.test"),
    ("mx.alg15.test A", "- data S", "signed by alg15.test"),
    ("mx.alg16.test A", "- data S", "signed by alg16.test"),
    ("mx.rsa512.test A", "- data S", "signed by rsa512.test"),
    ("mx.rsa4096.test A", "- data S", "signed by rsa4096.test"),
    ("mx.split.test A", "- data S", "signed by split.test"),
    (
        "nowhere.split.test A",
        "- nxdomain S",
        "denied by split.test",
    ),
    // KeyTrap: few extra keys or signatures are put up with, many are not.
    ("mx.collide2.test A", "- data S", "signed by collide2.test"),
    ("mx.collide20.test A", "- failed B", "keys of tag"),
    ("mx.sigs4.test A", "- data S", "signed by sigs4.test"),
    ("mx.sigs100.test A", "- failed B", "more than 8 signatures"),
    // NSEC3 iterations: positive answers are not concerned.
    ("mx.iter501.test A", "- data S", "signed by iter501.test"),
    (
        "nowhere.iter10.test A",
        "- nxdomain S",
        "denied by iter10.test",
    ),
    (
        "nowhere.iter100.test A",
        "- nxdomain S",
        "denied by iter100.test",
    ),
    (
        "nowhere.iter101.test A",
        "- nxdomain I",
        "101 NSEC3 iterations",
    ),
    ("mx.iter150.test TXT", "- nodata I", "150 NSEC3 iterations"),
    (
        "nowhere.iter500.test A",
        "- nxdomain I",
        "500 NSEC3 iterations",
    ),
    (
        "nowhere.iter501.test A",
        "- failed B",
        "501 NSEC3 iterations",
    ),
    ("x.wild.iter150.test A", "- data I", "150 NSEC3 iterations"),
];

async fn check(mode: Mode) {
    let bench = Bench::new(mode);
    let mut wrong = Vec::new();
    for (question, expected, part) in BROKEN {
        let answer = bench.ask(question).await;
        let (got, reason) = (summary(&answer), answer.last.status().reason());
        if got != *expected || !reason.contains(part) {
            wrong.push(format!(
                "{question}: {got}, not {expected} ({part}): {reason}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{mode:?}\n{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn recursive() {
    check(Mode::Recursive).await;
}

#[tokio::test(start_paused = true)]
async fn forward() {
    check(Mode::Forward).await;
}

#[tokio::test(start_paused = true)]
async fn sha1_by_setting() {
    let authority = authority();
    let strict = ResolverConfig {
        cryptography: std::sync::Arc::new(OpenSsl {
            sha1: Sha1Signatures::Unknown,
        }),
        ..config(Mode::Recursive, &authority)
    };
    let bench = Bench::with(strict, net(&authority));
    for question in ["mx.alg5.test A", "mx.alg7.test A"] {
        assert_eq!(
            summary(&bench.ask(question).await),
            "- data I",
            "{question}"
        );
    }
    assert_eq!(summary(&bench.ask("mx.alg8.test A").await), "- data S");
}
