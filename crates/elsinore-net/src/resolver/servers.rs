//! Which server to ask first, and what is remembered of servers that fail. Servers are asked one
//! after the other with a short delay between the starts, and the first good reply wins: a dead
//! server costs a delay, not a timeout.

use super::core::{Core, Reply, Trouble, Work};
use super::exchange::Fault;
use super::wire::{Message, QueryBits, Question};
use elsinore_dane::security::Cause;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::time::{Duration, Instant, sleep_until, timeout};

/// Servers asked for one question in the first round.
const FIRST_ROUND: usize = 6;
/// Servers asked again, with more patience, when all of the first round were silent.
const SECOND_ROUND: usize = 3;
/// Time between the start of one server and the next.
const STAGGER: Duration = Duration::from_millis(400);
/// Patience with one server, first and second round.
const PATIENCE: [Duration; 2] = [Duration::from_millis(1_500), Duration::from_millis(3_000)];
/// Longest wait for one question at one set of servers.
const LONGEST: Duration = Duration::from_secs(6);
/// For how long a server that was silent is asked last.
const SHUNNED: Duration = Duration::from_secs(60);
/// Servers remembered.
const MOST_SERVERS: usize = 8_192;

#[derive(Debug, Clone, Copy)]
struct Standing {
    /// Smoothed round-trip time in milliseconds.
    rtt: u32,
    shunned_until: Option<Instant>,
}

/// What is known of servers.
#[derive(Debug, Default)]
pub(super) struct ServerBook {
    standings: HashMap<SocketAddr, Standing>,
}

impl ServerBook {
    fn note(&mut self, server: SocketAddr, outcome: Result<Duration, ()>, now: Instant) {
        if self.standings.len() >= MOST_SERVERS && !self.standings.contains_key(&server) {
            self.standings.clear();
        }
        let standing = self.standings.entry(server).or_insert(Standing {
            rtt: 0,
            shunned_until: None,
        });
        match outcome {
            Ok(elapsed) => {
                let sample = u32::try_from(elapsed.as_millis())
                    .unwrap_or(u32::MAX)
                    .min(10_000);
                standing.rtt = if standing.rtt == 0 {
                    sample
                } else {
                    (standing.rtt * 3 + sample) / 4
                };
                standing.shunned_until = None;
            }
            Err(()) => standing.shunned_until = Some(now + SHUNNED),
        }
    }

    /// Best first: not shunned, then by round-trip time in steps of 32 ms, ties at random. Gives
    /// the number of those that are not shunned.
    fn sort(&self, servers: &mut [SocketAddr], now: Instant) -> usize {
        let is_shunned = |server: &SocketAddr| {
            self.standings
                .get(server)
                .and_then(|standing| standing.shunned_until)
                .is_some_and(|until| until > now)
        };
        servers.sort_by_cached_key(|server| {
            let rtt = self.standings.get(server).map_or(0, |s| s.rtt / 32);
            (is_shunned(server), rtt, rand::random::<u32>())
        });
        servers.partition_point(|server| !is_shunned(server))
    }
}

/// The same servers, IPv4 and IPv6 in turns as long as there are both: the first few then never
/// lie all in a family that this host may have no route for.
fn both_families(order: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let starts_with_v4 = order.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) = order
        .into_iter()
        .partition(|server| server.is_ipv4() == starts_with_v4);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = (first.next(), second.next());
        if pair == (None, None) {
            return mixed;
        }
        mixed.extend(pair.0.into_iter().chain(pair.1));
    }
}

/// Port 53 of an address.
pub(super) const fn port_53(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 53)
}

