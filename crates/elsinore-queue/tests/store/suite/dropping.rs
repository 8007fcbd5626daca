//! Futures that are dropped midway: what they were about is done whole or not at all.

use crate::place::Place;
use crate::sample::{
    NOW, Store, again, all_jobs, claim, claim_of, claim_one, claim_soon, content, done, keep,
    message, octets, settle, until,
};
use elsinore_queue::content::Content;
use elsinore_queue::error::StoreError;
use elsinore_queue::job::{Settled, Settlement};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Polls so often, then drops. Nothing when it was not done by then.
async fn polled<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        if polls == times {
            return Poll::Ready(None);
        }
        polls += 1;
        let poll = future.as_mut().poll(context).map(Some);
        if polls == times && poll.is_pending() {
            return Poll::Ready(None);
        }
        poll
    })
    .await
}

/// Waits until the store has done what was asked of it before: it answers a question that comes
/// after. What was dropped may still be under way in another connection; that settles within the
/// patience of the callers, who ask again.
async fn pause(store: &Store) {
    store.stats(NOW).await.expect("stats");
}

pub(crate) async fn an_enqueue_dropped_midway_is_whole_or_nothing(place: &dyn Place) {
    let store = place.open().await;
    let mut cut = 0;
    for times in 0..40 {
        let octets = octets(if times % 2 == 0 { 2_000 } else { 700_000 }, 4);
        let mut message = message(&["a.example", "b.example"]);
        message.content = Content::Memory(octets.clone());
        let id = message.id;
        let answer = polled(store.enqueue(message), times / 2).await;
        let kept = matches!(answer, Some(Ok(())));
        cut += usize::from(!kept);
        pause(&store).await;
        let views = async || {
            let views = all_jobs(&store).await;
            views.iter().filter(|view| view.message.id == id).count()
        };
        let jobs = views().await;
        assert!(
            jobs == 2 || (jobs == 0 && !kept),
            "{jobs} jobs after {times}"
        );
        match store.body(id).await {
            Ok(_) => {
                assert!(content(&store, id).await == octets);
                assert_eq!(views().await, 2);
            }
            Err(StoreError::Unknown) => assert!(!kept),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(cut > 0, "no enqueue was dropped midway");
    // The store goes on, and what is there can be worked on.
    keep(&store, message(&["a.example"])).await;
    until("nothing left", async || {
        let jobs = claim(&store, &["a.example", "b.example"]).await;
        let settlements = jobs.iter().map(|leased| done(leased.lease)).collect();
        store.settle(settlements).await.expect("settled");
        all_jobs(&store).await.is_empty().then_some(())
    })
    .await;
}

pub(crate) async fn a_settlement_dropped_midway_is_whole_or_nothing(place: &dyn Place) {
    let store = place.open().await;
    let mut cut = 0;
    for times in 0..40 {
        keep(&store, message(&["example.org"])).await;
        let leased = claim_one(&store, "example.org").await;
        let ending = times % 2 == 0;
        let settlement = Settlement {
            notices: vec![message(&["sender.example"])],
            ..if ending {
                done(leased.lease)
            } else {
                again(&leased, NOW)
            }
        };
        let answer = polled(store.settle(vec![settlement]), times / 2).await;
        cut += usize::from(answer.is_none());
        // Once it is settled anew, whatever was under way has come to its end.
        let second = settle(&store, done(leased.lease)).await;
        let notices = claim(&store, &["sender.example"]).await;
        match second {
            Settled::Done => assert!(notices.is_empty(), "a notice without its settlement"),
            Settled::Lost => assert_eq!(notices.len(), 1, "a settlement without its notice"),
        }
        let mut rest = claim(&store, &["example.org"]).await;
        let expected = usize::from(second == Settled::Lost && !ending);
        assert_eq!(rest.len(), expected);
        rest.extend(notices);
        let settlements = rest.iter().map(|leased| done(leased.lease)).collect();
        store.settle(settlements).await.expect("settled");
        assert!(all_jobs(&store).await.is_empty());
    }
    assert!(cut > 0, "no settlement was dropped midway");
}

pub(crate) async fn a_claim_dropped_midway_leaves_nothing_stuck(place: &dyn Place) {
    let store = place.open().await;
    keep(&store, message(&["example.org"])).await;
    let mut cut = 0;
    for times in 0..10 {
        let short = claim_of(&["example.org"], NOW, Duration::from_millis(300));
        let answer = polled(store.claim(short), times).await;
        cut += usize::from(answer.is_none());
        let leased = claim_soon(&store, "example.org").await;
        let leases = leased.iter().map(|leased| leased.lease).collect();
        store.hand_back(leases).await.expect("back");
    }
    assert!(cut > 0, "no claim was dropped midway");
}
