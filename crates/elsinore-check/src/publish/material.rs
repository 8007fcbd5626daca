//! What records are made of: a certificate chain, a private or public key, a certificate signing
//! request, as a file or a server gives them.
//!
//! A bare key has no certificate yet, and the verifier judges certificates. So one is made up around
//! it, which is what a server with that key would present as far as DANE-EE looks (RFC 7672 §3.1.1:
//! the key alone). It is never shown to anybody.

mod key;
mod request;

pub use key::{KeyAlgorithm, KeyFacts};

use super::pem::{self, PemError};
use elsinore_dane::time::UnixTime;
use elsinore_dane::verify::{CertificateSummary, inspect};
use openssl::x509::{X509, X509VerifyResult};

/// Octets that are read of a file: far more than any chain or key has.
pub const FILE_LIMIT: u64 = 4 << 20;
/// Certificates of one chain; servers send fewer than ten.
const CHAIN_LIMIT: usize = 50;

const CERTIFICATE: &str = "CERTIFICATE";
/// `X509v3 trusted certificate` of OpenSSL, which has octets behind the certificate.
const TRUSTED: &str = "TRUSTED CERTIFICATE";
const PKCS7: &str = "PKCS7";

/// Why a file gives no key to make a record of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaterialError {
    /// Not PEM after all, or armour in disorder.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// No certificate, neither PEM nor DER.
    #[error("{0}")]
    NotACertificate(&'static str),
    /// No key, neither PEM nor DER.
    #[error("{0}")]
    NotAKey(&'static str),
    /// No request, neither PEM nor DER.
    #[error("{0}")]
    NotARequest(&'static str),
    /// Nothing of the three.
    #[error("neither a certificate nor a key nor a certificate signing request")]
    Nothing,
    /// A key under a passphrase, which is not asked for.
    #[error(
        "the key is encrypted; give its public half: openssl pkey -in FILE -pubout -out key.pub.pem"
    )]
    Encrypted,
    /// More keys than one.
    #[error("holds {0} keys; give one key a file")]
    SeveralKeys(usize),
    /// More requests than one.
    #[error("holds {0} requests; give one request a file")]
    SeveralRequests(usize),
    /// More certificates than a chain has.
    #[error("holds {0} certificates; a chain of more than {CHAIN_LIMIT} is not looked at")]
    LongChain(usize),
    /// A block, counted from 1, without a certificate inside.
    #[error("certificate {0} cannot be decoded")]
    Undecodable(usize),
    /// A certificate, counted from 1, that is no authority of those before it.
    #[error(
        "certificate {0} is no authority of certificate 1; give each server certificate with its \
         authorities a file"
    )]
    Unrelated(usize),
    /// The first certificate is an authority of the one with that number.
    #[error(
        "certificate 1 is the authority of certificate {0}; the server's own certificate comes first"
    )]
    AuthorityFirst(usize),
    /// The private key in the file is not that of the first certificate.
    #[error("the key in it does not belong to certificate 1")]
    ForeignKey,
    /// The request is not signed with its own key.
    #[error("the request is not signed with the key it holds")]
    BadRequest,
    /// OpenSSL could not make the certificate around a key.
    #[error("the key cannot stand in a certificate: {0}")]
    Unusable(String),
}

/// What a record is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A certificate chain.
    Certificate,
    /// A private key; only its public half is kept.
    PrivateKey,
    /// A public key.
    PublicKey,
    /// A certificate signing request (RFC 2986).
    Request,
}

impl Kind {
    /// The word for people and JSON.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::PrivateKey => "private-key",
            Self::PublicKey => "public-key",
            Self::Request => "request",
        }
    }
}

/// One key with what is known of it.
#[derive(Debug, Clone)]
pub struct Material {
    origin: String,
    kind: Kind,
    chain: Vec<Vec<u8>>,
    key: KeyFacts,
    summary: CertificateSummary,
}

