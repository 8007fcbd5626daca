//! When which answer is to be renewed.

use crate::cache::Entry;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Longest time by which an answer is made ahead of its need. Shorter than what counts as nearly
/// over for DNS answers, so that those it rests on are asked for anew.
const LONGEST_AHEAD: Duration = Duration::from_secs(90);
/// Answers of shorter life are not renewed ahead: it would be a question a second.
const SHORTEST_LIFE: Duration = Duration::from_secs(5);
/// Appointments; above that, answers are renewed when they are asked for.
const MOST: usize = 1_000_000;

type Appointment = Reverse<(Instant, Arc<[u8]>)>;

/// The appointments, earliest first.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    appointments: Mutex<BinaryHeap<Appointment>>,
    changed: Notify,
}

/// When `entry` is to be renewed: an eighth of its life before its end, earlier if finding out took
/// long, never in the first half of its life.
pub(super) fn when(entry: &Entry) -> Instant {
    let life = entry.life.length();
    let before = (life / 8)
        .max(entry.took * 2)
        .min(life / 2)
        .min(LONGEST_AHEAD);
    entry.life.until - before
}

impl Agenda {
    /// Enters `entry`, if it lives long enough.
    pub(super) fn add(&self, key: &Arc<[u8]>, entry: &Entry, now: Instant) {
        if entry.life.length() < SHORTEST_LIFE || entry.life.until <= now {
            return;
        }
        let mut appointments = self
            .appointments
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if appointments.len() >= MOST {
            return;
        }
        let at = when(entry);
        let is_first = appointments
            .peek()
            .is_none_or(|Reverse((first, _))| at < *first);
        appointments.push(Reverse((at, Arc::clone(key))));
        drop(appointments);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// The next key that is due, when it is.
    pub(super) async fn next(&self) -> Arc<[u8]> {
        loop {
            let first = {
                let mut appointments = self
                    .appointments
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                match appointments.peek() {
                    Some(Reverse((at, _))) if *at <= Instant::now() => {
                        if let Some(Reverse((_, key))) = appointments.pop() {
                            return key;
                        }
                        None
                    }
                    Some(Reverse((at, _))) => Some(*at),
                    None => None,
                }
            };
            match first {
                Some(at) => {
                    tokio::select! {
                        () = sleep_until(at) => {}
                        () = self.changed.notified() => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }
}
