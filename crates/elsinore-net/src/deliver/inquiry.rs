//! The questions of one domain: drives [`Discovery`] with everything that it asks in flight at
//! once.

use super::Sender;
use super::account::{DomainAccount, Overheard, sts_account};
use crate::resolver::Freshness;
use crate::sts::CacheError;
use crate::sts::store::Unusable;
use elsinore_dane::discovery::{
    Ask, AskFreshness, AskId, Discovery, DiscoveryPolicy, HostState, Query, Reply, Route,
};
use elsinore_dane::finding::Finding;
use elsinore_dane::mta_sts::{CachedPolicy, StsFetch};
use elsinore_dane::name::DomainName;
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::plan::{HostPlan, Refusal};
use elsinore_dane::rule::Rule;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Seconds for which what rests on a lookup or a fetch that failed is taken as it is: long enough
/// not to ask broken servers for each message, short enough to see soon that they are mended
/// (RFC 9520 §3.2).
const FAILURE_HOLDS: u32 = 20;

/// What is known of the next host to try.
pub(super) enum NextHost {
    /// Try it, or read why not.
    Plan(Box<HostPlan>),
    /// There is none (left), by decision of the engine.
    None,
    /// The domain as a whole is returned or waits.
    Refused(Verdict, Refusal),
    /// The time for finding out is over.
    TimedOut,
}

/// What becomes of a domain that has no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Bounce,
    Defer,
}

/// One run of the engine and its questions in flight.
pub(super) struct Inquiry<'a> {
    sender: &'a Sender,
    discovery: Discovery,
    in_flight: FuturesUnordered<BoxFuture<'a, (AskId, Reply)>>,
    /// The octets of the policy fetched last: what is stored is what was fetched.
    fetched: Option<Vec<u8>>,
    /// What the last fetch of a policy came to.
    last_fetch: Option<StsFetch>,
    /// Policy fetches among the questions in flight.
    fetching: usize,
    findings: Vec<Finding>,
    /// Which hosts' plans were told.
    told: Vec<bool>,
    /// Until when everything that was answered so far may be reused; `None` without any answer.
    holds_until: Option<Instant>,
    /// Policies on their way to the disk.
    stores: FuturesUnordered<JoinHandle<Option<Finding>>>,
    /// What reports about TLS will say of the answers.
    overheard: Overheard,
    policy_domain: Option<DomainName>,
}

impl<'a> Inquiry<'a> {
    pub(super) async fn new(
        sender: &'a Sender,
        next_hop: NextHop,
        policy: DiscoveryPolicy,
    ) -> Self {
        let mut findings = Vec::new();
        let cached = match Discovery::policy_domain(&next_hop) {
            Some(domain) => stored(sender, domain, &mut findings).await,
            None => None,
        };
        let policy_domain = Discovery::policy_domain(&next_hop).cloned();
        let seed = rand::random();
        let now = sender.clock.now();
        Self {
            sender,
            discovery: Discovery::new(next_hop, policy, cached, seed, now),
            in_flight: FuturesUnordered::new(),
            fetched: None,
            last_fetch: None,
            fetching: 0,
            findings,
            told: Vec::new(),
            holds_until: None,
            stores: FuturesUnordered::new(),
            overheard: Overheard::default(),
            policy_domain,
        }
    }

    /// Puts what the engine wants to know now.
    fn ask(&mut self) {
        for ask in self.discovery.next_asks() {
            self.put(ask);
        }
    }

    fn put(&mut self, ask: Ask) {
        let sender = self.sender;
        let id = ask.id;
        if matches!(ask.query, Query::StsPolicy { .. }) {
            self.fetching += 1;
        }
        self.in_flight.push(match ask.query {
            Query::Dns {
                question,
                freshness,
            } => Box::pin(async move {
                let freshness = match freshness {
                    AskFreshness::Cached => Freshness::Cached,
                    AskFreshness::Fresh => Freshness::Fresh,
                };
                let answer = sender.resolver.lookup(&question, freshness).await;
                (id, Reply::Dns(answer))
            }),
            Query::StsPolicy {
                domain,
                id: version,
            } => Box::pin(async move {
                let fetch = sender.fetch_policy(&domain, &version).await;
                (id, Reply::StsPolicy(fetch))
            }),
        });
    }

