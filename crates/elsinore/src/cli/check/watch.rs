//! Looking again and again, and saying only what changed.

use super::round::{Ended, Round};
use crate::checker::Checker;
use crate::config::Settings;
use crate::output;
use anyhow::Result;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Prints the first result, then changes, until it is interrupted; the end of the last whole round
/// counts.
///
/// # Errors
/// When nothing can be printed, or the configuration went bad on the way.
pub(super) async fn run(
    checker: Checker,
    round: &mut Round<'_>,
    settings: &Settings,
    pause: Duration,
) -> Result<Ended> {
    let mut checker = Some(checker);
    let mut last = Ended {
        worst: None,
        monitor: 0,
    };
    let work = async {
        loop {
            // A new checker each time: its resolver knows nothing, and sees what is there now.
            let fresh = match checker.take() {
                Some(first) => first,
                None => Checker::new(settings)?,
            };
            last = round.once(&Arc::new(fresh)).await?;
            sleep(pause).await;
        }
    };
    let ended: Result<()> = tokio::select! {
        ended = work => ended,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into),
    };
    ended?;
    output::diagnose("check: interrupted; the last result decides the exit code");
    Ok(last)
}
