//! The report: the document that `check` prints as JSON, that the page stores, and that every view
//! reads. Its JSON Schema is generated from these types (`elsinore check --schema`).
//!
//! # Conventions
//! Fields that do not apply are absent. Domain names are A-labels in lower case without a trailing
//! dot. Times are seconds of the Unix epoch where a program computes with them (fields that end in
//! `_at`) — views write them as RFC 3339 in UTC. Durations are milliseconds (`_ms`) or seconds
//! (`_s`). Digests are lower-case hexadecimal. Text of strangers is bounded in length and has its
//! control characters escaped; it still needs the escaping of the medium (HTML, SVG).
//!
//! # Versions
//! [`SCHEMA_VERSION`] grows when a field is removed, renamed or changes its meaning; fields may be
//! added without (ADR 0008).

mod certificate;
mod dns;
mod finding;
mod host;
mod outlook;

pub use certificate::{Certificate, KeyKind};
pub use dns::{
    AliasLink, AnswerKind, Delegation, Key, Lookup, NameServer, Proofs, Security, ServerAnswer,
    Signature, Zone, ZoneServers,
};
pub use finding::{Advice, Event, EventKind, Finding, Forecast, RuleFinding, Severity};
pub use host::{
    Address, AddressState, Candidate, CandidateEnd, Host, MatchedAt, Offer, Session, SessionState,
    TlsFacts, Tlsa, TlsaLabel, Wire,
};
pub use outlook::{HostOutlook, Sender, SenderKind, SenderOutcome};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the document's shape.
pub const SCHEMA_VERSION: u32 = 1;

/// The JSON Schema (draft 2020-12) of [`Report`], generated from the types. Whoever reads reports
/// must tolerate fields that it does not name: they may be added without a new version.
#[must_use]
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Report).to_value();
    if let Some(root) = schema.as_object_mut() {
        let id = format!("urn:elsinore:report:{SCHEMA_VERSION}");
        root.insert("$id".to_owned(), id.into());
    }
    // The version is a constant of the document, not any number.
    if let Some(version) = schema.pointer_mut("/properties/schema_version")
        && let Some(version) = version.as_object_mut()
    {
        version.insert("const".to_owned(), SCHEMA_VERSION.into());
    }
    schema
}

/// What one domain looks like from outside, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// [`SCHEMA_VERSION`] of the program that wrote it.
    pub schema_version: u32,
    /// Program and version, such as `elsinore 0.1.0`.
    pub program: String,
    /// The domain, A-labels.
    pub domain: String,
    /// The domain in Unicode, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_unicode: Option<String>,
    /// When the check began.
    pub began_at: i64,
    /// How long it took.
    pub elapsed_ms: u64,
    /// The verdict in one of five words.
    pub state: State,
    /// The verdict in one sentence, with a full stop.
    pub sentence: String,
    /// What each kind of sender would do, the DANE sender first.
    pub senders: Vec<Sender>,
    /// The zones from the root down to that of the domain, then those of MX hosts elsewhere, each
    /// once; [`Zone::apex`] is the key that hosts and lookups refer to.
    pub zones: Vec<Zone>,
    /// Index in `lookups` of the MX question; absent when none was put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mx_lookup: Option<usize>,
    /// The MX hosts by preference, worst last; with an implicit MX the domain itself.
    pub hosts: Vec<Host>,
    /// The domain's MTA-STS policy and how it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sts: Option<Sts>,
    /// The domain's TLS-RPT record (RFC 8460 §3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_rpt: Option<TlsRpt>,
    /// What is wrong or will be: lints, the worst first.
    pub findings: Vec<Finding>,
    /// What the sender's engine noted about the domain as a whole, as `send` reports it.
    pub notes: Vec<RuleFinding>,
    /// What breaks next, and when.
    pub forecast: Forecast,
    /// Per zone: the name servers its parent and it itself name, and where their answers differ.
    pub servers: Vec<ZoneServers>,
    /// Every certificate seen, once, by the SHA-256 of its DER octets.
    pub certificates: BTreeMap<String, Certificate>,
    /// Every question to DNS, with the records that the answer rests on.
    pub lookups: Vec<Lookup>,
    /// Overrides of this sender's administrator that bear on the domain, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    /// Why this check could not tell, when that lies with us: our resolver, our line, our address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inconclusive: Vec<String>,
    /// What nothing but the word of whoever measured stands for; filled when the report was
    /// recomputed from a bundle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<String>,
    /// How the measuring went: how polite it was, and what it cost.
    pub measured: Measured,
}

