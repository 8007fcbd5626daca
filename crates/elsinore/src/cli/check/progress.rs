//! A line on stderr that says how far a check has come, where somebody looks at it.

use elsinore_check::measure::Progress;
use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Columns of the bar itself.
const BAR: usize = 24;
/// How often the line is drawn.
const TICK: Duration = Duration::from_millis(200);

/// What is counted while domains are checked.
#[derive(Debug)]
pub(super) struct Counts {
    total: usize,
    done: AtomicUsize,
    sessions: AtomicUsize,
    latest: Mutex<String>,
    began: Instant,
}

impl Counts {
    pub(super) fn new(total: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            done: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            latest: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// Takes in one step of one check.
    pub(super) fn see(&self, progress: Progress) {
        match progress {
            Progress::Began { domain } => {
                *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = domain.to_string();
            }
            Progress::Met { sessions, .. } => {
                self.sessions.fetch_add(sessions, Ordering::Relaxed);
            }
            Progress::Planned { .. } | Progress::LaneDone { .. } => {}
            Progress::Ended => {
                self.done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn line(&self) -> String {
        let done = self.done.load(Ordering::Relaxed).min(self.total);
        let latest = self
            .latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        line(
            done,
            self.total,
            self.sessions.load(Ordering::Relaxed),
            self.began.elapsed().as_secs(),
            &latest,
        )
    }
}

/// At most 79 columns: a terminal of 80 does not go on to the next line. Names are ASCII.
fn line(done: usize, total: usize, sessions: usize, seconds: u64, latest: &str) -> String {
    let full = (done * BAR).checked_div(total).unwrap_or(0).min(BAR);
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(BAR - full));
    let text = format!("[{bar}] {done}/{total}, {sessions} sessions, {seconds} s  {latest}");
    text.chars().take(79).collect()
}

/// The line on stderr, if that is a terminal; wiped away when dropped.
#[derive(Debug)]
pub(super) struct Bar(Option<JoinHandle<()>>);

impl Bar {
    /// Draws `counts` from now on.
    pub(super) fn draw(counts: &Arc<Counts>) -> Self {
        if !stderr().is_terminal() {
            return Self(None);
        }
        let counts = Arc::clone(counts);
        Self(Some(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                // Nobody is harmed by a bar that cannot be drawn, here and below.
                let _ = write!(stderr(), "\r\u{1b}[K{}", counts.line());
            }
        })))
    }

    /// Makes room for a line on stdout, which may be the same terminal.
    pub(super) fn step_aside(&self) {
        if self.0.is_some() {
            let _ = write!(stderr(), "\r\u{1b}[K");
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.step_aside();
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (done, total, expected) in [
            (
                0,
                4,
                "[------------------------] 0/4, 7 sessions, 3 s  example.org",
            ),
            (
                1,
                4,
                "[######------------------] 1/4, 7 sessions, 3 s  example.org",
            ),
            (
                4,
                4,
                "[########################] 4/4, 7 sessions, 3 s  example.org",
            ),
            (
                0,
                0,
                "[------------------------] 0/0, 7 sessions, 3 s  example.org",
            ),
        ] {
            assert_eq!(line(done, total, 7, 3, "example.org"), expected);
        }
        let long = line(10_000, 10_000, 123_456, 99_999, &"x".repeat(250));
        assert_eq!(long.len(), 79);
    }
}
