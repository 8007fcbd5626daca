//! MTA-STS policy hosts: HTTPS servers with one file (RFC 8461 §3.3), and what goes wrong there.

use crate::receiver::tls;
use crate::scenario::{PolicyFault, PolicyHostSpec};
use bytes::Bytes;
use elsinore_net::dialer::ByteStream;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, LOCATION};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use openssl::ssl::SslContext;
use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

/// Where a policy stands (RFC 8461 §3.3).
const WELL_KNOWN: &str = "/.well-known/mta-sts.txt";

/// Where a redirecting host keeps the policy.
const ELSEWHERE: &str = "/moved/mta-sts.txt";

/// Where every host collects reports about TLS (RFC 8460 §5.4).
const COLLECTOR: &str = "/tlsrpt";

/// The longest report that is taken, octets.
const LONGEST_REPORT: usize = 1024 * 1024;

/// The size of a huge body, octets: beyond any limit of RFC 8461 §3.3 (64 kilobytes).
const HUGE: usize = 4 * 1024 * 1024;

/// The longest a connection may last.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(600);

/// One policy host.
#[derive(Debug)]
pub struct PolicyHost {
    spec: PolicyHostSpec,
    tls: SslContext,
    requests: Mutex<Vec<String>>,
    reports: Mutex<Vec<Report>>,
}

/// A report about TLS that was posted to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its media type.
    pub media_type: String,
    /// Its octets.
    pub body: Vec<u8>,
}

impl PolicyHost {
    /// A host that behaves as `spec` says.
    #[must_use]
    pub const fn new(spec: PolicyHostSpec, tls: SslContext) -> Self {
        Self {
            spec,
            tls,
            requests: Mutex::new(Vec::new()),
            reports: Mutex::new(Vec::new()),
        }
    }

    /// The requests so far, each `METHOD PATH`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        // A push is the only change: a panic elsewhere leaves the list whole.
        let requests = self.requests.lock();
        requests
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// The reports about TLS that were posted so far.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        let reports = self.reports.lock();
        reports
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Takes a report; says with which status.
    async fn collect(&self, request: Request<Incoming>) -> StatusCode {
        let media_type = request.headers().get(CONTENT_TYPE).cloned();
        let body = Limited::new(request.into_body(), LONGEST_REPORT);
        let Ok(whole) = body.collect().await else {
            return StatusCode::PAYLOAD_TOO_LARGE;
        };
        let report = Report {
            media_type: media_type
                .and_then(|value| value.to_str().map(str::to_owned).ok())
                .unwrap_or_default(),
            body: whole.to_bytes().to_vec(),
        };
        self.reports
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(report);
        StatusCode::CREATED
    }

    /// Serves one connection to its end. Its errors are the client's affair.
    pub async fn serve(&self, stream: Box<dyn ByteStream>) {
        let served = async {
            let Ok((stream, _)) = tls::accept(&self.tls, stream).await else {
                return;
            };
            let service = service_fn(|request| self.respond(request));
            // An error here means that the client went away or spoke no HTTP.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        };
        // A client that stays longer is cut off.
        let _ = tokio::time::timeout(CONNECTION_DEADLINE, served).await;
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        let line = format!("{} {path}", request.method());
        self.requests
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(line);
        let mut response = Response::new(Full::default());
        if request.method() == Method::POST && path == COLLECTOR {
            *response.status_mut() = match self.spec.fault {
                Some(PolicyFault::NotFound) => StatusCode::NOT_FOUND,
                Some(_) | None => self.collect(request).await,
            };
            return Ok(response);
        }
        let at_home = path == WELL_KNOWN && self.spec.fault != Some(PolicyFault::NotFound);
        let moved = self.spec.fault == Some(PolicyFault::Redirect);
        if at_home && moved {
            *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
            let location = hyper::header::HeaderValue::from_static(ELSEWHERE);
            response.headers_mut().insert(LOCATION, location);
            return Ok(response);
        }
        if !(at_home || moved && path == ELSEWHERE) {
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
        if self.spec.fault == Some(PolicyFault::Slow) {
            std::future::pending::<()>().await;
        }
        let kind = if self.spec.fault == Some(PolicyFault::WrongType) {
            "text/html"
        } else {
            "text/plain; charset=utf-8"
        };
        let kind = hyper::header::HeaderValue::from_static(kind);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        *response.body_mut() = Full::new(self.body());
        Ok(response)
    }

    fn body(&self) -> Bytes {
        let mut body = String::new();
        for line in self.spec.policy.lines() {
            body.push_str(line.trim());
            body.push_str("\r\n");
        }
        if self.spec.fault == Some(PolicyFault::Huge) {
            body.push_str(&"x: filler\r\n".repeat(HUGE / 11));
        }
        body.into()
    }
}
