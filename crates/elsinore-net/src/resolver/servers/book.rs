//! What is remembered of servers: how long they take, whether they are dead, what they do not know
//! (EDNS, UDP), and for which zones they are lame. Bounded; what was not used for long goes first.

mod standing;

pub(super) use standing::Death;

use crate::resolver::exchange::{Edns, Fault, Manner, Transport};
use crate::resolver::wire::Name;
use standing::{Dead, EVERY_TYPE, MOST_SILENT_TYPES, Standing};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant};

/// Losses in a row after which a server counts as dead.
const DEAD_AFTER: u8 = 4;
/// For how long a dead server is left alone, first and at most.
const LEFT_ALONE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];
/// How long an answer shows that a resolver is there, whatever it is silent on meanwhile.
const SPOKE_LATELY: Duration = Duration::from_secs(60);
/// For how long anything is remembered of a server that is not heard of.
const REMEMBERED: Duration = Duration::from_secs(900);
/// For how long a server is asked last about a zone that it was lame for, or gave bogus data of.
const LAME_FOR: Duration = Duration::from_secs(300);
/// For how long a server that rejected EDNS is asked without.
const PLAIN_FOR: Duration = Duration::from_secs(300);
/// Zones remembered per server.
const MOST_LAME_ZONES: usize = 16;
/// Servers remembered in each of two generations.
const MOST_SERVERS: usize = 16_384;
/// Silent servers of an address family in a row, without any that speaks, after which the family
/// is asked last.
const SILENT_FAMILY: u32 = 8;
/// For how long the network's word that there is no route counts.
const NO_ROUTE_FOR: Duration = Duration::from_secs(30);
/// What a server nothing is known of is taken to need, beside known ones.
const GUESSED: Duration = Duration::from_millis(120);

/// What is known of an address family.
#[derive(Debug, Clone, Copy, Default)]
struct Family {
    silent: u32,
    no_route_until: Option<Instant>,
}

impl Family {
    fn is_doubtful(&self, now: Instant) -> bool {
        self.silent >= SILENT_FAMILY || self.no_route_until.is_some_and(|until| until > now)
    }
}

/// How much is to be expected of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It answers, or nothing is known.
    Good,
    /// Its address family does not seem to work from here.
    Doubtful,
    /// It was lame for the zone.
    Lame,
    /// It was dead some time ago.
    Suspect,
}

/// A server that may be asked.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) server: SocketAddr,
    pub(super) rank: Rank,
    pub(super) patience: Duration,
    pub(super) manner: Manner,
    pub(super) seats: Arc<Semaphore>,
}

/// The servers of a zone in the order in which they are to be asked, and the one of the dead that
/// will be tried again first.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) candidates: Vec<Candidate>,
    pub(super) dead: Option<(SocketAddr, Duration, Death)>,
}

/// What is known of servers.
#[derive(Debug, Default)]
pub(in crate::resolver) struct ServerBook {
    young: HashMap<SocketAddr, Standing>,
    old: HashMap<SocketAddr, Standing>,
    families: [Family; 2],
}

impl ServerBook {
    fn standing(&mut self, server: SocketAddr, now: Instant) -> &mut Standing {
        if !self.young.contains_key(&server) {
            if self.young.len() >= MOST_SERVERS {
                self.old = std::mem::take(&mut self.young);
            }
            let known = self.old.remove(&server);
            let fresh = known.unwrap_or_else(|| Standing::new(now));
            self.young.insert(server, fresh);
        }
        let standing = self
            .young
            .entry(server)
            .or_insert_with(|| Standing::new(now));
        if now.saturating_duration_since(standing.heard_of) > REMEMBERED {
            let seats = Arc::clone(&standing.seats);
            *standing = Standing {
                seats,
                ..Standing::new(now)
            };
        }
        standing
    }

    const fn family(&mut self, server: SocketAddr) -> &mut Family {
        &mut self.families[server.is_ipv6() as usize]
    }

