//! A world behind a simulated network with a fixed latency, without sockets: for counting the
//! sequential round trips of a delivery.
//!
//! Time is tokio's. On a runtime whose clock is paused, computing takes no time and only waiting
//! for the network does, so time divided by the round-trip time *is* the number of sequential
//! round trips. The network counts; the code under test is not asked.
//!
//! # Limitations
//! Nothing is lost or reordered, and there is no flow control: a stream keeps what is written
//! until it is read. Bandwidth is unlimited, so a message of any size travels in one trip.

mod delayed;
mod link;
mod measure;
mod setup;

pub use delayed::Delayed;
pub use measure::{Measured, Phase, measure};
pub use setup::Setup;

use crate::authority::{Reaction, Transport};
use crate::running::QueryLog;
use crate::world::{Service, World};
use elsinore_net::dialer::{ByteStream, Datagrams, Dialer};
use futures_util::future::BoxFuture;
use link::{Watch, link};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

/// Something the network saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// When it left the client.
    pub at: Instant,
    /// Where it went.
    pub peer: SocketAddr,
    /// What it was.
    pub what: Seen,
}

/// What the network can see of the client's traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A datagram.
    Datagram,
    /// A connection attempt.
    Connect,
    /// Octets on a connection; the first octet tells TLS records from text.
    Octets(u8),
}

/// The network. Cloning gives another handle to the same one.
#[derive(Debug, Clone)]
pub struct SimulatedNetwork {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    world: Arc<World>,
    services: HashMap<SocketAddr, Service>,
    servers: Vec<IpAddr>,
    round_trip: Duration,
    queries: QueryLog,
    sightings: Arc<Mutex<Vec<Sighting>>>,
}

impl SimulatedNetwork {
    /// The network around `world`, every host `round_trip` away from the client.
    #[must_use]
    pub fn new(world: Arc<World>, round_trip: Duration) -> Self {
        Self {
            inner: Arc::new(Inner {
                services: world.services().into_iter().collect(),
                servers: world.dns_addresses(),
                world,
                round_trip,
                queries: QueryLog::default(),
                sightings: Arc::default(),
            }),
        }
    }

    /// The round-trip time.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.inner.round_trip
    }

    /// The queries its name servers got.
    #[must_use]
    pub fn queries(&self) -> &QueryLog {
        &self.inner.queries
    }

    /// What the client sent, in order.
    #[must_use]
    pub fn sightings(&self) -> Vec<Sighting> {
        let sightings = self.inner.sightings.lock();
        // A push is the only change: a panic elsewhere leaves the list whole.
        sightings.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn saw(&self, peer: SocketAddr, what: Seen) {
        let mut sightings = (self.inner.sightings.lock()).unwrap_or_else(PoisonError::into_inner);
        sightings.push(Sighting {
            at: Instant::now(),
            peer,
            what,
        });
    }

    fn half(&self) -> Duration {
        self.inner.round_trip / 2
    }

    async fn serve(self, stream: Box<dyn ByteStream>, peer: SocketAddr) {
        // The server knows of the connection when the client's acknowledgement arrives.
        sleep(self.half()).await;
        match self.inner.services.get(&peer) {
            Some(service) => service.serve(stream, peer).await,
            None => self.dns_stream(stream, peer).await,
        }
    }

    async fn dns_stream(&self, mut stream: Box<dyn ByteStream>, peer: SocketAddr) {
        while let Ok(query) = read_framed(&mut stream).await {
            self.inner.queries.note(peer.ip(), &query);
            match (self.inner.world).respond(peer.ip(), Transport::Tcp, &query) {
                Reaction::Reply(reply) => {
                    let Ok(length) = u16::try_from(reply.len()) else {
                        return;
                    };
                    let mut framed = length.to_be_bytes().to_vec();
                    framed.extend_from_slice(&reply);
                    if stream.write_all(&framed).await.is_err() {
                        return;
                    }
                }
                Reaction::Silence => {}
                Reaction::Close => return,
            }
        }
    }

    fn is_server(&self, peer: SocketAddr) -> bool {
        peer.port() == 53 && self.inner.servers.contains(&peer.ip())
    }
}

impl Dialer for SimulatedNetwork {
    fn connect(&self, peer: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async move {
            self.saw(peer, Seen::Connect);
            sleep(self.inner.round_trip).await;
            if !self.inner.services.contains_key(&peer) && !self.is_server(peer) {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let watch = Watch {
                peer,
                sightings: Arc::clone(&self.inner.sightings),
            };
            let (client, server) = link(self.half(), watch);
            tokio::spawn(self.clone().serve(Box::new(server), peer));
            Ok(Box::new(client) as Box<dyn ByteStream>)
        })
    }

    fn datagrams(&self, peer: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        Ok(Box::new(SimulatedDatagrams {
            network: self.clone(),
            peer,
            replies: Delayed::default(),
        }))
    }
}

/// A datagram socket: a reply arrives one round trip after its query left.
#[derive(Debug)]
struct SimulatedDatagrams {
    network: SimulatedNetwork,
    peer: SocketAddr,
    replies: Delayed,
}

impl Datagrams for SimulatedDatagrams {
    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.network.saw(self.peer, Seen::Datagram);
        if !self.network.is_server(self.peer) {
            return Ok(());
        }
        let inner = &self.network.inner;
        inner.queries.note(self.peer.ip(), datagram);
        let reaction = (inner.world).respond(self.peer.ip(), Transport::Udp, datagram);
        if let Reaction::Reply(reply) = reaction {
            (self.replies).push(Instant::now() + inner.round_trip, reply);
        }
        Ok(())
    }

    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.replies.poll(context, buffer)
    }
}

/// One message with its two octets of length (RFC 1035 §4.2.2).
async fn read_framed(stream: &mut Box<dyn ByteStream>) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
