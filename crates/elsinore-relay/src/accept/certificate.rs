//! The certificate for STARTTLS, read again when its files change.

use super::settings::TlsFiles;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Octets of a file with certificates or a key.
const MAX_FILE: u64 = 1024 * 1024;

/// Why a certificate is not used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{file}: {error}")]
    File {
        /// Which.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// A file holds something else than it should.
    #[error("{file}: {fault}")]
    Pem {
        /// Which.
        file: String,
        /// What is wrong.
        fault: String,
    },
    /// They do not belong together, or cannot be used.
    #[error("{certificate}, {key}: {error}")]
    Unusable {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// What is wrong.
        error: rustls::Error,
    },
}

/// Whether the certificate can be used, without using it. Called within a tokio runtime.
///
/// # Errors
/// [`CertificateError`].
pub async fn check_certificate(files: &TlsFiles) -> Result<(), CertificateError> {
    let pair = Pair::read(files).await?;
    pair.configuration(files).map(|_| ())
}

/// What the files held when they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Pair {
    pub(super) async fn read(files: &TlsFiles) -> Result<Self, CertificateError> {
        Ok(Self {
            certificate: read(&files.certificate).await?,
            key: read(&files.key).await?,
        })
    }

    /// The configuration with this certificate, if it fits its key.
    pub(super) fn configuration(
        &self,
        files: &TlsFiles,
    ) -> Result<Arc<ServerConfig>, CertificateError> {
        let pem = |file: &Path, fault: String| CertificateError::Pem {
            file: file.display().to_string(),
            fault,
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| pem(&files.certificate, error.to_string()))?;
        if chain.is_empty() {
            return Err(pem(&files.certificate, "no certificate in it".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| pem(&files.key, error.to_string()))?;
        let unusable = |error| CertificateError::Unusable {
            certificate: files.certificate.display().to_string(),
            key: files.key.display().to_string(),
            error,
        };
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(unusable)?
                .with_no_client_auth()
                // Compares the key with the certificate's.
                .with_single_cert(chain, key)
                .map_err(unusable)?;
        // Clients that come again need no memory of ours.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(unusable)?;
        Ok(Arc::new(config))
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let wrong = |error| CertificateError::File {
        file: path.display().to_string(),
        error,
    };
    let octets = tokio::fs::metadata(path).await.map_err(wrong)?.len();
    if octets > MAX_FILE {
        return Err(wrong(io::Error::other("larger than a megabyte")));
    }
    tokio::fs::read(path).await.map_err(wrong)
}

/// TLS of a connection, in the words of the Received field.
pub(super) fn described(connection: &rustls::ServerConnection) -> String {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    let suite = connection
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str())
        .unwrap_or("unknown");
    // OpenSSL's name, which mail software shows: of TLS 1.3 the IANA name without the 13.
    let cipher = suite.replace("TLS13_", "TLS_");
    format!("{version} with cipher {cipher}")
}
