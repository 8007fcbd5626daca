//! Iteration from the root: which zone's servers to ask next, and what their replies mean
//! (RFC 1034 §5.3.3, RFC 9156).

mod referral;

pub(super) use referral::{Delegation, ReferralProof, Source};

use super::config::Minimisation;
use super::core::{Core, Found, Reply as CoreReply, Trouble, Work};
use super::exchange::Fault;
use super::fetch::without;
use super::nets::may_contact;
use super::route::RouteKind;
use super::servers::port_53;
use super::validate::negative_ttl;
use super::wire::{Message, Name, QueryBits, Question, Rcode, rtype};
use elsinore_dane::security::Cause;
use futures_util::future::{BoxFuture, join_all};
use referral::{MOST_ADDRESSES, Reply, ServerAddresses};
use std::net::SocketAddr;
use std::sync::Arc;

/// Zones of fewer labels than this see only as much of the name as they need.
const MINIMISED_ABOVE: usize = 2;
/// Labels added one by one before the whole name is asked.
const MINIMISED_STEPS: usize = 2;
/// Names of servers without address that are resolved for one delegation.
const RESOLVED_SERVERS: usize = 3;

impl Core {
    /// Finds the reply to `question` at the servers of the zone it belongs to.
    pub(super) fn iterate<'a>(
        &'a self,
        question: &'a Question,
        avoid: &'a [SocketAddr],
        work: &'a Work,
        depth: u8,
    ) -> BoxFuture<'a, Result<Found, Trouble>> {
        Box::pin(async move {
            let mut zone = self.closest_delegation(question);
            if zone.source == Source::Route(RouteKind::Forward) {
                let servers = without(&zone.fixed, avoid);
                return self
                    .ask_recursive(&zone.zone, &servers, question, work)
                    .await;
            }
            let mut shown = zone.zone.label_count() + 1;
            let mut steps = 0;
            for _ in 0..work.budget.limits.referrals {
                let asked = self.minimised(question, &zone.zone, shown, steps);
                let whole = asked == *question;
                let avoid = if whole { avoid } else { &[] };
                let outcome = self.ask_zone(&zone, &asked, avoid, work, depth).await;
                let CoreReply { message, server } = match outcome {
                    Ok(reply) => reply,
                    Err(trouble) if whole => {
                        // The servers may have moved since the delegation was learnt.
                        self.cache.forget::<Delegation>(&zone.zone);
                        return Err(trouble);
                    }
                    Err(_) => {
                        steps = MINIMISED_STEPS;
                        continue;
                    }
                };
                match referral::classify(&message, &zone.zone, &asked) {
                    Reply::Referral(next) => {
                        if next.has_ds() {
                            // The lookup may be over; then nobody needs the keys any more.
                            let _ = work.wanted_keys.send(next.zone.clone());
                        }
                        zone = self.keep_delegation(&zone, next);
                        shown = zone.zone.label_count() + 1;
                        steps = 0;
                    }
                    _ if whole => {
                        return Ok(Found {
                            message,
                            bailiwick: zone.zone.clone(),
                            server,
                        });
                    }
                    // A broken server may deny an empty non-terminal: only the whole name counts.
                    Reply::Lame(_) => steps = MINIMISED_STEPS,
                    Reply::Answer if message.rcode != Rcode::NOERROR => steps = MINIMISED_STEPS,
                    Reply::Answer => {
                        shown += 1;
                        steps += 1;
                    }
                }
            }
            let limit = work.budget.limits.referrals;
            Err(
                Trouble::new(format!("{question}: more than {limit} referrals"))
                    .because(Cause::Limit),
            )
        })
    }

    /// The deepest known delegation above the name; for DS strictly above (RFC 4035 §4.2).
    fn closest_delegation(&self, question: &Question) -> Arc<Delegation> {
        let labels = question.name.label_count();
        let deepest = if question.rtype == rtype::DS {
            labels.saturating_sub(1)
        } else {
            labels
        };
        let route = self.routes.covering(question);
        let top = route.map_or(0, |route| route.zone.label_count());
        if let Some(route) = route.filter(|r| r.source == Source::Route(RouteKind::Forward)) {
            return Arc::clone(route);
        }
        for count in (top + 1..=deepest).rev() {
            if let Some(delegation) = self.known_delegation(&question.name.suffix(count)) {
                return delegation;
            }
        }
        route.map_or_else(
            || Arc::new(Delegation::root(self.config.hints.addresses())),
            Arc::clone,
        )
    }

    /// The known delegation of `zone` itself.
    pub(super) fn known_delegation(&self, zone: &Name) -> Option<Arc<Delegation>> {
        let found = self.cache.find::<Delegation>(zone);
        found.map(|(delegation, _)| delegation)
    }

    /// Asks the servers of a zone; whoever asks the same at the same time shares the reply.
    async fn ask_zone(
        &self,
        zone: &Arc<Delegation>,
        question: &Question,
        avoid: &[SocketAddr],
        work: &Work,
        depth: u8,
    ) -> Result<CoreReply, Trouble> {
        let accept = |message: &Message| match message.rcode {
            _ if message.is_answer() => match referral::classify(message, &zone.zone, question) {
                Reply::Lame(text) => Err(Fault::Lame(text)),
                Reply::Answer | Reply::Referral(_) => Ok(()),
            },
            other => Err(Fault::Refused(other, message.ede.clone())),
        };
        let (known, missing) = self.addresses(zone);
        let known = without(&known, avoid);
        let mut last = None;
        if !known.is_empty() {
            let asked = self.joined(&zone.zone, &known, question, || {
                self.ask_servers(&known, question, QueryBits::Iterative, work, &accept)
            });
            match asked.await {
                Ok(reply) => return Ok(reply),
                Err(trouble) => last = Some(trouble),
            }
        }
        let resolved = self.resolve_servers(&missing, work, depth).await;
        let resolved = without(&resolved, avoid);
        if resolved.is_empty() {
            return Err(last.unwrap_or_else(|| {
                Trouble::new(format!(
                    "{question}: no name server of {} has an address that may be contacted",
                    zone.zone
                ))
            }));
        }
        self.joined(&zone.zone, &resolved, question, || {
            self.ask_servers(&resolved, question, QueryBits::Iterative, work, &accept)
        })
        .await
    }

    /// The addresses that came with the delegation, and the servers that need resolving.
    fn addresses(&self, zone: &Delegation) -> (Vec<SocketAddr>, Vec<Name>) {
        let known = zone
            .servers
            .iter()
            .flat_map(|(_, addresses)| addresses)
            .filter(|address| may_contact(**address, &self.config.allow_nets))
            .map(|address| port_53(*address))
            // Hints and routes are the administrator's word, not a stranger's.
            .chain(zone.fixed.iter().copied())
            .collect();
        let missing = zone
            .servers
            .iter()
            // A server below its own zone cannot be found without glue.
            .filter(|(name, addresses)| addresses.is_empty() && !name.is_at_or_below(&zone.zone))
            .map(|(name, _)| name.clone())
            .take(RESOLVED_SERVERS)
            .collect();
        (known, missing)
    }

    async fn resolve_servers(&self, names: &[Name], work: &Work, depth: u8) -> Vec<SocketAddr> {
        if depth >= work.budget.limits.depth {
            return Vec::new();
        }
        let questions: Vec<Question> = names
            .iter()
            .flat_map(|name| {
                [rtype::AAAA, rtype::A].map(|rtype| Question {
                    name: name.clone(),
                    rtype,
                })
            })
            .collect();
        let found = join_all(
            questions
                .iter()
                .map(|question| self.server_addresses(question, work, depth + 1)),
        )
        .await;
        let addresses = found.iter().flat_map(|list| list.0.iter().copied());
        addresses
            .filter(|address| may_contact(*address, &self.config.allow_nets))
            .map(port_53)
            .collect()
    }

    /// The addresses of a name server. Whom to ask needs no proof; these never answer a question.
    async fn server_addresses(
        &self,
        question: &Question,
        work: &Work,
        depth: u8,
    ) -> Arc<ServerAddresses> {
        if let Some((known, _)) = self.cache.find::<ServerAddresses>(question) {
            return known;
        }
        let Ok(found) = self.fetch_at_depth(question, work, depth).await else {
            return Arc::default();
        };
        let message: &Message = &found.message;
        let records = Message::rrset(&message.answer, &question.name, question.rtype);
        let ttl = records.iter().map(|record| record.ttl).min();
        let addresses = records.into_iter().filter_map(referral::address);
        let addresses = Arc::new(ServerAddresses(addresses.take(MOST_ADDRESSES).collect()));
        let ttl = ttl.unwrap_or_else(|| negative_ttl(message));
        self.cache.keep(question, Arc::clone(&addresses), ttl);
        addresses
    }

    /// The question as the servers of `zone` get to see it.
    fn minimised(&self, question: &Question, zone: &Name, shown: usize, steps: usize) -> Question {
        let labels = question.name.label_count();
        if self.config.minimisation == Minimisation::Off
            || zone.label_count() >= MINIMISED_ABOVE
            || steps >= MINIMISED_STEPS
            || shown >= labels
        {
            return question.clone();
        }
        Question {
            name: question.name.suffix(shown),
            rtype: rtype::A,
        }
    }
}
