//! `elsinore dns NAME TYPE`: the chain and the answer, each with security and reason.

use crate::config::Settings;
use crate::exit::Refusal;
use anyhow::Result;
use clap::Args;
use elsinore_dane::name::DomainName;
use std::process::ExitCode;

/// What `elsinore dns` takes.
#[derive(Debug, Args)]
pub(crate) struct DnsArguments {
    /// The name to look up.
    name: DomainName,
    /// The record type, such as MX, TLSA or TYPE65280.
    #[arg(value_name = "TYPE")]
    record_type: String,
}

/// Looks the name up and prints the answer.
pub(crate) fn run(arguments: DnsArguments, _settings: &Settings) -> Result<ExitCode> {
    let DnsArguments { name, record_type } = arguments;
    Err(Refusal::usage(format!(
        "dns {name} {record_type}: not in this build"
    )))
}
