//! Stored MTA-STS policies are fetched again long before they end (RFC 8461 §3.3, §10.2), whether or
//! not there is mail for their domains: whoever wants one to run out would have to keep every fetch
//! from succeeding for all of its life.
//!
//! # Bounds
//! A policy that no delivery asked for in [`UNUSED`] is left to its end: it was learnt because of mail,
//! and is learnt again with the next. One look fetches at most about [`MOST`] policies, [`AT_ONCE`] at a
//! time, and the next one goes on behind the last.

use super::Sender;
use crate::resolver::Freshness;
use crate::sts::CacheError;
use crate::sts::store::Unusable;
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::mta_sts::{CachedPolicy, StsFetch, StsPolicy, announced};
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use futures_util::StreamExt as _;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

/// Domains asked for at a time.
const PAGE: usize = 100;
/// Fetches after which a look ends with its page.
const MOST: usize = 300;
/// Seconds without a delivery after which a policy is not fetched any more: longer than a month, so
/// that whoever gets one message in each is still protected against a policy that is withheld.
const UNUSED: i64 = 40 * 86_400;
/// Policies fetched at the same time.
const AT_ONCE: usize = 4;
/// After a failure a domain is left alone for so long.
const AGAIN: Duration = Duration::from_secs(2 * 3600);
/// Failures remembered; of more, some are tried again earlier.
const REMEMBERED: usize = 10_000;
/// Minutes between two looks, drawn anew each time, so that relays that were started together do not
/// stay together.
const PAUSE: std::ops::Range<u64> = 10..20;

/// What one look over the stored policies came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Policies that need nothing yet, and those of mode `none`, which are forgotten in their time.
    pub current: usize,
    /// Policies that wait for their end, because no mail went to their domains for long.
    pub unused: usize,
    /// Policies that were fetched.
    pub fetched: Vec<DomainName>,
    /// Policies that could not be fetched, and why, in one line. What was stored stays in force until
    /// its end. Administrators are to be told (RFC 8461 §10.2).
    pub failed: Vec<(DomainName, String)>,
    /// Policies that have ended and were dropped.
    pub dropped: Vec<DomainName>,
}

/// What became of one policy.
enum Fate {
    Current,
    Unused,
    Fetched,
    Failed(String),
    Dropped,
}

impl Sender {
    /// Looks over the stored policies again and again, until dropped; `tell` hears what each look came
    /// to.
    pub async fn keep_policies_fresh(&self, mut tell: impl FnMut(Result<Refreshed, CacheError>)) {
        loop {
            let minutes = rand::random_range(PAUSE);
            tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
            tell(self.refresh_policies().await);
        }
    }

    /// Looks over the stored policies once: fetches those that are old enough, drops those that have
    /// ended. A fetch that fails leaves the policy as it is. When there is too much to do, the next look
    /// goes on where this one ended.
    ///
    /// # Errors
    /// [`CacheError`] when the store cannot say which policies it has.
    pub async fn refresh_policies(&self) -> Result<Refreshed, CacheError> {
        let mut all = Refreshed::default();
        let begin = self.refresh_from().take();
        let mut after = begin.clone();
        let mut is_second = begin.is_none();
        loop {
            let mut page = self.policies.store().domains(after.as_ref(), PAGE).await?;
            if is_second && let Some(begin) = &begin {
                page.retain(|domain| domain.as_str() <= begin.as_str());
            }
            let Some(last) = page.last() else {
                if is_second {
                    return Ok(all);
                }
                // The others, from the first name on.
                is_second = true;
                after = None;
                continue;
            };
            after = Some(last.clone());
            self.look(page, &mut all).await;
            if all.fetched.len() + all.failed.len() >= MOST {
                *self.refresh_from() = after;
                return Ok(all);
            }
        }
    }

