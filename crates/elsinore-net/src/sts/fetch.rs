//! The fetch of one policy (RFC 8461 §3.2, §3.3): HTTPS on port 443 of `mta-sts.DOMAIN`, a
//! certificate valid for that name, status 200, `text/plain`, a bounded body, one deadline for
//! everything, no redirects, no HTTP cache.

use crate::clock::Clock;
use crate::dialer::{ByteStream, Dialer};
use crate::resolver::{Freshness, SecureResolver};
use crate::tls::webpki::{WebPkiRefusal, WebPkiRoots, provider, refusal_of};
use elsinore_dane::answer::{Last, Question, RecordData, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::network::AddressRules;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Addresses of a policy host that are tried.
const ADDRESSES: usize = 4;

/// Why a policy could not be fetched. Whatever it is, it never stops mail by itself
/// (RFC 8461 §3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchFailure {
    /// `mta-sts.` in front of the domain makes no name.
    Name,
    /// The policy host has no address, or its lookup failed.
    NoAddress(String),
    /// Every address of the policy host is refused by `smtp.allow_nets`.
    AddressRefused,
    /// No connection, or it broke.
    Connection(String),
    /// The certificate of the policy host is not valid for it.
    Certificate(WebPkiRefusal),
    /// No TLS session for another reason.
    Tls(String),
    /// The status is not 200; redirects are never followed.
    Status(u16),
    /// The media type is not `text/plain`.
    MediaType(String),
    /// The body is longer than the limit, in octets.
    TooLong(usize),
    /// The deadline passed.
    Timeout,
}

impl fmt::Display for FetchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("the name of the policy host is too long"),
            Self::NoAddress(reason) => write!(f, "the policy host has no address: {reason}"),
            Self::AddressRefused => {
                f.write_str("smtp.allow_nets refuses every address of the policy host")
            }
            Self::Connection(reason) => write!(f, "no connection: {reason}"),
            Self::Certificate(refusal) => write!(f, "certificate of the policy host: {refusal}"),
            Self::Tls(reason) => write!(f, "TLS: {reason}"),
            Self::Status(code @ 300..=399) => {
                write!(f, "HTTP status {code}: redirects are not followed")
            }
            Self::Status(code) => write!(f, "HTTP status {code}"),
            Self::MediaType(found) => write!(f, "media type {found:?} instead of text/plain"),
            Self::TooLong(limit) => write!(f, "longer than {limit} octets"),
            Self::Timeout => f.write_str("timed out"),
        }
    }
}

impl std::error::Error for FetchFailure {}

/// Fetches policies.
#[derive(Debug, Clone)]
pub struct PolicyFetcher {
    resolver: Arc<dyn SecureResolver>,
    dialer: Arc<dyn Dialer>,
    tls: Arc<ClientConfig>,
    rules: AddressRules,
    deadline: Duration,
    limit: usize,
}

