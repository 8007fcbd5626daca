//! The delivering half of a relay as a whole: the schedule, and what watches over our own DNS beside
//! it.

use crate::clock::WallClock;
use crate::event::{Event, Journal, Severity};
use crate::notice::NoticeSettings;
use crate::schedule::{Courier, Order, Schedule, ScheduleParts, ScheduleSettings};
use elsinore_net::deliver::Refreshed as PoliciesRefreshed;
use elsinore_net::doctor::triage::{OwnTrouble, Triage};
use elsinore_net::doctor::watch::{self, Health, LookupEnd, WatchSettings};
use elsinore_net::resolver::Resolver;
use elsinore_net::resolver::rollover::{AnchorStore, RefreshError, Refreshed, keep_current};
use elsinore_net::sts::CacheError;
use elsinore_queue::error::StoreError;
use elsinore_queue::store::QueueStore;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch as channel};

/// Orders that wait; more are refused.
const ORDERS: usize = 16;

/// What a relay is made of.
#[derive(Debug)]
pub struct RelayParts {
    /// The queue.
    pub store: Arc<dyn QueueStore>,
    /// Who carries messages: a [`Sender`](elsinore_net::deliver::Sender). A new one is put in place
    /// when the configuration changes; jobs under way keep the old one.
    pub courier: channel::Receiver<Arc<dyn Courier>>,
    /// What time it is.
    pub clock: Arc<dyn WallClock>,
    /// Who wants to know what happens.
    pub journal: Arc<dyn Journal>,
    /// When what is tried, and how many at once.
    pub schedule: channel::Receiver<Arc<ScheduleSettings>>,
    /// How senders are told.
    pub notices: channel::Receiver<Arc<NoticeSettings>>,
    /// Watches whether our own DNS works.
    pub own_dns: Option<OwnDns>,
    /// Follows the rollover of the root's keys (RFC 5011), where it is to be followed.
    pub rollover: Option<Rollover>,
}

/// What the watch over our own DNS needs.
#[derive(Debug)]
pub struct OwnDns {
    /// When to look.
    pub settings: WatchSettings,
    /// Who looks.
    pub triage: Arc<Triage>,
    /// The ends of lookups, from [`Watched`](watch::Watched).
    pub ends: mpsc::Receiver<LookupEnd>,
}

/// What following the root's keys needs.
#[derive(Debug)]
pub struct Rollover {
    /// In which changed anchors are put in force.
    pub resolver: Arc<Resolver>,
    /// Where they are kept.
    pub anchors: Arc<AnchorStore>,
}

/// What can be seen of a running relay from outside.
#[derive(Debug)]
pub struct RelayStatus {
    pub(crate) beats: AtomicU64,
    pub(crate) working: AtomicUsize,
    pub(crate) leased: AtomicUsize,
    pub(crate) destinations: AtomicUsize,
    own_dns: Mutex<Health>,
}

impl Default for RelayStatus {
    fn default() -> Self {
        Self {
            beats: AtomicU64::new(0),
            working: AtomicUsize::new(0),
            leased: AtomicUsize::new(0),
            destinations: AtomicUsize::new(0),
            own_dns: Mutex::new(Health::Unknown),
        }
    }
}

/// Whether our resolver still validates, for `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validates {
    /// Nobody has looked yet, or nobody looks.
    Unknown,
    /// Names known to be good come out secure.
    Yes,
    /// They do not: all mail waits.
    No(OwnTrouble),
}

impl RelayStatus {
    /// Rises with every turn of the schedule, every few seconds at least: what a watchdog looks at.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Jobs that are being worked on.
    #[must_use]
    pub fn working(&self) -> usize {
        self.working.load(Ordering::Relaxed)
    }

    /// Jobs on lease here, those worked on included.
    #[must_use]
    pub fn leased(&self) -> usize {
        self.leased.load(Ordering::Relaxed)
    }

