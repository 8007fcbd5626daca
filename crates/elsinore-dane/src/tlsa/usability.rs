//! Which TLSA records an SMTP client can use (RFC 7672 §3.1, RFC 6698 §2.1 and §4.1).
//!
//! An unusable record is ignored beside a usable one; when no record is usable, TLS is required
//! but not authenticated (RFC 7672 §2.2).

use super::TlsaRecord;
use crate::verify::certificate::{Certificate, is_public_key_info};
use std::fmt;

/// The certificate usages that SMTP uses (RFC 7672 §3.1.1, §3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Usage {
    /// DANE-TA(2): the record names a trust anchor of the server's chain.
    DaneTa,
    /// DANE-EE(3): the record names the server's own certificate or key.
    DaneEe,
}

/// Which part of a certificate is matched (RFC 6698 §2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    /// Cert(0): the whole certificate as sent.
    Cert,
    /// SPKI(1): the SubjectPublicKeyInfo as sent, never encoded again.
    Spki,
}

/// How that part is matched (RFC 6698 §2.1.3). Ordered by strength of the digest; Full is no
/// digest and stands outside the order (RFC 7671 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MatchingType {
    /// Full(0): octet by octet.
    Full,
    /// SHA2-256(1).
    Sha256,
    /// SHA2-512(2).
    Sha512,
}

impl Usage {
    /// The number in the record.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::DaneTa => 2,
            Self::DaneEe => 3,
        }
    }
}

impl Selector {
    /// The number in the record.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Cert => 0,
            Self::Spki => 1,
        }
    }
}

impl MatchingType {
    /// The number in the record.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// Octets of the digest; `None` for Full.
    #[must_use]
    pub const fn digest_length(self) -> Option<usize> {
        match self {
            Self::Full => None,
            Self::Sha256 => Some(32),
            Self::Sha512 => Some(64),
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DaneTa => "DANE-TA(2)",
            Self::DaneEe => "DANE-EE(3)",
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cert => "Cert(0)",
            Self::Spki => "SPKI(1)",
        })
    }
}

impl fmt::Display for MatchingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "Full(0)",
            Self::Sha256 => "SHA2-256(1)",
            Self::Sha512 => "SHA2-512(2)",
        })
    }
}

/// A record that can be used, its fields decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UsableTlsa<'a> {
    pub(super) record: &'a TlsaRecord,
    pub(super) usage: Usage,
    pub(super) selector: Selector,
    pub(super) matching_type: MatchingType,
}

impl<'a> UsableTlsa<'a> {
    /// The record as published.
    #[must_use]
    pub const fn record(&self) -> &'a TlsaRecord {
        self.record
    }

    /// Certificate usage.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        self.usage
    }

    /// Selector.
    #[must_use]
    pub const fn selector(&self) -> Selector {
        self.selector
    }

    /// Matching type.
    #[must_use]
    pub const fn matching_type(&self) -> MatchingType {
        self.matching_type
    }

    /// Certificate association data: a digest of the right length, or the data itself.
    #[must_use]
    pub fn association(&self) -> &'a [u8] {
        self.record.association()
    }
}

/// Why a record cannot be used. None of these is an error: the record is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unusable {
    /// Fewer than three octets: usage, selector or matching type is missing.
    #[error("record of {0} octets is too short for its three fields")]
    TooShort(usize),
    /// PKIX-TA(0) or PKIX-EE(1), which SMTP does not use (RFC 7672 §3.1.3).
    #[error("usage {0} (PKIX) is not used with SMTP")]
    PkixUsage(u8),
    /// A usage that no RFC defines.
    #[error("unknown certificate usage {0}")]
    UnknownUsage(u8),
    /// A selector that no RFC defines.
    #[error("unknown selector {0}")]
    UnknownSelector(u8),
    /// A matching type that no RFC defines.
    #[error("unknown matching type {0}")]
    UnknownMatchingType(u8),
    /// Nothing to match.
    #[error("certificate association data is empty")]
    Empty,
    /// A digest of the wrong length (RFC 7671 §9 calls such a record malformed).
    #[error("digest is {actual} octets long instead of {expected}")]
    DigestLength {
        /// Octets the digest has.
        expected: usize,
        /// Octets found.
        actual: usize,
    },
    /// `2 0 0` data that is not one X.509 certificate.
    #[error("trust anchor data is not a certificate")]
    NotACertificate,
    /// `2 1 0` data that is not one SubjectPublicKeyInfo.
    #[error("trust anchor data is not a public key")]
    NotAPublicKey,
}

impl TlsaRecord {
    /// Whether an SMTP client can use this record.
    ///
    /// Usage 3 Full is compared octet by octet, hence usable whenever it is not empty. Usage 2
    /// Full has to serve as an issuer, so its outer structure must decode.
    ///
    /// # Errors
    /// [`Unusable`] says why the record is to be ignored (RFC 7672 §3.1.3, RFC 6698 §4.1).
    pub fn usability(&self) -> Result<UsableTlsa<'_>, Unusable> {
        let [usage, selector, matching_type, association @ ..] = self.rdata() else {
            return Err(Unusable::TooShort(self.rdata().len()));
        };
        let usage = match usage {
            //= spec: 7672-3.1.3-1
            0 | 1 => return Err(Unusable::PkixUsage(*usage)),
            2 => Usage::DaneTa,
            3 => Usage::DaneEe,
            other => return Err(Unusable::UnknownUsage(*other)),
        };
        let selector = match selector {
            0 => Selector::Cert,
            1 => Selector::Spki,
            other => return Err(Unusable::UnknownSelector(*other)),
        };
        let matching_type = match matching_type {
            0 => MatchingType::Full,
            1 => MatchingType::Sha256,
            2 => MatchingType::Sha512,
            other => return Err(Unusable::UnknownMatchingType(*other)),
        };
        if association.is_empty() {
            return Err(Unusable::Empty);
        }
        match (matching_type.digest_length(), usage, selector) {
            (Some(expected), _, _) if association.len() != expected => {
                return Err(Unusable::DigestLength {
                    expected,
                    actual: association.len(),
                });
            }
            (Some(_), _, _) | (None, Usage::DaneEe, _) => {}
            (None, Usage::DaneTa, Selector::Cert) => {
                let certificate =
                    Certificate::parse(association).map_err(|_| Unusable::NotACertificate)?;
                if certificate.has_trailing_octets() {
                    return Err(Unusable::NotACertificate);
                }
            }
            (None, Usage::DaneTa, Selector::Spki) => {
                if !is_public_key_info(association) {
                    return Err(Unusable::NotAPublicKey);
                }
            }
        }
        Ok(UsableTlsa {
            record: self,
            usage,
            selector,
            matching_type,
        })
    }
}
