//! The command line: what can be typed. Each subcommand has a file of its own; the flags every
//! subcommand takes stand here and override the configuration file.

pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod dns;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod lab;
pub(crate) mod policyd;
pub(crate) mod queue;
pub(crate) mod relay;
pub(crate) mod send;
pub(crate) mod sendmail;
pub(crate) mod tlsa;
pub(crate) mod tlsrpt;
pub(crate) mod web;

use crate::config::{self as settings, Settings};
use crate::exit::{Manner, Refusal};
use anyhow::Result;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
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
  0   everything done (send: all delivered; check: protected; tlsa verify:
      matched; doctor: this machine can do DANE)
  1   check: partly, not protected, or mail will be refused; tlsa verify: no
      match; tlsa plan --step: not now; lab run: a scenario ended otherwise
      than expected; doctor: this machine cannot do DANE
  2   check: wrong usage
  3   check: could not tell; doctor: something that matters could not be found
      out
  4   tlsa verify: no usable TLSA record
  64  wrong usage
  65  send: a message or an address that cannot be sent; tlsa: a certificate or
      key that cannot be used
  69  send: bounced; relay, queue: a port, a server or a store is not to be had
  70  fault of the program
  74  a local file cannot be read or written
  75  send: deferred, try again later; dns: no answer, or a bogus one
  78  wrong configuration";

#[derive(Debug, Subcommand)]
enum Command {
    /// Deliver one message to its recipients, or say exactly why not.
    Send(send::SendArguments),
    /// Hand a message to the relay, with the flags of sendmail.
    Sendmail(sendmail::SendmailArguments),
    /// See a domain as every sender does: what is protected, what breaks, what to do.
    Check(check::CheckArguments),
    /// Look a name up as the sender does: every link, its security, the reason.
    Dns(dns::DnsArguments),
    /// Say whether this machine can do DANE: resolvers, clock, anchors, port 25.
    Doctor(doctor::DoctorArguments),
    /// TLSA records: make them, judge certificate chains by them.
    Tlsa(tlsa::TlsaArguments),
    /// Explain a rule or lint that a finding names: what, why, which RFC section.
    Explain(explain::ExplainArguments),
    /// Show what `check` sees as a page, to whoever has a browser.
    Web(web::WebArguments),
    /// Accept mail, keep it, deliver it: between your systems and the Internet.
    Relay(relay::RelayArguments),
    /// See what waits in the relay's queue, and change it.
    Queue(queue::QueueArguments),
    /// Reports about TLS: read other people's, see what ours say.
    Tlsrpt(tlsrpt::TlsRptArguments),
    /// What the configuration says, and whether all of it would be taken.
    Config(config::ConfigArguments),
    /// Give Postfix and others the decisions of the sender, per destination.
    Policyd(policyd::PolicydArguments),
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
    pub(crate) format: FormatFlag,
    /// Where DNS answers come from: [dns] mode.
    #[arg(long, global = true, value_name = "MODE")]
    pub(crate) dns_mode: Option<settings::DnsMode>,
    /// Root name servers, zone-file text: [dns] root_hints.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) root_hints: Option<PathBuf>,
    /// DS or DNSKEY records to trust, zone-file text: [dns] trust_anchor. No
    /// rollover of the root's keys is followed then.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) trust_anchor: Option<PathBuf>,
    /// Upstream resolver, IP or IP:PORT, repeatable: [dns] upstream.
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) upstream: Vec<settings::Upstream>,
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

/// What `--format` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum FormatFlag {
    /// For people; not stable.
    #[default]
    Human,
    /// One JSON object with a `schema_version`.
    Json,
    /// The same objects, one a line.
    Jsonl,
    /// A picture; `check` only.
    Svg,
}

impl FormatFlag {
    /// The form of a result in text; a picture is asked for apart.
    pub(crate) const fn plain(self) -> Format {
        match self {
            Self::Human | Self::Svg => Format::Human,
            Self::Json => Format::Json,
            Self::Jsonl => Format::Jsonl,
        }
    }
}

/// The form of a result in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Format {
    /// For people; not stable.
    #[default]
    Human,
    /// One JSON object with a `schema_version`.
    Json,
    /// The same objects, one a line.
    Jsonl,
}

/// How the command that was typed says that it came to no result: known even where the rest of what
/// was typed is wrong.
pub(crate) fn manner() -> Manner {
    let typed = Arguments::command().ignore_errors(true).try_get_matches();
    let Ok(typed) = typed else {
        return Manner::Ordinary;
    };
    match typed.subcommand() {
        Some(("check", _)) if std::env::args_os().any(|word| word == "--nagios") => Manner::Monitor,
        Some(("check", _)) => Manner::Check,
        Some(_) | None => Manner::Ordinary,
    }
}

/// Runs as sendmail, with its words.
pub(crate) fn as_sendmail(words: Vec<std::ffi::OsString>) -> ExitCode {
    let global = GlobalArguments {
        config: std::env::var_os("ELSINORE_CONFIG").map(PathBuf::from),
        ..GlobalArguments::default()
    };
    match sendmail::run_words(words, &global) {
        Ok(code) => code,
        Err(error) => crate::exit::failure(&error, Manner::Ordinary),
    }
}

/// Runs the subcommand.
///
/// # Errors
/// Whatever kept it from producing a result; [`crate::exit::failure`] turns it into a code.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let global = &arguments.global;
    let settings = || Settings::resolve(global);
    if global.format == FormatFlag::Svg && !matches!(arguments.command, Command::Check(_)) {
        return Err(Refusal::usage("--format svg: only check draws a picture"));
    }
    match arguments.command {
        Command::Check(check) => check::run(&check, global),
        Command::Sendmail(sendmail) => sendmail::run(sendmail, global),
        Command::Send(send) => send::run(&send, &settings()?),
        Command::Dns(dns) => dns::run(dns, &settings()?),
        Command::Doctor(doctor) => doctor::run(doctor, &settings()?),
        Command::Tlsa(tlsa) => tlsa::run(tlsa, &settings()?),
        Command::Relay(relay) => relay::run(&relay, global),
        Command::Queue(queue) => queue::run(&queue, &Settings::resolve_service(global)?),
        Command::Tlsrpt(reports) => {
            tlsrpt::run(&reports, settings, || Settings::resolve_service(global))
        }
        Command::Config(config) => config::run(&config, global),
        Command::Web(web) => web::run(&web, &settings()?),
        Command::Policyd(policyd) => policyd::run(&policyd, global),
        Command::Explain(explain) => explain::run(&explain, &settings()?),
        // The lab is a network of its own. What the configuration says of the real one means
        // nothing to it, and ELSINORE_CONFIG may still name the folder of a lab that has ended.
        Command::Lab(lab) => lab::run(lab, global.format.plain()),
    }
}
