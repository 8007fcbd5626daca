//! `elsinore tlsa`: make records, roll keys over, pin servers, judge chains.

mod input;
mod live;
mod make;
mod pin;
mod plan;
mod record;
mod verify;

use crate::config::Settings;
use anyhow::Result;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// What `elsinore tlsa` takes.
#[derive(Debug, Args)]
pub(crate) struct TlsaArguments {
    #[command(subcommand)]
    command: TlsaCommand,
}

#[derive(Debug, Subcommand)]
enum TlsaCommand {
    /// Make the records to publish: from certificates, keys, or a running server.
    ///
    /// Recommended is 3 1 1 for every key that the server uses and for the next one. Each record
    /// is put to the sender's own verifier before it is printed. The result can be pasted as it
    /// is; explanations are comments. Give a file once for each key: a server with an RSA and an
    /// ECDSA certificate needs a record for both.
    Make(make::MakeArguments),
    /// The steps of a safe key rollover, and whether one of them may be taken now.
    ///
    /// Looks at every authoritative server and every address, and says what comes next: add the
    /// records of the next key; wait twice the TTL from when every server has them; give the
    /// servers the key; be sure that every address presents it; remove the old records. Run it
    /// again after each step. What it has seen is remembered in the state folder, since the wait
    /// counts from there.
    ///
    /// With --step it answers for a script, as in a hook of an ACME client: exit code 0 says that
    /// the step may be taken now, 1 that it must not, with the reasons by name.
    #[command(after_long_help = plan::HOOK)]
    Plan(plan::PlanArguments),
    /// Read what mail servers present, and print the configuration entry that pins it.
    ///
    /// Every address is looked at, with RSA and ECDSA offered apart. Nothing is written: compare
    /// the digests with what the servers' administrator says on another way, then put the entry
    /// into the configuration. Exit code 75 says that no server showed a key.
    Pin(pin::PinArguments),
    /// Judge a certificate chain by TLSA records, without any network.
    ///
    /// The chain is judged exactly as `elsinore send` judges what a server presents: usages 2 and
    /// 3, digest agility, and for usage 2 the path, its dates and the names. Exit code 0 says
    /// matched, 1 not matched, 4 that no record can be used.
    Verify(verify::VerifyArguments),
}

/// Runs the command.
///
/// # Errors
/// Whatever kept it from producing a result.
pub(crate) fn run(arguments: TlsaArguments, settings: &Settings) -> Result<ExitCode> {
    match arguments.command {
        TlsaCommand::Make(make) => make::run(make, settings),
        TlsaCommand::Pin(pin) => pin::run(&pin, settings),
        TlsaCommand::Plan(plan) => plan::run(&plan, settings),
        TlsaCommand::Verify(verify) => verify::run(verify, settings),
    }
}
