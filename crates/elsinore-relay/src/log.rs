//! What the relay says of itself: one line for each thing that happened, on stderr.
//!
//! Lines are made where things happen and written by a thread of their own. Nobody waits for it: when
//! whoever reads stderr is stuck, lines are dropped, and how many is said as soon as it reads again.
//! Clients cannot fill it: of what they can bring about without a message, a bounded number of lines is
//! written in a minute.

pub mod line;
mod restraint;

use crate::event::{Event, Journal, Severity};
use line::{Form, Line};
use restraint::Restraint;
use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines that may wait to be written.
const WAITING: usize = 8192;
/// Octets that are written at once.
const BLOCK: usize = 64 * 1024;

/// What stands in front of each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// The priority as the journal of systemd wants it, `<6>`; it has the time itself.
    Priority,
    /// The time (RFC 3339, UTC).
    Time,
}

impl Prefix {
    /// What suits this process' stderr: [`Priority`](Self::Priority) when it is the stream that
    /// systemd names in `JOURNAL_STREAM` (device and inode, systemd.exec(5)).
    #[must_use]
    pub fn of_stderr() -> Self {
        let Some(named) = std::env::var_os("JOURNAL_STREAM") else {
            return Self::Time;
        };
        let Ok(stat) = rustix::fs::fstat(std::io::stderr()) else {
            return Self::Time;
        };
        if named.to_str() == Some(&format!("{}:{}", stat.st_dev, stat.st_ino)) {
            Self::Priority
        } else {
            Self::Time
        }
    }
}

/// The log: a [`Journal`] that writes lines.
pub struct Log {
    lines: Mutex<Option<SyncSender<Line>>>,
    restraint: Mutex<Restraint>,
    dropped: Arc<AtomicU64>,
    json: AtomicBool,
    done: Mutex<Receiver<()>>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Log {
    /// A log that writes to `out` from a thread of its own.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn new(
        out: impl Write + Send + 'static,
        form: Form,
        prefix: Prefix,
    ) -> std::io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING);
        let (ended, done) = sync_channel(1);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                write_all(&waiting, out, prefix, &counted);
                // Nobody waits when the log was left without a word.
                let _ = ended.send(());
            })?;
        Ok(Self {
            lines: Mutex::new(Some(lines)),
            restraint: Mutex::new(Restraint::new(Instant::now())),
            dropped,
            json: AtomicBool::new(form == Form::Json),
            done: Mutex::new(done),
        })
    }

    /// Lines have another form from now on.
    pub fn set_form(&self, form: Form) {
        self.json.store(form == Form::Json, Ordering::Relaxed);
    }

    /// Lines that were dropped and not yet spoken of.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Says something of the relay itself.
    pub fn say(&self, severity: Severity, part: &'static str, text: impl Into<String>) {
        self.note(&Event::Notice {
            severity,
            part,
            text: text.into(),
        });
    }

    /// Waits until every line is written, for at most `bound`; the answer says whether they are. What
    /// is noted afterwards is lost. Blocks the thread.
    pub fn finish(&self, bound: Duration) -> bool {
        drop(
            self.lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread may have ended before: then there is nothing left to write either.
        !matches!(done.recv_timeout(bound), Err(RecvTimeoutError::Timeout))
    }
}

impl Journal for Log {
    fn note(&self, event: &Event) {
        let form = match self.json.load(Ordering::Relaxed) {
            true => Form::Json,
            false => Form::Text,
        };
        let (summary, admitted) = {
            let mut restraint = self
                .restraint
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            (restraint.summary(Instant::now()), restraint.admits(event))
        };
        let mut lines = Vec::new();
        for event in summary.iter().chain(admitted.then_some(event)) {
            lines.extend(line::lines(event, form));
        }
        let sender = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else {
            return;
        };
        for line in lines {
            match sender.try_send(line) {
                Ok(()) => {}
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Writes lines until nobody can send any more, as many at once as wait.
fn write_all(waiting: &Receiver<Line>, mut out: impl Write, prefix: Prefix, dropped: &AtomicU64) {
    let mut block = Vec::with_capacity(BLOCK);
    while let Ok(first) = waiting.recv() {
        block.clear();
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let event = Event::Notice {
                severity: Severity::Warning,
                part: "log",
                text: format!("{lost} lines were dropped, nobody read them in time"),
            };
            for line in line::lines(&event, first.form) {
                append(&mut block, &line, prefix);
            }
        }
        append(&mut block, &first, prefix);
        while block.len() < BLOCK {
            match waiting.try_recv() {
                Ok(line) => append(&mut block, &line, prefix),
                Err(_) => break,
            }
        }
        // stderr is the last resort: when it is gone there is nobody to tell.
        let _ = out.write_all(&block).and_then(|()| out.flush());
    }
}

fn append(block: &mut Vec<u8>, line: &Line, prefix: Prefix) {
    let now = jiff::Timestamp::now();
    let mut text = line.text.as_str();
    // Writing to a Vec does not fail.
    let _ = match (prefix, line.form) {
        (Prefix::Priority, _) => write!(block, "<{}>", line.priority()),
        (Prefix::Time, Form::Text) => write!(block, "{now:.3} "),
        (Prefix::Time, Form::Json) => {
            text = text.strip_prefix('{').unwrap_or(text);
            write!(block, "{{\"time\":\"{now:.3}\",")
        }
    };
    block.extend_from_slice(text.as_bytes());
    block.push(b'\n');
}

#[cfg(test)]
mod tests;
