//! A job is worked on by one at a time, and never waits for somebody who is gone.

use crate::place::Place;
use crate::sample::{
    LONG, NOW, again, all_jobs, at, claim, claim_of, claim_one, claim_soon, done, keep, message,
    only, settle, until,
};
use elsinore_queue::job::{Lease, Settled};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A lease that ends soon.
const SHORT: Duration = Duration::from_millis(50);

pub(crate) async fn a_job_is_leased_once(place: &dyn Place) {
    let store = place.open().await;
    keep(&store, message(&["a.example", "b.example"])).await;
    let leased = claim_one(&store, "a.example").await;
    assert!(claim(&store, &["a.example"]).await.is_empty());
    assert!(only(all_jobs(&store).await[..1].to_vec()).leased);
    let waiting = store.waiting(NOW, None, 10).await.expect("an answer");
    assert_eq!(only(waiting).destination, "b.example");
    assert_eq!(claim(&store, &["a.example", "b.example"]).await.len(), 1);
    assert_eq!(settle(&store, done(leased.lease)).await, Settled::Done);
}

pub(crate) async fn many_at_once_never_share_a_job(place: &dyn Place) {
    const JOBS: usize = 400;
    let store = place.open().await;
    for number in 0..JOBS {
        let destination = format!("d{}.example", number % 7);
        keep(&store, message(&[destination.as_str()])).await;
    }
    let mut workers = Vec::new();
    for worker in 0..8_usize {
        let store = Arc::clone(&store);
        workers.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            let mut idle = 0;
            while idle < 8 {
                let mut wanted = claim_of(&[], NOW, LONG);
                wanted.from = (0..7)
                    .map(|number| (format!("d{}.example", (number + worker) % 7), 3))
                    .collect();
                let jobs = store.claim(wanted).await.expect("a claim");
                if jobs.is_empty() {
                    idle += 1;
                }
                mine.extend(jobs.iter().map(|leased| leased.lease));
            }
            mine
        }));
    }
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.expect("a worker"));
    }
    // A claim may pass over jobs that another is about to take; they come the next time.
    let rest: Vec<String> = (0..7).map(|number| format!("d{number}.example")).collect();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    all.extend(claim(&store, &rest).await.iter().map(|leased| leased.lease));
    let jobs: BTreeSet<_> = all.iter().map(|lease| lease.job).collect();
    assert_eq!((all.len(), jobs.len()), (JOBS, JOBS));
}

pub(crate) async fn a_lease_ends_by_itself(place: &dyn Place) {
    let store = place.open().await;
    keep(&store, message(&["example.org"])).await;
    let mut epoch = i64::MIN;
    for _ in 0..3 {
        let leased = until("the end of a lease", async || {
            let jobs = store.claim(claim_of(&["example.org"], NOW, SHORT)).await;
            jobs.expect("a claim").pop()
        })
        .await;
        assert!(leased.lease.epoch > epoch);
        epoch = leased.lease.epoch;
    }
    let free = until("a free job", async || {
        let jobs = all_jobs(&store).await;
        (!jobs[0].leased).then_some(jobs)
    })
    .await;
    assert_eq!(free.len(), 1);
    let waiting = store.waiting(NOW, None, 10).await.expect("an answer");
    assert_eq!(waiting.len(), 1);
    assert_eq!(store.next_due().await.expect("an answer"), Some(NOW));
}

pub(crate) async fn a_lease_does_not_end_by_the_wall_clock(place: &dyn Place) {
    let store = place.open().await;
    keep(&store, message(&["example.org"])).await;
    let leased = claim_one(&store, "example.org").await;
    for jump in [at(10 * 86_400), at(-10 * 86_400), at(400 * 86_400)] {
        let wanted = claim_of(&["example.org"], jump, LONG);
        assert!(store.claim(wanted).await.expect("a claim").is_empty());
        let waiting = store.waiting(jump, None, 10).await.expect("an answer");
        assert!(waiting.is_empty());
    }
    assert_eq!(settle(&store, done(leased.lease)).await, Settled::Done);
}

