//! Signature algorithms and digests of DNSSEC on OpenSSL. The list of what is supported and the
//! code that verifies are the same match, so that they cannot drift apart.

use crate::resolver::config::Sha1Signatures;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;
use std::fmt::Debug;
use std::sync::OnceLock;

/// The cryptography under the validator, and with it the policy of what counts: an algorithm or a
/// digest type that is not supported here leaves a zone unsigned (RFC 4035 §5.2), one that is
/// supported must verify.
pub trait Cryptography: Debug + Send + Sync {
    /// Whether signatures of this algorithm number count.
    fn supports(&self, algorithm: u8) -> bool;

    /// Checks `signature` over `signed` under `public_key`, the key field of a DNSKEY.
    ///
    /// # Errors
    /// One line: what is wrong with the key, or that the signature does not verify. Both fields are
    /// a stranger's octets of any length.
    fn verify(
        &self,
        algorithm: u8,
        public_key: &[u8],
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), String>;

    /// The DS digest of `octets` (RFC 4034 §5.1.4); `None` for a digest type that does not count.
    fn digest(&self, digest_type: u8, octets: &[u8]) -> Option<Vec<u8>>;

    /// Whether DS records of this digest type count.
    fn supports_digest(&self, digest_type: u8) -> bool {
        self.digest(digest_type, &[]).is_some()
    }
}

/// The cryptography of every build: OpenSSL, algorithms 8, 10, 13, 14, 15 and 16, digest types 1, 2
/// and 4 (RFC 8624 §3.1, §3.3); algorithms 5 and 7 by setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenSsl {
    /// Whether SHA-1 signatures validate.
    pub sha1: Sha1Signatures,
}

impl Cryptography for OpenSsl {
    fn supports(&self, algorithm: u8) -> bool {
        match algorithm {
            5 | 7 => self.sha1 == Sha1Signatures::Accepted,
            other => scheme(other).is_some(),
        }
    }

    fn verify(
        &self,
        algorithm: u8,
        public_key: &[u8],
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), String> {
        let outcome = match scheme(algorithm) {
            Some(Scheme::Rsa(digest)) => rsa(digest(), public_key, signed, signature),
            Some(Scheme::Ecdsa(curve, width, digest)) => {
                ecdsa(curve, width, digest(), public_key, signed, signature)
            }
            Some(Scheme::EdDsa(id)) => eddsa(id, public_key, signed, signature),
            None => return Err(format!("algorithm {algorithm} is not supported")),
        };
        match outcome {
            Ok(Checked::Valid) => Ok(()),
            Ok(Checked::Invalid) => Err("the signature does not verify".to_owned()),
            Ok(Checked::Malformed(text)) => Err(text.to_owned()),
            // OpenSSL has an error for a signature that is no signature at all, too.
            Err(_) => Err("the key or the signature is malformed".to_owned()),
        }
    }

    fn digest(&self, digest_type: u8, octets: &[u8]) -> Option<Vec<u8>> {
        let digest = match digest_type {
            1 => MessageDigest::sha1(),
            2 => MessageDigest::sha256(),
            4 => MessageDigest::sha384(),
            _ => return None,
        };
        hash(digest, octets).ok().map(|octets| octets.to_vec())
    }

    fn supports_digest(&self, digest_type: u8) -> bool {
        matches!(digest_type, 1 | 2 | 4)
    }
}

/// How an algorithm number verifies.
#[derive(Debug, Clone, Copy)]
enum Scheme {
    Rsa(fn() -> MessageDigest),
    Ecdsa(Nid, usize, fn() -> MessageDigest),
    EdDsa(Id),
}

/// What came of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checked {
    Valid,
    Invalid,
    Malformed(&'static str),
}

impl From<bool> for Checked {
    fn from(valid: bool) -> Self {
        if valid { Self::Valid } else { Self::Invalid }
    }
}

fn scheme(algorithm: u8) -> Option<Scheme> {
    Some(match algorithm {
        5 | 7 => Scheme::Rsa(MessageDigest::sha1),
        8 => Scheme::Rsa(MessageDigest::sha256),
        10 => Scheme::Rsa(MessageDigest::sha512),
        13 => Scheme::Ecdsa(Nid::X9_62_PRIME256V1, 32, MessageDigest::sha256),
        14 => Scheme::Ecdsa(Nid::SECP384R1, 48, MessageDigest::sha384),
        15 => Scheme::EdDsa(Id::ED25519),
        16 => Scheme::EdDsa(Id::ED448),
        _ => return None,
    })
}

/// Octets of an RSA modulus: 512 bits, which RFC 3110 §1 and RFC 5702 §2.1 allow, to 4096.
const RSA_MODULUS: std::ops::RangeInclusive<usize> = 64..=512;
/// Octets of an RSA exponent, at most: a longer one has no use but to make checks slow.
const RSA_EXPONENT: usize = 8;

