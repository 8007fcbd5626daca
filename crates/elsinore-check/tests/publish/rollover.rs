//! Situations of a rollover: where it stands, and what is refused by which name.

use crate::keys::{bare, certificate};
use elsinore_check::publish::material::{KeyAlgorithm, Material};
use elsinore_check::publish::rollover::{
    Assessment, Dnssec, EndpointView, Goal, Memory, Observation, Presented, Replaces, ServerAnswer,
    ServerView, Step, assess, remember,
};
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::{MatchingType, Selector, TlsaRecord, Usage};
use elsinore_dane::verify::record_for;

const TTL: u32 = 3600;
const NOW: i64 = 1_790_000_000;

pub(crate) fn ee(material: &Material, selector: Selector, digest: MatchingType) -> TlsaRecord {
    record_for(material.leaf(), Usage::DaneEe, selector, digest).unwrap()
}

pub(crate) fn r311(name: &str) -> TlsaRecord {
    ee(&certificate(name, 1), Selector::Spki, MatchingType::Sha256)
}

pub(crate) fn goal(next: Vec<Material>) -> Goal {
    Goal {
        host: DomainName::parse("mx.example.net").unwrap(),
        next,
        current: Vec::new(),
        replaces: Replaces::SameAlgorithm,
    }
}

fn serves(number: usize, records: &[TlsaRecord]) -> ServerView {
    ServerView {
        server: format!("ns{number}"),
        answer: match records {
            [] => ServerAnswer::Absent,
            some => ServerAnswer::Records {
                records: some.to_vec(),
                ttl: TTL,
            },
        },
    }
}

pub(crate) fn presents(address: &str, chain: &Material) -> EndpointView {
    EndpointView {
        address: address.to_owned(),
        algorithm: chain.key().algorithm,
        presented: Presented::Chain(Box::new(chain.clone())),
    }
}

fn look(at: i64, servers: Vec<ServerView>, endpoints: Vec<EndpointView>) -> Observation {
    Observation {
        began: UnixTime(at),
        ended: UnixTime(at + 2),
        dnssec: Dnssec::Secure,
        servers,
        endpoints,
    }
}

/// One look on top of what was remembered.
fn one(goal: &Goal, memory: &mut Option<Memory>, look: &Observation) -> Assessment {
    let after = remember(memory.take(), goal, look);
    let assessment = assess(goal, look, &after);
    *memory = Some(after);
    assessment
}

fn ids(assessment: &Assessment, step: Step) -> Vec<&'static str> {
    let mut ids: Vec<_> = assessment
        .against(step)
        .iter()
        .map(|one| one.id())
        .collect();
    ids.dedup();
    ids
}

