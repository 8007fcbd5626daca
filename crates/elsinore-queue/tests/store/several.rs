//! Several relays on one queue, and servers that are not taken.

use crate::place::{Place as _, Postgres, postgres};
use crate::sample::{
    LONG, NOW, Store, all_jobs, at, claim, claim_of, claim_one, claim_soon, done, keep, message,
    only, settle, until,
};
use elsinore_queue::error::StoreError;
use elsinore_queue::job::{Lease, Settled, Settlement};
use elsinore_queue::postgres::PostgresStore;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// So many relays.
async fn relays(place: &Postgres, count: usize) -> Vec<Store> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(place.open().await);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_share_no_job() {
    const JOBS: usize = 600;
    let Some(place) = postgres() else { return };
    let stores = relays(&place, 3).await;
    let names: Vec<String> = (0..5).map(|number| format!("d{number}.example")).collect();
    for number in 0..JOBS {
        keep(&stores[number % 3], message(&[names[number % 5].as_str()])).await;
    }
    let mut workers = Vec::new();
    for store in stores.iter().chain(&stores) {
        let (store, names) = (Arc::clone(store), names.clone());
        workers.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let mut wanted = claim_of(&[], NOW, LONG);
                wanted.from = names.iter().map(|name| (name.clone(), 4)).collect();
                let jobs = store.claim(wanted).await.expect("a claim");
                let settlements = jobs.iter().map(|job| done(job.lease)).collect();
                let answers = store.settle(settlements).await.expect("settled");
                assert!(answers.iter().all(|answer| *answer == Settled::Done));
                mine.extend(jobs.iter().map(|job| job.lease.job));
                if jobs.is_empty() && all_jobs(&store).await.is_empty() {
                    break;
                }
            }
            mine
        }));
    }
    let mut all = Vec::new();
    for worker in workers {
        let ended = tokio::time::timeout(Duration::from_secs(60), worker).await;
        all.extend(ended.expect("something is stuck").expect("a worker"));
    }
    let different: BTreeSet<_> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (JOBS, JOBS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_froze_settles_nothing() {
    const JOBS: usize = 50;
    let Some(place) = postgres() else { return };
    let stores = relays(&place, 2).await;
    for _ in 0..JOBS {
        keep(&stores[0], message(&["example.org"])).await;
    }
    let short = claim_of(&["example.org"], NOW, Duration::from_millis(300));
    let frozen = stores[0].claim(short).await.expect("claimed");
    assert_eq!(frozen.len(), JOBS);
    // The first one stands still. The other takes over once the leases have ended: half of the jobs it
    // is done with, half it still works on.
    let mut taken = BTreeMap::new();
    until("all leases end", async || {
        for job in claim(&stores[1], &["example.org"]).await {
            taken.insert(job.lease.job, job.lease);
        }
        (taken.len() == JOBS).then_some(())
    })
    .await;
    let taken: Vec<Lease> = taken.into_values().collect();
    let mut notices = BTreeSet::new();
    let mut settlements = Vec::new();
    for lease in &taken[..JOBS / 2] {
        let notice = message(&["sender.example"]);
        notices.insert(notice.id);
        settlements.push(Settlement {
            notices: vec![notice],
            ..done(*lease)
        });
    }
    let answers = stores[1].settle(settlements).await.expect("settled");
    assert!(answers.iter().all(|answer| *answer == Settled::Done));
    // It awakes, and believes that its work counts.
    let late = frozen
        .iter()
        .map(|job| Settlement {
            notices: vec![message(&["sender.example"])],
            ..done(job.lease)
        })
        .collect();
    let answers = stores[0].settle(late).await.expect("an answer");
    assert_eq!(answers, vec![Settled::Lost; JOBS]);
    let leases = frozen.iter().map(|job| job.lease).collect();
    let renewed = stores[0].renew(leases, LONG).await.expect("an answer");
    assert_eq!(renewed, vec![Settled::Lost; JOBS]);
    for lease in &taken[JOBS / 2..] {
        assert_eq!(settle(&stores[1], done(*lease)).await, Settled::Done);
    }
    let left: BTreeSet<_> = all_jobs(&stores[0])
        .await
        .iter()
        .map(|view| view.message.id)
        .collect();
    assert_eq!(left, notices);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_jobs_of_a_relay_that_died_go_to_another() {
    let Some(place) = postgres() else { return };
    let mut stores = relays(&place, 2).await;
    let id = keep(&stores[0], message(&["example.org"])).await;
    let short = claim_of(&["example.org"], NOW, Duration::from_millis(300));
    let before = only(stores[0].claim(short).await.expect("claimed"));
    drop(stores.remove(0));
    let after = only(claim_soon(&stores[0], "example.org").await);
    assert_eq!(after.message.id, id);
    assert!(after.lease.epoch > before.lease.epoch);
    assert_eq!(settle(&stores[0], done(after.lease)).await, Settled::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_two_jobs_of_a_message_end_at_once() {
    let Some(place) = postgres() else { return };
    let stores = relays(&place, 2).await;
    for _ in 0..20 {
        let id = keep(&stores[0], message(&["a.example", "b.example"])).await;
        let first = claim_one(&stores[0], "a.example").await;
        let second = claim_one(&stores[1], "b.example").await;
        let (one, two) = tokio::join!(
            settle(&stores[0], done(first.lease)),
            settle(&stores[1], done(second.lease))
        );
        assert_eq!((one, two), (Settled::Done, Settled::Done));
        assert!(matches!(stores[0].body(id).await, Err(StoreError::Unknown)));
    }
    let stats = stores[0].stats(NOW).await.expect("stats");
    assert_eq!((stats.messages, stats.jobs, stats.octets), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_wake_each_other() {
    let Some(place) = postgres() else { return };
    let stores = relays(&place, 2).await;
    let mut wakeups = stores[1].wakeups();
    // It listens by now, or will hear of itself once it does: asked again and again.
    until("a first wake-up", async || {
        keep(&stores[0], message(&["example.org"])).await;
        wakeups.has_changed().expect("a store").then_some(())
    })
    .await;
    // And not once only.
    for _ in 0..3 {
        wakeups.mark_unchanged();
        keep(&stores[0], message(&["example.org"])).await;
        until("a wake-up", async || {
            wakeups.has_changed().expect("a store").then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_that_start_at_once_make_the_tables_once() {
    let Some(place) = postgres() else { return };
    let mut starts = Vec::new();
    for _ in 0..6 {
        let settings = place.settings();
        starts.push(tokio::spawn(
            async move { PostgresStore::open(&settings).await },
        ));
    }
    let mut stores: Vec<Store> = Vec::new();
    for start in starts {
        stores.push(Arc::new(start.await.expect("no panic").expect("opens")));
    }
    keep(&stores[0], message(&["example.org"])).await;
    assert_eq!(all_jobs(&stores[5]).await.len(), 1);
}

/// Runs SQL beside the store.
pub(crate) async fn sql(place: &Postgres, statements: &str) {
    try_sql(place, statements).await.expect("runs");
}

/// Runs SQL that may fail.
pub(crate) async fn try_sql(
    place: &Postgres,
    statements: &str,
) -> Result<(), tokio_postgres::Error> {
    let settings = place.settings();
    let (client, connection) = tokio_postgres::connect(&settings.connection, tokio_postgres::NoTls)
        .await
        .expect("connects");
    let driving = tokio::spawn(connection);
    let statements = statements.replace("{schema}", &settings.schema);
    let outcome = client.batch_execute(&statements).await;
    driving.abort();
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_is_refused() {
    let Some(place) = postgres() else { return };
    let store = place.open().await;
    keep(&store, message(&["example.org"])).await;
    store.close().await.expect("closes");
    sql(&place, "UPDATE {schema}.version SET number = 9000").await;
    let refused = PostgresStore::open(&place.settings()).await;
    assert!(
        matches!(refused, Err(StoreError::Newer { found: 9000, .. })),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn octets_that_changed_are_not_delivered() {
    let Some(place) = postgres() else { return };
    let store = place.open().await;
    let id = keep(&store, message(&["example.org"])).await;
    let flip = "UPDATE {schema}.body SET octets = set_byte(octets, 9, 0)";
    sql(&place, flip).await;
    let damaged = store.body(id).await;
    assert!(
        matches!(damaged, Err(StoreError::Damaged(_))),
        "{damaged:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_from_before_the_clock_was_set_back_does_not_count() {
    let Some(place) = postgres() else { return };
    let store = place.open().await;
    keep(&store, message(&["example.org"])).await;
    claim_one(&store, "example.org").await;
    assert!(claim(&store, &["example.org"]).await.is_empty());
    let ahead = "UPDATE {schema}.job SET lease_until = now() + interval '400 days'";
    sql(&place, ahead).await;
    assert_eq!(store.next_due().await.expect("an answer"), Some(at(0)));
    claim_one(&store, "example.org").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_cannot_be_are_refused() {
    let Some(place) = postgres() else { return };
    let good = place.settings();
    for schema in [
        "",
        "Queue",
        "a b",
        "a;b",
        "a\"b",
        "1a",
        "pg_a",
        &"a".repeat(41),
    ] {
        let settings = elsinore_queue::postgres::PostgresSettings {
            schema: schema.to_owned(),
            ..good.clone()
        };
        let refused = PostgresStore::open(&settings).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{schema}");
    }
    let nobody = elsinore_queue::postgres::PostgresSettings {
        connection: "host=/nonexistent user=elsinore".to_owned(),
        ..good.clone()
    };
    let refused = PostgresStore::open(&nobody).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    let text = format!("{good:?}");
    assert!(!text.contains("user="), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_fsync_is_refused() {
    let Some(cluster) = crate::cluster::Cluster::start_with("fsync = off\n") else {
        return;
    };
    let place = crate::place::postgres_at(cluster.connection());
    let refused = PostgresStore::open(&place.settings()).await;
    let Err(StoreError::Refused(why)) = refused else {
        panic!("taken: {refused:?}");
    };
    assert!(why.contains("fsync"), "{why}");
}
