//! The store of one relay: an index in SQLite, and the messages in append-only segments beside it
//! ([ADR 0017](../../../docs/adr/0017-the-queue.md)).
//!
//! ```text
//! FOLDER/lock                      whose store it is (flock)
//! FOLDER/index.sqlite (-wal, -shm) messages, jobs, records; see `elsinore queue fsck`
//! FOLDER/segments/NUMBER.seg       messages, one after another
//! FOLDER/segments/NUMBER.msg       one large message
//! FOLDER/incoming/                 large messages on their way in
//! FOLDER/quarantine/               octets that are no record any more
//! FOLDER/failed                    a write or an fsync failed; the next start is careful
//! ```
//!
//! A message is kept when its record in the segment is synced: one fsync for all that arrive together.
//! The index is synced every second; after a loss of power its end is made again from the segments.

mod afresh;
mod change;
mod claim;
mod commit;
mod compact;
mod desk;
mod fresh;
mod fsck;
mod index;
mod listing;
mod replay;
mod room;
mod rows;
mod scan;
mod segment;
mod segments;
mod shared;
mod survey;
mod work;
mod writer;

pub use fsck::{DamagedStretch, FsckMode, FsckReport, IndexState, Mended, fsck};
pub use replay::Recovery;
pub use survey::{SegmentStretch, survey_segment};

use crate::admin::{Deed, Filter, JobView, Page, Stats};
use crate::complaint;
use crate::content::{Body, Content};
use crate::error::StoreError;
use crate::id::{JobId, MessageId};
use crate::job::{Claim, DueDestination, Lease, Leased, Settled, Settlement};
use crate::message::{MessageHead, NewMessage};
use crate::moment::Moment;
use crate::record::{Change, Kind, Record, Tally};
use crate::store::{Answer, QueueStore};
use shared::Shared;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};
use work::{Reply, Sweep, Work};

/// The embedded store.
#[derive(Debug)]
pub struct SqliteStore {
    work: Mutex<Option<Sender<Work>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    shared: Arc<Shared>,
    spool: PathBuf,
    recovery: Recovery,
}

/// Settings of the embedded store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteSettings {
    /// Its folder; made when it is not there.
    pub folder: PathBuf,
    /// Octets above which a segment ends and a new one begins.
    pub segment_octets: u64,
    /// Octets that stay free on the file system: below, nothing is accepted, and what is in the queue
    /// can still be settled.
    pub reserve_octets: u64,
    /// How long the index may go unsynced, and so the most that a loss of power may repeat.
    pub sync_index_every: Duration,
}

impl SqliteSettings {
    /// The usual settings for `folder`: segments of 64 MiB, 64 MiB in reserve, the index
    /// synced every second.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            segment_octets: 64 << 20,
            reserve_octets: 64 << 20,
            sync_index_every: Duration::from_secs(1),
        }
    }
}

impl SqliteStore {
    /// Opens the store in a folder, or makes it there. Blocks: after a loss of power the end of the
    /// segments is read again.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Newer`], [`StoreError::ReadOnly`],
    /// [`StoreError::Damaged`], [`StoreError::Full`], [`StoreError::Failed`].
    pub fn open(settings: SqliteSettings) -> Result<Self, StoreError> {
        let folder = settings.folder;
        let database = folder.join("index.sqlite");
        let segments = folder.join("segments");
        let spool = folder.join("incoming");
        let quarantine = folder.join("quarantine");
        make(&folder)?;
        let lock = room::lock(&folder)?;
        if !database.exists() && segments.exists() {
            let files = segments::segment_files(&segments);
            if !files
                .map_err(|error| room::of_folder(&segments, &error))?
                .is_empty()
            {
                return Err(StoreError::Damaged(format!(
                    "{} is missing, and there are messages: see `elsinore queue fsck`",
                    database.display()
                )));
            }
        }
        index::check_version(&database)?;
        segments::check_versions(&segments)?;
        for folder in [&folder, &segments] {
            afresh::sweep(folder);
        }
        let mark = afresh::mark(&database);
        let log = folder.join("index.sqlite-wal");
        for file in [Some(&log), mark.exists().then_some(&database)] {
            let Some(file) = file else { continue };
            afresh::write_afresh(file, 0).map_err(|error| room::of_folder(file, &error))?;
        }
        let index = index::Index::open(&database)?;
        for folder in [&segments, &spool, &quarantine] {
            make(folder)?;
        }
        sync_folder(&folder)?;
        sweep_spool(&spool);
        let (recovery, reach, live) = replay::replay(&index, &segments, &quarantine)?;
        match std::fs::remove_file(&mark) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(room::of_folder(&mark, &error));
            }
            _ => {}
        }
        let files = Arc::new(segments::Files::new(segments.clone()));
        let desk = load(&index, reach.starts).map_err(|error| index::fault(&error))?;
        let shared = Arc::new(Shared::new(
            database,
            Arc::clone(&files),
            room::Room::new(folder, settings.reserve_octets),
            desk,
        ));
        let segments = segments::Segments::new(
            segments.clone(),
            settings.segment_octets,
            reach.next_number,
            live,
            files,
        )
        .map_err(|error| room::of_folder(&segments, &error))?;
        let writer = writer::Writer {
            index,
            segments,
            shared: Arc::clone(&shared),
            reach,
            lock,
            lazy_since: Some(Instant::now()),
            more: std::collections::VecDeque::new(),
            damaged: std::collections::BTreeSet::new(),
            tidied: Vec::new(),
            lazy: settings.sync_index_every,
        };
        let (sender, receiver) = channel();
        let writer = Shared::start(&shared, move || writer.run(&receiver))?;
        Ok(Self {
            work: Mutex::new(Some(sender)),
            writer: Mutex::new(Some(writer)),
            shared,
            spool,
            recovery,
        })
    }

    /// What the start found.
    #[must_use]
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    async fn ask<T>(&self, work: impl FnOnce(Reply<T>) -> Work + Send) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        {
            let sender = self.work.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(sender) = &*sender else {
                return Err(self.shared.why_not());
            };
            if self.shared.has_failed() || sender.send(work(reply)).is_err() {
                return Err(self.shared.why_not());
            }
        }
        answer.await.unwrap_or_else(|_| Err(self.shared.why_not()))
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.read(read)).await
    }
}

