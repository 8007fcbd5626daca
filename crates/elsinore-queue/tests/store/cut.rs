//! The connection is cut in the middle: after any number of octets on the way there or back, what was
//! asked for is done whole or not at all, and what was acknowledged is done.

use crate::place::{Place as _, Postgres, postgres, postgres_at};
use crate::sample::{
    NOW, Store, again, all_jobs, at, claim, claim_one, claim_soon, content, done, keep, message,
    octets, settle, until,
};
use elsinore_queue::content::Content;
use elsinore_queue::error::StoreError;
use elsinore_queue::job::{Settled, Settlement};
use elsinore_queue::postgres::{PostgresSettings, PostgresStore};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// Which way octets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

/// A proxy that cuts all its connections after a number of octets.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// Octets that may still pass, there and back.
    left: Arc<[AtomicI64; 2]>,
}

impl Proxy {
    pub(crate) async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let left = Arc::new([AtomicI64::new(i64::MAX), AtomicI64::new(i64::MAX)]);
        let cutter = watch::Sender::new(0);
        let allowed = Arc::clone(&left);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = UnixStream::connect(&socket).await else {
                    continue;
                };
                let (client_read, client_write) = client.into_split();
                let (server_read, server_write) = server.into_split();
                tokio::spawn(pass(
                    client_read,
                    server_write,
                    Way::There,
                    Arc::clone(&allowed),
                    cutter.clone(),
                ));
                tokio::spawn(pass(
                    server_read,
                    client_write,
                    Way::Back,
                    Arc::clone(&allowed),
                    cutter.clone(),
                ));
            }
        });
        Self { port, left }
    }

    /// Lets so many octets pass from now on, then cuts.
    fn allow(&self, way: Way, octets: i64) {
        self.left[way as usize].store(octets, Ordering::SeqCst);
    }

    /// Cuts nothing from now on.
    fn allow_all(&self) {
        for way in [Way::There, Way::Back] {
            self.allow(way, i64::MAX);
        }
    }
}

/// Carries octets until none may pass any more, or another way of the proxy was cut.
async fn pass(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    way: Way,
    left: Arc<[AtomicI64; 2]>,
    cutter: watch::Sender<u64>,
) {
    let mut cut = cutter.subscribe();
    let mut block = vec![0; 16 * 1024];
    loop {
        let length = tokio::select! {
            read = from.read(&mut block) => match read {
                Ok(length) if length > 0 => length,
                _ => return,
            },
            _ = cut.changed() => return,
        };
        let wanted = i64::try_from(length).expect("a length");
        let before = left[way as usize].fetch_sub(wanted, Ordering::SeqCst);
        let may = usize::try_from(before.clamp(0, wanted)).expect("a length");
        let written = to.write_all(&block[..may]).await;
        if may < length {
            cutter.send_modify(|count| *count += 1);
            return;
        }
        if written.is_err() {
            return;
        }
    }
}

/// A store beyond a proxy, and one with a way of its own.
struct Ways {
    proxy: Proxy,
    through: Store,
    direct: Store,
    place: Postgres,
}

async fn ways() -> Option<Ways> {
    let place = postgres()?;
    let direct = place.open().await;
    let proxy = Proxy::start(crate::cluster::shared()?.socket()).await;
    let settings = PostgresSettings {
        connection: format!(
            "host=127.0.0.1 port={} user=elsinore dbname=postgres sslmode=disable",
            proxy.port
        ),
        // One to work with and one beside it.
        pool: 2,
        ..place.settings()
    };
    let through: Store = Arc::new(PostgresStore::open(&settings).await.expect("opens"));
    Some(Ways {
        proxy,
        through,
        direct,
        place,
    })
}

impl Ways {
    /// Mends the way, and waits until the store has noticed.
    async fn mend(&self) {
        self.proxy.allow_all();
        until("the store works again", async || {
            self.through.stats(NOW).await.ok()
        })
        .await;
    }
}

/// Numbers of octets from nothing to `most`.
fn cuts(most: i64, number: i64) -> impl Iterator<Item = i64> {
    let number = if std::env::var_os("ELSINORE_LONG").is_some() {
        number * 10
    } else {
        number
    };
    (0..=number).map(move |place| most * place / number)
}

