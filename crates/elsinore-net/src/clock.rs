//! The clock, injectable: signature times and policy ages are judged against it.

use elsinore_dane::time::UnixTime;
use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the wall-clock time. Deadlines use tokio's monotonic clock, never this.
pub trait Clock: Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> UnixTime;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        let seconds = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
        };
        UnixTime(seconds)
    }
}

/// A clock that stands still, for tests and for judging a chain at a given time.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub UnixTime);

impl Clock for FixedClock {
    fn now(&self) -> UnixTime {
        self.0
    }
}
