//! Whether the wall clock was set: it is compared with the clock that does not jump.

use elsinore_queue::moment::Moment;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Differences up to this are the clock being slewed, not set.
const SLEWED: Duration = Duration::from_secs(5);
/// Steps forward that are remembered; of more, the oldest are forgotten.
const REMEMBERED: usize = 64;

/// Both clocks when they were last looked at.
#[derive(Debug)]
pub(super) struct StepWatch {
    wall: Moment,
    steady: Instant,
    /// What the clock would show without each step forward that was not taken back, and by how much it
    /// was: whatever came before the step is stamped no later.
    forward: VecDeque<(Moment, Duration)>,
    told: Vec<Step>,
}

/// A step of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Forward(Duration),
    Back(Duration),
}

impl StepWatch {
    pub(super) const fn new(wall: Moment, steady: Instant) -> Self {
        Self {
            wall,
            steady,
            forward: VecDeque::new(),
            told: Vec::new(),
        }
    }

    /// Takes in what the clocks say now.
    pub(super) fn look(&mut self, wall: Moment, steady: Instant) {
        let expected = self
            .wall
            .plus(steady.saturating_duration_since(self.steady));
        (self.wall, self.steady) = (wall, steady);
        let (back, forward) = (expected.since(wall), wall.since(expected));
        if back > SLEWED {
            self.told.push(Step::Back(back));
            self.take_back(back);
        } else if forward > SLEWED {
            self.told.push(Step::Forward(forward));
            self.forward.push_back((expected, forward));
            if self.forward.len() > REMEMBERED {
                self.forward.pop_front();
            }
        }
    }

    /// What was set forward and is set back again has not been.
    fn take_back(&mut self, mut back: Duration) {
        while let Some((_, by)) = self.forward.back_mut()
            && !back.is_zero()
        {
            let less = back.min(*by);
            back -= less;
            *by -= less;
            if by.is_zero() {
                self.forward.pop_back();
            }
        }
    }

    /// The steps since this was last asked.
    pub(super) fn steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.told)
    }

    /// By how much the clock was set forward since it showed `moment`.
    pub(super) fn forward_since(&self, moment: Moment) -> Duration {
        let later = self.forward.iter().filter(|(before, _)| *before >= moment);
        later.map(|(_, by)| *by).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn steps_are_told_and_those_forward_remembered() {
        let begin = Instant::now();
        let mut watch = StepWatch::new(Moment(1_000_000), begin);
        let (back, forward) = (
            |seconds| Some(Step::Back(Duration::from_secs(seconds))),
            |seconds| Some(Step::Forward(Duration::from_secs(seconds))),
        );
        // Seconds since the begin, the wall clock, what is told, and by how much it was set forward since
        // 1000 s and since 1050 s in all.
        for (after, wall, told, since) in [
            (30, 1_030_000, None, (0, 0)),
            (60, 1_058_000, None, (0, 0)),
            (90, 1_028_000, back(60), (0, 0)),
            (120, 1_058_000, None, (0, 0)),
            (150, 9_088_000, forward(8_000), (8_000, 8_000)),
            (180, 9_118_000, None, (8_000, 8_000)),
            (210, 9_158_000, forward(10), (8_010, 8_010)),
            (240, 1_178_000, back(8_010), (0, 0)),
            (270, 1_220_000, forward(12), (12, 12)),
            (300, 1_240_000, back(10), (2, 2)),
        ] {
            watch.look(Moment(wall), begin + Duration::from_secs(after));
            assert_eq!(watch.steps(), Vec::from_iter(told), "after {after}");
            let since = [since.0, since.1].map(Duration::from_secs);
            let found = [1_000_000, 1_050_000].map(|from| watch.forward_since(Moment(from)));
            assert_eq!(found, since, "after {after}");
        }
        // The last step was seen 30 s after the look before it, which was at 1178 s.
        for (from, since) in [(1_200_000, 2), (1_208_000, 2), (1_209_000, 0)] {
            let found = watch.forward_since(Moment(from));
            assert_eq!(found, Duration::from_secs(since), "since {from}");
        }
    }
}
