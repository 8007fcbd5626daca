//! The benchmarks. Never part of `cargo xtask test`: a busy machine must not fail a build.

use crate::step::{cargo, step};
use anyhow::Result;

/// Package and example of each benchmark.
const BENCHMARKS: &[(&str, &str)] = &[
    ("elsinore-dane", "decision_bench"),
    ("elsinore-dane", "verify_bench"),
    ("elsinore-lab", "round_trips"),
];

/// Runs every benchmark; results go to stdout.
///
/// # Errors
/// When one cannot be built or run.
pub(crate) fn run() -> Result<()> {
    for (package, example) in BENCHMARKS {
        step(example, || {
            cargo(&[
                "run",
                "--release",
                "--quiet",
                "--package",
                package,
                "--example",
                example,
            ])
        })?;
    }
    Ok(())
}
