//! Certificates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One certificate as sent (RFC 5280). Its key in [`Report::certificates`](super::Report) is the
/// SHA-256 of the DER octets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// SHA-256 of the SubjectPublicKeyInfo: the data of a `3 1 1` or `2 1 1` record.
    pub spki_sha256: String,
    /// Common names of the subject, joined by commas.
    pub subject: String,
    /// Common names of the issuer, joined by commas.
    pub issuer: String,
    /// DNS names and addresses it is for, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// First second of validity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before_at: Option<i64>,
    /// Last second of validity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after_at: Option<i64>,
    /// The key's algorithm.
    pub key: KeyKind,
    /// Bits of the key; 0 when unknown.
    pub key_bits: u32,
    /// Signature algorithm in the words of OpenSSL, such as `sha256WithRSAEncryption`.
    pub signature_algorithm: String,
    /// Whether subject and issuer are the same name.
    #[serde(default)]
    pub self_issued: bool,
    /// Which public CA certificate this is, when it is one that is known by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_ca: Option<String>,
    /// The certificate, PEM (RFC 7468).
    pub pem: String,
}

/// The algorithm of a public key.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// RSA.
    Rsa,
    /// ECDSA on a NIST curve.
    Ecdsa,
    /// Ed25519 or Ed448.
    Eddsa,
    /// Anything else, or undecodable.
    Other,
}
