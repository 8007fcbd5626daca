//! `elsinore explain RULE`: a rule, its RFC section, and an example.

use crate::config::Settings;
use crate::exit::Refusal;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

/// What `elsinore explain` takes.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Identifier of the rule, as findings show it; all rules are listed without it.
    rule: Option<String>,
}

/// Prints the rule.
pub(crate) fn run(arguments: ExplainArguments, _settings: &Settings) -> Result<ExitCode> {
    let ExplainArguments { rule } = arguments;
    Err(Refusal::usage(format!(
        "explain {rule:?}: not in this build"
    )))
}
