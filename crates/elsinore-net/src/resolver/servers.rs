//! Asking the servers of a zone: one after the other, each with the patience that its round-trip
//! times call for, and the first good reply wins. A silent server costs that patience, and a server
//! known to be dead costs nothing.

mod book;

pub(super) use book::ServerBook;

use super::core::{Core, Reply, Trouble, Work};
use super::exchange::{Edns, Exchanged, Fault, Manner, Transport};
use super::wire::{Message, Name, QueryBits, Question, Rcode};
use book::{Candidate, Death, Rank};
use elsinore_dane::security::Cause;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

/// Servers asked for one question in the first round; silent ones are asked again, fewer each
/// time, with twice the patience.
const ROUNDS: [usize; 3] = [6, 3, 2];
/// Silent servers asked by TCP at the end: some networks let nothing else through.
const BY_TCP: usize = 2;
/// Patience with a connection.
const TCP_PATIENCE: Duration = Duration::from_millis(1_500);
/// Patience with a server that was dead a while ago.
const SUSPECT_PATIENCE: Duration = Duration::from_millis(1_000);
/// Longest wait for one question at one set of servers.
const LONGEST: Duration = Duration::from_secs(6);

/// Port 53 of an address.
pub(super) const fn port_53(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 53)
}

/// A question to the servers of one zone.
#[derive(Clone, Copy)]
pub(super) struct Errand<'a> {
    pub(super) zone: &'a Name,
    pub(super) question: &'a Question,
    pub(super) bits: QueryBits,
    /// Whether a reply is of use.
    pub(super) accept: &'a (dyn Fn(&Message) -> Result<(), Fault> + Sync),
}

/// One server at one time.
struct Attempt {
    candidate: Candidate,
    patience: Duration,
}

/// The attempts for one question, in their order.
fn attempts(candidates: &[Candidate]) -> VecDeque<Attempt> {
    let mut plan = VecDeque::new();
    let eager = |c: &&Candidate| matches!(c.rank, Rank::Good | Rank::Doubtful);
    for (round, size) in ROUNDS.into_iter().enumerate() {
        for candidate in candidates.iter().filter(eager).take(size) {
            plan.push_back(Attempt {
                candidate: candidate.clone(),
                patience: candidate.patience * (1 << round),
            });
        }
    }
    // Who was no good before gets one chance, after those who may be.
    let rest = candidates.iter().filter(|c| !eager(c)).take(BY_TCP);
    plan.extend(rest.map(|candidate| Attempt {
        candidate: candidate.clone(),
        patience: candidate.patience.max(SUSPECT_PATIENCE),
    }));
    for candidate in candidates.iter().filter(eager).take(BY_TCP) {
        if candidate.manner.transport == Transport::Udp {
            let mut candidate = candidate.clone();
            candidate.manner.transport = Transport::Tcp;
            plan.push_back(Attempt {
                candidate,
                patience: TCP_PATIENCE,
            });
        }
    }
    plan
}

