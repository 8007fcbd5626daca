//! Answers kept across restarts, in an SQLite file. It is a cache: what cannot be read is begun
//! anew, what cannot be written is lost, and neither stops anything.

use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The version of the tables; a file of another version is begun anew.
const VERSION: i64 = 1;
/// Answers that wait to be written; above that they are not kept.
const WAITING: usize = 4096;
/// Answers written in one transaction.
const BATCH: usize = 512;
/// How long an answer waits for others to be written with.
const GATHER: Duration = Duration::from_millis(500);
/// Answers taken from the file at a start.
const MOST_LOADED: usize = 1_000_000;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {error}", path = .path.display())]
pub struct FileError {
    path: PathBuf,
    error: rusqlite::Error,
}

/// One answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The key, canonical.
    pub key: Vec<u8>,
    /// When it was made, in seconds of the wall clock.
    pub made: i64,
    /// When it ends.
    pub expires: i64,
    /// The row's word.
    pub row: String,
    /// The kind's word.
    pub kind: String,
    /// The reply to `QUERY`.
    pub plain: Vec<u8>,
    /// The reply to `QUERYwithTLSRPT`, where it differs.
    pub with_tlsrpt: Option<Vec<u8>>,
    /// The JSON document.
    pub document: Vec<u8>,
}

/// The file, with a thread of its own that writes.
#[derive(Debug)]
pub struct CacheFile {
    queue: Option<SyncSender<Order>>,
    writer: Option<JoinHandle<()>>,
}

enum Order {
    Keep(Box<Kept>),
    Clear(String),
}

impl CacheFile {
    /// Opens or makes the file, and gives what it holds that has not ended at `now`. Answers kept
    /// under another `mark` are forgotten, and so is a file that is damaged.
    ///
    /// # Errors
    /// [`FileError`] when no file can be had there.
    pub fn open(path: &Path, mark: &str, now: i64) -> Result<(Self, Vec<Kept>), FileError> {
        let (connection, kept) = read(path, mark, now).or_else(|_| {
            for suffix in ["", "-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(suffix);
                // That it cannot be removed shows when it is opened again.
                let _ = std::fs::remove_file(name);
            }
            read(path, mark, now).map_err(|error| FileError {
                path: path.to_owned(),
                error,
            })
        })?;
        let (queue, orders) = sync_channel(WAITING);
        let writer = std::thread::Builder::new()
            .name("policyd-cache".to_owned())
            .spawn(move || write(connection, &orders))
            .ok();
        let file = Self {
            queue: writer.is_some().then_some(queue),
            writer,
        };
        Ok((file, kept))
    }

    /// Has an answer written soon, unless too many wait already.
    pub fn keep(&self, kept: Kept) {
        if let Some(queue) = &self.queue {
            let _ = queue.try_send(Order::Keep(Box::new(kept)));
        }
    }

    /// Has everything forgotten; what is kept from now on is kept under `mark`.
    pub fn clear(&self, mark: &str) {
        if let Some(queue) = &self.queue {
            let _ = queue.send(Order::Clear(mark.to_owned()));
        }
    }
}

impl Drop for CacheFile {
    /// Waits until everything that was to be kept is written.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing to say.
            let _ = writer.join();
        }
    }
}