    /// A reply to a question of `rtype` came; `round_trip` where its time tells something.
    pub(super) fn answered(
        &mut self,
        server: SocketAddr,
        rtype: u16,
        round_trip: Option<Duration>,
        manner: Manner,
        now: Instant,
    ) {
        *self.family(server) = Family::default();
        let standing = self.standing(server, now);
        standing.heard_of = now;
        standing.answered = Some(now);
        standing.losses = 0;
        standing
            .dead
            .retain(|dead| dead.rtype != rtype && dead.rtype != EVERY_TYPE);
        standing.tcp = manner.transport == Transport::Tcp;
        if let Some(round_trip) = round_trip {
            standing.answered(round_trip);
        }
    }

    /// Nothing came within `patience`. Whoever asked while the patience was shorter says nothing
    /// new.
    pub(super) fn late(
        &mut self,
        server: SocketAddr,
        rtype: u16,
        patience: Duration,
        now: Instant,
    ) {
        let standing = self.standing(server, now);
        if patience < standing.patience() {
            return;
        }
        standing.losses = standing.losses.saturating_add(1);
        standing.heard_of = now;
        if standing.losses >= DEAD_AFTER {
            self.dead(server, rtype, now);
        }
    }

    /// Whether the server has answered anything of late. A resolver that is silent on a question
    /// then waits for somebody else, and is not dead.
    pub(super) fn spoke_lately(&mut self, server: SocketAddr, now: Instant) -> bool {
        let last = self.standing(server, now).answered;
        last.is_some_and(|last| now.duration_since(last) < SPOKE_LATELY)
    }

    /// The server was given every chance and said nothing.
    pub(super) fn dead(&mut self, server: SocketAddr, rtype: u16, now: Instant) {
        let standing = self.standing(server, now);
        standing.heard_of = now;
        if standing.answered_lately(now) {
            return;
        }
        let before = standing.dead.iter().position(|dead| dead.rtype == rtype);
        let before = before.map(|index| standing.dead.remove(index));
        let left_alone = match before {
            Some(dead) if dead.until > now => {
                standing.dead.push(dead);
                return;
            }
            Some(dead) => (dead.left_alone * 2).min(LEFT_ALONE[1]),
            None => LEFT_ALONE[0],
        };
        if standing.dead.len() >= MOST_SILENT_TYPES {
            standing.dead.remove(0);
        }
        standing.dead.push(Dead {
            rtype,
            since: now,
            until: now + left_alone,
            left_alone,
            death: Death::Silence,
        });
        if before.is_none() && standing.answered.is_none() {
            let family = self.family(server);
            family.silent = family.silent.saturating_add(1);
        }
    }

    /// Whether the server is left alone with questions of `rtype`.
    pub(super) fn is_dead(&mut self, server: SocketAddr, rtype: u16, now: Instant) -> bool {
        let dead = self.standing(server, now).dead_for(rtype, now).copied();
        dead.is_some_and(|dead| dead.until > now)
    }

    /// The network said that there is no way to the server, or to its whole address family.
    pub(super) fn unreachable(&mut self, server: SocketAddr, fault: &Fault, now: Instant) {
        if matches!(fault, Fault::NoRoute(_)) {
            self.family(server).no_route_until = Some(now + NO_ROUTE_FOR);
        }
        let standing = self.standing(server, now);
        standing.heard_of = now;
        standing.tcp = false;
        standing.answered = None;
        standing.dead = vec![Dead {
            rtype: EVERY_TYPE,
            since: now,
            until: now + LEFT_ALONE[0],
            left_alone: LEFT_ALONE[0],
            death: Death::Refusal,
        }];
    }

    /// The server answers plain DNS only. Of one that was heard to do better that is not believed:
    /// one forged error, or one bad day, would have it asked without signatures from then on.
    pub(super) fn knows_no_edns(&mut self, server: SocketAddr, now: Instant) {
        let standing = self.standing(server, now);
        if !standing.knows_edns {
            standing.plain_until = Some(now + PLAIN_FOR);
        }
    }

    /// The server has answered a query with EDNS.
    pub(super) fn knows_edns(&mut self, server: SocketAddr, now: Instant) {
        let standing = self.standing(server, now);
        (standing.knows_edns, standing.plain_until) = (true, None);
    }

    /// The server is to be asked last about `zone`.
    pub(in crate::resolver) fn lame(&mut self, server: SocketAddr, zone: &Name, now: Instant) {
        let lame = &mut self.standing(server, now).lame;
        lame.retain(|(other, until)| other != zone && *until > now);
        if lame.len() >= MOST_LAME_ZONES {
            lame.remove(0);
        }
        lame.push((zone.clone(), now + LAME_FOR));
    }

