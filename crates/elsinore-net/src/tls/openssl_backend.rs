//! The second rung: OpenSSL, for peers that rustls cannot speak to. TLS 1.0 and 1.1, CBC suites,
//! RSA and DHE key exchange, certificate messages beyond 64 KiB.
//!
//! OpenSSL's own verification is off and its session cache too: the judge sees the chain of every
//! session right after the handshake. Post-quantum groups are not offered here, because their
//! long ClientHello is one of the reasons to come to this rung.
//!
//! # Limitations
//! OpenSSL parses every certificate and hands it back encoded anew, so a chain that is not DER
//! fails here, or does not match records over the octets as sent.

use crate::dialer::ByteStream;
use crate::tls::{
    Backend, Handshake, HandshakeTrouble, KeyProof, MinProtocol, Resumption, TlsDemand, TlsFacts,
    TlsFailure, TlsVersion, Unjudged,
};
use elsinore_dane::obligation::Obligation;
use openssl::error::ErrorStack;
use openssl::pkey::Id;
use openssl::ssl::{
    self, Ssl, SslContext, SslMethod, SslOptions, SslRef, SslSessionCacheMode, SslVerifyMode,
    SslVersion,
};
use std::io;
use std::pin::Pin;
use tokio_openssl::SslStream;

/// The back end. It holds no state: nothing is resumed on this rung.
#[derive(Debug)]
pub(crate) struct OpenSslBackend;

/// `SSL_OP_LEGACY_SERVER_CONNECT` of OpenSSL's `ssl.h`, which the bindings do not name.
const LEGACY_SERVER_CONNECT: SslOptions = SslOptions::from_bits_retain(0x4);

/// For key exchange, and in TLS 1.2 also the curves that a certificate's key may have.
const GROUPS: &str = "X25519:P-256:X448:P-521:P-384:ffdhe2048:ffdhe3072:ffdhe4096:\
    brainpoolP256r1:brainpoolP384r1:brainpoolP512r1:secp256k1";

/// What may sign the handshake of an authenticated session: no SHA-1, as on the other rung.
const SIGNATURES: &str = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:\
    rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:\
    rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:\
    ecdsa_brainpoolP256r1tls13_sha256:ecdsa_brainpoolP384r1tls13_sha384:\
    ecdsa_brainpoolP512r1tls13_sha512:\
    RSA+SHA256:RSA+SHA384:RSA+SHA512:DSA+SHA256:DSA+SHA384:DSA+SHA512";

impl OpenSslBackend {
    pub(crate) const fn new() -> Self {
        Self
    }

    pub(crate) async fn connect(
        &self,
        stream: Box<dyn ByteStream>,
        demand: &TlsDemand<'_>,
    ) -> Result<Unjudged, TlsFailure> {
        let ssl = prepare(demand).map_err(|error| TlsFailure::local(Backend::OpenSsl, &error))?;
        let mut tls = SslStream::new(ssl, stream)
            .map_err(|error| TlsFailure::local(Backend::OpenSsl, &error))?;
        Pin::new(&mut tls)
            .connect()
            .await
            .map_err(|error| failure(&error))?;
        let ssl = tls.ssl();
        let version = match ssl.version2() {
            Some(SslVersion::TLS1_3) => TlsVersion::Tls13,
            Some(SslVersion::TLS1_2) => TlsVersion::Tls12,
            Some(SslVersion::TLS1_1) => TlsVersion::Tls11,
            _ => TlsVersion::Tls10,
        };
        let cipher = ssl.current_cipher();
        let facts = TlsFacts {
            version,
            cipher: cipher.map_or("unknown", |c| c.name()).to_owned(),
            cipher_bits: cipher
                .and_then(|c| u16::try_from(c.bits().secret).ok())
                .unwrap_or_default(),
            group: group(ssl),
            backend: Backend::OpenSsl,
            resumption: Resumption::Full,
        };
        // All or nothing: were the leaf left out, the next certificate would be judged in its
        // place, and the handshake was not signed with that one's key.
        let chain: Vec<Vec<u8>> = match ssl.peer_cert_chain() {
            Some(chain) => chain
                .iter()
                .map(|certificate| certificate.to_der())
                .collect::<Result<_, _>>()
                .map_err(|error| TlsFailure::local(Backend::OpenSsl, &error))?,
            None => Vec::new(),
        };
        // OpenSSL checks the handshake signature whatever the verification mode; an anonymous
        // suite has none.
        let key_proof = if chain.is_empty() {
            KeyProof::Missing
        } else {
            KeyProof::Given
        };
        Ok(Unjudged {
            stream: Box::new(tls),
            handshake: Handshake::new(facts, chain, key_proof),
        })
    }
}

