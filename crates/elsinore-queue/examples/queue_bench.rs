//! How fast the embedded store is: messages are kept by many producers at once, claimed and settled by a
//! few workers.
//!
//!     cargo run --release -p elsinore-queue --example queue_bench -- FOLDER [MESSAGES [OCTETS [PRODUCERS]]]
//!
//! Prints messages per second and CPU per message, of the whole process, for each of three runs: keeping
//! alone, delivering alone, both at once.
//!
//!     cargo run --release -p elsinore-queue --example queue_bench -- deferred FOLDER [MESSAGES [DESTINATIONS]]
//!
//! Fills a store with messages that are due in an hour, and prints what each of them costs in memory: how
//! much more a process has that has opened it than one that has opened an empty store, after both have
//! asked what is due, claimed, and counted.

use elsinore_queue::content::Content;
use elsinore_queue::id::MessageId;
use elsinore_queue::job::{Claim, Settlement};
use elsinore_queue::message::{Envelope, NewJob, NewMessage, Recipient, TlsWish};
use elsinore_queue::moment::Moment;
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};
use elsinore_queue::store::QueueStore;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const NOW: Moment = Moment(1_795_000_000_000);
const DESTINATIONS: usize = 1000;
const WORKERS: usize = 8;

type Fault = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Fault> {
    let usage = "usage: queue_bench FOLDER [MESSAGES [OCTETS [PRODUCERS]]]\n       \
                 queue_bench deferred FOLDER [MESSAGES [DESTINATIONS]]";
    let mut arguments = std::env::args().skip(1);
    let mut folder = arguments.next().ok_or(usage)?;
    let task = match folder.as_str() {
        task @ ("deferred" | "look") => {
            let task = task.to_owned();
            folder = arguments.next().ok_or(usage)?;
            task
        }
        _ => String::new(),
    };
    let mut number = |usual: usize| {
        arguments
            .next()
            .map_or(Ok(usual), |number| number.parse::<usize>())
    };
    match task.as_str() {
        "deferred" => return deferred(folder.as_ref(), number(100_000)?, number(1000)?).await,
        "look" => return look(folder.as_ref()).await,
        _ => {}
    }
    let (messages, octets, producers) = (number(20_000)?, number(4096)?, number(32)?);
    let store = Arc::new(SqliteStore::open(SqliteSettings::new(folder.into()))?);
    let run = Run {
        store: Arc::clone(&store),
        messages,
        octets,
        producers,
    };
    run.measure("keep", true, false).await?;
    run.measure("deliver", false, true).await?;
    run.measure("both", true, true).await?;
    store.close().await?;
    Ok(())
}

struct Run {
    store: Arc<SqliteStore>,
    messages: usize,
    octets: usize,
    producers: usize,
}

