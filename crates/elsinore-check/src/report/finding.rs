//! Findings, advice and the time line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad. The order is from worst to least.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Mail of DANE or MTA-STS senders fails now, at a host, an address or altogether.
    FailsNow,
    /// It will fail at the next foreseeable event; the finding has a date where it is known.
    WillFail,
    /// It works and is weaker, more fragile or blinder than it need be.
    Weak,
    /// Worth knowing; nothing needs to be done.
    Note,
}

impl Severity {
    /// The words for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::FailsNow => "fails now",
            Self::WillFail => "will fail",
            Self::Weak => "weak",
            Self::Note => "note",
        }
    }
}

/// One lint that fired. `elsinore explain ID` explains it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable identifier of the lint, such as `TLSA-EMPTY-DIGEST`.
    pub id: String,
    /// How bad.
    pub severity: Severity,
    /// When it will fail, for [`Severity::WillFail`] where the moment is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails_at: Option<i64>,
    /// What it is about: a name, an address, a record.
    pub subject: String,
    /// The lint in one line, without a full stop.
    pub title: String,
    /// What was seen, in one line.
    pub evidence: String,
    /// RFC number; absent where no RFC says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rfc: Option<u16>,
    /// Section of that RFC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Advice>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Advice {
    /// One or two sentences.
    pub text: String,
    /// Exact lines to paste: zone-file records, or commands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paste: Vec<String>,
}

/// What the sender's engine noted, in the shape of `send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleFinding {
    /// Identifier of the rule.
    pub rule: String,
    /// RFC number.
    pub rfc: u16,
    /// Section of that RFC.
    pub section: String,
    /// What it is about.
    pub subject: String,
    /// What was seen.
    pub evidence: String,
}

/// What breaks next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Forecast {
    /// Index in `events` of the first one that breaks delivery for a DANE or MTA-STS sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaks: Option<usize>,
    /// One sentence: what breaks first and when, or that nothing foreseeable does.
    pub sentence: String,
    /// All moments on one time line, earliest first.
    pub events: Vec<Event>,
}

/// One moment on the time line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// When.
    pub at: i64,
    /// Which kind.
    pub kind: EventKind,
    /// What it is about: a name and type, a certificate, a key.
    pub subject: String,
    /// What happens then, in one line.
    pub effect: String,
    /// Whether delivery for a DANE or MTA-STS sender fails from then on unless something is done.
    pub breaks: bool,
}

/// The kind of a moment.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A signature in DNS expires.
    SignatureExpires,
    /// What is cached of a record set now is gone everywhere.
    CacheExpires,
    /// A certificate expires.
    CertificateExpires,
    /// A public CA key retires or retired.
    CaRetires,
    /// A stored MTA-STS policy ends unless it is refreshed.
    PolicyExpires,
}
