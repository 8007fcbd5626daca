//! Sweeps: what an administrator does to many jobs, piece by piece between other batches.

use super::commit::Effects;
use super::index::Removed;
use super::segments::Fault;
use super::work::Sweep;
use super::writer::Writer;
use crate::admin::Deed;
use rusqlite::params;

impl Writer {
    /// Does the next piece of a sweep; the answer is whether there are more.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn change(
        &mut self,
        sweep: &mut Sweep,
        effects: &mut Effects,
    ) -> Result<bool, Fault> {
        let piece = super::listing::piece(&self.index.sql, &sweep.filter, sweep.after)?;
        for (job, _) in &piece.jobs {
            match &sweep.deed {
                Deed::Retry(now) => {
                    self.index.run(
                        "UPDATE job SET due = ?2, held = NULL WHERE job = ?1",
                        params![job.job, now.0],
                    )?;
                }
                Deed::Hold(why) => {
                    self.index.run(
                        "UPDATE job SET held = ?2 WHERE job = ?1",
                        params![job.job, why],
                    )?;
                }
                Deed::Release => {
                    self.index
                        .run("UPDATE job SET held = NULL WHERE job = ?1", [job.job])?;
                }
                Deed::Remove => {
                    if let Removed::Last(place) = self.index.remove_job(job.job)? {
                        effects.released.push((place.segment, place.length));
                    }
                    effects.removed.push((job.job, job.destination.clone()));
                }
            }
            effects.changed.push(match &sweep.deed {
                Deed::Retry(now) => (job.job, Some(now.0)),
                Deed::Release => (job.job, Some(job.due)),
                Deed::Hold(_) | Deed::Remove => (job.job, None),
            });
            effects.stale.push(job.destination.clone());
        }
        sweep.done += piece.jobs.len() as u64;
        effects.wake = true;
        match piece.next {
            Some(after) => sweep.after = after,
            None => effects.durable = true,
        }
        Ok(piece.next.is_some())
    }
}
