//! When to try again: pure arithmetic.

use super::settings::RetrySettings;
use elsinore_queue::moment::Moment;
use std::time::Duration;

/// What kept a job from being done, as far as it matters for the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// A server answered about the message or the recipient: not now.
    Answered,
    /// No host could be used: none was reached, or none could prove itself.
    Destination,
    /// The lookups of the domain failed, and it is the domain's fault as far as is known.
    TheirDns,
    /// Our own DNS is out of order, or our store: says nothing about the destination.
    Ours,
}

impl Trouble {
    /// Whether the attempt counts towards the next pauses of the job. What is our fault does not: when
    /// we work again, all that waited is tried soon.
    #[must_use]
    pub const fn counts(self) -> bool {
        match self {
            Self::Answered | Self::Destination | Self::TheirDns => true,
            Self::Ours => false,
        }
    }
}

/// The longest pause is at most this many percent longer than the settings say.
pub const JITTER_PERCENT: u32 = 20;

/// The pause after an attempt, `attempts` having been made before it that count. `chance` is drawn from
/// 0 up to 1: jobs that failed together are not tried together again.
#[must_use]
pub fn pause(settings: &RetrySettings, trouble: Trouble, attempts: u32, chance: f64) -> Duration {
    let (first, doublings) = match trouble {
        Trouble::Answered | Trouble::Destination => (settings.first, attempts),
        Trouble::TheirDns => (settings.dns, attempts),
        Trouble::Ours => (settings.dns, 0),
    };
    jittered(doubled(first, doublings, settings.longest), chance)
}

/// `first` doubled so many times, at most `longest`.
#[must_use]
pub fn doubled(first: Duration, doublings: u32, longest: Duration) -> Duration {
    let factor = 1_u32.checked_shl(doublings.min(31)).unwrap_or(u32::MAX);
    first.checked_mul(factor).unwrap_or(longest).min(longest)
}

/// `pause`, up to [`JITTER_PERCENT`] longer.
#[must_use]
pub fn jittered(pause: Duration, chance: f64) -> Duration {
    let chance = if chance.is_finite() {
        chance.clamp(0.0, 1.0)
    } else {
        0.0
    };
    pause.saturating_add(pause.mul_f64(chance * f64::from(JITTER_PERCENT) / 100.0))
}

/// No job that was tried is due later than this from now on, whatever was drawn. One that was put off
/// because its destination is left alone may be, by another [`JITTER_PERCENT`]: the pause of the
/// destination is drawn, and the jobs that wait for its end are spread behind it.
#[must_use]
pub fn latest(settings: &RetrySettings, pause_of_destination: Duration, now: Moment) -> Moment {
    let longest = settings.longest.max(settings.dns).max(pause_of_destination);
    now.plus(jittered(longest, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings() -> RetrySettings {
        RetrySettings::default()
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        for (trouble, attempts, seconds) in [
            (Trouble::Answered, 0, 300),
            (Trouble::Answered, 1, 600),
            (Trouble::Destination, 2, 1200),
            (Trouble::Destination, 5, 9600),
            (Trouble::Destination, 6, 14_400),
            (Trouble::Destination, 4_000_000_000, 14_400),
            (Trouble::TheirDns, 0, 60),
            (Trouble::TheirDns, 3, 480),
            (Trouble::TheirDns, 40, 14_400),
            (Trouble::Ours, 0, 60),
            (Trouble::Ours, 40, 60),
        ] {
            let pause = pause(&settings(), trouble, attempts, 0.0);
            assert_eq!(pause.as_secs(), seconds, "{trouble:?} {attempts}");
        }
    }

    proptest! {
        #[test]
        fn a_pause_is_within_its_bounds(
            attempts: u32,
            chance in prop_oneof![0.0..1.0_f64, Just(f64::NAN), Just(-1.0), Just(7.0)],
            kind in 0_usize..4,
        ) {
            let trouble = [
                Trouble::Answered, Trouble::Destination, Trouble::TheirDns, Trouble::Ours,
            ][kind];
            let settings = settings();
            let drawn = pause(&settings, trouble, attempts, chance);
            let least = pause(&settings, trouble, attempts, 0.0);
            prop_assert!(least <= drawn);
            prop_assert!(drawn <= least.mul_f64(1.21));
            let now = Moment(1_795_000_000_000);
            prop_assert!(now.plus(drawn) <= latest(&settings, Duration::ZERO, now));
            prop_assert!(least <= pause(&settings, trouble, attempts.saturating_add(1), 0.0));
        }
    }
}
