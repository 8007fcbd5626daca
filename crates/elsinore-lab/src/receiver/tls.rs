//! The TLS of a mail server or policy host of the lab.

use super::mailbox::SessionTls;
use crate::scenario::TlsKind;
use elsinore_net::dialer::ByteStream;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    NameType, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use std::io;
use std::pin::Pin;
use tokio_openssl::SslStream;

/// A server context that sends `chain` (leaf first) and speaks what `kind` says.
///
/// # Errors
/// OpenSSL's own, when it refuses the key or a certificate.
pub fn context(
    chain: &[X509],
    key: &PKey<Private>,
    kind: TlsKind,
) -> Result<SslContext, ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_server())?;
    builder.set_verify(SslVerifyMode::NONE);
    let mut certificates = chain.iter();
    if let Some(leaf) = certificates.next() {
        // A server with RSA-1024 or SHA-1 is still a server: level 0 lets it be one.
        builder.set_security_level(0);
        builder.set_certificate(leaf)?;
        builder.set_private_key(key)?;
    }
    for certificate in certificates {
        builder.add_extra_chain_cert(certificate.clone())?;
    }
    match kind {
        TlsKind::Modern => builder.set_min_proto_version(Some(SslVersion::TLS1_2))?,
        TlsKind::Tls10 => {
            builder.set_min_proto_version(Some(SslVersion::TLS1))?;
            builder.set_max_proto_version(Some(SslVersion::TLS1))?;
            builder.set_cipher_list("ALL:@SECLEVEL=0")?;
        }
        TlsKind::RsaCbc => {
            builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
            builder.set_max_proto_version(Some(SslVersion::TLS1_2))?;
            builder.set_cipher_list("AES128-SHA:AES256-SHA:@SECLEVEL=0")?;
        }
    }
    builder.set_options(SslOptions::NO_RENEGOTIATION);
    Ok(builder.build())
}

/// Makes the TLS handshake as the server.
///
/// # Errors
/// Whatever ended the handshake.
pub async fn accept(
    context: &SslContext,
    stream: Box<dyn ByteStream>,
) -> io::Result<(Box<dyn ByteStream>, SessionTls)> {
    let ssl = Ssl::new(context)?;
    let mut tls = SslStream::new(ssl, stream)?;
    Pin::new(&mut tls)
        .accept()
        .await
        .map_err(|error| io::Error::other(error.to_string()))?;
    let session = SessionTls {
        version: tls.ssl().version_str().to_owned(),
        cipher: tls
            .ssl()
            .current_cipher()
            .map_or_else(String::new, |cipher| cipher.name().to_owned()),
        sni: tls.ssl().servername(NameType::HOST_NAME).map(str::to_owned),
    };
    Ok((Box::new(tls), session))
}
