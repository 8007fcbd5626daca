//! The first rung: rustls 0.23 with aws-lc-rs, TLS 1.2 and 1.3, X25519MLKEM768 offered.

use crate::clock::Clock;
use crate::dialer::ByteStream;
use crate::tls::session_key::{SessionKey, SessionKeys};
use crate::tls::verifier::{ObligationVerifier, refusal_in};
use crate::tls::webpki::provider;
use crate::tls::{
    Backend, ClockForRustls, Handshake, HandshakeTrouble, KeyProof, MinProtocol, Resumption,
    SessionReuse, SignatureOffer, TlsDemand, TlsFacts, TlsFailure, TlsVersion, Unjudged, key_duty,
};
use rustls::client::Resumption as RustlsResumption;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, Error, HandshakeKind, ProtocolVersion};
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsConnector as RustlsConnector;

/// A configuration and the verifier inside it.
#[derive(Debug, Clone)]
struct Prepared {
    config: Arc<ClientConfig>,
    verifier: Arc<ObligationVerifier>,
}

/// The back end; sessions are kept per [`SessionKey`].
#[derive(Debug)]
pub(crate) struct RustlsBackend {
    clock: Arc<dyn Clock>,
    reuse: SessionReuse,
    prepared: SessionKeys<Prepared>,
}

impl RustlsBackend {
    pub(crate) fn new(clock: Arc<dyn Clock>, reuse: SessionReuse) -> Self {
        Self {
            clock,
            reuse,
            prepared: SessionKeys::new(),
        }
    }

    /// Forgets the sessions of `demand`: the next handshake is a full one.
    pub(crate) fn forget(&self, demand: &TlsDemand<'_>) {
        self.prepared.forget(&SessionKey::of(demand));
    }

    fn prepare(&self, demand: &TlsDemand<'_>) -> Result<Prepared, TlsFailure> {
        let verifier = Arc::new(ObligationVerifier::new(
            key_duty(demand.obligation),
            demand.offer,
        ));
        let versions = match demand.min_protocol {
            MinProtocol::Tls13 => &[&rustls::version::TLS13][..],
            // rustls speaks nothing older than 1.2.
            MinProtocol::Any | MinProtocol::Tls12 => rustls::ALL_VERSIONS,
        };
        let time = Arc::new(ClockForRustls(Arc::clone(&self.clock)));
        let provider = match demand.offer {
            SignatureOffer::Any => provider(),
            narrower @ (SignatureOffer::RsaOnly | SignatureOffer::EcdsaOnly) => {
                Arc::new(narrower.narrow(&provider()))
            }
        };
        //= spec: 7672-8.2-1
        let mut config = ClientConfig::builder_with_details(provider, time)
            .with_protocol_versions(versions)
            .map_err(|error| TlsFailure::local(Backend::Rustls, &error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<_>)
            .with_no_client_auth();
        config.resumption = match self.reuse {
            SessionReuse::UnderTheSameDemand => RustlsResumption::in_memory_sessions(8),
            SessionReuse::Never => RustlsResumption::disabled(),
        };
        config.enable_sni = server_name(demand).is_some();
        Ok(Prepared {
            config: Arc::new(config),
            verifier,
        })
    }

    pub(crate) async fn connect(
        &self,
        stream: Box<dyn ByteStream>,
        demand: &TlsDemand<'_>,
    ) -> Result<Unjudged, TlsFailure> {
        let key = SessionKey::of(demand);
        let prepared = match self.reuse {
            SessionReuse::UnderTheSameDemand => {
                self.prepared.find_or_make(&key, || self.prepare(demand))?
            }
            SessionReuse::Never => self.prepare(demand)?,
        };
        // Without a name that rustls accepts, a name of no meaning: it is not sent, and the
        // verifier does not read it.
        let name = match server_name(demand) {
            Some(name) => name,
            None => ServerName::try_from("sni.invalid")
                .map_err(|error| TlsFailure::local(Backend::Rustls, &error))?,
        };
        let connector = RustlsConnector::from(Arc::clone(&prepared.config));
        let tls = match connector.connect(name, stream).await {
            Ok(tls) => tls,
            Err(error) => return Err(failure(&error)),
        };
        let (_, connection) = tls.get_ref();
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
            _ => TlsVersion::Tls12,
        };
        let suite = connection.negotiated_cipher_suite();
        let cipher = suite
            .map(|suite| openssl_cipher_name(suite.suite().as_str().unwrap_or("unknown")))
            .unwrap_or_default();
        let facts = TlsFacts {
            version,
            cipher_bits: bits(&cipher),
            cipher,
            group: connection
                .negotiated_key_exchange_group()
                .map(|group| group_name(&format!("{:?}", group.name()))),
            backend: Backend::Rustls,
            resumption: match connection.handshake_kind() {
                Some(HandshakeKind::Resumed) => Resumption::Resumed,
                _ => Resumption::Full,
            },
        };
        let chain = connection
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|certificate| certificate.to_vec())
            .collect();
        let key_proof = prepared.verifier.key_proof();
        if key_proof == KeyProof::Missing {
            // The next session is judged afresh, and never resumes this one.
            self.prepared.forget(&key);
        }
        Ok(Unjudged {
            stream: Box::new(tls),
            handshake: Handshake::new(facts, chain, key_proof),
        })
    }
}