impl Core {
    /// Asks `servers` until one gives a reply that is of use.
    pub(super) async fn ask_servers(
        &self,
        servers: &[SocketAddr],
        errand: Errand<'_>,
        work: &Work,
    ) -> Result<Reply, Trouble> {
        let question = errand.question;
        let now = Instant::now();
        let order = self.book().order(servers, errand.zone, question.rtype, now);
        if let (true, Some((server, left, death))) = (order.candidates.is_empty(), order.dead) {
            let how = match death {
                Death::Silence => "has been saying nothing for a while (timeout)",
                Death::Refusal => "could not be reached a moment ago",
            };
            let (server, left) = (server.ip(), left.as_millis().div_ceil(1_000));
            let text = format!("{question}: {server} {how}; it is asked again in {left} s");
            return Err(Trouble {
                is_remembered: true,
                ..Trouble::new(text)
            });
        }
        let mut plan = attempts(&order.candidates);
        let mut running = FuturesUnordered::new();
        let mut waited_for: Option<(SocketAddr, Duration)> = None;
        let mut worst: Option<(SocketAddr, Fault)> = None;
        let mut spoken_for: Vec<SocketAddr> = Vec::new();
        let end = now + LONGEST;
        let mut next_start = now;
        loop {
            if Instant::now() >= next_start {
                if let Some((server, patience)) = waited_for.take() {
                    work.budget.waited_for(server.ip());
                    let now = Instant::now();
                    if !self.is_only_busy(server, errand.bits, now) {
                        self.book().late(server, question.rtype, patience, now);
                    }
                }
                // A server that has answered badly once is not asked twice.
                let next = loop {
                    let attempt = plan.pop_front();
                    let asked = |a: &Attempt| spoken_for.contains(&a.candidate.server);
                    if attempt.as_ref().is_none_or(|a| !asked(a)) {
                        break attempt;
                    }
                };
                let Some(Attempt {
                    candidate,
                    patience,
                }) = next
                else {
                    // The last one has had its time; resolvers may still be looking, though.
                    if errand.bits == QueryBits::Iterative || running.is_empty() {
                        break;
                    }
                    next_start = end + TCP_PATIENCE;
                    continue;
                };
                let Some(seat) = self.seat(&candidate, question.rtype, end).await else {
                    continue;
                };
                work.budget.query().map_err(|text| {
                    Trouble::new(format!("{question}: {text}")).because(Cause::Limit)
                })?;
                if candidate.rank == Rank::Suspect {
                    self.book()
                        .take_suspect(candidate.server, question.rtype, Instant::now());
                }
                waited_for = Some((candidate.server, patience));
                next_start = Instant::now() + patience;
                running.push(self.ask_one(candidate, seat, errand, work));
            }
            tokio::select! {
                biased;
                Some((server, outcome)) = running.next() => match outcome {
                    Ok(message) => {
                        let message = Arc::new(message);
                        return Ok(Reply { message, server });
                    }
                    Err(fault) => {
                        if !matches!(fault, Fault::Silent) {
                            spoken_for.push(server);
                        }
                        if waited_for.is_some_and(|(last, _)| last == server) {
                            waited_for = None;
                            next_start = Instant::now();
                        }
                        if worst.as_ref().is_none_or(|(_, before)| fault.weight() >= before.weight()) {
                            worst = Some((server, fault));
                        }
                    }
                },
                () = sleep_until(next_start.min(end)) => {
                    if Instant::now() >= end {
                        break;
                    }
                }
            }
        }
        if plan.is_empty() {
            let now = Instant::now();
            let silent = order.candidates.iter().map(|c| c.server);
            for server in silent.filter(|server| !spoken_for.contains(server)) {
                if !self.is_only_busy(server, errand.bits, now) {
                    self.book().dead(server, question.rtype, now);
                }
            }
        }
        let silent = order.candidates.first().map(|c| (c.server, Fault::Silent));
        Err(match worst.or(silent) {
            Some((server, fault)) => Trouble {
                ede: fault.ede(),
                cause: fault.cause(),
                ..Trouble::new(format!("{question}: {} says {fault}", server.ip()))
            },
            None => Trouble::new(format!("{question}: no server to ask")),
        })
    }

    /// Whether the silence of `server` tells of the name asked for, not of itself: a resolver that
    /// answers other questions waits for servers of its own.
    fn is_only_busy(&self, server: SocketAddr, bits: QueryBits, now: Instant) -> bool {
        bits != QueryBits::Iterative && self.book().spoke_lately(server, now)
    }

    /// A place among the exchanges with a server. `None` when there was none before `end`, or when
    /// the server was found dead meanwhile.
    async fn seat(
        &self,
        candidate: &Candidate,
        rtype: u16,
        end: Instant,
    ) -> Option<OwnedSemaphorePermit> {
        let seats = &candidate.seats;
        if let Ok(seat) = Arc::clone(seats).try_acquire_owned() {
            return Some(seat);
        }
        let seat = timeout_at(end, Arc::clone(seats).acquire_owned()).await;
        let seat = seat.ok()?.ok()?;
        let is_dead = self.book().is_dead(candidate.server, rtype, Instant::now());
        (!is_dead).then_some(seat)
    }

    async fn ask_one(
        &self,
        candidate: Candidate,
        _seat: OwnedSemaphorePermit,
        errand: Errand<'_>,
        work: &Work,
    ) -> (SocketAddr, Result<Message, Fault>) {
        let Candidate { server, manner, .. } = candidate;
        let Exchanged {
            outcome,
            round_trip,
            knows_no_edns,
        } = self
            .exchange(server, errand.question, errand.bits, manner, work)
            .await;
        let outcome = outcome.and_then(|message| (errand.accept)(&message).map(|()| message));
        self.note(server, errand, &outcome, round_trip, manner);
        if knows_no_edns {
            self.book().knows_no_edns(server, Instant::now());
        } else if outcome.is_ok() && manner.edns == Edns::Offered {
            self.book().knows_edns(server, Instant::now());
        }
        (server, outcome)
    }

    fn note(
        &self,
        server: SocketAddr,
        errand: Errand<'_>,
        outcome: &Result<Message, Fault>,
        round_trip: Option<Duration>,
        manner: Manner,
    ) {
        let now = Instant::now();
        let mut book = self.book();
        match outcome {
            Err(fault @ (Fault::Network(_) | Fault::NoRoute(_))) => {
                book.unreachable(server, fault, now);
                return;
            }
            Err(Fault::Silent | Fault::Budget(_)) => return,
            Err(Fault::Lame(_)) => book.lame(server, errand.zone, now),
            Err(Fault::Refused(Rcode::REFUSED, _)) => book.lame(server, errand.zone, now),
            Ok(_) | Err(_) => {}
        }
        book.answered(server, errand.question.rtype, round_trip, manner, now);
    }
}
