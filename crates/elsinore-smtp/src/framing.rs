//! Dot-stuffing, the transparency of DATA (RFC 5321 §4.5.2). BDAT needs none (RFC 3030 §2).

use memchr::memmem;

/// Doubles the dot at the beginning of each line, over chunks split anywhere.
#[derive(Debug, Clone)]
pub struct DotStuffing {
    line: Place,
}

/// Where in its line the last octet stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Inside,
    /// Behind a CR.
    AfterCr,
}

impl Default for DotStuffing {
    fn default() -> Self {
        Self::new()
    }
}

impl DotStuffing {
    /// At the beginning of a message.
    #[must_use]
    pub const fn new() -> Self {
        Self { line: Place::Start }
    }

    /// Appends `octets` with their dots doubled where needed. Lines end in CRLF only: a lone LF
    /// or CR begins no line.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let Some(last) = octets.last() else { return };
        // A dot whose line began in an earlier chunk, if there is one.
        let carried = match (self.line, octets) {
            (Place::Start, [b'.', ..]) => Some(0),
            (Place::AfterCr, [b'\n', b'.', ..]) => Some(1),
            _ => None,
        };
        let inside = memmem::find_iter(octets, b"\r\n.").map(|end| end + 2);
        let mut written = 0;
        for dot in carried.into_iter().chain(inside) {
            out.extend_from_slice(octets.get(written..dot).unwrap_or_default());
            out.push(b'.');
            written = dot;
        }
        out.extend_from_slice(octets.get(written..).unwrap_or_default());
        let ends = match octets {
            [b'\n'] => self.line == Place::AfterCr,
            octets => octets.ends_with(b"\r\n"),
        };
        self.line = match last {
            _ if ends => Place::Start,
            b'\r' => Place::AfterCr,
            _ => Place::Inside,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_at_the_beginning_of_a_line_are_doubled() {
        for (message, expected) in [
            ("a\r\n", "a\r\n"),
            (".\r\n", "..\r\n"),
            ("..a\r\n.b\r\n", "...a\r\n..b\r\n"),
            ("a.\r\n.\r\n", "a.\r\n..\r\n"),
            ("a\n.b\r.c", "a\n.b\r.c"),
            ("\n.\r\r\n.\r", "\n.\r\r\n..\r"),
            ("\r\n\r\n.\r\n", "\r\n\r\n..\r\n"),
        ] {
            for split in 0..=message.len() {
                let (one, two) = message.as_bytes().split_at(split);
                let mut stuffing = DotStuffing::new();
                let mut out = Vec::new();
                stuffing.push(one, &mut out);
                stuffing.push(two, &mut out);
                assert_eq!(
                    String::from_utf8(out).unwrap(),
                    expected,
                    "split at {split}"
                );
            }
        }
    }
}
