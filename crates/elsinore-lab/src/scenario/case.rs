//! What is sent into a scenario and what must come of it.

use serde::Deserialize;

/// One message sent into a scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Tells the cases of one scenario apart; may be absent when there is one.
    #[serde(default)]
    pub id: String,
    /// The resolver modes it is run in, each with the same expectation.
    #[serde(default = "recursive")]
    pub modes: Vec<ResolverMode>,
    /// The envelope's recipients; `bob@` the first zone when absent.
    #[serde(default)]
    pub to: Vec<String>,
    /// The envelope's sender.
    #[serde(default = "sender")]
    pub from: String,
    /// The message as a text file holds it; a short one when absent.
    #[serde(default)]
    pub message: Option<String>,
    /// Whether the sender demands or waives TLS (RFC 8689).
    #[serde(default)]
    pub require_tls: RequireTlsSpec,
    /// Whether the message was submitted without SMTPUTF8 whatever its header holds. `elsinore send`
    /// has no submitter, so such a case is not sent with it.
    #[serde(default)]
    pub undeclared_utf8: bool,
    /// Settings that differ from the default.
    #[serde(default)]
    pub settings: CaseSettings,
    /// `[[destination]]` overrides.
    #[serde(default)]
    pub destination: Vec<DestinationSpec>,
    /// MTA-STS policies that were fetched earlier.
    #[serde(default)]
    pub cached_policy: Vec<CachedPolicySpec>,
    /// What must come of it.
    pub expect: Expectation,
}

fn recursive() -> Vec<ResolverMode> {
    vec![ResolverMode::Recursive]
}

fn sender() -> String {
    "alice@sender.example".to_owned()
}

/// How DNS is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResolverMode {
    /// From the root hints, validated in-process.
    Recursive,
    /// Through the lab's resolver, validated in-process.
    Forward,
    /// Trusting the AD bit of the lab's validating resolver.
    Ad,
    /// Through a resolver that validates nothing, validated in-process.
    ForwardCareless,
    /// Trusting the AD bit of a resolver that validates nothing (and so never sets it).
    AdCareless,
}

impl ResolverMode {
    /// The word used in files and tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Recursive => "recursive",
            Self::Forward => "forward",
            Self::Ad => "ad",
            Self::ForwardCareless => "forward-careless",
            Self::AdCareless => "ad-careless",
        }
    }
}

/// Whether TLS is demanded or waived by the message (RFC 8689).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequireTlsSpec {
    /// Neither.
    #[default]
    Unsaid,
    /// REQUIRETLS.
    Required,
    /// `TLS-Required: No`.
    Waived,
}

/// Settings of one case that differ from the default ones.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaseSettings {
    /// `policy.insecure_mx`: `dane`, `encrypt` or `may`.
    pub insecure_mx: Option<String>,
    /// `tls.legacy`.
    pub legacy: Option<bool>,
    /// `dns.nta`.
    pub nta: Vec<String>,
    /// Seconds each step may take; ten when absent.
    pub timeout: Option<u64>,
    /// How often the message is sent; the last attempt is judged.
    pub attempts: Option<u8>,
    /// Names of the relay that sends. `elsinore send` has none, so such a case is not sent with it.
    pub own_names: Vec<String>,
}

/// A `[[destination]]` table, the keys of the configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationSpec {
    /// The domain, `.example` for subdomains.
    pub domain: String,
    /// `none may encrypt dane dane-only verify secure fingerprint`.
    #[serde(default)]
    pub level: Option<String>,
    /// `minimum` or `exact`.
    #[serde(default)]
    pub mode: Option<String>,
    /// Names for `verify` and `secure`.
    #[serde(default, rename = "match")]
    pub match_names: Vec<String>,
    /// `sha256:HEX`, or the [place](super::places) `{pin mx}`.
    #[serde(default)]
    pub pins: Vec<String>,
    /// A next hop in place of the domain.
    #[serde(default)]
    pub relay: Option<String>,
    /// TCP port.
    #[serde(default)]
    pub port: Option<u16>,
    /// `dane`, `encrypt` or `may`.
    #[serde(default)]
    pub insecure_mx: Option<String>,
}

/// A policy in the cache before the message is sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CachedPolicySpec {
    /// The policy domain.
    pub domain: String,
    /// The `id` of the TXT record it was fetched under.
    pub id: String,
    /// The policy text, lines ended by LF.
    pub policy: String,
    /// Seconds since it was fetched.
    #[serde(default)]
    pub age: i64,
}

/// What must come of a case. Absent keys are not judged.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    /// `delivered`, `deferred` or `bounced`, for every recipient that `recipients` does not name.
    pub outcome: String,
    /// Outcomes of single recipients.
    pub recipients: std::collections::BTreeMap<String, String>,
    /// `dane`, `dane-insecure-mx`, `sts`, `pinned`, `webpki`, `encrypted` or `plaintext`.
    pub security: Option<String>,
    /// The host that took the message, as the MX record names it.
    pub mx_host: Option<String>,
    /// Where the TLSA records were found; an empty string demands that there is none.
    pub tlsa_base_domain: Option<String>,
    /// The server name sent, as the receiver saw it; an empty string demands none.
    pub sni: Option<String>,
    /// The TLSA record that matched, such as `3 1 1`.
    pub matched: Option<String>,
    /// The depth at which it matched.
    pub depth: Option<u64>,
    /// `rustls` or `openssl`.
    pub backend: Option<String>,
    /// The beginning of the reply or reason, such as `5.1.10`.
    pub reply: Option<String>,
    /// The attempts in order, each `host obligation outcome`; a word may be `*`.
    pub attempts: Option<Vec<String>>,
    /// Findings that must be there, by rule.
    pub findings: Vec<String>,
    /// Questions, `NAME TYPE`, that must not have been put to any server of the lab. `*` for the
    /// type stands for any.
    pub not_asked: Vec<String>,
    /// Questions, `NAME TYPE`, that must have been put.
    pub asked: Vec<String>,
    /// Receivers nobody may have connected to.
    pub not_contacted: Vec<String>,
    /// What the receiver that took the message must have seen: text in the message it stored.
    pub received: Vec<String>,
    /// Parameters of MAIL, such as `BODY=8BITMIME`, that receiver must have seen.
    pub received_parameters: Vec<String>,
    /// How many messages all receivers of the scenario took; 1 or 0 after `outcome` when absent.
    pub messages: Option<usize>,
}
