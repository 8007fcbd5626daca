//! What the administrator does to jobs, whatever they are doing.

use crate::place::Place;
use crate::sample::{
    NOW, Store, again, all_jobs, at, claim, claim_one, content, done, job, keep, message, only,
    settle, with_jobs,
};
use elsinore_queue::admin::{Deed, Filter};
use elsinore_queue::error::StoreError;
use elsinore_queue::job::{Settled, Settlement};

fn to(destination: &str) -> Filter {
    Filter {
        destination: Some(destination.to_owned()),
        ..Filter::default()
    }
}

fn hold() -> Deed {
    Deed::Hold("looked into".to_owned())
}

/// Does `deed` to what waits for example.org, and says how many jobs that were.
async fn change(store: &Store, deed: Deed) -> u64 {
    store.change(to("example.org"), deed).await.expect("done")
}

pub(crate) async fn held_jobs_wait_for_release(place: &dyn Place) {
    let store = place.open().await;
    let mut held = with_jobs(vec![job("example.org", NOW)]);
    held.jobs[0].held = Some("from the start".to_owned());
    keep(&store, held).await;
    keep(&store, message(&["example.org", "other.example"])).await;
    assert_eq!(change(&store, hold()).await, 2);
    assert!(claim(&store, &["example.org"]).await.is_empty());
    let waiting = store.waiting(NOW, None, 10).await.expect("an answer");
    assert_eq!(only(waiting).destination, "other.example");
    for view in all_jobs(&store).await {
        let expected = (view.destination == "example.org").then_some("looked into");
        assert_eq!(view.held.as_deref(), expected);
    }
    assert_eq!(change(&store, Deed::Release).await, 2);
    assert_eq!(claim(&store, &["example.org"]).await.len(), 2);
}

pub(crate) async fn retry_makes_due_and_releases(place: &dyn Place) {
    let store = place.open().await;
    keep(&store, with_jobs(vec![job("example.org", at(5000))])).await;
    keep(&store, message(&["example.org"])).await;
    let leased = claim_one(&store, "example.org").await;
    settle(&store, again(&leased, at(7000))).await;
    change(&store, hold()).await;
    assert_eq!(change(&store, Deed::Release).await, 2);
    assert!(claim(&store, &["example.org"]).await.is_empty());
    change(&store, hold()).await;
    assert_eq!(change(&store, Deed::Retry(at(1))).await, 2);
    assert!(claim(&store, &["example.org"]).await.is_empty());
    let jobs = crate::sample::claim_at(&store, &["example.org"], at(1)).await;
    assert_eq!(jobs.len(), 2);
    let tried = jobs.iter().filter(|job| job.standing.attempts == 1).count();
    assert_eq!(tried, 1, "what was tried is not forgotten");
}

pub(crate) async fn removed_jobs_are_gone(place: &dyn Place) {
    let store = place.open().await;
    let id = keep(&store, message(&["example.org", "other.example"])).await;
    let alone = keep(&store, message(&["example.org"])).await;
    assert_eq!(change(&store, Deed::Remove).await, 2);
    assert!(claim(&store, &["example.org"]).await.is_empty());
    assert!(matches!(store.body(alone).await, Err(StoreError::Unknown)));
    content(&store, id).await;
    assert_eq!(only(all_jobs(&store).await).destination, "other.example");
    let removed = store.change(Filter::default(), Deed::Remove).await;
    assert_eq!(removed.expect("removed"), 1);
    assert!(matches!(store.body(id).await, Err(StoreError::Unknown)));
    assert_eq!(change(&store, Deed::Remove).await, 0);
}

pub(crate) async fn what_is_held_while_leased_stays_held(place: &dyn Place) {
    let store = place.open().await;
    for settled in [true, false] {
        keep(&store, message(&["example.org"])).await;
        let leased = claim_one(&store, "example.org").await;
        assert_eq!(change(&store, hold()).await, 1);
        if settled {
            let answer = settle(&store, again(&leased, NOW)).await;
            assert_eq!(answer, Settled::Done);
        } else {
            store.hand_back(vec![leased.lease]).await.expect("back");
        }
        assert!(claim(&store, &["example.org"]).await.is_empty());
        let view = only(all_jobs(&store).await);
        assert_eq!(view.held.as_deref(), Some("looked into"));
        assert!(!view.leased);
        change(&store, Deed::Release).await;
        let leased = claim_one(&store, "example.org").await;
        // And held or not, a job that is done is done.
        change(&store, hold()).await;
        assert_eq!(settle(&store, done(leased.lease)).await, Settled::Done);
        assert!(all_jobs(&store).await.is_empty());
    }
}

pub(crate) async fn what_is_released_while_leased_is_free_afterwards(place: &dyn Place) {
    let store = place.open().await;
    for deed in [Deed::Release, Deed::Retry(NOW)] {
        keep(&store, message(&["example.org"])).await;
        let leased = claim_one(&store, "example.org").await;
        change(&store, hold()).await;
        assert_eq!(change(&store, deed).await, 1);
        // It is still leased to the first.
        assert!(claim(&store, &["example.org"]).await.is_empty());
        let answer = settle(&store, again(&leased, NOW)).await;
        assert_eq!(answer, Settled::Done);
        let leased = claim_one(&store, "example.org").await;
        settle(&store, done(leased.lease)).await;
    }
}

pub(crate) async fn what_is_removed_while_leased_is_lost(place: &dyn Place) {
    let store = place.open().await;
    let id = keep(&store, message(&["example.org"])).await;
    let leased = claim_one(&store, "example.org").await;
    assert_eq!(change(&store, Deed::Remove).await, 1);
    assert!(matches!(store.body(id).await, Err(StoreError::Unknown)));
    let settlement = Settlement {
        notices: vec![message(&["sender.example"])],
        ..again(&leased, NOW)
    };
    assert_eq!(settle(&store, settlement).await, Settled::Lost);
    let renewed = store.renew(vec![leased.lease], crate::sample::LONG).await;
    assert_eq!(renewed.expect("an answer"), [Settled::Lost]);
    assert!(all_jobs(&store).await.is_empty());
    assert!(claim(&store, &["sender.example"]).await.is_empty());
}

pub(crate) async fn a_deed_touches_only_what_matches(place: &dyn Place) {
    let store = place.open().await;
    let first = keep(&store, message(&["example.org", "other.example"])).await;
    keep(&store, message(&["example.org"])).await;
    let one = Filter {
        messages: vec![first],
        destination: Some("example.org".to_owned()),
        ..Filter::default()
    };
    assert_eq!(store.change(one, hold()).await.expect("held"), 1);
    let held: Vec<_> = all_jobs(&store)
        .await
        .into_iter()
        .filter(|view| view.held.is_some())
        .collect();
    let held = only(held);
    assert_eq!(
        (held.message.id, &*held.destination),
        (first, "example.org")
    );
    let free = Filter {
        held: Some(false),
        ..Filter::default()
    };
    assert_eq!(store.change(free, Deed::Remove).await.expect("removed"), 2);
    assert_eq!(only(all_jobs(&store).await).message.id, first);
    let none = to("nowhere.example");
    assert_eq!(store.change(none, Deed::Remove).await.expect("none"), 0);
}
