//! Queries by datagram: sockets of many queries, each with an unpredictable port (RFC 5452 §9.2).

use super::lines::{Line, Lines, Use};
use super::table::{Case, Waiting, lock};
use crate::dialer::{Datagrams, Dialer};
use crate::resolver::wire::Query;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use tokio::time::{Duration, sleep};

/// What is received of one datagram: EDNS offers 1,232 octets, and nobody needs to send more.
const LONGEST_DATAGRAM: usize = 4_096;
/// Datagrams read before others get their turn.
const READ_AT_ONCE: usize = 32;

thread_local! {
    /// Reading does not wait, so one buffer serves all sockets of a thread.
    static BUFFER: RefCell<[u8; LONGEST_DATAGRAM]> = const { RefCell::new([0; LONGEST_DATAGRAM]) };
}

type Socket = Line<Box<dyn Datagrams>>;

/// The sockets.
#[derive(Debug)]
pub(super) struct Sockets(Arc<Lines<Box<dyn Datagrams>>>);

impl Sockets {
    /// At most `most` sockets.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Lines::new(
            most,
            Use {
                // Replies to this many fit the receive buffer that the kernel gives a socket.
                at_once: 64,
                // A port is in use for a short while only: who finds it out is late.
                in_all: 256,
                age: Duration::from_secs(20),
                idle: Duration::from_secs(2),
            },
        )))
    }

    /// Sends `query` to `peer`.
    ///
    /// # Errors
    /// What the network said at once.
    pub(super) fn send(
        &self,
        dialer: &dyn Dialer,
        peer: SocketAddr,
        query: &Query,
    ) -> io::Result<Waiting> {
        if let Some((socket, waiting)) = self.0.enter(peer, query) {
            socket.way.send(&waiting.wire)?;
            return Ok(waiting);
        }
        let datagrams = match dialer.datagrams(peer) {
            Err(error) if is_want_of_files(&error) => {
                self.0.that_was_all();
                dialer.datagrams(peer)?
            }
            outcome => outcome?,
        };
        let ended = || io::Error::other("the socket was closed");
        let (socket, waiting) = self.0.add(peer, datagrams, query).ok_or_else(ended)?;
        let task = tokio::spawn(read(Arc::clone(&socket), Arc::downgrade(&self.0)));
        socket.lives_in(task.abort_handle());
        socket.way.send(&waiting.wire)?;
        Ok(waiting)
    }
}

/// Whether the process or the system has no file left for a socket (EMFILE, ENFILE).
fn is_want_of_files(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}

/// Reads the socket until it fails, or is idle for long enough.
async fn read(socket: Arc<Socket>, sockets: Weak<Lines<Box<dyn Datagrams>>>) {
    loop {
        let Some(idle) = sockets.upgrade().map(|sockets| sockets.usage.idle) else {
            return;
        };
        let entered = lock(&socket.table).entered;
        let outcome = tokio::select! {
            biased;
            error = poll_fn(|context| poll_read(&socket, context)) => Some(error),
            () = sleep(idle) => None,
        };
        let Some(sockets) = sockets.upgrade() else {
            return;
        };
        match outcome {
            // Told of a datagram that a closed port or a router refused: the next query gets a
            // fresh socket.
            Some(error) => return sockets.close(&socket, error.to_string()),
            None if sockets.close_if_idle(&socket, entered) => return,
            None => {}
        }
    }
}

fn poll_read(socket: &Socket, context: &mut Context<'_>) -> Poll<io::Error> {
    BUFFER.with_borrow_mut(|buffer| {
        for _ in 0..READ_AT_ONCE {
            match ready!(socket.way.poll_receive(context, buffer)) {
                Ok(length) => lock(&socket.table).deliver(&buffer[..length], Case::Exact),
                Err(error) => return Poll::Ready(error),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}
