//! Test certificates of any shape, made with OpenSSL: authorities, intermediates, server
//! certificates, each with whatever oddity a test needs, and the TLSA records of them.

mod extension;
mod keys;

use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::sha::{sha256, sha512};
use openssl::x509::{X509, X509Builder, X509Name, X509NameRef};

pub use extension::{Criticality, NameConstraints, RawExtension};
pub use keys::KeyType;

/// What a certificate says. The defaults make an ordinary current server certificate.
#[derive(Debug, Clone)]
pub struct CertificateSpec {
    /// organizationName of the subject.
    pub organization: Option<String>,
    /// commonName of the subject; an empty subject when this and the organization are `None`.
    pub common_name: Option<String>,
    /// dNSName entries of the subjectAltName, as they are (wildcards, odd text).
    pub dns_names: Vec<String>,
    /// iPAddress entries, as text.
    pub ip_addresses: Vec<String>,
    /// rfc822Name entries.
    pub mail_addresses: Vec<String>,
    /// notBefore and notAfter.
    pub validity: (UnixTime, UnixTime),
    /// X.509 version.
    pub version: Version,
    /// The key to be made.
    pub key: KeyType,
    /// basicConstraints.
    pub role: Role,
    /// keyUsage bits; no such extension when `None`.
    pub key_usage: Option<Vec<KeyUsageBit>>,
    /// extendedKeyUsage as dotted object identifiers or OpenSSL short names; none when empty.
    pub purposes: Vec<String>,
    /// nameConstraints.
    pub name_constraints: Option<NameConstraints>,
    /// Whether subject and authority key identifiers are there.
    pub key_identifiers: KeyIdentifiers,
    /// Further extensions as they are.
    pub raw_extensions: Vec<RawExtension>,
    /// The hash under the signature.
    pub digest: Digest,
    /// Whether the signature is right.
    pub signature: SignatureState,
}

/// X.509 versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// Without any extension.
    V1,
    /// With extensions.
    V3,
}

/// What basicConstraints says (RFC 5280 §4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// No basicConstraints.
    Unstated,
    /// CA:FALSE.
    EndEntity,
    /// CA:TRUE with that path length limit, if any.
    Authority(Option<u32>),
}

/// Bits of keyUsage (RFC 5280 §4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "the variants are the RFC's bits of the same name"
)]
pub enum KeyUsageBit {
    DigitalSignature,
    NonRepudiation,
    KeyEncipherment,
    DataEncipherment,
    KeyAgreement,
    KeyCertSign,
    CrlSign,
}

/// Key identifiers (RFC 5280 §4.2.1.1, §4.2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyIdentifiers {
    /// Both extensions, where the issuer has an identifier.
    Present,
    /// Neither.
    Absent,
}

/// The hash under a signature; Ed25519 and Ed448 have none of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the variants are the hashes of the same name")]
pub enum Digest {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// Whether a signature verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureState {
    /// It does.
    Right,
    /// Its last octet is changed.
    Corrupt,
}

impl CertificateSpec {
    /// An ordinary server certificate for these names, valid around `now`.
    #[must_use]
    pub fn server(dns_names: &[&str], now: UnixTime) -> Self {
        Self {
            organization: None,
            common_name: dns_names.first().map(|name| (*name).to_owned()),
            dns_names: dns_names.iter().map(|name| (*name).to_owned()).collect(),
            ip_addresses: Vec::new(),
            mail_addresses: Vec::new(),
            validity: (now.plus_seconds(-86_400), now.plus_seconds(90 * 86_400)),
            version: Version::V3,
            key: KeyType::P256,
            role: Role::EndEntity,
            key_usage: Some(vec![KeyUsageBit::DigitalSignature]),
            purposes: vec!["serverAuth".to_owned()],
            name_constraints: None,
            key_identifiers: KeyIdentifiers::Present,
            raw_extensions: Vec::new(),
            digest: Digest::Sha256,
            signature: SignatureState::Right,
        }
    }

    /// A certification authority of that name, valid around `now`.
    #[must_use]
    pub fn authority(common_name: &str, now: UnixTime) -> Self {
        Self {
            common_name: Some(common_name.to_owned()),
            dns_names: Vec::new(),
            validity: (
                now.plus_seconds(-10 * 86_400),
                now.plus_seconds(3650 * 86_400),
            ),
            role: Role::Authority(None),
            key_usage: Some(vec![KeyUsageBit::KeyCertSign, KeyUsageBit::CrlSign]),
            purposes: Vec::new(),
            ..Self::server(&[], now)
        }
    }

    /// The same, valid from `first` to `last`.
    #[must_use]
    pub const fn valid(mut self, first: UnixTime, last: UnixTime) -> Self {
        self.validity = (first, last);
        self
    }

    /// The same with another kind of key.
    #[must_use]
    pub const fn with_key(mut self, key: KeyType) -> Self {
        self.key = key;
        self
    }
}

/// A certificate with its private key.
#[derive(Debug, Clone)]
pub struct Identity {
    certificate: X509,
    key: PKey<Private>,
}

impl Identity {
    /// A certificate signed with its own key.
    ///
    /// # Errors
    /// What OpenSSL refuses.
    pub fn self_signed(spec: &CertificateSpec) -> Result<Self, ErrorStack> {
        let key = spec.key.make()?;
        let certificate = build(spec, &key, None)?;
        Ok(Self { certificate, key })
    }

