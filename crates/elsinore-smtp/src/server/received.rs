//! Counting Received fields, by which loops are found (RFC 5321 §6.3).

/// Octets of a line that are looked at: the name and its colon, with a little white space.
const NAME: usize = 16;

/// Counts the Received fields in the header of a message that passes by in blocks.
#[derive(Debug, Clone, Default)]
pub struct ReceivedFields {
    count: usize,
    /// The first octets of the line.
    line: Vec<u8>,
    header_ended: bool,
}

impl ReceivedFields {
    /// At the beginning of a message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Their number so far.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Takes the next block, of any size. Lines end in CRLF.
    pub fn push(&mut self, mut block: &[u8]) {
        while !self.header_ended && !block.is_empty() {
            let end = block.iter().position(|octet| *octet == b'\n');
            let (part, rest) = block.split_at(end.map_or(block.len(), |end| end + 1));
            let room = NAME.saturating_sub(self.line.len()).min(part.len());
            self.line
                .extend_from_slice(part.get(..room).unwrap_or_default());
            if end.is_some() {
                self.line_ends();
            }
            block = rest;
        }
    }

    fn line_ends(&mut self) {
        if matches!(self.line.as_slice(), b"\r\n" | b"\n") {
            self.header_ended = true;
        } else if let Some(colon) = self.line.iter().position(|octet| *octet == b':') {
            let name = self.line.get(..colon).unwrap_or_default().trim_ascii_end();
            if name.eq_ignore_ascii_case(b"received") {
                self.count += 1;
            }
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_in_any_split() {
        for (message, expected) in [
            (&b""[..], 0),
            (b"Received: a\r\n", 1),
            (
                b"Received: a\r\n b\r\nRECEIVED : c\r\nSubject: Received: x\r\n\r\nReceived: d\r\n",
                2,
            ),
            (
                b" Received: folded\r\nX-Received: a\r\nReceived-SPF: a\r\nReceived:\r\n",
                1,
            ),
            (b"\r\nReceived: body\r\n", 0),
        ] {
            for size in 1..=message.len().max(1) {
                let mut fields = ReceivedFields::new();
                for block in message.chunks(size) {
                    fields.push(block);
                }
                assert_eq!(fields.count(), expected, "{message:?} by {size}");
            }
        }
    }
}
