//! One question to one server over one transport, and whatever comes of it.

use crate::dialer::{Datagrams, Dialer};
use crate::resolver::probe::{Heard, Manner, Probe, Told};
use elsinore_dane::answer::Question;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

/// Datagrams of others after which no more are read.
const MOST_STRANGERS: usize = 8;

/// Octets of the longest datagram.
const LONGEST: usize = 65_535;

/// What a question brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A reply, and how long it took.
    Reply(Box<Told>, Duration),
    /// Nothing in time.
    Silent,
    /// The network, or the other end's, said no.
    Obstacle(Obstacle),
    /// Octets that are no reply to the question.
    Garbage,
    /// The question was not put, because another had shown that it is of no use.
    NotAsked,
}

/// How a network says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Obstacle {
    /// Nobody listens there.
    Refused,
    /// This machine has no way to that network.
    NoRoute,
    /// Something on the way, or on this machine, forbids it.
    Forbidden,
    /// The connection was closed or reset before a reply.
    Closed,
    /// The process or the machine has no socket left.
    NoSocket,
}

impl Obstacle {
    /// What `error` means.
    pub(crate) fn of(error: &io::Error) -> Self {
        use io::ErrorKind;
        // Errno values of Linux that have no `ErrorKind`: too many files of the process, of the
        // system; no such protocol family.
        const EMFILE: i32 = 24;
        const ENFILE: i32 = 23;
        const EAFNOSUPPORT: i32 = 97;
        match error.raw_os_error() {
            Some(EMFILE | ENFILE) => return Self::NoSocket,
            Some(EAFNOSUPPORT) => return Self::NoRoute,
            _ => {}
        }
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::NetworkDown
            | ErrorKind::Unsupported => Self::NoRoute,
            ErrorKind::PermissionDenied | ErrorKind::HostUnreachable => Self::Forbidden,
            _ => Self::Closed,
        }
    }

    /// In words, after "the server" or "TCP".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Refused => "connection refused, nobody listens there",
            Self::NoRoute => "no route from this machine",
            Self::Forbidden => "unreachable or forbidden, as the network says",
            Self::Closed => "connection closed without a reply",
            Self::NoSocket => "no socket left on this machine",
        }
    }
}

impl Seen {
    /// The reply, if there is one.
    pub(crate) fn told(&self) -> Option<&Told> {
        match self {
            Self::Reply(told, _) => Some(told),
            _ => None,
        }
    }

    /// The response code, if there is a reply.
    pub(crate) fn rcode(&self) -> Option<u16> {
        self.told().map(|told| told.rcode)
    }

    /// How long the reply took.
    pub(crate) const fn took(&self) -> Option<Duration> {
        match self {
            Self::Reply(_, took) => Some(*took),
            _ => None,
        }
    }
}

/// Puts questions.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) dialer: Arc<dyn Dialer>,
    /// How long an answer may take.
    pub(crate) patience: Duration,
}

impl Asker {
    /// Over UDP, sent a second time when nothing has come for a quarter of the patience.
    pub(crate) async fn udp(
        &self,
        server: SocketAddr,
        question: &Question,
        manner: Manner,
    ) -> Seen {
        let probe = probe(question, manner);
        let begun = Instant::now();
        match self.datagrams(server, &probe).await {
            Ok(told) => Seen::Reply(told, begun.elapsed()),
            Err(seen) => seen,
        }
    }

    /// Over TCP.
    pub(crate) async fn tcp(
        &self,
        server: SocketAddr,
        question: &Question,
        manner: Manner,
    ) -> Seen {
        let probe = probe(question, manner);
        let begun = Instant::now();
        match timeout(self.patience, self.stream(server, &probe)).await {
            Ok(Ok(told)) => Seen::Reply(told, begun.elapsed()),
            Ok(Err(seen)) => seen,
            Err(_) => Seen::Silent,
        }
    }

    async fn datagrams(&self, server: SocketAddr, probe: &Probe) -> Result<Box<Told>, Seen> {
        let socket = self.dialer.datagrams(server).map_err(obstacle)?;
        socket.send(probe.wire()).map_err(obstacle)?;
        let mut seen_first = Seen::Silent;
        match timeout(self.patience / 4, heard(socket.as_ref(), probe)).await {
            Ok(Err(seen @ Seen::Obstacle(_))) => return Err(seen),
            Ok(Err(seen)) => seen_first = seen,
            Ok(Ok(told)) => return Ok(told),
            Err(_) => {}
        }
        // The kernel may know by now that nobody listens there.
        socket.send(probe.wire()).map_err(obstacle)?;
        (timeout(self.patience * 3 / 4, heard(socket.as_ref(), probe)).await)
            .unwrap_or(Err(seen_first))
    }

    async fn stream(&self, server: SocketAddr, probe: &Probe) -> Result<Box<Told>, Seen> {
        let mut stream = self.dialer.connect(server).await.map_err(obstacle)?;
        // A question has at most 300 octets.
        let length = u16::try_from(probe.wire().len()).unwrap_or(u16::MAX);
        let framed = [&length.to_be_bytes(), probe.wire()].concat();
        stream.write_all(&framed).await.map_err(obstacle)?;
        stream.flush().await.map_err(obstacle)?;
        let length = stream.read_u16().await.map_err(obstacle)?;
        let mut octets = vec![0; length.into()];
        stream.read_exact(&mut octets).await.map_err(obstacle)?;
        match probe.read(&octets) {
            Heard::Reply(told) => Ok(told),
            Heard::Malformed | Heard::Stranger => Err(Seen::Garbage),
        }
    }
}

/// Waits for the reply among what comes.
async fn heard(socket: &dyn Datagrams, probe: &Probe) -> Result<Box<Told>, Seen> {
    let mut buffer = vec![0; LONGEST];
    for _ in 0..MOST_STRANGERS {
        let length = poll_fn(|context| socket.poll_receive(context, &mut buffer)).await;
        let length = length.map_err(obstacle)?;
        match probe.read(buffer.get(..length).unwrap_or_default()) {
            Heard::Reply(told) => return Ok(told),
            Heard::Malformed => return Err(Seen::Garbage),
            Heard::Stranger => {}
        }
    }
    Err(Seen::Garbage)
}

fn probe(question: &Question, manner: Manner) -> Probe {
    Probe::new(&question.name, question.record_type, manner, rand::random())
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn obstacle(error: io::Error) -> Seen {
    Seen::Obstacle(Obstacle::of(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obstacles() {
        use io::ErrorKind;
        for (error, expected) in [
            (ErrorKind::ConnectionRefused.into(), Obstacle::Refused),
            (ErrorKind::NetworkUnreachable.into(), Obstacle::NoRoute),
            (ErrorKind::PermissionDenied.into(), Obstacle::Forbidden),
            (ErrorKind::HostUnreachable.into(), Obstacle::Forbidden),
            (ErrorKind::UnexpectedEof.into(), Obstacle::Closed),
            (io::Error::from_raw_os_error(24), Obstacle::NoSocket),
            (io::Error::from_raw_os_error(97), Obstacle::NoRoute),
            (io::Error::from_raw_os_error(101), Obstacle::NoRoute),
            (io::Error::from_raw_os_error(1), Obstacle::Forbidden),
        ] {
            assert_eq!(Obstacle::of(&error), expected, "{error}");
        }
    }
}
