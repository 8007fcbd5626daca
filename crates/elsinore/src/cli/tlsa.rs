//! `elsinore tlsa`.

use crate::config::Settings;
use crate::exit::Refusal;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

/// What `elsinore tlsa` takes.
#[derive(Debug, Args)]
pub(crate) struct TlsaArguments {}

/// Runs the command.
pub(crate) fn run(arguments: TlsaArguments, _settings: &Settings) -> Result<ExitCode> {
    let TlsaArguments {} = arguments;
    Err(Refusal::usage("tlsa: not in this build"))
}
