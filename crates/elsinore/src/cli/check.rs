//! `elsinore check`: a domain as every sender sees it, and why.

mod bundle;
mod list;
mod monitor;
mod progress;
mod round;
mod screen;
mod watch;

use crate::checker::Checker;
use crate::cli::{FormatFlag, GlobalArguments};
use crate::config::{Pause, Seconds, SessionCount, Settings};
use crate::exit::{self, Refusal};
use crate::network;
use crate::output;
use anyhow::Result;
use clap::Args;
use elsinore_check::report::{State, schema};
use elsinore_dane::name::DomainName;
use elsinore_smtp::command::GreetingName;
use list::Wanted;
use monitor::Thresholds;
use round::{Round, Telling};
use screen::{ColourFlag, Screen};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// What `elsinore check` takes.
#[derive(Debug, Args)]
#[command(
    after_help = EXIT_CODES,
    after_long_help = long_help()
)]
pub(crate) struct CheckArguments {
    /// Domains, what stands behind the @ of a mail address; - reads a list
    /// from stdin.
    #[arg(value_name = "DOMAIN")]
    domains: Vec<String>,
    /// A list of domains, one a line, # begins a comment; - is stdin.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The whole report of each of several domains, not a line each.
    #[arg(long)]
    full: bool,
    /// What changed since an earlier result of --format json or jsonl, and why.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Check again and again, every SECONDS (300), and print what changes.
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "300",
        value_parser = seconds,
        conflicts_with_all = ["compare", "nagios"]
    )]
    watch: Option<Seconds>,
    /// Write all that was seen to FILE, so that somebody else can recompute the
    /// verdict.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["watch", "offline", "nagios"])]
    save: Option<PathBuf>,
    /// Recompute the verdict from a FILE of --save, under your own trust
    /// anchors; nobody is asked.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["watch", "from", "nagios"]
    )]
    offline: Option<PathBuf>,
    /// Print the JSON Schema of the report and do nothing else.
    // Not `exclusive`: ELSINORE_CONFIG in the environment counts as an argument there.
    #[arg(
        long,
        conflicts_with_all = [
            "domains", "from", "full", "compare", "watch", "save", "offline", "nagios",
            "sessions", "pause", "patience", "helo", "port", "ascii", "columns"
        ]
    )]
    schema: bool,
    /// One line and an exit code as Nagios and its kin want them: 0 OK,
    /// 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    #[arg(long, help_heading = "Monitoring", conflicts_with_all = ["compare", "full"])]
    nagios: bool,
    /// WARNING when mail breaks in fewer days if nothing is renewed.
    #[arg(
        long,
        value_name = "DAYS",
        help_heading = "Monitoring",
        requires = "nagios"
    )]
    warning: Option<u32>,
    /// CRITICAL when mail breaks in fewer days if nothing is renewed.
    #[arg(
        long,
        value_name = "DAYS",
        help_heading = "Monitoring",
        requires = "nagios"
    )]
    critical: Option<u32>,
    /// SMTP sessions open at once, to all servers (32): [check] sessions.
    #[arg(long, value_name = "COUNT", help_heading = "Manners")]
    sessions: Option<SessionCount>,
    /// Seconds between two sessions at one address (1): [check] pause.
    #[arg(long, value_name = "SECONDS", help_heading = "Manners")]
    pause: Option<Pause>,
    /// Seconds that one step of a session may take (20): [check] patience.
    #[arg(long, value_name = "SECONDS", help_heading = "Manners", value_parser = seconds)]
    patience: Option<Seconds>,
    /// Name for EHLO: [smtp] helo.
    #[arg(long, value_name = "NAME", help_heading = "Manners")]
    helo: Option<DomainName>,
    /// TCP port of MX hosts: [smtp] port.
    #[arg(
        long,
        value_name = "PORT",
        help_heading = "Manners",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    port: Option<u16>,
    /// Colours beside the signs and words.
    #[arg(
        long,
        value_name = "WHEN",
        help_heading = "Terminal",
        default_value = "auto"
    )]
    color: ColourFlag,
    /// ASCII alone; chosen by itself where the locale is not UTF-8.
    #[arg(long, help_heading = "Terminal")]
    ascii: bool,
    /// Columns to fill, 40 to 200; those of the terminal, else 80.
    #[arg(
        long,
        value_name = "COUNT",
        help_heading = "Terminal",
        value_parser = clap::value_parser!(u16).range(40..=200)
    )]
    columns: Option<u16>,
}

/// The five states and the exit codes, for the long help.
fn long_help() -> String {
    let mut text = String::from(EXIT_CODES);
    text.push_str("\n\nStates, from the sender's side:");
    for state in State::ALL {
        let line = format!("  {}: {}", state.words(), state.explanation());
        text.push('\n');
        text.push_str(&output::wrapped(&line, Some(79)));
    }
    text.push_str("\n\nWith --nagios: ");
    text.push_str(NAGIOS);
    text
}

const EXIT_CODES: &str = "\
Exit codes: 0 protected, 1 partly or not protected or mail will be refused,
2 wrong usage, 3 could not tell. Of several domains 1 goes before 3 before 0.";

const NAGIOS: &str = "\
CRITICAL when mail is refused or something fails now,
WARNING when the domain is partly or not protected or something will fail,
UNKNOWN when it could not be told and for every error, OK otherwise.";

