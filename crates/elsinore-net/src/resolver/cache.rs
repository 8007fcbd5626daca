//! Everything that is kept, under one budget of octets: what was judged, what was learnt about
//! zones, and for seconds what servers replied. Shards with a lock each, none held across a wait.

mod denials;
mod signatures;
mod store;
mod weight;

pub(super) use denials::{Candidate, Validated};
pub(super) use signatures::Remembered;
pub(super) use weight::{Weigh, block, shared_block};

use super::config::ResolverConfig;
use super::core::Found;
use super::wire::{Message, Name, Question, Record};
use crate::clock::Clock;
use denials::Denials;
use elsinore_dane::answer::{Answer, Last};
use std::any::Any;
use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::mem::size_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::{Moment, Store};
use tokio::time::Instant;

/// Longest reuse of anything, whatever its TTL says, in seconds.
pub(super) const LONGEST: u32 = 86_400;
/// Longest reuse of a denial, in seconds (RFC 2308 §5).
pub(super) const LONGEST_DENIAL: u32 = 10_800;
/// Longest reuse of a failure, in seconds; RFC 9520 §3.2 allows five minutes.
pub(super) const LONGEST_FAILURE: u32 = 60;
/// The part of the budget, one in so many octets, that is for denials in order of names.
const DENIALS_SHARE: usize = 8;
/// The part of the budget, one in so many octets, that is for signatures that verified.
const SIGNATURES_SHARE: usize = 64;
/// Shards, at most; each has at least [`SMALLEST_SHARD`] octets.
const MOST_SHARDS: usize = 16;
const SMALLEST_SHARD: usize = 1 << 20;

/// The kinds of things kept. Two kinds under one name are two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// What stands at one name, judged.
    Step,
    /// A whole answer, in mode *ad*.
    Answer,
    /// A reply as it came.
    Reply,
    /// Whom to ask about a zone.
    Delegation,
    /// What a name is on the way down the chain of trust.
    Cut,
    /// What came with a referral to show whether the zone is signed.
    ReferralProof,
    /// Addresses of a name server.
    ServerAddresses,
    /// How often a question failed of late.
    Failures,
    /// The name servers of a zone by its own word, with their signatures.
    Servers,
}

/// Something that is kept by name, or by name and type.
pub(super) trait Kept: Weigh + Send + Sync + 'static {
    /// Its kind; each type has its own.
    const KIND: Kind;
    /// A name or a question.
    type Key: CacheKey;
    /// Longest reuse, in seconds, whatever the TTL says.
    fn longest(&self) -> u32 {
        LONGEST
    }
}

/// What things are kept by.
pub(super) trait CacheKey {
    /// The name, and the type where it matters.
    fn parts(&self) -> (&Name, u16);
}

impl CacheKey for Name {
    fn parts(&self) -> (&Name, u16) {
        (self, 0)
    }
}

impl CacheKey for Question {
    fn parts(&self) -> (&Name, u16) {
        (&self.name, self.rtype)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: Kind,
    rtype: u16,
    name: Name,
}

impl Weigh for Found {
    fn heap(&self) -> usize {
        let message = shared_block(size_of::<Message>()) + self.message.heap();
        message + self.bailiwick.heap()
    }
}

impl Kept for Found {
    const KIND: Kind = Kind::Reply;
    type Key = Question;
}

impl Kept for Answer {
    const KIND: Kind = Kind::Answer;
    type Key = Question;

