//! Replies of a server, parsed as the octets arrive (RFC 5321 §4.2, RFC 2034).
//!
//! The parser believes nothing: lines, their number and their octets are bounded, every deviation
//! is either an [`Oddity`] of a usable [`Reply`] or a [`ReplyError`] that ends the dialogue.

use crate::status::{EnhancedStatus, StatusClass};
use crate::text::excerpt;
use std::fmt;

/// Octets of a reply line that RFC 5321 §4.5.3.1.5 allows, CRLF included. Longer is an oddity.
pub const STANDARD_LINE: usize = 512;
/// Octets of a reply line that are accepted, line end included. Longer is an error.
pub const MAX_LINE: usize = 8192;
/// Lines of one reply that are accepted.
pub const MAX_LINES: usize = 256;
/// Octets of one reply that are accepted, line ends included.
pub const MAX_REPLY: usize = 65_536;
/// Characters of one line's text that are kept; the rest is cut and marked.
const KEPT_TEXT: usize = 1000;

/// One complete reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    status: Option<EnhancedStatus>,
    lines: Vec<String>,
    oddities: Vec<Oddity>,
}

/// A deviation that leaves the reply usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oddity {
    /// A line longer than the 512 octets of RFC 5321 §4.5.3.1.5.
    OverLongLine {
        /// Octets of the line, line end included.
        octets: usize,
    },
    /// A line ended in LF alone (RFC 5321 §2.3.8 knows CRLF only).
    BareLineFeed,
    /// The second digit is none that RFC 5321 §4.2.1 defines (0 to 5).
    UnknownCategory,
    /// The class of the enhanced status contradicts the reply code (RFC 2034 §4); it is ignored.
    StatusContradictsCode {
        /// What was sent.
        status: EnhancedStatus,
    },
    /// Control characters or octets that are no UTF-8 in the text; they are shown escaped.
    UnprintableText,
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OverLongLine { octets } => write!(f, "reply line of {octets} octets"),
            Self::BareLineFeed => f.write_str("reply line ended by LF alone"),
            Self::UnknownCategory => f.write_str("second digit of the reply code above 5"),
            Self::StatusContradictsCode { status } => {
                write!(f, "enhanced status {status} contradicts the reply code")
            }
            Self::UnprintableText => f.write_str("unprintable characters in the reply text"),
        }
    }
}

/// Octets that are no reply. What follows them cannot be understood either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A line that does not begin with a reply code of 200 to 599 and a space, hyphen or line end.
    #[error("not an SMTP reply: \"{line}\"")]
    NotAReply {
        /// The line, escaped and cut.
        line: String,
    },
    /// The lines of one reply carry different codes (RFC 5321 §4.2.1 demands the same).
    #[error("reply code changes from {first} to {then} within one reply")]
    CodeChanges {
        /// The code of the first line.
        first: u16,
        /// The other code.
        then: u16,
    },
    /// More octets without a line end than [`MAX_LINE`].
    #[error("reply line longer than {MAX_LINE} octets")]
    LineTooLong,
    /// More lines than [`MAX_LINES`].
    #[error("reply of more than {MAX_LINES} lines")]
    TooManyLines,
    /// More octets than [`MAX_REPLY`].
    #[error("reply of more than {MAX_REPLY} octets")]
    TooManyOctets,
}

impl Reply {
    /// The three-digit code, 200 to 599.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// Success, temporary or permanent; `None` for 3yz.
    #[must_use]
    pub const fn class(&self) -> Option<StatusClass> {
        StatusClass::from_digit((self.code / 100) as u8)
    }

    /// Whether the code is 2yz.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.code / 100 == 2
    }

    /// The enhanced status code the server sent, if its class agrees with the code.
    #[must_use]
    pub const fn status(&self) -> Option<EnhancedStatus> {
        self.status
    }

    /// The enhanced status code, or the default for the reply code; `None` for 3yz.
    #[must_use]
    pub fn status_or_default(&self) -> Option<EnhancedStatus> {
        self.status
            .or_else(|| EnhancedStatus::default_for(self.code))
    }

    /// The text of each line after the code, printable, at least one line. The enhanced status
    /// stays part of the text.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What deviates from the standard, each kind once.
    #[must_use]
    pub fn oddities(&self) -> &[Oddity] {
        &self.oddities
    }
}

impl fmt::Display for Reply {
    /// One line: the code, then the text of all lines joined by a space.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        for line in self.lines.iter().filter(|line| !line.is_empty()) {
            write!(f, " {line}")?;
        }
        Ok(())
    }
}

/// The incremental parser. The result does not depend on how the octets are split.
#[derive(Debug, Clone, Default)]
pub struct ReplyParser {
    buffer: Vec<u8>,
    start: usize,
    partial: Option<Partial>,
}

