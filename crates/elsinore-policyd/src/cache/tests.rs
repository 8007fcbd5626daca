//! Answers age by two clocks and stay within their octets.

use super::*;
use crate::advice::Advice;
use crate::mapping::{Answer, Mapped, PolicyWord};

fn entry(holds: u64, now: Instant, wall: i64) -> Arc<Entry> {
    let answer = Answer::Policy {
        word: PolicyWord::May,
        sts: None,
    };
    let advice = Advice {
        mapped: Mapped {
            row: Row::Nothing,
            answer,
        },
        document: vec![b'x'; 100],
        holds: Duration::from_secs(holds),
    };
    Arc::new(Entry::new(&advice, Duration::ZERO, now, UnixTime(wall)))
}

fn key(text: &str) -> Arc<[u8]> {
    Arc::from(text.as_bytes())
}

#[test]
fn nothing_is_given_past_its_time_by_either_clock() {
    let (cache, now) = (Cache::new(1 << 20), Instant::now());
    cache.keep(&key("a"), entry(60, now, 1000));
    for (later, wall, expected) in [
        (0, 1000, true),
        (59, 1059, true),
        (60, 1059, false),
        (59, 1060, false),
        // The wall clock was set back, or the machine slept.
        (1, 999, false),
        (1, 5000, false),
    ] {
        let later = now + Duration::from_secs(later);
        let found = cache.find(b"a", later, UnixTime(wall)).is_some();
        assert_eq!(found, expected, "{wall}");
    }
    cache.keep(&key("b"), entry(0, now, 1000));
    assert!(cache.find(b"b", now, UnixTime(1000)).is_none());
}

#[test]
fn bounded_and_what_is_asked_for_is_spared() {
    let (cache, now) = (Cache::new(SHARDS * 10_000), Instant::now());
    cache.keep(&key("wanted"), entry(60, now, 0));
    for index in 0..10_000 {
        if let Some(entry) = cache.find(b"wanted", now, UnixTime(0)) {
            entry.note_use();
        }
        cache.keep(&key(&format!("{index}")), entry(60, now, 0));
        assert!(cache.size().1 <= SHARDS * 10_000);
    }
    assert!(cache.find(b"wanted", now, UnixTime(0)).is_some());
    assert!(cache.find(b"0", now, UnixTime(0)).is_none());
    let (count, octets) = cache.size();
    assert!(
        count > SHARDS * 10 && octets > SHARDS * 5_000,
        "{count} {octets}"
    );
    cache.clear();
    assert_eq!(cache.size(), (0, 0));
}

#[test]
fn replacing_does_not_count_twice() {
    let (cache, now) = (Cache::new(1 << 20), Instant::now());
    for _ in 0..1000 {
        cache.keep(&key("a"), entry(60, now, 0));
    }
    assert_eq!(cache.size().0, 1);
    assert!(cache.size().1 < 1000);
}

#[test]
fn every_kind_has_its_word() {
    for kind in KINDS {
        let same = KINDS.into_iter().filter(|other| *other == kind).count();
        assert_eq!(same, 1);
    }
    for word in [
        PolicyWord::None,
        PolicyWord::May,
        PolicyWord::Encrypt,
        PolicyWord::Dane,
        PolicyWord::DaneOnly,
        PolicyWord::Verify(Vec::new()),
        PolicyWord::Secure(Vec::new()),
        PolicyWord::Fingerprint(Vec::new()),
    ] {
        assert!(KINDS.contains(&word.level()));
    }
}
