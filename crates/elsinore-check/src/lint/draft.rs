//! A finding in the making.

use super::catalogue::Lint;
use crate::report::{Advice, Finding, Severity};
use elsinore_smtp::text::excerpt;

/// Characters kept of one line of evidence or of a subject.
const LINE: usize = 600;
/// Lines to paste that are kept of one finding.
pub(super) const MOST_LINES: usize = 50;

/// A finding in the making: severity and advice are those of the catalogue unless set.
#[derive(Debug)]
pub(super) struct Draft {
    lint: &'static Lint,
    severity: Severity,
    fails_at: Option<i64>,
    subject: String,
    evidence: String,
    advice: Option<String>,
    paste: Vec<String>,
}

impl Draft {
    pub(super) fn new(lint: &'static Lint, subject: &str, evidence: impl Into<String>) -> Self {
        Self {
            lint,
            severity: lint.severity,
            fails_at: None,
            subject: subject.to_owned(),
            evidence: evidence.into(),
            advice: None,
            paste: Vec::new(),
        }
    }

    /// Another severity than the usual one.
    pub(super) const fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// When it will fail.
    pub(super) const fn fails_at(mut self, moment: Option<i64>) -> Self {
        self.fails_at = moment;
        self
    }

    /// Another advice than the usual one.
    pub(super) fn advice(mut self, text: impl Into<String>) -> Self {
        self.advice = Some(text.into());
        self
    }

    /// Lines to paste.
    pub(super) fn paste(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.paste.extend(lines);
        self
    }

    pub(super) fn finish(self) -> Finding {
        let line = |text: &str| excerpt(text.as_bytes(), LINE);
        let citation = self.lint.citation();
        let mut paste: Vec<String> = Vec::new();
        for one in &self.paste {
            // Whole records must stay whole to be of use; they are bounded by what DNS holds.
            let one = excerpt(one.as_bytes(), 8 * 1024);
            if !paste.contains(&one) && paste.len() < MOST_LINES {
                paste.push(one);
            }
        }
        Finding {
            id: self.lint.id.to_owned(),
            severity: self.severity,
            fails_at: self.fails_at,
            subject: line(&self.subject),
            title: self.lint.title.to_owned(),
            evidence: line(&self.evidence),
            rfc: citation.map(|citation| citation.rfc),
            section: citation.map(|citation| citation.section.to_owned()),
            advice: Some(Advice {
                text: self.advice.unwrap_or_else(|| self.lint.advice.to_owned()),
                paste,
            }),
        }
    }
}
