//! The socketmap server over TCP and a unix socket: pieces, pipelines, garbage, bounds, the end.

use elsinore_dane::next_hop::NextHop;
use elsinore_net::clock::SystemClock;
use elsinore_policyd::advice::{Advice, Adviser, Renewal};
use elsinore_policyd::desk::Desk;
use elsinore_policyd::mapping::{Answer, Mapped, PolicyWord, Row};
use elsinore_policyd::server::{Listener, serve};
use elsinore_policyd::settings::{CacheLimits, ConnectionLimits, WorkLimits};
use futures_util::future::BoxFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;

/// Knows every destination; one takes a moment.
#[derive(Debug)]
pub(crate) struct Knows;

impl Adviser for Knows {
    fn advise<'a>(&'a self, next_hop: &'a NextHop, _: Renewal) -> BoxFuture<'a, Advice> {
        Box::pin(async move {
            let text = next_hop.to_string();
            if text.starts_with("slow") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let word = if text.starts_with("dane") || text.starts_with("slow") {
                PolicyWord::DaneOnly
            } else {
                PolicyWord::May
            };
            Advice {
                mapped: Mapped {
                    row: Row::Nothing,
                    answer: Answer::Policy { word, sts: None },
                },
                document: Vec::new(),
                holds: Duration::from_secs(60),
            }
        })
    }
}

struct House {
    at: SocketAddr,
    folder: tempfile::TempDir,
    running: watch::Sender<bool>,
    server: tokio::task::JoinHandle<()>,
}

async fn house(limits: ConnectionLimits) -> House {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = tcp.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let unix = UnixListener::bind(folder.path().join("s")).unwrap();
    let desk = Desk::open(
        Arc::new(Knows),
        Arc::new(SystemClock),
        &CacheLimits::default(),
        WorkLimits::default(),
    )
    .unwrap();
    let (running, watching) = watch::channel(true);
    let listeners = vec![Listener::Tcp(tcp), Listener::Unix(unix)];
    let server = tokio::spawn(serve(desk, listeners, limits, watching));
    House {
        at,
        folder,
        running,
        server,
    }
}

