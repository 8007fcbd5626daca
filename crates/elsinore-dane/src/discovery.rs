//! From a next hop to a plan: which questions to ask, and what their answers oblige to.
//!
//! [`Discovery`] performs no I/O. The caller puts the questions of [`Discovery::next_asks`],
//! all at once, and hands each answer to [`Discovery::handle_reply`] in whatever order they
//! come. Hosts are decided one by one, in order of trial: as soon as [`Discovery::host`] says
//! `Decided` for the first one, mail can be delivered to it while the others are still looked up.
//!
//! Here stand the state and what callers see of it; questions and answers are in
//! `discovery/exchange.rs`, conclusions in `discovery/settle.rs`, and what they are drawn by in the
//! other files of `discovery/`.

mod address;
mod ask;
mod exchange;
pub(crate) mod flaw;
mod host;
mod mx;
mod settings;
mod settle;
mod shuffle;
mod sts;
mod tlsa;
mod verdict;

pub use ask::{Ask, AskFreshness, AskId, Query, Reply};
#[cfg(feature = "flaws")]
pub use flaw::Flaw;
pub use settings::{DaneUse, DiscoveryPolicy, Families, LookAhead, MessageTls, StsUse};

use crate::answer::RecordType;
use crate::finding::Finding;
use crate::mta_sts::CachedPolicy;
use crate::name::DomainName;
use crate::next_hop::{NextHop, Target};
use crate::plan::{HostPlan, Refusal};
use crate::rule::Rule;
use crate::time::UnixTime;
use flaw::Flaws;
use host::Host;
use shuffle::Shuffle;
use sts::Sts;

/// Whether there are hosts to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// Not known yet.
    Undecided,
    /// There are hosts; ask [`Discovery::host`] for each.
    Hosts {
        /// How many, those to be skipped included.
        count: usize,
    },
    /// The message is returned.
    Bounce(&'a Refusal),
    /// The message waits: no host can be tried now.
    Defer(&'a Refusal),
}

/// What is known of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostState<'a> {
    /// Questions are still open.
    Undecided,
    /// The plan; its obligation may be to skip the host.
    Decided(&'a HostPlan),
}

/// The state machine.
#[derive(Debug, Clone)]
pub struct Discovery {
    next_hop: NextHop,
    policy: DiscoveryPolicy,
    port: u16,
    now: UnixTime,
    shuffle: Shuffle,
    flaws: Flaws,
    route: RouteState,
    hosts: Vec<Host>,
    expansion: Option<DomainName>,
    sts: Sts,
    purposes: Vec<Option<Purpose>>,
    outbox: Vec<Ask>,
    findings: Vec<Finding>,
}

#[derive(Debug, Clone)]
enum RouteState {
    Undecided,
    Hosts,
    Bounce(Refusal),
    Defer(Refusal),
}

/// What an outstanding question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Mx,
    StsRecord,
    StsPolicy,
    Address(usize, RecordType),
    Tlsa(usize, usize),
}

impl Discovery {
    /// Starts the search. `sts_cached` is the stored policy of [`Discovery::policy_domain`], if
    /// any, whatever its age; `seed` shuffles hosts of equal preference.
    #[must_use]
    pub fn new(
        next_hop: NextHop,
        policy: DiscoveryPolicy,
        sts_cached: Option<CachedPolicy>,
        seed: u64,
        now: UnixTime,
    ) -> Self {
        Self::start(next_hop, policy, sts_cached, seed, now, Flaws::default())
    }

    /// An engine with one rule broken, to show that the property tests would notice.
    #[cfg(feature = "flaws")]
    #[must_use]
    pub fn broken(
        flaw: Flaw,
        next_hop: NextHop,
        policy: DiscoveryPolicy,
        sts_cached: Option<CachedPolicy>,
        seed: u64,
        now: UnixTime,
    ) -> Self {
        Self::start(
            next_hop,
            policy,
            sts_cached,
            seed,
            now,
            Flaws::planted(flaw),
        )
    }

    fn start(
        next_hop: NextHop,
        policy: DiscoveryPolicy,
        sts_cached: Option<CachedPolicy>,
        seed: u64,
        now: UnixTime,
        flaws: Flaws,
    ) -> Self {
        let port = next_hop.port.unwrap_or(policy.port);
        let domain = Self::policy_domain(&next_hop).filter(|_| policy.honours_sts());
        let sts = Sts::new(domain.cloned(), sts_cached, now);
        let mut discovery = Self {
            next_hop,
            policy,
            port,
            now,
            shuffle: Shuffle::new(seed),
            flaws,
            route: RouteState::Undecided,
            hosts: Vec::new(),
            expansion: None,
            sts,
            purposes: Vec::new(),
            outbox: Vec::new(),
            findings: Vec::new(),
        };
        discovery.first_questions();
        discovery
    }

