//! The rungs of one address: each on a new connection, none lower than the obligation.

use crate::fixture::{Script, Tls, World, has};
use crate::server::openssl_context;
use elsinore_dane::rule::Rule;
use elsinore_net::deliver::{LegacyTls, Outcome, SessionSecurity};
use elsinore_net::tls::{Backend, TlsVersion};
use openssl::ssl::{NameType, SniError, SslAlert, SslContext, SslVersion};
use std::time::Duration;

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

/// What one bad moment taught does not stick: a guess that fails is dropped, and the ladder begins
/// at its top, for the same message.
#[tokio::test(start_paused = true)]
async fn a_remembered_rung_is_a_guess() {
    let world = World::new();
    let turns = [
        // Somebody on the path breaks the first rung.
        Tls::HangsUp,
        Tls::OpenSsl(old(&world, SslVersion::TLS1_2)),
        // The second rung is begun with, and broken.
        Tls::HangsUp,
        world.modern(),
        // Nothing is remembered any more.
        world.modern(),
    ];
    let tlsa = world.good_tlsa();
    let script = Script {
        tls: Tls::turns(turns),
        ..Script::default()
    };
    let running = world
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", Some(script))
        .tlsa("mx.example", vec![tlsa])
        .build();
    for (backend, connections) in [
        (Backend::OpenSsl, 2),
        (Backend::Rustls, 4),
        (Backend::Rustls, 5),
    ] {
        let report = running.send(&["a@example"]).await;
        let recipient = &report.recipients[0];
        assert_eq!(recipient.outcome, Outcome::Delivered, "{report:#?}");
        let session = recipient.session.as_ref().unwrap();
        assert_eq!(session.tls.as_ref().unwrap().backend, backend);
        assert_eq!(session.security, Some(SessionSecurity::Dane));
        assert_eq!(running.connections().len(), connections);
    }
}

#[tokio::test(start_paused = true)]
async fn a_remembered_rung_wears_off() {
    let world = World::new();
    let turns = [
        Tls::HangsUp,
        Tls::OpenSsl(old(&world, SslVersion::TLS1_2)),
        world.modern(),
    ];
    let script = Script {
        tls: Tls::turns(turns),
        ..Script::default()
    };
    let running = world
        .mx(&[(10, "mx.example")])
        .host("mx.example", "192.0.2.1", Some(script))
        .build();
    running.send(&["a@example"]).await;
    tokio::time::advance(Duration::from_secs(3601)).await;
    let report = running.send(&["a@example"]).await;
    let session = report.recipients[0].session.clone().unwrap();
    assert_eq!(session.tls.as_ref().unwrap().backend, Backend::Rustls);
    assert_eq!(running.connections().len(), 3);
}

/// A server that makes it fatal not to know a name. Without the name it serves anybody, so the
/// name is withheld where no standard says that it must be sent.
#[tokio::test(start_paused = true)]
async fn a_name_that_is_refused_is_withheld_where_it_may_be() {
    for (owes_dane, outcome, connections) in
        [(false, Outcome::Delivered, 2), (true, Outcome::Deferred, 2)]
    {
        let world = World::new();
        let chain = [world.certificate.clone()];
        let picky = openssl_context(&world.key, &chain, |context| {
            context.set_servername_callback(|ssl, alert| {
                if ssl.servername(NameType::HOST_NAME).is_none() {
                    return Ok(());
                }
                *alert = SslAlert::UNRECOGNIZED_NAME;
                Err(SniError::ALERT_FATAL)
            });
        });
        let script = Script {
            tls: Tls::OpenSsl(picky),
            ..Script::default()
        };
        let tlsa = world.good_tlsa();
        let mut world =
            world
                .mx(&[(10, "mx.example")])
                .host("mx.example", "192.0.2.1", Some(script));
        if owes_dane {
            world = world.tlsa("mx.example", vec![tlsa]);
        }
        let running = world.build();
        let report = running.send(&["a@example"]).await;
        let recipient = &report.recipients[0];
        assert_eq!(recipient.outcome, outcome, "{report:#?}");
        assert_eq!(running.connections().len(), connections);
        assert!(has(&report, Rule::TlsHandshakeFailed));
        if !owes_dane {
            let session = recipient.session.as_ref().unwrap();
            assert_eq!(session.security, Some(SessionSecurity::Encrypted));
            assert_eq!(session.sni, None);
        }
    }
}
