//! What the embedded store holds in memory: per destination when its first job is due, and the leases.
//! Nothing per job that only waits.

use super::scan::Place;
use crate::id::MessageId;
use crate::job::{DueDestination, Lease, Settled};
use crate::moment::Moment;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A destination with jobs.
#[derive(Debug, Default)]
struct Destination {
    /// When its first job is due that is neither held nor leased.
    first: Option<i64>,
    /// Its jobs, held and leased ones included.
    jobs: u64,
}

/// A job on lease.
#[derive(Debug)]
pub(super) struct OnLease {
    /// Which lease.
    pub(super) epoch: i64,
    /// When it ends.
    pub(super) until: Instant,
    /// When the job was due; nothing when it was put on hold meanwhile.
    pub(super) due: Option<i64>,
    /// The destination.
    pub(super) destination: Arc<str>,
    /// The message.
    pub(super) message: MessageId,
    /// Where the message stands.
    pub(super) place: Place,
    /// Whether its settlement is being written.
    settling: bool,
}

impl OnLease {
    /// A lease that is about to be given.
    pub(super) const fn new(
        until: Instant,
        due: i64,
        destination: Arc<str>,
        message: MessageId,
        place: Place,
    ) -> Self {
        Self {
            epoch: 0,
            until,
            due: Some(due),
            destination,
            message,
            place,
            settling: false,
        }
    }
}

/// Destinations and leases.
#[derive(Debug, Default)]
pub(super) struct Desk {
    destinations: BTreeMap<Arc<str>, Destination>,
    firsts: BTreeSet<(i64, Arc<str>)>,
    leases: HashMap<i64, OnLease>,
    ends: BTreeSet<(Instant, i64)>,
    /// Where leased messages stand, and how many of their jobs are leased.
    places: HashMap<MessageId, (Place, u32)>,
    epoch: i64,
}

impl Desk {
    /// An empty desk of the `starts`th start: epochs are above those of every earlier one.
    pub(super) fn new(starts: i64) -> Self {
        Self {
            epoch: starts << 36,
            ..Self::default()
        }
    }

    /// Counts `jobs` more of a destination, of which the first that is not held is due at `first`.
    pub(super) fn arrived(&mut self, destination: &str, jobs: u64, first: Option<i64>) {
        match self.destinations.get_mut(destination) {
            Some(entry) => {
                entry.jobs += jobs;
                // The usual case: others were due before.
                if entry
                    .first
                    .is_some_and(|known| first.is_none_or(|due| known <= due))
                {
                    return;
                }
            }
            None => {
                let entry = Destination { first: None, jobs };
                self.destinations.insert(Arc::from(destination), entry);
            }
        }
        if let Some(due) = first {
            self.lower(destination, due);
        }
    }

    /// Counts jobs of a destination that are gone.
    pub(super) fn gone(&mut self, destination: &str, jobs: u64) {
        let Some(entry) = self.destinations.get_mut(destination) else {
            return;
        };
        entry.jobs = entry.jobs.saturating_sub(jobs);
        if entry.jobs == 0 {
            self.set_first(destination, None);
            self.destinations.remove(destination);
        }
    }

    /// A job of the destination is due at `due`.
    pub(super) fn lower(&mut self, destination: &str, due: i64) {
        let first = self.first(destination);
        if first.is_none_or(|first| due < first) {
            self.set_first(destination, Some(due));
        }
    }

    /// When the first job of a destination is due.
    pub(super) fn first(&self, destination: &str) -> Option<i64> {
        self.destinations.get(destination)?.first
    }

    /// Says when the first job of a destination is due.
    pub(super) fn set_first(&mut self, destination: &str, first: Option<i64>) {
        let Some((name, _)) = self.destinations.get_key_value(destination) else {
            return;
        };
        let name = Arc::clone(name);
        let Some(entry) = self.destinations.get_mut(destination) else {
            return;
        };
        if entry.first == first {
            return;
        }
        if let Some(due) = entry.first {
            self.firsts.remove(&(due, Arc::clone(&name)));
        }
        entry.first = first;
        if let Some(due) = first {
            self.firsts.insert((due, name));
        }
    }

    /// Whether there is such a destination, by its shared name.
    pub(super) fn name(&self, destination: &str) -> Option<Arc<str>> {
        let (name, _) = self.destinations.get_key_value(destination)?;
        Some(Arc::clone(name))
    }

