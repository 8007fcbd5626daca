//! `cargo xtask replay-rpl PATH…`: the scenario files of Unbound's test suite through our resolver.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Replays the files and folders named. What is printed is printed by the program that does it,
/// its last line included; this process ends with its status when a file fails.
///
/// # Errors
/// When a path does not exist or cargo cannot be run.
pub(crate) fn run(paths: &[&str]) -> Result<()> {
    let mut replay = Command::new(env!("CARGO"));
    replay.args(["run", "--quiet", "--package", "elsinore-replay", "--"]);
    replay.current_dir(crate::root());
    for path in paths {
        if path.starts_with('-') {
            replay.arg(path);
            continue;
        }
        // Cargo runs in the root; the path is meant from where the task was called.
        let Ok(whole) = Path::new(path).canonicalize() else {
            bail!("{path}: no such file or folder");
        };
        replay.arg(whole);
    }
    let status = replay.status().context("cannot run cargo")?;
    if !status.success() {
        std::process::exit(status.code().unwrap_or(1));
    }
    Ok(())
}
