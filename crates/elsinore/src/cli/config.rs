//! `elsinore config`: what the configuration says, and whether all of it would be taken.

use crate::cli::{Format, GlobalArguments};
use crate::config::shown::{self, Lines, Origin, Row, Shown};
use crate::config::start::is_read_at_start;
use crate::config::{Settings, of_service};
use crate::exit::Refusal;
use crate::output::{self, JsonLayout};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// The shape of the JSON output.
const SCHEMA_VERSION: u32 = 1;
/// Columns of a line with its remark.
const COLUMNS: usize = 80;

/// What `elsinore config` takes.
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Say whether the configuration would be taken, files that it names included.
    ///
    /// Looks at all that `elsinore relay` looks at before it starts, and again on
    /// SIGHUP. Nothing is opened for writing and nothing is asked of the network.
    Check,
    /// Print what takes effect, with defaults, and where each value is from.
    ///
    /// The text is a configuration again. Passwords are left out. Keys marked "at the
    /// start" are read when a relay starts, all others again on SIGHUP.
    Show,
}

/// Runs the command.
pub(crate) fn run(arguments: &ConfigArguments, global: &GlobalArguments) -> Result<ExitCode> {
    let global = of_service(global);
    let settings = Settings::resolve(&global)?;
    match arguments.task {
        Task::Check => check(&global, &settings),
        Task::Show => show(&global, &settings),
    }
}

fn check(global: &GlobalArguments, settings: &Settings) -> Result<ExitCode> {
    super::relay::checked(settings)?;
    let subject = global.config.as_ref().map_or_else(
        || "no file, the defaults".to_owned(),
        |file| file.display().to_string(),
    );
    match settings.format {
        Format::Human => output::print(&format!("{subject}: good\n"))?,
        Format::Json | Format::Jsonl => output::print_json(
            &json!({ "schema_version": SCHEMA_VERSION, "file": global.config, "good": true }),
            layout(settings.format),
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(global: &GlobalArguments, settings: &Settings) -> Result<ExitCode> {
    let text = match &global.config {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("configuration {}", file.display()))?,
        None => String::new(),
    };
    let rows = shown::rows(settings, &Lines::of(&text), global);
    let lists = lists(&text, global.config.as_deref())?;
    match settings.format {
        Format::Human => output::print(&human(&rows, &lists, global.config.as_deref()))?,
        Format::Json | Format::Jsonl => output::print_json(
            &json!({
                "schema_version": SCHEMA_VERSION,
                "file": global.config,
                "values": rows.iter().map(object).collect::<Vec<_>>(),
                "lists": lists,
            }),
            layout(settings.format),
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

const fn layout(format: Format) -> JsonLayout {
    match format {
        Format::Human | Format::Json => JsonLayout::Indented,
        Format::Jsonl => JsonLayout::OneLine,
    }
}

/// The lists of tables, which have no defaults, as they were written.
fn lists(text: &str, file: Option<&Path>) -> Result<toml::Table> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let name = file.unwrap_or(Path::new("")).display();
        // It was read a moment ago.
        Refusal::configuration(format!(
            "{name}: changed while it was read: {}",
            error.message()
        ))
    })?;
    let mut lists = toml::Table::new();
    for (name, value) in table {
        match value {
            toml::Value::Array(list) if list.iter().all(toml::Value::is_table) => {
                lists.insert(name, toml::Value::Array(list));
            }
            toml::Value::Table(section) => {
                let inner: toml::Table = (section.into_iter())
                    .filter(|(_, value)| {
                        (value.as_array())
                            .is_some_and(|list| list.iter().any(toml::Value::is_table))
                    })
                    .collect();
                if !inner.is_empty() {
                    lists.insert(name, toml::Value::Table(inner));
                }
            }
            _ => {}
        }
    }
    Ok(lists)
}

fn human(rows: &[Row], lists: &toml::Table, file: Option<&Path>) -> String {
    let mut text = match file {
        Some(file) => format!("# {}, and defaults\n", file.display()),
        None => "# no file: defaults\n".to_owned(),
    };
    let mut section = "";
    for row in rows {
        if row.section != section {
            section = row.section;
            // Writing to a String does not fail.
            let _ = writeln!(text, "\n[{section}]");
        }
        text.push_str(&line(row));
    }
    if !lists.is_empty() {
        text.push('\n');
        text.push_str(&toml::to_string(lists).unwrap_or_default());
    }
    text
}

/// A row as one line, its origin behind it; above it where the line would be too long.
fn line(row: &Row) -> String {
    let mut origin = match row.origin {
        Origin::Default => String::new(),
        Origin::Line(line) => format!("line {line}"),
        Origin::Flag(flag) => flag.to_owned(),
    };
    if is_read_at_start(row.section, row.key) {
        if !origin.is_empty() {
            origin.push_str(", ");
        }
        origin.push_str("at the start");
    }
    let written = match &row.value {
        Shown::Value(value) => format!("{} = {value}", row.key),
        Shown::Words(words) => format!("# {}: {words}", row.key),
        Shown::Hidden => format!("# {}: set, not shown", row.key),
    };
    if origin.is_empty() {
        return format!("{written}\n");
    }
    if written.chars().count() + origin.len() + 4 <= COLUMNS {
        return format!("{written}  # {origin}\n");
    }
    format!("# {origin}:\n{written}\n")
}

fn object(row: &Row) -> serde_json::Value {
    let mut object = json!({ "key": row.name() });
    if is_read_at_start(row.section, row.key) {
        object["read"] = json!("start");
    }
    match &row.value {
        Shown::Value(value) => object["value"] = json!(value),
        Shown::Words(words) => object["meaning"] = json!(words),
        Shown::Hidden => object["hidden"] = json!(true),
    }
    match row.origin {
        Origin::Default => object["from"] = json!("default"),
        Origin::Line(line) => {
            object["from"] = json!("file");
            object["line"] = json!(line);
        }
        Origin::Flag(flag) => {
            object["from"] = json!("flag");
            object["flag"] = json!(flag);
        }
    }
    object
}
