//! What the writer and its callers share.

use super::afresh;
use super::desk::Desk;
use super::fresh::Fresh;
use super::index::{fault, number};
use super::room::Room;
use super::scan::Place;
use super::segments::Files;
use crate::complaint::Complaints;
use crate::content::{Body, BodyInFile, BodyInMemory, BodyReader};
use crate::error::StoreError;
use crate::id::MessageId;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::watch;

/// Connections for reading that are kept.
const READERS: usize = 4;
/// Octets up to which a body is read into memory at once.
const IN_MEMORY: u64 = 256 << 10;

/// State beside the files.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) database: PathBuf,
    pub(super) files: Arc<Files>,
    pub(super) room: Room,
    /// What is wrong with single jobs.
    pub(super) complaints: Complaints,
    desk: Mutex<Desk>,
    readers: Mutex<Vec<Connection>>,
    fresh: Mutex<Fresh>,
    failed: AtomicBool,
    why: Mutex<Option<StoreErrorText>>,
    wake: watch::Sender<u64>,
}

/// Says that the store has ended when the thread that keeps it going does, by a panic too. The reason
/// that is known stays.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end(if std::thread::panicking() {
            "its writer ended by a defect of this program".to_owned()
        } else {
            "its writer has ended".to_owned()
        });
    }
}

#[derive(Debug, Clone)]
enum StoreErrorText {
    Full(String),
    Failed(String),
}

impl Shared {
    pub(super) fn new(database: PathBuf, files: Arc<Files>, room: Room, desk: Desk) -> Self {
        Self {
            database,
            files,
            room,
            complaints: Complaints::default(),
            desk: Mutex::new(desk),
            readers: Mutex::default(),
            fresh: Mutex::default(),
            failed: AtomicBool::new(false),
            why: Mutex::new(None),
            wake: watch::Sender::new(0),
        }
    }

    /// The desk. Held for a claim at the longest.
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing goes any more.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Ends the store because what is on disk is unknown; the first reason stays. The next start is
    /// told to trust nothing that is in the kernel's memory. That the mark is there itself, perhaps, is
    /// enough: it lasts as long as what it warns of.
    pub(super) fn fail(&self, why: String) {
        if !self.has_failed() {
            let _unmarked = std::fs::write(afresh::mark(&self.database), format!("{why}\n"));
        }
        self.end(why);
    }

