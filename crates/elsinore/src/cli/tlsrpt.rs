//! `elsinore tlsrpt`: reports about TLS (RFC 8460), other people's and ours.

mod dkim_record;
mod read;
mod send;
mod show;

use crate::config::Settings;
use anyhow::Result;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// What `elsinore tlsrpt` takes.
#[derive(Debug, Args)]
pub(crate) struct TlsRptArguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Print reports of other people in plain words.
    ///
    /// Takes JSON, compressed or not, and messages with a report attached. What is not as
    /// RFC 8460 wants it is said behind what could be read. Nothing is asked of the network.
    Read(read::ReadArguments),
    /// Print what the relay has counted, and what became of its reports.
    Show(show::ShowArguments),
    /// Print what the relay would send, to whom and when. The relay itself does the sending.
    ///
    /// Asks the relay or its store what was counted, and DNS where the reports are wanted.
    Send(send::SendArguments),
    /// Print the DNS record of the key that signs reports: [relay.tlsrpt] dkim_key.
    ///
    /// In the form of a zone file. Reports by mail are worth nothing until it is published.
    DkimRecord,
}

/// Runs the command. `service` are the settings of the relay, found only where they are needed.
///
/// # Errors
/// Whatever kept it from producing a result.
pub(crate) fn run(
    arguments: &TlsRptArguments,
    settings: impl FnOnce() -> Result<Settings>,
    service: impl FnOnce() -> Result<Settings>,
) -> Result<ExitCode> {
    match &arguments.task {
        Task::Read(read) => read::run(read, &settings()?),
        Task::Show(show) => show::run(show, &service()?),
        Task::Send(send) => send::run(send, &service()?),
        Task::DkimRecord => dkim_record::run(&service()?),
    }
}
