//! A bound on messages in a minute, spread evenly with a small allowance for bursts.

use std::time::Duration;
use tokio::time::Instant;

/// Messages that may go at once after a quiet time, as a share of a minute's: one in this many.
const BURST_SHARE: u32 = 10;

/// The pace of one destination: the generic cell rate algorithm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// When the next message would be due if all came evenly.
    even: Option<Instant>,
}

impl Pace {
    /// Whether a message may go at `now`; else when.
    #[must_use]
    pub fn next(&self, per_minute: Option<u32>, now: Instant) -> Option<Instant> {
        let (_, slack) = spread(per_minute?);
        let earliest = self.even?.checked_sub(slack)?;
        (now < earliest).then_some(earliest)
    }

    /// A message goes at `now`.
    pub fn went(&mut self, per_minute: Option<u32>, now: Instant) {
        let Some(per_minute) = per_minute else {
            self.even = None;
            return;
        };
        let (apart, _) = spread(per_minute);
        self.even = Some(self.even.map_or(now, |even| even.max(now)) + apart);
    }

    /// Whether nothing of it need be remembered at `now`.
    #[must_use]
    pub fn is_idle(&self, now: Instant) -> bool {
        self.even.is_none_or(|even| even <= now)
    }
}

/// The time between two messages, and by how much one may come before its time.
fn spread(per_minute: u32) -> (Duration, Duration) {
    let per_minute = per_minute.max(1);
    let apart = Duration::from_secs(60) / per_minute;
    (apart, apart * (per_minute / BURST_SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_minute_has_more_than_its_share_and_a_burst() {
        for (per_minute, most) in [(1, 1), (6, 6), (60, 66), (600, 660)] {
            let begin = Instant::now();
            let mut pace = Pace::default();
            let mut now = begin;
            let mut times = Vec::new();
            while now < begin + Duration::from_secs(300) {
                match pace.next(Some(per_minute), now) {
                    Some(later) => {
                        assert!(later > now);
                        now = later;
                    }
                    None => {
                        pace.went(Some(per_minute), now);
                        times.push(now);
                    }
                }
            }
            let busiest = times.iter().map(|start| {
                let end = *start + Duration::from_secs(60);
                times.iter().filter(|at| (*start..end).contains(at)).count()
            });
            assert!(busiest.max() <= Some(most + 1), "{per_minute}");
            let wanted = usize::try_from(per_minute * 5).expect("small");
            assert!(times.len() >= wanted, "{per_minute}: {}", times.len());
        }
    }

    #[tokio::test]
    async fn without_a_bound_nothing_waits() {
        let now = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..1000 {
            assert_eq!(pace.next(None, now), None);
            pace.went(None, now);
        }
        assert!(pace.is_idle(now));
    }
}
