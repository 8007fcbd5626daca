//! What is remembered of one server.

use crate::resolver::wire::Name;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant};

/// What a server nothing is known of is given to answer.
pub(super) const FIRST_PATIENCE: Duration = Duration::from_millis(400);
/// Bounds on what a known server is given: below, the delays of a busy machine would look like
/// losses; above, other servers should have had their turn.
pub(super) const SHORTEST_PATIENCE: Duration = Duration::from_millis(150);
pub(super) const LONGEST_PATIENCE: Duration = Duration::from_millis(1_600);
/// Exchanges under way with one server at a time; more wait for their turn.
pub(super) const MOST_EXCHANGES: usize = 2_048;

/// For how long an answer shows that a server is alive.
pub(super) const LATELY: Duration = Duration::from_secs(10);

/// Why a server is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::resolver::servers) enum Death {
    /// It says nothing.
    Silence,
    /// The network says that it is not to be reached.
    Refusal,
}

/// A server is given up question type by question type: many answer all but TLSA or DS, and must
/// not be lost for the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dead {
    /// The type that it says nothing about; [`EVERY_TYPE`] after a refusal.
    pub(super) rtype: u16,
    pub(super) since: Instant,
    pub(super) until: Instant,
    pub(super) left_alone: Duration,
    pub(super) death: Death,
}

/// The type of no question.
pub(super) const EVERY_TYPE: u16 = 0;
/// Types with silence remembered per server.
pub(super) const MOST_SILENT_TYPES: usize = 4;
/// Silent types, without any answer meanwhile, that make a server dead as a whole.
pub(super) const SILENT_TYPES_OF_THE_DEAD: usize = 2;

#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// Smoothed round-trip time and its mean deviation (RFC 6298 §2).
    pub(super) smoothed: Option<(Duration, Duration)>,
    /// Losses in a row; each doubles the patience.
    pub(super) losses: u8,
    pub(super) dead: Vec<Dead>,
    pub(super) heard_of: Instant,
    pub(super) answered: Option<Instant>,
    /// Until when it is asked without EDNS.
    pub(super) plain_until: Option<Instant>,
    /// Whether it was ever heard to answer a query with EDNS.
    pub(super) knows_edns: bool,
    pub(super) tcp: bool,
    pub(super) lame: Vec<(Name, Instant)>,
    pub(super) seats: Arc<Semaphore>,
}

impl Standing {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            smoothed: None,
            losses: 0,
            dead: Vec::new(),
            heard_of: now,
            answered: None,
            plain_until: None,
            knows_edns: false,
            tcp: false,
            lame: Vec::new(),
            seats: Arc::new(Semaphore::new(MOST_EXCHANGES)),
        }
    }

    pub(super) fn patience(&self) -> Duration {
        let base = self.smoothed.map_or(FIRST_PATIENCE, |(mean, deviation)| {
            (mean + deviation * 4).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE)
        });
        (base * (1 << self.losses.min(4))).min(LONGEST_PATIENCE)
    }

    pub(super) fn answered(&mut self, round_trip: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (round_trip, round_trip / 2),
            Some((mean, deviation)) => (
                (mean * 7 + round_trip) / 8,
                (deviation * 3 + mean.abs_diff(round_trip)) / 4,
            ),
        });
    }

    /// Whether it speaks: then its silence is about the question, as that of a resolver which
    /// waits for somebody else's dead server.
    pub(super) fn answered_lately(&self, now: Instant) -> bool {
        let last = self.answered;
        last.is_some_and(|last| now.saturating_duration_since(last) < LATELY)
    }

    /// What keeps questions of `rtype` from the server, at this time or until a while ago.
    pub(super) fn dead_for(&self, rtype: u16, now: Instant) -> Option<&Dead> {
        if self.answered_lately(now) {
            return None;
        }
        let is_meant = |dead: &&Dead| dead.rtype == rtype || dead.rtype == EVERY_TYPE;
        let unanswered = |dead: &&Dead| self.answered.is_none_or(|last| last < dead.since);
        self.dead.iter().find(is_meant).or_else(|| {
            let silent = self.dead.iter().filter(unanswered);
            let is_dead = silent.clone().count() >= SILENT_TYPES_OF_THE_DEAD;
            silent.max_by_key(|dead| dead.until).filter(|_| is_dead)
        })
    }

    pub(super) fn is_lame_for(&self, zone: &Name, now: Instant) -> bool {
        let mut zones = self.lame.iter();
        zones.any(|(lame, until)| lame == zone && *until > now)
    }
}
