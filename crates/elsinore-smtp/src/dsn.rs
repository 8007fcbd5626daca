//! Delivery status notifications (RFC 3461, RFC 3464): which are owed, and how they are written.
//!
//! A notification is written around the original message, of which nothing is held here: the
//! caller writes [`Notification::head`], then what is returned of the original, then
//! [`Notification::tail`].

mod fields;
mod text;

use crate::command::GreetingName;
use crate::status::EnhancedStatus;
use std::time::Duration;

/// What became of a recipient (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Given up.
    Failed,
    /// Waiting; until when it will be tried, in seconds since 1970-01-01T00:00:00Z.
    Delayed {
        /// When it will be given up.
        until: i64,
    },
    /// Handed to a server that sends no notifications on success.
    Relayed,
}

impl Action {
    /// The word of the Action field.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed { .. } => "delayed",
            Self::Relayed => "relayed",
        }
    }

    /// Whether a notification of this is owed or allowed for a recipient whose RCPT had this NOTIFY
    /// value, in the form it has on the wire (RFC 3461 §5.2.2, §5.2.5, §5.2.6). A value that cannot
    /// be understood counts as none.
    #[must_use]
    pub fn is_asked_for(self, notify: Option<&str>) -> bool {
        let word = match self {
            Self::Failed => "FAILURE",
            Self::Delayed { .. } => "DELAY",
            Self::Relayed => "SUCCESS",
        };
        let Some(notify) = notify else {
            return match self {
                Self::Failed | Self::Delayed { .. } => true,
                Self::Relayed => false,
            };
        };
        notify
            .split(',')
            .any(|asked| asked.trim().eq_ignore_ascii_case(word))
    }
}

/// Who said what a recipient's status rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// The remote server; the words are its reply.
    Server,
    /// This system.
    Ourselves,
}

/// What is told about one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientStatus {
    /// The address of the envelope, without angle brackets.
    pub address: String,
    /// ORCPT as it came: address type, semicolon, xtext.
    pub original: Option<String>,
    /// What became of it.
    pub action: Action,
    /// The status code.
    pub status: EnhancedStatus,
    /// The server that was spoken to last, as a name.
    pub remote: Option<String>,
    /// The reply or the reason, in one line.
    pub words: String,
    /// Who said so.
    pub speaker: Speaker,
    /// How long it was tried, where it was given up because the time was over.
    pub given_up_after: Option<Duration>,
    /// When it was tried last, in seconds since 1970-01-01T00:00:00Z.
    pub tried: i64,
    /// What was noticed, in plain words, one line each.
    pub findings: Vec<String>,
}

/// What of the original message is returned (RFC 3461 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Returned {
    /// The header.
    Header,
    /// All of it.
    Whole,
}

/// Which octets the original has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Octets {
    /// ASCII.
    SevenBit,
    /// Octets above 127, in the body, or in a header that did not come under SMTPUTF8.
    EightBit,
    /// UTF-8 in the header of a message that came under SMTPUTF8 (RFC 6532).
    Utf8Header,
}

/// A notification about one message.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The name of this system: it reports.
    pub reporter: GreetingName,
    /// The reverse path of the original, or the postmaster; without angle brackets.
    pub to: String,
    /// Our name for the original message, as it stood in the reply to the client.
    pub queue_id: String,
    /// When the original arrived, in seconds since 1970-01-01T00:00:00Z.
    pub arrived: i64,
    /// Now, likewise.
    pub now: i64,
    /// Sixteen random octets: for the Message-ID and the boundary, which the original cannot hold.
    pub token: [u8; 16],
    /// ENVID of the original as it came, in xtext.
    pub envelope_id: Option<String>,
    /// What is told about whom; at least one.
    pub recipients: Vec<RecipientStatus>,
    /// What is returned of the original.
    pub returned: Returned,
    /// Which octets it has.
    pub octets: Octets,
}

impl Notification {
    /// Everything up to the first octet of what is returned of the original.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let boundary = self.boundary();
        let mut out = fields::header(self, &boundary);
        out.push_str(&format!("\r\n--{boundary}\r\n"));
        out.push_str(if self.needs_smtp_utf8() {
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
        } else {
            "Content-Type: text/plain; charset=us-ascii\r\n"
        });
        out.push_str("Content-Description: Notification\r\n\r\n");
        out.push_str(&text::explanation(self));
        out.push_str(&format!("\r\n--{boundary}\r\n"));
        out.push_str(
            "Content-Type: message/delivery-status\r\n\
             Content-Description: Delivery report\r\n\r\n",
        );
        out.push_str(&fields::delivery_status(self));
        out.push_str(&format!("\r\n--{boundary}\r\n"));
        out.push_str(&fields::returned_part(self));
        out.push_str("\r\n");
        out.into_bytes()
    }

    /// Everything behind the last octet of what is returned of the original.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary()).into_bytes()
    }

    /// Whether it can travel only under SMTPUTF8, and so may hold UTF-8 itself: its recipient's address or the returned header
    /// holds something else than ASCII (RFC 6531 §3.3).
    #[must_use]
    pub fn needs_smtp_utf8(&self) -> bool {
        !self.to.is_ascii() || self.octets == Octets::Utf8Header
    }

    fn boundary(&self) -> String {
        format!("elsinore-{}", self.hex_token())
    }

    fn hex_token(&self) -> String {
        self.token
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect()
    }
}

/// Finds the end of a header in a message that comes in blocks.
#[derive(Debug, Default)]
pub struct HeaderCut {
    line: Line,
    is_over: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing of the current line was seen.
    #[default]
    Begins,
    /// Something of it was seen.
    Goes,
    /// A CR was seen at its beginning, and is held back.
    Cr,
}

impl HeaderCut {
    /// Appends to `out` what of `block` belongs to the header; the empty line behind it does not.
    pub fn push(&mut self, block: &[u8], out: &mut Vec<u8>) {
        for octet in block {
            if self.is_over {
                return;
            }
            self.line = match (self.line, octet) {
                (Line::Begins, b'\r') => Line::Cr,
                (Line::Begins | Line::Cr, b'\n') => {
                    self.is_over = true;
                    return;
                }
                (before, _) => {
                    if before == Line::Cr {
                        out.push(b'\r');
                    }
                    out.push(*octet);
                    match octet {
                        b'\n' => Line::Begins,
                        _ => Line::Goes,
                    }
                }
            };
        }
    }

    /// Whether the end was found.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }
}

#[cfg(test)]
mod tests;
