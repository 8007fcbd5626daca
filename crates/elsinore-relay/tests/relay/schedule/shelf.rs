//! A store in memory whose leases go by tokio's clock, so that days pass in milliseconds. It keeps the
//! contract as far as the schedule relies on it; the real stores are held to it by their own suite.

use elsinore_queue::admin::{Deed, Filter, Page, Stats};
use elsinore_queue::content::{Body, BodyInMemory, Content};
use elsinore_queue::error::StoreError;
use elsinore_queue::id::{JobId, MessageId};
use elsinore_queue::job::{Claim, DueDestination, Lease, Leased, Settled, Settlement, Standing};
use elsinore_queue::message::{MessageHead, NewMessage, Recipient};
use elsinore_queue::moment::Moment;
use elsinore_queue::record::{Change, Kind, Record, Tally};
use elsinore_queue::store::{Answer, QueueStore};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

#[derive(Debug)]
struct Job {
    message: Arc<MessageHead>,
    destination: String,
    recipients: Vec<Recipient>,
    standing: Standing,
    due: Moment,
    held: Option<String>,
    epoch: i64,
    leased_until: Option<Instant>,
}

#[derive(Debug, Default)]
struct Shelves {
    jobs: BTreeMap<i64, Job>,
    /// Destination, due, number of the jobs that are neither held nor (as far as known) leased.
    order: BTreeSet<(String, Moment, i64)>,
    bodies: HashMap<MessageId, Arc<[u8]>>,
    records: BTreeMap<(&'static str, String), Vec<u8>>,
    next: i64,
    /// Errors that are answered before anything else, to settlements.
    refusals: Vec<StoreError>,
    /// So many settlements are written without an answer.
    unanswered: usize,
    /// What those came to.
    unclear: HashMap<Lease, Settled>,
    /// Calls by name.
    calls: HashMap<&'static str, usize>,
    /// Largest group of settlements.
    largest_group: usize,
    settled: usize,
    /// No lease ends before.
    earliest: Option<Instant>,
}

/// The store.
#[derive(Debug)]
pub(crate) struct Shelf {
    shelves: Mutex<Shelves>,
    wakeups: watch::Sender<u64>,
    folder: PathBuf,
}

fn ready<'a, T: Send + 'a>(answer: Result<T, StoreError>) -> Answer<'a, T> {
    Box::pin(async move { answer })
}

impl Shelf {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            shelves: Mutex::default(),
            wakeups: watch::Sender::new(0),
            folder: std::env::temp_dir(),
        })
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().expect("no panic before")
    }

    /// Jobs that are not done.
    pub(crate) fn jobs(&self) -> usize {
        self.shelves().jobs.len()
    }

    /// Jobs on lease.
    pub(crate) fn leased(&self) -> usize {
        let now = Instant::now();
        let shelves = self.shelves();
        let held = shelves.jobs.values();
        held.filter(|job| job.leased_until.is_some_and(|until| until > now))
            .count()
    }

    /// What is known of the jobs: destination, due, standing, why held.
    pub(crate) fn standings(&self) -> Vec<(String, Moment, Standing, Option<String>)> {
        let shelves = self.shelves();
        let jobs = shelves.jobs.values();
        jobs.map(|job| {
            let standing = job.standing.clone();
            (job.destination.clone(), job.due, standing, job.held.clone())
        })
        .collect()
    }

    /// The next settlements are refused like this.
    pub(crate) fn refuse(&self, errors: Vec<StoreError>) {
        self.shelves().refusals = errors;
    }

    /// The next settlements are written, and the answer does not come.
    pub(crate) fn leave_unanswered(&self, count: usize) {
        self.shelves().unanswered = count;
    }

    pub(crate) fn calls(&self, name: &'static str) -> usize {
        self.shelves().calls.get(name).copied().unwrap_or(0)
    }

    pub(crate) fn largest_group(&self) -> usize {
        self.shelves().largest_group
    }

    pub(crate) fn settled(&self) -> usize {
        self.shelves().settled
    }

    /// All leases end now, as if this process had slept past them; somebody else may claim.
    pub(crate) fn lapse(&self) {
        let mut shelves = self.shelves();
        let now = Instant::now();
        for job in shelves.jobs.values_mut() {
            if let Some(until) = &mut job.leased_until {
                *until = (*until).min(now);
            }
        }
        shelves.ends_at(now);
        shelves.free(now);
    }

    fn wake(&self) {
        self.wakeups.send_modify(|count| *count += 1);
    }
}

impl Shelves {
    fn count(&mut self, call: &'static str) {
        *self.calls.entry(call).or_default() += 1;
    }

    /// Jobs whose leases have ended are to be had again.
    fn free(&mut self, now: Instant) {
        if self.earliest.is_none_or(|earliest| now < earliest) {
            return;
        }
        self.earliest = None;
        for (number, job) in &mut self.jobs {
            if job.leased_until.is_some_and(|until| until <= now) {
                job.leased_until = None;
                let key = (job.destination.clone(), job.due, *number);
                self.order.insert(key);
            }
            if let Some(until) = job.leased_until {
                self.earliest = Some(self.earliest.map_or(until, |earliest| earliest.min(until)));
            }
        }
    }

