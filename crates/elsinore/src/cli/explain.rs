//! `elsinore explain ID`: what a rule or a lint says, where it is written down, and an example.

mod document;

use crate::cli::Format;
use crate::config::Settings;
use crate::exit::Refusal;
use crate::output::{self, JsonLayout};
use crate::report::SCHEMA_VERSION;
use anyhow::Result;
use clap::Args;
use elsinore_check::lint::{LEFT_OUT, Lint, Source};
use elsinore_check::report::Severity;
use elsinore_dane::rule::Rule;
use serde::Serialize;
use std::fmt::Write as _;
use std::process::ExitCode;

/// What `elsinore explain` takes.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Identifier of the rule or lint, as findings show it; without it all are listed.
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Explain every rule, as a Markdown document.
    #[arg(long, conflicts_with_all = ["id", "lints"])]
    all: bool,
    /// Explain every lint of `check`, and say what is left out, as a Markdown document.
    #[arg(long, conflicts_with = "id")]
    lints: bool,
}

/// What can be explained.
#[derive(Debug, Clone, Copy)]
enum Entry {
    /// A rule of the sender.
    Rule(Rule),
    /// A lint of the checker.
    Lint(&'static Lint),
}

impl Entry {
    /// Rules in the order of a delivery, then lints.
    fn all() -> impl Iterator<Item = Self> {
        let rules = Rule::all().iter().copied().map(Self::Rule);
        rules.chain(Lint::all().map(Self::Lint))
    }

    fn from_id(id: &str) -> Option<Self> {
        Rule::from_id(id)
            .map(Self::Rule)
            .or_else(|| Lint::from_id(id).map(Self::Lint))
    }

    const fn id(self) -> &'static str {
        match self {
            Self::Rule(rule) => rule.id(),
            Self::Lint(lint) => lint.id,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Rule(rule) => rule.title(),
            Self::Lint(lint) => lint.title,
        }
    }

    fn record(self) -> Record {
        match self {
            Self::Rule(rule) => Record::Rule(RuleRecord::of(rule)),
            Self::Lint(lint) => Record::Lint(LintRecord::of(lint)),
        }
    }
}

/// An entry in JSON.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Record {
    Rule(RuleRecord),
    Lint(LintRecord),
}

/// A rule in JSON.
#[derive(Debug, Serialize)]
struct RuleRecord {
    rule: &'static str,
    rfc: u16,
    section: &'static str,
    title: &'static str,
    explanation: &'static str,
    example: &'static str,
}

impl RuleRecord {
    fn of(rule: Rule) -> Self {
        let citation = rule.citation();
        Self {
            rule: rule.id(),
            rfc: citation.rfc,
            section: citation.section,
            title: rule.title(),
            explanation: rule.explanation(),
            example: rule.example(),
        }
    }
}

/// A lint in JSON.
#[derive(Debug, Serialize)]
struct LintRecord {
    lint: &'static str,
    survey: &'static str,
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    rfc: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<&'static str>,
    /// What it rests on, where no RFC says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    practice: Option<&'static str>,
    title: &'static str,
    explanation: &'static str,
    example: &'static str,
    advice: &'static str,
}

impl LintRecord {
    const fn of(lint: &Lint) -> Self {
        let (rfc, section, practice) = match lint.source {
            Source::Rfc(citation) => (Some(citation.rfc), Some(citation.section), None),
            Source::Practice(why) => (None, None, Some(why)),
        };
        Self {
            lint: lint.id,
            survey: lint.survey,
            severity: lint.severity,
            rfc,
            section,
            practice,
            title: lint.title,
            explanation: lint.explanation,
            example: lint.example,
            advice: lint.advice,
        }
    }
}

/// One entry, as the whole result.
#[derive(Debug, Serialize)]
struct One {
    schema_version: u32,
    #[serde(flatten)]
    record: Record,
}

/// Everything.
#[derive(Debug, Serialize)]
struct All {
    schema_version: u32,
    rules: Vec<RuleRecord>,
    lints: Vec<LintRecord>,
    left_out: Vec<LeftOutRecord>,
}

/// What no lint covers.
#[derive(Debug, Serialize)]
struct LeftOutRecord {
    survey: &'static str,
    what: &'static str,
    reason: &'static str,
}

impl All {
    fn new() -> Self {
        let left_out = LEFT_OUT.iter().map(|left| LeftOutRecord {
            survey: left.survey,
            what: left.what,
            reason: left.reason,
        });
        Self {
            schema_version: SCHEMA_VERSION,
            rules: Rule::all().iter().copied().map(RuleRecord::of).collect(),
            lints: Lint::all().map(LintRecord::of).collect(),
            left_out: left_out.collect(),
        }
    }
}

