//! The closed vocabularies of a report (RFC 8460 §4.3, §4.4).

use serde::{Deserialize, Serialize};
use std::fmt;

/// `policy-type` (RFC 8460 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyType {
    /// DANE TLSA records.
    Tlsa,
    /// An MTA-STS policy.
    Sts,
    /// Neither could be found.
    NoPolicyFound,
}

impl PolicyType {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::Tlsa, Self::Sts, Self::NoPolicyFound];

    /// The word in a report.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tlsa => "tlsa",
            Self::Sts => "sts",
            Self::NoPolicyFound => "no-policy-found",
        }
    }

    /// The type of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// `result-type` (RFC 8460 §4.3, the registry of §6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(
    missing_docs,
    reason = "the variants are the result types of the same name, explained by sentence()"
)]
pub enum ResultType {
    StarttlsNotSupported,
    CertificateHostMismatch,
    CertificateExpired,
    CertificateNotTrusted,
    ValidationFailure,
    TlsaInvalid,
    DnssecInvalid,
    DaneRequired,
    StsPolicyFetchError,
    StsPolicyInvalid,
    StsWebpkiInvalid,
}

impl ResultType {
    /// Every type.
    pub const ALL: [Self; 11] = [
        Self::StarttlsNotSupported,
        Self::CertificateHostMismatch,
        Self::CertificateExpired,
        Self::CertificateNotTrusted,
        Self::ValidationFailure,
        Self::TlsaInvalid,
        Self::DnssecInvalid,
        Self::DaneRequired,
        Self::StsPolicyFetchError,
        Self::StsPolicyInvalid,
        Self::StsWebpkiInvalid,
    ];

    /// The word in a report.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        }
    }

    /// The type of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }

    /// What it means for whoever runs the receiving servers, in one sentence without full stop.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::StarttlsNotSupported => "the server did not offer STARTTLS, or refused it",
            Self::CertificateHostMismatch => "the certificate is for another name",
            Self::CertificateExpired => "the certificate has expired or is not valid yet",
            Self::CertificateNotTrusted => {
                "the certificate leads to no authority that counts, or matches no TLSA record"
            }
            Self::ValidationFailure => "TLS failed for another reason",
            Self::TlsaInvalid => "none of the TLSA records can be used",
            Self::DnssecInvalid => "DNSSEC signatures did not validate",
            Self::DaneRequired => "the sender insists on DANE, and there are no TLSA records",
            Self::StsPolicyFetchError => "the MTA-STS policy could not be fetched",
            Self::StsPolicyInvalid => "the MTA-STS policy has errors",
            Self::StsWebpkiInvalid => "the certificate of the MTA-STS policy host is not valid",
        }
    }
}

impl fmt::Display for ResultType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_serde() {
        for known in PolicyType::ALL {
            let word = serde_json::to_string(&known).unwrap();
            assert_eq!(word, format!("{:?}", known.word()));
            assert_eq!(PolicyType::from_word(known.word()), Some(known));
        }
        for known in ResultType::ALL {
            let word = serde_json::to_string(&known).unwrap();
            assert_eq!(word, format!("{:?}", known.word()));
            assert_eq!(ResultType::from_word(known.word()), Some(known));
        }
    }
}
