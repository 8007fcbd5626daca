//! The rungs of one address: each on a new connection, none lower than the obligation.

use crate::fixture::{Script, Tls, World, has};
use crate::server::openssl_context;
use elsinore_dane::rule::Rule;
use elsinore_net::deliver::{LegacyTls, Outcome, SessionSecurity};
use elsinore_net::tls::{Backend, TlsVersion};
use openssl::ssl::{SslContext, SslVersion};

fn old(world: &World, version: SslVersion) -> SslContext {
    let chain = [world.certificate.clone()];
    openssl_context(&world.key, &chain, |context| {
        context.set_max_proto_version(Some(version)).unwrap();
        context
            .set_cipher_list("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
            .unwrap();
    })
}

#[tokio::test(start_paused = true)]
async fn opportunistic_goes_down_to_cleartext() {
    let script = Script {
        tls: Tls::HangsUp,
        ..Script::default()
    };
    let running = World::new()
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", Some(script))
        .build();
    let report = running.send(&["a@example"]).await;
    let recipient = &report.recipients[0];
    assert_eq!(recipient.outcome, Outcome::Delivered, "{report:#?}");
    let session = recipient.session.as_ref().unwrap();
    assert_eq!(session.security, Some(SessionSecurity::Plaintext));
    assert_eq!(running.connections().len(), 3);
    assert!(has(&report, Rule::TlsHandshakeFailed) && has(&report, Rule::CleartextSession));
    // Cleartext is never remembered: the next message tries TLS again.
    running.send(&["a@example"]).await;
    assert_eq!(running.connections().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_old_server_is_reached_by_the_second_library_and_remembered() {
    let world = World::new();
    let script = Script {
        tls: Tls::OpenSsl(old(&world, SslVersion::TLS1)),
        ..Script::default()
    };
    let running = world
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", Some(script))
        .build();
    let report = running.send(&["a@example"]).await;
    let session = report.recipients[0].session.clone().unwrap();
    let tls = session.tls.as_ref().unwrap();
    assert_eq!(
        (tls.backend, tls.version),
        (Backend::OpenSsl, TlsVersion::Tls10)
    );
    assert_eq!(session.security, Some(SessionSecurity::Encrypted));
    assert!(has(&report, Rule::LegacyTls));
    assert_eq!(running.connections().len(), 2);
    running.send(&["a@example"]).await;
    assert_eq!(running.connections().len(), 3);
    assert_eq!(running.dots().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_second_rung_owes_the_same_proof() {
    for (version, right, outcome) in [
        (SslVersion::TLS1_2, true, Outcome::Delivered),
        (SslVersion::TLS1_2, false, Outcome::Deferred),
        (SslVersion::TLS1, true, Outcome::Deferred),
    ] {
        let world = World::new();
        let script = Script {
            tls: Tls::OpenSsl(old(&world, version)),
            ..Script::default()
        };
        let tlsa = if right {
            world.good_tlsa()
        } else {
            World::new().good_tlsa()
        };
        let running = world
            .mx(&[(10, "mx.example")])
            .host("mx.example", "192.0.2.1", Some(script))
            .tlsa("mx.example", vec![tlsa])
            .build();
        let report = running.send(&["a@example"]).await;
        assert_eq!(report.recipients[0].outcome, outcome, "{version:?} {right}");
        assert_eq!(
            running.dots().len(),
            usize::from(outcome == Outcome::Delivered)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_second_library_there_is_one_rung_less() {
    let world = World::new();
    let script = Script {
        tls: Tls::OpenSsl(old(&world, SslVersion::TLS1)),
        ..Script::default()
    };
    let running = world
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", Some(script))
        .adjust(|config| config.legacy = LegacyTls::Off)
        .build();
    let report = running.send(&["a@example"]).await;
    let session = report.recipients[0].session.clone().unwrap();
    assert_eq!(session.security, Some(SessionSecurity::Plaintext));
    assert_eq!(running.connections().len(), 2);
}
