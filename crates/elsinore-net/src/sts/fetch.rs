//! The fetch of one policy (RFC 8461 §3.2, §3.3): HTTPS on port 443 of `mta-sts.DOMAIN`, a
//! certificate valid for that name, status 200, `text/plain`, a bounded body, one deadline for
//! everything, no redirects, no HTTP cache.

use crate::clock::Clock;
use crate::dialer::{ByteStream, Dialer};
use crate::resolver::{Freshness, SecureResolver};
use crate::tls::ClockForRustls;
use crate::tls::webpki::{WebPkiRoots, provider, refusal_of};
use elsinore_dane::answer::{Last, Question, RecordData, RecordType};
use elsinore_dane::mta_sts::StsFetchError;
use elsinore_dane::name::DomainName;
use elsinore_dane::network::NetworkPolicy;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Addresses of a policy host that are tried.
const ADDRESSES: usize = 4;
/// The part of the whole time that one address has to accept a connection: one more than there
/// are addresses, so that silent ones leave time for the last.
const SHARES: u32 = 5;

/// Where policies come from: the network, or a record of it.
pub trait PolicySource: Debug + Send + Sync {
    /// Fetches the policy of `domain`; the octets are not parsed here.
    ///
    /// # Errors
    /// [`StsFetchError`]; whatever it is, it never stops mail by itself (RFC 8461 §3.3).
    fn fetch<'a>(&'a self, domain: &'a DomainName)
    -> BoxFuture<'a, Result<Vec<u8>, StsFetchError>>;
}

impl PolicySource for PolicyFetcher {
    fn fetch<'a>(
        &'a self,
        domain: &'a DomainName,
    ) -> BoxFuture<'a, Result<Vec<u8>, StsFetchError>> {
        Box::pin(self.fetch_in_time(domain))
    }
}

/// Fetches policies.
#[derive(Debug, Clone)]
pub struct PolicyFetcher {
    resolver: Arc<dyn SecureResolver>,
    dialer: Arc<dyn Dialer>,
    tls: Result<Arc<ClientConfig>, String>,
    networks: NetworkPolicy,
    deadline: Duration,
    limit: usize,
}

impl PolicyFetcher {
    /// A fetcher that trusts `roots`, contacts only what `networks` allow, and gives each fetch
    /// `deadline` and `limit` octets.
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

    async fn fetch_in_time(&self, domain: &DomainName) -> Result<Vec<u8>, StsFetchError> {
        timeout(self.deadline, self.fetch_at_leisure(domain))
            .await
            .unwrap_or(Err(StsFetchError::Timeout))
    }

    async fn fetch_at_leisure(&self, domain: &DomainName) -> Result<Vec<u8>, StsFetchError> {
        let no_name = || StsFetchError::Dns("mta-sts in front of it makes no host name".to_owned());
        let host = domain.prefixed("mta-sts").map_err(|_| no_name())?;
        let name = ServerName::try_from(host.as_str().to_owned()).map_err(|_| no_name())?;
        let mut last = StsFetchError::Connect("smtp.allow_nets refuses its addresses".to_owned());
        for address in self.addresses(&host).await? {
            let connection = self.dialer.connect(SocketAddr::new(address, 443));
            let stream = match timeout(self.deadline / SHARES, connection).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    last = StsFetchError::Connect(error.to_string());
                    continue;
                }
                Err(_) => {
                    last = StsFetchError::Connect("timed out".to_owned());
                    continue;
                }
            };
            match self.fetch_over(stream, &host, name.clone()).await {
                // A server that hangs up has said nothing about the policy.
                Err(error @ StsFetchError::Connect(_)) => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    /// Addresses that may be contacted, families interleaved. DNSSEC plays no part: the
    /// certificate decides (RFC 8461 §3.3).
    async fn addresses(&self, host: &DomainName) -> Result<Vec<IpAddr>, StsFetchError> {
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
            return Err(StsFetchError::Dns(reason));
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

    async fn fetch_over(
        &self,
        stream: Box<dyn ByteStream>,
        host: &DomainName,
        name: ServerName<'static>,
    ) -> Result<Vec<u8>, StsFetchError> {
        let configuration = self
            .tls
            .as_ref()
            .map_err(|e| StsFetchError::Tls(e.clone()))?;
        let connector = TlsConnector::from(Arc::clone(configuration));
        let tls = connector.connect(name, stream).await.map_err(|error| {
            let inner = error.get_ref().and_then(|e| e.downcast_ref());
            match inner {
                Some(error @ rustls::Error::InvalidCertificate(_)) => {
                    StsFetchError::Certificate(refusal_of(error).to_string())
                }
                Some(error) => StsFetchError::Tls(error.to_string()),
                None => StsFetchError::Connect(error.to_string()),
            }
        })?;
        let broken = |error: &hyper::Error| StsFetchError::Http(error.to_string());
        let (mut requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
            .await
            .map_err(|error| broken(&error))?;
        let host = HeaderValue::from_str(host.as_str())
            .map_err(|error| StsFetchError::Http(error.to_string()))?;
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
                return Err(StsFetchError::Status(response.status().as_u16()));
            }
            let media_type = response.headers().get(CONTENT_TYPE);
            if !is_text_plain(media_type) {
                return Err(StsFetchError::MediaType);
            }
            let body = Limited::new(response.into_body(), self.limit);
            match body.collect().await {
                Ok(whole) => Ok(whole.to_bytes().to_vec()),
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    Err(StsFetchError::TooLarge)
                }
                Err(error) => Err(StsFetchError::Http(error.to_string())),
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
