//! Base64 (RFC 2045 §6.8), over pieces of lines.

/// Octets that make one line of 76 characters.
const LINE: usize = 57;

/// The encoder of one part.
#[derive(Debug, Clone, Default)]
pub(crate) struct Base64 {
    line: Vec<u8>,
    /// A line end that belongs to the part only if more of it follows: the one before a boundary
    /// is the boundary's (RFC 2046 §5.1.1).
    line_end: bool,
}

impl Base64 {
    /// Appends a piece of a line.
    pub(crate) fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if std::mem::take(&mut self.line_end) {
            self.absorb(b"\r\n", out);
        }
        self.absorb(octets, out);
    }

    /// Ends the line.
    pub(crate) fn end_line(&mut self) {
        self.line_end = true;
    }

    /// The part ends before a boundary.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.line_end = false;
        self.write_line(out);
    }

    /// The part ends with the message.
    pub(crate) fn finish_with_line_end(&mut self, out: &mut Vec<u8>) {
        self.push(b"", out);
        self.write_line(out);
    }

    fn absorb(&mut self, mut octets: &[u8], out: &mut Vec<u8>) {
        while !octets.is_empty() {
            let (now, later) = octets.split_at(octets.len().min(LINE - self.line.len()));
            self.line.extend_from_slice(now);
            octets = later;
            if self.line.len() == LINE {
                self.write_line(out);
            }
        }
    }

    fn write_line(&mut self, out: &mut Vec<u8>) {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        if self.line.is_empty() {
            return;
        }
        for group in self.line.chunks(3) {
            let octet = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
            let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
            for place in 0..4 {
                let digit = bits >> (18 - 6 * place) & 63;
                out.push(if place as usize <= group.len() {
                    ALPHABET.get(digit as usize).copied().unwrap_or(b'=')
                } else {
                    b'='
                });
            }
        }
        out.extend_from_slice(b"\r\n");
        self.line.clear();
    }
}
