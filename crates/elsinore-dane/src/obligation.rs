//! What a session with one MX host is obliged to (RFC 7672 §2.2, RFC 8461 §5, local policy).

use crate::name::DomainName;
use crate::tlsa::TlsaRecord;

/// The obligation of the session with one MX host. The ladder of TLS back ends may lower the
/// protocol, never this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obligation {
    /// The host is not contacted: its security could not be found out.
    Skip,
    /// The administrator set level `none`: TLS is not attempted.
    Cleartext,
    /// TLS if offered, any certificate; cleartext otherwise (RFC 3207, RFC 7435).
    Opportunistic,
    /// TLS always, any certificate.
    Encrypt,
    /// TLS always, and every requirement inside must be met.
    Authenticate(Requirements),
}

/// The conjunction of proofs a server must give. At least one is present.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// Pinned digests (destination level `fingerprint`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinRequirement {
    /// SHA-256 digests of a certificate or of a SubjectPublicKeyInfo, 32 octets each.
    pub sha256: Vec<[u8; 32]>,
}
