//! Lines out of chunks: LF or CRLF ends a line, a lone CR and NUL end the message.

use super::MessageError;
use memchr::memchr3;

/// Octets of a line up to which it is handed on in one piece.
pub(super) const WHOLE_LINE: usize = 8192;

/// A line, or a piece of one longer than [`WHOLE_LINE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The octets, without line end.
    pub(super) octets: &'a [u8],
    /// Whether the line begins here.
    pub(super) first: bool,
    /// Whether the line ends here.
    pub(super) last: bool,
}

/// The splitter. Its pieces do not depend on how the chunks are split.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    first: bool,
    after_cr: bool,
    line: u64,
    octets: u64,
}

impl Lines {
    pub(super) const fn new() -> Self {
        Self {
            buffer: Vec::new(),
            first: true,
            after_cr: false,
            line: 1,
            octets: 0,
        }
    }

    /// Octets taken so far.
    pub(super) const fn octets(&self) -> u64 {
        self.octets
    }

    /// Hands each piece that is complete to `take`.
    pub(super) fn push(
        &mut self,
        mut chunk: &[u8],
        mut take: impl FnMut(Piece<'_>),
    ) -> Result<(), MessageError> {
        self.octets += chunk.len() as u64;
        while let Some(first) = chunk.first() {
            if self.after_cr && *first != b'\n' {
                return Err(MessageError::LoneCr { line: self.line });
            }
            let special = memchr3(b'\n', b'\r', 0, chunk);
            if let Some((line, rest)) = self.whole_line(chunk, special) {
                take(Piece {
                    octets: line,
                    first: true,
                    last: true,
                });
                self.line += 1;
                chunk = rest;
                continue;
            }
            let (plain, rest) = chunk.split_at(special.unwrap_or(chunk.len()));
            self.append(plain, &mut take);
            let Some((special, rest)) = rest.split_first() else {
                return Ok(());
            };
            chunk = rest;
            match special {
                b'\n' => {
                    self.after_cr = false;
                    take(Piece {
                        octets: &self.buffer,
                        first: self.first,
                        last: true,
                    });
                    self.buffer.clear();
                    self.first = true;
                    self.line += 1;
                }
                b'\r' => self.after_cr = true,
                _ => return Err(MessageError::Nul { line: self.line }),
            }
        }
        Ok(())
    }

    /// A line that lies whole in the chunk, as most do, and what follows it. It need not be
    /// copied together.
    fn whole_line<'a>(
        &self,
        chunk: &'a [u8],
        special: Option<usize>,
    ) -> Option<(&'a [u8], &'a [u8])> {
        let (line, end) = chunk.split_at_checked(special?)?;
        let rest = end
            .strip_prefix(b"\r\n")
            .or_else(|| end.strip_prefix(b"\n"))?;
        let begins_here = self.first && self.buffer.is_empty() && !self.after_cr;
        (begins_here && line.len() <= WHOLE_LINE).then_some((line, rest))
    }

    fn append(&mut self, mut plain: &[u8], take: &mut impl FnMut(Piece<'_>)) {
        while !plain.is_empty() {
            if self.buffer.len() == WHOLE_LINE {
                take(Piece {
                    octets: &self.buffer,
                    first: self.first,
                    last: false,
                });
                self.buffer.clear();
                self.first = false;
            }
            let room = WHOLE_LINE - self.buffer.len();
            let (now, later) = plain.split_at(room.min(plain.len()));
            self.buffer.extend_from_slice(now);
            plain = later;
        }
    }

    /// The message ends: a last line without line end gets one.
    pub(super) fn finish(&mut self, mut take: impl FnMut(Piece<'_>)) -> Result<(), MessageError> {
        if self.after_cr {
            return Err(MessageError::LoneCr { line: self.line });
        }
        if !self.buffer.is_empty() {
            take(Piece {
                octets: &self.buffer,
                first: self.first,
                last: true,
            });
            self.buffer.clear();
            self.first = true;
        }
        Ok(())
    }
}
