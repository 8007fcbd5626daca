//! Many messages, many destinations, one of them slow.

use crate::place::Place;
use crate::sample::{
    LONG, NOW, Store, again, at, claim, claim_of, done, job, keep, message, with_jobs,
};
use elsinore_queue::admin::Stats;
use elsinore_queue::id::JobId;
use elsinore_queue::job::{Leased, Settled};
use elsinore_queue::moment::Moment;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Destinations beside the slow one.
const OTHERS: usize = 999;

/// Messages in the backlog.
fn backlog() -> usize {
    if std::env::var_os("ELSINORE_LONG").is_some() {
        500_000
    } else {
        12_000
    }
}

/// Keeps `count` messages, many at a time as many clients would.
async fn keep_many(store: &Store, count: usize, make: fn(usize) -> (String, Moment)) {
    const CLIENTS: usize = 64;
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let store = Arc::clone(store);
        clients.push(tokio::spawn(async move {
            for number in (client..count).step_by(CLIENTS) {
                let (destination, due) = make(number);
                keep(&store, with_jobs(vec![job(&destination, due)])).await;
            }
        }));
    }
    for client in clients {
        client.await.expect("a client");
    }
}

/// Destinations that wait, `page` at a time.
async fn waiting(store: &Store, now: Moment, page: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let some = store
            .waiting(now, all.last().cloned(), page)
            .await
            .expect("an answer");
        if some.is_empty() {
            return all;
        }
        all.extend(some.into_iter().map(|due| due.destination));
    }
}

pub(crate) async fn one_slow_destination_among_a_thousand(place: &dyn Place) {
    let store = place.open().await;
    let slow = "m-slow.example";
    // The slow one has most of the queue, and all of it was due before everything else.
    keep_many(&store, 3000, |_| ("m-slow.example".to_owned(), at(-500))).await;
    keep_many(&store, 2 * OTHERS, |number| {
        (format!("{:03}.example", number % OTHERS), at(-1))
    })
    .await;
    assert_eq!(waiting(&store, NOW, 100).await.len(), OTHERS + 1);
    // A few are worked on and never come to an end.
    let mut few = claim_of(&[], NOW, LONG);
    few.from = vec![(slow.to_owned(), 20)];
    let stuck = store.claim(few).await.expect("a claim");
    assert_eq!(stuck.len(), 20);
    let mut served = 0;
    loop {
        let names: Vec<String> = waiting(&store, NOW, 200)
            .await
            .into_iter()
            .filter(|name| name != slow)
            .collect();
        if names.is_empty() {
            break;
        }
        for names in names.chunks(100) {
            let mut wanted = claim_of(&[], NOW, LONG);
            wanted.from = names.iter().map(|name| (name.clone(), 2)).collect();
            let jobs = store.claim(wanted).await.expect("a claim");
            // Nobody else claims: what is asked for is there.
            assert_eq!(jobs.len(), 2 * names.len());
            served += jobs.len();
            let settlements = jobs.iter().map(|leased| done(leased.lease)).collect();
            store.settle(settlements).await.expect("settled");
        }
    }
    assert_eq!(served, 2 * OTHERS);
    assert_eq!(waiting(&store, NOW, 100).await, [slow]);
    // All of the slow one on lease: it does not show any more, and a late comer is served.
    let stuck = stuck.len() + claim(&store, &[slow]).await.len();
    assert_eq!(stuck, 3000);
    assert!(waiting(&store, NOW, 100).await.is_empty());
    keep(&store, message(&["late.example"])).await;
    assert_eq!(claim(&store, &[slow, "late.example"]).await.len(), 1);
}

/// Takes what is due, until there is nothing; each job must come once.
async fn drain(
    store: &Store,
    now: Moment,
    mut settle: impl FnMut(&Leased) -> elsinore_queue::job::Settlement,
) -> BTreeMap<JobId, Moment> {
    let mut seen = BTreeMap::new();
    loop {
        let names = waiting(store, now, 500).await;
        if names.is_empty() {
            return seen;
        }
        for names in names.chunks(250) {
            let mut wanted = claim_of(&[], now, LONG);
            wanted.from = names.iter().map(|name| (name.clone(), 40)).collect();
            let jobs = store.claim(wanted).await.expect("a claim");
            for leased in &jobs {
                let twice = seen.insert(leased.lease.job, leased.message.arrived);
                assert!(twice.is_none(), "{:?} came twice", leased.lease);
            }
            for jobs in jobs.chunks(500) {
                let settlements = jobs.iter().map(&mut settle).collect();
                let answers = store.settle(settlements).await.expect("settled");
                assert!(answers.iter().all(|answer| *answer == Settled::Done));
            }
        }
    }
}

pub(crate) async fn a_large_backlog_is_kept_and_drained(place: &dyn Place) {
    let store = place.open().await;
    let count = backlog();
    // One in ten is due, the others wait for an hour.
    keep_many(&store, count, |number| {
        let due = if number % 10 == 0 { at(0) } else { at(3600) };
        (format!("d{:03}.example", (number / 10) % 1000), due)
    })
    .await;
    let stats = store.stats(NOW).await.expect("stats");
    let number = u64::try_from(count).expect("a number");
    assert_eq!((stats.messages, stats.jobs), (number, number));
    assert_eq!(stats.due, number / 10);
    store.tidy().await.expect("tidies");
    let first = drain(&store, NOW, |leased| again(leased, at(3600))).await;
    assert_eq!(first.len(), count / 10);
    store.close().await.expect("closes");
    drop(store);
    let store = place.open().await;
    assert!(waiting(&store, at(3599), 500).await.is_empty());
    assert_eq!(store.next_due().await.expect("an answer"), Some(at(3600)));
    let mut listed = BTreeSet::new();
    let mut after = None;
    loop {
        let page = store.list(elsinore_queue::admin::Filter::default(), after, 1000);
        let page = page.await.expect("a page");
        listed.extend(page.jobs.iter().map(|view| view.job));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed.len(), count);
    let second = drain(&store, at(3600), |leased| done(leased.lease)).await;
    assert_eq!(second.len(), count);
    assert!(second.keys().eq(listed.iter()));
    store.tidy().await.expect("tidies");
    let empty = store.stats(at(3600)).await.expect("stats");
    assert_eq!(empty, Stats::default());
}
