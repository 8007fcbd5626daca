//! From a delegation to a reply: the addresses that came with it, then those of its servers that
//! are found out one by one, as long as nobody has given a usable reply.

use super::referral::{self, Delegation, MOST_ADDRESSES, Reply as Sense, ServerAddresses};
use crate::resolver::core::{Core, Reply, Trouble, Work};
use crate::resolver::exchange::Fault;
use crate::resolver::fetch::without;
use crate::resolver::nets::may_contact;
use crate::resolver::servers::{Errand, port_53};
use crate::resolver::tape::{Asked, Taped};
use crate::resolver::validate::negative_ttl;
use crate::resolver::wire::{Message, Name, QueryBits, Question, rtype};
use elsinore_dane::security::Cause;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::{Duration, Instant, sleep_until};

/// Names of servers that are resolved for one delegation.
const RESOLVED_SERVERS: usize = 4;
/// Time after which the next name of a server is resolved beside the one before.
const STAGGER: Duration = Duration::from_millis(1_000);
/// Alias links followed from the name of a server. RFC 2181 §10.3 forbids the first; those who
/// have one are reached all the same.
const SERVER_ALIASES: usize = 4;

impl Core {
    /// Asks the servers of a zone, or a recording of that.
    pub(super) async fn ask_zone(
        &self,
        zone: &Arc<Delegation>,
        question: &Question,
        avoid: &[SocketAddr],
        work: &Work,
        depth: u8,
    ) -> Result<Reply, Trouble> {
        let accept = |message: &Message| match message.rcode {
            _ if message.is_answer() => match referral::classify(message, &zone.zone, question) {
                Sense::Lame(text) => Err(Fault::Lame(text)),
                Sense::Answer | Sense::Referral(_) => Ok(()),
            },
            other => Err(Fault::Refused(other, message.ede.clone())),
        };
        let errand = Errand {
            zone: &zone.zone,
            question,
            bits: QueryBits::Iterative,
            accept: &accept,
        };
        let taped = Taped {
            asked: Asked::Zone(zone.zone.to_domain()),
            question,
            may_answer: &|server| !avoid.contains(&server),
            accept: &accept,
        };
        let ask = || self.contact(zone, errand, avoid, work, depth);
        self.taped(taped, work, ask).await
    }

    /// Asks the servers of a zone; whoever asks the same at the same time shares the reply.
    async fn contact(
        &self,
        zone: &Arc<Delegation>,
        errand: Errand<'_>,
        avoid: &[SocketAddr],
        work: &Work,
        depth: u8,
    ) -> Result<Reply, Trouble> {
        let question = errand.question;
        for server in avoid {
            self.book().lame(*server, &zone.zone, Instant::now());
        }
        let ask = async |servers: &[SocketAddr]| {
            self.joined(&zone.zone, servers, question, || {
                self.ask_servers(servers, errand, work)
            })
            .await
        };
        let mut tried: Vec<SocketAddr> = avoid.to_vec();
        let mut last = None;
        let known = without(&self.addresses(zone), &tried);
        if !known.is_empty() {
            match ask(&known).await {
                Err(trouble) if trouble.cause != Cause::Limit => last = Some(trouble),
                outcome => return outcome,
            }
        }
        tried.extend(known);
        if depth >= work.budget.limits.depth {
            work.budget.nested_too_deep();
        } else {
            let questions = self.server_questions(zone);
            let mut waiting = questions.iter();
            let mut running = FuturesUnordered::new();
            let mut next_start = Instant::now();
            loop {
                if running.is_empty() || Instant::now() >= next_start {
                    match waiting.next() {
                        Some(question) => {
                            running.push(self.server_addresses(question, work, depth + 1));
                        }
                        None if running.is_empty() => break,
                        None => {}
                    }
                    next_start = Instant::now() + STAGGER;
                }
                let found = tokio::select! {
                    Some(found) = running.next() => found,
                    () = sleep_until(next_start) => continue,
                };
                next_start = Instant::now();
                let found: Vec<SocketAddr> = found
                    .0
                    .iter()
                    .filter(|address| may_contact(**address, &self.config.allow_nets))
                    .map(|address| port_53(*address))
                    .collect();
                let fresh = without(&found, &tried);
                if fresh.is_empty() {
                    continue;
                }
                match ask(&fresh).await {
                    Err(trouble) if trouble.cause != Cause::Limit => last = Some(trouble),
                    outcome => return outcome,
                }
                tried.extend(fresh);
            }
        }
        Err(last.unwrap_or_else(|| {
            let apex = &zone.zone;
            if let Err(text) = work.budget.check_depth() {
                let text = format!("{question}: no address of a name server of {apex}: {text}");
                return Trouble {
                    is_remembered: true,
                    ..Trouble::new(text).because(Cause::Limit)
                };
            }
            let text = format!(
                "{question}: no name server of {apex} has an address that may be contacted"
            );
            // Nobody was asked, so nothing speaks against the delegation.
            Trouble {
                is_remembered: true,
                ..Trouble::new(text)
            }
        }))
    }

