//! One SMTP session over a byte stream: drives the state machine of `elsinore-smtp`, with the
//! time limits of each phase, TLS in the middle, and the message read from its spool in blocks.

use crate::deliver::{Spool, SpoolReader};
use crate::dialer::ByteStream;
use crate::tls::judge::Proofs;
use crate::tls::{
    Backend, HandshakeTrouble, KeyProof, TlsConnector, TlsDemand, TlsFacts, TlsFailure,
    TlsFailureCause,
};
use elsinore_smtp::client::{Action, ClientSession, Phase, SessionOutcome, Timeouts};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// Octets read from the network at once.
const READ: usize = 16 * 1024;
/// Octets still read after a write has failed: the reason why the server hung up.
const LAST_WORDS: usize = 16 * 1024;
/// How long those last words and the end of the connection may take.
const PARTING: Duration = Duration::from_secs(2);

/// What one session came to.
#[derive(Debug)]
pub struct SessionResult {
    /// What the dialogue came to.
    pub outcome: SessionOutcome,
    /// The TLS session, when there was one.
    pub tls: Option<TlsRecord>,
    /// Why the handshake failed, when one was tried and failed.
    pub tls_failure: Option<TlsFailure>,
}

/// What remains of a TLS session when its stream is gone.
#[derive(Debug, Clone)]
pub struct TlsRecord {
    /// What was negotiated.
    pub facts: TlsFacts,
    /// What the server proved.
    pub proofs: Proofs,
    /// Whether the server showed that it holds the key of its certificate.
    pub key_proof: KeyProof,
    /// Certificates that the server sent; 0 for an anonymous cipher suite.
    pub certificates: usize,
}

/// What a session needs besides the dialogue.
#[derive(Debug, Clone, Copy)]
pub struct SessionSettings<'a> {
    /// Makes the TLS session when the dialogue asks for it.
    pub tls: &'a TlsConnector,
    /// The library that speaks TLS on this rung.
    pub backend: Backend,
    /// What the server must prove.
    pub demand: TlsDemand<'a>,
    /// How long each phase may take.
    pub timeouts: &'a Timeouts,
    /// When everything must be over, except for the reply to a final dot already sent.
    pub deadline: Instant,
}

/// The message, positioned where the dialogue left off.
struct Source {
    spool: Arc<dyn Spool>,
    open: Option<(u64, Box<dyn SpoolReader>)>,
}

impl Source {
    /// Up to `at_most` octets from `offset` on; empty at the end. Files are read on a thread
    /// where blocking is allowed.
    async fn pull(&mut self, offset: u64, at_most: usize) -> io::Result<Vec<u8>> {
        let spool = Arc::clone(&self.spool);
        let open = self.open.take();
        let read = move || -> io::Result<_> {
            let (at, mut reader) = match open {
                Some(open) => open,
                None => (0, spool.open()?),
            };
            if at != offset {
                reader.seek(SeekFrom::Start(offset))?;
            }
            let mut octets = Vec::with_capacity(at_most);
            let limit = u64::try_from(at_most).unwrap_or(u64::MAX);
            reader.by_ref().take(limit).read_to_end(&mut octets)?;
            let length = u64::try_from(octets.len()).unwrap_or(u64::MAX);
            Ok((octets, offset.saturating_add(length), reader))
        };
        let (octets, at, reader) = tokio::task::spawn_blocking(read)
            .await
            .map_err(io::Error::other)??;
        self.open = Some((at, reader));
        Ok(octets)
    }
}

