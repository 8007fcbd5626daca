//! Whether the time of a job is over (RFC 5321 §4.5.4.1). Pure.
//!
//! The wall clock alone must not say so: it is set forward by years, or the relay was off while the
//! lifetime passed, and mail that was hardly tried would be returned. Three things are asked besides:
//!
//! - A step of the clock while the relay runs takes no time from what waits: the lifetime then counts
//!   from as much later ([`Lived::from`]). What arrived in the future, because the clock was wrong then,
//!   counts from now.
//! - The end must not come out of the blue. Where it passed in a gap that no pause explains (the relay
//!   was off, the job was held, the clock was wrong at the start), or before the destination was tried
//!   [`LOOKS`] times, the job is granted that many further attempts over [`span`], and only then is over.
//! - An attempt that failed for our own reasons ends nothing, until a whole lifetime of grace has passed
//!   with such attempts: nothing stays for ever.

use super::backoff::{doubled, jittered};
use super::settings::ScheduleSettings;
use elsinore_queue::job::{Grace, Leased, Lived};
use elsinore_queue::moment::Moment;
use std::time::Duration;

/// A job is not given up before so many attempts.
const LOOKS: u32 = 3;
/// The attempts of a time of grace are spread over this, of a lifetime of days.
const LONGEST_SPAN: Duration = Duration::from_secs(6 * 3600);
/// Or over this part of a shorter lifetime.
const PART: u32 = 20;
/// A message that seems to arrive later than this from now came while a clock was wrong. Below, it is
/// the clock of another relay.
const SKEW: Duration = Duration::from_secs(60);

/// What the lifetime of a job is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Age<'a> {
    pub(super) settings: &'a ScheduleSettings,
    pub(super) job: &'a Leased,
    pub(super) now: Moment,
    /// By how much the clock was set forward since the job was last looked at.
    pub(super) stepped: Duration,
}

/// What was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    /// Whether what waits is given up.
    pub(super) is_over: bool,
    /// When the lifetime ends.
    pub(super) expires: Moment,
    /// From when it counts.
    pub(super) from: Moment,
    /// What is to be remembered.
    pub(super) lived: Lived,
}

/// The time over which attempts are spread after a lifetime that ended unforeseen.
pub(super) fn span(lifetime: Duration) -> Duration {
    (lifetime / PART).min(LONGEST_SPAN)
}

impl Age<'_> {
    /// Judges after an attempt; `looked` says whether it showed something of the destination, and not
    /// of us alone.
    pub(super) fn judge(&self, looked: bool) -> Judged {
        let standing = &self.job.standing;
        let lifetime = self.settings.retry.lifetime;
        let from = self.from();
        let expires = from.plus(lifetime);
        let mut lived = Lived {
            from: (from != self.job.message.arrived).then_some(from),
            looks: standing.lived.looks.saturating_add(u32::from(looked)),
            looked: if looked {
                Some(self.now)
            } else {
                standing.lived.looked
            },
            grace: None,
        };
        let mut is_over = false;
        if self.now >= expires {
            let enough = self.enough();
            let untried = standing.lived.grace.is_none_or(|grace| grace.looks == 0);
            if untried && looked && lived.looks >= enough && self.gap() <= self.foreseen() {
                is_over = true;
            } else {
                let grace = self.grace(looked);
                let tried = Duration::from_millis(grace.millis);
                is_over = (looked && grace.looks >= enough && tried >= span(lifetime))
                    || (tried >= lifetime && !lifetime.is_zero());
                lived.grace = Some(grace);
            }
        }
        Judged {
            is_over,
            expires,
            from,
            lived,
        }
    }

    /// From when the lifetime counts.
    fn from(&self) -> Moment {
        let known = (self.job.standing.lived.from).unwrap_or(self.job.message.arrived);
        let from = known.plus(self.stepped);
        if from > self.now.plus(SKEW) {
            self.now
        } else {
            from
        }
    }

    /// How long nothing was found out about the destination, without the steps of the clock.
    fn gap(&self) -> Duration {
        match self.job.standing.lived.looked {
            Some(looked) => self.now.since(looked).saturating_sub(self.stepped),
            None => self.now.since(self.from()),
        }
    }

    /// The time of grace with this attempt.
    fn grace(&self, looked: bool) -> Grace {
        let standing = &self.job.standing;
        let looks = u32::from(looked);
        match (standing.lived.grace, &standing.last) {
            (Some(grace), Some(last)) => {
                // Another gap counts as long as a pause, and no longer.
                let gap = self.now.since(last.at).min(self.pause());
                let millis = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
                Grace {
                    looks: grace.looks.saturating_add(looks),
                    millis: grace.millis.saturating_add(millis),
                }
            }
            (None, _) | (_, None) => Grace { looks, millis: 0 },
        }
    }

    /// The longest pause that the last attempt, or one of another job, may have led to.
    fn pause(&self) -> Duration {
        let retry = &self.settings.retry;
        let before = self.job.standing.attempts.saturating_sub(1);
        let own = doubled(retry.first.max(retry.dns), before, retry.longest);
        jittered(own.max(self.settings.pause.longest), 1.0)
    }

    /// The longest gap between two attempts that nothing unforeseen explains.
    fn foreseen(&self) -> Duration {
        self.pause() + span(self.settings.retry.lifetime)
    }

    /// How many attempts a lifetime has at least: fewer than [`LOOKS`] where it is that short.
    fn enough(&self) -> u32 {
        let retry = &self.settings.retry;
        let (mut attempts, mut time) = (1, Duration::ZERO);
        while attempts < LOOKS && time < retry.lifetime {
            let pause = doubled(retry.first, attempts - 1, retry.longest);
            time = time.saturating_add(jittered(pause, 1.0));
            attempts += 1;
        }
        attempts
    }
}

#[cfg(test)]
mod tests;
