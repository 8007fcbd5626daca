//! A world on real sockets: free loopback ports behind an address map, or, in a network namespace
//! of its own, the world's own addresses and ports.

use crate::authority::{Listeners, Reaction, Responder, Transport};
use crate::world::{Service, World};
use crate::zone::key_name;
use domain::base::Message;
use elsinore_dane::answer::{Question, RecordType};
use elsinore_net::dialer::MappedDialer;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

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
    pub server: IpAddr,
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
    pub fn note(&self, server: IpAddr, query: &[u8]) {
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
    _listeners: Listeners,
    tasks: JoinSet<()>,
}

impl Running {
    /// Binds every socket and starts serving.
    ///
    /// # Errors
    /// The operating system's, with the address that could not be bound.
    pub async fn start(world: Arc<World>, placement: Placement) -> io::Result<Self> {
        let queries = Arc::new(QueryLog::default());
        let responder = Arc::new(Logged {
            world: Arc::clone(&world),
            queries: Arc::clone(&queries),
        });
        let servers = world.dns_addresses();
        let listeners = match placement {
            Placement::Loopback => Listeners::on_loopback(responder, servers).await,
            Placement::Real => {
                let places = (servers.into_iter()).map(|address| (address, (address, 53).into()));
                Listeners::at(responder, places).await
            }
        }?;
        let mut map = MappedDialer::default();
        for (server, place) in listeners.places() {
            map.udp.insert((*server, 53).into(), *place);
            map.tcp.insert((*server, 53).into(), *place);
        }
        let mut tasks = JoinSet::new();
        for (address, service) in world.services() {
            let place = match placement {
                Placement::Loopback => (Ipv4Addr::LOCALHOST, 0).into(),
                Placement::Real => address,
            };
            let listener = TcpListener::bind(place)
                .await
                .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
            map.tcp.insert(address, listener.local_addr()?);
            tasks.spawn(serve_streams(listener, address, service));
        }
        Ok(Self {
            world,
            queries,
            map,
            _listeners: listeners,
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

    /// How many TCP services there are.
    #[must_use]
    pub fn services(&self) -> usize {
        self.tasks.len()
    }
}

async fn serve_streams(listener: TcpListener, address: SocketAddr, service: Service) {
    let mut connections = JoinSet::new();
    loop {
        // A connection that failed before it was accepted is no reason to stop.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let service = service.clone();
        connections.spawn(async move {
            // Small replies must not wait for each other.
            let _ = stream.set_nodelay(true);
            service.serve(Box::new(stream), address).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// The world's name servers, with a log.
#[derive(Debug)]
struct Logged {
    world: Arc<World>,
    queries: Arc<QueryLog>,
}

impl Responder for Logged {
    fn respond(&self, server: IpAddr, transport: Transport, query: &[u8]) -> Reaction {
        self.queries.note(server, query);
        self.world.respond(server, transport, query)
    }
}