/// Drives `session` on `stream` until it is over and the connection closed.
pub async fn drive(
    stream: Box<dyn ByteStream>,
    mut session: ClientSession,
    settings: &SessionSettings<'_>,
    spool: &Arc<dyn Spool>,
) -> SessionResult {
    let mut stream = Some(stream);
    let mut source = Source {
        spool: Arc::clone(spool),
        open: None,
    };
    let mut tls = None;
    let mut tls_failure = None;
    let mut buffer = vec![0; READ];
    let mut end_deadline = None;
    loop {
        match session.next() {
            Action::Send { octets, phase } => {
                let Some(open) = stream.as_mut() else {
                    session.connection_lost();
                    continue;
                };
                let until = limit(settings, phase, &mut end_deadline);
                let write = async {
                    open.write_all(&octets).await?;
                    open.flush().await
                };
                match timeout_at(until, write).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => {
                        hear_last_words(open, &mut session, &mut buffer).await;
                        session.connection_lost();
                    }
                    Err(_) => session.timed_out(),
                }
            }
            Action::Receive { phase } => {
                let Some(open) = stream.as_mut() else {
                    session.connection_lost();
                    continue;
                };
                let until = limit(settings, phase, &mut end_deadline);
                match timeout_at(until, open.read(&mut buffer)).await {
                    Ok(Ok(0) | Err(_)) => session.connection_lost(),
                    Ok(Ok(length)) => session.received(&buffer[..length]),
                    Err(_) => session.timed_out(),
                }
            }
            Action::StartTls => {
                let Some(plain) = stream.take() else {
                    session.connection_lost();
                    continue;
                };
                let until = limit(settings, Phase::Handshake, &mut end_deadline);
                let handshake = settings
                    .tls
                    .connect(settings.backend, plain, &settings.demand);
                let result = timeout_at(until, handshake).await.unwrap_or_else(|_| {
                    Err(TlsFailure {
                        backend: settings.backend,
                        cause: TlsFailureCause::Handshake {
                            trouble: HandshakeTrouble::Connection(io::ErrorKind::TimedOut),
                            text: "timed out".to_owned(),
                        },
                        established: None,
                    })
                });
                match result {
                    Ok(established) => {
                        tls = Some(TlsRecord {
                            facts: established.facts,
                            proofs: established.proofs,
                            key_proof: established.key_proof,
                            certificates: established.chain.len(),
                        });
                        stream = Some(established.stream);
                        session.tls_established();
                    }
                    Err(failure) => {
                        session.tls_failed(&failure.to_string());
                        tls_failure = Some(failure);
                    }
                }
            }
            Action::PullMessage { offset, at_most } => match source.pull(offset, at_most).await {
                Ok(octets) => session.message_chunk(&octets),
                Err(error) => session.message_unreadable(&error.to_string()),
            },
            Action::Close => {
                if let Some(mut open) = stream.take() {
                    // A peer that closes without close_notify after QUIT does no harm.
                    let _ = timeout(PARTING, open.shutdown()).await;
                }
                return SessionResult {
                    outcome: session.into_outcome(),
                    tls,
                    tls_failure,
                };
            }
        }
    }
}

/// When the wait in `phase` ends. The reply to the final dot has one deadline of its own, however
/// slowly it drips, and is waited for even when everything else is late: giving up on it makes
/// duplicates (RFC 5321 §4.5.3.2.6).
fn limit(
    settings: &SessionSettings<'_>,
    phase: Phase,
    end_deadline: &mut Option<Instant>,
) -> Instant {
    let until = Instant::now() + settings.timeouts.of(phase);
    if phase == Phase::DataEnd {
        *end_deadline.get_or_insert(until)
    } else {
        *end_deadline = None;
        until.min(settings.deadline)
    }
}

/// After a failed write the server's reason may still lie in the receive buffer (RFC 5321 §3.8).
async fn hear_last_words(
    stream: &mut Box<dyn ByteStream>,
    session: &mut ClientSession,
    buffer: &mut [u8],
) {
    let until = Instant::now() + PARTING;
    let mut heard = 0;
    while heard < LAST_WORDS {
        match timeout_at(until, stream.read(buffer)).await {
            Ok(Ok(length)) if length > 0 => {
                heard += length;
                session.received(&buffer[..length]);
            }
            _ => return,
        }
    }
}
