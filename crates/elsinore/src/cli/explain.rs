//! `elsinore explain RULE`: what a rule says, where it is written down, and an example.

use crate::cli::Format;
use crate::config::Settings;
use crate::exit::Refusal;
use crate::output::{self, JsonLayout};
use crate::report::SCHEMA_VERSION;
use anyhow::Result;
use clap::Args;
use elsinore_dane::rule::Rule;
use serde::Serialize;
use std::fmt::Write as _;
use std::process::ExitCode;

/// What `elsinore explain` takes.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Identifier of the rule, as findings show it; without it all are listed.
    rule: Option<String>,
    /// Explain every rule, as a Markdown document.
    #[arg(long, conflicts_with = "rule")]
    all: bool,
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

/// One rule, as the whole result.
#[derive(Debug, Serialize)]
struct OneRule {
    schema_version: u32,
    #[serde(flatten)]
    rule: RuleRecord,
}

/// Every rule.
#[derive(Debug, Serialize)]
struct AllRules {
    schema_version: u32,
    rules: Vec<RuleRecord>,
}

/// Prints one rule, or all of them.
///
/// # Errors
/// A usage error, with suggestions, when there is no such rule.
pub(crate) fn run(arguments: &ExplainArguments, settings: &Settings) -> Result<ExitCode> {
    match &arguments.rule {
        Some(id) => {
            let rule = Rule::from_id(id).ok_or_else(|| unknown(id))?;
            match settings.format {
                Format::Human => output::print(&explained(rule))?,
                Format::Json => output::print_json(&one(rule), JsonLayout::Indented)?,
                Format::Jsonl => output::print_json(&one(rule), JsonLayout::OneLine)?,
            }
        }
        None => match settings.format {
            Format::Human if arguments.all => output::print(&document())?,
            Format::Human => output::print(&listed())?,
            Format::Json => {
                let all = AllRules {
                    schema_version: SCHEMA_VERSION,
                    rules: Rule::all().iter().map(|rule| record(*rule)).collect(),
                };
                output::print_json(&all, JsonLayout::Indented)?;
            }
            Format::Jsonl => {
                for rule in Rule::all() {
                    output::print_json(&one(*rule), JsonLayout::OneLine)?;
                }
            }
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn record(rule: Rule) -> RuleRecord {
    let citation = rule.citation();
    RuleRecord {
        rule: rule.id(),
        rfc: citation.rfc,
        section: citation.section,
        title: rule.title(),
        explanation: rule.explanation(),
        example: rule.example(),
    }
}

fn one(rule: Rule) -> OneRule {
    OneRule {
        schema_version: SCHEMA_VERSION,
        rule: record(rule),
    }
}

fn explained(rule: Rule) -> String {
    let citation = rule.citation();
    let mut text = format!("{}: {}\n", rule.id(), rule.title());
    let _ = writeln!(text, "RFC {} section {}\n", citation.rfc, citation.section);
    for line in wrapped(rule.explanation(), 78) {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("\nExample:\n");
    for line in rule.example().lines() {
        let _ = writeln!(text, "{}", format!("    {line}").trim_end());
    }
    text
}

fn listed() -> String {
    let width = Rule::all().iter().map(|rule| rule.id().len()).max();
    let width = width.unwrap_or(0);
    Rule::all().iter().fold(String::new(), |mut text, rule| {
        let _ = writeln!(text, "{:width$}  {}", rule.id(), rule.title());
        text
    })
}

fn document() -> String {
    let mut text = String::from(
        "# Rules\n\nMade by `cargo xtask docs` from the rules in the program; not edited by hand.\n",
    );
    for rule in Rule::all() {
        let citation = rule.citation();
        let _ = write!(
            text,
            "\n## {}\n\n{}. RFC {} §{}.\n\n",
            rule.id(),
            rule.title(),
            citation.rfc,
            citation.section
        );
        for line in wrapped(rule.explanation(), 100) {
            let _ = writeln!(text, "{line}");
        }
        let example: Vec<&str> = rule.example().lines().map(str::trim_end).collect();
        let _ = write!(text, "\n```\n{}\n```\n", example.join("\n"));
    }
    text
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
    Refusal::usage(format!("no rule {id:?}; {hint}"))
}

/// Up to five identifiers that contain `id` or differ from it by few letters, the nearest first.
fn suggestions(id: &str) -> Vec<&'static str> {
    // Longer than any identifier: nothing is near, and comparing would only cost time.
    if id.is_empty() || id.len() > 100 {
        return Vec::new();
    }
    let wanted = id.to_ascii_uppercase();
    let mut near: Vec<(usize, &str)> = Rule::all()
        .iter()
        .map(|rule| rule.id())
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
    fn each_rule_suggests_itself_first() {
        for rule in Rule::all() {
            let slip = format!("{}X", rule.id().to_ascii_lowercase());
            assert_eq!(suggestions(&slip).first(), Some(&rule.id()));
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
