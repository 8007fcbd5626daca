//! The promises of the store: never above its budget, never past an end, and a scan passes.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

const HASH: u32 = 0x9e37_79b1;

fn at(seconds: u64) -> Moment {
    Moment {
        steady: seconds * 1_000,
        wall: 1_700_000_000 + seconds.cast_signed(),
    }
}

type Numbers = Store<u32, u32>;

fn put(store: &mut Numbers, key: u32, octets: usize, life: u32, now: Moment) {
    let hash = key.wrapping_mul(HASH);
    store.insert((hash, key), (key, octets), (life, now), &mut |_, _| {});
}

fn has(store: &mut Numbers, key: u32, now: Moment) -> Option<u32> {
    let found = store.find(key.wrapping_mul(HASH), &key, now);
    found.map(|(value, left)| {
        assert_eq!(*value, key);
        left
    })
}

/// Names of a million domains, each seen once or in one burst, between uses of a few that
/// everybody has in common: the few are never asked for anew.
#[test]
fn a_scan_passes() {
    for burst in [0, 1, 5] {
        let mut store = Numbers::new(400_000);
        let mut misses = 0;
        for name in 0..300_000 {
            // Root and top-level zones with every name, twenty providers now and then.
            let common = [1, 2, 3 + name % 7 / 6, 10 + name / 3 % 20];
            for key in common {
                if has(&mut store, key, at(1)).is_none() {
                    misses += 1;
                    put(&mut store, key, 500, 3_600, at(1));
                }
            }
            put(&mut store, 1_000 + name, 500, 3_600, at(1));
            for _ in 0..burst {
                assert!(has(&mut store, 1_000 + name, at(1)).is_some());
            }
            assert!(store.octets() <= 400_000);
        }
        // Each once, and twice where the short queue let it go before it was known to come back.
        assert!(misses <= 2 * 24, "{misses} misses, bursts of {burst}");
    }
}

/// An entry that comes back soon after the short queue dropped it is kept in the long one.
#[test]
fn the_dropped_are_remembered() {
    let mut store = Numbers::new(100_000);
    put(&mut store, 1, 500, 3_600, at(0));
    let mut filler = 100;
    let mut fill = |store: &mut Numbers, count| {
        for _ in 0..count {
            filler += 1;
            put(store, filler, 500, 3_600, at(0));
        }
    };
    fill(&mut store, 180);
    assert_eq!(has(&mut store, 1, at(0)), None);
    put(&mut store, 1, 500, 3_600, at(0));
    fill(&mut store, 1_000);
    assert!(has(&mut store, 1, at(0)).is_some());
}

/// Ages on both clocks: `(seconds kept, steady clock, wall clock)` and what is left.
#[test]
fn ages() {
    const YEAR: i64 = 31_536_000;
    for (life, steady, wall, left) in [
        (60, 0, 0, Some(60)),
        (60, 999, 0, Some(60)),
        (60, 1_000, 1, Some(59)),
        (60, 59_999, 59, Some(1)),
        (60, 60_000, 60, None),
        (60, 1_000_000, 1_000, None),
        // A wall clock that stands still, as under a date that is set: the steady one decides.
        (60, 30_000, 0, Some(30)),
        // A clock set forth: what was judged by the old time may have ended by the new.
        (3_600, 1_000, 1_800, Some(1_800)),
        (3_600, 1_000, 3_600, None),
        (3_600, 1_000, YEAR, None),
        // Set back: by a little it is a correction, by more nothing that was judged holds.
        (3_600, 1_000, -10, Some(3_599)),
        (3_600, 1_000, -3_601, None),
        (3_600, 1_000, -YEAR, None),
    ] {
        let mut store = Numbers::new(10_000);
        put(&mut store, 7, 10, life, at(5));
        let now = Moment {
            steady: at(5).steady + steady,
            wall: at(5).wall + wall,
        };
        assert_eq!(has(&mut store, 7, now), left, "{life} {steady} {wall}");
        assert_eq!(store.len(), usize::from(left.is_some()));
    }
}

#[test]
fn too_large_or_for_no_time() {
    let mut store = Numbers::new(100_000);
    for (octets, life, kept) in [(25_000, 1, true), (25_001, 1, false), (10, 0, false)] {
        put(&mut store, 1, octets, life, at(0));
        assert_eq!(has(&mut store, 1, at(0)).is_some(), kept, "{octets}");
    }
    let mut none = Numbers::new(0);
    put(&mut none, 1, 0, 60, at(0));
    assert_eq!(has(&mut none, 1, at(0)), None);
}

#[derive(Debug, Clone)]
enum Act {
    Put(u32, usize, u32),
    Find(u32),
    Remove(u32),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let key = 0_u32..200;
    prop_oneof![
        4 => (key.clone(), prop_oneof![0_usize..200, 0_usize..6_000], 0_u32..100)
            .prop_map(|(key, octets, life)| Act::Put(key, octets, life)),
        4 => key.clone().prop_map(Act::Find),
        1 => key.prop_map(Act::Remove),
        1 => (0_u64..40).prop_map(Act::Wait),
    ]
}

proptest! {
    /// Whatever happens: within the budget, nothing past its end, nothing that was removed, and
    /// what was dropped for others is told once.
    #[test]
    fn promises(acts in prop::collection::vec(act(), 0..600), budget in 0_usize..40_000) {
        let mut store = Numbers::new(budget);
        let mut model: HashMap<u32, (u64, usize)> = HashMap::new();
        let mut now = 0;
        for act in acts {
            match act {
                Act::Put(key, octets, life) => {
                    let mut gone = Vec::new();
                    // Few hashes, so that buckets have chains.
                    let hash = (key % 61).wrapping_mul(HASH);
                    model.insert(key, (now + u64::from(life), octets));
                    store.insert((hash, key), (key, octets), (life, at(now)), &mut |key, _| gone.push(*key));
                    for key in gone {
                        prop_assert!(model.remove(&key).is_some());
                    }
                }
                Act::Find(key) => {
                    let hash = (key % 61).wrapping_mul(HASH);
                    let found = store.find(hash, &key, at(now)).map(|(value, left)| (*value, left));
                    if let Some((value, left)) = found {
                        prop_assert_eq!(value, key);
                        let until = model.get(&key).map(|(until, _)| *until);
                        prop_assert_eq!(until, Some(now + u64::from(left)));
                    }
                }
                Act::Remove(key) => {
                    store.remove((key % 61).wrapping_mul(HASH), &key);
                    model.remove(&key);
                }
                Act::Wait(seconds) => now += seconds,
            }
            prop_assert!(store.octets() <= budget);
            let linked: usize = store.slots.iter().filter(|slot| slot.place != Place::Free).count();
            prop_assert_eq!(linked, store.len());
            let heap: usize = store.slots.iter().filter_map(|slot| slot.entry.as_ref()).map(|entry| entry.octets).sum();
            prop_assert_eq!(heap, store.young.octets + store.main.octets);
        }
    }
}
