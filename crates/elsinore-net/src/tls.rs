//! TLS with a server that must, or need not, prove who it is.
//!
//! One interface, two back ends: rustls for everybody, OpenSSL (feature `legacy-tls`) for peers
//! that rustls cannot speak to. Both complete the handshake and hand the chain to the same judge,
//! before anything is said inside the session.

pub mod facts;
pub mod handshake;
pub mod judge;
pub mod offer;
pub mod webpki;

mod rustls_backend;
pub(crate) mod session_key;
mod verifier;

#[cfg(feature = "legacy-tls")]
mod openssl_backend;

pub use facts::{Backend, MinProtocol, Resumption, TlsFacts, TlsVersion};
pub use handshake::{Handshake, KeyProof, LeafKey};
pub use judge::Judge;
pub use offer::SignatureOffer;

use crate::clock::Clock;
use crate::dialer::ByteStream;
use crate::tls::judge::{Proofs, Refusal};
use crate::tls::rustls_backend::RustlsBackend;
use crate::tls::verifier::KeyDuty;
use crate::tls::webpki::WebPkiRoots;
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::Obligation;
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
    /// Which keys of a certificate the ClientHello can make use of.
    pub offer: SignatureOffer,
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
            offer: SignatureOffer::Any,
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
    /// What the handshake showed.
    pub handshake: Handshake,
    /// What the server proved. Under an obligation that demands nothing, `webpki` says whether
    /// the chain happened to validate for the MX host.
    pub proofs: Proofs,
}

/// A completed handshake on which no verdict has been passed yet. Nothing may be said on the stream
/// that is worth protecting.
#[derive(Debug)]
pub struct Unjudged {
    /// The protected stream.
    pub stream: Box<dyn ByteStream>,
    /// What the handshake showed.
    pub handshake: Handshake,
}

/// Why there is no session. The connection is spent: the next rung needs a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFailure {
    /// The library that spoke.
    pub backend: Backend,
    /// What went wrong.
    pub cause: TlsFailureCause,
    /// What the handshake had shown, when it was complete and the server was refused afterwards.
    pub established: Option<Box<Handshake>>,
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
    judge: Judge,
    clock: Arc<dyn Clock>,
}

impl TlsConnector {
    /// A connector that trusts `roots` for WebPKI and judges by `clock`.
    #[must_use]
    pub fn new(roots: WebPkiRoots, clock: Arc<dyn Clock>, options: VerifyOptions) -> Self {
        Self::with_reuse(roots, clock, options, SessionReuse::UnderTheSameDemand)
    }

    /// A connector that resumes nothing: each handshake shows the certificates of the server that
    /// it was made with.
    #[must_use]
    pub fn without_resumption(
        roots: WebPkiRoots,
        clock: Arc<dyn Clock>,
        options: VerifyOptions,
    ) -> Self {
        Self::with_reuse(roots, clock, options, SessionReuse::Never)
    }

    fn with_reuse(
        roots: WebPkiRoots,
        clock: Arc<dyn Clock>,
        options: VerifyOptions,
        reuse: SessionReuse,
    ) -> Self {
        Self {
            rustls: RustlsBackend::new(Arc::clone(&clock), reuse),
            #[cfg(feature = "legacy-tls")]
            openssl: openssl_backend::OpenSslBackend::new(),
            judge: Judge::new(roots, options),
            clock,
        }
    }

    /// What judges the servers.
    #[must_use]
    pub const fn judge(&self) -> &Judge {
        &self.judge
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
        let Unjudged { stream, handshake } = self.shake(backend, stream, demand).await?;
        let proofs = self.conclude(&handshake, demand)?;
        Ok(TlsSession {
            stream,
            handshake,
            proofs,
        })
    }

    /// Performs the handshake alone; [`conclude`](Self::conclude) is owed.
    ///
    /// # Errors
    /// [`TlsFailure`]; `stream` is then closed.
    pub(crate) async fn shake(
        &self,
        backend: Backend,
        stream: Box<dyn ByteStream>,
        demand: &TlsDemand<'_>,
    ) -> Result<Unjudged, TlsFailure> {
        match backend {
            Backend::Rustls => self.rustls.connect(stream, demand).await,
            #[cfg(feature = "legacy-tls")]
            Backend::OpenSsl => self.openssl.connect(stream, demand).await,
            #[cfg(not(feature = "legacy-tls"))]
            Backend::OpenSsl => Err(TlsFailure::local(
                backend,
                &"built without the feature legacy-tls",
            )),
        }
    }

    /// Puts the server of a completed handshake to the proof, the same for both back ends and for
    /// resumed sessions. The handshake is complete by then, so that what was negotiated can be said
    /// of a refused session too.
    ///
    /// # Errors
    /// [`TlsFailure`], with the handshake.
    pub(crate) fn conclude(
        &self,
        handshake: &Handshake,
        demand: &TlsDemand<'_>,
    ) -> Result<Proofs, TlsFailure> {
        let verdict = self.judge.verdict(handshake, demand, self.clock.now());
        verdict.map_err(|cause| {
            // The session must not be resumed: it would bring the refused chain back, even when
            // the server has a better one by then.
            self.rustls.forget(demand);
            TlsFailure {
                backend: handshake.facts.backend,
                cause,
                established: Some(Box::new(handshake.clone())),
            }
        })
    }
}

/// Whether sessions are resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionReuse {
    /// Under the very same demand.
    UnderTheSameDemand,
    /// Never.
    Never,
}
