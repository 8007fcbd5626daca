//! MTA-STS around a delivery: when a policy is fetched, kept, and asked for again.

use crate::fixture::{SILENT, Script, World, has, name};
use crate::pki::NOW;
use elsinore_dane::rule::Rule;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_net::deliver::{Outcome, StateFolder, TlsWish};
use elsinore_net::sts::{PolicyCache, StoredPolicy};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const TESTING: &str = "version: STSv1\r\nmode: testing\r\nmx: mx.example\r\nmax_age: 86400\r\n";

fn world() -> World {
    World::new()
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", Some(Script::default()))
}

fn fetches(connections: &[String]) -> usize {
    connections.iter().filter(|ip| *ip == "192.0.2.9").count()
}

/// An enforced policy that names another host than the one there is.
fn elsewhere() -> String {
    TESTING
        .replace("testing", "enforce")
        .replace("mx.example", "old.example")
}

fn state(folder: &tempfile::TempDir) -> StateFolder {
    StateFolder {
        path: folder.path().to_owned(),
        trust: [0; 32],
    }
}

/// A policy with the id 1 that was fetched `age` seconds ago. To be said last: what is stored is
/// stored under the authorities of the world.
fn stored(world: World, folder: &tempfile::TempDir, age: i64, body: &str) -> World {
    let state = state(folder);
    let body = body.to_owned();
    world.adjust(move |config| {
        config.state = Some(state.clone());
        let cache = PolicyCache::new(Some(&state), config.roots.fingerprint());
        let policy = StoredPolicy {
            id: "1".to_owned(),
            fetched: UnixTime(NOW - age),
            body: body.clone().into_bytes(),
        };
        cache.store(&name("example"), &policy).unwrap();
    })
}

/// RFC 8461 §3.3: a fetch that failed is not repeated at once.
#[tokio::test(start_paused = true)]
async fn a_failed_fetch_rests_for_five_minutes() {
    let running = world()
        .sts_record("1", "1")
        .host("mta-sts.example", "192.0.2.9", None)
        .build();
    for (wait, expected) in [(0, 1), (0, 1), (290, 1), (20, 2), (1, 2)] {
        tokio::time::advance(Duration::from_secs(wait)).await;
        let report = running.send(&["a@example"]).await;
        assert_eq!(report.recipients[0].outcome, Outcome::Delivered);
        assert_eq!(fetches(&running.connections()), expected);
    }
}

