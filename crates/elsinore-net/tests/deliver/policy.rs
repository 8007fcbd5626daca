//! The fetch of an MTA-STS policy: what counts as one (RFC 8461 §3.2, §3.3).

use crate::fixture::name;
use crate::pki::{NOW, Wanted, p256};
use crate::server::rustls_config;
use elsinore_dane::answer::{Answer, Last, Question, RecordData, RecordType, RrSet};
use elsinore_dane::answer::{Denial, DenialKind};
use elsinore_dane::mta_sts::StsFetchError;
use elsinore_dane::network::NetworkPolicy;
use elsinore_dane::security::Status;
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::FixedClock;
use elsinore_net::dialer::{ByteStream, Datagrams, Dialer};
use elsinore_net::resolver::{Freshness, SecureResolver};
use elsinore_net::sts::{PolicyFetcher, PolicySource};
use elsinore_net::tls::webpki::WebPkiRoots;
use futures_util::future::BoxFuture;
use openssl::x509::X509;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Every name has these addresses.
#[derive(Debug)]
struct Addresses(&'static [&'static str]);

/// Nobody answers here.
const SILENT: &str = "192.0.2.66";

impl SecureResolver for Addresses {
    fn lookup<'a>(&'a self, question: &'a Question, _: Freshness) -> BoxFuture<'a, Answer> {
        let status = Status::insecure("fixture");
        let last = if question.record_type == RecordType::A {
            Last::Data(RrSet {
                owner: question.name.clone(),
                records: self
                    .0
                    .iter()
                    .map(|address| RecordData::A(address.parse().unwrap()))
                    .collect(),
                status,
                ttl: 60,
            })
        } else {
            Last::Denied(Denial {
                kind: DenialKind::NoData,
                status,
                ttl: 60,
            })
        };
        let answer = Answer {
            question: question.clone(),
            chain: Vec::new(),
            last,
            oddities: Vec::new(),
        };
        Box::pin(async move { answer })
    }
}

/// An HTTPS server that says the same to everybody, and then nothing more.
struct Policies {
    tls: Arc<rustls::ServerConfig>,
    response: Vec<u8>,
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Policies")
    }
}

impl Dialer for Policies {
    fn connect(&self, peer: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>> {
        assert_eq!(peer.port(), 443);
        if peer.ip().to_string() == SILENT {
            return Box::pin(std::future::pending());
        }
        let (near, far) = duplex(64 * 1024);
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&self.tls));
        let response = self.response.clone();
        tokio::spawn(async move {
            let Ok(mut tls) = acceptor.accept(far).await else {
                return;
            };
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let Ok(octet) = tls.read_u8().await else {
                    return;
                };
                request.push(octet);
            }
            let expected = b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n";
            assert!(request.starts_with(expected));
            // A client that has read enough hangs up.
            let _ = tls.write_all(&response).await;
            let _ = tls.flush().await;
            std::future::pending::<()>().await;
        });
        Box::pin(async move { Ok(Box::new(near) as Box<dyn ByteStream>) })
    }

    fn datagrams(&self, _: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

async fn fetch(
    host: &str,
    not_after: i64,
    addresses: &'static [&'static str],
    response: &[u8],
) -> Result<Vec<u8>, StsFetchError> {
    let (ca_key, key) = (p256(), p256());
    let ca: X509 = Wanted::ca().issue(&ca_key, None);
    let wanted = Wanted {
        not_after,
        ..Wanted::named(host)
    };
    let leaf = wanted.issue(&key, Some((&ca, &ca_key)));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&ca.to_pem().unwrap()).unwrap();
    let roots = WebPkiRoots::new(Some(file.path())).unwrap();
    let dialer = Policies {
        tls: rustls_config(&key, &[leaf.to_der().unwrap()]),
        response: response.to_vec(),
    };
    let fetcher = PolicyFetcher::new(
        Arc::new(Addresses(addresses)),
        Arc::new(dialer),
        Arc::new(FixedClock(UnixTime(NOW))),
        &roots,
        NetworkPolicy::default(),
        Duration::from_secs(60),
        1000,
    );
    fetcher.fetch(&name("example")).await
}

