//! The certificate verifier given to rustls: raw DER in, the judge's word out.
//!
//! rustls' own signature routines parse the leaf again and refuse version 1 certificates, RSA
//! keys below 2048 bits and odd extensions, none of which matters to DANE; they are never called
//! here. A refusal leaves the handshake as a typed value inside the error, not as text.

use crate::tls::KeyProof;
use crate::tls::judge::{Refusal, judge};
use crate::tls::webpki::WebPkiRoots;
use elsinore_dane::obligation::Requirements;
use elsinore_dane::time::UnixTime;
use elsinore_dane::verify::{VerifyOptions, verify_handshake_signature};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime as RustlsTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the certificate must prove.
#[derive(Debug, Clone)]
pub(crate) enum Trial {
    /// No identity is claimed: any octets will do.
    Anything,
    /// The judge decides.
    Requirements(Box<Requirements>),
}

/// One verifier per obligation; sessions are resumed only under the very same object.
#[derive(Debug)]
pub(crate) struct ObligationVerifier {
    trial: Trial,
    roots: WebPkiRoots,
    options: VerifyOptions,
    schemes: Vec<SignatureScheme>,
    /// Set once any handshake under this obligation carried a signature that does not verify.
    /// Only possible when no identity is claimed; then nothing is said of an identity either.
    unproven_key: AtomicBool,
}

/// SHA-1 and RSASSA-PSS with an RSASSA-PSS key, which rustls does not offer of itself.
const RSA_PSS_PSS: [u16; 3] = [0x0809, 0x080a, 0x080b];

impl ObligationVerifier {
    pub(crate) fn new(trial: Trial, roots: WebPkiRoots, options: VerifyOptions) -> Self {
        let mut schemes = super::webpki::provider()
            .signature_verification_algorithms
            .supported_schemes();
        // Last, so that a modern server never picks them.
        schemes.extend(RSA_PSS_PSS.map(SignatureScheme::Unknown));
        if matches!(trial, Trial::Anything) {
            schemes.extend([
                SignatureScheme::RSA_PKCS1_SHA1,
                SignatureScheme::ECDSA_SHA1_Legacy,
            ]);
        }
        Self {
            trial,
            roots,
            options,
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

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let offered = self.schemes.contains(&signature.scheme);
        let scheme = u16::from(signature.scheme);
        let valid = offered
            && verify_handshake_signature(certificate, scheme, message, signature.signature())
                .is_ok();
        match (&self.trial, valid) {
            (_, true) => Ok(HandshakeSignatureValid::assertion()),
            (Trial::Anything, false) => {
                // Nothing is claimed about who holds the key, so nothing is lost (RFC 7435 §3);
                // the session is reported as such.
                self.unproven_key.store(true, Ordering::SeqCst);
                Ok(HandshakeSignatureValid::assertion())
            }
            (Trial::Requirements(_), false) => Err(refused(Refusal::Signature)),
        }
    }
}

impl ServerCertVerifier for ObligationVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: RustlsTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trial::Requirements(requirements) = &self.trial else {
            return Ok(ServerCertVerified::assertion());
        };
        let now = UnixTime(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let chain: Vec<&[u8]> = std::iter::once(end_entity)
            .chain(intermediates)
            .map(AsRef::as_ref)
            .collect();
        let names = requirements.webpki.as_ref().map(|w| w.names.as_slice());
        judge(requirements, &chain, now, &self.options, || {
            self.roots.validate(&chain, names.unwrap_or_default(), now)
        })
        .map_err(refused)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // RFC 8446 §4.2.3: PKCS #1 and SHA-1 may sign certificates, never a handshake.
        if matches!(
            u16::from(dss.scheme),
            0x0201 | 0x0203 | 0x0401 | 0x0501 | 0x0601
        ) {
            return Err(refused(Refusal::Signature));
        }
        self.check_signature(message, cert, dss)
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
