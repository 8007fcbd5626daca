//! The catalogues of rules and lints as Markdown documents.

use super::{source, wrapped};
use elsinore_check::lint::{LEFT_OUT, Lint};
use elsinore_dane::rule::Rule;
use std::fmt::Write as _;

/// `docs/rules.md`.
pub(super) fn rules() -> String {
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
        body(&mut text, rule.explanation(), rule.example());
    }
    text
}

/// `docs/lints.md`.
pub(super) fn lints() -> String {
    let mut text = String::from(
        "# Lints\n\nMade by `cargo xtask docs` from the lints in the program; not edited by hand.\n\n",
    );
    paragraph(
        &mut text,
        "What `elsinore check` finds at a domain. Each lint has the number of a row of the survey of \
         checkers it came from, and a usual severity: *fails now* (mail of DANE or MTA-STS senders \
         fails), *will fail* (at the next foreseeable event), *weak* (it works, and is weaker or \
         blinder than it need be), *note* (nothing needs to be done). A finding may differ from the \
         usual severity where what was seen is better or worse. What is left out stands at the end.",
    );
    for lint in Lint::all() {
        let _ = write!(
            text,
            "\n## {}\n\n{}. Usually: {}. Survey {}. {}.\n\n",
            lint.id,
            lint.title,
            lint.severity.words(),
            lint.survey,
            source(lint)
        );
        body(&mut text, lint.explanation, lint.example);
        text.push('\n');
        paragraph(&mut text, &format!("What to do: {}", lint.advice));
    }
    text.push_str("\n# Left out\n\n| survey | what | why |\n|---|---|---|\n");
    for left in LEFT_OUT {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            left.survey, left.what, left.reason
        );
    }
    text
}

fn paragraph(text: &mut String, words: &str) {
    for line in wrapped(words, 100) {
        let _ = writeln!(text, "{line}");
    }
}

fn body(text: &mut String, explanation: &str, example: &str) {
    paragraph(text, explanation);
    let example: Vec<&str> = example.lines().map(str::trim_end).collect();
    let _ = write!(text, "\n```\n{}\n```\n", example.join("\n"));
}