/// Runs what blocks off the threads that must not.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))
}

fn make(folder: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(folder).map_err(|error| room::of_folder(folder, &error))
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    std::fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| room::of_folder(folder, &error))
}

/// Removes what a crash left of messages on their way in. What cannot be removed only takes room.
fn sweep_spool(spool: &Path) {
    let Ok(entries) = std::fs::read_dir(spool) else {
        return;
    };
    for entry in entries.flatten() {
        let _stays = std::fs::remove_file(entry.path());
    }
}

/// The desk as the index gives it: no leases, and of each destination when its first job is due.
fn load(index: &index::Index, starts: i64) -> rusqlite::Result<desk::Desk> {
    let mut desk = desk::Desk::new(starts);
    for text in [
        "SELECT destination, count(*), min(due) FROM job INDEXED BY job_due
         WHERE held IS NULL GROUP BY destination",
        "SELECT destination, count(*), NULL FROM job INDEXED BY job_held
         WHERE held IS NOT NULL GROUP BY destination",
    ] {
        let mut query = index.sql.prepare(text)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let name = row.get_ref(0)?.as_str()?;
            desk.arrived(name, index::number(row.get(1)?), row.get(2)?);
        }
    }
    Ok(desk)
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        let sender = self.work.lock().map(|mut work| work.take());
        drop(sender);
        let writer = self.writer.lock().map(|mut writer| writer.take());
        if let Ok(Some(writer)) = writer {
            // What is in hand is finished first, so that the folder is free when this returns.
            let _ended = writer.join();
        }
    }
}

