//! The reports that are kept: one SQLite file, one row for each report, the report itself as the
//! JSON that everybody else gets too.
//!
//! All access goes through one connection and one thread at a time, off the threads that serve.
//! A query takes well under a millisecond, and what waits here holds up nobody else.

use crate::settings::StoreLimits;
use elsinore_dane::time::UnixTime;
use rand::RngExt as _;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Written into the file (`PRAGMA user_version`); a file of a later program is refused.
const SCHEMA_VERSION: i64 = 1;
/// Written into the file (`PRAGMA application_id`): "Elsi", so that no other program's file is taken
/// for ours.
const APPLICATION_ID: i64 = 0x456c_7369;
/// How long a statement waits for another process that has the file open.
const BUSY: Duration = Duration::from_secs(5);

/// What is wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite could not do it: the folder cannot be written, the disk is full, the file is damaged.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file belongs to another program.
    #[error("not a file of reports")]
    Foreign,
    /// The file was made by a later version of this program.
    #[error("made by a later version of elsinore (schema {0})")]
    Later(i64),
    /// The thread that worked on it broke off.
    #[error("the work on the file broke off")]
    BrokenOff,
}

/// The name of a report: 80 random bits as 16 characters, so that reports cannot be enumerated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReportId(String);

/// Digits and letters without those that look alike (i, l, o, u).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a report's name.
const ID_LENGTH: usize = 16;

impl ReportId {
    /// A name that nothing has yet.
    #[must_use]
    pub fn random() -> Self {
        let mut rng = rand::rng();
        let draw = |_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]);
        Self((0..ID_LENGTH).map(draw).collect())
    }

    /// The 16 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ReportId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = text.len() == ID_LENGTH && text.bytes().all(|octet| ALPHABET.contains(&octet));
        match legal {
            true => Ok(Self(text.to_owned())),
            false => Err("not the name of a report"),
        }
    }
}

/// A report as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub entry: Entry,
    /// The JSON document.
    pub json: String,
}

/// What the index knows of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: ReportId,
    /// The domain, as A-labels in lower case, without trailing dot.
    pub domain: String,
    /// When it was measured.
    pub measured_at: UnixTime,
    /// The word for the state, as in the JSON.
    pub state: String,
}

/// The file of reports.
#[derive(Debug, Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    limits: StoreLimits,
}

impl Store {
    /// Opens the file at `path`, or makes it.
    ///
    /// # Errors
    /// When SQLite cannot, or the file is not one of ours.
    pub fn open(path: &Path, limits: StoreLimits) -> Result<Self, StoreError> {
        Self::prepared(Connection::open(path)?, limits)
    }

    /// A store that ends with the process.
    ///
    /// # Errors
    /// When SQLite cannot make it.
    pub fn in_memory(limits: StoreLimits) -> Result<Self, StoreError> {
        Self::prepared(Connection::open_in_memory()?, limits)
    }

