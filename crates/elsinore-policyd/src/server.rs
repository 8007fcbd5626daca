//! The socketmap server: connections from TCP and unix sockets, no more than were promised, each
//! served in the order of its requests.

mod connection;

use crate::desk::Desk;
use crate::settings::ConnectionLimits;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// How long to wait when no connection can be accepted, as when all files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long connections may go on with what they are at after the service was told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Where connections come from.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A unix socket.
    Unix(UnixListener),
}

/// Whether the service goes on. Dropping the sender stops it.
pub type Running = watch::Receiver<bool>;

/// Serves `listeners` until `running` says `false`; then connections end after the request they are
/// at, within a few seconds.
pub async fn serve(
    desk: Desk,
    listeners: Vec<Listener>,
    limits: ConnectionLimits,
    running: Running,
) {
    let (tell, told) = watch::channel(true);
    let seats = Seats::new(&desk, limits.most);
    let mut accepting = tokio::task::JoinSet::new();
    for listener in listeners {
        let (desk, seats, told) = (desk.clone(), seats.clone(), told.clone());
        accepting.spawn(accept(desk, listener, seats, limits, told));
    }
    drop(told);
    stopped(running).await;
    // Nobody listens when no connection is open, which is as good.
    let _ = tell.send(false);
    // Resolves when every connection has dropped its end.
    let _ = tokio::time::timeout(LAST_ANSWERS, tell.closed()).await;
}

/// Resolves when the service is to stop.
pub async fn stopped(mut running: Running) {
    // An error means that whoever could stop the service is gone, and so is the service.
    let _ = running.wait_for(|running| !*running).await;
}

async fn accept(
    desk: Desk,
    listener: Listener,
    seats: Seats,
    limits: ConnectionLimits,
    running: Running,
) {
    loop {
        let accepted = tokio::select! {
            () = stopped(running.clone()) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok(stream) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(seat) = seats.take() else {
            continue;
        };
        let (desk, running) = (desk.clone(), running.clone());
        tokio::spawn(async move {
            match stream {
                Stream::Tcp(stream) => connection::run(stream, &desk, limits, running).await,
                Stream::Unix(stream) => connection::run(stream, &desk, limits, running).await,
            }
            drop(seat);
        });
    }
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

impl Listener {
    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // A failure costs a little latency.
                let _ = stream.set_nodelay(true);
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

/// The places for connections of one server: Postfix must not find them taken by whoever talks HTTP.
#[derive(Clone)]
pub(crate) struct Seats {
    desk: Desk,
    free: Arc<Semaphore>,
}

impl Seats {
    /// `most` places.
    pub(crate) fn new(desk: &Desk, most: usize) -> Self {
        Self {
            desk: desk.clone(),
            free: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// A place, if one is free; else the refusal is counted.
    pub(crate) fn take(&self) -> Option<Seat> {
        let metrics = self.desk.metrics();
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            metrics.refused.inc();
            return None;
        };
        metrics.connections.inc();
        Some(Seat {
            desk: self.desk.clone(),
            _permit: permit,
        })
    }
}

/// A place among the connections.
pub(crate) struct Seat {
    desk: Desk,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.desk.metrics().connections.dec();
    }
}
