//! The signature by which the server shows, in the handshake, that it holds the key of its
//! certificate (RFC 8446 §4.4.3; ServerKeyExchange of RFC 5246 §7.4.3).

use super::certificate::Certificate;
use super::crypto::{Digest, Key, KeyKind, Salt, SignatureAlgorithm};

/// Why a handshake signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HandshakeSignatureError {
    /// No public key could be found in the certificate.
    #[error("the server's certificate cannot be decoded")]
    LeafUndecodable,
    /// The key is of a kind or on a curve that the library does not know.
    #[error("the key of the server's certificate is of an unknown kind")]
    UnknownKey,
    /// A signature scheme that is not understood.
    #[error("unknown signature scheme {0:#06x}")]
    UnknownScheme(u16),
    /// The scheme does not go with the key of the certificate.
    #[error("signature scheme {0:#06x} does not fit the key of the server's certificate")]
    SchemeMismatch(u16),
    /// The server does not hold the key.
    #[error("the handshake is not signed by the key of the server's certificate")]
    BadSignature,
}

/// Verifies the handshake signature with the key of the leaf as sent.
///
/// `scheme` is the TLS SignatureScheme (RFC 8446 §4.2.3); those of TLS 1.2 are understood too,
/// among them RSA and ECDSA with SHA-1 and SHA-224, and DSA. The curve of an ECDSA scheme is not
/// compared with that of the key: the signature is by the matched key either way. SHA-1 is
/// accepted here; [`scheme_uses_sha1`] lets an authenticated session refuse it.
///
/// # Errors
/// [`HandshakeSignatureError`] says why the signature does not count.
pub fn verify_handshake_signature(
    leaf_der: &[u8],
    scheme: u16,
    message: &[u8],
    signature: &[u8],
) -> Result<(), HandshakeSignatureError> {
    let leaf =
        Certificate::parse(leaf_der).map_err(|_| HandshakeSignatureError::LeafUndecodable)?;
    let (algorithm, kinds) =
        decode(scheme).ok_or(HandshakeSignatureError::UnknownScheme(scheme))?;
    let key = Key::decode(leaf.public_key_info()).ok_or(HandshakeSignatureError::UnknownKey)?;
    if key.kind() != kinds {
        return Err(HandshakeSignatureError::SchemeMismatch(scheme));
    }
    key.verify(algorithm, message, signature)
        .map_err(|_| HandshakeSignatureError::BadSignature)
}

/// Whether the scheme signs a SHA-1 digest.
#[must_use]
pub const fn scheme_uses_sha1(scheme: u16) -> bool {
    matches!(scheme, 0x0201..=0x0203)
}

const fn decode(scheme: u16) -> Option<(SignatureAlgorithm, KeyKind)> {
    const fn pss(digest: Digest, kind: KeyKind) -> Option<(SignatureAlgorithm, KeyKind)> {
        let algorithm = SignatureAlgorithm::RsaPss {
            digest,
            mask: digest,
            salt: Salt::DigestLength,
        };
        Some((algorithm, kind))
    }
    match scheme {
        0x0804 => return pss(Digest::Sha256, KeyKind::Rsa),
        0x0805 => return pss(Digest::Sha384, KeyKind::Rsa),
        0x0806 => return pss(Digest::Sha512, KeyKind::Rsa),
        0x0809 => return pss(Digest::Sha256, KeyKind::RsaPss),
        0x080a => return pss(Digest::Sha384, KeyKind::RsaPss),
        0x080b => return pss(Digest::Sha512, KeyKind::RsaPss),
        0x0807 => return Some((SignatureAlgorithm::Ed25519, KeyKind::Ed25519)),
        0x0808 => return Some((SignatureAlgorithm::Ed448, KeyKind::Ed448)),
        // The brainpool curves of RFC 8734.
        0x081a => return Some((SignatureAlgorithm::Ecdsa(Digest::Sha256), KeyKind::Ec)),
        0x081b => return Some((SignatureAlgorithm::Ecdsa(Digest::Sha384), KeyKind::Ec)),
        0x081c => return Some((SignatureAlgorithm::Ecdsa(Digest::Sha512), KeyKind::Ec)),
        _ => {}
    }
    // TLS 1.2: HashAlgorithm and SignatureAlgorithm, one octet each (RFC 5246 §7.4.1.4.1).
    let digest = match scheme >> 8 {
        2 => Digest::Sha1,
        3 => Digest::Sha224,
        4 => Digest::Sha256,
        5 => Digest::Sha384,
        6 => Digest::Sha512,
        _ => return None,
    };
    match scheme & 0xff {
        1 => Some((SignatureAlgorithm::RsaPkcs1(digest), KeyKind::Rsa)),
        2 => Some((SignatureAlgorithm::Dsa(digest), KeyKind::Dsa)),
        3 => Some((SignatureAlgorithm::Ecdsa(digest), KeyKind::Ec)),
        _ => None,
    }
}
