//! What the verifier answers.

use crate::name::DomainName;
use crate::tlsa::{MatchingType, Selector, TlsaRecord, UsableTlsa, Usage};
use std::fmt;

/// The answer of [`verify_dane`](super::verify_dane).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DaneVerdict {
    /// A record matched, and everything its usage demands holds.
    Authenticated(Match),
    /// Usable records exist and the chain meets none of them.
    Rejected(Rejection),
    /// No record is usable: TLS is required but nothing can be authenticated (RFC 7672 §2.2).
    NoUsable,
}

/// Proof that a chain met a TLSA record. It has no public constructor: whoever holds one got it
/// from the verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    record: TlsaRecord,
    usage: Usage,
    selector: Selector,
    matching_type: MatchingType,
    depth: usize,
    matched_by: MatchedBy,
    matched_name: Option<DomainName>,
}

/// What of the chain met the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchedBy {
    /// The certificate at [`Match::depth`], sent by the server or taken from a `2 0 0` record.
    Certificate,
    /// The key of a `2 1 0` record signed the certificate at [`Match::depth`] (RFC 7671 §5.2.3).
    BareKey,
}

impl Match {
    /// Asserts the match. Called in `verify_dane` and at the end of the chain search only.
    pub(super) fn assertion(
        record: UsableTlsa<'_>,
        depth: usize,
        matched_by: MatchedBy,
        matched_name: Option<DomainName>,
    ) -> Self {
        Self {
            record: record.record().clone(),
            usage: record.usage(),
            selector: record.selector(),
            matching_type: record.matching_type(),
            depth,
            matched_by,
            matched_name,
        }
    }

    /// The record that was met.
    #[must_use]
    pub const fn record(&self) -> &TlsaRecord {
        &self.record
    }

    /// Its usage.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// Its selector.
    #[must_use]
    pub const fn selector(&self) -> Selector {
        self.selector
    }

    /// Its matching type.
    #[must_use]
    pub const fn matching_type(&self) -> MatchingType {
        self.matching_type
    }

    /// Position in the verified path: 0 is the leaf. For [`MatchedBy::BareKey`] the position of
    /// the certificate that the key signed.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// What of the chain met the record.
    #[must_use]
    pub const fn matched_by(&self) -> MatchedBy {
        self.matched_by
    }

    /// The reference identifier that the leaf carries; `None` where no name was asked for
    /// (DANE-EE, RFC 7672 §3.2.1).
    #[must_use]
    pub const fn matched_name(&self) -> Option<&DomainName> {
        self.matched_name.as_ref()
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (usage, selector, matching) = (
            self.usage.code(),
            self.selector.code(),
            self.matching_type.code(),
        );
        write!(f, "TLSA {usage} {selector} {matching} ")?;
        match (self.usage, self.matched_by) {
            (Usage::DaneEe, _) => write!(f, "matched the server certificate")?,
            (Usage::DaneTa, MatchedBy::Certificate) => {
                write!(f, "matched the trust anchor at depth {}", self.depth)?;
            }
            (Usage::DaneTa, MatchedBy::BareKey) => {
                write!(f, "holds the key that signed depth {}", self.depth)?;
            }
        }
        match &self.matched_name {
            Some(name) => write!(f, ", name {name}"),
            None => Ok(()),
        }
    }
}

/// Proof that the leaf is one the administrator pinned; no public constructor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinMatch {
    part: PinnedPart,
    sha256: [u8; 32],
}

/// What a pin was the digest of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PinnedPart {
    /// The whole certificate.
    Certificate,
    /// Its SubjectPublicKeyInfo.
    PublicKey,
}

impl PinMatch {
    /// Asserts the match. Called in `verify_pins` only.
    pub(super) const fn assertion(part: PinnedPart, sha256: [u8; 32]) -> Self {
        Self { part, sha256 }
    }

    /// What the pin was the digest of.
    #[must_use]
    pub const fn part(&self) -> PinnedPart {
        self.part
    }

