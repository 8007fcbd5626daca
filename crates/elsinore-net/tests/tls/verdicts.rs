//! The same chain gets the same verdict from both back ends.

use crate::pki::{NOW, Wanted, p256};
use crate::server::{openssl_context, openssl_server, rustls_config, rustls_server};
use crate::{BOTH, connect, connector, dane, name, pinned, tlsa_311, tlsa_cert, webpki};
use elsinore_dane::obligation::{NamePattern, Obligation, Requirements};
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::{Rejection, inspect};
use elsinore_net::tls::judge::Refusal;
use elsinore_net::tls::webpki::WebPkiRefusal;
use elsinore_net::tls::{Backend, KeyProof, TlsFailureCause};
use openssl::x509::X509;

/// A verdict without the parts that differ between sessions.
fn verdict(result: Result<elsinore_net::tls::TlsSession, elsinore_net::tls::TlsFailure>) -> String {
    match result {
        Ok(session) => {
            let proofs = &session.proofs;
            let dane = proofs.dane.as_ref().map(ToString::to_string);
            let webpki = proofs.webpki.as_ref().map(|proof| proof.name().to_owned());
            format!(
                "ok dane={dane:?} webpki={webpki:?} pins={}",
                proofs.pins.is_some()
            )
        }
        Err(failure) => match failure.cause {
            TlsFailureCause::Refused(refusal) => format!("refused {refusal:?}"),
            other => format!("no session {other:?}"),
        },
    }
}

fn conjunction(left: &Obligation, right: &Obligation) -> Obligation {
    let (Obligation::Authenticate(left), Obligation::Authenticate(right)) = (left, right) else {
        panic!("both must authenticate");
    };
    Obligation::Authenticate(Requirements {
        dane: left.dane.clone(),
        webpki: right.webpki.clone(),
        pins: right.pins.clone(),
    })
}

#[tokio::test]
async fn every_obligation_gets_one_verdict_from_both() {
    let ca_key = p256();
    let ca = Wanted::ca().issue(&ca_key, None);
    let key = p256();
    let issue = |wanted: Wanted| wanted.issue(&key, Some((&ca, &ca_key)));
    let good = issue(Wanted::default());
    let expired = issue(Wanted {
        not_after: NOW - 1,
        ..Wanted::default()
    });
    let other = issue(Wanted::named("other.example"));
    let wildcard = issue(Wanted::named("*.example"));
    let deep_wildcard = issue(Wanted::named("*.mail.example"));
    let alone = Wanted::default().issue(&key, None);
    let chain = |leaf: &X509| vec![leaf.clone(), ca.clone()];
    let exact = || webpki(vec![NamePattern::Exact(name("mx.example"))]);
    let below = || webpki(vec![NamePattern::Below(name("example"))]);
    let pin = |certificate: &X509| pinned(openssl::sha::sha256(&certificate.to_der().unwrap()));
    let ta = |certificate: &X509| dane(vec![tlsa_cert(2, certificate)]);
    let ee = |certificate: &X509| dane(vec![tlsa_311(certificate)]);
    let wrong = TlsaRecord::new(3, 1, 1, &[7; 32]);
    let refused = |refusal: Refusal| format!("refused {refusal:?}");
    let rejected = |rejection: Rejection, leaf: &X509| {
        let leaf = inspect(&leaf.to_der().unwrap()).unwrap();
        refused(Refusal::Dane {
            rejection,
            leaf: Some(Box::new(leaf)),
        })
    };
    let no_match = rejected(Rejection::NoMatch, &good);
    let webpki_refused = |refusal| refused(Refusal::WebPki(refusal));
    let cases: Vec<(&str, Vec<X509>, Obligation, String)> = vec![
        ("3 1 1", chain(&good), ee(&good), "ok dane=Some(\"TLSA 3 1 1 matched the server certificate\") webpki=None pins=false".into()),
        ("3 1 1, expired", chain(&expired), ee(&expired), "ok dane=Some(\"TLSA 3 1 1 matched the server certificate\") webpki=None pins=false".into()),
        ("3 1 1, wrong name", vec![other.clone()], ee(&other), "ok dane=Some(\"TLSA 3 1 1 matched the server certificate\") webpki=None pins=false".into()),
        ("3 1 1, wrong key", chain(&good), dane(vec![wrong.clone()]), no_match.clone()),
        ("3 1 1, one wrong one right", chain(&good), dane(vec![wrong.clone(), tlsa_311(&good)]), "ok dane=Some(\"TLSA 3 1 1 matched the server certificate\") webpki=None pins=false".into()),
        ("2 0 1", chain(&good), ta(&ca), "ok dane=Some(\"TLSA 2 0 1 matched the trust anchor at depth 1, name mx.example\") webpki=None pins=false".into()),
        ("2 0 1, wildcard for a whole top-level domain", chain(&wildcard), ta(&ca), rejected(Rejection::NameMismatch, &wildcard)),
        ("2 0 1, expired", chain(&expired), ta(&ca), rejected(Rejection::Expired { depth: 0 }, &expired)),
        ("2 0 1, wrong name", chain(&other), ta(&ca), rejected(Rejection::NameMismatch, &other)),
        ("2 0 1, anchor not sent", vec![good.clone()], ta(&ca), rejected(Rejection::NoTrustedPath, &good)),
        ("WebPKI", chain(&good), exact(), "ok dane=None webpki=Some(\"mx.example\") pins=false".into()),
        ("WebPKI, root not sent", vec![good.clone()], exact(), "ok dane=None webpki=Some(\"mx.example\") pins=false".into()),
        ("WebPKI, wildcard", chain(&deep_wildcard), webpki(vec![NamePattern::Exact(name("mx.mail.example"))]),
"ok dane=None webpki=Some(\"mx.mail.example\") pins=false".into()),
        ("WebPKI, below", chain(&good), below(), "ok dane=None webpki=Some(\".example\") pins=false".into()),
        ("WebPKI, below, wildcard", chain(&deep_wildcard), below(), "ok dane=None webpki=Some(\".example\") pins=false".into()),
        ("WebPKI, expired", chain(&expired), exact(), webpki_refused(WebPkiRefusal::Expired)),
        ("WebPKI, wrong name", chain(&other), exact(), webpki_refused(WebPkiRefusal::HostMismatch)),
        ("WebPKI, self-signed", vec![alone.clone()], exact(), webpki_refused(WebPkiRefusal::NotTrusted)),
        ("pin", vec![alone.clone()], pin(&alone), "ok dane=None webpki=None pins=true".into()),
        ("pin of another", vec![alone.clone()], pin(&good), refused(Refusal::Pins(Rejection::NoPinMatches))),
        ("DANE and WebPKI", chain(&good), conjunction(&ee(&good), &exact()), "ok dane=Some(\"TLSA 3 1 1 matched the server certificate\") webpki=Some(\"mx.example\") pins=false".into()),
        ("DANE without WebPKI", vec![alone.clone()], conjunction(&ee(&alone), &exact()), webpki_refused(WebPkiRefusal::NotTrusted)),
        ("WebPKI without DANE", chain(&good), conjunction(&dane(vec![wrong]), &exact()), no_match),
        ("opportunistic, by chance valid", chain(&good), Obligation::Opportunistic, "ok dane=None webpki=Some(\"mx.example\") pins=false".into()),
        ("opportunistic, self-signed", vec![alone.clone()], Obligation::Opportunistic, "ok dane=None webpki=None pins=false".into()),
        ("encrypt, wrong name", chain(&other), Obligation::Encrypt, "ok dane=None webpki=None pins=false".into()),
    ];
    let connector = connector(Some(&ca));
    for (title, chain, obligation, expected) in cases {
        for backend in BOTH {
            let stream = openssl_server(openssl_context(&key, &chain, |_| {}));
            let found = verdict(connect(&connector, backend, stream, &obligation).await);
            assert_eq!(found, expected, "{title}, {backend}");
        }
    }
}

