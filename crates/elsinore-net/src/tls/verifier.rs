//! The certificate verifier given to rustls. It checks one thing, that the handshake is signed
//! with the key of the certificate; who the server is, the judge says when the handshake is over.
//!
//! rustls' own signature routines parse the leaf again and refuse version 1 certificates, RSA
//! keys below 2048 bits and odd extensions, none of which matters to DANE; they are never called
//! here. A refusal leaves the handshake as a typed value inside the error, not as text.

use crate::tls::judge::Refusal;
use crate::tls::{KeyProof, SignatureOffer};
use elsinore_dane::verify::verify_handshake_signature;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime as RustlsTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a signature that does not verify means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyDuty {
    /// The end of the session: an identity is to be proven.
    Owed,
    /// A note: no identity is claimed.
    Noted,
}

/// One verifier per obligation; sessions are resumed only under the very same object.
#[derive(Debug)]
pub(crate) struct ObligationVerifier {
    duty: KeyDuty,
    schemes: Vec<SignatureScheme>,
    /// Set once any handshake under this obligation carried a signature that does not verify.
    /// Only possible when no identity is claimed; then nothing is said of an identity either.
    unproven_key: AtomicBool,
}

/// SHA-1 and RSASSA-PSS with an RSASSA-PSS key, which rustls does not offer of itself.
const RSA_PSS_PSS: [u16; 3] = [0x0809, 0x080a, 0x080b];

impl ObligationVerifier {
    pub(crate) fn new(duty: KeyDuty, offer: SignatureOffer) -> Self {
        let mut schemes = super::webpki::provider()
            .signature_verification_algorithms
            .supported_schemes();
        // Last, so that a modern server never picks them.
        schemes.extend(RSA_PSS_PSS.map(SignatureScheme::Unknown));
        if duty == KeyDuty::Noted {
            schemes.extend([
                SignatureScheme::RSA_PKCS1_SHA1,
                SignatureScheme::ECDSA_SHA1_Legacy,
            ]);
        }
        schemes.retain(|scheme| offer.includes(*scheme));
        Self {
            duty,
            schemes,
            unproven_key: AtomicBool::new(false),
        }
    }

    /// Whether every handshake under this obligation was signed with the certificate's key.
    pub(crate) fn key_proof(&self) -> KeyProof {
        if self.unproven_key.load(Ordering::SeqCst) {
            KeyProof::Missing
        } else {
            KeyProof::Given
        }
    }

    /// Checks the signature, if its scheme is one that this version may sign a handshake with.
    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
        scheme: SchemeRule,
    ) -> Result<HandshakeSignatureValid, Error> {
        let number = u16::from(signature.scheme);
        let valid = scheme == SchemeRule::Sound
            && self.schemes.contains(&signature.scheme)
            && verify_handshake_signature(certificate, number, message, signature.signature())
                .is_ok();
        match (self.duty, valid) {
            (_, true) => Ok(HandshakeSignatureValid::assertion()),
            (KeyDuty::Noted, false) => {
                // Nothing is claimed about who holds the key, so nothing is lost (RFC 7435 §3);
                // the session is reported as such.
                self.unproven_key.store(true, Ordering::SeqCst);
                Ok(HandshakeSignatureValid::assertion())
            }
            (KeyDuty::Owed, false) => Err(refused(Refusal::Signature)),
        }
    }
}

/// Whether the protocol version knows a signature scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SchemeRule {
    Sound,
    Forbidden,
}

impl ServerCertVerifier for ObligationVerifier {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: RustlsTime,
    ) -> Result<ServerCertVerified, Error> {
        // Not a verdict: `TlsConnector` judges the chain before it hands the session out.
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss, SchemeRule::Sound)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // RFC 8446 §4.2.3: PKCS #1 and SHA-1 may sign certificates, never a handshake.
        let rule = match u16::from(dss.scheme) {
            0x0201 | 0x0203 | 0x0401 | 0x0501 | 0x0601 => SchemeRule::Forbidden,
            _ => SchemeRule::Sound,
        };
        self.check_signature(message, cert, dss, rule)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

fn refused(refusal: Refusal) -> Error {
    CertificateError::Other(OtherError(Arc::new(refusal))).into()
}

/// The refusal inside a handshake error, if the judge made it.
pub(crate) fn refusal_in(error: &Error) -> Option<Refusal> {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
            inner.downcast_ref::<Refusal>().cloned()
        }
        _ => None,
    }
}