#[tokio::test(start_paused = true)]
async fn what_counts_as_a_policy() {
    let plain = |status: &str, kind: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let long = "x".repeat(1001);
    let chunked =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cases = [
        (
            "good",
            plain("200 OK", "text/plain; charset=utf-8", "abc"),
            Ok(b"abc".to_vec()),
        ),
        (
            "chunked",
            format!("{chunked}3\r\nabc\r\n0\r\n\r\n"),
            Ok(b"abc".to_vec()),
        ),
        (
            "redirect",
            plain("301 Moved\r\nLocation: /x", "text/plain", "abc"),
            Err(StsFetchError::Status(301)),
        ),
        (
            "missing",
            plain("404 Not Found", "text/plain", "abc"),
            Err(StsFetchError::Status(404)),
        ),
        (
            "no content",
            plain("204 No Content", "text/plain", ""),
            Err(StsFetchError::Status(204)),
        ),
        (
            "HTML",
            plain("200 OK", "text/html", "abc"),
            Err(StsFetchError::MediaType),
        ),
        (
            "too long",
            plain("200 OK", "text/plain", &long),
            Err(StsFetchError::TooLarge),
        ),
        (
            "endless",
            format!("{chunked}{}", format!("3e9\r\n{long}\r\n").repeat(3)),
            Err(StsFetchError::TooLarge),
        ),
        (
            "stalls in the body",
            format!("{chunked}3\r\nab"),
            Err(StsFetchError::Timeout),
        ),
        ("stalls at once", String::new(), Err(StsFetchError::Timeout)),
    ];
    for (title, response, expected) in cases {
        let found = fetch(
            "mta-sts.example",
            NOW + 60,
            &["192.0.2.1"],
            response.as_bytes(),
        )
        .await;
        assert_eq!(found, expected, "{title}");
    }
    let garbage = fetch(
        "mta-sts.example",
        NOW + 60,
        &["192.0.2.1"],
        b"220 mail\r\n\r\n",
    )
    .await;
    assert!(
        matches!(garbage, Err(StsFetchError::Http(_))),
        "{garbage:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_policy_host_must_be_who_it_is() {
    for (title, host, not_after) in [
        ("other name", "example", NOW + 60),
        ("expired", "mta-sts.example", NOW - 60),
    ] {
        let found = fetch(host, not_after, &["192.0.2.1"], b"").await;
        assert!(
            matches!(found, Err(StsFetchError::Certificate(_))),
            "{title}: {found:?}"
        );
    }
    let private = fetch("mta-sts.example", NOW + 60, &["10.0.0.1"], b"").await;
    assert!(
        matches!(private, Err(StsFetchError::Connect(_))),
        "{private:?}"
    );
}

/// Three silent addresses leave time for the fourth.
#[tokio::test(start_paused = true)]
async fn silent_addresses_do_not_use_up_the_time() {
    let good = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc";
    let host = "mta-sts.example";
    for (addresses, expected, seconds) in [
        (&["192.0.2.1"][..], Some(b"abc".to_vec()), 0),
        (&[SILENT, "192.0.2.1"], Some(b"abc".to_vec()), 12),
        (
            &[SILENT, SILENT, SILENT, "192.0.2.1"],
            Some(b"abc".to_vec()),
            36,
        ),
        (&[SILENT, SILENT, SILENT, SILENT, "192.0.2.1"], None, 48),
    ] {
        let begun = tokio::time::Instant::now();
        let found = fetch(host, NOW + 60, addresses, good).await;
        assert_eq!(found.ok(), expected, "{addresses:?}");
        assert_eq!(begun.elapsed().as_secs(), seconds, "{addresses:?}");
    }
}
