//! Running one command as a step, with its duration printed.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Runs `work` under a heading and prints how long it took.
///
/// # Errors
/// Those of `work`, with the heading.
pub(crate) fn step(heading: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    eprintln!("xtask: {heading}");
    let start = Instant::now();
    work().with_context(|| format!("{heading} failed"))?;
    eprintln!("xtask: {heading}: {} s", start.elapsed().as_secs());
    Ok(())
}

/// Tells that something was left out and why.
pub(crate) fn left_out(what: &str, why: &str) {
    eprintln!("xtask: SKIPPED {what}: {why}");
}

/// The same for tests, none of which may be left out where `ELSINORE_NO_SKIPS` is set, as in CI.
///
/// # Errors
/// Where it is.
pub(crate) fn skipped(what: &str, why: &str) -> Result<()> {
    const NO_SKIPS: &str = "ELSINORE_NO_SKIPS";
    if std::env::var_os(NO_SKIPS).is_some_and(|value| !value.is_empty() && value != "0") {
        bail!("{what} would be skipped, and {NO_SKIPS} is set: {why}");
    }
    left_out(what, why);
    Ok(())
}

/// Runs cargo in the root.
///
/// # Errors
/// When cargo cannot be run or says no.
pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    command(Command::new(env!("CARGO")).args(arguments))
}

/// Runs cargo in the root and gives its messages, one JSON object per line.
///
/// # Errors
/// When cargo cannot be run or says no.
pub(crate) fn messages(arguments: &[&str]) -> Result<String> {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(crate::root())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo {arguments:?}: {}", output.status);
    }
    String::from_utf8(output.stdout).context("cargo's messages")
}

/// The text that `line`, a message of cargo, has for `key`. Paths with a quotation mark are cut.
pub(crate) fn text_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
    rest.split('"').next()
}

/// Runs a command in the root.
///
/// # Errors
/// When it cannot be run or exits with anything but 0.
pub(crate) fn command(command: &mut Command) -> Result<()> {
    let status = command
        .current_dir(crate::root())
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}

/// Whether `program` can be run (it is asked for its version).
pub(crate) fn exists(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .output()
        .is_ok_and(|output| output.status.success())
}
