//! Stores that are not as they should be: flipped bits, a lost or newer index, no room, no right to
//! write.

use crate::load::{message, octets_of, read};
use crate::power::Volume;
use elsinore_queue::admin::Filter;
use elsinore_queue::error::StoreError;
use elsinore_queue::id::MessageId;
use elsinore_queue::job::{Claim, Rest, Settlement};
use elsinore_queue::moment::Moment;
use elsinore_queue::record::{Change, Kind, Record};
use elsinore_queue::sqlite::{
    FsckMode, FsckReport, IndexState, Recovery, SqliteSettings, SqliteStore, fsck,
};
use elsinore_queue::store::QueueStore;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

const NOW: Moment = Moment(1_795_000_000_000);

fn settings(folder: &Path) -> SqliteSettings {
    SqliteSettings {
        reserve_octets: 0,
        ..SqliteSettings::new(folder.to_path_buf())
    }
}

fn claim(destination: &str) -> Claim {
    Claim {
        now: NOW,
        lease_for: Duration::from_secs(600),
        from: vec![(destination.to_owned(), 1000)],
    }
}

/// A closed store: forty messages for `keep.example`, one of them settled into a notice for
/// `told.example`, one put off, and ten that were settled without a word.
async fn sample(folder: &Path) {
    let store = SqliteStore::open(settings(folder)).expect("opens");
    for _ in 0..40 {
        let message = message(store.spool_folder(), &["keep.example"]);
        store.enqueue(message).await.expect("kept");
    }
    for _ in 0..10 {
        let message = message(store.spool_folder(), &["gone.example"]);
        store.enqueue(message).await.expect("kept");
    }
    let gone = store.claim(claim("gone.example")).await.expect("claims");
    let settlements = gone.into_iter().map(|leased| Settlement {
        lease: leased.lease,
        rest: None,
        notices: Vec::new(),
    });
    store.settle(settlements.collect()).await.expect("settles");
    let mut keep = store.claim(claim("keep.example")).await.expect("claims");
    assert_eq!(keep.len(), 40);
    let told = Settlement {
        lease: keep[0].lease,
        rest: None,
        notices: vec![message(store.spool_folder(), &["told.example"])],
    };
    let put_off = Settlement {
        lease: keep[1].lease,
        rest: Some(Rest {
            due: NOW.plus(Duration::from_secs(60)),
            recipients: keep.remove(1).recipients,
            standing: keep[0].standing.clone(),
            held: None,
        }),
        notices: Vec::new(),
    };
    store.settle(vec![told, put_off]).await.expect("settles");
    let record = Record {
        key: "example.org".to_owned(),
        value: b"enforce".to_vec(),
    };
    let change = Change::Put(Kind::StsPolicy, record);
    store.record(vec![change]).await.expect("recorded");
    store.close().await.expect("closes");
}

/// Jobs by destination, held ones apart; each body that is not held is compared.
async fn contents(folder: &Path) -> (BTreeMap<String, usize>, Vec<MessageId>, Recovery) {
    let store = SqliteStore::open(settings(folder)).expect("opens");
    let mut jobs = BTreeMap::new();
    let mut held = Vec::new();
    let page = store
        .list(Filter::default(), None, 100_000)
        .await
        .expect("lists");
    for job in page.jobs {
        let id = job.message.id;
        if job.held.is_some() {
            held.push(id);
            continue;
        }
        let body = store.body(id).await.expect("a body");
        assert!(read(&*body) == octets_of(id), "{id} is damaged");
        *jobs.entry(job.destination).or_default() += 1;
    }
    let recovery = store.recovery().clone();
    (jobs, held, recovery)
}

fn counted(jobs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    jobs.iter()
        .map(|(name, jobs)| ((*name).to_owned(), *jobs))
        .collect()
}

fn segment(folder: &Path) -> PathBuf {
    let mut largest = None;
    for entry in std::fs::read_dir(folder.join("segments")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let length = path.metadata().expect("its length").len();
        if path.extension().is_some_and(|end| end == "seg")
            && largest.as_ref().is_none_or(|(most, _)| length > *most)
        {
            largest = Some((length, path));
        }
    }
    largest.expect("a segment").1
}

fn look(folder: &Path) -> FsckReport {
    fsck(folder, FsckMode::Look).expect("looks")
}