impl QueueStore for SqliteStore {
    fn enqueue(&self, message: NewMessage) -> Answer<'_, ()> {
        Box::pin(async move {
            self.shared.health()?;
            self.room(message.content.octets())?;
            let id = message.id;
            let fresh: Option<Arc<[u8]>> = match &message.content {
                Content::Memory(body) if body.len() <= fresh::LARGEST => {
                    Some(body.as_slice().into())
                }
                Content::Memory(_) | Content::File { .. } => None,
            };
            let arrival = match message.content {
                Content::Memory(_) => work::prepare(message, &self.spool)?,
                Content::File { .. } => {
                    let spool = self.spool.clone();
                    let prepared = blocking(move || work::prepare(message, &spool)).await;
                    if let Err(StoreError::Failed(why)) = &prepared {
                        self.shared.fail(why.clone());
                    }
                    prepared?
                }
            };
            self.ask(|reply| Work::Enqueue(Box::new(arrival), reply))
                .await?;
            if let Some(body) = fresh {
                self.shared.keep_fresh(id, body);
            }
            Ok(())
        })
    }

    fn waiting(
        &self,
        now: Moment,
        after: Option<String>,
        at_most: usize,
    ) -> Answer<'_, Vec<DueDestination>> {
        Box::pin(async move {
            self.shared.health()?;
            Ok(self.shared.desk().waiting(now, after.as_deref(), at_most))
        })
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Vec<Leased>> {
        Box::pin(self.ask(|reply| Work::Claim(claim, reply)))
    }

    fn renew(&self, leases: Vec<Lease>, lease_for: Duration) -> Answer<'_, Vec<Settled>> {
        Box::pin(async move {
            self.shared.health()?;
            Ok(self.shared.desk().renew(&leases, Instant::now(), lease_for))
        })
    }

    fn settle(&self, settlements: Vec<Settlement>) -> Answer<'_, Vec<Settled>> {
        Box::pin(async move {
            let in_files = settlements
                .iter()
                .flat_map(|settled| &settled.notices)
                .any(|notice| matches!(notice.content, Content::File { .. }));
            let prepare = move || {
                settlements
                    .into_iter()
                    .map(work::prepare_settlement)
                    .collect::<Result<Vec<_>, _>>()
            };
            let closings = if in_files {
                blocking(prepare).await?
            } else {
                prepare()?
            };
            self.ask(|reply| Work::Settle(closings, reply)).await
        })
    }

    fn hand_back(&self, leases: Vec<Lease>) -> Answer<'_, ()> {
        Box::pin(async move {
            self.shared.health()?;
            {
                let mut desk = self.shared.desk();
                let now = Instant::now();
                for lease in leases {
                    if desk.held(lease, now).is_some() {
                        desk.end(lease.job.0, true);
                    }
                }
            }
            self.shared.wake();
            Ok(())
        })
    }

    fn body(&self, message: MessageId) -> Answer<'_, Arc<dyn Body>> {
        Box::pin(async move {
            self.shared.health()?;
            if let Some(body) = self.shared.fresh(message) {
                return Ok(body);
            }
            let shared = Arc::clone(&self.shared);
            blocking(move || shared.body(message)).await
        })
    }

    fn next_due(&self) -> Answer<'_, Option<Moment>> {
        Box::pin(async move {
            self.shared.health()?;
            Ok(self.shared.desk().next_due())
        })
    }

    fn wakeups(&self) -> watch::Receiver<u64> {
        self.shared.wakeups()
    }

    fn bring_forward(&self, latest: Moment) -> Answer<'_, u64> {
        Box::pin(self.ask(move |reply| Work::BringForward(latest, reply)))
    }

    fn room(&self, octets: u64) -> Result<(), StoreError> {
        self.shared.health()?;
        self.shared.room.check(octets)
    }

    fn spool_folder(&self) -> &Path {
        &self.spool
    }

    fn list(&self, filter: Filter, after: Option<JobId>, at_most: usize) -> Answer<'_, Page> {
        Box::pin(async move {
            let mut page = Page::default();
            let mut from = after.map_or(i64::MIN, |job| job.0);
            loop {
                let filter = filter.clone();
                let piece = self
                    .read(move |sql| listing::piece(sql, &filter, from))
                    .await?;
                let mut desk = self.shared.desk();
                desk.sweep(Instant::now());
                for (job, message) in piece.jobs {
                    if page.jobs.len() == at_most {
                        page.next = page.jobs.last().map(|last: &JobView| last.job);
                        return Ok(page);
                    }
                    page.jobs.push(view(&desk, job, message));
                }
                drop(desk);
                match piece.next {
                    Some(next) => from = next,
                    None => return Ok(page),
                }
            }
        })
    }

    fn change(&self, filter: Filter, deed: Deed) -> Answer<'_, u64> {
        Box::pin(self.ask(move |reply| {
            let sweep = Sweep {
                filter,
                deed,
                after: i64::MIN,
                done: 0,
            };
            Work::Change(sweep, reply)
        }))
    }

    fn stats(&self, now: Moment) -> Answer<'_, Stats> {
        Box::pin(async move {
            let mut stats = self.read(move |sql| listing::stats(sql, now)).await?;
            let mut desk = self.shared.desk();
            desk.sweep(Instant::now());
            stats.leased = desk.leased();
            drop(desk);
            Ok(stats)
        })
    }

    fn record(&self, changes: Vec<Change>) -> Answer<'_, ()> {
        Box::pin(self.ask(|reply| Work::Record(changes, reply)))
    }

    fn record_first(&self, kind: Kind, record: Record) -> Answer<'_, bool> {
        Box::pin(self.ask(move |reply| Work::RecordFirst(kind, record, reply)))
    }

    fn records(
        &self,
        kind: Kind,
        prefix: String,
        after: Option<String>,
        at_most: usize,
    ) -> Answer<'_, Vec<Record>> {
        Box::pin(
            self.read(move |sql| listing::records(sql, kind, &prefix, after.as_deref(), at_most)),
        )
    }

    fn tallies(
        &self,
        kind: Kind,
        prefix: String,
        after: Option<String>,
        at_most: usize,
    ) -> Answer<'_, Vec<Tally>> {
        Box::pin(
            self.read(move |sql| listing::tallies(sql, kind, &prefix, after.as_deref(), at_most)),
        )
    }

    fn health(&self) -> Result<(), StoreError> {
        self.shared.health()
    }

    fn complaints(&self) -> Vec<String> {
        self.shared.complaints.take()
    }

    fn tidy(&self) -> Answer<'_, ()> {
        Box::pin(self.ask(|reply| Work::Tidy(compact::Compaction::default(), reply)))
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.shared.close_readers();
            self.ask(Work::Close).await
        })
    }
}

fn view(desk: &desk::Desk, job: rows::JobRow, message: rows::MessageRow) -> JobView {
    JobView {
        job: JobId(job.job),
        message: MessageHead {
            id: message.id,
            arrived: message.arrived,
            envelope: message.envelope,
            octets: message.place.octets,
        },
        destination: job.destination,
        recipients: job.recipients,
        due: Moment(job.due),
        leased: desk.is_leased(job.job),
        standing: job.standing,
        held: (job.held).or_else(|| {
            job.damage
                .or(message.damage)
                .as_deref()
                .map(complaint::unreadable)
        }),
    }
}

#[cfg(test)]
mod tests;