    fn refresh_from(&self) -> std::sync::MutexGuard<'_, Option<DomainName>> {
        let from = self.refresh_from.lock();
        from.unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the policies of one page.
    async fn look(&self, page: Vec<DomainName>, all: &mut Refreshed) {
        let looks = page.into_iter().map(|domain| async move {
            let fate = self.refresh(&domain).await;
            (domain, fate)
        });
        let mut fates = futures_util::stream::iter(looks).buffer_unordered(AT_ONCE);
        while let Some((domain, fate)) = fates.next().await {
            match fate {
                Fate::Current => all.current += 1,
                Fate::Unused => all.unused += 1,
                Fate::Fetched => all.fetched.push(domain),
                Fate::Failed(why) => all.failed.push((domain, why)),
                Fate::Dropped => all.dropped.push(domain),
            }
        }
    }

    /// Whether no delivery asked for the policy for long. One of which nothing is known counts from now.
    async fn is_unused(&self, domain: &DomainName, now: UnixTime) -> bool {
        match self.policies.store().last_use(domain).await {
            Ok(Some(used)) => now.0.saturating_sub(used.0) > UNUSED,
            Ok(None) => {
                // Noted another time, if not now.
                let _ = self.policies.store().note_use(domain, now).await;
                false
            }
            Err(_) => false,
        }
    }

    async fn refresh(&self, domain: &DomainName) -> Fate {
        let policy = match self.policies.load(domain).await {
            Ok(Some(policy)) => policy,
            // Gone in the meantime.
            Ok(None) => return Fate::Current,
            Err(Unusable::Store(error)) => return Fate::Failed(error.to_string()),
            Err(Unusable::Content(why)) => return Fate::Failed(why),
        };
        let now = self.clock.now();
        if !policy.is_current(now) {
            return match self.policies.remove(domain).await {
                Ok(()) => Fate::Dropped,
                Err(error) => Fate::Failed(error.to_string()),
            };
        }
        if !policy.wants_refresh_ahead(now, spread(domain)) || self.failed_lately(domain) {
            return Fate::Current;
        }
        if self.is_unused(domain, now).await {
            return Fate::Unused;
        }
        let failure = match self.fetch_again(&policy).await {
            Ok(()) => return Fate::Fetched,
            Err(failure) => failure,
        };
        let failed = self.failed_refreshes.lock();
        let mut failed = failed.unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, at| at.elapsed() < AGAIN);
        if failed.len() < REMEMBERED {
            failed.insert(domain.clone(), Instant::now());
        }
        Fate::Failed(failure)
    }

    fn failed_lately(&self, domain: &DomainName) -> bool {
        let failed = self.failed_refreshes.lock();
        let failed = failed.unwrap_or_else(PoisonError::into_inner);
        failed.get(domain).is_some_and(|at| at.elapsed() < AGAIN)
    }

    /// Fetches a policy whatever DNS says of its record (RFC 8461 §10.2). Where the record cannot be
    /// read, the known `id` stays: a sender that reads another one fetches once more.
    async fn fetch_again(&self, old: &CachedPolicy) -> Result<(), String> {
        let id = match old.domain.prefixed("_mta-sts") {
            Ok(name) => {
                let question = Question::new(name, RecordType::Txt);
                let answer = self.resolver.lookup(&question, Freshness::Cached).await;
                announced(&answer).unwrap_or_else(|| old.id.clone())
            }
            Err(_) => old.id.clone(),
        };
        let body = match self.fetch_policy(&old.domain, &id).await {
            StsFetch::Fetched(body) => body,
            StsFetch::Failed(error) => return Err(error.to_string()),
        };
        let policy = CachedPolicy {
            domain: old.domain.clone(),
            id,
            policy: StsPolicy::parse(&body).map_err(|error| error.to_string())?,
            fetched_at: self.clock.now(),
        };
        let saved = self.policies.save(&policy, body).await;
        saved.map_err(|error| error.to_string())
    }
}

/// A number of the domain's own below 1,000, the same at each look.
fn spread(domain: &DomainName) -> u16 {
    let digest = openssl::sha::sha256(domain.as_str().as_bytes());
    u16::from_be_bytes([digest[0], digest[1]]) % 1_000
}