#[tokio::test]
async fn the_key_must_be_that_of_the_certificate() {
    let (key, thief) = (p256(), p256());
    let certificate = Wanted::default().issue(&key, None);
    let stolen = rustls_config(&thief, &[certificate.to_der().unwrap()]);
    let connector = connector(None);
    let stream = rustls_server(stolen.clone());
    let failure = connect(
        &connector,
        Backend::Rustls,
        stream,
        &dane(vec![tlsa_311(&certificate)]),
    )
    .await
    .unwrap_err();
    assert_eq!(failure.cause, TlsFailureCause::Refused(Refusal::Signature));
    let stream = rustls_server(stolen.clone());
    let session = connect(
        &connector,
        Backend::Rustls,
        stream,
        &Obligation::Opportunistic,
    )
    .await
    .unwrap();
    assert_eq!(session.handshake.key_proof, KeyProof::Missing);
    assert!(session.proofs.webpki.is_none());
    let stream = rustls_server(stolen);
    let obligation = dane(vec![tlsa_311(&certificate)]);
    let result = connect(&connector, Backend::OpenSsl, stream, &obligation).await;
    assert!(result.is_err());
}

#[tokio::test]
async fn octets_that_are_no_certificate_matter_only_where_one_is_owed() {
    let key = p256();
    let garbage = [
        ("0 octets", Vec::new()),
        ("1 octet", vec![0x30]),
        ("garbage", vec![0xff; 300]),
        ("60 KB", vec![0x30; 60_000]),
    ];
    let connector = connector(None);
    for (title, octets) in garbage {
        let config = rustls_config(&key, std::slice::from_ref(&octets));
        let session = connect(
            &connector,
            Backend::Rustls,
            rustls_server(config.clone()),
            &Obligation::Opportunistic,
        )
        .await
        .unwrap_or_else(|failure| panic!("{title}: {failure}"));
        assert_eq!(session.handshake.key_proof, KeyProof::Missing, "{title}");
        for obligation in [
            dane(vec![TlsaRecord::new(
                3,
                0,
                1,
                &openssl::sha::sha256(&octets),
            )]),
            pinned(openssl::sha::sha256(&octets)),
            webpki(vec![NamePattern::Exact(name("mx.example"))]),
        ] {
            let stream = rustls_server(config.clone());
            let failure = connect(&connector, Backend::Rustls, stream, &obligation)
                .await
                .unwrap_err();
            assert!(
                matches!(failure.cause, TlsFailureCause::Refused(_)),
                "{title}: {failure:?}"
            );
        }
    }
}

#[tokio::test]
async fn extra_certificates_may_be_anything() {
    let key = p256();
    let leaf = Wanted::default().issue(&key, None);
    let mut chain = vec![leaf.to_der().unwrap(), vec![0xff; 10]];
    chain.extend((0..40).map(|_| Wanted::ca().issue(&key, None).to_der().unwrap()));
    let config = rustls_config(&key, &chain);
    let obligation = dane(vec![tlsa_311(&leaf)]);
    let session = connect(
        &connector(None),
        Backend::Rustls,
        rustls_server(config),
        &obligation,
    )
    .await
    .unwrap();
    assert_eq!(session.handshake.chain.len(), 42);
}
