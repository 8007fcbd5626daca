//! Signature algorithms and digests of DNSSEC on OpenSSL. The list of what is supported and the
//! code that verifies are the same match, so that they cannot drift apart.

use crate::resolver::config::Sha1Signatures;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;

/// How an algorithm number verifies.
#[derive(Debug, Clone, Copy)]
enum Scheme {
    Rsa(fn() -> MessageDigest),
    Ecdsa(Nid, usize, fn() -> MessageDigest),
    EdDsa(Id),
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

/// Whether signatures of this algorithm count (RFC 8624 §3.1; SHA-1 by setting).
pub(super) fn supported(algorithm: u8, sha1: Sha1Signatures) -> bool {
    match algorithm {
        5 | 7 => sha1 == Sha1Signatures::Accepted,
        other => scheme(other).is_some(),
    }
}

/// Whether `signature` over `signed` verifies under `key` (the key field of a DNSKEY). A key or a
/// signature that is malformed does not verify.
pub(super) fn verifies(algorithm: u8, key: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let outcome = match scheme(algorithm) {
        Some(Scheme::Rsa(digest)) => rsa(digest(), key, signed, signature),
        Some(Scheme::Ecdsa(curve, width, digest)) => {
            ecdsa(curve, width, digest(), key, signed, signature)
        }
        Some(Scheme::EdDsa(id)) => eddsa(id, key, signed, signature),
        None => Ok(false),
    };
    outcome.unwrap_or(false)
}

/// RFC 3110 §2: exponent length, exponent, modulus; 512 to 4096 bits.
fn rsa(
    digest: MessageDigest,
    key: &[u8],
    signed: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    let (length, rest) = match key {
        [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [length, rest @ ..] => (usize::from(*length), rest),
        [] => return Ok(false),
    };
    if length == 0 || rest.len() <= length {
        return Ok(false);
    }
    let (exponent, modulus) = rest.split_at(length);
    if !(64..=512).contains(&modulus.len()) {
        return Ok(false);
    }
    let key =
        Rsa::from_public_components(BigNum::from_slice(modulus)?, BigNum::from_slice(exponent)?)?;
    let key = PKey::from_rsa(key)?;
    let mut verifier = Verifier::new(digest, &key)?;
    verifier.update(signed)?;
    verifier.verify(signature)
}

/// RFC 6605 §4: the key is x and y, the signature r and s, each of the width of the curve.
fn ecdsa(
    curve: Nid,
    width: usize,
    digest: MessageDigest,
    key: &[u8],
    signed: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    if key.len() != 2 * width || signature.len() != 2 * width {
        return Ok(false);
    }
    let group = EcGroup::from_curve_name(curve)?;
    let (x, y) = key.split_at(width);
    let (x, y) = (BigNum::from_slice(x)?, BigNum::from_slice(y)?);
    let key = EcKey::from_public_key_affine_coordinates(&group, &x, &y)?;
    let (r, s) = signature.split_at(width);
    let signature =
        EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
    signature.verify(&hash(digest, signed)?, &key)
}

/// RFC 8080 §3 and §4: raw key, raw signature.
fn eddsa(id: Id, key: &[u8], signed: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
    let key = PKey::public_key_from_raw_bytes(key, id)?;
    Verifier::new_without_digest(&key)?.verify_oneshot(signature, signed)
}

/// The DS digest of `input`; `None` for a digest type that is not known here.
pub(super) fn ds_digest(digest_type: u8, input: &[u8]) -> Option<Vec<u8>> {
    let digest = match digest_type {
        1 => MessageDigest::sha1(),
        2 => MessageDigest::sha256(),
        4 => MessageDigest::sha384(),
        _ => return None,
    };
    hash(digest, input).ok().map(|octets| octets.to_vec())
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
                let mut context = openssl::bn::BigNumContext::new().unwrap();
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

    #[test]
    fn every_supported_algorithm_verifies() {
        for algorithm in 0..=255 {
            if !supported(algorithm, Sha1Signatures::Accepted) {
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
        let accepted: Vec<u8> = (0..=255)
            .filter(|a| supported(*a, Sha1Signatures::Accepted))
            .collect();
        assert_eq!(accepted, [5, 7, 8, 10, 13, 14, 15, 16]);
        let strict: Vec<u8> = (0..=255)
            .filter(|a| supported(*a, Sha1Signatures::Unknown))
            .collect();
        assert_eq!(strict, [8, 10, 13, 14, 15, 16]);
    }
}
