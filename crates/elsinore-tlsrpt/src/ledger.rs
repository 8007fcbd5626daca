//! The counts of the running relay: taken in memory without waiting, written to the store every few
//! seconds and at the end.
//!
//! What strangers can make grow is bounded: per day and domain so many policies and so many kinds of
//! failure are told apart, and what exceeds that is counted without its particulars. What the store
//! cannot take stays in memory, up to a bound; beyond it counts are lost, and the number of lost ones
//! is told.

use crate::count::{AppliedPolicy, Detail, Row, Verdict, rows};
use crate::day::Day;
use crate::score::Score;
use crate::tally::{Counted, key, name_of, policy_record};
use crate::terms::PolicyType;
use elsinore_net::deliver::SendReport;
use elsinore_queue::error::StoreError;
use elsinore_queue::record::{Change, Kind, Record, Tally};
use elsinore_queue::store::QueueStore;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// How often counts are written: what a crash may cost.
const INTERVAL: Duration = Duration::from_secs(5);
/// Different counts that wait for the store.
const WAITING: usize = 100_000;
/// Domains of a day whose kinds of failure are told apart.
const DOMAINS: usize = 50_000;
/// Policies of a day and domain that are told apart: one changes at most now and then.
const POLICIES: usize = 50;
/// Kinds of failure of a day and domain that are told apart with all particulars.
const DETAILS: usize = 300;
/// Changes of one transaction.
const BATCH: usize = 500;

/// Counts sessions.
#[derive(Debug)]
pub struct Ledger {
    store: Arc<dyn QueueStore>,
    tells_hosts: bool,
    score: Arc<Score>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: HashMap<String, i64>,
    policies: HashMap<String, Record>,
    seen: HashMap<(Day, String), Seen>,
    lost: u64,
}

/// What was told apart of a day and domain, by hashes.
#[derive(Debug, Default)]
struct Seen {
    policies: HashSet<u64>,
    details: HashSet<u64>,
}

/// What came of writing counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flushed {
    /// Different counts written.
    pub written: usize,
    /// Sessions that were lost since the last time because the store took nothing for too long.
    pub lost: u64,
}

impl Ledger {
    /// A ledger that writes to `store`. With `tells_hosts`, sessions with a host that has TLSA
    /// records are told to the domain of the records too (RFC 8460 §1.1).
    #[must_use]
    pub fn new(store: Arc<dyn QueueStore>, tells_hosts: bool) -> Self {
        Self {
            store,
            tells_hosts,
            score: Arc::default(),
            state: Mutex::default(),
        }
    }

    /// The same, with its numbers added to `score`.
    #[must_use]
    pub fn scoring(self, score: Arc<Score>) -> Self {
        Self { score, ..self }
    }

    /// Counts a delivery. Does not wait. The caller leaves out mail of origin
    /// [`ORIGIN`](crate::ORIGIN): sessions that carry reports are not reported (RFC 8460 §3).
    pub fn note(&self, report: &SendReport) {
        let rows = rows(report);
        if rows.is_empty() {
            return;
        }
        let day = Day::of(report.finished.0);
        let mut state = self.state();
        for row in &rows {
            self.score.counted(&row.verdict);
            state.count(day, &row.domain, row);
            let belongs_to = row.policy.domain.as_str();
            if self.tells_hosts && row.policy.kind == PolicyType::Tlsa && belongs_to != row.domain {
                state.count(day, belongs_to, row);
            }
        }
    }

    /// Writes what was counted.
    ///
    /// # Errors
    /// [`StoreError`]: what was not written is kept for the next time.
    pub async fn flush(&self) -> Result<Flushed, StoreError> {
        let (counts, mut policies, lost) = {
            let mut state = self.state();
            (
                std::mem::take(&mut state.counts),
                std::mem::take(&mut state.policies),
                std::mem::take(&mut state.lost),
            )
        };
        let written = counts.len();
        let mut counts: Vec<(String, i64)> = counts.into_iter().collect();
        while !counts.is_empty() {
            let batch = counts.split_off(counts.len().saturating_sub(BATCH));
            let put = policies.values().map(|record| {
                let record = record.clone();
                Change::Put(Kind::TlsCount, record)
            });
            let add = batch.iter().map(|(key, count)| {
                let (key, count) = (key.clone(), *count);
                Change::Add(Kind::TlsCount, Tally { key, count })
            });
            // Policies first, and once: a count without its policy cannot be told.
            if let Err(error) = self.store.record(put.chain(add).collect()).await {
                let mut state = self.state();
                for (key, count) in counts.into_iter().chain(batch) {
                    state.add(key, count);
                }
                for (key, record) in policies {
                    state.policies.entry(key).or_insert(record);
                }
                state.lost = state.lost.saturating_add(lost);
                return Err(error);
            }
            policies.clear();
        }
        self.score.lost(lost);
        Ok(Flushed { written, lost })
    }

