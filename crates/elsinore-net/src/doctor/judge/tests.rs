//! Every kind of resolver in every part it can play.

use super::*;
use crate::doctor::ask::Obstacle;

fn portrait(kind: Kind) -> Portrait {
    Portrait {
        kind,
        signatures: Passage::Passed,
        tlsa: Passage::Passed,
        tcp: Passage::Passed,
        large: Passage::Passed,
        udp: Passage::Passed,
        verdict: Passage::Unknown,
        unchecked: Passage::Unknown,
        reasons: Passage::Unknown,
        fastest: Some(Duration::from_millis(2)),
    }
}

fn case(role: Role, portrait: Portrait) -> Case {
    Case {
        server: "127.0.0.1:53".parse().unwrap(),
        role,
        portrait,
        asked: Asked::default(),
    }
}

const SLOW: Duration = Duration::from_secs(1);
const ROLES: [Role; 3] = [Role::Validator, Role::Source, Role::Bystander];

#[test]
fn kinds_by_role() {
    use Verdict::{Fail, Ok, Unknown, Warn};
    for (kind, expected) in [
        (Kind::Validating, [Ok, Ok, Ok]),
        (Kind::SaysSecure, [Unknown, Ok, Verdict::Note]),
        (Kind::Permissive, [Fail, Warn, Warn]),
        (Kind::Silent, [Fail, Ok, Warn]),
        (Kind::NotValidating, [Fail, Ok, Warn]),
        (Kind::Blind, [Fail, Warn, Warn]),
        (Kind::RejectsSigned, [Fail, Fail, Warn]),
        (Kind::Failing, [Fail, Fail, Warn]),
        (Kind::Refusing, [Fail, Fail, Warn]),
        (Kind::NoRecursion, [Fail, Fail, Warn]),
        (Kind::NoEdns, [Fail, Fail, Warn]),
        (Kind::TcpOnly, [Fail, Fail, Warn]),
        (Kind::Garbled, [Fail, Fail, Warn]),
        (Kind::Dead(None), [Fail, Fail, Warn]),
        (Kind::Dead(Some(Obstacle::Refused)), [Fail, Fail, Warn]),
        (Kind::Unclear, [Unknown, Unknown, Warn]),
    ] {
        for (role, expected) in ROLES.into_iter().zip(expected) {
            let checks = judge(&[case(role, portrait(kind))], SLOW);
            assert_eq!(checks[0].verdict, expected, "{kind:?} as {role:?}");
            assert_eq!(checks[0].finding, kind.word());
            assert!(
                checks.iter().all(|check| !check.text.ends_with('.')),
                "{checks:?}"
            );
            assert_eq!(
                checks[0].verdict >= Warn,
                checks[0].advice.is_some() && checks[0].verdict > Verdict::Note,
                "a fault comes with advice: {kind:?} as {role:?}"
            );
        }
    }
}

#[test]
fn losses_by_role() {
    use Verdict::{Fail, Note, Warn};
    let lost = Passage::Lost(Loss::LeftOut);
    let good = portrait(Kind::Validating);
    for (portrait, finding, expected) in [
        (
            Portrait {
                signatures: lost,
                ..good.clone()
            },
            "strips-signatures",
            [Some(Warn), Some(Fail), Some(Warn)],
        ),
        (
            Portrait {
                tlsa: lost,
                ..good.clone()
            },
            "loses-tlsa",
            [Some(Fail), Some(Fail), Some(Warn)],
        ),
        (
            Portrait {
                tcp: lost,
                ..good.clone()
            },
            "no-tcp",
            [Some(Fail), Some(Fail), Some(Warn)],
        ),
        (
            Portrait {
                large: lost,
                ..good.clone()
            },
            "no-tcp",
            [Some(Fail), Some(Fail), Some(Warn)],
        ),
        (
            Portrait {
                unchecked: lost,
                ..good.clone()
            },
            "ignores-cd",
            [None, Some(Warn), None],
        ),
        (
            Portrait {
                reasons: lost,
                ..good.clone()
            },
            "no-reasons",
            [Some(Note), None, None],
        ),
        (
            Portrait {
                fastest: Some(SLOW),
                ..good.clone()
            },
            "slow",
            [Some(Warn), Some(Warn), Some(Warn)],
        ),
    ] {
        for (role, expected) in ROLES.into_iter().zip(expected) {
            let checks = judge(&[case(role, portrait.clone())], SLOW);
            let found = checks.iter().find(|check| check.finding == finding);
            assert_eq!(
                found.map(|check| check.verdict),
                expected,
                "{finding} as {role:?}"
            );
        }
    }
}

#[test]
fn another_upstream_spares_a_dead_one_and_no_liar() {
    let good = case(Role::Validator, portrait(Kind::Validating));
    for (kind, expected) in [
        (Kind::Dead(None), Verdict::Warn),
        (Kind::Failing, Verdict::Warn),
        (Kind::Permissive, Verdict::Fail),
        (Kind::Blind, Verdict::Fail),
    ] {
        let bad = case(Role::Validator, portrait(kind));
        let checks = judge(&[bad.clone(), good.clone()], SLOW);
        assert_eq!(checks[0].verdict, expected, "{kind:?} beside a good one");
        let alone = judge(&[bad.clone(), bad], SLOW);
        assert_eq!(alone[0].verdict, Verdict::Fail, "{kind:?} alone");
    }
}

#[test]
fn the_advice_on_a_permissive_resolver_says_what_it_means() {
    for (role, part) in [
        (Role::Validator, "takes DANE away"),
        (Role::Source, "signatures are checked here"),
        (Role::Bystander, "Postfix"),
    ] {
        let checks = judge(&[case(role, portrait(Kind::Permissive))], SLOW);
        let advice = checks[0].advice.clone().unwrap();
        assert!(advice.contains(part), "{advice}");
        assert!(advice.contains("val-permissive-mode"), "{advice}");
    }
}

#[test]
fn times() {
    for (milliseconds, expected) in [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1.0 s"),
        (2_450, "2.4 s"),
    ] {
        assert_eq!(span(Duration::from_millis(milliseconds)), expected);
    }
}
