//! The queue, by way of a running relay or by opening its store.

use crate::config::Settings;
use crate::config::relay::StorePlace;
use crate::exit::Refusal;
use crate::output::{self, printable};
use crate::store;
use anyhow::{Context as _, Result};
use elsinore_queue::error::StoreError;
use elsinore_queue::id::MessageId;
use elsinore_queue::store::QueueStore;
use elsinore_relay::admin::client::{Client, ClientError};
use elsinore_relay::admin::queue;
use elsinore_relay::admin::shape::{ChangeWish, Changed, Fullness, JobList, ListWish};
use elsinore_tlsrpt::shown::{ShowWish, Shown, shown};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::sync::Arc;

/// A way to the queue.
pub(in crate::cli) enum Access {
    /// A relay that runs.
    Relay(Client),
    /// The store itself.
    Store(Arc<dyn QueueStore>),
}

impl Access {
    /// Finds the way.
    pub(in crate::cli) async fn open(settings: &Settings) -> Result<Self> {
        let place = store::place(settings)?;
        if let (StorePlace::Folder(folder), Some(socket)) = (place, &settings.relay.admin.socket) {
            let client = Client::new(socket);
            if client.is_running().await.map_err(|error| refusal(&error))? {
                return Ok(Self::Relay(client));
            }
            if !folder.exists() {
                return Err(Refusal::unavailable(format!(
                    "{}: there is no queue, and no relay listens at {}",
                    folder.display(),
                    socket.display()
                )));
            }
        }
        let tell = |found: String| output::diagnose(&printable(&format!("queue: {found}")));
        store::open(settings, tell).await.map(Self::Store)
    }

    /// Lets go of it.
    pub(in crate::cli) async fn close(self) -> Result<()> {
        match self {
            Self::Relay(_) => Ok(()),
            Self::Store(store) => store.close().await.map_err(|error| of_store(&error)),
        }
    }

    pub(in crate::cli) async fn list(&self, wish: &ListWish) -> Result<JobList> {
        match self {
            Self::Relay(relay) => relay.list(wish).await.map_err(|error| refusal(&error)),
            Self::Store(store) => {
                let page = queue::list(store.as_ref(), wish.clone()).await;
                page.map_err(|error| of_store(&error))
            }
        }
    }

    pub(in crate::cli) async fn change(&self, wish: &ChangeWish) -> Result<Changed> {
        match self {
            Self::Relay(relay) => relay.change(wish).await.map_err(|error| refusal(&error)),
            Self::Store(store) => {
                let changed = queue::change(store.as_ref(), wish.clone()).await;
                changed.map_err(|error| of_store(&error))
            }
        }
    }

    pub(in crate::cli) async fn stats(&self) -> Result<Fullness> {
        match self {
            Self::Relay(relay) => relay.stats().await.map_err(|error| refusal(&error)),
            Self::Store(store) => queue::stats(store.as_ref())
                .await
                .map_err(|error| of_store(&error)),
        }
    }

    pub(in crate::cli) async fn reports(&self, wish: &ShowWish) -> Result<Shown> {
        match self {
            Self::Relay(relay) => relay.reports(wish).await.map_err(|error| refusal(&error)),
            Self::Store(store) => shown(store.as_ref(), wish.clone())
                .await
                .map_err(|error| of_store(&error)),
        }
    }

    pub(in crate::cli) async fn header(&self, message: MessageId) -> Result<Vec<u8>> {
        match self {
            Self::Relay(relay) => relay.header(message).await.map_err(|error| refusal(&error)),
            Self::Store(store) => {
                let header = queue::header(store.as_ref(), message).await;
                header.map_err(|error| of_store(&error))
            }
        }
    }
}

fn of_store(error: &StoreError) -> anyhow::Error {
    let text = printable(&format!("queue: {error}"));
    store::by_kind(error, text)
}

fn refusal(error: &ClientError) -> anyhow::Error {
    let text = printable(&format!("queue: {error}"));
    match error {
        ClientError::NotRunning(_) | ClientError::Connection(..) => Refusal::unavailable(text),
        ClientError::Refused { code: 404, .. } => Refusal::unusable_input(text),
        ClientError::Refused {
            code: 400..=499, ..
        } => Refusal::usage(text),
        ClientError::Refused { .. } => Refusal::unavailable(text),
    }
}

/// Root does not touch the store of another user: what it would make there, the relay could not
/// write. The command is run once more as that user; the answer is its exit code.
///
/// # Errors
/// When that is not possible.
pub(in crate::cli) fn as_owner(settings: &Settings) -> Result<Option<ExitCode>> {
    let Some(StorePlace::Folder(folder)) = &settings.relay.store else {
        return Ok(None);
    };
    let Ok(found) = std::fs::metadata(folder) else {
        return Ok(None);
    };
    if !rustix::process::geteuid().is_root() || found.uid() == 0 {
        return Ok(None);
    }
    let program = std::env::current_exe().context("this program")?;
    let ended = Command::new(program)
        .args(std::env::args_os().skip(1))
        .uid(found.uid())
        .gid(found.gid())
        .status()
        .with_context(|| format!("as the owner of {}", folder.display()))?;
    let code = ended.code().and_then(|code| u8::try_from(code).ok());
    Ok(Some(code.map_or(ExitCode::FAILURE, ExitCode::from)))
}
