//! The JSON of `elsinore send`: one object, one entry per recipient.

use super::{FindingRecord, SCHEMA_VERSION};
use elsinore_net::deliver::{Attempt, Outcome, RecipientReport, SendReport, SessionFacts};
use serde::Serialize;

/// The whole result.
#[derive(Debug, Serialize)]
pub(crate) struct SendRecord {
    schema_version: u32,
    recipients: Vec<RecipientRecord>,
}

/// What became of one recipient.
#[derive(Debug, Serialize)]
struct RecipientRecord {
    recipient: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mx_host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mx_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tlsa_base_domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<MatchedRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<String>,
    attempts: Vec<AttemptRecord>,
    /// About the domain as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<FindingRecord>,
}

/// The TLS session.
#[derive(Debug, Serialize)]
struct TlsRecord {
    version: &'static str,
    cipher: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    backend: &'static str,
}

/// The TLSA record that matched.
#[derive(Debug, Serialize)]
struct MatchedRecord {
    usage: u8,
    selector: u8,
    matching_type: u8,
    depth: usize,
}

/// One address that was tried, or a host that was not.
#[derive(Debug, Serialize)]
struct AttemptRecord {
    mx_host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mx_address: Option<String>,
    obligation: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    findings: Vec<FindingRecord>,
}

impl SendRecord {
    /// The result of a sender.
    pub(crate) fn new(report: &SendReport) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            recipients: report.recipients.iter().map(recipient).collect(),
        }
    }

    /// The result when nothing was sent at all: each recipient with the reply that says why.
    pub(crate) fn refused(recipients: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            recipients: recipients
                .into_iter()
                .map(|(recipient, reply)| RecipientRecord {
                    recipient,
                    outcome: Outcome::Bounced.word(),
                    security: None,
                    mx_host: None,
                    mx_address: None,
                    tlsa_base_domain: None,
                    sni: None,
                    tls: None,
                    matched: None,
                    reply: Some(reply),
                    attempts: Vec::new(),
                    findings: Vec::new(),
                })
                .collect(),
        }
    }
}

fn recipient(report: &RecipientReport) -> RecipientRecord {
    let session = report.session.as_deref();
    let of_session = |field: fn(&SessionFacts) -> String| session.map(field);
    RecipientRecord {
        recipient: report.recipient.clone(),
        outcome: report.outcome.word(),
        security: session
            .and_then(|session| session.security)
            .map(|security| security.word()),
        mx_host: of_session(|session| session.mx_host.clone()),
        mx_address: of_session(|session| session.mx_address.to_string()),
        tlsa_base_domain: session
            .and_then(|session| session.tlsa_base_domain.as_ref())
            .map(ToString::to_string),
        sni: session
            .and_then(|session| session.sni.as_ref())
            .map(ToString::to_string),
        tls: session
            .and_then(|session| session.tls.as_ref())
            .map(|tls| TlsRecord {
                version: tls.version.word(),
                cipher: tls.cipher.clone(),
                group: tls.group.clone(),
                backend: tls.backend.word(),
            }),
        matched: session
            .and_then(|session| session.matched)
            .map(|matched| MatchedRecord {
                usage: matched.usage,
                selector: matched.selector,
                matching_type: matched.matching_type,
                depth: matched.depth,
            }),
        reply: report.reply.as_ref().map(ToString::to_string),
        attempts: report.attempts.iter().map(attempt).collect(),
        findings: FindingRecord::all(&report.findings),
    }
}

fn attempt(attempt: &Attempt) -> AttemptRecord {
    AttemptRecord {
        mx_host: attempt.mx_host.clone(),
        mx_address: attempt.mx_address.map(|address| address.to_string()),
        obligation: attempt.obligation.word(),
        outcome: attempt.outcome.word(),
        reason: match attempt.skipped {
            // The word does not change with the wording for people.
            Some(skipped) => Some(format!("not contacted: {}", skipped.word())),
            None => attempt.reason.clone(),
        },
        findings: FindingRecord::all(&attempt.findings),
    }
}