    fn longest(&self) -> u32 {
        match self.last {
            Last::Data(_) => LONGEST,
            Last::Denied(_) => LONGEST_DENIAL,
            Last::Failed(_) => LONGEST_FAILURE,
        }
    }
}

type Shard = Store<Key, Arc<dyn Any + Send + Sync>>;

/// The cache of one resolver.
pub(super) struct Cache {
    shards: Box<[Mutex<Shard>]>,
    denials: Mutex<Denials>,
    /// Octets of [`Remembered`].
    signatures: usize,
    hasher: RandomState,
    clock: Arc<dyn Clock>,
    start: Instant,
}

impl Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

impl Cache {
    /// Holds at most [`ResolverConfig::cache_octets`], all its own memory included.
    pub(super) fn new(config: &ResolverConfig, clock: Arc<dyn Clock>) -> Self {
        let denials = config.cache_octets / DENIALS_SHARE;
        let signatures = signature_octets(config);
        let budget = config.cache_octets - denials - signatures;
        let count = (budget / SMALLEST_SHARD).clamp(1, MOST_SHARDS);
        let most_iterations = config.limits.nsec3_iterations_insecure;
        Self {
            shards: (0..count)
                .map(|_| Mutex::new(Store::new(budget / count)))
                .collect(),
            denials: Mutex::new(Denials::new(denials, most_iterations)),
            signatures,
            hasher: RandomState::new(),
            clock,
            start: Instant::now(),
        }
    }

    /// The value of `key` and the whole seconds it may still be used.
    pub(super) fn find<T: Kept>(&self, key: &T::Key) -> Option<(Arc<T>, u32)> {
        let (key, hash) = self.hashed::<T>(key);
        let now = self.now();
        let (value, left) = {
            let mut shard = self.shard(hash);
            let (value, left) = shard.find(hash as u32, &key, now)?;
            (Arc::clone(value), left)
        };
        // The kind is part of the key, and each kind has one type.
        Some((value.downcast::<T>().ok()?, left))
    }

    /// Keeps `value` for `ttl` seconds, or less if its kind or the budget does not allow that.
    pub(super) fn keep<T: Kept>(&self, key: &T::Key, value: Arc<T>, ttl: u32) {
        let (key, hash) = self.hashed::<T>(key);
        let seconds = ttl.min(value.longest()).min(LONGEST);
        let octets = key.name.heap() + shared_block(size_of::<T>()) + value.heap();
        let life = (seconds, self.now());
        let mut shard = self.shard(hash);
        shard.insert((hash as u32, key), (value, octets), life, &mut |_, _| {});
    }

    /// Drops what `key` has.
    pub(super) fn forget<T: Kept>(&self, key: &T::Key) {
        let (key, hash) = self.hashed::<T>(key);
        let _gone = self.shard(hash).remove(hash as u32, &key);
    }

    /// Drops everything.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            lock(shard).clear();
        }
        lock(&self.denials).clear();
    }

    /// Octets in use.
    pub(super) fn octets(&self) -> usize {
        let shards: usize = self.shards.iter().map(|shard| lock(shard).octets()).sum();
        shards + lock(&self.denials).octets() + self.signatures
    }

    /// Takes in a SOA, NSEC or NSEC3 RRset of a zone that was validated.
    pub(super) fn learn(&self, set: Validated<'_>) {
        let now = self.now();
        lock(&self.denials).learn(set, now);
    }

    /// Records that were validated before and might deny `question`.
    pub(super) fn candidate(&self, question: &Question) -> Option<Candidate> {
        let now = self.now();
        lock(&self.denials).candidate(&question.name, question.rtype, now)
    }

    /// Whether this very SOA record of a zone was validated before.
    pub(super) fn knows_soa(&self, soa: &Record) -> bool {
        let now = self.now();
        lock(&self.denials).knows_soa(soa, now)
    }

    fn now(&self) -> Moment {
        let steady = self.start.elapsed().as_millis();
        Moment {
            steady: u64::try_from(steady).unwrap_or(u64::MAX),
            wall: self.clock.now().0,
        }
    }

    fn hashed<T: Kept>(&self, key: &T::Key) -> (Key, u64) {
        let (name, rtype) = key.parts();
        let key = Key {
            kind: T::KIND,
            rtype,
            name: name.clone(),
        };
        let hash = self.hasher.hash_one(&key);
        (key, hash)
    }

    /// The shard is chosen by the upper half of the hash, the place in it by the lower.
    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[(hash >> 32) as usize % self.shards.len()])
    }
}

/// What of the budget is for [`Remembered`].
pub(super) const fn signature_octets(config: &ResolverConfig) -> usize {
    config.cache_octets / SIGNATURES_SHARE
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves a cache that is at worst incomplete.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
