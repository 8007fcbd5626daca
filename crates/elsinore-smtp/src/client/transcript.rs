//! What was said, for show: bounded, printable, without the message itself.

use crate::reply::Reply;
use crate::text::excerpt;
use std::fmt;

/// Entries kept.
const MAX_ENTRIES: usize = 400;
/// Characters kept of one entry.
const MAX_TEXT: usize = 400;

/// One line of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The client said this.
    Client(String),
    /// The server said this (one line of a reply).
    Server(String),
    /// Something happened that is no line: TLS, the message content, a lost connection.
    Note(String),
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(text) => write!(f, "C: {text}"),
            Self::Server(text) => write!(f, "S: {text}"),
            Self::Note(text) => write!(f, "({text})"),
        }
    }
}

/// Whether what is said is written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Transcripts {
    /// It is.
    #[default]
    Kept,
    /// It is not: for a sender of many messages, whom it would cost more than it tells.
    NotKept,
}

/// The dialogue of one session: its first 400 entries, each cut to 400 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcript {
    entries: Vec<Entry>,
    omitted: usize,
    kept: Transcripts,
}

impl Transcript {
    /// The entries in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many entries at the end were left out.
    #[must_use]
    pub const fn omitted(&self) -> usize {
        self.omitted
    }

    pub(super) const fn new(kept: Transcripts) -> Self {
        Self {
            entries: Vec::new(),
            omitted: 0,
            kept,
        }
    }

    /// What was said so far; what follows is written down apart.
    pub(super) fn take(&mut self) -> Self {
        let next = Self::new(self.kept);
        std::mem::replace(self, next)
    }

    pub(super) fn reply(&mut self, reply: &Reply) {
        if self.kept == Transcripts::Kept {
            for line in reply.lines() {
                self.server(&format!("{} {line}", reply.code()));
            }
        }
    }

    fn push(&mut self, entry: impl FnOnce(String) -> Entry, text: &str) {
        if self.kept == Transcripts::NotKept {
            return;
        }
        if self.entries.len() >= MAX_ENTRIES {
            self.omitted += 1;
            return;
        }
        self.entries.push(entry(excerpt(text.as_bytes(), MAX_TEXT)));
    }

    pub(super) fn client(&mut self, text: &str) {
        self.push(Entry::Client, text);
    }

    pub(super) fn server(&mut self, text: &str) {
        self.push(Entry::Server, text);
    }

    pub(super) fn note(&mut self, text: &str) {
        self.push(Entry::Note, text);
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            writeln!(f, "{entry}")?;
        }
        if self.omitted > 0 {
            writeln!(f, "({} more)", self.omitted)?;
        }
        Ok(())
    }
}