/// Cuts enqueues of messages of `length` octets; the octets that pass between are at most `most`.
async fn cut_enqueues(way: Way, length: usize, most: i64, number: i64) {
    let Some(ways) = ways().await else { return };
    let octets = octets(length, 8);
    let (mut kept, mut refused) = (0, 0);
    for allowed in cuts(most, number) {
        ways.mend().await;
        let mut message = message(&["a.example", "b.example"]);
        message.content = Content::Memory(octets.clone());
        let id = message.id;
        ways.proxy.allow(way, allowed);
        let answer = ways.through.enqueue(message).await;
        match &answer {
            Ok(()) => kept += 1,
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(error) => panic!("after {allowed} octets: {error}"),
        }
        let views = all_jobs(&ways.direct).await;
        let jobs = views.iter().filter(|view| view.message.id == id).count();
        assert!(
            jobs == 2 || (jobs == 0 && answer.is_err()),
            "after {allowed} octets: {jobs} jobs, {answer:?}"
        );
        if jobs == 2 {
            assert!(content(&ways.direct, id).await == octets, "{id} differs");
        }
    }
    assert!(refused > 0, "nothing was cut");
    assert!(kept > 0, "the last ones were not cut, and must be kept");
    // What was under way when it was cut has come to its end.
    until("whole messages only", async || {
        let stats = ways.direct.stats(NOW).await.expect("stats");
        (stats.jobs == 2 * stats.messages).then_some(())
    })
    .await;
    until("no parts without a message", async || {
        let parts = "SELECT 1 / (count(*) = 0)::integer FROM {schema}.body
            WHERE message NOT IN (SELECT id FROM {schema}.message)";
        crate::several::try_sql(&ways.place, parts)
            .await
            .is_ok()
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enqueue_cut_on_its_way() {
    cut_enqueues(Way::There, 2_000, 9_000, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enqueue_whose_answer_is_cut() {
    cut_enqueues(Way::Back, 2_000, 1_500, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_enqueue_cut_on_its_way() {
    cut_enqueues(Way::There, 700_000, 720_000, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_enqueue_whose_answer_is_cut() {
    cut_enqueues(Way::Back, 700_000, 3_000, 20).await;
}

/// Cuts settlements with a notice.
async fn cut_settlements(way: Way, most: i64) {
    let Some(ways) = ways().await else { return };
    let (mut written, mut refused) = (0, 0);
    for (number, allowed) in cuts(most, 30).enumerate() {
        ways.mend().await;
        keep(&ways.direct, message(&["example.org", "other.example"])).await;
        let leased = claim_one(&ways.direct, "example.org").await;
        let ending = number % 2 == 0;
        let settlement = Settlement {
            notices: vec![message(&["sender.example"])],
            ..if ending {
                done(leased.lease)
            } else {
                again(&leased, at(-1))
            }
        };
        ways.proxy.allow(way, allowed);
        let answer = ways.through.settle(vec![settlement]).await;
        match &answer {
            Ok(answers) => {
                assert_eq!(answers[..], [Settled::Done]);
                written += 1;
            }
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(error) => panic!("after {allowed} octets: {error}"),
        }
        let unclear = answer.is_err();
        let asked = || async {
            let lease = leased.lease;
            ways.through.settled(vec![lease]).await.ok()
        };
        if unclear {
            ways.proxy.allow_all();
        }
        let known = if unclear {
            until("it is known what became of it", asked).await[0]
        } else {
            None
        };
        // Settling it anew waits for what is still under way, and tells which of the two it was.
        let second = settle(&ways.direct, done(leased.lease)).await;
        let notices = claim(&ways.direct, &["sender.example"]).await;
        assert_eq!(
            notices.len(),
            usize::from(second == Settled::Lost),
            "after {allowed} octets"
        );
        if answer.is_ok() {
            assert_eq!(second, Settled::Lost);
        } else {
            let written = (second == Settled::Lost).then_some(Settled::Done);
            assert_eq!(known, written, "after {allowed} octets");
            let again = ways.through.settled(vec![leased.lease]).await;
            assert_eq!(again.expect("an answer"), [None], "it is told once");
        }
        let mut rest = notices;
        if second == Settled::Lost && !ending {
            rest.extend(claim_soon(&ways.direct, "example.org").await);
        }
        rest.extend(claim(&ways.direct, &["other.example"]).await);
        let settlements = rest.iter().map(|leased| done(leased.lease)).collect();
        ways.direct.settle(settlements).await.expect("settled");
        let left = all_jobs(&ways.direct).await;
        assert!(left.is_empty(), "stuck after {allowed} octets: {left:?}");
    }
    assert!(refused > 0, "nothing was cut");
    assert!(written > 0, "the last ones were not cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_whose_commit_was_not_answered_is_found_out() {
    let Some(ways) = ways().await else { return };
    let settle_after = async |allowed: i64| {
        // On a new connection, so that the octets are the same each time.
        ways.proxy.allow(Way::Back, 0);
        ways.through.stats(NOW).await.expect_err("cut");
        ways.mend().await;
        keep(&ways.direct, message(&["example.org"])).await;
        let leased = claim_one(&ways.direct, "example.org").await;
        ways.proxy.allow(Way::Back, allowed);
        let answer = ways.through.settle(vec![done(leased.lease)]).await;
        (leased.lease, answer)
    };
    let plenty = 1_000_000;
    let (_, answer) = settle_after(plenty).await;
    assert_eq!(answer.expect("settled"), [Settled::Done]);
    let all = plenty - ways.proxy.left[Way::Back as usize].load(Ordering::SeqCst);
    let mut found = 0;
    for short in 1..=24 {
        let (lease, answer) = settle_after(all - short).await;
        if answer.is_ok() {
            // Something else passed while the octets were counted.
            continue;
        }
        ways.mend().await;
        let known = until("it is known what became of it", async || {
            ways.through.settled(vec![lease]).await.ok()
        });
        let known = known.await[0];
        let second = settle(&ways.direct, done(lease)).await;
        let written = (second == Settled::Lost).then_some(Settled::Done);
        assert_eq!(known, written, "{short} octets short");
        found += usize::from(known.is_some());
    }
    assert!(found >= 5, "{found} answers to COMMIT were cut");
    assert!(all_jobs(&ways.direct).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_cut_on_its_way() {
    cut_settlements(Way::There, 12_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_whose_answer_is_cut() {
    cut_settlements(Way::Back, 4_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_lost_its_server_says_so_and_recovers() {
    let Some(cluster) = crate::cluster::Cluster::start() else {
        return;
    };
    let place = postgres_at(cluster.connection());
    let store = place.open().await;
    keep(&store, message(&["example.org"])).await;
    cluster.kill();
    let refused = store.enqueue(message(&["example.org"])).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    assert!(store.health().is_err());
    assert!(matches!(store.room(1), Err(StoreError::Unavailable(_))));
    cluster.run();
    until("the store works again", async || store.health().ok()).await;
    keep(&store, message(&["example.org"])).await;
    assert_eq!(claim(&store, &["example.org"]).await.len(), 2);
}
