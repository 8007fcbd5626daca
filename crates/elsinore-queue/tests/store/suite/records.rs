//! Records and counts: what must survive a restart beside the messages.

use crate::place::Place;
use crate::sample::{Store, octets};
use elsinore_queue::record::{Change, Kind, Record, Tally};
use std::sync::Arc;

fn record(key: &str, value: &[u8]) -> Record {
    Record {
        key: key.to_owned(),
        value: value.to_vec(),
    }
}

fn put(key: &str, value: &[u8]) -> Change {
    Change::Put(Kind::StsPolicy, record(key, value))
}

fn add(key: &str, count: i64) -> Change {
    let key = key.to_owned();
    Change::Add(Kind::TlsCount, Tally { key, count })
}

async fn change(store: &Store, changes: Vec<Change>) {
    store.record(changes).await.expect("recorded");
}

/// All policies, so many at a time.
async fn policies(store: &Store, prefix: &str, page: usize) -> Vec<Record> {
    let mut all: Vec<Record> = Vec::new();
    loop {
        let after = all.last().map(|last| last.key.clone());
        let some = store
            .records(Kind::StsPolicy, prefix.to_owned(), after, page)
            .await
            .expect("records");
        assert!(some.len() <= page);
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

/// All counts, so many at a time.
async fn counts(store: &Store, prefix: &str, page: usize) -> Vec<(String, i64)> {
    let mut all: Vec<Tally> = Vec::new();
    loop {
        let after = all.last().map(|last| last.key.clone());
        let some = store
            .tallies(Kind::TlsCount, prefix.to_owned(), after, page)
            .await
            .expect("counts");
        assert!(some.len() <= page);
        if some.is_empty() {
            break;
        }
        all.extend(some);
    }
    all.into_iter()
        .map(|tally| (tally.key, tally.count))
        .collect()
}

pub(crate) async fn records_are_put_read_and_removed(place: &dyn Place) {
    let store = place.open().await;
    let large = octets(200_000, 1);
    let changes = vec![
        put("b", b"one"),
        put("a", &large),
        put("c", b""),
        put("b", b"two"),
        Change::Remove(Kind::StsPolicy, "nothing".to_owned()),
    ];
    change(&store, changes).await;
    let expected = [record("a", &large), record("b", b"two"), record("c", b"")];
    for page in [1, 2, 3, 100] {
        assert!(policies(&store, "", page).await == expected, "{page}");
    }
    let changes = vec![
        Change::Remove(Kind::StsPolicy, "a".to_owned()),
        put("b", b"three"),
        put("d", b"short"),
        Change::Remove(Kind::StsPolicy, "d".to_owned()),
    ];
    change(&store, changes).await;
    let expected = [record("b", b"three"), record("c", b"")];
    assert_eq!(policies(&store, "", 9).await, expected);
}

pub(crate) async fn prefixes_are_taken_literally(place: &dyn Place) {
    let store = place.open().await;
    let keys = [
        "%",
        "_",
        "a",
        "a%b",
        "a_b",
        "aXb",
        "a\\b",
        "ab",
        "ba",
        "é",
        "é\u{10ffff}",
        "ê",
    ];
    change(&store, keys.iter().map(|key| put(key, b"")).collect()).await;
    change(&store, keys.iter().map(|key| add(key, 1)).collect()).await;
    for prefix in [
        "",
        "%",
        "_",
        "a",
        "a_",
        "a%",
        "a\\",
        "A",
        "é",
        "b",
        "zz",
        "\u{10ffff}",
    ] {
        let mut expected: Vec<&str> = keys
            .into_iter()
            .filter(|key| key.starts_with(prefix))
            .collect();
        expected.sort_unstable();
        let found = policies(&store, prefix, 2).await;
        let found: Vec<&str> = found.iter().map(|record| record.key.as_str()).collect();
        assert_eq!(found, expected, "records that begin with {prefix:?}");
        let found = counts(&store, prefix, 2).await;
        let found: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(found, expected, "counts that begin with {prefix:?}");
    }
    change(
        &store,
        vec![Change::Forget(Kind::TlsCount, "a_".to_owned())],
    )
    .await;
    assert_eq!(counts(&store, "", 100).await.len(), keys.len() - 1);
    change(&store, vec![Change::Forget(Kind::TlsCount, "é".to_owned())]).await;
    assert_eq!(counts(&store, "", 100).await.len(), keys.len() - 3);
    assert_eq!(policies(&store, "", 100).await.len(), keys.len());
    change(&store, vec![Change::Forget(Kind::TlsCount, String::new())]).await;
    assert_eq!(counts(&store, "", 100).await, []);
}

pub(crate) async fn kinds_are_apart(place: &dyn Place) {
    let store = place.open().await;
    let key = "example.org".to_owned();
    for (number, kind) in (0_u8..).zip(Kind::ALL) {
        let tally = Tally {
            key: key.clone(),
            count: i64::from(number) + 1,
        };
        let changes = vec![
            Change::Put(kind, record(&key, &[number])),
            Change::Add(kind, tally),
        ];
        change(&store, changes).await;
    }
    change(
        &store,
        vec![
            Change::Remove(Kind::TlsReport, key.clone()),
            Change::Forget(Kind::Achieved, key.clone()),
        ],
    )
    .await;
    for (number, kind) in (0_u8..).zip(Kind::ALL) {
        let records = store.records(kind, String::new(), None, 9).await;
        let records = records.expect("records");
        let tallies = store.tallies(kind, String::new(), None, 9).await;
        let tallies: Vec<i64> = tallies
            .expect("counts")
            .iter()
            .map(|tally| tally.count)
            .collect();
        let removed = matches!(kind, Kind::TlsReport);
        let forgotten = matches!(kind, Kind::Achieved);
        assert_eq!(records.len(), usize::from(!removed), "{kind:?}");
        if !removed {
            assert_eq!(records[0].value, [number]);
        }
        let expected = if forgotten {
            Vec::new()
        } else {
            vec![i64::from(number) + 1]
        };
        assert_eq!(tallies, expected, "{kind:?}");
    }
}

pub(crate) async fn counts_add_up(place: &dyn Place) {
    let store = place.open().await;
    change(&store, vec![add("a", 5), add("b", 1), add("a", -2)]).await;
    change(&store, vec![add("b", 1 << 40)]).await;
    let expected = [("a".to_owned(), 3), ("b".to_owned(), (1 << 40) + 1)];
    assert_eq!(counts(&store, "", 9).await, expected);
    let forget = Change::Forget(Kind::TlsCount, "a".to_owned());
    change(&store, vec![forget, add("a", 7)]).await;
    assert_eq!(counts(&store, "a", 9).await, [("a".to_owned(), 7)]);
}

pub(crate) async fn counts_add_up_when_many_add(place: &dyn Place) {
    let store = place.open().await;
    let mut tasks = Vec::new();
    for task in 0..8 {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            for round in 0..20 {
                // In a different order each time: whoever locks them one by one must not wait for
                // ever for another who does.
                let mut changes: Vec<Change> =
                    (0..10).map(|key| add(&format!("k{key}"), 1)).collect();
                changes.rotate_left((task * 3 + round) % 10);
                if round % 2 == 0 {
                    changes.reverse();
                }
                store.record(changes).await.expect("recorded");
            }
        }));
    }
    for task in tasks {
        task.await.expect("a task");
    }
    let counts = counts(&store, "", 100).await;
    assert_eq!(counts.len(), 10);
    assert!(counts.iter().all(|(_, count)| *count == 160), "{counts:?}");
}

