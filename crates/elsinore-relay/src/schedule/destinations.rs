//! What is known of each destination while there is something to do for it: its window, its pace, its
//! jobs that wait for their turn. Who is next is decided round robin.

use super::pace::Pace;
use super::settings::{DestinationLimits, ScheduleSettings};
use super::verdict::Shown;
use super::window::{Allowed, Window};
use elsinore_net::deliver::RecipientReport;
use elsinore_queue::job::Leased;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Jobs of a destination that is left alone which are put off at a time.
const PUT_OFF_AT_ONCE: usize = 200;
/// How long a destination without jobs is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// One destination.
#[derive(Debug)]
struct Destination {
    limits: DestinationLimits,
    window: Window,
    pace: Pace,
    /// On lease, waiting for their turn.
    ready: VecDeque<Arc<Leased>>,
    /// Being worked on.
    active: usize,
    /// Whether the store may have more that is due.
    more: bool,
    /// Whether it stands in the ring.
    in_ring: bool,
    /// What was last found out when no host could be used.
    last: Option<Arc<RecipientReport>>,
    used: Instant,
}

/// All destinations that are known.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    known: HashMap<Arc<str>, Destination>,
    /// Those with a job that might begin.
    ring: VecDeque<Arc<str>>,
    /// Those that wait for their pace.
    asleep: BTreeMap<Instant, Vec<Arc<str>>>,
    /// Those whose next jobs should be claimed.
    hungry: Vec<Arc<str>>,
}

/// Who is next.
#[derive(Debug)]
pub(super) enum Turn {
    /// This job may begin.
    Job(Arc<Leased>),
    /// Its destination is left alone until then; this is what was last found out about it.
    PutOff(Arc<Leased>, Instant, Arc<RecipientReport>),
    /// Nobody for the moment.
    Nobody,
}

impl Destinations {
    /// How many more jobs of `name` should be claimed at `now`.
    pub(super) fn wanted(
        &mut self,
        name: &str,
        settings: &ScheduleSettings,
        now: Instant,
    ) -> usize {
        let Some(destination) = self.known.get(name) else {
            return ahead(Window::new(&settings.limits_of(name)).size());
        };
        let have = destination.active + destination.ready.len();
        match destination.window.allowed(&destination.limits, now) {
            Allowed::Jobs(jobs) => ahead(jobs).saturating_sub(have),
            // They are put off, not tried.
            Allowed::NotBefore(_) => PUT_OFF_AT_ONCE.saturating_sub(destination.ready.len()),
        }
    }

    /// Jobs were claimed of `name`; `more`: as many as were asked for.
    pub(super) fn claimed(
        &mut self,
        name: &str,
        jobs: impl IntoIterator<Item = Arc<Leased>>,
        more: bool,
        settings: &ScheduleSettings,
        now: Instant,
    ) {
        let name: Arc<str> = match self.known.get_key_value(name) {
            Some((name, _)) => Arc::clone(name),
            None => name.into(),
        };
        let destination = self
            .known
            .entry(Arc::clone(&name))
            .or_insert_with(|| Destination::new(settings.limits_of(&name), now));
        destination.ready.extend(jobs);
        destination.more = more;
        destination.used = now;
        self.call(&name);
    }

    /// Puts `name` into the ring if it has a job and stands in none.
    fn call(&mut self, name: &Arc<str>) {
        if let Some(destination) = self.known.get_mut(name)
            && !destination.in_ring
            && !destination.ready.is_empty()
        {
            destination.in_ring = true;
            self.ring.push_back(Arc::clone(name));
        }
    }

    /// The next job that may begin at `now`, and takes note that it does.
    pub(super) fn next(&mut self, now: Instant) -> Turn {
        while self
            .asleep
            .first_key_value()
            .is_some_and(|(at, _)| *at <= now)
        {
            let woken = self.asleep.pop_first().map(|(_, names)| names);
            self.ring.extend(woken.into_iter().flatten());
        }
        while let Some(name) = self.ring.pop_front() {
            let Some(destination) = self.known.get_mut(&name) else {
                continue;
            };
            let Some(job) = destination.ready.pop_front() else {
                destination.in_ring = false;
                continue;
            };
            destination.used = now;
            let limits = destination.limits;
            let turn = match destination.window.allowed(&limits, now) {
                Allowed::NotBefore(until) => {
                    let last = destination.last.clone();
                    last.map(|last| Turn::PutOff(Arc::clone(&job), until, last))
                }
                Allowed::Jobs(jobs) if destination.active >= jobs => {
                    destination.ready.push_front(job);
                    destination.in_ring = false;
                    continue;
                }
                Allowed::Jobs(_) => None,
            };
            let turn = match turn {
                Some(put_off) => put_off,
                None => {
                    if let Some(later) = destination.pace.next(limits.per_minute, now) {
                        destination.ready.push_front(job);
                        self.asleep.entry(later).or_default().push(name);
                        continue;
                    }
                    destination.pace.went(limits.per_minute, now);
                    destination.active += 1;
                    Turn::Job(job)
                }
            };
            if destination.ready.is_empty() {
                destination.in_ring = false;
            } else {
                self.ring.push_back(Arc::clone(&name));
            }
            if destination.is_hungry() {
                self.hungry.push(name);
            }
            return turn;
        }
        Turn::Nobody
    }