    /// The addresses that came with the delegation.
    pub(super) fn addresses(&self, zone: &Delegation) -> Vec<SocketAddr> {
        zone.servers
            .iter()
            .flat_map(|(_, addresses)| addresses)
            .filter(|address| may_contact(**address, &self.config.allow_nets))
            .map(|address| port_53(*address))
            // Hints and routes are the administrator's word, not a stranger's.
            .chain(zone.fixed.iter().copied())
            .collect()
    }

    /// What to ask for the addresses of a delegation's servers: those without glue first, then
    /// the others anew, for glue may be old or lack a family. A server below its own zone cannot
    /// be found without glue.
    fn server_questions(&self, zone: &Delegation) -> Vec<Question> {
        let findable = || {
            let servers = zone.servers.iter();
            servers.filter(|(name, _)| !name.is_at_or_below(&zone.zone))
        };
        let without_glue = findable().filter(|(_, glue)| glue.is_empty());
        let with_glue = findable().filter(|(_, glue)| !glue.is_empty());
        let now = Instant::now();
        let (book, mut families) = (self.book(), [rtype::A, rtype::AAAA]);
        if book.is_doubtful(false, now) && !book.is_doubtful(true, now) {
            families.reverse();
        }
        without_glue
            .chain(with_glue)
            .take(RESOLVED_SERVERS)
            .flat_map(|(name, _)| {
                families.map(|rtype| Question {
                    name: name.clone(),
                    rtype,
                })
            })
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
        let glue = self.glue(&question.name, question.rtype);
        if !glue.0.is_empty() {
            return Arc::new(glue);
        }
        let mut asked = question.clone();
        let mut ttl = u32::MAX;
        for _ in 0..=SERVER_ALIASES {
            let Ok(found) = self.fetch_at_depth(&asked, work, depth).await else {
                return Arc::default();
            };
            let message: &Message = &found.message;
            let (end, links_ttl) = end_of_aliases(message, &asked.name);
            ttl = ttl.min(links_ttl);
            let records = Message::rrset(&message.answer, &end, question.rtype);
            let is_over = end == asked.name;
            if records.is_empty() && !is_over {
                asked.name = end;
                continue;
            }
            let lowest = records.iter().map(|record| record.ttl).min();
            let addresses = records.into_iter().filter_map(referral::address);
            let addresses = Arc::new(ServerAddresses(addresses.take(MOST_ADDRESSES).collect()));
            let ttl = ttl.min(lowest.unwrap_or_else(|| negative_ttl(message)));
            self.cache.keep(question, Arc::clone(&addresses), ttl);
            return addresses;
        }
        Arc::default()
    }
}

impl Core {
    /// The addresses that came with the delegation of the zone which the server itself is in: what
    /// is good enough for that zone saves a question here.
    fn glue(&self, server: &Name, rtype: u16) -> ServerAddresses {
        let delegations = (1..=server.label_count()).rev();
        let known = delegations.filter_map(|count| self.known_delegation(&server.suffix(count)));
        let mut addresses = Vec::new();
        for delegation in known {
            for (name, glue) in &delegation.servers {
                if name == server {
                    let fitting = glue
                        .iter()
                        .filter(|address| address.is_ipv4() == (rtype == rtype::A));
                    addresses.extend(fitting.copied());
                }
            }
            if !addresses.is_empty() {
                break;
            }
        }
        ServerAddresses(addresses)
    }
}

/// Where the aliases of one message lead from `name`, and the lowest TTL of them.
fn end_of_aliases(message: &Message, name: &Name) -> (Name, u32) {
    let (mut end, mut ttl) = (name.clone(), u32::MAX);
    for _ in 0..SERVER_ALIASES {
        let links = Message::rrset(&message.answer, &end, rtype::CNAME);
        let Some((link, target)) = links.first().and_then(|l| Some((l, l.target()?))) else {
            break;
        };
        ttl = ttl.min(link.ttl);
        end = target;
    }
    (end, ttl)
}
