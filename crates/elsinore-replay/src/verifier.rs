//! Signature algorithms that no validator should accept any more, on OpenSSL: the files are signed
//! with DSA, with RSA keys of 512 bits and with SHA-1. What is verified here is verified for real;
//! nothing is taken on trust.

use elsinore_net::resolver::{Cryptography, OpenSsl};
use openssl::bn::BigNum;
use openssl::dsa::Dsa;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;

/// Whether [`verifies`] knows the algorithm: DSA/SHA-1 under its two numbers, RSA/SHA-1 under its
/// two, RSA/SHA-256 and RSA/SHA-512. RSA/MD5 (1) is left out, as it must be (RFC 6725 §2).
pub(crate) const fn knows(algorithm: u8) -> bool {
    matches!(algorithm, 3 | 5 | 6 | 7 | 8 | 10)
}

/// Whether `signature` over `signed` verifies under `key`, the key field of a DNSKEY. A malformed
/// key or signature does not verify.
pub(crate) fn verifies(algorithm: u8, key: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let outcome = match algorithm {
        3 | 6 => dsa(key, signed, signature),
        5 | 7 => rsa(MessageDigest::sha1(), key, signed, signature),
        8 => rsa(MessageDigest::sha256(), key, signed, signature),
        10 => rsa(MessageDigest::sha512(), key, signed, signature),
        _ => Ok(false),
    };
    outcome.unwrap_or(false)
}

fn verify(
    digest: MessageDigest,
    key: &PKey<Public>,
    signed: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    let mut verifier = Verifier::new(digest, key)?;
    verifier.update(signed)?;
    verifier.verify(signature)
}

/// RFC 3110 §2: length of the exponent, exponent, modulus, of any size that OpenSSL takes.
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
    let key =
        Rsa::from_public_components(BigNum::from_slice(modulus)?, BigNum::from_slice(exponent)?)?;
    verify(digest, &PKey::from_rsa(key)?, signed, signature)
}

/// RFC 2536 §2: T, Q of 20 octets, then P, G and Y of 64 + 8 T octets each. The signature is that
/// of RFC 2536 §3 (T, R and S of 20 octets each) or, as in these files, bare DER.
fn dsa(key: &[u8], signed: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
    let Some((&t, rest)) = key.split_first() else {
        return Ok(false);
    };
    let width = 64 + 8 * usize::from(t);
    if t > 8 || rest.len() != 20 + 3 * width {
        return Ok(false);
    }
    let (q, rest) = rest.split_at(20);
    let (p, rest) = rest.split_at(width);
    let (g, y) = rest.split_at(width);
    let number = BigNum::from_slice;
    let key = Dsa::from_public_components(number(p)?, number(q)?, number(g)?, number(y)?)?;
    let der = match signature {
        [_, numbers @ ..] if signature.len() == 41 => {
            let (r, s) = numbers.split_at(20);
            openssl::dsa::DsaSig::from_private_components(number(r)?, number(s)?)?.to_der()?
        }
        _ => signature.to_vec(),
    };
    verify(MessageDigest::sha1(), &PKey::from_dsa(key)?, signed, &der)
}

/// The cryptography of the replay: that of every build, and the old algorithms beside it.
#[derive(Debug, Default)]
pub(crate) struct OldAlgorithms {
    today: OpenSsl,
}

impl Cryptography for OldAlgorithms {
    fn supports(&self, algorithm: u8) -> bool {
        knows(algorithm) || self.today.supports(algorithm)
    }

    fn verify(
        &self,
        algorithm: u8,
        public_key: &[u8],
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), String> {
        if !knows(algorithm) {
            return self.today.verify(algorithm, public_key, signed, signature);
        }
        if verifies(algorithm, public_key, signed, signature) {
            Ok(())
        } else {
            Err("the signature does not verify".to_owned())
        }
    }

    fn digest(&self, digest_type: u8, octets: &[u8]) -> Option<Vec<u8>> {
        self.today.digest(digest_type, octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::dsa::DsaSig;
    use openssl::sign::Signer;

    const SIGNED: &[u8] = b"to be or not to be";

    fn check(algorithm: u8, key: &[u8], signature: &[u8]) {
        let all = OldAlgorithms::default();
        let verify = |signed: &[u8], key: &[u8], signature: &[u8]| {
            all.verify(algorithm, key, signed, signature).is_ok()
        };
        assert!(verify(SIGNED, key, signature), "{algorithm}");
        let mut other = signature.to_vec();
        let last = other.len() - 1;
        other[last] ^= 1;
        assert!(
            !verify(SIGNED, key, &other),
            "{algorithm}: another signature"
        );
        assert!(
            !verify(b"to be", key, signature),
            "{algorithm}: another text"
        );
        for cut in [0, 1, key.len() / 2, key.len() - 1] {
            assert!(
                !verify(SIGNED, &key[..cut], signature),
                "{algorithm}: {cut}"
            );
        }
    }

    #[test]
    fn dsa_in_both_forms() {
        let key = Dsa::generate(1024).unwrap();
        // RFC 2536 §2 with T = 8: the prime has 128 octets.
        let mut public = vec![8];
        public.extend(key.q().to_vec_padded(20).unwrap());
        for number in [key.p(), key.g(), key.pub_key()] {
            public.extend(number.to_vec_padded(128).unwrap());
        }
        let key = PKey::from_dsa(key).unwrap();
        let mut signer = Signer::new(MessageDigest::sha1(), &key).unwrap();
        let der = signer.sign_oneshot_to_vec(SIGNED).unwrap();
        let signature = DsaSig::from_der(&der).unwrap();
        let mut plain = vec![8];
        for number in [signature.r(), signature.s()] {
            plain.extend(number.to_vec_padded(20).unwrap());
        }
        for algorithm in [3, 6] {
            check(algorithm, &public, &der);
            check(algorithm, &public, &plain);
        }
    }

    #[test]
    fn short_rsa() {
        let key = PKey::from_rsa(Rsa::generate(512).unwrap()).unwrap();
        let rsa = key.rsa().unwrap();
        let mut public = vec![3];
        public.extend(rsa.e().to_vec_padded(3).unwrap());
        public.extend(rsa.n().to_vec());
        let sha1: fn() -> MessageDigest = MessageDigest::sha1;
        for (algorithm, digest) in [(5, sha1), (7, sha1), (8, MessageDigest::sha256)] {
            let mut signer = Signer::new(digest(), &key).unwrap();
            let signature = signer.sign_oneshot_to_vec(SIGNED).unwrap();
            check(algorithm, &public, &signature);
        }
    }
}
