//! Whether index and segments agree, and the index made anew from the segments.
//!
//! An intact index is kept, because it alone knows what was settled: it only learns of records it does
//! not know yet, and holds jobs whose message is damaged. A damaged or missing index is made anew from the
//! records. Lost with it are: which messages were settled while their segment was still there (they may be
//! sent twice), attempts and holds since the record was written, and what could not be read of the other
//! records (policies, counts).

use super::afresh::write_afresh;
use super::index::{Index, check_version, fault, job_number, number, place, text};
use super::replay::{replay, set_aside};
use super::room::{lock, of_folder};
use super::scan::{Found, Place, Scan, read_single};
use super::segment::{Head, RecordHeader, Settles};
use super::segments::{check_versions, segment_files, shared_path, single_path};
use crate::error::StoreError;
use crate::id::MessageId;
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Entries of a list in the report; what goes beyond is only counted.
const LISTED: usize = 1000;

/// What [`fsck`] may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsckMode {
    /// Look, and change nothing.
    Look,
    /// Mend: see the module.
    Rebuild,
}

/// The state of the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IndexState {
    /// SQLite finds no fault.
    Intact,
    /// It is damaged, in SQLite's words.
    Damaged(String),
    /// There is none, but there are segments.
    Missing,
}

/// A stretch of a segment that is no record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DamagedStretch {
    /// The number of the segment.
    pub segment: u64,
    /// Its first octet.
    pub start: u64,
    /// Its octets.
    pub octets: u64,
}

/// What was found and done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FsckReport {
    /// The state of the index.
    pub index: IndexState,
    /// Segment files.
    pub segments: u64,
    /// Whole records in them, settled messages and copies included.
    pub records: u64,
    /// Messages in the index.
    pub messages: u64,
    /// Messages in the index whose record is whole.
    pub whole: u64,
    /// Messages in the index whose record is damaged or gone, at most 1,000 of them.
    pub lost: Vec<MessageId>,
    /// Stretches that are no records, at most 1,000 of them. Where no message is lost, they are what
    /// a crash left of messages that were never acknowledged.
    pub damaged: Vec<DamagedStretch>,
    /// What was mended; nothing when it was only looked at.
    pub mended: Option<Mended>,
}

/// What [`FsckMode::Rebuild`] has done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Mended {
    /// Whether the index was made anew.
    pub rebuilt: bool,
    /// Messages that were taken in from the segments.
    pub messages: u64,
    /// Of these, how many may have been settled already, and so may be sent twice.
    pub maybe_twice: u64,
    /// Jobs that are held now because their message is damaged.
    pub held: u64,
    /// Damaged stretches that were copied to the folder `quarantine`.
    pub set_aside: u64,
    /// Records of other kinds (policies, counts) saved from the old index.
    pub saved: u64,
}

impl FsckReport {
    /// Whether nothing is to be mended.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.index == IndexState::Intact && self.lost.is_empty()
    }
}

/// Checks the embedded store in `folder`, which must not be in use. Blocks, and reads all of it.
///
/// # Errors
/// [`StoreError::InUse`], [`StoreError::Newer`], and what the file system says.
pub fn fsck(folder: &Path, mode: FsckMode) -> Result<FsckReport, StoreError> {
    let segments = folder.join("segments");
    let database = folder.join("index.sqlite");
    let quarantine = folder.join("quarantine");
    if !segments.is_dir() {
        return Err(StoreError::Refused("there is no queue in this folder"));
    }
    let _lock = lock(folder)?;
    check_version(&database)?;
    check_versions(&segments)?;
    let opened = look_at_index(&database)?;
    let mut walk = Walk {
        segments: segments.clone(),
        index: opened.as_ref().ok(),
        found: HashSet::new(),
        records: 0,
        damaged: Vec::new(),
        quarantine: (mode == FsckMode::Rebuild).then(|| quarantine.clone()),
        set_aside: 0,
    };
    if mode == FsckMode::Rebuild {
        std::fs::create_dir_all(&quarantine).map_err(|error| of_folder(&quarantine, &error))?;
    }
    let files = segment_files(&segments).map_err(|error| of_folder(&segments, &error))?;
    walk.all(&mut |_, _, _| Ok(()))?;
    let (found, records, damaged, set_aside) =
        (walk.found, walk.records, walk.damaged, walk.set_aside);
    let mut report = FsckReport {
        index: IndexState::Missing,
        segments: files.len() as u64,
        records,
        messages: 0,
        whole: 0,
        lost: Vec::new(),
        damaged,
        mended: None,
    };
    match opened {
        Ok(sql) => {
            report.index = IndexState::Intact;
            let lost = compare(&sql, &found, &mut report).map_err(|error| fault(&error))?;
            drop(sql);
            if mode == FsckMode::Rebuild {
                report.mended = Some(mend(&database, &segments, &quarantine, &lost)?);
            }
        }
        Err(state) => {
            report.index = state;
            if mode == FsckMode::Rebuild {
                report.mended = Some(rebuild(folder, &database, &segments, &quarantine)?);
            }
        }
    }
    if let Some(mended) = &mut report.mended {
        mended.set_aside = set_aside;
    }
    Ok(report)
}

