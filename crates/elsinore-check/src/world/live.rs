//! The network itself, politely: one session at a time per server address, a pause between two of
//! them, never more than so many at once in the whole process.
//!
//! A session waits for its turn at the address, then for the pause, then for one of the places that
//! the process has: nobody holds a place while it waits for something else, so a slow server costs
//! its own lane alone.

use super::{Manners, Visit, World};
use crate::report::Offer;
use elsinore_dane::ladder::Rung;
use elsinore_dane::mta_sts::StsFetch;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::Clock;
use elsinore_net::deliver::{Look, Prober, SenderConfig, Sounding};
use elsinore_net::dialer::Dialer;
use elsinore_net::doctor::triage::{Blame, Triage};
use elsinore_net::resolver::Resolver;
use elsinore_net::tls::SignatureOffer;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

/// Rungs of one climb: each once, and once more without a server name.
const RUNGS: usize = 6;
/// Addresses whose last session is remembered.
const REMEMBERED: usize = 4096;

/// How sessions are held.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Names, trust, timeouts: those of the sender that the check stands for.
    pub sender: SenderConfig,
    /// The pause between two sessions to one address.
    pub pause: Duration,
    /// Most sessions open at once in the whole process; at least one.
    pub most_sessions: usize,
    /// Most that one step of a session may take; a session as a whole may take four times as long.
    pub patience: Duration,
}

impl LiveSettings {
    /// A second of pause, 32 sessions at once, 20 seconds of patience.
    #[must_use]
    pub const fn new(sender: SenderConfig) -> Self {
        Self {
            sender,
            pause: Duration::from_secs(1),
            most_sessions: 32,
            patience: Duration::from_secs(20),
        }
    }
}

/// The network.
#[derive(Debug)]
pub struct LiveWorld {
    resolver: Arc<Resolver>,
    prober: Prober,
    clock: Arc<dyn Clock>,
    triage: Option<Arc<Triage>>,
    helo: String,
    pause: Duration,
    places: Semaphore,
    lanes: Mutex<HashMap<IpAddr, Arc<Lane>>>,
    /// Most sessions at once at one address.
    most_at_once: AtomicU32,
    /// At all addresses: now, and at most.
    open: Gauge,
}

/// How many there are, and how many there were at most.
#[derive(Debug, Default)]
struct Gauge {
    now: AtomicU32,
    most: AtomicU32,
}

/// One of them; a check that is given up leaves like any other.
struct Inside<'a> {
    gauge: &'a Gauge,
    number: u32,
}

impl<'a> Inside<'a> {
    fn of(gauge: &'a Gauge) -> Self {
        let number = gauge.now.fetch_add(1, Ordering::SeqCst) + 1;
        gauge.most.fetch_max(number, Ordering::SeqCst);
        Self { gauge, number }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.gauge.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One address: whoever holds the lock may open a session there, and finds when the last one ended.
#[derive(Debug, Default)]
struct Lane {
    last_end: tokio::sync::Mutex<Option<Instant>>,
    open: Gauge,
}

impl LiveWorld {
    /// The network as `dialer` reaches it; `resolver` should use the same one.
    #[must_use]
    pub fn new(
        settings: LiveSettings,
        resolver: Arc<Resolver>,
        dialer: Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut sender = settings.sender;
        sender.timeouts = sender.timeouts.capped(settings.patience);
        sender.timeouts.domain = settings.patience * 4;
        let helo = sender.greeting_name.to_string();
        let names = Arc::clone(&resolver);
        Self {
            prober: Prober::new(sender, names, dialer, Arc::clone(&clock)),
            resolver,
            clock,
            triage: None,
            helo,
            pause: settings.pause,
            places: Semaphore::new(settings.most_sessions.max(1)),
            lanes: Mutex::new(HashMap::new()),
            most_at_once: AtomicU32::new(0),
            open: Gauge::default(),
        }
    }

    /// The same world, which says of a lookup that failed whether that is the domain's fault.
    #[must_use]
    pub fn with_triage(self, triage: Arc<Triage>) -> Self {
        Self {
            triage: Some(triage),
            ..self
        }
    }

    fn lane(&self, address: IpAddr) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= REMEMBERED {
            // Whoever waits for a lane holds it too.
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        Arc::clone(lanes.entry(address).or_default())
    }

    /// One session, when it is its turn.
    async fn session(&self, visit: &Visit<'_>, look: Look<'_>) -> Option<Sounding> {
        let lane = self.lane(visit.address);
        let mut last_end = lane.last_end.lock().await;
        if let Some(last) = *last_end {
            sleep_until(last + self.pause).await;
        }
        let _place = self.places.acquire().await.ok()?;
        let _in_all = Inside::of(&self.open);
        let here = Inside::of(&lane.open);
        self.most_at_once.fetch_max(here.number, Ordering::SeqCst);
        let sounding = self.prober.look(visit.plan, visit.address, look).await;
        *last_end = Some(Instant::now());
        Some(sounding)
    }

    async fn climb(&self, visit: &Visit<'_>) -> Vec<Sounding> {
        let mut seen = visit.seen.to_vec();
        for _ in 0..RUNGS {
            let missing = self.prober.missing(visit.plan, visit.address, &seen);
            let Some((rung, sni)) = missing else { break };
            let look = Look {
                rung,
                offer: SignatureOffer::Any,
                sni: sni.as_ref(),
            };
            match self.session(visit, look).await {
                Some(sounding) => seen.push(sounding),
                None => break,
            }
        }
        seen.split_off(visit.seen.len())
    }
}

/// The rung on which a handshake was completed; the first where none was.
fn rung_of(seen: &[Sounding]) -> Rung {
    let shaken = seen.iter().rev().find(|it| it.handshake().is_some());
    shaken.map_or(Rung::Modern, |it| it.rung)
}

impl World for LiveWorld {
    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    fn resolver(&self) -> &Arc<Resolver> {
        &self.resolver
    }

    fn visit<'a>(&'a self, visit: &'a Visit<'a>) -> BoxFuture<'a, Vec<Sounding>> {
        Box::pin(async move {
            let named = visit.plan.sni.as_ref();
            let (offer, sni) = match visit.offer {
                Offer::Sender => return self.climb(visit).await,
                Offer::Rsa => (SignatureOffer::RsaOnly, named),
                Offer::Ecdsa => (SignatureOffer::EcdsaOnly, named),
                Offer::NoName => (SignatureOffer::Any, None),
                Offer::OtherName => (SignatureOffer::Any, visit.other_name),
            };
            let rung = rung_of(visit.seen);
            let look = Look { rung, offer, sni };
            self.session(visit, look).await.into_iter().collect()
        })
    }

    fn fetch_policy<'a>(&'a self, domain: &'a DomainName) -> BoxFuture<'a, StsFetch> {
        Box::pin(self.prober.fetch_policy(domain))
    }

    fn manners(&self) -> Manners {
        Manners {
            pause: self.pause,
            most_at_once: self.most_at_once.load(Ordering::SeqCst),
            most_open: self.open.most.load(Ordering::SeqCst),
            helo: self.helo.clone(),
        }
    }

    fn blame(&self) -> BoxFuture<'_, Blame> {
        Box::pin(async {
            match &self.triage {
                Some(triage) => triage.blame().await,
                None => Blame::Unknown,
            }
        })
    }
}
