//! What comes when: order, times, waking up, and a clock that jumps.

use crate::place::Place;
use crate::sample::{
    LONG, NOW, Store, again, at, claim, claim_at, claim_of, claim_one, done, job, keep, message,
    only, settle, until, with_jobs,
};
use elsinore_queue::admin::{Deed, Filter};
use elsinore_queue::job::{DueDestination, Settlement};
use elsinore_queue::moment::Moment;
use std::time::Duration;
use tokio::sync::watch;

/// Keeps a message for `destination` that is due so many seconds from now.
async fn keep_due(store: &Store, destination: &str, seconds: i64) {
    keep(store, with_jobs(vec![job(destination, at(seconds))])).await;
}

pub(crate) async fn jobs_that_are_due_first_come_first(place: &dyn Place) {
    let store = place.open().await;
    let dues = [-30, -10, -50, 0, -20, -40, -5];
    for due in dues {
        let mut message = with_jobs(vec![job("example.org", at(due))]);
        message.arrived = at(due);
        keep(&store, message).await;
    }
    let mut seen = Vec::new();
    loop {
        let mut wanted = claim_of(&[], NOW, LONG);
        wanted.from = vec![("example.org".to_owned(), 2)];
        let jobs = store.claim(wanted).await.expect("a claim");
        if jobs.is_empty() {
            break;
        }
        seen.extend(jobs.iter().map(|leased| leased.message.arrived));
    }
    let mut sorted: Vec<Moment> = dues.into_iter().map(at).collect();
    sorted.sort();
    assert_eq!(seen, sorted);
}

pub(crate) async fn nothing_comes_before_it_is_due(place: &dyn Place) {
    let store = place.open().await;
    keep_due(&store, "example.org", 60).await;
    for (now, expected) in [(-1, 0), (59, 0), (60, 1)] {
        let waiting = store.waiting(at(now), None, 10).await.expect("an answer");
        assert_eq!(waiting.len(), expected, "{now}");
        let jobs = claim_at(&store, &["example.org"], at(now)).await;
        assert_eq!(jobs.len(), expected, "{now}");
    }
}

pub(crate) async fn a_claim_takes_no_more_than_it_asks_for(place: &dyn Place) {
    let store = place.open().await;
    for _ in 0..5 {
        keep(&store, message(&["a.example", "b.example", "c.example"])).await;
    }
    let mut wanted = claim_of(&[], NOW, LONG);
    wanted.from = [
        ("a.example", 2),
        ("b.example", 0),
        ("c.example", 9),
        ("d.example", 9),
    ]
    .map(|(name, most)| (name.to_owned(), most))
    .to_vec();
    let count = |jobs: &[elsinore_queue::job::Leased], destination: &str| {
        jobs.iter()
            .filter(|leased| leased.destination == destination)
            .count()
    };
    let jobs = store.claim(wanted.clone()).await.expect("a claim");
    let counts = ["a.example", "b.example", "c.example"].map(|name| count(&jobs, name));
    assert_eq!((jobs.len(), counts), (7, [2, 0, 5]));
    let jobs = store.claim(wanted).await.expect("a claim");
    let counts = ["a.example", "b.example", "c.example"].map(|name| count(&jobs, name));
    assert_eq!((jobs.len(), counts), (2, [2, 0, 0]));
}

