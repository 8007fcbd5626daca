//! The address for the administrator and the machines that watch.
//!
//! `/healthz` says that the process answers, `/readyz` whether each part of the relay works and why
//! not, `/metrics` has the numbers. `/v1/queue` shows and changes the queue: for the owner of the unix
//! socket without more, over TCP for who has the token ([`guard`]).

pub mod client;
pub mod guard;
pub mod health;
pub mod queue;
pub mod serve;
pub mod shape;

use crate::log::Log;
use crate::metrics::Metrics;
use crate::relay::RelayStatus;
use crate::schedule::{Courier, Order};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use elsinore_queue::error::StoreError;
use elsinore_queue::store::QueueStore;
use elsinore_tlsrpt::score::Score;
use elsinore_tlsrpt::shown::{ShowWish, shown};
use guard::{Door, Guard, Refused};
use health::Health;
use shape::{ChangeWish, DeedWish, ListWish, Problem, SCHEMA_VERSION};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Octets of the body of a request.
const BODY_OCTETS: usize = 256 * 1024;
/// How old the queue's numbers may be in `/metrics`: counting costs.
const STATS_AGE: Duration = Duration::from_secs(5);
/// How long one answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// What the administrator's address shows.
#[derive(Debug, Clone)]
pub struct Admin {
    /// The queue.
    pub store: Arc<dyn QueueStore>,
    /// Whether its parts work.
    pub health: Arc<Health>,
    /// The numbers.
    pub metrics: Arc<Metrics>,
    /// The log, for the number of lines that were dropped.
    pub log: Arc<Log>,
    /// What can be seen of the schedule.
    pub status: Arc<RelayStatus>,
    /// Who carries mail now, for the numbers of its connections.
    pub courier: watch::Receiver<Arc<dyn Courier>>,
    /// What reports about TLS came to.
    pub score: Arc<Score>,
    /// Takes orders for the schedule.
    pub orders: mpsc::Sender<Order>,
    /// Who may ask.
    pub guard: watch::Receiver<Guard>,
    /// When the queue was last counted for the numbers.
    pub counted: Arc<Mutex<Option<Instant>>>,
}

impl Admin {
    /// What answers requests.
    pub fn router(self) -> Router {
        let queue = Router::new()
            .route("/v1/queue/stats", get(stats))
            .route("/v1/queue/list", post(list))
            .route("/v1/queue/change", post(change))
            .route("/v1/queue/message/{id}/header", get(message_header))
            .route("/v1/tlsrpt/show", post(reports))
            .route_layer(middleware::from_fn_with_state(self.clone(), to_queue));
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(readiness))
            .route("/metrics", get(metrics))
            .merge(queue)
            .fallback(async || problem(StatusCode::NOT_FOUND, "there is nothing here"))
            .layer(DefaultBodyLimit::max(BODY_OCTETS))
            .layer(middleware::from_fn_with_state(self.clone(), let_in))
            .with_state(self)
    }

    /// Counts the queue again for the numbers, unless that was done a moment ago.
    async fn count(&self) {
        let is_due = {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = counted.is_none_or(|at| at.elapsed() >= STATS_AGE);
            if is_due {
                *counted = Some(Instant::now());
            }
            is_due
        };
        if !is_due {
            return;
        }
        let now = queue::now();
        // That the store does not answer is shown by its part below.
        if let Ok(stats) = self.store.stats(now).await {
            self.metrics.set_queue(&stats, now);
        }
    }
}

/// Every request: may it be answered, and in time.
async fn let_in(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let door = door(&request);
    let allowed = admin.guard.borrow().let_in(door, request.headers());
    let mut response = match allowed {
        Ok(()) => match tokio::time::timeout(ANSWER_TIME, next.run(request)).await {
            Ok(response) => response,
            Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "this takes too long"),
        },
        Err(Refused(code, why)) => problem(code, why),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// Requests about the queue.
async fn to_queue(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let door = door(&request);
    let allowed = admin.guard.borrow().let_to_queue(door, request.headers());
    match allowed {
        Ok(()) => next.run(request).await,
        Err(Refused(code, why)) => {
            let mut response = problem(code, why);
            if code == StatusCode::UNAUTHORIZED {
                let scheme = HeaderValue::from_static("Bearer");
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, scheme);
            }
            response
        }
    }
}

/// A request whose way is not known came over TCP.
fn door(request: &Request) -> Door {
    (request.extensions().get::<Door>())
        .copied()
        .unwrap_or(Door::Tcp)
}

