//! What is remembered of servers: how long they take, whether they are dead, what they do not know
//! (EDNS, UDP), and for which zones they are lame. Bounded; what was not used for long goes first.

use crate::resolver::exchange::{Edns, Fault, Manner, Transport};
use crate::resolver::wire::Name;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant};

/// What a server nothing is known of is given to answer.
const FIRST_PATIENCE: Duration = Duration::from_millis(400);
/// Bounds on what a known server is given: below, the delays of a busy machine would look like
/// losses; above, other servers should have had their turn.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(150);
const LONGEST_PATIENCE: Duration = Duration::from_millis(1_600);
/// Losses in a row after which a server counts as dead.
const DEAD_AFTER: u8 = 4;
/// For how long a dead server is left alone, first and at most.
const LEFT_ALONE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];
/// For how long anything is remembered of a server that is not heard of.
const REMEMBERED: Duration = Duration::from_secs(900);
/// For how long a server is asked last about a zone that it was lame for, or gave bogus data of.
const LAME_FOR: Duration = Duration::from_secs(300);
/// Zones remembered per server.
const MOST_LAME_ZONES: usize = 16;
/// Servers remembered in each of two generations.
const MOST_SERVERS: usize = 16_384;
/// Exchanges under way with one server at a time; more wait for their turn.
const MOST_EXCHANGES: usize = 2_048;
/// Silent servers of an address family in a row, without any that speaks, after which the family
/// is asked last.
const SILENT_FAMILY: u32 = 8;
/// For how long the network's word that there is no route counts.
const NO_ROUTE_FOR: Duration = Duration::from_secs(30);
/// What a server nothing is known of is taken to need, beside known ones.
const GUESSED: Duration = Duration::from_millis(120);

/// Why a server is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// It says nothing.
    Silence,
    /// The network says that it is not to be reached.
    Refusal,
}

/// A server is given up question type by question type: many answer all but TLSA or DS, and must
/// not be lost for the others.
#[derive(Debug, Clone, Copy)]
struct Dead {
    /// The type that it says nothing about; [`EVERY_TYPE`] after a refusal.
    rtype: u16,
    since: Instant,
    until: Instant,
    left_alone: Duration,
    death: Death,
}

/// The type of no question.
const EVERY_TYPE: u16 = 0;
/// Types with silence remembered per server.
const MOST_SILENT_TYPES: usize = 4;
/// Silent types, without any answer meanwhile, that make a server dead as a whole.
const SILENT_TYPES_OF_THE_DEAD: usize = 2;

#[derive(Debug, Clone)]
struct Standing {
    /// Smoothed round-trip time and its mean deviation (RFC 6298 §2).
    smoothed: Option<(Duration, Duration)>,
    /// Losses in a row; each doubles the patience.
    losses: u8,
    dead: Vec<Dead>,
    heard_of: Instant,
    answered: Option<Instant>,
    plain: bool,
    tcp: bool,
    lame: Vec<(Name, Instant)>,
    seats: Arc<Semaphore>,
}

impl Standing {
    fn new(now: Instant) -> Self {
        Self {
            smoothed: None,
            losses: 0,
            dead: Vec::new(),
            heard_of: now,
            answered: None,
            plain: false,
            tcp: false,
            lame: Vec::new(),
            seats: Arc::new(Semaphore::new(MOST_EXCHANGES)),
        }
    }

    fn patience(&self) -> Duration {
        let base = self.smoothed.map_or(FIRST_PATIENCE, |(mean, deviation)| {
            (mean + deviation * 4).clamp(SHORTEST_PATIENCE, LONGEST_PATIENCE)
        });
        (base * (1 << self.losses.min(4))).min(LONGEST_PATIENCE)
    }

