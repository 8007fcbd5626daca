//! `elsinore relay`: accepts mail, keeps it, delivers it. The relay itself is `elsinore-relay`; here
//! its parts are put together from the configuration.

mod prepared;
mod reports;
mod running;
mod sockets;

pub(crate) use prepared::checked;

use crate::cli::GlobalArguments;
use crate::config::relay::section::LogFormat;
use crate::config::{Settings, of_service};
use anyhow::{Context, Result};
use clap::Args;
use elsinore_relay::log::line::Form;
use elsinore_relay::log::{Log, Prefix};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How long the last lines of the log may take to be read.
const LAST_LINES: Duration = Duration::from_secs(2);

/// What `elsinore relay` takes.
#[derive(Debug, Args)]
#[command(after_long_help = SHARED_STORE)]
pub(crate) struct RelayArguments {}

const SHARED_STORE: &str = "\
Messages are kept in a folder ([relay] store; `queue` below state_dir), or, for
several relays that share the work, in PostgreSQL:
  postgres         connection string, as in `host=db.example.org user=elsinore`;
                   over TCP with TLS and a verified certificate, unless it says
                   sslmode=disable
  postgres_file    a file that holds it, for who keeps passwords apart
  postgres_schema  schema of the tables, made when it is missing
                   [default: elsinore]
  postgres_pool    connections to the server at most, 2 to 1000; one more
                   listens [default: 8]
  postgres_ca      PEM file of the authorities that may vouch for the server,
                   instead of the system's
[relay.delivery] lease says how long after its last sign of life a relay's work
is taken over by another [default: 5m].";

/// Runs the command until it is told to stop.
///
/// # Errors
/// What kept it from starting, or made it end.
pub(crate) fn run(_: &RelayArguments, global: &GlobalArguments) -> Result<ExitCode> {
    let global = of_service(global);
    let settings = Settings::resolve(&global)?;
    let log = Log::new(
        std::io::stderr(),
        form(settings.relay.log),
        Prefix::of_stderr(),
    );
    let log = Arc::new(log.context("the log")?);
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?
        .block_on(running::run(&global, settings, &log));
    log.finish(LAST_LINES);
    done.map(|()| ExitCode::SUCCESS)
}

/// The form of the log's lines.
const fn form(format: LogFormat) -> Form {
    match format {
        LogFormat::Text => Form::Text,
        LogFormat::Json => Form::Json,
    }
}
