//! The catalogue: every lint with its identifier, severity, source and explanation, and the rows
//! of our survey of checkers that are left out, with the reason.
//!
//! The survey compared what existing checkers report and what operators were seen to suffer from;
//! its rows are numbered D (DNS), T (TLSA records), C (certificates and sessions) and X (the domain
//! as a whole). The number stands in each entry, so that the two lists together are complete.

use crate::report::Severity;
use elsinore_dane::rule::Citation;

/// One lint: something that can be wrong with a domain and be seen from outside.
///
/// The identifier is stable: it stands in JSON and in `elsinore explain`.
#[derive(Debug, PartialEq, Eq)]
pub struct Lint {
    /// The stable identifier, upper case with hyphens; never that of a rule.
    pub id: &'static str,
    /// The row of the survey, such as `D03`.
    pub survey: &'static str,
    /// How bad it usually is; a finding may differ, with reason.
    pub severity: Severity,
    /// Where it is written down.
    pub source: Source,
    /// The lint in one line, without a full stop.
    pub title: &'static str,
    /// What is wrong and why it matters, in two to six sentences.
    pub explanation: &'static str,
    /// An example: records or dialogue, and what follows from them.
    pub example: &'static str,
    /// What to do, in one or two sentences.
    pub advice: &'static str,
}

/// Where a lint is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In an RFC.
    Rfc(Citation),
    /// In none; the text says what it rests on.
    Practice(&'static str),
}

/// Shorthand of the tables.
const fn rfc(rfc: u16, section: &'static str) -> Source {
    Source::Rfc(Citation { rfc, section })
}

/// A table of lints: one static per entry, and the list of all of them in order.
macro_rules! lints {
    ($($(#[doc = $doc:literal])+ $name:ident: $id:literal, $survey:literal, $severity:ident,
        $source:expr, $title:literal, $explanation:literal, $example:literal, $advice:literal;)+) => {
        $(
            $(#[doc = $doc])+
            pub static $name: Lint = Lint {
                id: $id,
                survey: $survey,
                severity: Severity::$severity,
                source: $source,
                title: $title,
                explanation: $explanation,
                example: $example,
                advice: $advice,
            };
        )+

        /// The lints of this table in order.
        pub(crate) static ENTRIES: &[&Lint] = &[$(&$name,)+];
    };
}

pub mod certificate;
pub mod dns;
pub mod domain;
pub mod record;
pub mod session;
pub mod zone;

impl Lint {
    /// Every lint, in the order of the catalogue.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        [
            dns::ENTRIES,
            zone::ENTRIES,
            domain::ENTRIES,
            record::ENTRIES,
            certificate::ENTRIES,
            session::ENTRIES,
        ]
        .into_iter()
        .flatten()
        .copied()
    }

    /// The lint with that identifier, upper or lower case.
    #[must_use]
    pub fn from_id(id: &str) -> Option<&'static Self> {
        Self::all().find(|lint| lint.id.eq_ignore_ascii_case(id))
    }

    /// The RFC section that says so, where one does.
    #[must_use]
    pub const fn citation(&self) -> Option<Citation> {
        match self.source {
            Source::Rfc(citation) => Some(citation),
            Source::Practice(_) => None,
        }
    }
}

/// A row of the survey, or a part of one, that no lint covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// The row of the survey.
    pub survey: &'static str,
    /// What it would be.
    pub what: &'static str,
    /// Why there is no lint for it.
    pub reason: &'static str,
}

/// What the survey has and the catalogue has not.
pub static LEFT_OUT: &[LeftOut] = &[
    LeftOut {
        survey: "D10",
        what: "resolvers that answer SERVFAIL above an iteration limit of their own",
        reason: "only the resolvers know their limits; NSEC3-ITERATIONS says from which value on \
                 RFC 9276 lets them",
    },
    LeftOut {
        survey: "D15",
        what: "a zone refresh interval above the TTL of the TLSA records",
        reason: "how secondaries are kept up to date (NOTIFY, a database, a file) cannot be seen; \
                 servers that really lag show as SERVERS-DIFFER",
    },
    LeftOut {
        survey: "C08",
        what: "raw public keys (RFC 7250)",
        reason: "the sender does not offer them, so no server can choose them; the checker sees \
                 what the sender sees",
    },
    LeftOut {
        survey: "C11",
        what: "a server that obeys commands sent in cleartext behind STARTTLS",
        reason: "finding out means attacking somebody's server; the same fault in what the server \
                 sends is TEXT-BEFORE-TLS",
    },
    LeftOut {
        survey: "X05",
        what: "an MTA-STS policy host that is an alias",
        reason: "allowed (RFC 8461 section 8.2) and harmless; whether the certificate covers the \
                 policy host is part of fetching the policy",
    },
    LeftOut {
        survey: "X06",
        what: "SPF, DKIM and DMARC",
        reason: "they say who may send as the domain, not how mail to it is protected",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use elsinore_dane::rule::Rule;
    use std::collections::HashSet;

    #[test]
    fn every_lint_is_complete_and_found_again() {
        let mut seen = HashSet::new();
        for lint in Lint::all() {
            let id = lint.id;
            assert!(seen.insert(id), "{id} twice");
            assert_eq!(Lint::from_id(&id.to_lowercase()), Some(lint));
            assert_eq!(Rule::from_id(id), None, "{id} is a rule");
            assert!(
                id.bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-'),
                "{id}"
            );
            assert!(!lint.title.is_empty() && !lint.title.ends_with('.'), "{id}");
            let sentences = lint.explanation.matches(". ").count() + 1;
            assert!((2..=6).contains(&sentences), "{id}: {sentences} sentences");
            for text in [lint.explanation, lint.advice] {
                assert!(text.ends_with('.'), "{id}: {text}");
                assert!(!text.contains("  "), "{id}: {text}");
            }
            assert!(!lint.example.is_empty(), "{id}");
            if let Some(citation) = lint.citation() {
                assert!(
                    citation.rfc > 0 && citation.section.split('.').all(|part| !part.is_empty()),
                    "{id}"
                );
            }
        }
        assert_eq!(Lint::from_id("no-such-lint"), None);
    }

    #[test]
    fn every_row_of_the_survey_is_covered_or_left_out_with_a_reason() {
        let rows = (1..=17)
            .map(|n| format!("D{n:02}"))
            .chain((1..=13).map(|n| format!("T{n:02}")))
            .chain((1..=11).map(|n| format!("C{n:02}")))
            .chain((1..=6).map(|n| format!("X{n:02}")));
        let mut known = HashSet::new();
        for row in rows {
            let covered = Lint::all().any(|lint| lint.survey == row)
                || LEFT_OUT.iter().any(|left| left.survey == row);
            assert!(covered, "{row}");
            known.insert(row);
        }
        for lint in Lint::all() {
            assert!(known.contains(lint.survey), "{}: {}", lint.id, lint.survey);
        }
        for left in LEFT_OUT {
            assert!(known.contains(left.survey) && !left.reason.is_empty());
        }
    }
}
