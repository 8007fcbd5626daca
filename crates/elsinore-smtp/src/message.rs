//! A message on its way from a file to the wire, in chunks: surveyed once, then streamed.
//!
//! # What happens to a message
//! - Every line ends in CRLF on the wire; a lone LF of a text file becomes one, and so does a
//!   missing last line end (RFC 5321 §2.3.8).
//! - A lone CR is refused: it is the stuff of SMTP smuggling (RFC 5321 §2.3.8 forbids it).
//! - NUL is refused: RFC 5322 §4 has it in the obsolete syntax only, and RFC 6152 in no line.
//! - A line of more than 998 octets (RFC 5322 §2.1.1) is never broken. Servers with CHUNKING get
//!   it unchanged by BDAT; for others the part is encoded in quoted-printable or base64 when that
//!   is possible ([`crate::eight_bit`]); otherwise the message is refused with status 5.6.3.
//! - Date, Message-ID and From are added in front when missing (RFC 5322 §3.6).
//! - Bcc and Resent-Bcc fields are taken out (RFC 5322 §3.6.3) unless asked to stay.
//! - A first line beginning with `From ` is the mark of an mbox file and is taken out.
//! - A line that is neither a header field nor its continuation ends the header; when it is not
//!   empty, an empty line is put before it. A message without header gets one.
//!
//! Everything else is passed on octet for octet.

mod content_type;
mod fields;
mod fold;
mod lines;
mod outflow;
mod survey;
mod walk;

pub use fields::date;
pub use outflow::Outflow;
pub use survey::{Survey, Surveyor};

use crate::address::ReversePath;
use crate::command::GreetingName;

/// The most octets of a line, CRLF not counted (RFC 5322 §2.1.1, RFC 5321 §4.5.3.1.6).
pub const MAX_LINE: u64 = 998;

/// What the message gets when it lacks it, and what is taken out. Time and randomness are the
/// caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// For Date: seconds since 1970-01-01T00:00:00Z. The field is written in UTC.
    pub now: i64,
    /// For Message-ID: 16 octets nobody can guess.
    pub token: [u8; 16],
    /// For Message-ID, and for From when the reverse path is null: the name of this host.
    pub host: GreetingName,
    /// For From.
    pub sender: ReversePath,
    /// What becomes of Bcc.
    pub blind_copies: BlindCopies,
}

/// What becomes of Bcc and Resent-Bcc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlindCopies {
    /// They are taken out: right for every message that comes from its author.
    Remove,
    /// They stay: right for a relay.
    Keep,
}

/// A header field that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Added {
    /// Date.
    Date,
    /// Message-ID.
    MessageId,
    /// From.
    From,
}

/// How the content is encoded for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Unchanged.
    AsIs,
    /// Every part with octets above 127 or with long lines is encoded.
    SevenBit,
}

/// What octets the header holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderOctets {
    /// ASCII only.
    Ascii,
    /// UTF-8: the message needs SMTPUTF8 (RFC 6531 §3.2, RFC 6532).
    Utf8,
    /// Octets above 127 that are not UTF-8; no standard allows them.
    Undeclared,
}

/// Whether the header asks for TLS to be optional (RFC 8689 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsRequired {
    /// No such field, or one with another value than `No`.
    Unsaid,
    /// `TLS-Required: No`.
    No,
}

/// Why a message cannot be sent at all. One line each, with the line number of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// A CR that no LF follows.
    #[error("line {line} of the message contains a carriage return that no line feed follows")]
    LoneCr {
        /// The line, counted from 1.
        line: u64,
    },
    /// A NUL.
    #[error("line {line} of the message contains a NUL")]
    Nul {
        /// The line, counted from 1.
        line: u64,
    },
    /// Streaming saw another message than the survey.
    #[error("the message changed while it was being sent")]
    Changed,
}
