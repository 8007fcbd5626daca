//! What became of a job is written once, with its notices or not at all.

use crate::place::Place;
use crate::sample::{
    NOW, again, all_jobs, at, claim, claim_one, content, done, in_file, job, keep, message, octets,
    only, recipient, settle, text_of, with_jobs,
};
use elsinore_queue::content::Content;
use elsinore_queue::error::StoreError;
use elsinore_queue::job::{Grace, LastAttempt, Lived, Rest, Settled, Settlement, Standing};

/// A standing with everything in it.
fn standing() -> Standing {
    Standing {
        attempts: 7,
        last: Some(LastAttempt {
            at: at(3),
            mx_host: Some("mx1.example.org".to_owned()),
            reply: format!("451 4.7.1 \"o'clock\" {}", "ü".repeat(480)),
            findings: vec!["One.".to_owned(), "Two: %_\\ \u{1f512}".to_owned()],
        }),
        warned: Some(at(1)),
        lived: Lived {
            from: Some(at(2)),
            looks: 6,
            looked: Some(at(3)),
            grace: Some(Grace {
                looks: 2,
                millis: 90_000,
            }),
        },
    }
}

pub(crate) async fn what_is_left_is_due_again_as_written(place: &dyn Place) {
    let store = place.open().await;
    let mut both = with_jobs(vec![job("example.org", NOW)]);
    let left = recipient("left@example.org");
    both.jobs[0].recipients.push(left.clone());
    keep(&store, both).await;
    let first = claim_one(&store, "example.org").await;
    let rest = Rest {
        due: at(60),
        recipients: vec![left.clone()],
        standing: standing(),
        held: None,
    };
    let settlement = Settlement {
        lease: first.lease,
        rest: Some(rest.clone()),
        notices: Vec::new(),
    };
    assert_eq!(settle(&store, settlement).await, Settled::Done);
    assert!(claim(&store, &["example.org"]).await.is_empty());
    let view = only(all_jobs(&store).await);
    assert_eq!((view.due, view.leased, &view.held), (at(60), false, &None));
    let second = only(crate::sample::claim_at(&store, &["example.org"], at(60)).await);
    assert!(second.lease.epoch > first.lease.epoch);
    assert_eq!(second.recipients, [left]);
    assert_eq!(second.standing, standing());
    assert_eq!(second.message.envelope, first.message.envelope);
    let held = Settlement {
        lease: second.lease,
        rest: Some(Rest {
            held: Some("the postmaster is asked".to_owned()),
            due: NOW,
            ..rest
        }),
        notices: Vec::new(),
    };
    assert_eq!(settle(&store, held).await, Settled::Done);
    assert!(claim(&store, &["example.org"]).await.is_empty());
    let view = only(all_jobs(&store).await);
    assert_eq!(view.held.as_deref(), Some("the postmaster is asked"));
}

pub(crate) async fn a_job_is_settled_once(place: &dyn Place) {
    let store = place.open().await;
    keep(&store, message(&["example.org"])).await;
    let leased = claim_one(&store, "example.org").await;
    let twice = vec![again(&leased, NOW), done(leased.lease)];
    let answers = store.settle(twice).await.expect("settled");
    assert_eq!(answers, [Settled::Done, Settled::Lost]);
    assert_eq!(settle(&store, done(leased.lease)).await, Settled::Lost);
    let again = claim_one(&store, "example.org").await;
    assert_eq!(settle(&store, done(leased.lease)).await, Settled::Lost);
    let twice = vec![done(again.lease), done(again.lease)];
    let answers = store.settle(twice).await.expect("settled");
    assert_eq!(answers, [Settled::Done, Settled::Lost]);
    assert_eq!(settle(&store, done(again.lease)).await, Settled::Lost);
    assert!(all_jobs(&store).await.is_empty());
}

