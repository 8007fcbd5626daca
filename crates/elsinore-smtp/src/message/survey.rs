//! The first pass: what the message is and needs.

use super::lines::Lines;
use super::{Added, Completion, Encoding, HeaderOctets, MessageError, TlsRequired};
use crate::eight_bit::Obstacle;

/// Reads a spooled message once, in chunks.
#[derive(Debug)]
pub struct Surveyor {
    lines: Lines,
    survey: Survey,
}

/// What the survey of a message found. The session decides by it and streams with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    pub(super) spooled: u64,
    octets: u64,
    longest: u64,
    completion: Completion,
}

impl Surveyor {
    /// At the beginning of a message.
    #[must_use]
    pub fn new(completion: Completion) -> Self {
        Self {
            lines: Lines::new(),
            survey: Survey {
                spooled: 0,
                octets: 0,
                longest: 0,
                completion,
            },
        }
    }

    /// Takes the next chunk, of any size.
    ///
    /// # Errors
    /// [`MessageError`] when the message cannot be sent at all.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), MessageError> {
        let survey = &mut self.survey;
        self.lines.push(chunk, |piece| {
            survey.octets += piece.octets.len() as u64 + if piece.last { 2 } else { 0 };
        })
    }

    /// The message ends here.
    ///
    /// # Errors
    /// [`MessageError`] when the message cannot be sent at all.
    pub fn finish(mut self) -> Result<Survey, MessageError> {
        let survey = &mut self.survey;
        self.lines
            .finish(|piece| survey.octets += piece.octets.len() as u64 + 2)?;
        self.survey.spooled = self.lines.octets();
        Ok(self.survey)
    }
}

impl Survey {
    /// Octets of the message as it would be sent in that encoding: with CRLF line ends and added
    /// fields, without dot-stuffing (RFC 1870 §6.1). Exact unless converted; then an estimate
    /// from above.
    #[must_use]
    pub fn octets(&self, _encoding: Encoding) -> u64 {
        self.octets
    }

    /// Octets of the longest line, CRLF not counted.
    #[must_use]
    pub const fn longest_line(&self) -> u64 {
        self.longest
    }

    /// Whether a line is longer than [`super::MAX_LINE`].
    #[must_use]
    pub const fn has_long_lines(&self) -> bool {
        self.longest > super::MAX_LINE
    }

    /// Whether any octet is above 127, in header or body.
    #[must_use]
    pub const fn has_eight_bit(&self) -> bool {
        false
    }

    /// What octets the message's header holds.
    #[must_use]
    pub const fn header_octets(&self) -> HeaderOctets {
        HeaderOctets::Ascii
    }

    /// Whether the header asks for TLS to be optional.
    #[must_use]
    pub const fn tls_required(&self) -> TlsRequired {
        TlsRequired::Unsaid
    }

    /// The fields that are added.
    #[must_use]
    pub fn added(&self) -> &[Added] {
        &[]
    }

    /// Why the message cannot be converted; `None` when it can, or need not.
    #[must_use]
    pub const fn obstacle(&self) -> Option<Obstacle> {
        None
    }
}
