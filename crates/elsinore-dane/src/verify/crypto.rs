//! All cryptographic computation of this crate, by OpenSSL: digests, and signatures under a
//! SubjectPublicKeyInfo as sent. No other file names the library.

use super::der::{DerError, Element, Reader, small_integer, tag};
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Verifier};

/// SHA2-256.
pub(crate) fn sha256(octets: &[u8]) -> [u8; 32] {
    openssl::sha::sha256(octets)
}

/// SHA2-512.
pub(crate) fn sha512(octets: &[u8]) -> [u8; 64] {
    openssl::sha::sha512(octets)
}

/// The digests of the signature algorithms that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Digest {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
}

impl Digest {
    fn message_digest(self) -> MessageDigest {
        match self {
            Self::Md5 => MessageDigest::md5(),
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha224 => MessageDigest::sha224(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
            Self::Sha3_224 => MessageDigest::sha3_224(),
            Self::Sha3_256 => MessageDigest::sha3_256(),
            Self::Sha3_384 => MessageDigest::sha3_384(),
            Self::Sha3_512 => MessageDigest::sha3_512(),
        }
    }

    /// The digest with this object identifier (contents).
    fn from_oid(oid: &[u8]) -> Option<Self> {
        const NIST: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
        match *oid {
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05] => Some(Self::Md5),
            [0x2b, 0x0e, 0x03, 0x02, 0x1a] => Some(Self::Sha1),
            [ref nist @ .., last] if *nist == NIST => match last {
                1 => Some(Self::Sha256),
                2 => Some(Self::Sha384),
                3 => Some(Self::Sha512),
                4 => Some(Self::Sha224),
                7 => Some(Self::Sha3_224),
                8 => Some(Self::Sha3_256),
                9 => Some(Self::Sha3_384),
                10 => Some(Self::Sha3_512),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Salt of an RSASSA-PSS signature, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Salt {
    /// As long as the digest (TLS, RFC 8446 §4.2.3).
    DigestLength,
    /// As the algorithm identifier says.
    Octets(i32),
}

/// A signature algorithm with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SignatureAlgorithm {
    RsaPkcs1(Digest),
    RsaPss {
        digest: Digest,
        mask: Digest,
        salt: Salt,
    },
    Ecdsa(Digest),
    Dsa(Digest),
    Ed25519,
    Ed448,
}

impl SignatureAlgorithm {
    /// Decodes an AlgorithmIdentifier (RFC 3279, 4055, 5758, 8410, 8702 and FIPS 202's
    /// identifiers). Parameters of all but RSASSA-PSS are ignored.
    pub(crate) fn decode(identifier: &[u8]) -> Result<Self, DerError> {
        const PKCS1: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
        const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
        const NIST: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03];
        let mut fields = Reader::new(identifier).expect(tag::SEQUENCE)?.reader();
        let oid = fields.expect(tag::OID)?.contents;
        Ok(match *oid {
            [ref pkcs1 @ .., last] if *pkcs1 == PKCS1 => match last {
                4 => Self::RsaPkcs1(Digest::Md5),
                5 => Self::RsaPkcs1(Digest::Sha1),
                10 => return pss(fields.expect(tag::SEQUENCE)?),
                11 => Self::RsaPkcs1(Digest::Sha256),
                12 => Self::RsaPkcs1(Digest::Sha384),
                13 => Self::RsaPkcs1(Digest::Sha512),
                14 => Self::RsaPkcs1(Digest::Sha224),
                _ => return Err(DerError),
            },
            [0x2b, 0x0e, 0x03, 0x02, 0x1d] => Self::RsaPkcs1(Digest::Sha1),
            [ref ecdsa @ .., 1] if *ecdsa == ECDSA => Self::Ecdsa(Digest::Sha1),
            [ref ecdsa @ .., 3, last] if *ecdsa == ECDSA => match last {
                1 => Self::Ecdsa(Digest::Sha224),
                2 => Self::Ecdsa(Digest::Sha256),
                3 => Self::Ecdsa(Digest::Sha384),
                4 => Self::Ecdsa(Digest::Sha512),
                _ => return Err(DerError),
            },
            [0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x03] => Self::Dsa(Digest::Sha1),
            [ref nist @ .., last] if *nist == NIST => match last {
                1 => Self::Dsa(Digest::Sha224),
                2 => Self::Dsa(Digest::Sha256),
                9 => Self::Ecdsa(Digest::Sha3_224),
                10 => Self::Ecdsa(Digest::Sha3_256),
                11 => Self::Ecdsa(Digest::Sha3_384),
                12 => Self::Ecdsa(Digest::Sha3_512),
                13 => Self::RsaPkcs1(Digest::Sha3_224),
                14 => Self::RsaPkcs1(Digest::Sha3_256),
                15 => Self::RsaPkcs1(Digest::Sha3_384),
                16 => Self::RsaPkcs1(Digest::Sha3_512),
                _ => return Err(DerError),
            },
            [0x2b, 0x65, 0x70] => Self::Ed25519,
            [0x2b, 0x65, 0x71] => Self::Ed448,
            _ => return Err(DerError),
        })
    }

    /// The digest that a forger would attack; `None` for those that carry their own.
    pub(crate) const fn digest(self) -> Option<Digest> {
        match self {
            Self::RsaPkcs1(digest)
            | Self::RsaPss { digest, .. }
            | Self::Ecdsa(digest)
            | Self::Dsa(digest) => Some(digest),
            Self::Ed25519 | Self::Ed448 => None,
        }
    }
}

/// RSASSA-PSS-params (RFC 4055 §3.1) with their defaults: SHA-1, MGF1 with SHA-1, 20 octets.
fn pss(parameters: Element<'_>) -> Result<SignatureAlgorithm, DerError> {
    const MGF1: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
    let digest_of = |identifier: Element<'_>| -> Result<Digest, DerError> {
        let oid = identifier.reader().expect(tag::OID)?;
        Digest::from_oid(oid.contents).ok_or(DerError)
    };
    let mut fields = parameters.reader();
    let digest = match fields.optional(tag::context_constructed(0))? {
        Some(field) => digest_of(field.reader().expect(tag::SEQUENCE)?)?,
        None => Digest::Sha1,
    };
    let mask = match fields.optional(tag::context_constructed(1))? {
        Some(field) => {
            let mut generator = field.reader().expect(tag::SEQUENCE)?.reader();
            if generator.expect(tag::OID)?.contents != MGF1 {
                return Err(DerError);
            }
            digest_of(generator.expect(tag::SEQUENCE)?)?
        }
        None => Digest::Sha1,
    };
    let salt = match fields.optional(tag::context_constructed(2))? {
        Some(field) => small_integer(field.reader().expect(tag::INTEGER)?.contents)?,
        None => 20,
    };
    if let Some(field) = fields.optional(tag::context_constructed(3))?
        && small_integer(field.reader().expect(tag::INTEGER)?.contents)? != 1
    {
        return Err(DerError);
    }
    fields.finish()?;
    let salt = Salt::Octets(i32::try_from(salt).map_err(|_| DerError)?);
    Ok(SignatureAlgorithm::RsaPss { digest, mask, salt })
}

/// What kind of key a SubjectPublicKeyInfo holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum KeyKind {
    Rsa,
    /// Restricted to RSASSA-PSS by its own identifier (RFC 4055 §1.2).
    RsaPss,
    Ec,
    Dsa,
    Ed25519,
    Ed448,
    Other,
}