    /// Writes what was counted every few seconds until `stop`, and once more then. `tell` hears of
    /// every time that something went wrong.
    pub async fn run(&self, stop: impl Future<Output = ()>, tell: impl Fn(String)) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = std::pin::pin!(stop);
        loop {
            let is_over = tokio::select! {
                () = &mut stop => true,
                _ = ticks.tick() => false,
            };
            match self.flush().await {
                Ok(Flushed { lost: 0, .. }) => {}
                Ok(Flushed { lost, .. }) => {
                    tell(format!(
                        "{lost} sessions could not be counted for reports about TLS"
                    ));
                }
                Err(error) => tell(format!("counts for reports about TLS: {error}")),
            }
            if is_over {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, day: Day, domain: &str, row: &Row) {
        let policy = self.bounded_policy(day, domain, &row.policy);
        let name = name_of(&policy);
        let at = format!("{day}/{name}");
        if self.policies.len() < WAITING && !self.policies.contains_key(&at) {
            let record = policy_record(day, &name, &policy);
            self.policies.insert(at, record);
        }
        match &row.verdict {
            Verdict::Success => self.add(key(day, domain, &name, &Counted::Success), 1),
            Verdict::Failure(details) => {
                self.add(key(day, domain, &name, &Counted::Failure), 1);
                for detail in details {
                    let detail = self.bounded_detail(day, domain, detail);
                    self.add(key(day, domain, &name, &Counted::Detail(detail)), 1);
                }
            }
        }
    }

    fn add(&mut self, key: String, count: i64) {
        if let Some(known) = self.counts.get_mut(&key) {
            *known = known.saturating_add(count);
        } else if self.counts.len() < WAITING {
            self.counts.insert(key, count);
        } else {
            self.lost = self.lost.saturating_add(count.unsigned_abs());
        }
    }

    fn seen(&mut self, day: Day, domain: &str) -> Option<&mut Seen> {
        if self.seen.len() >= DOMAINS {
            // A day that is over is not counted any more.
            self.seen.retain(|(other, _), _| *other >= day);
        }
        let at = (day, domain.to_owned());
        if self.seen.len() >= DOMAINS && !self.seen.contains_key(&at) {
            return None;
        }
        Some(self.seen.entry(at).or_default())
    }

    /// The policy, or what is told of it where there are too many.
    fn bounded_policy(
        &mut self,
        day: Day,
        domain: &str,
        policy: &Arc<AppliedPolicy>,
    ) -> Arc<AppliedPolicy> {
        let fits = self
            .seen(day, domain)
            .is_some_and(|seen| keep(&mut seen.policies, policy, POLICIES));
        if fits
            || (policy.strings.is_empty() && policy.mx_hosts.is_empty() && policy.domain == domain)
        {
            return Arc::clone(policy);
        }
        Arc::new(AppliedPolicy {
            kind: policy.kind,
            strings: Vec::new(),
            domain: domain.to_owned(),
            mx_hosts: Vec::new(),
        })
    }

    /// The detail, or what is told of it where there are too many.
    fn bounded_detail(&mut self, day: Day, domain: &str, detail: &Detail) -> Detail {
        let Some(seen) = self.seen(day, domain) else {
            return detail.bare();
        };
        if keep(&mut seen.details, detail, DETAILS) {
            detail.clone()
        } else {
            detail.bare()
        }
    }
}

/// Whether `item` is among those that are told apart, `at_most` in number.
fn keep(known: &mut HashSet<u64>, item: &impl Hash, at_most: usize) -> bool {
    let mut hasher = DefaultHasher::new();
    item.hash(&mut hasher);
    let hash = hasher.finish();
    known.contains(&hash) || (known.len() < at_most && known.insert(hash))
}
