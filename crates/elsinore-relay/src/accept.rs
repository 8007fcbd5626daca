//! Accepting mail: listeners, clients, limits.
//!
//! The dialogue is [`elsinore_smtp::server`]; here are its sockets, its deadlines and its bounds, the
//! question whose mail is taken, and the way of a message into the store. A client is told 250 only
//! after [`enqueue`](elsinore_queue::store::QueueStore::enqueue) has answered.
//!
//! Nobody outside [`AcceptSettings::allow_clients`] can send to anybody: there is no local mail here,
//! so all mail is relayed mail. Such clients are told so at the door by 554 (RFC 5321 §3.1), and have a
//! few seats of their own for it: they can keep nobody else out.

mod certificate;
mod delivery;
mod listeners;
mod received;
mod seats;
mod settings;
mod terms;
mod visit;

pub use certificate::{CertificateError, check_certificate};
pub use listeners::{ListenError, Listeners, Rebind, listen_at};
pub use settings::{
    AcceptLimits, AcceptSettings, AcceptTimes, DEFAULT_PORT, TlsFiles, UndeclaredEightBit,
};

use crate::event::{Event, Journal, Severity, TurnedAway};
use elsinore_queue::store::QueueStore;
use seats::{Client, Guest, Place, Seat, Seats};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use terms::{Keeper, Terms};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use visit::{Stopped, Visit};

/// How long to wait when no connection can be accepted, as when all files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a client that is sent away may take to hear it.
const LAST_WORD: Duration = Duration::from_secs(5);
/// How long a client whose mail is not taken may take to say QUIT.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Accepts mail on `listeners` until `stop` resolves: then nobody new is let in, sessions between
/// messages are told 421 4.3.2, those inside a transaction may end it within
/// [`AcceptTimes::last_messages`].
///
/// A new value of `settings` holds for connections that come after it; the certificate is read again.
///
/// # Errors
/// When the certificate cannot be used at the start.
pub async fn serve(
    settings: watch::Receiver<Arc<AcceptSettings>>,
    mut listeners: Listeners,
    store: Arc<dyn QueueStore>,
    journal: Arc<dyn Journal>,
    stop: impl Future<Output = ()>,
) -> Result<(), CertificateError> {
    let keeper = Keeper::new(settings).await?;
    let terms = keeper.terms();
    let (stopping, stopped) = watch::channel(None);
    // Every session holds a sender; when the last is dropped, all have ended.
    let (guard, mut all_ended) = mpsc::channel::<()>(1);
    let door = Door {
        terms: terms.clone(),
        store,
        journal: Arc::clone(&journal),
        seats: Seats::default(),
        stopped,
        guard,
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(keeper.keep(journal));
    let mut open: Vec<(SocketAddr, AbortHandle)> = Vec::new();
    let listen = |tasks: &mut JoinSet<()>, listener: TcpListener| {
        // A listening socket has an address.
        let address = listener.local_addr().ok();
        let task = tasks.spawn(door.clone().listen(listener));
        address.map(|address| (address, task))
    };
    for listener in std::mem::take(&mut listeners.tcp) {
        open.extend(listen(&mut tasks, listener));
    }
    for listener in std::mem::take(&mut listeners.unix) {
        tasks.spawn(door.clone().listen(listener));
    }
    let mut changes = listeners.changes.take();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            change = next_change(&mut changes) => {
                for (_, task) in open.extract_if(.., |(address, _)| change.close.contains(address)) {
                    task.abort();
                }
                for listener in change.open {
                    open.extend(listen(&mut tasks, listener));
                }
            }
            // The tasks have no end of their own; a panic in one is a fault that must be seen.
            Some(Err(error)) = tasks.join_next() => {
                if error.is_panic() {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
        }
    }
    drop(door);
    tasks.shutdown().await;
    let last = terms.borrow().settings.times.last_messages;
    let deadline = tokio::time::Instant::now() + last;
    stopping.send_replace(Some(deadline));
    // The deadline ends their waits; what they have to say then takes a moment.
    let _ = tokio::time::timeout_at(deadline + LAST_WORD, all_ended.recv()).await;
    drop(listeners);
    Ok(())
}

/// The next change of the listeners; never when nobody can make one.
async fn next_change(changes: &mut Option<mpsc::Receiver<Rebind>>) -> Rebind {
    if let Some(receiver) = changes {
        if let Some(change) = receiver.recv().await {
            return change;
        }
        *changes = None;
    }
    std::future::pending().await
}

/// Lets clients in.
#[derive(Debug, Clone)]
struct Door {
    terms: watch::Receiver<Arc<Terms>>,
    store: Arc<dyn QueueStore>,
    journal: Arc<dyn Journal>,
    seats: Seats,
    stopped: Stopped,
    guard: mpsc::Sender<()>,
}

/// A socket that clients come in by.
trait Entrance: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// The next client, with its address unless it is on this machine for certain.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Option<SocketAddr>)>> + Send;
}

impl Entrance for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, Option<SocketAddr>)> {
        let (stream, peer) = self.accept().await?;
        // A failure costs a little latency.
        let _ = stream.set_nodelay(true);
        Ok((stream, Some(peer)))
    }
}

impl Entrance for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Option<SocketAddr>)> {
        let (stream, _) = self.accept().await?;
        Ok((stream, None))
    }
}

impl Door {
    async fn listen(self, entrance: impl Entrance) {
        loop {
            match entrance.next().await {
                Ok((stream, peer)) => self.let_in(stream, peer),
                Err(error) => {
                    self.journal.note(&Event::Notice {
                        severity: Severity::Error,
                        part: "listener",
                        text: format!("no connection can be accepted: {error}"),
                    });
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn let_in<S>(&self, stream: S, peer: Option<SocketAddr>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let terms = Arc::clone(&self.terms.borrow());
        let address = peer.map(|peer| peer.ip());
        let guest = match address {
            None => Guest::Local,
            Some(address) if terms.settings.allows(address) => Guest::Allowed(Client::of(address)),
            Some(address) => Guest::Stranger(Client::of(address)),
        };
        let limits = &terms.settings.limits;
        let place = self.seats.take(guest, limits, Instant::now());
        let guard = self.guard.clone();
        let visit = Visit {
            client: address,
            terms,
            store: Arc::clone(&self.store),
            journal: Arc::clone(&self.journal),
            stopped: self.stopped.clone(),
        };
        if let Place::Regret(_, why) | Place::Nothing(why) = &place {
            self.journal.note(&Event::TurnedAway {
                client: visit.origin(),
                why: *why,
            });
        }
        match place {
            Place::Nothing(_) => {}
            Place::Regret(seat, TurnedAway::NotAllowed) => {
                tokio::spawn(async move {
                    // Whoever does not say QUIT by then has been told, too.
                    let _ = tokio::time::timeout(LAST_WORDS, visit.turn_away(stream)).await;
                    drop((seat, guard));
                });
            }
            Place::Regret(seat, why) => {
                tokio::spawn(send_away(stream, seat, why, guard));
            }
            Place::Seat(seat) => {
                tokio::spawn(async move {
                    visit.run(stream).await;
                    drop((seat, guard));
                });
            }
        }
    }
}

async fn send_away<S>(mut stream: S, seat: Seat, why: TurnedAway, guard: mpsc::Sender<()>)
where
    S: AsyncWrite + Unpin,
{
    let words = format!("421 4.3.2 {why}\r\n");
    let _ = tokio::time::timeout(LAST_WORD, async {
        stream.write_all(words.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
    drop((seat, guard));
}
