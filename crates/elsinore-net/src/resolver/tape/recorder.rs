//! Keeps what is asked and answered, within a bound.

use super::{Asked, TapeEntry, TapeOutcome};
use elsinore_dane::answer::Question;
use elsinore_dane::time::UnixTime;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Octets that a recorder keeps unless it is told otherwise: a check of a large domain takes a few
/// hundred kilobytes.
const DEFAULT_OCTETS: usize = 16 << 20;

/// What one resolver has asked so far.
#[derive(Debug)]
pub struct Recorder {
    kept: Mutex<Kept>,
    most_octets: usize,
}

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<TapeEntry>,
    /// The last entry of each question.
    last: HashMap<(Asked, Question), usize>,
    octets: usize,
    left_out: usize,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new(DEFAULT_OCTETS)
    }
}

impl Recorder {
    /// Keeps at most `most_octets`, replies and what they count for beside their length.
    #[must_use]
    pub fn new(most_octets: usize) -> Self {
        Self {
            kept: Mutex::default(),
            most_octets,
        }
    }

    /// All that was kept, in the order in which it ended.
    #[must_use]
    pub fn entries(&self) -> Vec<TapeEntry> {
        self.kept().entries.clone()
    }

    /// Entries that were left out because there was no room: a recording that lacks some cannot
    /// show everything.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.kept().left_out
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere leaves a recording that is at worst incomplete.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes one question and what came of it. The same again, as by several lookups that waited
    /// for one reply, is noted once.
    pub(in crate::resolver) fn note(&self, entry: TapeEntry) {
        let mut kept = self.kept();
        let key = (entry.asked.clone(), entry.question.clone());
        let before = kept.last.get(&key).and_then(|at| kept.entries.get(*at));
        let is_known = before
            .is_some_and(|before| before.server == entry.server && before.outcome == entry.outcome);
        let is_useless = before.is_some() && entry.outcome == TapeOutcome::Abandoned;
        if is_known || is_useless {
            return;
        }
        let octets = kept.octets + entry.octets();
        if octets > self.most_octets {
            kept.left_out += 1;
            return;
        }
        kept.octets = octets;
        let at = kept.entries.len();
        kept.entries.push(entry);
        kept.last.insert(key, at);
    }
}

/// A question under way. When it is dropped before its end, that is noted.
#[derive(Debug)]
pub(in crate::resolver) struct Pending {
    recorder: Arc<Recorder>,
    entry: Option<TapeEntry>,
    start: Instant,
}

impl Pending {
    pub(in crate::resolver) fn new(
        recorder: &Arc<Recorder>,
        asked: Asked,
        question: Question,
        now: UnixTime,
    ) -> Self {
        Self {
            recorder: Arc::clone(recorder),
            entry: Some(TapeEntry {
                asked,
                question,
                server: None,
                sent: now,
                elapsed: Duration::ZERO,
                outcome: TapeOutcome::Abandoned,
            }),
            start: Instant::now(),
        }
    }

    /// Notes the end of the question.
    pub(in crate::resolver) fn end(self, server: Option<SocketAddr>, outcome: TapeOutcome) {
        let elapsed = self.start.elapsed();
        self.end_after(elapsed, server, outcome);
    }

    /// Notes the end of the question, which took so long.
    pub(in crate::resolver) fn end_after(
        mut self,
        elapsed: Duration,
        server: Option<SocketAddr>,
        outcome: TapeOutcome,
    ) {
        self.note(elapsed, server, outcome);
    }

    fn note(&mut self, elapsed: Duration, server: Option<SocketAddr>, outcome: TapeOutcome) {
        if let Some(mut entry) = self.entry.take() {
            entry.server = server;
            entry.elapsed = elapsed;
            entry.outcome = outcome;
            self.recorder.note(entry);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.note(self.start.elapsed(), None, TapeOutcome::Abandoned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use elsinore_dane::answer::RecordType;

    fn entry(name: &str, outcome: TapeOutcome) -> TapeEntry {
        TapeEntry {
            asked: Asked::Zone("example".parse().unwrap()),
            question: Question::new(name.parse().unwrap(), RecordType::A),
            server: None,
            sent: UnixTime(0),
            elapsed: Duration::ZERO,
            outcome,
        }
    }

    fn reply(octets: &[u8]) -> TapeOutcome {
        TapeOutcome::Reply(octets.into())
    }

    #[tokio::test]
    async fn the_same_is_noted_once_and_the_abandoned_only_alone() {
        let recorder = Arc::new(Recorder::default());
        recorder.note(entry("a.example", TapeOutcome::Abandoned));
        recorder.note(entry("a.example", reply(&[1])));
        recorder.note(entry("a.example", reply(&[1])));
        recorder.note(entry("b.example", reply(&[1])));
        recorder.note(entry("a.example", reply(&[2])));
        recorder.note(entry("a.example", TapeOutcome::Abandoned));
        let question = entry("c.example", TapeOutcome::Abandoned).question;
        let asked = Asked::Zone("example".parse().unwrap());
        drop(Pending::new(&recorder, asked, question, UnixTime(7)));
        let outcomes: Vec<TapeOutcome> = recorder
            .entries()
            .into_iter()
            .map(|entry| entry.outcome)
            .collect();
        let expected = [
            TapeOutcome::Abandoned,
            reply(&[1]),
            reply(&[1]),
            reply(&[2]),
            TapeOutcome::Abandoned,
        ];
        assert_eq!(outcomes, expected);
        assert_eq!(recorder.left_out(), 0);
    }

    #[test]
    fn bounded() {
        let recorder = Recorder::new(1_000);
        for last in 0..10 {
            recorder.note(entry(&format!("{last}.example"), reply(&[last; 100])));
        }
        assert_eq!(recorder.entries().len(), 3);
        assert_eq!(recorder.left_out(), 7);
    }
}
