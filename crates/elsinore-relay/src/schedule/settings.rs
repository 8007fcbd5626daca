//! What the schedule is told.

use elsinore_dane::destination::DomainPattern;
use elsinore_dane::name::DomainName;
use std::time::Duration;

/// Settings of the schedule; they may change while it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleSettings {
    /// Jobs worked on at the same time, all destinations together.
    pub sessions: usize,
    /// Jobs on lease at the same time: those worked on, those that wait to be, and those whose end is
    /// not written yet. What bounds the memory of the schedule.
    pub leased: usize,
    /// How long a lease lasts; it is renewed while the work goes on.
    pub lease: Duration,
    /// Limits of a destination of which nothing else is said.
    pub limits: DestinationLimits,
    /// Limits of others: the domain itself before `.parent`, the longest parent first.
    pub overrides: Vec<(DomainPattern, DestinationLimits)>,
    /// When a job is tried again.
    pub retry: RetrySettings,
    /// What becomes of a destination that takes nothing.
    pub pause: PauseSettings,
    /// After what time of waiting the sender is told; `None`: never.
    pub warn_after: Option<Duration>,
    /// How long work may go on after the relay was told to stop.
    pub drain: Duration,
    /// Destinations whose state is remembered while nothing is done for them.
    pub remembered: usize,
}

impl Default for ScheduleSettings {
    /// 100 sessions of which 20 to one destination, five days, a warning after four hours.
    fn default() -> Self {
        Self {
            sessions: 100,
            leased: 1000,
            lease: Duration::from_secs(300),
            limits: DestinationLimits::default(),
            overrides: Vec::new(),
            retry: RetrySettings::default(),
            pause: PauseSettings::default(),
            warn_after: Some(Duration::from_secs(4 * 3600)),
            drain: Duration::from_secs(25),
            remembered: 10_000,
        }
    }
}

impl ScheduleSettings {
    /// The limits of `destination`, named as in a job.
    #[must_use]
    pub fn limits_of(&self, destination: &str) -> DestinationLimits {
        if self.overrides.is_empty() {
            return self.limits;
        }
        let Ok(name) = DomainName::parse(destination) else {
            return self.limits;
        };
        self.overrides
            .iter()
            .filter(|(pattern, _)| pattern.matches(&name))
            .max_by_key(|(pattern, _)| match pattern {
                DomainPattern::Domain(_) => usize::MAX,
                DomainPattern::Below(parent) => parent.labels().len(),
            })
            .map_or(self.limits, |(_, limits)| *limits)
    }
}

/// How much is sent to one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DestinationLimits {
    /// Jobs at the same time to begin with.
    pub first: usize,
    /// Jobs at the same time at most.
    pub most: usize,
    /// Messages in a minute at most; no bound when absent.
    pub per_minute: Option<u32>,
}

impl Default for DestinationLimits {
    fn default() -> Self {
        Self {
            first: 5,
            most: 20,
            per_minute: None,
        }
    }
}

/// When a job is tried again (RFC 5321 §4.5.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySettings {
    /// The pause after the first attempt; it doubles from attempt to attempt.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// The pause while our own DNS is out of order, and the first one where the domain's is.
    pub dns: Duration,
    /// How long a message is tried, from its arrival on. A little longer where the relay was off, or
    /// the clock was wrong, when that ended: nothing is given up before it was tried again.
    pub lifetime: Duration,
}

impl Default for RetrySettings {
    /// Five minutes, four hours, one minute, five days.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(300),
            longest: Duration::from_secs(4 * 3600),
            dns: Duration::from_secs(60),
            lifetime: Duration::from_secs(5 * 86_400),
        }
    }
}

/// When a destination as a whole is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PauseSettings {
    /// Jobs in a row that found no host to serve them.
    pub after: u32,
    /// The first pause; it doubles each time the destination fails again.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for PauseSettings {
    /// Three jobs, five minutes, an hour.
    fn default() -> Self {
        Self {
            after: 3,
            first: Duration::from_secs(300),
            longest: Duration::from_secs(3600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_particular_limits_count() {
        let limits = |most| DestinationLimits {
            most,
            ..DestinationLimits::default()
        };
        let pattern = |text: &str| text.parse().expect("a pattern");
        let settings = ScheduleSettings {
            limits: limits(1),
            overrides: vec![
                (pattern(".example"), limits(2)),
                (pattern("a.b.example"), limits(3)),
                (pattern(".b.example"), limits(4)),
            ],
            ..ScheduleSettings::default()
        };
        for (destination, most) in [
            ("a.b.example", 3),
            ("c.b.example", 4),
            ("b.example", 2),
            ("example", 1),
            ("[192.0.2.1]", 1),
        ] {
            assert_eq!(settings.limits_of(destination).most, most, "{destination}");
        }
    }
}
