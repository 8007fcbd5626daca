//! What a page view of a stored report costs: CPU time of this process for one view, client and server
//! together, over a store on disk. The target is 5 ms.
//!
//! `cargo xtask bench web`

use elsinore_check::report::Report;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::SystemClock;
use elsinore_web::checker::{Checker, Progress};
use elsinore_web::settings::{ConnectionLimits, Settings};
use elsinore_web::store::{Entry, Kept, ReportId, Store};
use elsinore_web::{Site, serve};
use futures_util::future::BoxFuture;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The largest sample: four hosts, eight addresses, nine certificates.
const SAMPLE: &str = include_str!("../../elsinore-check/tests/samples/protected.json");
const VIEWS: u32 = 2000;

/// Nothing is measured here.
#[derive(Debug)]
struct Nothing;

impl Checker for Nothing {
    fn check(
        &self,
        _: DomainName,
        _: Option<Report>,
        _: Progress,
    ) -> BoxFuture<'static, Result<Report, String>> {
        Box::pin(async { Err("nothing is measured here".to_owned()) })
    }
}

/// User and system time of this process (proc(5), `/proc/self/stat`, fields 14 and 15), in ticks of
/// 10 ms.
fn cpu() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = fields.get(11).ok_or("short")?.parse::<u64>()?
        + fields.get(12).ok_or("short")?.parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?;
    let settings = Settings {
        connections: ConnectionLimits {
            response: Duration::from_secs(3600),
            ..ConnectionLimits::default()
        },
        ..Settings::default()
    };
    let store = Store::open(&folder.path().join("reports.sqlite"), settings.store)?;
    let report: Report = serde_json::from_str(SAMPLE)?;
    let id = ReportId::random();
    let now = UnixTime(i64::try_from(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)?
            .as_secs(),
    )?);
    let entry = Entry {
        id: id.clone(),
        domain: report.domain.clone(),
        measured_at: now,
        state: report.state.word().to_owned(),
    };
    let kept = Kept {
        entry,
        json: SAMPLE.to_owned(),
    };
    store.keep(kept, now).await?;
    let site = Site::new(settings, Arc::new(Nothing), store, Arc::new(SystemClock));
    tokio::spawn(serve(site, listener, std::future::pending()));

    let mut stream = TcpStream::connect(at).await?;
    let request = format!("GET /r/{id} HTTP/1.1\r\nHost: {at}\r\n\r\n");
    let octets = view(&mut stream, &request).await?;
    let (began, used) = (Instant::now(), cpu()?);
    for _ in 0..VIEWS {
        view(&mut stream, &request).await?;
    }
    let (elapsed, used) = (began.elapsed(), cpu()? - used);
    println!(
        "report of {} octets, page of {octets} octets, {VIEWS} views",
        SAMPLE.len()
    );
    println!(
        "CPU per view   {:>8.3} ms   (target: below 5 ms)",
        milliseconds(used)
    );
    println!("time per view  {:>8.3} ms", milliseconds(elapsed));
    Ok(())
}

fn milliseconds(all: Duration) -> f64 {
    all.as_secs_f64() * 1000.0 / f64::from(VIEWS)
}

/// Sends the request and reads the answer; gives the length of its body.
async fn view(stream: &mut TcpStream, request: &str) -> Result<usize, Box<dyn Error>> {
    stream.write_all(request.as_bytes()).await?;
    let mut seen = Vec::with_capacity(256 * 1024);
    loop {
        if stream.read_buf(&mut seen).await? == 0 {
            return Err("the connection was closed".into());
        }
        let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&seen[..end])?.to_ascii_lowercase();
        if !head.starts_with("http/1.1 200") {
            return Err(head.into());
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.ok_or("no length")?.parse()?;
        if seen.len() >= end + 4 + length {
            return Ok(length);
        }
    }
}
