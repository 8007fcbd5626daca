//! What a store finds wrong with single jobs, until somebody takes it to the log.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Complaints that are kept; then the oldest go.
const KEPT: usize = 100;
/// The longest text about a damaged entry, in characters.
const LONGEST: usize = 200;

/// Lines for the log.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<VecDeque<String>>);

impl Complaints {
    /// Keeps one.
    pub(crate) fn note(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Keeps that job `job` for `destination` is held because its entry cannot be read.
    pub(crate) fn held(&self, job: i64, destination: &str, why: &str) {
        self.note(format!("job {job} for {destination} is held: {why}"));
    }

    /// Gives them all away.
    pub(crate) fn take(&self) -> Vec<String> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.drain(..).collect()
    }
}

/// Why a job is held whose entry cannot be read. The text may quote what stands there.
pub(crate) fn unreadable(why: &str) -> String {
    let why: String = why
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    format!("its entry cannot be read: {why}")
}
