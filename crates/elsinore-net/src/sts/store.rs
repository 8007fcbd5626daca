//! Where policies are kept between deliveries: the boundary, and the memory in front of it.

use super::cache::{CacheError, PolicyCache, StoredPolicy};
use elsinore_dane::mta_sts::{CachedPolicy, StsPolicy};
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The result of asking a store.
pub type Stored<'a, T> = BoxFuture<'a, Result<T, CacheError>>;

/// Where policies are kept (RFC 8461 §3.2: for their `max_age`), under one set of trust. A delivery
/// waits for [`load`](Self::load), so it must not take long, and nothing may block the thread that it
/// is called on.
///
/// Several processes may use one store: of two fetches at the same time either result is right.
pub trait PolicyStore: Debug + Send + Sync {
    /// The policy of `domain`, whatever its age.
    ///
    /// # Errors
    /// [`CacheError`] when it cannot be used; it then counts as no policy.
    fn load<'a>(&'a self, domain: &'a DomainName) -> Stored<'a, Option<StoredPolicy>>;

    /// Keeps the policy of `domain` in place of an older one.
    ///
    /// # Errors
    /// [`CacheError`].
    fn save<'a>(&'a self, domain: &'a DomainName, policy: StoredPolicy) -> Stored<'a, ()>;

    /// Forgets the policy of `domain`.
    ///
    /// # Errors
    /// [`CacheError`].
    fn remove<'a>(&'a self, domain: &'a DomainName) -> Stored<'a, ()>;

    /// Domains with a policy, in the order of their names, behind `after`, at most `at_most`.
    ///
    /// # Errors
    /// [`CacheError`].
    fn domains<'a>(
        &'a self,
        after: Option<&'a DomainName>,
        at_most: usize,
    ) -> Stored<'a, Vec<DomainName>>;

    /// Notes that the policy of `domain` was asked for by a delivery at `now`. A store that does not
    /// keep that has no policy refreshed less for it.
    ///
    /// # Errors
    /// [`CacheError`].
    fn note_use<'a>(&'a self, domain: &'a DomainName, now: UnixTime) -> Stored<'a, ()> {
        let (_, _) = (domain, now);
        Box::pin(async { Ok(()) })
    }

    /// When that was noted last.
    ///
    /// # Errors
    /// [`CacheError`].
    fn last_use<'a>(&'a self, domain: &'a DomainName) -> Stored<'a, Option<UnixTime>> {
        let _ = domain;
        Box::pin(async { Ok(None) })
    }
}

/// Does file work of a policy cache where blocking is allowed.
fn aside<'a, T: Send + 'static>(
    cache: &PolicyCache,
    work: impl FnOnce(&PolicyCache) -> Result<T, CacheError> + Send + 'static,
) -> Stored<'a, T> {
    let cache = cache.clone();
    Box::pin(async move {
        if cache.is_in_memory() {
            return work(&cache);
        }
        match tokio::task::spawn_blocking(move || work(&cache)).await {
            Ok(result) => result,
            Err(error) => Err(CacheError::Io {
                path: "the policy cache".to_owned(),
                error: std::io::Error::other(error),
            }),
        }
    })
}

impl PolicyStore for PolicyCache {
    fn load<'a>(&'a self, domain: &'a DomainName) -> Stored<'a, Option<StoredPolicy>> {
        let domain = domain.clone();
        aside(self, move |cache| cache.load(&domain))
    }

    fn save<'a>(&'a self, domain: &'a DomainName, policy: StoredPolicy) -> Stored<'a, ()> {
        let domain = domain.clone();
        aside(self, move |cache| cache.store(&domain, &policy))
    }

    fn remove<'a>(&'a self, domain: &'a DomainName) -> Stored<'a, ()> {
        let domain = domain.clone();
        aside(self, move |cache| cache.remove(&domain))
    }

    fn domains<'a>(
        &'a self,
        after: Option<&'a DomainName>,
        at_most: usize,
    ) -> Stored<'a, Vec<DomainName>> {
        let after = after.cloned();
        aside(self, move |cache| {
            let behind = |name: &DomainName| {
                (after.as_ref()).is_none_or(|after| name.as_str() > after.as_str())
            };
            let mut all = cache.domains()?;
            all.retain(behind);
            all.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
            all.truncate(at_most);
            Ok(all)
        })
    }
}

