//! Where the next jobs come from.

use super::{Held, Schedule, Stage};
use crate::schedule::destinations::Turn;
use crate::schedule::settle::Finished;
use crate::schedule::verdict::Shown;
use crate::schedule::work::{Reins, work};
use elsinore_queue::error::StoreError;
use elsinore_queue::job::{Claim, DueDestination, Leased};
use elsinore_queue::moment::Moment;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Destinations asked for at a time.
const PAGE: usize = 256;
/// Sweeps begin at least so far apart: what comes in between is found by one.
const APART: Duration = Duration::from_millis(5);
/// Something is due already that nobody may try: how long until others are looked for.
const BLOCKED: Duration = Duration::from_secs(2);
/// The longest time without a sweep: for a store whose wakeups were lost.
const RARELY: Duration = Duration::from_secs(30);
/// After an error of the store.
const AFTER_ERROR: Duration = Duration::from_secs(2);
/// Ends that wait to be written: beyond, nothing new is begun. What was delivered and is not written
/// is delivered again after a crash.
const UNWRITTEN: usize = 1000;

/// A round over all destinations that wait.
#[derive(Debug)]
pub(super) struct Sweep {
    is_wanted: bool,
    /// Something new came while a round was under way: another one follows.
    is_wanted_again: bool,
    /// Where the next page begins.
    cursor: Option<String>,
    not_before: Instant,
    next: Instant,
}

impl Sweep {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            is_wanted: true,
            is_wanted_again: false,
            cursor: None,
            not_before: now,
            next: now,
        }
    }

    pub(super) const fn want(&mut self) {
        self.is_wanted = true;
        self.is_wanted_again = self.cursor.is_some();
    }

    pub(super) fn time(&mut self, now: Instant) {
        if now >= self.next {
            self.is_wanted = true;
        }
    }

    pub(super) fn next(&self) -> Instant {
        if self.is_wanted {
            self.not_before
        } else {
            self.next
        }
    }
}

/// What the store said.
#[derive(Debug)]
pub(super) enum Supplied {
    /// Destinations that wait; when the next job is due, if these were the last.
    Waiting(Vec<DueDestination>, Option<Option<Moment>>),
    /// Jobs, of those that were asked for, and until when they are ours.
    Claimed(Vec<Leased>, Vec<(String, usize)>, Instant),
}

