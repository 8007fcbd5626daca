//! The `mx` patterns of a policy and the names they cover (RFC 8461 §3.2, §4.1).

use crate::name::{DomainName, NameError};
use std::fmt;

/// One `mx` pattern of a policy (RFC 8461 §3.2, §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MxPattern {
    /// Exactly this host.
    Host(DomainName),
    /// `*.parent`: every name with exactly one label in front of it.
    OneLabelBelow(DomainName),
}

impl MxPattern {
    /// Parses a name or `*.` and a name. An internationalised name must be in A-labels.
    ///
    /// # Errors
    /// [`NameError`] for anything that is not a host name (RFC 5321 §4.1.2 `Domain`).
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (name, is_wildcard) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let is_host = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        if !is_host || name.is_empty() || name == "." {
            return Err(NameError::EmptyLabel);
        }
        let name = DomainName::parse(name)?;
        Ok(if is_wildcard {
            Self::OneLabelBelow(name)
        } else {
            Self::Host(name)
        })
    }

    /// Whether the name in an MX record is covered.
    #[must_use]
    pub fn matches(&self, mx_host: &DomainName) -> bool {
        match self {
            Self::Host(name) => name == mx_host,
            Self::OneLabelBelow(parent) => {
                !mx_host.is_root() && mx_host.parent().as_ref() == Some(parent)
            }
        }
    }
}

impl fmt::Display for MxPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => write!(f, "{name}"),
            Self::OneLabelBelow(parent) => write!(f, "*.{parent}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching() {
        for (pattern, host, expected) in [
            ("mail.example.com", "mail.example.com", true),
            ("MAIL.example.com.", "mail.example.com", true),
            ("mail.example.com", "a.mail.example.com", false),
            ("*.example.com", "mail.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "mailexample.com", false),
        ] {
            let pattern = MxPattern::parse(pattern).unwrap();
            let host = DomainName::parse(host).unwrap();
            assert_eq!(pattern.matches(&host), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "*",
            "*.",
            ".",
            ".example",
            "a*.example",
            "*.*.example",
            "b\u{fc}cher.example",
            "a b.example",
            "[192.0.2.1]",
            "a..b",
        ] {
            assert!(MxPattern::parse(text).is_err(), "{text:?}");
        }
    }
}
