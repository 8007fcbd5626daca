//! Where in a message a line stands: header, body of a part, boundary. Both passes walk the same
//! way, so what the first found out about a part holds in the second.

use super::content_type::{ContentType, MediaKind, Transfer};
use super::lines::Piece;

/// Parts followed; a message with more cannot be converted.
const MAX_PARTS: usize = 10_000;
/// Depth of nesting followed.
const MAX_DEPTH: usize = 32;
/// Octets of a field value that are read.
const MAX_VALUE: usize = 4096;

/// A header field that means something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Date,
    MessageId,
    From,
    Bcc,
    TlsRequired,
    MimeVersion,
    ContentType,
    TransferEncoding,
    Other,
}

impl Field {
    fn named(name: &[u8]) -> Self {
        const NAMES: [(&[u8], Field); 9] = [
            (b"date", Field::Date),
            (b"message-id", Field::MessageId),
            (b"from", Field::From),
            (b"bcc", Field::Bcc),
            (b"resent-bcc", Field::Bcc),
            (b"tls-required", Field::TlsRequired),
            (b"mime-version", Field::MimeVersion),
            (b"content-type", Field::ContentType),
            (b"content-transfer-encoding", Field::TransferEncoding),
        ];
        NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map_or(Self::Other, |(_, field)| *field)
    }
}

/// What a piece of a line is. Entities are counted from 0, the message itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The `From ` line of an mbox file.
    MboxMark,
    /// A line of a header field.
    Header { entity: usize, field: Field },
    /// The empty line behind a header.
    HeaderEnd { entity: usize },
    /// Content of a part that has no parts.
    Body { entity: usize },
    /// A boundary.
    Boundary,
    /// Text before, after or between parts.
    Between,
}

/// A piece's place, and whether a header ended just before it without an empty line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) place: Place,
    pub(super) cut_header: Option<usize>,
}

/// What the walk learnt of a part when its header ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) kind: MediaKind,
    pub(super) transfer: Transfer,
    /// Inside a `multipart/signed`.
    pub(super) signed: bool,
    /// Whether the header names a Content-Type.
    pub(super) typed: bool,
}

#[derive(Debug, Clone)]
struct Frame {
    boundary: Vec<u8>,
    signed: bool,
    digest: bool,
}

#[derive(Debug, Clone)]
enum State {
    Start,
    Header(Header),
    Body(usize),
    Between,
}

/// A header being read.
#[derive(Debug, Clone)]
struct Header {
    entity: usize,
    field: Option<Field>,
    value: Vec<u8>,
    content_type: Option<ContentType>,
    transfer: Option<Transfer>,
    digest: bool,
}

impl Header {
    const fn new(entity: usize, digest: bool) -> Self {
        Self {
            entity,
            field: None,
            value: Vec::new(),
            content_type: None,
            transfer: None,
            digest,
        }
    }
}

/// The walk. Feed it every piece in order.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    state: State,
    stack: Vec<Frame>,
    entities: usize,
    /// The place of the line whose first piece was seen last.
    line: Position,
    /// Values too long, parts too many, nesting too deep: the structure is not followed to its end.
    lost: bool,
    tls_required_no: bool,
}

