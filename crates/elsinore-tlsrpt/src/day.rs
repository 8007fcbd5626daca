//! Days of the calendar in UTC: a report covers one (RFC 8460 §4.1).

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::fmt;
use std::str::FromStr;

/// Seconds of a day.
const SECONDS: i64 = 86_400;

/// One day in UTC, from 00:00:00 to 23:59:59.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

/// A text that is not `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a day: YYYY-MM-DD")]
pub struct NotADay;

impl Day {
    /// The day in which a moment lies, in seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn of(seconds: i64) -> Self {
        Self(seconds.div_euclid(SECONDS))
    }

    /// Its first second since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn begin(self) -> i64 {
        self.0.saturating_mul(SECONDS)
    }

    /// Its last second.
    #[must_use]
    pub const fn end(self) -> i64 {
        self.begin().saturating_add(SECONDS - 1)
    }

    /// The day `days` before this one.
    #[must_use]
    pub const fn before(self, days: i64) -> Self {
        Self(self.0.saturating_sub(days))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.begin()) {
            Ok(stamp) => write!(f, "{}", stamp.to_zoned(TimeZone::UTC).date()),
            // Beyond the years that a calendar has.
            Err(_) => write!(f, "day {}", self.0),
        }
    }
}

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 10 {
            return Err(NotADay);
        }
        let date: Date = text.parse().map_err(|_| NotADay)?;
        let begin = date.to_zoned(TimeZone::UTC).map_err(|_| NotADay)?;
        Ok(Self::of(begin.timestamp().as_second()))
    }
}

/// A moment in the form of RFC 3339 §5.6, in UTC, without fractions.
#[must_use]
pub fn internet_time(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |stamp| stamp.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_their_ends() {
        let day: Day = "2026-11-22".parse().unwrap();
        assert_eq!(day.to_string(), "2026-11-22");
        assert_eq!(internet_time(day.begin()), "2026-11-22T00:00:00Z");
        assert_eq!(internet_time(day.end()), "2026-11-22T23:59:59Z");
        assert_eq!(Day::of(day.end()), day);
        assert_eq!(Day::of(day.end() + 1).before(1), day);
        assert_eq!(Day::of(-1).to_string(), "1969-12-31");
        for text in ["", "2026-11-2", "2026-13-01", "22.11.2026", "2026-11-22T"] {
            assert_eq!(text.parse::<Day>(), Err(NotADay), "{text}");
        }
    }
}
