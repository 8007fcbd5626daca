//! One HTTPS request: addresses looked up with our resolver and held against the networks that may
//! be contacted, a certificate valid for the host, one bounded answer, one deadline for everything.
//! No redirects are followed, and nothing is kept between requests.
//!
//! For MTA-STS policies (RFC 8461 §3.3) and for reports about TLS (RFC 8460 §5.4).

use crate::clock::Clock;
use crate::dialer::{ByteStream, Dialer};
use crate::resolver::{Freshness, SecureResolver};
use crate::tls::ClockForRustls;
use crate::tls::webpki::{WebPkiRoots, provider, refusal_of};
use elsinore_dane::answer::{Last, Question, RecordData, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::network::NetworkPolicy;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Addresses of a host that are tried.
const ADDRESSES: usize = 4;
/// The part of the whole time that one address has to accept a connection: one more than there
/// are addresses, so that silent ones leave time for the last.
const SHARES: u32 = 5;

/// What is asked.
#[derive(Debug, Clone)]
pub struct HttpsRequest<'a> {
    /// Whom.
    pub host: &'a DomainName,
    /// The TCP port.
    pub port: u16,
    /// Path and query, beginning with a slash.
    pub path: &'a str,
    /// What is sent: its media type and its octets. Without it the request is a GET, else a POST.
    pub content: Option<(&'static str, Bytes)>,
    /// Which body of an answer is read.
    pub wants: Wants,
}

/// Which body of an answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// None: the status says it all.
    StatusAlone,
    /// That of a 2xx answer of this media type.
    Body(&'static str),
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsReply {
    /// The HTTP status.
    pub status: u16,
    /// The media type with its parameters, where one was given in ASCII.
    pub media_type: Option<String>,
    /// The body; empty where it was not wanted and so not read.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpsError {
    /// The host has no address, or its lookup failed.
    #[error("its address lookup failed: {0}")]
    Dns(String),
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The certificate is not valid for the host.
    #[error("its certificate is not valid: {0}")]
    Certificate(String),
    /// The handshake failed for another reason.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// Malformed HTTP.
    #[error("its answer is malformed: {0}")]
    Http(String),
    /// The body is longer than was allowed.
    #[error("its answer is too long")]
    TooLarge,
    /// The deadline passed.
    #[error("it did not answer in time")]
    Timeout,
}

/// Puts requests.
#[derive(Debug, Clone)]
pub struct HttpsClient {
    resolver: Arc<dyn SecureResolver>,
    dialer: Arc<dyn Dialer>,
    tls: Result<Arc<ClientConfig>, String>,
    networks: NetworkPolicy,
    deadline: Duration,
    limit: usize,
}

impl HttpsClient {
    /// A client that trusts `roots`, contacts only what `networks` allow, and gives each request
    /// `deadline` and each answer `limit` octets.
    #[must_use]
    pub fn new(
        resolver: Arc<dyn SecureResolver>,
        dialer: Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
        roots: &WebPkiRoots,
        networks: NetworkPolicy,
        deadline: Duration,
        limit: usize,
    ) -> Self {
        Self {
            resolver,
            dialer,
            tls: configuration(clock, roots).map_err(|error| error.to_string()),
            networks,
            deadline,
            limit,
        }
    }

    /// Puts `request`. The answer may have any status.
    ///
    /// # Errors
    /// [`HttpsError`].
    pub async fn exchange(&self, request: &HttpsRequest<'_>) -> Result<HttpsReply, HttpsError> {
        timeout(self.deadline, self.exchange_at_leisure(request))
            .await
            .unwrap_or(Err(HttpsError::Timeout))
    }

    async fn exchange_at_leisure(
        &self,
        request: &HttpsRequest<'_>,
    ) -> Result<HttpsReply, HttpsError> {
        let name = ServerName::try_from(request.host.as_str().to_owned())
            .map_err(|_| HttpsError::Dns("not a host name".to_owned()))?;
        let mut last = HttpsError::Connect("smtp.allow_nets refuses its addresses".to_owned());
        for address in self.addresses(request.host).await? {
            let connection = self.dialer.connect(SocketAddr::new(address, request.port));
            let stream = match timeout(self.deadline / SHARES, connection).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    last = HttpsError::Connect(error.to_string());
                    continue;
                }
                Err(_) => {
                    last = HttpsError::Connect("timed out".to_owned());
                    continue;
                }
            };
            match self.exchange_over(stream, request, name.clone()).await {
                // A server that hangs up has said nothing.
                Err(error @ HttpsError::Connect(_)) => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    /// Addresses that may be contacted, families interleaved. DNSSEC plays no part: the
    /// certificate decides.
    async fn addresses(&self, host: &DomainName) -> Result<Vec<IpAddr>, HttpsError> {
        let v6 = Question::new(host.clone(), RecordType::Aaaa);
        let v4 = Question::new(host.clone(), RecordType::A);
        let (v6, v4) = tokio::join!(
            self.resolver.lookup(&v6, Freshness::Cached),
            self.resolver.lookup(&v4, Freshness::Cached)
        );
        let mut reason = "shown absent".to_owned();
        let mut families = [Vec::new(), Vec::new()];
        for (family, answer) in families.iter_mut().zip([&v6, &v4]) {
            match &answer.last {
                Last::Data(set) => family.extend(set.records.iter().filter_map(|r| match r {
                    RecordData::A(address) => Some(IpAddr::V4(*address)),
                    RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
                    _ => None,
                })),
                Last::Denied(_) => {}
                Last::Failed(failure) => failure.status.reason().clone_into(&mut reason),
            }
        }
        let [v6, v4] = families;
        if v6.is_empty() && v4.is_empty() {
            return Err(HttpsError::Dns(reason));
        }
        let longest = v6.len().max(v4.len());
        let interleaved = (0..longest).flat_map(|index| [v6.get(index), v4.get(index)]);
        Ok(interleaved
            .flatten()
            .copied()
            .filter(|address| self.networks.refusal(*address).is_none())
            .take(ADDRESSES)
            .collect())
    }

    async fn exchange_over(
        &self,
        stream: Box<dyn ByteStream>,
        request: &HttpsRequest<'_>,
        name: ServerName<'static>,
    ) -> Result<HttpsReply, HttpsError> {
        let configuration = self.tls.as_ref().map_err(|e| HttpsError::Tls(e.clone()))?;
        let connector = TlsConnector::from(Arc::clone(configuration));
        let tls = connector.connect(name, stream).await.map_err(|error| {
            let inner = error.get_ref().and_then(|e| e.downcast_ref());
            match inner {
                Some(error @ rustls::Error::InvalidCertificate(_)) => {
                    HttpsError::Certificate(refusal_of(error).to_string())
                }
                Some(error) => HttpsError::Tls(error.to_string()),
                None => HttpsError::Connect(error.to_string()),
            }
        })?;
        let broken = |error: &hyper::Error| HttpsError::Http(error.to_string());
        let (mut requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
            .await
            .map_err(|error| broken(&error))?;
        let outgoing = outgoing(request)?;
        let exchange = async {
            let response = requests
                .send_request(outgoing)
                .await
                .map_err(|error| broken(&error))?;
            let status = response.status().as_u16();
            let media_type = response.headers().get(CONTENT_TYPE);
            let media_type = media_type.and_then(|value| value.to_str().ok());
            let media_type = media_type.map(str::to_owned);
            let is_wanted = match request.wants {
                Wants::StatusAlone => false,
                Wants::Body(wanted) => is_of_type(media_type.as_deref(), wanted),
            };
            if !response.status().is_success() || !is_wanted {
                return Ok(HttpsReply {
                    status,
                    media_type,
                    body: Vec::new(),
                });
            }
            let body = Limited::new(response.into_body(), self.limit);
            match body.collect().await {
                Ok(whole) => Ok(HttpsReply {
                    status,
                    media_type,
                    body: whole.to_bytes().to_vec(),
                }),
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    Err(HttpsError::TooLarge)
                }
                Err(error) => Err(HttpsError::Http(error.to_string())),
            }
        };
        // The connection is driven beside the exchange and dropped with it.
        let mut connection = std::pin::pin!(connection);
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            biased;
            result = &mut exchange => result,
            _ = &mut connection => exchange.await,
        }
    }
}

/// Whether a `Content-Type` is that media type; parameters do not matter.
pub(crate) fn is_of_type(value: Option<&str>, wanted: &str) -> bool {
    let Some(text) = value else {
        return false;
    };
    text.split(';')
        .next()
        .is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(wanted))
}

fn outgoing(request: &HttpsRequest<'_>) -> Result<Request<Full<Bytes>>, HttpsError> {
    let malformed = |what: String| HttpsError::Http(what);
    let (method, media_type, content) = match &request.content {
        None => (Method::GET, None, Bytes::new()),
        Some((media_type, content)) => (Method::POST, Some(*media_type), content.clone()),
    };
    let mut outgoing = Request::new(Full::new(content));
    *outgoing.method_mut() = method;
    *outgoing.uri_mut() = request
        .path
        .parse::<Uri>()
        .map_err(|error| malformed(error.to_string()))?;
    let host = match request.port {
        443 => request.host.to_string(),
        port => format!("{}:{port}", request.host),
    };
    let host = HeaderValue::from_str(&host).map_err(|error| malformed(error.to_string()))?;
    let headers = outgoing.headers_mut();
    headers.insert(HOST, host);
    headers.insert(USER_AGENT, HeaderValue::from_static("elsinore"));
    if let Some(media_type) = media_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    Ok(outgoing)
}

fn configuration(
    clock: Arc<dyn Clock>,
    roots: &WebPkiRoots,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let time = Arc::new(ClockForRustls(clock));
    let mut tls = ClientConfig::builder_with_details(provider(), time)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots.store())
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        for (value, expected) in [
            (Some("text/plain"), true),
            (Some("Text/Plain; charset=utf-8"), true),
            (Some("text/plain;charset=iso-8859-1; x=y"), true),
            (Some("text/html"), false),
            (Some("text/plainer"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(is_of_type(value, "text/plain"), expected, "{value:?}");
        }
    }
}