/// Prints one rule or lint, or all of them.
///
/// # Errors
/// A usage error, with suggestions, when there is no such identifier.
pub(crate) fn run(arguments: &ExplainArguments, settings: &Settings) -> Result<ExitCode> {
    match &arguments.id {
        Some(id) => {
            let entry = Entry::from_id(id).ok_or_else(|| unknown(id))?;
            match settings.format {
                Format::Human => output::print(&explained(entry))?,
                Format::Json => output::print_json(&one(entry), JsonLayout::Indented)?,
                Format::Jsonl => output::print_json(&one(entry), JsonLayout::OneLine)?,
            }
        }
        None => match settings.format {
            Format::Human if arguments.all => output::print(&document::rules())?,
            Format::Human if arguments.lints => output::print(&document::lints())?,
            Format::Human => output::print(&listed())?,
            Format::Json => output::print_json(&All::new(), JsonLayout::Indented)?,
            Format::Jsonl => {
                for entry in Entry::all() {
                    output::print_json(&one(entry), JsonLayout::OneLine)?;
                }
            }
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn one(entry: Entry) -> One {
    One {
        schema_version: SCHEMA_VERSION,
        record: entry.record(),
    }
}

/// Where a lint is written down, or what it rests on, without a full stop.
fn source(lint: &Lint) -> String {
    match lint.source {
        Source::Rfc(citation) => citation.to_string(),
        Source::Practice(why) => format!("No RFC says so: {why}"),
    }
}

fn explained(entry: Entry) -> String {
    let mut text = format!("{}: {}\n", entry.id(), entry.title());
    let (explanation, example, advice) = match entry {
        Entry::Rule(rule) => {
            let _ = writeln!(text, "{}\n", rule.citation());
            (rule.explanation(), rule.example(), None)
        }
        Entry::Lint(lint) => {
            let _ = writeln!(text, "Usually: {}", lint.severity.words());
            for line in wrapped(&source(lint), 78) {
                let _ = writeln!(text, "{line}");
            }
            text.push('\n');
            (lint.explanation, lint.example, Some(lint.advice))
        }
    };
    for line in wrapped(explanation, 78) {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("\nExample:\n");
    for line in example.lines() {
        let _ = writeln!(text, "{}", format!("    {line}").trim_end());
    }
    if let Some(advice) = advice {
        text.push_str("\nWhat to do:\n");
        for line in wrapped(advice, 74) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

fn listed() -> String {
    let width = Entry::all().map(|entry| entry.id().len()).max();
    let width = width.unwrap_or(0);
    Entry::all().fold(String::new(), |mut text, entry| {
        let _ = writeln!(text, "{:width$}  {}", entry.id(), entry.title());
        text
    })
}

/// `text` in lines of at most `width` characters, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn unknown(id: &str) -> anyhow::Error {
    let near = suggestions(id);
    let hint = if near.is_empty() {
        "elsinore explain lists them all".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    Refusal::usage(format!("no rule or lint {id:?}; {hint}"))
}

/// Up to five identifiers that contain `id` or differ from it by few letters, the nearest first.
fn suggestions(id: &str) -> Vec<&'static str> {
    // Longer than any identifier: nothing is near, and comparing would only cost time.
    if id.is_empty() || id.len() > 100 {
        return Vec::new();
    }
    let wanted = id.to_ascii_uppercase();
    let mut near: Vec<(usize, &str)> = Entry::all()
        .map(Entry::id)
        .filter_map(|known| {
            let distance = distance(&wanted, known);
            let close = distance <= known.len() / 3;
            (close || known.contains(&wanted)).then_some((distance, known))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().map(|(_, known)| known).take(5).collect()
}

/// How many octets must be inserted, removed or replaced to turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.bytes().zip(row.iter().skip(1)) {
            let replaced = corner + usize::from(x != y);
            left = replaced.min(above + 1).min(left + 1);
            corner = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "ABC", 3),
            ("TLSA", "TLSA", 0),
            ("TLSA", "TLAS", 2),
            ("TLSA-USABLE", "TLSA-UNUSABLE", 2),
            ("KITTEN", "SITTING", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn each_entry_suggests_itself_first() {
        for entry in Entry::all() {
            let slip = format!("{}X", entry.id().to_ascii_lowercase());
            assert_eq!(suggestions(&slip).first(), Some(&entry.id()));
        }
        assert!(suggestions("").is_empty());
        assert!(suggestions(&"A".repeat(1000)).is_empty());
    }

    #[test]
    fn wrapping() {
        assert_eq!(wrapped("a bb  ccc\nd", 4), ["a bb", "ccc", "d"]);
        assert_eq!(wrapped("longword x", 3), ["longword", "x"]);
    }
}