impl Material {
    /// Reads a chain from a file: PEM, or one certificate in DER. A private key beside it must
    /// belong to it.
    ///
    /// # Errors
    /// [`MaterialError`].
    pub fn from_certificates(origin: &str, octets: &[u8]) -> Result<Self, MaterialError> {
        if octets.is_empty() {
            return Err(PemError::Empty.into());
        }
        if is_der(octets) {
            return Self::from_chain(origin, vec![octets.to_vec()])
                .map_err(|_| MaterialError::NotACertificate("not a certificate"));
        }
        let blocks = pem::blocks(octets, &[CERTIFICATE])?;
        if blocks.is_empty() {
            return Err(MaterialError::NotACertificate(instead_of_certificate(
                octets,
            )));
        }
        let chain = blocks.into_iter().map(|block| block.octets).collect();
        let material = Self::from_chain(origin, chain)?;
        // Chains for several keys are refused above; a key that cannot be read says nothing.
        if let Ok((_, key)) = key::from_pem(octets) {
            let alone = Self::from_key_facts(origin, Kind::PrivateKey, &key)?;
            if alone.summary.public_key_sha256 != material.summary.public_key_sha256 {
                return Err(MaterialError::ForeignKey);
            }
        }
        Ok(material)
    }

    /// Takes a chain as a server sent it or a file holds it: DER, the server's own first.
    ///
    /// # Errors
    /// [`MaterialError`] when a certificate cannot be decoded or does not belong to the chain.
    pub fn from_chain(origin: &str, chain: Vec<Vec<u8>>) -> Result<Self, MaterialError> {
        if chain.len() > CHAIN_LIMIT {
            return Err(MaterialError::LongChain(chain.len()));
        }
        let mut summaries = Vec::new();
        for (index, entry) in chain.iter().enumerate() {
            summaries.push(inspect(entry).map_err(|_| MaterialError::Undecodable(index + 1))?);
        }
        let Some(summary) = summaries.into_iter().next() else {
            return Err(MaterialError::NotACertificate("no certificate"));
        };
        // What OpenSSL does not take apart may still be a leaf for DANE-EE.
        let parsed: Vec<Option<X509>> = chain
            .iter()
            .map(|entry| X509::from_der(entry).ok())
            .collect();
        in_one_chain(&parsed)?;
        let key = parsed
            .first()
            .and_then(Option::as_ref)
            .and_then(|leaf| leaf.public_key().ok())
            .map_or(KeyFacts::UNKNOWN, |key| KeyFacts::new(&key));
        Ok(Self {
            origin: origin.to_owned(),
            kind: Kind::Certificate,
            chain,
            key,
            summary,
        })
    }

    /// Takes a chain that a server sent: what stands behind the server's own certificate may be
    /// anything there, so only that one has to be a certificate.
    ///
    /// # Errors
    /// [`MaterialError::Undecodable`], or that there is no certificate.
    pub fn from_presented(origin: &str, chain: &[Vec<u8>]) -> Result<Self, MaterialError> {
        let mut material = Self::from_chain(origin, chain.iter().take(1).cloned().collect())?;
        material.chain = chain.to_vec();
        Ok(material)
    }

    /// Reads one private or public key: PEM or DER, PKCS #8, PKCS #1, SEC 1 or SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`MaterialError`].
    pub fn from_key(origin: &str, octets: &[u8]) -> Result<Self, MaterialError> {
        if octets.is_empty() {
            return Err(PemError::Empty.into());
        }
        let (kind, key) = if is_der(octets) {
            key::from_der(octets)?
        } else {
            key::from_pem(octets)?
        };
        Self::from_key_facts(origin, kind, &key)
    }

    /// Reads one certificate signing request (RFC 2986): PEM or DER.
    ///
    /// # Errors
    /// [`MaterialError`].
    pub fn from_request(origin: &str, octets: &[u8]) -> Result<Self, MaterialError> {
        if octets.is_empty() {
            return Err(PemError::Empty.into());
        }
        let (entry, key) = request::certificate_of(octets)?;
        Self::made_up(origin, Kind::Request, entry, key)
    }

    /// Reads whatever the file holds: a chain, else a key, else a request.
    ///
    /// # Errors
    /// [`MaterialError`] of the kind that the file seems to be.
    pub fn from_any(origin: &str, octets: &[u8]) -> Result<Self, MaterialError> {
        if octets.is_empty() {
            return Err(PemError::Empty.into());
        }
        if is_der(octets) {
            return Self::from_certificates(origin, octets)
                .or_else(|_| Self::from_key(origin, octets))
                .or_else(|_| Self::from_request(origin, octets))
                .map_err(|_| MaterialError::Nothing);
        }
        match Self::from_certificates(origin, octets) {
            Err(MaterialError::NotACertificate(_)) => {}
            other => return other,
        }
        match Self::from_key(origin, octets) {
            Err(MaterialError::NotAKey(_)) => {}
            other => return other,
        }
        match Self::from_request(origin, octets) {
            Err(MaterialError::NotARequest(_)) => Err(MaterialError::Nothing),
            other => other,
        }
    }

