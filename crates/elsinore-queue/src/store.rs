//! What a store promises.

use crate::admin::{Deed, Filter, Page, Stats};
use crate::content::Body;
use crate::error::StoreError;
use crate::id::{JobId, MessageId};
use crate::job::{Claim, DueDestination, Lease, Leased, Settled, Settlement};
use crate::message::NewMessage;
use crate::moment::Moment;
use crate::record::{Change, Kind, Record, Tally};
use futures_util::future::BoxFuture;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The result of asking a store.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A durable queue of messages. Two stores keep this contract, and one suite of tests holds both to
/// it (`tests/store`).
///
/// Every future may be dropped at any await: the work is then done whole or not at all.
pub trait QueueStore: fmt::Debug + Send + Sync + 'static {
    /// Keeps a message. `Ok` means that it is on stable storage and will be found after a crash of the
    /// process, the kernel or the power: the only thing that a reply of 250 may depend on. A second
    /// message of the same name is refused.
    ///
    /// # Errors
    /// [`StoreError`]; the message is then not kept, but see [`StoreError::Unavailable`].
    fn enqueue(&self, message: NewMessage) -> Answer<'_, ()>;

    /// Destinations with jobs that are due at `now`, not held and not leased, in the order of their
    /// names, from the first one after `after` on, at most `at_most`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn waiting(
        &self,
        now: Moment,
        after: Option<String>,
        at_most: usize,
    ) -> Answer<'_, Vec<DueDestination>>;

    /// Leases jobs that are due, each to nobody else until the lease ends. A job whose entry cannot be
    /// read is held for the administrator, with the reason, and is none of them: it shows up in
    /// [`complaints`](Self::complaints).
    ///
    /// # Errors
    /// [`StoreError`].
    fn claim(&self, claim: Claim) -> Answer<'_, Vec<Leased>>;

    /// Lets leases end `lease_for` from now; the answer says of each whether it is still held.
    ///
    /// # Errors
    /// [`StoreError`].
    fn renew(&self, leases: Vec<Lease>, lease_for: Duration) -> Answer<'_, Vec<Settled>>;

    /// Writes what became of jobs; the answer says of each whether its lease was still held. Each
    /// settlement is atomic with its notices. It need not be on stable storage when this returns,
    /// unless it has notices: a crash may repeat the delivery, as RFC 5321 §6.1 allows, but never
    /// loses a notice together with the job it speaks of.
    ///
    /// # Errors
    /// [`StoreError`].
    fn settle(&self, settlements: Vec<Settlement>) -> Answer<'_, Vec<Settled>>;

    /// What became of settlements that [`settle`](Self::settle) of this very store answered with
    /// [`StoreError::Unavailable`]: whether they were written is unknown then. Nothing: they were not,
    /// and are to be settled again; `Done`: they were, with their notices. To be asked before that, or
    /// a settlement that was written looks like a lease that was lost. Each is answered once.
    ///
    /// # Errors
    /// [`StoreError`]; in particular that it is still unknown.
    fn settled(&self, leases: Vec<Lease>) -> Answer<'_, Vec<Option<Settled>>> {
        // A store that is never unavailable has nothing to tell.
        Box::pin(async move { Ok(vec![None; leases.len()]) })
    }

    /// Gives leases back unused: the jobs are due as before.
    ///
    /// # Errors
    /// [`StoreError`].
    fn hand_back(&self, leases: Vec<Lease>) -> Answer<'_, ()>;

    /// The octets of a message.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] and others.
    fn body(&self, message: MessageId) -> Answer<'_, Arc<dyn Body>>;

    /// When the next job is due that is neither held nor leased.
    ///
    /// # Errors
    /// [`StoreError`].
    fn next_due(&self) -> Answer<'_, Option<Moment>>;

    /// Changes whenever something may have become due that was not before. A hint: asking
    /// [`waiting`](Self::waiting) now and then must be enough.
    fn wakeups(&self) -> watch::Receiver<u64>;

    /// Lets no job be due later than `latest`, held and leased ones included: for a clock that was set
    /// back. The answer is the number of jobs changed.
    ///
    /// # Errors
    /// [`StoreError`].
    fn bring_forward(&self, latest: Moment) -> Answer<'_, u64>;

    /// Whether a message of `octets` can be kept, as far as one can tell: asked before DATA, so that
    /// it is refused with 452 or 451 there and not after. Does not block.
    ///
    /// # Errors
    /// Why not.
    fn room(&self, octets: u64) -> Result<(), StoreError>;

    /// The folder for [`Incoming`](crate::content::Incoming): on the file system of the store, where
    /// there is one.
    fn spool_folder(&self) -> &Path;

    /// Jobs that match `filter`, in order of their numbers from the first one after `after` on, at
    /// most `at_most`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn list(&self, filter: Filter, after: Option<JobId>, at_most: usize) -> Answer<'_, Page>;

    /// Does something to all jobs that match; the answer is their number.
    ///
    /// # Errors
    /// [`StoreError`].
    fn change(&self, filter: Filter, deed: Deed) -> Answer<'_, u64>;

    /// How full the queue is at `now`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn stats(&self, now: Moment) -> Answer<'_, Stats>;

    /// Changes records, all or none; on stable storage within seconds, not necessarily on return.
    ///
    /// # Errors
    /// [`StoreError`].
    fn record(&self, changes: Vec<Change>) -> Answer<'_, ()>;

    /// Writes a record unless there is one with its key; the answer says whether it was written. On
    /// stable storage on return. For what one relay of many is to do.
    ///
    /// # Errors
    /// [`StoreError`].
    fn record_first(&self, kind: Kind, record: Record) -> Answer<'_, bool>;

    /// Records of `kind` whose keys begin with `prefix`, in order, after the key `after`, at most
    /// `at_most`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn records(
        &self,
        kind: Kind,
        prefix: String,
        after: Option<String>,
        at_most: usize,
    ) -> Answer<'_, Vec<Record>>;

    /// Counts of `kind` whose keys begin with `prefix`, in order, after the key `after`, at most
    /// `at_most`.
    ///
    /// # Errors
    /// [`StoreError`].
    fn tallies(
        &self,
        kind: Kind,
        prefix: String,
        after: Option<String>,
        at_most: usize,
    ) -> Answer<'_, Vec<Tally>>;

    /// Whether the store works, for `/readyz`. Does not block.
    ///
    /// # Errors
    /// Why it does not.
    fn health(&self) -> Result<(), StoreError>;

    /// What the store found wrong with single jobs, and did about it, since it was last asked: one line
    /// each, oldest first, at most a hundred. For the log. Does not block.
    fn complaints(&self) -> Vec<String> {
        Vec::new()
    }

    /// Tidies up for as long as it takes: compaction and the like. Called now and then.
    ///
    /// # Errors
    /// [`StoreError`].
    fn tidy(&self) -> Answer<'_, ()>;

    /// Writes what is still in memory and lets go of the store.
    ///
    /// # Errors
    /// [`StoreError`].
    fn close(&self) -> Answer<'_, ()>;
}
