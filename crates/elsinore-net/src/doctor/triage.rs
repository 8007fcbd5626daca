//! A lookup has failed: is it their DNS or ours?
//!
//! Asked only after a failure, at most once in a while, with a short deadline of its own. Our
//! resolver is asked for names of others that are known to be good. If one comes out secure, ours
//! works and the domain's own DNS is broken; if none does, all domains are affected, and what the
//! root's keys look like tells whether it is the network, the clock or the anchors.

use super::ask::{Asker, Seen};
use super::clock::{self, Reading};
use super::names::{MOST, ProbeName, ProbeNames};
use super::own::Found;
use crate::clock::Clock;
use crate::dialer::Dialer;
use crate::resolver::probe::{Manner, Told, root_keys};
use crate::resolver::{Freshness, Mode, ResolverConfig, SecureResolver};
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::finding::Finding;
use elsinore_dane::name::DomainName;
use elsinore_dane::rule::Rule;
use elsinore_dane::security::Security;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// Servers that are asked for the root's keys.
const SERVERS: usize = 3;

/// Whose fault failing lookups are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blame {
    /// The domain's: this name of somebody else was found secure a moment ago.
    Theirs(DomainName),
    /// Ours: every domain is affected.
    Ours(OwnTrouble),
    /// Not found out in the time there was.
    Unknown,
}

/// What is wrong with our own DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnTrouble {
    /// Nobody answers: the root servers, or the upstream resolvers.
    NoAnswers,
    /// The clock; the text says how far it is off at least.
    Clock(String),
    /// No trust anchor fits the keys of the root.
    Anchors,
    /// Good names are rejected; the text is the reason for one of them.
    RejectsGood(String),
    /// Good names cannot be looked up, though servers answer; the text is the reason for one.
    FindsNothing(String),
    /// Good names look unsigned; the text is the reason for one of them.
    NothingSecure(String),
}

impl fmt::Display for OwnTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswers => f.write_str("no root server or upstream resolver answers"),
            Self::Clock(off) => write!(f, "our clock is {off}, so every signed name looks bogus"),
            Self::Anchors => f.write_str("no trust anchor fits the root's keys"),
            Self::RejectsGood(reason) => write!(f, "good names are rejected too ({reason})"),
            Self::FindsNothing(reason) => write!(f, "good names cannot be found either ({reason})"),
            Self::NothingSecure(reason) => write!(f, "good names look unsigned ({reason})"),
        }
    }
}

impl OwnTrouble {
    /// The stable word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NoAnswers => "no-answers",
            Self::Clock(_) => "clock",
            Self::Anchors => "anchors",
            Self::RejectsGood(_) => "rejects-good-names",
            Self::FindsNothing(_) => "finds-nothing",
            Self::NothingSecure(_) => "nothing-secure",
        }
    }
}

impl Blame {
    /// The word of JSON.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Theirs(_) => "theirs",
            Self::Ours(_) => "ours",
            Self::Unknown => "unknown",
        }
    }

    /// A few words to stand behind the reason of a failure; `None` when nothing is known.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        match self {
            Self::Theirs(_) => Some("their DNS is broken, ours works".to_owned()),
            Self::Ours(trouble) => Some(format!("our own DNS is broken: {trouble}")),
            Self::Unknown => None,
        }
    }

    /// What was found, about `subject`.
    #[must_use]
    pub fn finding(&self, subject: &str) -> Option<Finding> {
        match self {
            Self::Theirs(witness) => Some(Finding::new(
                Rule::TheirDnsFails,
                subject,
                format!("our resolver works: it finds {witness} secure"),
            )),
            Self::Ours(trouble) => Some(Finding::new(
                Rule::OurDnsFails,
                subject,
                format!("every domain is affected: {trouble}"),
            )),
            Self::Unknown => None,
        }
    }
}

