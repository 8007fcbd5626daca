//! The one thread that writes: group commit.
//!
//! It takes what waits, serves claims at once, and writes the rest as one batch: rows, records, one
//! fsync of the segment, the commit, and only then the answers. What comes meanwhile is the next batch.

use super::commit::Effects;
use super::index::{Index, NTH_BITS, Reach, Removed};
use super::segment::Settles;
use super::segments::{Fault, Segments};
use super::shared::Shared;
use super::work::{Arrival, Closing, Reply, Work, arrival};
use crate::error::StoreError;
use crate::job::Settled;
use crate::moment::Moment;
use crate::record::{Change, Kind, Record};
use rusqlite::params;
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The most things in one batch.
const BATCH: usize = 1024;
/// The most octets in one batch, but for one thing that is larger alone.
const BATCH_OCTETS: u64 = 32 << 20;
/// What is said of a second message of one name.
const NAME_TAKEN: &str = "a message of this name exists";
/// How long the writer waits for work before it looks whether something else is to be done.
const TICK: Duration = Duration::from_millis(500);

/// The writer.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) index: Index,
    pub(super) segments: Segments,
    pub(super) shared: Arc<Shared>,
    pub(super) reach: Reach,
    /// Held as long as the store is open.
    pub(super) lock: File,
    /// Since when something committed is not known to be durable.
    pub(super) lazy_since: Option<Instant>,
    /// Work that is done piece by piece, between other work.
    pub(super) more: VecDeque<Work>,
    /// Segments with damage, which compaction leaves alone.
    pub(super) damaged: BTreeSet<u64>,
    /// How long what need not be durable at once may wait for it.
    pub(super) lazy: Duration,
    /// Who waits for the end of tidying up.
    pub(super) tidied: Vec<Reply<()>>,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match super::index::fault(&error) {
            StoreError::Full(text) => Self::Full(text),
            StoreError::Failed(text) => Self::Failed(text),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Writer {
    /// Works until the store is closed or dropped.
    pub(super) fn run(mut self, work: &Receiver<Work>) {
        let mut closing = None;
        while closing.is_none() {
            let first = match self.more.pop_front() {
                Some(first) => Ok(first),
                None => work.recv_timeout(TICK),
            };
            match first {
                Ok(first) => closing = self.turn(first, work),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if !self.shared.has_failed() {
                self.settle_down(!self.tidied.is_empty());
            }
            for reply in self.tidied.drain(..) {
                let _gone = reply.send(self.shared.health());
            }
        }
        if !self.shared.has_failed() {
            self.settle_down(true);
        }
        let failed = self.shared.health();
        if failed.is_err() {
            // Its log stays as it is: what cannot be trusted to reach the disk is not written back.
            let _as_it_is = self.index.leave_log();
        }
        self.shared.end("it was closed".to_owned());
        // The lock goes before the answer does, so that the folder can be opened again at once.
        let Self { index, lock, .. } = self;
        drop(index);
        drop(lock);
        if let Some(reply) = closing {
            let _gone = reply.send(failed);
        }
    }

    /// One batch; the answer is whom to tell when the store is closed.
    fn turn(&mut self, first: Work, work: &Receiver<Work>) -> Option<Reply<()>> {
        let mut batch = Vec::new();
        let mut octets = 0;
        let mut closing = None;
        let mut next = Some(first);
        while let Some(one) = next.take() {
            octets += one.octets();
            match one {
                Work::Claim(claim, reply) => {
                    let answer = self.claim(&claim);
                    if let Err(StoreError::Failed(text)) = &answer {
                        self.shared.fail(text.clone());
                    }
                    let _gone = reply.send(answer);
                }
                Work::Close(reply) => {
                    closing = Some(reply);
                    break;
                }
                one @ (Work::Enqueue(..)
                | Work::Settle(..)
                | Work::Change(..)
                | Work::BringForward(..)
                | Work::Record(..)
                | Work::RecordFirst(..)
                | Work::Tidy(..)) => batch.push(one),
            }
            if batch.len() < BATCH && octets < BATCH_OCTETS {
                next = work.try_recv().ok();
            }
        }
        if !batch.is_empty() && !self.shared.has_failed() {
            self.batch(batch);
        }
        closing
    }

    fn batch(&mut self, batch: Vec<Work>) {
        let mut effects = Effects::default();
        self.segments.begin();
        let mut batch = batch.into_iter();
        match self.write(&mut batch, &mut effects) {
            Ok(()) => self.committed(effects),
            // Whoever is not answered by now looks for the reason, so what is left of the batch goes
            // when that is noted.
            Err(fault) => self.abandon(fault, &effects),
        }
    }

    fn write(
        &mut self,
        batch: &mut impl Iterator<Item = Work>,
        effects: &mut Effects,
    ) -> Result<(), Fault> {
        self.index.run("BEGIN IMMEDIATE", [])?;
        for one in batch {
            self.one(one, effects)?;
        }
        self.segments.sync()?;
        if let Some((segment, octets)) = self.segments.position() {
            self.reach.segment = segment;
            self.reach.octets = octets;
        }
        self.reach.next_number = self.segments.next_number();
        self.index.set_reach(&self.reach)?;
        self.index.run("COMMIT", [])?;
        if effects.durable {
            // Committed: nothing of this batch may be taken back any more, so a disk that is full here
            // ends the store; the next start finds everything.
            self.index
                .barrier()
                .map_err(|error| Fault::Failed(format!("index, after a commit: {error}")))?;
            self.lazy_since = None;
        } else {
            self.lazy_since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    fn one(&mut self, work: Work, effects: &mut Effects) -> Result<(), Fault> {
        match work {
            Work::Enqueue(arrival, reply) => {
                let kept = self.keep(*arrival, effects);
                effects.answer(reply, kept)
            }
            Work::Settle(closings, reply) => {
                let settled = self.settle_all(closings, effects);
                effects.answer(reply, settled)
            }
            Work::Change(mut sweep, reply) => match self.change(&mut sweep, effects) {
                Ok(true) => {
                    effects.more.push(Work::Change(sweep, reply));
                    Ok(())
                }
                Ok(false) => effects.answer(reply, Ok(Ok(sweep.done))),
                Err(fault) => effects.answer(reply, Err(fault)),
            },
            Work::BringForward(latest, reply) => {
                let changed = self.bring_forward(latest, effects);
                effects.answer(reply, changed.map(Ok))
            }
            Work::Record(changes, reply) => {
                let written = changes.iter().try_for_each(|change| self.record(change));
                effects.answer(reply, written.map(Ok))
            }
            Work::RecordFirst(kind, record, reply) => {
                effects.durable = true;
                let written = self.record_first(kind, &record);
                effects.answer(reply, written.map(Ok))
            }
            Work::Tidy(mut compaction, reply) => match self.compact(&mut compaction, effects) {
                Ok(true) => {
                    effects.more.push(Work::Tidy(compaction, reply));
                    Ok(())
                }
                Ok(false) => {
                    effects.tidied.push(reply);
                    Ok(())
                }
                Err(fault) => effects.answer(reply, Err(fault)),
            },
            // Served before the batch.
            Work::Claim(..) | Work::Close(_) => Ok(()),
        }
    }

    /// Writes a message, unless there is one of its name.
    fn keep(
        &mut self,
        arrival: Arrival,
        effects: &mut Effects,
    ) -> Result<Result<(), StoreError>, Fault> {
        if self.index.number_of(arrival.id)?.is_some() {
            return Ok(Err(StoreError::Refused(NAME_TAKEN)));
        }
        self.arrive(arrival, effects).map(Ok)
    }

    /// Writes settlements, unless one of their notices cannot be written.
    fn settle_all(
        &mut self,
        closings: Vec<Closing>,
        effects: &mut Effects,
    ) -> Result<Result<Vec<Settled>, StoreError>, Fault> {
        let mut names = std::collections::HashSet::new();
        for (notice, _) in closings.iter().flat_map(|closing| &closing.notices) {
            if !names.insert(notice.id) || self.index.number_of(notice.id)?.is_some() {
                return Ok(Err(StoreError::Refused(NAME_TAKEN)));
            }
        }
        closings
            .into_iter()
            .map(|closing| self.settle(closing, effects))
            .collect::<Result<_, Fault>>()
            .map(Ok)
    }

    fn bring_forward(&self, latest: Moment, effects: &mut Effects) -> Result<u64, Fault> {
        let changed = self
            .index
            .run("UPDATE job SET due = ?1 WHERE due > ?1", [latest.0])?;
        effects
            .stale
            .extend(self.shared.desk().names().iter().map(ToString::to_string));
        let before = effects.latest.unwrap_or(i64::MAX);
        effects.latest = Some(before.min(latest.0));
        effects.wake = true;
        Ok(changed as u64)
    }

    /// Writes a message and its jobs.
    fn arrive(&mut self, arrival: Arrival, effects: &mut Effects) -> Result<(), Fault> {
        let Arrival {
            id,
            arrived,
            envelope,
            jobs,
            header,
            head,
            mut content,
            single,
        } = arrival;
        let place = match content {
            crate::content::Content::File { file, .. } if single => {
                self.segments.take_over(&header, file)?
            }
            _ => self.segments.append(&header, &head, &mut content)?,
        };
        let num = self.reach.next_message;
        self.reach.next_message += 1;
        self.index
            .insert_message(num, id, arrived, &envelope, &place)?;
        for job in jobs {
            self.index.insert_job(num, &job)?;
            effects
                .arrived
                .push((job.destination, job.due.0, job.held.is_some()));
        }
        effects.kept.push((place.segment, place.length, single));
        effects.wake = true;
        Ok(())
    }

    fn settle(&mut self, closing: Closing, effects: &mut Effects) -> Result<Settled, Fault> {
        let Closing {
            lease,
            rest,
            notices,
        } = closing;
        let job = lease.job.0;
        let message = {
            let mut desk = self.shared.desk();
            let Some(held) = desk.held(lease, Instant::now()) else {
                return Ok(Settled::Lost);
            };
            let message = held.message;
            desk.settling(job, true);
            message
        };
        // At once: a batch that is given up below must not leave the job settling for ever.
        effects.settling.push(job);
        let written = match &rest {
            Some(rest) => self
                .index
                .update_job(job, rest)?
                .map(|held| Some((rest.due.0, held))),
            None => match self.index.remove_job(job)? {
                Removed::Unknown => None,
                Removed::Job => Some(None),
                Removed::Last(place) => {
                    effects.released.push((place.segment, place.length));
                    Some(None)
                }
            },
        };
        let Some(left) = written else {
            // The administrator removed it in this very batch.
            self.shared.desk().settling(job, false);
            return Ok(Settled::Lost);
        };
        effects.ended.push((job, left));
        let of = u32::try_from(notices.len()).unwrap_or(u32::MAX);
        for ((notice, crc), part) in notices.into_iter().zip(0..) {
            let settles = Settles {
                message,
                nth: u32::try_from(job & ((1 << NTH_BITS) - 1)).unwrap_or(u32::MAX),
                rest: rest.clone(),
                part,
                of,
            };
            let arrival = arrival(notice, crc, Some(settles))
                .map_err(|error| Fault::Failed(error.to_string()))?;
            self.arrive(arrival, effects)?;
        }
        Ok(Settled::Done)
    }

    fn record(&self, change: &Change) -> Result<(), Fault> {
        match change {
            Change::Put(kind, record) => self.index.run(
                "INSERT INTO record VALUES (?1, ?2, ?3)
                 ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
                params![kind.word(), record.key, record.value],
            ),
            Change::Remove(kind, key) => self.index.run(
                "DELETE FROM record WHERE kind = ?1 AND key = ?2",
                params![kind.word(), key],
            ),
            Change::Add(kind, tally) => self.index.run(
                "INSERT INTO tally VALUES (?1, ?2, ?3)
                 ON CONFLICT (kind, key) DO UPDATE SET count = count + excluded.count",
                params![kind.word(), tally.key, tally.count],
            ),
            Change::Forget(kind, prefix) => self.index.run(
                "DELETE FROM tally WHERE kind = ?1 AND key >= ?2
                 AND substr(key, 1, length(?2)) = ?2",
                params![kind.word(), prefix],
            ),
        }?;
        Ok(())
    }

    fn record_first(&self, kind: Kind, record: &Record) -> Result<bool, Fault> {
        let rows = self.index.run(
            "INSERT INTO record VALUES (?1, ?2, ?3) ON CONFLICT (kind, key) DO NOTHING",
            params![kind.word(), record.key, record.value],
        )?;
        Ok(rows > 0)
    }
}
