//! The second pass: the message as it goes out.

use super::lines::Lines;
use super::{Encoding, MessageError, Survey};
use std::sync::Arc;

/// Turns the spooled message into the one that is sent, chunk by chunk.
#[derive(Debug)]
pub struct Outflow {
    survey: Arc<Survey>,
    lines: Lines,
}

impl Outflow {
    /// At the beginning of the message that was surveyed.
    #[must_use]
    pub const fn new(survey: Arc<Survey>, _encoding: Encoding) -> Self {
        Self {
            survey,
            lines: Lines::new(),
        }
    }

    /// Takes the next chunk and appends what can be sent.
    ///
    /// # Errors
    /// [`MessageError`] when this is not the message that was surveyed.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), MessageError> {
        self.lines.push(chunk, |piece| {
            out.extend_from_slice(piece.octets);
            if piece.last {
                out.extend_from_slice(b"\r\n");
            }
        })
    }

    /// The message ends: appends the rest.
    ///
    /// # Errors
    /// [`MessageError::Changed`] when it is not as long as the one that was surveyed.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), MessageError> {
        self.lines.finish(|piece| {
            out.extend_from_slice(piece.octets);
            out.extend_from_slice(b"\r\n");
        })?;
        if self.lines.octets() != self.survey.spooled {
            return Err(MessageError::Changed);
        }
        Ok(())
    }
}
