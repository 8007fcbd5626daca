//! Handshake signatures: every scheme by the right key, by another, and over other octets.

use crate::cases_ee::pss_spki;
use crate::make::{Spec, key};
use elsinore_dane::verify::{
    HandshakeSignatureError, scheme_uses_sha1, verify_handshake_signature,
};
use openssl::hash::MessageDigest;
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer};

/// How the peer signs: with a plain digest, with PSS, or with the digest the key implies.
#[derive(Clone, Copy)]
enum How {
    Digest(MessageDigest),
    Pss(MessageDigest),
    Intrinsic,
}

fn sign(name: &str, how: How, message: &[u8]) -> Vec<u8> {
    let key = key(name);
    let mut signer = match how {
        How::Digest(digest) | How::Pss(digest) => Signer::new(digest, &key).unwrap(),
        How::Intrinsic => Signer::new_without_digest(&key).unwrap(),
    };
    if let How::Pss(digest) = how {
        signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        signer
            .set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)
            .unwrap();
        signer.set_rsa_mgf1_md(digest).unwrap();
    }
    signer.sign_oneshot_to_vec(message).unwrap()
}

fn leaf(name: &str) -> Vec<u8> {
    Spec::plain("server", name, "server", name).make().der
}

#[test]
fn schemes() {
    use MessageDigest as M;
    let rsa = "rsa2047-leaf";
    for (scheme, key, how) in [
        (0x0201, "rsa768-leaf", How::Digest(M::sha1())),
        (0x0201, rsa, How::Digest(M::sha1())),
        (0x0301, rsa, How::Digest(M::sha224())),
        (0x0401, "rsa768-leaf", How::Digest(M::sha256())),
        (0x0501, rsa, How::Digest(M::sha384())),
        (0x0601, rsa, How::Digest(M::sha512())),
        (0x0804, "rsa768-leaf", How::Pss(M::sha256())),
        (0x0804, rsa, How::Pss(M::sha256())),
        (0x0805, rsa, How::Pss(M::sha384())),
        (0x0806, rsa, How::Pss(M::sha512())),
        (0x0203, "leaf", How::Digest(M::sha1())),
        (0x0303, "leaf", How::Digest(M::sha224())),
        (0x0403, "leaf", How::Digest(M::sha256())),
        (0x0503, "leaf", How::Digest(M::sha384())),
        (0x0603, "p521-leaf", How::Digest(M::sha512())),
        (0x081a, "brainpool256-leaf", How::Digest(M::sha256())),
        (0x081b, "brainpool384-leaf", How::Digest(M::sha384())),
        (0x081c, "brainpool512-leaf", How::Digest(M::sha512())),
        (0x0402, "dsa-leaf", How::Digest(M::sha256())),
        (0x0202, "dsa-leaf", How::Digest(M::sha1())),
        (0x0807, "ed25519-leaf", How::Intrinsic),
        (0x0808, "ed448-leaf", How::Intrinsic),
    ] {
        let (der, message) = (leaf(key), b"transcript");
        let signature = sign(key, how, message);
        let check = |message: &[u8], signature: &[u8]| {
            verify_handshake_signature(&der, scheme, message, signature)
        };
        let bad = Err(HandshakeSignatureError::BadSignature);
        assert_eq!(check(message, &signature), Ok(()), "{scheme:#06x} {key}");
        assert_eq!(check(b"another", &signature), bad, "{scheme:#06x} {key}");
        assert_eq!(check(message, b""), bad, "{scheme:#06x} {key}");
        let mut flipped = signature.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(check(message, &flipped), bad, "{scheme:#06x} {key}");
    }
}

/// Case 42: the record matches the leaf, but the peer holds another key.
#[test]
fn another_key() {
    let signature = sign("other", How::Digest(MessageDigest::sha256()), b"transcript");
    assert_eq!(
        verify_handshake_signature(&leaf("leaf"), 0x0403, b"transcript", &signature),
        Err(HandshakeSignatureError::BadSignature)
    );
}

#[test]
fn keys_that_are_restricted_to_pss() {
    let leaf = Spec::plain("server", "leaf", "server", "leaf")
        .with(|s| s.spki = pss_spki("rsa2047-leaf"))
        .make()
        .der;
    for (scheme, digest) in [
        (0x0809, MessageDigest::sha256()),
        (0x080a, MessageDigest::sha384()),
        (0x080b, MessageDigest::sha512()),
    ] {
        let signature = sign("rsa2047-leaf", How::Pss(digest), b"m");
        assert_eq!(
            verify_handshake_signature(&leaf, scheme, b"m", &signature),
            Ok(())
        );
        // The scheme of an ordinary RSA key does not go with such a key, and the reverse.
        assert_eq!(
            verify_handshake_signature(&leaf, scheme - 5, b"m", &signature),
            Err(HandshakeSignatureError::SchemeMismatch(scheme - 5))
        );
    }
}

#[test]
fn what_does_not_fit() {
    use HandshakeSignatureError as E;
    for (der, scheme, expected) in [
        (leaf("leaf"), 0x0804, E::SchemeMismatch(0x0804)),
        (leaf("leaf"), 0x0807, E::SchemeMismatch(0x0807)),
        (leaf("rsa768-leaf"), 0x0403, E::SchemeMismatch(0x0403)),
        (leaf("leaf"), 0x0000, E::UnknownScheme(0)),
        (leaf("leaf"), 0x0101, E::UnknownScheme(0x0101)),
        (leaf("leaf"), 0xffff, E::UnknownScheme(0xffff)),
        (Vec::new(), 0x0403, E::LeafUndecodable),
        (b"garbage".to_vec(), 0x0403, E::LeafUndecodable),
        (
            Spec::plain("s", "leaf", "s", "leaf")
                .with(|s| s.spki = crate::make::seq(&[b"\x05\x00"]))
                .make()
                .der,
            0x0403,
            E::UnknownKey,
        ),
    ] {
        assert_eq!(
            verify_handshake_signature(&der, scheme, b"m", b"s"),
            Err(expected)
        );
    }
}

/// A leaf that no certificate parser takes still has a key.
#[test]
fn odd_leaves_sign_too() {
    let odd = Spec::plain("server", "leaf", "server", "leaf").with(|s| {
        s.version = Some(9);
        s.serial = vec![];
        s.not_before = vec![0x05, 0x00];
        s.extensions = vec![b"\x04\x02hi".to_vec()];
        s.trailing = b"more".to_vec();
    });
    let signature = sign("leaf", How::Digest(MessageDigest::sha256()), b"m");
    assert_eq!(
        verify_handshake_signature(&odd.make().der, 0x0403, b"m", &signature),
        Ok(())
    );
}

#[test]
fn sha1_schemes() {
    for (scheme, expected) in [
        (0x0201, true),
        (0x0202, true),
        (0x0203, true),
        (0x0402, false),
        (0x0401, false),
        (0x0804, false),
    ] {
        assert_eq!(scheme_uses_sha1(scheme), expected, "{scheme:#06x}");
    }
}
