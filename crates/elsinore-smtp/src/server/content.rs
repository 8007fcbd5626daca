//! The octets of a message as they come in: dots taken away (RFC 5321 §4.5.2), the end found, and
//! what may not be in a message noticed.

use memchr::memchr3;

/// How the end of the message is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By a dot alone on its line.
    Dot,
    /// By the number of octets: BDAT (RFC 3030).
    Counted,
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A CR without LF or an LF without CR.
    LoneLineEnd,
    /// A NUL.
    Nul,
    /// A line longer than the bound.
    LongLine,
}

/// What a block came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// All of it belongs to the message.
    More,
    /// The message ended; this many octets of the block belong to it and its end.
    End(usize),
    /// A dot on a line whose ends are not both CRLF: others could take this for the end.
    Ambiguous,
}

/// Where the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a line.
    Start,
    Inside,
    /// Behind a CR.
    Cr,
    /// Behind a dot at the beginning of a line.
    Dot,
    /// Behind such a dot and a CR.
    DotCr,
    /// Behind a lone CR or LF.
    LooseStart,
    /// Behind a dot there.
    LooseDot,
}

/// A message on its way in, in blocks split anywhere.
#[derive(Debug)]
pub(super) struct Inflow {
    framing: Framing,
    place: Place,
    line: u64,
    most: u64,
    flaw: Option<Flaw>,
    eight_bit: bool,
}

impl Inflow {
    /// At the beginning of a message whose lines may have `most` octets.
    pub(super) const fn new(framing: Framing, most: u64) -> Self {
        Self {
            framing,
            place: Place::Start,
            line: 0,
            most,
            flaw: None,
            eight_bit: false,
        }
    }

    /// The first thing that is wrong with the message.
    pub(super) const fn flaw(&self) -> Option<Flaw> {
        self.flaw
    }

    /// Whether there were octets above 127.
    pub(super) const fn eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// All octets of a counted message were pushed.
    pub(super) fn finish(&mut self) {
        if self.place == Place::Cr {
            self.wrong(Flaw::LoneLineEnd);
        }
    }

    fn wrong(&mut self, flaw: Flaw) {
        self.flaw.get_or_insert(flaw);
    }

    /// Appends what the block has of the message to `out`.
    pub(super) fn push(&mut self, block: &[u8], out: &mut Vec<u8>) -> Found {
        let mut at = 0;
        // The first octet that is neither in `out` nor dropped.
        let mut kept = 0;
        let mut found = Found::More;
        while let Some(octet) = block.get(at) {
            match (self.place, octet) {
                (Place::Inside, _) => {
                    let ahead = block.get(at..).unwrap_or_default();
                    let letters = memchr3(0, b'\n', b'\r', ahead).unwrap_or(ahead.len());
                    self.advance(letters);
                    at += letters;
                    let Some(octet) = block.get(at) else { break };
                    at += 1;
                    match octet {
                        b'\r' => self.place = Place::Cr,
                        b'\n' => {
                            self.wrong(Flaw::LoneLineEnd);
                            self.place = Place::LooseStart;
                        }
                        _ => self.wrong(Flaw::Nul),
                    }
                }
                (Place::Cr, b'\n') => {
                    self.line = 0;
                    self.place = Place::Start;
                    at += 1;
                }
                (Place::Cr, b'\r') => {
                    self.wrong(Flaw::LoneLineEnd);
                    at += 1;
                }
                (Place::Cr, _) => {
                    self.wrong(Flaw::LoneLineEnd);
                    self.place = Place::LooseStart;
                }
                (Place::Start, b'.') if self.framing == Framing::Dot => {
                    out.extend_from_slice(block.get(kept..at).unwrap_or_default());
                    at += 1;
                    kept = at;
                    self.place = Place::Dot;
                }
                (Place::Dot, b'\r') => {
                    at += 1;
                    kept = at;
                    self.place = Place::DotCr;
                }
                (Place::DotCr, b'\n') => {
                    at += 1;
                    kept = at;
                    found = Found::End(at);
                    break;
                }
                (Place::Dot, b'\n') | (Place::DotCr, _) => {
                    found = Found::Ambiguous;
                    break;
                }
                (Place::LooseDot, b'\r' | b'\n') if self.framing == Framing::Dot => {
                    found = Found::Ambiguous;
                    break;
                }
                (Place::LooseStart, b'.') => {
                    at += 1;
                    self.place = Place::LooseDot;
                }
                (Place::LooseStart, b'\n') => at += 1,
                (Place::Start | Place::Dot | Place::LooseStart | Place::LooseDot, _) => {
                    self.place = Place::Inside;
                }
            }
        }
        let taken = block.get(..at).unwrap_or_default();
        self.eight_bit = self.eight_bit || !taken.is_ascii();
        out.extend_from_slice(taken.get(kept..).unwrap_or_default());
        found
    }

