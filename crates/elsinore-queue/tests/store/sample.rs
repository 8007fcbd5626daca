//! Messages to keep, and the questions that most tests ask.

use elsinore_queue::admin::{Filter, JobView};
use elsinore_queue::content::{Body, Content};
use elsinore_queue::id::MessageId;
use elsinore_queue::job::{
    Claim, LastAttempt, Lease, Leased, Lived, Rest, Settled, Settlement, Standing,
};
use elsinore_queue::message::{Envelope, NewJob, NewMessage, Recipient, TlsWish};
use elsinore_queue::moment::Moment;
use elsinore_queue::store::QueueStore;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// An open store.
pub(crate) type Store = Arc<dyn QueueStore>;

/// When the tests play.
pub(crate) const NOW: Moment = Moment(1_795_000_000_000);

/// A lease that no test outlives.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// How long is waited for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// `NOW` and so many seconds.
pub(crate) fn at(seconds: i64) -> Moment {
    Moment(NOW.0 + seconds * 1000)
}

pub(crate) fn recipient(address: &str) -> Recipient {
    Recipient {
        address: address.to_owned(),
        notify: None,
        original: None,
    }
}

pub(crate) fn envelope(reverse_path: &str) -> Envelope {
    Envelope {
        reverse_path: reverse_path.to_owned(),
        ret: None,
        envelope_id: None,
        tls: TlsWish::Unspecified,
        smtp_utf8: false,
        origin: "127.0.0.1".to_owned(),
    }
}

pub(crate) fn job(destination: &str, due: Moment) -> NewJob {
    NewJob {
        destination: destination.to_owned(),
        recipients: vec![recipient(&format!("anna@{destination}"))],
        due,
        held: None,
    }
}

/// A small message with one job for each of `destinations`, due now.
pub(crate) fn message(destinations: &[&str]) -> NewMessage {
    let jobs = destinations.iter().map(|name| job(name, NOW)).collect();
    with_jobs(jobs)
}

pub(crate) fn with_jobs(jobs: Vec<NewJob>) -> NewMessage {
    // Half a million names that are drawn within one millisecond may have two alike.
    static DRAWN: AtomicI64 = AtomicI64::new(0);
    let id = MessageId::draw(Moment(NOW.0 + DRAWN.fetch_add(1, Ordering::Relaxed)));
    NewMessage {
        id,
        arrived: NOW,
        envelope: envelope("bertil@sender.example"),
        jobs,
        content: Content::Memory(text_of(id)),
    }
}

/// The content that [`message`] gives a message of this name.
pub(crate) fn text_of(id: MessageId) -> Vec<u8> {
    format!("Subject: {id}\r\n\r\nKeep me.\r\n").into_bytes()
}

/// Octets without a pattern that repeats soon, each value among them.
pub(crate) fn octets(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    (0..length)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        })
        .collect()
}

/// Content in a file of the store's folder, the file's position somewhere in the middle.
pub(crate) fn in_file(store: &Store, octets: &[u8]) -> Content {
    let mut file = tempfile::Builder::new()
        .prefix("incoming-")
        .tempfile_in(store.spool_folder())
        .expect("a file in the spool folder");
    file.write_all(octets).expect("written");
    let length = u64::try_from(octets.len()).expect("a length");
    file.seek(SeekFrom::Start(length / 2)).expect("seeks");
    Content::File {
        file,
        octets: length,
    }
}

/// Keeps `message`, and says what it is called.
pub(crate) async fn keep(store: &Store, message: NewMessage) -> MessageId {
    let id = message.id;
    store.enqueue(message).await.expect("kept");
    id
}

pub(crate) fn claim_of(destinations: &[&str], now: Moment, lease_for: Duration) -> Claim {
    Claim {
        now,
        lease_for,
        from: destinations
            .iter()
            .map(|name| ((*name).to_owned(), 100_000))
            .collect(),
    }
}

/// All jobs of these destinations that are due now, on a long lease.
pub(crate) async fn claim(store: &Store, destinations: &[&str]) -> Vec<Leased> {
    claim_at(store, destinations, NOW).await
}

/// The same at `now`.
pub(crate) async fn claim_at(store: &Store, destinations: &[&str], now: Moment) -> Vec<Leased> {
    store
        .claim(claim_of(destinations, now, LONG))
        .await
        .expect("a claim")
}

/// The one job that is due at this destination.
pub(crate) async fn claim_one(store: &Store, destination: &str) -> Leased {
    only(claim(store, &[destination]).await)
}

/// The only one there is.
pub(crate) fn only<T: std::fmt::Debug>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Every recipient has an answer.
pub(crate) const fn done(lease: Lease) -> Settlement {
    Settlement {
        lease,
        rest: None,
        notices: Vec::new(),
    }
}

/// To be tried again at `due`.
pub(crate) fn again(leased: &Leased, due: Moment) -> Settlement {
    Settlement {
        lease: leased.lease,
        rest: Some(rest(&leased.recipients, due)),
        notices: Vec::new(),
    }
}

pub(crate) fn rest(recipients: &[Recipient], due: Moment) -> Rest {
    Rest {
        due,
        recipients: recipients.to_vec(),
        standing: Standing {
            attempts: 1,
            last: Some(LastAttempt {
                at: NOW,
                mx_host: Some("mx.example.org".to_owned()),
                reply: "450 4.2.0 Busy, come again".to_owned(),
                findings: vec!["The server was busy.".to_owned()],
            }),
            warned: None,
            lived: Lived::default(),
        },
        held: None,
    }
}

/// Settles one job.
pub(crate) async fn settle(store: &Store, settlement: Settlement) -> Settled {
    only(store.settle(vec![settlement]).await.expect("settled"))
}

/// Every job that there is.
pub(crate) async fn all_jobs(store: &Store) -> Vec<JobView> {
    listed(store, Filter::default()).await
}

/// Every job that matches.
pub(crate) async fn listed(store: &Store, filter: Filter) -> Vec<JobView> {
    let page = store.list(filter, None, 100_000).await.expect("a list");
    assert_eq!(page.next, None);
    page.jobs
}

/// The octets of a body, and that it says their number.
pub(crate) fn read(body: &dyn Body) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut reader = body.open().expect("opens");
    reader.read_to_end(&mut octets).expect("reads");
    assert_eq!(u64::try_from(octets.len()).ok(), Some(body.octets()));
    if let Some(memory) = body.in_memory() {
        assert_eq!(&memory[..], &octets[..]);
    }
    octets
}

/// The octets of a kept message.
pub(crate) async fn content(store: &Store, id: MessageId) -> Vec<u8> {
    let body = store.body(id).await.expect("a body");
    tokio::task::spawn_blocking(move || read(&*body))
        .await
        .expect("reads")
}

/// Asks again and again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Jobs of `destination` as soon as there are any.
pub(crate) async fn claim_soon(store: &Store, destination: &str) -> Vec<Leased> {
    until("a job", async || {
        let jobs = claim(store, &[destination]).await;
        (!jobs.is_empty()).then_some(jobs)
    })
    .await
}