    /// The work on a job of `name` has ended; `last` is what was found out when no host could be used.
    pub(super) fn ended(
        &mut self,
        name: &str,
        shown: Shown,
        last: Option<&RecipientReport>,
        settings: &ScheduleSettings,
        now: Instant,
        chance: f64,
    ) {
        let Some((name, _)) = self.known.get_key_value(name) else {
            return;
        };
        let name = Arc::clone(name);
        let Some(destination) = self.known.get_mut(&name) else {
            return;
        };
        destination.active = destination.active.saturating_sub(1);
        destination.used = now;
        match shown {
            Shown::Served => {
                destination.window.served(&destination.limits);
                destination.last = None;
            }
            Shown::Failed => {
                destination.last = last.map(|last| Arc::new(last.clone()));
                destination.window.failed(&settings.pause, now, chance);
            }
            Shown::Nothing => {}
        }
        if destination.is_hungry() {
            self.hungry.push(Arc::clone(&name));
        }
        self.call(&name);
    }

    /// The destinations whose next jobs should be claimed without asking who is due.
    pub(super) fn take_hungry(&mut self) -> Vec<Arc<str>> {
        let mut names = std::mem::take(&mut self.hungry);
        names.sort_unstable();
        names.dedup();
        names.retain(|name| self.known.get(name).is_some_and(Destination::is_hungry));
        names
    }

    /// Whether some destination should be asked for more.
    pub(super) fn is_hungry(&self) -> bool {
        !self.hungry.is_empty()
    }

    /// When the next destination that waits for its pace may go on.
    pub(super) fn wakes(&self) -> Option<Instant> {
        self.asleep.first_key_value().map(|(at, _)| *at)
    }

    /// Jobs on lease that have not begun, taken away: they are to be handed back.
    pub(super) fn give_up_waiting(&mut self) -> Vec<Arc<Leased>> {
        let waiting = self.known.values_mut();
        waiting
            .flat_map(|destination| std::mem::take(&mut destination.ready))
            .collect()
    }

    /// Ends the pause of `name`, or all pauses.
    pub(super) fn end_pause(&mut self, name: Option<&str>, now: Instant) {
        match name {
            Some(name) => {
                if let Some(destination) = self.known.get_mut(name) {
                    destination.window.end_pause(now);
                }
            }
            None => {
                for destination in self.known.values_mut() {
                    destination.window.end_pause(now);
                }
            }
        }
    }

    /// Takes over changed settings.
    pub(super) fn apply(&mut self, settings: &ScheduleSettings) {
        for (name, destination) in &mut self.known {
            destination.limits = settings.limits_of(name);
        }
    }

    /// Forgets destinations for which nothing is done: the longest unused first when there are more
    /// than `most`, all that were not used for a while in any case.
    pub(super) fn forget_idle(&mut self, most: usize, now: Instant) {
        self.known
            .retain(|_, destination| !destination.is_forgettable(now, REMEMBERED_FOR));
        let Some(surplus) = self
            .known
            .len()
            .checked_sub(most)
            .filter(|count| *count > 0)
        else {
            return;
        };
        let mut idle: Vec<(Instant, Arc<str>)> = self
            .known
            .iter()
            .filter(|(_, destination)| destination.is_without_jobs())
            .map(|(name, destination)| (destination.used, Arc::clone(name)))
            .collect();
        idle.sort_unstable();
        for (_, name) in idle.into_iter().take(surplus) {
            self.known.remove(&name);
        }
    }

    /// Destinations that are known.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

/// Jobs held for a destination that may be given `jobs` at a time: as many again wait for their turn.
const fn ahead(jobs: usize) -> usize {
    jobs.saturating_mul(2)
}

impl Destination {
    fn new(limits: DestinationLimits, now: Instant) -> Self {
        Self {
            limits,
            window: Window::new(&limits),
            pace: Pace::default(),
            ready: VecDeque::new(),
            active: 0,
            more: false,
            in_ring: false,
            last: None,
            used: now,
        }
    }

    /// Whether half of what it may be given at a time waits no longer.
    fn is_hungry(&self) -> bool {
        self.more && self.ready.len() <= self.window.size() / 2
    }

    fn is_without_jobs(&self) -> bool {
        self.active == 0 && self.ready.is_empty()
    }

    fn is_forgettable(&self, now: Instant, after: Duration) -> bool {
        // What was learnt of a dead destination outlives its pause.
        let since = (self.window.pause_until()).map_or(self.used, |until| until.max(self.used));
        self.is_without_jobs()
            && self.pace.is_idle(now)
            && now
                .checked_duration_since(since)
                .is_some_and(|idle| idle >= after)
    }
}