impl Walk {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Start,
            stack: Vec::new(),
            entities: 1,
            line: Position {
                place: Place::Between,
                cut_header: None,
            },
            lost: false,
            tls_required_no: false,
        }
    }

    /// Whether the structure was too large to follow.
    pub(super) const fn is_lost(&self) -> bool {
        self.lost
    }

    /// Whether the message's header says `TLS-Required: No` (RFC 8689 §3).
    pub(super) const fn says_tls_not_required(&self) -> bool {
        self.tls_required_no
    }

    /// The place of a piece. `learnt` is told of each part when its header ends.
    pub(super) fn place(
        &mut self,
        piece: Piece<'_>,
        learnt: &mut impl FnMut(usize, Entity),
    ) -> Position {
        if !piece.first {
            if let State::Header(header) = &mut self.state {
                collect(header, piece.octets, &mut self.lost);
            }
            return Position {
                cut_header: None,
                ..self.line
            };
        }
        let mut cut_header = None;
        let place = loop {
            if let Some(place) = self.boundary(piece, &mut cut_header, learnt) {
                break place;
            }
            match &mut self.state {
                State::Start => {
                    self.state = State::Header(Header::new(0, false));
                    if is_mbox_mark(piece.octets) {
                        break Place::MboxMark;
                    }
                }
                State::Header(header) => {
                    let entity = header.entity;
                    if piece.octets.is_empty() && piece.last {
                        self.end_header(learnt);
                        break Place::HeaderEnd { entity };
                    }
                    if let Some(field) = self.field(piece.octets) {
                        break Place::Header { entity, field };
                    }
                    self.end_header(learnt);
                    cut_header.get_or_insert(entity);
                    // An enclosed message behind a header without end: no place for new fields.
                    self.lost |= matches!(self.state, State::Header(_));
                }
                State::Body(entity) => break Place::Body { entity: *entity },
                State::Between => break Place::Between,
            }
        };
        self.line = Position { place, cut_header };
        self.line
    }

    /// The message ends.
    pub(super) fn finish(&mut self, learnt: &mut impl FnMut(usize, Entity)) {
        if matches!(self.state, State::Start) {
            self.state = State::Header(Header::new(0, false));
        }
        // A header that is all there is of an enclosed message leads to one more header.
        for _ in 0..MAX_DEPTH {
            if !matches!(self.state, State::Header(_)) {
                break;
            }
            self.end_header(learnt);
        }
    }

    /// A line of the header, or `None` when it is no field and continues none.
    fn field(&mut self, octets: &[u8]) -> Option<Field> {
        if matches!(octets.first(), Some(b' ' | b'\t')) {
            let State::Header(header) = &mut self.state else {
                return None;
            };
            let field = header.field?;
            collect(header, octets, &mut self.lost);
            return Some(field);
        }
        let colon = octets.iter().position(|octet| *octet == b':')?;
        let (name, rest) = octets.split_at(colon);
        let name = name.trim_ascii_end();
        if name.is_empty() || !name.iter().all(|octet| matches!(octet, b'!'..=b'~')) {
            return None;
        }
        self.end_field();
        let State::Header(header) = &mut self.state else {
            return None;
        };
        let field = Field::named(name);
        header.field = Some(field);
        header.value.clear();
        collect(header, rest.get(1..).unwrap_or_default(), &mut self.lost);
        Some(field)
    }

    /// Interprets the field that has just been read to its end.
    fn end_field(&mut self) {
        let State::Header(header) = &mut self.state else {
            return;
        };
        match header.field.take() {
            Some(Field::ContentType) if header.content_type.is_none() => {
                header.content_type = Some(ContentType::parse(&header.value));
            }
            Some(Field::TransferEncoding) if header.transfer.is_none() => {
                header.transfer = Some(Transfer::parse(&header.value));
            }
            Some(Field::TlsRequired) if header.entity == 0 => {
                self.tls_required_no |= header.value.trim_ascii().eq_ignore_ascii_case(b"no");
            }
            _ => {}
        }
    }

    fn end_header(&mut self, learnt: &mut impl FnMut(usize, Entity)) {
        self.end_field();
        let State::Header(header) = &self.state else {
            return;
        };
        let entity = header.entity;
        let typed = header.content_type.is_some();
        let content_type = header.content_type.clone().unwrap_or_else(|| {
            if header.digest {
                ContentType::enclosed_message()
            } else {
                ContentType::plain_text()
            }
        });
        let transfer = header.transfer.unwrap_or(Transfer::SevenBit);
        let known = Entity {
            kind: content_type.kind,
            transfer,
            signed: self.stack.iter().any(|frame| frame.signed),
            typed,
        };
        learnt(entity, known);
        self.state = match (content_type.kind, content_type.boundary) {
            // An encoded multipart or message (RFC 2045 §6.4 forbids it) is opaque.
            _ if !transfer.is_identity() => State::Body(entity),
            (MediaKind::Multipart | MediaKind::Signed | MediaKind::Digest, Some(boundary))
                if self.stack.len() < MAX_DEPTH =>
            {
                self.stack.push(Frame {
                    boundary,
                    signed: content_type.kind == MediaKind::Signed,
                    digest: content_type.kind == MediaKind::Digest,
                });
                State::Between
            }
            (MediaKind::Multipart | MediaKind::Signed | MediaKind::Digest, _) => {
                self.lost = true;
                State::Body(entity)
            }
            (MediaKind::Message, _) => match self.next_entity() {
                Some(enclosed) => State::Header(Header::new(enclosed, false)),
                None => State::Body(entity),
            },
            _ => State::Body(entity),
        };
    }

    fn next_entity(&mut self) -> Option<usize> {
        if self.entities >= MAX_PARTS {
            self.lost = true;
            return None;
        }
        self.entities += 1;
        Some(self.entities - 1)
    }

    /// Whether the line is a boundary of any open multipart, innermost first (RFC 2046 §5.1.1).
    fn boundary(
        &mut self,
        piece: Piece<'_>,
        cut_header: &mut Option<usize>,
        learnt: &mut impl FnMut(usize, Entity),
    ) -> Option<Place> {
        let text = piece.octets.strip_prefix(b"--")?;
        if !piece.last {
            return None;
        }
        let (at, closes) = self
            .stack
            .iter()
            .enumerate()
            .rev()
            .find_map(|(at, frame)| {
                let rest = text.strip_prefix(frame.boundary.as_slice())?;
                match rest.trim_ascii_end() {
                    b"" => Some((at, false)),
                    b"--" => Some((at, true)),
                    _ => None,
                }
            })?;
        for _ in 0..MAX_DEPTH {
            let State::Header(header) = &self.state else {
                break;
            };
            cut_header.get_or_insert(header.entity);
            self.end_header(learnt);
        }
        // What the header just ended may have opened lies inside and ends here too.
        self.stack.truncate(at + 1);
        let digest = self.stack.get(at).is_some_and(|frame| frame.digest);
        if closes {
            self.stack.truncate(at);
            self.state = State::Between;
        } else {
            self.state = match self.next_entity() {
                Some(entity) => State::Header(Header::new(entity, digest)),
                None => State::Between,
            };
        }
        Some(Place::Boundary)
    }
}

/// Adds to the value of a field that will be interpreted.
fn collect(header: &mut Header, octets: &[u8], lost: &mut bool) {
    let read = matches!(
        header.field,
        Some(Field::ContentType | Field::TransferEncoding | Field::TlsRequired)
    );
    if !read {
        return;
    }
    let room = MAX_VALUE.saturating_sub(header.value.len());
    *lost |= octets.len() > room;
    header
        .value
        .extend_from_slice(octets.get(..room).unwrap_or(octets));
}

/// `From ` and a time of day: the mark of an mbox file, not a sentence.
fn is_mbox_mark(line: &[u8]) -> bool {
    line.starts_with(b"From ")
        && line.windows(5).any(|window| {
            matches!(window, [a, b, b':', c, d]
                if [a, b, c, d].iter().all(|octet| octet.is_ascii_digit()))
        })
}
