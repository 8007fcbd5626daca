//! TLS servers on an in-memory stream.

use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslVersion};
use openssl::x509::X509;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// The other end of a stream on which `context` serves TLS and echoes one line.
pub(crate) fn openssl_server(context: SslContext) -> DuplexStream {
    let (near, far) = duplex(256 * 1024);
    tokio::spawn(async move {
        let ssl = Ssl::new(&context).unwrap();
        let mut tls = tokio_openssl::SslStream::new(ssl, far).unwrap();
        if Pin::new(&mut tls).accept().await.is_ok() {
            echo(&mut tls).await;
        }
    });
    near
}

async fn echo(tls: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) {
    let mut buffer = [0; 64];
    while let Ok(length @ 1..) = tls.read(&mut buffer).await {
        if tls.write_all(&buffer[..length]).await.is_err() || tls.flush().await.is_err() {
            return;
        }
    }
}

/// An OpenSSL server of any age.
pub(crate) fn openssl_context(
    key: &PKey<Private>,
    chain: &[X509],
    adjust: impl FnOnce(&mut SslContextBuilder),
) -> SslContext {
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    context.set_security_level(0);
    context.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    context
        .set_min_proto_version(Some(SslVersion::TLS1))
        .unwrap();
    context.set_options(SslOptions::NO_TICKET);
    if let Some((leaf, rest)) = chain.split_first() {
        context.set_certificate(leaf).unwrap();
        context.set_private_key(key).unwrap();
        for certificate in rest {
            context.add_extra_chain_cert(certificate.clone()).unwrap();
        }
    }
    adjust(&mut context);
    context.build()
}

/// Presents whatever octets it was given.
#[derive(Debug)]
struct Anything(Arc<CertifiedKey>);

impl ResolvesServerCert for Anything {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A rustls server with any octets for certificates.
pub(crate) fn rustls_config(key: &PKey<Private>, chain: &[Vec<u8>]) -> Arc<rustls::ServerConfig> {
    rustls_config_of(key, chain, rustls::ALL_VERSIONS)
}

/// The same with these protocol versions.
pub(crate) fn rustls_config_of(
    key: &PKey<Private>,
    chain: &[Vec<u8>],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let der = key.private_key_to_pkcs8().unwrap();
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der));
    let key = provider.key_provider.load_private_key(der).unwrap();
    let chain = chain.iter().map(|der| CertificateDer::from(der.clone()));
    let certified = Arc::new(CertifiedKey::new(chain.collect(), key));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Anything(certified)));
    Arc::new(config)
}

/// The other end of a stream on which `config` serves TLS and echoes.
pub(crate) fn rustls_server(config: Arc<rustls::ServerConfig>) -> DuplexStream {
    let (near, far) = duplex(256 * 1024);
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        if let Ok(mut tls) = acceptor.accept(far).await {
            echo(&mut tls).await;
        }
    });
    near
}
