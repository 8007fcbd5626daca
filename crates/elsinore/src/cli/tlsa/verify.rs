//! `elsinore tlsa verify`: judge a certificate chain by TLSA records, offline, with the sender's
//! own verifier.

use super::input;
use super::record::Judgement;
use crate::cli::Format;
use crate::config::Settings;
use crate::exit::Refusal;
use crate::output::{self, JsonLayout};
use anyhow::Result;
use clap::Args;
use elsinore_check::publish::pem;
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::DaneRequirement;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::{TlsaRecord, Usage};
use elsinore_dane::verify::{DaneVerdict, VerifyOptions, verify_dane};
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code of a chain that meets none of the records.
const NOT_MATCHED: u8 = 1;
/// Exit code when no record can be used.
const NO_USABLE_RECORD: u8 = 4;
/// Octets of PEM that are read; a certificate message of TLS holds less than 16 MiB.
const PEM_LIMIT: u64 = 32 << 20;

/// What `elsinore tlsa verify` takes.
#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
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
pub(super) fn run(arguments: VerifyArguments, settings: &Settings) -> Result<ExitCode> {
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
    let text = input::read(&arguments.chain, PEM_LIMIT)?;
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
pub(super) fn moment(text: &str) -> Result<Timestamp, &'static str> {
    const FORM: &str = "not a time such as 2027-01-31T12:00:00Z, nor a date such as 2027-01-31";
    if let Ok(timestamp) = text.parse() {
        return Ok(timestamp);
    }
    let date: jiff::civil::Date = text.parse().map_err(|_| FORM)?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| FORM)?;
    Ok(midnight.timestamp())
}
