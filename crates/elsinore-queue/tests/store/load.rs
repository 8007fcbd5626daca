//! A process that works with the embedded store until it is killed, and what must hold afterwards.
//!
//! The child says on its standard output what it was promised, one line each:
//! `K id destination…` kept, `B id destination [notice]` about to be settled for good, `D id
//! destination [notice]` settled. The parent reads that, cuts the child off, opens the store again and
//! compares.

use elsinore_queue::admin::Filter;
use elsinore_queue::content::{Body, Content, Incoming};
use elsinore_queue::error::StoreError;
use elsinore_queue::id::MessageId;
use elsinore_queue::job::{Claim, Leased, Rest, Settled, Settlement};
use elsinore_queue::message::{Envelope, NewJob, NewMessage, Recipient, TlsWish};
use elsinore_queue::moment::Moment;
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};
use elsinore_queue::store::QueueStore;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Tells the child which folder to work in.
const FOLDER: &str = "ELSINORE_CRASH_FOLDER";
/// Where notices go. Nobody claims them.
const NOTICES: &str = "notices.example";
/// Jobs that wait at most.
const BACKLOG: i64 = 1500;
const NOW: Moment = Moment(1_795_000_000_000);

/// Numbers that follow from a seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The octets of the message of this name: up to 8 KiB mostly, now and then 64 or 600 KiB.
pub(crate) fn octets_of(id: MessageId) -> Vec<u8> {
    let seed = id
        .octets()
        .iter()
        .fold(0x9E37_79B9_7F4A_7C15, |seed, octet| {
            (seed ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01B3)
        });
    let mut numbers = Numbers(seed | 1);
    let most = match numbers.below(100) {
        0..=1 => 600 << 10,
        2..=9 => 64 << 10,
        _ => 8 << 10,
    };
    let length = numbers.below(most) as usize;
    let mut octets = Vec::with_capacity(length + 8);
    while octets.len() < length {
        octets.extend_from_slice(&numbers.next().to_le_bytes());
    }
    octets.truncate(length);
    octets
}

/// Small segments, so that they end and are compacted while the test runs.
pub(crate) fn settings(folder: &Path) -> SqliteSettings {
    SqliteSettings {
        segment_octets: 512 << 10,
        reserve_octets: 0,
        ..SqliteSettings::new(folder.to_path_buf())
    }
}

/// A message of these jobs whose octets follow from its name.
pub(crate) fn message(spool: &Path, jobs: &[&str]) -> NewMessage {
    let id = MessageId::draw(NOW);
    let octets = octets_of(id);
    let mut incoming = Incoming::new(spool.to_path_buf(), 128 << 10);
    let content = if octets.len() > 128 << 10 {
        for block in octets.chunks(50_000) {
            incoming.push(block).expect("spooled");
        }
        incoming.finish()
    } else {
        Content::Memory(octets)
    };
    NewMessage {
        id,
        arrived: NOW,
        envelope: Envelope {
            reverse_path: "horatio@example.org".to_owned(),
            ret: None,
            envelope_id: None,
            tls: TlsWish::Unspecified,
            smtp_utf8: false,
            origin: "local".to_owned(),
        },
        jobs: jobs
            .iter()
            .map(|destination| NewJob {
                destination: (*destination).to_owned(),
                recipients: vec![Recipient {
                    address: format!("hamlet@{destination}"),
                    notify: None,
                    original: None,
                }],
                due: NOW,
                held: None,
            })
            .collect(),
        content,
    }
}

/// The child: nothing unless a parent has started it.
#[test]
#[ignore = "the other half of the crash tests, started by them"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work(PathBuf::from(folder)));
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever does not listen any more has killed us.
    let _gone = out.write_all(format!("{line}\n").as_bytes());
    let _gone = out.flush();
}