#[tokio::test]
async fn any_flipped_bit_of_a_segment_costs_one_message_at_most() {
    let template = tempfile::tempdir().expect("a folder");
    sample(template.path()).await;
    assert!(look(template.path()).is_clean());
    let path = segment(template.path());
    let whole = std::fs::read(&path).expect("reads");
    for round in 0..crate::crash::rounds(24) {
        let mut octets = whole.clone();
        // The headers of segment and first record in any case.
        let at = if round < 8 {
            rand::random_range(0..120)
        } else {
            rand::random_range(0..octets.len())
        };
        octets[at] ^= 1 << rand::random_range(0..8);
        let folder = tempfile::tempdir().expect("a folder");
        copy(template.path(), folder.path());
        let damaged = folder
            .path()
            .join(path.strip_prefix(template.path()).expect("below"));
        std::fs::write(&damaged, &octets).expect("written");
        let looked = look(folder.path());
        assert!(looked.lost.len() <= 1, "octet {at}: {looked:?}");
        assert_eq!(looked.whole + looked.lost.len() as u64, looked.messages);
        if let Some(lost) = looked.lost.first() {
            let store = SqliteStore::open(settings(folder.path())).expect("opens");
            let refused = match store.body(*lost).await {
                Ok(body) => body.open().is_err(),
                Err(StoreError::Content(error)) => error.kind() == std::io::ErrorKind::InvalidData,
                Err(_) => false,
            };
            // A damaged head leaves the octets of the message whole.
            let body = store.body(*lost).await;
            assert!(refused || body.is_ok_and(|body| read(&*body) == octets_of(*lost)));
        }
        let mended = fsck(folder.path(), FsckMode::Rebuild).expect("mends");
        let mended = mended.mended.expect("mended");
        assert!(!mended.rebuilt);
        assert_eq!(mended.set_aside as usize, looked.damaged.len());
        let (jobs, held, _) = contents(folder.path()).await;
        assert_eq!(held, looked.lost, "octet {at}");
        assert_eq!(jobs.values().sum::<usize>() + held.len(), 40, "octet {at}");
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).expect("a folder");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[tokio::test]
async fn a_lost_or_damaged_index_is_made_anew_from_the_segments() {
    for damage in ["missing", "zeros", "noise"] {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        sample(folder).await;
        let index = folder.join("index.sqlite");
        match damage {
            "missing" => std::fs::remove_file(&index).expect("removed"),
            "zeros" => std::fs::write(&index, vec![0; 4096]).expect("written"),
            _ => std::fs::write(&index, vec![0xA5; 50_000]).expect("written"),
        }
        let opened = SqliteStore::open(settings(folder));
        if damage != "zeros" {
            assert!(
                matches!(opened, Err(StoreError::Damaged(_))),
                "{damage}: {opened:?}"
            );
        }
        drop(opened);
        let before = look(folder);
        assert_ne!(before.index, IndexState::Intact, "{damage}");
        assert!(!before.is_clean());
        let report = fsck(folder, FsckMode::Rebuild).expect("mends");
        let mended = report.mended.expect("mended");
        assert!(mended.rebuilt);
        assert_eq!(mended.maybe_twice, mended.messages);
        let (mut jobs, held, _) = contents(folder).await;
        // What was settled with a notice stays so; what was settled without a word comes again, but
        // for large messages, whose files are gone.
        let again = jobs.remove("gone.example").unwrap_or(0);
        assert!((1..=10).contains(&again), "{damage}: {again}");
        let expected = counted(&[("keep.example", 39), ("told.example", 1)]);
        assert_eq!((jobs, held), (expected, Vec::new()), "{damage}");
        assert!(look(folder).is_clean());
    }
}

#[tokio::test]
async fn a_damaged_index_gives_up_what_can_be_read_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    sample(folder).await;
    let sql = rusqlite::Connection::open(folder.join("index.sqlite")).expect("opens");
    sql.execute_batch(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'job_due';",
    )
    .expect("damaged");
    drop(sql);
    assert!(matches!(look(folder).index, IndexState::Damaged(_)));
    let report = fsck(folder, FsckMode::Rebuild).expect("mends");
    assert_eq!(report.mended.expect("mended").saved, 1);
    let store = SqliteStore::open(settings(folder)).expect("opens");
    let records = store
        .records(Kind::StsPolicy, String::new(), None, 9)
        .await
        .expect("reads");
    assert_eq!(records[0].value, b"enforce");
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    sample(folder).await;
    let index = folder.join("index.sqlite");
    let sql = rusqlite::Connection::open(&index).expect("opens");
    sql.execute_batch("PRAGMA user_version = 99;").expect("set");
    drop(sql);
    let before = everything_in(folder);
    for attempt in [
        SqliteStore::open(settings(folder)).err(),
        fsck(folder, FsckMode::Rebuild).err(),
    ] {
        assert!(
            matches!(attempt, Some(StoreError::Newer { found: 99, .. })),
            "{attempt:?}"
        );
    }
    assert!(before == everything_in(folder), "something was touched");
}

