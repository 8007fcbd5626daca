//! The first pass: what the message is and needs.

use super::content_type::{MediaKind, Transfer};
use super::lines::{Lines, Piece};
use super::walk::{Entity, Field, Place, Position, Walk};
use super::{
    Added, BlindCopies, Completion, Encoding, HeaderOctets, MAX_LINE, MessageError, TlsRequired,
    fields, fold,
};
use crate::eight_bit::Obstacle;

/// Reads a spooled message once, in chunks.
#[derive(Debug)]
pub struct Surveyor {
    lines: Lines,
    first: FirstPass,
}

#[derive(Debug)]
struct FirstPass {
    walk: Walk,
    completion: Completion,
    parts: Vec<Part>,
    /// Octets as they would be sent unchanged, without added fields.
    octets: u64,
    line_octets: u64,
    longest: u64,
    header: Utf8Check,
    body: Utf8Check,
    eight_bit: bool,
    header_obstacle: bool,
    between_obstacle: bool,
    seen: Vec<Field>,
}

/// What was found out about a part.
#[derive(Debug, Clone, Copy)]
struct Part {
    entity: Entity,
    /// Octets above 127, or lines of more than 998 octets.
    needs: bool,
    /// Octets in quoted-printable at most.
    quoted: u64,
    octets: u64,
}

/// What is done to a part when the message is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    Keep,
    /// Only its label changes: it is 7bit now.
    Relabel,
    QuotedPrintable,
    Base64,
}

impl Treatment {
    pub(super) const fn encodes(self) -> bool {
        matches!(self, Self::QuotedPrintable | Self::Base64)
    }
}

/// MIME fields that the message's header gets when it is converted and lacks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mime {
    pub(super) version: bool,
    pub(super) content_type: Option<&'static str>,
}

/// What the survey of a message found. The session decides by it and streams with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    pub(super) spooled: u64,
    pub(super) completion: Completion,
    pub(super) added: Vec<Added>,
    pub(super) treatments: Vec<Treatment>,
    pub(super) mime: Mime,
    octets: u64,
    converted_octets: u64,
    longest: u64,
    eight_bit: bool,
    header: HeaderOctets,
    tls_required: TlsRequired,
    obstacle: Option<Obstacle>,
}

impl Surveyor {
    /// At the beginning of a message.
    #[must_use]
    pub fn new(completion: Completion) -> Self {
        Self {
            lines: Lines::new(),
            first: FirstPass {
                walk: Walk::new(),
                completion,
                parts: Vec::new(),
                octets: 0,
                line_octets: 0,
                longest: 0,
                header: Utf8Check::new(),
                body: Utf8Check::new(),
                eight_bit: false,
                header_obstacle: false,
                between_obstacle: false,
                seen: Vec::new(),
            },
        }
    }

    /// Takes the next chunk, of any size.
    ///
    /// # Errors
    /// [`MessageError`] when the message cannot be sent at all.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), MessageError> {
        let first = &mut self.first;
        self.lines.push(chunk, |piece| first.piece(piece))
    }

    /// The message ends here.
    ///
    /// # Errors
    /// [`MessageError`] when the message cannot be sent at all.
    pub fn finish(mut self) -> Result<Survey, MessageError> {
        let first = &mut self.first;
        self.lines.finish(|piece| first.piece(piece))?;
        let parts = &mut first.parts;
        first
            .walk
            .finish(&mut |index, entity| learn(parts, index, entity));
        Ok(self.first.conclude(self.lines.octets()))
    }
}

fn learn(parts: &mut Vec<Part>, index: usize, entity: Entity) {
    // Parts end their headers in the order in which they begin; the fill is for nothing but
    // the case that this were ever untrue.
    while parts.len() <= index {
        parts.push(Part {
            entity,
            needs: false,
            quoted: 0,
            octets: 0,
        });
    }
    if let Some(part) = parts.get_mut(index) {
        part.entity = entity;
    }
}

