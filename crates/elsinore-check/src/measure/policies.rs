//! MTA-STS policies of one check: each is fetched once, whoever wants it.

use crate::world::World;
use elsinore_dane::mta_sts::{StsFetch, StsFetchError};
use elsinore_dane::name::DomainName;
use elsinore_net::sts::PolicySource;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The policy of the domain that is checked. An override can send its mail elsewhere; the policy
/// of that host is not kept.
#[derive(Debug)]
pub(super) struct Policies {
    world: Arc<dyn World>,
    domain: DomainName,
    fetched: OnceCell<StsFetch>,
}

impl Policies {
    pub(super) fn new(world: Arc<dyn World>, domain: DomainName) -> Self {
        Self {
            world,
            domain,
            fetched: OnceCell::new(),
        }
    }

    /// What the fetch came to, when one was made.
    pub(super) fn fetched(&self) -> Option<&StsFetch> {
        self.fetched.get()
    }
}

impl PolicySource for Policies {
    fn fetch<'a>(
        &'a self,
        domain: &'a DomainName,
    ) -> BoxFuture<'a, Result<Vec<u8>, StsFetchError>> {
        Box::pin(async move {
            let fetch = if *domain == self.domain {
                let fetch = || self.world.fetch_policy(domain);
                self.fetched.get_or_init(fetch).await.clone()
            } else {
                self.world.fetch_policy(domain).await
            };
            match fetch {
                StsFetch::Fetched(octets) => Ok(octets),
                StsFetch::Failed(error) => Err(error),
            }
        })
    }
}
