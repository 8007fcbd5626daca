//! The scripted network: servers that answer by the file, behind the resolver's own boundary.

use crate::matching::{Transport, matches};
use crate::scenario::{Adjustments, Entry, Event, Packet, Range, Scenario, Step, WireName};
use crate::settings::Reach;
use crate::wire::{self, Seen};
use elsinore_net::dialer::{ByteStream, Datagrams, Dialer};
use futures_util::future::BoxFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Unanswered questions that are remembered for the report.
const REMEMBERED: usize = 40;

/// Octets of a reply that still goes out as a datagram; a longer one is left for TCP, as every
/// server does it. No file is about the number.
const DATAGRAM: usize = 4_096;

/// Octets in flight on a scripted TCP connection, in each direction.
const STREAM: usize = 1 << 17;

type Inbox = UnboundedSender<io::Result<Vec<u8>>>;

/// A question of the resolver that nobody has answered yet.
#[derive(Debug)]
pub(crate) struct Pending {
    peer: SocketAddr,
    transport: Transport,
    query: Vec<u8>,
    seen: Seen,
    inbox: Inbox,
}

/// The script and how far it has come.
#[derive(Debug)]
struct Script {
    ranges: Vec<Range>,
    steps: Vec<Step>,
    /// Index of the step that comes next.
    next: usize,
    pending: Vec<Pending>,
    unanswered: Vec<String>,
}

/// The network of one scenario. Clones are the same network.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    script: Arc<Mutex<Script>>,
    reach: Reach,
}

impl Network {
    pub(crate) fn new(scenario: &Scenario, reach: Reach) -> Self {
        Self {
            reach,
            script: Arc::new(Mutex::new(Script {
                ranges: scenario.ranges.clone(),
                steps: scenario.steps.clone(),
                next: 0,
                pending: Vec::new(),
                unanswered: Vec::new(),
            })),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The step that comes next, by index. A question that it waits for moves it on.
    pub(crate) fn next(&self) -> usize {
        self.script().next
    }

    /// Moves on to the step with this index, and answers what waited for it.
    pub(crate) fn move_to(&self, next: usize) {
        let mut script = self.script();
        script.next = next;
        let waiting = std::mem::take(&mut script.pending);
        for pending in waiting {
            if !pending.inbox.is_closed()
                && let Some(pending) = script.take_in(pending)
            {
                script.pending.push(pending);
            }
        }
    }

    /// Questions that no server had an answer to, for the report.
    pub(crate) fn unanswered(&self) -> Vec<String> {
        self.script().unanswered.clone()
    }

    /// Whether a question waits for an answer of the next steps.
    pub(crate) fn has_pending(&self) -> bool {
        self.script()
            .pending
            .iter()
            .any(|pending| !pending.inbox.is_closed())
    }

    /// Takes the question that was put last: of those for `name`, if there is one, for a resolver
    /// may ask something of its own beside.
    pub(crate) fn take_last(&self, name: Option<&WireName>) -> Result<Pending, String> {
        let mut script = self.script();
        script.pending.retain(|pending| !pending.inbox.is_closed());
        let is_for = |pending: &Pending| {
            let asked = pending.seen.question.first();
            asked.map(|asked| &asked.name) == name
        };
        let last = script.pending.len().checked_sub(1);
        match script.pending.iter().rposition(is_for).or(last) {
            Some(at) => Ok(script.pending.remove(at)),
            None => Err("no question waits for an answer".to_owned()),
        }
    }

    fn check(&self, peer: SocketAddr, transport: bool) -> io::Result<()> {
        let family = match peer {
            SocketAddr::V4(_) => self.reach.ipv4,
            SocketAddr::V6(_) => self.reach.ipv6,
        };
        if family && transport {
            Ok(())
        } else {
            Err(io::ErrorKind::NetworkUnreachable.into())
        }
    }

    fn arrive(&self, peer: SocketAddr, transport: Transport, query: &[u8], inbox: &Inbox) {
        let Some(seen) = Seen::query(query) else {
            return;
        };
        let mut script = self.script();
        let left = script.take_in(Pending {
            peer,
            transport,
            query: query.to_vec(),
            seen,
            inbox: inbox.clone(),
        });
        if let Some(pending) = left {
            if script.unanswered.len() < REMEMBERED {
                let asked = pending.seen.question.first();
                let asked = asked.map_or_else(String::new, ToString::to_string);
                script
                    .unanswered
                    .push(format!("{asked} at {}", pending.peer.ip()));
            }
            script.pending.push(pending);
        }
    }
}

impl Script {
    /// Answers a question, or gives it back.
    fn take_in(&mut self, pending: Pending) -> Option<Pending> {
        if let Some(step) = self.steps.get(self.next)
            && let Event::CheckOutQuery(entry) = &step.event
            && step
                .address
                .is_none_or(|address| address == pending.peer.ip())
            && matches(entry, &pending.seen, pending.transport)
        {
            self.next += 1;
            if entry.adjust.copy_id {
                pending.answer(entry);
                return None;
            }
            return Some(pending);
        }
        match self.entry_for(&pending) {
            Some(entry) => {
                pending.answer(entry);
                None
            }
            None => Some(pending),
        }
    }

    /// The first entry, of the ranges that hold now and here, that matches.
    fn entry_for(&self, pending: &Pending) -> Option<&Entry> {
        let now = self.steps.get(self.next).or(self.steps.last())?.number;
        let address = pending.peer.ip();
        self.ranges
            .iter()
            .filter(|range| range.first <= now && now <= range.last)
            .filter(|range| range.addresses.is_empty() || range.addresses.contains(&address))
            .flat_map(|range| &range.entries)
            .find(|entry| matches(entry, &pending.seen, pending.transport))
    }
}

impl Pending {
    /// Sends the packets of `entry`: the first one over UDP, all of them over TCP.
    pub(crate) fn answer(&self, entry: &Entry) {
        let mut pause = entry.adjust.sleep;
        let count = match self.transport {
            Transport::Udp => 1,
            Transport::Tcp => entry.packets.len(),
        };
        for packet in entry.packets.iter().take(count) {
            pause += packet.pause;
            self.send(packet, entry.adjust, pause);
        }
    }

    /// Lets the question end in an error of the network.
    pub(crate) fn fail(self) {
        // The resolver may have given up by now.
        let _ = self.inbox.send(Err(io::ErrorKind::ConnectionReset.into()));
    }

    /// Leaves the question alone: the resolver's own clock ends it.
    pub(crate) fn never_answer(self) {}

    fn send(&self, packet: &Packet, adjust: Adjustments, pause: Duration) {
        let mut reply = wire::reply(packet, adjust, &self.query);
        if self.transport == Transport::Udp && reply.len() > DATAGRAM {
            wire::truncate(&mut reply);
        }
        let inbox = self.inbox.clone();
        if pause.is_zero() {
            // The resolver may have given up by now.
            let _ = inbox.send(Ok(reply));
            return;
        }
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _ = inbox.send(Ok(reply));
        });
    }
}

