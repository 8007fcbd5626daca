//! `cargo xtask bench relay`: Postfix' own `smtp-source` into a relay, from there into a sink that
//! counts; this project's relay and a private Postfix in turn, in folders on the same file system.
//! Ours finds the sink through the lab's signed zones, and authenticates it by DANE for every
//! message under TLS; Postfix is told where the sink is and need not authenticate it.
//!
//! `relay_bench PROGRAM [--messages N] [--folder F] [--only NAME] [--sizes N,N] [--connections N,N]`

mod contender;
mod meter;
mod sink;
mod world;

use contender::{Contender, Kind};
use meter::Fsyncs;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use world::World;

/// How long one case may take.
const PATIENCE: Duration = Duration::from_secs(180);

struct Options {
    program: PathBuf,
    messages: u64,
    folder: PathBuf,
    only: Option<String>,
    sizes: Vec<u64>,
    connections: Vec<u64>,
}

impl Options {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let mut arguments = std::env::args().skip(1);
        let mut options = Self {
            program: arguments.next().ok_or("which program?")?.into(),
            messages: 3_000,
            folder: std::env::temp_dir(),
            only: None,
            sizes: vec![4 * 1024, 64 * 1024],
            connections: vec![8, 32, 100],
        };
        let list = |text: String| text.split(',').map(str::parse).collect::<Result<_, _>>();
        while let Some(flag) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--messages" => options.messages = value.parse()?,
                "--folder" => options.folder = value.into(),
                "--only" => options.only = Some(value),
                "--sizes" => options.sizes = list(value)?,
                "--connections" => options.connections = list(value)?,
                _ => return Err(format!("unknown: {flag}").into()),
            }
        }
        Ok(options)
    }
}

/// One run of one relay.
struct Case {
    kind: Kind,
    tls: bool,
    size: u64,
    connections: u64,
}

/// What it came to.
struct Measured {
    per_second: f64,
    cpu: Duration,
    fsyncs: Option<f64>,
    memory: u64,
    processes: usize,
    handshakes: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse()?;
    let folder = tempfile::Builder::new()
        .prefix("elsinore-bench-")
        .tempdir_in(&options.folder)?;
    std::fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )?;
    let fsyncs = Fsyncs::build(folder.path())?;
    let world = World::start().await?;
    println!(
        "{:<16} {:>5} {:>7} {:>5} {:>8} {:>9} {:>8} {:>8} {:>6} {:>6} {:>7}",
        "relay",
        "TLS",
        "octets",
        "conn",
        "msg/s",
        "CPU ms",
        "of Pfx",
        "fsync/m",
        "MB",
        "procs",
        "shakes"
    );
    for tls in [false, true] {
        for size in &options.sizes {
            for connections in &options.connections {
                let mut kinds = vec![Kind::Postfix];
                if tls {
                    kinds.push(Kind::PostfixReuse);
                }
                kinds.push(Kind::Elsinore);
                let mut anchor = None;
                for kind in kinds {
                    if options
                        .only
                        .as_deref()
                        .is_some_and(|only| only != kind.name())
                    {
                        continue;
                    }
                    let case = Case {
                        kind,
                        tls,
                        size: *size,
                        connections: *connections,
                    };
                    let measured =
                        run(&case, &options, &world, folder.path(), fsyncs.as_ref()).await?;
                    if kind == Kind::Postfix {
                        anchor = Some(measured.cpu);
                    }
                    print(&case, &measured, anchor);
                }
            }
        }
    }
    Ok(())
}

