//! The world of a bundle: everything as it was recorded, nobody to ask.

use super::setting::DnsMode;
use super::{Bundle, VisitKey};
use crate::world::{Manners, Visit, World};
use elsinore_dane::mta_sts::{StsFetch, StsFetchError};
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::FixedClock;
use elsinore_net::deliver::Sounding;
use elsinore_net::dialer::MappedDialer;
use elsinore_net::doctor::triage::Blame;
use elsinore_net::resolver::tape::Recording;
use elsinore_net::resolver::{ConfigError, Mode, Resolver, ResolverConfig, RootHints, Tape};
use futures_util::future::BoxFuture;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Whom the reader of a bundle trusts: his own resolver settings, of which the anchors, the
/// negative anchors, the algorithms and the bounds count. Where to ask is the bundle's.
#[derive(Debug, Clone)]
pub struct ReplayTrust(pub ResolverConfig);

/// The world of a bundle.
#[derive(Debug)]
pub struct ReplayedWorld {
    began: UnixTime,
    resolver: Arc<Resolver>,
    visits: Mutex<HashMap<VisitKey, VecDeque<Vec<Sounding>>>>,
    policies: Mutex<HashMap<DomainName, VecDeque<StsFetch>>>,
    manners: Manners,
    blame: Blame,
}

impl ReplayedWorld {
    /// The world of `bundle`, judged by `trust` at the moment that the bundle is about.
    ///
    /// # Errors
    /// [`ConfigError`] when the reader's own settings cannot work: no anchor.
    pub fn new(bundle: &Bundle, trust: &ReplayTrust) -> Result<Self, ConfigError> {
        let mut upstreams: Vec<SocketAddr> =
            bundle.dns.iter().filter_map(|entry| entry.server).collect();
        upstreams.sort_unstable();
        upstreams.dedup();
        if upstreams.is_empty() {
            // Nobody is asked; the mode only wants to know of somebody.
            upstreams.push(SocketAddr::from(([127, 0, 0, 1], 53)));
        }
        let config = ResolverConfig {
            // An AD bit in a file proves nothing: everything is validated.
            mode: match bundle.setting.dns {
                DnsMode::Recursive => Mode::Recursive,
                DnsMode::Forward | DnsMode::Ad => Mode::Forward,
            },
            hints: RootHints::shipped(),
            upstreams,
            routes: Vec::new(),
            tape: Tape::Replay(Arc::new(Recording::new(bundle.dns.iter().cloned()))),
            ..trust.0.clone()
        };
        // A map without an entry: no address can be reached through it.
        let nowhere = Arc::new(MappedDialer::default());
        let resolver = Resolver::new(config, nowhere, Arc::new(FixedClock(bundle.began)))?;
        let mut visits: HashMap<_, VecDeque<_>> = HashMap::new();
        for visited in &bundle.visits {
            let queue = visits.entry(visited.key.clone()).or_default();
            queue.push_back(visited.soundings.clone());
        }
        let mut policies: HashMap<_, VecDeque<_>> = HashMap::new();
        for (domain, fetch) in &bundle.policies {
            let queue = policies.entry(domain.clone()).or_default();
            queue.push_back(fetch.clone());
        }
        Ok(Self {
            began: bundle.began,
            resolver: Arc::new(resolver),
            visits: Mutex::new(visits),
            policies: Mutex::new(policies),
            manners: bundle.manners.clone(),
            blame: bundle.blame.clone().unwrap_or(Blame::Unknown),
        })
    }
}

/// The next of what was recorded; the last of it again and again.
fn next<T: Clone>(queue: &mut VecDeque<T>) -> Option<T> {
    if queue.len() > 1 {
        queue.pop_front()
    } else {
        queue.front().cloned()
    }
}

impl World for ReplayedWorld {
    fn now(&self) -> UnixTime {
        self.began
    }

    fn resolver(&self) -> &Arc<Resolver> {
        &self.resolver
    }

    /// The soundings of that visit; none where it is not in the bundle, so that nothing can be said
    /// of the address.
    fn visit<'a>(&'a self, visit: &'a Visit<'a>) -> BoxFuture<'a, Vec<Sounding>> {
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        let found = visits.get_mut(&VisitKey::of(visit)).and_then(next);
        Box::pin(std::future::ready(found.unwrap_or_default()))
    }

    fn fetch_policy<'a>(&'a self, domain: &'a DomainName) -> BoxFuture<'a, StsFetch> {
        let mut policies = self.policies.lock().unwrap_or_else(PoisonError::into_inner);
        let found = policies.get_mut(domain).and_then(next);
        let absent = || {
            let text = "the fetch is not in the bundle".to_owned();
            StsFetch::Failed(StsFetchError::Connect(text))
        };
        Box::pin(std::future::ready(found.unwrap_or_else(absent)))
    }

    fn manners(&self) -> Manners {
        self.manners.clone()
    }

    fn blame(&self) -> BoxFuture<'_, Blame> {
        Box::pin(std::future::ready(self.blame.clone()))
    }
}