impl FirstPass {
    fn piece(&mut self, piece: Piece<'_>) {
        let parts = &mut self.parts;
        let Position { place, cut_header } = self
            .walk
            .place(piece, &mut |index, entity| learn(parts, index, entity));
        let octets = piece.octets.len() as u64;
        let with_end = octets + if piece.last { 2 } else { 0 };
        if piece.first {
            self.line_octets = 0;
        }
        self.line_octets += octets;
        if place == Place::MboxMark || is_removed(place, self.completion.blind_copies) {
            return;
        }
        self.octets += with_end;
        if cut_header == Some(0) {
            self.octets += 2;
        }
        self.longest = self.longest.max(self.line_octets);
        let eight_bit = !piece.octets.is_ascii();
        self.eight_bit |= eight_bit;
        let long = self.line_octets > MAX_LINE;
        match place {
            Place::Header { entity, field } => {
                if entity == 0 {
                    self.header.push(piece.octets);
                    if piece.first && field != Field::Other && !self.seen.contains(&field) {
                        self.seen.push(field);
                    }
                } else {
                    self.header_obstacle |= eight_bit;
                }
                let whole = piece.first && piece.last;
                self.header_obstacle |= long && !(whole && fold::breaks(piece.octets).is_some());
            }
            Place::Body { entity } => {
                self.body.push(piece.octets);
                if let Some(part) = self.parts.get_mut(entity) {
                    part.needs |= eight_bit || long;
                    part.octets += with_end;
                    part.quoted += quoted_at_most(piece.octets);
                }
            }
            Place::Boundary | Place::Between => self.between_obstacle |= eight_bit || long,
            Place::HeaderEnd { .. } | Place::MboxMark => {}
        }
    }

    fn has(&self, field: Field) -> bool {
        self.seen.contains(&field)
    }

    fn conclude(self, spooled: u64) -> Survey {
        let added: Vec<Added> = [
            (Field::Date, Added::Date),
            (Field::From, Added::From),
            (Field::MessageId, Added::MessageId),
        ]
        .into_iter()
        .filter(|(field, _)| !self.has(*field))
        .map(|(_, added)| added)
        .collect();
        let in_front: u64 = added
            .iter()
            .map(|field| fields::line(*field, &self.completion).len() as u64)
            .sum();
        let treatments: Vec<Treatment> = self.parts.iter().map(Part::treatment).collect();
        let growth: u64 = self
            .parts
            .iter()
            .zip(&treatments)
            .map(|(part, treatment)| match treatment {
                Treatment::Keep | Treatment::Relabel => 0,
                Treatment::QuotedPrintable => part.quoted.saturating_sub(part.octets) + 200,
                Treatment::Base64 => part.octets / 2 + 200,
            })
            .sum();
        let typed = self.parts.first().is_some_and(|part| part.entity.typed);
        let mime = Mime {
            version: !self.has(Field::MimeVersion)
                && treatments.iter().any(|treatment| treatment.encodes()),
            content_type: match self.body.found() {
                _ if typed || !treatments.first().is_some_and(|it| it.encodes()) => None,
                HeaderOctets::Ascii => Some("text/plain; charset=us-ascii"),
                HeaderOctets::Utf8 | HeaderOctets::Undeclared => Some("text/plain; charset=utf-8"),
            },
        };
        let added_header =
            if added.contains(&Added::From) && self.completion.sender.needs_smtp_utf8() {
                HeaderOctets::Utf8
            } else {
                HeaderOctets::Ascii
            };
        let header = match (self.header.found(), added_header) {
            (HeaderOctets::Ascii, added) => added,
            (found, _) => found,
        };
        Survey {
            spooled,
            octets: self.octets + in_front,
            converted_octets: self.octets + in_front + growth + 200,
            longest: self.longest,
            eight_bit: self.eight_bit || added_header == HeaderOctets::Utf8,
            header,
            tls_required: if self.walk.says_tls_not_required() {
                TlsRequired::No
            } else {
                TlsRequired::Unsaid
            },
            obstacle: self.obstacle(typed),
            added,
            treatments,
            mime,
            completion: self.completion,
        }
    }

    fn obstacle(&self, typed: bool) -> Option<Obstacle> {
        if self.walk.is_lost() {
            return Some(Obstacle::Structure);
        }
        if self.header_obstacle || self.header.found() == HeaderOctets::Undeclared {
            return Some(Obstacle::Header);
        }
        if self.between_obstacle {
            return Some(Obstacle::BetweenParts);
        }
        if !typed && self.body.found() == HeaderOctets::Undeclared {
            return Some(Obstacle::UnknownCharset);
        }
        self.parts.iter().find_map(Part::obstacle)
    }
}

