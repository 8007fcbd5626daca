//! One search from next hop to plans, with the real resolver in one of its modes.

use crate::net::MemoryNet;
use crate::worlds::{NOW, authority, name};
use elsinore_dane::answer::{Answer, Question};
use elsinore_dane::discovery::{
    AskFreshness, AskId, Discovery, DiscoveryPolicy, Query, Reply, Route,
};
use elsinore_dane::mta_sts::{StsFetch, StsFetchError};
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::obligation::Obligation;
use elsinore_dane::plan::{EnhancedCode, HostPlan};
use elsinore_net::clock::FixedClock;
use elsinore_net::resolver::{
    Freshness, Mode, Resolver, ResolverConfig, RootHints, SecureResolver, TrustAnchors,
};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Where the upstream resolver of the modes forward and ad is.
pub(crate) const UPSTREAM: &str = "127.0.0.1:53";

/// Round trips of one search, at most.
const MOST_REPLIES: usize = 200;

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Hosts,
    Bounce(EnhancedCode),
    Defer(EnhancedCode),
}

/// What came of a search.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    pub(crate) plans: Vec<HostPlan>,
    pub(crate) answers: BTreeMap<Question, Answer>,
}

pub(crate) fn config(mode: Mode) -> ResolverConfig {
    static COMMON: OnceLock<ResolverConfig> = OnceLock::new();
    let common = COMMON.get_or_init(|| {
        let authority = authority();
        let tree = authority.tree();
        ResolverConfig {
            hints: RootHints::parse(&tree.root_hints()).expect("hints"),
            anchors: TrustAnchors::parse(&tree.trust_anchor()).expect("anchor"),
            upstreams: vec![UPSTREAM.parse().expect("address")],
            allow_nets: ["192.0.2.0/24", "198.51.100.0/24"]
                .map(|net| net.parse().expect("net"))
                .to_vec(),
            ..ResolverConfig::default()
        }
    });
    ResolverConfig {
        mode,
        ..common.clone()
    }
}

pub(crate) fn resolver(config: ResolverConfig, net: MemoryNet) -> Resolver {
    Resolver::new(config, Arc::new(net), Arc::new(FixedClock(NOW))).expect("config")
}

/// The search for the hosts of `domain`.
pub(crate) fn search(domain: &str) -> Discovery {
    let hop = NextHop::domain(name(domain));
    Discovery::new(hop, DiscoveryPolicy::default(), None, 1, NOW)
}

/// Drives a search until nothing is undecided, all open questions in flight at once. Policies of
/// MTA-STS cannot be fetched.
pub(crate) async fn drive(mut discovery: Discovery, resolver: &dyn SecureResolver) -> Outcome {
    let mut answers = BTreeMap::new();
    let mut in_flight: FuturesUnordered<BoxFuture<'_, (AskId, Reply)>> = FuturesUnordered::new();
    for _ in 0..MOST_REPLIES {
        if discovery.is_finished() {
            break;
        }
        for ask in discovery.next_asks() {
            let id = ask.id;
            in_flight.push(match ask.query {
                Query::Dns {
                    question,
                    freshness,
                } => Box::pin(async move {
                    let freshness = match freshness {
                        AskFreshness::Cached => Freshness::Cached,
                        AskFreshness::Fresh => Freshness::Fresh,
                    };
                    (id, Reply::Dns(resolver.lookup(&question, freshness).await))
                }),
                Query::StsPolicy { .. } => Box::pin(async move {
                    let failed = StsFetch::Failed(StsFetchError::Status(404));
                    (id, Reply::StsPolicy(failed))
                }),
            });
        }
        let Some((id, reply)) = in_flight.next().await else {
            break;
        };
        if let Reply::Dns(answer) = &reply {
            answers.insert(answer.question.clone(), answer.clone());
        }
        discovery.handle_reply(id, reply, NOW);
    }
    assert!(discovery.is_finished(), "stuck: {:?}", discovery.route());
    let end = match discovery.route() {
        Route::Bounce(refusal) => End::Bounce(refusal.code),
        Route::Defer(refusal) => End::Defer(refusal.code),
        Route::Hosts { .. } | Route::Undecided => End::Hosts,
    };
    Outcome {
        end,
        plans: discovery.plans().cloned().collect(),
        answers,
    }
}

/// The outcome in one line, hosts by name.
pub(crate) fn describe(outcome: &Outcome) -> String {
    let mut hosts: Vec<String> = outcome.plans.iter().map(describe_plan).collect();
    hosts.sort();
    match outcome.end {
        End::Hosts => hosts.join(", "),
        End::Bounce(code) if hosts.is_empty() => format!("bounce {code}"),
        End::Defer(code) if hosts.is_empty() => format!("defer {code}"),
        End::Bounce(code) => format!("bounce {code}: {}", hosts.join(", ")),
        End::Defer(code) => format!("defer {code}: {}", hosts.join(", ")),
    }
}

fn describe_plan(plan: &HostPlan) -> String {
    let obligation = match &plan.obligation {
        Obligation::Skip(reason) => format!("skip({})", reason.word()),
        Obligation::Authenticate(requirements) => match &requirements.dane {
            Some(dane) if dane.mx_secure => format!("dane[{}]", dane.base_domain),
            Some(dane) => format!("halfdane[{}]", dane.base_domain),
            None => "authenticate without DANE".to_owned(),
        },
        other => other.word().to_owned(),
    };
    format!("{} {obligation}", plan.mx_host)
}