/// The name to send, if rustls can send it: not an address, not a name it calls invalid.
fn server_name(demand: &TlsDemand<'_>) -> Option<ServerName<'static>> {
    let text = demand.sni?.as_str();
    match ServerName::try_from(text.to_owned()) {
        Ok(name @ ServerName::DnsName(_)) => Some(name),
        _ => None,
    }
}

fn failure(error: &io::Error) -> TlsFailure {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let Some(tls) = inner else {
        return TlsFailure::handshake(
            Backend::Rustls,
            HandshakeTrouble::Connection(error.kind()),
            error.to_string(),
        );
    };
    if let Some(refusal) = refusal_in(tls) {
        return TlsFailure::refused(Backend::Rustls, refusal);
    }
    let trouble = match tls {
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            HandshakeTrouble::UnrecognisedName
        }
        Error::AlertReceived(_) => HandshakeTrouble::Alert,
        Error::NoCertificatesPresented => HandshakeTrouble::NoCertificate,
        _ => HandshakeTrouble::Protocol,
    };
    TlsFailure::handshake(Backend::Rustls, trouble, tls.to_string())
}

/// The suite in the words of OpenSSL, which are those of Postfix' logs.
fn openssl_cipher_name(iana: &str) -> String {
    if let Some(rest) = iana.strip_prefix("TLS13_") {
        return format!("TLS_{rest}");
    }
    let Some((exchange, cipher)) = iana
        .strip_prefix("TLS_")
        .and_then(|n| n.split_once("_WITH_"))
    else {
        return iana.to_owned();
    };
    let cipher = cipher
        .trim_end_matches("_SHA256")
        .trim_end_matches("_SHA384");
    let suffix = if cipher.starts_with("AES_256_GCM") {
        "-SHA384"
    } else if cipher.starts_with("AES_128_GCM") {
        "-SHA256"
    } else {
        ""
    };
    let cipher = cipher.replace("AES_", "AES").replace('_', "-");
    format!("{}-{cipher}{suffix}", exchange.replace('_', "-"))
}

fn bits(cipher: &str) -> u16 {
    if cipher.contains("128") { 128 } else { 256 }
}

/// The IANA spelling of a group.
fn group_name(name: &str) -> String {
    match name {
        "secp256r1" => "secp256r1",
        "secp384r1" => "secp384r1",
        "secp521r1" => "secp521r1",
        "X25519" => "X25519",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cipher_names_are_those_of_openssl() {
        for (iana, expected) in [
            ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
            (
                "TLS13_CHACHA20_POLY1305_SHA256",
                "TLS_CHACHA20_POLY1305_SHA256",
            ),
            (
                "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                "ECDHE-RSA-AES256-GCM-SHA384",
            ),
            (
                "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                "ECDHE-ECDSA-AES128-GCM-SHA256",
            ),
            (
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
                "ECDHE-RSA-CHACHA20-POLY1305",
            ),
        ] {
            assert_eq!(openssl_cipher_name(iana), expected);
        }
    }
}
