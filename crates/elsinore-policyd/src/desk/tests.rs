//! One computation for many askers, renewal ahead of the end, answers across restarts, bounds.

use super::*;
use crate::mapping::PolicyWord;
use crate::settings::CacheLimits;
use crate::socketmap::Form;
use elsinore_dane::time::UnixTime;
use futures_util::future::BoxFuture;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Answers as it is told, when it is let.
#[derive(Debug, Default)]
struct Scripted {
    asked: Mutex<Vec<(String, Renewal)>>,
    holds: AtomicUsize,
    fails: AtomicUsize,
    gate: Option<Arc<Notify>>,
}

impl Scripted {
    fn holding(seconds: usize) -> Arc<Self> {
        let scripted = Self::default();
        scripted.holds.store(seconds, Ordering::Relaxed);
        Arc::new(scripted)
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Adviser for Scripted {
    fn advise<'a>(&'a self, next_hop: &'a NextHop, renewal: Renewal) -> BoxFuture<'a, Advice> {
        Box::pin(async move {
            self.asked
                .lock()
                .unwrap()
                .push((next_hop.to_string(), renewal));
            if let Some(gate) = &self.gate {
                gate.notified().await;
            }
            let seconds = self.holds.load(Ordering::Relaxed) as u64;
            let mut advice = Advice::temporary(next_hop, "not now");
            advice.holds = Duration::from_secs(seconds);
            if self.fails.load(Ordering::Relaxed) == 0 {
                advice.mapped = Mapped {
                    row: Row::Nothing,
                    answer: Answer::Policy {
                        word: PolicyWord::May,
                        sts: None,
                    },
                };
            }
            advice
        })
    }
}

/// Tokio's paused clock as wall clock, with a shift.
#[derive(Debug)]
struct TestClock(Instant, AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        let passed = i64::try_from(self.0.elapsed().as_secs()).unwrap();
        UnixTime(1_000_000 + passed + self.1.load(Ordering::Relaxed))
    }
}

fn desk(adviser: &Arc<Scripted>, work: WorkLimits) -> (Desk, Arc<TestClock>) {
    let clock = Arc::new(TestClock(Instant::now(), AtomicI64::new(0)));
    let limits = CacheLimits::default();
    let adviser = Arc::clone(adviser);
    let shared: Arc<dyn Clock> = Arc::<TestClock>::clone(&clock);
    (Desk::open(adviser, shared, &limits, work).unwrap(), clock)
}

async fn answer(desk: &Desk, key: &str) -> String {
    let entry = match desk.ask(key.as_bytes()) {
        Reply::Ready(entry) => entry,
        Reply::Waiting(waiting) => desk.hear(waiting, key.as_bytes()).await,
    };
    String::from_utf8(entry.reply(Form::Plain).to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_computation_for_all_who_ask_and_none_while_it_holds() {
    let adviser = Scripted::holding(60);
    let (desk, clock) = desk(&adviser, WorkLimits::default());
    let many = (0..50).map(|index| {
        let key = ["example.org", "EXAMPLE.org", "example.org."][index % 3];
        answer(&desk, key)
    });
    for reply in futures_util::future::join_all(many).await {
        assert_eq!(reply, "6:OK may,");
    }
    assert_eq!(adviser.count(), 1);
    tokio::time::advance(Duration::from_secs(59)).await;
    answer(&desk, "example.org").await;
    assert_eq!(adviser.count(), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    answer(&desk, "example.org").await;
    assert_eq!(adviser.count(), 2);
    // A wall clock that was set ends it too.
    clock.1.store(3600, Ordering::Relaxed);
    answer(&desk, "example.org").await;
    assert_eq!(adviser.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_destination_asks_nobody() {
    let adviser = Scripted::holding(60);
    let (desk, _) = desk(&adviser, WorkLimits::default());
    for key in [".example.org", "", "a..b", "unix:/x", "x y"] {
        assert_eq!(answer(&desk, key).await, "9:NOTFOUND ,", "{key:?}");
    }
    let long = "a".repeat(5000);
    assert_eq!(answer(&desk, &long).await, "9:NOTFOUND ,");
    assert_eq!(adviser.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_holds_for_no_time_is_given_and_not_kept() {
    let adviser = Scripted::holding(0);
    let (desk, _) = desk(&adviser, WorkLimits::default());
    for count in 1..4 {
        assert_eq!(answer(&desk, "example.org").await, "6:OK may,");
        assert_eq!(adviser.count(), count);
    }
    assert_eq!(desk.size().0, 0);
}

#[tokio::test(start_paused = true)]
async fn renewed_ahead_when_in_use_only() {
    let adviser = Scripted::holding(80);
    let (desk, _) = desk(&adviser, WorkLimits::default());
    let ahead = desk.clone();
    let ahead = tokio::spawn(async move { ahead.look_ahead().await });
    answer(&desk, "used.example").await;
    answer(&desk, "unused.example").await;
    answer(&desk, "used.example").await;
    // The first answer was asked for by whoever waited: both are in use once.
    tokio::time::sleep(Duration::from_secs(75)).await;
    let renewed = |adviser: &Scripted| {
        let asked = adviser.asked.lock().unwrap();
        let renewed = asked.iter().filter(|(_, how)| *how == Renewal::Ahead);
        renewed.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let mut both = renewed(&adviser);
    both.sort();
    assert_eq!(both, ["unused.example", "used.example"]);
    // From now on only one of them is asked for; nobody of the askers ever waits.
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(matches!(desk.ask(b"used.example"), Reply::Ready(_)));
    }
    let renewed = renewed(&adviser);
    let count = |name| renewed.iter().filter(|one| *one == name).count();
    assert_eq!(count("unused.example"), 1);
    assert!(count("used.example") >= 5, "{renewed:?}");
    ahead.abort();
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_renew_keeps_what_still_holds() {
    let adviser = Scripted::holding(80);
    let (desk, _) = desk(&adviser, WorkLimits::default());
    let ahead = desk.clone();
    let ahead = tokio::spawn(async move { ahead.look_ahead().await });
    answer(&desk, "example.org").await;
    adviser.fails.store(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(75)).await;
    assert_eq!(adviser.count(), 2);
    assert_eq!(answer(&desk, "example.org").await, "6:OK may,");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(answer(&desk, "example.org").await, "12:TEMP not now,");
    ahead.abort();
}

#[tokio::test(start_paused = true)]
async fn bounded_in_work_and_patience() {
    let gate = Arc::new(Notify::new());
    let adviser = Arc::new(Scripted {
        gate: Some(Arc::clone(&gate)),
        ..Scripted::default()
    });
    let work = WorkLimits {
        at_once: 1,
        most: 2,
        patience: Duration::from_secs(85),
    };
    let (desk, _) = desk(&adviser, work);
    let Reply::Waiting(first) = desk.ask(b"one.example") else {
        panic!("it is not known");
    };
    let Reply::Waiting(second) = desk.ask(b"two.example") else {
        panic!("it is not known");
    };
    let busy = answer(&desk, "three.example").await;
    assert_eq!(busy, "46:TEMP too many destinations are being looked up,");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(adviser.count(), 1, "one at a time");
    let late = desk.hear(first, b"one.example").await;
    assert_eq!(late.kind, "temp");
    gate.notify_one();
    tokio::time::sleep(Duration::from_secs(1)).await;
    gate.notify_one();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(adviser.count(), 2);
    assert_eq!(desk.hear(second, b"two.example").await.kind, "may");
    assert!(desk.under_way().is_empty());
}

#[tokio::test(start_paused = true)]
async fn kept_across_restarts_and_forgotten_with_another_adviser() {
    let folder = tempfile::tempdir().unwrap();
    let limits = CacheLimits {
        file: Some(folder.path().join("answers.sqlite")),
        ..CacheLimits::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(TestClock(Instant::now(), AtomicI64::new(0)));
    let adviser = Scripted::holding(600);
    let open = || {
        let (adviser, clock) = (Arc::clone(&adviser), Arc::clone(&clock));
        Desk::open(adviser, clock, &limits, WorkLimits::default()).unwrap()
    };
    let desk = open();
    answer(&desk, "example.org").await;
    drop(desk);
    let again = open();
    assert_eq!(answer(&again, "example.org").await, "6:OK may,");
    assert_eq!(adviser.count(), 1);
    again.ask_of(Arc::<Scripted>::clone(&adviser), "");
    answer(&again, "example.org").await;
    assert_eq!(adviser.count(), 2);
    drop(again);
    tokio::time::advance(Duration::from_secs(601)).await;
    let late = open();
    answer(&late, "example.org").await;
    assert_eq!(adviser.count(), 3);
}

/// A clock that puts another adviser in its place while an answer is being kept, if it can: the clock
/// is looked at between the look at who is asked now and the keeping.
#[derive(Debug, Default)]
struct Meddling(Mutex<Option<(Desk, Arc<Scripted>)>>);

impl Clock for Meddling {
    fn now(&self) -> UnixTime {
        let mut armed = self.0.lock().unwrap();
        if let Some((desk, next)) = armed.take() {
            if desk.inner.adviser.try_write().is_ok() {
                desk.ask_of(next, "two");
            } else {
                // Whoever would replace it waits.
                *armed = Some((desk, next));
            }
        }
        UnixTime(1_000_000)
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_of_an_old_configuration_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut limits = CacheLimits {
        file: Some(folder.path().join("answers.sqlite")),
        mark: "one".to_owned(),
        ..CacheLimits::default()
    };
    let gate = Arc::new(Notify::new());
    let old = Arc::new(Scripted {
        gate: Some(Arc::clone(&gate)),
        ..Scripted::default()
    });
    old.holds.store(600, Ordering::Relaxed);
    let new = Scripted::holding(600);
    let clock = Arc::new(Meddling::default());
    let open = |limits: &CacheLimits| {
        let shared: Arc<dyn Clock> = Arc::<Meddling>::clone(&clock);
        let asked = Arc::<Scripted>::clone(&old);
        Desk::open(asked, shared, limits, WorkLimits::default()).unwrap()
    };
    let desk = open(&limits);
    let Reply::Waiting(waiting) = desk.ask(b"example.org") else {
        panic!("it is not known");
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    *clock.0.lock().unwrap() = Some((desk.clone(), new));
    gate.notify_one();
    desk.hear(waiting, b"example.org").await;
    let waited = clock.0.lock().unwrap().take();
    if let Some((desk, next)) = waited {
        desk.ask_of(next, "two");
    }
    assert_eq!(desk.size(), (0, 0));
    drop(desk);
    tokio::task::yield_now().await;
    limits.mark = "two".to_owned();
    assert_eq!(open(&limits).size(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_asks_after_the_change_is_answered_under_the_new_configuration() {
    let gate = Arc::new(Notify::new());
    let old = Arc::new(Scripted {
        gate: Some(Arc::clone(&gate)),
        ..Scripted::default()
    });
    old.holds.store(600, Ordering::Relaxed);
    let new = Arc::new(Scripted {
        fails: AtomicUsize::new(1),
        ..Scripted::default()
    });
    new.holds.store(600, Ordering::Relaxed);
    let (desk, _) = desk(&old, WorkLimits::default());
    let Reply::Waiting(before) = desk.ask(b"example.org") else {
        panic!("it is not known");
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(old.count(), 1);
    desk.ask_of(Arc::<Scripted>::clone(&new), "");
    // The same destination, still at work under the old: it is asked about anew.
    assert_eq!(answer(&desk, "example.org").await, "12:TEMP not now,");
    assert_eq!(new.count(), 1);
    gate.notify_one();
    assert_eq!(desk.hear(before, b"example.org").await.kind, "may");
    assert_eq!(answer(&desk, "example.org").await, "12:TEMP not now,");
    assert_eq!((old.count(), new.count()), (1, 1));
    assert!(desk.under_way().is_empty());
}

#[tokio::test(start_paused = true)]
async fn work_for_an_old_configuration_counts_among_the_work() {
    let gate = Arc::new(Notify::new());
    let old = Arc::new(Scripted {
        gate: Some(Arc::clone(&gate)),
        ..Scripted::default()
    });
    let work = WorkLimits {
        most: 1,
        ..WorkLimits::default()
    };
    let (desk, _) = desk(&old, work);
    let Reply::Waiting(first) = desk.ask(b"one.example") else {
        panic!("it is not known");
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    desk.ask_of(Scripted::holding(60), "");
    let busy = "46:TEMP too many destinations are being looked up,";
    assert_eq!(answer(&desk, "two.example").await, busy);
    gate.notify_one();
    assert_eq!(desk.hear(first, b"one.example").await.kind, "may");
    tokio::task::yield_now().await;
    assert_eq!(answer(&desk, "two.example").await, "6:OK may,");
}
