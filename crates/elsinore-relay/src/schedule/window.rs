//! How many jobs one destination is given at the same time: it grows with every job that is served and
//! shrinks with every one that finds no host. A destination that serves none is left alone for a
//! while, then tried by one job.

use super::backoff::{doubled, jittered};
use super::settings::{DestinationLimits, PauseSettings};
use tokio::time::Instant;

/// The window of one destination.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    size: usize,
    /// Up to here each job that is served lets the window grow by one, above it a whole window of them
    /// does.
    threshold: usize,
    /// Jobs served towards the next step above the threshold.
    served: usize,
    /// Jobs in a row that found no host.
    failures: u32,
    /// Pauses in a row.
    pauses: u32,
    until: Option<Instant>,
}

/// What a destination may be given now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// So many jobs at the same time, at least one.
    Jobs(usize),
    /// None before this time.
    NotBefore(Instant),
}

impl Window {
    /// A destination of which nothing is known.
    #[must_use]
    pub fn new(limits: &DestinationLimits) -> Self {
        Self {
            size: limits.first.clamp(1, limits.most.max(1)),
            threshold: limits.most.max(1),
            served: 0,
            failures: 0,
            pauses: 0,
            until: None,
        }
    }

    /// What is allowed at `now`.
    #[must_use]
    pub fn allowed(&self, limits: &DestinationLimits, now: Instant) -> Allowed {
        match self.until {
            Some(until) if now < until => Allowed::NotBefore(until),
            // After a pause one job finds out for all.
            Some(_) => Allowed::Jobs(1),
            None => Allowed::Jobs(self.size.clamp(1, limits.most.max(1))),
        }
    }

    /// A job was served: a host took it, or answered about it.
    pub fn served(&mut self, limits: &DestinationLimits) {
        if self.until.take().is_some() {
            self.size = 1;
            self.served = 0;
        }
        self.failures = 0;
        self.pauses = 0;
        let most = limits.most.max(1);
        if self.size < self.threshold.min(most) {
            self.size += 1;
            return;
        }
        self.served += 1;
        if self.served >= self.size && self.size < most {
            self.size += 1;
            self.served = 0;
        }
    }

    /// A job found no host. `chance` is drawn from 0 up to 1. Jobs that were begun before a pause and
    /// end in it do not prolong it.
    pub fn failed(&mut self, settings: &PauseSettings, now: Instant, chance: f64) {
        self.failures = self.failures.saturating_add(1);
        self.size = (self.size / 2).max(1);
        self.threshold = self.size;
        self.served = 0;
        let paused_before = match self.until {
            Some(until) if now < until => return,
            Some(_) => true,
            None => false,
        };
        if paused_before || self.failures >= settings.after.max(1) {
            let pause = doubled(settings.first, self.pauses, settings.longest);
            self.pauses = self.pauses.saturating_add(1);
            self.until = Some(now + jittered(pause, chance));
        }
    }

    /// Ends a pause: the next job is tried at once.
    pub fn end_pause(&mut self, now: Instant) {
        if self.until.is_some_and(|until| now < until) {
            self.until = Some(now);
        }
    }

    /// Its size, pauses left aside.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// When the pause ends, or ended.
    #[must_use]
    pub const fn pause_until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const PAUSE: PauseSettings = PauseSettings {
        after: 3,
        first: Duration::from_secs(300),
        longest: Duration::from_secs(3600),
    };

    fn limits(first: usize, most: usize) -> DestinationLimits {
        DestinationLimits {
            first,
            most,
            per_minute: None,
        }
    }

    fn size(window: &Window, limits: &DestinationLimits, now: Instant) -> usize {
        match window.allowed(limits, now) {
            Allowed::Jobs(jobs) => jobs,
            Allowed::NotBefore(_) => 0,
        }
    }

    #[tokio::test]
    async fn it_grows_with_each_job_served_and_halves_with_trouble() {
        let now = Instant::now();
        let limits = limits(2, 16);
        let mut window = Window::new(&limits);
        let mut sizes = Vec::new();
        for _ in 0..16 {
            window.served(&limits);
            sizes.push(size(&window, &limits, now));
        }
        assert_eq!(
            sizes,
            [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16, 16]
        );
        window.failed(&PAUSE, now, 0.0);
        assert_eq!(size(&window, &limits, now), 8);
        for _ in 0..8 {
            window.served(&limits);
        }
        assert_eq!(size(&window, &limits, now), 9, "slower above the threshold");
    }

    #[tokio::test]
    async fn a_dead_destination_is_left_alone_longer_and_longer() {
        let begin = Instant::now();
        let limits = limits(5, 20);
        let mut window = Window::new(&limits);
        for _ in 0..PAUSE.after {
            assert!(size(&window, &limits, begin) > 0);
            window.failed(&PAUSE, begin, 0.0);
        }
        // Jobs begun before end in it.
        window.failed(&PAUSE, begin, 0.0);
        let mut now = begin;
        for seconds in [300, 600, 1200, 2400, 3600, 3600] {
            let until = now + Duration::from_secs(seconds);
            assert_eq!(window.allowed(&limits, now), Allowed::NotBefore(until));
            now = until;
            assert_eq!(size(&window, &limits, now), 1, "one finds out for all");
            window.failed(&PAUSE, now, 0.0);
        }
        window.end_pause(now);
        assert_eq!(size(&window, &limits, now), 1);
        window.served(&limits);
        assert_eq!(size(&window, &limits, now), 2, "from the beginning");
        window.failed(&PAUSE, now, 0.0);
        assert_eq!(size(&window, &limits, now), 1, "one failure is not three");
    }

    proptest! {
        #[test]
        fn the_limit_is_never_passed_and_nobody_starves(
            first in 0_usize..50, most in 0_usize..50,
            steps in proptest::collection::vec((any::<bool>(), 0_u64..2000), 0..200),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let _guard = runtime.as_ref().map(tokio::runtime::Runtime::enter);
            let limits = limits(first, most);
            let mut now = Instant::now();
            let mut window = Window::new(&limits);
            for (is_served, seconds) in steps {
                if is_served {
                    window.served(&limits);
                } else {
                    window.failed(&PAUSE, now, 0.5);
                }
                match window.allowed(&limits, now) {
                    Allowed::Jobs(jobs) => prop_assert!((1..=most.max(1)).contains(&jobs)),
                    Allowed::NotBefore(until) => {
                        prop_assert!(until > now);
                        prop_assert!(until - now <= jittered(PAUSE.longest, 1.0));
                    }
                }
                now += Duration::from_secs(seconds);
            }
        }
    }
}