    fn prepared(connection: Connection, limits: StoreLimits) -> Result<Self, StoreError> {
        connection.busy_timeout(BUSY)?;
        // A pragma that answers with a row; in memory the answer is "memory".
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0));
        let (version, application): (i64, i64) =
            (number("user_version")?, number("application_id")?);
        match (version, application) {
            (0, 0) => {
                let tables: i64 =
                    connection
                        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
                if tables > 0 {
                    return Err(StoreError::Foreign);
                }
                connection.execute_batch(&format!(
                    "BEGIN IMMEDIATE;
                     CREATE TABLE reports (
                         id TEXT PRIMARY KEY,
                         domain TEXT NOT NULL,
                         measured_at INTEGER NOT NULL,
                         state TEXT NOT NULL,
                         octets INTEGER NOT NULL,
                         json TEXT NOT NULL
                     );
                     CREATE INDEX by_domain ON reports (domain, measured_at);
                     CREATE INDEX by_age ON reports (measured_at, octets);
                     PRAGMA application_id = {APPLICATION_ID};
                     PRAGMA user_version = {SCHEMA_VERSION};
                     COMMIT;"
                ))?;
            }
            (SCHEMA_VERSION, APPLICATION_ID) => {}
            (later, APPLICATION_ID) => return Err(StoreError::Later(later)),
            _ => return Err(StoreError::Foreign),
        }
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            limits,
        })
    }

    /// Keeps a report under a new name, and lets go of what is too old or too much at `now`.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn keep(&self, kept: Kept, now: UnixTime) -> Result<(), StoreError> {
        let limits = self.limits;
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            let Kept { entry, json } = kept;
            transaction.execute(
                "INSERT INTO reports (id, domain, measured_at, state, octets, json)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    entry.id.as_str(),
                    entry.domain,
                    entry.measured_at.0,
                    entry.state,
                    i64::try_from(json.len()).unwrap_or(i64::MAX),
                    json
                ],
            )?;
            prune(&transaction, limits, now)?;
            transaction.commit()
        })
        .await
    }

    /// Lets go of what is too old or too much at `now`.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn prune(&self, now: UnixTime) -> Result<(), StoreError> {
        let limits = self.limits;
        self.with(move |connection| prune(connection, limits, now))
            .await
    }

    /// The report of that name, unless it is older at `now` than reports may become.
    ///
    /// # Errors
    /// When it could not be read.
    pub async fn by_id(&self, id: &ReportId, now: UnixTime) -> Result<Option<Kept>, StoreError> {
        let (id, oldest) = (id.clone(), self.oldest(now));
        self.with(move |connection| {
            connection
                .prepare(
                    "SELECT id, domain, measured_at, state, json FROM reports
                     WHERE id = ?1 AND measured_at >= ?2",
                )?
                .query_row(params![id.as_str(), oldest], |row| {
                    Ok(Kept {
                        entry: entry(row)?,
                        json: row.get(4)?,
                    })
                })
                .optional()
        })
        .await
    }

    /// The latest reports of a domain measured before `before`, newest first, at most `count`;
    /// none older at `now` than reports may become.
    ///
    /// # Errors
    /// When they could not be read.
    pub async fn of_domain(
        &self,
        domain: &str,
        before: UnixTime,
        count: u32,
        now: UnixTime,
    ) -> Result<Vec<Entry>, StoreError> {
        let (domain, oldest) = (domain.to_owned(), self.oldest(now));
        self.with(move |connection| {
            connection
                .prepare(
                    "SELECT id, domain, measured_at, state FROM reports
                     WHERE domain = ?1 AND measured_at < ?2 AND measured_at >= ?3
                     ORDER BY measured_at DESC, rowid DESC LIMIT ?4",
                )?
                .query_map(params![domain, before.0, oldest, count], entry)?
                .collect()
        })
        .await
    }

    fn oldest(&self, now: UnixTime) -> i64 {
        oldest(self.limits, now)
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut connection = Arc::clone(&self.connection).lock_owned().await;
        tokio::task::spawn_blocking(move || work(&mut connection))
            .await
            .map_err(|_| StoreError::BrokenOff)?
            .map_err(StoreError::from)
    }
}

fn oldest(limits: StoreLimits, now: UnixTime) -> i64 {
    let age = i64::try_from(limits.age.as_secs()).unwrap_or(i64::MAX);
    now.0.saturating_sub(age)
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: ReportId(row.get(0)?),
        domain: row.get(1)?,
        measured_at: UnixTime(row.get(2)?),
        state: row.get(3)?,
    })
}

