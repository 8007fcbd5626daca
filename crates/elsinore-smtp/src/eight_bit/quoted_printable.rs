//! Quoted-printable (RFC 2045 §6.7), over pieces of lines.

/// Characters of an encoded line, the `=` of a soft line break included.
const MAX_LINE: usize = 76;

/// The encoder of one part.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuotedPrintable {
    column: usize,
    /// A space or tab that must be encoded if the line ends behind it.
    space: Option<u8>,
}

impl QuotedPrintable {
    /// Appends a piece of a line.
    pub(crate) fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for octet in octets {
            if let Some(space) = self.space.take() {
                self.literal(space, out);
            }
            match octet {
                b' ' | b'\t' => self.space = Some(*octet),
                // A dot that begins a line is safe by dot-stuffing, but not every server on the
                // way gets that right; RFC 2049 §3 (8) advises this.
                b'.' if self.column == 0 => self.encoded(*octet, out),
                b'!'..=b'<' | b'>'..=b'~' => self.literal(*octet, out),
                other => self.encoded(*other, out),
            }
        }
    }

    /// Ends the line.
    pub(crate) fn end_line(&mut self, out: &mut Vec<u8>) {
        if let Some(space) = self.space.take() {
            self.encoded(space, out);
        }
        out.extend_from_slice(b"\r\n");
        self.column = 0;
    }

    fn literal(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.make_room(1, out);
        out.push(octet);
    }

    fn encoded(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.make_room(3, out);
        out.extend_from_slice(format!("={octet:02X}").as_bytes());
    }

    fn make_room(&mut self, width: usize, out: &mut Vec<u8>) {
        if self.column + width > MAX_LINE - 1 {
            out.extend_from_slice(b"=\r\n");
            self.column = 0;
        }
        self.column += width;
    }
}
