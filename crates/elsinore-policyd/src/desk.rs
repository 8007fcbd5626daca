//! Answers requests: from the cache at once, else by finding out, once per destination however many
//! ask; and anew ahead of the end, for destinations in use.

mod ahead;

use crate::advice::{Advice, Adviser, Renewal};
use crate::cache::{Cache, CacheFile, Entry, FileError, Kept};
use crate::lookup_key::{LONGEST_KEY, LookupKey, canonical};
use crate::mapping::{Answer, Mapped, Row};
use crate::metrics::Metrics;
use crate::settings::{CacheLimits, WorkLimits};
use ahead::Agenda;
use elsinore_dane::next_hop::NextHop;
use elsinore_net::clock::Clock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

/// The one place that answers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cache: Cache,
    file: Option<CacheFile>,
    adviser: RwLock<Arc<dyn Adviser>>,
    clock: Arc<dyn Clock>,
    limits: WorkLimits,
    under_way: Mutex<HashMap<Arc<[u8]>, Outcome>>,
    places: Arc<Semaphore>,
    seats: Arc<Semaphore>,
    agenda: Agenda,
    metrics: Metrics,
    unknown: Arc<Entry>,
}

type Outcome = watch::Receiver<Option<Arc<Entry>>>;

/// An answer, or the wait for it.
#[derive(Debug)]
pub enum Reply {
    /// It is here.
    Ready(Arc<Entry>),
    /// It is being found out.
    Waiting(Waiting),
}

/// An answer that is being found out.
#[derive(Debug)]
pub struct Waiting {
    outcome: Outcome,
    until: Instant,
}

impl Desk {
    /// A desk that asks `adviser`, with the answers kept from the last run.
    ///
    /// # Errors
    /// [`FileError`] when the file for answers cannot be had.
    pub fn open(
        adviser: Arc<dyn Adviser>,
        clock: Arc<dyn Clock>,
        cache: &CacheLimits,
        work: WorkLimits,
    ) -> Result<Self, FileError> {
        let (now, wall) = (Instant::now(), clock.now());
        let kept = match &cache.file {
            Some(path) => Some(CacheFile::open(path, &cache.mark, wall.0)?),
            None => None,
        };
        let (file, kept) = kept.map_or((None, Vec::new()), |(file, kept)| (Some(file), kept));
        let unknown = Advice {
            mapped: Mapped {
                row: Row::NotADestination,
                answer: Answer::NotFound,
            },
            document: Vec::new(),
            holds: Duration::ZERO,
        };
        let desk = Self {
            inner: Arc::new(Inner {
                cache: Cache::new(cache.octets),
                file,
                adviser: RwLock::new(adviser),
                limits: work,
                under_way: Mutex::default(),
                places: Arc::new(Semaphore::new(work.most)),
                seats: Arc::new(Semaphore::new(work.at_once)),
                agenda: Agenda::default(),
                metrics: Metrics::new(),
                unknown: Arc::new(Entry::new(&unknown, Duration::ZERO, now, wall)),
                clock,
            }),
        };
        for kept in &kept {
            if let Some(entry) = Entry::of_kept(kept, now, wall) {
                let (key, entry) = (Arc::from(kept.key.as_slice()), Arc::new(entry));
                desk.inner.agenda.add(&key, &entry, now);
                desk.inner.cache.keep(&key, entry);
            }
        }
        Ok(desk)
    }

