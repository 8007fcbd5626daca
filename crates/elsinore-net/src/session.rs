//! One SMTP session over a byte stream: drives the state machine of `elsinore-smtp`, with the
//! time limits of each phase, TLS in the middle, and the message read from its spool in blocks.

mod dialogue;
mod idle;

pub use dialogue::Heard;
pub(crate) use dialogue::walk;
pub use idle::IdleConnection;

use crate::deliver::{Recall, Spool, SpoolReader};
use crate::dialer::ByteStream;
use crate::tls::judge::Proofs;
use crate::tls::{
    Backend, Handshake, HandshakeTrouble, TlsConnector, TlsDemand, TlsFailure, TlsFailureCause,
    TlsSession, Unjudged,
};
use dialogue::Ear;
use elsinore_smtp::client::{Action, ClientSession, Phase, SessionOutcome, Timeouts};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

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
    /// Why the handshake failed, or its server was refused.
    pub tls_failure: Option<TlsFailure>,
    /// How long each part took.
    pub times: PhaseTimes,
    /// Which transaction of its connection this was, from 1 on.
    pub transaction: u32,
    /// What was heard, of a session that carries no mail.
    pub heard: Vec<Heard>,
}

impl SessionResult {
    /// What the handshake showed, when it was completed, whether the server was accepted or refused.
    #[must_use]
    pub fn handshake(&self) -> Option<&Handshake> {
        match (&self.tls, &self.tls_failure) {
            (Some(tls), _) => Some(&tls.handshake),
            (None, Some(failure)) => failure.established.as_deref(),
            (None, None) => None,
        }
    }
}

/// What remains of a TLS session when its stream is gone.
#[derive(Debug, Clone)]
pub struct TlsRecord {
    /// What the handshake showed.
    pub handshake: Handshake,
    /// What the server proved.
    pub proofs: Proofs,
}

/// How long the parts of a session took; `None` where it did not get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PhaseTimes {
    /// The TCP connection.
    pub connect: Option<Duration>,
    /// From the connection to the whole greeting.
    pub greeting: Option<Duration>,
    /// Every EHLO and HELO with its reply.
    pub hello: Option<Duration>,
    /// STARTTLS and its reply.
    pub starttls: Option<Duration>,
    /// The TLS handshake.
    pub handshake: Option<Duration>,
    /// Everything, from the beginning of the connection to its end.
    pub total: Duration,
}

impl PhaseTimes {
    fn add(&mut self, phase: Phase, took: Duration) {
        let slot = match phase {
            Phase::Greeting => &mut self.greeting,
            Phase::Hello => &mut self.hello,
            Phase::StartTls => &mut self.starttls,
            Phase::Handshake => &mut self.handshake,
            Phase::Mail
            | Phase::Recipient
            | Phase::DataStart
            | Phase::DataBlock
            | Phase::DataEnd
            | Phase::Reset
            | Phase::Quit => return,
        };
        *slot = Some(slot.unwrap_or_default().saturating_add(took));
    }
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
    /// What may end it earlier, the reply to a final dot included.
    pub recall: &'a Recall,
}

/// The message, positioned where the dialogue left off.
struct Source {
    spool: Arc<dyn Spool>,
    memory: Option<Arc<[u8]>>,
    open: Option<(u64, Box<dyn SpoolReader>)>,
}