#[tokio::test]
async fn segments_of_a_newer_version_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    sample(folder).await;
    let path = segment(folder);
    let mut octets = std::fs::read(&path).expect("reads");
    for half in octets[..64].chunks_exact_mut(32) {
        half[6] = 7;
        let crc = crc32c::crc32c(&half[..24]);
        half[24..28].copy_from_slice(&crc.to_be_bytes());
    }
    std::fs::write(&path, octets).expect("written");
    let refuse = |whole: bool| {
        let before = everything_in(folder);
        for attempt in [
            SqliteStore::open(settings(folder)).err(),
            fsck(folder, FsckMode::Look).err(),
            fsck(folder, FsckMode::Rebuild).err(),
        ] {
            assert!(
                matches!(attempt, Some(StoreError::Newer { found: 7, .. }))
                    || (!whole && matches!(attempt, Some(StoreError::Damaged(_)))),
                "{attempt:?}"
            );
        }
        assert!(before == everything_in(folder), "something was touched");
    };
    refuse(true);
    // Without an index, the other one alone would be made anew, and call them damage.
    std::fs::remove_file(folder.join("index.sqlite")).expect("removed");
    refuse(false);
}

/// Every file below a folder, but for whose lock it is.
fn everything_in(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(everything_in(&path));
        } else if path.file_name().is_some_and(|name| name != "lock") {
            files.insert(path.clone(), std::fs::read(path).expect("reads"));
        }
    }
    files
}

#[tokio::test]
async fn a_file_system_that_cannot_be_written_is_named() {
    let Some(volume) = Volume::new(32) else {
        return;
    };
    let folder = volume.path().join("queue");
    sample(&folder).await;
    assert!(volume.remount("remount,ro"));
    let refused = SqliteStore::open(settings(&folder)).err();
    assert!(
        matches!(refused, Some(StoreError::ReadOnly(_))),
        "{refused:?}"
    );
    assert!(volume.remount("remount,rw"));
    assert_eq!(
        contents(&folder).await.0,
        counted(&[("keep.example", 39), ("told.example", 1)])
    );
}

