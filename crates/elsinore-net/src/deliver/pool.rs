//! Connections that wait for another message.
//!
//! A connection is used again only under the very demand it was made and judged under: the peer's
//! address and port, the rung, and everything that the proof of its server depends on (MX host,
//! obligation with the whole TLSA RRset, MX security, reference identifiers, names for WebPKI, pins,
//! SNI, minimum protocol). Every message runs its own discovery first, so a policy that changed, in
//! DNS or by the administrator, changes the key. What was proven may also age: a connection is left
//! when the certificate that proved something by its date has run out, when it is old, and when it
//! has carried many messages.
//!
//! Connections that are not used again are left with QUIT (RFC 5321 §4.1.1.10).

use super::config::Reuse;
use crate::clock::Clock;
use crate::session::{IdleConnection, TlsRecord};
use crate::tls::TlsDemand;
use crate::tls::session_key::SessionKey;
use elsinore_dane::ladder::Rung;
use elsinore_dane::time::UnixTime;
use elsinore_smtp::client::Timeouts;
use openssl::asn1::Asn1Time;
use openssl::x509::X509;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Under what a connection may be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    peer: SocketAddr,
    rung: Rung,
    demand: SessionKey,
}

impl Key {
    pub(super) fn of(peer: SocketAddr, rung: Rung, demand: &TlsDemand<'_>) -> Self {
        Self {
            peer,
            rung,
            demand: SessionKey::of(demand),
        }
    }
}

/// A connection and what bounds its use.
#[derive(Debug)]
pub(super) struct Pooled {
    connection: IdleConnection,
    opened: Instant,
    /// Transactions so far.
    transactions: u32,
    /// Until when what its server proved holds, where that depends on a date.
    proven_until: Option<UnixTime>,
}

impl Pooled {
    /// A connection behind its first transaction, opened at `opened`.
    pub(super) fn new(connection: IdleConnection, opened: Instant) -> Self {
        Self {
            proven_until: connection.tls().and_then(proven_until),
            connection,
            opened,
            transactions: 1,
        }
    }

    /// The connection, and what is kept of it while it is used.
    pub(super) fn begin(self) -> (IdleConnection, Used) {
        let used = Used {
            opened: self.opened,
            transactions: self.transactions,
            proven_until: self.proven_until,
        };
        (self.connection, used)
    }
}

/// What is kept of a connection while it is used again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    opened: Instant,
    transactions: u32,
    proven_until: Option<UnixTime>,
}

impl Used {
    /// Which transaction of its connection this is, from 2 on.
    pub(super) const fn transaction(&self) -> u32 {
        self.transactions.saturating_add(1)
    }

    /// The connection behind that transaction.
    pub(super) const fn end(self, connection: IdleConnection) -> Pooled {
        Pooled {
            connection,
            opened: self.opened,
            transactions: self.transactions.saturating_add(1),
            proven_until: self.proven_until,
        }
    }
}

/// What happened to connections since the sender was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionCounters {
    /// Connections that were opened for a transaction.
    pub opened: u64,
    /// Transactions on a connection that had served before.
    pub reused: u64,
    /// Connections that were taken up again and turned out to be gone.
    pub stale: u64,
    /// Connections that wait now.
    pub idle: u64,
}

/// The connections that wait, of one sender.
#[derive(Debug)]
pub(super) struct Pool {
    settings: Reuse,
    timeouts: Timeouts,
    clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
    partings: Mutex<JoinSet<()>>,
    opened: AtomicU64,
    reused: AtomicU64,
    stale: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By key, the one that waits longest first.
    by_key: HashMap<Key, Vec<(Instant, Pooled)>>,
    count: usize,
    /// Whether somebody will come and look.
    watched: bool,
}

impl Waiting {
    /// The keys of what has waited since before `then`, or longest of all.
    fn oldest(&self) -> Option<Key> {
        let first = |(key, waiting): (&Key, &Vec<(Instant, Pooled)>)| {
            waiting.first().map(|(since, _)| (*since, *key))
        };
        let oldest = self.by_key.iter().filter_map(first).min_by_key(|it| it.0);
        oldest.map(|(_, key)| key)
    }

    fn take_first(&mut self, key: &Key) -> Option<Pooled> {
        let waiting = self.by_key.get_mut(key)?;
        let first = (!waiting.is_empty()).then(|| waiting.remove(0));
        if waiting.is_empty() {
            self.by_key.remove(key);
        }
        self.count = self.count.saturating_sub(usize::from(first.is_some()));
        first.map(|(_, pooled)| pooled)
    }

    fn take_last(&mut self, key: &Key) -> Option<(Instant, Pooled)> {
        let waiting = self.by_key.get_mut(key)?;
        let last = waiting.pop();
        if waiting.is_empty() {
            self.by_key.remove(key);
        }
        self.count = self.count.saturating_sub(usize::from(last.is_some()));
        last
    }

    /// Takes out what has waited since before `then`; everything for `None`.
    fn take_older(&mut self, then: Option<Instant>) -> Vec<Pooled> {
        let mut taken = Vec::new();
        self.by_key.retain(|_, waiting| {
            let stays = |(since, _): &(Instant, Pooled)| then.is_some_and(|then| *since > then);
            let leaving = waiting.iter().take_while(|entry| !stays(entry)).count();
            taken.extend(waiting.drain(..leaving).map(|(_, pooled)| pooled));
            !waiting.is_empty()
        });
        self.count = self.count.saturating_sub(taken.len());
        taken
    }
}

