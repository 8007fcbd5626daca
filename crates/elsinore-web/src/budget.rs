//! How often somebody may have something: a bucket per key that fills at a steady rate. Used for
//! checks that a client begins, and for sessions with one mail server over all checks.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Keys that are remembered. Above that the fullest are forgotten, which is forgetting nothing.
const KEYS: usize = 100_000;

/// So many in one go, and so many in a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many in one go after a rest; at least 1.
    pub burst: u32,
    /// The time in which one more becomes due.
    pub every: Duration,
}

impl Rate {
    /// `count` in an hour, a tenth of them (at least 5) in one go.
    #[must_use]
    pub fn per_hour(count: u32) -> Self {
        let count = count.max(1);
        Self {
            burst: (count / 10).max(5).min(count),
            every: Duration::from_secs(3600) / count,
        }
    }
}

/// One bucket for each key.
#[derive(Debug)]
pub struct Budget<K> {
    rate: Rate,
    /// For each key, when its bucket will be full again. A moment that has passed is a full bucket.
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash + Clone> Budget<K> {
    /// With full buckets.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            full_at: Mutex::new(HashMap::new()),
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// How long to wait for one, when there is none.
    pub fn take(&self, key: &K) -> Result<(), Duration> {
        let now = Instant::now();
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.get(key).copied().unwrap_or(now).max(now);
        // Full after one more is taken; at most `burst` may be out.
        let after = full_at + self.rate.every;
        let most = now + self.rate.every * self.rate.burst.max(1);
        if after > most {
            return Err(after - most);
        }
        if buckets.len() >= KEYS && !buckets.contains_key(key) {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= KEYS {
                // A hundred thousand clients at once: nobody new gets anything until some have rested.
                return Err(self.rate.every);
            }
        }
        buckets.insert(key.clone(), after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_a_steady_rate() {
        let seconds = Duration::from_secs;
        let budget = Budget::new(Rate {
            burst: 3,
            every: seconds(10),
        });
        for (wait, key, expected) in [
            (0, "a", Ok(())),
            (0, "a", Ok(())),
            (0, "a", Ok(())),
            (0, "a", Err(seconds(10))),
            (0, "b", Ok(())),
            (4, "a", Err(seconds(6))),
            (6, "a", Ok(())),
            (0, "a", Err(seconds(10))),
            (1000, "a", Ok(())),
            (0, "a", Ok(())),
            (0, "a", Ok(())),
            (0, "a", Err(seconds(10))),
        ] {
            tokio::time::advance(seconds(wait)).await;
            assert_eq!(budget.take(&key), expected, "after {wait} s, {key}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let budget = Budget::new(Rate::per_hour(60));
        for key in 0..KEYS {
            budget.take(&key).unwrap();
        }
        assert!(budget.take(&KEYS).is_err());
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(budget.take(&KEYS), Ok(()));
    }

    #[test]
    fn rates_by_the_hour() {
        for (count, burst, every) in [(120, 12, 30), (20, 5, 180), (3, 3, 1200), (0, 1, 3600)] {
            let rate = Rate::per_hour(count);
            let expected = Rate {
                burst,
                every: Duration::from_secs(every),
            };
            assert_eq!(rate, expected, "{count}");
        }
    }
}
