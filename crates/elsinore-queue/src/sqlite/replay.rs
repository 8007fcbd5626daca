//! What happens at the start: the segments are read from where the index ends.
//!
//! The index is as it was after one of the last commits; each commit names how far it reaches. What was
//! appended later and is whole is taken in. A message whose settlement the index does not know any more
//! is delivered once more (RFC 5321 §6.1).

use super::afresh::write_afresh;
use super::index::{Index, Reach, fault, job_number, number};
use super::room::of_folder as failed;
use super::scan::{Found, Place, Scan, read_single};
use super::segment::{Head, RecordHeader};
use super::segments::{Live, segment_files, shared_path, single_path};
use crate::error::StoreError;
use crate::id::MessageId;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::Path;

/// What a start found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Messages that were in the segments and not in the index yet.
    pub messages: u64,
    /// Stretches of segments that are no records: what a crash left of unacknowledged messages, or
    /// damage. They are kept in the folder `quarantine`.
    pub damaged: u64,
    /// Jobs that are held because the octets of their message are gone.
    pub lost: u64,
}

/// Octets of one damaged stretch that are kept.
const QUARANTINE_OCTETS: u64 = 64 << 20;

/// Takes in what the index does not know; the answer is what was found, how far the index reaches now,
/// and what is needed of each segment.
///
/// # Errors
/// [`StoreError`].
pub(super) fn replay(
    index: &Index,
    segments: &Path,
    quarantine: &Path,
) -> Result<(Recovery, Reach, BTreeMap<u64, Live>), StoreError> {
    let sql = |error: rusqlite::Error| fault(&error);
    let mut replay = Replay {
        index,
        quarantine,
        reach: index.reach().map_err(sql)?,
        recovery: Recovery::default(),
        group: Vec::new(),
    };
    let files = segment_files(segments).map_err(|error| failed(segments, &error))?;
    let known = replay.reach;
    index.sql.execute_batch("BEGIN IMMEDIATE").map_err(sql)?;
    for (number, single) in &files {
        if *single && *number >= known.next_number {
            replay.single(*number, &single_path(segments, *number))?;
        }
    }
    // Second: a notice in a shared segment may settle a job of a message in a file of its own.
    for (number, single) in &files {
        if !*single && *number >= known.segment {
            let from = if *number == known.segment {
                known.octets
            } else {
                0
            };
            replay.shared(*number, from, &shared_path(segments, *number))?;
        }
    }
    // The names of the files too, before the index relies on them.
    File::open(segments)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| failed(segments, &error))?;
    let last = files.keys().next_back().copied().unwrap_or(0);
    replay.reach.next_number = known.next_number.max(last + 1);
    replay.reach.starts += 1;
    let live = replay.live(segments, &files)?;
    index.set_reach(&replay.reach).map_err(sql)?;
    index.sql.execute_batch("COMMIT").map_err(sql)?;
    index.barrier().map_err(sql)?;
    Ok((replay.recovery, replay.reach, live))
}

struct Replay<'a> {
    index: &'a Index,
    quarantine: &'a Path,
    reach: Reach,
    recovery: Recovery,
    /// Notices of one settlement, until all of them are there.
    group: Vec<(MessageId, Head, Place)>,
}

