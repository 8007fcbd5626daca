//! Numbers about reporting, for the machines that watch: since the process began.

use crate::count::Verdict;
use crate::dispatch::News;
use std::sync::atomic::{AtomicU64, Ordering};

/// What counting and sending came to, shared by a [`Ledger`](crate::ledger::Ledger) and a
/// [`Reporter`](crate::dispatch::Reporter).
#[derive(Debug, Default)]
pub struct Score {
    successful: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
    sent: AtomicU64,
    postponed: AtomicU64,
    given_up: AtomicU64,
    waiting: AtomicU64,
}

/// The numbers of a [`Score`] at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scores {
    /// Sessions counted as successful, once for each policy (RFC 8460 §4.4).
    pub successful: u64,
    /// Sessions counted as failed.
    pub failed: u64,
    /// Counts that were lost, the store took nothing for too long.
    pub lost: u64,
    /// Reports that a destination took, once for each destination.
    pub sent: u64,
    /// Attempts at a report that will be repeated.
    pub postponed: u64,
    /// Reports that were given up.
    pub given_up: u64,
    /// Reports about past days that have neither been sent nor given up, as of the last look. Most
    /// domains turn out to want none.
    pub waiting: u64,
}

impl Score {
    /// The numbers.
    #[must_use]
    pub fn read(&self) -> Scores {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Scores {
            successful: read(&self.successful),
            failed: read(&self.failed),
            lost: read(&self.lost),
            sent: read(&self.sent),
            postponed: read(&self.postponed),
            given_up: read(&self.given_up),
            waiting: read(&self.waiting),
        }
    }

    pub(crate) fn counted(&self, verdict: &Verdict) {
        match verdict {
            Verdict::Success => add(&self.successful, 1),
            Verdict::Failure(_) => add(&self.failed, 1),
        }
    }

    pub(crate) fn lost(&self, sessions: u64) {
        add(&self.lost, sessions);
    }

    pub(crate) fn heard(&self, news: &News) {
        match news {
            News::Sent { .. } => add(&self.sent, 1),
            News::Failed { .. } => add(&self.postponed, 1),
            News::GivenUp { .. } => add(&self.given_up, 1),
            News::Store(_) => {}
        }
    }

    pub(crate) fn waits(&self, reports: u64) {
        self.waiting.store(reports, Ordering::Relaxed);
    }
}

fn add(number: &AtomicU64, more: u64) {
    number.fetch_add(more, Ordering::Relaxed);
}