    /// The domain whose MTA-STS policy counts (RFC 8461 §3.4): the next-hop domain, or the name
    /// of the smart host; `None` for address literals.
    #[must_use]
    pub const fn policy_domain(next_hop: &NextHop) -> Option<&DomainName> {
        match &next_hop.target {
            Target::Domain(name) | Target::Host(name) => Some(name),
            Target::Address(_) => None,
        }
    }

    /// The questions to put now, all at once; each is returned once. Questions about hosts of a
    /// worse preference are returned when all better hosts are decided, so a caller that
    /// delivers to the first host need not call again.
    pub fn next_asks(&mut self) -> Vec<Ask> {
        std::mem::take(&mut self.outbox)
    }

    /// Of the questions to put now, the fetch of an MTA-STS policy alone: a policy that is to be
    /// refreshed holds up no host, so a caller that needs no further host asks for it here.
    pub fn next_fetch(&mut self) -> Option<Ask> {
        let is_fetch = |ask: &Ask| matches!(ask.query, Query::StsPolicy { .. });
        let position = self.outbox.iter().position(is_fetch)?;
        Some(self.outbox.remove(position))
    }

    /// Takes the answer to an earlier [`Ask`]. Unknown and repeated numbers are ignored, and so
    /// is a reply of another kind than the question's.
    pub fn handle_reply(&mut self, id: AskId, reply: Reply, now: UnixTime) {
        let Some(slot) = self.purposes.get_mut(id.0) else {
            return;
        };
        self.now = now;
        let Some(purpose) = *slot else {
            return;
        };
        match (purpose, reply) {
            (Purpose::StsPolicy, Reply::StsPolicy(fetch)) => {
                *slot = None;
                self.sts.take_policy(fetch, now, &mut self.findings);
            }
            (Purpose::StsPolicy, Reply::Dns(_)) | (_, Reply::StsPolicy(_)) => return,
            (_, Reply::Dns(answer)) => {
                *slot = None;
                self.take_answer(purpose, answer);
            }
        }
        self.settle();
    }

    /// Whether there are hosts to try. `Hosts` can turn into `Bounce` or `Defer` when the last
    /// host is decided and every one is to be skipped.
    #[must_use]
    pub const fn route(&self) -> Route<'_> {
        match &self.route {
            RouteState::Undecided => Route::Undecided,
            RouteState::Hosts => Route::Hosts {
                count: self.hosts.len(),
            },
            RouteState::Bounce(refusal) => Route::Bounce(refusal),
            RouteState::Defer(refusal) => Route::Defer(refusal),
        }
    }

    /// What is known of the host at `index`, in order of trial. Hosts keep their plans when the
    /// route turns into a refusal.
    #[must_use]
    pub fn host(&self, index: usize) -> HostState<'_> {
        self.hosts
            .get(index)
            .and_then(|host| host.plan.as_ref())
            .map_or(HostState::Undecided, HostState::Decided)
    }

    /// The plans of all hosts that are decided, in order of trial.
    pub fn plans(&self) -> impl Iterator<Item = &HostPlan> {
        self.hosts.iter().filter_map(|host| host.plan.as_ref())
    }

    /// Whether nothing is left to ask or to decide.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match self.route {
            RouteState::Undecided => false,
            RouteState::Hosts => self.hosts.iter().all(|host| host.plan.is_some()),
            RouteState::Bounce(_) | RouteState::Defer(_) => true,
        }
    }

    /// What was noticed about the domain as a whole.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// A newly fetched policy, to be stored.
    #[must_use]
    pub const fn sts_update(&self) -> Option<&CachedPolicy> {
        self.sts.fetched()
    }

    /// The policy that applies: the fetched one, else an unexpired cached one.
    #[must_use]
    pub fn sts_policy(&self) -> Option<&CachedPolicy> {
        self.sts.current(self.now)
    }

    /// To be asked before the host at `index` is used: the finding that it is weaker than what a
    /// host of better preference promised, or might have promised had its TLSA lookup not failed
    /// (RFC 7672 §2.2.1 demands the order, this project demands that it be said).
    #[must_use]
    pub fn weaker_than_better(&self, index: usize) -> Option<Finding> {
        let host = self.hosts.get(index)?;
        let plan = host.plan.as_ref()?;
        let own = verdict::promised(&plan.obligation);
        let better = self
            .plans()
            .take_while(|other| other.mx_host != plan.mx_host)
            .find(|other| verdict::promised(&other.obligation) > own)?;
        Some(Finding::new(
            Rule::WeakerHostUsed,
            plan.mx_host.as_str(),
            format!(
                "{} instead of what {} was obliged to ({})",
                plan.obligation.word(),
                better.mx_host,
                verdict::words(&better.obligation),
            ),
        ))
    }
}