/// RFC 3110 §2: exponent length, exponent, modulus; 512 to 4096 bits.
fn rsa(
    digest: MessageDigest,
    key: &[u8],
    signed: &[u8],
    signature: &[u8],
) -> Result<Checked, ErrorStack> {
    let (length, rest) = match key {
        [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [length, rest @ ..] => (usize::from(*length), rest),
        [] => return Ok(Checked::Malformed("the RSA key is empty")),
    };
    if length == 0 || rest.len() <= length {
        return Ok(Checked::Malformed("the RSA key is cut off"));
    }
    let (exponent, modulus) = rest.split_at(length);
    let (exponent, modulus) = (without_zeros(exponent), without_zeros(modulus));
    if !RSA_MODULUS.contains(&modulus.len()) {
        return Ok(Checked::Malformed(
            "the RSA modulus has fewer than 512 or more than 4096 bits",
        ));
    }
    if exponent.len() > RSA_EXPONENT {
        return Ok(Checked::Malformed("the RSA exponent has more than 64 bits"));
    }
    // One makes every signature valid that is its own padded digest; even ones invert nothing.
    if matches!(exponent, [] | [1]) || exponent.last().is_some_and(|last| last % 2 == 0) {
        return Ok(Checked::Malformed("the RSA exponent is 0, 1 or even"));
    }
    let key =
        Rsa::from_public_components(BigNum::from_slice(modulus)?, BigNum::from_slice(exponent)?)?;
    let key = PKey::from_rsa(key)?;
    let mut verifier = Verifier::new(digest, &key)?;
    verifier.update(signed)?;
    verifier.verify(signature).map(Checked::from)
}

/// The number without leading zero octets, which RFC 3110 §2 forbids and others tolerate.
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    &number[zeros..]
}

/// The curves of RFC 6605, each made once: setting one up costs a tenth of a verification.
fn group(curve: Nid) -> Result<&'static EcGroup, ErrorStack> {
    static GROUPS: [OnceLock<EcGroup>; 2] = [const { OnceLock::new() }; 2];
    let place = &GROUPS[usize::from(curve == Nid::SECP384R1)];
    if let Some(group) = place.get() {
        return Ok(group);
    }
    let made = EcGroup::from_curve_name(curve)?;
    Ok(place.get_or_init(|| made))
}

/// RFC 6605 §4: the key is x and y, the signature r and s, each of the width of the curve.
fn ecdsa(
    curve: Nid,
    width: usize,
    digest: MessageDigest,
    key: &[u8],
    signed: &[u8],
    signature: &[u8],
) -> Result<Checked, ErrorStack> {
    if key.len() != 2 * width {
        return Ok(Checked::Malformed("the ECDSA key has the wrong length"));
    }
    if signature.len() != 2 * width {
        return Ok(Checked::Malformed(
            "the ECDSA signature has the wrong length",
        ));
    }
    let group = group(curve)?;
    // The sign of an uncompressed point (SEC 1 §2.3.3). Decoding shows that it lies on the curve;
    // as the cofactor of these curves is 1 that makes it a key, and multiplying it by the order,
    // as the constructor from coordinates does, would double the cost of a signature.
    let point = [&[4], key].concat();
    let point = EcPoint::from_bytes(group, &point, &mut *BigNumContext::new()?)?;
    let key = EcKey::from_public_key(group, &point)?;
    let (r, s) = signature.split_at(width);
    let signature =
        EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
    signature
        .verify(&hash(digest, signed)?, &key)
        .map(Checked::from)
}