    fn advance(&mut self, octets: usize) {
        self.line = self.line.saturating_add(octets as u64);
        if self.line > self.most {
            self.wrong(Flaw::LongLine);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of it, whatever the split: the message, the flaw, how it ended.
    fn run(octets: &[u8], size: usize) -> (Vec<u8>, Option<Flaw>, &'static str, usize) {
        let mut inflow = Inflow::new(Framing::Dot, 20);
        let mut out = Vec::new();
        let mut before = 0;
        for block in octets.chunks(size) {
            match inflow.push(block, &mut out) {
                Found::More => before += block.len(),
                Found::End(taken) => return (out, inflow.flaw(), "end", before + taken),
                Found::Ambiguous => return (Vec::new(), inflow.flaw(), "ambiguous", 0),
            }
        }
        (out, inflow.flaw(), "more", before)
    }

    #[test]
    fn ends_and_what_looks_like_ends() {
        let lone = Some(Flaw::LoneLineEnd);
        for (octets, message, flaw, ended) in [
            ("a\r\n.\r\nX", "a\r\n", None, "end"),
            (".\r\nX", "", None, "end"),
            ("..\r\n.\r\n", ".\r\n", None, "end"),
            (".a\r\n...\r\n.\r\n", "a\r\n..\r\n", None, "end"),
            ("a.\r\n.\r\n", "a.\r\n", None, "end"),
            ("a\t\x01\r\n.\r\n", "a\t\x01\r\n", None, "end"),
            ("a\r\n.", "a\r\n", None, "more"),
            ("a\r\n.\r", "a\r\n", None, "more"),
            ("a\0\r\n.\r\n", "a\0\r\n", Some(Flaw::Nul), "end"),
            ("a\nb\r\n.\r\n", "a\nb\r\n", lone, "end"),
            ("a\rb\r\n.\r\n", "a\rb\r\n", lone, "end"),
            ("a\r\r\n.\r\n", "a\r\r\n", lone, "end"),
            ("a\n\r\n.\r\n", "a\n\r\n", lone, "end"),
            (
                "123456789012345678901\r\n.\r\n",
                "123456789012345678901\r\n",
                Some(Flaw::LongLine),
                "end",
            ),
            (
                "12345678901234567890\r\n.\r\n",
                "12345678901234567890\r\n",
                None,
                "end",
            ),
        ] {
            for size in 1..=octets.len() {
                let (got, found, how, taken) = run(octets.as_bytes(), size);
                assert_eq!(
                    String::from_utf8(got).unwrap(),
                    message,
                    "{octets:?} by {size}"
                );
                assert_eq!((found, how), (flaw, ended), "{octets:?} by {size}");
                if how == "end" {
                    assert!(octets[..taken].ends_with(".\r\n"), "{octets:?} by {size}");
                }
            }
        }
    }

    /// Every line end there is before and behind a dot: only CRLF on both sides is an end, everything
    /// else that anybody could take for one is ambiguous.
    #[test]
    fn only_crlf_dot_crlf_ends_a_message() {
        let ends = ["\r\n", "\n", "\r"];
        for before in ends {
            for behind in ends {
                let octets = format!("text{before}.{behind}more\r\n.\r\n");
                for size in 1..=octets.len() {
                    let (_, _, how, taken) = run(octets.as_bytes(), size);
                    if before == "\r\n" && behind == "\r\n" {
                        assert_eq!((how, taken), ("end", 9), "{octets:?}");
                    } else {
                        assert_eq!(how, "ambiguous", "{octets:?} by {size}");
                    }
                }
            }
        }
    }

    #[test]
    fn counted_octets_have_no_dots_taken_away() {
        for (octets, flaw) in [
            (&b".\r\n.\r\n..a"[..], None),
            (b"a\r\n.\r\nMAIL", None),
            (b"a\n.\nb", Some(Flaw::LoneLineEnd)),
            (b"a\r", Some(Flaw::LoneLineEnd)),
        ] {
            for size in 1..=octets.len() {
                let mut inflow = Inflow::new(Framing::Counted, 100);
                let mut out = Vec::new();
                for block in octets.chunks(size) {
                    assert_eq!(inflow.push(block, &mut out), Found::More);
                }
                inflow.finish();
                assert_eq!((out.as_slice(), inflow.flaw()), (octets, flaw));
            }
        }
    }
}
