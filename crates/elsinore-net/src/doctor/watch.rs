//! The same question kept open in a command that runs for long: probes from time to time, and at
//! once when failures come in a burst; what changed is said once.
//!
//! [`Watch`] decides and does nothing else: time and events are arguments. [`run`] feeds it, and
//! [`Watched`] is a resolver whose lookups it hears of.

use super::triage::{Blame, OwnTrouble, Triage};
use crate::resolver::{Freshness, SecureResolver};
use elsinore_dane::answer::{Answer, Last, Question};
use futures_util::future::BoxFuture;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// When to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchSettings {
    /// Between two looks when all is quiet and well.
    pub period: Duration,
    /// Between two looks while something is wrong with us: its end should be noticed soon.
    pub while_ill: Duration,
    /// Failed lookups that make a burst …
    pub burst: usize,
    /// … when they come within this time and are more than those that went well.
    pub within: Duration,
    /// Looks are never closer together than this.
    pub least: Duration,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(300),
            while_ill: Duration::from_secs(30),
            burst: 10,
            within: Duration::from_secs(30),
            least: Duration::from_secs(10),
        }
    }
}

/// How a lookup ended, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupEnd {
    /// With data or a shown absence.
    Answered,
    /// Not found out, or bogus.
    Failed,
}

/// What is known of our own DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Nothing yet.
    Unknown,
    /// It works.
    Well,
    /// It does not.
    Ill(OwnTrouble),
}

/// A change worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// Our own DNS has begun to fail, or fails in another way: all domains are affected.
    FellIll(OwnTrouble),
    /// It works again.
    Recovered,
    /// Many lookups fail though ours works: it is the domains' DNS.
    ManyOfTheirs,
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FellIll(trouble) => {
                write!(f, "our own DNS is broken, all mail waits: {trouble}")
            }
            Self::Recovered => f.write_str("our own DNS works again"),
            Self::ManyOfTheirs => {
                f.write_str("many lookups fail, but our own DNS works: it is the domains' DNS")
            }
        }
    }
}

/// Decides when to look, and what a look means. Times count from any one moment.
#[derive(Debug, Clone)]
pub struct Watch {
    settings: WatchSettings,
    health: Health,
    /// When lookups failed, at most `burst` of them.
    failures: VecDeque<Duration>,
    /// Lookups that went well since the first of these failures.
    answered: usize,
    last_look: Option<Duration>,
    looks_for_burst: bool,
}

impl Watch {
    /// Knows nothing yet; the first look is due at once.
    #[must_use]
    pub fn new(settings: WatchSettings) -> Self {
        Self {
            settings,
            health: Health::Unknown,
            failures: VecDeque::new(),
            answered: 0,
            last_look: None,
            looks_for_burst: false,
        }
    }

    /// What is known.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// Takes note of a lookup that ended at `now`.
    pub fn saw(&mut self, now: Duration, end: LookupEnd) {
        match end {
            LookupEnd::Answered => {
                self.answered = self.answered.saturating_add(1);
            }
            LookupEnd::Failed => {
                let first = now.saturating_sub(self.settings.within);
                while self.failures.front().is_some_and(|at| *at < first) {
                    self.failures.pop_front();
                }
                if self.failures.is_empty() {
                    self.answered = 0;
                }
                if self.failures.len() >= self.settings.burst {
                    self.failures.pop_front();
                }
                self.failures.push_back(now);
            }
        }
    }

    fn is_burst(&self, now: Duration) -> bool {
        let first = now.saturating_sub(self.settings.within);
        let recent = self.failures.iter().filter(|at| **at >= first).count();
        recent >= self.settings.burst && recent > self.answered
    }

    /// When the next look is due; `now` or earlier means at once.
    #[must_use]
    pub fn next_look(&self, now: Duration) -> Duration {
        let Some(last) = self.last_look else {
            return now;
        };
        let pause = match self.health {
            Health::Ill(_) => self.settings.while_ill,
            Health::Unknown | Health::Well => self.settings.period,
        };
        if self.is_burst(now) {
            last + self.settings.least.min(pause)
        } else {
            last + pause
        }
    }

    /// A look begins.
    pub fn looks(&mut self, now: Duration) {
        self.looks_for_burst = self.is_burst(now);
        self.last_look = Some(now);
    }

    /// What the look showed; the change to be told, if there is one.
    pub fn looked(&mut self, blame: &Blame) -> Option<Announcement> {
        let burst = std::mem::take(&mut self.looks_for_burst);
        if burst {
            // The next burst is one of its own.
            self.failures.clear();
            self.answered = 0;
        }
        match blame {
            Blame::Unknown => None,
            Blame::Theirs(_) => {
                let was = std::mem::replace(&mut self.health, Health::Well);
                match was {
                    Health::Ill(_) => Some(Announcement::Recovered),
                    Health::Unknown | Health::Well => burst.then_some(Announcement::ManyOfTheirs),
                }
            }
            Blame::Ours(trouble) => {
                let same =
                    matches!(&self.health, Health::Ill(known) if known.word() == trouble.word());
                self.health = Health::Ill(trouble.clone());
                (!same).then(|| Announcement::FellIll(trouble.clone()))
            }
        }
    }
}

/// A resolver whose lookups a watch hears of.
#[derive(Debug)]
pub struct Watched {
    resolver: Arc<dyn SecureResolver>,
    ends: mpsc::Sender<LookupEnd>,
}

/// Ends of lookups that wait to be noted; more are not needed to see a burst.
const WAITING: usize = 256;

impl Watched {
    /// Wraps `resolver`; the ends of its lookups are received by [`run`].
    #[must_use]
    pub fn new(resolver: Arc<dyn SecureResolver>) -> (Self, mpsc::Receiver<LookupEnd>) {
        let (ends, receiver) = mpsc::channel(WAITING);
        (Self { resolver, ends }, receiver)
    }
}

impl SecureResolver for Watched {
    fn lookup<'a>(&'a self, question: &'a Question, freshness: Freshness) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let answer = self.resolver.lookup(question, freshness).await;
            let end = match answer.last {
                Last::Failed(_) => LookupEnd::Failed,
                Last::Data(_) | Last::Denied(_) => LookupEnd::Answered,
            };
            // A lookup never waits for the watch: what it cannot take in, it has enough of.
            let _ = self.ends.try_send(end);
            answer
        })
    }
}

/// Watches until every [`Watched`] resolver is gone; `told` hears after every look what is known now,
/// and of a change worth telling. Looks go on beside the lookups, which wait for nothing.
pub async fn run(
    settings: WatchSettings,
    triage: &Triage,
    mut ends: mpsc::Receiver<LookupEnd>,
    mut told: impl FnMut(&Health, Option<Announcement>),
) {
    let begun = Instant::now();
    let mut watch = Watch::new(settings);
    loop {
        let next = begun + watch.next_look(begun.elapsed());
        tokio::select! {
            end = ends.recv() => match end {
                Some(end) => watch.saw(begun.elapsed(), end),
                None => return,
            },
            () = sleep_until(next) => {
                watch.looks(begun.elapsed());
                let blame = triage.look_again().await;
                let announcement = watch.looked(&blame);
                told(watch.health(), announcement);
            }
        }
    }
}

#[cfg(test)]
mod tests;
