//! Which host gets the message, and what it must prove.

use crate::fixture::{Script, Tls, World, has};
use crate::pki;
use crate::server::rustls_config;
use elsinore_dane::rule::Rule;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_net::deliver::{Outcome, SessionSecurity, TlsWish};
use elsinore_net::tls::webpki::WebPkiRoots;

fn with(tls: Tls) -> Option<Script> {
    Some(Script {
        tls,
        ..Script::default()
    })
}

fn wrong() -> TlsaRecord {
    TlsaRecord::new(3, 1, 1, &[7; 32])
}

#[tokio::test(start_paused = true)]
async fn authenticated_by_dane() {
    let world = World::new();
    let (tls, tlsa) = (world.modern(), world.good_tlsa());
    let running = world
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", with(tls))
        .tlsa("mx.example", vec![tlsa])
        .build();
    let report = running.send(&["a@example"]).await;
    let recipient = &report.recipients[0];
    assert_eq!(recipient.outcome, Outcome::Delivered, "{report:#?}");
    let session = recipient.session.as_ref().unwrap();
    assert_eq!(session.security, Some(SessionSecurity::Dane));
    assert_eq!(session.sni.as_ref().unwrap().as_str(), "mx.example");
    assert_eq!(
        session.tlsa_base_domain.as_ref().unwrap().as_str(),
        "mx.example"
    );
    let matched = session.matched.unwrap();
    assert_eq!(
        (
            matched.usage,
            matched.selector,
            matched.matching_type,
            matched.depth
        ),
        (3, 1, 1, 0)
    );
    let line = recipient.attempts[0].log_line.as_deref().unwrap();
    let start =
        "Verified TLS connection established to mx.example[192.0.2.1]:25: TLSv1.3 with cipher";
    assert!(line.starts_with(start), "{line}");
    assert_eq!(running.dots(), ["a@example"]);
}

