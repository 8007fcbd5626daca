//! Queries by TCP: connections that carry many queries, answered in any order, and stay open for a
//! few seconds (RFC 7766 §6.2).

use super::lines::{Line, Lines, Use};
use super::table::{Case, Waiting, lock};
use crate::dialer::{ByteStream, Dialer};
use crate::resolver::wire::Query;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Duration, sleep, timeout};

/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(3);

type Frames = UnboundedSender<Arc<[u8]>>;
type Connection = Line<Frames>;

/// The connections.
#[derive(Debug)]
pub(super) struct Connections(Arc<Lines<Frames>>);

/// Whether a connection that is already there will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reuse {
    Welcome,
    Never,
}

impl Connections {
    /// At most `most` connections.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Lines::new(
            most,
            Use {
                at_once: 64,
                in_all: 10_000,
                age: Duration::from_secs(300),
                idle: Duration::from_secs(4),
            },
        )))
    }

    /// Sends `query` to `peer`, when the connection stands. `None` when there is no room.
    pub(super) fn send(
        &self,
        dialer: &Arc<dyn Dialer>,
        peer: SocketAddr,
        query: &Query,
        reuse: Reuse,
    ) -> Option<Waiting> {
        if reuse == Reuse::Welcome
            && let Some((connection, waiting)) = self.0.enter(peer, query)
        {
            // Where the task has ended meanwhile the table is closed, and says so.
            let _ = connection.way.send(Arc::clone(&waiting.wire));
            return Some(waiting);
        }
        let (sender, frames) = mpsc::unbounded_channel();
        let (connection, waiting) = self.0.add(peer, sender, query)?;
        let _ = connection.way.send(Arc::clone(&waiting.wire));
        let task = tokio::spawn(live(
            Arc::clone(&connection),
            Arc::clone(dialer),
            frames,
            Arc::downgrade(&self.0),
        ));
        connection.lives_in(task.abort_handle());
        Some(waiting)
    }
}

/// Connects, and carries queries and replies until the connection ends or is idle.
async fn live(
    connection: Arc<Connection>,
    dialer: Arc<dyn Dialer>,
    mut frames: UnboundedReceiver<Arc<[u8]>>,
    connections: Weak<Lines<Frames>>,
) {
    let reason = match timeout(CONNECTING, dialer.connect(connection.peer)).await {
        Err(_) => "TCP: no connection (timeout)".to_owned(),
        Ok(Err(error)) => format!("TCP: {error}"),
        Ok(Ok(stream)) => match converse(&connection, stream, &mut frames, &connections).await {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                "TCP: the server closed the connection".to_owned()
            }
            Err(error) => format!("TCP: {error}"),
        },
    };
    if let Some(connections) = connections.upgrade() {
        connections.close(&connection, reason);
    }
}

async fn converse(
    connection: &Arc<Connection>,
    stream: Box<dyn ByteStream>,
    frames: &mut UnboundedReceiver<Arc<[u8]>>,
    connections: &Weak<Lines<Frames>>,
) -> io::Result<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = BufReader::with_capacity(2_048, reader);
    let write = async {
        while let Some(query) = frames.recv().await {
            // A query has a few hundred octets at most.
            let length = u16::try_from(query.len()).unwrap_or(u16::MAX).to_be_bytes();
            let frame = [&length, &*query].concat();
            writer.write_all(&frame).await?;
            writer.flush().await?;
        }
        Ok(())
    };
    let read = async {
        loop {
            let length = reader.read_u16().await?;
            // Memory is taken as octets come, not as they are announced.
            let mut reply = Vec::new();
            let mut announced = (&mut reader).take(length.into());
            if announced.read_to_end(&mut reply).await? < length.into() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            lock(&connection.table).deliver(&reply, Case::Any);
        }
    };
    let idle = async {
        loop {
            let Some(pause) = connections.upgrade().map(|lines| lines.usage.idle) else {
                return;
            };
            let entered = lock(&connection.table).entered;
            sleep(pause).await;
            let lines = connections.upgrade();
            if lines.is_none_or(|lines| lines.close_if_idle(connection, entered)) {
                return;
            }
        }
    };
    tokio::select! {
        outcome = write => outcome,
        outcome = read => outcome,
        () = idle => Ok(()),
    }
}