    fn take(&mut self, id: AskId, reply: Reply) {
        if let Reply::Dns(answer) = &reply {
            self.overheard.hear(answer);
        }
        let seconds = match &reply {
            Reply::Dns(answer) => answer.ttl().unwrap_or(FAILURE_HOLDS),
            // How long a policy binds is its own word (`max_age`).
            Reply::StsPolicy(StsFetch::Fetched(_)) => u32::MAX,
            Reply::StsPolicy(StsFetch::Failed(_)) => FAILURE_HOLDS,
        };
        let until = Instant::now() + Duration::from_secs(u64::from(seconds));
        self.holds_until = Some(self.holds_until.map_or(until, |held| held.min(until)));
        if let Reply::StsPolicy(fetch) = &reply {
            self.fetching = self.fetching.saturating_sub(1);
            self.last_fetch = Some(fetch.clone());
            if let StsFetch::Fetched(octets) = fetch {
                self.fetched = Some(octets.clone());
            }
        }
        self.discovery
            .handle_reply(id, reply, self.sender.clock.now());
        self.keep_policy();
    }

    /// Stores a policy that was just fetched, beside everything else;
    /// [`settle`](Self::settle) hears how that went.
    fn keep_policy(&mut self) {
        let (Some(update), Some(_)) = (self.discovery.sts_update(), &self.fetched) else {
            return;
        };
        let update = update.clone();
        let body = self.fetched.take().unwrap_or_default();
        let policies = Arc::clone(&self.sender.policies);
        self.stores.push(tokio::spawn(async move {
            let error = policies.save(&update, body).await.err()?;
            let subject = update.domain.to_string();
            Some(Finding::new(
                Rule::StsCacheUnwritable,
                subject,
                error.to_string(),
            ))
        }));
    }

    /// Waits for the next host until `deadline`.
    pub(super) async fn next_host(&mut self, index: usize, deadline: Instant) -> NextHost {
        self.next_host_telling(index, deadline, &mut |_, _| {})
            .await
    }

    /// The same; `decided` hears of the plan of any host, once, as soon as it is made.
    pub(super) async fn next_host_telling(
        &mut self,
        index: usize,
        deadline: Instant,
        decided: &mut impl FnMut(usize, &HostPlan),
    ) -> NextHost {
        loop {
            self.tell(decided);
            if let HostState::Decided(plan) = self.discovery.host(index) {
                let plan = Box::new(plan.clone());
                // A policy that is refreshed ahead of its end holds up nobody.
                if let Some(fetch) = self.discovery.next_fetch() {
                    self.put(fetch);
                }
                return NextHost::Plan(plan);
            }
            match self.discovery.route() {
                Route::Bounce(refusal) => {
                    return NextHost::Refused(Verdict::Bounce, refusal.clone());
                }
                Route::Defer(refusal) => return NextHost::Refused(Verdict::Defer, refusal.clone()),
                Route::Hosts { count } if index >= count => return NextHost::None,
                Route::Hosts { .. } | Route::Undecided => {}
            }
            self.ask();
            match timeout_at(deadline, self.in_flight.next()).await {
                Ok(Some((id, reply))) => self.take(id, reply),
                // Nothing is open and nothing decided: the engine has no more to say.
                Ok(None) => return NextHost::None,
                Err(_) => return NextHost::TimedOut,
            }
        }
    }

    fn tell(&mut self, decided: &mut impl FnMut(usize, &HostPlan)) {
        let count = match self.discovery.route() {
            Route::Hosts { count } => count,
            // Hosts keep their plans when every one of them is to be skipped.
            Route::Bounce(_) | Route::Defer(_) | Route::Undecided => (0..)
                .take_while(|index| match self.discovery.host(*index) {
                    HostState::Decided(_) => true,
                    HostState::Undecided => false,
                })
                .count(),
        };
        self.told.resize(count.max(self.told.len()), false);
        for (index, told) in self.told.iter_mut().enumerate().filter(|(_, told)| !**told) {
            if let HostState::Decided(plan) = self.discovery.host(index) {
                *told = true;
                decided(index, plan);
            }
        }
    }

