//! The embedded store by itself; what both stores promise is tested in `tests/store`.

use super::*;
use crate::job::Rest;
use crate::message::{Envelope, NewJob, Recipient, TlsWish};
use std::io::Read as _;

const NOW: Moment = Moment(1_795_000_000_000);

fn message(destination: &str, body: &[u8]) -> NewMessage {
    NewMessage {
        id: MessageId::draw(NOW),
        arrived: NOW,
        envelope: Envelope {
            reverse_path: "horatio@example.org".to_owned(),
            ret: None,
            envelope_id: None,
            tls: TlsWish::Unspecified,
            smtp_utf8: false,
            origin: "local".to_owned(),
        },
        jobs: vec![NewJob {
            destination: destination.to_owned(),
            recipients: vec![Recipient {
                address: format!("hamlet@{destination}"),
                notify: None,
                original: None,
            }],
            due: NOW,
            held: None,
        }],
        content: Content::Memory(body.to_vec()),
    }
}

fn claim(destination: &str, at_most: usize) -> Claim {
    Claim {
        now: NOW,
        lease_for: Duration::from_secs(600),
        from: vec![(destination.to_owned(), at_most)],
    }
}

fn text(body: &dyn Body) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut reader = body.open().expect("opens");
    reader.read_to_end(&mut octets).expect("reads");
    octets
}

#[tokio::test]
async fn a_message_is_kept_over_a_restart_and_gone_when_it_is_settled() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SqliteSettings {
        reserve_octets: 0,
        ..SqliteSettings::new(folder.path().join("queue"))
    };
    let first = message("example.net", b"To be");
    let second = message("example.net", b"or not to be");
    let (one, two) = (first.id, second.id);
    let store = SqliteStore::open(settings.clone()).expect("opens");
    store.enqueue(first).await.expect("kept");
    store.enqueue(second).await.expect("kept");
    let leased = store.claim(claim("example.net", 1)).await.expect("claims");
    assert_eq!(leased.len(), 1);
    assert_eq!(leased[0].message.id, one);
    assert_eq!(text(&*store.body(one).await.expect("a body")), b"To be");
    let notice = message("example.org", b"alas");
    let said = notice.id;
    let settlement = Settlement {
        lease: leased[0].lease,
        rest: None,
        notices: vec![notice],
    };
    assert_eq!(
        store.settle(vec![settlement]).await.expect("settles"),
        [Settled::Done]
    );
    assert!(matches!(store.body(one).await, Err(StoreError::Unknown)));
    assert!(matches!(
        SqliteStore::open(settings.clone()),
        Err(StoreError::InUse(_))
    ));
    drop(store);
    let store = SqliteStore::open(settings).expect("opens again");
    assert_eq!(*store.recovery(), Recovery::default());
    let waiting = store.waiting(NOW, None, 10).await.expect("waits");
    let names: Vec<_> = waiting.iter().map(|due| due.destination.as_str()).collect();
    assert_eq!(names, ["example.net", "example.org"]);
    assert_eq!(
        text(&*store.body(two).await.expect("a body")),
        b"or not to be"
    );
    assert_eq!(text(&*store.body(said).await.expect("a body")), b"alas");
    let leased = store.claim(claim("example.net", 9)).await.expect("claims");
    assert_eq!(leased.len(), 1);
    let later = NOW.plus(Duration::from_secs(60));
    let settlement = Settlement {
        lease: leased[0].lease,
        rest: Some(Rest {
            due: later,
            recipients: leased[0].recipients.clone(),
            standing: leased[0].standing.clone(),
            held: None,
        }),
        notices: Vec::new(),
    };
    store.settle(vec![settlement]).await.expect("settles");
    let leased = store.claim(claim("example.org", 9)).await.expect("claims");
    assert_eq!(leased.len(), 1);
    assert_eq!(store.next_due().await.expect("known"), Some(later));
    store.close().await.expect("closes");
}

/// What a thread that writes leaves behind when it ends by a panic, in a store whose disk was full once.
#[tokio::test]
async fn a_writer_that_panics_ends_the_store_for_everybody() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(SqliteSettings {
        reserve_octets: 0,
        ..SqliteSettings::new(folder.path().join("queue"))
    })
    .expect("opens");
    store.shared.full("the disk was full".to_owned());
    assert!(store.health().is_ok());
    let kept = store.enqueue(message("example.net", b"To be"));
    kept.await.expect("has room again");
    assert!(
        !store.shared.why_not().to_string().contains("was full"),
        "the disk is full no longer"
    );
    store.shared.full("the disk was full again".to_owned());
    let panicking = Shared::start(&store.shared, || panic!("a defect, as the test wants it"))
        .expect("a thread");
    assert!(panicking.join().is_err());
    for refused in [
        store.health().err(),
        store.room(1).err(),
        store.enqueue(message("example.net", b"or not")).await.err(),
        store.claim(claim("example.net", 1)).await.err(),
        store.body(MessageId::draw(NOW)).await.err(),
    ] {
        match refused {
            Some(StoreError::Failed(why)) => assert!(why.contains("defect"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Else SQLite would prepare the statement of each claim again: its plan is not to depend on what is bound.
#[test]
fn statements_are_prepared_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = index::Index::open(&folder.path().join("index.sqlite")).expect("opens");
    for number in 0..10 {
        let mut statement = index.sql.prepare_cached(&claim::JOBS_OF).expect("prepared");
        let again = statement.get_status(rusqlite::StatementStatus::RePrepare);
        assert_eq!(again, 0);
        let mut rows = statement
            .query((format!("d{number}.example"), number))
            .expect("runs");
        assert!(rows.next().expect("runs").is_none());
    }
}

/// What syncs the index is a commit that writes: one of nothing new is none.
#[test]
fn a_barrier_writes_to_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = index::Index::open(&folder.path().join("index.sqlite")).expect("opens");
    let log = folder.path().join("index.sqlite-wal");
    let length = || log.metadata().expect("a log").len();
    for _ in 0..5 {
        let before = length();
        index.barrier().expect("synced");
        assert!(length() > before);
    }
}
