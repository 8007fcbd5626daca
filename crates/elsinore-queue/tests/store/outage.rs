//! The server dies under load and comes back: nothing that was acknowledged is lost, nothing is stuck.

use crate::cluster::Cluster;
use crate::place::{Place as _, postgres_at};
use crate::sample::{NOW, Store, all_jobs, at, claim_of, done, message, rest, text_of, until};
use elsinore_queue::id::MessageId;
use elsinore_queue::job::{Settled, Settlement};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Times that the server is killed.
fn rounds() -> usize {
    if std::env::var_os("ELSINORE_LONG").is_some() {
        60
    } else {
        4
    }
}

/// Messages acknowledged before the server is killed once more.
const PER_ROUND: usize = 150;

/// What everybody saw.
#[derive(Default)]
struct Seen {
    /// Messages that the store promised to keep.
    acknowledged: Mutex<BTreeSet<MessageId>>,
    /// How often each was delivered.
    delivered: Mutex<BTreeMap<MessageId, usize>>,
    /// Notices of settlements that the store said were written.
    notices: Mutex<BTreeSet<MessageId>>,
    stop: AtomicBool,
}

/// Sends until told to stop. What is refused is not sent again: the next one is another message.
async fn produce(store: Store, seen: Arc<Seen>, name: usize) {
    let mut number = 0_usize;
    while !seen.stop.load(Ordering::Relaxed) {
        number += 1;
        let one = format!("d{}.example", (number + name) % 5);
        let mut message = message(&[one.as_str(), "all.example"]);
        message.envelope.envelope_id = Some(name.to_string());
        let id = message.id;
        if store.enqueue(message).await.is_ok() {
            seen.acknowledged.lock().expect("a lock").insert(id);
        } else {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Delivers what is due, until told to stop and nothing is left.
async fn deliver(store: Store, seen: Arc<Seen>) {
    loop {
        let stopping = seen.stop.load(Ordering::Relaxed);
        let mut wanted = claim_of(&[], at(100), Duration::from_secs(2));
        wanted.from = (0..5)
            .map(|number| (format!("d{number}.example"), 10))
            .chain([
                ("all.example".to_owned(), 10),
                ("sender.example".to_owned(), 10),
            ])
            .collect();
        let Ok(jobs) = store.claim(wanted).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let mut settlements = Vec::new();
        let mut notices = Vec::new();
        for job in &jobs {
            let id = job.message.id;
            let octets = store.body(id).await.ok();
            let octets = octets.map(|body| crate::sample::read(&*body));
            // While the server is away there is nothing to read; the lease ends by itself.
            let Some(octets) = octets else { continue };
            assert!(octets == text_of(id), "{id} is not what was sent");
            if job.standing.attempts == 0 && job.lease.job.0 % 4 == 0 {
                let notice = message(&["sender.example"]);
                notices.push((settlements.len(), notice.id));
                settlements.push(Settlement {
                    lease: job.lease,
                    rest: Some(rest(&job.recipients, at(50))),
                    notices: vec![notice],
                });
                continue;
            }
            *seen
                .delivered
                .lock()
                .expect("a lock")
                .entry(id)
                .or_default() += 1;
            settlements.push(done(job.lease));
        }
        // In two parts: one with notices and one without take different ways.
        if let Ok(answers) = store.settle(settlements).await {
            for (place, id) in notices {
                if answers[place] == Settled::Done {
                    seen.notices.lock().expect("a lock").insert(id);
                }
            }
        }
        if jobs.is_empty() {
            if stopping && store.stats(NOW).await.is_ok_and(|stats| stats.jobs == 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_nothing() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let place = postgres_at(cluster.connection());
    let stores = [place.open().await, place.open().await];
    let seen = Arc::new(Seen::default());
    let mut producers = Vec::new();
    for name in 0..8 {
        let store = Arc::clone(&stores[name % 2]);
        producers.push(tokio::spawn(produce(store, Arc::clone(&seen), name)));
    }
    let mut workers = Vec::new();
    for store in &stores {
        workers.push(tokio::spawn(deliver(Arc::clone(store), Arc::clone(&seen))));
    }
    let count = || seen.acknowledged.lock().expect("a lock").len();
    let cluster = Arc::new(cluster);
    for round in 0..rounds() {
        let before = count();
        until("the store goes on", async || {
            (count() >= before + PER_ROUND).then_some(())
        })
        .await;
        // At another point of the work each time.
        tokio::time::sleep(Duration::from_millis(
            u64::try_from(round * 7 % 50).expect("small"),
        ))
        .await;
        let server = Arc::clone(&cluster);
        tokio::task::spawn_blocking(move || {
            server.kill();
            server.run();
        })
        .await
        .expect("killed and started");
    }
    let before = count();
    until("the store goes on", async || {
        (count() >= before + PER_ROUND && stores.iter().all(|store| store.health().is_ok()))
            .then_some(())
    })
    .await;
    seen.stop.store(true, Ordering::Relaxed);
    for task in producers.into_iter().chain(workers) {
        let ended = tokio::time::timeout(Duration::from_secs(120), task).await;
        ended.expect("something is stuck").expect("no panic");
    }
    assert!(all_jobs(&stores[0]).await.is_empty());
    let stats = stores[0].stats(NOW).await.expect("stats");
    assert_eq!((stats.messages, stats.octets), (0, 0));
    let acknowledged = seen.acknowledged.lock().expect("a lock");
    let delivered = seen.delivered.lock().expect("a lock");
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|id| delivered.get(id).copied().unwrap_or(0) < 2)
        .collect();
    assert!(lost.is_empty(), "lost after 250: {lost:?}");
    let notices = seen.notices.lock().expect("a lock");
    let lost: Vec<_> = notices
        .iter()
        .filter(|id| !delivered.contains_key(id))
        .collect();
    assert!(lost.is_empty(), "notices that were lost: {lost:?}");
    assert!(!notices.is_empty());
}
