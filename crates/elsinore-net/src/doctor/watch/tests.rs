//! A watch through good and bad times, second by second.

use super::*;
use crate::clock::FixedClock;
use crate::dialer::MappedDialer;
use crate::doctor::triage::TriageConfig;
use crate::resolver::ResolverConfig;
use elsinore_dane::answer::{Failure, RecordData, RecordType, RrSet};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::{Authority, Status};
use elsinore_dane::time::UnixTime;
use std::sync::atomic::{AtomicBool, Ordering};

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn theirs() -> Blame {
    Blame::Theirs(DomainName::parse("good.example").unwrap())
}

fn ours() -> Blame {
    Blame::Ours(OwnTrouble::NoAnswers)
}

/// A watch that looked at second 0 and found that.
fn after(blame: &Blame) -> Watch {
    let mut watch = Watch::new(WatchSettings::default());
    watch.looks(at(0));
    watch.looked(blame);
    watch
}

fn fail(watch: &mut Watch, times: impl IntoIterator<Item = u64>) {
    for second in times {
        watch.saw(at(second), LookupEnd::Failed);
    }
}

#[test]
fn when_to_look() {
    let first = Watch::new(WatchSettings::default());
    assert_eq!(first.next_look(at(7)), at(7), "at once");
    assert_eq!(after(&theirs()).next_look(at(1)), at(300));
    assert_eq!(after(&Blame::Unknown).next_look(at(1)), at(300));
    assert_eq!(after(&ours()).next_look(at(1)), at(30), "soon while ill");

    let mut burst = after(&theirs());
    fail(&mut burst, 100..109);
    assert_eq!(burst.next_look(at(109)), at(300), "nine are no burst");
    fail(&mut burst, [109]);
    assert_eq!(burst.next_look(at(109)), at(10), "ten are: at once");
    assert_eq!(
        burst.next_look(at(200)),
        at(300),
        "and no longer a while later"
    );

    let mut slow = after(&theirs());
    fail(&mut slow, (0..20).map(|count| count * 10));
    assert_eq!(slow.next_look(at(190)), at(300), "too far apart");

    let mut mixed = after(&theirs());
    for second in 100..120 {
        mixed.saw(at(second), LookupEnd::Failed);
        mixed.saw(at(second), LookupEnd::Answered);
    }
    assert_eq!(mixed.next_look(at(120)), at(300), "as many went well");

    let mut again = after(&theirs());
    fail(&mut again, [2; 10]);
    assert_eq!(
        again.next_look(at(2)),
        at(10),
        "not twice within ten seconds"
    );
}

#[test]
fn what_is_announced() {
    use Announcement::{FellIll, ManyOfTheirs, Recovered};
    let clock = || OwnTrouble::Clock("behind by 1 year or more".to_owned());
    let later = || OwnTrouble::Clock("behind by 2 years or more".to_owned());
    let mut watch = Watch::new(WatchSettings::default());
    for (second, failures, blame, expected) in [
        (0, 0, theirs(), None),
        (300, 0, theirs(), None),
        (400, 10, theirs(), Some(ManyOfTheirs)),
        (700, 0, theirs(), None),
        (800, 10, ours(), Some(FellIll(OwnTrouble::NoAnswers))),
        (830, 0, ours(), None),
        (860, 0, Blame::Unknown, None),
        (890, 0, Blame::Ours(clock()), Some(FellIll(clock()))),
        // The same trouble in other words is not told again.
        (920, 0, Blame::Ours(later()), None),
        (950, 0, theirs(), Some(Recovered)),
        (960, 10, theirs(), Some(ManyOfTheirs)),
        (970, 9, theirs(), None),
    ] {
        fail(&mut watch, (0..failures).map(|_| second));
        watch.looks(at(second));
        assert_eq!(watch.looked(&blame), expected, "second {second}");
    }
    assert_eq!(*watch.health(), Health::Well);
}

#[test]
fn memory_is_bounded() {
    let mut watch = after(&theirs());
    fail(&mut watch, (0..100_000).map(|count| count / 100));
    assert!(watch.failures.len() <= watch.settings.burst);
}

/// A resolver that works, or does not.
#[derive(Debug, Default)]
struct Switched {
    works: AtomicBool,
}

impl SecureResolver for Switched {
    fn lookup<'a>(&'a self, question: &'a Question, _: Freshness) -> BoxFuture<'a, Answer> {
        let last = if self.works.load(Ordering::SeqCst) {
            Last::Data(RrSet {
                owner: question.name.clone(),
                records: vec![RecordData::A([192, 0, 2, 1].into())],
                status: Status::assertion(Authority::Fixture, "a fixture"),
                ttl: 60,
            })
        } else {
            Last::Failed(Failure {
                status: Status::indeterminate("nothing"),
                ede: None,
            })
        };
        let answer = Answer {
            question: question.clone(),
            chain: Vec::new(),
            last,
            oddities: Vec::new(),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// The network goes away and comes back, while lookups go on.
#[tokio::test(start_paused = true)]
async fn a_watch_at_work() {
    let resolver = Arc::new(Switched::default());
    resolver.works.store(true, Ordering::SeqCst);
    let triage = Triage::new(
        TriageConfig::new(ResolverConfig::default()),
        Arc::<Switched>::clone(&resolver),
        Arc::new(MappedDialer::default()),
        Arc::new(FixedClock(UnixTime(1_795_000_000))),
    );
    let (watched, ends) = Watched::new(Arc::<Switched>::clone(&resolver));
    let (heard, mut announced) = mpsc::unbounded_channel();
    let watching = tokio::spawn(async move {
        let told = |health: &Health, announcement: Option<Announcement>| {
            assert_ne!(*health, Health::Unknown, "known after the first look");
            if let Some(announcement) = announcement {
                // The test looks at what is left when it is over.
                let _ = heard.send(announcement);
            }
        };
        run(WatchSettings::default(), &triage, ends, told).await;
    });
    let question = Question::new(DomainName::parse("some.example").unwrap(), RecordType::A);
    for second in 0..200 {
        // Out of order for a minute and a half.
        let works = !(60..150).contains(&second);
        resolver.works.store(works, Ordering::SeqCst);
        watched.lookup(&question, Freshness::Cached).await;
        tokio::time::sleep(at(1)).await;
    }
    drop(watched);
    watching.await.unwrap();
    let mut heard = Vec::new();
    while let Ok(announcement) = announced.try_recv() {
        heard.push(announcement);
    }
    assert_eq!(
        heard,
        [
            Announcement::FellIll(OwnTrouble::NoAnswers),
            Announcement::Recovered
        ]
    );
}
