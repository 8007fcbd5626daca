//! The lines of a file, comments and empty ones left out.

use super::{Fault, fault};
use std::iter::Enumerate;
use std::str;

/// The lines that say something, trimmed, with their numbers.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    lines: Enumerate<str::Lines<'a>>,
    number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            lines: text.lines().enumerate(),
            number: 0,
        }
    }

    /// Number of the line that was read last, from 1.
    pub(super) const fn number(&self) -> usize {
        self.number
    }

    /// The next line whatever it holds, untrimmed.
    pub(super) fn next_raw(&mut self) -> Option<&'a str> {
        let (index, line) = self.lines.next()?;
        self.number = index + 1;
        Some(line)
    }

    /// The next line that is neither empty nor a comment (`;` or `#` at its beginning).
    pub(super) fn next(&mut self) -> Option<(usize, &'a str)> {
        loop {
            let line = self.next_raw()?.trim();
            if !line.is_empty() && !line.starts_with([';', '#']) {
                return Some((self.number, line));
            }
        }
    }

    /// The next line, where the file may not end before `expected`.
    pub(super) fn next_required(&mut self, expected: &str) -> Result<(usize, &'a str), Fault> {
        self.next()
            .ok_or_else(|| fault(self.number, format!("the file ends before {expected}")))
    }

    /// The lines up to `end`, as they are.
    pub(super) fn block(&mut self, end: &str) -> Result<Vec<&'a str>, Fault> {
        let mut block = Vec::new();
        loop {
            let line = self
                .next_raw()
                .ok_or_else(|| fault(self.number, format!("the file ends before {end}")))?;
            if line.trim().starts_with(end) {
                return Ok(block);
            }
            block.push(line);
        }
    }
}

/// The first word of a line, and the rest without a comment at its end when the word begins a
/// directive (records keep theirs: a `;` may stand in a quoted string).
pub(super) fn keyword(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let word = word.split([';', '#']).next().unwrap_or(word);
    let rest = rest.split([';', '#']).next().unwrap_or(rest);
    (word, rest.trim())
}