impl Part {
    fn obstacle(&self) -> Option<Obstacle> {
        if !self.needs {
            return None;
        }
        if self.entity.signed {
            return Some(Obstacle::Signed);
        }
        if !self.entity.transfer.is_identity() {
            return Some(Obstacle::Encoding);
        }
        (self.entity.kind == MediaKind::Fragment).then_some(Obstacle::Fragment)
    }

    fn treatment(&self) -> Treatment {
        let labelled = matches!(self.entity.transfer, Transfer::EightBit | Transfer::Binary);
        match (self.needs, self.entity.kind) {
            (true, MediaKind::Text) => Treatment::QuotedPrintable,
            (true, _) => Treatment::Base64,
            (false, _) if labelled && !self.entity.signed => Treatment::Relabel,
            (false, _) => Treatment::Keep,
        }
    }
}

/// Whether the line is taken out.
pub(super) fn is_removed(place: Place, blind_copies: BlindCopies) -> bool {
    blind_copies == BlindCopies::Remove
        && matches!(
            place,
            Place::Header {
                entity: 0,
                field: Field::Bcc
            }
        )
}

/// Octets in quoted-printable at most: three for each that may be encoded, and a soft line break
/// for every 73 characters.
fn quoted_at_most(octets: &[u8]) -> u64 {
    // Counted in blocks that an octet can count: the compiler makes vector instructions of this.
    let encoded: u64 = octets
        .chunks(usize::from(u8::MAX))
        .map(|block| {
            u64::from(block.iter().fold(0_u8, |count, octet| {
                count + u8::from(may_be_encoded(*octet))
            }))
        })
        .sum();
    let width = octets.len() as u64 + 2 * encoded;
    width + 4 + (width / 73 + 1) * 3
}

const fn may_be_encoded(octet: u8) -> bool {
    !matches!(octet, b'!'..=b'<' | b'>'..=b'~' | b' ' | b'\t')
}

/// Whether octets that come in pieces are ASCII, UTF-8 or neither.
#[derive(Debug)]
struct Utf8Check {
    found: HeaderOctets,
    tail: Vec<u8>,
}

impl Utf8Check {
    const fn new() -> Self {
        Self {
            found: HeaderOctets::Ascii,
            tail: Vec::new(),
        }
    }

    fn push(&mut self, octets: &[u8]) {
        if self.found == HeaderOctets::Undeclared || (self.tail.is_empty() && octets.is_ascii()) {
            return;
        }
        self.found = HeaderOctets::Utf8;
        self.tail.extend_from_slice(octets);
        match std::str::from_utf8(&self.tail) {
            Ok(_) => self.tail.clear(),
            Err(error) if error.error_len().is_none() => {
                self.tail.drain(..error.valid_up_to());
            }
            Err(_) => {
                self.found = HeaderOctets::Undeclared;
                self.tail = Vec::new();
            }
        }
    }

    fn found(&self) -> HeaderOctets {
        if self.tail.is_empty() {
            self.found
        } else {
            HeaderOctets::Undeclared
        }
    }
}

impl Survey {
    /// Octets of the message as it would be sent in that encoding: with CRLF line ends and added
    /// fields, without dot-stuffing (RFC 1870 §6.1). Exact unless converted; then an estimate
    /// from above.
    #[must_use]
    pub const fn octets(&self, encoding: Encoding) -> u64 {
        match encoding {
            Encoding::AsIs => self.octets,
            Encoding::SevenBit => self.converted_octets,
        }
    }

    /// Octets of the longest line, CRLF not counted.
    #[must_use]
    pub const fn longest_line(&self) -> u64 {
        self.longest
    }

    /// Whether a line is longer than [`MAX_LINE`].
    #[must_use]
    pub const fn has_long_lines(&self) -> bool {
        self.longest > MAX_LINE
    }

    /// Whether any octet is above 127, in header or body.
    #[must_use]
    pub const fn has_eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// What octets the message's header holds.
    #[must_use]
    pub const fn header_octets(&self) -> HeaderOctets {
        self.header
    }

    /// Whether the header asks for TLS to be optional (RFC 8689 §3). The ESMTP parameter
    /// REQUIRETLS beats it.
    #[must_use]
    pub const fn tls_required(&self) -> TlsRequired {
        self.tls_required
    }

    /// The fields that are added.
    #[must_use]
    pub fn added(&self) -> &[Added] {
        &self.added
    }

    /// Why the message cannot be converted; `None` when it can, or need not.
    #[must_use]
    pub const fn obstacle(&self) -> Option<Obstacle> {
        self.obstacle
    }
}
