//! What each recipient is told, and that nobody gets a message twice.

use crate::fixture::{Patience, Script, World, has};
use elsinore_dane::rule::Rule;
use elsinore_net::deliver::{Decided, Outcome, SaidBy, TlsWish};
use std::time::Duration;
use tokio::time::Instant;

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
    let begun = Instant::now();
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

#[tokio::test(start_paused = true)]
async fn called_back_it_ends_at_once_and_every_answer_counts() {
    use Decided::{Answer, NothingLeft};
    use Outcome::{Deferred, Delivered};
    let open = (Deferred, NothingLeft);
    let unknown = (Deferred, Answer);
    let done = (Delivered, Answer);
    // One recipient in a transaction; the first server answers MAIL, or the dot, of the second no more.
    for (patience, greeting, told, dots) in [
        (Patience::HangsAtDotAfter(1), true, [done, unknown, open], 2),
        (Patience::SilentAfter(1), true, [done, open, open], 1),
        (Patience::HangsAtDotAfter(0), true, [unknown, open, open], 1),
        (Patience::SilentAfter(0), true, [open, open, open], 0),
        (Patience::Endless, false, [open, open, open], 0),
        (Patience::Endless, true, [done, done, done], 3),
    ] {
        let script = Script {
            patience,
            greeting: if greeting {
                "220 mx.example ESMTP\r\n"
            } else {
                ""
            },
            ..Script::default()
        };
        let world = two_hosts(script);
        let running = world.adjust(|config| config.limits.recipients = 1).build();
        let begun = Instant::now();
        let minute = tokio::time::sleep(Duration::from_secs(60));
        let recipients = ["a@example", "b@example", "c@example"];
        let report = running
            .send_until(&recipients, TlsWish::AsAnnounced, minute)
            .await;
        let found: Vec<_> = (report.recipients.iter())
            .map(|recipient| (recipient.outcome, recipient.decided))
            .collect();
        assert_eq!(found, told, "{dots} dots");
        assert_eq!(running.dots().len(), dots);
        assert_eq!(
            running.connections(),
            ["192.0.2.1"],
            "no other host is begun with"
        );
        let took = begun.elapsed();
        assert!(took <= Duration::from_secs(63), "{took:?}");
    }
}

/// A host that was not tried yet may take what the first one refused for good.
#[tokio::test(start_paused = true)]
async fn a_refusal_by_one_host_is_not_the_end_when_time_is_over() {
    let refuses = "554 5.3.2 no service here\r\n";
    let greets = "220 mx.example ESMTP\r\n";
    let never = Duration::from_secs(86_400);
    let soon = Duration::from_secs(1);
    // What the first host greets with; when the delivery is called back; its time; what then holds.
    for (greeting, called, time, tls, outcome) in [
        (
            refuses,
            soon,
            never,
            TlsWish::AsAnnounced,
            Outcome::Deferred,
        ),
        (
            refuses,
            never,
            soon,
            TlsWish::AsAnnounced,
            Outcome::Deferred,
        ),
        (
            refuses,
            never,
            never,
            TlsWish::AsAnnounced,
            Outcome::Bounced,
        ),
        (greets, soon, never, TlsWish::Require, Outcome::Deferred),
        (greets, never, soon, TlsWish::Require, Outcome::Deferred),
        (greets, never, never, TlsWish::Require, Outcome::Bounced),
    ] {
        let world = World::new();
        let script = Script {
            greeting,
            tls: world.modern(),
            patience: Patience::HangsAtQuit,
            ..Script::default()
        };
        let tlsa = world.good_tlsa();
        let mut world = world
            .mx(&[(10, "mx.example"), (20, "mx2.example")])
            .host("mx.example", "192.0.2.1", Some(script.clone()))
            .host("mx2.example", "192.0.2.2", Some(script))
            .adjust(move |config| config.timeouts.domain = time);
        // Without TLSA records nothing is owed, and a refusal stands.
        if tls == TlsWish::Require {
            for host in ["mx.example", "mx2.example"] {
                world = world.tlsa(host, vec![tlsa.clone()]);
            }
        }
        let running = world.build();
        let report = running
            .send_until(&["a@example"], tls, tokio::time::sleep(called))
            .await;
        let told = &report.recipients[0];
        let found = (told.outcome, told.decided);
        let case = format!("{greeting:?} {called:?} {time:?}: {:?}", told.reply);
        assert_eq!(found, (outcome, Decided::NothingLeft), "{case}");
        let hosts = if outcome == Outcome::Bounced { 2 } else { 1 };
        assert_eq!(running.connections().len(), hosts, "{case}");
    }
}
