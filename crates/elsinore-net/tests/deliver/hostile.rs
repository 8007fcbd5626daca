//! Servers that mean harm: each costs a bounded time and delivers nothing it should not.

use crate::fixture::{Script, World, has};
use elsinore_dane::rule::Rule;
use elsinore_net::deliver::Outcome;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn text_behind_starttls_is_discarded_and_said() {
    let world = World::new();
    let (tls, tlsa) = (world.modern(), world.good_tlsa());
    let script = Script {
        tls,
        behind_starttls: "250-mx.example\r\n250 REQUIRETLS\r\n",
        ..Script::default()
    };
    let running = world
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", Some(script))
        .tlsa("mx.example", vec![tlsa])
        .build();
    let report = running.send(&["a@example"]).await;
    assert!(has(&report, Rule::TextBehindStarttls), "{report:#?}");
    assert_eq!(report.recipients[0].outcome, Outcome::Delivered);
}

#[tokio::test(start_paused = true)]
async fn silence_costs_the_time_of_its_phase() {
    let silent = Script {
        greeting: "",
        ..Script::default()
    };
    let running = World::new()
        .mx(&[(10, "mx.example"), (20, "mx2.example")])
        .host("mx.example", "192.0.2.1", Some(silent))
        .host("mx2.example", "192.0.2.2", Some(Script::default()))
        .build();
    let begun = Instant::now();
    let report = running.send(&["a@example"]).await;
    assert_eq!(
        report.recipients[0].outcome,
        Outcome::Delivered,
        "{report:#?}"
    );
    let minutes = begun.elapsed().as_secs() / 60;
    assert_eq!(minutes, 5, "RFC 5321 §4.5.3.2.1");
}

#[tokio::test(start_paused = true)]
async fn the_whole_domain_has_a_deadline() {
    let silent = Script {
        greeting: "",
        ..Script::default()
    };
    let running = World::new()
        .mx(&[(10, "mx.example"), (20, "mx2.example")])
        .host("mx.example", "192.0.2.1", Some(silent.clone()))
        .host("mx2.example", "192.0.2.2", Some(silent))
        .adjust(|config| config.timeouts.domain = Duration::from_secs(60))
        .build();
    let begun = Instant::now();
    let report = running.send(&["a@example"]).await;
    assert_eq!(report.recipients[0].outcome, Outcome::Deferred);
    assert!(
        begun.elapsed() < Duration::from_secs(90),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn endless_replies_are_cut_off() {
    for greeting in [
        Box::leak("220-more\r\n".repeat(20_000).into_boxed_str()),
        Box::leak("2".repeat(300_000).into_boxed_str()),
        Box::leak("\0\u{1b}[2J\r\n".repeat(1000).into_boxed_str()),
    ] {
        let script = Script {
            greeting,
            ..Script::default()
        };
        let running = World::new()
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(script))
            .build();
        let report = running.send(&["a@example"]).await;
        assert_eq!(report.recipients[0].outcome, Outcome::Deferred);
        let text = report.recipients[0].reply.as_ref().unwrap().to_string();
        assert!(text.len() < 2000 && !text.contains('\u{1b}'), "{text:?}");
    }
}