pub(crate) async fn notices_are_queued_with_the_settlement(place: &dyn Place) {
    let store = place.open().await;
    for _ in 0..2 {
        keep(&store, message(&["example.org"])).await;
    }
    let jobs = claim(&store, &["example.org"]).await;
    let large = octets(600_000, 11);
    let mut long = message(&["b.sender.example"]);
    long.content = in_file(&store, &large);
    let notices = vec![message(&["a.sender.example", "postmaster.example"]), long];
    let ids = [notices[0].id, notices[1].id];
    let closing = Settlement {
        notices,
        ..done(jobs[0].lease)
    };
    let warning = message(&["a.sender.example"]);
    let warned = warning.id;
    let waiting = Settlement {
        notices: vec![warning],
        ..again(&jobs[1], at(900))
    };
    let answers = store.settle(vec![closing, waiting]).await.expect("settled");
    assert_eq!(answers, [Settled::Done, Settled::Done]);
    // Notices are on stable storage when the answer comes: a second look must find them.
    store.close().await.expect("closes");
    drop(store);
    let store = place.open().await;
    assert_eq!(all_jobs(&store).await.len(), 5);
    assert_eq!(content(&store, ids[0]).await, text_of(ids[0]));
    assert!(content(&store, ids[1]).await == large);
    assert_eq!(content(&store, warned).await, text_of(warned));
    assert_eq!(claim(&store, &["a.sender.example"]).await.len(), 2);
    assert_eq!(claim(&store, &["b.sender.example"]).await.len(), 1);
    assert_eq!(claim(&store, &["postmaster.example"]).await.len(), 1);
}

pub(crate) async fn a_notice_that_cannot_be_queued_settles_nothing(place: &dyn Place) {
    let store = place.open().await;
    let id = keep(&store, message(&["example.org"])).await;
    let leased = claim_one(&store, "example.org").await;
    let mut taken = message(&["sender.example"]);
    taken.id = id;
    let mut empty = message(&["sender.example"]);
    empty.jobs = Vec::new();
    let mut short = message(&["sender.example"]);
    let Content::File { file, octets } = in_file(&store, b"0123456789") else {
        panic!("not in a file");
    };
    file.as_file().set_len(5).expect("cut");
    short.content = Content::File { file, octets };
    for wrong in [taken, empty, short] {
        let good = message(&["sender.example"]);
        let settlement = Settlement {
            notices: vec![good, wrong],
            ..done(leased.lease)
        };
        let refused = store.settle(vec![settlement]).await;
        assert!(
            matches!(
                refused,
                Err(StoreError::Refused(_) | StoreError::Content(_))
            ),
            "{refused:?}"
        );
        assert!(claim(&store, &["sender.example"]).await.is_empty());
        let view = only(all_jobs(&store).await);
        assert_eq!((view.message.id, view.leased), (id, true));
        assert_eq!(content(&store, id).await, text_of(id));
    }
    assert_eq!(settle(&store, done(leased.lease)).await, Settled::Done);
}

pub(crate) async fn settlements_survive_closing(place: &dyn Place) {
    let store = place.open().await;
    for _ in 0..3 {
        keep(&store, message(&["example.org"])).await;
    }
    let jobs = claim(&store, &["example.org"]).await;
    let settlements = vec![done(jobs[0].lease), again(&jobs[1], at(500))];
    store.settle(settlements).await.expect("settled");
    store.hand_back(vec![jobs[2].lease]).await.expect("back");
    let before = all_jobs(&store).await;
    assert_eq!(before.len(), 2);
    store.close().await.expect("closes");
    drop(store);
    let store = place.open().await;
    assert_eq!(all_jobs(&store).await, before);
    assert_eq!(claim(&store, &["example.org"]).await.len(), 1);
}

pub(crate) async fn a_batch_answers_for_each(place: &dyn Place) {
    let store = place.open().await;
    for _ in 0..300 {
        keep(&store, message(&["example.org"])).await;
    }
    let jobs = claim(&store, &["example.org"]).await;
    assert_eq!(jobs.len(), 300);
    let back: Vec<_> = jobs.iter().step_by(3).map(|leased| leased.lease).collect();
    store.hand_back(back).await.expect("back");
    let settlements = jobs
        .iter()
        .enumerate()
        .map(|(number, leased)| {
            if number % 2 == 0 {
                done(leased.lease)
            } else {
                again(leased, at(100))
            }
        })
        .collect();
    let answers = store.settle(settlements).await.expect("settled");
    assert_eq!(answers.len(), 300);
    for (number, answer) in answers.into_iter().enumerate() {
        let expected = if number % 3 == 0 {
            Settled::Lost
        } else {
            Settled::Done
        };
        assert_eq!(answer, expected, "{number}");
    }
    // A third was handed back, of the others every second one is done.
    assert_eq!(all_jobs(&store).await.len(), 200);
    assert_eq!(claim(&store, &["example.org"]).await.len(), 100);
}