#[tokio::test(start_paused = true)]
async fn a_mismatch_leads_to_the_next_host_and_is_said() {
    let world = World::new();
    let (tls, plain) = (world.modern(), world.modern());
    let running = world
        .mx(&[(10, "mx.example"), (20, "mx2.example")])
        .host("mx.example", "192.0.2.1", with(tls))
        .tlsa("mx.example", vec![wrong()])
        .host("mx2.example", "192.0.2.2", with(plain))
        .build();
    let report = running.send(&["a@example"]).await;
    assert_eq!(
        report.recipients[0].outcome,
        Outcome::Delivered,
        "{report:#?}"
    );
    assert!(has(&report, Rule::TlsaMismatch));
    let evidence = (report.recipients[0].attempts[0].findings.iter())
        .find(|finding| finding.rule == Rule::TlsaMismatch)
        .map(|finding| finding.evidence.clone())
        .unwrap();
    assert!(
        evidence.starts_with(
            "TLSA: no TLSA record matches the server certificate; \
             published: 3 1 1 0707070707070707…; presented: 3 1 1 "
        ) && evidence.contains(", notAfter 20"),
        "{evidence}"
    );
    assert!(has(&report, Rule::WeakerHostUsed));
    assert_eq!(running.connections(), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(report.recipients[0].attempts.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_delivered_without_the_proof() {
    // What was established is said of a session that was refused, and only of such a one.
    for (title, line, script) in [
        ("no STARTTLS", None, Script::default()),
        (
            "hangs up",
            None,
            Script {
                tls: Tls::HangsUp,
                ..Script::default()
            },
        ),
        (
            "wrong key",
            Some(
                "Untrusted TLS connection established to mx.example[192.0.2.1]:25: TLSv1.3 with \
                 cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519MLKEM768: not \
                 used: TLSA: ",
            ),
            Script {
                tls: World::new().modern(),
                ..Script::default()
            },
        ),
    ] {
        let world = World::new();
        let tlsa = world.good_tlsa();
        let running = world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(script))
            .tlsa("mx.example", vec![tlsa])
            .build();
        let report = running.send(&["a@example"]).await;
        let recipient = &report.recipients[0];
        assert_eq!(recipient.outcome, Outcome::Deferred, "{title}: {report:#?}");
        assert!(running.dots().is_empty(), "{title}");
        let session = recipient.session.as_ref().unwrap();
        assert_eq!(session.security, None, "{title}");
        let last = recipient.attempts.last().unwrap();
        match (last.log_line.as_deref(), line) {
            (Some(found), Some(line)) => assert!(found.starts_with(line), "{title}: {found}"),
            (found, line) => assert_eq!(found, line, "{title}"),
        }
        let commands = running.seen.lock().unwrap().inside_tls;
        assert_eq!(commands, 0, "{title}: something was said to a stranger");
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_with_a_host_leads_to_the_next() {
    for greeting in ["421 too busy\r\n", "554 no service\r\n", "garbage\r\n"] {
        let first = Script {
            greeting,
            ..Script::default()
        };
        let running = World::new()
            .mx(&[(10, "mx.example"), (20, "mx2.example")])
            .host("mx.example", "192.0.2.1", Some(first))
            .host("mx2.example", "192.0.2.2", Some(Script::default()))
            .build();
        let report = running.send(&["a@example"]).await;
        assert_eq!(
            report.recipients[0].outcome,
            Outcome::Delivered,
            "{greeting}"
        );
        assert_eq!(
            running.connections(),
            ["192.0.2.1", "192.0.2.2"],
            "{greeting}"
        );
        assert!(has(&report, Rule::ServerUnavailable), "{greeting}");
    }
}

#[tokio::test(start_paused = true)]
async fn private_addresses_are_not_dialled() {
    for address in ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.1.1"] {
        let running = World::new()
            .mx(&[(10, "mx.example")])
            .host("mx.example", address, Some(Script::default()))
            .build();
        let report = running.send(&["a@example"]).await;
        assert_eq!(report.recipients[0].outcome, Outcome::Deferred, "{address}");
        assert!(running.connections().is_empty(), "{address}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_of_hosts_is_bounded() {
    let names: Vec<String> = (0..30).map(|n| format!("mx{n}.example")).collect();
    let hosts: Vec<(u16, &str)> = names.iter().map(|name| (10, name.as_str())).collect();
    let mut world = World::new().mx(&hosts);
    for (n, name) in names.iter().enumerate() {
        world = world.host(name, &format!("192.0.2.{}", n + 1), None);
    }
    let running = world.adjust(|config| config.limits.hosts = 5).build();
    let report = running.send(&["a@example"]).await;
    assert_eq!(report.recipients[0].outcome, Outcome::Deferred);
    assert_eq!(running.connections().len(), 5);
    assert!(has(&report, Rule::DeliveryBound));
}

#[tokio::test(start_paused = true)]
async fn requiretls_is_returned_when_no_host_offers_it() {
    let run = async |extensions: &'static str| {
        let world = World::new();
        let (tls, tlsa) = (world.modern(), world.good_tlsa());
        let script = Script {
            tls,
            extensions,
            ..Script::default()
        };
        let running = world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(script))
            .tlsa("mx.example", vec![tlsa])
            .build();
        let report = running.send_with(&["a@example"], TlsWish::Require).await;
        let recipient = &report.recipients[0];
        let enhanced = recipient
            .reply
            .as_ref()
            .and_then(|reply| reply.enhanced.clone());
        (recipient.outcome, enhanced)
    };
    let offered = run("250-REQUIRETLS\r\n").await;
    assert_eq!(offered, (Outcome::Delivered, Some("2.0.0".to_owned())));
    let missing = run("").await;
    assert_eq!(missing, (Outcome::Bounced, Some("5.7.30".to_owned())));
}

/// The words that operators search their logs for, where nothing was to be proven: a chain to a
/// public authority is *Trusted*, for whatever name; only the right one is reported as `webpki`.
#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_certificate_that_nobody_asked_for() {
    let (ca_key, key) = (pki::p256(), pki::p256());
    let ca = pki::Wanted::ca().issue(&ca_key, None);
    let expired = pki::Wanted {
        not_after: pki::NOW - 1,
        ..pki::Wanted::named("mx.example")
    };
    for (wanted, issued, security, word) in [
        (
            pki::Wanted::named("mx.example"),
            true,
            SessionSecurity::WebPki,
            "Trusted",
        ),
        (
            pki::Wanted::named("other.example"),
            true,
            SessionSecurity::Encrypted,
            "Trusted",
        ),
        (expired, true, SessionSecurity::Encrypted, "Untrusted"),
        (
            pki::Wanted::named("mx.example"),
            false,
            SessionSecurity::Encrypted,
            "Untrusted",
        ),
    ] {
        let leaf = wanted.issue(&key, issued.then_some((&ca, &ca_key)));
        let script = with(Tls::Modern(rustls_config(&key, &[leaf.to_der().unwrap()])));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), ca.to_pem().unwrap()).unwrap();
        let roots = WebPkiRoots::new(Some(file.path())).unwrap();
        let running = World::new()
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", script)
            .adjust(move |config| config.roots = roots.clone())
            .build();
        let report = running.send(&["a@example"]).await;
        let recipient = &report.recipients[0];
        let session = recipient.session.as_ref().unwrap();
        assert_eq!(session.security, Some(security), "{report:#?}");
        let line = recipient.attempts[0].log_line.as_deref().unwrap();
        assert!(
            line.starts_with(&format!("{word} TLS connection")),
            "{line}"
        );
    }
}

/// RFC 5321 §5.1: a relay that listens at one of the MX hosts' addresses, on the port that mail goes
/// to, drops that host and all that are no better, and returns the message when none is left.
#[tokio::test(start_paused = true)]
async fn a_relay_does_not_deliver_to_itself() {
    for (own, contacted, outcome) in [
        ("192.0.2.9:25", "192.0.2.1", Outcome::Delivered),
        ("192.0.2.2:25", "192.0.2.1", Outcome::Delivered),
        // Another port is another server.
        ("192.0.2.1:2525", "192.0.2.1", Outcome::Delivered),
        ("192.0.2.1:25", "", Outcome::Bounced),
    ] {
        let running = World::new()
            .mx(&[(10, "mx.example"), (20, "mx2.example")])
            .host("mx.example", "192.0.2.1", with(Tls::NotOffered))
            .host("mx2.example", "192.0.2.2", with(Tls::NotOffered))
            .adjust(move |config| config.policy.own_addresses = vec![own.parse().unwrap()])
            .build();
        let report = running.send(&["a@example"]).await;
        let recipient = &report.recipients[0];
        assert_eq!(recipient.outcome, outcome, "{own}: {report:#?}");
        assert_eq!(running.connections().join(" "), contacted, "{own}");
        if outcome == Outcome::Bounced {
            assert!(has(&report, Rule::OwnHost));
            let reply = recipient.reply.as_ref().unwrap();
            assert_eq!(reply.enhanced.as_deref(), Some("5.4.6"));
        }
    }
}
