//! Answers that may still be given: bounded in octets, never past their time, whichever clock says
//! so.

mod file;

pub use file::{CacheFile, FileError, Kept};

use crate::advice::Advice;
use crate::mapping::Row;
use crate::socketmap::{Form, netstring};
use elsinore_dane::time::UnixTime;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Shards, each with a lock of its own.
const SHARDS: usize = 16;
/// Octets of an entry beside its texts: the entry itself, its places in map and queue, and what the
/// allocator takes for them.
const ENTRY_OCTETS: usize = 400;

/// One answer, ready to be sent.
#[derive(Debug)]
pub struct Entry {
    /// The reply to `QUERY`, a netstring.
    pub plain: Box<[u8]>,
    /// The reply to `QUERYwithTLSRPT`, a netstring; `None` where it is the same.
    pub with_tlsrpt: Option<Box<[u8]>>,
    /// The JSON document.
    pub document: Box<[u8]>,
    /// The row of the mapping.
    pub row: &'static str,
    /// The level, `notfound` or `temp`.
    pub kind: &'static str,
    /// The two ends of its time, and its beginning.
    pub life: Life,
    /// How long it took to find out.
    pub took: Duration,
    asked: AtomicBool,
    spared: AtomicBool,
}

/// For how long an answer counts, by two clocks: the steady one stands still while a machine
/// sleeps, the wall clock may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// The end by the steady clock.
    pub until: Instant,
    /// When it was made, by the wall clock.
    pub made: UnixTime,
    /// The end by the wall clock.
    pub expires: UnixTime,
}

impl Life {
    /// A life of `holds` from now on.
    #[must_use]
    pub fn new(holds: Duration, now: Instant, wall: UnixTime) -> Self {
        let seconds = i64::try_from(holds.as_secs()).unwrap_or(i64::MAX);
        Self {
            until: now + holds,
            made: wall,
            expires: wall.plus_seconds(seconds),
        }
    }

    /// Whether it still counts. A wall clock that was set back ends it too.
    #[must_use]
    pub fn holds(&self, now: Instant, wall: UnixTime) -> bool {
        now < self.until && wall < self.expires && wall >= self.made
    }

    /// The whole of it.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.expires.0 - self.made.0).unwrap_or(0))
    }
}

impl Entry {
    /// The entry for `advice`.
    #[must_use]
    pub fn new(advice: &Advice, took: Duration, now: Instant, wall: UnixTime) -> Self {
        let (plain, tlsrpt) = (
            advice.mapped.answer.plain(),
            advice.mapped.answer.with_tlsrpt(),
        );
        Self {
            with_tlsrpt: (tlsrpt != plain).then(|| netstring(&tlsrpt)),
            plain: netstring(&plain),
            document: advice.document.clone().into(),
            row: advice.mapped.row.word(),
            kind: advice.mapped.answer.kind(),
            life: Life::new(advice.holds, now, wall),
            took,
            asked: AtomicBool::new(false),
            spared: AtomicBool::new(false),
        }
    }

    /// The entry that was kept in a file; `None` when its words are of no version we know.
    #[must_use]
    pub fn of_kept(kept: &Kept, now: Instant, wall: UnixTime) -> Option<Self> {
        let row = Row::ALL.iter().find(|row| row.word() == kept.row)?.word();
        let kind = KINDS.into_iter().find(|kind| *kind == kept.kind)?;
        let left = u64::try_from(kept.expires - wall.0)
            .ok()
            .filter(|_| wall.0 >= kept.made)?;
        Some(Self {
            plain: kept.plain.clone().into(),
            with_tlsrpt: kept.with_tlsrpt.clone().map(Into::into),
            document: kept.document.clone().into(),
            row,
            kind,
            life: Life {
                until: now + Duration::from_secs(left),
                made: UnixTime(kept.made),
                expires: UnixTime(kept.expires),
            },
            took: Duration::ZERO,
            asked: AtomicBool::new(false),
            spared: AtomicBool::new(false),
        })
    }

    /// The reply to a request of `form`.
    #[must_use]
    pub fn reply(&self, form: Form) -> &[u8] {
        match (form, &self.with_tlsrpt) {
            (Form::WithTlsrpt, Some(reply)) => reply,
            (Form::WithTlsrpt, None) | (Form::Plain, _) => &self.plain,
        }
    }

    /// Whether it was asked for since it was made.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Notes that it was asked for.
    pub fn note_use(&self) {
        // Mostly it is noted already, and a store would take the line from the other cores.
        if !self.asked.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
        }
        if !self.spared.load(Ordering::Relaxed) {
            self.spared.store(true, Ordering::Relaxed);
        }
    }

    fn octets(&self, key: &[u8]) -> usize {
        let tlsrpt = self.with_tlsrpt.as_ref().map_or(0, |reply| reply.len());
        ENTRY_OCTETS + key.len() + self.plain.len() + tlsrpt + self.document.len()
    }
}

/// The words of [`Answer::kind`](crate::mapping::Answer::kind).
pub const KINDS: [&str; 10] = [
    "none",
    "may",
    "encrypt",
    "dane",
    "dane-only",
    "verify",
    "secure",
    "fingerprint",
    "notfound",
    "temp",
];

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<Arc<[u8]>, Arc<Entry>, RandomState>,
    /// Keys in the order of their first coming; whoever was asked for since is spared once.
    order: VecDeque<Arc<[u8]>>,
    octets: usize,
}

/// The answers.
#[derive(Debug)]
pub struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    shard_octets: usize,
}

impl Cache {
    /// Holds at most `octets`.
    #[must_use]
    pub fn new(octets: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            shard_octets: octets / SHARDS,
        }
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        // The high half: the map inside uses a hasher of its own.
        let hash = self.hasher.hash_one(key) >> 32;
        let index = usize::try_from(hash).unwrap_or(0) % SHARDS;
        // A panic elsewhere leaves a cache that is at worst incomplete.
        self.shards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer under `key`, if it still counts.
    #[must_use]
    pub fn find(&self, key: &[u8], now: Instant, wall: UnixTime) -> Option<Arc<Entry>> {
        let shard = self.shard(key);
        let entry = shard.entries.get(key)?;
        entry.life.holds(now, wall).then(|| Arc::clone(entry))
    }

    /// Keeps an answer. One that is larger than the whole room of a shard is not kept.
    pub fn keep(&self, key: &Arc<[u8]>, entry: Arc<Entry>) {
        let octets = entry.octets(key);
        let mut shard = self.shard(key);
        let shard = &mut *shard;
        match shard.entries.insert(Arc::clone(key), entry) {
            Some(old) => shard.octets -= old.octets(key),
            None => shard.order.push_back(Arc::clone(key)),
        }
        shard.octets += octets;
        // Each round drops a key or takes its mark away: two rounds of all keys at most.
        while shard.octets > self.shard_octets {
            let Some(oldest) = shard.order.pop_front() else {
                return;
            };
            let spared = shard
                .entries
                .get(&oldest)
                .is_some_and(|entry| entry.spared.swap(false, Ordering::Relaxed));
            if spared {
                shard.order.push_back(oldest);
            } else if let Some(gone) = shard.entries.remove(&oldest) {
                shard.octets -= gone.octets(&oldest);
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        for shard in &self.shards {
            *shard.lock().unwrap_or_else(PoisonError::into_inner) = Shard::default();
        }
    }

    /// Answers held, and their octets.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.shards.iter().fold((0, 0), |(count, octets), shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            (count + shard.entries.len(), octets + shard.octets)
        })
    }
}

#[cfg(test)]
mod tests;
