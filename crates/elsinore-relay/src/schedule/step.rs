//! Whether the wall clock was set: it is compared with the clock that does not jump.

use elsinore_queue::moment::Moment;
use std::time::Duration;
use tokio::time::Instant;

/// Differences up to this are the clock being slewed, not set.
const SLEWED: Duration = Duration::from_secs(5);

/// Both clocks when they were last looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepWatch {
    wall: Moment,
    steady: Instant,
}

impl StepWatch {
    pub(super) const fn new(wall: Moment, steady: Instant) -> Self {
        Self { wall, steady }
    }

    /// By how much the wall clock was set back since the last look. Forward does no harm: what is due
    /// early is tried early.
    pub(super) fn look(&mut self, wall: Moment, steady: Instant) -> Option<Duration> {
        let expected = self
            .wall
            .plus(steady.saturating_duration_since(self.steady));
        *self = Self { wall, steady };
        let back = expected.since(wall);
        (back > SLEWED).then_some(back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_step_back_is_told() {
        let begin = Instant::now();
        let mut watch = StepWatch::new(Moment(1_000_000), begin);
        for (after, wall, back) in [
            (30, 1_030_000, None),
            (60, 1_058_000, None),
            (90, 1_028_000, Some(60)),
            (120, 1_058_000, None),
            (150, 9_000_000, None),
            (180, 9_030_000, None),
            (210, 1_058_000, Some(8_002)),
        ] {
            let found = watch.look(Moment(wall), begin + Duration::from_secs(after));
            assert_eq!(found.map(|back| back.as_secs()), back, "after {after}");
        }
    }
}
