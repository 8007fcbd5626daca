//! Records and counts. Neighbouring changes of a kind are written together and in the order of their
//! keys, so that relays that change the same keys do not wait for each other in a circle.

use super::link::{Link, Trouble, USUAL, Work};
use crate::error::StoreError;
use crate::record::{Change, Kind, Record, Tally};
use deadpool_postgres::{Object, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_postgres::Row;

/// Changes that are written together.
#[derive(Debug)]
enum Step {
    Put(BTreeMap<(&'static str, String), Vec<u8>>),
    Add(BTreeMap<(&'static str, String), i64>),
    Remove(&'static str, String),
    Forget(&'static str, String),
}

/// Refuses what the database cannot keep.
fn checked(key: String) -> Result<String, StoreError> {
    if key.contains('\0') {
        return Err(StoreError::Refused("a key with a NUL"));
    }
    Ok(key)
}

/// Puts changes together, in their order.
fn steps(changes: Vec<Change>) -> Result<Vec<Step>, StoreError> {
    let mut steps = Vec::new();
    for change in changes {
        match change {
            Change::Put(kind, record) => {
                let key = (kind.word(), checked(record.key)?);
                if let Some(Step::Put(all)) = steps.last_mut() {
                    all.insert(key, record.value);
                } else {
                    steps.push(Step::Put(BTreeMap::from([(key, record.value)])));
                }
            }
            Change::Add(kind, tally) => {
                let key = (kind.word(), checked(tally.key)?);
                if let Some(Step::Add(all)) = steps.last_mut() {
                    let count = all.entry(key).or_insert(0);
                    *count = count.saturating_add(tally.count);
                } else {
                    steps.push(Step::Add(BTreeMap::from([(key, tally.count)])));
                }
            }
            Change::Remove(kind, key) => steps.push(Step::Remove(kind.word(), checked(key)?)),
            Change::Forget(kind, prefix) => {
                steps.push(Step::Forget(kind.word(), checked(prefix)?));
            }
        }
    }
    Ok(steps)
}

/// Changes records, all or none.
pub(super) async fn record(link: &Link, changes: Vec<Change>) -> Result<(), StoreError> {
    let steps = Arc::new(steps(changes)?);
    if steps.is_empty() {
        return Ok(());
    }
    link.run(USUAL, move |client| write(client, Arc::clone(&steps)))
        .await
}

fn write(client: &mut Object, steps: Arc<Vec<Step>>) -> Work<'_, ()> {
    Box::pin(async move {
        let transaction = client.transaction().await?;
        // On disk within a second (three times wal_writer_delay): soon enough for records.
        transaction
            .batch_execute("SET LOCAL synchronous_commit = off")
            .await?;
        for step in steps.iter() {
            write_step(&transaction, step).await?;
        }
        transaction.commit().await?;
        Ok(())
    })
}

async fn write_step(transaction: &Transaction<'_>, step: &Step) -> Result<(), Trouble> {
    const PUT: &str = "INSERT INTO record (kind, key, value)
        SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])
        ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value";
    const ADD: &str = "INSERT INTO tally (kind, key, count)
        SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
        ON CONFLICT (kind, key) DO UPDATE SET count = tally.count + excluded.count";
    const REMOVE: &str = "DELETE FROM record WHERE kind = $1 AND key = $2";
    const FORGET: &str = "DELETE FROM tally WHERE kind = $1 AND starts_with(key, $2)
        AND key >= $2 AND ($3::text IS NULL OR key < $3)";
    match step {
        Step::Put(all) => {
            let kinds: Vec<&str> = all.keys().map(|(kind, _)| *kind).collect();
            let keys: Vec<&str> = all.keys().map(|(_, key)| &**key).collect();
            let values: Vec<&[u8]> = all.values().map(|value| &value[..]).collect();
            let statement = transaction.prepare_cached(PUT).await?;
            transaction
                .execute(&statement, &[&kinds, &keys, &values])
                .await?;
        }
        Step::Add(all) => {
            let kinds: Vec<&str> = all.keys().map(|(kind, _)| *kind).collect();
            let keys: Vec<&str> = all.keys().map(|(_, key)| &**key).collect();
            let counts: Vec<i64> = all.values().copied().collect();
            let statement = transaction.prepare_cached(ADD).await?;
            transaction
                .execute(&statement, &[&kinds, &keys, &counts])
                .await?;
        }
        Step::Remove(kind, key) => {
            let statement = transaction.prepare_cached(REMOVE).await?;
            transaction.execute(&statement, &[kind, key]).await?;
        }
        Step::Forget(kind, prefix) => {
            let statement = transaction.prepare_cached(FORGET).await?;
            transaction
                .execute(&statement, &[kind, prefix, &end_of(prefix)])
                .await?;
        }
    }
    Ok(())
}

/// The first text after all that begin with `prefix`, in the order of octets; none when nothing comes
/// after them.
fn end_of(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// Writes a record unless there is one.
pub(super) async fn record_first(
    link: &Link,
    kind: Kind,
    record: Record,
) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO record (kind, key, value) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING";
    let key = checked(record.key)?;
    let record = Arc::new((key, record.value));
    link.run(USUAL, move |client| {
        let record = Arc::clone(&record);
        let client: &Object = client;
        Box::pin(async move {
            let statement = client.prepare_cached(SQL).await?;
            let (key, value) = &*record;
            let written = client
                .execute(&statement, &[&kind.word(), key, value])
                .await?;
            Ok(written == 1)
        })
    })
    .await
}

/// Rows of a table with keys, from the first one after `after` on.
async fn rows(
    link: &Link,
    sql: &'static str,
    kind: Kind,
    prefix: String,
    after: Option<String>,
    at_most: usize,
) -> Result<Vec<Row>, StoreError> {
    if prefix.contains('\0') {
        return Ok(Vec::new());
    }
    let end = end_of(&prefix);
    let after = after.map(|key| key.replace('\0', ""));
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let question = Arc::new((prefix, end, after));
    link.run(USUAL, move |client| {
        let question = Arc::clone(&question);
        let client: &Object = client;
        Box::pin(async move {
            let statement = client.prepare_cached(sql).await?;
            let (prefix, end, after) = &*question;
            let rows = client
                .query(&statement, &[&kind.word(), prefix, end, after, &limit])
                .await?;
            Ok(rows)
        })
    })
    .await
}

/// What decides which rows of a table with keys are meant.
macro_rules! with_prefix {
    () => {
        " WHERE kind = $1 AND key >= $2 AND starts_with(key, $2)
            AND ($3::text IS NULL OR key < $3) AND ($4::text IS NULL OR key > $4)
            ORDER BY key LIMIT $5"
    };
}

/// Records whose keys begin with `prefix`.
pub(super) async fn records(
    link: &Link,
    kind: Kind,
    prefix: String,
    after: Option<String>,
    at_most: usize,
) -> Result<Vec<Record>, StoreError> {
    const SQL: &str = concat!("SELECT key, value FROM record", with_prefix!());
    let rows = rows(link, SQL, kind, prefix, after, at_most).await?;
    let all = rows.iter().map(|row| {
        Ok(Record {
            key: row.try_get(0)?,
            value: row.try_get(1)?,
        })
    });
    all.collect::<Result<_, tokio_postgres::Error>>()
        .map_err(|error| StoreError::Damaged(error.to_string()))
}

/// Counts whose keys begin with `prefix`.
pub(super) async fn tallies(
    link: &Link,
    kind: Kind,
    prefix: String,
    after: Option<String>,
    at_most: usize,
) -> Result<Vec<Tally>, StoreError> {
    const SQL: &str = concat!("SELECT key, count FROM tally", with_prefix!());
    let rows = rows(link, SQL, kind, prefix, after, at_most).await?;
    let all = rows.iter().map(|row| {
        Ok(Tally {
            key: row.try_get(0)?,
            count: row.try_get(1)?,
        })
    });
    all.collect::<Result<_, tokio_postgres::Error>>()
        .map_err(|error| StoreError::Damaged(error.to_string()))
}
