//! The running schedule: one task that claims, begins, hears of ends, has them written, and renews
//! leases. It waits for nothing but events: a job that ended, a store that has something new, a time
//! that has come.

mod drain;
mod ends;
mod lease;
mod supply;

use super::achieved::Memory;
use super::destinations::Destinations;
use super::settings::ScheduleSettings;
use super::settle::{Finished, Pen};
use super::step::{Step, StepWatch};
use super::surveys::Surveys;
use super::verdict::Circumstances;
use super::work::{Courier, End, Reins, Tools};
use crate::clock::WallClock;
use crate::event::{Event, Journal, Severity};
use crate::notice::NoticeSettings;
use crate::relay::RelayStatus;
use elsinore_queue::error::StoreError;
use elsinore_queue::job::{Lease, Leased};
use elsinore_queue::moment::Moment;
use elsinore_queue::store::QueueStore;
use futures_util::future::{BoxFuture, OptionFuture};
use lease::Renewed;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use supply::{Supplied, Sweep};
use tokio::sync::{mpsc, watch};
use tokio::task::{self, AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

/// Ends of jobs are gathered for so long, so that several are written at once.
const GATHER: Duration = Duration::from_millis(10);
/// So many are written without gathering more.
const GATHERED: usize = 64;
/// Most ends in one write.
const WRITTEN_AT_ONCE: usize = 500;
/// Between two looks at the clock and at what may be forgotten. A watchdog wants to see a turn now and
/// then.
const TICK: Duration = Duration::from_secs(5);

/// What a schedule is made of.
#[derive(Debug)]
pub struct ScheduleParts {
    /// Where the jobs are.
    pub store: Arc<dyn QueueStore>,
    /// Who carries messages; the one in force when a job begins is asked.
    pub courier: watch::Receiver<Arc<dyn Courier>>,
    /// What time it is.
    pub clock: Arc<dyn WallClock>,
    /// Who wants to know.
    pub journal: Arc<dyn Journal>,
    /// The settings; they may change.
    pub settings: watch::Receiver<Arc<ScheduleSettings>>,
    /// How senders are told. The name of this system in them is also that of a Message-ID which a
    /// message had not.
    pub notices: watch::Receiver<Arc<NoticeSettings>>,
    /// What the administrator orders.
    pub orders: mpsc::Receiver<Order>,
    /// What others see of it.
    pub status: Arc<RelayStatus>,
}

/// What the administrator orders of a running schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// The destination of this name, or every one, is no longer left alone. Its due jobs are tried.
    EndPause(Option<String>),
}

/// A job on lease.
#[derive(Debug)]
struct Held {
    job: Arc<Leased>,
    /// Until when nobody else has it.
    expires: Instant,
    stage: Stage,
    /// Somebody else may have it: nothing is written about it.
    is_lost: bool,
    /// When its delivery was called back.
    called_back: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    Working(Reins, AbortHandle),
    Ended,
}

/// Until when work may go on after the relay was told to stop.
#[derive(Debug, Clone, Copy)]
struct Drain {
    /// Deliveries that have not sent a whole message are called back here.
    sessions: Instant,
    /// Deliveries that may have are called back here.
    answers: Instant,
    /// What does not come back is cut here.
    cut: Instant,
    /// Nothing is waited for any more.
    end: Instant,
}

type Pending<T> = Option<BoxFuture<'static, T>>;

/// The running schedule.
pub struct Schedule {
    parts: ScheduleParts,
    settings: Arc<ScheduleSettings>,
    destinations: Destinations,
    held: HashMap<Lease, Held>,
    working: JoinSet<End>,
    tasks: HashMap<task::Id, Lease>,
    finished: Vec<Finished>,
    /// Leases that are to be handed back.
    unused: Vec<Lease>,
    gather_until: Option<Instant>,
    sweep: Sweep,
    supplying: Pending<Result<Supplied, StoreError>>,
    writing: Pending<Result<Vec<Lease>, StoreError>>,
    renewing: Pending<Renewed>,
    renew_at: Instant,
    tick_at: Instant,
    step: StepWatch,
    memory: Arc<Memory>,
    surveys: Surveys,
    drain: Option<Drain>,
    /// What the store said last, to say it once.
    complaint: Option<String>,
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schedule")
            .field("held", &self.held.len())
            .field("destinations", &self.destinations.len())
            .finish_non_exhaustive()
    }
}

