//! How counts are kept in the store: one key per day, domain, policy and result.
//!
//! A key is `DAY/DOMAIN/POLICY/ok`, `…/no` (sessions) or `…/no/DETAIL` (why, as JSON). `POLICY` is a
//! digest of the policy, whose text is the record `DAY/POLICY`. The domain is told of the count; a
//! policy may be another domain's.

use crate::count::{AppliedPolicy, Detail};
use crate::day::Day;
use elsinore_queue::error::StoreError;
use elsinore_queue::record::{Kind, Record};
use elsinore_queue::store::QueueStore;
use openssl::sha::sha256;
use std::collections::BTreeMap;

/// Entries asked of the store at once.
const PAGE: usize = 1_000;
/// Counts that are read for one domain and day: what a domain's servers can make us keep is bounded
/// when it is counted, so more are not there.
const MOST: usize = 20_000;

/// What a count is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// Sessions that met the policy.
    Success,
    /// Sessions that did not.
    Failure,
    /// Sessions that failed in this way.
    Detail(Detail),
}

/// The name under which a policy is kept: 64 bits of a digest, in hexadecimal.
#[must_use]
pub fn name_of(policy: &AppliedPolicy) -> String {
    let text = serde_json::to_vec(policy).unwrap_or_default();
    let digest = sha256(&text);
    digest.iter().take(8).map(|o| format!("{o:02x}")).collect()
}

/// The record of a policy.
#[must_use]
pub fn policy_record(day: Day, name: &str, policy: &AppliedPolicy) -> Record {
    Record {
        key: format!("{day}/{name}"),
        value: serde_json::to_vec(policy).unwrap_or_default(),
    }
}

/// The key of a count.
#[must_use]
pub fn key(day: Day, domain: &str, policy: &str, counted: &Counted) -> String {
    let prefix = prefix(day, domain);
    match counted {
        Counted::Success => format!("{prefix}{policy}/ok"),
        Counted::Failure => format!("{prefix}{policy}/no"),
        Counted::Detail(detail) => {
            let detail = serde_json::to_string(detail).unwrap_or_default();
            format!("{prefix}{policy}/no/{detail}")
        }
    }
}

/// What all keys of a day and domain begin with.
#[must_use]
pub fn prefix(day: Day, domain: &str) -> String {
    format!("{day}/{}/", escaped(domain))
}

/// A name in a key: labels may hold any octet, a slash among them.
fn escaped(domain: &str) -> String {
    domain.replace('%', "%25").replace('/', "%2F")
}

fn unescaped(domain: &str) -> String {
    domain.replace("%2F", "/").replace("%25", "%")
}

/// What was counted of one day for one domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DomainDay {
    /// Per policy, in order of their names.
    pub policies: Vec<PolicyCounts>,
}

/// What was counted under one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyCounts {
    /// The policy.
    pub policy: AppliedPolicy,
    /// Sessions that met it.
    pub successes: u64,
    /// Sessions that did not.
    pub failures: u64,
    /// Why, and how often.
    pub details: Vec<(Detail, u64)>,
}

/// Successes, failures, and why with how often.
type Sums = (u64, u64, Vec<(Detail, u64)>);

/// The domains of which something was counted on `day`, in order, after `after`, at most `at_most`.
///
/// # Errors
/// [`StoreError`].
pub async fn domains(
    store: &dyn QueueStore,
    day: Day,
    after: Option<&str>,
    at_most: usize,
) -> Result<Vec<String>, StoreError> {
    let whole = format!("{day}/");
    let mut found: Vec<String> = Vec::new();
    // A tilde follows every character that the rest of a key can begin with.
    let mut last = after.map(|domain| format!("{}~", prefix(day, domain)));
    while found.len() < at_most {
        let next = store
            .tallies(Kind::TlsCount, whole.clone(), last.take(), 1)
            .await?;
        let Some(tally) = next.first() else { break };
        let rest = tally.key.get(whole.len()..).unwrap_or_default();
        let domain = rest.split('/').next().unwrap_or_default();
        last = Some(format!("{whole}{domain}/~"));
        found.push(unescaped(domain));
    }
    Ok(found)
}

/// What was counted for `domain` on `day`.
///
/// # Errors
/// [`StoreError`].
pub async fn load(store: &dyn QueueStore, day: Day, domain: &str) -> Result<DomainDay, StoreError> {
    let prefix = prefix(day, domain);
    let mut by_policy: BTreeMap<String, Sums> = BTreeMap::new();
    let mut after = None;
    let mut read = 0;
    loop {
        let page = store
            .tallies(Kind::TlsCount, prefix.clone(), after.take(), PAGE)
            .await?;
        for tally in &page {
            let rest = tally.key.get(prefix.len()..).unwrap_or_default();
            let Some((policy, counted)) = rest.split_once('/') else {
                continue;
            };
            let count = u64::try_from(tally.count).unwrap_or(0);
            let entry = by_policy.entry(policy.to_owned()).or_default();
            match counted {
                "ok" => entry.0 = entry.0.saturating_add(count),
                "no" => entry.1 = entry.1.saturating_add(count),
                other => {
                    let detail = other.strip_prefix("no/").map(serde_json::from_str);
                    if let Some(Ok(detail)) = detail {
                        entry.2.push((detail, count));
                    }
                }
            }
        }
        read += page.len();
        match page.last() {
            Some(last) if page.len() == PAGE && read < MOST => after = Some(last.key.clone()),
            Some(_) | None => break,
        }
    }
    let mut day_of_domain = DomainDay::default();
    for (name, (successes, failures, mut details)) in by_policy {
        let Some(policy) = policy(store, day, &name).await? else {
            continue;
        };
        details.sort_by(|(one, first), (other, second)| (second, one).cmp(&(first, other)));
        day_of_domain.policies.push(PolicyCounts {
            policy,
            successes,
            failures,
            details,
        });
    }
    Ok(day_of_domain)
}

/// The policy of that name.
async fn policy(
    store: &dyn QueueStore,
    day: Day,
    name: &str,
) -> Result<Option<AppliedPolicy>, StoreError> {
    let key = format!("{day}/{name}");
    let found = store.records(Kind::TlsCount, key.clone(), None, 1).await?;
    Ok(found
        .first()
        .filter(|record| record.key == key)
        .and_then(|record| serde_json::from_slice(&record.value).ok()))
}