/// The whole way, as it should go.
#[test]
fn from_the_first_look_to_the_last() {
    let (old, new) = (certificate("a", 1), bare("b"));
    let goal = goal(vec![new]);
    let (a, b) = (r311("a"), r311("b"));
    let both = [a.clone(), b.clone()];
    let mut memory = None;
    let endpoints = |first: &Material, second: &Material| {
        vec![presents("192.0.2.1", first), presents("192.0.2.2", second)]
    };
    let served = certificate("b", 1);
    let wait = i64::from(2 * TTL);
    let complete = NOW + 600 + 2;
    for (after, servers, endpoints, stage, deploy, retire) in [
        (
            0,
            [vec![a.clone()], vec![a.clone()]],
            endpoints(&old, &old),
            "publish",
            vec!["next-not-published", "next-not-published"],
            vec!["old-key-served", "next-not-served"],
        ),
        (
            300,
            [both.to_vec(), vec![a.clone()]],
            endpoints(&old, &old),
            "publish",
            vec!["next-not-published"],
            vec!["old-key-served", "next-not-served"],
        ),
        (
            600,
            [both.to_vec(), both.to_vec()],
            endpoints(&old, &old),
            "wait",
            vec!["wait-not-over"],
            vec!["old-key-served", "next-not-served"],
        ),
        (
            600 + wait,
            [both.to_vec(), both.to_vec()],
            endpoints(&old, &old),
            "wait",
            vec!["wait-not-over"],
            vec!["old-key-served", "next-not-served"],
        ),
        (
            602 + wait,
            [both.to_vec(), both.to_vec()],
            endpoints(&old, &old),
            "deploy",
            vec![],
            vec!["old-key-served", "next-not-served"],
        ),
        (
            700 + wait,
            [both.to_vec(), both.to_vec()],
            endpoints(&served, &old),
            "deploying",
            vec![],
            vec!["old-key-served", "next-not-served"],
        ),
        (
            800 + wait,
            [both.to_vec(), both.to_vec()],
            endpoints(&served, &served),
            "retire",
            vec![],
            vec![],
        ),
        (
            900 + wait,
            [both.to_vec(), vec![b.clone()]],
            endpoints(&served, &served),
            "retire",
            vec![],
            vec![],
        ),
        (
            1000 + wait,
            [vec![b.clone()], vec![b.clone()]],
            endpoints(&served, &served),
            "done",
            vec![],
            vec![],
        ),
    ] {
        let [first, second] = servers;
        let servers = vec![serves(1, &first), serves(2, &second)];
        let assessment = one(&goal, &mut memory, &look(NOW + after, servers, endpoints));
        let shown = format!("{after}: {assessment:?}");
        assert_eq!(assessment.stage.word(), stage, "{shown}");
        let refused: Vec<_> = assessment
            .against(Step::Deploy)
            .iter()
            .map(|one| one.id())
            .collect();
        assert_eq!(refused, deploy, "{shown}");
        assert_eq!(ids(&assessment, Step::Retire), retire, "{shown}");
        match stage {
            "publish" => assert_eq!(assessment.add, std::slice::from_ref(&b), "{shown}"),
            "retire" => assert_eq!(assessment.remove, std::slice::from_ref(&a), "{shown}"),
            _ => assert!(assessment.add.is_empty(), "{shown}"),
        }
        if after >= 600 {
            assert_eq!(assessment.complete_since, Some(UnixTime(complete)));
            assert_eq!(assessment.wait_until, Some(UnixTime(complete + wait)));
        }
    }
}

