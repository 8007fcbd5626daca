//! `elsinore doctor`: whether this machine can do DANE, one line for each thing looked at.

use crate::cli::Format;
use crate::config::{DnsMode, Seconds, Settings, Upstream};
use crate::network;
use crate::output::{self, JsonLayout, printable};
use anyhow::Result;
use clap::Args;
use elsinore_net::doctor::{
    Check, DoctorConfig, Examination, Fitness, MailTarget, ProbeName, ResolvConf, Role, Verdict,
    interface_number, no_resolv_conf, parse_resolv_conf, resolv_conf_faults,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// What `elsinore doctor` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at the clock, the way to the root servers, the trust anchors, our own
lookups, the resolvers (of [dns] upstream, else of /etc/resolv.conf), port 25,
open files and the state folder.

Exit codes: 0 this machine can do DANE (warnings included), 1 it cannot,
3 something that matters could not be found out.")]
pub(crate) struct DoctorArguments {
    /// Resolver to look at instead, IP or IP:PORT, repeatable.
    #[arg(long, value_name = "ADDRESS")]
    resolver: Vec<Upstream>,
    /// Where this machine's resolvers are listed: [doctor] resolv_conf.
    #[arg(long, value_name = "FILE")]
    resolv_conf: Option<PathBuf>,
    /// Mail server to knock at, HOST, HOST:PORT, an address, or @DOMAIN for the
    /// domain's best MX host; repeatable, tried in order: [doctor] mail.
    #[arg(long, value_name = "HOST")]
    mail_host: Vec<MailTarget>,
    /// Seconds a resolver or root server may take for one answer: [doctor] timeout.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Seconds>,
    /// Leave port 25 out.
    #[arg(long, conflicts_with = "mail_host")]
    no_mail: bool,
    /// Name that is signed, with a type if not A, repeatable: [doctor] secure.
    #[arg(long, value_name = "NAME", help_heading = "Names that are asked for")]
    secure: Vec<ProbeName>,
    /// Name whose signatures are wrong, repeatable: [doctor] bogus.
    #[arg(long, value_name = "NAME", help_heading = "Names that are asked for")]
    bogus: Vec<ProbeName>,
    /// Name that is not signed, repeatable: [doctor] insecure.
    #[arg(long, value_name = "NAME", help_heading = "Names that are asked for")]
    insecure: Vec<ProbeName>,
}

fn seconds(text: &str) -> Result<Seconds, String> {
    let number: u32 = text.parse().map_err(|_| "not a number of seconds")?;
    Seconds::try_from(number).map_err(str::to_owned)
}

/// Nothing forbids DANE, but something that matters could not be found out.
const CANNOT_TELL: u8 = 3;

/// Looks, prints, and gives the verdict as exit code.
///
/// # Errors
/// A configuration error.
pub(crate) fn run(arguments: DoctorArguments, settings: &Settings) -> Result<ExitCode> {
    let mut settings = settings.clone();
    let names = &mut settings.doctor.names;
    for (given, kept) in [
        (arguments.secure, &mut names.secure),
        (arguments.bogus, &mut names.bogus),
        (arguments.insecure, &mut names.insecure),
    ] {
        if !given.is_empty() {
            *kept = given;
        }
    }
    if arguments.no_mail {
        settings.doctor.mail.clear();
    } else if !arguments.mail_host.is_empty() {
        settings.doctor.mail = arguments.mail_host;
    }
    if let Some(path) = arguments.resolv_conf {
        settings.doctor.resolv_conf = path;
    }
    if let Some(seconds) = arguments.timeout {
        settings.doctor.timeout = Some(seconds.duration());
    }
    let named = (arguments.resolver.into_iter())
        .map(|Upstream(at)| at)
        .collect();
    let doctor = network::doctor(&settings, |config| resolvers(config, &settings, named))?;
    let examination = network::block_on(async { Ok(doctor.examine().await) })?;
    match settings.format {
        Format::Human => output::print(&narrative(&examination, output::width()))?,
        Format::Json => output::print_json(&Shown::new(&examination), JsonLayout::Indented)?,
        Format::Jsonl => output::print_json(&Shown::new(&examination), JsonLayout::OneLine)?,
    }
    Ok(match examination.fitness() {
        Fitness::Yes | Fitness::WithWarnings => ExitCode::SUCCESS,
        Fitness::No => ExitCode::FAILURE,
        Fitness::Unknown => ExitCode::from(CANNOT_TELL),
    })
}

/// The resolvers to look at and the part each plays: those that were named, else those in use, else
/// those of the machine.
fn resolvers(config: &mut DoctorConfig, settings: &Settings, named: Vec<SocketAddr>) {
    let role = match settings.dns.mode {
        DnsMode::Recursive => Role::Bystander,
        DnsMode::Forward => Role::Source,
        DnsMode::Ad => Role::Validator,
    };
    let servers = if !named.is_empty() {
        named
    } else if role == Role::Bystander {
        let path = &settings.doctor.resolv_conf;
        let shown = printable(&path.display().to_string());
        match std::fs::read(path) {
            Ok(octets) => {
                let text = String::from_utf8_lossy(&octets);
                let found: ResolvConf = parse_resolv_conf(&text, interface_number);
                config.remarks = resolv_conf_faults(&shown, &found);
                found.servers
            }
            Err(error) => {
                config.remarks = vec![no_resolv_conf(&shown, &error)];
                Vec::new()
            }
        }
    } else {
        settings.dns.upstream.clone()
    };
    config.resolvers = servers.into_iter().map(|server| (server, role)).collect();
}

/// Columns of the verdict, with the space behind it.
const MARGIN: usize = 6;

const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Note => "note",
        Verdict::Warn => "warn",
        Verdict::Unknown => "???",
        Verdict::Fail => "FAIL",
    }
}

