//! Conclusions as a table, and the asking on a network that is scripted.

use super::super::clock::Off;
use super::*;
use crate::clock::FixedClock;
use crate::dialer::MappedDialer;
use elsinore_dane::answer::{Answer, Failure, Last, RecordData, RrSet};
use elsinore_dane::security::{Authority, Status};
use elsinore_dane::time::UnixTime;
use futures_util::future::BoxFuture;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `s` secure, `i` insecure, `b` bogus, `x` not found out.
fn found(letters: &str) -> Vec<Found> {
    (letters.chars())
        .map(|letter| Found {
            security: match letter {
                's' => Security::Secure,
                'i' => Security::Insecure,
                'b' => Security::Bogus,
                _ => Security::Indeterminate,
            },
            reason: format!("reason {letter}"),
            is_answer: matches!(letter, 's' | 'i'),
        })
        .collect()
}

#[test]
fn conclusions() {
    let right = || Reading::Right { zones: 1 };
    let wrong = || {
        Reading::Wrong(Off {
            by: 365 * 86_400,
            nearest: UnixTime(0),
            zones: 1,
        })
    };
    for (letters, answered, clock, anchors, expected) in [
        // Nobody answers.
        (
            "xxx",
            Some(false),
            Reading::Unknown,
            Fit::Unknown,
            "no-answers",
        ),
        (
            "",
            Some(false),
            Reading::Unknown,
            Fit::Unknown,
            "no-answers",
        ),
        ("", None, Reading::Unknown, Fit::Unknown, "no-answers"),
        // Servers answer, and every signed name is bogus: the clock, or the anchors.
        ("bbb", Some(true), wrong(), Fit::Good, "clock"),
        ("bbb", Some(true), right(), Fit::None, "anchors"),
        ("bb", Some(true), right(), Fit::Good, "rejects-good-names"),
        // The resolver whose AD bit is believed sets none.
        ("iii", Some(true), right(), Fit::Unknown, "nothing-secure"),
        (
            "iii",
            Some(false),
            Reading::Unknown,
            Fit::Unknown,
            "nothing-secure",
        ),
        ("xxx", Some(true), right(), Fit::Good, "finds-nothing"),
        ("xbx", Some(true), right(), Fit::Good, "rejects-good-names"),
        // Not found out in time.
        ("", Some(true), right(), Fit::Good, "?"),
        ("x", None, Reading::Unknown, Fit::Unknown, "?"),
    ] {
        let facts = Facts {
            answered,
            clock,
            anchors,
        };
        let word = match judge(&found(letters), &facts) {
            Blame::Ours(trouble) => trouble.word(),
            Blame::Unknown => "?",
            Blame::Theirs(_) => "theirs",
        };
        assert_eq!(word, expected, "{letters:?} {facts:?}");
    }
}

/// A resolver that says the same of every name, and counts.
#[derive(Debug)]
struct Scripted {
    status: Option<Status>,
    asked: AtomicUsize,
}

impl SecureResolver for Scripted {
    fn lookup<'a>(&'a self, question: &'a Question, _: Freshness) -> BoxFuture<'a, Answer> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let Some(status) = self.status.clone() else {
                return std::future::pending().await;
            };
            let last = if status.security() > Security::Insecure {
                Last::Failed(Failure { status, ede: None })
            } else {
                Last::Data(RrSet {
                    owner: question.name.clone(),
                    records: vec![RecordData::A([192, 0, 2, 1].into())],
                    status,
                    ttl: 60,
                })
            };
            Answer {
                question: question.clone(),
                chain: Vec::new(),
                last,
                oddities: Vec::new(),
            }
        })
    }
}

fn triage(status: Option<Status>) -> (Triage, Arc<Scripted>) {
    let resolver = Arc::new(Scripted {
        status,
        asked: AtomicUsize::new(0),
    });
    let triage = Triage::new(
        TriageConfig::new(ResolverConfig::default()),
        Arc::<Scripted>::clone(&resolver),
        // A network in which nobody can be reached.
        Arc::new(MappedDialer::default()),
        Arc::new(FixedClock(UnixTime(1_795_000_000))),
    );
    (triage, resolver)
}

#[tokio::test(start_paused = true)]
async fn asked_once_in_a_while() {
    let good = Status::assertion(Authority::Fixture, "a fixture");
    let (triage, resolver) = triage(Some(good));
    let both = futures_util::future::join(triage.blame(), triage.blame()).await;
    assert_eq!(both.0, both.1);
    assert!(matches!(both.0, Blame::Theirs(_)), "{both:?}");
    let asked = || resolver.asked.load(Ordering::SeqCst);
    let once = asked();
    assert!((1..=MOST).contains(&once));
    tokio::time::advance(Duration::from_secs(59)).await;
    triage.blame().await;
    assert_eq!(asked(), once);
    tokio::time::advance(Duration::from_secs(2)).await;
    triage.blame().await;
    assert!(asked() > once);
}

#[tokio::test(start_paused = true)]
async fn never_longer_than_its_deadline() {
    for status in [None, Some(Status::indeterminate("nothing"))] {
        let (triage, _) = triage(status);
        let begun = Instant::now();
        let blame = triage.blame().await;
        assert_eq!(blame, Blame::Ours(OwnTrouble::NoAnswers));
        assert!(begun.elapsed() <= triage.config.deadline);
    }
}

#[test]
fn remarks() {
    let ours = Blame::Ours(OwnTrouble::Clock("behind by 365 days or more".to_owned()));
    let remark = ours.remark().unwrap();
    assert!(
        remark.starts_with("our own DNS is broken: our clock is behind"),
        "{remark}"
    );
    let theirs = Blame::Theirs(DomainName::parse("ietf.org").unwrap());
    let finding = theirs.finding("example.org").unwrap();
    assert_eq!(finding.rule, Rule::TheirDnsFails);
    assert!(finding.evidence.contains("ietf.org"));
    assert_eq!(Blame::Unknown.finding("example.org"), None);
}
