//! Replies that say no.

use crate::status::EnhancedStatus;
use std::borrow::Cow;

/// Characters of a reply's text: a reply line has 512 octets at most (RFC 5321 §4.5.3.1.5).
const MAX_TEXT: usize = 400;

/// A refusal: reply code, enhanced status code (RFC 2034), text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 4yz or 5yz.
    pub code: u16,
    /// Its class agrees with the code.
    pub status: EnhancedStatus,
    /// One line; what is not printable ASCII is written as a question mark.
    pub text: Cow<'static, str>,
}

impl Refusal {
    /// A refusal for now.
    #[must_use]
    pub fn temporary(
        code: u16,
        (subject, detail): (u16, u16),
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            status: EnhancedStatus::temporary(subject, detail),
            text: text.into(),
        }
    }

    /// A refusal for good.
    #[must_use]
    pub fn permanent(
        code: u16,
        (subject, detail): (u16, u16),
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            status: EnhancedStatus::permanent(subject, detail),
            text: text.into(),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{} {} ", self.code, self.status).as_bytes());
        write_text(&self.text, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// Text of a reply: printable ASCII, not too much of it.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    let printable = text
        .chars()
        .take(MAX_TEXT)
        .map(|character| match character {
            ' '..='~' => character as u8,
            _ => b'?',
        });
    out.extend(printable);
}