#[tokio::test]
async fn a_full_disk_refuses_before_data_and_comes_back() {
    let Some(volume) = Volume::new(32) else {
        return;
    };
    let folder = volume.path().join("queue");
    let tight = SqliteSettings {
        segment_octets: 1 << 20,
        reserve_octets: 12 << 20,
        ..SqliteSettings::new(folder.clone())
    };
    let store = SqliteStore::open(tight.clone()).expect("opens");
    let mut kept = 0;
    while store.room(600 << 10).is_ok() {
        let message = message(store.spool_folder(), &["keep.example"]);
        match store.enqueue(message).await {
            Ok(()) => kept += 1,
            // The index has grown since it was asked.
            Err(StoreError::Full(_)) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(kept < 100_000, "the disk is never full");
    }
    assert!(matches!(store.room(600 << 10), Err(StoreError::Full(_))));
    store.health().expect("not broken");
    let mut refused = 0;
    let unreserved = SqliteSettings {
        reserve_octets: 0,
        ..tight.clone()
    };
    drop(store);
    let store = SqliteStore::open(unreserved).expect("opens on a full disk");
    // Somebody else fills it to its end. Messages come from elsewhere now, and are copied.
    let filler = volume.path().join("filler");
    let filled = std::fs::write(&filler, vec![1; 64 << 20]);
    assert!(filled.is_err(), "room for the filler");
    for _ in 0..50 {
        let message = message(&std::env::temp_dir(), &["keep.example"]);
        match store.enqueue(message).await {
            Ok(()) => kept += 1,
            Err(StoreError::Full(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0);
    store.health().expect("still not broken");
    std::fs::remove_file(&filler).expect("room again");
    let more = message(store.spool_folder(), &["keep.example"]);
    store.enqueue(more).await.expect("kept");
    kept += 1;
    drop(store);
    assert!(look(&folder).is_clean());
    let (jobs, held, recovery) = contents(&folder).await;
    assert_eq!(
        (jobs, held),
        (counted(&[("keep.example", kept)]), Vec::new())
    );
    assert_eq!(recovery, Recovery::default());
    // Settling frees the disk.
    let store = SqliteStore::open(tight).expect("opens");
    loop {
        let leased = store.claim(claim("keep.example")).await.expect("claims");
        if leased.is_empty() {
            break;
        }
        let settlements = leased.into_iter().map(|leased| Settlement {
            lease: leased.lease,
            rest: None,
            notices: Vec::new(),
        });
        store.settle(settlements.collect()).await.expect("settles");
    }
    store.tidy().await.expect("tidies");
    store.room(4 << 20).expect("room again");
}

#[tokio::test]
async fn a_write_that_finds_no_room_leaves_nothing_behind() {
    let Some(volume) = Volume::in_memory(12) else {
        return;
    };
    let folder = volume.path().join("queue");
    let mut kept = 0;
    let mut refused = 0;
    let store = SqliteStore::open(settings(&folder)).expect("opens");
    while refused < 20 {
        let message = message(&std::env::temp_dir(), &["keep.example"]);
        match store.enqueue(message).await {
            Ok(()) => kept += 1,
            Err(StoreError::Full(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    store.health().expect("not broken");
    drop(store);
    assert!(volume.remount("remount,size=48m"));
    let (jobs, held, recovery) = contents(&folder).await;
    assert_eq!(
        (jobs, held),
        (counted(&[("keep.example", kept)]), Vec::new())
    );
    assert_eq!(recovery, Recovery::default());
}

/// A loss of power may cost any end of the index's log that was not synced.
#[tokio::test]
async fn whatever_the_log_of_the_index_loses_is_made_again_from_the_segments() {
    let live = tempfile::tempdir().expect("a folder");
    let unsynced = SqliteSettings {
        sync_index_every: Duration::from_secs(3600),
        ..settings(live.path())
    };
    let store = SqliteStore::open(unsynced).expect("opens");
    store.tidy().await.expect("synced");
    let elsewhere = std::env::temp_dir();
    let mut kept = Vec::new();
    for _ in 0..60 {
        let message = message(&elsewhere, &["keep.example"]);
        kept.push(message.id);
        store.enqueue(message).await.expect("kept");
    }
    let leased = store.claim(claim("keep.example")).await.expect("claims");
    let mut told = BTreeMap::new();
    for (nth, leased) in leased.into_iter().take(30).enumerate() {
        let id = leased.message.id;
        let mut settlement = Settlement {
            lease: leased.lease,
            rest: None,
            notices: Vec::new(),
        };
        if nth % 2 == 0 {
            let notices = [(); 2].map(|()| message(&elsewhere, &["told.example"]));
            told.insert(id, notices.each_ref().map(|notice| notice.id));
            settlement.notices.extend(notices);
        }
        kept.retain(|kept| *kept != id);
        store.settle(vec![settlement]).await.expect("settles");
    }
    let log = live.path().join("index.sqlite-wal");
    let length = log.metadata().expect("a log").len();
    assert!(length > 50_000, "{length}: too short to lose much of");
    let mut again = 0;
    for round in 0..crate::crash::rounds(12) as u64 {
        let folder = tempfile::tempdir().expect("a folder");
        copy(live.path(), folder.path());
        // From losing all of it to losing nothing.
        let left = match round {
            0 => 0,
            1 => length,
            _ => rand::random_range(0..length),
        };
        std::fs::File::options()
            .write(true)
            .open(folder.path().join("index.sqlite-wal"))
            .and_then(|log| log.set_len(left))
            .expect("cut");
        // Of another process that is gone.
        std::fs::remove_file(folder.path().join("index.sqlite-shm")).expect("removed");
        let store = SqliteStore::open(settings(folder.path())).expect("opens");
        let page = store.list(Filter::default(), None, 1000).await;
        let found: Vec<MessageId> = page
            .expect("lists")
            .jobs
            .iter()
            .map(|job| job.message.id)
            .collect();
        for id in &kept {
            assert!(found.contains(id), "{id} is lost with {left} of {length}");
        }
        for (id, notices) in &told {
            assert!(notices.iter().all(|notice| found.contains(notice)));
            assert!(
                !found.contains(id),
                "{id} goes on, though its sender was told"
            );
        }
        again += found.len() - kept.len() - 2 * told.len();
        for id in found {
            assert!(read(&*store.body(id).await.expect("a body")) == octets_of(id));
        }
    }
    assert!(
        again > 0,
        "no settlement was ever repeated: nothing was lost"
    );
}
