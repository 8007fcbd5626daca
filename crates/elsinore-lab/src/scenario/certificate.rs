//! How a scenario describes a certificate.

use serde::Deserialize;

/// A server certificate and its chain, made at start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CertificateRecipe {
    /// dNSName entries; when absent, the receiver's name below the scenario's first zone.
    pub names: Option<Vec<String>>,
    /// commonName of the subject; none when absent.
    pub common_name: Option<String>,
    /// Who signs.
    pub issuer: Issuer,
    /// What the server sends, in this order.
    pub sends: Vec<ChainPart>,
    /// The key.
    pub key: KeyKind,
    /// When it is valid.
    pub validity: Validity,
    /// When the issuing root is valid.
    pub root_validity: Validity,
    /// When the intermediate of an issuer of its own is valid.
    pub intermediate_validity: Validity,
    /// The digest of the signature on the server's certificate.
    pub digest: SignatureDigest,
    /// Extended key usage.
    pub purpose: Purpose,
    /// What a private issuer calls itself; after the server when absent.
    pub authority: Option<AuthorityNames>,
}

impl Default for CertificateRecipe {
    fn default() -> Self {
        Self {
            names: None,
            common_name: None,
            issuer: Issuer::Itself,
            sends: vec![ChainPart::Leaf, ChainPart::Intermediate, ChainPart::Root],
            key: KeyKind::P256,
            validity: Validity::Current,
            root_validity: Validity::Current,
            intermediate_validity: Validity::Current,
            digest: SignatureDigest::Sha256,
            purpose: Purpose::Server,
            authority: None,
        }
    }
}

/// A certificate that a server has besides its first. Places call its parts `{tlsa 3 1 1 mx/NAME}`,
/// `{tlsa 2 1 1 mx/NAME/root}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlsoSent {
    /// What places call it; no [`ChainPart`]'s word.
    pub name: String,
    /// When it is sent.
    #[serde(default)]
    pub when: SentWhen,
    /// The server names of [`SentWhen::Sni`].
    #[serde(default)]
    pub sni: Vec<String>,
    /// The certificate.
    #[serde(default)]
    pub certificate: CertificateRecipe,
}

/// When a server sends a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SentWhen {
    /// To a client that can use its key and not the first's, or likes it better
    /// (RFC 8446 §4.4.2.2).
    #[default]
    Beside,
    /// To a client that sends one of these server names (RFC 6066 §3).
    Sni,
    /// To a client that sends no server name.
    NoSni,
    /// Never.
    Never,
}

/// What an authority calls itself, so that a test CA can pass for one that the world knows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityNames {
    /// organizationName of both.
    pub organization: Option<String>,
    /// commonName of the root.
    pub root: String,
    /// commonName of the intermediate.
    pub intermediate: String,
}

/// Who signs a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Issuer {
    /// Self-signed: a leaf without a chain.
    #[serde(rename = "self")]
    Itself,
    /// A root and an intermediate of the server's own.
    Private,
    /// The lab's public CA, which stands in the lab's `ca.pem`.
    Public,
}

/// A certificate of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChainPart {
    /// The server's own.
    Leaf,
    /// The one that signed it.
    Intermediate,
    /// The self-signed one at the top.
    Root,
}

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// ECDSA P-256.
    P256,
    /// RSA, 2048 bits.
    Rsa2048,
    /// RSA, 1024 bits.
    Rsa1024,
}

/// When a certificate is valid, seen from the start of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Validity {
    /// Now.
    Current,
    /// No longer.
    Expired,
    /// Not yet.
    Future,
    /// Now, and for five more days.
    Ending,
}

/// The digest of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureDigest {
    /// SHA-256.
    Sha256,
    /// SHA-1.
    Sha1,
}

/// Extended key usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// serverAuth.
    Server,
    /// clientAuth alone.
    Client,
}
