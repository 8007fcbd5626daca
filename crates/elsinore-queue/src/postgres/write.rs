//! Messages on their way into the database. Small ones are written many at a time, in one statement
//! and so with one wait for the disk; a large one has a transaction of its own.

use super::content::{PART, Source, time_for, write_parts};
use super::link::{Link, Trouble, USUAL, Work};
use super::wake::Bell;
use crate::error::StoreError;
use crate::message::NewMessage;
use deadpool_postgres::{GenericClient, Object, Transaction};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Messages that are written at once at most.
const BATCH_MESSAGES: usize = 256;
/// Octets that are written at once at most, but for the last message.
const BATCH_OCTETS: usize = 8 * 1024 * 1024;
/// Messages that wait to be written; who comes later waits for a place.
const WAITING: usize = 512;
/// Writers: while one waits for the disk, the other collects.
const WRITERS: usize = 2;

/// A message in the form of its rows.
#[derive(Debug)]
pub(super) struct Rows {
    id: [u8; 10],
    arrived: i64,
    envelope: String,
    reverse_path: String,
    jobs: Vec<JobRow>,
    source: Source,
}

/// A job in the form of its row.
#[derive(Debug)]
struct JobRow {
    destination: String,
    due: i64,
    held: Option<String>,
    recipients: String,
    addresses: String,
}

impl Rows {
    /// The rows of a message.
    pub(super) async fn of(message: NewMessage) -> Result<Self, StoreError> {
        if message.jobs.is_empty() {
            return Err(StoreError::Refused("a message without destinations"));
        }
        let mut jobs = Vec::with_capacity(message.jobs.len());
        for job in message.jobs {
            if job.destination.contains('\0') {
                return Err(StoreError::Refused("a destination with a NUL"));
            }
            jobs.push(JobRow {
                due: job.due.0,
                held: job.held.map(|why| plain(&why)),
                recipients: json(&job.recipients)?,
                addresses: addresses(&job.recipients),
                destination: job.destination,
            });
        }
        Ok(Self {
            id: message.id.octets(),
            arrived: message.arrived.0,
            envelope: json(&message.envelope)?,
            reverse_path: plain(&message.envelope.reverse_path),
            jobs,
            source: Source::of(message.content).await?,
        })
    }

    /// Whether it has one part only.
    const fn small(&self) -> Option<&Vec<u8>> {
        match &self.source {
            Source::Whole(octets) => Some(octets),
            Source::Memory(_) | Source::File { .. } => None,
        }
    }

    /// The time that writing it may take.
    pub(super) fn time(&self) -> std::time::Duration {
        time_for(self.source.octets())
    }
}

/// A value as JSON, which has no NUL.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// A text without what the database cannot keep, for columns that are filtered by.
pub(super) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The addresses between line feeds: addresses have none.
pub(super) fn addresses(recipients: &[crate::message::Recipient]) -> String {
    let mut all = "\n".to_owned();
    for recipient in recipients {
        all.push_str(&plain(&recipient.address).replace('\n', "\u{fffd}"));
        all.push('\n');
    }
    all
}

/// Everything about messages with one part, and about the envelopes of others. Answers with the names
/// that were not there before; of the others nothing is written.
const INSERT: &str = "WITH new AS (
        INSERT INTO message (id, arrived, octets, crc, jobs, envelope, reverse_path)
        SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[],
            $6::text[], $7::text[])
        ON CONFLICT DO NOTHING RETURNING id
    ), kept AS (
        INSERT INTO body (message, part, octets)
        SELECT b.id, 0, b.octets FROM unnest($8::bytea[], $9::bytea[]) AS b (id, octets)
        WHERE b.id IN (SELECT id FROM new)
    ), queued AS (
        INSERT INTO job (message, arrived, destination, due, held, recipients, addresses, standing)
        SELECT j.message, j.arrived, j.destination, j.due, j.held, j.recipients, j.addresses, $17
        FROM unnest($10::bytea[], $11::bigint[], $12::text[], $13::bigint[], $14::text[],
            $15::text[], $16::text[])
            WITH ORDINALITY
            AS j (message, arrived, destination, due, held, recipients, addresses, place)
        WHERE j.message IN (SELECT id FROM new) ORDER BY j.place
    )
    SELECT id FROM new";