impl Replay<'_> {
    fn shared(&mut self, number: u64, from: u64, path: &Path) -> Result<(), StoreError> {
        let file = File::open(path).map_err(|error| failed(path, &error))?;
        let length = file.metadata().map_err(|error| failed(path, &error))?.len();
        self.group.clear();
        match Scan::new(&file, number, from, None) {
            Ok(mut scan) => {
                while let Some(found) = scan.next().map_err(|error| failed(path, &error))? {
                    match found {
                        Found::Record {
                            header,
                            head,
                            place,
                        } => self.record(&header, *head, place)?,
                        Found::Damage { start, octets, .. } => {
                            self.group.clear();
                            self.set_aside(&file, number, start, octets)?;
                        }
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.set_aside(&file, number, from, length.saturating_sub(from))?;
            }
            Err(error) => return Err(failed(path, &error)),
        }
        write_afresh(path, from).map_err(|error| failed(path, &error))?;
        self.reach.segment = number;
        self.reach.octets = length;
        Ok(())
    }

    fn single(&mut self, number: u64, path: &Path) -> Result<(), StoreError> {
        let file = File::open(path).map_err(|error| failed(path, &error))?;
        match read_single(&file, number).map_err(|error| failed(path, &error))? {
            Some((header, head, place)) => self.record(&header, head, place),
            None => {
                let length = file.metadata().map_err(|error| failed(path, &error))?.len();
                self.set_aside(&file, number, 0, length)
            }
        }
    }

    fn record(
        &mut self,
        header: &RecordHeader,
        head: Head,
        place: Place,
    ) -> Result<(), StoreError> {
        let sql = |error: rusqlite::Error| fault(&error);
        let Some(settles) = head.settles.clone() else {
            self.group.clear();
            return self.insert(header.id, &head, &place).map_err(sql);
        };
        if usize::try_from(settles.part).ok() != Some(self.group.len()) {
            // The others of this settlement are damaged: it was not acknowledged.
            self.group.clear();
            if settles.part != 0 {
                return Ok(());
            }
        }
        self.group.push((header.id, head, place));
        if u32::try_from(self.group.len()).ok() != Some(settles.of) {
            return Ok(());
        }
        for (id, head, place) in std::mem::take(&mut self.group) {
            self.insert(id, &head, &place).map_err(sql)?;
        }
        let Some(num) = self.index.number_of(settles.message).map_err(sql)? else {
            return Ok(());
        };
        let job = job_number(num, settles.nth);
        match &settles.rest {
            Some(rest) => self.index.update_job(job, rest).map_err(sql).map(|_| ()),
            None => self.index.remove_job(job).map_err(sql).map(|_| ()),
        }
    }

    fn insert(&mut self, id: MessageId, head: &Head, place: &Place) -> rusqlite::Result<()> {
        let num = self.reach.next_message;
        let envelope = super::index::text(&head.envelope)?;
        if self
            .index
            .insert_message(num, id, head.arrived, &envelope, place)?
        {
            self.reach.next_message += 1;
            self.recovery.messages += 1;
            for job in &head.jobs {
                self.index.insert_job(num, job)?;
            }
        } else if head.copy
            && let Some(num) = self.index.number_of(id)?
        {
            self.index.relocate(num, place)?;
        }
        Ok(())
    }

    /// Keeps a damaged stretch for whoever wants to look at it.
    fn set_aside(
        &mut self,
        file: &File,
        number: u64,
        start: u64,
        octets: u64,
    ) -> Result<(), StoreError> {
        if octets == 0 {
            return Ok(());
        }
        self.recovery.damaged += 1;
        set_aside(file, self.quarantine, number, start, octets)
            .map_err(|error| failed(self.quarantine, &error))
    }

    /// What is needed of each segment; jobs whose segment is gone are held.
    fn live(
        &mut self,
        folder: &Path,
        files: &BTreeMap<u64, bool>,
    ) -> Result<BTreeMap<u64, Live>, StoreError> {
        let mut live = BTreeMap::new();
        for (number, single) in files {
            let path = if *single {
                single_path(folder, *number)
            } else {
                shared_path(folder, *number)
            };
            let length = path.metadata().map_err(|error| failed(&path, &error))?;
            let counted = Live {
                single: *single,
                file: length.len(),
                ..Live::default()
            };
            live.insert(*number, counted);
        }
        self.count(&mut live).map_err(|error| fault(&error))?;
        Ok(live)
    }

    fn count(&mut self, live: &mut BTreeMap<u64, Live>) -> rusqlite::Result<()> {
        // Counted here: SQLite would sort all messages first, in memory.
        let mut gone = BTreeSet::new();
        let mut query = self
            .index
            .sql
            .prepare("SELECT segment, length FROM message")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let segment: i64 = row.get(0)?;
            if let Some(live) = live.get_mut(&number(segment)) {
                live.octets = live.octets.saturating_add(number(row.get(1)?));
                live.messages += 1;
            } else {
                gone.insert(segment);
            }
        }
        for segment in gone {
            let held = self.index.run(
                "UPDATE job SET held = ?2 WHERE held IS NULL
                     AND (job >> 20) IN (SELECT num FROM message WHERE segment = ?1)",
                (
                    segment,
                    format!("the octets of its message are gone: no segment {segment:016x}"),
                ),
            )?;
            self.recovery.lost += held as u64;
        }
        Ok(())
    }
}

/// Copies a stretch of a segment into the quarantine.
///
/// # Errors
/// What the file system says.
pub(super) fn set_aside(
    file: &File,
    quarantine: &Path,
    segment: u64,
    start: u64,
    octets: u64,
) -> io::Result<()> {
    let name = format!("{segment:016x}-{start:016x}.damaged");
    let mut copy = File::create(quarantine.join(name))?;
    let body = crate::content::BodyInFile {
        file: std::sync::Arc::new(file.try_clone()?),
        start,
        octets: octets.min(QUARANTINE_OCTETS),
    };
    let mut reader = crate::content::Body::open(&body)?;
    io::copy(&mut reader, &mut copy)?;
    copy.sync_all()
}
