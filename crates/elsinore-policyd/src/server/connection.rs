//! One socketmap connection. Requests may come in pieces or many at once; what can be answered at
//! once is answered in one write, and what has to be found out is begun for all of them together.

use super::{Running, stopped};
use crate::cache::Entry;
use crate::desk::{Desk, Reply, Waiting};
use crate::settings::ConnectionLimits;
use crate::socketmap::{Form, LONGEST_REQUEST, Received, receive};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// Octets read at once, and so a bound on requests that wait; more than the longest request.
const READ_OCTETS: usize = 16 * 1024;
/// Replies gathered before they are written.
const WRITE_OCTETS: usize = 64 * 1024;
const _: () = assert!(READ_OCTETS > LONGEST_REQUEST + 16);

/// The replies to what is no request.
const NO_KEY: &[u8] = b"23:PERM there is no key in,";
const BROKEN: &[u8] = b"25:PERM this is no netstring,";

/// What is to be written next, in order.
enum Step {
    Ready(Arc<Entry>, Form),
    Waiting(Waiting, Form, Box<[u8]>),
    Fixed(&'static [u8]),
}

/// Serves one connection to its end.
pub(super) async fn run<S>(stream: S, desk: &Desk, limits: ConnectionLimits, running: Running)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = Connection {
        stream,
        desk,
        limits,
        input: vec![0; READ_OCTETS],
        filled: 0,
        until: None,
        output: Vec::new(),
        steps: Vec::new(),
    };
    loop {
        let goes_on = tokio::select! {
            biased;
            goes_on = connection.read() => goes_on,
            () = stopped(running.clone()) => false,
        };
        if !goes_on || !connection.serve().await {
            return;
        }
    }
}

struct Connection<'a, S> {
    stream: S,
    desk: &'a Desk,
    limits: ConnectionLimits,
    input: Vec<u8>,
    filled: usize,
    /// When the request that has begun must be there, however its octets trickle.
    until: Option<Instant>,
    output: Vec<u8>,
    steps: Vec<Step>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    /// Reads some more; `false` at the end, whatever ended it.
    async fn read(&mut self) -> bool {
        let now = Instant::now();
        let until = if self.filled == 0 {
            now + self.limits.idle
        } else {
            *self.until.get_or_insert(now + self.limits.transfer)
        };
        let room = &mut self.input[self.filled..];
        match timeout_at(until, self.stream.read(room)).await {
            Ok(Ok(count)) if count > 0 => {
                self.filled += count;
                true
            }
            Ok(Ok(_) | Err(_)) | Err(_) => false,
        }
    }

    /// Answers every whole request that is there; `false` when the connection is over.
    async fn serve(&mut self) -> bool {
        let metrics = self.desk.metrics();
        let mut begin = 0;
        let mut goes_on = true;
        loop {
            match receive(&self.input[begin..self.filled]) {
                Received::Incomplete => break,
                Received::Request { length, form, key } => {
                    metrics.socketmap.inc();
                    let step = match self.desk.ask(key) {
                        Reply::Ready(entry) => Step::Ready(entry, form),
                        Reply::Waiting(waiting) => Step::Waiting(waiting, form, key.into()),
                    };
                    self.steps.push(step);
                    begin += length;
                }
                Received::NoKey { length } => {
                    metrics.malformed.inc();
                    self.steps.push(Step::Fixed(NO_KEY));
                    begin += length;
                }
                Received::Broken => {
                    metrics.malformed.inc();
                    self.steps.push(Step::Fixed(BROKEN));
                    begin = self.filled;
                    goes_on = false;
                    break;
                }
            }
        }
        if begin > 0 {
            self.until = None;
        }
        self.input.copy_within(begin..self.filled, 0);
        self.filled -= begin;
        self.reply().await && goes_on
    }

    async fn reply(&mut self) -> bool {
        let mut steps = std::mem::take(&mut self.steps);
        for step in steps.drain(..) {
            match step {
                Step::Ready(entry, form) => self.output.extend_from_slice(entry.reply(form)),
                Step::Fixed(reply) => self.output.extend_from_slice(reply),
                Step::Waiting(waiting, form, key) => {
                    // Those before it need not wait.
                    if !self.flush().await {
                        return false;
                    }
                    let entry = self.desk.hear(waiting, &key).await;
                    self.output.extend_from_slice(entry.reply(form));
                }
            }
            if self.output.len() > WRITE_OCTETS && !self.flush().await {
                return false;
            }
        }
        self.steps = steps;
        self.flush().await
    }

    async fn flush(&mut self) -> bool {
        if self.output.is_empty() {
            return true;
        }
        let written = timeout(self.limits.transfer, self.stream.write_all(&self.output)).await;
        self.output.clear();
        matches!(written, Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::{Advice, Adviser, Renewal};
    use crate::settings::{CacheLimits, WorkLimits};
    use crate::socketmap::netstring;
    use elsinore_dane::next_hop::NextHop;
    use elsinore_net::clock::SystemClock;
    use futures_util::future::BoxFuture;
    use std::time::Duration;
    use tokio::sync::watch;

    #[test]
    fn fixed_replies_are_netstrings() {
        assert_eq!(&*netstring("PERM there is no key in"), NO_KEY);
        assert_eq!(&*netstring("PERM this is no netstring"), BROKEN);
    }

    #[derive(Debug)]
    struct Knows;

    impl Adviser for Knows {
        fn advise<'a>(&'a self, next_hop: &'a NextHop, _: Renewal) -> BoxFuture<'a, Advice> {
            let mut advice = Advice::temporary(next_hop, "not now");
            advice.holds = Duration::from_secs(3600);
            Box::pin(async { advice })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_has_its_time_however_it_trickles() {
        let clock = Arc::new(SystemClock);
        let (cache, work) = (CacheLimits::default(), WorkLimits::default());
        let desk = Desk::open(Arc::new(Knows), clock, &cache, work).unwrap();
        let limits = ConnectionLimits::default();
        let request = b"17:QUERY example.org,";
        for (pause, expected) in [(limits.transfer / 30, 3), (limits.transfer / 5, 0)] {
            let (mut client, server) = tokio::io::duplex(1024);
            let (_tell, running) = watch::channel(true);
            let desk = desk.clone();
            let served = tokio::spawn(async move { run(server, &desk, limits, running).await });
            for octet in request.iter().cycle().take(3 * request.len()) {
                if client.write_all(&[*octet]).await.is_err() {
                    break;
                }
                tokio::time::sleep(pause).await;
            }
            let _ = client.shutdown().await;
            let mut replies = String::new();
            client.read_to_string(&mut replies).await.unwrap();
            assert_eq!(replies.matches("TEMP").count(), expected, "{replies}");
            served.await.unwrap();
        }
    }
}