/// All destinations that wait, asked for so many at a time.
async fn walk(store: &Store, now: Moment, page: usize) -> Vec<DueDestination> {
    let mut all: Vec<DueDestination> = Vec::new();
    loop {
        let after = all.last().map(|last| last.destination.clone());
        let some = store.waiting(now, after, page).await.expect("an answer");
        assert!(some.len() <= page);
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

pub(crate) async fn waiting_destinations_come_in_order_page_by_page(place: &dyn Place) {
    let store = place.open().await;
    // In the order of octets, which is no language's order.
    let names = [
        "-a.example",
        "0.example",
        "[192.0.2.1]",
        "[IPv6:2001:db8::1]",
        "a-b.example",
        "a.example",
        "a.example.org",
        "ab.example",
        "xn--bcher-kva.example",
        "z.example",
    ];
    for (number, name) in names.iter().rev().enumerate() {
        let seconds = -i64::try_from(number).expect("small");
        keep_due(&store, name, seconds).await;
        keep_due(&store, name, seconds - 100).await;
        keep_due(&store, name, 50).await;
    }
    keep_due(&store, "b-later.example", 100).await;
    let mut held = with_jobs(vec![job("b-held.example", at(-5))]);
    held.jobs[0].held = Some("by hand".to_owned());
    keep(&store, held).await;
    keep_due(&store, "b-leased.example", -5).await;
    claim_one(&store, "b-leased.example").await;
    let expected: Vec<DueDestination> = names
        .iter()
        .rev()
        .enumerate()
        .map(|(number, name)| DueDestination {
            destination: (*name).to_owned(),
            since: at(-i64::try_from(number).expect("small") - 100),
        })
        .rev()
        .collect();
    for page in [1, 2, 3, 7, 10, 1000] {
        assert_eq!(walk(&store, NOW, page).await, expected, "{page} at a time");
    }
    // The first one's earlier job is leased: the next one counts.
    let mut wanted = claim_of(&[], NOW, LONG);
    wanted.from = vec![("-a.example".to_owned(), 1)];
    assert_eq!(store.claim(wanted).await.expect("a claim").len(), 1);
    let first = store.waiting(NOW, None, 1).await.expect("an answer");
    assert_eq!(first[0].destination, "-a.example");
    assert_eq!(first[0].since, at(-9));
}

pub(crate) async fn next_due_sees_what_is_free(place: &dyn Place) {
    let store = place.open().await;
    let next = async || store.next_due().await.expect("an answer");
    keep_due(&store, "later.example", 300).await;
    assert_eq!(next().await, Some(at(300)));
    keep_due(&store, "soon.example", -10).await;
    assert_eq!(next().await, Some(at(-10)));
    let leased = claim_one(&store, "soon.example").await;
    assert_eq!(next().await, Some(at(300)));
    settle(&store, again(&leased, at(200))).await;
    assert_eq!(next().await, Some(at(200)));
    let hold = Deed::Hold("by hand".to_owned());
    store.change(Filter::default(), hold).await.expect("held");
    assert_eq!(next().await, None);
}

pub(crate) async fn a_clock_set_back_is_mended_by_bringing_forward(place: &dyn Place) {
    let store = place.open().await;
    let year = 365 * 86_400;
    for seconds in [0, 100, 7200] {
        keep_due(&store, "example.org", seconds).await;
    }
    let mut held = with_jobs(vec![job("held.example", at(9000))]);
    held.jobs[0].held = Some("by hand".to_owned());
    keep(&store, held).await;
    // The clock was a year ahead, and is right again.
    let now = at(-year);
    assert!(claim_at(&store, &["example.org"], now).await.is_empty());
    let latest = at(-year + 3600);
    let changed = store.bring_forward(latest).await.expect("an answer");
    assert_eq!(changed, 4);
    assert_eq!(store.next_due().await.expect("an answer"), Some(latest));
    assert!(claim_at(&store, &["example.org"], now).await.is_empty());
    let changed = store.bring_forward(latest).await.expect("an answer");
    assert_eq!(changed, 0);
    let jobs = claim_at(&store, &["example.org", "held.example"], latest).await;
    assert_eq!(jobs.len(), 3);
    for leased in &jobs {
        settle(&store, again(leased, at(-year + 60))).await;
    }
    // And it jumps ahead: what is due is due.
    let jobs = claim_at(&store, &["example.org"], at(year)).await;
    assert_eq!(jobs.len(), 3);
    for leased in &jobs {
        settle(&store, done(leased.lease)).await;
    }
}

pub(crate) async fn what_is_brought_forward_while_leased_is_due_then(place: &dyn Place) {
    let store = place.open().await;
    let (now, latest) = (at(-5000), at(-4000));
    let forward = async || {
        store.bring_forward(latest).await.expect("an answer");
    };
    let retry = async || {
        let deed = Deed::Retry(latest);
        store
            .change(Filter::default(), deed)
            .await
            .expect("an answer");
    };
    // By whom, and whether the lease ends by itself or is given back.
    for (by_hand, ends) in [(false, false), (false, true), (true, false), (true, true)] {
        keep_due(&store, "example.org", 0).await;
        let soon = Duration::from_millis(200);
        let lease_for = if ends { soon } else { LONG };
        let jobs = store.claim(claim_of(&["example.org"], NOW, lease_for));
        let leased = only(jobs.await.expect("an answer"));
        if by_hand {
            retry().await;
        } else {
            forward().await;
        }
        if !ends {
            store.hand_back(vec![leased.lease]).await.expect("back");
        }
        assert!(claim_at(&store, &["example.org"], now).await.is_empty());
        let again = until("it is due", async || {
            claim_at(&store, &["example.org"], latest).await.pop()
        });
        let again = again.await;
        assert_eq!(again.message.id, leased.message.id, "{by_hand} {ends}");
        settle(&store, done(again.lease)).await;
    }
}

/// Waits for a change, and takes note of it.
async fn woken(wakeups: &mut watch::Receiver<u64>, why: &str) {
    until(why, async || {
        wakeups.has_changed().expect("a store").then_some(())
    })
    .await;
    wakeups.mark_unchanged();
}

pub(crate) async fn wakeups_come_when_something_may_be_due(place: &dyn Place) {
    let store = place.open().await;
    let mut wakeups = store.wakeups();
    wakeups.mark_unchanged();
    keep(&store, message(&["example.org"])).await;
    woken(&mut wakeups, "enqueue").await;
    let leased = claim_one(&store, "example.org").await;
    wakeups.mark_unchanged();
    store.hand_back(vec![leased.lease]).await.expect("back");
    woken(&mut wakeups, "hand_back").await;
    let hold = Deed::Hold("by hand".to_owned());
    for deed in [Deed::Release, Deed::Retry(NOW)] {
        let held = store.change(Filter::default(), hold.clone()).await;
        assert_eq!(held.expect("held"), 1);
        wakeups.mark_unchanged();
        store.change(Filter::default(), deed).await.expect("done");
        woken(&mut wakeups, "a deed").await;
    }
    let leased = claim_one(&store, "example.org").await;
    wakeups.mark_unchanged();
    let settlement = Settlement {
        notices: vec![message(&["sender.example"])],
        ..again(&leased, at(900))
    };
    settle(&store, settlement).await;
    woken(&mut wakeups, "a notice").await;
    claim(&store, &["sender.example"]).await;
    wakeups.mark_unchanged();
    store.bring_forward(NOW).await.expect("forward");
    woken(&mut wakeups, "bring_forward").await;
}
