//! The end of a batch: what it changes in memory once it is on disk, how it is undone when it is not,
//! and what is due beside batches.

use super::scan::Place;
use super::segments::Fault;
use super::work::{Reply, Work};
use super::writer::Writer;
use crate::error::StoreError;
use crate::id::MessageId;
use std::time::Instant;

/// An answer to be given when the batch is committed.
type Answer = Box<dyn FnOnce() + Send>;

/// What a batch changes in memory once it is committed.
#[derive(Default)]
pub(super) struct Effects {
    answers: Vec<Answer>,
    pub(super) arrived: Vec<(String, i64, bool)>,
    pub(super) settling: Vec<i64>,
    pub(super) ended: Vec<(i64, Option<(i64, bool)>)>,
    pub(super) kept: Vec<(u64, u64, bool)>,
    moved: Vec<(MessageId, Place)>,
    pub(super) released: Vec<(u64, u64)>,
    /// Destinations whose first due job has to be looked up.
    pub(super) stale: Vec<String>,
    pub(super) removed: Vec<(i64, String)>,
    pub(super) changed: Vec<(i64, Option<i64>)>,
    /// No job on lease is due later once its lease ends.
    pub(super) latest: Option<i64>,
    pub(super) durable: bool,
    pub(super) wake: bool,
    /// What follows once this is committed. When it is not, whoever asked is told, and nothing goes
    /// on behind a piece that was not done.
    pub(super) more: Vec<Work>,
    /// Who waits for the end of tidying up, all of whose pieces are done.
    pub(super) tidied: Vec<Reply<()>>,
}

impl Effects {
    /// A message was copied from `from` to `to`.
    pub(super) fn moved(&mut self, message: MessageId, from: &Place, to: Place) {
        self.released.push((from.segment, from.length));
        self.kept.push((to.segment, to.length, false));
        self.moved.push((message, to));
    }

    /// Answers: with a value once the batch is committed, with a refusal or a fault at once.
    ///
    /// # Errors
    /// The fault.
    pub(super) fn answer<T: Send + 'static>(
        &mut self,
        reply: Reply<T>,
        done: Result<Result<T, StoreError>, Fault>,
    ) -> Result<(), Fault> {
        match done {
            Ok(Ok(value)) => self.answers.push(Box::new(move || {
                let _gone = reply.send(Ok(value));
            })),
            Ok(Err(refused)) => {
                let _gone = reply.send(Err(refused));
            }
            Err(fault) => {
                let _gone = reply.send(Err(fault.clone().into()));
                return Err(fault);
            }
        }
        Ok(())
    }
}

impl Writer {
    /// The batch is on disk: memory follows, then the answers go out.
    pub(super) fn committed(&mut self, effects: Effects) {
        self.segments.committed();
        self.more.extend(effects.more);
        self.tidied.extend(effects.tidied);
        let wrote = !effects.kept.is_empty();
        for (segment, octets, single) in effects.kept {
            self.segments.keep(segment, octets, single);
        }
        for (segment, octets) in effects.released {
            self.segments.release(segment, octets);
        }
        {
            let mut desk = self.shared.desk();
            for (destination, due, held) in effects.arrived {
                desk.arrived(&destination, 1, (!held).then_some(due));
            }
            for (message, place) in effects.moved {
                desk.moved(message, place);
            }
            for (job, destination) in effects.removed {
                desk.end(job, false);
                desk.gone(&destination, 1);
            }
            for (job, due) in effects.changed {
                desk.changed(job, due);
            }
            if let Some(latest) = effects.latest {
                desk.bring_forward(latest);
            }
            for (job, rest) in effects.ended {
                let Some(destination) = desk.destination(job) else {
                    continue;
                };
                desk.end(job, false);
                match rest {
                    Some((due, false)) => desk.lower(&destination, due),
                    Some((_, true)) => {}
                    None => desk.gone(&destination, 1),
                }
            }
        }
        let mut stale = effects.stale;
        stale.sort_unstable();
        stale.dedup();
        for destination in stale {
            if let Err(error) = self.look_up_first(&destination) {
                let (Fault::Full(why) | Fault::Failed(why)) = Fault::from(error);
                self.shared.fail(why);
                return;
            }
        }
        for answer in effects.answers {
            answer();
        }
        if wrote {
            self.shared.has_room_again();
        }
        if effects.wake {
            self.shared.wake();
        }
    }

    /// The batch is not on disk, and nothing of it is in memory.
    pub(super) fn abandon(&mut self, fault: Fault, effects: &Effects) {
        let undone = match &fault {
            Fault::Full(_) => self
                .segments
                .roll_back()
                .and_then(|()| {
                    if self.index.sql.is_autocommit() {
                        return Ok(());
                    }
                    self.index
                        .run("ROLLBACK", [])
                        .map(drop)
                        .map_err(Fault::from)
                })
                .and_then(|()| {
                    self.reach = self.index.reach()?;
                    // Numbers of files are never used twice.
                    self.reach.next_number = self.segments.next_number();
                    // So that what takes no room of its own, like the end of a job, finds some in the
                    // log of the index. As far as it goes: the disk is full.
                    match self.index.write_back().map_err(Fault::from) {
                        Ok(_) | Err(Fault::Full(_)) => Ok(()),
                        Err(failed) => Err(failed),
                    }
                }),
            Fault::Failed(_) => Err(fault.clone()),
        };
        match (undone, fault) {
            (Ok(()), Fault::Full(text) | Fault::Failed(text)) => self.shared.full(text),
            (Err(Fault::Full(text) | Fault::Failed(text)), _) => self.shared.fail(text),
        }
        let mut desk = self.shared.desk();
        for job in &effects.settling {
            desk.settling(*job, false);
        }
    }

    /// Looks up when the first job of a destination is due that is neither held nor leased.
    fn look_up_first(&self, destination: &str) -> rusqlite::Result<()> {
        let mut desk = self.shared.desk();
        let mut query = self.index.sql.prepare_cached(
            "SELECT due, job FROM job INDEXED BY job_due
             WHERE destination = ?1 AND held IS NULL ORDER BY due, job",
        )?;
        let mut rows = query.query([destination])?;
        let mut first = None;
        while let Some(row) = rows.next()? {
            if !desk.is_leased(row.get(1)?) {
                first = Some(row.get(0)?);
                break;
            }
        }
        desk.set_first(destination, first);
        Ok(())
    }

    /// What is due beside batches: durability of what could wait, writing the log back, removing dead
    /// segments.
    pub(super) fn settle_down(&mut self, now: bool) {
        let due = now
            || self
                .lazy_since
                .is_some_and(|since| since.elapsed() >= self.lazy);
        if !due {
            return;
        }
        if let Err(fault) = self.make_durable() {
            // Not done: tried again in a while, when no batch commits either.
            self.lazy_since.get_or_insert_with(Instant::now);
            match fault {
                Fault::Full(text) => self.shared.full(text),
                Fault::Failed(text) => self.shared.fail(text),
            }
        }
    }

    fn make_durable(&mut self) -> Result<(), Fault> {
        let dead = self.segments.dead();
        if self.lazy_since.take().is_some() || !dead.is_empty() {
            self.index.barrier()?;
        }
        self.segments
            .remove(&dead)
            .map_err(|error| Fault::Failed(format!("segments: {error}")))?;
        if !self.tidied.is_empty() {
            self.index.shrink()?;
        }
        self.index.write_back()?;
        Ok(())
    }
}