fn read(path: &Path, mark: &str, now: i64) -> rusqlite::Result<(Connection, Vec<Kept>)> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    // Losing the last moments in a crash of the machine loses nothing that cannot be asked again.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;")?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version != VERSION {
        connection.execute_batch(&format!(
            "DROP TABLE IF EXISTS answer; DROP TABLE IF EXISTS mark;
             CREATE TABLE answer (
                 key BLOB PRIMARY KEY, made INTEGER NOT NULL, expires INTEGER NOT NULL,
                 row TEXT NOT NULL, kind TEXT NOT NULL, plain BLOB NOT NULL,
                 with_tlsrpt BLOB, document BLOB NOT NULL) WITHOUT ROWID;
             CREATE TABLE mark (mark TEXT NOT NULL);
             PRAGMA user_version = {VERSION};"
        ))?;
    }
    let same: i64 =
        connection.query_row("SELECT count(*) FROM mark WHERE mark = ?1", [mark], |row| {
            row.get(0)
        })?;
    if same != 1 {
        connection.execute_batch("DELETE FROM answer; DELETE FROM mark;")?;
        connection.execute("INSERT INTO mark (mark) VALUES (?1)", [mark])?;
    }
    connection.execute("DELETE FROM answer WHERE expires <= ?1 OR made > ?1", [now])?;
    let mut select = connection.prepare(
        "SELECT key, made, expires, row, kind, plain, with_tlsrpt, document FROM answer
         ORDER BY expires DESC LIMIT ?1",
    )?;
    let most = i64::try_from(MOST_LOADED).unwrap_or(i64::MAX);
    let kept = select
        .query_map([most], |row| {
            Ok(Kept {
                key: row.get(0)?,
                made: row.get(1)?,
                expires: row.get(2)?,
                row: row.get(3)?,
                kind: row.get(4)?,
                plain: row.get(5)?,
                with_tlsrpt: row.get(6)?,
                document: row.get(7)?,
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    drop(select);
    Ok((connection, kept))
}

fn write(mut connection: Connection, orders: &Receiver<Order>) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let Ok(next) = orders.recv() else {
            // What stands over gets its last chance.
            obey(&mut connection, &mut batch);
            return;
        };
        batch.push(next);
        let until = Instant::now() + GATHER;
        while batch.len() < BATCH {
            match orders.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(order) => batch.push(order),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        obey(&mut connection, &mut batch);
    }
}

/// Writes what is ordered. What cannot be kept is asked again after the next start; but what cannot be
/// cleared must not be read then, so that order stands over, before anything else is written.
fn obey(connection: &mut Connection, batch: &mut Vec<Order>) {
    let cleared = batch
        .iter()
        .rposition(|order| matches!(order, Order::Clear(_)));
    match (transact(connection, batch), cleared) {
        (Ok(()), _) | (Err(_), None) => batch.clear(),
        (Err(_), Some(last)) => {
            batch.drain(..last);
            batch.truncate(1);
        }
    }
}

fn transact(connection: &mut Connection, batch: &[Order]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let mut newest = i64::MIN;
    let mut insert = transaction.prepare(
        "INSERT OR REPLACE INTO answer
         (key, made, expires, row, kind, plain, with_tlsrpt, document)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for order in batch {
        match order {
            Order::Clear(mark) => {
                transaction.execute_batch("DELETE FROM answer; DELETE FROM mark;")?;
                transaction.execute("INSERT INTO mark (mark) VALUES (?1)", [mark])?;
            }
            Order::Keep(kept) => {
                newest = newest.max(kept.made);
                insert.execute(params![
                    kept.key,
                    kept.made,
                    kept.expires,
                    kept.row,
                    kept.kind,
                    kept.plain,
                    kept.with_tlsrpt,
                    kept.document,
                ])?;
            }
        }
    }
    drop(insert);
    // Bounds the file: what has ended goes.
    transaction.execute("DELETE FROM answer WHERE expires <= ?1", [newest])?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(key: &str, made: i64, expires: i64) -> Kept {
        Kept {
            key: key.as_bytes().to_vec(),
            made,
            expires,
            row: "nothing".to_owned(),
            kind: "may".to_owned(),
            plain: b"6:OK may,".to_vec(),
            with_tlsrpt: (key == "b").then(|| b"7:OK may ,".to_vec()),
            document: b"{}".to_vec(),
        }
    }

    fn keys(path: &Path, mark: &str, now: i64) -> Vec<String> {
        let (_, kept) = CacheFile::open(path, mark, now).unwrap();
        let mut keys: Vec<String> = kept
            .iter()
            .map(|kept| String::from_utf8(kept.key.clone()).unwrap())
            .collect();
        keys.sort();
        keys
    }

    #[test]
    fn kept_across_restarts_until_its_end_and_under_its_mark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.sqlite");
        let (file, nothing) = CacheFile::open(&path, "one", 100).unwrap();
        assert_eq!(nothing, []);
        file.keep(kept("a", 100, 200));
        file.keep(kept("b", 100, 300));
        file.keep(kept("b", 101, 301));
        drop(file);
        let (_, all) = CacheFile::open(&path, "one", 150).unwrap();
        assert_eq!(all, [kept("b", 101, 301), kept("a", 100, 200)]);
        // Ended; or made in what is the future now.
        assert_eq!(keys(&path, "one", 200), ["b"]);
        assert_eq!(keys(&path, "one", 100), Vec::<String>::new());
    }

    #[test]
    fn forgotten_under_another_mark_and_when_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.sqlite");
        let fill = || {
            let (file, _) = CacheFile::open(&path, "one", 100).unwrap();
            file.keep(kept("a", 100, 200));
        };
        fill();
        assert_eq!(keys(&path, "two", 150), Vec::<String>::new());
        assert_eq!(keys(&path, "one", 150), Vec::<String>::new());
        fill();
        assert_eq!(keys(&path, "one", 150), ["a"]);
        std::fs::write(
            &path,
            b"this is no database, and long enough to be looked at",
        )
        .unwrap();
        assert_eq!(keys(&path, "one", 150), Vec::<String>::new());
        fill();
        let (file, _) = CacheFile::open(&path, "one", 150).unwrap();
        file.clear("two");
        file.keep(kept("b", 100, 300));
        drop(file);
        // What was kept since rests on what "two" names: who comes back to "one" must not read it.
        assert_eq!(keys(&path, "two", 150), ["b"]);
        assert_eq!(keys(&path, "one", 150), Vec::<String>::new());
        assert!(CacheFile::open(Path::new("/nonexistent/x"), "one", 0).is_err());
    }

    #[test]
    fn an_order_to_clear_stands_until_it_is_obeyed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.sqlite");
        let (mut connection, _) = read(&path, "one", 100).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        let keep = |key| Order::Keep(Box::new(kept(key, 100, 200)));
        let mut batch = vec![keep("a")];
        obey(&mut connection, &mut batch);
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        batch.extend([keep("b"), Order::Clear("two".to_owned()), keep("c")]);
        obey(&mut connection, &mut batch);
        assert!(matches!(&batch[..], [Order::Clear(mark)] if mark == "two"));
        batch.push(keep("d"));
        obey(&mut connection, &mut batch);
        assert_eq!(batch.len(), 1);
        other.execute_batch("ROLLBACK").unwrap();
        batch.push(keep("e"));
        obey(&mut connection, &mut batch);
        assert!(batch.is_empty());
        drop(connection);
        assert_eq!(keys(&path, "two", 150), ["e"]);
    }
}
