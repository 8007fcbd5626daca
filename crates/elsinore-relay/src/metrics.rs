//! Numbers for the machines that watch, in the form of OpenMetrics. Labels are words of our own, never
//! text of a stranger, so their number is bounded by this program.

use crate::event::{Event, Journal, Severity};
use elsinore_net::deliver::{Attempt, ConnectionCounters, SendReport};
use elsinore_net::tls::Resumption;
use elsinore_queue::admin::Stats;
use elsinore_queue::moment::Moment;
use elsinore_tlsrpt::score::Scores;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Upper bounds of the time of one attempt, in seconds.
const ATTEMPT_SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];
/// Upper bounds of the time from arrival to an answer, in seconds.
const DELAY_SECONDS: [f64; 9] = [
    0.5, 1.0, 5.0, 30.0, 300.0, 1_800.0, 14_400.0, 86_400.0, 432_000.0,
];

/// The word for what has no value.
const NONE: &str = "none";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
    security: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAttempt {
    outcome: &'static str,
    obligation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BySession {
    version: &'static str,
    resumed: &'static str,
    reused: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByClass {
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEvent {
    event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPart {
    part: &'static str,
    severity: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Part {
    part: &'static str,
}

/// All numbers: a [`Journal`] that counts.
pub struct Metrics {
    registry: Registry,
    accepted: Counter,
    accepted_recipients: Counter,
    accepted_octets: Counter,
    accepted_tls: Family<ByKind, Counter>,
    refused: Family<ByClass, Counter>,
    turned_away: Family<ByReason, Counter>,
    recipients: Family<ByOutcome, Counter>,
    attempts: Family<ByAttempt, Counter>,
    sessions: Family<BySession, Counter>,
    skipped: Family<ByReason, Counter>,
    took: Histogram,
    delay: Histogram,
    notices: Family<ByKind, Counter>,
    notices_dropped: Counter,
    protection_lost: Counter,
    leases_lost: Counter,
    trouble: Family<ByPart, Counter>,
    queue: Queue,
    ready: Family<Part, Gauge>,
    log_waiting: Gauge,
    working: Gauge,
    destinations: Gauge,
    connections: Family<ByEvent, Counter>,
    connections_idle: Gauge,
    report_sessions: Family<ByResult, Counter>,
    reports: Family<ByResult, Counter>,
    reports_waiting: Gauge,
}

/// How full the queue is.
#[derive(Debug, Default)]
struct Queue {
    messages: Gauge,
    jobs: Gauge,
    due: Gauge,
    held: Gauge,
    leased: Gauge,
    octets: Gauge,
    oldest: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Everything at nothing; `version` is that of the program.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("elsinore"),
            accepted: Counter::default(),
            accepted_recipients: Counter::default(),
            accepted_octets: Counter::default(),
            accepted_tls: Family::default(),
            refused: Family::default(),
            turned_away: Family::default(),
            recipients: Family::default(),
            attempts: Family::default(),
            sessions: Family::default(),
            skipped: Family::default(),
            took: Histogram::new(ATTEMPT_SECONDS),
            delay: Histogram::new(DELAY_SECONDS),
            notices: Family::default(),
            notices_dropped: Counter::default(),
            protection_lost: Counter::default(),
            leases_lost: Counter::default(),
            trouble: Family::default(),
            queue: Queue::default(),
            ready: Family::default(),
            log_waiting: Gauge::default(),
            working: Gauge::default(),
            destinations: Gauge::default(),
            connections: Family::default(),
            connections_idle: Gauge::default(),
            report_sessions: Family::default(),
            reports: Family::default(),
            reports_waiting: Gauge::default(),
        };
        metrics.register(version);
        metrics
    }

    fn register(&mut self, version: &'static str) {
        let to = &mut self.registry;
        let build = Info::new(vec![("version", version)]);
        to.register("build", "The program", build);
        to.register(
            "accepted_messages",
            "Messages acknowledged",
            self.accepted.clone(),
        );
        to.register(
            "accepted_recipients",
            "Their recipients",
            self.accepted_recipients.clone(),
        );
        to.register_with_unit(
            "accepted",
            "Their size",
            Unit::Bytes,
            self.accepted_octets.clone(),
        );
        to.register(
            "accepted_sessions",
            "Messages acknowledged, by whether they came over TLS",
            self.accepted_tls.clone(),
        );
        to.register(
            "refused",
            "Replies that refused a client something, by class of the code",
            self.refused.clone(),
        );
        to.register(
            "turned_away",
            "Connections closed at the door, by reason",
            self.turned_away.clone(),
        );
        to.register(
            "recipients",
            "Answers about recipients, by outcome and what the session achieved",
            self.recipients.clone(),
        );
        to.register(
            "attempts",
            "Hosts and addresses tried, by outcome and obligation",
            self.attempts.clone(),
        );
        to.register(
            "sessions",
            "Transactions with mail servers, by version of TLS, resumption and reuse",
            self.sessions.clone(),
        );
        to.register(
            "hosts_skipped",
            "Mail servers not contacted, by reason; most are trouble with DNS",
            self.skipped.clone(),
        );
        to.register_with_unit(
            "attempt",
            "Time of one delivery to one destination",
            Unit::Seconds,
            self.took.clone(),
        );
        to.register_with_unit(
            "delay",
            "Time from arrival to a final answer about a recipient",
            Unit::Seconds,
            self.delay.clone(),
        );
        to.register(
            "notices",
            "Notifications queued, by kind",
            self.notices.clone(),
        );
        to.register(
            "notices_dropped",
            "Notifications that could be sent to nobody",
            self.notices_dropped.clone(),
        );
        to.register(
            "protection_lost",
            "Destinations that were authenticated and no longer are",
            self.protection_lost.clone(),
        );
        to.register(
            "leases_lost",
            "Jobs whose lease had run out before they were settled",
            self.leases_lost.clone(),
        );
        to.register(
            "trouble",
            "Lines in the log about the relay itself, by part and severity",
            self.trouble.clone(),
        );
        to.register(
            "queue_messages",
            "Messages kept",
            self.queue.messages.clone(),
        );
        to.register(
            "queue_jobs",
            "Jobs: a message and a destination",
            self.queue.jobs.clone(),
        );
        to.register("queue_due", "Jobs that are due", self.queue.due.clone());
        to.register("queue_held", "Jobs that are held", self.queue.held.clone());
        to.register("queue_leased", "Jobs under way", self.queue.leased.clone());
        to.register_with_unit(
            "queue_content",
            "Size of the messages kept",
            Unit::Bytes,
            self.queue.octets.clone(),
        );
        to.register_with_unit(
            "queue_oldest",
            "Age of the oldest message",
            Unit::Seconds,
            self.queue.oldest.clone(),
        );
        to.register("ready", "Whether a part works: 1 or 0", self.ready.clone());
        to.register(
            "log_lines_dropped",
            "Lines of the log that nobody read in time and that were not yet told of",
            self.log_waiting.clone(),
        );
        to.register(
            "deliveries",
            "Deliveries under way in this process",
            self.working.clone(),
        );
        to.register(
            "destinations",
            "Destinations of which this process remembers something",
            self.destinations.clone(),
        );
        to.register(
            "connections",
            "Connections to mail servers opened, used again, and gone when they were to be; a new \
             configuration begins at nothing",
            self.connections.clone(),
        );
        to.register(
            "connections_idle",
            "Connections to mail servers that wait for another message",
            self.connections_idle.clone(),
        );
        to.register(
            "tlsrpt_sessions",
            "Sessions counted for reports about TLS (RFC 8460), by result",
            self.report_sessions.clone(),
        );
        to.register(
            "tlsrpt_reports",
            "Attempts to send such reports, by result",
            self.reports.clone(),
        );
        to.register(
            "tlsrpt_reports_waiting",
            "Such reports about past days that are not done with",
            self.reports_waiting.clone(),
        );
    }

    /// Takes over how full the queue is at `now`.
    pub fn set_queue(&self, stats: &Stats, now: Moment) {
        let queue = &self.queue;
        for (gauge, value) in [
            (&queue.messages, stats.messages),
            (&queue.jobs, stats.jobs),
            (&queue.due, stats.due),
            (&queue.held, stats.held),
            (&queue.leased, stats.leased),
            (&queue.octets, stats.octets),
            (
                &queue.oldest,
                stats.oldest.map_or(0, |oldest| now.since(oldest).as_secs()),
            ),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// Takes over whether `part` works.
    pub fn set_ready(&self, part: &'static str, is_ready: bool) {
        self.ready
            .get_or_create(&Part { part })
            .set(i64::from(is_ready));
    }

    /// Takes over what the schedule of this process does.
    pub fn set_schedule(&self, working: usize, destinations: usize) {
        self.working.set(i64::try_from(working).unwrap_or(i64::MAX));
        self.destinations
            .set(i64::try_from(destinations).unwrap_or(i64::MAX));
    }

    /// Takes over what became of connections to mail servers.
    pub fn set_connections(&self, connections: &ConnectionCounters) {
        for (event, count) in [
            ("opened", connections.opened),
            ("reused", connections.reused),
            ("stale", connections.stale),
        ] {
            set(&self.connections.get_or_create(&ByEvent { event }), count);
        }
        let idle = i64::try_from(connections.idle).unwrap_or(i64::MAX);
        self.connections_idle.set(idle);
    }

    /// Takes over what reports about TLS came to.
    pub fn set_reports(&self, scores: &Scores) {
        for (result, count) in [
            ("successful", scores.successful),
            ("failed", scores.failed),
            ("lost", scores.lost),
        ] {
            let by = ByResult { result };
            set(&self.report_sessions.get_or_create(&by), count);
        }
        for (result, count) in [
            ("sent", scores.sent),
            ("postponed", scores.postponed),
            ("given-up", scores.given_up),
        ] {
            set(&self.reports.get_or_create(&ByResult { result }), count);
        }
        let waiting = i64::try_from(scores.waiting).unwrap_or(i64::MAX);
        self.reports_waiting.set(waiting);
    }

    /// Takes over how many lines of the log were dropped.
    pub fn set_log_dropped(&self, lines: u64) {
        self.log_waiting
            .set(i64::try_from(lines).unwrap_or(i64::MAX));
    }

    /// All of it as text (OpenMetrics).
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String does not fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }

    fn tried(&self, report: &SendReport) {
        let mut seen: Vec<*const Vec<Attempt>> = Vec::new();
        for recipient in &report.recipients {
            // Recipients of one destination share their attempts.
            let shared = Arc::as_ptr(&recipient.attempts);
            if seen.contains(&shared) {
                continue;
            }
            seen.push(shared);
            for attempt in recipient.attempts.iter() {
                self.attempted(attempt);
            }
        }
    }

    fn attempted(&self, attempt: &Attempt) {
        let by = ByAttempt {
            outcome: attempt.outcome.word(),
            obligation: attempt.obligation.word(),
        };
        self.attempts.get_or_create(&by).inc();
        if let Some(skipped) = attempt.skipped {
            let by = ByReason {
                reason: skipped.word(),
            };
            self.skipped.get_or_create(&by).inc();
        }
        if let Some(session) = &attempt.session {
            let tls = session.tls.as_ref();
            let by = BySession {
                version: tls.map_or(NONE, |tls| tls.version.word()),
                resumed: match tls.map(|tls| tls.resumption) {
                    Some(Resumption::Resumed) => "yes",
                    Some(Resumption::Full) | None => "no",
                },
                reused: if session.transaction > 1 { "yes" } else { "no" },
            };
            self.sessions.get_or_create(&by).inc();
        }
    }
}

/// A number that another part counts.
fn set(counter: &Counter, count: u64) {
    counter.inner().store(count, Ordering::Relaxed);
}

impl Journal for Metrics {
    fn note(&self, event: &Event) {
        match event {
            Event::Accepted {
                message,
                recipients,
                tls,
            } => {
                self.accepted.inc();
                let recipients = u64::try_from(*recipients).unwrap_or(u64::MAX);
                self.accepted_recipients.inc_by(recipients);
                self.accepted_octets.inc_by(message.octets);
                let kind = if tls.is_some() { "tls" } else { "plaintext" };
                self.accepted_tls.get_or_create(&ByKind { kind }).inc();
            }
            Event::Refused { code, .. } => {
                let class = match code {
                    400..=499 => "4xx",
                    500..=599 => "5xx",
                    _ => "other",
                };
                self.refused.get_or_create(&ByClass { class }).inc();
            }
            Event::TurnedAway { why, .. } => {
                let by = ByReason { reason: why.word() };
                self.turned_away.get_or_create(&by).inc();
            }
            Event::Tried { report, took, .. } => {
                self.took.observe(took.as_secs_f64());
                self.tried(report);
            }
            Event::Recipient {
                outcome,
                security,
                delay,
                next,
                ..
            } => {
                let by = ByOutcome {
                    outcome: outcome.word(),
                    security: security.map_or(NONE, |word| word.word()),
                };
                self.recipients.get_or_create(&by).inc();
                if next.is_none() {
                    self.delay.observe(delay.as_secs_f64());
                }
            }
            Event::Notified { kind, .. } => {
                self.notices.get_or_create(&ByKind { kind }).inc();
            }
            Event::Dropped { .. } => {
                self.notices_dropped.inc();
            }
            Event::ProtectionLost { .. } => {
                self.protection_lost.inc();
            }
            Event::LeaseLost { .. } => {
                self.leases_lost.inc();
            }
            Event::Notice { severity, part, .. } => {
                let severity = match severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                    Severity::Info => return,
                };
                self.trouble.get_or_create(&ByPart { part, severity }).inc();
            }
        }
    }
}

#[cfg(test)]
mod tests;
