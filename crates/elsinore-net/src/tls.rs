//! TLS with a server that must, or need not, prove who it is.
//!
//! One interface, two back ends: rustls for everybody, OpenSSL (feature `legacy-tls`) for peers
//! that rustls cannot speak to. Both complete the handshake and hand the chain to the same judge,
//! before anything is said inside the session.

pub mod facts;
pub mod judge;
pub mod webpki;

mod rustls_backend;
mod session_key;
mod verifier;

#[cfg(feature = "legacy-tls")]
mod openssl_backend;

pub use facts::{Backend, MinProtocol, Resumption, TlsFacts, TlsVersion};

use crate::clock::Clock;
use crate::dialer::ByteStream;
use crate::tls::judge::{Proofs, Refusal, judge};
use crate::tls::rustls_backend::RustlsBackend;
use crate::tls::verifier::KeyDuty;
use crate::tls::webpki::{WebPkiRefusal, WebPkiRoots};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::{NamePattern, Obligation};
use elsinore_dane::verify::VerifyOptions;
use rustls::pki_types::UnixTime as RustlsTime;
use rustls::time_provider::TimeProvider;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What a TLS session is for.
#[derive(Debug, Clone, Copy)]
pub struct TlsDemand<'a> {
    /// What the server must prove.
    pub obligation: &'a Obligation,
    /// The server name to send (RFC 7672 §8.1), if any.
    pub sni: Option<&'a DomainName>,
    /// The name in the MX record: part of the session key, and the name for which a WebPKI
    /// validation that nobody demanded is tried.
    pub mx_host: &'a str,
    /// The oldest version that will do.
    pub min_protocol: MinProtocol,
}

impl<'a> TlsDemand<'a> {
    /// The demand of `obligation`: authenticated sessions need `min_authenticated`, others
    /// anything.
    #[must_use]
    pub const fn new(
        obligation: &'a Obligation,
        sni: Option<&'a DomainName>,
        mx_host: &'a str,
        min_authenticated: MinProtocol,
    ) -> Self {
        Self {
            obligation,
            sni,
            mx_host,
            min_protocol: match obligation {
                Obligation::Authenticate(_) => min_authenticated,
                Obligation::Skip(_)
                | Obligation::Cleartext
                | Obligation::Opportunistic
                | Obligation::Encrypt => MinProtocol::Any,
            },
        }
    }
}

/// An established session that meets its obligation.
#[derive(Debug)]
pub struct TlsSession {
    /// The protected stream.
    pub stream: Box<dyn ByteStream>,
    /// What was negotiated.
    pub facts: TlsFacts,
    /// What the server proved. Under an obligation that demands nothing, `webpki` says whether
    /// the chain happened to validate for the MX host.
    pub proofs: Proofs,
    /// The certificates as sent, DER, leaf first; empty for an anonymous cipher suite.
    pub chain: Vec<Vec<u8>>,
    /// Whether the server showed that it holds the key of its certificate.
    pub key_proof: KeyProof,
}

/// Whether the handshake was signed with the key of the presented certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyProof {
    /// It was.
    Given,
    /// It was not, or could not be checked; tolerated only where no identity is claimed.
    Missing,
}

/// Why there is no session. The connection is spent: the next rung needs a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFailure {
    /// The library that spoke.
    pub backend: Backend,
    /// What went wrong.
    pub cause: TlsFailureCause,
    /// What had been negotiated, when the handshake was complete and the server was refused
    /// afterwards; nothing of SMTP was said on that session.
    pub established: Option<Box<TlsFacts>>,
}

/// What went wrong in a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFailureCause {
    /// The server did not prove what it must. Another back end would say the same.
    Refused(Refusal),
    /// The two sides found no common protocol, or one of them broke off.
    Handshake {
        /// Which kind.
        trouble: HandshakeTrouble,
        /// What the library said.
        text: String,
    },
    /// The version agreed upon is older than an authenticated session allows.
    TooOld(TlsVersion),
    /// Nothing to do with the peer: this program could not set the session up.
    Local(String),
}

/// How a handshake failed, as far as it matters to what is tried next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandshakeTrouble {
    /// The connection broke.
    Connection(io::ErrorKind),
    /// The peer sent a fatal alert.
    Alert,
    /// The peer knows no such server name and made it fatal.
    UnrecognisedName,
    /// The peer presented no certificate.
    NoCertificate,
    /// The peer's messages cannot be understood or agreed to.
    Protocol,
}

impl TlsFailure {
    pub(crate) const fn refused(backend: Backend, refusal: Refusal) -> Self {
        Self {
            backend,
            cause: TlsFailureCause::Refused(refusal),
            established: None,
        }
    }

    pub(crate) const fn handshake(
        backend: Backend,
        trouble: HandshakeTrouble,
        text: String,
    ) -> Self {
        Self {
            backend,
            cause: TlsFailureCause::Handshake { trouble, text },
            established: None,
        }
    }

    pub(crate) fn local(backend: Backend, error: &dyn fmt::Display) -> Self {
        Self {
            backend,
            cause: TlsFailureCause::Local(error.to_string()),
            established: None,
        }
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            TlsFailureCause::Refused(refusal) => write!(f, "{refusal}"),
            TlsFailureCause::Handshake { text, .. } => {
                write!(f, "TLS handshake failed ({}): {text}", self.backend)
            }
            TlsFailureCause::TooOld(version) => {
                write!(f, "{version} is too old for an authenticated session")
            }
            TlsFailureCause::Local(text) => {
                write!(f, "TLS could not be set up ({}): {text}", self.backend)
            }
        }
    }
}