fn narrative(examination: &Examination, width: Option<usize>) -> String {
    let mut text = String::new();
    let mut line = |content: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", output::hanging(content, width, MARGIN));
    };
    for check in &examination.checks {
        let about = printable(&headline(check));
        line(&format!("{:<5} {about}", mark(check.verdict)));
        if let Some(advice) = &check.advice {
            line(&format!("{:MARGIN$}{}", "", printable(advice)));
        }
    }
    let count = |wanted: Verdict| {
        let number = (examination.checks.iter())
            .filter(|check| check.verdict == wanted)
            .count();
        (number > 0).then_some(number)
    };
    let tally: Vec<String> = [
        (Verdict::Fail, "FAIL"),
        (Verdict::Unknown, "???"),
        (Verdict::Warn, "warn"),
    ]
    .into_iter()
    .filter_map(|(verdict, word)| count(verdict).map(|number| format!("{number} {word}")))
    .collect();
    let tally = if tally.is_empty() {
        String::new()
    } else {
        format!(" ({})", tally.join(", "))
    };
    let answer = match examination.fitness() {
        Fitness::Yes => "yes",
        Fitness::WithWarnings => "yes, with warnings",
        Fitness::No => "no",
        Fitness::Unknown => "could not tell",
    };
    line(&format!("\nThis machine can do DANE: {answer}{tally}"));
    text
}

fn headline(check: &Check) -> String {
    match &check.subject {
        Some(subject) => format!("{} {subject}: {}", check.area.word(), check.text),
        None => format!("{}: {}", check.area.word(), check.text),
    }
}

/// The result as programs read it.
#[derive(Debug, Serialize)]
struct Shown {
    schema_version: u32,
    /// `yes`, `warnings`, `no`, `unknown`.
    can_do_dane: &'static str,
    checks: Vec<ShownCheck>,
}

#[derive(Debug, Serialize)]
struct ShownCheck {
    verdict: &'static str,
    area: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    finding: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<&'static str, String>,
}

impl Shown {
    fn new(examination: &Examination) -> Self {
        Self {
            schema_version: crate::report::SCHEMA_VERSION,
            can_do_dane: examination.fitness().word(),
            checks: (examination.checks.iter())
                .map(|check| ShownCheck {
                    verdict: check.verdict.word(),
                    area: check.area.word(),
                    subject: check.subject.clone(),
                    finding: check.finding,
                    text: check.text.clone(),
                    advice: check.advice.clone(),
                    details: check.details.iter().cloned().collect(),
                })
                .collect(),
        }
    }
}
