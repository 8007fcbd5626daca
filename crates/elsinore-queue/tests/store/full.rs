//! No room at all, and no reserve: what was begun is told, nothing is half done, and the queue can
//! still be emptied.

use crate::load::message;
use crate::power::Volume;
use elsinore_queue::admin::{Deed, Filter};
use elsinore_queue::error::StoreError;
use elsinore_queue::job::{Claim, Settled, Settlement};
use elsinore_queue::moment::Moment;
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};
use elsinore_queue::store::QueueStore;
use std::path::Path;
use std::time::Duration;

const NOW: Moment = Moment(1_795_000_000_000);

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(SqliteSettings {
        segment_octets: 1 << 20,
        reserve_octets: 0,
        ..SqliteSettings::new(folder.to_path_buf())
    })
    .expect("opens")
}

/// Fills a file system to its last block.
pub(crate) fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).expect("made");
    for octets in [1 << 20, 1 << 16, 4096, 1] {
        let block = vec![1; octets];
        while file.write_all(&block).and_then(|()| file.flush()).is_ok() {}
    }
}

/// A store with many small messages on a disk that is full.
async fn crammed(volume: &Volume, messages: usize) -> SqliteStore {
    let store = open(&volume.path().join("queue"));
    let mut waiting = Vec::new();
    for _ in 0..messages {
        let mut message = message(&std::env::temp_dir(), &["keep.example"]);
        message.content = elsinore_queue::content::Content::Memory(vec![b'x'; 20]);
        waiting.push(store.enqueue(message));
        if waiting.len() == 500 {
            for kept in futures_util::future::join_all(waiting.drain(..)).await {
                kept.expect("kept");
            }
        }
    }
    for kept in futures_util::future::join_all(waiting).await {
        kept.expect("kept");
    }
    store.tidy().await.expect("the log is written back");
    fill(&volume.path().join("filler"));
    store
}

/// A sweep of several pieces, one of which is not written, says so and is not counted as done.
#[tokio::test]
async fn a_sweep_that_finds_no_room_is_not_done() {
    let Some(volume) = Volume::in_memory(64) else {
        return;
    };
    let store = crammed(&volume, 5000).await;
    // Opened again, its log is short and has to grow.
    store.close().await.expect("closes");
    drop(store);
    let store = open(&volume.path().join("queue"));
    let filler = std::fs::File::options()
        .write(true)
        .open(volume.path().join("filler"))
        .expect("opens");
    fill(&volume.path().join("rest"));
    let mut later = 0;
    // A little more room each time, until it is enough for the first piece and not for the next.
    loop {
        let before = store.stats(NOW).await.expect("counts").held;
        let deed = Deed::Hold("x".repeat(200));
        match store.change(Filter::default(), deed).await {
            Err(StoreError::Full(_)) => {
                let held = store.stats(NOW).await.expect("counts").held;
                assert!(held < 5000, "all are held, and it says otherwise");
                later += usize::from(held > before);
            }
            Ok(done) => {
                let held = store.stats(NOW).await.expect("counts").held;
                assert_eq!((done, held), (5000, 5000));
                break;
            }
            Err(error) => panic!("{error}"),
        }
        let length = filler.metadata().expect("its length").len();
        filler
            .set_len(length.checked_sub(400 << 10).expect("room enough"))
            .expect("shortened");
    }
    assert!(later > 0, "no piece after the first was refused");
    store.health().expect("not broken");
    filler.set_len(0).expect("room again");
    let done = store
        .change(Filter::default(), Deed::Hold("all".to_owned()))
        .await;
    assert_eq!(done.expect("done"), 5000);
    let filter = Filter {
        held: Some(true),
        ..Filter::default()
    };
    let held = store.list(filter, None, 10_000).await.expect("lists");
    assert_eq!(held.jobs.len(), 5000);
    let all = held.jobs.iter().map(|job| job.held.as_deref());
    assert!(all.into_iter().all(|why| why == Some("all")));
}

/// What takes no room of its own is done on a full disk, at once or when it is asked again.
#[tokio::test]
async fn a_full_disk_is_emptied_by_settling() {
    let Some(volume) = Volume::in_memory(24) else {
        return;
    };
    let store = crammed(&volume, 3000).await;
    let mut refused = Ok(());
    while refused.is_ok() {
        let message = message(&std::env::temp_dir(), &["keep.example"]);
        refused = store.enqueue(message).await;
    }
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    let mut settled = 0;
    loop {
        let claim = Claim {
            now: NOW,
            lease_for: Duration::from_secs(600),
            from: vec![("keep.example".to_owned(), 100)],
        };
        let leased = store.claim(claim).await.expect("claims");
        if leased.is_empty() {
            break;
        }
        for attempt in 0.. {
            let settlements = leased.iter().map(|leased| Settlement {
                lease: leased.lease,
                rest: None,
                notices: Vec::new(),
            });
            match store.settle(settlements.collect()).await {
                Ok(answers) => {
                    assert!(answers.iter().all(|answer| *answer == Settled::Done));
                    settled += answers.len();
                    break;
                }
                Err(StoreError::Full(_)) if attempt < 3 => {}
                Err(error) => panic!("after {settled}: {error}"),
            }
        }
    }
    assert!(settled >= 3000, "{settled}");
    store.health().expect("not broken");
    std::fs::remove_file(volume.path().join("filler")).expect("room again");
    store.tidy().await.expect("tidies");
    let left = store.stats(NOW).await.expect("counts");
    assert_eq!((left.jobs, left.messages), (0, 0));
    store
        .enqueue(message(&std::env::temp_dir(), &["keep.example"]))
        .await
        .expect("kept");
}
