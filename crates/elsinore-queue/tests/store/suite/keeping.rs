//! What `enqueue` kept is there, all of it, until it is settled.

use crate::place::Place;
use crate::sample::{
    NOW, all_jobs, at, claim, claim_one, content, done, envelope, in_file, job, keep, message,
    octets, only, read, recipient, settle, text_of, with_jobs,
};
use elsinore_queue::admin::Stats;
use elsinore_queue::content::{Content, Incoming};
use elsinore_queue::error::StoreError;
use elsinore_queue::id::MessageId;
use elsinore_queue::job::Standing;
use elsinore_queue::message::{Envelope, NewJob, NewMessage, Recipient, TlsWish};
use elsinore_queue::moment::Moment;
use std::io::{Read as _, Seek as _, SeekFrom};

/// Envelopes with everything in them that can be, and with nothing.
fn envelopes() -> Vec<Envelope> {
    let full = Envelope {
        reverse_path: "\"o'brien \\\"x\\\" %_\"@xn--bcher-kva.example".to_owned(),
        ret: Some("HDRS".to_owned()),
        envelope_id: Some("QQ314159+2B\u{7f}".to_owned()),
        tls: TlsWish::Required,
        smtp_utf8: true,
        origin: "2001:db8::1".to_owned(),
    };
    vec![
        full.clone(),
        envelope(""),
        Envelope {
            reverse_path: "посетитель@пример.example".to_owned(),
            tls: TlsWish::Optional,
            origin: "local".to_owned(),
            ..full
        },
    ]
}

pub(crate) async fn the_envelope_is_read_back_as_it_was(place: &dyn Place) {
    let store = place.open().await;
    for (number, envelope) in envelopes().into_iter().enumerate() {
        let destination = format!("full{number}.example");
        let recipients = vec![
            Recipient {
                address: format!("\"a b;--\"@{destination}"),
                notify: Some("SUCCESS,FAILURE,DELAY".to_owned()),
                original: Some("rfc822;Bob+40Example.com".to_owned()),
            },
            Recipient {
                notify: Some("NEVER".to_owned()),
                ..recipient(&format!("δοκιμή@{destination}"))
            },
        ];
        let id = MessageId::draw(NOW);
        let jobs = vec![NewJob {
            destination: destination.clone(),
            recipients: recipients.clone(),
            due: at(-5),
            held: None,
        }];
        let arrived = at(-7);
        let content = Content::Memory(text_of(id));
        let octets = content.octets();
        keep(
            &store,
            NewMessage {
                id,
                arrived,
                envelope: envelope.clone(),
                jobs,
                content,
            },
        )
        .await;
        let leased = claim_one(&store, &destination).await;
        assert_eq!(leased.destination, destination);
        assert_eq!(leased.recipients, recipients);
        assert_eq!(leased.standing, Standing::default());
        assert_eq!(leased.message.id, id);
        assert_eq!(leased.message.arrived, arrived);
        assert_eq!(leased.message.envelope, envelope);
        assert_eq!(leased.message.octets, octets);
    }
}