/// The index for reading, when it is intact.
fn look_at_index(database: &Path) -> Result<Result<Connection, IndexState>, StoreError> {
    if !database.exists() {
        return Ok(Err(IndexState::Missing));
    }
    let look = || -> rusqlite::Result<Result<Connection, IndexState>> {
        let sql = Connection::open_with_flags(
            database,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        let said: String = sql.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if said != "ok" {
            return Ok(Err(IndexState::Damaged(said)));
        }
        let version: i64 = sql.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version > super::index::VERSION {
            return Ok(Err(IndexState::Damaged(version.to_string())));
        }
        Ok(Ok(sql))
    };
    match look() {
        Ok(Err(IndexState::Damaged(version))) if version.parse::<i64>().is_ok() => {
            Err(StoreError::Newer {
                found: version.parse().unwrap_or(i64::MAX),
                known: super::index::VERSION,
            })
        }
        Ok(looked) => Ok(looked),
        Err(error) => match fault(&error) {
            StoreError::Damaged(text) | StoreError::Failed(text) => {
                Ok(Err(IndexState::Damaged(text)))
            }
            other => Err(other),
        },
    }
}

/// A walk through all segments.
struct Walk<'a> {
    segments: PathBuf,
    index: Option<&'a Connection>,
    /// Numbers of messages of the index whose record is whole.
    found: HashSet<i64>,
    records: u64,
    damaged: Vec<DamagedStretch>,
    /// Where damaged stretches are copied to.
    quarantine: Option<PathBuf>,
    set_aside: u64,
}

type Visit<'v> = dyn FnMut(&RecordHeader, Head, Place) -> Result<(), StoreError> + 'v;