async fn readiness(State(admin): State<Admin>) -> Response {
    let mut code = StatusCode::OK;
    let mut text = String::new();
    for (part, state) in admin.health.parts_now() {
        admin.metrics.set_ready(part, state.is_ok());
        match state {
            Ok(()) => text.push_str(&format!("{part}: ok\n")),
            Err(why) => {
                code = StatusCode::SERVICE_UNAVAILABLE;
                let why = elsinore_smtp::text::excerpt(why.as_bytes(), 500);
                text.push_str(&format!("{part}: {why}\n"));
            }
        }
    }
    (code, text).into_response()
}

async fn metrics(State(admin): State<Admin>) -> Response {
    for (part, state) in admin.health.parts_now() {
        admin.metrics.set_ready(part, state.is_ok());
    }
    admin.count().await;
    let (working, destinations) = (admin.status.working(), admin.status.destinations());
    admin.metrics.set_schedule(working, destinations);
    let connections = admin.courier.borrow().connections();
    admin.metrics.set_connections(&connections);
    admin.metrics.set_reports(&admin.score.read());
    admin.metrics.set_log_dropped(admin.log.dropped());
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], admin.metrics.text()).into_response()
}

async fn stats(State(admin): State<Admin>) -> Response {
    answer(queue::stats(admin.store.as_ref()).await)
}

async fn list(State(admin): State<Admin>, headers: HeaderMap, body: Bytes) -> Response {
    match wish::<ListWish>(&headers, &body) {
        Ok(wish) => answer(queue::list(admin.store.as_ref(), wish).await),
        Err(refused) => *refused,
    }
}

async fn reports(State(admin): State<Admin>, headers: HeaderMap, body: Bytes) -> Response {
    match wish::<ShowWish>(&headers, &body) {
        Ok(wish) => answer(shown(admin.store.as_ref(), wish).await),
        Err(refused) => *refused,
    }
}

async fn change(
    State(admin): State<Admin>,
    Extension(door): Extension<Door>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let wish = match wish::<ChangeWish>(&headers, &body) {
        Ok(wish) => wish,
        Err(refused) => return *refused,
    };
    let what = format!("{:?}", wish.deed);
    let order = (wish.deed == DeedWish::Retry)
        .then(|| Order::EndPause(wish.filter.destination.clone().filter(|one| is_one(one))));
    let done = queue::change(admin.store.as_ref(), wish).await;
    if let Ok(changed) = &done {
        if let Some(order) = order {
            // A schedule that does not take it tries again a little later, after the pause.
            let _ = admin.orders.try_send(order);
        }
        let by = match door {
            Door::Owner => "the unix socket",
            Door::Tcp => "TCP",
        };
        admin.log.say(
            crate::event::Severity::Info,
            "admin",
            format!(
                "queue: {what} of {} jobs, asked for over {by}",
                changed.changed
            ),
        );
    }
    answer(done)
}

/// Whether a destination of a filter is one, and not all below a name.
fn is_one(destination: &str) -> bool {
    !destination.starts_with('.')
}

async fn message_header(State(admin): State<Admin>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse() else {
        return problem(StatusCode::BAD_REQUEST, "this is no name of a message");
    };
    match queue::header(admin.store.as_ref(), id).await {
        Ok(header) => (
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            header,
        )
            .into_response(),
        Err(error) => refusal(&error),
    }
}

/// The wish in a request. Its type must be said: pages of browsers may not send JSON to others
/// without asking first.
fn wish<T: serde::de::DeserializeOwned>(
    headers: &HeaderMap,
    body: &[u8],
) -> Result<T, Box<Response>> {
    let is_json = (headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok()))
    .and_then(|kind| kind.split(';').next())
    .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(Box::new(problem(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be application/json",
        )));
    }
    serde_json::from_slice(body)
        .map_err(|error| Box::new(problem(StatusCode::BAD_REQUEST, &error.to_string())))
}

fn answer<T: serde::Serialize>(result: Result<T, StoreError>) -> Response {
    match result {
        Ok(value) => json(StatusCode::OK, &value),
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &StoreError) -> Response {
    let code = match error {
        StoreError::Unknown => StatusCode::NOT_FOUND,
        StoreError::Refused(_) => StatusCode::BAD_REQUEST,
        StoreError::Full(_)
        | StoreError::Failed(_)
        | StoreError::Newer { .. }
        | StoreError::InUse(_)
        | StoreError::ReadOnly(_)
        | StoreError::Damaged(_)
        | StoreError::Unavailable(_)
        | StoreError::Content(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    problem(code, &error.to_string())
}

fn problem(code: StatusCode, text: &str) -> Response {
    let problem = Problem {
        schema_version: SCHEMA_VERSION,
        error: elsinore_smtp::text::excerpt(text.as_bytes(), 500),
    };
    json(code, &problem)
}

fn json(code: StatusCode, value: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => (code, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        // Our shapes are all text and numbers.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