/// RFC 8080 §3 and §4: raw key, raw signature.
fn eddsa(id: Id, key: &[u8], signed: &[u8], signature: &[u8]) -> Result<Checked, ErrorStack> {
    let key = PKey::public_key_from_raw_bytes(key, id)?;
    Verifier::new_without_digest(&key)?
        .verify_oneshot(signature, signed)
        .map(Checked::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::ec::PointConversionForm;
    use openssl::sign::Signer;

    /// A fresh key of each algorithm: key field and signature over `data`.
    fn sign(algorithm: u8, data: &[u8]) -> (Vec<u8>, Vec<u8>) {
        match scheme(algorithm).unwrap() {
            Scheme::Rsa(digest) => {
                let bits = if algorithm == 8 { 512 } else { 1024 };
                let rsa = Rsa::generate(bits).unwrap();
                let mut key = vec![3];
                key.extend(rsa.e().to_vec_padded(3).unwrap());
                key.extend(rsa.n().to_vec());
                let pkey = PKey::from_rsa(rsa).unwrap();
                let mut signer = Signer::new(digest(), &pkey).unwrap();
                signer.update(data).unwrap();
                (key, signer.sign_to_vec().unwrap())
            }
            Scheme::Ecdsa(curve, width, digest) => {
                let group = EcGroup::from_curve_name(curve).unwrap();
                let ec = EcKey::generate(&group).unwrap();
                let mut context = BigNumContext::new().unwrap();
                let point = ec
                    .public_key()
                    .to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)
                    .unwrap();
                let signature = EcdsaSig::sign(&hash(digest(), data).unwrap(), &ec).unwrap();
                let width = i32::try_from(width).unwrap();
                let mut raw = signature.r().to_vec_padded(width).unwrap();
                raw.extend(signature.s().to_vec_padded(width).unwrap());
                (point[1..].to_vec(), raw)
            }
            Scheme::EdDsa(id) => {
                let pkey = if id == Id::ED25519 {
                    PKey::generate_ed25519()
                } else {
                    PKey::generate_ed448()
                }
                .unwrap();
                let mut signer = Signer::new_without_digest(&pkey).unwrap();
                let signature = signer.sign_oneshot_to_vec(data).unwrap();
                (pkey.raw_public_key().unwrap(), signature)
            }
        }
    }

    fn verifies(algorithm: u8, key: &[u8], data: &[u8], signature: &[u8]) -> bool {
        OpenSsl::default()
            .verify(algorithm, key, data, signature)
            .is_ok()
    }

    #[test]
    fn every_supported_algorithm_verifies() {
        for algorithm in 0..=255 {
            if !OpenSsl::default().supports(algorithm) {
                assert!(
                    !verifies(algorithm, &[1; 64], b"data", &[1; 64]),
                    "{algorithm}"
                );
                continue;
            }
            let (key, signature) = sign(algorithm, b"data");
            assert!(
                verifies(algorithm, &key, b"data", &signature),
                "{algorithm}"
            );
            assert!(
                !verifies(algorithm, &key, b"dat", &signature),
                "{algorithm}"
            );
            for cut in [0, 1, key.len() / 2, key.len() - 1] {
                assert!(
                    !verifies(algorithm, &key[..cut], b"data", &signature),
                    "{algorithm}"
                );
            }
            for cut in [0, 1, signature.len() - 1] {
                assert!(
                    !verifies(algorithm, &key, b"data", &signature[..cut]),
                    "{algorithm}"
                );
            }
        }
    }

    #[test]
    fn the_list() {
        for (sha1, expected) in [
            (Sha1Signatures::Accepted, &[5, 7, 8, 10, 13, 14, 15, 16][..]),
            (Sha1Signatures::Unknown, &[8, 10, 13, 14, 15, 16]),
        ] {
            let cryptography = OpenSsl { sha1 };
            let list: Vec<u8> = (0..=255).filter(|a| cryptography.supports(*a)).collect();
            assert_eq!(list, expected);
            let digests: Vec<u8> = (0..=255)
                .filter(|d| cryptography.supports_digest(*d))
                .collect();
            assert_eq!(digests, [1, 2, 4]);
            assert!((0..=255).all(|d| {
                cryptography.supports_digest(d) == cryptography.digest(d, &[]).is_some()
            }));
        }
    }

    /// Coordinates that are no point of the curve are no key.
    #[test]
    fn off_the_curve() {
        for (algorithm, width) in [(13, 32), (14, 48)] {
            for octet in [0, 1, 0xff] {
                let (key, signature) = (vec![octet; 2 * width], vec![1; 2 * width]);
                let error = OpenSsl::default()
                    .verify(algorithm, &key, b"data", &signature)
                    .unwrap_err();
                assert!(error.contains("malformed"), "{algorithm} {octet}: {error}");
            }
        }
    }

    /// Bounds of RSA keys (RFC 3110 §2): exponent, modulus, what is said of them.
    #[test]
    fn rsa_keys() {
        let modulus = |octets: usize| vec![0xff; octets];
        for (exponent, modulus, part) in [
            (&[1, 0, 1][..], modulus(128), "does not verify"),
            (&[0, 0, 1, 0, 1], modulus(128), "does not verify"),
            (&[3], modulus(512), "does not verify"),
            (&[1, 0, 1], modulus(63), "fewer than 512"),
            (&[1, 0, 1], modulus(513), "more than 4096"),
            (&[1, 0, 1], [vec![0; 10], modulus(63)].concat(), "fewer"),
            (&[1], modulus(128), "0, 1 or even"),
            (&[0], modulus(128), "0, 1 or even"),
            (&[1, 0, 0], modulus(128), "0, 1 or even"),
            (&[0xff; 9], modulus(128), "more than 64 bits"),
            (&[0xff; 255], modulus(128), "more than 64 bits"),
        ] {
            let length = u8::try_from(exponent.len()).unwrap();
            let key = [&[length], exponent, &modulus].concat();
            let error = OpenSsl::default()
                .verify(8, &key, b"data", &vec![1; modulus.len()])
                .unwrap_err();
            assert!(error.contains(part), "{exponent:?}: {error}");
        }
        for (key, part) in [
            (&[][..], "empty"),
            (&[0], "cut off"),
            (&[0, 0, 3, 1, 0, 1], "cut off"),
            (&[4, 1, 0, 1], "cut off"),
        ] {
            let error = OpenSsl::default().verify(8, key, b"", &[]).unwrap_err();
            assert!(error.contains(part), "{key:?}: {error}");
        }
    }
}