    fn answered(&mut self, round_trip: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (round_trip, round_trip / 2),
            Some((mean, deviation)) => (
                (mean * 7 + round_trip) / 8,
                (deviation * 3 + mean.abs_diff(round_trip)) / 4,
            ),
        });
    }

    /// What keeps questions of `rtype` from the server, at this time or until a while ago.
    fn dead_for(&self, rtype: u16) -> Option<&Dead> {
        let is_meant = |dead: &&Dead| dead.rtype == rtype || dead.rtype == EVERY_TYPE;
        let unanswered = |dead: &&Dead| self.answered.is_none_or(|last| last < dead.since);
        self.dead.iter().find(is_meant).or_else(|| {
            let silent = self.dead.iter().filter(unanswered);
            let is_dead = silent.clone().count() >= SILENT_TYPES_OF_THE_DEAD;
            silent.max_by_key(|dead| dead.until).filter(|_| is_dead)
        })
    }

    fn is_lame_for(&self, zone: &Name, now: Instant) -> bool {
        let mut zones = self.lame.iter();
        zones.any(|(lame, until)| lame == zone && *until > now)
    }
}

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

    /// The server was given every chance and said nothing.
    pub(super) fn dead(&mut self, server: SocketAddr, rtype: u16, now: Instant) {
        let standing = self.standing(server, now);
        standing.heard_of = now;
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
        let dead = self.standing(server, now).dead_for(rtype).copied();
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
        standing.dead = vec![Dead {
            rtype: EVERY_TYPE,
            since: now,
            until: now + LEFT_ALONE[0],
            left_alone: LEFT_ALONE[0],
            death: Death::Refusal,
        }];
    }

    /// The server answers plain DNS only.
    pub(super) fn knows_no_edns(&mut self, server: SocketAddr, now: Instant) {
        self.standing(server, now).plain = true;
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
            let rank = match standing.dead_for(rtype) {
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
                    edns: if standing.plain {
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
        let Some(found) = standing.dead_for(rtype).copied() else {
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
mod tests {
    use super::*;
    use crate::resolver::wire::rtype;

    const ASKED: Manner = Manner {
        transport: Transport::Udp,
        edns: Edns::Offered,
    };

    fn servers(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn names(order: &Order) -> Vec<String> {
        let all = order.candidates.iter();
        all.map(|c| c.server.to_string()).collect()
    }

    const MS: Duration = Duration::from_millis(1);

    /// Thirteen servers with both families on a host without IPv6: half of the first round is
    /// IPv4 whatever the order, and the order within a family stays.
    #[test]
    fn families_take_turns() {
        let now = Instant::now();
        let list = servers(&[
            "[::1]:53",
            "[::2]:53",
            "[::3]:53",
            "1.1.1.1:53",
            "1.1.1.2:53",
        ]);
        for _ in 0..20 {
            let order = ServerBook::default().order(&list, &Name::root(), rtype::A, now);
            let firsts = order.candidates.iter().take(4);
            assert_eq!(firsts.filter(|c| c.server.is_ipv4()).count(), 2);
            assert_eq!(order.candidates.len(), 5);
        }
    }

    #[test]
    fn the_fast_ones_share_and_the_slow_one_waits() {
        let now = Instant::now();
        let list = servers(&["1.1.1.1:53", "1.1.1.2:53", "1.1.1.3:53"]);
        let mut book = ServerBook::default();
        for (server, time) in list.iter().zip([20, 30, 200]) {
            book.answered(*server, rtype::A, Some(MS * time), ASKED, now);
        }
        let mut firsts = std::collections::BTreeSet::new();
        for _ in 0..64 {
            let order = names(&book.order(&list, &Name::root(), rtype::A, now));
            assert_eq!(order[2], "1.1.1.3:53");
            firsts.insert(order[0].clone());
        }
        assert_eq!(firsts.len(), 2);
    }

    /// RFC 6298 §2 with bounds of our own: mean plus four deviations, doubled by each loss.
    #[test]
    fn patience() {
        let now = Instant::now();
        let [server] = servers(&["1.1.1.1:53"])[..] else {
            panic!("one server");
        };
        let cases: [(&[u32], u8, u32); 6] = [
            (&[], 0, 400),
            (&[100], 0, 300),
            (&[1], 0, 150),
            (&[100; 50], 0, 150),
            (&[100], 2, 1_200),
            (&[2_000], 3, 1_600),
        ];
        for (samples, losses, expected) in cases {
            let mut book = ServerBook::default();
            for sample in samples {
                book.answered(server, rtype::A, Some(MS * *sample), ASKED, now);
            }
            for _ in 0..losses {
                let patience = book.standing(server, now).patience();
                book.late(server, rtype::A, patience, now);
            }
            let got = book.standing(server, now).patience();
            assert_eq!(got, MS * expected, "{samples:?} {losses}");
        }
    }

    /// Many lookups that wait for one server learn of one loss, not of many.
    #[test]
    fn one_loss_is_counted_once() {
        let now = Instant::now();
        let [server] = servers(&["1.1.1.1:53"])[..] else {
            panic!("one server");
        };
        let mut book = ServerBook::default();
        for _ in 0..100 {
            book.late(server, rtype::A, FIRST_PATIENCE, now);
        }
        assert_eq!(book.standing(server, now).losses, 1);
    }

    #[test]
    fn dead_left_alone_and_tried_again() {
        let mut now = Instant::now();
        let list = servers(&["1.1.1.1:53"]);
        let mut book = ServerBook::default();
        for _ in 0..DEAD_AFTER {
            let patience = book.standing(list[0], now).patience();
            book.late(list[0], rtype::A, patience, now);
        }
        let mut waits = Vec::new();
        for _ in 0..6 {
            let order = book.order(&list, &Name::root(), rtype::A, now);
            let (_, left, _) = order.dead.unwrap();
            assert!(order.candidates.is_empty());
            waits.push(left.as_secs());
            now += left;
            let order = book.order(&list, &Name::root(), rtype::A, now);
            assert_eq!(order.candidates[0].rank, Rank::Suspect);
            book.take_suspect(list[0], rtype::A, now);
            // Nobody else is sent after it.
            assert!(
                book.order(&list, &Name::root(), rtype::A, now)
                    .candidates
                    .is_empty()
            );
            now += book
                .order(&list, &Name::root(), rtype::A, now)
                .dead
                .unwrap()
                .1;
            book.dead(list[0], rtype::A, now);
        }
        assert_eq!(waits, [2, 4, 8, 16, 30, 30]);
        book.answered(list[0], rtype::A, None, ASKED, now);
        let order = book.order(&list, &Name::root(), rtype::A, now);
        assert_eq!(order.candidates[0].rank, Rank::Good);
    }

    /// Silence about one type is that: the others are asked as before, unless a second one is
    /// silent too and nothing was answered since.
    #[test]
    fn silent_about_one_type() {
        let mut now = Instant::now();
        let list = servers(&["1.1.1.1:53"]);
        let mut book = ServerBook::default();
        let tlsa = 52;
        book.dead(list[0], tlsa, now);
        assert!(book.is_dead(list[0], tlsa, now));
        assert!(!book.is_dead(list[0], rtype::A, now));
        book.dead(list[0], rtype::DS, now);
        assert!(book.is_dead(list[0], rtype::A, now));
        now += MS;
        book.answered(list[0], rtype::A, None, ASKED, now);
        assert!(!book.is_dead(list[0], rtype::A, now));
        assert!(book.is_dead(list[0], tlsa, now) && book.is_dead(list[0], rtype::DS, now));
    }

    #[test]
    fn lame_for_one_zone_only() {
        let now = Instant::now();
        let list = servers(&["1.1.1.1:53", "1.1.1.2:53"]);
        let zone = Name::root().prefixed(b"lame").unwrap();
        let mut book = ServerBook::default();
        book.lame(list[0], &zone, now);
        for _ in 0..20 {
            let order = names(&book.order(&list, &zone, rtype::A, now));
            assert_eq!(order, ["1.1.1.2:53", "1.1.1.1:53"]);
        }
        let ranks = |book: &mut ServerBook, zone: &Name, now| {
            let order = book.order(&list, zone, rtype::A, now);
            order.candidates.iter().all(|c| c.rank == Rank::Good)
        };
        assert!(ranks(&mut book, &Name::root(), now));
        assert!(ranks(&mut book, &zone, now + LAME_FOR));
    }

    #[test]
    fn a_family_without_a_route_is_asked_last() {
        let now = Instant::now();
        let list = servers(&["[::1]:53", "1.1.1.1:53"]);
        let mut book = ServerBook::default();
        let no_route = Fault::NoRoute(String::new());
        book.unreachable("[::9]:53".parse().unwrap(), &no_route, now);
        assert!(book.is_doubtful(true, now) && !book.is_doubtful(false, now));
        for _ in 0..20 {
            let order = names(&book.order(&list, &Name::root(), rtype::A, now));
            assert_eq!(order, ["1.1.1.1:53", "[::1]:53"]);
        }
        book.answered(list[0], rtype::A, None, ASKED, now);
        assert!(!book.is_doubtful(true, now));
    }

    #[test]
    fn bounded() {
        let now = Instant::now();
        let mut book = ServerBook::default();
        let kept: SocketAddr = "1.1.1.1:53".parse().unwrap();
        book.knows_no_edns(kept, now);
        for number in 0..100_000_u32 {
            let server = SocketAddr::new(std::net::Ipv4Addr::from(number).into(), 53);
            book.answered(server, rtype::A, None, ASKED, now);
            if number % 1_000 == 0 {
                let order = book.order(&[kept], &Name::root(), rtype::A, now);
                assert_eq!(order.candidates[0].manner.edns, Edns::LeftOut);
            }
        }
        assert!(book.young.len() + book.old.len() <= 2 * MOST_SERVERS);
    }
}
