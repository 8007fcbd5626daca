//! What each recipient is told, and that nobody gets a message twice.

use crate::fixture::{Script, World, has};
use elsinore_dane::rule::Rule;
use elsinore_net::deliver::{Outcome, SaidBy};

fn two_hosts(first: Script) -> World {
    World::new()
        .mx(&[(10, "mx.example"), (20, "mx2.example")])
        .host("mx.example", "192.0.2.1", Some(first))
        .host("mx2.example", "192.0.2.2", Some(Script::default()))
}

#[tokio::test(start_paused = true)]
async fn a_server_that_speaks_has_the_word() {
    let running = two_hosts(Script {
        rcpt: vec![
            ("gone", "550 5.1.1 no such user\r\n"),
            ("later", "450 4.2.1 greylisted\r\n"),
        ],
        ..Script::default()
    })
    .build();
    let report = running
        .send(&["a@example", "gone@example", "later@example", "a@example"])
        .await;
    let told: Vec<(Outcome, String)> = report
        .recipients
        .iter()
        .map(|r| (r.outcome, r.reply.as_ref().unwrap().to_string()))
        .collect();
    assert_eq!(
        told,
        [
            (Outcome::Delivered, "250 2.0.0 queued".to_owned()),
            (Outcome::Bounced, "550 5.1.1 no such user".to_owned()),
            (Outcome::Deferred, "450 4.2.1 greylisted".to_owned()),
            (Outcome::Delivered, "250 2.0.0 queued".to_owned()),
        ]
    );
    assert_eq!(running.connections(), ["192.0.2.1"]);
    assert_eq!(running.dots(), ["a@example"]);
    assert_eq!(report.overall(), Outcome::Deferred);
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_final_dot_ends_the_attempt() {
    let running = two_hosts(Script {
        end: "",
        ..Script::default()
    })
    .build();
    let report = running.send(&["a@example"]).await;
    let recipient = &report.recipients[0];
    assert_eq!(recipient.outcome, Outcome::Deferred);
    assert_eq!(recipient.reply.as_ref().unwrap().said_by, SaidBy::Elsinore);
    assert!(has(&report, Rule::OutcomeUnknown), "{report:#?}");
    assert_eq!(running.connections(), ["192.0.2.1"]);
    assert_eq!(running.dots(), ["a@example"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_is_not_offered_elsewhere() {
    for (end, outcome) in [
        ("554 5.7.1 spam\r\n", Outcome::Bounced),
        ("451 4.3.0 later\r\n", Outcome::Deferred),
    ] {
        let running = two_hosts(Script {
            end,
            ..Script::default()
        })
        .build();
        let report = running.send(&["a@example"]).await;
        assert_eq!(report.recipients[0].outcome, outcome, "{end}");
        assert_eq!(running.connections(), ["192.0.2.1"], "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn several_domains_are_served_side_by_side() {
    let silent = Script {
        greeting: "",
        ..Script::default()
    };
    let running = World::new()
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", Some(silent.clone()))
        .mx_of("second.example", &[(10, "mx2.example")])
        .host("mx2.example", "192.0.2.2", Some(silent))
        .mx_of("third.example", &[(10, "mx3.example")])
        .host("mx3.example", "192.0.2.3", Some(Script::default()))
        .build();
    let begun = tokio::time::Instant::now();
    let report = running
        .send(&[
            "a@third.example",
            "b@example",
            "c@second.example",
            "d@third.example",
        ])
        .await;
    let found: Vec<_> = report
        .recipients
        .iter()
        .map(|recipient| (recipient.recipient.as_str(), recipient.outcome))
        .collect();
    assert_eq!(
        found,
        [
            ("a@third.example", Outcome::Delivered),
            ("b@example", Outcome::Deferred),
            ("c@second.example", Outcome::Deferred),
            ("d@third.example", Outcome::Delivered),
        ]
    );
    assert_eq!(running.dots(), ["a@third.example", "d@third.example"]);
    // One after the other they would take ten minutes.
    assert_eq!(begun.elapsed().as_secs() / 60, 5);
}
