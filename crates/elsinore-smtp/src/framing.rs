//! Dot-stuffing, the transparency of DATA (RFC 5321 §4.5.2). BDAT needs none (RFC 3030 §2).

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
    pub fn push(&mut self, mut octets: &[u8], out: &mut Vec<u8>) {
        while let Some(first) = octets.first() {
            if self.line == Place::Start && *first == b'.' {
                out.push(b'.');
            }
            let Some(end) = octets.iter().position(|octet| *octet == b'\n') else {
                out.extend_from_slice(octets);
                self.line = match octets.last() {
                    Some(b'\r') => Place::AfterCr,
                    Some(_) | None => Place::Inside,
                };
                return;
            };
            let (line, rest) = octets.split_at(end + 1);
            out.extend_from_slice(line);
            let ends = match line {
                [b'\n'] => self.line == Place::AfterCr,
                line => line.ends_with(b"\r\n"),
            };
            self.line = if ends { Place::Start } else { Place::Inside };
            octets = rest;
        }
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