/// Everything a triage is told.
#[derive(Debug, Clone)]
pub struct TriageConfig {
    /// How our resolver works.
    pub dns: ResolverConfig,
    /// Good names, by different operators.
    pub secure: Vec<ProbeName>,
    /// How long finding out may take, all included.
    pub deadline: Duration,
    /// How long a result is kept.
    pub keep: Duration,
}

impl TriageConfig {
    /// The usual names and times: three seconds, and a minute.
    #[must_use]
    pub fn new(dns: ResolverConfig) -> Self {
        Self {
            dns,
            secure: ProbeNames::default().secure,
            deadline: Duration::from_secs(3),
            keep: Duration::from_secs(60),
        }
    }
}

/// Finds out whose fault it is. Cheap to keep: it does nothing until it is asked.
#[derive(Debug)]
pub struct Triage {
    config: TriageConfig,
    resolver: Arc<dyn SecureResolver>,
    asker: Asker,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<(Instant, Blame)>>,
}

impl Triage {
    /// One for the lookups of `resolver`, which works as `config.dns` says.
    #[must_use]
    pub fn new(
        config: TriageConfig,
        resolver: Arc<dyn SecureResolver>,
        dialer: Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            asker: Asker {
                dialer,
                // What the lookups show is concluded from with this known.
                patience: config.deadline * 2 / 3,
            },
            config,
            resolver,
            clock,
            kept: Mutex::new(None),
        }
    }

    /// Whose fault it is. What was found out a short while ago is given at once; whoever asks while
    /// it is being found out waits for the same result.
    pub async fn blame(&self) -> Blame {
        let mut kept = self.kept.lock().await;
        if let Some((at, blame)) = kept.as_ref()
            && at.elapsed() < self.config.keep
        {
            return blame.clone();
        }
        let blame = self.find_out().await;
        *kept = Some((Instant::now(), blame.clone()));
        blame
    }

    /// Finds out anew, whatever is kept.
    pub async fn look_again(&self) -> Blame {
        let mut kept = self.kept.lock().await;
        let blame = self.find_out().await;
        *kept = Some((Instant::now(), blame.clone()));
        blame
    }

    async fn find_out(&self) -> Blame {
        let mut lookups: FuturesUnordered<_> = (self.config.secure.iter().take(MOST))
            .map(|name| async move {
                let answer = self.resolver.lookup(&name.0, Freshness::Fresh).await;
                (name, Found::from(&answer))
            })
            .collect();
        let mut found: Vec<Found> = Vec::new();
        let mut keys: Option<Vec<Told>> = None;
        let work = async {
            let root = self.root();
            tokio::pin!(root);
            while !lookups.is_empty() || keys.is_none() {
                tokio::select! {
                    Some((name, one)) = lookups.next(), if !lookups.is_empty() => {
                        if one.is_answer && one.security == Security::Secure {
                            return Some(name.0.name.clone());
                        }
                        found.push(one);
                    }
                    told = &mut root, if keys.is_none() => {
                        let nobody = told.is_empty() && self.asks_all();
                        keys = Some(told);
                        if nobody {
                            // Whoever could answer the lookups does not.
                            return None;
                        }
                    }
                }
            }
            None
        };
        let in_time = timeout(self.config.deadline, work).await;
        match in_time {
            Ok(Some(witness)) => Blame::Theirs(witness),
            Ok(None) | Err(_) => self.conclude(&found, keys.as_deref()),
        }
    }

    /// Whether [`Triage::root`] asks everybody whom our resolver can ask.
    fn asks_all(&self) -> bool {
        let dns = &self.config.dns;
        match dns.mode {
            Mode::Recursive => dns.hints.addresses().len() <= SERVERS,
            Mode::Forward | Mode::Ad => dns.upstreams.len() <= SERVERS,
        }
    }

    /// The root's keys from whoever our resolver asks, unchecked.
    async fn root(&self) -> Vec<Told> {
        let dns = &self.config.dns;
        let question = Question::new(DomainName::root(), RecordType::Dnskey);
        let (servers, manner): (Vec<SocketAddr>, Manner) = match dns.mode {
            Mode::Recursive => (
                (dns.hints.addresses().iter())
                    .map(|address| SocketAddr::new(*address, 53))
                    .take(SERVERS)
                    .collect(),
                Manner::Iterative,
            ),
            Mode::Forward | Mode::Ad => (
                dns.upstreams.iter().copied().take(SERVERS).collect(),
                Manner::Unchecked,
            ),
        };
        let asked = (servers.into_iter()).map(|server| {
            let question = &question;
            async move {
                let seen = self.asker.udp(server, question, manner).await;
                if !seen.told().is_some_and(|told| told.truncated) {
                    return seen;
                }
                match self.asker.tcp(server, question, manner).await {
                    whole @ Seen::Reply(..) => whole,
                    _ => seen,
                }
            }
        });
        let seen = join_all(asked).await;
        seen.iter()
            .filter_map(|seen| seen.told().cloned())
            .collect()
    }

    /// `keys` is `None` when nothing had come in time.
    fn conclude(&self, found: &[Found], keys: Option<&[Told]>) -> Blame {
        let now = self.clock.now();
        let signatures: Vec<_> = (keys.iter().copied().flatten())
            .flat_map(|told| told.signatures.clone())
            .collect();
        let seen: Vec<_> = (keys.iter().copied().flatten())
            .filter(|told| !told.truncated)
            .map(|told| told.keys.clone())
            .find(|keys| !keys.is_empty())
            .unwrap_or_default();
        let anchored = root_keys(&seen, &self.config.dns.anchors)
            .iter()
            .any(|key| key.anchored && !key.revoked);
        let facts = Facts {
            answered: keys.map(|keys| !keys.is_empty()),
            clock: clock::read(now, &signatures),
            anchors: if seen.is_empty() || self.config.dns.mode == Mode::Ad {
                Fit::Unknown
            } else if anchored {
                Fit::Good
            } else {
                Fit::None
            },
        };
        judge(found, &facts)
    }
}

