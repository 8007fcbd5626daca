//! WebPKI validation (RFC 5280, RFC 6125) by rustls-webpki: for MTA-STS, for the levels `verify`
//! and `secure`, for the MTA-STS policy host, and to say afterwards that a chain happened to
//! validate. DANE never comes here.

use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::NamePattern;
use elsinore_dane::time::UnixTime;
use openssl::x509::X509;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime as RustlsTime};
use rustls::{CertificateError, Error, RootCertStore};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The certificate authorities that WebPKI validation trusts: the Mozilla set, and those of
/// `tls.ca_file`.
#[derive(Debug, Clone)]
pub struct WebPkiRoots {
    verifier: Arc<WebPkiServerVerifier>,
    store: Arc<RootCertStore>,
    fingerprint: [u8; 32],
}

/// Why `tls.ca_file` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not PEM.
    #[error("{path}: {reason}")]
    NotPem {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file holds no certificate.
    #[error("{path}: holds no certificate in PEM form")]
    Empty {
        /// The file.
        path: String,
    },
    /// A certificate cannot serve as a trust anchor.
    #[error("{path}: certificate {number} cannot be a trust anchor: {reason}")]
    NotAnAnchor {
        /// The file.
        path: String,
        /// Which of the certificates, counted from 1.
        number: usize,
        /// What was wrong.
        reason: String,
    },
    /// The verifier could not be built.
    #[error("no certificate authority can be trusted: {0}")]
    Verifier(String),
}

/// A chain to a trusted authority, and the name that its leaf covers. Made only by
/// [`WebPkiRoots::validate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebPkiProof {
    name: String,
}

impl WebPkiProof {
    /// The name that was demanded and is covered; a leading dot stands for any name below.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A chain to a trusted authority, whatever name its leaf carries. Made only by
/// [`WebPkiRoots::validate_chain`]; it authenticates nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebPkiChain {
    _made_here: (),
}

/// Why WebPKI validation failed (RFC 8460 §4.3 has a result type for each).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebPkiRefusal {
    /// A certificate of the chain has expired or is not valid yet.
    Expired,
    /// The chain is good, but for another name.
    HostMismatch,
    /// No path to a trusted authority: unknown issuer, missing intermediate, bad signature.
    NotTrusted,
    /// The server's certificate cannot be parsed or may not serve a server.
    Malformed,
    /// The server sent no certificate.
    NoCertificate,
}

impl fmt::Display for WebPkiRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "expired or not valid yet",
            Self::HostMismatch => "valid for another name only",
            Self::NotTrusted => "no path to a trusted authority",
            Self::Malformed => "malformed or not a server certificate",
            Self::NoCertificate => "none was sent",
        })
    }
}

fn pem_fault(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a PEM section has no end line",
        pem::Error::IllegalSectionStart { .. } => "a PEM section has a malformed first line",
        pem::Error::Base64Decode(_) => "a PEM section is not base64",
        _ => "is not PEM",
    }
}

fn anchor_fault(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::BadEncoding) => {
            "it is not an X.509 certificate".to_owned()
        }
        other => other.to_string(),
    }
}

