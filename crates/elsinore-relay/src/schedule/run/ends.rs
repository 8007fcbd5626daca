//! What comes of jobs: said, held against their destinations, and written.

use super::{GATHER, GATHERED, Schedule, Stage, WRITTEN_AT_ONCE};
use crate::event::{Event, Severity};
use crate::schedule::backoff::Trouble;
use crate::schedule::settle::Finished;
use crate::schedule::verdict::{
    CalledBack, MAY_HAVE_COME, Shown, Verdict, called_back, ours, shown,
};
use crate::schedule::work::End;
use elsinore_net::deliver::{Outcome, RecipientReport};
use elsinore_queue::job::{Lease, Leased};
use std::sync::Arc;
use tokio::task::{self, JoinError};
use tokio::time::Instant;

impl Schedule {
    /// The work on a job has ended, or was cut off.
    pub(super) fn joined(&mut self, joined: Result<(task::Id, End), JoinError>, now: Instant) {
        let (id, end) = match joined {
            Ok((id, end)) => (id, Ok(end)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(lease) = self.tasks.remove(&id) else {
            return;
        };
        let Some(held) = self.held.get_mut(&lease) else {
            return;
        };
        let job = Arc::clone(&held.job);
        let stage = std::mem::replace(&mut held.stage, Stage::Ended);
        match end {
            Ok(end) => self.came_back(job, end, &stage, now),
            Err(error) if error.is_panic() => {
                let text = format!("{} for {}: {error}", job.message.id, job.destination);
                self.note(Severity::Error, "relay", text);
                let why = "the attempt ended in an error of this program".to_owned();
                self.take_end(job, End::NotNow(why), None, now);
            }
            Err(_) => self.was_cut(job, stage, now),
        }
    }

    /// What a delivery came to that may have been called back because the relay stops: recipients that
    /// have an answer are settled with it. Where none has, it is as if the job had not been tried.
    fn came_back(&mut self, job: Arc<Leased>, end: End, stage: &Stage, now: Instant) {
        let is_called = match stage {
            Stage::Working(reins, _) => reins.recall.is_called(),
            Stage::Waiting | Stage::Ended => false,
        };
        match end {
            End::Tried {
                reports,
                report,
                achieved,
                took,
            } if is_called => match called_back(&job, reports) {
                CalledBack::Untouched => {
                    self.held.remove(&job.lease);
                    self.unused.push(job.lease);
                }
                CalledBack::Answered(reports) => {
                    let end = End::Tried {
                        reports,
                        report,
                        achieved,
                        took,
                    };
                    self.take_end(job, end, Some(Trouble::Ours), now);
                }
            },
            end @ (End::Tried { .. } | End::NotNow(_) | End::Unreadable(_)) => {
                self.take_end(job, end, None, now);
            }
        }
    }

    /// `known` is what kept the job from being done, where the reports do not say it.
    fn take_end(&mut self, job: Arc<Leased>, end: End, known: Option<Trouble>, now: Instant) {
        let mut achieved = None;
        let (reports, shown, last, trouble) = match end {
            End::Tried {
                reports,
                report,
                achieved: found,
                took,
            } => {
                achieved = found;
                if let Some(report) = report {
                    self.parts.journal.note(&Event::Tried {
                        message: Arc::clone(&job.message),
                        destination: job.destination.clone(),
                        report,
                        took,
                    });
                }
                let shown = shown(&reports);
                let last = reports
                    .iter()
                    .position(|report| report.outcome == Outcome::Deferred);
                (reports, shown, last, known)
            }
            End::NotNow(why) => (
                about_all(&job, &why),
                Shown::Nothing,
                None,
                Some(Trouble::Ours),
            ),
            End::Unreadable(why) => {
                self.unreadable(job, why, now);
                return;
            }
        };
        let last = last.and_then(|last| reports.get(last));
        let chance = rand::random();
        self.destinations
            .ended(&job.destination, shown, last, &self.settings, now, chance);
        let settings = Arc::clone(&self.settings);
        let circumstances = self.circumstances(&settings, &job);
        let verdict = match trouble {
            None => circumstances.after(&reports),
            Some(trouble) => circumstances.after_trouble(&reports, Some(trouble)),
        };
        self.say_of_recipients(&job, &reports, &verdict);
        let finished = Finished {
            job,
            verdict,
            achieved,
        };
        self.finish(finished, now);
    }

    /// A message that cannot be read is neither delivered nor returned: the administrator must look.
    fn unreadable(&mut self, job: Arc<Leased>, why: String, now: Instant) {
        self.note(
            Severity::Error,
            "store",
            format!("{} for {} is held: {why}", job.message.id, job.destination),
        );
        self.destinations.ended(
            &job.destination,
            Shown::Nothing,
            None,
            &self.settings,
            now,
            0.0,
        );
        let settings = Arc::clone(&self.settings);
        let verdict = self.circumstances(&settings, &job).held(why);
        let finished = Finished {
            job,
            verdict,
            achieved: None,
        };
        self.finish(finished, now);
    }

    /// A delivery was cut that did not come back when it was called. If all of the message was handed
    /// out, the final dot may have been sent: the job waits, and says that a second copy may come.
    fn was_cut(&mut self, job: Arc<Leased>, stage: Stage, now: Instant) {
        match stage {
            Stage::Working(reins, _) if reins.handed_out.is_set() => {
                self.take_end(job, End::NotNow(MAY_HAVE_COME.to_owned()), None, now);
            }
            Stage::Waiting | Stage::Working(..) | Stage::Ended => {
                self.held.remove(&job.lease);
                self.unused.push(job.lease);
            }
        }
    }

    pub(super) fn say_of_recipients(
        &self,
        job: &Leased,
        reports: &[RecipientReport],
        verdict: &Verdict,
    ) {
        let delay = self.parts.clock.now().since(job.message.arrived);
        for (recipient, report) in job.recipients.iter().zip(reports) {
            let session = report.session.as_ref();
            let outcome = match report.outcome {
                // The time is over.
                Outcome::Deferred if verdict.rest.is_none() => Outcome::Bounced,
                outcome @ (Outcome::Delivered | Outcome::Deferred | Outcome::Bounced) => outcome,
            };
            let next = match outcome {
                Outcome::Deferred => verdict.rest.as_ref().map(|rest| rest.due),
                Outcome::Delivered | Outcome::Bounced => None,
            };
            self.parts.journal.note(&Event::Recipient {
                message: job.message.id,
                sender: job.message.envelope.reverse_path.clone(),
                recipient: recipient.address.clone(),
                outcome,
                security: session.and_then(|session| session.security),
                relay: session.map(|session| {
                    format!(
                        "{}[{}]:{}",
                        session.mx_host, session.mx_address, session.port
                    )
                }),
                reply: report.reply.as_ref().map(ToString::to_string),
                delay,
                next,
            });
        }
    }

    /// What came of a job is to be written.
    pub(super) fn finish(&mut self, finished: Finished, now: Instant) {
        if let Some(held) = self.held.get_mut(&finished.job.lease) {
            held.stage = Stage::Ended;
            if held.is_lost {
                // Said when it was found out.
                self.held.remove(&finished.job.lease);
                return;
            }
        }
        self.finished.push(finished);
        self.gather_until.get_or_insert(now + GATHER);
    }

    /// Has ends of jobs written, several at once.
    pub(super) fn write(&mut self, now: Instant) {
        if self.writing.is_some() || self.finished.is_empty() {
            return;
        }
        let is_time = self.gather_until.is_none_or(|until| now >= until);
        if !is_time && self.finished.len() < GATHERED && !self.working.is_empty() {
            return;
        }
        let count = self.finished.len().min(WRITTEN_AT_ONCE);
        let batch: Vec<Finished> = self.finished.drain(..count).collect();
        self.gather_until = (!self.finished.is_empty()).then_some(now);
        self.writing = Some(Box::pin(self.pen().write(batch)));
    }

    /// These leases are no longer thought of.
    pub(super) fn written(&mut self, leases: Vec<Lease>) {
        for lease in leases {
            self.held.remove(&lease);
        }
    }
}

/// The same for every recipient: it is about us.
fn about_all(job: &Leased, why: &str) -> Vec<RecipientReport> {
    job.recipients
        .iter()
        .map(|recipient| {
            let reply = (451, "4.3.0", why.to_owned());
            ours(&recipient.address, Outcome::Deferred, reply)
        })
        .collect()
}