    /// Runs `work` to its end while answers to open questions are still taken, so that none of
    /// them runs into its own deadline unread.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                result = &mut work => return result,
                Some((id, reply)) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                    self.take(id, reply);
                }
            }
        }
    }

    /// Takes the answers to questions that the engine no longer waits for, until `deadline`: they
    /// were put, and whoever shows what was asked shows what was answered.
    pub(super) async fn hear_out(&mut self, deadline: Instant) {
        while let Ok(Some((id, reply))) = timeout_at(deadline, self.in_flight.next()).await {
            self.take(id, reply);
        }
    }

    /// Gives a policy that is being refreshed a little time, so that it is not fetched in vain,
    /// and reaches the disk.
    /// Questions about hosts that nobody needs any more are not waited for.
    pub(super) async fn settle(&mut self, grace: Duration) {
        let until = Instant::now() + grace;
        while self.fetching > 0 {
            match timeout_at(until, self.in_flight.next()).await {
                Ok(Some((id, reply))) => self.take(id, reply),
                Ok(None) | Err(_) => break,
            }
        }
        while let Ok(Some(stored)) = timeout_at(until, self.stores.next()).await {
            // A thread that ended by a panic has stored nothing; the next fetch does it again.
            self.findings.extend(stored.ok().flatten());
        }
    }

    /// The finding that the host at `index` is weaker than a better one promised.
    pub(super) fn weaker(&self, index: usize) -> Option<Finding> {
        self.discovery.weaker_than_better(index)
    }

    /// The policy that applies.
    pub(super) fn sts_policy(&self) -> Option<&CachedPolicy> {
        self.discovery.sts_policy()
    }

    /// What the fetch of a policy came to, when one was made.
    pub(super) const fn fetch(&self) -> Option<&StsFetch> {
        self.last_fetch.as_ref()
    }

    /// The answers so far, as far as reports about TLS speak of them.
    pub(super) const fn overheard(&self) -> &Overheard {
        &self.overheard
    }

    /// What reports about TLS say of the domain.
    pub(super) fn account(&self) -> DomainAccount {
        let policy = self.sts_policy().map(|cached| &cached.policy);
        DomainAccount {
            policy_domain: self.policy_domain.clone(),
            sts: sts_account(policy, self.fetch(), self.discovery.findings()),
            failed_lookups: self.overheard.failed.clone(),
        }
    }

    /// For how long all that was answered so far may be reused: the least of its TTLs, of the age
    /// that the MTA-STS policy may still reach, and seconds where something failed.
    pub(super) fn holds(&self) -> Duration {
        let answers = self.holds_until.map_or(Duration::MAX, |until| {
            until.saturating_duration_since(Instant::now())
        });
        let now = self.sender.clock.now();
        let policy = self.sts_policy().map_or(Duration::MAX, |policy| {
            let left = policy.expires_at().0.saturating_sub(now.0);
            Duration::from_secs(u64::try_from(left).unwrap_or(0))
        });
        answers.min(policy)
    }

    /// What the engine decided about the domain as a whole, if it did.
    pub(super) fn refusal(&self) -> Option<(Verdict, Refusal)> {
        match self.discovery.route() {
            Route::Bounce(refusal) => Some((Verdict::Bounce, refusal.clone())),
            Route::Defer(refusal) => Some((Verdict::Defer, refusal.clone())),
            Route::Hosts { .. } | Route::Undecided => None,
        }
    }

    /// Everything noticed about the domain.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut all = self.findings.clone();
        all.extend_from_slice(self.discovery.findings());
        all
    }
}

/// The policy stored for `domain`, whatever its age; damage is a finding.
async fn stored(
    sender: &Sender,
    domain: &DomainName,
    findings: &mut Vec<Finding>,
) -> Option<CachedPolicy> {
    let (rule, evidence) = match sender.policies.load(domain).await {
        Ok(policy) => {
            if policy.is_some() {
                sender.policies.note_use(domain, sender.clock.now());
            }
            return policy;
        }
        Err(Unusable::Content(why)) => (Rule::StsCacheDamaged, why),
        Err(Unusable::Store(error)) => {
            let rule = match error {
                CacheError::Damaged { .. } => Rule::StsCacheDamaged,
                CacheError::Io { .. } => Rule::StsCacheUnreadable,
            };
            (rule, error.to_string())
        }
    };
    findings.push(Finding::new(rule, domain.as_str(), evidence));
    None
}