impl std::error::Error for TlsFailure {}

/// What a back end hands over before the common conclusion.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) stream: Box<dyn ByteStream>,
    pub(crate) facts: TlsFacts,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) key_proof: KeyProof,
}

/// rustls reads the same clock as everything else.
#[derive(Debug)]
pub(crate) struct ClockForRustls(pub(crate) Arc<dyn Clock>);

impl TimeProvider for ClockForRustls {
    fn current_time(&self) -> Option<RustlsTime> {
        let seconds = u64::try_from(self.0.now().0).ok()?;
        Some(RustlsTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// What the handshake signature is worth under `obligation`.
pub(crate) const fn key_duty(obligation: &Obligation) -> KeyDuty {
    match obligation {
        Obligation::Authenticate(_) => KeyDuty::Owed,
        Obligation::Skip(_)
        | Obligation::Cleartext
        | Obligation::Opportunistic
        | Obligation::Encrypt => KeyDuty::Noted,
    }
}

/// Makes TLS sessions. One per process: it keeps the sessions that may be resumed.
#[derive(Debug)]
pub struct TlsConnector {
    rustls: RustlsBackend,
    #[cfg(feature = "legacy-tls")]
    openssl: openssl_backend::OpenSslBackend,
    roots: WebPkiRoots,
    clock: Arc<dyn Clock>,
    options: VerifyOptions,
}

impl TlsConnector {
    /// A connector that trusts `roots` for WebPKI and judges by `clock`.
    #[must_use]
    pub fn new(roots: WebPkiRoots, clock: Arc<dyn Clock>, options: VerifyOptions) -> Self {
        Self {
            rustls: RustlsBackend::new(Arc::clone(&clock)),
            #[cfg(feature = "legacy-tls")]
            openssl: openssl_backend::OpenSslBackend::new(),
            roots,
            clock,
            options,
        }
    }

    /// The authorities trusted for WebPKI.
    #[must_use]
    pub const fn roots(&self) -> &WebPkiRoots {
        &self.roots
    }

    /// Performs the handshake on `stream` with `backend` and puts the server to the proof that
    /// `demand` asks for. The deadline is the caller's.
    ///
    /// # Errors
    /// [`TlsFailure`]; `stream` is then closed.
    pub async fn connect(
        &self,
        backend: Backend,
        stream: Box<dyn ByteStream>,
        demand: &TlsDemand<'_>,
    ) -> Result<TlsSession, TlsFailure> {
        let session = match backend {
            Backend::Rustls => self.rustls.connect(stream, demand).await?,
            #[cfg(feature = "legacy-tls")]
            Backend::OpenSsl => self.openssl.connect(stream, demand).await?,
            #[cfg(not(feature = "legacy-tls"))]
            Backend::OpenSsl => {
                return Err(TlsFailure::local(
                    backend,
                    &"built without the feature legacy-tls",
                ));
            }
        };
        let facts = session.facts.clone();
        self.conclude(session, demand).map_err(|cause| {
            // The session must not be resumed: it would bring the refused chain back, even when
            // the server has a better one by then.
            self.rustls.forget(demand);
            TlsFailure {
                backend,
                cause,
                established: Some(Box::new(facts)),
            }
        })
    }

    /// The one place where a server is judged, the same for both back ends and for resumed
    /// sessions. The handshake is complete by then, so that what was negotiated can be said of a
    /// refused session too; nothing is written to the stream before the verdict.
    fn conclude(
        &self,
        established: Established,
        demand: &TlsDemand<'_>,
    ) -> Result<TlsSession, TlsFailureCause> {
        let Established {
            stream,
            facts,
            chain,
            key_proof,
        } = established;
        let enough = match demand.min_protocol {
            MinProtocol::Any => true,
            MinProtocol::Tls12 => facts.version >= TlsVersion::Tls12,
            MinProtocol::Tls13 => facts.version >= TlsVersion::Tls13,
        };
        if !enough {
            return Err(TlsFailureCause::TooOld(facts.version));
        }
        let now = self.clock.now();
        let proofs = match demand.obligation {
            Obligation::Authenticate(requirements) => {
                if key_proof == KeyProof::Missing {
                    return Err(TlsFailureCause::Refused(Refusal::Signature));
                }
                let names = requirements.webpki.as_ref().map(|w| w.names.as_slice());
                judge(requirements, &chain, now, &self.options, || {
                    self.roots.validate(&chain, names.unwrap_or_default(), now)
                })
                .map_err(TlsFailureCause::Refused)?
            }
            Obligation::Skip(_)
            | Obligation::Cleartext
            | Obligation::Opportunistic
            | Obligation::Encrypt => {
                // Nothing was demanded: say what happened to be true, if the key was proven.
                let mut by_chance = Proofs::default();
                if key_proof == KeyProof::Given
                    && let Ok(name) = DomainName::parse(demand.mx_host)
                {
                    let names = [NamePattern::Exact(name)];
                    match self.roots.validate(&chain, &names, now) {
                        Ok(proof) => by_chance.webpki = Some(proof),
                        Err(WebPkiRefusal::HostMismatch) => {
                            by_chance.webpki_chain = self.roots.validate_chain(&chain, now);
                        }
                        Err(_) => {}
                    }
                }
                by_chance
            }
        };
        Ok(TlsSession {
            stream,
            facts,
            proofs,
            chain,
            key_proof,
        })
    }
}