    /// All destinations.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.destinations.keys().cloned().collect()
    }

    /// Ends the leases that are over.
    pub(super) fn sweep(&mut self, now: Instant) {
        while let Some((until, job)) = self.ends.first().copied()
            && until <= now
        {
            self.ends.remove(&(until, job));
            if self.leases.get(&job).is_some_and(|lease| !lease.settling) {
                self.end(job, true);
            }
        }
    }

    /// Leases a job.
    pub(super) fn lease(&mut self, job: i64, mut lease: OnLease) -> i64 {
        self.epoch += 1;
        lease.epoch = self.epoch;
        self.ends.insert((lease.until, job));
        self.places
            .entry(lease.message)
            .or_insert((lease.place, 0))
            .1 += 1;
        self.leases.insert(job, lease);
        self.epoch
    }

    /// Whether a job is leased.
    pub(super) fn is_leased(&self, job: i64) -> bool {
        self.leases.contains_key(&job)
    }

    /// The destination of a leased job.
    pub(super) fn destination(&self, job: i64) -> Option<Arc<str>> {
        self.leases
            .get(&job)
            .map(|lease| Arc::clone(&lease.destination))
    }

    /// Jobs on lease.
    pub(super) fn leased(&self) -> u64 {
        self.leases.len() as u64
    }

    /// Ends a lease; `due` says whether the job waits again as before.
    pub(super) fn end(&mut self, job: i64, due: bool) {
        let Some(lease) = self.leases.remove(&job) else {
            return;
        };
        self.ends.remove(&(lease.until, job));
        if let Some((_, count)) = self.places.get_mut(&lease.message) {
            *count -= 1;
            if *count == 0 {
                self.places.remove(&lease.message);
            }
        }
        if let Some(first) = lease.due.filter(|_| due) {
            self.lower(&lease.destination, first);
        }
    }

    /// Says when a job is due once its lease ends: the administrator has changed it.
    pub(super) fn changed(&mut self, job: i64, due: Option<i64>) {
        if let Some(lease) = self.leases.get_mut(&job) {
            lease.due = due;
        }
    }

    /// Lets no job on lease be due later than `latest` once its lease ends.
    pub(super) fn bring_forward(&mut self, latest: i64) {
        for lease in self.leases.values_mut() {
            lease.due = lease.due.map(|due| due.min(latest));
        }
    }

    /// The lease, when it is still held.
    pub(super) fn held(&mut self, lease: Lease, now: Instant) -> Option<&mut OnLease> {
        self.sweep(now);
        self.leases
            .get_mut(&lease.job.0)
            .filter(|held| held.epoch == lease.epoch && !held.settling)
    }

    /// Notes that a settlement is being written under a lease that is held: it does not end meanwhile.
    pub(super) fn settling(&mut self, job: i64, settling: bool) {
        if let Some(lease) = self.leases.get_mut(&job) {
            lease.settling = settling;
            if !settling {
                self.ends.insert((lease.until, job));
            }
        }
    }

    /// Lets leases end later.
    pub(super) fn renew(&mut self, leases: &[Lease], now: Instant, by: Duration) -> Vec<Settled> {
        let until = now + by;
        leases
            .iter()
            .map(|lease| {
                let Some(held) = self.held(*lease, now) else {
                    return Settled::Lost;
                };
                let before = std::mem::replace(&mut held.until, until);
                self.ends.remove(&(before, lease.job.0));
                self.ends.insert((until, lease.job.0));
                Settled::Done
            })
            .collect()
    }

    /// Where a leased message stands.
    pub(super) fn place(&self, message: MessageId) -> Option<Place> {
        self.places.get(&message).map(|(place, _)| *place)
    }

    /// A message stands elsewhere now.
    pub(super) fn moved(&mut self, message: MessageId, place: Place) {
        if let Some((known, _)) = self.places.get_mut(&message) {
            *known = place;
        }
    }

    /// Destinations with due jobs, as [`QueueStore::waiting`](crate::store::QueueStore::waiting) says.
    pub(super) fn waiting(
        &mut self,
        now: Moment,
        after: Option<&str>,
        at_most: usize,
    ) -> Vec<DueDestination> {
        self.sweep(Instant::now());
        let due = self.firsts.iter().take_while(|(first, _)| *first <= now.0);
        // Of many the first names are found in the order of names, of few by sorting those.
        if due.clone().nth(at_most.saturating_mul(4)).is_some() {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            return self
                .destinations
                .range::<str, _>((from, Bound::Unbounded))
                .filter_map(|(name, destination)| Some((name, destination.first?)))
                .filter(|(_, first)| *first <= now.0)
                .take(at_most)
                .map(due_destination)
                .collect();
        }
        let mut due: Vec<(&Arc<str>, i64)> = due
            .filter(|(_, name)| after.is_none_or(|after| &**name > after))
            .map(|(first, name)| (name, *first))
            .collect();
        due.sort_unstable();
        due.truncate(at_most);
        due.into_iter().map(due_destination).collect()
    }

    /// When the next job is due.
    pub(super) fn next_due(&mut self) -> Option<Moment> {
        self.sweep(Instant::now());
        self.firsts.first().map(|(first, _)| Moment(*first))
    }
}

fn due_destination((name, first): (&Arc<str>, i64)) -> DueDestination {
    DueDestination {
        destination: name.to_string(),
        since: Moment(first),
    }
}
