//! What senders would do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which sender.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum SenderKind {
    /// Honours DANE, and MTA-STS where DANE does not decide: `elsinore send` itself. Postfix with
    /// `dane`, Exchange Online and Exim do the DANE part of it.
    Dane,
    /// Honours MTA-STS and knows nothing of DANE, as Gmail.
    StsOnly,
    /// Uses TLS where offered and checks nothing.
    Opportunistic,
}

/// How a delivery would end.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum SenderOutcome {
    /// A session that meets the obligation was reached; mail would go there.
    Delivered,
    /// It would wait and try again.
    Deferred,
    /// It would be returned.
    Bounced,
}

/// What one kind of sender would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sender {
    /// Which sender.
    pub kind: SenderKind,
    /// How its delivery would end.
    pub outcome: SenderOutcome,
    /// The session it would use: the word of `send` (`dane`, `dane-insecure-mx`, `sts`, `pinned`,
    /// `webpki`, `encrypted`, `plaintext`); absent when nothing would be delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<String>,
    /// The MX host it would use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mx_host: Option<String>,
    /// The address it would use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mx_address: Option<String>,
    /// What it would do, in one sentence for people.
    pub sentence: String,
    /// The reply or refusal that would stand in its log, when it does not deliver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it would do with each host, in the order of `Report::hosts`.
    pub hosts: Vec<HostOutlook>,
}

/// What a sender is obliged to at one host, and what comes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostOutlook {
    /// The host as the MX record names it.
    pub mx_host: String,
    /// The word of `send` for the obligation: `skip`, `may`, `encrypt`, `dane`, `dane+sts`, `sts`…
    pub obligation: String,
    /// Why the host is skipped ([`elsinore_dane::obligation::SkipReason::word`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Addresses at which the obligation is met.
    pub met: u32,
    /// Addresses at which it is not met, for reasons of theirs.
    pub failed: u32,
    /// Addresses of which nothing can be said.
    pub inconclusive: u32,
}
