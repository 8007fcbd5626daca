//! `elsinore tlsrpt read`: other people's reports in plain words.

use crate::cli::Format;
use crate::config::Settings;
use crate::exit::{Manner, Refusal, failure};
use crate::output::{self, JsonLayout, printable};
use anyhow::Result;
use clap::Args;
use elsinore_tlsrpt::read::{
    Fault, MAX_INPUT, ReadError, SeenDetail, SeenPolicy, SeenReport, read,
};
use elsinore_tlsrpt::words::words;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The shape of the JSON output.
const SCHEMA_VERSION: u32 = 1;

/// What `elsinore tlsrpt read` takes.
#[derive(Debug, Args)]
pub(crate) struct ReadArguments {
    /// Files; standard input when there is none, or for -.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs the command. A file that holds no report does not keep the others from being read.
///
/// # Errors
/// When a file cannot be read or holds no report.
pub(crate) fn run(arguments: &ReadArguments, settings: &Settings) -> Result<ExitCode> {
    let stdin = [PathBuf::from("-")];
    let files = if arguments.files.is_empty() {
        stdin.as_slice()
    } else {
        &arguments.files
    };
    let mut all = Vec::new();
    let mut failed = None;
    let mut is_first = true;
    for file in files {
        let name = printable(&name_of(file));
        let reports = match contents(file) {
            Ok(input) => read(&input).map_err(|error| unusable(&name, &error)),
            Err(error) => Err(Refusal::storage(format!("{name}: {error}"))),
        };
        match reports {
            Ok(reports) => {
                for report in &reports {
                    match settings.format {
                        Format::Human => {
                            let before = if is_first { "" } else { "\n" };
                            output::print(&format!("{before}{}", words(report)))?;
                            is_first = false;
                        }
                        Format::Json => all.push(object(&name, report)),
                        Format::Jsonl => {
                            let mut object = object(&name, report);
                            object["schema_version"] = SCHEMA_VERSION.into();
                            output::print_json(&object, JsonLayout::OneLine)?;
                        }
                    }
                }
            }
            Err(error) => {
                let code = failure(&error, Manner::Ordinary);
                failed.get_or_insert(code);
            }
        }
    }
    if settings.format == Format::Json {
        let whole = json!({ "schema_version": SCHEMA_VERSION, "reports": all });
        output::print_json(&whole, JsonLayout::Indented)?;
    }
    Ok(failed.unwrap_or(ExitCode::SUCCESS))
}

fn name_of(file: &Path) -> String {
    if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    }
}

/// One octet more than may be read says that it is too long.
fn contents(file: &Path) -> io::Result<Vec<u8>> {
    let most = u64::try_from(MAX_INPUT)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut octets = Vec::new();
    if file == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut octets)?;
    } else {
        File::open(file)?.take(most).read_to_end(&mut octets)?;
    }
    Ok(octets)
}

fn unusable(name: &str, error: &ReadError) -> anyhow::Error {
    Refusal::unusable_input(format!("{name}: {}", printable(&error.to_string())))
}

/// Fields that are not there are left out.
fn slim(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, member)| !member.is_null());
            Value::Object(kept.collect())
        }
        other => other,
    }
}

fn object(file: &str, report: &SeenReport) -> Value {
    let time = |seconds: Option<i64>| seconds.map(elsinore_tlsrpt::day::internet_time);
    slim(json!({
        "file": file,
        "organization": report.organization,
        "contact": report.contact,
        "id": report.id,
        "begin": time(report.begin),
        "end": time(report.end),
        "policies": report.policies.iter().map(policy).collect::<Vec<_>>(),
        "faults": report.faults.iter().map(fault).collect::<Vec<_>>(),
    }))
}

pub(super) fn policy(policy: &SeenPolicy) -> Value {
    slim(json!({
        "type": policy.kind_word,
        "domain": policy.domain,
        "policy": policy.strings,
        "mx_hosts": policy.mx_hosts,
        "successes": policy.successes,
        "failures": policy.failures,
        "details": policy.details.iter().map(detail).collect::<Vec<_>>(),
    }))
}

fn detail(detail: &SeenDetail) -> Value {
    slim(json!({
        "result": detail.result_word,
        "meaning": detail.result.map(elsinore_tlsrpt::terms::ResultType::sentence),
        "count": detail.count,
        "mx_host": detail.mx_host,
        "helo": detail.helo,
        "receiving_ip": detail.receiving_ip,
        "sending_ip": detail.sending_ip,
        "reason": detail.reason,
        "additional": detail.additional,
    }))
}

fn fault(fault: &Fault) -> Value {
    json!({ "at": fault.at, "what": fault.what })
}