impl Core {
    /// Asks `servers` until one gives a reply that `accept` takes.
    pub(super) async fn ask_servers(
        &self,
        servers: &[SocketAddr],
        question: &Question,
        bits: QueryBits,
        work: &Work,
        accept: &(dyn Fn(&Message) -> Result<(), Fault> + Sync),
    ) -> Result<Reply, Trouble> {
        let mut order = servers.to_vec();
        let good = self.shared().servers.sort(&mut order, Instant::now());
        let shunned = both_families(order.split_off(good));
        let mut order = both_families(order);
        order.extend(shunned);
        order.truncate(FIRST_ROUND);
        let again: Vec<SocketAddr> = order.iter().copied().take(SECOND_ROUND).collect();
        let mut waiting = order
            .into_iter()
            .map(|server| (server, PATIENCE[0]))
            .chain(again.into_iter().map(|server| (server, PATIENCE[1])));
        let mut running = FuturesUnordered::new();
        let mut worst: Option<(SocketAddr, Fault)> = None;
        let mut spoken_for: Vec<SocketAddr> = Vec::new();
        let end = Instant::now() + LONGEST;
        let mut next_start = Instant::now();
        loop {
            if running.is_empty() || Instant::now() >= next_start {
                // A server that has answered badly once is not asked twice.
                if let Some((server, patience)) =
                    waiting.find(|(server, _)| !spoken_for.contains(server))
                {
                    work.budget.query().map_err(|text| {
                        Trouble::new(format!("{question}: {text}")).because(Cause::Limit)
                    })?;
                    running.push(self.ask_one(server, question, bits, patience, work, accept));
                    next_start = Instant::now() + STAGGER;
                } else if running.is_empty() {
                    break;
                } else {
                    next_start = end;
                }
            }
            tokio::select! {
                Some((server, outcome)) = running.next() => match outcome {
                    Ok(message) => {
                        let message = Arc::new(message);
                        return Ok(Reply { message, server });
                    }
                    Err(fault) => {
                        if !fault.is_silence() {
                            spoken_for.push(server);
                        }
                        if worst.as_ref().is_none_or(|(_, before)| fault.weight() > before.weight()) {
                            worst = Some((server, fault));
                        }
                        next_start = Instant::now();
                    }
                },
                () = sleep_until(next_start.min(end)) => {
                    if Instant::now() >= end {
                        break;
                    }
                }
            }
        }
        Err(match worst {
            Some((server, fault)) => Trouble {
                text: format!("{question}: {} says {fault}", server.ip()),
                ede: fault.ede(),
                cause: fault.cause(),
            },
            None if servers.is_empty() => Trouble::new(format!("{question}: no server to ask")),
            None => Trouble::new(format!("{question}: no server answered in time")),
        })
    }

    async fn ask_one(
        &self,
        server: SocketAddr,
        question: &Question,
        bits: QueryBits,
        patience: Duration,
        work: &Work,
        accept: &(dyn Fn(&Message) -> Result<(), Fault> + Sync),
    ) -> (SocketAddr, Result<Message, Fault>) {
        // The semaphore is never closed; without a permit the exchange would still be right.
        let _permit = self.exchanges.acquire().await.ok();
        let start = Instant::now();
        let reply = timeout(
            patience * 2,
            self.exchange(server, question, bits, patience, work),
        );
        let outcome = reply.await.unwrap_or(Err(Fault::Silent));
        let standing = match &outcome {
            Err(fault) if fault.is_silence() => Err(()),
            _ => Ok(start.elapsed()),
        };
        self.shared().servers.note(server, standing, Instant::now());
        let outcome = outcome.and_then(|message| accept(&message).map(|()| message));
        (server, outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thirteen servers with both families on a host without IPv6: half of the first round is
    /// IPv4 whatever the order, and the order within a family stays.
    #[test]
    fn families_take_turns() {
        for (order, expected) in [
            (&[][..], &[][..]),
            (&["[::1]:53"], &["[::1]:53"]),
            (
                &[
                    "[::1]:53",
                    "[::2]:53",
                    "[::3]:53",
                    "1.1.1.1:53",
                    "1.1.1.2:53",
                ],
                &[
                    "[::1]:53",
                    "1.1.1.1:53",
                    "[::2]:53",
                    "1.1.1.2:53",
                    "[::3]:53",
                ],
            ),
            (
                &["1.1.1.1:53", "1.1.1.2:53", "[::1]:53"],
                &["1.1.1.1:53", "[::1]:53", "1.1.1.2:53"],
            ),
        ] {
            let parse = |list: &[&str]| -> Vec<SocketAddr> {
                list.iter().map(|text| text.parse().unwrap()).collect()
            };
            assert_eq!(both_families(parse(order)), parse(expected));
        }
    }

    #[test]
    fn shunned_last() {
        let (now, dead, good): (_, SocketAddr, SocketAddr) = (
            Instant::now(),
            "[::1]:53".parse().unwrap(),
            "1.1.1.1:53".parse().unwrap(),
        );
        let mut book = ServerBook::default();
        book.note(dead, Err(()), now);
        let mut order = [dead, good];
        assert_eq!(book.sort(&mut order, now), 1);
        assert_eq!(order, [good, dead]);
        assert_eq!(book.sort(&mut order, now + SHUNNED), 2);
    }
}
