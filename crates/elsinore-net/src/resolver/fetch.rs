//! One question in, one reply out, whichever way replies are had: iterating or from an upstream.
//! Replies are kept for a short while, and the same question is never under way twice.

use super::Freshness;
use super::config::Mode;
use super::core::{Core, Found, Reply, Trouble, Work};
use super::exchange::Fault;
use super::servers::Errand;
use super::tape::{Asked, Taped};
use super::wire::{Message, Name, QueryBits, Question, Rcode, rtype};
use elsinore_dane::security::Cause;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

/// Longest reuse of a raw reply, in seconds: what is judged from it has caches of its own.
const LONGEST_REPLY: u32 = 60;

impl Core {
    /// The reply to `question`, from the short-lived reply cache or from the servers.
    pub(super) async fn fetch(&self, question: &Question, work: &Work) -> Result<Found, Trouble> {
        self.fetch_at_depth(question, work, 0).await
    }

    /// The reply to a question of the lookup itself: [`Freshness::Fresh`] passes by the cache.
    pub(super) async fn fetch_answer(
        &self,
        question: &Question,
        work: &Work,
    ) -> Result<Found, Trouble> {
        if work.freshness == Freshness::Fresh {
            self.cache.forget::<Found>(question);
        }
        self.fetch(question, work).await
    }

    /// The reply to `question` from servers other than `avoid`, past the cache: for when the
    /// replies of those were bogus, for others of the same zone may do better. The cache keeps the
    /// new reply.
    ///
    /// # Errors
    /// [`Trouble`] when there is no other server, or none of them gives a reply.
    pub(super) async fn fetch_avoiding(
        &self,
        question: &Question,
        avoid: &[SocketAddr],
        work: &Work,
    ) -> Result<Found, Trouble> {
        work.may_ask(question)?;
        let found = self.find(question, avoid, work, 0).await?;
        self.keep_reply(question, &found);
        Ok(found)
    }

    pub(super) async fn fetch_at_depth(
        &self,
        question: &Question,
        work: &Work,
        depth: u8,
    ) -> Result<Found, Trouble> {
        if let Some((found, _)) = self.cache.find::<Found>(question) {
            return Ok(Found::clone(&found));
        }
        work.may_ask(question)?;
        let found = self.find(question, &[], work, depth).await?;
        self.keep_reply(question, &found);
        Ok(found)
    }

    fn keep_reply(&self, question: &Question, found: &Found) {
        let ttl = ttl(&found.message);
        self.cache.keep(question, Arc::new(found.clone()), ttl);
    }

    async fn find(
        &self,
        question: &Question,
        avoid: &[SocketAddr],
        work: &Work,
        depth: u8,
    ) -> Result<Found, Trouble> {
        match self.config.mode {
            Mode::Recursive => self.iterate(question, avoid, work, depth).await,
            Mode::Forward if self.routes.covering(question).is_some() => {
                self.iterate(question, avoid, work, depth).await
            }
            Mode::Forward => {
                self.ask_upstream(question, QueryBits::Unchecked, avoid, work)
                    .await
            }
            Mode::Ad => {
                self.ask_upstream(question, QueryBits::Checked, avoid, work)
                    .await
            }
        }
    }

    /// Asks the recursive resolvers that names below `zone` are routed to.
    pub(super) async fn ask_recursive(
        &self,
        zone: &Name,
        servers: &[SocketAddr],
        question: &Question,
        work: &Work,
    ) -> Result<Found, Trouble> {
        self.ask_resolvers(zone, servers, question, QueryBits::Unchecked, work)
            .await
    }

    pub(super) async fn ask_resolvers(
        &self,
        zone: &Name,
        servers: &[SocketAddr],
        question: &Question,
        bits: QueryBits,
        work: &Work,
    ) -> Result<Found, Trouble> {
        let accept = |message: &Message| match message.rcode {
            // Who does not recurse has looked nothing up: an empty reply of his denies nothing, but
            // for one that brings its own proof to where proofs are checked.
            Rcode::NOERROR | Rcode::NXDOMAIN
                if !message.recursion_available
                    && message.answer.is_empty()
                    && !(bits == QueryBits::Unchecked && brings_proof(message)) =>
            {
                Err(Fault::Lame("no recursion available"))
            }
            _ if message.is_answer() => Ok(()),
            other => Err(Fault::Refused(other, message.ede.clone())),
        };
        let taped = Taped {
            asked: Asked::Resolvers(zone.to_domain()),
            question,
            may_answer: &|server| servers.contains(&server),
            accept: &accept,
        };
        let ask = || {
            self.joined(zone, servers, question, || {
                let errand = Errand {
                    zone,
                    question,
                    bits,
                    accept: &accept,
                };
                self.ask_servers(servers, errand, work)
            })
        };
        let Reply { message, server } = self.taped(taped, work, ask).await?;
        Ok(Found {
            message,
            bailiwick: zone.clone(),
            server,
        })
    }

    /// Runs `ask`, or waits for the one who already does. When that one is dropped half-way, the
    /// next takes over. Who asks other servers does not join.
    pub(super) async fn joined<F>(
        &self,
        zone: &Name,
        servers: &[SocketAddr],
        question: &Question,
        ask: impl FnOnce() -> F,
    ) -> Result<Reply, Trouble>
    where
        F: Future<Output = Result<Reply, Trouble>>,
    {
        let mut hasher = DefaultHasher::new();
        servers.hash(&mut hasher);
        let key = (zone.clone(), question.clone(), hasher.finish());
        let cell = Arc::clone(self.under_way().entry(key.clone()).or_default());
        let waiting = Leave {
            core: self,
            key,
            cell,
        };
        // A lookup that has spent its own budget leaves the question to the next who waits.
        let shared = || async {
            match ask().await {
                Err(trouble) if trouble.cause == Cause::Limit => Err(trouble),
                outcome => Ok(outcome),
            }
        };
        waiting.cell.get_or_try_init(shared).await?.clone()
    }
}

/// Whether an empty reply brings the proof of what it denies, and is no referral.
fn brings_proof(message: &Message) -> bool {
    let is_referral = message
        .authority
        .iter()
        .any(|record| record.rtype == rtype::NS);
    message.has_proof() && !is_referral
}

/// Takes the entry out of the table when its question is answered or nobody waits any more.
struct Leave<'a> {
    core: &'a Core,
    key: (Name, Question, u64),
    cell: super::core::InFlight,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut under_way = self.core.under_way();
        let is_mine = under_way
            .get(&self.key)
            .is_some_and(|cell| Arc::ptr_eq(cell, &self.cell));
        // Two owners are the table and this very guard.
        if is_mine && (self.cell.initialized() || Arc::strong_count(&self.cell) <= 2) {
            under_way.remove(&self.key);
        }
    }
}

/// The servers that are not among `avoid`.
pub(super) fn without(servers: &[SocketAddr], avoid: &[SocketAddr]) -> Vec<SocketAddr> {
    let kept = servers.iter().filter(|server| !avoid.contains(server));
    kept.copied().collect()
}

fn ttl(message: &Message) -> u32 {
    let records = message.answer.iter().chain(&message.authority);
    records
        .map(|record| record.ttl)
        .min()
        .unwrap_or(0)
        .min(LONGEST_REPLY)
}