impl WebPkiRoots {
    /// The Mozilla set and the certificates of `ca_file` (PEM).
    ///
    /// # Errors
    /// [`RootsError`] when the file does not hold usable certificates.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, RootsError> {
        let mut store = RootCertStore::empty();
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let mut own: Vec<u8> = Vec::new();
        if let Some(path) = ca_file {
            let shown = path.display().to_string();
            let text = std::fs::read(path).map_err(|error| RootsError::Unreadable {
                path: shown.clone(),
                error,
            })?;
            for (index, certificate) in CertificateDer::pem_slice_iter(&text).enumerate() {
                let certificate = certificate.map_err(|error| RootsError::NotPem {
                    path: shown.clone(),
                    reason: pem_fault(&error),
                })?;
                own.extend_from_slice(&certificate);
                store
                    .add(certificate)
                    .map_err(|error| RootsError::NotAnAnchor {
                        path: shown.clone(),
                        number: index.saturating_add(1),
                        reason: anchor_fault(&error),
                    })?;
            }
            if own.is_empty() {
                return Err(RootsError::Empty { path: shown });
            }
        }
        Self::from_store(store, &own)
    }

    fn from_store(store: RootCertStore, own: &[u8]) -> Result<Self, RootsError> {
        let store = Arc::new(store);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(&store), provider())
            .build()
            .map_err(|error| RootsError::Verifier(error.to_string()))?;
        Ok(Self {
            verifier,
            store,
            fingerprint: openssl::sha::sha256(own),
        })
    }

    /// SHA-256 over the authorities added to the Mozilla set: part of the key under which learnt
    /// state is kept.
    #[must_use]
    pub const fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// The trust store, for the HTTPS client.
    #[must_use]
    pub fn store(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.store)
    }

    /// Validates `chain` (DER, leaf first) at `now` for any one of `names`.
    ///
    /// # Errors
    /// [`WebPkiRefusal`]; of several names' refusals the one that got furthest.
    pub fn validate<C: AsRef<[u8]>>(
        &self,
        chain: &[C],
        names: &[NamePattern],
        now: UnixTime,
    ) -> Result<WebPkiProof, WebPkiRefusal> {
        let certificates: Vec<CertificateDer<'_>> = chain
            .iter()
            .map(|der| CertificateDer::from(der.as_ref()))
            .collect();
        let (leaf, intermediates) = certificates
            .split_first()
            .ok_or(WebPkiRefusal::NoCertificate)?;
        let now = RustlsTime::since_unix_epoch(Duration::from_secs(
            u64::try_from(now.0).unwrap_or_default(),
        ));
        let mut refusal = WebPkiRefusal::HostMismatch;
        for pattern in names {
            // A dot-pattern is met by a name of the certificate's own, which is then validated
            // like any other.
            let candidates = match pattern {
                NamePattern::Exact(name) => vec![(name.as_str().to_owned(), name.to_string())],
                NamePattern::Below(parent) => dns_names_below(leaf, parent)
                    .into_iter()
                    .map(|name| (name, format!(".{parent}")))
                    .collect(),
            };
            for (candidate, shown) in candidates {
                let Ok(server_name) = ServerName::try_from(candidate.as_str()) else {
                    continue;
                };
                match self
                    .verifier
                    .verify_server_cert(leaf, intermediates, &server_name, &[], now)
                {
                    Ok(_) => return Ok(WebPkiProof { name: shown }),
                    Err(error) => match refusal_of(&error) {
                        WebPkiRefusal::HostMismatch => {}
                        other => refusal = other,
                    },
                }
            }
        }
        Err(refusal)
    }

    /// Whether `chain` (DER, leaf first) leads to a trusted authority at `now`, whatever its name:
    /// what operators know as *Trusted* in their logs, and worth no more than that.
    pub fn validate_chain<C: AsRef<[u8]>>(
        &self,
        chain: &[C],
        now: UnixTime,
    ) -> Option<WebPkiChain> {
        // Nobody has a certificate for a name below `invalid` (RFC 6761 §6.4), and the name is
        // looked at last: a refusal for its sake says that all else is good.
        let nobody = DomainName::parse("nobody.invalid").ok()?;
        match self.validate(chain, &[NamePattern::Exact(nobody)], now) {
            Ok(_) | Err(WebPkiRefusal::HostMismatch) => Some(WebPkiChain { _made_here: () }),
            Err(_) => None,
        }
    }
}

/// The names of the leaf's DNS-IDs that lie below `parent`; a wildcard stands for one label. At
/// most 100 are considered.
fn dns_names_below(leaf: &CertificateDer<'_>, parent: &DomainName) -> Vec<String> {
    let Ok(certificate) = X509::from_der(leaf) else {
        return Vec::new();
    };
    let Some(names) = certificate.subject_alt_names() else {
        return Vec::new();
    };
    names
        .iter()
        .filter_map(|name| name.dnsname())
        .filter_map(|text| DomainName::parse(&text.replacen("*.", "wildcard.", 1)).ok())
        .filter(|name| name != parent && name.is_at_or_below(parent))
        .take(100)
        .map(|name| name.to_string())
        .collect()
}

/// Maps the validator's word to ours.
pub(crate) fn refusal_of(error: &Error) -> WebPkiRefusal {
    let Error::InvalidCertificate(error) = error else {
        return WebPkiRefusal::NotTrusted;
    };
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => WebPkiRefusal::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            WebPkiRefusal::HostMismatch
        }
        CertificateError::BadEncoding
        | CertificateError::UnhandledCriticalExtension
        | CertificateError::InvalidPurpose
        | CertificateError::InvalidPurposeContext { .. } => WebPkiRefusal::Malformed,
        _ => WebPkiRefusal::NotTrusted,
    }
}

/// The one provider of this process, always named explicitly.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    use std::sync::OnceLock;
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}