    /// Destinations of which something is remembered.
    #[must_use]
    pub fn destinations(&self) -> usize {
        self.destinations.load(Ordering::Relaxed)
    }

    /// Whether our resolver still validates.
    #[must_use]
    pub fn resolver_validates(&self) -> Validates {
        let health = self.own_dns.lock().unwrap_or_else(PoisonError::into_inner);
        match &*health {
            Health::Unknown => Validates::Unknown,
            Health::Well => Validates::Yes,
            Health::Ill(trouble) => Validates::No(trouble.clone()),
        }
    }

    fn see(&self, health: &Health) {
        let mut known = self.own_dns.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone_from(health);
    }
}

/// The delivering half of a relay.
#[derive(Debug)]
pub struct Relay {
    store: Arc<dyn QueueStore>,
    schedule: Schedule,
    journal: Arc<dyn Journal>,
    own_dns: Option<OwnDns>,
    rollover: Option<Rollover>,
    couriers: channel::Receiver<Arc<dyn Courier>>,
    orders: mpsc::Sender<Order>,
    status: Arc<RelayStatus>,
}

impl Relay {
    /// A relay that does nothing yet.
    #[must_use]
    pub fn new(parts: RelayParts) -> Self {
        let (orders, ordered) = mpsc::channel(ORDERS);
        let status = Arc::new(RelayStatus::default());
        let journal = Arc::clone(&parts.journal);
        let couriers = parts.courier.clone();
        Self {
            store: Arc::clone(&parts.store),
            couriers,
            schedule: Schedule::new(ScheduleParts {
                store: parts.store,
                courier: parts.courier,
                clock: parts.clock,
                journal: parts.journal,
                settings: parts.schedule,
                notices: parts.notices,
                orders: ordered,
                status: Arc::clone(&status),
            }),
            journal,
            own_dns: parts.own_dns,
            rollover: parts.rollover,
            orders,
            status,
        }
    }

    /// What can be seen of it while it runs.
    #[must_use]
    pub fn status(&self) -> Arc<RelayStatus> {
        Arc::clone(&self.status)
    }

    /// Takes orders of the administrator while it runs.
    #[must_use]
    pub fn orders(&self) -> mpsc::Sender<Order> {
        self.orders.clone()
    }

    /// Delivers until `stop` becomes true or its sender is gone, and then until what was begun has
    /// ended, within [`ScheduleSettings::drain`]. Everything is settled or handed back then; the store
    /// is left open, for whoever else uses it.
    ///
    /// # Errors
    /// [`StoreError::Failed`]: the store takes nothing any more, and this process should end.
    pub async fn run(self, stop: channel::Receiver<bool>) -> Result<(), StoreError> {
        let Self {
            store,
            schedule,
            journal,
            own_dns,
            rollover,
            couriers,
            orders,
            status,
        } = self;
        // Held, so that an order can come as long as the schedule runs.
        let _orders = orders;
        let watching = watch_own_dns(own_dns, Arc::clone(&journal), status);
        let refreshing = keep_policies_fresh(couriers, Arc::clone(&journal));
        let listening = tell_complaints(Arc::clone(&store), Arc::clone(&journal));
        let tidying = keep_tidy(store, Arc::clone(&journal));
        let following = follow_root_keys(rollover, journal);
        tokio::select! {
            ended = schedule.run(stop) => ended,
            () = watching => Ok(()),
            () = following => Ok(()),
            () = refreshing => Ok(()),
            () = tidying => Ok(()),
            () = listening => Ok(()),
        }
    }
}

/// How often the store tidies up: segments that few messages keep alive, files that nobody claims.
const TIDY_EVERY: Duration = Duration::from_secs(600);

/// Lets the store tidy up now and then; never ends.
async fn keep_tidy(store: Arc<dyn QueueStore>, journal: Arc<dyn Journal>) {
    loop {
        tokio::time::sleep(TIDY_EVERY).await;
        if let Err(error) = store.tidy().await {
            journal.note(&Event::Notice {
                severity: Severity::Warning,
                part: "store",
                text: format!("tidying up: {error}"),
            });
        }
    }
}