async fn work(folder: PathBuf) {
    let Ok(store) = SqliteStore::open(settings(&folder)) else {
        return;
    };
    let store = Arc::new(store);
    say("OPEN");
    let waiting = Arc::new(AtomicI64::new(0));
    let seed = Arc::new(AtomicU64::new(u64::from(std::process::id()) | 1));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (store, waiting, seed) = (store.clone(), waiting.clone(), seed.clone());
        tasks.spawn(async move {
            let mut numbers = Numbers(seed.fetch_add(7919, Ordering::Relaxed) | 1);
            loop {
                if waiting.load(Ordering::Relaxed) > BACKLOG {
                    if store.health().is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                    continue;
                }
                let names: Vec<String> = (0..=numbers.below(3).saturating_sub(1))
                    .map(|nth| format!("d{}.example", 3 * numbers.below(7) + nth))
                    .collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let message = message(store.spool_folder(), &names);
                let id = message.id;
                if store.enqueue(message).await.is_err() {
                    return;
                }
                waiting.fetch_add(names.len() as i64, Ordering::Relaxed);
                say(&format!("K {id} {}", names.join(" ")));
            }
        });
    }
    for _ in 0..4 {
        let (store, waiting, seed) = (store.clone(), waiting.clone(), seed.clone());
        tasks.spawn(async move {
            let mut numbers = Numbers(seed.fetch_add(7919, Ordering::Relaxed) | 1);
            while deliver(&store, &waiting, &mut numbers).await.is_some() {}
        });
    }
    let tidying = Arc::clone(&store);
    tasks.spawn(async move { while tidying.tidy().await.is_ok() {} });
    while tasks.join_next().await.is_some() {}
    // It has failed, or the disk is full. That must not change by asking again.
    if let Err(error) = store.health() {
        let message = message(&std::env::temp_dir(), &["late.example"]);
        let claim = Claim {
            now: NOW,
            lease_for: Duration::from_secs(600),
            from: vec![("d1.example".to_owned(), 1)],
        };
        let refused = store.enqueue(message).await.is_err()
            && store.claim(claim).await.is_err()
            && store.settle(Vec::new()).await.is_err()
            && store.tidy().await.is_err()
            && store.room(1).is_err();
        say(&format!("F {refused} {error}"));
    }
}

/// Claims and settles a few jobs; nothing when the store has failed.
async fn deliver(store: &SqliteStore, waiting: &AtomicI64, numbers: &mut Numbers) -> Option<()> {
    // Now and then what was put off is due as well.
    let now = NOW.plus(Duration::from_secs(7200 * (numbers.below(4) / 3)));
    let due = store.waiting(now, None, 100).await.ok()?;
    let from: Vec<(String, usize)> = due
        .into_iter()
        .filter(|due| due.destination != NOTICES)
        .map(|due| (due.destination, 3))
        .collect();
    if from.is_empty() {
        tokio::task::yield_now().await;
    }
    let claim = Claim {
        now,
        lease_for: Duration::from_secs(600),
        from,
    };
    let mut settlements = Vec::new();
    let mut done = Vec::new();
    for leased in store.claim(claim).await.ok()? {
        let id = leased.message.id;
        assert_eq!(read(&*store.body(id).await.ok()?), octets_of(id), "{id}");
        let (settlement, line) = settle(store, leased, numbers);
        if let Some(line) = &line {
            say(&format!("B {line}"));
        }
        settlements.push(settlement);
        done.push(line);
    }
    let settled = store.settle(settlements).await.ok()?;
    for (settled, line) in settled.into_iter().zip(done) {
        assert_eq!(settled, Settled::Done);
        if let Some(line) = line {
            say(&format!("D {line}"));
            waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
    Some(())
}

/// Half is delivered, some with a notice; the rest is due again at once or much later.
fn settle(
    store: &SqliteStore,
    leased: Leased,
    numbers: &mut Numbers,
) -> (Settlement, Option<String>) {
    let line = format!("{} {}", leased.message.id, leased.destination);
    let mut settlement = Settlement {
        lease: leased.lease,
        rest: None,
        notices: Vec::new(),
    };
    match numbers.below(16) {
        0..=11 => (settlement, Some(line)),
        12 => {
            let notice = message(store.spool_folder(), &[NOTICES]);
            let line = format!("{line} {}", notice.id);
            settlement.notices.push(notice);
            (settlement, Some(line))
        }
        lot => {
            let mut standing = leased.standing;
            standing.attempts += 1;
            settlement.rest = Some(Rest {
                due: if lot == 13 {
                    NOW.plus(Duration::from_secs(3600))
                } else {
                    NOW
                },
                recipients: leased.recipients,
                standing,
                held: None,
            });
            (settlement, None)
        }
    }
}

pub(crate) fn read(body: &dyn Body) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut reader = body.open().expect("opens");
    reader.read_to_end(&mut octets).expect("reads");
    octets
}

/// A child at work.
pub(crate) struct Load {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Load {
    /// Starts one in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("our own path"))
            .args(["load::child", "--exact", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let out = child.stdout.take().expect("its output");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            let mut line = String::new();
            while out.read_line(&mut line).is_ok_and(|length| length > 0) {
                if let Some(whole) = line.strip_suffix('\n') {
                    let _gone = sender.send(whole.to_owned());
                }
                line.clear();
            }
        });
        Self {
            child,
            lines,
            heard: Vec::new(),
        }
    }

    /// Listens until the child has settled `wanted` jobs, or for a minute.
    pub(crate) fn listen(&mut self, wanted: usize) {
        let end = Instant::now() + Duration::from_secs(60);
        let mut settled = 0;
        while settled < wanted {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).expect("the child works");
            settled += usize::from(line.starts_with("D "));
            self.heard.push(line);
        }
    }

    /// Listens until the child has ended of itself, for a minute at most; the answer is everything it
    /// was promised, and why it ended.
    pub(crate) fn end(mut self) -> (Vec<String>, String) {
        let end = Instant::now() + Duration::from_secs(60);
        let why = loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).expect("the child ends");
            if let Some(why) = line.strip_prefix("F ") {
                break why.to_owned();
            }
            self.heard.push(line);
        };
        self.child.wait().expect("ended");
        (std::mem::take(&mut self.heard), why)
    }

    /// Takes what was said so far, without waiting.
    pub(crate) fn hear(&mut self) {
        self.heard.extend(self.lines.try_iter());
    }

    /// Kills the child. Its last words are promises when it was killed, but not when the power had
    /// failed before: then only what it set about doing counts.
    pub(crate) fn kill(mut self, promises: bool) -> Vec<String> {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        let last = self.lines.iter();
        self.heard
            .extend(last.filter(|line| promises || line.starts_with("B ")));
        std::mem::take(&mut self.heard)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It has ended already unless the test has failed.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// What a child was promised, on top of what was there before.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    kept: BTreeSet<(String, String)>,
    begun: BTreeMap<(String, String), Option<String>>,
    done: BTreeSet<(String, String)>,
}

