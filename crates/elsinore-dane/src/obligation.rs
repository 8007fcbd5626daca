//! What a session with one MX host is obliged to (RFC 7672 §2.2, RFC 8461 §5, local policy).

use crate::name::DomainName;
use crate::tlsa::TlsaRecord;

/// The obligation of the session with one MX host. The ladder of TLS back ends may lower the
/// protocol, never this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obligation {
    /// The host is not contacted, and why.
    Skip(SkipReason),
    /// The administrator set level `none`: TLS is not attempted.
    Cleartext,
    /// TLS if offered, any certificate; cleartext otherwise (RFC 3207, RFC 7435).
    Opportunistic,
    /// TLS always, any certificate.
    Encrypt,
    /// TLS always, and every requirement inside must be met.
    Authenticate(Requirements),
}

impl Obligation {
    /// The word used in JSON, logs and tables.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Skip(_) => "skip",
            Self::Cleartext => "cleartext",
            Self::Opportunistic => "opportunistic",
            Self::Encrypt => "encrypt",
            Self::Authenticate(_) => "authenticate",
        }
    }

    /// Whether a session without TLS breaks the obligation.
    #[must_use]
    pub const fn requires_tls(&self) -> bool {
        match self {
            Self::Encrypt | Self::Authenticate(_) => true,
            Self::Skip(_) | Self::Cleartext | Self::Opportunistic => false,
        }
    }
}

/// Why a host is not contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The lookups of its addresses failed (RFC 7672 §2.1.2).
    AddressLookupFailed,
    /// Its addresses are shown to be absent (RFC 5321 §5.1).
    NoAddress,
    /// Every address lies in a network that this sender does not talk to.
    AddressesRefused,
    /// Whether the zone of its own name is signed could not be found out (RFC 7672 §2.1.3).
    ZoneStatusUnknown,
    /// A lookup of its TLSA records failed (RFC 7672 §2.1.2, §2.2).
    TlsaLookupFailed,
    /// It is this sender itself, or its preference is no better (RFC 5321 §5.1).
    Loop,
    /// An enforced MTA-STS policy does not list its name (RFC 8461 §5).
    StsMismatch,
    /// Level `dane-only`, and the MX RRset is insecure (RFC 7672 §2.2.1, §6).
    DaneOnlyInsecureMx,
    /// Level `dane-only`, and there is no usable TLSA record (RFC 7672 §6).
    DaneOnlyNoUsableTlsa,
    /// Level `verify`, `secure` or `fingerprint` cannot be met: there is no name or no pin.
    Unverifiable,
    /// REQUIRETLS, and nothing vouches for the host's name (RFC 8689 §4.2.1).
    RequireTlsUnmet,
}

impl SkipReason {
    /// The word used in JSON and in tests.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::AddressLookupFailed => "address-lookup-failed",
            Self::NoAddress => "no-address",
            Self::AddressesRefused => "addresses-refused",
            Self::ZoneStatusUnknown => "zone-status-unknown",
            Self::TlsaLookupFailed => "tlsa-lookup-failed",
            Self::Loop => "loop",
            Self::StsMismatch => "sts-mismatch",
            Self::DaneOnlyInsecureMx => "dane-only-insecure-mx",
            Self::DaneOnlyNoUsableTlsa => "dane-only-no-usable-tlsa",
            Self::Unverifiable => "unverifiable",
            Self::RequireTlsUnmet => "requiretls-unmet",
        }
    }

    /// The reason for people, as it follows the host's name and a colon.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NoAddress => "it has no address",
            Self::Loop => "it is this host itself, or no better than it",
            Self::RequireTlsUnmet => "REQUIRETLS cannot be met: nothing vouches for its name",
            Self::AddressLookupFailed => "its address lookup failed",
            Self::AddressesRefused => "none of its addresses may be contacted",
            Self::ZoneStatusUnknown => "whether its zone is signed could not be found out",
            Self::TlsaLookupFailed => "its TLSA lookup failed",
            Self::StsMismatch => "the domain's MTA-STS policy does not list it",
            Self::DaneOnlyInsecureMx => "DANE is mandatory and the MX records are insecure",
            Self::DaneOnlyNoUsableTlsa => "DANE is mandatory and it has no usable TLSA record",
            Self::Unverifiable => "there is nothing to verify its certificate against",
        }
    }
}

/// The conjunction of proofs a server must give. At least one is present.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirements {
    /// Match the usable TLSA records.
    pub dane: Option<DaneRequirement>,
    /// A chain to a public CA and one of the names.
    pub webpki: Option<WebPkiRequirement>,
    /// The certificate or its key is one the administrator pinned.
    pub pins: Option<PinRequirement>,
}

/// What DANE demands (RFC 7672 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaneRequirement {
    /// The TLSA base domain: where the records were found, and the SNI (RFC 7672 §8.1).
    pub base_domain: DomainName,
    /// The whole RRset, unusable records included; at least one is usable.
    pub records: Vec<TlsaRecord>,
    /// Names that a DANE-TA certificate may carry (RFC 7672 §3.2.2), base domain first.
    pub reference_identifiers: Vec<DomainName>,
    /// Whether the MX RRset was secure (or not consulted): *Verified* rather than *Trusted*.
    pub mx_secure: bool,
}

/// What WebPKI validation demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebPkiRequirement {
    /// Any one of these must be covered by the leaf's DNS-IDs; a leading-dot form matches any
    /// subdomain (Postfix' `dot-nexthop`).
    pub names: Vec<NamePattern>,
    /// Who demanded it.
    pub because: WebPkiReason,
}

/// A name a WebPKI certificate may carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamePattern {
    /// Exactly this name (certificate wildcards apply).
    Exact(DomainName),
    /// Any name below this one.
    Below(DomainName),
}

/// Who demanded WebPKI validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebPkiReason {
    /// An enforced MTA-STS policy (RFC 8461 §5).
    Sts,
    /// A destination of level `verify` or `secure`.
    Administrator,
    /// A message under REQUIRETLS (RFC 8689 §4.2.1) where DANE does not authenticate.
    RequireTls,
}

/// Pinned digests (destination level `fingerprint`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinRequirement {
    /// SHA-256 digests of a certificate or of a SubjectPublicKeyInfo, 32 octets each.
    pub sha256: Vec<[u8; 32]>,
}