/// Whether a SubjectPublicKeyInfo spells out the parameters of its curve. No certificate on the
/// Internet may (RFC 5480 §2.1.1), and decoding those of an enemy can take as long as a thousand
/// signatures.
pub(crate) fn spells_out_its_curve(public_key_info: &[u8]) -> Result<bool, DerError> {
    const EC_PUBLIC_KEY: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    let mut fields = Reader::new(public_key_info).expect(tag::SEQUENCE)?.reader();
    let mut algorithm = fields.expect(tag::SEQUENCE)?.reader();
    if algorithm.expect(tag::OID)?.contents != EC_PUBLIC_KEY {
        return Ok(false);
    }
    Ok(algorithm.element()?.tag != tag::OID)
}

/// A public key.
pub(crate) struct Key {
    key: PKey<Public>,
}

/// The key does not decode, or the signature is not by this key over these octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadSignature;

impl Key {
    /// Decodes a SubjectPublicKeyInfo; `None` when OpenSSL knows no such key.
    pub(crate) fn decode(public_key_info: &[u8]) -> Option<Self> {
        let key = PKey::public_key_from_der(public_key_info).ok()?;
        Some(Self { key })
    }

    pub(crate) fn kind(&self) -> KeyKind {
        match self.key.id() {
            Id::RSA => KeyKind::Rsa,
            Id::RSA_PSS => KeyKind::RsaPss,
            Id::EC => KeyKind::Ec,
            Id::DSA => KeyKind::Dsa,
            Id::ED25519 => KeyKind::Ed25519,
            Id::ED448 => KeyKind::Ed448,
            _ => KeyKind::Other,
        }
    }

