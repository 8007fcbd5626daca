//! How many lines strangers can have written about themselves: a bounded number a minute. What is left
//! out is counted, here and in the metrics.

use crate::event::{Event, Severity};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

/// Over which lines are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Lines about replies that refused something: ten a second.
const REFUSED: u64 = 600;
/// Lines about connections closed at the door.
const TURNED_AWAY: u64 = 120;
/// Lines with the same words about the relay itself, as about a disk that is full.
const SAME: u64 = 20;
/// Different such lines that are told apart; beyond them nothing is left out.
const MAX_TEXTS: usize = 200;

/// Counts the lines of the last minute.
#[derive(Debug)]
pub(super) struct Restraint {
    window: Instant,
    refused: u64,
    turned_away: u64,
    /// By the hash of their words.
    same: HashMap<u64, u64>,
    left_out: LeftOut,
    hasher: RandomState,
}

/// What was left out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct LeftOut {
    refused: u64,
    turned_away: u64,
    same: u64,
}

impl Restraint {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            window: now,
            refused: 0,
            turned_away: 0,
            same: HashMap::new(),
            left_out: LeftOut::default(),
            hasher: RandomState::new(),
        }
    }

    /// Called with every event: what was left out in the minute that has ended, to be said before it.
    pub(super) fn summary(&mut self, now: Instant) -> Option<Event> {
        if now.saturating_duration_since(self.window) < WINDOW {
            return None;
        }
        self.window = now;
        self.refused = 0;
        self.turned_away = 0;
        self.same.clear();
        let left_out = std::mem::take(&mut self.left_out);
        let parts: Vec<String> = [
            (left_out.refused, "refusals"),
            (left_out.turned_away, "connections turned away"),
            (left_out.same, "repetitions"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        (!parts.is_empty()).then(|| Event::Notice {
            severity: Severity::Warning,
            part: "log",
            text: format!("left out, there were too many: {}", parts.join(", ")),
        })
    }

    /// Whether `event` is written.
    pub(super) fn admits(&mut self, event: &Event) -> bool {
        let (count, most, left_out) = match event {
            Event::Refused { .. } => (&mut self.refused, REFUSED, &mut self.left_out.refused),
            Event::TurnedAway { .. } => (
                &mut self.turned_away,
                TURNED_AWAY,
                &mut self.left_out.turned_away,
            ),
            Event::Notice {
                severity: Severity::Error | Severity::Warning,
                part,
                text,
            } => {
                let hash = self.hasher.hash_one((part, text));
                if self.same.len() >= MAX_TEXTS && !self.same.contains_key(&hash) {
                    return true;
                }
                let count = self.same.entry(hash).or_insert(0);
                (count, SAME, &mut self.left_out.same)
            }
            Event::Notice {
                severity: Severity::Info,
                ..
            }
            | Event::Accepted { .. }
            | Event::Tried { .. }
            | Event::Recipient { .. }
            | Event::Notified { .. }
            | Event::Dropped { .. }
            | Event::ProtectionLost { .. }
            | Event::LeaseLost { .. } => return true,
        };
        *count = count.saturating_add(1);
        let admitted = *count <= most;
        if !admitted {
            *left_out = left_out.saturating_add(1);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TurnedAway;

    fn notice(severity: Severity, text: &str) -> Event {
        Event::Notice {
            severity,
            part: "store",
            text: text.to_owned(),
        }
    }

    #[test]
    fn floods_are_cut_and_counted() {
        let refused = Event::Refused {
            client: "192.0.2.1".to_owned(),
            code: 550,
            text: String::new(),
        };
        let away = Event::TurnedAway {
            client: "192.0.2.1".to_owned(),
            why: TurnedAway::NotAllowed,
        };
        let start = Instant::now();
        let mut restraint = Restraint::new(start);
        for (event, admitted) in [
            (refused, 600),
            (away, 120),
            (notice(Severity::Error, "full"), 20),
            (notice(Severity::Warning, "full"), 0),
            (notice(Severity::Error, "fuller"), 20),
            (notice(Severity::Info, "fine"), 1000),
        ] {
            let count = (0..1000).filter(|_| restraint.admits(&event)).count();
            assert_eq!(count, admitted, "{event:?}");
        }
        assert!(restraint.summary(start).is_none());
        let Some(Event::Notice { text, .. }) = restraint.summary(start + WINDOW) else {
            panic!("nothing said");
        };
        assert_eq!(
            text,
            "left out, there were too many: 400 refusals, 880 connections turned away, \
             2960 repetitions"
        );
        assert!(restraint.summary(start + WINDOW * 2).is_none());
        assert!(restraint.admits(&notice(Severity::Error, "full")));
    }
}
