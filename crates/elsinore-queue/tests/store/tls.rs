//! TLS to the server: its certificate and name are verified, and there is no way back to cleartext.

use crate::cluster::Cluster;
use crate::place::{postgres, postgres_at};
use elsinore_queue::error::StoreError;
use elsinore_queue::postgres::{PostgresSettings, PostgresStore};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

/// A certificate for `name`, issued by `issuer` or by itself.
fn certificate(name: &str, issuer: Option<&(X509, PKey<Private>)>) -> (X509, PKey<Private>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
    let key = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
    let mut subject = X509NameBuilder::new().expect("a name");
    subject.append_entry_by_text("CN", name).expect("a name");
    let subject = subject.build();
    let mut builder: X509Builder = X509::builder().expect("a certificate");
    builder.set_version(2).expect("version 3");
    let serial = BigNum::from_u32(rand::random::<u32>() >> 1).expect("a number");
    let serial = serial.to_asn1_integer().expect("a number");
    builder.set_serial_number(&serial).expect("a number");
    builder.set_subject_name(&subject).expect("a name");
    let issuer_name = issuer.map_or(&*subject, |(issuer, _)| issuer.subject_name());
    builder.set_issuer_name(issuer_name).expect("a name");
    let (from, to) = (Asn1Time::days_from_now(0), Asn1Time::days_from_now(2));
    builder.set_not_before(&from.expect("a time")).expect("set");
    builder.set_not_after(&to.expect("a time")).expect("set");
    builder.set_pubkey(&key).expect("a key");
    if issuer.is_none() {
        let ca = BasicConstraints::new().critical().ca().build();
        builder.append_extension(ca.expect("built")).expect("added");
    } else {
        let context = builder.x509v3_context(issuer.map(|(issuer, _)| &**issuer), None);
        let names = SubjectAlternativeName::new().dns(name).build(&context);
        builder
            .append_extension(names.expect("built"))
            .expect("added");
    }
    let signer = issuer.map_or(&key, |(_, key)| key);
    builder
        .sign(signer, MessageDigest::sha256())
        .expect("signed");
    (builder.build(), key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_verified() {
    let issuer = certificate("an issuer", None);
    let other = certificate("another issuer", None);
    let (server, key) = certificate("db.example.org", Some(&issuer));
    let Some((cluster, port)) = Cluster::start_tls(
        &server.to_pem().expect("PEM"),
        &key.private_key_to_pem_pkcs8().expect("PEM"),
    ) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, certificate: &X509| {
        let path = folder.path().join(name);
        std::fs::write(&path, certificate.to_pem().expect("PEM")).expect("written");
        path
    };
    let right = file("right.pem", &issuer.0);
    let wrong = file("wrong.pem", &other.0);
    let place = postgres_at(cluster.connection());
    // Name, the rest of the connection string, certificates, and whether the store opens. The server
    // takes no cleartext.
    let table = [
        ("db.example.org", "", Some(&right), true),
        ("db.example.org", "sslmode=prefer", Some(&right), true),
        ("db.example.org", "sslmode=verify-full", Some(&right), true),
        ("db.example.org", "sslmode=verify-ca", Some(&right), true),
        ("db.example.org", "", Some(&wrong), false),
        ("db.example.org", "", None, false),
        ("other.example.org", "", Some(&right), false),
        (
            "other.example.org",
            "sslmode=verify-ca",
            Some(&right),
            false,
        ),
        ("db.example.org", "sslmode=disable", Some(&right), false),
    ];
    for (name, more, tls_ca, opens) in table {
        let settings = PostgresSettings {
            connection: format!(
                "host={name} hostaddr=127.0.0.1 port={port} user=elsinore dbname=postgres {more}"
            ),
            tls_ca: tls_ca.cloned(),
            ..place.settings()
        };
        match PostgresStore::open(&settings).await {
            Ok(_) => assert!(opens, "{name} {more} {tls_ca:?}"),
            Err(StoreError::Unavailable(why)) => {
                assert!(!opens, "{name} {more} {tls_ca:?}: {why}");
            }
            Err(error) => panic!("{name} {more}: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_not_talked_to_in_cleartext() {
    let Some(place) = postgres() else { return };
    let Some(cluster) = crate::cluster::shared() else {
        return;
    };
    // The server does no TLS on a unix socket, and says so.
    let proxy = crate::cut::Proxy::start(cluster.socket()).await;
    for (mode, opens) in [
        ("", false),
        ("sslmode=prefer", false),
        ("sslmode=disable", true),
    ] {
        let settings = PostgresSettings {
            connection: format!(
                "host=localhost hostaddr=127.0.0.1 port={} user=elsinore dbname=postgres {mode}",
                proxy.port
            ),
            ..place.settings()
        };
        let opened = PostgresStore::open(&settings).await;
        assert_eq!(opened.is_ok(), opens, "{mode}: {opened:?}");
    }
}
