//! Asking the sender's engine about one destination, and no one else.

use crate::document;
use crate::mapping::{self, Answer, Mapped, Row};
use elsinore_dane::answer::{Answer as DnsAnswer, Question};
use elsinore_dane::destination;
use elsinore_dane::discovery::{DiscoveryPolicy, LookAhead};
use elsinore_dane::finding::Finding;
use elsinore_dane::next_hop::{NextHop, Target};
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::Clock;
use elsinore_net::deliver::{Prober, SenderConfig};
use elsinore_net::dialer::Dialer;
use elsinore_net::resolver::{Freshness, SecureResolver};
use futures_util::future::BoxFuture;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// Longest time for all questions about one destination. Together with the fetch of a policy it
/// ends before [`WorkLimits::patience`](crate::settings::WorkLimits::patience) does.
const DISCOVERY: Duration = Duration::from_secs(75);
/// Longest time for the fetch of an MTA-STS policy. RFC 8461 §3.3 suggests a minute, which is more
/// than a client can wait for together with the lookups; the next question tries again.
const STS_FETCH: Duration = Duration::from_secs(25);
/// Longest reuse of any answer.
const LONGEST: Duration = Duration::from_secs(86_400);
/// For how long an answer holds that no lookup was needed for.
const FIXED_HOLDS: Duration = Duration::from_secs(3600);

/// Whether cached DNS answers that will soon be over will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Renewal {
    /// They will.
    Cached,
    /// Those with little time left are asked for anew: the answer is made ahead of its need.
    Ahead,
}

/// What was found out about one destination.
#[derive(Debug, Clone)]
pub struct Advice {
    /// What Postfix is told, and why.
    pub mapped: Mapped,
    /// The JSON document.
    pub document: Vec<u8>,
    /// For how long it may be reused.
    pub holds: Duration,
}

/// Finds out about destinations.
pub trait Adviser: Debug + Send + Sync {
    /// What is to be told about `next_hop`.
    fn advise<'a>(&'a self, next_hop: &'a NextHop, renewal: Renewal) -> BoxFuture<'a, Advice>;
}

/// The sender's engine on the network.
#[derive(Debug)]
pub struct LiveAdviser {
    usual: Prober,
    ahead: Prober,
    destinations: Vec<destination::Destination>,
    clock: Arc<dyn Clock>,
}

impl LiveAdviser {
    /// Asks `resolver`, fetches policies through `dialer` and decides with the settings of a
    /// sender.
    #[must_use]
    pub fn new(
        mut config: SenderConfig,
        resolver: Arc<dyn SecureResolver>,
        dialer: &Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let timeouts = &mut config.timeouts;
        timeouts.discovery = timeouts.discovery.min(DISCOVERY);
        timeouts.domain = timeouts.domain.min(DISCOVERY);
        timeouts.sts_fetch = timeouts.sts_fetch.min(STS_FETCH);
        config.policy.look_ahead = LookAhead::AllHosts;
        let prober = |resolver| {
            let (dialer, clock) = (Arc::clone(dialer), Arc::clone(&clock));
            Prober::new(config.clone(), resolver, dialer, clock).with_restraint()
        };
        Self {
            usual: prober(Arc::clone(&resolver)),
            ahead: prober(Arc::new(Renewing(resolver))),
            destinations: config.destinations.clone(),
            clock,
        }
    }

    async fn find_out(&self, next_hop: &NextHop, renewal: Renewal) -> Advice {
        let prober = match renewal {
            Renewal::Cached => &self.usual,
            Renewal::Ahead => &self.ahead,
        };
        let now = self.clock.now();
        let (policy, findings, until) = self.policy(prober, next_hop, now);
        if let Some(mapped) = mapping::without_lookup(next_hop, &policy) {
            return Advice {
                document: document::without_plan(next_hop, &mapped, &findings),
                mapped,
                holds: FIXED_HOLDS.min(until),
            };
        }
        let mut plan = prober.decision(next_hop.clone(), policy.clone()).await;
        plan.findings.splice(0..0, findings);
        let mapped = mapping::map(&policy, &plan);
        let holds = plan.holds.min(until).min(LONGEST);
        let holds = match mapped.answer {
            Answer::Temporary(_) => holds.min(TEMPORARY_HOLDS),
            Answer::Policy { .. } | Answer::NotFound => holds,
        };
        Advice {
            document: document::with_plan(next_hop, &mapped, &plan),
            mapped,
            holds,
        }
    }

    /// The policy for a destination, findings about overrides, and for how long they stay.
    fn policy(
        &self,
        prober: &Prober,
        next_hop: &NextHop,
        now: UnixTime,
    ) -> (DiscoveryPolicy, Vec<Finding>, Duration) {
        let (Target::Domain(name) | Target::Host(name)) = &next_hop.target else {
            return (prober.policy().clone(), Vec::new(), LONGEST);
        };
        let (_, policy, findings) = prober.destination(name);
        let expires = destination::find(&self.destinations, name, now)
            .current
            .and_then(|current| current.expires);
        let until = expires.map_or(LONGEST, |at| {
            let left = at.0.saturating_sub(now.0).max(0);
            Duration::from_secs(u64::try_from(left).unwrap_or(0))
        });
        (policy, findings, until)
    }
}

/// Longest reuse of TEMP: it stops mail.
const TEMPORARY_HOLDS: Duration = Duration::from_secs(10);

impl Adviser for LiveAdviser {
    fn advise<'a>(&'a self, next_hop: &'a NextHop, renewal: Renewal) -> BoxFuture<'a, Advice> {
        Box::pin(self.find_out(next_hop, renewal))
    }
}

impl Advice {
    /// What is said when nothing could be found out at all.
    #[must_use]
    pub fn temporary(next_hop: &NextHop, reason: &str) -> Self {
        let mapped = Mapped {
            row: Row::Deferred,
            answer: Answer::Temporary(reason.to_owned()),
        };
        Self {
            document: document::without_plan(next_hop, &mapped, &[]),
            mapped,
            holds: Duration::ZERO,
        }
    }
}

/// A resolver that asks for answers anew whose time is nearly over, so that a plan made ahead of its
/// need holds for longer than the one it replaces.
#[derive(Debug)]
struct Renewing(Arc<dyn SecureResolver>);

/// Seconds that count as nearly over: as long as answers are made ahead of their need at most.
const NEARLY_OVER: u32 = 120;

impl SecureResolver for Renewing {
    fn lookup<'a>(
        &'a self,
        question: &'a Question,
        freshness: Freshness,
    ) -> BoxFuture<'a, DnsAnswer> {
        Box::pin(async move {
            let answer = self.0.lookup(question, freshness).await;
            if freshness == Freshness::Fresh || answer.ttl().is_none_or(|ttl| ttl >= NEARLY_OVER) {
                return answer;
            }
            let fresh = self.0.lookup(question, Freshness::Fresh).await;
            // What is still valid is not given up for a failure.
            if fresh.ttl().is_some() { fresh } else { answer }
        })
    }
}