    /// The counters.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Answers kept, and their octets.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.inner.cache.size()
    }

    /// Asks `adviser` from now on and forgets every answer: what they rest on has changed, and
    /// `mark` ([`CacheLimits::mark`]) names what they rest on now. Work under way goes on for those
    /// who wait for it; nobody else hears what comes of it.
    pub fn ask_of(&self, adviser: Arc<dyn Adviser>, mark: &str) {
        // Answers are kept under this lock: those of the old adviser before this line, to be cleared
        // below, or never.
        let mut current = self
            .inner
            .adviser
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = adviser;
        self.under_way().clear();
        self.inner.cache.clear();
        if let Some(file) = &self.inner.file {
            file.clear(mark);
        }
        drop(current);
    }

    fn adviser(&self) -> Arc<dyn Adviser> {
        let current = self.inner.adviser.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    /// The answer to `key`, as Postfix gave it; a wait for it when it has to be found out.
    #[must_use]
    pub fn ask(&self, key: &[u8]) -> Reply {
        let inner = &self.inner;
        let mut buffer = [0; LONGEST_KEY];
        let Some(key) = canonical(key, &mut buffer) else {
            return self.ready(Arc::clone(&inner.unknown));
        };
        let now = Instant::now();
        if let Some(entry) = inner.cache.find(key, now, inner.clock.now()) {
            inner.metrics.cached.inc();
            entry.note_use();
            return self.ready(entry);
        }
        let LookupKey::Destination(next_hop) = LookupKey::parse(key) else {
            return self.ready(Arc::clone(&inner.unknown));
        };
        inner.metrics.waited.inc();
        let key = Arc::from(key);
        match self.begin(&key, &next_hop, Renewal::Cached) {
            Some(outcome) => Reply::Waiting(Waiting {
                outcome,
                until: now + inner.limits.patience,
            }),
            None => {
                inner.metrics.given_up.inc();
                let reason = "too many destinations are being looked up";
                self.ready(self.temporary(&next_hop, reason))
            }
        }
    }

    fn ready(&self, entry: Arc<Entry>) -> Reply {
        self.inner.metrics.answered(entry.kind);
        Reply::Ready(entry)
    }

    fn temporary(&self, next_hop: &NextHop, reason: &str) -> Arc<Entry> {
        let advice = Advice::temporary(next_hop, reason);
        let (now, wall) = (Instant::now(), self.inner.clock.now());
        Arc::new(Entry::new(&advice, Duration::ZERO, now, wall))
    }

    /// Waits for an answer to be found out.
    pub async fn hear(&self, waiting: Waiting, key: &[u8]) -> Arc<Entry> {
        let Waiting { mut outcome, until } = waiting;
        let heard = tokio::time::timeout_at(until, outcome.wait_for(Option::is_some)).await;
        let entry = match heard {
            Ok(Ok(entry)) => entry.clone(),
            // It takes too long, or the work ended in a panic.
            Ok(Err(_)) | Err(_) => None,
        };
        let entry = match (entry, LookupKey::parse(key)) {
            (Some(entry), _) => entry,
            (None, LookupKey::Destination(next_hop)) => {
                self.inner.metrics.given_up.inc();
                self.temporary(&next_hop, "the questions about the domain took too long")
            }
            (None, LookupKey::Unknown) => Arc::clone(&self.inner.unknown),
        };
        entry.note_use();
        self.inner.metrics.answered(entry.kind);
        entry
    }

    /// The work under way for `key`, begun now if nobody has; `None` when there is too much.
    fn begin(&self, key: &Arc<[u8]>, next_hop: &NextHop, renewal: Renewal) -> Option<Outcome> {
        let mut under_way = self.under_way();
        if let Some(outcome) = under_way.get(key) {
            return Some(outcome.clone());
        }
        let place = Arc::clone(&self.inner.places).try_acquire_owned().ok()?;
        let (tell, outcome) = watch::channel(None);
        under_way.insert(Arc::clone(key), outcome.clone());
        drop(under_way);
        let work = Work {
            desk: self.clone(),
            key: Arc::clone(key),
            outcome: outcome.clone(),
            _place: place,
        };
        let next_hop = next_hop.clone();
        tokio::spawn(async move {
            let entry = work.desk.find_out(&work.key, &next_hop, renewal).await;
            // Nobody may be listening any more.
            let _ = tell.send(Some(entry));
            drop(work);
        });
        Some(outcome)
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Arc<[u8]>, Outcome>> {
        // A panic elsewhere leaves a table that is at worst incomplete.
        self.inner
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn find_out(&self, key: &Arc<[u8]>, next_hop: &NextHop, renewal: Renewal) -> Arc<Entry> {
        let inner = &self.inner;
        let _seat = inner.seats.acquire().await;
        let begun = Instant::now();
        let adviser = self.adviser();
        let advice = adviser.advise(next_hop, renewal).await;
        // Until everything is kept, nobody puts another adviser in its place and clears.
        let current = (inner.adviser.read()).unwrap_or_else(PoisonError::into_inner);
        let is_current = Arc::ptr_eq(&adviser, &current);
        let (took, now, wall) = (begun.elapsed(), Instant::now(), inner.clock.now());
        let entry = Arc::new(Entry::new(&advice, took, now, wall));
        inner
            .metrics
            .found_out(entry.row, took, renewal == Renewal::Ahead);
        // Whoever waited for it asked before the adviser was replaced.
        if !entry.life.holds(now, wall) || !is_current {
            return entry;
        }
        // What still holds is not given up for a failure to renew it.
        let is_failure = matches!(advice.mapped.answer, Answer::Temporary(_));
        if is_failure && inner.cache.find(key, now, wall).is_some() {
            return entry;
        }
        inner.cache.keep(key, Arc::clone(&entry));
        inner.agenda.add(key, &entry, now);
        if let Some(file) = inner.file.as_ref().filter(|_| !is_failure) {
            file.keep(Kept {
                key: key.to_vec(),
                made: entry.life.made.0,
                expires: entry.life.expires.0,
                row: entry.row.to_owned(),
                kind: entry.kind.to_owned(),
                plain: entry.plain.to_vec(),
                with_tlsrpt: entry.with_tlsrpt.as_ref().map(|reply| reply.to_vec()),
                document: entry.document.to_vec(),
            });
        }
        drop(current);
        entry
    }

    /// Renews answers ahead of their end, for destinations in use. Never ends by itself.
    pub async fn look_ahead(&self) {
        loop {
            let key = self.inner.agenda.next().await;
            let (now, wall) = (Instant::now(), self.inner.clock.now());
            let Some(entry) = self.inner.cache.find(&key, now, wall) else {
                continue;
            };
            // Replaced meanwhile, or nobody asked for it.
            if !entry.is_in_use() || ahead::when(&entry) > now {
                continue;
            }
            if let LookupKey::Destination(next_hop) = LookupKey::parse(&key) {
                // Nobody waits for it; when there is too much to do, the next request does it.
                drop(self.begin(&key, &next_hop, Renewal::Ahead));
            }
        }
    }
}

/// Work under way, with its place among what may be; crossed off whichever way it ends.
struct Work {
    desk: Desk,
    key: Arc<[u8]>,
    outcome: Outcome,
    _place: OwnedSemaphorePermit,
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut under_way = self.desk.under_way();
        // The same destination may be at work again, under another adviser.
        let is_own = (under_way.get(&self.key)).is_some_and(|own| own.same_channel(&self.outcome));
        if is_own {
            under_way.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests;