/// What is refused in a single look, after a row of looks in which all was as it should be.
#[test]
fn unsafe_steps_have_names() {
    let (old, new) = (certificate("a", 1), certificate("b", 1));
    let (a, b) = (r311("a"), r311("b"));
    let both = vec![a.clone(), b.clone()];
    let silent = |number: usize| ServerView {
        server: format!("ns{number}"),
        answer: ServerAnswer::Nothing("timed out".to_owned()),
    };
    let unreachable = EndpointView {
        address: "192.0.2.2".to_owned(),
        algorithm: KeyAlgorithm::Ecdsa,
        presented: Presented::Nothing("connection refused".to_owned()),
    };
    let good = || vec![serves(1, &both), serves(2, &both)];
    let failed = Dnssec::Failed("bogus".to_owned());
    let at = |chain: &Material| vec![presents("192.0.2.1", chain)];
    let stranger = certificate("c", 1);
    for (name, servers, endpoints, dnssec, step, expected) in [
        (
            "all is well",
            good(),
            at(&old),
            Dnssec::Secure,
            Step::Deploy,
            vec![],
        ),
        (
            "bogus",
            good(),
            at(&old),
            failed.clone(),
            Step::Deploy,
            vec!["dnssec-failed"],
        ),
        (
            "bogus in the end",
            good(),
            at(&new),
            failed,
            Step::Retire,
            vec!["dnssec-failed"],
        ),
        (
            "no server",
            vec![],
            at(&old),
            Dnssec::Secure,
            Step::Deploy,
            vec!["no-server"],
        ),
        (
            "a silent server",
            vec![serves(1, &both), silent(2)],
            at(&old),
            Dnssec::Secure,
            Step::Deploy,
            vec!["server-unreachable"],
        ),
        (
            "a server without",
            vec![serves(1, &both), serves(2, &[])],
            at(&old),
            Dnssec::Secure,
            Step::Deploy,
            vec!["next-not-published", "next-not-published"],
        ),
        (
            "a server not seen before",
            vec![serves(1, &both), serves(3, &both)],
            at(&old),
            Dnssec::Secure,
            Step::Deploy,
            vec!["wait-not-over"],
        ),
        (
            "one of two kept keys without a record",
            good(),
            vec![
                presents("192.0.2.1", &old),
                presents("192.0.2.1", &certificate("rsa", 1)),
            ],
            Dnssec::Secure,
            Step::Deploy,
            vec![
                "next-not-published",
                "key-not-covered",
                "next-not-published",
                "key-not-covered",
            ],
        ),
        (
            "a lost key is no reason to wait for its record",
            good(),
            at(&stranger),
            Dnssec::Secure,
            Step::Deploy,
            vec![],
        ),
        (
            "the old key",
            good(),
            at(&old),
            Dnssec::Secure,
            Step::Retire,
            vec!["old-key-served", "next-not-served"],
        ),
        (
            "an address that is not reached",
            good(),
            vec![presents("192.0.2.1", &new), unreachable],
            Dnssec::Secure,
            Step::Retire,
            vec!["address-unreachable"],
        ),
        (
            "no address",
            good(),
            vec![],
            Dnssec::Secure,
            Step::Retire,
            vec!["no-address"],
        ),
        (
            "a server that has lost the next record",
            vec![serves(1, &both), serves(2, std::slice::from_ref(&a))],
            at(&new),
            Dnssec::Secure,
            Step::Retire,
            vec!["retire-breaks"],
        ),
        (
            "all is verified",
            good(),
            at(&new),
            Dnssec::Secure,
            Step::Verify,
            vec![],
        ),
    ] {
        let goal = goal(vec![new.clone()]);
        let mut memory = None;
        one(&goal, &mut memory, &look(NOW, good(), at(&old)));
        let mut seen = look(NOW + 10_000, servers, endpoints);
        seen.dnssec = dnssec;
        let assessment = one(&goal, &mut memory, &seen);
        let found: Vec<_> = assessment
            .against(step)
            .iter()
            .map(|one| one.id())
            .collect();
        assert_eq!(found, expected, "{name}: {:?}", assessment.against(step));
        for refusal in assessment.against(step) {
            assert!(!refusal.to_string().is_empty());
        }
    }
}

/// Which records are wanted for which sets, and which keys stay.
#[test]
fn combinations_of_parameters() {
    let (a, b) = (certificate("a", 1), certificate("b", 1));
    let rsa = certificate("rsa", 1);
    let (spki, cert) = (Selector::Spki, Selector::Cert);
    let (one, two) = (MatchingType::Sha256, MatchingType::Sha512);
    let record = |material: &Material, selector, digest| ee(material, selector, digest);
    for (name, published, live, next, replaces, expected) in [
        (
            "two digests: both for the next key, or one would hide it",
            vec![record(&a, spki, one), record(&a, spki, two)],
            vec![&a],
            bare("b"),
            Replaces::SameAlgorithm,
            Ok(vec![record(&b, spki, one), record(&b, spki, two)]),
        ),
        (
            "whole certificates",
            vec![record(&a, cert, one)],
            vec![&a],
            b.clone(),
            Replaces::SameAlgorithm,
            Ok(vec![record(&b, cert, one)]),
        ),
        (
            "whole certificates, and only a key",
            vec![record(&a, cert, one)],
            vec![&a],
            bare("b"),
            Replaces::SameAlgorithm,
            Err("certificate-needed"),
        ),
        (
            "an RSA key beside stays and has its record",
            vec![record(&a, spki, one), record(&rsa, spki, one)],
            vec![&a, &rsa],
            bare("b"),
            Replaces::SameAlgorithm,
            Ok(vec![record(&b, spki, one)]),
        ),
        (
            "nothing published: both the old and the new",
            vec![],
            vec![&a],
            bare("b"),
            Replaces::All,
            Ok(vec![record(&b, spki, one), record(&a, spki, one)]),
        ),
        (
            "records nobody can use count for nothing",
            vec![
                TlsaRecord::new(1, 1, 1, &[0; 32]),
                TlsaRecord::new(3, 1, 1, &[0; 4]),
            ],
            vec![&a],
            bare("b"),
            Replaces::All,
            Ok(vec![record(&b, spki, one)]),
        ),
    ] {
        let goal = Goal {
            replaces,
            ..goal(vec![next])
        };
        let endpoints = live
            .iter()
            .map(|chain| presents("192.0.2.1", chain))
            .collect();
        let seen = look(NOW, vec![serves(1, &published)], endpoints);
        let assessment = super::rollover::one(&goal, &mut None, &seen);
        match expected {
            Ok(records) => {
                assert_eq!(assessment.add, records, "{name}");
                assert_eq!(assessment.against(Step::Publish), [], "{name}");
            }
            Err(id) => assert_eq!(ids(&assessment, Step::Publish), [id], "{name}"),
        }
        assert_eq!(assessment.stage.word(), "publish", "{name}");
    }
}

