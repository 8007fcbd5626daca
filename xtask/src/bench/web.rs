//! What a page view of a stored report costs.

use crate::step::{command, messages, text_of};
use anyhow::{Context, Result};
use std::process::Command;

const EXAMPLE: &str = "view_bench";

/// Builds the benchmark and runs it; the result goes to stdout.
///
/// # Errors
/// When it cannot be built or run.
pub(crate) fn run() -> Result<()> {
    let built = messages(&[
        "build",
        "--release",
        "--package",
        "elsinore-web",
        "--example",
        EXAMPLE,
    ])?;
    let executable = (built.lines())
        .filter_map(|line| text_of(line, "executable"))
        .find(|path| path.ends_with(EXAMPLE))
        .context("view_bench was not built")?;
    command(&mut Command::new(executable))
}
