//! Clients that take their time, by a clock that does not.

use super::store::MemoryStore;
use super::*;
use crate::accept::settings::{AcceptSettings, AcceptTimes};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

#[derive(Debug)]
struct Silence;

impl Journal for Silence {
    fn note(&self, _: &Event) {}
}

type Guest = (DuplexStream, JoinHandle<()>, watch::Sender<Option<Instant>>);

fn visit() -> Guest {
    visit_of(None)
}

fn visit_of(client: Option<IpAddr>) -> Guest {
    let settings = AcceptSettings {
        times: AcceptTimes {
            slowest: 200,
            grace: Duration::from_secs(60),
            ..AcceptTimes::default()
        },
        ..AcceptSettings::default()
    };
    let (stop, stopped) = watch::channel(None);
    let visit = Visit {
        client,
        terms: Arc::new(Terms::new(Arc::new(settings), None)),
        store: MemoryStore::new(),
        journal: Arc::new(Silence),
        stopped,
    };
    let (client, server) = tokio::io::duplex(64 * 1024);
    (client, tokio::spawn(visit.run(server)), stop)
}

/// Writes octets one by one, so long apart; what was said, and after how long it was over.
async fn slowly(start: &str, octets: &str, apart: Duration) -> (String, Duration) {
    let began = Instant::now();
    let (mut client, server, _stop) = visit();
    client.write_all(start.as_bytes()).await.unwrap();
    for octet in octets.bytes() {
        tokio::time::sleep(apart).await;
        if client.write_all(&[octet]).await.is_err() {
            break;
        }
    }
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    server.await.unwrap();
    let last = said.lines().last().unwrap_or_default().to_owned();
    (last, began.elapsed())
}

const MESSAGE: &str = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n";

#[tokio::test(start_paused = true)]
async fn one_octet_a_second_does_not_hold_a_place() {
    let octets = "x".repeat(100_000);
    let second = Duration::from_secs(1);
    for (start, apart, most) in [
        // The message: the time of grace, and what its octets make up for.
        (MESSAGE, second, 70),
        // The command line: counted from its first octet.
        ("", second, 70),
        ("EHLO x\r\nMAIL FR", second, 70),
        // Nothing at all.
        ("", Duration::from_secs(100_000), 100_001),
        (MESSAGE, Duration::from_secs(100_000), 100_001),
    ] {
        let (last, took) = slowly(start, &octets, apart).await;
        assert_eq!(last, "421 4.4.2 too slow", "{start:?}");
        assert!(took <= Duration::from_secs(most), "{start:?} took {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_line_is_no_slow_sender() {
    // 200 octets a second are enough, for as long as it takes.
    let (mut client, server, _stop) = visit();
    client.write_all(MESSAGE.as_bytes()).await.unwrap();
    let block = [b"x".repeat(78).as_slice(), b"\r\n"].concat().repeat(5);
    for _ in 0..3600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.write_all(&block).await.unwrap();
    }
    client.write_all(b".\r\nQUIT\r\n").await.unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    server.await.unwrap();
    assert!(said.contains("250 2.0.0 queued as "), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_session_without_messages_ends() {
    let (mut client, server, _stop) = visit();
    let mut said = Vec::new();
    // A NOOP every four minutes: each in time, and no message ever.
    for _ in 0..20 {
        if client.write_all(b"NOOP\r\n").await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(240)).await;
    }
    client.read_to_end(&mut said).await.unwrap();
    server.await.unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.ends_with("421 4.4.2 too slow\r\n"), "{said}");
    assert!(said.matches("250").count() < 10, "{said}");
}

/// A client that sends and never reads fills its own pipe, and is cut off.
#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_cut_off() {
    let (mut client, server, _stop) = visit();
    let flood = b"VRFY x\r\n".repeat(1000);
    // The session ends by its count of idle commands, or by the time for writing a reply.
    for _ in 0..100 {
        if client.write_all(&flood).await.is_err() {
            break;
        }
    }
    server.await.unwrap();
}

/// The door turns such clients away; were one let in, it could send to nobody.
#[tokio::test]
async fn nobody_relays_who_is_not_allowed() {
    let (mut client, server, _stop) = visit_of(Some(IpAddr::from([192, 0, 2, 1])));
    let commands = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n";
    client.write_all(commands.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    server.await.unwrap();
    let end = "550 5.7.1 relaying denied for 192.0.2.1\r\n554 5.5.1 no recipient was accepted\r\n";
    assert!(said.ends_with(end), "{said}");
}

/// Nothing but words of regret for a stranger (RFC 5321 §3.1).
#[tokio::test]
async fn a_stranger_hears_it_and_goes() {
    let (mut client, server) = tokio::io::duplex(1024);
    let (_stop, stopped) = watch::channel(None);
    let visit = Visit {
        client: Some(IpAddr::from([192, 0, 2, 1])),
        terms: Arc::new(Terms::new(Arc::new(AcceptSettings::default()), None)),
        store: MemoryStore::new(),
        journal: Arc::new(Silence),
        stopped,
    };
    let turned = tokio::spawn(visit.turn_away(server));
    client
        .write_all(b"EHLO x\r\nMAIL FROM:<>\r\n")
        .await
        .unwrap();
    client.shutdown().await.unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    turned.await.unwrap();
    let no = "503 5.5.1 no mail is taken from you; say QUIT\r\n";
    assert_eq!(
        said,
        format!("554 5.7.1 relaying denied for 192.0.2.1\r\n{no}{no}")
    );
}