    /// The pin that matched.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}

/// Why a chain was rejected. `depth` counts from the leaf, which is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// The certificate message was empty.
    #[error("the server presented no certificate")]
    NoCertificate,
    /// No public key could be found in the first entry.
    #[error("the server's certificate cannot be decoded")]
    LeafUndecodable,
    /// DANE-EE records only, and none matches the leaf.
    #[error("no TLSA record matches the server certificate")]
    NoMatch,
    /// DANE-TA records exist, and no path leads from the leaf to one of them. A trust anchor
    /// that is published as a digest but not sent is the usual cause (RFC 7672 §3.1.2).
    #[error("no TLSA record matches the server certificate or a trust anchor of its chain")]
    NoTrustedPath,
    /// No pinned digest is that of the leaf or its key.
    #[error("no pinned digest matches the server certificate or its key")]
    NoPinMatches,
    /// The leaf carries none of the reference identifiers (RFC 7672 §3.2.3).
    #[error("the server certificate does not carry any of the expected names")]
    NameMismatch,
    /// notAfter has passed (RFC 5280 §6.1.3).
    #[error("the certificate at depth {depth} has expired")]
    Expired {
        /// Position in the path.
        depth: usize,
    },
    /// notBefore lies ahead.
    #[error("the certificate at depth {depth} is not yet valid")]
    NotYetValid {
        /// Position in the path.
        depth: usize,
    },
    /// A part that DANE-TA needs does not decode: times, extensions, names, version.
    #[error("the certificate at depth {depth} is malformed")]
    Malformed {
        /// Position in the path.
        depth: usize,
    },
    /// A critical extension that is not understood (RFC 5280 §4.2).
    #[error("the certificate at depth {depth} has an unknown critical extension")]
    UnknownCriticalExtension {
        /// Position in the path.
        depth: usize,
    },
    /// An issuer without basicConstraints CA, of version 1, or without keyCertSign.
    #[error("the certificate at depth {depth} is not a certification authority")]
    NotAnAuthority {
        /// Position in the path.
        depth: usize,
    },
    /// More intermediates than a pathLenConstraint admits (RFC 5280 §4.2.1.9).
    #[error("the path length constraint at depth {depth} is exceeded")]
    PathTooLong {
        /// Position in the path.
        depth: usize,
    },
    /// Names outside the nameConstraints of an issuer (RFC 5280 §4.2.1.10).
    #[error("the name constraints at depth {depth} are violated")]
    NameConstraints {
        /// Position of the issuer in the path.
        depth: usize,
    },
    /// Extended key usages that exclude a TLS server (RFC 5280 §4.2.1.12).
    #[error("the certificate at depth {depth} may not be used by a TLS server")]
    WrongPurpose {
        /// Position in the path.
        depth: usize,
    },
    /// Signed with SHA-1, which the settings refuse, or with MD5.
    #[error("the certificate at depth {depth} is signed with an obsolete digest")]
    ObsoleteDigest {
        /// Position in the path.
        depth: usize,
    },
    /// An issuer's key is shorter than the settings demand.
    #[error("the key of the issuer at depth {depth} is too short")]
    ShortIssuerKey {
        /// Position of the issuer in the path.
        depth: usize,
    },
    /// The search reached one of its bounds: signatures, what they cost, names compared.
    #[error("the chain is too intricate: the bound on signature checks or names was reached")]
    SearchBound,
}

impl Rejection {
    /// The result type for a TLS report (RFC 8460 §4.3).
    ///
    /// `tlsa-invalid` is for records in error, so a sound record that is not met is
    /// `certificate-not-trusted` for a chain and `validation-failure` for a mere mismatch.
    #[must_use]
    pub const fn rfc8460_result_type(&self) -> &'static str {
        match self {
            Self::NameMismatch => "certificate-host-mismatch",
            Self::Expired { .. } => "certificate-expired",
            Self::NoTrustedPath
            | Self::NotYetValid { .. }
            | Self::Malformed { .. }
            | Self::UnknownCriticalExtension { .. }
            | Self::NotAnAuthority { .. }
            | Self::PathTooLong { .. }
            | Self::NameConstraints { .. }
            | Self::WrongPurpose { .. }
            | Self::ObsoleteDigest { .. }
            | Self::ShortIssuerKey { .. }
            | Self::SearchBound => "certificate-not-trusted",
            Self::NoMatch | Self::NoPinMatches | Self::NoCertificate | Self::LeafUndecodable => {
                "validation-failure"
            }
        }
    }
}

impl DaneVerdict {
    /// The result type for a TLS report (RFC 8460 §4.3); `None` when authenticated.
    #[must_use]
    pub const fn rfc8460_result_type(&self) -> Option<&'static str> {
        match self {
            Self::Authenticated(_) => None,
            Self::Rejected(rejection) => Some(rejection.rfc8460_result_type()),
            Self::NoUsable => Some("tlsa-invalid"),
        }
    }
}
