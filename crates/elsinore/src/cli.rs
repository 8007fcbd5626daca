//! The command line: what can be typed. Each subcommand has a file of its own; the flags every
//! subcommand takes stand here and override the configuration file.

pub(crate) mod dns;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod lab;
pub(crate) mod send;
pub(crate) mod tlsa;

use crate::config::{self, Settings};
use anyhow::Result;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Mail delivery that knows who it is talking to: DANE for SMTP.
///
/// Every command reads the same configuration and the same network.
#[derive(Debug, Parser)]
#[command(
    name = "elsinore",
    version,
    max_term_width = 80,
    subcommand_required = true,
    after_long_help = EXIT_CODES
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    global: GlobalArguments,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0   everything done (send: all delivered; tlsa verify: matched; doctor: this
      machine can do DANE)
  1   tlsa verify: no match; lab run: a scenario ended otherwise than expected;
      doctor: this machine cannot do DANE
  3   doctor: something that matters could not be found out
  4   tlsa verify: no usable TLSA record
  64  wrong usage
  65  send: a message or an address that cannot be sent; tlsa: a certificate or
      key that cannot be used
  69  send: bounced
  70  fault of the program
  74  a local file cannot be read or written
  75  send: deferred, try again later; dns: no answer, or a bogus one
  78  wrong configuration";

#[derive(Debug, Subcommand)]
enum Command {
    /// Deliver one message to its recipients, or say exactly why not.
    Send(send::SendArguments),
    /// Look a name up as the sender does: every link, its security, the reason.
    Dns(dns::DnsArguments),
    /// Say whether this machine can do DANE: resolvers, clock, anchors, port 25.
    Doctor(doctor::DoctorArguments),
    /// TLSA records: make them, judge certificate chains by them.
    Tlsa(tlsa::TlsaArguments),
    /// Explain a rule or lint that a finding names: what, why, which RFC section.
    Explain(explain::ExplainArguments),
    /// A small signed Internet on loopback, to try everything on.
    Lab(lab::LabArguments),
}

/// Flags that every subcommand takes. Those below the heading override keys of the file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct GlobalArguments {
    /// Configuration file (TOML).
    // An empty name is for `Settings` to refuse, which knows the words; the lab reads none.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "ELSINORE_CONFIG",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub(crate) config: Option<PathBuf>,
    /// Form of the result on stdout.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: Format,
    /// Where DNS answers come from: [dns] mode.
    #[arg(long, global = true, value_name = "MODE")]
    pub(crate) dns_mode: Option<config::DnsMode>,
    /// Root name servers, zone-file text: [dns] root_hints.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) root_hints: Option<PathBuf>,
    /// DS or DNSKEY records to trust, zone-file text: [dns] trust_anchor. No
    /// rollover of the root's keys is followed then.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) trust_anchor: Option<PathBuf>,
    /// Upstream resolver, IP or IP:PORT, repeatable: [dns] upstream.
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) upstream: Vec<config::Upstream>,
    /// Treat this name and all below as unsigned, repeatable: [dns] nta.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) nta: Vec<elsinore_dane::name::DomainName>,
    /// Certification authorities beside the built-in ones, PEM: [tls] ca_file.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Folder for what is learnt, as MTA-STS policies and root keys: state_dir.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// The form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people; not stable.
    #[default]
    Human,
    /// One JSON object with a `schema_version`.
    Json,
    /// The same objects, one a line.
    Jsonl,
}

/// Runs the subcommand.
///
/// # Errors
/// Whatever kept it from producing a result; [`crate::exit::failure`] turns it into a code.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let global = &arguments.global;
    let settings = || Settings::resolve(global);
    match arguments.command {
        Command::Send(send) => send::run(&send, &settings()?),
        Command::Dns(dns) => dns::run(dns, &settings()?),
        Command::Doctor(doctor) => doctor::run(doctor, &settings()?),
        Command::Tlsa(tlsa) => tlsa::run(tlsa, &settings()?),
        Command::Explain(explain) => explain::run(&explain, &settings()?),
        // The lab is a network of its own. What the configuration says of the real one means
        // nothing to it, and ELSINORE_CONFIG may still name the folder of a lab that has ended.
        Command::Lab(lab) => lab::run(lab, global.format),
    }
}