/// The five states, from the sender's side.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A DANE sender authenticates every MX host at every address, whatever certificate it asks
    /// for.
    Protected,
    /// Mail flows and some of it is authenticated: not every host, address or kind of sender.
    PartlyProtected,
    /// Mail flows and nothing authenticates the servers.
    NotProtected,
    /// A sender that honours DANE and MTA-STS can deliver nothing: it defers, or returns mail.
    Refused,
    /// The check could not tell. Never the domain's fault.
    CouldNotTell,
}

impl State {
    /// Every state, best first.
    pub const ALL: [Self; 5] = [
        Self::Protected,
        Self::PartlyProtected,
        Self::NotProtected,
        Self::Refused,
        Self::CouldNotTell,
    ];

    /// The word used in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::PartlyProtected => "partly-protected",
            Self::NotProtected => "not-protected",
            Self::Refused => "refused",
            Self::CouldNotTell => "could-not-tell",
        }
    }

    /// What the state means, in one or two sentences for people.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Protected => {
                "A sender that honours DANE authenticates every MX host at every address that could \
                 be tested, whichever certificate it asks for. Addresses that could not be tested \
                 are named."
            }
            Self::PartlyProtected => {
                "Mail flows, and some of it is authenticated: DANE at some hosts, addresses or \
                 certificates only, DANE behind MX records that can be forged, or MTA-STS alone."
            }
            Self::NotProtected => {
                "Mail flows, and nothing authenticates the servers. TLSA records that are all \
                 unusable demand TLS and prove nobody, so they count here."
            }
            Self::Refused => {
                "A sender that honours DANE and MTA-STS can deliver nothing: it waits, or returns \
                 the mail. The reason lies with the domain."
            }
            Self::CouldNotTell => {
                "What could not be reached decides, or our own DNS does not work. It is never \
                 counted as a fault of the domain."
            }
        }
    }

    /// The words for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::PartlyProtected => "partly protected",
            Self::NotProtected => "not protected",
            Self::Refused => "mail will be refused",
            Self::CouldNotTell => "could not tell",
        }
    }
}

/// MTA-STS of the domain (RFC 8461).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sts {
    /// Index in `lookups` of the `_mta-sts` TXT question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<usize>,
    /// `id` of the TXT record, if there is exactly one well-formed record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `enforce`, `testing` or `none`; absent without a valid policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Seconds the policy may be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<u32>,
    /// The `mx` patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mx: Vec<String>,
    /// The policy as fetched, for people to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Why there is no policy though a TXT record stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The TLS-RPT record (RFC 8460 §3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsRpt {
    /// Index in `lookups` of the `_smtp._tls` TXT question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<usize>,
    /// The record, when exactly one stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Where reports go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rua: Vec<String>,
    /// Why the record does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How the measuring went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Questions put to DNS, cached answers included.
    pub questions: u32,
    /// SMTP sessions opened.
    pub sessions: u32,
    /// Most sessions open at once to one server address: 1 by rule.
    pub most_sessions_per_address: u32,
    /// Most sessions that this program had open at once by then, whatever domain they were for.
    #[serde(default)]
    pub most_sessions: u32,
    /// The pause between two sessions to one address.
    pub pause_ms: u64,
    /// The name given in EHLO.
    pub helo: String,
    /// Bounds that were met, one line each: what was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}