/// What the root's keys tell.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    /// Whether anybody answered; `None` when that is not known.
    answered: Option<bool>,
    clock: Reading,
    anchors: Fit,
}

/// Whether a trust anchor fits the keys of the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Good,
    None,
    /// Not known, or of no matter.
    Unknown,
}

/// The conclusion, when no good name was found secure.
fn judge(found: &[Found], facts: &Facts) -> Blame {
    if let Reading::Wrong(off) = &facts.clock {
        return Blame::Ours(OwnTrouble::Clock(clock::wrong_by(off)));
    }
    if facts.anchors == Fit::None {
        return Blame::Ours(OwnTrouble::Anchors);
    }
    if facts.answered != Some(true) && found.iter().all(|one| !one.is_answer) {
        return match facts.answered {
            Some(false) => Blame::Ours(OwnTrouble::NoAnswers),
            // Silence is all there was in the time there was.
            None if found.is_empty() => Blame::Ours(OwnTrouble::NoAnswers),
            _ => Blame::Unknown,
        };
    }
    let reason = |wanted: &dyn Fn(&Found) -> bool| {
        (found.iter())
            .find(|one| wanted(one))
            .map(|one| one.reason.clone())
    };
    if let Some(reason) = reason(&|one| one.is_answer && one.security == Security::Insecure) {
        return Blame::Ours(OwnTrouble::NothingSecure(reason));
    }
    if let Some(reason) = reason(&|one| one.security == Security::Bogus) {
        return Blame::Ours(OwnTrouble::RejectsGood(reason));
    }
    match found.first() {
        Some(one) => Blame::Ours(OwnTrouble::FindsNothing(one.reason.clone())),
        None => Blame::Unknown,
    }
}

#[cfg(test)]
mod tests;
