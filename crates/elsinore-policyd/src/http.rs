//! The lookup as JSON, for other MTAs and for people; health and metrics. On loopback.
//!
//! `GET /v1/lookup?domain=example.org` (any key that Postfix could ask for), `/healthz`, `/readyz`,
//! `/metrics`. Whoever calls us by a foreign name is refused: a page that a browser shows could
//! otherwise learn by it where mail goes (DNS rebinding).

use crate::desk::{Desk, Reply};
use crate::lookup_key::LookupKey;
use crate::server::{Running, Seats, stopped};
use crate::settings::ConnectionLimits;
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use elsinore_dane::name::DomainName;
use elsinore_net::host_field;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Octets of the head of a request.
const HEAD_OCTETS: usize = 16 * 1024;
/// Fields in the head of a request.
const HEAD_FIELDS: usize = 64;
/// How long to wait when no connection can be accepted, as when all files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Says whether our own DNS works, or how it does not.
pub type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What answers by HTTP.
#[derive(Clone)]
pub struct Office {
    /// Answers.
    pub desk: Desk,
    /// Whether it can.
    pub readiness: Readiness,
    /// Names that requests may call us by, beside addresses and `localhost`.
    pub hosts: watch::Receiver<Vec<DomainName>>,
}

impl std::fmt::Debug for Office {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Office").finish_non_exhaustive()
    }
}

/// Serves until `running` says `false`.
pub async fn serve(
    office: Office,
    listener: TcpListener,
    limits: ConnectionLimits,
    running: Running,
) {
    let seats = Seats::new(&office.desk, limits.most);
    let router = Router::new()
        .route("/v1/lookup", get(lookup))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .method_not_allowed_fallback(async |_: Method| {
            (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")], "")
        })
        .layer(middleware::from_fn_with_state(office.clone(), let_in))
        .with_state(office);
    loop {
        let accepted = tokio::select! {
            () = stopped(running.clone()) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some(seat) = seats.take() else {
            continue;
        };
        let (router, running) = (router.clone(), running.clone());
        tokio::spawn(async move {
            connection(stream, router, limits, running).await;
            drop(seat);
        });
    }
}

async fn connection(stream: TcpStream, router: Router, limits: ConnectionLimits, running: Running) {
    // A failure costs a little latency.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.transfer)
        .max_buf_size(HEAD_OCTETS)
        .max_headers(HEAD_FIELDS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    // A connection ends after the answer that is under way when its time is over.
    tokio::select! {
        // What goes wrong on a connection is the client's own doing or its network's.
        _ = connection.as_mut() => return,
        () = stopped(running) => {}
        () = tokio::time::sleep(limits.idle) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(limits.transfer, connection).await;
}

/// Every request: is it meant for us.
async fn let_in(State(office): State<Office>, request: Request, next: Next) -> Response {
    let is_ours = host_field::is_own(request.headers(), &office.hosts.borrow());
    let mut response = if is_ours {
        next.run(request).await
    } else {
        office.desk.metrics().misdirected.inc();
        let text = "the Host field is none of this server's names ([policyd] hosts)\n";
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    };
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

#[derive(Deserialize)]
struct Wanted {
    domain: Option<String>,
}

async fn lookup(State(office): State<Office>, Query(wanted): Query<Wanted>) -> Response {
    let desk = &office.desk;
    desk.metrics().http.inc();
    let key = wanted.domain.unwrap_or_default();
    if LookupKey::parse(key.as_bytes()) == LookupKey::Unknown {
        desk.metrics().malformed.inc();
        let text = "{\"error\":\"domain: not a destination\"}";
        return (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, JSON)], text).into_response();
    }
    let entry = match desk.ask(key.as_bytes()) {
        Reply::Ready(entry) => entry,
        Reply::Waiting(waiting) => desk.hear(waiting, key.as_bytes()).await,
    };
    let left = entry
        .life
        .until
        .saturating_duration_since(tokio::time::Instant::now());
    let age = format!("private, max-age={}", left.as_secs());
    let head = [(CONTENT_TYPE, JSON.to_owned()), (CACHE_CONTROL, age)];
    (head, with_life(&entry.document, left)).into_response()
}

const JSON: &str = "application/json";

/// The document with the seconds for which it may be kept: they change while the rest stays.
fn with_life(document: &[u8], left: Duration) -> Vec<u8> {
    let Some(rest) = document.strip_prefix(b"{") else {
        return document.to_vec();
    };
    let mut text = format!("{{\"ttl\":{},", left.as_secs()).into_bytes();
    text.extend_from_slice(rest);
    text.push(b'\n');
    text
}

async fn ready(State(office): State<Office>) -> Response {
    match (office.readiness)() {
        Ok(()) => "ready\n".into_response(),
        Err(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")).into_response(),
    }
}

async fn metrics(State(office): State<Office>) -> Response {
    let is_ready = (office.readiness)().is_ok();
    let text = office.desk.metrics().text(office.desk.size(), is_ready);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], text).into_response()
}
