//! Datagrams on their way: each can be received from its time of arrival on.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use tokio::time::{Instant, Sleep, sleep_until};

/// The inbox of a simulated socket. Datagrams arrive in the order in which they were pushed.
#[derive(Debug, Default)]
pub struct Delayed(Mutex<Inbox>);

#[derive(Debug, Default)]
struct Inbox {
    coming: VecDeque<(Instant, Vec<u8>)>,
    /// The wait for the first of them.
    arrival: Option<Pin<Box<Sleep>>>,
    reader: Option<Waker>,
}

impl Delayed {
    /// A datagram that arrives at `arrives`.
    pub fn push(&self, arrives: Instant, datagram: Vec<u8>) {
        let mut inbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.coming.push_back((arrives, datagram));
        if let Some(reader) = inbox.reader.take() {
            reader.wake();
        }
    }

    /// Receives the first datagram, when it has arrived, into `buffer`; gives its length, cut to
    /// the buffer.
    pub fn poll(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut inbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(arrives) = inbox.coming.front().map(|(arrives, _)| *arrives) else {
            inbox.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        if arrives > Instant::now() {
            let arrival = inbox
                .arrival
                .get_or_insert_with(|| Box::pin(sleep_until(arrives)));
            ready!(arrival.as_mut().poll(context));
        }
        inbox.arrival = None;
        let (_, datagram) = inbox.coming.pop_front().unwrap_or((arrives, Vec::new()));
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        Poll::Ready(Ok(length))
    }
}