    /// Size in bits: of the modulus, of the order of the curve.
    pub(crate) fn bits(&self) -> u32 {
        self.key.bits()
    }

    /// What a verification costs, in units of about one with RSA-2048 and the exponent 65537.
    /// Proportional to the work of the slowest implementation: squarings and products of the
    /// modulus' size, times the exponent's length.
    pub(crate) fn cost(&self) -> u32 {
        let bits = self.bits();
        let square = |bits: u32| bits.div_ceil(1024).saturating_pow(2);
        match self.kind() {
            KeyKind::Rsa | KeyKind::RsaPss => {
                let exponent = self
                    .key
                    .rsa()
                    .ok()
                    .and_then(|rsa| u32::try_from(rsa.e().num_bits()).ok())
                    .unwrap_or(bits);
                (square(bits).saturating_mul(exponent) / 64).max(1)
            }
            KeyKind::Ec => bits.div_ceil(128).saturating_pow(3),
            // Two exponents of 256 bits.
            KeyKind::Dsa => square(bits).saturating_mul(8),
            KeyKind::Ed25519 => 4,
            KeyKind::Ed448 => 16,
            KeyKind::Other => 1,
        }
    }

    /// Whether `signature` is by this key over `signed`.
    pub(crate) fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let fits = match algorithm {
            SignatureAlgorithm::RsaPkcs1(_) => self.kind() == KeyKind::Rsa,
            SignatureAlgorithm::RsaPss { .. } => {
                matches!(self.kind(), KeyKind::Rsa | KeyKind::RsaPss)
            }
            SignatureAlgorithm::Ecdsa(_) => self.kind() == KeyKind::Ec,
            SignatureAlgorithm::Dsa(_) => self.kind() == KeyKind::Dsa,
            SignatureAlgorithm::Ed25519 => self.kind() == KeyKind::Ed25519,
            SignatureAlgorithm::Ed448 => self.kind() == KeyKind::Ed448,
        };
        // Every failure of the library means the same here: not shown to be signed.
        if fits && self.verifies(algorithm, signed, signature).unwrap_or(false) {
            Ok(())
        } else {
            Err(BadSignature)
        }
    }

    fn verifies(
        &self,
        algorithm: SignatureAlgorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<bool, openssl::error::ErrorStack> {
        let mut verifier = match algorithm.digest() {
            Some(digest) => Verifier::new(digest.message_digest(), &self.key)?,
            None => Verifier::new_without_digest(&self.key)?,
        };
        if let SignatureAlgorithm::RsaPss { mask, salt, .. } = algorithm {
            verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
            verifier.set_rsa_pss_saltlen(match salt {
                Salt::DigestLength => RsaPssSaltlen::DIGEST_LENGTH,
                Salt::Octets(octets) => RsaPssSaltlen::custom(octets),
            })?;
            verifier.set_rsa_mgf1_md(mask.message_digest())?;
        }
        verifier.verify_oneshot(signature, signed)
    }
}