pub(crate) async fn only_the_first_record_is_written(place: &dyn Place) {
    let store = place.open().await;
    let mut tasks = Vec::new();
    for task in 0..8_u8 {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            let record = record("example.org 2026-11-22", &[task]);
            let first = store.record_first(Kind::TlsReport, record).await;
            first.expect("an answer").then_some(task)
        }));
    }
    let mut winners = Vec::new();
    for task in tasks {
        winners.extend(task.await.expect("a task"));
    }
    assert_eq!(winners.len(), 1);
    let kept = store.records(Kind::TlsReport, String::new(), None, 9).await;
    let kept = kept.expect("records");
    assert_eq!(kept, [record("example.org 2026-11-22", &winners)]);
    let other = record("example.org 2026-11-22", b"x");
    let first = store.record_first(Kind::Achieved, other).await;
    assert!(first.expect("an answer"));
}

pub(crate) async fn records_survive_closing(place: &dyn Place) {
    let store = place.open().await;
    change(&store, vec![put("a", b"one"), add("a", 2)]).await;
    let first = store
        .record_first(Kind::TlsReport, record("r", b"r"))
        .await
        .expect("an answer");
    assert!(first);
    store.close().await.expect("closes");
    drop(store);
    let store = place.open().await;
    assert_eq!(policies(&store, "", 9).await, [record("a", b"one")]);
    assert_eq!(counts(&store, "", 9).await, [("a".to_owned(), 2)]);
    let again = store
        .record_first(Kind::TlsReport, record("r", b"other"))
        .await
        .expect("an answer");
    assert!(!again);
}