    /// Whether servers of the IPv6 family are better not counted on.
    pub(in crate::resolver) fn is_doubtful(&self, is_ipv6: bool, now: Instant) -> bool {
        self.families[usize::from(is_ipv6)].is_doubtful(now)
    }

    /// The order in which `servers` are to be asked about `zone`. A dead server whose time has
    /// come is handed out to one caller.
    pub(super) fn order(
        &mut self,
        servers: &[SocketAddr],
        zone: &Name,
        rtype: u16,
        now: Instant,
    ) -> Order {
        let mut order = Order::default();
        let mut estimates: Vec<(Candidate, Duration)> = Vec::with_capacity(servers.len());
        for server in servers {
            let doubtful = self.family(*server).is_doubtful(now);
            let standing = self.standing(*server, now);
            let rank = match standing.dead_for(rtype, now) {
                Some(dead) if dead.until > now => {
                    let left = dead.until - now;
                    if order.dead.is_none_or(|(_, before, _)| left < before) {
                        order.dead = Some((*server, left, dead.death));
                    }
                    continue;
                }
                Some(_) => Rank::Suspect,
                None if standing.is_lame_for(zone, now) => Rank::Lame,
                None if doubtful => Rank::Doubtful,
                None => Rank::Good,
            };
            let candidate = Candidate {
                server: *server,
                rank,
                patience: standing.patience(),
                manner: Manner {
                    transport: if standing.tcp {
                        Transport::Tcp
                    } else {
                        Transport::Udp
                    },
                    edns: if standing.plain_until.is_some_and(|until| until > now) {
                        Edns::LeftOut
                    } else {
                        Edns::Offered
                    },
                },
                seats: Arc::clone(&standing.seats),
            };
            let estimate = match standing.smoothed {
                _ if standing.losses > 0 => candidate.patience,
                Some((mean, _)) => mean,
                None => GUESSED,
            };
            estimates.push((candidate, estimate));
        }
        // Those about as fast as the fastest share the questions; the others wait for their turn.
        let good = estimates.iter().filter(|(c, _)| c.rank == Rank::Good);
        let best = good.map(|(_, estimate)| *estimate).min();
        let band = best.unwrap_or(GUESSED) * 3 / 2 + Duration::from_millis(20);
        estimates.sort_by_cached_key(|(candidate, estimate)| {
            let estimate = if *estimate <= band {
                Duration::ZERO
            } else {
                *estimate
            };
            (candidate.rank, estimate, rand::random::<u32>())
        });
        let candidates: Vec<Candidate> = estimates.into_iter().map(|(c, _)| c).collect();
        order.candidates = in_turns(&candidates);
        order
    }

    /// Takes a suspect for one caller: to others it stays dead until this one has found out.
    pub(super) fn take_suspect(&mut self, server: SocketAddr, rtype: u16, now: Instant) {
        let standing = self.standing(server, now);
        let Some(found) = standing.dead_for(rtype, now).copied() else {
            return;
        };
        for dead in &mut standing.dead {
            if dead.rtype == found.rtype {
                dead.until = now + dead.left_alone;
            }
        }
    }
}

/// The same servers, within each rank IPv4 and IPv6 in turns as long as there are both: the first
/// few then never lie all in a family that this host may have no route for.
fn in_turns(order: &[Candidate]) -> Vec<Candidate> {
    let mut mixed = Vec::with_capacity(order.len());
    for rank in [Rank::Good, Rank::Doubtful, Rank::Lame, Rank::Suspect] {
        let of_rank = || order.iter().filter(|c| c.rank == rank);
        let starts_with_v4 = of_rank().next().is_some_and(|c| c.server.is_ipv4());
        let mut first = of_rank().filter(|c| c.server.is_ipv4() == starts_with_v4);
        let mut second = of_rank().filter(|c| c.server.is_ipv4() != starts_with_v4);
        loop {
            let pair = (first.next(), second.next());
            if let (None, None) = pair {
                break;
            }
            mixed.extend(pair.0.into_iter().chain(pair.1).cloned());
        }
    }
    mixed
}

#[cfg(test)]
mod tests;