/// A datagram socket of the resolver.
#[derive(Debug)]
struct Socket {
    network: Network,
    peer: SocketAddr,
    inbox: Inbox,
    received: Mutex<UnboundedReceiver<io::Result<Vec<u8>>>>,
}

impl Datagrams for Socket {
    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.network
            .arrive(self.peer, Transport::Udp, datagram, &self.inbox);
        Ok(())
    }

    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        match ready!(received.poll_recv(context)) {
            Some(Ok(datagram)) => {
                let length = datagram.len().min(buffer.len());
                buffer[..length].copy_from_slice(&datagram[..length]);
                Poll::Ready(Ok(length))
            }
            Some(Err(error)) => Poll::Ready(Err(error)),
            // This socket holds a sender itself.
            None => Poll::Pending,
        }
    }
}

impl Dialer for Network {
    fn connect(&self, peer: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async move {
            self.check(peer, self.reach.tcp)?;
            let (ours, theirs) = tokio::io::duplex(STREAM);
            let network = self.clone();
            tokio::spawn(async move {
                // The connection ends when either side has had enough.
                let _ = serve(network, peer, theirs).await;
            });
            Ok(Box::new(ours) as Box<dyn ByteStream>)
        })
    }

    fn datagrams(&self, peer: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        self.check(peer, self.reach.udp)?;
        let (inbox, received) = unbounded_channel();
        Ok(Box::new(Socket {
            network: self.clone(),
            peer,
            inbox,
            received: Mutex::new(received),
        }))
    }
}

/// The server's side of a TCP connection (RFC 1035 §4.2.2).
async fn serve(
    network: Network,
    peer: SocketAddr,
    stream: tokio::io::DuplexStream,
) -> io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (inbox, mut replies) = unbounded_channel();
    let queries = async {
        loop {
            let length = reader.read_u16().await?;
            let mut query = vec![0; usize::from(length)];
            reader.read_exact(&mut query).await?;
            network.arrive(peer, Transport::Tcp, &query, &inbox);
        }
    };
    let answers = async {
        loop {
            let Some(reply) = replies.recv().await else {
                return Ok(());
            };
            let reply = reply?;
            let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
            writer.write_u16(length).await?;
            writer.write_all(&reply).await?;
        }
    };
    tokio::select! {
        ended = queries => ended,
        ended = answers => ended,
    }
}
