//! Protocol versions, cipher suites and key exchanges: what each rung of the ladder can speak.

use crate::pki::{Wanted, p256, rsa};
use crate::server::{openssl_context, openssl_server, rustls_config, rustls_server};
use crate::{BOTH, connect, connector, dane, name, tlsa_311};
use elsinore_dane::obligation::Obligation;
use elsinore_net::tls::{Backend, MinProtocol, TlsDemand, TlsFailureCause, TlsVersion};
use openssl::ssl::{SslContextBuilder, SslVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

type Adjust = fn(&mut SslContextBuilder);

fn only(context: &mut SslContextBuilder, version: SslVersion, ciphers: &str) {
    context.set_max_proto_version(Some(version)).unwrap();
    context
        .set_cipher_list(&format!("{ciphers}:@SECLEVEL=0"))
        .unwrap();
}

/// Server, whether rustls can, what OpenSSL agrees to.
const SERVERS: &[(&str, Adjust, bool, TlsVersion)] = &[
    (
        "TLS 1.0",
        |c| only(c, SslVersion::TLS1, "ALL"),
        false,
        TlsVersion::Tls10,
    ),
    (
        "TLS 1.1",
        |c| only(c, SslVersion::TLS1_1, "ALL"),
        false,
        TlsVersion::Tls11,
    ),
    (
        "ECDHE CBC",
        |c| only(c, SslVersion::TLS1_2, "ECDHE-RSA-AES128-SHA"),
        false,
        TlsVersion::Tls12,
    ),
    (
        "ECDHE CBC SHA-256",
        |c| only(c, SslVersion::TLS1_2, "ECDHE-RSA-AES128-SHA256"),
        false,
        TlsVersion::Tls12,
    ),
    (
        "RSA key exchange, GCM",
        |c| only(c, SslVersion::TLS1_2, "AES128-GCM-SHA256"),
        false,
        TlsVersion::Tls12,
    ),
    (
        "RSA key exchange, CBC",
        |c| only(c, SslVersion::TLS1_2, "AES128-SHA"),
        false,
        TlsVersion::Tls12,
    ),
    (
        "CCM",
        |c| only(c, SslVersion::TLS1_2, "AES128-CCM"),
        false,
        TlsVersion::Tls12,
    ),
    (
        "ECDHE GCM",
        |c| only(c, SslVersion::TLS1_2, "ECDHE-RSA-AES128-GCM-SHA256"),
        true,
        TlsVersion::Tls12,
    ),
    (
        "ChaCha20",
        |c| only(c, SslVersion::TLS1_2, "ECDHE-RSA-CHACHA20-POLY1305"),
        true,
        TlsVersion::Tls12,
    ),
    ("TLS 1.3", |_| {}, true, TlsVersion::Tls13),
    (
        "P-521 group only",
        |c| c.set_groups_list("P-521").unwrap(),
        false,
        TlsVersion::Tls13,
    ),
    (
        "X448 group only",
        |c| c.set_groups_list("X448").unwrap(),
        false,
        TlsVersion::Tls13,
    ),
];

#[tokio::test]
//= spec-test: 7672-8.2-1
async fn what_each_back_end_speaks() {
    let key = rsa(2048);
    let certificate = Wanted::default().issue(&key, None);
    let connector = connector(None);
    let authenticated = dane(vec![tlsa_311(&certificate)]);
    for (title, adjust, modern, version) in SERVERS {
        let chain = [certificate.clone()];
        let serve = || openssl_server(openssl_context(&key, &chain, adjust));
        let result = connect(
            &connector,
            Backend::Rustls,
            serve(),
            &Obligation::Opportunistic,
        )
        .await;
        assert_eq!(result.is_ok(), *modern, "{title}: {result:?}");
        if let Err(failure) = result {
            let is_handshake = matches!(failure.cause, TlsFailureCause::Handshake { .. });
            assert!(is_handshake, "{title}: {failure:?}");
        }
        let mut session = connect(&connector, Backend::OpenSsl, serve(), &Obligation::Encrypt)
            .await
            .unwrap_or_else(|failure| panic!("{title}: {failure}"));
        assert_eq!(session.handshake.facts.version, *version, "{title}");
        session.stream.write_all(b"hello").await.unwrap();
        let mut echo = [0; 5];
        session.stream.read_exact(&mut echo).await.unwrap();
        assert_eq!(&echo, b"hello");
        // The same server must prove itself on this rung as on the other, and 1.2 is the floor.
        let result = connect(&connector, Backend::OpenSsl, serve(), &authenticated).await;
        let modern_enough = *version >= TlsVersion::Tls12;
        assert_eq!(result.is_ok(), modern_enough, "{title}: {result:?}");
        let stranger = Wanted::default().issue(&p256(), None);
        let obligation = dane(vec![tlsa_311(&stranger)]);
        let result = connect(&connector, Backend::OpenSsl, serve(), &obligation).await;
        assert!(result.is_err(), "{title}");
    }
}

#[tokio::test]
async fn anonymous_suites_are_for_those_who_owe_nothing() {
    let connector = connector(None);
    let serve = || {
        let context = openssl_context(&p256(), &[], |context| {
            only(context, SslVersion::TLS1_2, "AECDH-AES128-SHA");
        });
        openssl_server(context)
    };
    let session = connect(
        &connector,
        Backend::OpenSsl,
        serve(),
        &Obligation::Opportunistic,
    )
    .await
    .unwrap();
    assert!(session.handshake.chain.is_empty());
    let certificate = Wanted::default().issue(&p256(), None);
    let obligation = dane(vec![tlsa_311(&certificate)]);
    let result = connect(&connector, Backend::OpenSsl, serve(), &obligation).await;
    assert!(result.is_err());
}

#[tokio::test]
async fn post_quantum_key_exchange_is_the_default() {
    let key = p256();
    let certificate = Wanted::default().issue(&key, None);
    let config = rustls_config(&key, &[certificate.to_der().unwrap()]);
    let obligation = dane(vec![tlsa_311(&certificate)]);
    let session = connect(
        &connector(None),
        Backend::Rustls,
        rustls_server(config),
        &obligation,
    )
    .await
    .unwrap();
    assert_eq!(
        session.handshake.facts.group.as_deref(),
        Some("X25519MLKEM768")
    );
    assert_eq!(session.handshake.facts.version, TlsVersion::Tls13);
    assert_eq!(session.handshake.facts.cipher, "TLS_AES_256_GCM_SHA384");
}

#[tokio::test]
async fn a_name_that_cannot_be_sent_is_no_obstacle() {
    let key = p256();
    let certificate = Wanted::default().issue(&key, None);
    let obligation = dane(vec![tlsa_311(&certificate)]);
    let connector = connector(None);
    for sni in ["mx.123", "-x.example", "a_b.example", "\\000.example"] {
        for backend in BOTH {
            let context = openssl_context(&key, std::slice::from_ref(&certificate), |_| {});
            let sni = name(sni);
            let demand = TlsDemand::new(&obligation, Some(&sni), "mx.example", MinProtocol::Tls12);
            let stream = Box::new(openssl_server(context));
            let result = connector.connect(backend, stream, &demand).await;
            assert!(result.is_ok(), "{sni}, {backend}: {result:?}");
        }
    }
}

#[tokio::test]
async fn sha1_signs_only_where_nothing_is_claimed() {
    let key = rsa(2048);
    let certificate = Wanted::default().issue(&key, None);
    let authenticated = dane(vec![tlsa_311(&certificate)]);
    let connector = connector(None);
    for backend in BOTH {
        let serve = || {
            let context = openssl_context(&key, std::slice::from_ref(&certificate), |context| {
                only(context, SslVersion::TLS1_2, "ECDHE-RSA-AES128-GCM-SHA256");
                context.set_sigalgs_list("RSA+SHA1").unwrap();
            });
            openssl_server(context)
        };
        let result = connect(&connector, backend, serve(), &Obligation::Opportunistic).await;
        assert!(result.is_ok(), "{backend}: {result:?}");
        let result = connect(&connector, backend, serve(), &authenticated).await;
        assert!(result.is_err(), "{backend}");
    }
}
