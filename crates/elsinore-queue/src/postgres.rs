//! The shared store: PostgreSQL, for several relays that work on one queue (ADR 0018).
//!
//! Relays share nothing but the database, and none of them needs to be told of the others. Jobs are
//! leased by `FOR UPDATE SKIP LOCKED`, many at once; a lease ends by the server's clock, and its epoch
//! is raised in the same durable statement that hands it out, so that nobody settles under a lease
//! that another has taken since. A relay that dies leaves leases that end, and transactions that the
//! server rolls back.
//!
//! # Limitations
//! Sessions are set up with `options`, and statements are prepared: a pooler between us and the server
//! must keep sessions. If the server's clock is set back, a lease may last longer by as much, at most
//! a day.

mod content;
mod lease;
mod link;
mod listing;
mod records;
mod schema;
mod settle;
mod wake;
mod write;

use crate::admin::{Deed, Filter, Page, Stats};
use crate::content::Body;
use crate::error::StoreError;
use crate::id::{JobId, MessageId};
use crate::job::{Claim, DueDestination, Lease, Leased, Settled, Settlement};
use crate::message::NewMessage;
use crate::moment::Moment;
use crate::record::{Change, Kind, Record, Tally};
use crate::store::{Answer, QueueStore};
use link::Link;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use wake::Wakeups;
use write::Writers;

/// Where the shared queue is.
#[derive(Clone)]
pub struct PostgresSettings {
    /// Connection string of libpq's form: `host=db.example.org user=elsinore dbname=mail`, or a URL.
    /// A connection over TCP uses TLS and verifies the server's certificate and name, unless the
    /// string says `sslmode=disable`; the weaker modes between are treated as the strong one.
    pub connection: String,
    /// Connections to the server at most, beside the one that listens; at least 2.
    pub pool: usize,
    /// The schema that holds the tables, made when it is missing: lower-case letters, digits and
    /// underscores, at most 40.
    pub schema: String,
    /// A folder of this relay's own for messages on their way in and out.
    pub spool_folder: PathBuf,
    /// A file with the certificates that the server's is verified against, in PEM, instead of those
    /// of the system.
    pub tls_ca: Option<PathBuf>,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            connection: String::new(),
            pool: 8,
            schema: "elsinore".to_owned(),
            spool_folder: PathBuf::from("/var/lib/elsinore/spool"),
            tls_ca: None,
        }
    }
}

impl PostgresSettings {
    /// Whether the settings can be: the connection string and the certificates are read, and the name
    /// of the schema is looked at. Connects nowhere.
    ///
    /// # Errors
    /// [`StoreError::Refused`], which does not repeat the connection string.
    pub fn check(&self) -> Result<(), StoreError> {
        link::check(self)
    }
}

impl fmt::Debug for PostgresSettings {
    /// Without the connection string: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("pool", &self.pool)
            .field("schema", &self.schema)
            .field("spool_folder", &self.spool_folder)
            .field("tls_ca", &self.tls_ca)
            .finish_non_exhaustive()
    }
}

/// The queue in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    link: Arc<Link>,
    writers: Writers,
    wakeups: Wakeups,
    unclear: settle::Unclear,
    spool_folder: PathBuf,
}

impl PostgresStore {
    /// Connects, and makes or migrates the tables where that is needed. Must be called within a tokio
    /// runtime, which the store's tasks run on.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for settings that cannot be, and for a server that would break the
    /// promise (`fsync = off`) or garble text (an encoding other than UTF-8);
    /// [`StoreError::Newer`]; [`StoreError::Unavailable`].
    pub async fn open(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let spool_folder = settings.spool_folder.clone();
        content::prepare_folder(spool_folder.clone()).await?;
        let link = Arc::new(Link::new(settings)?);
        link.look_at_server().await?;
        schema::prepare(&link, &settings.schema).await?;
        let wakeups = Wakeups::start(Arc::clone(&link), &settings.schema);
        let writers = Writers::start(&link, wakeups.bell());
        Ok(Self {
            link,
            writers,
            wakeups,
            unclear: settle::Unclear::default(),
            spool_folder,
        })
    }
}

