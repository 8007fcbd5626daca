//! The TLS of a mail server or policy host of the lab.

use super::mailbox::SessionTls;
use crate::scenario::TlsKind;
use elsinore_net::dialer::ByteStream;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    NameType, SniError, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslVerifyMode,
    SslVersion,
};
use openssl::x509::X509;
use std::io::{self, Write as _};
use std::pin::Pin;
use tokio_openssl::SslStream;

/// A certificate with its key and what is sent around it.
#[derive(Debug, Clone)]
pub struct Presented {
    /// The chain, the server's own first.
    pub chain: Vec<X509>,
    /// Its private key.
    pub key: PKey<Private>,
}

/// What a server presents, and to whom.
#[derive(Debug, Clone)]
pub struct Presentation {
    /// To everybody, unless something below says otherwise.
    pub first: Presented,
    /// With other kinds of keys: what the client can use or prefers is chosen.
    pub beside: Vec<Presented>,
    /// To clients that send one of these server names.
    pub by_name: Vec<(Vec<String>, Presented)>,
    /// To clients that send none.
    pub without_name: Option<Presented>,
}

/// A server context that presents all that and speaks what `kind` says.
///
/// # Errors
/// OpenSSL's own, when it refuses the key or a certificate; a temporary file that cannot be had.
pub fn context(presentation: &Presentation, kind: TlsKind) -> io::Result<SslContext> {
    let mut builder = builder(kind)?;
    for presented in std::iter::once(&presentation.first).chain(&presentation.beside) {
        present(&mut builder, presented)?;
    }
    let mut by_name = Vec::new();
    for (names, presented) in &presentation.by_name {
        by_name.push((names.clone(), context_of(presented, kind)?));
    }
    let without_name = (presentation.without_name.as_ref())
        .map(|presented| context_of(presented, kind))
        .transpose()?;
    if !by_name.is_empty() || without_name.is_some() {
        // The client may always go on: what it sees is the server's mistake to make.
        builder.set_servername_callback(move |ssl, _| {
            let sent = ssl.servername(NameType::HOST_NAME);
            let chosen = match sent {
                None => without_name.as_ref(),
                Some(name) => (by_name.iter())
                    .find(|(names, _)| names.iter().any(|one| one.eq_ignore_ascii_case(name)))
                    .map(|(_, context)| context),
            };
            match chosen.map(|context| ssl.set_ssl_context(context)) {
                None | Some(Ok(())) => Ok(()),
                Some(Err(_)) => Err(SniError::ALERT_FATAL),
            }
        });
    }
    Ok(builder.build())
}

fn context_of(presented: &Presented, kind: TlsKind) -> io::Result<SslContext> {
    let mut builder = builder(kind)?;
    present(&mut builder, presented)?;
    Ok(builder.build())
}

/// Adds a certificate with a chain of its own: certificates added by
/// `SSL_CTX_add_extra_chain_cert` would be sent with every key's.
fn present(builder: &mut SslContextBuilder, presented: &Presented) -> io::Result<()> {
    if presented.chain.is_empty() {
        return Ok(());
    }
    let mut file = tempfile::NamedTempFile::new()?;
    for certificate in &presented.chain {
        file.write_all(&certificate.to_pem()?)?;
    }
    file.flush()?;
    builder.set_certificate_chain_file(file.path())?;
    builder.set_private_key(&presented.key)?;
    Ok(())
}

fn builder(kind: TlsKind) -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_server())?;
    builder.set_verify(SslVerifyMode::NONE);
    // A server with RSA-1024 or SHA-1 is still a server: level 0 lets it be one.
    builder.set_security_level(0);
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
    Ok(builder)
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
