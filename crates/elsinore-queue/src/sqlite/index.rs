//! The index: which messages and jobs there are. SQLite in WAL mode.
//!
//! Commits are not synced one by one (`synchronous=NORMAL`): after a loss of power the index is as it
//! was after one of the last commits, and the end of the segments is read again from the place that
//! commit names ([ADR 0017](../../../../docs/adr/0017-the-queue.md)). [`Index::barrier`] puts
//! everything committed so far on stable storage.

use super::scan::Place;
use super::segment::{KeptJob, is_new};
use crate::error::StoreError;
use crate::id::MessageId;
use crate::job::Standing;
use crate::moment::Moment;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};
use std::path::Path;

/// The newest version this program knows.
pub(super) const VERSION: i64 = 1;
/// Low bits of a job's number that say which job of its message it is.
pub(super) const NTH_BITS: u32 = 20;
/// "ELSQ": tells `file` and us whose database it is.
const APPLICATION: i64 = 0x454C_5351;

/// Unused pages that the index keeps for what comes.
const SPARE_PAGES: i64 = 4096;

const SCHEMA: &str = "
CREATE TABLE place (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  segment INTEGER NOT NULL, octets INTEGER NOT NULL,
  next_number INTEGER NOT NULL, next_message INTEGER NOT NULL, starts INTEGER NOT NULL);
INSERT INTO place VALUES (1, 0, 0, 1, 1, 0);
CREATE TABLE message (
  num INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, arrived INTEGER NOT NULL,
  segment INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL,
  body INTEGER NOT NULL, octets INTEGER NOT NULL, crc INTEGER NOT NULL, envelope TEXT NOT NULL);
CREATE TABLE job (
  job INTEGER PRIMARY KEY, destination TEXT NOT NULL, due INTEGER NOT NULL, held TEXT,
  recipients TEXT NOT NULL, standing TEXT);
CREATE INDEX job_due ON job (destination, due) WHERE held IS NULL;
CREATE INDEX job_held ON job (destination) WHERE held IS NOT NULL;
CREATE TABLE record (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE tally (kind TEXT NOT NULL, key TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (kind, key)) WITHOUT ROWID;
";

/// How far the index knows the segments, and the numbers that come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach {
    /// The shared segment that was appended to.
    pub(super) segment: u64,
    /// Its octets that the index knows.
    pub(super) octets: u64,
    /// The number of the next file.
    pub(super) next_number: u64,
    /// The number of the next message.
    pub(super) next_message: i64,
    /// How often the store was opened.
    pub(super) starts: i64,
}

/// The index, writable.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) sql: Connection,
}

/// The number of the `nth` job of message `num`.
pub(super) fn job_number(num: i64, nth: u32) -> i64 {
    (num << NTH_BITS) | i64::from(nth)
}

/// What an error of SQLite says about the store, outside of a batch.
pub(super) fn fault(error: &rusqlite::Error) -> StoreError {
    let text = format!("index: {error}");
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(text),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            StoreError::ReadOnly(text)
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged(format!("{text}: see `elsinore queue fsck`"))
        }
        _ => StoreError::Failed(text),
    }
}

/// Refuses an index that a later program wrote, as far as its file tells; touches nothing. What
/// stands in its log alone is seen when it is opened.
///
/// # Errors
/// [`StoreError::Newer`].
pub(super) fn check_version(path: &Path) -> Result<(), StoreError> {
    use std::io::Read as _;
    // https://www.sqlite.org/fileformat.html: `user_version` stands at octet 60.
    let mut header = [0; 64];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    let version = <[u8; 4]>::try_from(&header[60..]).map_or(0, i32::from_be_bytes);
    let found = i64::from(version);
    // What cannot be read, or is no database, is told by whoever opens it.
    if read.is_ok() && header.starts_with(b"SQLite format 3\0") && found > VERSION {
        return Err(StoreError::Newer {
            found,
            known: VERSION,
        });
    }
    Ok(())
}

/// Lets prepared statements keep their plans. Else SQLite may want to look at the values that are bound,
/// and prepares such a statement, among them that of a claim, again at each use: they are cleared in
/// between.
///
/// # Errors
/// What SQLite says.
pub(super) fn keep_plans(sql: &Connection) -> rusqlite::Result<()> {
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}

