//! How many connections are open, in all and of each client, and how fast they come.
//!
//! Those whose mail is not taken have a few seats of their own, to be told so: they cannot take one of
//! those whose mail is.

use super::settings::AcceptLimits;
use crate::event::TurnedAway;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Over which the rate is counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Clients remembered; beyond it those are forgotten that have no connection.
const MAX_CLIENTS: usize = 10_000;
/// Connections of clients whose mail is not taken, at a time.
const STRANGERS: usize = 32;
/// Of which so many of one client.
const STRANGERS_OF_ONE: usize = 2;

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

/// Who comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guest {
    /// Somebody on this machine, who has no bound of its own.
    Local,
    /// A client whose mail is taken.
    Allowed(Client),
    /// Another.
    Stranger(Client),
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    of: HashMap<Client, Visits>,
    strangers: usize,
    of_strangers: HashMap<Client, usize>,
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
    guest: Guest,
}

/// What a client gets that comes.
#[derive(Debug)]
pub(super) enum Place {
    /// A seat.
    Seat(Seat),
    /// A word of regret; it holds a seat while it is said.
    Regret(Seat, TurnedAway),
    /// Nothing.
    Nothing(TurnedAway),
}

impl Seats {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for `guest`.
    pub(super) fn take(&self, guest: Guest, limits: &AcceptLimits, now: Instant) -> Place {
        let mut taken = self.taken();
        let found = match guest {
            Guest::Local => taken.local(limits),
            Guest::Allowed(client) => taken.allowed(client, limits, now),
            Guest::Stranger(client) => taken.stranger(client),
        };
        drop(taken);
        let seat = || Seat {
            seats: self.clone(),
            guest,
        };
        match found {
            Found::Room => Place::Seat(seat()),
            Found::Standing(why) => Place::Regret(seat(), why),
            Found::None(why) => Place::Nothing(why),
        }
    }
}

/// What there is for a client.
enum Found {
    /// A seat, which is taken now.
    Room,
    /// Room to hear a word, which is taken now.
    Standing(TurnedAway),
    None(TurnedAway),
}

impl Taken {
    fn local(&mut self, limits: &AcceptLimits) -> Found {
        if self.total >= limits.connections.saturating_mul(2) {
            return Found::None(TurnedAway::Full);
        }
        self.total += 1;
        if self.total > limits.connections {
            return Found::Standing(TurnedAway::Full);
        }
        Found::Room
    }

    fn allowed(&mut self, client: Client, limits: &AcceptLimits, now: Instant) -> Found {
        if self.total >= limits.connections.saturating_mul(2) {
            return Found::None(TurnedAway::Full);
        }
        if self.of.len() >= MAX_CLIENTS {
            self.of.retain(|_, visits| visits.open > 0);
        }
        let visits = self.of.entry(client).or_insert(Visits {
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
            return Found::None(TurnedAway::TooManyOfOne);
        }
        let found = if visits.came > limits.connections_per_minute {
            Found::Standing(TurnedAway::TooFast)
        } else if visits.open >= limits.connections_per_client {
            Found::Standing(TurnedAway::TooManyOfOne)
        } else if self.total >= limits.connections {
            Found::Standing(TurnedAway::Full)
        } else {
            Found::Room
        };
        visits.open += 1;
        self.total += 1;
        found
    }

    fn stranger(&mut self, client: Client) -> Found {
        let open = self.of_strangers.get(&client).copied().unwrap_or(0);
        if self.strangers >= STRANGERS || open >= STRANGERS_OF_ONE {
            return Found::None(TurnedAway::NotAllowed);
        }
        self.strangers += 1;
        self.of_strangers.insert(client, open + 1);
        Found::Standing(TurnedAway::NotAllowed)
    }

    fn leave(&mut self, guest: Guest) {
        match guest {
            Guest::Local => self.total = self.total.saturating_sub(1),
            Guest::Allowed(client) => {
                self.total = self.total.saturating_sub(1);
                if let Some(visits) = self.of.get_mut(&client) {
                    visits.open = visits.open.saturating_sub(1);
                    if visits.open == 0 && visits.window.elapsed() >= WINDOW {
                        self.of.remove(&client);
                    }
                }
            }
            Guest::Stranger(client) => {
                self.strangers = self.strangers.saturating_sub(1);
                if let Some(open) = self.of_strangers.get_mut(&client) {
                    *open = open.saturating_sub(1);
                    if *open == 0 {
                        self.of_strangers.remove(&client);
                    }
                }
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().leave(self.guest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Client {
        Client::of(IpAddr::from([192, 0, 2, last]))
    }

    /// What came of it, in words; a seat that is held goes to `held`.
    fn word(place: Place, held: &mut Vec<Seat>) -> String {
        let (seat, word) = match place {
            Place::Seat(seat) => (Some(seat), "seat".to_owned()),
            Place::Regret(seat, why) => (Some(seat), why.word().to_owned()),
            Place::Nothing(why) => (None, format!("nothing: {}", why.word())),
        };
        held.extend(seat);
        word
    }

    #[test]
    fn seats_for_all_and_for_each() {
        let limits = AcceptLimits {
            connections: 3,
            connections_per_client: 2,
            connections_per_minute: 6,
            ..AcceptLimits::default()
        };
        let seats = Seats::default();
        let allowed = |last| Guest::Allowed(client(last));
        let start = Instant::now();
        let mut held = Vec::new();
        for (guest, expected) in [
            (allowed(1), "seat"),
            (allowed(1), "seat"),
            (allowed(1), "too-many"),
            (allowed(2), "full"),
            (Guest::Local, "full"),
            (allowed(1), "too-many"),
            (allowed(3), "nothing: full"),
            (Guest::Local, "nothing: full"),
            // Strangers have seats of their own.
            (Guest::Stranger(client(4)), "not-allowed"),
        ] {
            let place = seats.take(guest, &limits, start);
            assert_eq!(word(place, &mut held), expected, "{guest:?}");
        }
        held.clear();
        for (at, expected) in [
            (start, "seat"),
            (start, "seat"),
            (start, "too-fast"),
            (start + WINDOW, "seat"),
        ] {
            let place = seats.take(allowed(1), &limits, at);
            assert_eq!(word(place, &mut Vec::new()), expected);
        }
    }

    /// However many they are, whatever they do: not one seat of others is theirs.
    #[test]
    fn strangers_take_no_seats() {
        let limits = AcceptLimits {
            connections: 1,
            ..AcceptLimits::default()
        };
        let seats = Seats::default();
        let now = Instant::now();
        let mut held = Vec::new();
        let mut told = 0;
        for last in 0..200 {
            for visit in 0..4 {
                let place = seats.take(Guest::Stranger(client(last)), &limits, now);
                let word = word(place, &mut held);
                if word == "not-allowed" {
                    told += 1;
                    assert!(visit < STRANGERS_OF_ONE);
                } else {
                    assert_eq!(word, "nothing: not-allowed");
                }
            }
        }
        assert_eq!(told, STRANGERS);
        let guest = Guest::Allowed(client(255));
        assert_eq!(word(seats.take(guest, &limits, now), &mut held), "seat");
        held.clear();
        let taken = seats.taken();
        assert_eq!((taken.total, taken.strangers), (0, 0));
        assert!(
            taken.of_strangers.is_empty(),
            "forgotten when they have gone"
        );
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
