//! The promise of a rollover, as a property: whoever takes each step only when it is allowed never makes
//! a sender, with any records that it may still have in its cache, meet a key that none of them matches.
//!
//! The world is a timeline in minutes. Each server takes over a change of the zone after a time of its
//! own, each address takes over a key after a time of its own, and somebody looks now and then and does
//! what is allowed. Afterwards every version of the records on every server, kept for twice its TTL by
//! caches behind caches, is held against every key at every address at every time.

use crate::keys::{bare, certificate};
use crate::rollover::{ee, goal, presents};
use elsinore_check::publish::material::Material;
use elsinore_check::publish::rollover::{
    Dnssec, Goal, Memory, Observation, Replaces, ServerAnswer, ServerView, Stage, Step, accepts,
    assess, remember,
};
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::{MatchingType, Selector, TlsaRecord};
use proptest::prelude::*;

const MINUTE: i64 = 60;

/// The records of one server, or the chains of one address, since that minute.
#[derive(Debug, Clone)]
struct Since<T> {
    minute: i64,
    value: T,
}

/// What is at `minute`.
fn at<T>(history: &[Since<T>], minute: i64) -> &T {
    let now = history
        .iter()
        .rev()
        .find(|version| version.minute <= minute);
    &now.unwrap().value
}

/// Puts a new version in force at `minute`, never before one that is already to come.
fn change<T>(history: &mut Vec<Since<T>>, minute: i64, value: T) {
    let minute = history
        .last()
        .map_or(minute, |last| minute.max(last.minute));
    history.push(Since { minute, value });
}

#[derive(Debug, Clone)]
struct Zone {
    records: Vec<TlsaRecord>,
    /// Seconds.
    ttl: u32,
}

/// What is drawn by lot.
#[derive(Debug, Clone)]
struct Case {
    server_lags: Vec<i64>,
    address_lags: Vec<i64>,
    /// TTL before, and the one set when records are added, in minutes.
    ttls: (u32, u32),
    published: Vec<(Selector, MatchingType)>,
    has_rsa: bool,
    is_bare: bool,
    pauses: Vec<i64>,
}

fn case() -> impl Strategy<Value = Case> {
    let parameters = prop_oneof![
        Just(vec![(Selector::Spki, MatchingType::Sha256)]),
        Just(vec![(Selector::Cert, MatchingType::Sha256)]),
        Just(vec![
            (Selector::Spki, MatchingType::Sha256),
            (Selector::Spki, MatchingType::Sha512)
        ]),
    ];
    (
        prop::collection::vec(0..120_i64, 1..4),
        prop::collection::vec(0..120_i64, 1..4),
        (1..120_u32, 1..120_u32),
        parameters,
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec(1..90_i64, 5..40),
    )
        .prop_map(
            |(server_lags, address_lags, ttls, published, has_rsa, is_bare, pauses)| Case {
                server_lags,
                address_lags,
                ttls,
                published,
                has_rsa,
                is_bare,
                pauses,
            },
        )
}

/// How obedient the somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Takes steps when they are allowed.
    Obedient,
    /// Gives servers the key as soon as its record is everywhere.
    DoesNotWait,
    /// Removes the old records as soon as one address has the new key.
    RetiresEarly,
    /// Gives servers the key at once when the record was added.
    DeploysWithTheRecord,
}

/// What became of it.
struct End {
    servers: Vec<Vec<Since<Zone>>>,
    addresses: Vec<Vec<Since<Vec<Material>>>>,
    is_done: bool,
    goal: Goal,
}

