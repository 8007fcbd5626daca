//! `cargo xtask bench relay`: the relay beside a private Postfix, message for message.

use crate::step::{command, messages, step, text_of};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// The program.
const PROGRAM: &str = "elsinore";
/// The example that drives both.
const EXAMPLE: &str = "relay_bench";

/// Builds and runs it; `arguments` go to the example. Results go to stdout.
///
/// # Errors
/// When something cannot be built or run.
pub(super) fn run(arguments: &[&str]) -> Result<()> {
    crate::packages::install(&[("postfix", "the relay beside ours, and smtp-source")])?;
    let mut built: Vec<(String, PathBuf)> = Vec::new();
    step("build", || {
        let arguments = [
            "build",
            "--release",
            "--bin",
            PROGRAM,
            "--example",
            EXAMPLE,
            "--package",
            "elsinore",
            "--package",
            "elsinore-relay",
        ];
        for line in messages(&arguments)?.lines() {
            let Some(executable) = text_of(line, "executable") else {
                continue;
            };
            let name = executable.rsplit('/').next().unwrap_or_default().to_owned();
            built.push((name, PathBuf::from(executable)));
        }
        Ok(())
    })?;
    let executable = |name: &str| {
        let found = built.iter().find(|(built, _)| built == name);
        found
            .map(|(_, path)| path)
            .with_context(|| format!("{name} was not built"))
    };
    command(
        Command::new(executable(EXAMPLE)?)
            .arg(executable(PROGRAM)?)
            .args(arguments),
    )
}