/// A renewed certificate with the same key is a rollover where certificates are published, and none
/// where keys are.
#[test]
fn the_same_key_in_a_new_certificate() {
    let (first, second) = (certificate("a", 1), certificate("a", 2));
    for (selector, stage) in [(Selector::Cert, "publish"), (Selector::Spki, "done")] {
        let published = ee(&first, selector, MatchingType::Sha256);
        let seen = look(
            NOW,
            vec![serves(1, &[published])],
            vec![presents("192.0.2.1", &first)],
        );
        let assessment = one(&goal(vec![second.clone()]), &mut None, &seen);
        assert_eq!(assessment.stage.word(), stage, "{assessment:?}");
    }
}

/// The wait begins anew when it has to, and is not cut short by a TTL that was lowered.
#[test]
fn what_the_wait_counts() {
    let old = certificate("a", 1);
    let both = vec![r311("a"), r311("b")];
    let goal = goal(vec![bare("b")]);
    let with_ttl = |ttl: u32, records: &[TlsaRecord]| ServerView {
        server: "ns1".to_owned(),
        answer: ServerAnswer::Records {
            records: records.to_vec(),
            ttl,
        },
    };
    let endpoints = || vec![presents("192.0.2.1", &old)];
    let mut memory = None;
    let mut at = |time: i64, server: ServerView| {
        one(&goal, &mut memory, &look(time, vec![server], endpoints())).wait_until
    };
    // The TTL from before counts, though it is lower now.
    assert_eq!(at(NOW, with_ttl(86_400, &both[..1])), None);
    let first = Some(UnixTime(NOW + 12 + 2 * 86_400));
    assert_eq!(at(NOW + 10, with_ttl(300, &both)), first);
    // A server that falls silent changes nothing; one that lacks a record begins it anew.
    let silent = ServerView {
        server: "ns1".to_owned(),
        answer: ServerAnswer::Nothing("timed out".to_owned()),
    };
    assert_eq!(at(NOW + 20, silent), first);
    assert_eq!(at(NOW + 30, with_ttl(300, &both[..1])), None);
    let again = Some(UnixTime(NOW + 42 + 2 * 86_400));
    assert_eq!(at(NOW + 40, with_ttl(300, &both)), again);
    // So does a clock that goes backwards, and a month without a look.
    let earlier = Some(UnixTime(NOW + 2 + 2 * 86_400));
    assert_eq!(at(NOW, with_ttl(300, &both)), earlier);
    let later = NOW + 40 * 86_400;
    let forgotten = Some(UnixTime(later + 2 + 600));
    assert_eq!(at(later, with_ttl(300, &both)), forgotten);
}

#[test]
fn the_next_key_is_not_the_current_one() {
    let old = certificate("a", 1);
    let goal = Goal {
        current: vec![bare("a")],
        ..goal(vec![bare("a")])
    };
    let seen = look(
        NOW,
        vec![serves(1, &[r311("a")])],
        vec![presents("192.0.2.1", &old)],
    );
    let assessment = one(&goal, &mut None, &seen);
    assert_eq!(ids(&assessment, Step::Publish), ["next-is-current"]);
}