    fn ends_at(&mut self, until: Instant) {
        self.earliest = Some(self.earliest.map_or(until, |earliest| earliest.min(until)));
    }

    fn put(&mut self, message: NewMessage) {
        let octets = match message.content {
            Content::Memory(octets) => octets,
            Content::File { file, .. } => std::fs::read(file.path()).expect("readable"),
        };
        let head = Arc::new(MessageHead {
            id: message.id,
            arrived: message.arrived,
            envelope: message.envelope,
            octets: u64::try_from(octets.len()).expect("small"),
        });
        self.bodies.insert(message.id, octets.into());
        for job in message.jobs {
            let number = self.next;
            self.next += 1;
            if job.held.is_none() {
                let key = (job.destination.clone(), job.due, number);
                self.order.insert(key);
            }
            let job = Job {
                message: Arc::clone(&head),
                destination: job.destination,
                recipients: job.recipients,
                standing: Standing::default(),
                due: job.due,
                held: job.held,
                epoch: 0,
                leased_until: None,
            };
            self.jobs.insert(number, job);
        }
    }

    fn holds(&self, lease: Lease, now: Instant) -> bool {
        self.jobs.get(&lease.job.0).is_some_and(|job| {
            job.epoch == lease.epoch && job.leased_until.is_some_and(|until| until > now)
        })
    }
}

