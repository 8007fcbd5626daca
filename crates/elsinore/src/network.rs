//! From settings to the network: the dialer and the clock every command uses, and a place for
//! the async runtime.

use crate::config::Settings;
use crate::exit::Refusal;
use anyhow::{Context, Result};
use elsinore_net::clock::{Clock, SystemClock};
use elsinore_net::dialer::{Dialer, DirectDialer, MappedDialer};
use std::sync::Arc;

/// How connections leave this process: directly, or through the address map of a lab.
///
/// # Errors
/// A configuration error when the map cannot be read.
pub(crate) fn dialer(settings: &Settings) -> Result<Arc<dyn Dialer>> {
    let Some(path) = &settings.lab_map else {
        return Ok(Arc::new(DirectDialer));
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Refusal::configuration(format!("[lab] map {shown}: {error}")))?;
    let mapped = MappedDialer::from_text(&text)
        .map_err(|error| Refusal::configuration(format!("[lab] map {shown}: {error}")))?;
    Ok(Arc::new(mapped))
}

/// The clock of this machine.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Runs `work` to its end on a runtime of its own.
///
/// # Errors
/// When the runtime cannot start, or what `work` returns.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the async runtime")?
        .block_on(work)
}
