//! What DNSSEC says of one piece of DNS: secure, insecure, bogus or indeterminate, and why
//! (RFC 4033 §5, RFC 4035 §4.3, RFC 7672 §2.1.1).

use std::fmt;

/// The four words everything rests on. The order is from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
//= spec: 7672-2.1.1-3
pub enum Security {
    /// Validated up to a configured trust anchor.
    Secure,
    /// *Shown* not to be protected: below an unsigned delegation, an opt-out span, an unknown
    /// algorithm, an NSEC3 iteration limit, a negative trust anchor, or under no anchor at all.
    //= spec: 7672-2.1.1-2
    Insecure,
    /// Could not be found out: timeout, SERVFAIL, REFUSED, malformed. A failure, never an absence.
    Indeterminate,
    /// Ought to validate and does not. A failure, never an absence.
    Bogus,
}

impl Security {
    /// The word used in JSON, logs and tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Insecure => "insecure",
            Self::Indeterminate => "indeterminate",
            Self::Bogus => "bogus",
        }
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Who vouches for a [`Status`] that says *secure*. One constructor call per back end: a search
/// for `Status::assertion(` lists every place where trust in DNS data is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authority {
    /// Our own validator checked signatures up to a trust anchor.
    Validator,
    /// A trusted resolver set the AD bit (RFC 6698 §A.3, RFC 7672 §2.1.3).
    AdBit,
    /// The administrator vouches (a configured `[host]`, RFC 7672 §2.2.1).
    Administrator,
    /// Test fixtures only.
    Fixture,
}

/// A security state with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Status {
    security: Security,
    reason: String,
    authority: Option<Authority>,
}

impl Status {
    /// Asserts that the data is secure, on the word of `authority`.
    #[must_use]
    pub fn assertion(authority: Authority, reason: impl Into<String>) -> Self {
        Self {
            security: Security::Secure,
            reason: reason.into(),
            authority: Some(authority),
        }
    }

    /// Shown not to be protected, for `reason`.
    #[must_use]
    pub fn insecure(reason: impl Into<String>) -> Self {
        Self {
            security: Security::Insecure,
            reason: reason.into(),
            authority: None,
        }
    }

    /// Ought to validate and does not, for `reason`.
    #[must_use]
    pub fn bogus(reason: impl Into<String>) -> Self {
        Self {
            security: Security::Bogus,
            reason: reason.into(),
            authority: None,
        }
    }

    /// Could not be found out, for `reason`.
    #[must_use]
    pub fn indeterminate(reason: impl Into<String>) -> Self {
        Self {
            security: Security::Indeterminate,
            reason: reason.into(),
            authority: None,
        }
    }

    /// The state.
    #[must_use]
    pub const fn security(&self) -> Security {
        self.security
    }

    /// One line, lower case, no full stop, naming the zone or record that decided.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Who vouches, when the state is [`Security::Secure`].
    #[must_use]
    pub const fn authority(&self) -> Option<Authority> {
        self.authority
    }
}