/// Why a stored policy counts as none.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// The store says so.
    Store(CacheError),
    /// What it holds is no policy.
    Content(String),
}

/// How long what the store said is believed without asking again. Other processes may write to it.
const BELIEVED: Duration = Duration::from_secs(30);
/// A use is noted so often at most.
const NOTED: Duration = Duration::from_secs(86_400);
/// Domains remembered.
const REMEMBERED: usize = 10_000;

/// What the store said of a domain, and when.
type Said = (Instant, Option<CachedPolicy>);

/// A store, and what it said a moment ago: most domains have no policy, and have mail again at once.
#[derive(Debug)]
pub(crate) struct Policies {
    store: Arc<dyn PolicyStore>,
    recent: Mutex<HashMap<DomainName, Said>>,
    /// When the use of a policy was noted.
    used: Mutex<HashMap<DomainName, Instant>>,
}

impl Policies {
    pub(crate) fn new(store: Arc<dyn PolicyStore>) -> Self {
        Self {
            store,
            recent: Mutex::default(),
            used: Mutex::default(),
        }
    }

    pub(crate) fn store(&self) -> &dyn PolicyStore {
        &*self.store
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, HashMap<DomainName, Said>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, domain: &DomainName, policy: Option<CachedPolicy>) {
        let mut recent = self.recent();
        if recent.len() >= REMEMBERED && !recent.contains_key(domain) {
            recent.retain(|_, (since, _)| since.elapsed() < BELIEVED);
        }
        if recent.len() < REMEMBERED {
            recent.insert(domain.clone(), (Instant::now(), policy));
        } else {
            // What is not remembered is asked; an older word must not stand.
            recent.remove(domain);
        }
    }

    /// The policy of `domain`, whatever its age.
    pub(crate) async fn load(&self, domain: &DomainName) -> Result<Option<CachedPolicy>, Unusable> {
        if let Some((since, policy)) = self.recent().get(domain)
            && since.elapsed() < BELIEVED
        {
            return Ok(policy.clone());
        }
        let stored = self.store.load(domain).await.map_err(Unusable::Store)?;
        let policy = match stored {
            None => None,
            Some(stored) => Some(CachedPolicy {
                domain: domain.clone(),
                policy: StsPolicy::parse(&stored.body)
                    .map_err(|error| Unusable::Content(error.to_string()))?,
                id: stored.id,
                fetched_at: stored.fetched,
            }),
        };
        self.remember(domain, policy.clone());
        Ok(policy)
    }

    /// Notes that a delivery asked for a policy, beside everything else: what is not used is not
    /// refreshed for ever.
    pub(crate) fn note_use(&self, domain: &DomainName, now: UnixTime) {
        {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            if used.get(domain).is_some_and(|at| at.elapsed() < NOTED) {
                return;
            }
            if used.len() >= REMEMBERED {
                used.retain(|_, at| at.elapsed() < NOTED);
            }
            if used.len() < REMEMBERED {
                used.insert(domain.clone(), Instant::now());
            }
        }
        let (store, domain) = (Arc::clone(&self.store), domain.clone());
        tokio::spawn(async move {
            // It is noted another time.
            let _ = store.note_use(&domain, now).await;
        });
    }

    /// Keeps what was fetched: `policy` is `body` read.
    pub(crate) async fn save(
        &self,
        policy: &CachedPolicy,
        body: Vec<u8>,
    ) -> Result<(), CacheError> {
        let stored = StoredPolicy {
            id: policy.id.clone(),
            fetched: policy.fetched_at,
            body,
        };
        self.remember(&policy.domain, Some(policy.clone()));
        self.store.save(&policy.domain, stored).await
    }

    pub(crate) async fn remove(&self, domain: &DomainName) -> Result<(), CacheError> {
        self.recent().remove(domain);
        self.store.remove(domain).await
    }
}
