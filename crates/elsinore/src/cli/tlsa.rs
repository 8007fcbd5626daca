//! `elsinore tlsa verify`: judge a certificate chain by TLSA records, offline, with the sender's
//! own verifier.

mod pem;
mod record;

use crate::cli::Format;
use crate::config::Settings;
use crate::exit::Refusal;
use crate::output::{self, JsonLayout};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::DaneRequirement;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::{TlsaRecord, Usage};
use elsinore_dane::verify::{DaneVerdict, VerifyOptions, verify_dane};
use jiff::Timestamp;
use record::Judgement;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code of a chain that meets none of the records.
const NOT_MATCHED: u8 = 1;
/// Exit code when no record can be used.
const NO_USABLE_RECORD: u8 = 4;
/// Octets of PEM that are read; a certificate message of TLS holds less than 16 MiB.
const PEM_LIMIT: u64 = 32 << 20;

/// What `elsinore tlsa` takes.
#[derive(Debug, Args)]
pub(crate) struct TlsaArguments {
    #[command(subcommand)]
    command: TlsaCommand,
}

#[derive(Debug, Subcommand)]
enum TlsaCommand {
    /// Judge a certificate chain by TLSA records, without any network.
    ///
    /// The chain is judged exactly as `elsinore send` judges what a server presents: usages 2 and
    /// 3, digest agility, and for usage 2 the path, its dates and the names. Exit code 0 says
    /// matched, 1 not matched, 4 that no record can be used.
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
struct VerifyArguments {
    /// Certificates as the server sends them, leaf first; `-` reads stdin.
    #[arg(long, value_name = "PEM")]
    chain: PathBuf,
    /// A record, such as "3 1 1 0123…"; repeatable.
    #[arg(long, value_name = "RDATA", required = true, num_args = 1..)]
    tlsa: Vec<String>,
    /// A name that a usage 2 certificate may carry, the TLSA base domain first; repeatable.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    name: Vec<DomainName>,
    /// The moment to judge by, such as 2027-01-31T12:00:00Z or 2027-01-31 (its beginning, UTC);
    /// now if absent.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Timestamp>,
}

/// Runs the command.
///
/// # Errors
/// A usage error for a chain that is not PEM, for records that are none, or for usage 2 without a name; an error of reading.
pub(crate) fn run(arguments: TlsaArguments, settings: &Settings) -> Result<ExitCode> {
    let TlsaCommand::Verify(arguments) = arguments.command;
    let parse = |text: &String| {
        let fault = |error| Refusal::usage(format!("tlsa verify: --tlsa {text:?}: {error}"));
        text.parse::<TlsaRecord>().map_err(fault)
    };
    let records: Vec<TlsaRecord> = arguments.tlsa.iter().map(parse).collect::<Result<_>>()?;
    let needs_name = |record: &TlsaRecord| matches!(record.usability(), Ok(usable) if usable.usage() == Usage::DaneTa);
    if arguments.name.is_empty() && records.iter().any(needs_name) {
        return Err(Refusal::usage(
            "tlsa verify: a record of usage 2 needs --name, the name the certificate must carry",
        ));
    }
    let shown = arguments.chain.display();
    let text = read(&arguments.chain).with_context(|| format!("cannot read {shown}"))?;
    let chain = pem::certificates(&text)
        .map_err(|error| Refusal::usage(format!("tlsa verify: {shown}: {error}")))?;
    let at = arguments.at.unwrap_or_else(Timestamp::now);
    // Certificates know whole seconds.
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
    let requirement = DaneRequirement {
        base_domain: arguments
            .name
            .first()
            .cloned()
            .unwrap_or_else(DomainName::root),
        records,
        reference_identifiers: arguments.name,
        mx_secure: true,
    };
    let now = UnixTime(at.as_second());
    let verdict = verify_dane(&chain, &requirement, now, &VerifyOptions::smtp());
    let judgement = Judgement::new(&verdict, &chain, &requirement, at);
    match settings.format {
        Format::Human => output::print(&judgement.to_string())?,
        Format::Json => output::print_json(&judgement, JsonLayout::Indented)?,
        Format::Jsonl => output::print_json(&judgement, JsonLayout::OneLine)?,
    }
    Ok(match verdict {
        DaneVerdict::Authenticated(_) => ExitCode::SUCCESS,
        DaneVerdict::Rejected(_) => ExitCode::from(NOT_MATCHED),
        DaneVerdict::NoUsable => ExitCode::from(NO_USABLE_RECORD),
    })
}

/// A moment as RFC 3339 writes it, or a date, which stands for its beginning in UTC.
fn moment(text: &str) -> Result<Timestamp, &'static str> {
    const FORM: &str = "not a time such as 2027-01-31T12:00:00Z, nor a date such as 2027-01-31";
    if let Ok(timestamp) = text.parse() {
        return Ok(timestamp);
    }
    let date: jiff::civil::Date = text.parse().map_err(|_| FORM)?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| FORM)?;
    Ok(midnight.timestamp())
}

/// Reads at most one octet more than the limit: enough to see that it is exceeded.
fn read(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if path.as_os_str() == "-" {
        let stdin = std::io::stdin().lock();
        stdin.take(PEM_LIMIT + 1).read_to_end(&mut text)?;
    } else {
        let file = std::fs::File::open(path)?;
        file.take(PEM_LIMIT + 1).read_to_end(&mut text)?;
    }
    if text.len() as u64 > PEM_LIMIT {
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            "more than 32 MiB",
        ));
    }
    Ok(text)
}