/// Writes messages, of which no two have the same name; those that have more than one part come with
/// the checksum of parts that are written already. Answers with the names that are new.
async fn insert(
    client: &impl GenericClient,
    all: &[(&Rows, Option<u32>)],
) -> Result<BTreeSet<Vec<u8>>, Trouble> {
    let ids: Vec<&[u8]> = all.iter().map(|(rows, _)| &rows.id[..]).collect();
    let arrived: Vec<i64> = all.iter().map(|(rows, _)| rows.arrived).collect();
    let octets: Vec<i64> = all
        .iter()
        .map(|(rows, _)| i64::try_from(rows.source.octets()).unwrap_or(i64::MAX))
        .collect();
    let crcs: Vec<i64> = all
        .iter()
        .map(|(rows, crc)| {
            let small = rows.small().map(|octets| crc32c::crc32c(octets));
            i64::from(crc.or(small).unwrap_or(0))
        })
        .collect();
    let counts: Vec<i32> = all
        .iter()
        .map(|(rows, _)| i32::try_from(rows.jobs.len()).unwrap_or(i32::MAX))
        .collect();
    let envelopes: Vec<&str> = all.iter().map(|(rows, _)| &*rows.envelope).collect();
    let senders: Vec<&str> = all.iter().map(|(rows, _)| &*rows.reverse_path).collect();
    let small = || {
        all.iter()
            .filter_map(|(rows, _)| rows.small().map(|octets| (&rows.id[..], octets)))
    };
    let small_ids: Vec<&[u8]> = small().map(|(id, _)| id).collect();
    let bodies: Vec<&[u8]> = small().map(|(_, octets)| &octets[..]).collect();
    let jobs: Vec<(&Rows, &JobRow)> = all
        .iter()
        .flat_map(|(rows, _)| rows.jobs.iter().map(move |job| (*rows, job)))
        .collect();
    let messages: Vec<&[u8]> = jobs.iter().map(|(rows, _)| &rows.id[..]).collect();
    let arrivals: Vec<i64> = jobs.iter().map(|(rows, _)| rows.arrived).collect();
    let destinations: Vec<&str> = jobs.iter().map(|(_, job)| &*job.destination).collect();
    let dues: Vec<i64> = jobs.iter().map(|(_, job)| job.due).collect();
    let helds: Vec<Option<&str>> = jobs.iter().map(|(_, job)| job.held.as_deref()).collect();
    let recipients: Vec<&str> = jobs.iter().map(|(_, job)| &*job.recipients).collect();
    let addresses: Vec<&str> = jobs.iter().map(|(_, job)| &*job.addresses).collect();
    let standing = json(&crate::job::Standing::default())?;
    let statement = client.prepare_cached(INSERT).await?;
    let new = client
        .query(
            &statement,
            &[
                &ids,
                &arrived,
                &octets,
                &crcs,
                &counts,
                &envelopes,
                &senders,
                &small_ids,
                &bodies,
                &messages,
                &arrivals,
                &destinations,
                &dues,
                &helds,
                &recipients,
                &addresses,
                &standing,
            ],
        )
        .await?;
    let names = new.iter().map(|row| row.try_get::<_, Vec<u8>>(0));
    Ok(names.collect::<Result<_, _>>()?)
}

/// Why a message whose name is taken is not kept.
const TAKEN: StoreError = StoreError::Refused("a message of this name is kept already");

/// Writes all of `messages` in a transaction of the caller's.
pub(super) async fn insert_all(
    transaction: &Transaction<'_>,
    messages: &[&Rows],
) -> Result<(), Trouble> {
    let names: BTreeSet<_> = messages.iter().map(|rows| rows.id).collect();
    let mut all = Vec::with_capacity(messages.len());
    for rows in messages {
        let crc = match rows.small() {
            Some(_) => None,
            None => Some(write_parts(transaction, &rows.id, &rows.source).await?),
        };
        all.push((*rows, crc));
    }
    if names.len() == messages.len() && insert(transaction, &all).await?.len() == names.len() {
        Ok(())
    } else {
        Err(TAKEN.into())
    }
}

fn insert_large(client: &mut Object, rows: Arc<Rows>) -> Work<'_, ()> {
    Box::pin(async move {
        let transaction = client.transaction().await?;
        insert_all(&transaction, &[&rows]).await?;
        transaction.commit().await?;
        Ok(())
    })
}

fn insert_small(client: &mut Object, batch: Arc<Vec<Rows>>) -> Work<'_, BTreeSet<Vec<u8>>> {
    Box::pin(async move {
        let all: Vec<_> = batch.iter().map(|rows| (rows, None)).collect();
        let client: &Object = client;
        insert(client, &all).await
    })
}

/// A small message and who waits for it.
type Request = (Rows, oneshot::Sender<Result<(), StoreError>>);

