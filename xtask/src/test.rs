//! `cargo xtask test`: all that CI checks, cheapest first. One profile and one feature set
//! throughout, so that dependencies are built once.

use crate::step::{cargo, command, exists, left_out, skipped, step};
use crate::{browser, deb, docs, fuzz, packages, spec, tidy};
use anyhow::Result;
use std::process::Command;

/// Seconds for each fuzz target: building them takes longer. `cargo xtask fuzz-smoke` takes more.
const FUZZ_SECONDS: u32 = 3;

/// Installs what is missing and runs every check.
///
/// # Errors
/// That of the first check which fails.
pub(crate) fn run() -> Result<()> {
    step("packages", packages::install_missing)?;
    step("what drives the browser", browser::install)?;
    step("format", || cargo(&["fmt", "--all", "--check"]))?;
    step("tidy", tidy::run)?;
    step("requirements of RFC 7672", || {
        spec::run(spec::Output::Faults)
    })?;
    step("clippy", || {
        cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ])
    })?;
    step("tests", tests)?;
    step("engines broken on purpose", || {
        broken_engines("engine", "every_flaw")?;
        broken_engines("invariants", "engines")
    })?;
    step("generated documents", || docs::run(docs::Purpose::Check))?;
    step("Debian package", deb::test)?;
    step("licences and sources", deny)?;
    step("fuzz smoke", || fuzz::smoke(FUZZ_SECONDS))?;
    Ok(())
}

/// Every test of the workspace. Peers' own suites are read from a folder beside the repository
/// when it is there; the tests print a notice when it is not.
fn tests() -> Result<()> {
    let mut test = Command::new(env!("CARGO"));
    test.args(["test", "--workspace"]);
    if std::env::var_os("ELSINORE_TESTDATA").is_none() {
        let beside = crate::root().join("../shared/testdata");
        if beside.is_dir() {
            test.env("ELSINORE_TESTDATA", beside);
        } else {
            skipped(
                "peers' test suites",
                "set ELSINORE_TESTDATA to a folder that holds them",
            )?;
        }
    }
    command(&mut test)
}

/// Runs the tests named `filter` of the test binary `binary` with the engines that break one rule
/// each compiled in. The whole workspace is selected, so that the dependencies keep the features
/// they were built with.
fn broken_engines(binary: &str, filter: &str) -> Result<()> {
    let features = "elsinore-lab/flaws";
    cargo(&[
        "test",
        "--workspace",
        "--features",
        features,
        "--test",
        binary,
        filter,
    ])
}

fn deny() -> Result<()> {
    if !exists("cargo-deny", "--version") {
        left_out("cargo deny", "cargo-deny is not installed");
        return Ok(());
    }
    cargo(&["deny", "check", "bans", "licenses", "sources"])
}
