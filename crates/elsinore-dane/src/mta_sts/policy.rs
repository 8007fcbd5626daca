//! The policy body and its syntax (RFC 8461 §3.2).

use super::MxPattern;
use crate::name::DomainName;
use std::fmt;

/// The most that is read of a policy body (RFC 8461 §3.3 suggests 64 kilobytes).
pub const MAX_POLICY_OCTETS: usize = 65_536;

/// The most `mx` patterns that are kept.
const MAX_PATTERNS: usize = 1_000;

/// The longest life a policy may claim, in seconds (RFC 8461 §3.2); longer claims are cut.
const MAX_AGE_SECONDS: u32 = 31_557_600;

/// A policy file, understood (RFC 8461 §3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsPolicy {
    /// What a failure to validate means.
    pub mode: StsMode,
    /// Seconds for which the policy binds after it was fetched, at most 31,557,600.
    pub max_age: u32,
    /// The hosts that may receive; empty only in mode `none`.
    pub mx: Vec<MxPattern>,
}

/// The three modes (RFC 8461 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StsMode {
    /// Hosts that fail are not used.
    Enforce,
    /// Failures are reported, nothing else.
    Testing,
    /// As if there were no policy.
    None,
}

impl StsMode {
    /// The word used in the policy file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// Why a body is no policy; RFC 8460 §4.3.2.2 calls all of these `sts-policy-invalid`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// More than [`MAX_POLICY_OCTETS`].
    #[error("the policy is longer than 64 kilobytes")]
    TooLarge,
    /// Not UTF-8.
    #[error("the policy is not UTF-8")]
    NotText,
    /// A line that is not `key: value`.
    #[error("line {0} is not a key and a value")]
    Line(usize),
    /// A required key is missing.
    #[error("there is no {0:?}")]
    Missing(&'static str),
    /// A value outside what the key allows.
    #[error("line {line}: {key:?} has a value it cannot have")]
    Value {
        /// The key.
        key: &'static str,
        /// Line number from 1.
        line: usize,
    },
    /// More than a thousand `mx` patterns.
    #[error("more than {MAX_PATTERNS} mx patterns")]
    TooManyPatterns,
}

impl StsPolicy {
    /// Parses a policy body. Lines end in LF or CRLF; unknown keys are ignored; of a repeated
    /// key other than `mx` the first counts (RFC 8461 §3.2). An empty last line is tolerated.
    ///
    /// # Errors
    /// [`PolicyError`] names the line.
    pub fn parse(body: &[u8]) -> Result<Self, PolicyError> {
        if body.len() > MAX_POLICY_OCTETS {
            return Err(PolicyError::TooLarge);
        }
        let text = std::str::from_utf8(body).map_err(|_| PolicyError::NotText)?;
        let mut fields = Fields::default();
        let mut lines = text.split('\n').enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            let is_last = lines.peek().is_none();
            let line = line.strip_suffix('\r').unwrap_or(line);
            let line = line.trim_end_matches([' ', '\t']);
            if line.is_empty() && is_last {
                break;
            }
            fields.take_line(line, index + 1)?;
        }
        fields.finish()
    }

    /// Whether one of the patterns covers the name in an MX record (RFC 8461 §4.1).
    #[must_use]
    pub fn lists(&self, mx_host: &DomainName) -> bool {
        self.mx.iter().any(|pattern| pattern.matches(mx_host))
    }
}

impl fmt::Display for StsPolicy {
    /// The policy file itself, with LF line ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "version: STSv1")?;
        writeln!(f, "mode: {}", self.mode.word())?;
        for pattern in &self.mx {
            writeln!(f, "mx: {pattern}")?;
        }
        writeln!(f, "max_age: {}", self.max_age)
    }
}

#[derive(Default)]
struct Fields {
    has_version: bool,
    mode: Option<StsMode>,
    max_age: Option<u32>,
    mx: Vec<MxPattern>,
}