impl Schedule {
    /// Begins what may begin.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.drain.is_some() {
            return;
        }
        while self.working.len() < self.settings.sessions.max(1) && self.finished.len() < UNWRITTEN
        {
            match self.destinations.next(now) {
                Turn::Nobody => return,
                Turn::Job(job) => self.begin_job(&job, now),
                Turn::PutOff(job, until, last) => {
                    let settings = Arc::clone(&self.settings);
                    let circumstances = self.circumstances(&settings, &job);
                    let until = (circumstances.now).plus(until.saturating_duration_since(now));
                    let reports = circumstances.untried(&last);
                    let verdict = circumstances.put_off(&reports, until);
                    self.say_of_recipients(&job, &reports, &verdict);
                    let finished = Finished {
                        job,
                        verdict,
                        achieved: None,
                    };
                    self.finish(finished, now);
                }
            }
        }
    }

    fn begin_job(&mut self, job: &Arc<Leased>, now: Instant) {
        let margin = self.settings.lease / 10;
        let (tools, reins) = (self.tools(), Reins::default());
        let Some(held) = self.held.get_mut(&job.lease) else {
            return;
        };
        if held.is_lost || held.expires < now + margin {
            // Somebody else may have it by now, or will before we are done: not begun.
            self.held.remove(&job.lease);
            let (settings, name) = (&self.settings, &job.destination);
            self.destinations
                .ended(name, Shown::Nothing, None, settings, now, 0.0);
            self.sweep.want();
            return;
        }
        let task = self
            .working
            .spawn(work(tools, Arc::clone(job), reins.clone()));
        self.tasks.insert(task.id(), job.lease);
        held.stage = Stage::Working(reins, task);
    }

    /// Asks the store for more, if there is room.
    pub(super) fn supply(&mut self, now: Instant) {
        if self.supplying.is_some() || self.drain.is_some() || self.finished.len() >= UNWRITTEN {
            return;
        }
        let most = self.settings.leased.max(1);
        let room = most.saturating_sub(self.held.len());
        // Not for every single place that becomes free.
        if room < (most / 8).max(1) {
            return;
        }
        if self.sweep.is_wanted && now >= self.sweep.not_before {
            self.sweep.is_wanted = false;
            self.sweep.not_before = now + APART;
            self.sweep.next = now + RARELY;
            let (store, wall) = (Arc::clone(&self.parts.store), self.parts.clock.now());
            let cursor = self.sweep.cursor.take();
            self.supplying = Some(Box::pin(async move {
                let page = store.waiting(wall, cursor, PAGE).await?;
                let next = if page.len() < PAGE {
                    Some(store.next_due().await?)
                } else {
                    None
                };
                Ok(Supplied::Waiting(page, next))
            }));
        } else if self.destinations.is_hungry() {
            let names = self.destinations.take_hungry();
            let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
            self.claim(&names, room, now);
        }
    }

    /// Claims of these destinations what each may have; the answer is how many of them were served.
    fn claim(&mut self, names: &[&str], room: usize, now: Instant) -> usize {
        let fair = (room / names.len().max(1)).max(1);
        let mut left = room;
        let mut from = Vec::new();
        let mut looked_at = 0;
        for name in names {
            if left == 0 {
                break;
            }
            looked_at += 1;
            let wanted = self.destinations.wanted(name, &self.settings, now);
            let wanted = wanted.min(fair).min(left);
            if wanted > 0 {
                left -= wanted;
                from.push(((*name).to_owned(), wanted));
            }
        }
        if !from.is_empty() {
            let (store, wall) = (Arc::clone(&self.parts.store), self.parts.clock.now());
            let lease_for = self.settings.lease;
            self.supplying = Some(Box::pin(async move {
                let asked = from.clone();
                let claim = Claim {
                    now: wall,
                    lease_for,
                    from,
                };
                let jobs = store.claim(claim).await?;
                Ok(Supplied::Claimed(jobs, asked, now + lease_for))
            }));
        }
        looked_at
    }

    /// Takes in what the store said.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(super) fn supplied(
        &mut self,
        supplied: Result<Supplied, StoreError>,
        now: Instant,
    ) -> Result<(), StoreError> {
        match supplied {
            Err(error @ StoreError::Failed(_)) => return Err(error),
            Err(error) => {
                self.complain(&error);
                self.sweep.want();
                self.sweep.not_before = now + AFTER_ERROR;
            }
            Ok(Supplied::Waiting(page, next)) => {
                self.complaint = None;
                self.waiting(&page, next, now);
            }
            Ok(Supplied::Claimed(jobs, asked, expires)) => {
                self.complaint = None;
                self.claimed(jobs, &asked, expires, now);
            }
        }
        Ok(())
    }

    fn waiting(&mut self, page: &[DueDestination], next: Option<Option<Moment>>, now: Instant) {
        if self.drain.is_some() {
            return;
        }
        let names: Vec<&str> = page.iter().map(|due| due.destination.as_str()).collect();
        let room = self.settings.leased.saturating_sub(self.held.len());
        let looked_at = self.claim(&names, room, now);
        if looked_at < names.len() || next.is_none() {
            // The rest of them is next, and everybody's turn comes.
            let last = looked_at.checked_sub(1).and_then(|last| names.get(last));
            self.sweep.cursor = last.map(|name| (*name).to_owned());
            self.sweep.is_wanted = true;
            self.sweep.not_before = now;
        } else if std::mem::take(&mut self.sweep.is_wanted_again) {
            self.sweep.is_wanted = true;
        }
        if let Some(next) = next {
            self.sweep.next = now
                + match next {
                    None => RARELY,
                    Some(due) => {
                        let wait = due.since(self.parts.clock.now());
                        if wait.is_zero() {
                            BLOCKED
                        } else {
                            wait.min(RARELY)
                        }
                    }
                };
        }
    }

    fn claimed(
        &mut self,
        jobs: Vec<Leased>,
        asked: &[(String, usize)],
        expires: Instant,
        now: Instant,
    ) {
        let mut of: HashMap<String, Vec<Arc<Leased>>> = HashMap::new();
        for job in jobs {
            let job = Arc::new(job);
            let held = Held {
                job: Arc::clone(&job),
                expires,
                stage: Stage::Waiting,
                is_lost: false,
                called_back: None,
            };
            self.held.insert(job.lease, held);
            of.entry(job.destination.clone()).or_default().push(job);
        }
        for (name, wanted) in asked {
            let jobs = of.remove(name).unwrap_or_default();
            let more = jobs.len() >= *wanted;
            self.destinations
                .claimed(name, jobs, more, &self.settings, now);
        }
    }
}
