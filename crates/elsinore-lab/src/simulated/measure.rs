//! One cold delivery, cut into phases by what the network saw of it.

use super::{Seen, Setup, Sighting};
use crate::run::setting;
use crate::scenario::{Case, ResolverMode, Scenario};
use crate::world::World;
use elsinore_net::deliver::Sender;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A phase of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Until the mail server is dialled: DNS, and the MTA-STS policy where there is one.
    Discovery,
    /// TCP's own handshake.
    Connect,
    /// Greeting, EHLO, STARTTLS.
    PlainDialogue,
    /// The TLS handshake.
    Handshake,
    /// EHLO, the transaction and QUIT.
    SecureDialogue,
}

impl Phase {
    /// The phases in order.
    pub const ALL: [Self; 5] = [
        Self::Discovery,
        Self::Connect,
        Self::PlainDialogue,
        Self::Handshake,
        Self::SecureDialogue,
    ];

    /// A short name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Connect => "tcp",
            Self::PlainDialogue => "smtp before tls",
            Self::Handshake => "tls",
            Self::SecureDialogue => "smtp inside tls",
        }
    }
}

/// What one delivery took.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Sequential round trips per phase, in the order of [`Phase::ALL`].
    pub round_trips: [f64; 5],
    /// DNS queries sent.
    pub queries: usize,
    /// The outcome's word, for checking that something was delivered.
    pub outcome: &'static str,
}

impl Measured {
    /// Sequential round trips, all phases.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.round_trips.iter().sum()
    }
}

/// Sends the message of `case` with empty caches and counts. The runtime's clock must be paused,
/// or computing counts as well.
///
/// # Errors
/// One line, when the case cannot be set up.
pub async fn measure(
    world: &Arc<World>,
    scenario: &Scenario,
    case: &Case,
    mode: ResolverMode,
    round_trip: Duration,
) -> Result<Measured, String> {
    let Setup {
        network,
        dialer,
        clock,
        resolver,
        sender,
        _state,
    } = Setup::cold(world, scenario, case, mode, round_trip)?;
    let (envelope, message) = setting::letter(world, scenario, case, clock.now())?;
    let sender = Sender::new(sender, resolver, dialer, clock);
    let start = Instant::now();
    let report = sender.send(&envelope, &message).await;
    let end = Instant::now();
    let cuts = cuts(start, end, &network.sightings());
    let trips = |from: Instant, to: Instant| {
        to.saturating_duration_since(from).as_secs_f64() / round_trip.as_secs_f64()
    };
    let mut round_trips = [0.0; 5];
    for (index, count) in round_trips.iter_mut().enumerate() {
        *count = trips(cuts[index], cuts[index + 1]);
    }
    Ok(Measured {
        round_trips,
        queries: network.queries().len(),
        outcome: report.overall().word(),
    })
}

/// The moments between the phases, from what the network saw: the first connection to a mail
/// port, its establishment, the first TLS record on it (0x16, RFC 8446 §5.1), the first octets
/// after the server's answer to that, the end. A phase that never came has no length.
fn cuts(start: Instant, end: Instant, sightings: &[Sighting]) -> [Instant; 6] {
    const HANDSHAKE_RECORD: u8 = 0x16;
    let is_mail = |seen: &&Sighting| matches!(seen.peer.port(), 25 | 587);
    let mail: Vec<&Sighting> = sightings.iter().filter(is_mail).collect();
    let dialled = mail.first().map_or(end, |seen| seen.at);
    let first_text = |from: Instant| {
        (mail.iter())
            .find(|seen| seen.at >= from && matches!(seen.what, Seen::Octets(_)))
            .map_or(end, |seen| seen.at)
    };
    // The client speaks first after the greeting, one round trip after the connection is there.
    let spoke = first_text(dialled);
    let connected = dialled + (spoke - dialled) / 2;
    let hello = (mail.iter())
        .find(|seen| seen.what == Seen::Octets(HANDSHAKE_RECORD))
        .map_or(end, |seen| seen.at);
    let secured = (mail.iter())
        .find(|seen| seen.at > hello)
        .map_or(end, |seen| seen.at);
    [start, dialled, connected, hello, secured, end]
}
