//! Sockets and connections of the administrator: few at a time, none for long.

use super::guard::Door;
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::fs::{Mode, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// Octets of the head of a request.
const HEAD_OCTETS: usize = 16 * 1024;
/// Fields in the head of a request.
const HEAD_FIELDS: usize = 64;
/// How long the head of a request may take.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a connection may last.
const CONNECTION_TIME: Duration = Duration::from_secs(120);
/// How long answers under way may go on once the relay stops.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// How long to wait when no connection can be accepted, as when all files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;

/// Makes a unix socket that only the owner of this process may open. One that a process left behind
/// is removed; one that somebody listens on is not.
///
/// # Errors
/// When somebody listens there already, the path is something else or too long, or the system says no.
pub fn owners_socket(path: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "something that is no socket is in the way",
            ));
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AddrInUse,
                    "another relay listens there",
                ));
            }
            Err(_) => std::fs::remove_file(path)?,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let address = SocketAddrUnix::new(path)?;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    // Linux gives the name in the file system the bits that the socket has when it is bound, so at no
    // moment can others open it.
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    UnixListener::from_std(std::os::unix::net::UnixListener::from(socket))
}

/// Serves both doors until `stop` changes or its sender is gone.
#[derive(Debug)]
pub struct Doors {
    /// The owner's socket.
    pub owner: Option<UnixListener>,
    /// Addresses.
    pub tcp: Vec<TcpListener>,
}

impl Doors {
    /// Serves until told to stop.
    pub async fn serve(self, router: Router, stop: watch::Receiver<bool>) {
        let seats = Arc::new(Semaphore::new(CONNECTIONS));
        let mut doors = tokio::task::JoinSet::new();
        let tcp = self.tcp.into_iter().map(Listener::Tcp);
        for listener in tcp.chain(self.owner.map(Listener::Owner)) {
            let (router, seats, stop) = (router.clone(), Arc::clone(&seats), stop.clone());
            doors.spawn(accept_all(listener, router, seats, stop));
        }
        drop((router, stop));
        while doors.join_next().await.is_some() {}
        // Every connection has a seat until it ends.
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(LAST_ANSWERS, seats.acquire_many(all)).await;
    }
}

enum Listener {
    Owner(UnixListener),
    Tcp(TcpListener),
}

/// Octets in both directions.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Listener {
    const fn door(&self) -> Door {
        match self {
            Self::Owner(_) => Door::Owner,
            Self::Tcp(_) => Door::Tcp,
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Owner(listener) => Box::new(listener.accept().await?.0),
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

async fn accept_all(
    listener: Listener,
    router: Router,
    seats: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
) {
    let door = listener.door();
    let mut stopped = stop.clone();
    loop {
        let accepted = tokio::select! {
            // An error means that nobody can stop us any more, which is as good as being told to.
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok(stream) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else {
            // Closed unanswered: there are enough.
            continue;
        };
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            connection(stream, door, router, stop).await;
            drop(seat);
        });
    }
}

async fn connection(
    stream: Box<dyn Stream>,
    door: Door,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request<Incoming> = request;
        request.extensions_mut().insert(door);
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_OCTETS)
        .max_headers(HEAD_FIELDS)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // What goes wrong on a connection is the client's own doing.
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
        () = tokio::time::sleep(CONNECTION_TIME) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(LAST_ANSWERS, connection).await;
}
