//! Looks at the servers of a domain as a sender sees them, and sends nothing: the same questions, the
//! same sessions up to the place of MAIL, the same judge.

use super::Sender;
use super::SenderConfig;
use super::climb::Climb;
use super::contact::{Manner, contact, demand_of};
use super::envelope::{Spool, SpooledBytes};
use super::inquiry::{Inquiry, NextHost, Verdict};
use super::recall::Recall;
use super::sounding::{self, Assessor, Sounding};
use crate::clock::Clock;
use crate::dialer::Dialer;
use crate::resolver::SecureResolver;
use crate::session::PhaseTimes;
use crate::sts::PolicySource;
use crate::tls::{SignatureOffer, TlsConnector};
use elsinore_dane::discovery::DiscoveryPolicy;
use elsinore_dane::finding::Finding;
use elsinore_dane::ladder::{Rung, first_rung};
use elsinore_dane::mta_sts::{CachedPolicy, StsFetch};
use elsinore_dane::name::DomainName;
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::plan::{HostPlan, Refusal};
use elsinore_dane::verify::VerifyOptions;
use elsinore_smtp::client::Task;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a policy that is being refreshed is waited for when everything else is done.
const GRACE: Duration = Duration::from_secs(5);

/// Looks at servers. It remembers nothing of one session for the next: no TLS session is resumed, no
/// rung is guessed.
#[derive(Debug)]
pub struct Prober {
    sender: Sender,
    assessor: Assessor,
    nothing: Arc<dyn Spool>,
}

/// Whether there are hosts to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteSighting {
    /// There are.
    Hosts,
    /// The message is returned.
    Bounce(Refusal),
    /// The message waits.
    Defer(Refusal),
    /// The engine came to no end in the time there was.
    TimedOut,
}

/// What a sender decided about a domain.
#[derive(Debug, Clone)]
pub struct PlanSighting {
    /// Whether there are hosts to try.
    pub route: RouteSighting,
    /// The plans that were made, in the order of trial.
    pub hosts: Vec<HostPlan>,
    /// Whether each host has its plan.
    pub complete: bool,
    /// Per host: that it is weaker than a better one promised.
    pub weaker: Vec<Option<Finding>>,
    /// What was noticed about the domain as a whole.
    pub findings: Vec<Finding>,
    /// The MTA-STS policy in force.
    pub sts: Option<CachedPolicy>,
    /// What the fetch of a policy came to, when one was made.
    pub fetch: Option<StsFetch>,
    /// For how long the decision may be reused: the least TTL of all answers that came in, no
    /// longer than the MTA-STS policy binds, and seconds where something failed.
    pub holds: Duration,
}

/// What becomes of questions whose answers no longer matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leftovers {
    /// Whoever shows what was asked shows what was answered.
    HeardOut,
    /// They are dropped.
    Left,
}

/// A single connection that no sender makes: to see what else a server has to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look<'a> {
    /// The rung.
    pub rung: Rung,
    /// Which certificates to ask for.
    pub offer: SignatureOffer,
    /// The server name to send; `None` for none.
    pub sni: Option<&'a DomainName>,
}

impl Prober {
    /// A prober that asks `resolver`, connects through `dialer` and tells time by `clock`, with the
    /// settings of a sender.
    #[must_use]
    pub fn new(
        config: SenderConfig,
        resolver: Arc<dyn SecureResolver>,
        dialer: Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let assessor = Assessor::new(&config);
        let tls = TlsConnector::without_resumption(
            config.roots.clone(),
            Arc::clone(&clock),
            VerifyOptions::smtp(),
        );
        let mut sender = Sender::new(config, resolver, dialer, clock);
        sender.tls = tls;
        sender.fetch_again = Duration::ZERO;
        Self {
            sender,
            assessor,
            nothing: Arc::new(SpooledBytes(Arc::from([]))),
        }
    }

    /// The same prober, whose MTA-STS policies come from `policies`.
    #[must_use]
    pub fn with_policies(mut self, policies: Arc<dyn PolicySource>) -> Self {
        self.sender.fetcher = policies;
        self
    }

    /// The same prober, which leaves a policy that could not be fetched alone for some minutes, as
    /// a sender does (RFC 8461 §3.3): for whoever decides about the same domains again and again.
    #[must_use]
    pub const fn with_restraint(mut self) -> Self {
        self.sender.fetch_again = super::FETCH_AGAIN;
        self
    }

    /// Judges what this prober saw.
    #[must_use]
    pub const fn assessor(&self) -> &Assessor {
        &self.assessor
    }

    /// The policy before overrides.
    #[must_use]
    pub const fn policy(&self) -> &DiscoveryPolicy {
        &self.sender.config.policy
    }

    /// The next hop for mail to `domain`, the policy with the administrator's override applied, and
    /// findings about overrides that have run out: as `send` does it.
    #[must_use]
    pub fn destination(&self, domain: &DomainName) -> (NextHop, DiscoveryPolicy, Vec<Finding>) {
        let mut policy = self.sender.config.policy.clone();
        let mut findings = Vec::new();
        let hop = self.sender.destination(domain, &mut policy, &mut findings);
        (hop, policy, findings)
    }

    /// Asks everything that a sender with `policy` asks about `next_hop`, until each host has its
    /// plan.
    pub async fn plans(&self, next_hop: NextHop, policy: DiscoveryPolicy) -> PlanSighting {
        self.plans_as_decided(next_hop, policy, |_, _| {}).await
    }

