//! The differential test against Unbound in full; `cargo test` runs a share of it.

use crate::step::command;
use anyhow::{Result, bail};
use std::process::Command;

/// Runs the test with a tree of `[ZONES [QUESTIONS]]`. `ELSINORE_DIFFERENTIAL_SEED` chooses
/// another tree.
///
/// # Errors
/// When there are more sizes than two, or the resolvers differ in a way that is not listed.
pub(crate) fn run(sizes: &[&str]) -> Result<()> {
    let (zones, questions) = match sizes {
        [] => ("2000", "40000"),
        [zones] => (*zones, "40000"),
        [zones, questions] => (*zones, *questions),
        _ => bail!("differential [ZONES [QUESTIONS]]"),
    };
    let mut test = Command::new(env!("CARGO"));
    test.args(["test", "--package", "elsinore-lab", "--test"])
        .args(["differential", "--", "--nocapture"])
        .env("ELSINORE_DIFFERENTIAL_ZONES", zones)
        .env("ELSINORE_DIFFERENTIAL_QUESTIONS", questions);
    command(&mut test)
}
