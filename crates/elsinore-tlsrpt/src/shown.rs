//! What of a day is in the store, for people to look at: the JSON that the relay's administrator gets
//! and that `elsinore tlsrpt show` prints.

use crate::build::policies;
use crate::day::Day;
use crate::dispatch::{Progress, known_salt, progress};
use crate::read::{SeenPolicy, read};
use crate::tally::{domains, load};
use elsinore_queue::error::StoreError;
use elsinore_queue::store::QueueStore;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The version of these shapes.
pub const SCHEMA_VERSION: u32 = 1;
/// Domains of one page.
const PAGE: usize = 50;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowWish {
    /// The day, `YYYY-MM-DD`, in UTC.
    pub day: String,
    /// One domain alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Where the page begins: behind this domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Some domains of a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The day.
    pub day: String,
    /// The domains.
    pub domains: Vec<ShownDomain>,
    /// Where the next page begins; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What spreads the reports of this store over the hours; absent until the first is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

/// What was counted for one domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownDomain {
    /// The domain.
    pub domain: String,
    /// What became of the report; absent when none was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Progress>,
    /// `policies` of the report (RFC 8460 §4.4).
    pub policies: Vec<Value>,
}

impl ShownDomain {
    /// The policies, as a reader of the report sees them.
    #[must_use]
    pub fn seen(&self) -> Vec<SeenPolicy> {
        let report = json!({ "policies": self.policies }).to_string();
        let seen = read(report.as_bytes()).unwrap_or_default();
        seen.into_iter().flat_map(|seen| seen.policies).collect()
    }
}

/// A page of what is in the store.
///
/// # Errors
/// [`StoreError::Refused`] when the day is none; what the store says.
pub async fn shown(store: &dyn QueueStore, wish: ShowWish) -> Result<Shown, StoreError> {
    let day: Day = wish
        .day
        .parse()
        .map_err(|_| StoreError::Refused("not a day: YYYY-MM-DD"))?;
    let (names, next) = match wish.domain {
        Some(domain) => (vec![domain], None),
        None => {
            let names = domains(store, day, wish.after.as_deref(), PAGE).await?;
            let next = names.last().filter(|_| names.len() == PAGE).cloned();
            (names, next)
        }
    };
    let mut found = Vec::with_capacity(names.len());
    for domain in names {
        let counted = policies(load(store, day, &domain).await?);
        let report = progress(store, day, &domain).await?;
        if counted.is_empty() && report.is_none() {
            continue;
        }
        let policies = counted
            .iter()
            .filter_map(|one| serde_json::to_value(one).ok());
        found.push(ShownDomain {
            policies: policies.collect(),
            domain,
            report,
        });
    }
    Ok(Shown {
        schema_version: SCHEMA_VERSION,
        day: day.to_string(),
        domains: found,
        next,
        salt: known_salt(store).await?,
    })
}
