//! The fetch of one policy (RFC 8461 §3.2, §3.3): HTTPS on port 443 of `mta-sts.DOMAIN`, a
//! certificate valid for that name, status 200, `text/plain`, a bounded body, one deadline for
//! everything, no redirects, no HTTP cache.

use crate::clock::Clock;
use crate::dialer::Dialer;
use crate::https::{HttpsClient, HttpsError, HttpsRequest, Wants, is_of_type};
use crate::resolver::SecureResolver;
use crate::tls::webpki::WebPkiRoots;
use elsinore_dane::mta_sts::StsFetchError;
use elsinore_dane::name::DomainName;
use elsinore_dane::network::NetworkPolicy;
use futures_util::future::BoxFuture;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// The media type of a policy.
const TEXT: &str = "text/plain";

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
        Box::pin(self.fetch_whole(domain))
    }
}

/// Fetches policies.
#[derive(Debug, Clone)]
pub struct PolicyFetcher {
    https: HttpsClient,
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
            https: HttpsClient::new(resolver, dialer, clock, roots, networks, deadline, limit),
        }
    }

    async fn fetch_whole(&self, domain: &DomainName) -> Result<Vec<u8>, StsFetchError> {
        let no_name =
            |_| StsFetchError::Dns("mta-sts in front of it makes no host name".to_owned());
        let host = domain.prefixed("mta-sts").map_err(no_name)?;
        let request = HttpsRequest {
            host: &host,
            port: 443,
            path: "/.well-known/mta-sts.txt",
            content: None,
            // RFC 8461 §3.2: senders should check the media type.
            wants: Wants::Body(TEXT),
        };
        let reply = self
            .https
            .exchange(&request)
            .await
            .map_err(|error| match error {
                HttpsError::Dns(reason) => StsFetchError::Dns(reason),
                HttpsError::Connect(reason) => StsFetchError::Connect(reason),
                HttpsError::Certificate(reason) => StsFetchError::Certificate(reason),
                HttpsError::Tls(reason) => StsFetchError::Tls(reason),
                HttpsError::Http(reason) => StsFetchError::Http(reason),
                HttpsError::TooLarge => StsFetchError::TooLarge,
                HttpsError::Timeout => StsFetchError::Timeout,
            })?;
        if reply.status != 200 {
            return Err(StsFetchError::Status(reply.status));
        }
        if !is_of_type(reply.media_type.as_deref(), TEXT) {
            return Err(StsFetchError::MediaType);
        }
        Ok(reply.body)
    }
}
