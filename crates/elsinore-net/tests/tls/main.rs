//! TLS sessions: both back ends against servers with odd certificates and odd protocols.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has failed"
)]

mod odd;
mod offers;
mod pki;
mod protocols;
mod resumption;
mod rungs;
mod server;
#[path = "../../../elsinore-dane/tests/skipped.rs"]
mod skipped;
mod verdicts;

use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::{
    DaneRequirement, NamePattern, Obligation, PinRequirement, Requirements, WebPkiReason,
    WebPkiRequirement,
};
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::VerifyOptions;
use elsinore_net::clock::FixedClock;
use elsinore_net::dialer::ByteStream;
use elsinore_net::tls::webpki::WebPkiRoots;
use elsinore_net::tls::{Backend, MinProtocol, TlsConnector, TlsDemand, TlsFailure, TlsSession};
use openssl::x509::X509;
use std::io::Write as _;
use std::sync::Arc;

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// A connector that trusts `authority` besides the built-in set.
pub(crate) fn connector(authority: Option<&X509>) -> TlsConnector {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let path = authority.map(|authority| {
        file.write_all(&authority.to_pem().unwrap()).unwrap();
        file.path().to_owned()
    });
    let roots = WebPkiRoots::new(path.as_deref()).unwrap();
    let clock = Arc::new(FixedClock(UnixTime(pki::NOW)));
    TlsConnector::new(roots, clock, VerifyOptions::smtp())
}

/// An obligation to match `records`, with `mx.example` as the base domain.
pub(crate) fn dane(records: Vec<TlsaRecord>) -> Obligation {
    Obligation::Authenticate(Requirements {
        dane: Some(DaneRequirement {
            base_domain: name("mx.example"),
            records,
            reference_identifiers: vec![name("mx.example"), name("example")],
            mx_secure: true,
        }),
        webpki: None,
        pins: None,
    })
}

pub(crate) fn webpki(names: Vec<NamePattern>) -> Obligation {
    Obligation::Authenticate(Requirements {
        dane: None,
        webpki: Some(WebPkiRequirement {
            names,
            because: WebPkiReason::Sts,
        }),
        pins: None,
    })
}

pub(crate) fn pinned(sha256: [u8; 32]) -> Obligation {
    Obligation::Authenticate(Requirements {
        dane: None,
        webpki: None,
        pins: Some(PinRequirement {
            sha256: vec![sha256],
        }),
    })
}

/// `3 1 1` of a certificate.
pub(crate) fn tlsa_311(certificate: &X509) -> TlsaRecord {
    let spki = certificate
        .public_key()
        .unwrap()
        .public_key_to_der()
        .unwrap();
    TlsaRecord::new(3, 1, 1, &openssl::sha::sha256(&spki))
}

/// `u 0 1` of a certificate.
pub(crate) fn tlsa_cert(usage: u8, certificate: &X509) -> TlsaRecord {
    TlsaRecord::new(
        usage,
        0,
        1,
        &openssl::sha::sha256(&certificate.to_der().unwrap()),
    )
}

pub(crate) async fn connect(
    connector: &TlsConnector,
    backend: Backend,
    stream: impl ByteStream + 'static,
    obligation: &Obligation,
) -> Result<TlsSession, TlsFailure> {
    let sni = name("mx.example");
    let demand = TlsDemand::new(obligation, Some(&sni), "mx.example", MinProtocol::Tls12);
    connector.connect(backend, Box::new(stream), &demand).await
}

pub(crate) const BOTH: [Backend; 2] = [Backend::Rustls, Backend::OpenSsl];