/// What happened.
enum Heard {
    Stop,
    Settings,
    Order(Order),
    Wakeup,
    Joined(Result<(task::Id, End), JoinError>),
    Supplied(Result<Supplied, StoreError>),
    Written(Result<Vec<Lease>, StoreError>),
    Renewed(Renewed),
    Time,
}

impl Schedule {
    /// A schedule that has not begun.
    #[must_use]
    pub fn new(parts: ScheduleParts) -> Self {
        let settings = Arc::clone(&parts.settings.borrow());
        let now = Instant::now();
        Self {
            step: StepWatch::new(parts.clock.now(), now),
            renew_at: now + settings.lease / 3,
            settings,
            parts,
            destinations: Destinations::default(),
            held: HashMap::new(),
            working: JoinSet::new(),
            tasks: HashMap::new(),
            finished: Vec::new(),
            unused: Vec::new(),
            gather_until: None,
            sweep: Sweep::new(now),
            supplying: None,
            writing: None,
            renewing: None,
            tick_at: now + TICK,
            memory: Arc::default(),
            surveys: Surveys::default(),
            drain: None,
            complaint: None,
        }
    }

    /// Works until `stop` becomes true or its sender is gone, and then until what was begun has ended,
    /// at most for [`ScheduleSettings::drain`].
    ///
    /// # Errors
    /// [`StoreError::Failed`]: the store takes nothing any more. What was on lease is found by the next
    /// start.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
        self.bring_forward().await?;
        let mut wakeups = self.parts.store.wakeups();
        wakeups.mark_unchanged();
        loop {
            let now = Instant::now();
            self.begin(now);
            self.supply(now);
            self.write(now);
            self.renew(now);
            if let Some(drain) = self.drain {
                // In every turn: whichever event it was, a moment of the drain may have passed with it.
                self.cut(drain, now);
                if self.is_empty() || now >= drain.end {
                    return self.end().await;
                }
            }
            self.show();
            let next = self.next_time(now);
            let heard = tokio::select! {
                biased;
                Some(done) = OptionFuture::from(self.writing.as_mut()) => {
                    self.writing = None;
                    Heard::Written(done)
                }
                Some(done) = OptionFuture::from(self.renewing.as_mut()) => {
                    self.renewing = None;
                    Heard::Renewed(done)
                }
                Some(done) = OptionFuture::from(self.supplying.as_mut()) => {
                    self.supplying = None;
                    Heard::Supplied(done)
                }
                () = stopped(&mut stop), if self.drain.is_none() => Heard::Stop,
                Ok(()) = self.parts.settings.changed() => Heard::Settings,
                Some(order) = self.parts.orders.recv() => Heard::Order(order),
                Some(joined) = self.working.join_next_with_id() => Heard::Joined(joined),
                Ok(()) = wakeups.changed(), if self.drain.is_none() => Heard::Wakeup,
                () = sleep_until(next) => Heard::Time,
            };
            self.take(heard).await?;
        }
    }

    async fn take(&mut self, heard: Heard) -> Result<(), StoreError> {
        let now = Instant::now();
        match heard {
            Heard::Stop => self.stop(now).await,
            Heard::Settings => {
                self.settings = Arc::clone(&self.parts.settings.borrow_and_update());
                self.destinations.apply(&self.settings);
                self.sweep.want();
            }
            Heard::Order(Order::EndPause(name)) => {
                self.destinations.end_pause(name.as_deref(), now);
                self.sweep.want();
            }
            Heard::Wakeup => self.sweep.want(),
            Heard::Joined(joined) => {
                self.joined(joined, now);
                // Whatever else has ended by now is heard of in the same round.
                while let Some(joined) = self.working.try_join_next_with_id() {
                    self.joined(joined, now);
                }
            }
            Heard::Supplied(supplied) => self.supplied(supplied, now)?,
            Heard::Written(written) => self.written(written?),
            Heard::Renewed(renewed) => self.renewed(renewed, now),
            Heard::Time => self.time(now).await?,
        }
        Ok(())
    }

    /// The times that have come.
    async fn time(&mut self, now: Instant) -> Result<(), StoreError> {
        self.sweep.time(now);
        if now >= self.tick_at {
            self.tick_at = now + TICK;
            self.destinations.forget_idle(self.settings.remembered, now);
            self.wall();
            for step in self.step.steps() {
                match step {
                    Step::Forward(by) => self.note_step("forward", by),
                    Step::Back(by) => {
                        self.note_step("back", by);
                        self.bring_forward().await?;
                    }
                }
            }
        }
        Ok(())
    }

    fn note_step(&self, which: &str, by: Duration) {
        let text = format!("the clock was set {which} by {} s", by.as_secs());
        self.note(Severity::Warning, "relay", text);
    }

    /// What time it is; a step of the clock is seen before anything is decided by it.
    fn wall(&mut self) -> Moment {
        let wall = self.parts.clock.now();
        self.step.look(wall, Instant::now());
        wall
    }

    /// What a verdict on `job` is reached with now.
    fn circumstances<'a>(
        &mut self,
        settings: &'a ScheduleSettings,
        job: &'a Leased,
    ) -> Circumstances<'a> {
        let now = self.wall();
        let last = job.standing.last.as_ref().map(|last| last.at);
        Circumstances {
            settings,
            job,
            now,
            stepped: (self.step).forward_since(last.unwrap_or(job.message.arrived)),
            chance: rand::random(),
        }
    }

    /// When something is to be done though nothing happens.
    fn next_time(&self, now: Instant) -> Instant {
        let mut times = vec![self.tick_at];
        if self.renewing.is_none() {
            times.push(self.renew_at);
        }
        if self.writing.is_none() {
            times.extend(self.gather_until);
        }
        match self.drain {
            Some(drain) => {
                times.extend([drain.sessions, drain.answers, drain.cut, drain.end]);
                times.extend(self.held.values().filter_map(Held::cut_at));
            }
            None => {
                if self.supplying.is_none() {
                    times.push(self.sweep.next());
                }
                times.extend(self.destinations.wakes());
            }
        }
        // A time that has passed was acted on, or waits for something that will be heard of.
        let later = times.into_iter().filter(|time| *time > now);
        later.min().unwrap_or(self.tick_at)
    }

    /// Lets no job be due later than this program would make it: the clock may have been wrong.
    async fn bring_forward(&mut self) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let longest = self.settings.pause.longest;
        let latest = super::backoff::latest(&self.settings.retry, longest, now);
        match self.parts.store.bring_forward(latest).await {
            Ok(0) => {}
            Ok(jobs) => self.note(
                Severity::Info,
                "relay",
                format!("{jobs} jobs were due too far in the future and are due earlier now"),
            ),
            Err(error @ StoreError::Failed(_)) => return Err(error),
            Err(error) => self.complain(&error),
        }
        self.sweep.want();
        Ok(())
    }

    fn show(&self) {
        let status = &self.parts.status;
        status.beats.fetch_add(1, Ordering::Relaxed);
        status.working.store(self.working.len(), Ordering::Relaxed);
        status.leased.store(self.held.len(), Ordering::Relaxed);
        status
            .destinations
            .store(self.destinations.len(), Ordering::Relaxed);
    }

    fn is_empty(&self) -> bool {
        self.working.is_empty() && self.finished.is_empty() && self.writing.is_none()
    }

    fn tools(&self) -> Tools {
        Tools {
            store: Arc::clone(&self.parts.store),
            courier: Arc::clone(&self.parts.courier.borrow()),
            greeting_name: self.parts.notices.borrow().reporter.clone(),
            surveys: self.surveys.clone(),
        }
    }

    fn pen(&self) -> Pen {
        Pen {
            store: Arc::clone(&self.parts.store),
            clock: Arc::clone(&self.parts.clock),
            journal: Arc::clone(&self.parts.journal),
            notices: self.parts.notices.clone(),
            memory: Arc::clone(&self.memory),
        }
    }

    fn note(&self, severity: Severity, part: &'static str, text: String) {
        self.parts.journal.note(&Event::Notice {
            severity,
            part,
            text,
        });
    }

    /// Says once what the store complains of.
    fn complain(&mut self, error: &StoreError) {
        let text = error.to_string();
        if self.complaint.as_deref() != Some(&text) {
            self.note(Severity::Error, "store", text.clone());
            self.complaint = Some(text);
        }
    }
}

/// Becomes ready when it is time to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is there any more who could say so.
    let _ = stop.wait_for(|is_set| *is_set).await;
}