/// The tasks that write small messages.
#[derive(Debug)]
pub(super) struct Writers {
    link: Arc<Link>,
    bell: Bell,
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Writers {
    pub(super) fn start(link: &Arc<Link>, bell: &Bell) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        let tasks = (0..WRITERS)
            .map(|_| {
                let requests = Arc::clone(&receiver);
                tokio::spawn(write(Arc::clone(link), bell.clone(), requests))
            })
            .collect();
        Self {
            link: Arc::clone(link),
            bell: bell.clone(),
            requests: Mutex::new(Some(sender)),
            tasks: Mutex::new(tasks),
        }
    }

    /// Keeps a message.
    pub(super) async fn enqueue(&self, message: NewMessage) -> Result<(), StoreError> {
        let closed = || StoreError::Unavailable("the store is closed".to_owned());
        let rows = Rows::of(message).await?;
        if rows.small().is_none() {
            let rows = Arc::new(rows);
            self.link
                .run(rows.time(), move |client| {
                    insert_large(client, Arc::clone(&rows))
                })
                .await?;
            self.bell.ring();
            return Ok(());
        }
        let requests = {
            let requests = self.requests.lock();
            requests.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let requests = requests.ok_or_else(closed)?;
        let (answer, answered) = oneshot::channel();
        requests.send((rows, answer)).await.map_err(|_| closed())?;
        drop(requests);
        answered.await.map_err(|_| closed())?
    }

    /// Writes what waits, and takes no more.
    pub(super) async fn close(&self) {
        drop(
            self.requests
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let tasks: Vec<_> = {
            let tasks = self.tasks.lock();
            tasks
                .unwrap_or_else(PoisonError::into_inner)
                .drain(..)
                .collect()
        };
        for task in tasks {
            // A writer ends when nobody can ask any more; one that panicked has ended.
            let _ = task.await;
        }
    }
}

/// Takes what waits, writes it, and answers; until nobody asks any more.
async fn write(
    link: Arc<Link>,
    bell: Bell,
    requests: Arc<tokio::sync::Mutex<mpsc::Receiver<Request>>>,
) {
    loop {
        let (batch, answers) = {
            let mut requests = requests.lock().await;
            let Some(first) = requests.recv().await else {
                return;
            };
            collect(first, &mut requests)
        };
        let batch = Arc::new(batch);
        let outcome = {
            let batch = Arc::clone(&batch);
            link.run(USUAL, move |client| {
                insert_small(client, Arc::clone(&batch))
            })
            .await
        };
        match outcome {
            Ok(new) => {
                bell.ring();
                for (rows, answer) in batch.iter().zip(answers) {
                    let kept = new.contains(&rows.id[..]);
                    // Whoever does not wait any more does not hear of it.
                    let _ = answer.send(if kept { Ok(()) } else { Err(TAKEN) });
                }
            }
            Err(StoreError::Unavailable(text)) => {
                for answer in answers {
                    let _ = answer.send(Err(StoreError::Unavailable(text.clone())));
                }
            }
            Err(_) => one_by_one(&link, &bell, batch, answers).await,
        }
    }
}

/// The first request and what waits besides, as much as goes into a batch. A second message of the same
/// name is refused at once.
fn collect(
    first: Request,
    requests: &mut mpsc::Receiver<Request>,
) -> (Vec<Rows>, Vec<oneshot::Sender<Result<(), StoreError>>>) {
    let mut names = BTreeSet::new();
    let (mut batch, mut answers) = (Vec::new(), Vec::new());
    let mut octets = 0_usize;
    let mut next = Some(first);
    while let Some((rows, answer)) = next {
        if names.insert(rows.id) {
            octets = octets.saturating_add(rows.small().map_or(PART, Vec::len));
            batch.push(rows);
            answers.push(answer);
        } else {
            let _ = answer.send(Err(TAKEN));
        }
        let full = batch.len() >= BATCH_MESSAGES || octets >= BATCH_OCTETS;
        next = if full { None } else { requests.try_recv().ok() };
    }
    (batch, answers)
}

/// What cannot be written together may be the fault of one: each is tried alone.
async fn one_by_one(
    link: &Link,
    bell: &Bell,
    batch: Arc<Vec<Rows>>,
    answers: Vec<oneshot::Sender<Result<(), StoreError>>>,
) {
    let Ok(batch) = Arc::try_unwrap(batch) else {
        // The work that shared it has ended. Were it not so, the senders' end says "not kept".
        return;
    };
    for (rows, answer) in batch.into_iter().zip(answers) {
        let alone = Arc::new(vec![rows]);
        let outcome = link
            .run(USUAL, move |client| {
                insert_small(client, Arc::clone(&alone))
            })
            .await;
        let _ = answer.send(match outcome {
            Ok(new) if new.is_empty() => Err(TAKEN),
            Ok(_) => {
                bell.ring();
                Ok(())
            }
            Err(error) => Err(error),
        });
    }
}
