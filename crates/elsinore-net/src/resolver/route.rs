//! Zones that are asked for at servers of the administrator's choice instead of by iterating
//! from the root: a private zone, or a resolver that alone knows a part of the tree.

use super::iterate::Delegation;
use super::wire::{Name, Question, rtype};
use elsinore_dane::name::DomainName;
use std::net::SocketAddr;
use std::sync::Arc;

/// What the servers of a [`Route`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// Authoritative servers of the zone: they are asked without RD, and their referrals lead on.
    Stub,
    /// Recursive resolvers: they are asked with RD and CD, and whatever lies below the zone is
    /// theirs to find.
    Forward,
}

/// Names at and below `zone` are asked for at `servers`. The DS of `zone` itself belongs to the
/// zone above (RFC 4035 §4.2) and is asked for there. Validation is the same as everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The name at and below which the route holds; the deepest of several counts.
    pub zone: DomainName,
    /// Authoritative servers or recursive ones.
    pub kind: RouteKind,
    /// Where they are; exempt from `allow_nets`, being the administrator's word.
    pub servers: Vec<SocketAddr>,
}

/// The routes of a configuration, deepest first.
#[derive(Debug, Default)]
pub(super) struct Routes(Vec<Arc<Delegation>>);

impl Routes {
    pub(super) fn new(routes: &[Route]) -> Self {
        let mut known: Vec<Arc<Delegation>> = routes
            .iter()
            .map(|route| {
                Arc::new(Delegation::route(
                    Name::from_domain(&route.zone),
                    route.kind,
                    &route.servers,
                ))
            })
            .collect();
        known.sort_by_key(|route| std::cmp::Reverse(route.zone.label_count()));
        Self(known)
    }

    /// The deepest route at or above the name of `question`; for DS strictly above it.
    pub(super) fn covering(&self, question: &Question) -> Option<&Arc<Delegation>> {
        self.0.iter().find(|route| {
            if question.rtype == rtype::DS && !question.name.is_root() {
                question.name.is_below(&route.zone)
            } else {
                question.name.is_at_or_below(&route.zone)
            }
        })
    }
}
