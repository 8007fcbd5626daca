//! What `elsinore check` must say of a domain of a scenario.

use serde::Deserialize;

/// One domain to be checked and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// The domain; the first zone when absent.
    #[serde(default)]
    pub domain: Option<String>,
    /// The state, one of [`STATES`].
    pub state: String,
    /// Lints that must appear, by id.
    #[serde(default)]
    pub lints: Vec<String>,
    /// Lints that must not appear, by id; `*` stands for every lint that `lints` does not name.
    #[serde(default)]
    pub not: Vec<String>,
    /// The moment at which the lab is built and looked at, seconds of the Unix epoch; now when
    /// absent. For what depends on dates in the world outside, such as those of public CAs.
    #[serde(default)]
    pub at: Option<i64>,
}

/// The five states, from the sender's side.
pub const STATES: [&str; 5] = [
    "protected",
    "partly-protected",
    "not-protected",
    "refused",
    "could-not-tell",
];
