//! The second pass: the message as it goes out.

use super::lines::{Lines, Piece};
use super::survey::{Treatment, is_removed};
use super::walk::{Entity, Field, Place, Position, Walk};
use super::{Encoding, MessageError, Survey, fields, fold};
use crate::eight_bit::{Base64, QuotedPrintable};
use std::sync::Arc;

/// Turns the spooled message into the one that is sent, chunk by chunk.
#[derive(Debug)]
pub struct Outflow {
    lines: Lines,
    second: SecondPass,
}

#[derive(Debug)]
struct SecondPass {
    survey: Arc<Survey>,
    encoding: Encoding,
    walk: Walk,
    begun: bool,
    encoder: Encoder,
}

/// The encoder of the part at hand.
#[derive(Debug)]
enum Encoder {
    None,
    QuotedPrintable(QuotedPrintable),
    Base64(Base64),
}

impl Outflow {
    /// At the beginning of the message that was surveyed.
    #[must_use]
    pub const fn new(survey: Arc<Survey>, encoding: Encoding) -> Self {
        Self {
            lines: Lines::new(),
            second: SecondPass {
                survey,
                encoding,
                walk: Walk::new(),
                begun: false,
                encoder: Encoder::None,
            },
        }
    }

    /// Takes the next chunk and appends what can be sent.
    ///
    /// # Errors
    /// [`MessageError`] when this is not the message that was surveyed.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), MessageError> {
        let second = &mut self.second;
        second.begin(out);
        self.lines.push(chunk, |piece| second.piece(piece, out))?;
        if self.lines.octets() > second.survey.spooled {
            return Err(MessageError::Changed);
        }
        Ok(())
    }

    /// The message ends: appends the rest.
    ///
    /// # Errors
    /// [`MessageError::Changed`] when it is not as long as the one that was surveyed.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), MessageError> {
        let second = &mut self.second;
        second.begin(out);
        self.lines.finish(|piece| second.piece(piece, out))?;
        if self.lines.octets() != second.survey.spooled {
            return Err(MessageError::Changed);
        }
        if let Encoder::Base64(base64) = &mut second.encoder {
            base64.finish_with_line_end(out);
        }
        second.encoder = Encoder::None;
        Ok(())
    }
}

impl SecondPass {
    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.begun {
            return;
        }
        self.begun = true;
        for field in &self.survey.added {
            let line = fields::line(*field, &self.survey.completion);
            out.extend_from_slice(line.as_bytes());
        }
    }

    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        let Position { place, cut_header } = self.walk.place(piece, &mut |_: usize, _: Entity| {});
        if place == Place::MboxMark || is_removed(place, self.survey.completion.blind_copies) {
            return;
        }
        if let Some(entity) = cut_header {
            let encoded = self.begin_part(entity, out);
            if entity == 0 || encoded {
                out.extend_from_slice(b"\r\n");
            }
        }
        match (self.encoding, place) {
            (Encoding::AsIs, _) | (_, Place::Between | Place::MboxMark) => write(piece, out),
            (Encoding::SevenBit, Place::Header { entity, field }) => {
                self.header_line(entity, field, piece, out);
            }
            (Encoding::SevenBit, Place::HeaderEnd { entity }) => {
                self.begin_part(entity, out);
                write(piece, out);
            }
            (Encoding::SevenBit, Place::Body { .. }) => match &mut self.encoder {
                Encoder::None => write(piece, out),
                Encoder::QuotedPrintable(encoder) => {
                    encoder.push(piece.octets, out);
                    if piece.last {
                        encoder.end_line(out);
                    }
                }
                Encoder::Base64(encoder) => {
                    encoder.push(piece.octets, out);
                    if piece.last {
                        encoder.end_line();
                    }
                }
            },
            (Encoding::SevenBit, Place::Boundary) => {
                if let Encoder::Base64(encoder) = &mut self.encoder {
                    encoder.finish(out);
                }
                self.encoder = Encoder::None;
                write(piece, out);
            }
        }
    }

    fn header_line(&self, entity: usize, field: Field, piece: Piece<'_>, out: &mut Vec<u8>) {
        if field == Field::TransferEncoding && self.treatment(entity) != Treatment::Keep {
            return;
        }
        let mut from = 0;
        if piece.first && piece.last {
            for at in fold::breaks(piece.octets).unwrap_or_default() {
                out.extend_from_slice(piece.octets.get(from..at).unwrap_or_default());
                out.extend_from_slice(b"\r\n");
                from = at;
            }
        }
        write(
            Piece {
                octets: piece.octets.get(from..).unwrap_or_default(),
                ..piece
            },
            out,
        );
    }

    fn treatment(&self, entity: usize) -> Treatment {
        self.survey
            .treatments
            .get(entity)
            .copied()
            .unwrap_or(Treatment::Keep)
    }

    /// At the end of a part's header under conversion: writes the fields that say how it is
    /// encoded. Whether the part is encoded.
    fn begin_part(&mut self, entity: usize, out: &mut Vec<u8>) -> bool {
        if self.encoding == Encoding::AsIs {
            return false;
        }
        let treatment = self.treatment(entity);
        self.encoder = match treatment {
            Treatment::Keep | Treatment::Relabel => Encoder::None,
            Treatment::QuotedPrintable => Encoder::QuotedPrintable(QuotedPrintable::default()),
            Treatment::Base64 => Encoder::Base64(Base64::default()),
        };
        if entity == 0 {
            let mime = self.survey.mime;
            if mime.version {
                out.extend_from_slice(b"MIME-Version: 1.0\r\n");
            }
            if let Some(content_type) = mime.content_type {
                out.extend_from_slice(format!("Content-Type: {content_type}\r\n").as_bytes());
            }
        }
        let word = match treatment {
            Treatment::Keep | Treatment::Relabel => return false,
            Treatment::QuotedPrintable => "quoted-printable",
            Treatment::Base64 => "base64",
        };
        out.extend_from_slice(format!("Content-Transfer-Encoding: {word}\r\n").as_bytes());
        true
    }
}

fn write(piece: Piece<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(piece.octets);
    if piece.last {
        out.extend_from_slice(b"\r\n");
    }
}
