//! What DNSSEC says of one piece of DNS: secure, insecure, bogus or indeterminate, and why
//! (RFC 4033 §5, RFC 4035 §4.3, RFC 7672 §2.1.1).

use std::fmt;
use std::sync::Arc;

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

/// The kind of reason behind a [`Status`] that is not secure: what statistics count by. The
/// sentence is [`Status::reason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Cause {
    /// None was stated.
    #[default]
    Unstated,
    /// Insecure: the administrator switched validation off there (RFC 7646).
    NegativeAnchor,
    /// Insecure: no trust anchor is at or above the name (RFC 4035 §4.3).
    NoAnchor,
    /// Insecure: delegated without DS (RFC 4035 §5.2).
    UnsignedDelegation,
    /// Insecure: in an NSEC3 opt-out span (RFC 5155 §9.2).
    OptOut,
    /// Insecure: signed with unknown algorithms only (RFC 4035 §5.2).
    UnknownAlgorithm,
    /// Insecure: all DS records are of unknown digest types (RFC 4509 §3, RFC 6840 §5.2).
    UnknownDigest,
    /// Insecure, or bogus: more NSEC3 iterations than are computed (RFC 9276 §3.2).
    Nsec3Iterations,
    /// Insecure: a trusted resolver did not set the AD bit.
    NoAdBit,
    /// Bogus: a signature does not verify, or is not one that counts (RFC 4035 §5.3).
    BadSignature,
    /// Bogus: the signature expired.
    SignatureExpired,
    /// Bogus: the signature is not valid yet.
    SignatureNotYetValid,
    /// Bogus: no signature where one is due.
    SignatureMissing,
    /// Bogus, or indeterminate when the servers failed: no DNSKEY that a DS record or a trust
    /// anchor vouches for (RFC 4035 §5.2).
    KeyMissing,
    /// Bogus: an absence without NSEC or NSEC3 records (RFC 4035 §5.4).
    DenialMissing,
    /// Bogus: NSEC or NSEC3 records that do not show the absence.
    DenialWrong,
    /// Bogus: records that cannot stand like this (two CNAMEs, malformed targets), or none at all.
    Malformed,
    /// Bogus or indeterminate: a bound on the work of one lookup struck.
    Limit,
    /// Bogus: the upstream resolver says so (RFC 8914 §4.7 to §4.13).
    Upstream,
    /// Indeterminate: no server could be reached, or those that could refused.
    Unreachable,
    /// Indeterminate: a server failed while it was asked (SERVFAIL and its kin).
    ServerFailed,
    /// Indeterminate: a reply that cannot be read.
    Garbled,
    /// Indeterminate: the time for one lookup ran out.
    Deadline,
    /// Indeterminate: aliases lead in a circle, or there are too many.
    AliasLoop,
    /// Indeterminate: an alias makes a name of more than 255 octets (RFC 6672 §2.2).
    AliasTooLong,
    /// Indeterminate: not in the cache, and nothing was to be asked.
    NotCached,
    /// Indeterminate: given out without validation, as was asked for (CD, RFC 4035 §3.2.2).
    Unchecked,
}

impl Cause {
    /// The word used in JSON and tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unstated => "unstated",
            Self::NegativeAnchor => "negative-anchor",
            Self::NoAnchor => "no-anchor",
            Self::UnsignedDelegation => "unsigned-delegation",
            Self::OptOut => "opt-out",
            Self::UnknownAlgorithm => "unknown-algorithm",
            Self::UnknownDigest => "unknown-digest",
            Self::Nsec3Iterations => "nsec3-iterations",
            Self::NoAdBit => "no-ad-bit",
            Self::BadSignature => "bad-signature",
            Self::SignatureExpired => "signature-expired",
            Self::SignatureNotYetValid => "signature-not-yet-valid",
            Self::SignatureMissing => "signature-missing",
            Self::KeyMissing => "key-missing",
            Self::DenialMissing => "denial-missing",
            Self::DenialWrong => "denial-wrong",
            Self::Malformed => "malformed",
            Self::Limit => "limit",
            Self::Upstream => "upstream",
            Self::Unreachable => "unreachable",
            Self::ServerFailed => "server-failed",
            Self::Garbled => "garbled",
            Self::Deadline => "deadline",
            Self::AliasLoop => "alias-loop",
            Self::AliasTooLong => "alias-too-long",
            Self::NotCached => "not-cached",
            Self::Unchecked => "unchecked",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A security state with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Status {
    security: Security,
    /// Shared: an unsigned zone gives the same reason for every name in it.
    reason: Arc<str>,
    authority: Option<Authority>,
    cause: Cause,
}

impl Status {
    /// Asserts that the data is secure, on the word of `authority`.
    #[must_use]
    pub fn assertion(authority: Authority, reason: impl Into<Arc<str>>) -> Self {
        Self {
            security: Security::Secure,
            reason: reason.into(),
            authority: Some(authority),
            cause: Cause::Unstated,
        }
    }

