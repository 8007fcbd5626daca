//! Every bound on the work of one lookup strikes, with its own reason, and ends in a failure or in
//! what RFC 9276 allows: never in an absence, never in data without its signature.

use crate::net::summary;
use crate::world::{Bench, authority, config, net};
use elsinore_dane::security::Cause;
use elsinore_net::resolver::{Limits, Mode};

struct Bound {
    set: fn(&mut Limits),
    question: &'static str,
    /// The summary, a part of the reason, its kind.
    expected: (&'static str, &'static str, Cause),
}

const BOUNDS: &[Bound] = &[
    Bound {
        set: |limits| limits.alias_links = 2,
        question: "c12.nsec.test A",
        expected: ("SS failed ?", "more than 2 aliases", Cause::AliasLoop),
    },
    Bound {
        set: |_| {},
        question: "loop.nsec.test A",
        expected: (
            "S failed ?",
            "alias loop at loop.nsec.test",
            Cause::AliasLoop,
        ),
    },
    Bound {
        set: |_| {},
        question: "loop1.nsec3.test A",
        expected: ("SS failed ?", "alias loop at loop1", Cause::AliasLoop),
    },
    Bound {
        set: |limits| limits.queries = 3,
        question: "mx.nsec.test A",
        expected: ("- failed ?", "more than 3 queries", Cause::Limit),
    },
    Bound {
        set: |limits| limits.signatures = 2,
        question: "mx.nsec.test A",
        expected: ("- failed B", "more than 2 signature checks", Cause::Limit),
    },
    Bound {
        set: |limits| limits.signatures_per_rrset = 2,
        question: "mx.sigs4.test A",
        expected: ("- failed B", "more than 2 signatures", Cause::Limit),
    },
    Bound {
        set: |_| {},
        question: "mx.sigs100.test A",
        expected: ("- failed B", "more than 8 signatures", Cause::Limit),
    },
    Bound {
        set: |limits| limits.keys_per_tag = 1,
        question: "mx.collide2.test A",
        expected: ("- failed B", "more than 1 keys of tag", Cause::Limit),
    },
    Bound {
        set: |_| {},
        question: "mx.collide20.test A",
        expected: ("- failed B", "more than 4 keys of tag", Cause::Limit),
    },
    Bound {
        set: |limits| limits.nsec3_hashes = 2,
        question: "a.b.c.d.nowhere.nsec3.test A",
        expected: ("- failed B", "more than 2 NSEC3 hashes", Cause::Limit),
    },
    Bound {
        set: |limits| limits.nsec3_iterations_insecure = 9,
        question: "nowhere.iter10.test A",
        expected: (
            "- nxdomain I",
            "10 NSEC3 iterations",
            Cause::Nsec3Iterations,
        ),
    },
    Bound {
        set: |limits| {
            limits.nsec3_iterations_insecure = 0;
            limits.nsec3_iterations_bogus = 9;
        },
        question: "nowhere.iter10.test A",
        expected: (
            "- failed B",
            "10 NSEC3 iterations, more than 9",
            Cause::Nsec3Iterations,
        ),
    },
    Bound {
        set: |limits| limits.referrals = 1,
        question: "mx.nsec.test A",
        expected: ("- failed ?", "more than 1 referrals", Cause::Limit),
    },
    Bound {
        set: |limits| limits.depth = 0,
        question: "mx.glueless.test A",
        expected: (
            "- failed ?",
            "more than 0 lookups of servers inside one another",
            Cause::Limit,
        ),
    },
];

#[tokio::test(start_paused = true)]
async fn each_strikes() {
    let authority = authority();
    let mut wrong = Vec::new();
    for Bound {
        set,
        question,
        expected: (expected, part, cause),
    } in BOUNDS
    {
        let mut config = config(Mode::Recursive, &authority);
        set(&mut config.limits);
        let answer = Bench::with(config, net(&authority)).ask(question).await;
        let status = answer.last.status();
        let got = (summary(&answer), status.cause());
        if got != ((*expected).to_owned(), *cause) || !status.reason().contains(part) {
            wrong.push(format!("{question}: {got:?}: {}", status.reason()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What struck in one lookup is not held against the next.
#[tokio::test(start_paused = true)]
async fn nothing_is_held_against_others() {
    let authority = authority();
    for set in [(|limits| limits.queries = 9) as fn(&mut Limits), |limits| {
        limits.signatures = 7
    }] {
        let mut config = config(Mode::Recursive, &authority);
        set(&mut config.limits);
        let bench = Bench::with(config, net(&authority));
        let mut last = String::new();
        // Each lookup gets a little further, for what it learnt is kept.
        for _ in 0..4 {
            last = summary(&bench.ask("mx.nsec.test A").await);
        }
        assert_eq!(last, "- data S");
    }
}