/// Sends the pieces, each when the one before is on its way, and reads to the end.
async fn talk(at: SocketAddr, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in pieces {
        // The server may have ended the connection over an earlier piece.
        if stream.write_all(piece).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let _ = stream.shutdown().await;
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8(text).unwrap()
}

const MAY: &str = "6:OK may,";
const ONLY: &str = "12:OK dane-only,";

#[tokio::test]
async fn whole_in_pieces_and_many_at_once_in_order() {
    let house = house(ConnectionLimits::default()).await;
    let request = b"17:QUERY example.org,";
    assert_eq!(talk(house.at, &[request]).await, MAY);
    let octets: Vec<&[u8]> = request.chunks(1).collect();
    assert_eq!(talk(house.at, &octets).await, MAY);
    let mut many = Vec::new();
    let mut expected = String::new();
    for index in 0..500 {
        // Slow ones between fast ones: replies come in the order of requests.
        let (key, reply) = match index % 5 {
            0 => (format!("slow{index}.example"), ONLY),
            1 => (format!("dane{index}.example"), ONLY),
            2 => (".example".to_owned(), "9:NOTFOUND ,"),
            _ => (format!("other{index}.example"), MAY),
        };
        let content = format!("map {key}");
        many.extend_from_slice(format!("{}:{content},", content.len()).as_bytes());
        expected.push_str(reply);
    }
    assert_eq!(talk(house.at, &[&many]).await, expected);
    let mut unix = UnixStream::connect(house.folder.path().join("s"))
        .await
        .unwrap();
    unix.write_all(request).await.unwrap();
    let mut reply = vec![0; MAY.len()];
    unix.read_exact(&mut reply).await.unwrap();
    assert_eq!(reply, MAY.as_bytes());
}

#[tokio::test]
async fn garbage_gets_one_clear_reply_and_the_end() {
    const BROKEN: &str = "25:PERM this is no netstring,";
    const NO_KEY: &str = "23:PERM there is no key in,";
    let house = house(ConnectionLimits::default()).await;
    const GONE: &str = "9:NOTFOUND ,";
    let huge = format!("99999:{}", "x".repeat(99_999));
    let megabyte = format!("1000006:QUERY {},", "x".repeat(1_000_000));
    // As long as Postfix may send, and longer than any key.
    let longest = format!("10000:QUERY {},", "x".repeat(9994));
    let too_long = format!("1206:QUERY {},", "x".repeat(1200));
    let map = format!("267:{} example.org,", "m".repeat(255));
    for (octets, expected) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), BROKEN.to_owned()),
        (huge, BROKEN.to_owned()),
        (megabyte, BROKEN.to_owned()),
        (longest, BROKEN.to_owned()),
        (too_long, GONE.to_owned()),
        (map, MAY.to_owned()),
        ("-1:,".to_owned(), BROKEN.to_owned()),
        ("-17:QUERY example.org,".to_owned(), BROKEN.to_owned()),
        ("+17:QUERY example.org,".to_owned(), BROKEN.to_owned()),
        ("017:QUERY example.org,".to_owned(), BROKEN.to_owned()),
        ("99999999999999999999:".to_owned(), BROKEN.to_owned()),
        ("16:QUERY example.org,".to_owned(), BROKEN.to_owned()),
        ("18:QUERY example.org,".to_owned(), String::new()),
        ("17:QUERY exam\0le.org,".to_owned(), GONE.to_owned()),
        ("17:QUERY example\r\n.o,".to_owned(), GONE.to_owned()),
        ("17:QU\0RY example.org,".to_owned(), MAY.to_owned()),
        ("19:no/such example.org,".to_owned(), MAY.to_owned()),
        ("12: example.org,".to_owned(), MAY.to_owned()),
        ("\0\0\0\0\0\0\0".to_owned(), BROKEN.to_owned()),
        (
            "5:QUERY,17:QUERY example.org,".to_owned(),
            format!("{NO_KEY}{MAY}"),
        ),
        (
            "17:QUERY example.org;17:QUERY example.org,".to_owned(),
            BROKEN.to_owned(),
        ),
        (
            "17:QUERY example.org,junk".to_owned(),
            format!("{MAY}{BROKEN}"),
        ),
        ("17:QUERY example".to_owned(), String::new()),
        ("0:,".to_owned(), NO_KEY.to_owned()),
        ("6:QUERY ,".to_owned(), "9:NOTFOUND ,".to_owned()),
        (String::new(), String::new()),
    ] {
        assert_eq!(
            talk(house.at, &[octets.as_bytes()]).await,
            expected,
            "{octets:.40}"
        );
    }
    // And it still serves.
    assert_eq!(talk(house.at, &[b"17:QUERY example.org,"]).await, MAY);
}

#[tokio::test]
async fn bounded_connections_and_the_end() {
    let limits = ConnectionLimits {
        most: 2,
        ..ConnectionLimits::default()
    };
    let house = house(limits).await;
    let mut first = TcpStream::connect(house.at).await.unwrap();
    let mut second = TcpStream::connect(house.at).await.unwrap();
    // Both have a seat once they were answered.
    for stream in [&mut first, &mut second] {
        stream.write_all(b"17:QUERY example.org,").await.unwrap();
        stream.read_exact(&mut vec![0; MAY.len()]).await.unwrap();
    }
    let mut third = TcpStream::connect(house.at).await.unwrap();
    assert_eq!(third.read(&mut [0; 8]).await.unwrap_or(0), 0);
    drop((first, second));
    house.running.send(false).unwrap();
    house.server.await.unwrap();
    assert!(TcpStream::connect(house.at).await.is_err());
}

/// One says half a request, one nothing; one asks and takes no reply: all are cut off.
#[tokio::test]
async fn slow_clients_are_cut_off() {
    let limits = ConnectionLimits {
        idle: Duration::from_millis(100),
        transfer: Duration::from_millis(100),
        ..ConnectionLimits::default()
    };
    let house = house(limits).await;
    for begun in [&b""[..], b"1", b"17:QU", b"17:QUERY example.org"] {
        let mut stream = TcpStream::connect(house.at).await.unwrap();
        stream.write_all(begun).await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0, "{begun:?}");
    }
    let mut stream = TcpStream::connect(house.at).await.unwrap();
    let request = b"17:QUERY example.org,".repeat(1000);
    // Without end, were it not for the time that a reply may take.
    while stream.write_all(&request).await.is_ok() {}
}
