//! What all modes share: configuration, connections, caches, and the account of one lookup.

use super::Freshness;
use super::anchors::{Starts, TrustAnchors};
use super::cache::{Cache, Remembered, signature_octets};
use super::config::{AggressiveDenial, ResolverConfig};
use super::evidence::Records;
use super::exchange::{Octets, Wires};
use super::limits::{Budget, Limits};
use super::route::Routes;
use super::servers::ServerBook;
use super::tape::Tape;
use super::transcript::{Checking, Recursion};
use super::upstream::Upstreams;
use super::wire::{Message, Name, Question};
use crate::clock::Clock;
use crate::dialer::Dialer;
use elsinore_dane::answer::{ExtendedError, Failure, Oddity};
use elsinore_dane::security::{Cause, Status};
use elsinore_dane::time::UnixTime;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::{OnceCell, mpsc};

/// A reply, the server that gave it, and the zone it was asked for (the root for an upstream
/// resolver): only records at or below the zone count.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) message: Arc<Message>,
    pub(super) bailiwick: Name,
    #[allow(dead_code, reason = "the judge of bogus data reads it")]
    pub(super) server: SocketAddr,
}

/// A reply and the server that gave it.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) message: Arc<Message>,
    pub(super) server: SocketAddr,
}

/// Why no reply could be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// One line: who failed and how.
    pub(super) text: String,
    /// What the server said of it.
    pub(super) ede: Option<ExtendedError>,
    /// What kind of trouble it is.
    pub(super) cause: Cause,
    /// Nobody was asked: the servers are known to be dead.
    pub(super) is_remembered: bool,
}

impl Trouble {
    /// Trouble of the usual kind: no server gave a usable answer.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ede: None,
            cause: Cause::Unreachable,
            is_remembered: false,
        }
    }

    /// The same trouble, of another kind.
    pub(super) const fn because(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    /// The failure to report: codes 6 to 12 mean that a validator rejected the data
    /// (RFC 8914 §4.7 to §4.13), all else that nothing was found out.
    pub(super) fn into_failure(self) -> Failure {
        let rejected = self
            .ede
            .as_ref()
            .is_some_and(|ede| matches!(ede.code, 6..=12));
        Failure {
            status: if rejected {
                Status::bogus(self.text).because(Cause::Upstream)
            } else {
                Status::indeterminate(self.text).because(self.cause)
            },
            ede: self.ede,
        }
    }
}

/// One question under way at one set of servers; whoever asks the same joins.
pub(super) type InFlight = Arc<OnceCell<Result<Reply, Trouble>>>;

/// The questions under way, by zone, question and a hash of the servers asked.
pub(super) type UnderWay = HashMap<(Name, Question, u64), InFlight>;

/// The resolver itself.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) config: ResolverConfig,
    negative_anchors: Vec<Name>,
    starts: RwLock<Arc<Starts>>,
    pub(super) routes: Routes,
    pub(super) wires: Wires,
    pub(super) cache: Cache,
    clock: Arc<dyn Clock>,
    servers: Mutex<ServerBook>,
    under_way: Mutex<UnderWay>,
    pub(super) upstreams: Upstreams,
}

impl Core {
    pub(super) fn new(
        mut config: ResolverConfig,
        dialer: Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let octets = signature_octets(&config);
        config.cryptography = Arc::new(Remembered::new(config.cryptography, octets));
        let negative_anchors: Vec<Name> = config
            .negative_anchors
            .iter()
            .map(Name::from_domain)
            .collect();
        let octets_of_replies = match config.tape {
            Tape::Record(_) => Octets::Kept,
            Tape::Off | Tape::Replay(_) => Octets::Dropped,
        };
        if config.tape.is_running() {
            config.aggressive_denial = AggressiveDenial::Asked;
        }
        let starts = Starts::new(&config.anchors, &negative_anchors, &*config.cryptography);
        Self {
            negative_anchors,
            starts: RwLock::new(Arc::new(starts)),
            servers: Mutex::default(),
            under_way: Mutex::default(),
            upstreams: Upstreams::default(),
            cache: Cache::new(&config, Arc::clone(&clock)),
            wires: Wires::new(dialer, config.sockets, octets_of_replies),
            routes: Routes::new(&config.routes),
            config,
            clock,
        }
    }

    pub(super) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// What is known of servers. The lock is never held across a wait.
    pub(super) fn book(&self) -> MutexGuard<'_, ServerBook> {
        // A panic elsewhere leaves a book that is at worst incomplete.
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The questions under way. The lock is never held across a wait.
    pub(super) fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        // A panic elsewhere leaves a table that is at worst incomplete.
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Where trust starts and stops.
    pub(super) fn starts(&self) -> Arc<Starts> {
        Arc::clone(&self.starts.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other anchors in force. What was judged under the anchors before is forgotten.
    pub(super) fn replace_anchors(&self, anchors: &TrustAnchors) {
        let starts = Starts::new(anchors, &self.negative_anchors, &*self.config.cryptography);
        let mut current = self.starts.write().unwrap_or_else(PoisonError::into_inner);
        if **current != starts {
            *current = Arc::new(starts);
            self.cache.clear();
        }
    }

    /// The deepest negative trust anchor at or above `name`, if any (RFC 7646).
    pub(super) fn negative_anchor(&self, name: &Name) -> Option<&Name> {
        self.negative_anchors
            .iter()
            .filter(|anchor| name.is_at_or_below(anchor))
            .max_by_key(|anchor| anchor.label_count())
    }
}

/// The account of one lookup.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) budget: Budget,
    pub(super) freshness: Freshness,
    pub(super) recursion: Recursion,
    pub(super) checking: Checking,
    pub(super) records: Records,
    /// Zones whose keys will be needed, to be fetched while the answer is on its way.
    pub(super) wanted_keys: mpsc::UnboundedSender<Name>,
    /// Faults of servers that were worked around.
    pub(super) oddities: Mutex<Vec<Oddity>>,
}

/// Oddities kept per lookup.
const MOST_ODDITIES: usize = 8;

impl Work {
    /// Notes a fault that was worked around, once.
    pub(super) fn note(&self, oddity: Oddity) {
        let mut oddities = self.oddities.lock().unwrap_or_else(PoisonError::into_inner);
        if oddities.len() < MOST_ODDITIES && !oddities.contains(&oddity) {
            oddities.push(oddity);
        }
    }

    /// The faults noted so far.
    pub(super) fn take_oddities(&self) -> Vec<Oddity> {
        std::mem::take(&mut *self.oddities.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a packet may be sent for `question`.
    ///
    /// # Errors
    /// [`Trouble`] when only the cache was to be asked.
    pub(super) fn may_ask(&self, question: &Question) -> Result<(), Trouble> {
        match self.recursion {
            Recursion::Desired => Ok(()),
            Recursion::CacheOnly => {
                let text = format!("{question}: not in the cache, and nothing was to be asked");
                Err(Trouble::new(text).because(Cause::NotCached))
            }
        }
    }

    /// Work beside a lookup: to look at what is known once more.
    pub(super) fn beside(limits: Limits, recursion: Recursion) -> Self {
        Self {
            budget: Budget::new(limits),
            freshness: Freshness::Cached,
            recursion,
            checking: Checking::Enabled,
            records: Records::Dropped,
            wanted_keys: mpsc::unbounded_channel().0,
            oddities: Mutex::default(),
        }
    }
}
