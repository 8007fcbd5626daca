//! A pair of connected byte streams; what one end writes can be read at the other half a round
//! trip later.

use super::{Seen, Sighting};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};

/// Notes what the client writes.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) peer: SocketAddr,
    pub(super) sightings: Arc<Mutex<Vec<Sighting>>>,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    delay: Duration,
    outgoing: Option<mpsc::UnboundedSender<(Instant, Vec<u8>)>>,
    incoming: mpsc::UnboundedReceiver<(Instant, Vec<u8>)>,
    /// What is on its way or was not read yet, and how much of it was read.
    current: Option<(Pin<Box<Sleep>>, Vec<u8>, usize)>,
    watch: Option<Watch>,
}

/// The client's and the server's end.
pub(super) fn link(delay: Duration, watch: Watch) -> (End, End) {
    let (to_server, from_client) = mpsc::unbounded_channel();
    let (to_client, from_server) = mpsc::unbounded_channel();
    let end = |outgoing, incoming, watch| End {
        delay,
        outgoing: Some(outgoing),
        incoming,
        current: None,
        watch,
    };
    (
        end(to_server, from_server, Some(watch)),
        end(to_client, from_client, None),
    )
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if let Some((arrival, octets, read)) = &mut this.current {
                ready!(arrival.as_mut().poll(context));
                let rest = &octets[*read..];
                let taken = rest.len().min(buffer.remaining());
                buffer.put_slice(&rest[..taken]);
                *read += taken;
                if *read == octets.len() {
                    this.current = None;
                }
                return Poll::Ready(Ok(()));
            }
            match ready!(this.incoming.poll_recv(context)) {
                Some((arrives, octets)) if !octets.is_empty() => {
                    this.current = Some((Box::pin(sleep_until(arrives)), octets, 0));
                }
                Some(_) => {}
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(outgoing) = &self.outgoing else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let now = Instant::now();
        if let (Some(watch), Some(first)) = (&self.watch, octets.first()) {
            let mut sightings = (watch.sightings.lock()).unwrap_or_else(PoisonError::into_inner);
            sightings.push(Sighting {
                at: now,
                peer: watch.peer,
                what: Seen::Octets(*first),
            });
        }
        match outgoing.send((now + self.delay, octets.to_vec())) {
            Ok(()) => Poll::Ready(Ok(octets.len())),
            Err(_) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing = None;
        Poll::Ready(Ok(()))
    }
}