fn prune(connection: &Connection, limits: StoreLimits, now: UnixTime) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM reports WHERE measured_at < ?1",
        [oldest(limits, now)],
    )?;
    // Counted from the newest: whatever comes after the first `reports` rows or `octets` octets goes.
    connection.execute(
        "DELETE FROM reports WHERE rowid IN (
             SELECT rowid FROM (
                 SELECT rowid,
                        row_number() OVER newest AS place,
                        sum(octets) OVER newest AS octets
                 FROM reports
                 WINDOW newest AS (ORDER BY measured_at DESC, rowid DESC)
             ) WHERE place > ?1 OR octets > ?2
         )",
        params![
            limits.reports,
            i64::try_from(limits.octets).unwrap_or(i64::MAX)
        ],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(domain: &str, at: i64, octets: usize) -> Kept {
        Kept {
            entry: Entry {
                id: ReportId::random(),
                domain: domain.to_owned(),
                measured_at: UnixTime(at),
                state: "protected".to_owned(),
            },
            json: "x".repeat(octets),
        }
    }

    async fn left(store: &Store, now: i64) -> Vec<i64> {
        let all = store.of_domain("a.example", UnixTime(i64::MAX), 100, UnixTime(now));
        let all = all.await.unwrap();
        all.iter().map(|entry| entry.measured_at.0).collect()
    }

    #[tokio::test]
    async fn bounds() {
        let limits = |reports, age, octets| StoreLimits {
            reports,
            age: Duration::from_secs(age),
            octets,
        };
        for (limits, expected) in [
            (limits(10, 1000, 1000), vec![104, 103, 102, 101]),
            (limits(2, 1000, 1000), vec![104, 103]),
            (limits(10, 2, 1000), vec![104, 103, 102]),
            (limits(10, 1000, 25), vec![104, 103]),
            (limits(10, 1000, 9), vec![]),
        ] {
            let store = Store::in_memory(limits).unwrap();
            for at in 101..=104 {
                let report = kept("a.example", at, 10);
                store.keep(report, UnixTime(at)).await.unwrap();
            }
            assert_eq!(left(&store, 104).await, expected, "{limits:?}");
        }
    }

    #[tokio::test]
    async fn nothing_too_old_is_shown_although_it_was_not_deleted_yet() {
        let limits = StoreLimits {
            age: Duration::from_secs(10),
            ..StoreLimits::default()
        };
        let store = Store::in_memory(limits).unwrap();
        let report = kept("a.example", 100, 1);
        store.keep(report.clone(), UnixTime(100)).await.unwrap();
        let id = &report.entry.id;
        assert_eq!(
            store.by_id(id, UnixTime(110)).await.unwrap().as_ref(),
            Some(&report)
        );
        assert_eq!(store.by_id(id, UnixTime(111)).await.unwrap(), None);
        assert!(left(&store, 111).await.is_empty());
    }

    #[tokio::test]
    async fn files_of_others_and_of_the_future() {
        let folder = tempfile::tempdir().unwrap();
        let limits = StoreLimits::default();
        let path = folder.path().join("reports.sqlite");
        drop(Store::open(&path, limits).unwrap());
        drop(Store::open(&path, limits).unwrap());
        let other = Connection::open(&path).unwrap();
        other.pragma_update(None, "user_version", 2).unwrap();
        assert!(matches!(
            Store::open(&path, limits),
            Err(StoreError::Later(2))
        ));
        other.pragma_update(None, "application_id", 7).unwrap();
        assert!(matches!(
            Store::open(&path, limits),
            Err(StoreError::Foreign)
        ));
        let foreign = folder.path().join("foreign.sqlite");
        let other = Connection::open(&foreign).unwrap();
        other.execute_batch("CREATE TABLE t (a)").unwrap();
        assert!(matches!(
            Store::open(&foreign, limits),
            Err(StoreError::Foreign)
        ));
        let damaged = folder.path().join("damaged.sqlite");
        std::fs::write(&damaged, "not a database at all, not a database").unwrap();
        assert!(matches!(
            Store::open(&damaged, limits),
            Err(StoreError::Sqlite(_))
        ));
        assert!(Store::open(Path::new("/nonexistent/reports.sqlite"), limits).is_err());
    }

    #[test]
    fn names_of_reports() {
        let id = ReportId::random();
        assert_eq!(id.as_str().parse::<ReportId>(), Ok(id));
        for text in [
            "",
            "../../etc/passwd",
            "0123456789abcdeI",
            "0123456789abcdef0",
        ] {
            assert!(text.parse::<ReportId>().is_err(), "{text}");
        }
    }
}
