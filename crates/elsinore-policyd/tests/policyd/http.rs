//! The HTTP server over real sockets: who may ask, what is no request, bounds.

use crate::protocol::Knows;
use elsinore_dane::name::DomainName;
use elsinore_net::clock::SystemClock;
use elsinore_policyd::desk::Desk;
use elsinore_policyd::http::{Office, serve};
use elsinore_policyd::server::{self, Listener};
use elsinore_policyd::settings::{CacheLimits, ConnectionLimits, WorkLimits};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

struct House {
    http: SocketAddr,
    socketmap: SocketAddr,
    hosts: watch::Sender<Vec<DomainName>>,
    desk: Desk,
    _running: watch::Sender<bool>,
}

async fn house(limits: ConnectionLimits) -> House {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socketmap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let places = (
        listener.local_addr().unwrap(),
        socketmap.local_addr().unwrap(),
    );
    let desk = Desk::open(
        Arc::new(Knows),
        Arc::new(SystemClock),
        &CacheLimits::default(),
        WorkLimits::default(),
    )
    .unwrap();
    let (hosts, told) = watch::channel(vec![DomainName::parse("policyd.example.org").unwrap()]);
    let (running, watching) = watch::channel(true);
    let office = Office {
        desk: desk.clone(),
        readiness: Arc::new(|| Err("it has not been looked at".to_owned())),
        hosts: told,
    };
    tokio::spawn(serve(office, listener, limits, watching.clone()));
    let listeners = vec![Listener::Tcp(socketmap)];
    tokio::spawn(server::serve(desk.clone(), listeners, limits, watching));
    House {
        http: places.0,
        socketmap: places.1,
        hosts,
        desk,
        _running: running,
    }
}

/// Sends `request` and reads to the end.
async fn say(at: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn code(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

async fn get(at: SocketAddr, path: &str, head: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n");
    say(at, request.as_bytes()).await
}

#[tokio::test]
async fn only_own_names_are_answered() {
    let house = house(ConnectionLimits::default()).await;
    let paths = [
        "/v1/lookup?domain=dane.example",
        "/healthz",
        "/readyz",
        "/metrics",
        "/nothing",
    ];
    for (host, is_own) in [
        ("Host: 127.0.0.1:8673\r\n", true),
        ("Host: [::1]\r\n", true),
        ("Host: LocalHost:8673\r\n", true),
        ("Host: policyd.example.org\r\n", true),
        ("Host: evil.example:8673\r\n", false),
        ("Host: localhost.evil.example\r\n", false),
        ("Host: \r\n", false),
        ("", false),
        ("Host: localhost\r\nHost: localhost\r\n", false),
    ] {
        for (path, expected) in paths.iter().zip(["200", "200", "503", "200", "404"]) {
            let answer = get(house.http, path, host).await;
            let expected = if is_own { expected } else { "421" };
            assert_eq!(code(&answer), expected, "{path} {host:?}: {answer}");
            assert!(answer.contains("x-content-type-options: nosniff"));
            assert!(is_own || !answer.contains("dane-only"), "{answer}");
        }
    }
    // Names change with the configuration.
    house.hosts.send_replace(Vec::new());
    let answer = get(house.http, "/healthz", "Host: policyd.example.org\r\n").await;
    assert_eq!(code(&answer), "421");
}

#[tokio::test]
async fn what_is_no_question_gets_a_clear_answer() {
    let house = house(ConnectionLimits::default()).await;
    let key = |octets: usize| format!("/v1/lookup?domain={}", "a".repeat(octets));
    let fields: String = (0..100).map(|n| format!("X-{n}: x\r\n")).collect();
    for (path, head, expected) in [
        ("/v1/lookup?domain=dane.example", "", "200"),
        ("/v1/lookup?domain=%5Bdane.example%5D%3A587", "", "200"),
        ("/v1/lookup?domain=a&domain=b", "", "400"),
        ("/v1/lookup?domain=%00", "", "400"),
        ("/v1/lookup?domain=%ff%fe", "", "400"),
        ("/v1/lookup?domain=", "", "400"),
        ("/v1/lookup?other=dane.example", "", "400"),
        (&key(1025), "", "400"),
        (&key(20_000), "", "431"),
        ("/healthz", &fields, "431"),
    ] {
        let head = format!("Host: localhost\r\n{head}");
        let answer = get(house.http, path, &head).await;
        assert_eq!(code(&answer), expected, "{path:.60}: {answer}");
    }
    for (request, expected) in [
        ("POST /v1/lookup HTTP/1.1\r\nHost: localhost\r\n", "405"),
        ("PUT /healthz HTTP/1.1\r\nHost: localhost\r\n", "405"),
        ("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n", "200"),
        ("GET /healthz HTTP/1.0\r\n", "421"),
        ("\0\0\0\0", "400"),
    ] {
        let request = format!("{request}Connection: close\r\n\r\n");
        let answer = say(house.http, request.as_bytes()).await;
        assert_eq!(code(&answer), expected, "{request:?}: {answer}");
    }
    // A body is not waited for, let alone read.
    let huge =
        b"POST /v1/lookup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\nx";
    assert_eq!(code(&say(house.http, huge).await), "405");
    assert!(house.desk.metrics().malformed.get() >= 5);
}

#[tokio::test]
async fn bounded_connections_beside_those_of_postfix() {
    let limits = ConnectionLimits {
        most: 2,
        ..ConnectionLimits::default()
    };
    let house = house(limits).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(house.http).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        streams.push(stream);
    }
    let mut third = TcpStream::connect(house.http).await.unwrap();
    assert_eq!(third.read(&mut [0; 8]).await.unwrap_or(0), 0);
    // Postfix finds its own places free.
    let mut postfix = TcpStream::connect(house.socketmap).await.unwrap();
    postfix.write_all(b"18:QUERY dane.example,").await.unwrap();
    let mut reply = [0; 16];
    postfix.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"12:OK dane-only,");
    assert_eq!(house.desk.metrics().refused.get(), 1);
}

#[tokio::test]
async fn half_a_request_and_none_are_cut_off() {
    let limits = ConnectionLimits {
        idle: Duration::from_millis(100),
        transfer: Duration::from_millis(100),
        ..ConnectionLimits::default()
    };
    let house = house(limits).await;
    for begun in [&b""[..], b"GET /hea", b"GET /healthz HTTP/1.1\r\nHost: loc"] {
        let answer = say(house.http, begun).await;
        assert!(!answer.contains("alive"), "{answer}");
    }
}