impl Fields {
    fn take_line(&mut self, line: &str, number: usize) -> Result<(), PolicyError> {
        let (key, value) = line.split_once(':').ok_or(PolicyError::Line(number))?;
        let value = value.trim_start_matches([' ', '\t']);
        let wrong = |key| PolicyError::Value { key, line: number };
        if !is_key(key) || value.is_empty() || value.chars().any(char::is_control) {
            return Err(PolicyError::Line(number));
        }
        match key {
            "version" if !self.has_version => {
                if value != "STSv1" {
                    return Err(wrong("version"));
                }
                self.has_version = true;
            }
            "mode" if self.mode.is_none() => {
                self.mode = Some(match value {
                    "enforce" => StsMode::Enforce,
                    "testing" => StsMode::Testing,
                    "none" => StsMode::None,
                    _ => return Err(wrong("mode")),
                });
            }
            "max_age" if self.max_age.is_none() => {
                if value.len() > 10 || !value.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(wrong("max_age"));
                }
                let seconds: u64 = value.parse().map_err(|_| wrong("max_age"))?;
                let seconds = seconds.min(u64::from(MAX_AGE_SECONDS));
                self.max_age = u32::try_from(seconds).ok();
            }
            "mx" => {
                if self.mx.len() >= MAX_PATTERNS {
                    return Err(PolicyError::TooManyPatterns);
                }
                self.mx
                    .push(MxPattern::parse(value).map_err(|_| wrong("mx"))?);
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<StsPolicy, PolicyError> {
        if !self.has_version {
            return Err(PolicyError::Missing("version"));
        }
        let mode = self.mode.ok_or(PolicyError::Missing("mode"))?;
        let max_age = self.max_age.ok_or(PolicyError::Missing("max_age"))?;
        if self.mx.is_empty() && mode != StsMode::None {
            return Err(PolicyError::Missing("mx"));
        }
        Ok(StsPolicy {
            mode,
            max_age,
            mx: self.mx,
        })
    }
}

fn is_key(key: &str) -> bool {
    key.len() <= 32
        && key.starts_with(|c: char| c.is_ascii_alphanumeric())
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_and_their_text() {
        let crlf = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n\
                    mx: *.example.net\r\nmax_age: 604800\r\n";
        let policy = StsPolicy::parse(crlf.as_bytes()).unwrap();
        assert_eq!(policy.mode, StsMode::Enforce);
        assert_eq!(policy.max_age, 604_800);
        assert_eq!(policy.mx.len(), 2);
        assert_eq!(StsPolicy::parse(policy.to_string().as_bytes()), Ok(policy));
    }

    #[test]
    fn verdicts() {
        use PolicyError::{Line, Missing, Value};
        let value = |key, line| Err(Value { key, line });
        for (body, expected) in [
            (
                "version:STSv1\nmode:none\nmax_age:0",
                Ok((StsMode::None, 0)),
            ),
            (
                "mx: a.example\nmax_age: 9999999999 \nmode: testing\t\nversion: STSv1\n",
                Ok((StsMode::Testing, 31_557_600)),
            ),
            (
                "version: STSv1\nmode: testing\nmode: enforce\nmx: a.example\nmax_age: 5\nmax_age: x\n",
                Ok((StsMode::Testing, 5)),
            ),
            (
                "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 5\nfoo: \u{fc} bar\n",
                Ok((StsMode::Enforce, 5)),
            ),
            ("", Err(Missing("version"))),
            ("version: STSv1\nmax_age: 1\n", Err(Missing("mode"))),
            ("version: STSv1\nmode: none\n", Err(Missing("max_age"))),
            (
                "version: STSv1\nmode: enforce\nmax_age: 1\n",
                Err(Missing("mx")),
            ),
            ("version: STSv2\n", value("version", 1)),
            ("version: STSv1\nmode: Enforce\n", value("mode", 2)),
            ("version: STSv1\nmax_age: -1\n", value("max_age", 2)),
            (
                "version: STSv1\nmax_age: 12345678901\n",
                value("max_age", 2),
            ),
            ("version: STSv1\nmx: *\n", value("mx", 2)),
            ("version: STSv1\n\nmode: none\n", Err(Line(2))),
            ("<html>\n", Err(Line(1))),
            ("version STSv1\n", Err(Line(1))),
            ("version: STSv1\rmode: none\n", Err(Line(1))),
        ] {
            let found = StsPolicy::parse(body.as_bytes()).map(|p| (p.mode, p.max_age));
            assert_eq!(found, expected, "{body:?}");
        }
        let long = vec![b'a'; MAX_POLICY_OCTETS + 1];
        assert_eq!(StsPolicy::parse(&long), Err(PolicyError::TooLarge));
        assert_eq!(StsPolicy::parse(b"\xff: 1"), Err(PolicyError::NotText));
        let many = "mx: a.example\n".repeat(MAX_PATTERNS + 1);
        assert_eq!(
            StsPolicy::parse(many.as_bytes()),
            Err(PolicyError::TooManyPatterns)
        );
    }
}
