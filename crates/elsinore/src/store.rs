//! The queue that the configuration names, opened.

use crate::config::Settings;
use crate::config::relay::StorePlace;
use crate::exit::Refusal;
use crate::output::printable;
use anyhow::Result;
use elsinore_queue::error::StoreError;
use elsinore_queue::postgres::PostgresStore;
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};
use elsinore_queue::store::QueueStore;
use std::path::Path;
use std::sync::Arc;

/// Opens the queue. Called within a tokio runtime; blocks the thread while a store of this machine
/// looks at what a crash left behind. `tell` hears of what was found, if that is worth a word.
///
/// # Errors
/// One line that names the place, and an exit code that says whose fault it is.
pub(crate) async fn open(
    settings: &Settings,
    tell: impl FnOnce(String),
) -> Result<Arc<dyn QueueStore>> {
    match place(settings)? {
        StorePlace::Folder(folder) => {
            let store = SqliteStore::open(SqliteSettings::new(folder.clone()))
                .map_err(|error| refusal(folder, &error))?;
            let found = store.recovery();
            if found.messages > 0 || found.damaged > 0 || found.lost > 0 {
                tell(format!(
                    "after a crash: {} messages taken into the index, {} damaged stretches put into \
                     {}/quarantine, {} messages lost",
                    found.messages,
                    found.damaged,
                    folder.display(),
                    found.lost
                ));
            }
            Ok(Arc::new(store))
        }
        StorePlace::Postgres(shared) => {
            let state = settings.state_dir.as_ref().ok_or_else(|| {
                Refusal::configuration(
                    "[relay] postgres: no folder for messages on their way; name one with state_dir",
                )
            })?;
            let shared = shared.settings(state.join("spool"));
            // The connection string may hold a password; what the store says never repeats it.
            let store = PostgresStore::open(&shared).await.map_err(|error| {
                let text = printable(&format!("[relay] postgres: {error}"));
                by_kind(&error, text)
            })?;
            Ok(Arc::new(store))
        }
    }
}

/// Where the queue is.
///
/// # Errors
/// A configuration error when nothing says so.
pub(crate) fn place(settings: &Settings) -> Result<&StorePlace> {
    settings.relay.store.as_ref().ok_or_else(|| {
        Refusal::configuration("no folder for the queue; name one with [relay] store or state_dir")
    })
}

/// What is wrong with the store in `folder`, with the code that fits.
pub(crate) fn refusal(folder: &Path, error: &StoreError) -> anyhow::Error {
    let text = printable(&format!("[relay] store {}: {error}", folder.display()));
    by_kind(error, text)
}

/// `text` with the code that fits `error`.
pub(crate) fn by_kind(error: &StoreError, text: String) -> anyhow::Error {
    match error {
        StoreError::Newer { .. } | StoreError::Refused(_) => Refusal::configuration(text),
        StoreError::InUse(_) | StoreError::Unavailable(_) => Refusal::unavailable(text),
        StoreError::Unknown => Refusal::unusable_input(text),
        StoreError::Full(_)
        | StoreError::Failed(_)
        | StoreError::ReadOnly(_)
        | StoreError::Damaged(_)
        | StoreError::Content(_) => Refusal::storage(text),
    }
}
