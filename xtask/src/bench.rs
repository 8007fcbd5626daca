//! The benchmarks. Never part of `cargo xtask test`: a busy machine must not fail a build.

mod check;
mod dns;
mod lab;
mod memory;
mod policyd;
mod relay;
mod web;

use crate::step::{command, messages, step, text_of};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// The program.
const PROGRAM: &str = "elsinore";
/// Examples that measure and print.
const EXAMPLES: [&str; 4] = [
    "round_trips",
    "check_round_trips",
    "verify_bench",
    "decision_bench",
];

/// Runs the benchmark of the resolver.
///
/// # Errors
/// When this machine lacks what it needs, or a contender answers wrongly.
pub(crate) fn dns(arguments: &[&str]) -> Result<()> {
    dns::run(arguments)
}

/// Runs the benchmark of the page.
///
/// # Errors
/// When it cannot be built or run.
pub(crate) fn web() -> Result<()> {
    web::run()
}

/// Runs the benchmark of `elsinore check`.
///
/// # Errors
/// When something cannot be built or run, or a bound is not kept.
pub(crate) fn check(arguments: &[&str]) -> Result<()> {
    check::run(arguments)
}

/// Runs the benchmark of policyd.
///
/// # Errors
/// When it cannot be built or run.
pub(crate) fn policyd(arguments: &[&str]) -> Result<()> {
    policyd::run(arguments)
}

/// Runs the benchmark of the relay.
///
/// # Errors
/// When it cannot be built or run.
pub(crate) fn relay(arguments: &[&str]) -> Result<()> {
    relay::run(arguments)
}

/// Runs every other benchmark; results go to stdout.
///
/// # Errors
/// When one cannot be built or run.
pub(crate) fn run() -> Result<()> {
    let mut built = Vec::new();
    step("build", || {
        built = build()?;
        Ok(())
    })?;
    let executable = |name: &str| {
        let found = built.iter().find(|(built, _)| built == name);
        found
            .map(|(_, path)| path)
            .with_context(|| format!("{name} was not built"))
    };
    for name in EXAMPLES {
        println!("\n{name}");
        command(&mut Command::new(executable(name)?))?;
    }
    println!("\nmemory");
    memory::run(executable(PROGRAM)?)
}

/// Builds everything at once, so that dependencies are built with one set of features. Gives the
/// name and the executable of each.
fn build() -> Result<Vec<(String, PathBuf)>> {
    let mut arguments = vec!["build", "--release", "--bin", PROGRAM];
    for package in ["elsinore", "elsinore-lab", "elsinore-dane"] {
        arguments.extend(["--package", package]);
    }
    for example in EXAMPLES {
        arguments.extend(["--example", example]);
    }
    let built = messages(&arguments)?;
    let executables = built.lines().filter_map(|line| {
        let executable = text_of(line, "executable")?;
        let name = executable.rsplit('/').next()?;
        Some((name.to_owned(), PathBuf::from(executable)))
    });
    Ok(executables.collect())
}
