//! What is told about one recipient, made of the report of an attempt.

use elsinore_dane::finding::Finding;
use elsinore_dane::rule::Rule;
use elsinore_net::deliver::{RecipientReport, SaidBy};
use elsinore_queue::message::Recipient;
use elsinore_queue::moment::Moment;
use elsinore_smtp::dsn::{Action, RecipientStatus, Speaker};
use elsinore_smtp::status::EnhancedStatus;
use std::time::Duration;

/// Most lines about what was tried and noticed.
const MOST_LINES: usize = 10;
/// The subject of status codes about security (RFC 3463 §3.8).
const SECURITY: u16 = 7;
/// Longest reply that is repeated, in characters.
const LONGEST_REPLY: usize = 1000;

/// What is told about one recipient.
#[derive(Debug, Clone)]
pub struct Told {
    status: RecipientStatus,
    notify: Option<String>,
}

impl Told {
    /// That `recipient` failed for good, by the report of the last attempt, which ended at `tried`.
    #[must_use]
    pub fn failed(recipient: &Recipient, report: &RecipientReport, tried: Moment) -> Self {
        Self::new(recipient, report, Action::Failed, tried)
    }

    /// That `recipient` was given up because the time was over: `kept` is how long it was tried
    /// (5.4.7 of RFC 3463 §3.5: delivery time expired).
    #[must_use]
    pub fn expired(
        recipient: &Recipient,
        report: &RecipientReport,
        tried: Moment,
        kept: Duration,
    ) -> Self {
        let mut told = Self::new(recipient, report, Action::Failed, tried);
        told.status.status = EnhancedStatus::permanent(4, 7);
        told.status.given_up_after = Some(kept);
        told
    }

    /// That `recipient` waits and will be tried until `until`.
    #[must_use]
    pub fn delayed(
        recipient: &Recipient,
        report: &RecipientReport,
        tried: Moment,
        until: Moment,
    ) -> Self {
        let until = until.seconds();
        Self::new(recipient, report, Action::Delayed { until }, tried)
    }

    /// That `recipient` was delivered to a server which does not send receipts
    /// (RFC 3461 §5.2.2 (b)).
    #[must_use]
    pub fn relayed(recipient: &Recipient, report: &RecipientReport, tried: Moment) -> Self {
        Self::new(recipient, report, Action::Relayed, tried)
    }

    fn new(recipient: &Recipient, report: &RecipientReport, action: Action, tried: Moment) -> Self {
        let class = match action {
            Action::Failed => EnhancedStatus::permanent(0, 0),
            Action::Delayed { .. } => EnhancedStatus::temporary(0, 0),
            Action::Relayed => EnhancedStatus {
                class: elsinore_smtp::status::StatusClass::Success,
                subject: 0,
                detail: 0,
            },
        };
        let reply = report.reply.as_ref();
        let status = reply
            .and_then(|reply| reply.enhanced.as_deref()?.parse().ok())
            .or_else(|| EnhancedStatus::default_for(reply?.code))
            .unwrap_or(class)
            // A 4yz that became a failure with time, or the reverse, keeps subject and detail.
            .with_class(class.class);
        let speaker = match reply.map(|reply| reply.said_by) {
            Some(SaidBy::Server) => Speaker::Server,
            Some(SaidBy::Elsinore) | None => Speaker::Ourselves,
        };
        let words = reply.map_or_else(
            || "no server could be asked".to_owned(),
            |reply| reply.to_string().chars().take(LONGEST_REPLY).collect(),
        );
        Self {
            status: RecipientStatus {
                address: recipient.address.clone(),
                original: recipient.original.clone(),
                action,
                status,
                remote: (report.session.as_ref()).map(|session| session.mx_host.clone()),
                words,
                speaker,
                given_up_after: None,
                tried: tried.seconds(),
                findings: match (speaker, action) {
                    // The server's own words say it all.
                    (Speaker::Server, _) | (_, Action::Relayed) => Vec::new(),
                    (Speaker::Ourselves, Action::Failed | Action::Delayed { .. }) => {
                        findings(report, status)
                    }
                },
            },
            notify: recipient.notify.clone(),
        }
    }

    /// Whether the recipient's NOTIFY asks for it.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        self.status.action.is_asked_for(self.notify.as_deref())
    }

    /// Whom it is about.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.status.address
    }

    /// Whether a server has taken the message for this recipient.
    #[must_use]
    pub const fn has_the_message(&self) -> bool {
        matches!(self.status.action, Action::Relayed)
    }

    pub(super) fn into_status(self) -> RecipientStatus {
        self.status
    }
}

/// As [`plain`], but nothing that the words of the report say already, and of what is as it should be
/// only what explains trouble with security.
fn findings(report: &RecipientReport, status: EnhancedStatus) -> Vec<String> {
    let is_told =
        |finding: &Finding| status.subject == SECURITY || finding.rule != Rule::TlsaUsable;
    let is_said = match (report.attempts.as_slice(), &report.reply) {
        ([only], Some(reply)) => {
            let reason = only.reason.as_deref();
            reason.is_some_and(|reason| reply.to_string().contains(reason))
        }
        _ => false,
    };
    let tried = tried(report).skip(usize::from(is_said));
    bounded(tried.chain(noticed(report, is_told)))
}

/// What was tried and what was noticed, in plain words, one line each, at most ten.
#[must_use]
pub fn plain(report: &RecipientReport) -> Vec<String> {
    bounded(tried(report).chain(noticed(report, |_| true)))
}

/// The lines without those that were there before, at most ten.
fn bounded(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in all {
        if lines.len() >= MOST_LINES {
            break;
        }
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn tried(report: &RecipientReport) -> impl Iterator<Item = String> {
    report.attempts.iter().filter_map(|attempt| {
        let reason = attempt.reason.as_ref()?;
        Some(match attempt.mx_address {
            Some(address) => format!("{}[{address}]: {reason}", attempt.mx_host),
            None => format!("{}: {reason}", attempt.mx_host),
        })
    })
}

fn noticed(
    report: &RecipientReport,
    is_told: impl Fn(&Finding) -> bool,
) -> impl Iterator<Item = String> {
    let of_hosts = report.attempts.iter().flat_map(|attempt| &attempt.findings);
    let all = report.findings.iter().chain(of_hosts);
    all.filter(move |finding| is_told(finding)).map(sentence)
}

fn sentence(finding: &Finding) -> String {
    format!(
        "{}: {}: {} ({}, {})",
        finding.subject,
        finding.rule.title(),
        finding.evidence,
        finding.rule.id(),
        finding.rule.citation()
    )
}
