//! `elsinore send`.

use crate::config::Settings;
use crate::exit::Refusal;
use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

/// What `elsinore send` takes.
#[derive(Debug, Args)]
pub(crate) struct SendArguments {}

/// Runs the command.
pub(crate) fn run(arguments: SendArguments, _settings: &Settings) -> Result<ExitCode> {
    let SendArguments {} = arguments;
    Err(Refusal::usage("send: not in this build"))
}
