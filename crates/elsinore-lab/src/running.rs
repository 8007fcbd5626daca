//! A world on real sockets: free loopback ports behind an address map, or, in a network namespace
//! of its own, the world's own addresses and ports.

use crate::authority::{Reaction, Transport};
use crate::world::{Service, World};
use crate::zone::key_name;
use domain::base::Message;
use elsinore_dane::answer::{Question, RecordType};
use elsinore_net::dialer::MappedDialer;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// How long an idle DNS connection is kept open.
const DNS_IDLE: Duration = Duration::from_secs(30);

/// Where a world's sockets are bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// On free ports of 127.0.0.1; clients need the [address map](Running::map).
    Loopback,
    /// On the world's own addresses and ports, which must exist on this machine.
    Real,
}

/// One query a name server or resolver of the lab got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedQuery {
    /// Who was asked.
    pub server: SocketAddr,
    /// What.
    pub question: Question,
}

/// The queries in the order in which they arrived.
#[derive(Debug, Default)]
pub struct QueryLog {
    queries: Mutex<Vec<LoggedQuery>>,
}

impl QueryLog {
    /// How many there were so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those after the first `skip`.
    #[must_use]
    pub fn since(&self, skip: usize) -> Vec<LoggedQuery> {
        self.lock().get(skip..).unwrap_or_default().to_vec()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<LoggedQuery>> {
        // A push is the only change: a panic elsewhere leaves the list whole.
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a query; what cannot be read is not noted.
    pub fn note(&self, server: SocketAddr, query: &[u8]) {
        let Ok(message) = Message::from_octets(query) else {
            return;
        };
        let Ok(question) = message.sole_question() else {
            return;
        };
        let name = key_name(question.qname());
        let record_type = RecordType::from_code(question.qtype().to_int());
        self.lock().push(LoggedQuery {
            server,
            question: Question::new(name, record_type),
        });
    }
}

/// A world that can be talked to. Dropping it ends every server.
#[derive(Debug)]
pub struct Running {
    world: Arc<World>,
    queries: Arc<QueryLog>,
    map: MappedDialer,
    tasks: JoinSet<()>,
}

impl Running {
    /// Binds every socket and starts serving.
    ///
    /// # Errors
    /// The operating system's, with the address that could not be bound.
    pub async fn start(world: Arc<World>, placement: Placement) -> io::Result<Self> {
        let queries = Arc::new(QueryLog::default());
        let mut map = MappedDialer::default();
        let mut tasks = JoinSet::new();
        let bind_at = |address: SocketAddr| match placement {
            Placement::Loopback => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            Placement::Real => address,
        };
        let named = |address: SocketAddr| {
            move |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"))
        };
        for address in world.dns_addresses() {
            let socket = UdpSocket::bind(bind_at(address))
                .await
                .map_err(named(address))?;
            map.udp.insert(address, socket.local_addr()?);
            let (world, queries) = (Arc::clone(&world), Arc::clone(&queries));
            tasks.spawn(serve_datagrams(world, queries, socket, address));
        }
        for (address, service) in world.services() {
            let listener = TcpListener::bind(bind_at(address))
                .await
                .map_err(named(address))?;
            map.tcp.insert(address, listener.local_addr()?);
            let (world, queries) = (Arc::clone(&world), Arc::clone(&queries));
            tasks.spawn(serve_streams(world, queries, listener, address, service));
        }
        Ok(Self {
            world,
            queries,
            map,
            tasks,
        })
    }

    /// The world.
    #[must_use]
    pub const fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Dials into the world.
    #[must_use]
    pub const fn map(&self) -> &MappedDialer {
        &self.map
    }

    /// The queries its name servers got.
    #[must_use]
    pub const fn queries(&self) -> &Arc<QueryLog> {
        &self.queries
    }

    /// How many sockets are served.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.tasks.len()
    }
}

async fn serve_datagrams(
    world: Arc<World>,
    queries: Arc<QueryLog>,
    socket: UdpSocket,
    address: SocketAddr,
) {
    let mut buffer = vec![0; 65_535];
    loop {
        // An ICMP error of an earlier reply is reported here; the socket stays good.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let query = &buffer[..length];
        queries.note(address, query);
        if let Reaction::Reply(reply) = world.respond(address, Transport::Udp, query) {
            // The client may be gone.
            let _ = socket.send_to(&reply, client).await;
        }
    }
}

async fn serve_streams(
    world: Arc<World>,
    queries: Arc<QueryLog>,
    listener: TcpListener,
    address: SocketAddr,
    service: Service,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that failed before it was accepted is no reason to stop.
                let Ok((stream, _)) = accepted else { continue };
                let (world, queries, service) =
                    (Arc::clone(&world), Arc::clone(&queries), service.clone());
                connections.spawn(async move {
                    // Small replies must not wait for each other.
                    let _ = stream.set_nodelay(true);
                    match service {
                        Service::Dns => dns_stream(&world, &queries, stream, address).await,
                        other => other.serve(Box::new(stream), address).await,
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn dns_stream(world: &World, queries: &QueryLog, mut stream: TcpStream, address: SocketAddr) {
    while let Ok(Ok(query)) = tokio::time::timeout(DNS_IDLE, read_framed(&mut stream)).await {
        queries.note(address, &query);
        match world.respond(address, Transport::Tcp, &query) {
            Reaction::Reply(reply) => {
                // A reply is at most 65,535 octets.
                let length = u16::try_from(reply.len()).unwrap_or(u16::MAX);
                let mut framed = length.to_be_bytes().to_vec();
                framed.extend_from_slice(&reply[..usize::from(length)]);
                if stream.write_all(&framed).await.is_err() {
                    return;
                }
            }
            Reaction::Silence => {}
            Reaction::Close => return,
        }
    }
}

/// One message with its two octets of length (RFC 1035 §4.2.2).
pub(crate) async fn read_framed(
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}