impl Walk<'_> {
    fn all(&mut self, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let files =
            segment_files(&self.segments).map_err(|error| of_folder(&self.segments, &error))?;
        for (number, single) in files {
            let path = if single {
                single_path(&self.segments, number)
            } else {
                shared_path(&self.segments, number)
            };
            let fault = |error: io::Error| of_folder(&path, &error);
            let file = File::open(&path).map_err(fault)?;
            let length = file.metadata().map_err(fault)?.len();
            if single {
                match read_single(&file, number).map_err(fault)? {
                    Some((header, head, place)) => self.record(&header, head, place, visit)?,
                    None => self.damage(&file, number, 0, length)?,
                }
                continue;
            }
            let mut scan = match Scan::new(&file, number, 0, None) {
                Ok(scan) => scan,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    self.damage(&file, number, 0, length)?;
                    continue;
                }
                Err(error) => return Err(fault(error)),
            };
            while let Some(found) = scan.next().map_err(fault)? {
                match found {
                    Found::Record {
                        header,
                        head,
                        place,
                    } => self.record(&header, *head, place, visit)?,
                    Found::Damage { start, octets } => {
                        self.damage(&file, number, start, octets)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        header: &RecordHeader,
        head: Head,
        place: Place,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        self.records += 1;
        if let Some(sql) = self.index
            && let Some(num) = stands_at(sql, header.id, &place).map_err(|error| fault(&error))?
        {
            self.found.insert(num);
        }
        visit(header, head, place)
    }

    fn damage(
        &mut self,
        file: &File,
        segment: u64,
        start: u64,
        octets: u64,
    ) -> Result<(), StoreError> {
        if self.damaged.len() < LISTED {
            self.damaged.push(DamagedStretch {
                segment,
                start,
                octets,
            });
        }
        if let Some(quarantine) = &self.quarantine {
            set_aside(file, quarantine, segment, start, octets)
                .map_err(|error| of_folder(quarantine, &error))?;
            self.set_aside += 1;
        }
        Ok(())
    }
}

/// The number of a message when the index has it at `at`.
fn stands_at(sql: &Connection, id: MessageId, at: &Place) -> rusqlite::Result<Option<i64>> {
    let mut query = sql.prepare_cached(
        "SELECT segment, start, length, body, octets, crc, num FROM message WHERE id = ?1",
    )?;
    let mut rows = query.query([id.octets()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let num = row.get(6)?;
    Ok((place(row, 0)? == *at).then_some(num))
}

/// Messages of the index whose record was not found.
fn compare(
    sql: &Connection,
    found: &HashSet<i64>,
    report: &mut FsckReport,
) -> rusqlite::Result<Vec<i64>> {
    let mut lost = Vec::new();
    let mut query = sql.prepare("SELECT num, id FROM message ORDER BY num")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let num = row.get(0)?;
        report.messages += 1;
        if found.contains(&num) {
            report.whole += 1;
            continue;
        }
        lost.push(num);
        if report.lost.len() < LISTED {
            report.lost.push(MessageId::from_octets(row.get(1)?));
        }
    }
    Ok(lost)
}

/// Keeps an intact index: takes in what it does not know, holds the jobs of lost messages.
fn mend(
    database: &Path,
    segments: &Path,
    quarantine: &Path,
    lost: &[i64],
) -> Result<Mended, StoreError> {
    let sql = |error: rusqlite::Error| fault(&error);
    let index = Index::open(database)?;
    let (recovery, ..) = replay(&index, segments, quarantine)?;
    let mut mended = Mended {
        messages: recovery.messages,
        held: recovery.lost,
        ..Mended::default()
    };
    index.run("BEGIN IMMEDIATE", []).map_err(sql)?;
    for num in lost {
        let held = index
            .run(
                "UPDATE job SET held = ?3 WHERE job >= ?1 AND job < ?2 AND held IS NULL",
                (
                    job_number(*num, 0),
                    job_number(num + 1, 0),
                    "the octets of its message are damaged (fsck)",
                ),
            )
            .map_err(sql)?;
        mended.held += held as u64;
    }
    index.run("COMMIT", []).map_err(sql)?;
    index.barrier().map_err(sql)?;
    index.write_back().map_err(sql)?;
    Ok(mended)
}

/// Makes the index anew beside the old one, and then puts it in its place.
fn rebuild(
    folder: &Path,
    database: &Path,
    segments: &Path,
    quarantine: &Path,
) -> Result<Mended, StoreError> {
    let sql = |error: rusqlite::Error| fault(&error);
    let fresh = folder.join("index.rebuilt");
    for name in ["index.rebuilt", "index.rebuilt-wal", "index.rebuilt-shm"] {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(of_folder(&fresh, &error));
            }
            _ => {}
        }
    }
    let index = Index::open(&fresh)?;
    let mut mended = Mended {
        rebuilt: true,
        ..Mended::default()
    };
    index.run("BEGIN IMMEDIATE", []).map_err(sql)?;
    mended.saved = save_records(database, &index);
    let mut reach = index.reach().map_err(sql)?;
    let mut settles: Vec<Settles> = Vec::new();
    let mut walk = Walk {
        segments: segments.to_path_buf(),
        index: None,
        found: HashSet::new(),
        records: 0,
        damaged: Vec::new(),
        quarantine: None,
        set_aside: 0,
    };
    walk.all(&mut |header, mut head, place| {
        settles.extend(head.settles.take());
        let num = reach.next_message;
        if take_in(&index, num, header.id, &head, &place).map_err(sql)? {
            reach.next_message += 1;
        }
        Ok(())
    })?;
    for settles in settles {
        settle(&index, &settles).map_err(sql)?;
    }
    mended.messages = index
        .sql
        .query_row("SELECT count(*) FROM message", [], |row| row.get(0))
        .map(number)
        .map_err(sql)?;
    mended.maybe_twice = mended.messages;
    let files = segment_files(segments).map_err(|error| of_folder(segments, &error))?;
    if let Some(last) = files.keys().next_back() {
        reach.next_number = last + 1;
    }
    if let Some((last, _)) = files.iter().rev().find(|(_, single)| !**single) {
        let path = shared_path(segments, *last);
        // Whether its end was ever synced is not known.
        write_afresh(&path, 0)
            .and_then(|()| File::open(segments)?.sync_all())
            .map_err(|error| of_folder(&path, &error))?;
        let length = path.metadata().map_err(|error| of_folder(&path, &error))?;
        reach.segment = *last;
        reach.octets = length.len();
    }
    index.set_reach(&reach).map_err(sql)?;
    index.run("COMMIT", []).map_err(sql)?;
    index.barrier().map_err(sql)?;
    index
        .sql
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .map_err(sql)?;
    drop(index);
    replace(folder, database, quarantine, &fresh).map_err(|error| of_folder(folder, &error))?;
    Ok(mended)
}

/// Takes in a record; the answer is whether its message is new. A later copy knows more of the jobs.
fn take_in(
    index: &Index,
    num: i64,
    id: MessageId,
    head: &Head,
    place: &Place,
) -> rusqlite::Result<bool> {
    let envelope = text(&head.envelope)?;
    if index.insert_message(num, id, head.arrived, &envelope, place)? {
        for job in &head.jobs {
            index.insert_job(num, job)?;
        }
        return Ok(true);
    }
    if head.copy
        && let Some(known) = index.number_of(id)?
    {
        index.relocate(known, place)?;
        index.run(
            "DELETE FROM job WHERE job >= ?1 AND job < ?2",
            [job_number(known, 0), job_number(known + 1, 0)],
        )?;
        for job in &head.jobs {
            index.insert_job(known, job)?;
        }
    }
    Ok(false)
}

/// Applies a settlement that stands in the record of its notice.
fn settle(index: &Index, settles: &Settles) -> rusqlite::Result<()> {
    let Some(num) = index.number_of(settles.message)? else {
        return Ok(());
    };
    let job = job_number(num, settles.nth);
    match &settles.rest {
        Some(rest) => index.update_job(job, rest).map(drop),
        None => index.remove_job(job).map(drop),
    }
}

/// Saves what can be read of policies and counts from a damaged index.
fn save_records(database: &Path, index: &Index) -> u64 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(old) = Connection::open_with_flags(database, flags) else {
        return 0;
    };
    let mut saved = 0;
    for (from, into) in [
        (
            "SELECT kind, key, value FROM record WHERE kind <> ''",
            "INSERT OR IGNORE INTO record VALUES (?1, ?2, ?3)",
        ),
        (
            "SELECT kind, key, count FROM tally",
            "INSERT OR IGNORE INTO tally VALUES (?1, ?2, ?3)",
        ),
    ] {
        let Ok(mut query) = old.prepare(from) else {
            continue;
        };
        let Ok(mut rows) = query.query([]) else {
            continue;
        };
        // As far as it can be read.
        while let Ok(Some(row)) = rows.next() {
            let row = (
                row.get::<_, rusqlite::types::Value>(0),
                row.get::<_, rusqlite::types::Value>(1),
                row.get::<_, rusqlite::types::Value>(2),
            );
            if let (Ok(kind), Ok(key), Ok(value)) = row
                && index.run(into, (kind, key, value)).is_ok()
            {
                saved += 1;
            }
        }
    }
    saved
}

/// Puts the new index in the old one's place, the old one into the quarantine.
fn replace(folder: &Path, database: &Path, quarantine: &Path, fresh: &Path) -> io::Result<()> {
    let nth = std::fs::read_dir(quarantine)?.count();
    for end in ["-wal", "-shm", ""] {
        let old = folder.join(format!("index.sqlite{end}"));
        match std::fs::rename(&old, quarantine.join(format!("index-{nth}.sqlite{end}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    File::open(fresh)?.sync_all()?;
    std::fs::rename(fresh, database)?;
    File::open(folder)?.sync_all()
}