impl Pool {
    pub(super) fn new(settings: Reuse, timeouts: Timeouts, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            settings,
            timeouts,
            clock,
            waiting: Mutex::default(),
            partings: Mutex::default(),
            opened: AtomicU64::new(0),
            reused: AtomicU64::new(0),
            stale: AtomicU64::new(0),
        })
    }

    /// Whether connections are kept at all.
    pub(super) const fn is_on(&self) -> bool {
        self.settings.idle_in_all > 0 && self.settings.idle_per_server > 0
    }

    pub(super) fn counters(&self) -> ConnectionCounters {
        ConnectionCounters {
            opened: self.opened.load(Ordering::Relaxed),
            reused: self.reused.load(Ordering::Relaxed),
            stale: self.stale.load(Ordering::Relaxed),
            idle: u64::try_from(self.waiting().count).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn count_opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_reused(&self) {
        self.reused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_stale(&self) {
        self.stale.fetch_add(1, Ordering::Relaxed);
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        // A poisoned table is still a table: every change of it was whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection for `key` that may be used and whose server is not known to be gone: the one used
    /// last, so that the others may end.
    pub(super) fn take(self: &Arc<Self>, key: &Key) -> Option<Pooled> {
        if !self.is_on() {
            return None;
        }
        loop {
            let (since, mut pooled) = self.waiting().take_last(key)?;
            if since.elapsed() < self.settings.idle_for
                && self.may_serve(&pooled)
                && pooled.connection.is_quiet()
            {
                return Some(pooled);
            }
            self.leave(pooled);
        }
    }

    /// Whether another transaction may begin on it now.
    fn may_serve(&self, pooled: &Pooled) -> bool {
        pooled.opened.elapsed() < self.settings.age
            && pooled.transactions < self.settings.transactions
            && (pooled.proven_until).is_none_or(|until| self.clock.now() <= until)
    }

    /// Keeps a connection for another message, if there is room for it.
    pub(super) fn put(self: &Arc<Self>, key: Key, pooled: Pooled) {
        if !self.is_on() || !self.may_serve(&pooled) {
            return self.leave(pooled);
        }
        let mut leaving = None;
        let mut begin = false;
        {
            let mut waiting = self.waiting();
            let there = waiting.by_key.get(&key).map_or(0, Vec::len);
            if there >= self.settings.idle_per_server {
                leaving = waiting.take_first(&key);
            } else if waiting.count >= self.settings.idle_in_all
                && let Some(oldest) = waiting.oldest()
            {
                leaving = waiting.take_first(&oldest);
            }
            let entry = waiting.by_key.entry(key).or_default();
            entry.push((Instant::now(), pooled));
            waiting.count += 1;
            if !waiting.watched {
                waiting.watched = true;
                begin = true;
            }
        }
        if let Some(leaving) = leaving {
            self.leave(leaving);
        }
        if begin {
            let pool = Arc::downgrade(self);
            let every = self.settings.idle_for;
            // It ends by itself, with the last connection or with the pool.
            tokio::spawn(watch(pool, every));
        }
    }

    /// Says QUIT beside everything else.
    fn leave(self: &Arc<Self>, pooled: Pooled) {
        let timeouts = self.timeouts;
        self.aside(async move { pooled.connection.quit(&timeouts).await });
    }

    /// Leaves a connection that is not in the pool.
    pub(super) fn part(self: &Arc<Self>, connection: IdleConnection) {
        let timeouts = self.timeouts;
        self.aside(async move { connection.quit(&timeouts).await });
    }

    fn aside(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut partings = self.partings.lock().unwrap_or_else(PoisonError::into_inner);
        while partings.try_join_next().is_some() {}
        partings.spawn(work);
    }

    /// Leaves every connection that waits, and waits until that is done: as long as a QUIT may take,
    /// at most.
    pub(super) async fn drain(&self) {
        let leaving = self.waiting().take_older(None);
        let mut partings = {
            let mut partings = self.partings.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *partings)
        };
        for pooled in leaving {
            let timeouts = self.timeouts;
            partings.spawn(async move { pooled.connection.quit(&timeouts).await });
        }
        while partings.join_next().await.is_some() {}
    }

    /// Leaves what has waited long enough; whether anything still waits.
    fn sweep(self: &Arc<Self>) -> bool {
        let now = Instant::now();
        let (leaving, goes_on) = {
            let mut waiting = self.waiting();
            let leaving = match now.checked_sub(self.settings.idle_for) {
                Some(then) => waiting.take_older(Some(then)),
                None => Vec::new(),
            };
            waiting.watched = waiting.count > 0;
            (leaving, waiting.watched)
        };
        for pooled in leaving {
            self.leave(pooled);
        }
        goes_on
    }
}

/// Looks after the idle connections of a pool while there are any.
async fn watch(pool: Weak<Pool>, every: Duration) {
    // Looking four times in that time, nothing waits much longer than it may.
    let pause = (every / 4).max(Duration::from_millis(50));
    loop {
        tokio::time::sleep(pause).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.sweep() {
            return;
        }
    }
}

/// The first end of a certificate that a proof rests on: with DANE-EE and with pins no date counts
/// (RFC 7671 §5.1); under any other proof each certificate may bear on it.
fn proven_until(tls: &TlsRecord) -> Option<UnixTime> {
    let by_date = tls.proofs.webpki.is_some()
        || tls.proofs.webpki_chain.is_some()
        || (tls.proofs.dane.as_ref()).is_some_and(|matched| matched.usage().code() != 3);
    if !by_date {
        return None;
    }
    let ends = tls.handshake.chain.iter().filter_map(|der| {
        let certificate = X509::from_der(der).ok()?;
        let epoch = Asn1Time::from_unix(0).ok()?;
        let after = epoch.diff(certificate.not_after()).ok()?;
        Some(UnixTime(
            i64::from(after.days) * 86_400 + i64::from(after.secs),
        ))
    });
    ends.min()
}