pub(crate) async fn a_renewed_lease_lasts(place: &dyn Place) {
    let store = place.open().await;
    keep(&store, message(&["kept.example"])).await;
    keep(&store, message(&["left.example"])).await;
    let short = Duration::from_millis(500);
    let wanted = claim_of(&["kept.example", "left.example"], NOW, short);
    let jobs = store.claim(wanted).await.expect("claimed");
    let lease_of = |destination: &str| {
        let leased = jobs.iter().find(|job| job.destination == destination);
        leased.expect("leased").lease
    };
    let kept = lease_of("kept.example");
    let renewed = store.renew(vec![kept], LONG).await.expect("renewed");
    assert_eq!(renewed, [Settled::Done]);
    // When the one has ended, the other would have ended too.
    claim_soon(&store, "left.example").await;
    assert!(claim(&store, &["kept.example"]).await.is_empty());
    let stale = lease_of("left.example");
    let unknown = Lease {
        job: elsinore_queue::id::JobId(i64::MAX),
        epoch: 1,
    };
    let renewed = store.renew(vec![stale, kept, unknown], LONG).await;
    assert_eq!(
        renewed.expect("an answer"),
        [Settled::Lost, Settled::Done, Settled::Lost]
    );
    assert_eq!(settle(&store, done(kept)).await, Settled::Done);
    let renewed = store.renew(vec![kept], LONG).await.expect("an answer");
    assert_eq!(renewed, [Settled::Lost]);
}

pub(crate) async fn what_is_handed_back_is_due_at_once(place: &dyn Place) {
    let store = place.open().await;
    keep(&store, message(&["example.org"])).await;
    let first = claim_one(&store, "example.org").await;
    store.hand_back(vec![first.lease]).await.expect("back");
    let second = claim_one(&store, "example.org").await;
    assert!(second.lease.epoch > first.lease.epoch);
    assert_eq!(second.standing, first.standing);
    // Whoever gave it back holds nothing, and takes nothing from others.
    store.hand_back(vec![first.lease]).await.expect("nothing");
    assert_eq!(settle(&store, done(first.lease)).await, Settled::Lost);
    assert!(claim(&store, &["example.org"]).await.is_empty());
    assert_eq!(settle(&store, done(second.lease)).await, Settled::Done);
}

pub(crate) async fn a_stale_lease_changes_nothing(place: &dyn Place) {
    let store = place.open().await;
    keep(&store, message(&["example.org"])).await;
    let wanted = claim_of(&["example.org"], NOW, SHORT);
    let sleeper = only(store.claim(wanted).await.expect("claimed"));
    let other = only(claim_soon(&store, "example.org").await);
    let mut late = again(&sleeper, at(9000));
    late.notices = vec![message(&["notice.example"])];
    let notice = late.notices[0].id;
    assert_eq!(settle(&store, late).await, Settled::Lost);
    let mut gone = done(sleeper.lease);
    gone.notices = vec![message(&["notice.example"])];
    assert_eq!(settle(&store, gone).await, Settled::Lost);
    assert!(store.body(notice).await.is_err());
    assert!(claim(&store, &["notice.example"]).await.is_empty());
    let job = only(all_jobs(&store).await);
    assert_eq!((job.due, job.leased), (NOW, true));
    assert_eq!(job.standing, other.standing);
    let ahead = Lease {
        epoch: other.lease.epoch + 1,
        ..other.lease
    };
    assert_eq!(settle(&store, done(ahead)).await, Settled::Lost);
    assert_eq!(settle(&store, done(other.lease)).await, Settled::Done);
    assert!(all_jobs(&store).await.is_empty());
}

pub(crate) async fn leases_do_not_outlive_their_end_over_a_restart(place: &dyn Place) {
    let store = place.open().await;
    keep(&store, message(&["example.org"])).await;
    let wanted = claim_of(&["example.org"], NOW, SHORT);
    let before = only(store.claim(wanted).await.expect("claimed"));
    store.close().await.expect("closes");
    drop(store);
    let store = place.open().await;
    let after = only(claim_soon(&store, "example.org").await);
    assert!(after.lease.epoch > before.lease.epoch);
    assert_eq!(settle(&store, done(before.lease)).await, Settled::Lost);
    assert_eq!(settle(&store, done(after.lease)).await, Settled::Done);
}