/// A policy of yesterday that names another host, and what is found when DNS is asked again.
#[tokio::test(start_paused = true)]
async fn a_newer_policy_is_looked_for_before_giving_up() {
    for (fresh, outcome) in [("1", Outcome::Deferred), ("2", Outcome::Delivered)] {
        let folder = tempfile::tempdir().unwrap();
        let world = world()
            .sts_record("1", fresh)
            .policy_host("192.0.2.9", TESTING);
        let running = stored(world, &folder, 3600, &elsewhere()).build();
        let report = running.send(&["a@example"]).await;
        assert_eq!(report.recipients[0].outcome, outcome, "{report:#?}");
        assert!(has(&report, Rule::StsAskedAgain));
        assert_eq!(
            fetches(&running.connections()),
            usize::from(outcome == Outcome::Delivered)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_cannot_be_written_is_said_and_stops_nobody() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // A folder below a file: nothing can be there, and nothing can be made there.
    let state = StateFolder {
        path: file.path().to_owned(),
        trust: [0; 32],
    };
    let running = world()
        .sts_record("1", "1")
        .policy_host("192.0.2.9", TESTING)
        .adjust(move |config| config.state = Some(state.clone()))
        .build();
    let report = running.send(&["a@example"]).await;
    assert_eq!(report.recipients[0].outcome, Outcome::Delivered);
    assert!(has(&report, Rule::StsCacheUnwritable), "{report:#?}");
    assert!(has(&report, Rule::StsCacheUnreadable), "{report:#?}");
    assert!(!has(&report, Rule::StsCacheDamaged), "{report:#?}");
}

/// A host that DANE alone decides about stands before the one that the policy was in the way of.
#[tokio::test(start_paused = true)]
async fn a_newer_policy_is_looked_for_behind_a_host_of_dane() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new()
        .mx(&[(10, "mx1.example"), (20, "mx.example")])
        .host("mx1.example", "192.0.2.1", Some(Script::default()))
        .tlsa("mx1.example", vec![TlsaRecord::new(3, 1, 1, &[7; 32])])
        .host("mx.example", "192.0.2.2", Some(Script::default()))
        .sts_record("1", "2")
        .policy_host("192.0.2.9", TESTING);
    let running = stored(world, &folder, 3600, &elsewhere()).build();
    let report = running.send(&["a@example"]).await;
    assert_eq!(
        report.recipients[0].outcome,
        Outcome::Delivered,
        "{report:#?}"
    );
    assert!(has(&report, Rule::StsAskedAgain));
}

/// RFC 8461 §3.3, §10.2: a policy is fetched again a day after it was, and kept.
#[tokio::test(start_paused = true)]
async fn an_old_policy_is_refreshed_beside_the_delivery() {
    let body = TESTING.replace("86400", "604800");
    for (age, expected) in [(86_000, 0), (86_400, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let world = world()
            .sts_record("1", "1")
            .policy_host("192.0.2.9", TESTING);
        let running = stored(world, &folder, age, &body).build();
        for _ in 0..2 {
            let report = running.send(&["a@example"]).await;
            assert_eq!(report.recipients[0].outcome, Outcome::Delivered);
            assert_eq!(fetches(&running.connections()), expected, "{age}");
        }
    }
}

/// The policy that is refreshed beside it is waited for a little, but not when it is called back.
#[tokio::test(start_paused = true)]
async fn a_delivery_called_back_waits_for_no_policy() {
    let body = TESTING.replace("86400", "604800");
    for (called, seconds) in [(1, 1), (60, 5)] {
        let folder = tempfile::tempdir().unwrap();
        let world = world()
            .sts_record("1", "1")
            .policy_host("192.0.2.9", SILENT);
        let running = stored(world, &folder, 86_400, &body).build();
        let begun = Instant::now();
        let until = sleep(Duration::from_secs(called));
        let report = running
            .send_until(&["a@example"], TlsWish::AsAnnounced, until)
            .await;
        assert_eq!(report.recipients[0].outcome, Outcome::Delivered);
        assert_eq!(begun.elapsed().as_secs(), seconds);
    }
}

/// RFC 8461 §3.3, §10.2: policies are fetched again without mail, whatever DNS says of the record; a
/// fetch that fails leaves them as they are; what has ended is dropped.
#[tokio::test(start_paused = true)]
async fn stored_policies_are_kept_fresh() {
    const WEEK: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.example\r\nmax_age: 604800\r\n";
    const SHORT: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.example\r\nmax_age: 600\r\n";
    const NONE: &str = "version: STSv1\r\nmode: none\r\nmax_age: 604800\r\n";
    const NEWER: &str = "version: STSv1\r\nmode: testing\r\nmx: mx.example\r\nmax_age: 604800\r\n";
    #[derive(Debug, PartialEq)]
    enum Fate {
        Current,
        Fetched,
        Failed,
        Dropped,
    }
    for (body, age, served, record, expected) in [
        (WEEK, 3_600, Some(NEWER), true, Fate::Current),
        (WEEK, 64_000, Some(NEWER), true, Fate::Current),
        (WEEK, 86_400, Some(NEWER), true, Fate::Fetched),
        (WEEK, 86_400, Some(NEWER), false, Fate::Fetched),
        (WEEK, 600_000, Some(NEWER), false, Fate::Fetched),
        (WEEK, 604_800, Some(NEWER), true, Fate::Dropped),
        (WEEK, 86_400, None, true, Fate::Failed),
        (WEEK, 86_400, Some("nonsense"), true, Fate::Failed),
        // Half its life is less than a day.
        (SHORT, 100, Some(NEWER), true, Fate::Current),
        (SHORT, 300, Some(NEWER), true, Fate::Fetched),
        (NONE, 90_000, Some(NEWER), true, Fate::Current),
        (NONE, 604_800, Some(NEWER), true, Fate::Dropped),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut world = world();
        if record {
            world = world.sts_record("2", "2");
        }
        world = match served {
            Some(policy) => world.policy_host("192.0.2.9", policy),
            None => world.host("mta-sts.example", "192.0.2.9", None),
        };
        let roots = std::rc::Rc::new(std::cell::RefCell::new(None));
        let seen = std::rc::Rc::clone(&roots);
        let running = stored(world, &folder, age, body)
            .adjust(move |config| *seen.borrow_mut() = Some(config.roots.fingerprint()))
            .build();
        let look = running.sender.refresh_policies().await.unwrap();
        let counts = (
            look.current,
            look.fetched.len(),
            look.failed.len(),
            look.dropped.len(),
        );
        let fate = match counts {
            (1, 0, 0, 0) => Fate::Current,
            (0, 1, 0, 0) => Fate::Fetched,
            (0, 0, 1, 0) => Fate::Failed,
            (0, 0, 0, 1) => Fate::Dropped,
            other => panic!("{other:?}"),
        };
        assert_eq!(fate, expected, "{body} after {age}: {look:?}");
        let cache = PolicyCache::new(Some(&state(&folder)), roots.borrow().unwrap());
        let kept = cache.load(&name("example")).unwrap();
        let of = |id: &str, fetched: i64, body: &str| {
            Some(StoredPolicy {
                id: id.to_owned(),
                fetched: UnixTime(fetched),
                body: body.as_bytes().to_vec(),
            })
        };
        let wanted = match expected {
            Fate::Current | Fate::Failed => of("1", NOW - age, body),
            Fate::Fetched => of(if record { "2" } else { "1" }, NOW, NEWER),
            Fate::Dropped => None,
        };
        assert_eq!(kept, wanted, "{body} after {age}");
        // A failure rests; then it is tried again.
        let before = fetches(&running.connections());
        let again = running.sender.refresh_policies().await.unwrap();
        assert_eq!(fetches(&running.connections()), before);
        assert_eq!(again.current, usize::from(expected != Fate::Dropped));
        if expected == Fate::Failed {
            tokio::time::advance(Duration::from_secs(7_200)).await;
            let again = running.sender.refresh_policies().await.unwrap();
            assert_eq!(again.failed.len(), 1);
            assert_eq!(fetches(&running.connections()), before + 1);
        }
    }
}

/// The store is asked again in a while: another process may have learnt a policy.
#[tokio::test(start_paused = true)]
async fn what_the_store_said_is_believed_for_half_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let settings = state(&folder);
    let roots = std::rc::Rc::new(std::cell::RefCell::new(None));
    let seen = std::rc::Rc::clone(&roots);
    let running = world()
        .adjust(move |config| {
            config.state = Some(settings.clone());
            *seen.borrow_mut() = Some(config.roots.fingerprint());
        })
        .build();
    let send = async || running.send(&["a@example"]).await.recipients[0].outcome;
    assert_eq!(send().await, Outcome::Delivered);
    let cache = PolicyCache::new(Some(&state(&folder)), roots.borrow().unwrap());
    let policy = StoredPolicy {
        id: "1".to_owned(),
        fetched: UnixTime(NOW),
        body: elsewhere().into_bytes(),
    };
    cache.store(&name("example"), &policy).unwrap();
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(send().await, Outcome::Deferred);
}