fn run(case: &Case, manner: Manner) -> End {
    let old = certificate("a", 1);
    let new = certificate("b", 1);
    let rsa = certificate("rsa", 1);
    let names_certificates = case
        .published
        .iter()
        .any(|(part, _)| *part == Selector::Cert);
    let next = if case.is_bare && !names_certificates {
        bare("b")
    } else {
        new.clone()
    };
    let goal = Goal {
        replaces: Replaces::SameAlgorithm,
        ..goal(vec![next])
    };
    let chains = |key: &Material| {
        let mut chains = vec![key.clone()];
        chains.extend(case.has_rsa.then(|| rsa.clone()));
        chains
    };
    let mut records = Vec::new();
    for (selector, digest) in &case.published {
        records.extend(
            chains(&old)
                .iter()
                .map(|chain| ee(chain, *selector, *digest)),
        );
    }
    let mut zone = Zone {
        records,
        ttl: case.ttls.0 * 60,
    };
    let first = |minute| Since {
        minute,
        value: zone.clone(),
    };
    let mut servers: Vec<_> = case
        .server_lags
        .iter()
        .map(|_| vec![first(-10_000)])
        .collect();
    let first = || Since {
        minute: -10_000,
        value: chains(&old),
    };
    let mut addresses: Vec<_> = case.address_lags.iter().map(|_| vec![first()]).collect();
    let mut memory: Option<Memory> = None;
    let (mut minute, mut is_done, mut is_deployed) = (0, false, false);
    // The last pauses are long, so that every rollover comes to its end.
    for pause in case.pauses.iter().copied().chain([600; 12]) {
        let look = Observation {
            began: UnixTime(minute * MINUTE),
            ended: UnixTime(minute * MINUTE + 5),
            dnssec: Dnssec::Secure,
            servers: (servers.iter().enumerate())
                .map(|(number, history)| {
                    let zone: &Zone = at(history, minute);
                    ServerView {
                        server: format!("ns{number}"),
                        answer: ServerAnswer::Records {
                            records: zone.records.clone(),
                            ttl: zone.ttl,
                        },
                    }
                })
                .collect(),
            endpoints: (addresses.iter().enumerate())
                .flat_map(|(number, history)| {
                    let chains: &Vec<Material> = at(history, minute);
                    let address = format!("192.0.2.{number}");
                    chains
                        .iter()
                        .map(move |chain| presents(&address, chain))
                        .collect::<Vec<_>>()
                })
                .collect(),
        };
        memory = Some(remember(memory.take(), &goal, &look));
        let assessment = assess(&goal, &look, memory.as_ref().unwrap());
        let allowed = |step| assessment.against(step).is_empty();
        let mut deploy = false;
        let mut publish = |zone: &Zone| {
            for (history, lag) in servers.iter_mut().zip(&case.server_lags) {
                change(history, minute + lag, zone.clone());
            }
        };
        match &assessment.stage {
            Stage::Publish if allowed(Step::Publish) => {
                let missing = |record: &&TlsaRecord| !zone.records.contains(record);
                let add: Vec<_> = assessment.add.iter().filter(missing).cloned().collect();
                if !add.is_empty() {
                    zone.records.extend(add);
                    zone.ttl = case.ttls.1 * 60;
                    publish(&zone);
                    deploy = manner == Manner::DeploysWithTheRecord;
                }
            }
            Stage::Wait(_) => deploy = manner == Manner::DoesNotWait,
            Stage::Deploy => deploy = allowed(Step::Deploy),
            Stage::Deploying if manner == Manner::RetiresEarly => {
                zone.records
                    .retain(|record| !assessment.remove.contains(record));
                publish(&zone);
            }
            Stage::Retire if allowed(Step::Retire) => {
                zone.records
                    .retain(|record| !assessment.remove.contains(record));
                publish(&zone);
            }
            Stage::Done => is_done = true,
            Stage::Publish | Stage::Deploying | Stage::Retire => {}
        }
        if deploy && !is_deployed {
            is_deployed = true;
            for (history, lag) in addresses.iter_mut().zip(&case.address_lags) {
                change(history, minute + lag, chains(&new));
            }
        }
        minute += pause;
    }
    End {
        servers,
        addresses,
        is_done,
        goal,
    }
}

/// The first sender that is refused, if any: records cached anywhere against keys anywhere.
fn refused_sender(end: &End) -> Option<String> {
    for (server, history) in end.servers.iter().enumerate() {
        for (index, version) in history.iter().enumerate() {
            let replaced = history
                .get(index + 1)
                .map_or(i64::MAX / 2, |next| next.minute);
            if replaced == version.minute {
                continue;
            }
            // Asked for in the last moment, then kept by one cache behind another.
            let kept_until = replaced + 2 * i64::from(version.value.ttl) / MINUTE;
            for (address, keys) in end.addresses.iter().enumerate() {
                for (number, chains) in keys.iter().enumerate() {
                    let gone = keys
                        .get(number + 1)
                        .map_or(i64::MAX / 2, |next| next.minute);
                    let meet = version.minute.max(chains.minute) < kept_until.min(gone);
                    let accepted = |chain: &Material| {
                        accepts(
                            &end.goal.host,
                            &version.value.records,
                            chain.chain(),
                            UnixTime(0),
                        )
                    };
                    if meet && !chains.value.iter().all(accepted) {
                        return Some(format!(
                            "records of minute {} of server {server}, kept until {kept_until}, meet \
                             the keys of minute {} at address {address}",
                            version.minute, chains.minute
                        ));
                    }
                }
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_sender_is_refused(case in case()) {
        let end = run(&case, Manner::Obedient);
        prop_assert_eq!(refused_sender(&end), None);
        prop_assert!(end.is_done, "never came to its end");
        for history in &end.servers {
            let last = &history.last().unwrap().value.records;
            let new = certificate("b", 1);
            let old = certificate("a", 1);
            prop_assert!(accepts(&end.goal.host, last, new.chain(), UnixTime(0)));
            prop_assert!(!accepts(&end.goal.host, last, old.chain(), UnixTime(0)), "not retired");
        }
    }
}

/// The test would notice: each kind of haste makes a sender refuse.
#[test]
fn haste_is_noticed() {
    let case = Case {
        server_lags: vec![0, 50],
        address_lags: vec![0, 100],
        ttls: (60, 60),
        published: vec![(Selector::Spki, MatchingType::Sha256)],
        has_rsa: true,
        is_bare: true,
        pauses: vec![10; 60],
    };
    assert_eq!(refused_sender(&run(&case, Manner::Obedient)), None);
    for manner in [
        Manner::DoesNotWait,
        Manner::RetiresEarly,
        Manner::DeploysWithTheRecord,
    ] {
        assert!(refused_sender(&run(&case, manner)).is_some(), "{manner:?}");
    }
}