impl Promises {
    /// Those of a child that found `before`.
    pub(crate) fn read(before: &BTreeSet<(String, String)>, lines: &[String]) -> Self {
        let mut promises = Self {
            kept: before.clone(),
            ..Self::default()
        };
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let key = |at: usize| (words[1].to_owned(), words[at].to_owned());
            match words[0] {
                "K" => promises.kept.extend((2..words.len()).map(key)),
                "B" => {
                    let notice = words.get(3).map(|notice| (*notice).to_owned());
                    promises.begun.insert(key(2), notice);
                }
                "D" => {
                    promises.done.insert(key(2));
                }
                _ => {}
            }
        }
        promises
    }

    /// How many messages were settled.
    pub(crate) fn settled(&self) -> usize {
        self.done.len()
    }

    /// Opens the store and compares; the answer is what is in it. `exact` says that no settlement
    /// that was answered may be repeated.
    pub(crate) fn hold(&self, folder: &Path, exact: bool) -> BTreeSet<(String, String)> {
        self.hold_if_open(folder, exact)
            .expect("opens after the crash")
    }

    /// The same of a store that may not open.
    ///
    /// # Errors
    /// Why it does not.
    pub(crate) fn hold_if_open(
        &self,
        folder: &Path,
        exact: bool,
    ) -> Result<BTreeSet<(String, String)>, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let store = SqliteStore::open(settings(folder))?;
        assert_eq!(store.recovery().lost, 0, "{:?}", store.recovery());
        let found = runtime.block_on(everything(&store));
        for job in &self.kept {
            let settled = self.begun.contains_key(job);
            assert!(settled || found.contains(job), "{job:?} is lost");
        }
        for (job, notice) in &self.begun {
            let done = self.done.contains(job);
            if exact && done {
                assert!(!found.contains(job), "{job:?} would be sent again");
            }
            let Some(notice) = notice else { continue };
            let told = found.contains(&(notice.clone(), NOTICES.to_owned()));
            assert!(!done || told, "the notice {notice} of {job:?} is lost");
            assert_ne!(told, found.contains(job), "{notice} and {job:?} together");
        }
        Ok(found)
    }
}

/// Every job in a store; each body is compared.
async fn everything(store: &SqliteStore) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut bodies = HashMap::new();
    let mut after = None;
    loop {
        let page = store
            .list(Filter::default(), after, 500)
            .await
            .expect("a page");
        for job in page.jobs {
            let id = job.message.id;
            if bodies.insert(id, ()).is_none() {
                let body = store.body(id).await.expect("a body");
                assert!(read(&*body) == octets_of(id), "{id} is damaged");
            }
            assert_eq!(job.held, None);
            found.insert((id.to_string(), job.destination));
        }
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}