/// How often the store is asked what it found wrong.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Tells what the store found wrong with single jobs; never ends.
async fn tell_complaints(store: Arc<dyn QueueStore>, journal: Arc<dyn Journal>) {
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        for text in store.complaints() {
            journal.note(&Event::Notice {
                severity: Severity::Error,
                part: "store",
                text,
            });
        }
    }
}

/// Watches our own DNS; never ends.
async fn watch_own_dns(
    own_dns: Option<OwnDns>,
    journal: Arc<dyn Journal>,
    status: Arc<RelayStatus>,
) {
    if let Some(own) = own_dns {
        let told = |health: &Health, change: Option<watch::Announcement>| {
            status.see(health);
            if let Some(change) = change {
                let severity = match &change {
                    watch::Announcement::FellIll(_) => Severity::Error,
                    watch::Announcement::ManyOfTheirs => Severity::Warning,
                    watch::Announcement::Recovered => Severity::Info,
                };
                say(&*journal, severity, change.to_string());
            }
        };
        watch::run(own.settings, &own.triage, own.ends, told).await;
    }
    std::future::pending().await
}

/// Follows the rollover of the root's keys; never ends.
async fn follow_root_keys(rollover: Option<Rollover>, journal: Arc<dyn Journal>) {
    let Some(rollover) = rollover else {
        return std::future::pending().await;
    };
    keep_current(
        &rollover.resolver,
        &rollover.anchors,
        |outcome| match outcome {
            Ok(Refreshed::Done(changes)) => {
                for change in changes {
                    say(&*journal, Severity::Warning, change.to_string());
                }
            }
            // That DNS is out of order is the other watch's business; the next look is due in an hour.
            Ok(Refreshed::NotDue | Refreshed::Busy) | Err(RefreshError::Lookup(_)) => {}
            Err(
                error @ (RefreshError::NoValidation
                | RefreshError::Invalid(_)
                | RefreshError::Store(_)),
            ) => say(
                &*journal,
                Severity::Warning,
                format!("root anchors: {error}"),
            ),
        },
    )
    .await;
}

/// Policies that could not be refreshed are named so many at a time; of the others their number is
/// said.
const TOLD_AT_ONCE: usize = 20;

/// Has the courier in force keep its policies fresh; never ends.
async fn keep_policies_fresh(
    mut couriers: channel::Receiver<Arc<dyn Courier>>,
    journal: Arc<dyn Journal>,
) {
    let mut tell = |looked: Result<PoliciesRefreshed, CacheError>| match looked {
        // RFC 8461 §10.2: administrators are to be told.
        Ok(looked) => {
            let others = looked.failed.len().saturating_sub(TOLD_AT_ONCE);
            for (domain, why) in looked.failed.into_iter().take(TOLD_AT_ONCE) {
                let text = format!("the MTA-STS policy of {domain} could not be refreshed: {why}");
                say(&*journal, Severity::Warning, text);
            }
            if others > 0 {
                let text = format!("{others} other MTA-STS policies could not be refreshed");
                say(&*journal, Severity::Warning, text);
            }
        }
        Err(error) => {
            let text = format!("MTA-STS policies could not be refreshed: {error}");
            say(&*journal, Severity::Warning, text);
        }
    };
    loop {
        let courier = Arc::clone(&couriers.borrow_and_update());
        tokio::select! {
            () = courier.keep_policies_fresh(&mut tell) => {}
            changed = couriers.changed() => if changed.is_err() {
                // Nobody will put another one in place.
                courier.keep_policies_fresh(&mut tell).await;
            },
        }
    }
}

fn say(journal: &dyn Journal, severity: Severity, text: String) {
    journal.note(&Event::Notice {
        severity,
        part: "resolver",
        text,
    });
}