fn seconds(text: &str) -> Result<Seconds, String> {
    let number: u32 = text.parse().map_err(|_| "not a number of seconds")?;
    Seconds::try_from(number).map_err(str::to_owned)
}

/// What is printed of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// The whole report for people.
    Report,
    /// A line for people.
    Brief,
    /// The report as JSON.
    Json(output::JsonLayout),
    /// The rail as a picture.
    Picture,
    /// A line for a monitor, of all domains together.
    Monitor(Thresholds),
}

/// Checks and prints.
///
/// # Errors
/// Wrong usage or configuration, or files that cannot be read.
pub(crate) fn run(arguments: &CheckArguments, global: &GlobalArguments) -> Result<ExitCode> {
    if arguments.schema {
        output::print_json(&schema(), output::JsonLayout::Indented)?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = settings(arguments, global)?;
    let offline = match &arguments.offline {
        Some(path) => Some(bundle::read(path)?),
        None => None,
    };
    let wanted = match &offline {
        Some(bundle) => bundle::wanted(bundle, &arguments.domains)?,
        None => list::wanted(&arguments.domains, arguments.from.as_deref())?,
    };
    let shape = shape(arguments, global.format, &wanted)?;
    let earlier = match &arguments.compare {
        Some(path) => list::earlier(path)?,
        None => BTreeMap::new(),
    };
    let telling = match (&arguments.compare, arguments.watch) {
        (Some(_), _) => Telling::Changes,
        (None, Some(_)) => Telling::News,
        (None, None) => Telling::Results,
    };
    let screen = Screen::of(arguments.color, arguments.ascii, arguments.columns);
    for refused in &wanted.refused {
        output::diagnose(&output::printable(refused));
    }
    let mut round = Round {
        wanted: &wanted,
        shape,
        screen,
        earlier,
        telling,
        full: arguments.full,
    };
    if let Some(bundle) = &offline {
        let ended = network::block_on(round.offline(&settings, bundle))?;
        return Ok(ExitCode::from(code(ended.worst, &wanted)));
    }
    if let Some(path) = &arguments.save {
        let ended = network::block_on(round.saving(&settings, path))?;
        return Ok(ExitCode::from(code(ended.worst, &wanted)));
    }
    let checker = Checker::new(&settings)?;
    let state = network::block_on(async {
        let resolver = Arc::clone(checker.resolver());
        let work = async {
            match arguments.watch {
                Some(pause) => watch::run(checker, &mut round, &settings, pause.duration()).await,
                None => round.once(&Arc::new(checker)).await,
            }
        };
        network::beside_rollover(&settings, &resolver, work).await
    })?;
    Ok(match (shape, state) {
        (Shape::Monitor(_), ended) => ExitCode::from(ended.monitor),
        (_, ended) => ExitCode::from(code(ended.worst, &wanted)),
    })
}

/// 0 protected, 1 anything less, 3 could not tell; what was refused counts as wrong usage where
/// nothing else is wrong.
fn code(worst: Option<State>, wanted: &Wanted) -> u8 {
    match worst {
        Some(State::PartlyProtected | State::NotProtected | State::Refused) => 1,
        Some(State::CouldNotTell) => exit::UNKNOWN,
        Some(State::Protected) | None if !wanted.refused.is_empty() => exit::CHECK_USAGE,
        Some(State::Protected) | None => 0,
    }
}

fn shape(arguments: &CheckArguments, format: FormatFlag, wanted: &Wanted) -> Result<Shape> {
    let only_one = wanted.targets.len() + wanted.refused.len() == 1;
    if arguments.nagios {
        let thresholds = Thresholds {
            warning: arguments.warning,
            critical: arguments.critical,
        };
        return Ok(Shape::Monitor(thresholds));
    }
    Ok(match format {
        FormatFlag::Human if only_one || arguments.full => Shape::Report,
        FormatFlag::Human => Shape::Brief,
        FormatFlag::Json => Shape::Json(output::JsonLayout::Indented),
        FormatFlag::Jsonl => Shape::Json(output::JsonLayout::OneLine),
        FormatFlag::Svg if arguments.compare.is_some() || arguments.watch.is_some() => {
            return Err(Refusal::usage(
                "--format svg draws one report, and no changes",
            ));
        }
        FormatFlag::Svg if only_one => Shape::Picture,
        FormatFlag::Svg => return Err(Refusal::usage("--format svg draws one domain")),
    })
}

fn settings(arguments: &CheckArguments, global: &GlobalArguments) -> Result<Settings> {
    let mut settings = Settings::resolve(global)?;
    if let Some(name) = &arguments.helo {
        GreetingName::parse(name.as_str())
            .map_err(|error| Refusal::usage(format!("check: --helo: {error}")))?;
        settings.smtp.helo = Some(name.clone());
    }
    settings.smtp.port = arguments.port.unwrap_or(settings.smtp.port);
    if let Some(SessionCount(count)) = arguments.sessions {
        settings.check.sessions = count as usize;
    }
    if let Some(Pause(pause)) = arguments.pause {
        settings.check.pause = Some(pause);
    }
    if let Some(patience) = arguments.patience {
        settings.check.patience = Some(patience.duration());
    }
    Ok(settings)
}
