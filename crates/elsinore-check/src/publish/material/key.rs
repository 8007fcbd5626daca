//! Keys as files hold them, and the certificate made up around one.

use super::{Kind, MaterialError};
use crate::publish::pem;
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509ExtensionRef};
use std::fmt;

const PUBLIC: &str = "PUBLIC KEY";
const RSA_PUBLIC: &str = "RSA PUBLIC KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const OPENSSH: &str = "OPENSSH PRIVATE KEY";

/// Labels of keys in PEM (RFC 7468 §10, §11, §13, and the forms older than it).
pub(super) const LABELS: [&str; 8] = [
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    PUBLIC,
    RSA_PUBLIC,
    ENCRYPTED,
    OPENSSH,
];

/// The algorithm of a key, as far as senders tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyAlgorithm {
    /// RSA, for PKCS #1 or PSS signatures.
    Rsa,
    /// ECDSA on a NIST curve.
    Ecdsa,
    /// Ed25519 or Ed448 (RFC 8410).
    EdDsa,
    /// Anything else.
    Other,
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "RSA",
            Self::Ecdsa => "ECDSA",
            Self::EdDsa => "EdDSA",
            Self::Other => "unknown algorithm",
        })
    }
}

/// Algorithm and length of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyFacts {
    /// The algorithm.
    pub algorithm: KeyAlgorithm,
    /// Bits of the modulus or the curve; 0 when not known.
    pub bits: u32,
}

impl KeyFacts {
    /// What is said of a key that OpenSSL does not know.
    pub const UNKNOWN: Self = Self {
        algorithm: KeyAlgorithm::Other,
        bits: 0,
    };

    pub(super) fn new(key: &PKeyRef<Public>) -> Self {
        let algorithm = match key.id() {
            Id::RSA | Id::RSA_PSS => KeyAlgorithm::Rsa,
            Id::EC => KeyAlgorithm::Ecdsa,
            Id::ED25519 | Id::ED448 => KeyAlgorithm::EdDsa,
            _ => KeyAlgorithm::Other,
        };
        Self {
            algorithm,
            bits: key.bits(),
        }
    }

    /// Whether the key is too short for today: RSA below 2048 bits, curves below 224.
    #[must_use]
    pub const fn is_weak(&self) -> bool {
        match self.algorithm {
            KeyAlgorithm::Rsa => self.bits < 2048,
            KeyAlgorithm::Ecdsa => self.bits < 224,
            KeyAlgorithm::EdDsa | KeyAlgorithm::Other => false,
        }
    }
}

impl fmt::Display for KeyFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.algorithm, self.bits) {
            (KeyAlgorithm::EdDsa, 256 | 253) => f.write_str("Ed25519 key"),
            (KeyAlgorithm::EdDsa, _) => f.write_str("Ed448 key"),
            (KeyAlgorithm::Other, _) => f.write_str("key of an unknown algorithm"),
            (algorithm, bits) => write!(f, "{algorithm} key of {bits} bits"),
        }
    }
}

/// The one key in a PEM file.
pub(super) fn from_pem(text: &[u8]) -> Result<(Kind, PKey<Public>), MaterialError> {
    let blocks = pem::blocks(text, &LABELS)?;
    let block = match blocks.as_slice() {
        [] => {
            return Err(MaterialError::NotAKey(
                "not a key: no line -----BEGIN … KEY-----, and not DER",
            ));
        }
        [one] => one,
        several => return Err(MaterialError::SeveralKeys(several.len())),
    };
    if block.encrypted || block.label == ENCRYPTED {
        return Err(MaterialError::Encrypted);
    }
    let damaged = MaterialError::NotAKey("the key cannot be decoded");
    match block.label {
        OPENSSH => Err(MaterialError::NotAKey(
            "a key of OpenSSH, which is no key of a certificate",
        )),
        PUBLIC => PKey::public_key_from_der(&block.octets)
            .map(|key| (Kind::PublicKey, key))
            .map_err(|_| damaged),
        RSA_PUBLIC => Rsa::public_key_from_der_pkcs1(&block.octets)
            .and_then(PKey::from_rsa)
            .map(|key| (Kind::PublicKey, key))
            .map_err(|_| damaged),
        _ => private(&block.octets)
            .map(|key| (Kind::PrivateKey, key))
            .map_err(|_| damaged),
    }
}

/// A key in DER.
pub(super) fn from_der(octets: &[u8]) -> Result<(Kind, PKey<Public>), MaterialError> {
    if let Ok(key) = private(octets) {
        return Ok((Kind::PrivateKey, key));
    }
    if let Ok(key) = PKey::public_key_from_der(octets) {
        return Ok((Kind::PublicKey, key));
    }
    Rsa::public_key_from_der_pkcs1(octets)
        .and_then(PKey::from_rsa)
        .map(|key| (Kind::PublicKey, key))
        .map_err(|_| {
            MaterialError::NotAKey(
                "not a key in DER (an encrypted or PKCS #12 file has to be decrypted first)",
            )
        })
}

/// The public half of a private key. Read from DER only: given PEM, OpenSSL would ask for the
/// passphrase of an encrypted key on the terminal.
fn private(octets: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let key = PKey::private_key_from_der(octets)?;
    PKey::public_key_from_der(&key.public_key_to_der()?)
}

/// A certificate with this key and these extensions, signed by a key that is thrown away: DANE-EE
/// looks at the key alone.
pub(super) fn certificate_around(
    key: &PKeyRef<impl HasPublic>,
    extensions: &[&X509ExtensionRef],
) -> Result<Vec<u8>, ErrorStack> {
    let signer: PKey<Private> = {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        PKey::from_ec_key(EcKey::generate(&group)?)?
    };
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let serial: Asn1Integer = BigNum::from_u32(1)?.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_not_before(Asn1Time::from_unix(0)?.as_ref())?;
    builder.set_not_after(Asn1Time::from_unix(i64::from(i32::MAX))?.as_ref())?;
    builder.set_pubkey(key)?;
    for extension in extensions {
        builder.append_extension2(extension)?;
    }
    builder.sign(&signer, MessageDigest::sha256())?;
    builder.build().to_der()
}
