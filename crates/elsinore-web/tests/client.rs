//! Shared by the tests of the page: a running page, and an HTTP client that sends exactly what a test
//! says.

use crate::samples::{BEGAN, Playing, Samples};
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::Clock;
use elsinore_web::Site;
use elsinore_web::settings::Settings;
use elsinore_web::store::Store;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A clock that a test sets.
#[derive(Debug)]
pub(crate) struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::SeqCst))
    }
}

/// A page that runs.
pub(crate) struct Running {
    pub(crate) at: SocketAddr,
    pub(crate) samples: Arc<Samples>,
    pub(crate) clock: Arc<SetClock>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Running {
    /// On loopback, with reports in memory.
    pub(crate) async fn start(settings: Settings, samples: Samples) -> Self {
        let store = Store::in_memory(settings.store).unwrap();
        Self::with(settings, samples, store).await
    }

    /// With reports in `file`.
    pub(crate) async fn on_file(settings: Settings, samples: Samples, file: &Path) -> Self {
        let store = Store::open(file, settings.store).unwrap();
        Self::with(settings, samples, store).await
    }

    async fn with(settings: Settings, samples: Samples, store: Store) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let samples = Arc::new(samples);
        let clock = Arc::new(SetClock(AtomicI64::new(BEGAN)));
        let checker = Arc::new(Playing(Arc::clone(&samples)));
        let shared: Arc<dyn Clock> = Arc::<SetClock>::clone(&clock);
        let site = Site::new(settings, checker, store, shared);
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            elsinore_web::serve(site, listener, stop).await.unwrap();
        });
        Self {
            at,
            samples,
            clock,
            stop,
            served,
        }
    }

    /// Moves the clock on.
    pub(crate) fn later(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Tells it to stop and waits until it has.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.served.await.unwrap();
    }

    /// Sends GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// Sends a request with these header fields beside `Host` and `Connection: close`.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !fields.iter().any(|(name, _)| *name == "Host") {
            request.push_str(&format!("Host: {}\r\n", self.at));
        }
        for (name, value) in fields {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        self.raw(&format!("{request}\r\n{body}")).await
    }

    /// Sends these octets and reads until the other end closes.
    pub(crate) async fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        // A server that has seen enough may close before all is written.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut octets = Vec::new();
        let _ = stream.read_to_end(&mut octets).await;
        Answer::parse(&octets)
    }
}

/// An answer, as far as tests look at it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(octets: &[u8]) -> Self {
        let text = String::from_utf8_lossy(octets);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let mut answer = Self {
            status: status.unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        };
        if answer.field("transfer-encoding") == "chunked" {
            answer.body = unchunked(octets);
        }
        answer
    }

    /// The value of a header field; empty when there is none.
    pub(crate) fn field(&self, name: &str) -> &str {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }
}

/// The body of a chunked answer (RFC 9112 §7.1).
fn unchunked(octets: &[u8]) -> String {
    let start = octets
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let mut rest = &octets[start..];
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
    String::from_utf8(body).unwrap()
}
