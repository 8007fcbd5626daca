//! `elsinore lab`.

use crate::config::Settings;
use crate::exit::Refusal;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

/// What `elsinore lab` takes.
#[derive(Debug, Args)]
pub(crate) struct LabArguments {}

/// Runs the command.
pub(crate) fn run(arguments: LabArguments, _settings: &Settings) -> Result<ExitCode> {
    let LabArguments {} = arguments;
    Err(Refusal::usage("lab: not in this build"))
}
