//! The wall clock of the relay: arrival, retries and lifetimes are counted by it. Deadlines and leases
//! use tokio's monotonic clock, never this.

use elsinore_queue::moment::Moment;
use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the wall-clock time in milliseconds.
pub trait WallClock: Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> Moment;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> Moment {
        Moment(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        })
    }
}
