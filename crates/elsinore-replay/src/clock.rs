//! The time of a scenario.

use elsinore_dane::time::UnixTime;
use elsinore_net::clock::Clock;
use std::time::Duration;
use tokio::time::Instant;

/// The wall-clock time that the resolver is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FileClock {
    /// The date of the file (`val-override-date`): it stands still.
    Fixed(UnixTime),
    /// Seconds since the scenario began, counted from 1970: the steps move it.
    Running(Instant),
}

impl FileClock {
    /// Seconds on the clock that the steps move, whatever date the signatures are judged by.
    pub(crate) fn elapsed(began: Instant) -> Duration {
        Instant::now().duration_since(began)
    }
}

impl Clock for FileClock {
    fn now(&self) -> UnixTime {
        match self {
            Self::Fixed(time) => *time,
            Self::Running(began) => {
                let seconds = Self::elapsed(*began).as_secs();
                UnixTime(i64::try_from(seconds).unwrap_or(i64::MAX))
            }
        }
    }
}
