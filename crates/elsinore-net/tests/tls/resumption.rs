//! A TLS session proves something under one obligation and nothing under any other.

use crate::pki::{Wanted, p256};
use crate::server::{rustls_config, rustls_config_of, rustls_server};
use crate::{connector, dane, name, tlsa_311};
use elsinore_dane::obligation::{DaneRequirement, Obligation, Requirements};
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_net::tls::{Backend, MinProtocol, Resumption, TlsConnector, TlsDemand};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// One session, with a round trip so that the tickets arrive.
async fn session(
    connector: &TlsConnector,
    config: &std::sync::Arc<rustls::ServerConfig>,
    demand: &TlsDemand<'_>,
) -> Result<Resumption, String> {
    let stream = rustls_server(config.clone());
    let mut session = connector
        .connect(Backend::Rustls, Box::new(stream), demand)
        .await
        .map_err(|failure| failure.to_string())?;
    session.stream.write_all(b"x").await.unwrap();
    session.stream.read_exact(&mut [0]).await.unwrap();
    Ok(session.handshake.facts.resumption)
}

fn requirement(obligation: &Obligation) -> DaneRequirement {
    match obligation {
        Obligation::Authenticate(requirements) => requirements.dane.clone().unwrap(),
        _ => panic!("not authenticated"),
    }
}

fn authenticate(dane: DaneRequirement) -> Obligation {
    Obligation::Authenticate(Requirements {
        dane: Some(dane),
        ..Requirements::default()
    })
}

#[tokio::test]
async fn never_across_obligations() {
    let key = p256();
    let certificate = Wanted::default().issue(&key, None);
    let config = rustls_config(&key, &[certificate.to_der().unwrap()]);
    let connector = connector(None);
    let base = dane(vec![tlsa_311(&certificate)]);
    let other_records = dane(vec![
        tlsa_311(&certificate),
        TlsaRecord::new(3, 1, 1, &[7; 32]),
    ]);
    let mut insecure = requirement(&base);
    insecure.mx_secure = false;
    let mut names = requirement(&base);
    names.reference_identifiers.push(name("third.example"));
    let mut base_domain = requirement(&base);
    base_domain.base_domain = name("elsewhere.example");
    let others = [
        ("the same again", base.clone(), Resumption::Resumed),
        ("opportunistic", Obligation::Opportunistic, Resumption::Full),
        ("encrypt", Obligation::Encrypt, Resumption::Full),
        ("other records", other_records, Resumption::Full),
        (
            "other MX security",
            authenticate(insecure),
            Resumption::Full,
        ),
        (
            "other reference identifiers",
            authenticate(names),
            Resumption::Full,
        ),
        (
            "other base domain",
            authenticate(base_domain),
            Resumption::Full,
        ),
    ];
    let sni = name("mx.example");
    let demand =
        |obligation| TlsDemand::new(obligation, Some(&sni), "mx.example", MinProtocol::Tls12);
    assert_eq!(
        session(&connector, &config, &demand(&base)).await,
        Ok(Resumption::Full)
    );
    for (title, obligation, expected) in &others {
        let found = session(&connector, &config, &demand(obligation)).await;
        assert_eq!(found, Ok(*expected), "{title}");
    }
    let elsewhere = name("mx2.example");
    for (title, demand) in [
        (
            "other SNI",
            TlsDemand::new(&base, Some(&elsewhere), "mx.example", MinProtocol::Tls12),
        ),
        (
            "other host",
            TlsDemand::new(&base, Some(&sni), "mx2.example", MinProtocol::Tls12),
        ),
        (
            "other minimum",
            TlsDemand::new(&base, Some(&sni), "mx.example", MinProtocol::Tls13),
        ),
    ] {
        let found = session(&connector, &config, &demand).await;
        assert_eq!(found, Ok(Resumption::Full), "{title}");
    }
    // What was proven once does not outlive a change of the records.
    let replaced = dane(vec![TlsaRecord::new(3, 1, 1, &[7; 32])]);
    assert!(
        session(&connector, &config, &demand(&replaced))
            .await
            .is_err()
    );
}

/// A refused chain does not come back by resumption. In TLS 1.2 the session is there to be resumed
/// as soon as the handshake is over.
#[tokio::test]
async fn a_refused_session_is_not_resumed() {
    let key = p256();
    let certificate = Wanted::default().issue(&key, None);
    let chain = [certificate.to_der().unwrap()];
    let config = rustls_config_of(&key, &chain, &[&rustls::version::TLS12]);
    let connector = connector(None);
    let sni = name("mx.example");
    let right = dane(vec![tlsa_311(&certificate)]);
    let demand = TlsDemand::new(&right, Some(&sni), "mx.example", MinProtocol::Tls12);
    for expected in [Resumption::Full, Resumption::Resumed] {
        assert_eq!(session(&connector, &config, &demand).await, Ok(expected));
    }
    let wrong = dane(vec![TlsaRecord::new(3, 1, 1, &[7; 32])]);
    let demand = TlsDemand::new(&wrong, Some(&sni), "mx.example", MinProtocol::Tls12);
    for _ in 0..2 {
        let stream = Box::new(rustls_server(config.clone()));
        let refused = connector.connect(Backend::Rustls, stream, &demand).await;
        let established = refused.unwrap_err().established.unwrap();
        assert_eq!(established.facts.resumption, Resumption::Full);
    }
}
