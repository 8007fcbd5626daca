//! The fuzz targets of `fuzz/`, run for a while with cargo-fuzz. Their corpora are replayed by
//! plain `cargo test` too, so a fault found once stays found.

use crate::step::{command, exists, skipped, step};
use anyhow::{Result, bail};
use std::process::Command;

/// Runs each target for `seconds`.
///
/// # Errors
/// When a target finds a fault, or cannot be built.
pub(crate) fn smoke(seconds: u32) -> Result<()> {
    if !exists("cargo-fuzz", "--version") {
        skipped("fuzzing", "cargo install cargo-fuzz");
        return Ok(());
    }
    for path in crate::files("fuzz/fuzz_targets", &[".rs"])? {
        let Some(target) = path.file_stem().and_then(|stem| stem.to_str()) else {
            bail!("{}: not a target name", path.display());
        };
        step(&format!("fuzz {target}"), || {
            command(
                Command::new(env!("CARGO"))
                    .args(["fuzz", "run", target, "--"])
                    .arg(format!("-max_total_time={seconds}"))
                    .arg("-rss_limit_mb=1024")
                    // The sanitisers need unstable compiler flags; the code does not.
                    .env("RUSTC_BOOTSTRAP", "1"),
            )
        })?;
    }
    Ok(())
}