impl QueueStore for Shelf {
    fn enqueue(&self, message: NewMessage) -> Answer<'_, ()> {
        self.shelves().put(message);
        self.wake();
        ready(Ok(()))
    }

    fn waiting(
        &self,
        now: Moment,
        after: Option<String>,
        at_most: usize,
    ) -> Answer<'_, Vec<DueDestination>> {
        let mut shelves = self.shelves();
        shelves.count("waiting");
        shelves.free(Instant::now());
        let mut found: Vec<DueDestination> = Vec::new();
        let mut from = after.map_or_else(String::new, |after| after + "\0");
        while found.len() < at_most {
            let next = shelves
                .order
                .range((from.clone(), Moment(i64::MIN), 0)..)
                .next();
            let Some((destination, due, _)) = next else {
                break;
            };
            if *due <= now {
                found.push(DueDestination {
                    destination: destination.clone(),
                    since: *due,
                });
            }
            from = format!("{destination}\0");
        }
        ready(Ok(found))
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Vec<Leased>> {
        let mut shelves = self.shelves();
        let now = Instant::now();
        shelves.count("claim");
        shelves.free(now);
        let mut leased = Vec::new();
        for (destination, most) in claim.from {
            let from = (destination.clone(), Moment(i64::MIN), 0);
            let until = (destination, claim.now, i64::MAX);
            let keys = shelves.order.range(from..=until).take(most);
            let keys: Vec<_> = keys.cloned().collect();
            shelves.ends_at(now + claim.lease_for);
            for key in keys {
                shelves.order.remove(&key);
                let job = shelves.jobs.get_mut(&key.2).expect("in order");
                job.epoch += 1;
                job.leased_until = Some(now + claim.lease_for);
                leased.push(Leased {
                    lease: Lease {
                        job: JobId(key.2),
                        epoch: job.epoch,
                    },
                    message: Arc::clone(&job.message),
                    destination: job.destination.clone(),
                    recipients: job.recipients.clone(),
                    standing: job.standing.clone(),
                });
            }
        }
        ready(Ok(leased))
    }

    fn renew(&self, leases: Vec<Lease>, lease_for: Duration) -> Answer<'_, Vec<Settled>> {
        let mut shelves = self.shelves();
        let now = Instant::now();
        shelves.count("renew");
        let answers = leases.into_iter().map(|lease| {
            if !shelves.holds(lease, now) {
                return Settled::Lost;
            }
            let job = shelves.jobs.get_mut(&lease.job.0).expect("held");
            job.leased_until = Some(now + lease_for);
            Settled::Done
        });
        let answers = answers.collect();
        ready(Ok(answers))
    }

    fn settle(&self, settlements: Vec<Settlement>) -> Answer<'_, Vec<Settled>> {
        let mut shelves = self.shelves();
        let now = Instant::now();
        shelves.count("settle");
        if let Some(error) = shelves.refusals.pop() {
            return ready(Err(error));
        }
        shelves.largest_group = shelves.largest_group.max(settlements.len());
        let mut answers = Vec::new();
        let leases: Vec<Lease> = settlements.iter().map(|one| one.lease).collect();
        for settlement in settlements {
            let lease = settlement.lease;
            if !shelves.holds(lease, now) {
                answers.push(Settled::Lost);
                continue;
            }
            match settlement.rest {
                None => {
                    shelves.jobs.remove(&lease.job.0);
                }
                Some(rest) => {
                    let job = shelves.jobs.get_mut(&lease.job.0).expect("held");
                    job.due = rest.due;
                    job.recipients = rest.recipients;
                    job.standing = rest.standing;
                    job.held = rest.held;
                    job.leased_until = None;
                    let key = (job.destination.clone(), job.due, lease.job.0);
                    if job.held.is_none() {
                        shelves.order.insert(key);
                    }
                }
            }
            for notice in settlement.notices {
                shelves.put(notice);
            }
            shelves.settled += 1;
            answers.push(Settled::Done);
        }
        if shelves.unanswered > 0 {
            shelves.unanswered -= 1;
            shelves.unclear.extend(leases.into_iter().zip(answers));
            drop(shelves);
            self.wake();
            return ready(Err(StoreError::Unavailable("cut off".to_owned())));
        }
        drop(shelves);
        self.wake();
        ready(Ok(answers))
    }

    fn settled(&self, leases: Vec<Lease>) -> Answer<'_, Vec<Option<Settled>>> {
        let mut shelves = self.shelves();
        let known = leases.iter().map(|lease| shelves.unclear.remove(lease));
        let known = known.collect();
        drop(shelves);
        ready(Ok(known))
    }

    fn hand_back(&self, leases: Vec<Lease>) -> Answer<'_, ()> {
        let mut shelves = self.shelves();
        let now = Instant::now();
        for lease in leases {
            if shelves.holds(lease, now) {
                let job = shelves.jobs.get_mut(&lease.job.0).expect("held");
                job.leased_until = Some(now);
            }
        }
        shelves.ends_at(now);
        shelves.free(now);
        ready(Ok(()))
    }

    fn body(&self, message: MessageId) -> Answer<'_, Arc<dyn Body>> {
        let body = self.shelves().bodies.get(&message).cloned();
        ready(match body {
            Some(octets) => Ok(Arc::new(BodyInMemory(octets)) as Arc<dyn Body>),
            None => Err(StoreError::Unknown),
        })
    }

    fn next_due(&self) -> Answer<'_, Option<Moment>> {
        let due = self.shelves().order.iter().map(|(_, due, _)| *due).min();
        ready(Ok(due))
    }

    fn wakeups(&self) -> watch::Receiver<u64> {
        self.wakeups.subscribe()
    }

    fn bring_forward(&self, latest: Moment) -> Answer<'_, u64> {
        let mut shelves = self.shelves();
        shelves.count("bring_forward");
        let late: Vec<_> = shelves.order.iter().cloned().collect();
        let mut changed = 0;
        for (destination, due, number) in late {
            if due > latest {
                shelves.order.remove(&(destination.clone(), due, number));
                shelves.order.insert((destination, latest, number));
                shelves.jobs.get_mut(&number).expect("in order").due = latest;
                changed += 1;
            }
        }
        ready(Ok(changed))
    }

    fn room(&self, _: u64) -> Result<(), StoreError> {
        Ok(())
    }

    fn spool_folder(&self) -> &Path {
        &self.folder
    }

    fn list(&self, _: Filter, _: Option<JobId>, _: usize) -> Answer<'_, Page> {
        ready(Err(StoreError::Refused("the schedule lists nothing")))
    }

    fn change(&self, _: Filter, deed: Deed) -> Answer<'_, u64> {
        let Deed::Retry(now) = deed else {
            return ready(Err(StoreError::Refused("the schedule changes nothing")));
        };
        let mut shelves = self.shelves();
        let all: Vec<_> = std::mem::take(&mut shelves.order).into_iter().collect();
        for (destination, _, number) in all {
            shelves.order.insert((destination, now, number));
            shelves.jobs.get_mut(&number).expect("in order").due = now;
        }
        drop(shelves);
        self.wake();
        ready(Ok(0))
    }

    fn stats(&self, _: Moment) -> Answer<'_, Stats> {
        ready(Err(StoreError::Refused("the schedule counts nothing")))
    }

    fn record(&self, changes: Vec<Change>) -> Answer<'_, ()> {
        let mut shelves = self.shelves();
        shelves.count("record");
        for change in changes {
            if let Change::Put(kind, record) = change {
                shelves
                    .records
                    .insert((kind.word(), record.key), record.value);
            }
        }
        ready(Ok(()))
    }

    fn record_first(&self, _: Kind, _: Record) -> Answer<'_, bool> {
        ready(Err(StoreError::Refused("the schedule shares no work")))
    }

    fn records(
        &self,
        kind: Kind,
        prefix: String,
        after: Option<String>,
        at_most: usize,
    ) -> Answer<'_, Vec<Record>> {
        let mut shelves = self.shelves();
        shelves.count("records");
        let found = shelves.records.iter().filter(|((word, key), _)| {
            *word == kind.word()
                && key.starts_with(&prefix)
                && after.as_ref().is_none_or(|after| key > after)
        });
        let found = found.take(at_most).map(|((_, key), value)| Record {
            key: key.clone(),
            value: value.clone(),
        });
        let found = found.collect();
        ready(Ok(found))
    }

    fn tallies(&self, _: Kind, _: String, _: Option<String>, _: usize) -> Answer<'_, Vec<Tally>> {
        ready(Err(StoreError::Refused("the schedule counts nothing")))
    }

    fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn tidy(&self) -> Answer<'_, ()> {
        ready(Ok(()))
    }

    fn close(&self) -> Answer<'_, ()> {
        ready(Ok(()))
    }
}
