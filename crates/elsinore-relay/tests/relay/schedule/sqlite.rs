//! The schedule on the embedded store, in real time: stopped in the middle, again and again, until
//! everything is done, each message once.

use super::fixture::{Act, Scripted, TestClock, new_message, notices};
use elsinore_queue::moment::Moment;
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};
use elsinore_queue::store::QueueStore;
use elsinore_relay::clock::WallClock;
use elsinore_relay::event::Journals;
use elsinore_relay::relay::{Relay, RelayParts};
use elsinore_relay::schedule::{Courier, ScheduleSettings};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

const MESSAGES: usize = 400;
const DESTINATIONS: usize = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_in_the_middle_everything_is_sent_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    let clock = Arc::new(TestClock::new(begun));
    let courier = Arc::new(Scripted::new(begun));
    for number in 0..DESTINATIONS {
        // Long enough that the look from outside comes in between, on a busy machine too.
        let took = Duration::from_millis(40);
        courier.act(&format!("d{number}.example"), Act::Takes(took));
    }
    courier.act("no.example", Act::Refuses(Duration::from_millis(5)));
    let mut rounds = 0;
    loop {
        let store = SqliteStore::open(SqliteSettings::new(folder.path().to_path_buf()));
        let store = Arc::new(store.expect("opens"));
        if rounds == 0 {
            fill(&*store, clock.now()).await;
        }
        let left = round(&store, &clock, &courier, 20 * (rounds + 1)).await;
        store.close().await.expect("closes");
        rounds += 1;
        if left == 0 {
            break;
        }
        assert!(rounds < 200, "{left} left");
    }
    assert!(rounds > 1, "it was stopped in the middle");
    let attempts = courier.attempts.lock().expect("no panic").clone();
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    for recipient in attempts.iter().flat_map(|one| &one.recipients) {
        *sent.entry(recipient.clone()).or_default() += 1;
    }
    assert_eq!(sent.remove("anna@sender.example"), Some(1), "one bounce");
    assert_eq!(sent.remove("bob@no.example"), Some(1));
    assert_eq!(sent.len(), MESSAGES);
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
}

async fn fill(store: &dyn QueueStore, now: Moment) {
    for number in 0..MESSAGES {
        let recipient = format!("r{number}@d{}.example", number % DESTINATIONS);
        let message = new_message(now, "", &[&recipient], None);
        store.enqueue(message).await.expect("kept");
    }
    let refused = new_message(now, "anna@sender.example", &["bob@no.example"], None);
    store.enqueue(refused).await.expect("kept");
}

/// Runs a relay until so many jobs are done, or all; the answer says how many are left.
async fn round(
    store: &Arc<SqliteStore>,
    clock: &Arc<TestClock>,
    courier: &Arc<Scripted>,
    enough: u64,
) -> u64 {
    let (_carry, couriers) = watch::channel(Arc::<Scripted>::clone(courier) as Arc<dyn Courier>);
    let (_set, settings) = watch::channel(Arc::new(ScheduleSettings::default()));
    let (_notice, told) = watch::channel(notices(|_| ()));
    let (stop, stopped) = watch::channel(false);
    let relay = Relay::new(RelayParts {
        store: Arc::<SqliteStore>::clone(store),
        courier: couriers,
        clock: Arc::<TestClock>::clone(clock),
        journal: Arc::new(Journals::default()),
        schedule: settings,
        notices: told,
        own_dns: None,
        rollover: None,
    });
    let before = jobs(store, clock).await;
    let running = tokio::spawn(relay.run(stopped));
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        let left = jobs(store, clock).await;
        if left == 0 || left + enough <= before {
            break;
        }
        sleep(Duration::from_millis(2)).await;
    }
    stop.send_replace(true);
    let ended = running.await.expect("no panic");
    ended.expect("the store works");
    let stats = store.stats(clock.now()).await.expect("counts");
    assert_eq!(stats.leased, 0, "every lease is settled or handed back");
    stats.jobs
}

async fn jobs(store: &Arc<SqliteStore>, clock: &Arc<TestClock>) -> u64 {
    let stats = store.stats(clock.now()).await;
    stats.expect("counts").jobs
}