impl QueueStore for PostgresStore {
    fn enqueue(&self, message: NewMessage) -> Answer<'_, ()> {
        Box::pin(self.writers.enqueue(message))
    }

    fn waiting(
        &self,
        now: Moment,
        after: Option<String>,
        at_most: usize,
    ) -> Answer<'_, Vec<DueDestination>> {
        Box::pin(lease::waiting(&self.link, now, after, at_most))
    }

    fn claim(&self, claim: Claim) -> Answer<'_, Vec<Leased>> {
        Box::pin(lease::claim(&self.link, claim))
    }

    fn renew(&self, leases: Vec<Lease>, lease_for: Duration) -> Answer<'_, Vec<Settled>> {
        Box::pin(lease::renew(&self.link, leases, lease_for))
    }

    fn settle(&self, settlements: Vec<Settlement>) -> Answer<'_, Vec<Settled>> {
        Box::pin(settle::settle(
            &self.link,
            self.wakeups.bell(),
            &self.unclear,
            settlements,
        ))
    }

    fn settled(&self, leases: Vec<Lease>) -> Answer<'_, Vec<Option<Settled>>> {
        Box::pin(self.unclear.settled(&self.link, leases))
    }

    fn hand_back(&self, leases: Vec<Lease>) -> Answer<'_, ()> {
        Box::pin(async move {
            lease::hand_back(&self.link, leases).await?;
            self.wakeups.bell().ring();
            Ok(())
        })
    }

    fn body(&self, message: MessageId) -> Answer<'_, Arc<dyn Body>> {
        Box::pin(content::body(&self.link, &self.spool_folder, message))
    }

    fn next_due(&self) -> Answer<'_, Option<Moment>> {
        Box::pin(lease::next_due(&self.link))
    }

    fn wakeups(&self) -> watch::Receiver<u64> {
        self.wakeups.subscribe()
    }

    fn bring_forward(&self, latest: Moment) -> Answer<'_, u64> {
        Box::pin(async move {
            let changed = lease::bring_forward(&self.link, latest).await?;
            self.wakeups.bell().ring();
            Ok(changed)
        })
    }

    fn room(&self, _octets: u64) -> Result<(), StoreError> {
        self.link.health()
    }

    fn spool_folder(&self) -> &Path {
        &self.spool_folder
    }

    fn list(&self, filter: Filter, after: Option<JobId>, at_most: usize) -> Answer<'_, Page> {
        Box::pin(listing::list(&self.link, filter, after, at_most))
    }

    fn change(&self, filter: Filter, deed: Deed) -> Answer<'_, u64> {
        Box::pin(async move {
            let changed = listing::change(&self.link, filter, deed).await?;
            self.wakeups.bell().ring();
            Ok(changed)
        })
    }

    fn stats(&self, now: Moment) -> Answer<'_, Stats> {
        Box::pin(listing::stats(&self.link, now))
    }

    fn record(&self, changes: Vec<Change>) -> Answer<'_, ()> {
        Box::pin(records::record(&self.link, changes))
    }

    fn record_first(&self, kind: Kind, record: Record) -> Answer<'_, bool> {
        Box::pin(records::record_first(&self.link, kind, record))
    }

    fn records(
        &self,
        kind: Kind,
        prefix: String,
        after: Option<String>,
        at_most: usize,
    ) -> Answer<'_, Vec<Record>> {
        Box::pin(records::records(&self.link, kind, prefix, after, at_most))
    }

    fn tallies(
        &self,
        kind: Kind,
        prefix: String,
        after: Option<String>,
        at_most: usize,
    ) -> Answer<'_, Vec<Tally>> {
        Box::pin(records::tallies(&self.link, kind, prefix, after, at_most))
    }

    fn health(&self) -> Result<(), StoreError> {
        self.link.health()
    }

    fn complaints(&self) -> Vec<String> {
        self.link.complaints.take()
    }

    fn tidy(&self) -> Answer<'_, ()> {
        // Dead rows are autovacuum's, by settings of the tables. What is left to us is the folder.
        Box::pin(content::prepare_folder(self.spool_folder.clone()))
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.writers.close().await;
            self.wakeups.close();
            self.link.close();
            Ok(())
        })
    }
}