    fn from_key_facts(
        origin: &str,
        kind: Kind,
        key: &openssl::pkey::PKey<openssl::pkey::Public>,
    ) -> Result<Self, MaterialError> {
        let entry = key::certificate_around(key, &[])
            .map_err(|error| MaterialError::Unusable(error.to_string()))?;
        Self::made_up(origin, kind, entry, KeyFacts::new(key))
    }

    fn made_up(
        origin: &str,
        kind: Kind,
        entry: Vec<u8>,
        key: KeyFacts,
    ) -> Result<Self, MaterialError> {
        let summary = inspect(&entry).map_err(|_| MaterialError::Undecodable(1))?;
        Ok(Self {
            origin: origin.to_owned(),
            kind,
            chain: vec![entry],
            key,
            summary,
        })
    }

    /// Where it came from, for people.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What it was made of.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The certificates in DER, the server's own first; for a bare key the one made up around it.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The server's own certificate.
    #[must_use]
    pub fn leaf(&self) -> &[u8] {
        self.chain.first().map_or(&[], Vec::as_slice)
    }

    /// Algorithm and length of the key.
    #[must_use]
    pub const fn key(&self) -> &KeyFacts {
        &self.key
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    #[must_use]
    pub const fn key_digest(&self) -> &[u8; 32] {
        &self.summary.public_key_sha256
    }

    /// SHA-256 of the certificate; `None` where there is none yet.
    #[must_use]
    pub const fn certificate_digest(&self) -> Option<&[u8; 32]> {
        match self.kind {
            Kind::Certificate => Some(&self.summary.sha256),
            Kind::PrivateKey | Kind::PublicKey | Kind::Request => None,
        }
    }

    /// DNS names and addresses of the certificate or request.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.summary.subject_alt_names
    }

    /// Common names of the certificate's issuer; none for anything else.
    #[must_use]
    pub fn issuer_names(&self) -> &[String] {
        match self.kind {
            Kind::Certificate => &self.summary.issuer_common_names,
            Kind::PrivateKey | Kind::PublicKey | Kind::Request => &[],
        }
    }

    /// First and last second of validity; `None` for what has none.
    #[must_use]
    pub const fn validity(&self) -> Option<(UnixTime, UnixTime)> {
        match (&self.kind, self.summary.not_before, self.summary.not_after) {
            (Kind::Certificate, Some(first), Some(last)) => Some((first, last)),
            _ => None,
        }
    }
}

/// DER of a SEQUENCE; no PEM begins like that.
fn is_der(octets: &[u8]) -> bool {
    octets.first() == Some(&0x30)
}

/// What the file holds where a certificate was wanted.
fn instead_of_certificate(octets: &[u8]) -> &'static str {
    let holds =
        |labels: &[&'static str]| pem::blocks(octets, labels).is_ok_and(|found| !found.is_empty());
    if holds(&[PKCS7]) {
        "a PKCS #7 file; take the certificates out: openssl pkcs7 -in FILE -print_certs -out chain.pem"
    } else if holds(&[TRUSTED]) {
        "a certificate in OpenSSL's own form; convert it: openssl x509 -in FILE -out cert.pem"
    } else if holds(&request::LABELS) {
        "a certificate signing request, not a certificate"
    } else if holds(&key::LABELS) {
        "a key, not a certificate"
    } else {
        "not a certificate: no line -----BEGIN CERTIFICATE-----, and not DER"
    }
}

/// Whether every certificate behind the first is, by its name, an authority of one before it.
fn in_one_chain(parsed: &[Option<X509>]) -> Result<(), MaterialError> {
    let issued = |issuer: usize, subject: usize| match (&parsed[issuer], &parsed[subject]) {
        (Some(issuer), Some(subject)) => issuer.issued(subject) == X509VerifyResult::OK,
        _ => false,
    };
    let others = 1..parsed.len();
    if let Some(subject) = others.clone().find(|other| issued(0, *other)) {
        return Err(MaterialError::AuthorityFirst(subject + 1));
    }
    let mut path = vec![0];
    // Each certificate is put on the path at most once.
    let mut next = 0;
    while let Some(&subject) = path.get(next) {
        for issuer in others.clone() {
            if !path.contains(&issuer) && issued(issuer, subject) {
                path.push(issuer);
            }
        }
        next += 1;
    }
    match others.clone().find(|other| !path.contains(other)) {
        Some(stranger) => Err(MaterialError::Unrelated(stranger + 1)),
        None => Ok(()),
    }
}
