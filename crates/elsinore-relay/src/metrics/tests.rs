//! What is counted, and that its labels are bounded.

use super::Metrics;
use crate::event::{Event, Journal, Severity, TurnedAway};
use elsinore_net::deliver::{ConnectionCounters, Outcome, SessionSecurity};
use elsinore_queue::admin::Stats;
use elsinore_queue::id::MessageId;
use elsinore_queue::moment::Moment;
use elsinore_tlsrpt::score::Scores;
use std::time::Duration;

fn recipient(outcome: Outcome, security: Option<SessionSecurity>) -> Event {
    Event::Recipient {
        message: MessageId::draw(Moment(0)),
        sender: "anna@example.org".to_owned(),
        recipient: "bert@example.net".to_owned(),
        outcome,
        security,
        relay: None,
        reply: None,
        delay: Duration::from_secs(2),
        next: (outcome == Outcome::Deferred).then_some(Moment(1)),
    }
}

#[test]
fn events_become_numbers() {
    let metrics = Metrics::new("0.0.0");
    for event in [
        recipient(Outcome::Delivered, Some(SessionSecurity::Dane)),
        recipient(Outcome::Delivered, Some(SessionSecurity::Dane)),
        recipient(Outcome::Deferred, None),
        Event::Refused {
            client: "192.0.2.1".to_owned(),
            code: 452,
            text: String::new(),
        },
        Event::TurnedAway {
            client: "192.0.2.1".to_owned(),
            why: TurnedAway::NotAllowed,
        },
        Event::Notice {
            severity: Severity::Warning,
            part: "store",
            text: "slow".to_owned(),
        },
        Event::Notice {
            severity: Severity::Info,
            part: "store",
            text: "fine".to_owned(),
        },
    ] {
        metrics.note(&event);
    }
    let stats = Stats {
        jobs: 7,
        oldest: Some(Moment(1_000)),
        ..Stats::default()
    };
    metrics.set_queue(&stats, Moment(61_000));
    metrics.set_ready("store", true);
    for opened in [5, 7] {
        metrics.set_connections(&ConnectionCounters {
            opened,
            reused: 20,
            stale: 1,
            idle: 3,
        });
    }
    metrics.set_reports(&Scores {
        successful: 10,
        failed: 2,
        lost: 0,
        sent: 4,
        postponed: 3,
        given_up: 1,
        waiting: 6,
    });
    let text = metrics.text();
    for line in [
        "elsinore_recipients_total{outcome=\"delivered\",security=\"dane\"} 2",
        "elsinore_recipients_total{outcome=\"deferred\",security=\"none\"} 1",
        "elsinore_turned_away_total{reason=\"not-allowed\"} 1",
        "elsinore_refused_total{class=\"4xx\"} 1",
        "elsinore_trouble_total{part=\"store\",severity=\"warning\"} 1",
        "elsinore_delay_seconds_count 2",
        "elsinore_queue_jobs 7",
        "elsinore_queue_oldest_seconds 60",
        "elsinore_ready{part=\"store\"} 1",
        "elsinore_build_info{version=\"0.0.0\"} 1",
        "elsinore_connections_total{event=\"opened\"} 7",
        "elsinore_connections_total{event=\"reused\"} 20",
        "elsinore_connections_total{event=\"stale\"} 1",
        "elsinore_connections_idle 3",
        "elsinore_tlsrpt_sessions_total{result=\"successful\"} 10",
        "elsinore_tlsrpt_sessions_total{result=\"failed\"} 2",
        "elsinore_tlsrpt_sessions_total{result=\"lost\"} 0",
        "elsinore_tlsrpt_reports_total{result=\"sent\"} 4",
        "elsinore_tlsrpt_reports_total{result=\"postponed\"} 3",
        "elsinore_tlsrpt_reports_total{result=\"given-up\"} 1",
        "elsinore_tlsrpt_reports_waiting 6",
        "# EOF",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}\n{text}");
    }
}

#[test]
fn what_strangers_write_makes_no_labels() {
    let metrics = Metrics::new("0.0.0");
    let strange = |count: u16| {
        metrics.note(&Event::Refused {
            client: format!("192.0.2.{count}"),
            code: 500 + count % 100,
            text: format!("{count}"),
        });
        metrics.note(&Event::Recipient {
            message: MessageId::draw(Moment(i64::from(count))),
            sender: format!("{count}@example.org"),
            recipient: format!("{count}@example.net"),
            outcome: Outcome::Bounced,
            security: None,
            relay: Some(format!("mx{count}.example.net")),
            reply: Some(format!("550 {count}")),
            delay: Duration::ZERO,
            next: None,
        });
    };
    strange(0);
    let before = metrics.text().lines().count();
    for count in 1..1_000 {
        strange(count);
    }
    assert_eq!(metrics.text().lines().count(), before);
}