#[derive(Debug, Clone)]
struct Partial {
    reply: Reply,
    octets: usize,
}

impl ReplyParser {
    /// A parser at the beginning of a reply.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes octets as they came.
    pub fn push(&mut self, octets: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(octets);
    }

    /// Octets that are buffered and belong to no complete reply yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.start + self.partial.as_ref().map_or(0, |partial| partial.octets)
    }

    /// Throws away everything buffered, uninterpreted, and says how many octets that were and
    /// how they begin (escaped). For the text behind the 220 of STARTTLS (RFC 3207 §4.2).
    pub fn discard(&mut self) -> Option<(usize, String)> {
        let octets = self.pending();
        if octets == 0 {
            return None;
        }
        let start = excerpt(self.buffer.get(self.start..).unwrap_or_default(), 80);
        *self = Self::default();
        Some((octets, start))
    }

    /// The next complete reply; `None` until more octets come.
    ///
    /// # Errors
    /// [`ReplyError`] when the octets are no reply. The connection cannot be used any more: the
    /// parser does not look for a place to go on.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, ReplyError> {
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            let window = rest.get(..MAX_LINE).unwrap_or(rest);
            let Some(end) = window.iter().position(|octet| *octet == b'\n') else {
                if rest.len() >= MAX_LINE {
                    return Err(ReplyError::LineTooLong);
                }
                return Ok(None);
            };
            let line = window.get(..=end).unwrap_or_default();
            let complete = absorb(&mut self.partial, line)?;
            self.start += end + 1;
            if complete && let Some(partial) = self.partial.take() {
                return Ok(Some(partial.reply));
            }
        }
    }
}

/// Adds one line, line end included; true when it was the last of its reply.
fn absorb(partial: &mut Option<Partial>, line: &[u8]) -> Result<bool, ReplyError> {
    let (text, bare) = match line {
        [text @ .., b'\r', b'\n'] => (text, false),
        [text @ .., b'\n'] => (text, true),
        text => (text, false),
    };
    let no_reply = || ReplyError::NotAReply {
        line: excerpt(text, 80),
    };
    let [
        hundreds @ b'2'..=b'5',
        tens @ b'0'..=b'9',
        units @ b'0'..=b'9',
        tail @ ..,
    ] = text
    else {
        return Err(no_reply());
    };
    let digit = |octet: &u8| u16::from(octet - b'0');
    let code = digit(hundreds) * 100 + digit(tens) * 10 + digit(units);
    let (last, tail) = match tail {
        [] => (true, tail),
        [b' ', tail @ ..] => (true, tail),
        [b'-', tail @ ..] => (false, tail),
        _ => return Err(no_reply()),
    };
    let partial = partial.get_or_insert_with(|| Partial {
        reply: Reply {
            code,
            status: None,
            lines: Vec::new(),
            oddities: Vec::new(),
        },
        octets: 0,
    });
    if partial.reply.code != code {
        return Err(ReplyError::CodeChanges {
            first: partial.reply.code,
            then: code,
        });
    }
    partial.octets += line.len();
    if partial.octets > MAX_REPLY {
        return Err(ReplyError::TooManyOctets);
    }
    if partial.reply.lines.len() >= MAX_LINES {
        return Err(ReplyError::TooManyLines);
    }
    let reply = &mut partial.reply;
    let mut odd = |oddity: Oddity| {
        let kind = std::mem::discriminant(&oddity);
        if !reply
            .oddities
            .iter()
            .any(|known| std::mem::discriminant(known) == kind)
        {
            reply.oddities.push(oddity);
        }
    };
    if line.len() > STANDARD_LINE {
        odd(Oddity::OverLongLine { octets: line.len() });
    }
    if bare {
        odd(Oddity::BareLineFeed);
    }
    if *tens > b'5' {
        odd(Oddity::UnknownCategory);
    }
    let shown = excerpt(tail, KEPT_TEXT);
    if tail
        .get(..KEPT_TEXT)
        .unwrap_or(tail)
        .iter()
        .any(|octet| octet.is_ascii_control() && *octet != b'\t')
        || std::str::from_utf8(tail).is_err()
    {
        odd(Oddity::UnprintableText);
    }
    let first_word = shown.split(' ').next().unwrap_or_default();
    if let Ok(status) = first_word.parse::<EnhancedStatus>() {
        if StatusClass::from_digit((code / 100) as u8) == Some(status.class) {
            reply.status.get_or_insert(status);
        } else {
            odd(Oddity::StatusContradictsCode { status });
        }
    }
    reply.lines.push(shown);
    Ok(last)
}
