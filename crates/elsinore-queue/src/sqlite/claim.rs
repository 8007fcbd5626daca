//! Claims: due jobs of the destinations that are asked for, leased in memory.

use super::desk::OnLease;
use super::index::fault;
use super::rows::{JOB_COLUMNS, MESSAGE_COLUMNS, job_row, message_row};
use super::writer::Writer;
use crate::complaint::unreadable;
use crate::error::StoreError;
use crate::id::JobId;
use crate::job::{Claim, Lease, Leased};
use crate::message::MessageHead;
use rusqlite::params;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

/// The jobs of a destination that are not held, those due first in front.
pub(super) static JOBS_OF: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {JOB_COLUMNS}, {MESSAGE_COLUMNS} FROM job j INDEXED BY job_due
         CROSS JOIN message m ON m.num = j.job >> 20
         WHERE j.destination = ?1 AND j.held IS NULL AND j.due >= ?2 ORDER BY j.due, j.job"
    )
});

impl Writer {
    /// Serves a claim. Only this thread ends the time of a destination's first job, so what is read
    /// here is what there is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<Vec<Leased>, StoreError> {
        if self.shared.has_failed() {
            return Err(self.shared.why_not());
        }
        let mut leased = Vec::new();
        let served = self.serve(claim, &mut leased);
        if served.is_err() {
            // Nobody hears of them: they are free again at once.
            let mut desk = self.shared.desk();
            for leased in leased.drain(..) {
                desk.end(leased.lease.job.0, true);
            }
        }
        served.map(|()| leased)
    }

    fn serve(&mut self, claim: &Claim, leased: &mut Vec<Leased>) -> Result<(), StoreError> {
        let until = Instant::now() + claim.lease_for;
        let mut damaged = Vec::new();
        for (destination, at_most) in &claim.from {
            self.claim_from(claim, destination, *at_most, until, leased, &mut damaged)
                .map_err(|error| fault(&error))?;
        }
        for (job, destination, why) in damaged {
            let why = unreadable(&why);
            let held = self
                .index
                .run("UPDATE job SET held = ?2 WHERE job = ?1", params![job, why]);
            match held.map_err(|error| fault(&error)) {
                Ok(_) => {
                    self.lazy_since.get_or_insert_with(Instant::now);
                    self.shared.complaints.held(job, &destination, &why);
                }
                Err(error @ StoreError::Failed(_)) => return Err(error),
                // Another time: nobody gets it before it can be read, and the others go on.
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn claim_from(
        &self,
        claim: &Claim,
        destination: &str,
        at_most: usize,
        until: Instant,
        leased: &mut Vec<Leased>,
        damaged: &mut Vec<(i64, String, String)>,
    ) -> rusqlite::Result<()> {
        let mut desk = self.shared.desk();
        desk.sweep(Instant::now());
        let Some(first) = desk.first(destination).filter(|due| *due <= claim.now.0) else {
            return Ok(());
        };
        let Some(name) = desk.name(destination) else {
            return Ok(());
        };
        let mut query = self.index.sql.prepare_cached(&JOBS_OF)?;
        let mut rows = query.query(params![destination, first])?;
        let mut taken = 0;
        let mut left = None;
        while let Some(row) = rows.next()? {
            let (job, due): (i64, i64) = (row.get(0)?, row.get(2)?);
            if desk.is_leased(job) {
                continue;
            }
            if taken == at_most || due > claim.now.0 {
                left = Some(due);
                break;
            }
            let job = job_row(row, 0)?;
            let message = message_row(row, 6)?;
            if let Some(why) = job.damage.or(message.damage) {
                damaged.push((job.job, job.destination, why));
                continue;
            }
            taken += 1;
            let epoch = desk.lease(
                job.job,
                OnLease::new(until, due, Arc::clone(&name), message.id, message.place),
            );
            leased.push(Leased {
                lease: Lease {
                    job: JobId(job.job),
                    epoch,
                },
                message: Arc::new(MessageHead {
                    id: message.id,
                    arrived: message.arrived,
                    envelope: message.envelope,
                    octets: message.place.octets,
                }),
                destination: job.destination,
                recipients: job.recipients,
                standing: job.standing,
            });
        }
        desk.set_first(destination, left);
        Ok(())
    }
}