impl Index {
    /// Opens the index in `path`, or makes it.
    ///
    /// # Errors
    /// [`StoreError`], among them [`StoreError::Newer`]; then nothing was changed.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let sql = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|error| fault(&error))?;
        let mut index = Self { sql };
        index.prepare().map_err(|error| fault(&error))??;
        Ok(index)
    }

    fn prepare(&mut self) -> rusqlite::Result<Result<(), StoreError>> {
        let version: i64 = self
            .sql
            .query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let application: i64 = self
            .sql
            .query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let tables: i64 = self
            .sql
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables > 0 && application != APPLICATION {
            return Ok(Err(StoreError::Damaged(
                "index: the database of another program".to_owned(),
            )));
        }
        if version > VERSION {
            return Ok(Err(StoreError::Newer {
                found: version,
                known: VERSION,
            }));
        }
        if tables == 0 {
            // Only before the first table.
            self.sql
                .execute_batch("PRAGMA auto_vacuum = INCREMENTAL;")?;
        }
        self.sql
            .query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        self.sql.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;
             PRAGMA wal_autocheckpoint = 0;",
        )?;
        self.sql.set_prepared_statement_cache_capacity(64);
        keep_plans(&self.sql)?;
        if tables == 0 {
            let transaction = self.sql.transaction()?;
            transaction.execute_batch(SCHEMA)?;
            transaction.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
            ))?;
            transaction.commit()?;
        }
        self.sql.execute_batch("PRAGMA synchronous = NORMAL;")?;
        Ok(Ok(()))
    }

    /// Puts everything committed so far on stable storage.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn barrier(&self) -> rusqlite::Result<()> {
        match self.sync_log() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                // The log cannot grow. Written back whole, it is synced and the database too, which is
                // what was wanted; and it begins anew with the next commit, which needs no room then.
                if self.write_back()? {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            done => done,
        }
    }

    fn sync_log(&self) -> rusqlite::Result<()> {
        // A commit under FULL syncs the whole log up to itself. One that changes nothing does not, and
        // a row that is written as it was is no change to SQLite: so other octets each time, in a
        // record of a kind that nobody asks for.
        self.sql.execute_batch("PRAGMA synchronous = FULL;")?;
        let synced = self.run(
            "INSERT INTO record VALUES ('', 'barrier', randomblob(16))
             ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
            [],
        );
        self.sql.execute_batch("PRAGMA synchronous = NORMAL;")?;
        synced.map(drop)
    }

    /// Writes the log back into the database as far as readers let it, syncing both; the answer is
    /// whether that was all of it.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn write_back(&self) -> rusqlite::Result<bool> {
        self.sql
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                let (busy, log, done): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(busy == 0 && log == done)
            })
    }

    /// Leaves the log alone when the index is closed.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn leave_log(&self) -> rusqlite::Result<()> {
        self.sql
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map(drop)
    }

    /// Runs a statement, prepared once.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn run(&self, text: &str, values: impl rusqlite::Params) -> rusqlite::Result<usize> {
        self.sql.prepare_cached(text)?.execute(values)
    }

    /// How far the index reaches.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn reach(&self) -> rusqlite::Result<Reach> {
        self.sql.query_row(
            "SELECT segment, octets, next_number, next_message, starts FROM place",
            [],
            |row| {
                Ok(Reach {
                    segment: number(row.get(0)?),
                    octets: number(row.get(1)?),
                    next_number: number(row.get(2)?),
                    next_message: row.get(3)?,
                    starts: row.get(4)?,
                })
            },
        )
    }

    /// Notes how far the index reaches.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn set_reach(&self, reach: &Reach) -> rusqlite::Result<()> {
        self.run(
            "UPDATE place SET segment = ?1, octets = ?2, next_number = ?3, next_message = ?4,
             starts = ?5",
            params![
                column(reach.segment),
                column(reach.octets),
                column(reach.next_number),
                reach.next_message,
                reach.starts
            ],
        )?;
        Ok(())
    }

    /// Writes a message; false when there is one of its name.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn insert_message(
        &self,
        num: i64,
        id: MessageId,
        arrived: Moment,
        envelope: &str,
        place: &Place,
    ) -> rusqlite::Result<bool> {
        let rows = self.run(
            "INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (id) DO NOTHING",
            params![
                num,
                id.octets(),
                arrived.0,
                column(place.segment),
                column(place.start),
                column(place.length),
                column(place.body),
                column(place.octets),
                place.crc,
                envelope
            ],
        )?;
        Ok(rows > 0)
    }

    /// Writes a job of message `num`.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn insert_job(&self, num: i64, job: &KeptJob) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO job VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                job_number(num, job.nth),
                job.destination,
                job.due.0,
                job.held,
                text(&job.recipients)?,
                standing_text(&job.standing)?
            ],
        )?;
        Ok(())
    }

    /// The number of a message.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn number_of(&self, id: MessageId) -> rusqlite::Result<Option<i64>> {
        self.sql
            .prepare_cached("SELECT num FROM message WHERE id = ?1")?
            .query_row([id.octets()], |row| row.get(0))
            .optional()
    }

    /// Where a message stands.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn place_of(&self, num: i64) -> rusqlite::Result<Option<Place>> {
        self.sql
            .prepare_cached(
                "SELECT segment, start, length, body, octets, crc FROM message WHERE num = ?1",
            )?
            .query_row([num], |row| place(row, 0))
            .optional()
    }

    /// Gives pages that nothing uses back to the file system, a bounded number.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn shrink(&self) -> rusqlite::Result<()> {
        let free: i64 = self
            .sql
            .query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
        if free > SPARE_PAGES {
            self.sql.execute_batch("PRAGMA incremental_vacuum(2048);")?;
        }
        Ok(())
    }

    /// The message stands elsewhere now.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn relocate(&self, num: i64, place: &Place) -> rusqlite::Result<()> {
        self.run(
            "UPDATE message SET segment = ?2, start = ?3, length = ?4, body = ?5 WHERE num = ?1",
            params![
                num,
                column(place.segment),
                column(place.start),
                column(place.length),
                column(place.body)
            ],
        )?;
        Ok(())
    }

    /// Writes what is left of a job; the answer says whether it is held now, and is nothing when there
    /// is no such job.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn update_job(
        &self,
        job: i64,
        rest: &crate::job::Rest,
    ) -> rusqlite::Result<Option<bool>> {
        // A hold that the administrator laid on the job while it was being worked on stays.
        self.sql
            .prepare_cached(
                "UPDATE job SET due = ?2, held = coalesce(?3, held), recipients = ?4, standing = ?5
                 WHERE job = ?1 RETURNING held IS NOT NULL",
            )?
            .query_row(
                params![
                    job,
                    rest.due.0,
                    rest.held,
                    text(&rest.recipients)?,
                    standing_text(&rest.standing)?
                ],
                |row| row.get(0),
            )
            .optional()
    }

    /// Removes a job, and its message when that was the last one.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn remove_job(&self, job: i64) -> rusqlite::Result<Removed> {
        let num = job >> NTH_BITS;
        if self.run("DELETE FROM job WHERE job = ?1", [job])? == 0 {
            return Ok(Removed::Unknown);
        }
        let (first, end) = (job_number(num, 0), job_number(num + 1, 0));
        let place = self
            .sql
            .prepare_cached(
                "DELETE FROM message WHERE num = ?1
                 AND NOT EXISTS (SELECT 1 FROM job WHERE job >= ?2 AND job < ?3)
                 RETURNING segment, start, length, body, octets, crc",
            )?
            .query_row([num, first, end], |row| place(row, 0))
            .optional()?;
        Ok(place.map_or(Removed::Job, Removed::Last))
    }
}

/// What became of a job that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removed {
    /// There is no such job.
    Unknown,
    /// Its message has other jobs.
    Job,
    /// Its message, which stood here, is gone too.
    Last(Place),
}

/// A place in a row, from column `from` on.
///
/// # Errors
/// What SQLite says.
pub(super) fn place(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<Place> {
    Ok(Place {
        segment: number(row.get(from)?),
        start: number(row.get(from + 1)?),
        length: number(row.get(from + 2)?),
        body: number(row.get(from + 3)?),
        octets: number(row.get(from + 4)?),
        crc: row.get(from + 5)?,
    })
}

fn standing_text(standing: &Standing) -> rusqlite::Result<Option<String>> {
    if is_new(standing) {
        return Ok(None);
    }
    text(standing).map(Some)
}

/// A value as JSON.
///
/// # Errors
/// When it has none, which does not happen for ours.
pub(super) fn text(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A column as a number of octets or the like.
pub(super) fn number(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// A number of octets or the like as a column.
pub(super) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