impl Source {
    /// Hands up to `at_most` octets from `offset` on to `session`, none at the end. What is in
    /// memory is read in place, files on a thread where blocking is allowed.
    async fn feed(&mut self, session: &mut ClientSession, offset: u64, at_most: usize) {
        if let Some(octets) = &self.memory {
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = octets.get(from..).unwrap_or_default();
            if rest.len() <= at_most {
                self.spool.reached_end();
            }
            session.message_chunk(rest.get(..at_most).unwrap_or(rest));
            return;
        }
        match self.pull(offset, at_most).await {
            Ok(octets) => {
                if octets.len() < at_most {
                    self.spool.reached_end();
                }
                session.message_chunk(&octets);
            }
            Err(error) => session.message_unreadable(&error.to_string()),
        }
    }

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

/// What driving a session came to.
#[derive(Debug)]
pub struct Driven {
    /// The result of the transaction, or of the look.
    pub result: SessionResult,
    /// The connection, where the session stays and its server is still there.
    pub idle: Option<IdleConnection>,
}

/// Drives `session` on `stream` until it is over and the connection closed, or idle.
pub async fn drive(
    stream: Box<dyn ByteStream>,
    session: ClientSession,
    settings: &SessionSettings<'_>,
    spool: &Arc<dyn Spool>,
) -> Driven {
    let buffer = vec![0; READ];
    go_on(stream, session, None, buffer, settings, spool).await
}

/// Drives a session from where it stands. `tls` is the TLS session it is in already.
async fn go_on(
    stream: Box<dyn ByteStream>,
    mut session: ClientSession,
    mut tls: Option<TlsRecord>,
    mut buffer: Vec<u8>,
    settings: &SessionSettings<'_>,
    spool: &Arc<dyn Spool>,
) -> Driven {
    let mut stream = Some(stream);
    let mut source = Source {
        spool: Arc::clone(spool),
        memory: spool.in_memory(),
        open: None,
    };
    let mut tls_failure = None;
    let mut times = PhaseTimes::default();
    let opened = Instant::now();
    let is_probe = session.is_probe();
    let mut ear = Ear::of(is_probe);
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
                let written = timed(&mut times, phase, wait(settings, until, write)).await;
                match written {
                    Some(Ok(())) => {}
                    Some(Err(_)) => {
                        let words = last_words(settings, open, &mut buffer).await;
                        session.received(&words);
                        session.connection_lost();
                        ear.octets(&words);
                        ear.event(Heard::Lost);
                    }
                    None => {
                        session.timed_out();
                        ear.event(Heard::TimedOut);
                    }
                }
            }
            Action::Receive { phase } => {
                let Some(open) = stream.as_mut() else {
                    session.connection_lost();
                    continue;
                };
                let until = limit(settings, phase, &mut end_deadline);
                let read = wait(settings, until, open.read(&mut buffer));
                match timed(&mut times, phase, read).await {
                    Some(Ok(0) | Err(_)) => {
                        session.connection_lost();
                        ear.event(Heard::Lost);
                    }
                    Some(Ok(length)) => {
                        session.received(&buffer[..length]);
                        ear.octets(&buffer[..length]);
                    }
                    None => {
                        session.timed_out();
                        ear.event(Heard::TimedOut);
                    }
                }
            }
            Action::StartTls => {
                let Some(plain) = stream.take() else {
                    session.connection_lost();
                    continue;
                };
                let until = limit(settings, Phase::Handshake, &mut end_deadline);
                let shaken = wait(settings, until, shake(settings, plain, is_probe));
                let shaken = timed(&mut times, Phase::Handshake, shaken).await;
                if shaken.is_none() && settings.recall.is_called() {
                    // Nothing that a report about TLS should speak of.
                    session.connection_lost();
                    continue;
                }
                match shaken.unwrap_or_else(|| Err(timed_out(settings.backend))) {
                    Ok(Shaken::Accepted(established)) => {
                        ear.event(Heard::Handshake(established.handshake.clone()));
                        tls = Some(TlsRecord {
                            handshake: established.handshake,
                            proofs: established.proofs,
                        });
                        stream = Some(established.stream);
                        session.tls_established();
                    }
                    Ok(Shaken::Refused(unaccepted, failure)) => {
                        ear.failure(&failure);
                        session.remark(&not_accepted(&failure));
                        tls_failure = Some(failure);
                        stream = Some(unaccepted);
                        session.tls_established();
                    }
                    Err(failure) => {
                        ear.failure(&failure);
                        session.tls_failed(&failure.to_string());
                        tls_failure = Some(failure);
                    }
                }
            }
            Action::PullMessage { offset, at_most } => {
                source.feed(&mut session, offset, at_most).await;
            }
            Action::Idle => {
                let Some(stream) = stream.take() else {
                    session.connection_lost();
                    continue;
                };
                times.total = opened.elapsed();
                let result = SessionResult {
                    outcome: session.take_outcome(),
                    tls: tls.clone(),
                    tls_failure,
                    times,
                    transaction: 1,
                    heard: ear.into_heard(),
                };
                let idle = IdleConnection::new(stream, session, tls, buffer);
                return Driven {
                    result,
                    idle: Some(idle),
                };
            }
            Action::Close => {
                if let Some(mut open) = stream.take() {
                    // A peer that closes without close_notify after QUIT does no harm.
                    let until = Instant::now() + PARTING;
                    let _ = wait(settings, until, open.shutdown()).await;
                }
                times.total = opened.elapsed();
                let result = SessionResult {
                    outcome: session.into_outcome(),
                    tls,
                    tls_failure,
                    times,
                    transaction: 1,
                    heard: ear.into_heard(),
                };
                return Driven { result, idle: None };
            }
        }
    }
}

/// Waits for `work` until `until`, or until the delivery is called back.
async fn wait<T>(
    settings: &SessionSettings<'_>,
    until: Instant,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = timeout_at(until, work) => done.ok(),
        () = settings.recall.called() => None,
    }
}

/// Waits for `work` and counts the wait to `phase`.
async fn timed<T>(times: &mut PhaseTimes, phase: Phase, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let done = work.await;
    times.add(phase, begun.elapsed());
    done
}

/// A completed handshake.
enum Shaken {
    /// Its server gave the proofs that were demanded.
    Accepted(TlsSession),
    /// It did not, and the session carries no mail: it goes on to EHLO and QUIT, so that the server
    /// is left politely and shows what it offers. The verdict stands.
    Refused(Box<dyn ByteStream>, TlsFailure),
}

async fn shake(
    settings: &SessionSettings<'_>,
    plain: Box<dyn ByteStream>,
    is_probe: bool,
) -> Result<Shaken, TlsFailure> {
    let demand = &settings.demand;
    let unjudged = settings.tls.shake(settings.backend, plain, demand).await?;
    let Unjudged { stream, handshake } = unjudged;
    match settings.tls.conclude(&handshake, demand) {
        Ok(proofs) => Ok(Shaken::Accepted(TlsSession {
            stream,
            handshake,
            proofs,
        })),
        Err(failure) if is_probe => Ok(Shaken::Refused(stream, failure)),
        Err(failure) => Err(failure),
    }
}

/// The remark in the transcript of a session whose server was refused.
fn not_accepted(failure: &TlsFailure) -> String {
    format!("not accepted: {failure}")
}

fn timed_out(backend: Backend) -> TlsFailure {
    TlsFailure {
        backend,
        cause: TlsFailureCause::Handshake {
            trouble: HandshakeTrouble::Connection(io::ErrorKind::TimedOut),
            text: "timed out".to_owned(),
        },
        established: None,
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
async fn last_words(
    settings: &SessionSettings<'_>,
    stream: &mut Box<dyn ByteStream>,
    buffer: &mut [u8],
) -> Vec<u8> {
    let until = Instant::now() + PARTING;
    let mut heard = Vec::new();
    while heard.len() < LAST_WORDS {
        match wait(settings, until, stream.read(buffer)).await {
            Some(Ok(length)) if length > 0 => heard.extend_from_slice(&buffer[..length]),
            _ => break,
        }
    }
    heard
}
