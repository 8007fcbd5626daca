//! Settlements whose COMMIT was sent and whose answer did not come: the server knows what became of the
//! transaction, and is asked by its number.

use crate::error::StoreError;
use crate::job::{Lease, Settled};
use crate::postgres::link::{Link, USUAL};
use deadpool_postgres::Object;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_postgres::error::SqlState;

/// Settlements remembered at most; of more, the answers are those of a lease that was lost.
const REMEMBERED: usize = 20_000;

/// The number of a transaction, and what is to be answered when it is committed.
type Asked = (i64, Vec<Settled>);

/// The transaction that is about to be committed.
#[derive(Debug, Clone, Default)]
pub(super) struct Commit(Arc<Mutex<Option<Asked>>>);

impl Commit {
    pub(super) fn is_asked_for(&self, transaction: i64, answers: Vec<Settled>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((transaction, answers));
    }

    pub(super) fn take(&self) -> Option<Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What is unclear, by lease: the transaction, and what it answers if it was committed.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Unclear(Mutex<BTreeMap<Lease, (i64, Settled)>>);

impl Unclear {
    /// Remembers settlements of `transaction`.
    pub(super) fn keep(&self, transaction: i64, answers: impl Iterator<Item = (Lease, Settled)>) {
        let mut unclear = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (lease, settled) in answers {
            if unclear.len() < REMEMBERED {
                unclear.insert(lease, (transaction, settled));
            }
        }
    }

    /// What became of `leases`, as [`QueueStore::settled`](crate::store::QueueStore::settled) says.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(in crate::postgres) async fn settled(
        &self,
        link: &Link,
        leases: Vec<Lease>,
    ) -> Result<Vec<Option<Settled>>, StoreError> {
        let transactions: BTreeSet<i64> = {
            let unclear = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let known = leases.iter().filter_map(|lease| unclear.get(lease));
            known.map(|(transaction, _)| *transaction).collect()
        };
        let mut committed = BTreeSet::new();
        for transaction in transactions {
            if is_committed(link, transaction).await? {
                committed.insert(transaction);
            }
        }
        let mut unclear = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = leases.iter().map(|lease| {
            let (transaction, settled) = unclear.remove(lease)?;
            committed.contains(&transaction).then_some(settled)
        });
        Ok(answers.collect())
    }
}

/// Whether a transaction was committed. A server that lost its end in a crash gives its number away
/// again: then the answer may be another's, and the job is tried again when its lease ends.
async fn is_committed(link: &Link, transaction: i64) -> Result<bool, StoreError> {
    let status: Option<String> = link
        .run(USUAL, move |client| {
            let client: &Object = client;
            Box::pin(async move {
                let asked = client
                    .query_one("SELECT txid_status($1)", &[&transaction])
                    .await;
                match asked {
                    Ok(row) => Ok(row.try_get(0)?),
                    // Lost in a crash, and the number not given to another yet.
                    Err(error) if error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) => {
                        Ok(None)
                    }
                    Err(error) => Err(error.into()),
                }
            })
        })
        .await?;
    match status.as_deref() {
        Some("committed") => Ok(true),
        Some("in progress") => Err(StoreError::Unavailable(
            "a settlement is still under way".to_owned(),
        )),
        // Aborted, or so long ago that the lease is over too.
        _ => Ok(false),
    }
}
