//! Compaction: what little is needed of an old segment is copied to the one that is appended to, so
//! that the old one can go.
//!
//! In pieces between other batches. The copies are synced and the index knows them before the old
//! segment is removed; a copy that the index does not know yet is recognised at the start by its mark.
//! A damaged record is never copied: its segment stays, for `elsinore queue fsck`.

use super::commit::Effects;
use super::index::{NTH_BITS, job_number};
use super::rows::{JOB_COLUMNS, job_row};
use super::scan::{Found, Place, Scan};
use super::segment::{Head, KeptJob, RecordHeader};
use super::segments::Fault;
use super::writer::Writer;
use crate::content::Content;
use crate::moment::Moment;
use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Octets of a segment that are looked at in one piece.
const PIECE: u64 = 8 << 20;
/// A segment of which less than one part of so many is needed is copied.
const SPARSE: u64 = 4;
/// More segments than this that ended early, by restarts, are copied together.
const SHORT_SEGMENTS: usize = 16;

/// How far compaction has come.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    /// Segments to go through; nothing before they are chosen.
    chosen: Option<VecDeque<u64>>,
    /// Where in the first of them.
    at: u64,
}

impl Writer {
    /// Does the next piece; the answer is whether there are more.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn compact(
        &mut self,
        compaction: &mut Compaction,
        effects: &mut Effects,
    ) -> Result<bool, Fault> {
        let chosen = match &mut compaction.chosen {
            Some(chosen) => chosen,
            None => {
                let sparse = self
                    .segments
                    .sparse(SPARSE, SHORT_SEGMENTS)
                    .into_iter()
                    .filter(|number| !self.damaged.contains(number));
                compaction.chosen.insert(sparse.collect())
            }
        };
        let Some(number) = chosen.front().copied() else {
            return Ok(false);
        };
        match self.copy_piece(number, compaction.at, effects)? {
            Some(at) => compaction.at = at,
            None => {
                chosen.pop_front();
                compaction.at = 0;
            }
        }
        Ok(!chosen.is_empty())
    }

    /// Copies what is needed of a piece of a segment; the answer is where the next piece begins.
    fn copy_piece(
        &mut self,
        number: u64,
        from: u64,
        effects: &mut Effects,
    ) -> Result<Option<u64>, Fault> {
        let fault = |error: io::Error| Fault::Failed(format!("segment {number:016x}: {error}"));
        let file = match self.shared.files.open(number) {
            Ok(file) => file,
            // All of it was settled since the segments were chosen.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault(error)),
        };
        let mut scan = match Scan::new(&file, number, from, None) {
            Ok(scan) => scan,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.damaged.insert(number);
                return Ok(None);
            }
            Err(error) => return Err(fault(error)),
        };
        while scan.at() < from.saturating_add(PIECE) {
            match scan.next().map_err(fault)? {
                Some(Found::Record {
                    header,
                    head,
                    place,
                }) => {
                    self.copy(&file, &header, *head, &place, effects)?;
                }
                // Torn at the end of what was never acknowledged, or a needed record: fsck tells.
                Some(Found::Damage { .. }) => {
                    self.damaged.insert(number);
                }
                None => return Ok(None),
            }
        }
        Ok(Some(scan.at()))
    }

    fn copy(
        &mut self,
        file: &std::fs::File,
        header: &RecordHeader,
        head: Head,
        place: &Place,
        effects: &mut Effects,
    ) -> Result<(), Fault> {
        let Some(num) = self.index.number_of(header.id)? else {
            return Ok(());
        };
        if self.index.place_of(num)?.as_ref() != Some(place) {
            return Ok(());
        }
        let mut body = vec![0; usize::try_from(place.octets).unwrap_or(0)];
        file.read_exact_at(&mut body, place.body)
            .map_err(|error| Fault::Failed(format!("segment {:016x}: {error}", place.segment)))?;
        let Some(jobs) = self.jobs(num)? else {
            // The record is the only place where what cannot be read of the index still stands.
            self.damaged.insert(place.segment);
            return Ok(());
        };
        let head = Head {
            jobs,
            settles: None,
            copy: true,
            ..head
        };
        let octets = serde_json::to_vec(&head).map_err(|error| Fault::Failed(error.to_string()))?;
        let copied = RecordHeader::new(header.id, &octets, header.body_octets, header.body_crc);
        let moved = self
            .segments
            .append(&copied, &octets, &mut Content::Memory(body))?;
        self.index.relocate(num, &moved)?;
        effects.moved(header.id, place, moved);
        Ok(())
    }

    /// The jobs of a message as they are now; nothing when one of them cannot be read.
    fn jobs(&self, num: i64) -> rusqlite::Result<Option<Vec<KeptJob>>> {
        self.index
            .sql
            .prepare_cached(&format!(
                "SELECT {JOB_COLUMNS} FROM job j WHERE j.job >= ?1 AND j.job < ?2 ORDER BY j.job"
            ))?
            .query_map([job_number(num, 0), job_number(num + 1, 0)], |row| {
                let job = job_row(row, 0)?;
                Ok(job.damage.is_none().then(|| KeptJob {
                    nth: u32::try_from(job.job & ((1 << NTH_BITS) - 1)).unwrap_or(u32::MAX),
                    destination: job.destination,
                    recipients: job.recipients,
                    due: Moment(job.due),
                    held: job.held,
                    standing: job.standing,
                }))
            })?
            .collect()
    }
}
