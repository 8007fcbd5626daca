//! One entry that cannot be read costs nothing but itself.

use crate::place::Place;
use crate::sample::{NOW, Store, claim, done, keep, message};
use elsinore_queue::admin::{Deed, Filter};
use elsinore_queue::id::MessageId;
use std::collections::BTreeSet;

/// What is written over a column.
struct Damage {
    table: &'static str,
    column: &'static str,
    value: &'static str,
}

const DAMAGES: [Damage; 3] = [
    Damage {
        table: "job",
        column: "recipients",
        value: "[{",
    },
    Damage {
        table: "job",
        column: "standing",
        value: r#"{"attempts":"many"}"#,
    },
    Damage {
        table: "message",
        column: "envelope",
        value: "",
    },
];

/// Nine messages for one destination, three of which cannot be read.
async fn six_go_on(store: &Store, damaged: &BTreeSet<MessageId>) {
    let filter = |held| Filter {
        held: Some(held),
        ..Filter::default()
    };
    // Seen before it is claimed, too.
    let all = store.list(Filter::default(), None, 100).await;
    assert_eq!(all.expect("lists").jobs.len(), 9);
    for _ in 0..2 {
        let leased = claim(store, &["example.org"]).await;
        let names: BTreeSet<MessageId> = leased.iter().map(|leased| leased.message.id).collect();
        assert_eq!(names.len(), 6);
        assert!(names.is_disjoint(damaged));
        let complaints = store.complaints();
        assert_eq!(complaints.len(), 3, "{complaints:?}");
        for line in &complaints {
            assert!(line.contains("example.org") && line.contains("cannot be read"));
        }
        assert!(store.complaints().is_empty());
        let held = store.list(filter(true), None, 100).await.expect("lists");
        let names: BTreeSet<MessageId> = held.jobs.iter().map(|job| job.message.id).collect();
        assert_eq!(&names, damaged);
        for job in &held.jobs {
            let why = job.held.as_deref().unwrap_or_default();
            assert!(why.starts_with("its entry cannot be read: "), "{why}");
        }
        assert_eq!(store.stats(NOW).await.expect("counts").held, 3);
        let leases = leased.iter().map(|leased| leased.lease).collect();
        store.hand_back(leases).await.expect("handed back");
        // Released as it is, it is held again.
        let released = store.change(filter(true), Deed::Release).await;
        assert_eq!(released.expect("released"), 3);
    }
    // An envelope that cannot be read is not one of the null path.
    let null_path = Filter {
        sender: Some("<>".to_owned()),
        ..Filter::default()
    };
    let none = store.list(null_path, None, 100).await.expect("lists");
    assert!(none.jobs.is_empty());
    let leased = claim(store, &["example.org"]).await;
    let settled = store
        .settle(leased.iter().map(|leased| done(leased.lease)).collect())
        .await;
    assert_eq!(settled.expect("settles").len(), 6);
    store.tidy().await.expect("tidies");
    store.health().expect("works");
    let removed = store.change(Filter::default(), Deed::Remove).await;
    assert_eq!(removed.expect("removed"), 3);
}

async fn nine(store: &Store) -> Vec<MessageId> {
    let mut names = Vec::new();
    for _ in 0..9 {
        let message = message(&["example.org"]);
        names.push(message.id);
        keep(store, message).await;
    }
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_embedded_store() {
    let place = crate::place::sqlite();
    let store = place.open().await;
    let names = nine(&store).await;
    store.close().await.expect("closes");
    drop(store);
    let sql = rusqlite::Connection::open(place.folder().join("index.sqlite")).expect("opens");
    let mut damaged = BTreeSet::new();
    for (damage, number) in DAMAGES.iter().zip([1, 4, 7]) {
        let Damage { table, column, .. } = damage;
        let which = if *table == "job" { "job >> 20" } else { "num" };
        let rows = sql
            .execute(
                &format!(
                    "UPDATE {table} SET {column} = ?2
                     WHERE {which} = (SELECT num FROM message WHERE id = ?1)"
                ),
                (names[number].octets(), damage.value),
            )
            .expect("damaged");
        assert_eq!(rows, 1);
        damaged.insert(names[number]);
    }
    drop(sql);
    six_go_on(&place.open().await, &damaged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_shared_store() {
    let Some(place) = crate::place::postgres() else {
        return;
    };
    let store = place.open().await;
    let names = nine(&store).await;
    let mut damaged = BTreeSet::new();
    for (damage, number) in DAMAGES.iter().zip([1, 4, 7]) {
        let Damage {
            table,
            column,
            value,
        } = damage;
        let which = if *table == "job" { "message" } else { "id" };
        let name: String = names[number]
            .octets()
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        crate::several::sql(
            &place,
            &format!(
                "UPDATE {{schema}}.{table} SET {column} = '{value}' WHERE {which} = '\\x{name}'"
            ),
        )
        .await;
        damaged.insert(names[number]);
    }
    six_go_on(&store, &damaged).await;
}