fn prepare(demand: &TlsDemand<'_>) -> Result<Ssl, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_security_level(0);
    context.set_verify(SslVerifyMode::NONE);
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    // A server from before RFC 5746 is no weaker than cleartext, and proves itself as any other;
    // this client never renegotiates.
    context
        .set_options(SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION | LEGACY_SERVER_CONNECT);
    let (minimum, ciphers) = match demand.min_protocol {
        MinProtocol::Any => (SslVersion::TLS1, "ALL:!eNULL:+aNULL:@SECLEVEL=0"),
        MinProtocol::Tls12 => (SslVersion::TLS1_2, "ALL:!aNULL:!eNULL:@SECLEVEL=0"),
        MinProtocol::Tls13 => (SslVersion::TLS1_3, "ALL:!aNULL:!eNULL:@SECLEVEL=0"),
    };
    let ciphers = match demand.obligation {
        // A certificate is wanted wherever one must be judged.
        Obligation::Authenticate(_) => {
            context.set_sigalgs_list(SIGNATURES)?;
            "ALL:!aNULL:!eNULL:@SECLEVEL=0"
        }
        Obligation::Skip(_)
        | Obligation::Cleartext
        | Obligation::Opportunistic
        | Obligation::Encrypt => ciphers,
    };
    if let Some(signatures) = demand.offer.openssl_signatures() {
        context.set_sigalgs_list(signatures)?;
    }
    context.set_cipher_list(demand.offer.openssl_ciphers().unwrap_or(ciphers))?;
    context.set_min_proto_version(Some(minimum))?;
    context.set_groups_list(GROUPS)?;
    let mut ssl = Ssl::new(&context.build())?;
    if let Some(name) = demand.sni {
        // A name that cannot be sent is not a reason to fail.
        if ssl.set_hostname(name.as_str()).is_err() {
            drop(ErrorStack::get());
        }
    }
    Ok(ssl)
}

/// The key exchange group, as the peer's ephemeral key tells it.
fn group(ssl: &SslRef) -> Option<String> {
    let key = ssl.peer_tmp_key().ok()?;
    match key.id() {
        Id::X25519 => Some("X25519".to_owned()),
        Id::X448 => Some("X448".to_owned()),
        Id::DH => Some(format!("DHE-{}", key.bits())),
        Id::EC => key
            .ec_key()
            .ok()
            .and_then(|key| key.group().curve_name())
            .and_then(|nid| nid.short_name().ok())
            .map(|name| match name {
                "prime256v1" => "secp256r1".to_owned(),
                other => other.to_owned(),
            }),
        _ => None,
    }
}

fn failure(error: &ssl::Error) -> TlsFailure {
    if let Some(io) = error.io_error() {
        return TlsFailure::handshake(
            Backend::OpenSsl,
            HandshakeTrouble::Connection(io.kind()),
            io.to_string(),
        );
    }
    let Some(stack) = error.ssl_error() else {
        return TlsFailure::handshake(
            Backend::OpenSsl,
            HandshakeTrouble::Connection(io::ErrorKind::UnexpectedEof),
            "the server closed the connection".to_owned(),
        );
    };
    let reason = stack
        .errors()
        .first()
        .and_then(|first| first.reason())
        .unwrap_or("protocol error");
    let trouble = if reason.contains("unrecognized name") {
        HandshakeTrouble::UnrecognisedName
    } else if reason.contains("alert") {
        HandshakeTrouble::Alert
    } else {
        HandshakeTrouble::Protocol
    };
    TlsFailure::handshake(Backend::OpenSsl, trouble, reason.to_owned())
}
