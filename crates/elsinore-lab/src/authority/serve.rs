//! The pure servers on real sockets: one UDP and one TCP listener per server address.

use super::{Authority, Forwarder, Reaction, Transport};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// TCP connections open at one listener at most.
const MAX_CONNECTIONS: usize = 128;
/// Queries on one connection at most.
const MAX_QUERIES: usize = 1000;
/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(20);
/// Tries to find a port that is free for UDP and TCP alike.
const PORT_TRIES: usize = 32;

/// Anything that reacts to DNS queries.
pub trait Responder: Send + Sync + 'static {
    /// What the server at that address does with a query.
    fn respond(&self, server: IpAddr, transport: Transport, query: &[u8]) -> Reaction;
}

impl Responder for Authority {
    fn respond(&self, server: IpAddr, transport: Transport, query: &[u8]) -> Reaction {
        Self::respond(self, server, transport, query)
    }
}

impl Responder for Forwarder {
    /// A resolver is the same at every address.
    fn respond(&self, _: IpAddr, transport: Transport, query: &[u8]) -> Reaction {
        Self::respond(self, transport, query)
    }
}

/// Running listeners; they end when this is dropped.
#[derive(Debug)]
pub struct Listeners {
    places: Vec<(IpAddr, SocketAddr)>,
    tasks: JoinSet<()>,
}

impl Listeners {
    /// Serves each of `servers` on a free port of 127.0.0.1, the same for UDP and TCP.
    ///
    /// # Errors
    /// When no socket can be had.
    pub async fn on_loopback(
        responder: Arc<dyn Responder>,
        servers: impl IntoIterator<Item = IpAddr>,
    ) -> io::Result<Self> {
        let mut listeners = Self::empty();
        for server in servers {
            let (udp, tcp) = free_pair().await?;
            listeners.add(&responder, server, udp, tcp)?;
        }
        Ok(listeners)
    }

    /// Serves each server at the given socket address (its own address and port 53 in a network
    /// namespace, say).
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub async fn at(
        responder: Arc<dyn Responder>,
        places: impl IntoIterator<Item = (IpAddr, SocketAddr)>,
    ) -> io::Result<Self> {
        let mut listeners = Self::empty();
        for (server, place) in places {
            let udp = UdpSocket::bind(place).await?;
            let tcp = TcpListener::bind(udp.local_addr()?).await?;
            listeners.add(&responder, server, udp, tcp)?;
        }
        Ok(listeners)
    }

    /// Where each server listens, in the order given.
    #[must_use]
    pub fn places(&self) -> &[(IpAddr, SocketAddr)] {
        &self.places
    }

    fn empty() -> Self {
        Self {
            places: Vec::new(),
            tasks: JoinSet::new(),
        }
    }

    fn add(
        &mut self,
        responder: &Arc<dyn Responder>,
        server: IpAddr,
        udp: UdpSocket,
        tcp: TcpListener,
    ) -> io::Result<()> {
        self.places.push((server, udp.local_addr()?));
        self.tasks
            .spawn(serve_udp(Arc::clone(responder), server, udp));
        self.tasks
            .spawn(serve_tcp(Arc::clone(responder), server, tcp));
        Ok(())
    }
}

async fn free_pair() -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = None;
    for _ in 0..PORT_TRIES {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("no free port")))
}

async fn serve_udp(responder: Arc<dyn Responder>, server: IpAddr, socket: UdpSocket) {
    let mut buffer = vec![0; 65_535];
    loop {
        // A failed receive is an ICMP error of an earlier reply; it concerns nobody else.
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let query = buffer.get(..length).unwrap_or_default();
        if let Reaction::Reply(reply) = responder.respond(server, Transport::Udp, query) {
            // A reply that cannot be sent is a lost datagram.
            let _ = socket.send_to(&reply, peer).await;
        }
    }
}

async fn serve_tcp(responder: Arc<dyn Responder>, server: IpAddr, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let responder = Arc::clone(&responder);
        connections.spawn(async move {
            // The connection's errors are the client's affair.
            let _ = converse(responder.as_ref(), server, stream).await;
            drop(permit);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(
    responder: &dyn Responder,
    server: IpAddr,
    mut stream: TcpStream,
) -> io::Result<()> {
    for _ in 0..MAX_QUERIES {
        let length = timeout(IDLE, stream.read_u16()).await??;
        let mut query = vec![0; usize::from(length)];
        timeout(IDLE, stream.read_exact(&mut query)).await??;
        match responder.respond(server, Transport::Tcp, &query) {
            Reaction::Reply(reply) => {
                let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
                let mut framed = length.to_be_bytes().to_vec();
                framed.extend_from_slice(&reply);
                timeout(IDLE, stream.write_all(&framed)).await??;
            }
            Reaction::Silence => {}
            Reaction::Close => return Ok(()),
        }
    }
    Ok(())
}