impl PolicyFetcher {
    /// A fetcher that trusts `roots`, contacts only what `rules` permit, and gives each fetch
    /// `deadline` and `limit` octets.
    ///
    /// # Errors
    /// The text says why TLS could not be configured.
    pub fn new(
        resolver: Arc<dyn SecureResolver>,
        dialer: Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
        roots: &WebPkiRoots,
        rules: AddressRules,
        deadline: Duration,
        limit: usize,
    ) -> Result<Self, String> {
        let time = Arc::new(crate::tls::ClockForRustls(clock));
        let mut tls = ClientConfig::builder_with_details(provider(), time)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots.store())
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            resolver,
            dialer,
            tls: Arc::new(tls),
            rules,
            deadline,
            limit,
        })
    }

    /// Fetches the policy of `domain`; the octets are not parsed here.
    ///
    /// # Errors
    /// [`FetchFailure`].
    pub async fn fetch(&self, domain: &DomainName) -> Result<Vec<u8>, FetchFailure> {
        timeout(self.deadline, self.fetch_at_leisure(domain))
            .await
            .unwrap_or(Err(FetchFailure::Timeout))
    }

    async fn fetch_at_leisure(&self, domain: &DomainName) -> Result<Vec<u8>, FetchFailure> {
        let host = domain.prefixed("mta-sts").map_err(|_| FetchFailure::Name)?;
        let name =
            ServerName::try_from(host.as_str().to_owned()).map_err(|_| FetchFailure::Name)?;
        let mut last = FetchFailure::AddressRefused;
        for address in self.addresses(&host).await? {
            let stream = match self.dialer.connect(SocketAddr::new(address, 443)).await {
                Ok(stream) => stream,
                Err(error) => {
                    last = FetchFailure::Connection(error.to_string());
                    continue;
                }
            };
            return self.fetch_over(stream, &host, name.clone()).await;
        }
        Err(last)
    }

    /// Addresses that may be contacted, families interleaved. DNSSEC plays no part: the
    /// certificate decides (RFC 8461 §3.3).
    async fn addresses(&self, host: &DomainName) -> Result<Vec<IpAddr>, FetchFailure> {
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
            return Err(FetchFailure::NoAddress(reason));
        }
        let longest = v6.len().max(v4.len());
        let interleaved = (0..longest).flat_map(|index| [v6.get(index), v4.get(index)]);
        Ok(interleaved
            .flatten()
            .copied()
            .filter(|address| self.rules.permits(*address))
            .take(ADDRESSES)
            .collect())
    }

    async fn fetch_over(
        &self,
        stream: Box<dyn ByteStream>,
        host: &DomainName,
        name: ServerName<'static>,
    ) -> Result<Vec<u8>, FetchFailure> {
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let tls = connector.connect(name, stream).await.map_err(|error| {
            let inner = error.get_ref().and_then(|e| e.downcast_ref());
            match inner {
                Some(error @ rustls::Error::InvalidCertificate(_)) => {
                    FetchFailure::Certificate(refusal_of(error))
                }
                Some(error) => FetchFailure::Tls(error.to_string()),
                None => FetchFailure::Connection(error.to_string()),
            }
        })?;
        let broken = |error: &hyper::Error| FetchFailure::Connection(error.to_string());
        let (mut requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
            .await
            .map_err(|error| broken(&error))?;
        let host = HeaderValue::from_str(host.as_str()).map_err(|_| FetchFailure::Name)?;
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = hyper::Uri::from_static("/.well-known/mta-sts.txt");
        request.headers_mut().insert(HOST, host);
        request
            .headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static("elsinore"));
        let exchange = async {
            let response = requests
                .send_request(request)
                .await
                .map_err(|error| broken(&error))?;
            if response.status() != StatusCode::OK {
                return Err(FetchFailure::Status(response.status().as_u16()));
            }
            let media_type = response.headers().get(CONTENT_TYPE);
            if !is_text_plain(media_type) {
                let found = media_type.map_or_else(String::new, |value| {
                    let text = String::from_utf8_lossy(value.as_bytes());
                    text.chars().take(80).collect()
                });
                return Err(FetchFailure::MediaType(found));
            }
            let body = Limited::new(response.into_body(), self.limit);
            match body.collect().await {
                Ok(whole) => Ok(whole.to_bytes().to_vec()),
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    Err(FetchFailure::TooLong(self.limit))
                }
                Err(error) => Err(FetchFailure::Connection(error.to_string())),
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

/// RFC 8461 §3.2: senders should check the media type; parameters do not matter.
fn is_text_plain(value: Option<&HeaderValue>) -> bool {
    let Some(Ok(text)) = value.map(HeaderValue::to_str) else {
        return false;
    };
    text.split(';')
        .next()
        .is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("text/plain"))
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
            let header = value.map(HeaderValue::from_static);
            assert_eq!(is_text_plain(header.as_ref()), expected, "{value:?}");
        }
    }
}
