//! How many connections are open, in all and of each client, and how fast they come.

use super::settings::AcceptLimits;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Over which the rate is counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Clients remembered; beyond it those are forgotten that have no connection.
const MAX_CLIENTS: usize = 10_000;

/// Who is counted as one client: an address, of IPv6 the network of one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Client(IpAddr);

impl Client {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
            address => address,
        })
    }
}

/// All seats.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    of: HashMap<Client, Visits>,
}

#[derive(Debug)]
struct Visits {
    open: usize,
    window: Instant,
    came: u32,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    client: Option<Client>,
}

/// What a client gets that comes.
#[derive(Debug)]
pub(super) enum Place {
    /// A seat.
    Seat(Seat),
    /// A word of regret; it holds a seat while it is said.
    Full(Seat, &'static str),
    /// Nothing.
    Nothing,
}

impl Seats {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for `client` (none for one on this machine, which has no bound of its own).
    pub(super) fn take(
        &self,
        client: Option<Client>,
        limits: &AcceptLimits,
        now: Instant,
    ) -> Place {
        let mut taken = self.taken();
        if taken.total >= limits.connections.saturating_mul(2) {
            return Place::Nothing;
        }
        let mut full = (taken.total >= limits.connections).then_some("too many connections");
        if let Some(client) = client {
            if taken.of.len() >= MAX_CLIENTS {
                taken.of.retain(|_, visits| visits.open > 0);
            }
            let visits = taken.of.entry(client).or_insert(Visits {
                open: 0,
                window: now,
                came: 0,
            });
            if now.saturating_duration_since(visits.window) >= WINDOW {
                visits.window = now;
                visits.came = 0;
            }
            visits.came = visits.came.saturating_add(1);
            if visits.open >= limits.connections_per_client.saturating_mul(2) {
                return Place::Nothing;
            }
            if visits.came > limits.connections_per_minute {
                full = Some("too many connections a minute");
            } else if visits.open >= limits.connections_per_client {
                full = Some("too many connections of yours");
            }
            visits.open += 1;
        }
        taken.total += 1;
        drop(taken);
        let seat = Seat {
            seats: self.clone(),
            client,
        };
        match full {
            Some(why) => Place::Full(seat, why),
            None => Place::Seat(seat),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.total = taken.total.saturating_sub(1);
        if let Some(client) = self.client
            && let Some(visits) = taken.of.get_mut(&client)
        {
            visits.open = visits.open.saturating_sub(1);
            if visits.open == 0 && visits.window.elapsed() >= WINDOW {
                taken.of.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_for_all_and_for_each() {
        let limits = AcceptLimits {
            connections: 3,
            connections_per_client: 2,
            connections_per_minute: 6,
            ..AcceptLimits::default()
        };
        let seats = Seats::default();
        let client = |last| Some(Client::of(IpAddr::from([192, 0, 2, last])));
        let start = Instant::now();
        let mut held = Vec::new();
        let mut visit = |client, now| match seats.take(client, &limits, now) {
            Place::Seat(seat) => {
                held.push(seat);
                "seat"
            }
            Place::Full(seat, why) => {
                held.push(seat);
                why
            }
            Place::Nothing => "nothing",
        };
        for (number, expected) in [
            (client(1), "seat"),
            (client(1), "seat"),
            (client(1), "too many connections of yours"),
            (client(2), "too many connections"),
            (None, "too many connections"),
            (client(1), "too many connections of yours"),
            (client(3), "nothing"),
        ] {
            assert_eq!(visit(number, start), expected, "{number:?}");
        }
        held.clear();
        let visit = |now| match seats.take(client(1), &limits, now) {
            Place::Seat(_) => "seat",
            Place::Full(_, why) => why,
            Place::Nothing => "nothing",
        };
        assert_eq!(visit(start), "seat");
        assert_eq!(visit(start), "seat");
        assert_eq!(visit(start), "too many connections a minute");
        assert_eq!(visit(start + WINDOW), "seat");
    }

    #[test]
    fn one_customer_is_one_client() {
        let client = |text: &str| Client::of(text.parse().expect("an address"));
        assert_eq!(client("2001:db8::1"), client("2001:db8::2:3"));
        assert_ne!(client("2001:db8:0:1::1"), client("2001:db8::1"));
        assert_eq!(client("::ffff:192.0.2.1"), client("192.0.2.1"));
        assert_ne!(client("::1"), client("::2"));
    }
}
