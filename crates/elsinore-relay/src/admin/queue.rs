//! What an administrator may do to the queue, over HTTP or without: the same for both.

use super::shape::{ChangeWish, Changed, DeedWish, Fullness, JobList, ListWish, SCHEMA_VERSION};
use elsinore_queue::admin::{Deed, Filter};
use elsinore_queue::error::StoreError;
use elsinore_queue::id::MessageId;
use elsinore_queue::moment::Moment;
use elsinore_queue::store::QueueStore;
use elsinore_smtp::dsn::HeaderCut;
use std::io::Read as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Jobs of one page when nothing is said.
const PAGE: usize = 100;
/// Jobs of the longest page.
const LONGEST_PAGE: usize = 1000;
/// Octets of a header that are read.
const LONGEST_HEADER: u64 = 64 * 1024;
/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// The wall clock.
#[must_use]
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Moment(since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }))
}

/// A page of jobs.
///
/// # Errors
/// What the store says.
pub async fn list(store: &dyn QueueStore, wish: ListWish) -> Result<JobList, StoreError> {
    let limit = wish.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    store
        .list(wish.filter, wish.after, limit)
        .await
        .map(JobList::from)
}

/// How full the queue is.
///
/// # Errors
/// What the store says.
pub async fn stats(store: &dyn QueueStore) -> Result<Fullness, StoreError> {
    store.stats(now()).await.map(Fullness::from)
}

/// Changes jobs.
///
/// # Errors
/// [`StoreError::Refused`] when nothing says which jobs are meant; what the store says.
pub async fn change(store: &dyn QueueStore, wish: ChangeWish) -> Result<Changed, StoreError> {
    if wish.filter == Filter::default() && !wish.all {
        return Err(StoreError::Refused(
            "nothing says which jobs are meant: give a filter, or say all",
        ));
    }
    if wish.filter != Filter::default() && wish.all {
        return Err(StoreError::Refused("a filter and all: give one of them"));
    }
    let deed = match wish.deed {
        DeedWish::Retry => Deed::Retry(now()),
        DeedWish::Hold(reason) => Deed::Hold(reason.chars().take(LONGEST_REASON).collect()),
        DeedWish::Release => Deed::Release,
        DeedWish::Remove => Deed::Remove,
    };
    let changed = store.change(wish.filter, deed).await?;
    Ok(Changed {
        schema_version: SCHEMA_VERSION,
        changed,
    })
}

/// The header of a message, the line that ends it not included; long ones are cut.
///
/// # Errors
/// What the store says.
pub async fn header(store: &dyn QueueStore, message: MessageId) -> Result<Vec<u8>, StoreError> {
    let body = store.body(message).await?;
    let read = tokio::task::spawn_blocking(move || {
        let mut octets = Vec::new();
        (body.open()?.take(LONGEST_HEADER)).read_to_end(&mut octets)?;
        let mut header = Vec::new();
        HeaderCut::default().push(&octets, &mut header);
        Ok(header)
    });
    match read.await {
        Ok(read) => read.map_err(StoreError::Content),
        Err(_) => Err(StoreError::Unavailable("reading was broken off".to_owned())),
    }
}
