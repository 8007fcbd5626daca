//! A store that keeps what it is given in memory, or says what it is told to say.

use elsinore_queue::admin::{Deed, Filter, Page, Stats};
use elsinore_queue::content::{Body, Content};
use elsinore_queue::error::StoreError;
use elsinore_queue::id::{JobId, MessageId};
use elsinore_queue::job::{Claim, DueDestination, Lease, Leased, Settled, Settlement};
use elsinore_queue::message::{Envelope, NewJob, NewMessage};
use elsinore_queue::moment::Moment;
use elsinore_queue::record::{Change, Kind, Record, Tally};
use elsinore_queue::store::{Answer, QueueStore};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;

/// A message that was enqueued.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) id: MessageId,
    pub(crate) envelope: Envelope,
    pub(crate) jobs: Vec<NewJob>,
    /// The content, or its beginning where it is long.
    pub(crate) content: Vec<u8>,
    pub(crate) octets: u64,
    pub(crate) in_file: bool,
}

/// How the store answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mood {
    Well,
    /// No room is said at once.
    Full,
    /// Only enqueue fails.
    FailsToKeep(fn() -> StoreError),
}

#[derive(Debug)]
pub(crate) struct MemoryStore {
    pub(crate) kept: Mutex<Vec<Kept>>,
    pub(crate) mood: Mutex<Mood>,
    folder: TempDir,
}

impl MemoryStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            kept: Mutex::default(),
            mood: Mutex::new(Mood::Well),
            folder: tempfile::tempdir().unwrap(),
        })
    }

    pub(crate) fn kept(&self) -> Vec<Kept> {
        self.kept.lock().unwrap().clone()
    }

    /// Where messages go that are too large for the memory.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Files that are left in the spool folder.
    pub(crate) fn spooled(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().count()
    }
}

fn never<T>() -> Answer<'static, T> {
    Box::pin(async { Err(StoreError::Refused("accepting mail asks no such thing")) })
}

impl QueueStore for MemoryStore {
    fn enqueue(&self, message: NewMessage) -> Answer<'_, ()> {
        Box::pin(async move {
            if let Mood::FailsToKeep(error) = *self.mood.lock().unwrap() {
                return Err(error());
            }
            let octets = message.content.octets();
            let (content, in_file) = match message.content {
                Content::Memory(octets) => (octets, false),
                Content::File { file, .. } => {
                    use std::io::Read as _;
                    let mut start = Vec::new();
                    file.reopen()?.take(1 << 20).read_to_end(&mut start)?;
                    (start, true)
                }
            };
            self.kept.lock().unwrap().push(Kept {
                id: message.id,
                envelope: message.envelope,
                jobs: message.jobs,
                content,
                octets,
                in_file,
            });
            Ok(())
        })
    }

    fn room(&self, _octets: u64) -> Result<(), StoreError> {
        match *self.mood.lock().unwrap() {
            Mood::Full => Err(StoreError::Full("test".to_owned())),
            Mood::Well | Mood::FailsToKeep(_) => Ok(()),
        }
    }

    fn spool_folder(&self) -> &Path {
        self.folder.path()
    }

    fn wakeups(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn waiting(&self, _: Moment, _: Option<String>, _: usize) -> Answer<'_, Vec<DueDestination>> {
        never()
    }
    fn claim(&self, _: Claim) -> Answer<'_, Vec<Leased>> {
        never()
    }
    fn renew(&self, _: Vec<Lease>, _: Duration) -> Answer<'_, Vec<Settled>> {
        never()
    }
    fn settle(&self, _: Vec<Settlement>) -> Answer<'_, Vec<Settled>> {
        never()
    }
    fn hand_back(&self, _: Vec<Lease>) -> Answer<'_, ()> {
        never()
    }
    fn body(&self, _: MessageId) -> Answer<'_, Arc<dyn Body>> {
        never()
    }
    fn next_due(&self) -> Answer<'_, Option<Moment>> {
        never()
    }
    fn bring_forward(&self, _: Moment) -> Answer<'_, u64> {
        never()
    }
    fn list(&self, _: Filter, _: Option<JobId>, _: usize) -> Answer<'_, Page> {
        never()
    }
    fn change(&self, _: Filter, _: Deed) -> Answer<'_, u64> {
        never()
    }
    fn stats(&self, _: Moment) -> Answer<'_, Stats> {
        never()
    }
    fn record(&self, _: Vec<Change>) -> Answer<'_, ()> {
        never()
    }
    fn record_first(&self, _: Kind, _: Record) -> Answer<'_, bool> {
        never()
    }
    fn records(&self, _: Kind, _: String, _: Option<String>, _: usize) -> Answer<'_, Vec<Record>> {
        never()
    }
    fn tallies(&self, _: Kind, _: String, _: Option<String>, _: usize) -> Answer<'_, Vec<Tally>> {
        never()
    }
    fn tidy(&self) -> Answer<'_, ()> {
        never()
    }
    fn close(&self) -> Answer<'_, ()> {
        never()
    }
}