    /// Ends the store; the first reason stays.
    pub(super) fn end(&self, why: String) {
        let mut known = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*known, Some(StoreErrorText::Failed(_))) {
            *known = Some(StoreErrorText::Failed(why));
        }
        self.failed.store(true, Ordering::Release);
    }

    /// Notes why a batch was not kept.
    pub(super) fn full(&self, why: String) {
        let mut known = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*known, Some(StoreErrorText::Failed(_))) {
            *known = Some(StoreErrorText::Full(why));
        }
    }

    /// Something was kept again.
    pub(super) fn has_room_again(&self) {
        let mut known = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*known, Some(StoreErrorText::Full(_))) {
            *known = None;
        }
    }

    /// Runs what keeps the store going, in a thread of its own. However it ends, the store is then
    /// known to have ended.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when there is no thread for it.
    pub(super) fn start(
        shared: &Arc<Self>,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>, StoreError> {
        let end = End(Arc::clone(shared));
        std::thread::Builder::new()
            .name("queue-writer".to_owned())
            .spawn(move || {
                let _end = end;
                work();
            })
            .map_err(|error| StoreError::Failed(format!("no thread to write: {error}")))
    }

    /// Why something was not done.
    pub(super) fn why_not(&self) -> StoreError {
        let known = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        match known.clone() {
            Some(StoreErrorText::Full(why)) => StoreError::Full(why),
            Some(StoreErrorText::Failed(why)) => StoreError::Failed(why),
            // Not done for want of room; by now another was kept.
            None => StoreError::Full("there was none a moment ago".to_owned()),
        }
    }

    /// Whether the store works.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(super) fn health(&self) -> Result<(), StoreError> {
        if self.has_failed() {
            return Err(self.why_not());
        }
        Ok(())
    }

    /// Says that something may have become due.
    pub(super) fn wake(&self) {
        self.wake
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Hints that something may have become due.
    pub(super) fn wakeups(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    /// Reads from the index, beside the writer. Blocks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.health()?;
        let kept = self.readers().pop();
        let sql = match kept {
            Some(sql) => sql,
            None => {
                let sql = Connection::open_with_flags(
                    &self.database,
                    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
                )
                .map_err(|error| fault(&error))?;
                sql.set_prepared_statement_cache_capacity(32);
                super::index::keep_plans(&sql).map_err(|error| fault(&error))?;
                sql.execute_batch("PRAGMA cache_size = -1024;")
                    .map_err(|error| fault(&error))?;
                sql
            }
        };
        let answer = read(&sql).map_err(|error| fault(&error))?;
        let mut readers = self.readers();
        if readers.len() < READERS {
            readers.push(sql);
        }
        Ok(answer)
    }

    /// Lets go of the connections for reading.
    pub(super) fn close_readers(&self) {
        self.readers().clear();
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a body that has just arrived.
    pub(super) fn keep_fresh(&self, message: MessageId, body: Arc<[u8]>) {
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.put(message, body);
    }

    /// The octets of a leased message that has just arrived.
    pub(super) fn fresh(&self, message: MessageId) -> Option<Arc<dyn Body>> {
        // A lease says that the message is still there.
        self.desk().place(message)?;
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let body = fresh.take(message)?;
        Some(Arc::new(BodyInMemory(body)))
    }

    /// The octets of a message. Blocks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn body(&self, message: MessageId) -> Result<Arc<dyn Body>, StoreError> {
        self.health()?;
        // Between the look into the index and the file, compaction may have moved the message.
        let mut gone = None;
        for _ in 0..3 {
            let known = self.desk().place(message);
            let place = match known {
                Some(place) => place,
                None => self
                    .read(|sql| {
                        sql.prepare_cached(
                            "SELECT segment, start, length, body, octets, crc FROM message
                             WHERE id = ?1",
                        )?
                        .query_row([message.octets()], |row| super::index::place(row, 0))
                        .optional()
                    })?
                    .ok_or(StoreError::Unknown)?,
            };
            match self.files.open(place.segment) {
                Ok(file) => return open_body(file, &place),
                Err(error) if error.kind() == io::ErrorKind::NotFound => gone = Some(place.segment),
                Err(error) => return Err(StoreError::Content(error)),
            }
        }
        Err(StoreError::Damaged(format!(
            "segment {:016x} of message {message} is gone",
            gone.unwrap_or(number(0))
        )))
    }
}

fn open_body(file: Arc<File>, place: &Place) -> Result<Arc<dyn Body>, StoreError> {
    if place.octets > IN_MEMORY {
        return Ok(Arc::new(Checked {
            body: BodyInFile {
                file,
                start: place.body,
                octets: place.octets,
            },
            crc: place.crc,
            found_whole: AtomicBool::new(false),
        }));
    }
    let mut octets = vec![0; usize::try_from(place.octets).unwrap_or(0)];
    std::os::unix::fs::FileExt::read_exact_at(&*file, &mut octets, place.body)?;
    if crc32c::crc32c(&octets) != place.crc {
        return Err(wrong_checksum().into());
    }
    Ok(Arc::new(BodyInMemory(octets.into())))
}

fn wrong_checksum() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the octets of the message are damaged",
    )
}

/// A large body, whose checksum is looked at when it is first opened.
#[derive(Debug)]
struct Checked {
    body: BodyInFile,
    crc: u32,
    found_whole: AtomicBool,
}

impl Body for Checked {
    fn octets(&self) -> u64 {
        self.body.octets
    }

    fn open(&self) -> io::Result<Box<dyn BodyReader>> {
        if !self.found_whole.load(Ordering::Relaxed) {
            let crc = super::scan::crc_of(&self.body.file, self.body.start, self.body.octets)?;
            if crc != self.crc {
                return Err(wrong_checksum());
            }
            self.found_whole.store(true, Ordering::Relaxed);
        }
        self.body.open()
    }
}
