//! The benchmarks. Never part of `cargo xtask test`: a busy machine must not fail a build.

use crate::step::cargo;
use anyhow::Result;

/// Runs every benchmark of the workspace; results go to stdout.
///
/// # Errors
/// When one cannot be built or run.
pub(crate) fn run() -> Result<()> {
    cargo(&["bench", "--workspace"])
}
