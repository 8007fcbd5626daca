//! What is told about one recipient, made of the report of an attempt.

use elsinore_dane::finding::Finding;
use elsinore_net::deliver::{RecipientReport, SaidBy};
use elsinore_queue::message::Recipient;
use elsinore_queue::moment::Moment;
use elsinore_smtp::dsn::{Action, RecipientStatus, Speaker};
use elsinore_smtp::status::EnhancedStatus;
use std::time::Duration;

/// Most lines about what was tried and noticed.
const MOST_LINES: usize = 10;
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
        told.status.words = format!(
            "given up after {}; the last answer was: {}",
            in_words(kept),
            told.status.words
        );
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
                tried: tried.seconds(),
                findings: match (speaker, action) {
                    // The server's own words say it all.
                    (Speaker::Server, _) | (_, Action::Relayed) => Vec::new(),
                    (Speaker::Ourselves, Action::Failed | Action::Delayed { .. }) => plain(report),
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

/// What was tried and what was noticed, in plain words, one line each, at most ten.
#[must_use]
pub fn plain(report: &RecipientReport) -> Vec<String> {
    let tried = report.attempts.iter().filter_map(|attempt| {
        let reason = attempt.reason.as_ref()?;
        Some(match attempt.mx_address {
            Some(address) => format!("{}[{address}]: {reason}", attempt.mx_host),
            None => format!("{}: {reason}", attempt.mx_host),
        })
    });
    let of_hosts = report.attempts.iter().flat_map(|attempt| &attempt.findings);
    let noticed = report.findings.iter().chain(of_hosts).map(sentence);
    let mut lines: Vec<String> = Vec::new();
    for line in tried.chain(noticed) {
        if lines.len() >= MOST_LINES {
            break;
        }
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
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

/// A time in the largest unit that says it.
fn in_words(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (count, unit) = match minutes {
        0..120 => (minutes, "minute"),
        120..2880 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}
