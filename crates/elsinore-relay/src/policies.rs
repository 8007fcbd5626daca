//! MTA-STS policies kept in the store of the queue, so that relays that share it share what they
//! learnt, and it survives with the mail (RFC 8461 §3.2).

use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::SenderConfig;
use elsinore_net::sts::{CacheError, PolicyStore, Stored, StoredPolicy, trust_name};
use elsinore_queue::error::StoreError;
use elsinore_queue::record::{Change, Kind, Record};
use elsinore_queue::store::QueueStore;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

/// The policies learnt under one set of trust.
#[derive(Debug)]
pub struct RecordedPolicies {
    store: Arc<dyn QueueStore>,
    /// What the keys begin with.
    prefix: String,
}

/// A policy as it stands in a record.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    id: String,
    /// Seconds since 1970.
    fetched: i64,
    body: String,
}

impl RecordedPolicies {
    /// Policies in `store` that were learnt under the trust that `config` names: the DNSSEC anchors of
    /// its state folder and its certificate authorities. `None` where it names none: what is learnt
    /// then is for the memory alone.
    #[must_use]
    pub fn new(store: Arc<dyn QueueStore>, config: &SenderConfig) -> Option<Self> {
        let trust = &config.state.as_ref()?.trust;
        Some(Self::under(store, trust, &config.roots.fingerprint()))
    }

    fn under(store: Arc<dyn QueueStore>, trust: &[u8; 32], authorities: &[u8; 32]) -> Self {
        Self {
            store,
            prefix: format!("{}/", trust_name(trust, authorities)),
        }
    }

    fn key(&self, domain: &DomainName) -> String {
        format!("{}{domain}", self.prefix)
    }

    /// The key of the record of its last use: none of a policy begins so.
    fn use_key(&self, domain: &DomainName) -> String {
        format!("used/{}", self.key(domain))
    }

    fn failed(&self, error: &StoreError) -> CacheError {
        CacheError::Io {
            path: "the store of the queue".to_owned(),
            error: io::Error::other(error.to_string()),
        }
    }

    fn damaged(&self, domain: &DomainName, reason: &'static str) -> CacheError {
        CacheError::Damaged {
            path: self.key(domain),
            reason,
        }
    }
}

impl PolicyStore for RecordedPolicies {
    fn load<'a>(&'a self, domain: &'a DomainName) -> Stored<'a, Option<StoredPolicy>> {
        Box::pin(async move {
            let key = self.key(domain);
            // Of the keys that begin so, the key itself is the first.
            let found = self.store.records(Kind::StsPolicy, key.clone(), None, 1);
            let found = found.await.map_err(|error| self.failed(&error))?;
            let Some(record) = found.into_iter().find(|record| record.key == key) else {
                return Ok(None);
            };
            let kept: Kept = serde_json::from_slice(&record.value)
                .map_err(|_| self.damaged(domain, "not a policy of this version"))?;
            Ok(Some(StoredPolicy {
                id: kept.id,
                fetched: UnixTime(kept.fetched),
                body: kept.body.into_bytes(),
            }))
        })
    }

    fn save<'a>(&'a self, domain: &'a DomainName, policy: StoredPolicy) -> Stored<'a, ()> {
        Box::pin(async move {
            let kept = Kept {
                id: policy.id,
                fetched: policy.fetched.0,
                body: String::from_utf8(policy.body)
                    .map_err(|_| self.damaged(domain, "the policy is not UTF-8"))?,
            };
            let value = serde_json::to_vec(&kept)
                .map_err(|_| self.damaged(domain, "the policy cannot be written"))?;
            let key = self.key(domain);
            let change = Change::Put(Kind::StsPolicy, Record { key, value });
            let done = self.store.record(vec![change]).await;
            done.map_err(|error| self.failed(&error))
        })
    }

    fn remove<'a>(&'a self, domain: &'a DomainName) -> Stored<'a, ()> {
        Box::pin(async move {
            let keys = [self.key(domain), self.use_key(domain)];
            let changes = keys.map(|key| Change::Remove(Kind::StsPolicy, key));
            let done = self.store.record(changes.into()).await;
            done.map_err(|error| self.failed(&error))
        })
    }

    fn note_use<'a>(&'a self, domain: &'a DomainName, now: UnixTime) -> Stored<'a, ()> {
        Box::pin(async move {
            let record = Record {
                key: self.use_key(domain),
                value: now.0.to_string().into_bytes(),
            };
            let change = Change::Put(Kind::StsPolicy, record);
            let done = self.store.record(vec![change]).await;
            done.map_err(|error| self.failed(&error))
        })
    }

    fn last_use<'a>(&'a self, domain: &'a DomainName) -> Stored<'a, Option<UnixTime>> {
        Box::pin(async move {
            let key = self.use_key(domain);
            let found = self.store.records(Kind::StsPolicy, key.clone(), None, 1);
            let found = found.await.map_err(|error| self.failed(&error))?;
            let record = found.into_iter().find(|record| record.key == key);
            let seconds =
                record.and_then(|record| String::from_utf8(record.value).ok()?.parse().ok());
            Ok(seconds.map(UnixTime))
        })
    }

    fn domains<'a>(
        &'a self,
        after: Option<&'a DomainName>,
        at_most: usize,
    ) -> Stored<'a, Vec<DomainName>> {
        Box::pin(async move {
            let mut after = after.map(|domain| self.key(domain));
            loop {
                let prefix = self.prefix.clone();
                let page = self
                    .store
                    .records(Kind::StsPolicy, prefix, after.clone(), at_most);
                let page = page.await.map_err(|error| self.failed(&error))?;
                let Some(last) = page.last() else {
                    return Ok(Vec::new());
                };
                after = Some(last.key.clone());
                let domains = page.iter().filter_map(|record| {
                    DomainName::parse(record.key.strip_prefix(&self.prefix)?).ok()
                });
                let domains: Vec<DomainName> = domains.collect();
                // A page without one domain is not the end.
                if !domains.is_empty() {
                    return Ok(domains);
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
