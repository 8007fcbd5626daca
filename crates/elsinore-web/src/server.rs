//! Accepting connections, no more than were promised, and ending with grace.
//!
//! Whoever comes above the bounds gets a short answer that says when to come again; above twice the
//! bounds the connection is closed at once. A slow sender of a request, a slow reader of an answer
//! and an idle connection are all cut off in time (RFC 9112 §9.5).

use crate::client::{self, Client};
use crate::log;
use crate::routes;
use crate::settings::ConnectionLimits;
use crate::site::Site;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Octets of the head of a request. Browsers send less than two thousand.
const HEAD_OCTETS: usize = 16 * 1024;
/// Fields in the head of a request.
const HEAD_FIELDS: usize = 64;
/// How long answers that have begun may go on after the page was told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How long to wait when no connection can be accepted, as when all files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often reports that have become too old are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// Serves until `stop` resolves, then lets answers that have begun come to their end, for a few
/// seconds.
///
/// # Errors
/// When the listening socket's address cannot be had.
pub async fn serve(
    site: Site,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let limits = site.settings().connections;
    let seats = Seats::new(limits);
    let router = routes::router(site.clone());
    let (stopping, stopped) = watch::channel(false);
    let mut stop = pin!(stop);
    let mut prune = tokio::time::interval(PRUNE_EVERY);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            _ = prune.tick() => {
                site.prune().await;
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                log::problem(&format!("accept: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let proxied = client::is_proxy(peer.ip(), &site.settings().trusted_proxies);
        let Some(seat) = seats.take((!proxied).then(|| Client::of(peer.ip()))) else {
            // Closed unanswered: even saying no would cost too much now.
            continue;
        };
        let connection = Connection {
            peer: peer.ip(),
            seat,
            router: TowerToHyperService::new(router.clone()),
            limits,
            stopped: stopped.clone(),
        };
        tokio::spawn(connection.run(stream));
    }
    drop(listener);
    // Nobody listens when no connection is open, which is as good.
    let _ = stopping.send(true);
    drop(stopped);
    // Resolves when every connection has dropped its end.
    let _ = tokio::time::timeout(LAST_ANSWERS, stopping.closed()).await;
    Ok(())
}

/// The address at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Set on requests that come over a connection above the bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AboveBounds;

struct Connection {
    peer: IpAddr,
    seat: Seat,
    router: TowerToHyperService<axum::Router>,
    limits: ConnectionLimits,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        let Self {
            peer,
            seat,
            router,
            limits,
            mut stopped,
        } = self;
        // A failure costs a little latency.
        let _ = stream.set_nodelay(true);
        let standing = !seat.within;
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request: Request<Incoming> = request;
            request.extensions_mut().insert(Peer(peer));
            if standing {
                request.extensions_mut().insert(AboveBounds);
            }
            router.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(HEAD_OCTETS)
            .max_headers(HEAD_FIELDS)
            .keep_alive(!standing)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        // A connection ends after the answer that is under way when its time is over.
        tokio::select! {
            // What goes wrong on a connection is the client's own doing or its network's.
            _ = connection.as_mut() => return,
            _ = stopped.wait_for(|stopped| *stopped) => {}
            () = tokio::time::sleep(limits.response) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(limits.response, connection).await;
        drop(seat);
    }
}

/// How many connections are open, in all and of each client.
#[derive(Debug, Clone)]
struct Seats {
    limits: ConnectionLimits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    of: HashMap<Client, usize>,
}

/// One open connection.
#[derive(Debug)]
struct Seat {
    seats: Seats,
    client: Option<Client>,
    /// Whether it is within the bounds.
    within: bool,
}

impl Seats {
    fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            taken: Arc::default(),
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for `client` (`None` for a proxy, which has no bound of its own); `None` above twice
    /// the bounds.
    fn take(&self, client: Option<Client>) -> Option<Seat> {
        let mut taken = self.taken();
        let own = client.map_or(0, |client| taken.of.get(&client).copied().unwrap_or(0));
        let below = |times: usize| {
            taken.total < self.limits.total.saturating_mul(times)
                && own < self.limits.per_client.saturating_mul(times)
        };
        let within = below(1);
        if !below(2) {
            return None;
        }
        taken.total += 1;
        if let Some(client) = client {
            *taken.of.entry(client).or_default() += 1;
        }
        drop(taken);
        Some(Seat {
            seats: self.clone(),
            client,
            within,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.total = taken.total.saturating_sub(1);
        let Some(client) = self.client else {
            return;
        };
        if let Some(own) = taken.of.get_mut(&client) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.of.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_for_all_and_for_each() {
        let limits = ConnectionLimits {
            total: 3,
            per_client: 2,
            ..ConnectionLimits::default()
        };
        let seats = Seats::new(limits);
        let client = |last| Some(Client::of(IpAddr::from([192, 0, 2, last])));
        let mut held = Vec::new();
        for (client, expected) in [
            (client(1), Some(true)),
            (client(1), Some(true)),
            (client(1), Some(false)),
            (client(2), Some(false)),
            (None, Some(false)),
            (client(1), Some(false)),
            (client(1), None),
            (client(3), None),
        ] {
            let seat = seats.take(client);
            assert_eq!(
                seat.as_ref().map(|seat| seat.within),
                expected,
                "{client:?}"
            );
            held.extend(seat);
        }
        held.clear();
        assert_eq!(seats.take(client(1)).map(|seat| seat.within), Some(true));
        assert!(seats.taken().of.is_empty() && seats.taken().total == 0);
    }
}