    /// The same; `decided` hears of each plan, with the host's index, as soon as it is made.
    pub async fn plans_as_decided(
        &self,
        next_hop: NextHop,
        policy: DiscoveryPolicy,
        decided: impl FnMut(usize, &HostPlan),
    ) -> PlanSighting {
        self.search(next_hop, policy, decided, Leftovers::HeardOut)
            .await
    }

    /// The same decision as soon as it is made: answers that cannot bear on it any more are not
    /// waited for, so that one silent server of an unsigned zone holds up nobody.
    pub async fn decision(&self, next_hop: NextHop, policy: DiscoveryPolicy) -> PlanSighting {
        self.search(next_hop, policy, |_, _| {}, Leftovers::Left)
            .await
    }

    async fn search(
        &self,
        next_hop: NextHop,
        policy: DiscoveryPolicy,
        mut decided: impl FnMut(usize, &HostPlan),
        leftovers: Leftovers,
    ) -> PlanSighting {
        let deadline = Instant::now() + self.sender.config.timeouts.domain;
        let mut inquiry = Inquiry::new(&self.sender, next_hop, policy).await;
        let mut hosts = Vec::new();
        let mut weaker = Vec::new();
        let (mut route, mut complete) = (RouteSighting::Hosts, true);
        // Hosts are bounded by the engine.
        for index in 0.. {
            let until = (Instant::now() + self.sender.config.timeouts.discovery).min(deadline);
            match inquiry.next_host_telling(index, until, &mut decided).await {
                NextHost::Plan(plan) => {
                    weaker.push(inquiry.weaker(index));
                    hosts.push(*plan);
                    continue;
                }
                NextHost::None => {}
                NextHost::Refused(_, _) => complete = false,
                NextHost::TimedOut => {
                    complete = false;
                    route = RouteSighting::TimedOut;
                }
            }
            break;
        }
        match leftovers {
            Leftovers::HeardOut => {
                let until = (Instant::now() + self.sender.config.timeouts.discovery).min(deadline);
                inquiry.hear_out(until).await;
            }
            Leftovers::Left => {}
        }
        inquiry.settle(GRACE).await;
        match inquiry.refusal() {
            Some((Verdict::Bounce, refusal)) => route = RouteSighting::Bounce(refusal),
            Some((Verdict::Defer, refusal)) => route = RouteSighting::Defer(refusal),
            None => {}
        }
        PlanSighting {
            route,
            hosts,
            complete,
            weaker,
            findings: inquiry.findings(),
            sts: inquiry.sts_policy().cloned(),
            fetch: inquiry.fetch().cloned(),
            holds: inquiry.holds(),
        }
    }

    /// Goes down the ladder at one address as the sender of `plan` would. Of what was `seen` there
    /// already, nothing is done again; what is done is added to it. Nothing is done for a host that
    /// is to be skipped.
    pub async fn approach(&self, plan: &HostPlan, address: IpAddr, seen: &mut Vec<Sounding>) {
        // Each rung of the ladder once, and each of them once more without a server name.
        const MOST: usize = 8;
        for _ in 0..MOST {
            let Some(missing) = self.missing(plan, address, seen) else {
                return;
            };
            let look = Look {
                rung: missing.0,
                offer: SignatureOffer::Any,
                sni: missing.1.as_ref(),
            };
            seen.push(self.look(plan, address, look).await);
        }
    }

    /// The rung and the server name of the connection that the sender of `plan` makes next, given
    /// what was seen; `None` when it makes none.
    #[must_use]
    pub fn missing(
        &self,
        plan: &HostPlan,
        address: IpAddr,
        seen: &[Sounding],
    ) -> Option<(Rung, Option<DomainName>)> {
        let now = self.sender.clock.now();
        let mut climb = Climb::new(plan, first_rung(&plan.obligation)?);
        loop {
            let Some((_, assessed)) = self.assessor.find(seen, &climb, address, now) else {
                return Some((climb.rung(), climb.plan().sni.clone()));
            };
            if sounding::next(&mut climb, &assessed, self.assessor.legacy()).is_some() {
                return None;
            }
        }
    }

    /// Makes one connection, whatever a sender would do.
    pub async fn look(&self, plan: &HostPlan, address: IpAddr, look: Look<'_>) -> Sounding {
        let mut plan = plan.clone();
        plan.sni = look.sni.cloned();
        let peer = SocketAddr::new(address, plan.port);
        let recall = Recall::default();
        let manner = Manner {
            rung: look.rung,
            offer: look.offer,
            spool: &self.nothing,
            deadline: Instant::now() + self.sender.config.timeouts.domain,
            recall: &recall,
        };
        let result = contact(&self.sender, &plan, peer, Task::Probe, manner).await;
        let (opened, times) = match result {
            Ok(result) => (Ok(result.heard), result.times),
            Err(trouble) => {
                let times = PhaseTimes {
                    total: trouble.after,
                    ..PhaseTimes::default()
                };
                (Err(trouble), times)
            }
        };
        Sounding {
            rung: look.rung,
            offer: look.offer,
            min_protocol: demand_of(&plan, look.offer).min_protocol,
            sni: plan.sni,
            opened,
            times,
        }
    }

    /// Fetches the MTA-STS policy of `domain` (RFC 8461 §3.3), however lately that failed.
    pub async fn fetch_policy(&self, domain: &DomainName) -> StsFetch {
        match self.sender.fetcher.fetch(domain).await {
            Ok(octets) => StsFetch::Fetched(octets),
            Err(error) => StsFetch::Failed(error),
        }
    }
}
