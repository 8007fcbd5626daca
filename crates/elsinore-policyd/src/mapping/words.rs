//! Answers in the syntax of Postfix' `smtp_tls_policy_maps`, and as socketmap replies.

use super::Row;
use elsinore_dane::mta_sts::{MxPattern, StsPolicy};
use elsinore_dane::name::DomainName;
use std::fmt::Write as _;

/// Longest reply, in octets; Postfix takes 100,000 (`socketmap_max_reply_size`). Longer ones go
/// without the policy attributes.
const LONGEST_REPLY: usize = 90_000;
/// Longest reason given with TEMP, in characters.
const LONGEST_REASON: usize = 200;

/// A level of Postfix with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyWord {
    /// `none`
    None,
    /// `may`
    May,
    /// `encrypt`
    Encrypt,
    /// `dane`
    Dane,
    /// `dane-only`
    DaneOnly,
    /// `verify match=… servername=hostname`
    Verify(Vec<String>),
    /// `secure match=… servername=hostname`
    Secure(Vec<String>),
    /// `fingerprint match=…`: SHA-256 digests of a certificate or a key, which Postfix compares
    /// when `smtp_tls_fingerprint_digest = sha256`.
    Fingerprint(Vec<[u8; 32]>),
}

impl PolicyWord {
    /// The level alone.
    #[must_use]
    pub const fn level(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::May => "may",
            Self::Encrypt => "encrypt",
            Self::Dane => "dane",
            Self::DaneOnly => "dane-only",
            Self::Verify(_) => "verify",
            Self::Secure(_) => "secure",
            Self::Fingerprint(_) => "fingerprint",
        }
    }

    /// The value of the table entry, without policy attributes.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.level().to_owned();
        match self {
            Self::None | Self::May | Self::Encrypt | Self::Dane | Self::DaneOnly => {}
            Self::Verify(names) | Self::Secure(names) => {
                text.push_str(" match=");
                text.push_str(&names.join(":"));
                text.push_str(" servername=hostname");
            }
            Self::Fingerprint(digests) => {
                for (index, digest) in digests.iter().enumerate() {
                    text.push_str(if index == 0 { " match=" } else { "|" });
                    for (place, octet) in digest.iter().enumerate() {
                        let separator = if place == 0 { "" } else { ":" };
                        // Writing to a string cannot fail.
                        let _ = write!(text, "{separator}{octet:02X}");
                    }
                }
            }
        }
        text
    }
}

/// What Postfix 3.10 and later report about an MTA-STS policy (`TLSRPT_README`, "MTA-STS support
/// via smtp_tls_policy_maps").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsAttributes {
    /// The policy domain.
    pub domain: DomainName,
    /// The policy itself.
    pub policy: StsPolicy,
}

impl StsAttributes {
    /// The attributes, as they follow the level and a blank.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("policy_type=sts policy_domain={}", self.domain);
        for pattern in &self.policy.mx {
            let _ = write!(text, " mx_host_pattern={pattern}");
        }
        // The lines of the policy: our own print of it, in which nothing of a stranger's text is
        // left but names.
        for line in self.policy.to_string().lines() {
            let _ = write!(text, " {{ policy_string = {line} }}");
        }
        text
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A level.
    Policy {
        /// The level.
        word: PolicyWord,
        /// The attributes for TLS-RPT, where Postfix enforces the policy as we would.
        sts: Option<StsAttributes>,
    },
    /// Nothing is known: the administrator's default applies.
    NotFound,
    /// Not now.
    Temporary(String),
}

impl Answer {
    /// The socketmap reply to `QUERY`, not yet a netstring.
    #[must_use]
    pub fn plain(&self) -> String {
        match self {
            Self::Policy { word, .. } => format!("OK {}", word.text()),
            Self::NotFound => "NOTFOUND ".to_owned(),
            Self::Temporary(reason) => format!("TEMP {}", one_line(reason)),
        }
    }

    /// The socketmap reply to `QUERYwithTLSRPT`, not yet a netstring.
    #[must_use]
    pub fn with_tlsrpt(&self) -> String {
        let mut text = self.plain();
        if let Self::Policy { sts: Some(sts), .. } = self {
            let attributes = sts.text();
            if text.len() + attributes.len() < LONGEST_REPLY {
                text.push(' ');
                text.push_str(&attributes);
            }
        }
        text
    }

    /// The word counted in metrics: the level, `notfound` or `temp`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Policy { word, .. } => word.level(),
            Self::NotFound => "notfound",
            Self::Temporary(_) => "temp",
        }
    }
}

/// An answer and the row it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The row.
    pub row: Row,
    /// The answer.
    pub answer: Answer,
}

/// How Postfix writes the names that a policy's pattern covers.
pub(super) fn pattern_name(pattern: &MxPattern) -> String {
    match pattern {
        MxPattern::Host(name) => name.to_string(),
        MxPattern::OneLabelBelow(parent) => format!(".{parent}"),
    }
}

/// Printable ASCII in one bounded line: reasons carry text of strangers.
fn one_line(text: &str) -> String {
    text.chars()
        .take(LONGEST_REASON)
        .map(|c| {
            if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '?'
            }
        })
        .collect()
}