#[allow(
    clippy::cast_precision_loss,
    reason = "counts far below 2^52, to be printed"
)]
async fn run(
    case: &Case,
    options: &Options,
    world: &World,
    folder: &Path,
    fsyncs: Option<&Fsyncs>,
) -> Result<Measured, Box<dyn Error>> {
    let relay = folder.join("relay");
    let contender = Contender::start(case.kind, case.tls, world, &relay, &options.program, fsyncs)?;
    // The first message pays for what is done once: lookups, processes.
    inject(&contender, case, 20, 4).await?;
    settle(&contender, world, 20).await?;
    let counts = &world.counts;
    let handshakes = counts.handshakes.load(Ordering::Relaxed);
    let clear = counts.in_the_clear.load(Ordering::Relaxed);
    let synced = fsyncs.map(Fsyncs::read);
    let cpu = meter::processor_time(contender.pid());
    let begun = Instant::now();
    let watch = tokio::spawn(watch(contender.pid()));
    inject(&contender, case, options.messages, case.connections).await?;
    settle(&contender, world, options.messages).await?;
    let took = begun.elapsed();
    let cpu = meter::processor_time(contender.pid()).saturating_sub(cpu);
    watch.abort();
    let (memory, processes) = meter::memory(contender.pid());
    let peak = watch.await.ok().unwrap_or_default();
    if case.tls && counts.in_the_clear.load(Ordering::Relaxed) != clear {
        return Err("a message came in the clear".into());
    }
    let messages = options.messages as f64;
    let synced = fsyncs.map(|fsyncs| (fsyncs.read() - synced.unwrap_or(0)) as f64 / messages);
    Ok(Measured {
        per_second: messages / took.as_secs_f64(),
        cpu: cpu.div_f64(messages),
        fsyncs: synced,
        memory: memory.max(peak),
        processes,
        handshakes: counts.handshakes.load(Ordering::Relaxed) - handshakes,
    })
}

/// The most memory that was seen, once in two seconds.
async fn watch(pid: u32) -> u64 {
    let mut peak = 0;
    for _ in 0..90 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        peak = peak.max(meter::memory(pid).0);
    }
    peak
}

async fn inject(
    contender: &Contender,
    case: &Case,
    messages: u64,
    connections: u64,
) -> Result<(), Box<dyn Error>> {
    let domain = if case.tls {
        "bench.example"
    } else {
        "plain.example"
    };
    let mut command = tokio::process::Command::from(Command::new("smtp-source"));
    command
        .args([
            "-f",
            "sender@bench.example",
            "-t",
            &format!("user@{domain}"),
        ])
        .args(["-s", &connections.to_string()])
        .args(["-m", &messages.to_string()])
        .args(["-l", &case.size.to_string()])
        .arg(contender.place.to_string());
    let status = tokio::time::timeout(PATIENCE, command.status()).await??;
    if !status.success() {
        return Err("smtp-source failed".into());
    }
    Ok(())
}

/// Waits until the sink has `messages` more than when it last was waited for.
async fn settle(contender: &Contender, world: &World, messages: u64) -> Result<(), Box<dyn Error>> {
    static SEEN: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let until = SEEN.fetch_add(messages, Ordering::Relaxed) + messages;
    let begun = Instant::now();
    while world.counts.messages.load(Ordering::Relaxed) < until || !contender.is_drained() {
        if begun.elapsed() > PATIENCE {
            let seen = world.counts.messages.load(Ordering::Relaxed);
            return Err(format!("{seen} of {until} messages arrived").into());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

#[allow(
    clippy::cast_precision_loss,
    reason = "octets of memory, to be printed in megabytes"
)]
fn print(case: &Case, measured: &Measured, anchor: Option<Duration>) {
    let ratio = anchor.map_or_else(
        || "-".to_owned(),
        |anchor| format!("{:.2}", measured.cpu.as_secs_f64() / anchor.as_secs_f64()),
    );
    let fsyncs = (measured.fsyncs).map_or_else(|| "-".to_owned(), |count| format!("{count:.2}"));
    println!(
        "{:<16} {:>5} {:>7} {:>5} {:>8.0} {:>9.3} {:>8} {:>8} {:>6.0} {:>6} {:>7}",
        case.kind.name(),
        if case.tls { "yes" } else { "no" },
        case.size,
        case.connections,
        measured.per_second,
        measured.cpu.as_secs_f64() * 1e3,
        ratio,
        fsyncs,
        measured.memory as f64 / 1e6,
        measured.processes,
        measured.handshakes,
    );
}