    /// A certificate signed by this one's key.
    ///
    /// # Errors
    /// What OpenSSL refuses.
    pub fn issue(&self, spec: &CertificateSpec) -> Result<Self, ErrorStack> {
        self.issue_for(spec, spec.key.make()?)
    }

    /// A certificate for an existing key, signed by this one's key: renewals and cross-signed
    /// authorities.
    ///
    /// # Errors
    /// What OpenSSL refuses.
    pub fn issue_for(
        &self,
        spec: &CertificateSpec,
        key: PKey<Private>,
    ) -> Result<Self, ErrorStack> {
        let certificate = build(spec, &key, Some(self))?;
        Ok(Self { certificate, key })
    }

    /// The certificate.
    #[must_use]
    pub const fn certificate(&self) -> &X509 {
        &self.certificate
    }

    /// The private key.
    #[must_use]
    pub const fn key(&self) -> &PKey<Private> {
        &self.key
    }

    /// The certificate as DER.
    ///
    /// # Errors
    /// What OpenSSL refuses.
    pub fn der(&self) -> Result<Vec<u8>, ErrorStack> {
        self.certificate.to_der()
    }

    /// The certificate as PEM.
    ///
    /// # Errors
    /// What OpenSSL refuses.
    pub fn pem(&self) -> Result<String, ErrorStack> {
        let pem = self.certificate.to_pem()?;
        Ok(String::from_utf8_lossy(&pem).into_owned())
    }

    /// The private key as PKCS #8 PEM.
    ///
    /// # Errors
    /// What OpenSSL refuses.
    pub fn key_pem(&self) -> Result<String, ErrorStack> {
        let pem = self.key.private_key_to_pem_pkcs8()?;
        Ok(String::from_utf8_lossy(&pem).into_owned())
    }

    /// The TLSA record that this certificate matches, as RFC 6698 §2.1 defines the fields.
    ///
    /// Selector 1 takes the public key, any other the certificate; matching type 1 is SHA-256,
    /// 2 SHA-512, any other the full octets. So records with undefined values can be made too.
    ///
    /// # Errors
    /// What OpenSSL refuses.
    pub fn tlsa(
        &self,
        usage: u8,
        selector: u8,
        matching_type: u8,
    ) -> Result<TlsaRecord, ErrorStack> {
        let selected = match selector {
            1 => self.certificate.public_key()?.public_key_to_der()?,
            _ => self.certificate.to_der()?,
        };
        let association = match matching_type {
            1 => sha256(&selected).to_vec(),
            2 => sha512(&selected).to_vec(),
            _ => selected,
        };
        Ok(TlsaRecord::new(
            usage,
            selector,
            matching_type,
            &association,
        ))
    }
}

/// Certificates as one PEM text, in that order.
///
/// # Errors
/// What OpenSSL refuses.
pub fn chain_pem<'a>(chain: impl IntoIterator<Item = &'a Identity>) -> Result<String, ErrorStack> {
    chain.into_iter().map(Identity::pem).collect()
}

fn build(
    spec: &CertificateSpec,
    key: &PKey<Private>,
    issuer: Option<&Identity>,
) -> Result<X509, ErrorStack> {
    let mut builder = X509Builder::new()?;
    builder.set_version(match spec.version {
        Version::V1 => 0,
        Version::V3 => 2,
    })?;
    let mut serial = BigNum::new()?;
    serial.rand(127, openssl::bn::MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    let subject = subject(spec)?;
    builder.set_subject_name(&subject)?;
    let issuer_name: &X509NameRef = match issuer {
        Some(issuer) => issuer.certificate.subject_name(),
        None => &subject,
    };
    builder.set_issuer_name(issuer_name)?;
    let (first, last) = spec.validity;
    let first = Asn1Time::from_unix(first.0)?;
    let last = Asn1Time::from_unix(last.0)?;
    builder.set_not_before(&first)?;
    builder.set_not_after(&last)?;
    builder.set_pubkey(key)?;
    if spec.version == Version::V3 {
        extension::append(&mut builder, spec, issuer.map(Identity::certificate))?;
    }
    let signer = issuer.map_or(key, Identity::key);
    builder.sign(signer, digest(spec.digest, signer))?;
    let certificate = builder.build();
    match spec.signature {
        SignatureState::Right => Ok(certificate),
        SignatureState::Corrupt => {
            let mut der = certificate.to_der()?;
            // The signature is the last element of a certificate (RFC 5280 §4.1).
            if let Some(last) = der.last_mut() {
                *last ^= 0x01;
            }
            X509::from_der(&der)
        }
    }
}

fn subject(spec: &CertificateSpec) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    if let Some(organization) = &spec.organization {
        name.append_entry_by_nid(Nid::ORGANIZATIONNAME, organization)?;
    }
    if let Some(common_name) = &spec.common_name {
        name.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
    }
    Ok(name.build())
}

fn digest(wanted: Digest, signer: &PKey<Private>) -> MessageDigest {
    if matches!(signer.id(), Id::ED25519 | Id::ED448) {
        return MessageDigest::null();
    }
    match wanted {
        Digest::Sha1 => MessageDigest::sha1(),
        Digest::Sha256 => MessageDigest::sha256(),
        Digest::Sha384 => MessageDigest::sha384(),
        Digest::Sha512 => MessageDigest::sha512(),
    }
}
