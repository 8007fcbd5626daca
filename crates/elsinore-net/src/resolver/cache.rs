//! A cache bounded in entries and octets. Two generations stand in for recency: when the younger
//! is full it becomes the older, and what was not asked for meanwhile is dropped with that one.

use std::collections::HashMap;
use std::hash::Hash;
use tokio::time::{Duration, Instant};

/// Longest reuse of anything, whatever its TTL says.
const LONGEST: u32 = 86_400;

#[derive(Debug, Clone)]
struct Entry<V> {
    value: V,
    octets: usize,
    until: Instant,
}

/// Values by key, each with a time after which it is not used.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    young: HashMap<K, Entry<V>>,
    old: HashMap<K, Entry<V>>,
    young_octets: usize,
    most_entries: usize,
    most_octets: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// Holds at most `entries` values of `octets` in all.
    pub(super) fn new(entries: usize, octets: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            young_octets: 0,
            most_entries: (entries / 2).max(1),
            most_octets: (octets / 2).max(1),
        }
    }

    /// The value and the seconds it may still be used.
    pub(super) fn find(&mut self, key: &K, now: Instant) -> Option<(V, u32)> {
        if let Some(entry) = self.young.get(key) {
            return usable(entry, now);
        }
        let entry = self.old.remove(key)?;
        let found = usable(&entry, now)?;
        self.put(key.clone(), entry);
        Some(found)
    }

    /// Keeps `value` for `ttl` seconds; `octets` is an estimate of its size.
    pub(super) fn insert(&mut self, key: K, value: V, octets: usize, ttl: u32, now: Instant) {
        let until = now + Duration::from_secs(ttl.min(LONGEST).into());
        self.old.remove(&key);
        self.put(
            key,
            Entry {
                value,
                octets,
                until,
            },
        );
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.old.remove(key);
        if let Some(entry) = self.young.remove(key) {
            self.young_octets = self.young_octets.saturating_sub(entry.octets);
        }
    }

    fn put(&mut self, key: K, entry: Entry<V>) {
        let octets = entry.octets;
        if octets > self.most_octets {
            return;
        }
        if self.young.len() >= self.most_entries || self.young_octets + octets > self.most_octets {
            self.old = std::mem::take(&mut self.young);
            self.young_octets = 0;
        }
        self.young_octets += octets;
        if let Some(before) = self.young.insert(key, entry) {
            self.young_octets = self.young_octets.saturating_sub(before.octets);
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

fn usable<V: Clone>(entry: &Entry<V>, now: Instant) -> Option<(V, u32)> {
    let left = entry.until.checked_duration_since(now)?;
    let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
    (!left.is_zero()).then(|| (entry.value.clone(), seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_in_entries_and_octets() {
        let now = Instant::now();
        for (entries, octets, size) in [(100, usize::MAX, 1), (usize::MAX, 1_000, 10)] {
            let mut cache = Cache::new(entries, octets);
            for key in 0..10_000_u32 {
                cache.insert(key, key, size, 60, now);
                assert!(cache.len() <= 101, "{}", cache.len());
            }
            assert_eq!(cache.find(&9_999, now), Some((9_999, 60)));
            assert_eq!(cache.find(&0, now), None);
        }
    }

    #[test]
    fn time_and_use() {
        let now = Instant::now();
        let mut cache = Cache::new(4, 1_000);
        cache.insert("a", 1, 1, 10, now);
        assert_eq!(cache.find(&"a", now + Duration::from_secs(4)), Some((1, 6)));
        assert_eq!(cache.find(&"a", now + Duration::from_secs(10)), None);
        for key in ["b", "c", "d"] {
            // What is asked for stays.
            assert!(cache.find(&"a", now).is_some());
            cache.insert(key, 2, 1, 10, now);
        }
        cache.remove(&"a");
        assert_eq!(cache.find(&"a", now), None);
        cache.insert("huge", 3, 5_000, 10, now);
        assert_eq!(cache.find(&"huge", now), None);
    }
}
