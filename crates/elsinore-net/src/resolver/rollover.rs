//! The rollover of the root's keys (RFC 5011): the shipped anchors are the start, and every key
//! that the root has published, signed by a key already trusted, for 30 days becomes an anchor of
//! its own. What was learnt is kept in the state folder.
//!
//! Reading the state and acting on it never waits for the network; [`refresh`] does, and is meant
//! to run beside the work of a command.

mod state;
mod store;
mod text;

pub use state::{Change, KeyState, RootAnchors, TrackedKey};
pub use store::{AnchorStore, LoadedAnchors, Origin, Recorded, StoreError};

use super::config::Mode;
use super::core::Work;
use super::evidence::Records;
use super::limits::Budget;
use super::transcript::{Checking, Recursion};
use super::wire::{Name, Question, Record, rtype};
use super::{Freshness, Resolver};
use elsinore_dane::time::UnixTime;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::{Duration, sleep, timeout};

/// Longest sleep of [`keep_current`], in seconds: the wall clock may be set meanwhile.
const LONGEST_SLEEP: i64 = 3_600;

/// The DNSKEY RRset of the root with its signatures, as it was received; nothing in it has been
/// checked.
#[derive(Debug, Clone)]
pub struct RootKeys {
    records: Vec<Record>,
}

/// What a refresh came to.
#[derive(Debug)]
pub enum Refreshed {
    /// It was not time yet.
    NotDue,
    /// Another process is at it.
    Busy,
    /// The root's keys were looked at; this is what changed, often nothing.
    Done(Vec<Change>),
}

/// Why a refresh came to nothing. The anchors stay what they were.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// This resolver does not validate, so it has no anchors.
    #[error("the root's keys are not needed where an AD bit is believed")]
    NoValidation,
    /// The root's keys could not be had.
    #[error("the root's keys cannot be looked up: {0}")]
    Lookup(String),
    /// They are not signed by a key that is trusted.
    #[error("the root's keys are not to be believed: {0}")]
    Invalid(String),
    /// The state folder cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Resolver {
    /// Asks for the root's keys, past the cache.
    ///
    /// # Errors
    /// [`RefreshError::NoValidation`] in [`Mode::Ad`], [`RefreshError::Lookup`] when no server
    /// answered in time.
    pub async fn root_keys(&self) -> Result<RootKeys, RefreshError> {
        if self.core.config.mode == Mode::Ad {
            return Err(RefreshError::NoValidation);
        }
        let question = Question {
            name: Name::root(),
            rtype: rtype::DNSKEY,
        };
        // No zone's keys are fetched ahead here.
        let (wanted_keys, _) = mpsc::unbounded_channel();
        let work = Work {
            budget: Budget::new(self.core.config.limits),
            freshness: Freshness::Fresh,
            recursion: Recursion::Desired,
            checking: Checking::Enabled,
            records: Records::Dropped,
            wanted_keys,
            oddities: std::sync::Mutex::default(),
        };
        let deadline = self.core.config.deadline;
        let found = timeout(deadline, self.core.fetch_answer(&question, &work))
            .await
            .map_err(|_| {
                RefreshError::Lookup(format!("no answer within {} s", deadline.as_secs()))
            })?
            .map_err(|trouble| RefreshError::Lookup(trouble.text))?;
        Ok(RootKeys {
            records: found.message.answer.clone(),
        })
    }

    /// Puts the anchors of the root in force that `anchors` has learnt.
    pub fn put_in_force(&self, anchors: &RootAnchors) {
        self.core.replace_anchors(&anchors.trust_anchors());
    }

    fn now(&self) -> UnixTime {
        self.core.now()
    }
}

/// Looks at the root's keys if it is time to (RFC 5011 §2.3), records what they say, and puts
/// changed anchors in force.
///
/// # Errors
/// [`RefreshError`]; the next attempt is then due after the retry time, and mail goes on under the
/// anchors as they are.
pub async fn refresh(
    resolver: &Resolver,
    store: &Arc<AnchorStore>,
) -> Result<Refreshed, RefreshError> {
    let loaded = on_disk(store, AnchorStore::load).await?;
    if !loaded.anchors.is_due(resolver.now()) {
        return Ok(Refreshed::NotDue);
    }
    let keys = match resolver.root_keys().await {
        Ok(keys) => keys,
        Err(error @ RefreshError::NoValidation) => return Err(error),
        Err(error) => {
            let now = resolver.now();
            on_disk(store, move |store| store.record_failure(now)).await??;
            return Err(error);
        }
    };
    let (now, cryptography) = (
        resolver.now(),
        Arc::clone(&resolver.core.config.cryptography),
    );
    let recorded = on_disk(store, move |store| store.record(&keys, now, &cryptography)).await??;
    match recorded {
        Recorded::Busy => Ok(Refreshed::Busy),
        Recorded::Done {
            anchors,
            changes,
            fault,
        } => {
            if !changes.is_empty() {
                resolver.put_in_force(&anchors);
            }
            match fault {
                Some(text) => Err(RefreshError::Invalid(with_changes(text, &changes))),
                None => Ok(Refreshed::Done(changes)),
            }
        }
    }
}

/// Refreshes for as long as a command runs; `report` is told of every outcome but
/// [`Refreshed::NotDue`]. Never ends by itself.
pub async fn keep_current(
    resolver: &Resolver,
    store: &Arc<AnchorStore>,
    mut report: impl FnMut(Result<Refreshed, RefreshError>),
) {
    loop {
        match refresh(resolver, store).await {
            Ok(Refreshed::NotDue) => {}
            outcome => report(outcome),
        }
        let left = on_disk(store, AnchorStore::load)
            .await
            .map_or(LONGEST_SLEEP, |loaded| {
                loaded.anchors.next_query().0 - resolver.now().0
            });
        // Not in a hurry even when the state cannot be written.
        let seconds = u64::try_from(left.clamp(60, LONGEST_SLEEP)).unwrap_or(60);
        sleep(Duration::from_secs(seconds)).await;
    }
}

/// A key may revoke itself in a set that nobody else signed: that must be told too.
fn with_changes(text: String, changes: &[Change]) -> String {
    changes
        .iter()
        .fold(text, |text, change| format!("{text}; {change}"))
}

/// File work, off the threads that serve the network.
async fn on_disk<T: Send + 'static>(
    store: &Arc<AnchorStore>,
    work: impl FnOnce(&AnchorStore) -> T + Send + 'static,
) -> Result<T, StoreError> {
    let store = Arc::clone(store);
    tokio::task::spawn_blocking(move || work(&store))
        .await
        .map_err(|error| StoreError::Abandoned(error.to_string()))
}

#[cfg(test)]
mod tests;