    /// Shown not to be protected, for `reason`.
    #[must_use]
    pub fn insecure(reason: impl Into<Arc<str>>) -> Self {
        Self {
            security: Security::Insecure,
            reason: reason.into(),
            authority: None,
            cause: Cause::Unstated,
        }
    }

    /// Ought to validate and does not, for `reason`.
    #[must_use]
    pub fn bogus(reason: impl Into<Arc<str>>) -> Self {
        Self {
            security: Security::Bogus,
            reason: reason.into(),
            authority: None,
            cause: Cause::Unstated,
        }
    }

    /// Could not be found out, for `reason`.
    #[must_use]
    pub fn indeterminate(reason: impl Into<Arc<str>>) -> Self {
        Self {
            security: Security::Indeterminate,
            reason: reason.into(),
            authority: None,
            cause: Cause::Unstated,
        }
    }

    /// The same, with the kind of reason.
    #[must_use]
    pub const fn because(mut self, cause: Cause) -> Self {
        self.cause = cause;
        self
    }

    /// The kind of reason; [`Cause::Unstated`] when the state is [`Security::Secure`].
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// The extended DNS error that says it, if there is one: nothing for what is secure, or plainly
    /// unsigned (RFC 8914 §4, RFC 9276 §3.2).
    #[must_use]
    pub const fn ede(&self) -> Option<u16> {
        Some(match (self.security, self.cause) {
            (Security::Secure, _) => return None,
            (_, Cause::UnknownAlgorithm) => 1,
            (_, Cause::UnknownDigest) => 2,
            (_, Cause::Nsec3Iterations) => 27,
            (Security::Insecure, _) => return None,
            (_, Cause::SignatureExpired) => 7,
            (_, Cause::SignatureNotYetValid) => 8,
            (_, Cause::KeyMissing) => 9,
            (_, Cause::SignatureMissing) => 10,
            (_, Cause::DenialMissing) => 12,
            (Security::Bogus, _) => 6,
            (Security::Indeterminate, cause) => match cause {
                Cause::Unreachable | Cause::Deadline => 22,
                Cause::ServerFailed => 23,
                Cause::Unstated | Cause::NoAnchor => 5,
                Cause::Unchecked => return None,
                _ => 0,
            },
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_errors() {
        let (insecure, bogus, unknown) = (
            Status::insecure as fn(&'static str) -> Status,
            Status::bogus as fn(&'static str) -> Status,
            Status::indeterminate as fn(&'static str) -> Status,
        );
        for (make, cause, expected) in [
            (insecure, Cause::UnsignedDelegation, None),
            (insecure, Cause::OptOut, None),
            (insecure, Cause::NegativeAnchor, None),
            (insecure, Cause::UnknownAlgorithm, Some(1)),
            (insecure, Cause::UnknownDigest, Some(2)),
            (insecure, Cause::Nsec3Iterations, Some(27)),
            (bogus, Cause::Nsec3Iterations, Some(27)),
            (bogus, Cause::Unstated, Some(6)),
            (bogus, Cause::BadSignature, Some(6)),
            (bogus, Cause::DenialWrong, Some(6)),
            (bogus, Cause::Limit, Some(6)),
            (bogus, Cause::SignatureExpired, Some(7)),
            (bogus, Cause::SignatureNotYetValid, Some(8)),
            (bogus, Cause::KeyMissing, Some(9)),
            (unknown, Cause::KeyMissing, Some(9)),
            (bogus, Cause::SignatureMissing, Some(10)),
            (bogus, Cause::DenialMissing, Some(12)),
            (unknown, Cause::Unstated, Some(5)),
            (unknown, Cause::NoAnchor, Some(5)),
            (unknown, Cause::Unreachable, Some(22)),
            (unknown, Cause::Deadline, Some(22)),
            (unknown, Cause::ServerFailed, Some(23)),
            (unknown, Cause::Limit, Some(0)),
            (unknown, Cause::AliasLoop, Some(0)),
            (unknown, Cause::Garbled, Some(0)),
            (unknown, Cause::Unchecked, None),
        ] {
            let status = make("x").because(cause);
            assert_eq!(status.ede(), expected, "{status:?}");
        }
        let secure = Status::assertion(Authority::Fixture, "x").because(Cause::KeyMissing);
        assert_eq!(secure.ede(), None);
    }
}