impl Run {
    async fn measure(&self, what: &str, keep: bool, deliver: bool) -> Result<(), Fault> {
        let before = (Instant::now(), cpu()?);
        let mut tasks = tokio::task::JoinSet::new();
        let started = Arc::new(AtomicUsize::new(0));
        let settled = Arc::new(AtomicUsize::new(0));
        for _ in 0..if keep { self.producers } else { 0 } {
            let (store, started) = (Arc::clone(&self.store), Arc::clone(&started));
            let (messages, octets) = (self.messages, self.octets);
            tasks.spawn(async move {
                loop {
                    let nth = started.fetch_add(1, Ordering::Relaxed);
                    if nth >= messages {
                        return Ok::<_, Fault>(());
                    }
                    let message = message(nth, octets, DESTINATIONS, NOW);
                    store.enqueue(message).await?;
                }
            });
        }
        for worker in 0..if deliver { WORKERS } else { 0 } {
            let (store, settled) = (Arc::clone(&self.store), Arc::clone(&settled));
            let messages = self.messages;
            tasks.spawn(async move {
                while settled.load(Ordering::Relaxed) < messages {
                    let done = deliver_some(&store, worker).await?;
                    settled.fetch_add(done, Ordering::Relaxed);
                    if done == 0 {
                        tokio::time::sleep(Duration::from_micros(200)).await;
                    }
                }
                Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        let seconds = before.0.elapsed().as_secs_f64();
        let cpu = cpu()? - before.1;
        #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
        let messages = self.messages as f64;
        println!(
            "{what:>8}: {:>7.0} messages/s, {:>5.1} us CPU each",
            messages / seconds,
            cpu * 1e6 / messages
        );
        Ok(())
    }
}

async fn deliver_some(store: &SqliteStore, worker: usize) -> Result<usize, Fault> {
    // Each worker begins elsewhere in the order of names.
    let after = format!("d{:04}", worker * DESTINATIONS / WORKERS);
    let mut due = store.waiting(NOW, Some(after), 8).await?;
    if due.is_empty() {
        due = store.waiting(NOW, None, 8).await?;
    }
    if due.is_empty() {
        return Ok(0);
    }
    let claim = Claim {
        now: NOW,
        lease_for: Duration::from_secs(600),
        from: due.into_iter().map(|due| (due.destination, 4)).collect(),
    };
    let leased = store.claim(claim).await?;
    let mut settlements = Vec::with_capacity(leased.len());
    for leased in leased {
        store.body(leased.message.id).await?;
        settlements.push(Settlement {
            lease: leased.lease,
            rest: None,
            notices: Vec::new(),
        });
    }
    Ok(store.settle(settlements).await?.len())
}

/// Memory of a process with an opened store of `messages` that wait, compared with an empty one.
async fn deferred(folder: &Path, messages: usize, destinations: usize) -> Result<(), Fault> {
    let (empty, full) = (folder.join("empty"), folder.join("full"));
    let store = SqliteStore::open(SqliteSettings::new(empty.clone()))?;
    store.close().await?;
    let store = Arc::new(SqliteStore::open(SqliteSettings::new(full.clone()))?);
    let later = NOW.plus(Duration::from_secs(3600));
    let mut tasks = tokio::task::JoinSet::new();
    for first in 0..64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for nth in (first..messages).step_by(64) {
                let mut message = message(nth, 1000, destinations, later);
                message.jobs[0].destination = format!("d{:06}.example", nth % destinations);
                store.enqueue(message).await?;
            }
            Ok::<_, Fault>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    store.close().await?;
    let (empty, full) = (opened(&empty)?, opened(&full)?);
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    let each = |octets: f64| octets / messages as f64;
    println!(
        "{messages} deferred to {destinations} destinations: {:.1} MB beside {:.1} MB of an empty store, \
         {:.1} B each; without pages of files {:.1} MB beside {:.1} MB, {:.1} B each",
        full.0 / 1e6,
        empty.0 / 1e6,
        each(full.0 - empty.0),
        full.1 / 1e6,
        empty.1 / 1e6,
        each(full.1 - empty.1),
    );
    Ok(())
}

/// Octets of memory, all and without pages of files, of a process that looks at the store in `folder`.
fn opened(folder: &Path) -> Result<(f64, f64), Fault> {
    let looked = std::process::Command::new(std::env::current_exe()?)
        .arg("look")
        .arg(folder)
        .output()?;
    let said = String::from_utf8(looked.stdout)?;
    let mut numbers = said.split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next()) {
        (Some(all), Some(anonymous)) => Ok((all? * 1024.0, anonymous? * 1024.0)),
        _ => Err(format!("nothing said: {}", String::from_utf8_lossy(&looked.stderr)).into()),
    }
}

/// Opens a store, asks of it what a relay asks, and prints the memory of this process in KiB.
async fn look(folder: &Path) -> Result<(), Fault> {
    let store = SqliteStore::open(SqliteSettings::new(folder.to_path_buf()))?;
    store.waiting(NOW, None, 256).await?;
    store.next_due().await?;
    let claim = Claim {
        now: NOW,
        lease_for: Duration::from_secs(600),
        from: vec![("d000000.example".to_owned(), 10)],
    };
    store.claim(claim).await?;
    store.stats(NOW).await?;
    store.tidy().await?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next())
            .ok_or("no such line in /proc/self/status")
    };
    println!("{} {}", line("VmRSS:")?, line("RssAnon:")?);
    store.close().await?;
    Ok(())
}

fn message(nth: usize, octets: usize, destinations: usize, due: Moment) -> NewMessage {
    // A few destinations get most of the mail.
    let destination = format!("d{:04}.example", (nth * nth) % destinations);
    // As they come in: two names of one moment may be the same once in 2^36.
    let came = NOW.plus(Duration::from_micros(u64::try_from(nth).unwrap_or(0) * 100));
    NewMessage {
        id: MessageId::draw(came),
        arrived: NOW,
        envelope: Envelope {
            reverse_path: "horatio@example.org".to_owned(),
            ret: None,
            envelope_id: None,
            tls: TlsWish::Unspecified,
            smtp_utf8: false,
            origin: "192.0.2.1".to_owned(),
        },
        jobs: vec![NewJob {
            recipients: vec![Recipient {
                address: format!("hamlet@{destination}"),
                notify: None,
                original: None,
            }],
            destination,
            due,
            held: None,
        }],
        content: Content::Memory(vec![b'x'; octets]),
    }
}

/// CPU seconds of this process: user and system, in ticks of 10 ms.
fn cpu() -> Result<f64, Fault> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("no /proc/self/stat")?;
    let ticks = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>)
        .sum::<Result<f64, _>>()?;
    Ok(ticks / 100.0)
}