pub(crate) async fn octets_are_read_back_from_memory_and_from_files(place: &dyn Place) {
    const KIB: usize = 1024;
    let store = place.open().await;
    let lengths = [
        0,
        1,
        4 * KIB,
        256 * KIB - 1,
        256 * KIB,
        256 * KIB + 1,
        512 * KIB,
        3 * KIB * KIB + 5,
    ];
    let mut kept = Vec::new();
    for (seed, length) in lengths.into_iter().enumerate() {
        let octets = octets(length, u64::try_from(seed).expect("a seed"));
        for file in [false, true] {
            let content = if file {
                in_file(&store, &octets)
            } else {
                Content::Memory(octets.clone())
            };
            let mut message = message(&["example.org"]);
            message.content = content;
            kept.push((keep(&store, message).await, octets.clone()));
        }
    }
    let mut incoming = Incoming::new(store.spool_folder().to_path_buf(), 1000);
    let arriving = octets(300_000, 99);
    for block in arriving.chunks(777) {
        incoming.push(block).expect("a block");
    }
    let mut arrived = message(&["example.org"]);
    arrived.content = incoming.finish();
    kept.push((keep(&store, arrived).await, arriving));
    for (id, octets) in &kept {
        assert!(content(&store, *id).await == *octets, "{id} differs");
    }
    let (id, octets) = &kept[14];
    let body = store.body(*id).await.expect("a body");
    let mut reader = body.open().expect("opens");
    for start in [octets.len() - 1, 0, 262_140, 1_000_000] {
        let position = u64::try_from(start).expect("a position");
        assert_eq!(reader.seek(SeekFrom::Start(position)).ok(), Some(position));
        let length = 10.min(octets.len() - start);
        let mut part = vec![0; length];
        reader.read_exact(&mut part).expect("reads");
        assert_eq!(part, octets[start..start + length]);
    }
    let left: Vec<_> = std::fs::read_dir(store.spool_folder())
        .expect("the folder")
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("incoming-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

pub(crate) async fn everything_is_there_after_closing_and_opening(place: &dyn Place) {
    let store = place.open().await;
    let mut kept = Vec::new();
    for number in 0..20 {
        let octets = octets(number * 40_000, 7);
        let mut message = message(&["a.example", "b.example"]);
        message.jobs[1].held = Some("by hand".to_owned());
        message.content = if number % 2 == 0 {
            Content::Memory(octets.clone())
        } else {
            in_file(&store, &octets)
        };
        kept.push((keep(&store, message).await, octets));
    }
    let before = all_jobs(&store).await;
    assert_eq!(before.len(), 40);
    store.close().await.expect("closes");
    drop(store);
    for _ in 0..2 {
        let store = place.open().await;
        assert_eq!(all_jobs(&store).await, before);
        for (id, octets) in &kept {
            assert!(content(&store, *id).await == *octets, "{id} differs");
        }
        store.close().await.expect("closes");
    }
    let store = place.open().await;
    assert_eq!(claim(&store, &["a.example", "b.example"]).await.len(), 20);
}

pub(crate) async fn a_second_message_of_the_same_name_is_refused(place: &dyn Place) {
    let store = place.open().await;
    let id = keep(&store, message(&["first.example"])).await;
    let mut second = message(&["second.example"]);
    second.id = id;
    second.content = Content::Memory(b"other".to_vec());
    let refused = store.enqueue(second).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    let job = only(all_jobs(&store).await);
    assert_eq!(job.destination, "first.example");
    assert_eq!(content(&store, id).await, text_of(id));
    // And the store goes on.
    keep(&store, message(&["third.example"])).await;
}

pub(crate) async fn a_message_without_jobs_is_refused(place: &dyn Place) {
    let store = place.open().await;
    let empty = with_jobs(Vec::new());
    let id = empty.id;
    let refused = store.enqueue(empty).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    assert!(matches!(store.body(id).await, Err(StoreError::Unknown)));
    assert_eq!(store.stats(NOW).await.expect("stats"), Stats::default());
}

pub(crate) async fn a_file_that_is_too_short_is_refused(place: &dyn Place) {
    let store = place.open().await;
    for length in [1_000, 700_000] {
        let Content::File { file, octets } = in_file(&store, &octets(length, 3)) else {
            panic!("not in a file");
        };
        file.as_file().set_len(octets - 1).expect("cut");
        let mut cut = message(&["example.org"]);
        let id = cut.id;
        cut.content = Content::File { file, octets };
        let refused = store.enqueue(cut).await;
        assert!(
            matches!(refused, Err(StoreError::Content(_))),
            "{refused:?}"
        );
        assert!(matches!(store.body(id).await, Err(StoreError::Unknown)));
    }
    assert!(all_jobs(&store).await.is_empty());
    let id = keep(&store, message(&["example.org"])).await;
    assert_eq!(content(&store, id).await, text_of(id));
}

pub(crate) async fn a_body_stays_readable_while_it_is_held(place: &dyn Place) {
    let store = place.open().await;
    let mut held = Vec::new();
    for length in [100, 1_000_000] {
        let octets = octets(length, 5);
        let mut message = message(&["example.org"]);
        message.content = Content::Memory(octets.clone());
        let id = keep(&store, message).await;
        held.push((id, store.body(id).await.expect("a body"), octets));
    }
    for leased in claim(&store, &["example.org"]).await {
        settle(&store, done(leased.lease)).await;
    }
    store.tidy().await.expect("tidies");
    for (id, body, octets) in held {
        assert!(matches!(store.body(id).await, Err(StoreError::Unknown)));
        assert!(read(&*body) == octets, "{id} differs");
    }
}

pub(crate) async fn a_message_goes_with_its_last_job(place: &dyn Place) {
    let store = place.open().await;
    let id = keep(&store, message(&["a.example", "b.example"])).await;
    let first = claim_one(&store, "a.example").await;
    settle(&store, done(first.lease)).await;
    assert_eq!(content(&store, id).await, text_of(id));
    assert_eq!(only(all_jobs(&store).await).destination, "b.example");
    let last = claim_one(&store, "b.example").await;
    settle(&store, done(last.lease)).await;
    assert!(matches!(store.body(id).await, Err(StoreError::Unknown)));
    assert_eq!(store.stats(NOW).await.expect("stats"), Stats::default());
}

pub(crate) async fn a_closed_store_refuses(place: &dyn Place) {
    let store = place.open().await;
    keep(&store, message(&["example.org"])).await;
    store.close().await.expect("closes");
    let refused = store.enqueue(message(&["example.org"])).await;
    assert!(refused.is_err());
    drop(store);
    let store = place.open().await;
    assert_eq!(all_jobs(&store).await.len(), 1);
}

pub(crate) async fn an_envelope_of_ten_thousand_recipients(place: &dyn Place) {
    let store = place.open().await;
    let jobs: Vec<NewJob> = (0..1000)
        .map(|number| NewJob {
            recipients: (0..10)
                .map(|name| recipient(&format!("user{name}@d{number:04}.example")))
                .collect(),
            ..job(&format!("d{number:04}.example"), NOW)
        })
        .collect();
    keep(&store, with_jobs(jobs.clone())).await;
    let views = all_jobs(&store).await;
    assert_eq!(views.len(), 1000);
    for new in &jobs {
        let view = views
            .iter()
            .find(|view| view.destination == new.destination)
            .expect("the job");
        assert_eq!(view.recipients, new.recipients);
    }
}

pub(crate) async fn an_empty_store_says_so(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.stats(NOW).await.expect("stats"), Stats::default());
    assert_eq!(store.next_due().await.expect("an answer"), None);
    let waiting = store.waiting(Moment(i64::MAX), None, 10).await;
    assert_eq!(waiting.expect("an answer"), Vec::new());
    assert!(claim(&store, &["example.org"]).await.is_empty());
    assert!(claim(&store, &[]).await.is_empty());
    assert!(all_jobs(&store).await.is_empty());
    let unknown = store.body(MessageId::draw(NOW)).await;
    assert!(matches!(unknown, Err(StoreError::Unknown)));
    assert!(store.room(1).is_ok());
    assert!(store.health().is_ok());
    assert_eq!(store.settle(Vec::new()).await.expect("nothing"), Vec::new());
    store.hand_back(Vec::new()).await.expect("nothing");
    store.record(Vec::new()).await.expect("nothing");
    store.tidy().await.expect("tidies");
}

pub(crate) async fn tidying_loses_nothing(place: &dyn Place) {
    let store = place.open().await;
    let mut kept = Vec::new();
    for number in 0..200 {
        let octets = octets(20_000, number);
        let destination = if number % 10 == 0 {
            "slow.example"
        } else {
            "fast.example"
        };
        let mut message = message(&[destination]);
        message.content = Content::Memory(octets.clone());
        let id = keep(&store, message).await;
        if number % 10 == 0 {
            kept.push((id, octets));
        }
    }
    let settlements = claim(&store, &["fast.example"])
        .await
        .iter()
        .map(|leased| done(leased.lease))
        .collect();
    store.settle(settlements).await.expect("settled");
    for _ in 0..3 {
        store.tidy().await.expect("tidies");
        for (id, octets) in &kept {
            assert!(content(&store, *id).await == *octets, "{id} differs");
        }
    }
    store.close().await.expect("closes");
    drop(store);
    let store = place.open().await;
    for (id, octets) in &kept {
        assert!(content(&store, *id).await == *octets, "{id} differs");
    }
    assert_eq!(all_jobs(&store).await.len(), 20);
}
