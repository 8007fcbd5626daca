//! What was noticed during a session and did not by itself decide it.

use super::timeouts::Phase;
use crate::eight_bit::Obstacle;
use crate::reply::{Oddity, Reply};
use std::fmt;

/// One observation. All of them are findings in the making: the driver maps them to rules.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Text stood behind the 220 of STARTTLS. It was discarded unread (RFC 3207 §4.2): an
    /// attacker may have injected it.
    TextBehindStartTls {
        /// Octets discarded.
        octets: usize,
        /// How the text begins, escaped.
        start: String,
    },
    /// STARTTLS was offered and then refused; the session went on in cleartext.
    StartTlsRefused {
        /// The refusal.
        reply: Reply,
    },
    /// STARTTLS is still offered inside TLS (RFC 3207 §4.2 forbids it). Ignored.
    StartTlsOfferedInsideTls,
    /// EHLO was refused; the session went on with HELO.
    HeloFallback {
        /// The refusal of EHLO.
        reply: Reply,
    },
    /// A reply deviates from the standard.
    OddReply {
        /// Where.
        phase: Phase,
        /// How.
        oddity: Oddity,
    },
    /// The value of SIZE is no number.
    MalformedSize,
    /// The server counted its recipients as too many (452 or 552, RFC 5321 §4.5.3.1.10); these
    /// are offered again in another transaction of the same session.
    TooManyRecipients {
        /// How many recipients were put off.
        postponed: usize,
    },
    /// The server refused every recipient and still said 354 to DATA: a single dot was sent
    /// (RFC 2920 §3.1).
    DataWithoutRecipients,
    /// DSN parameters were dropped because the server does not offer DSN (RFC 3461 §5.1).
    DsnNotOffered,
    /// A notification under REQUIRETLS went on without the parameter (RFC 8689 §5).
    RequireTlsDropped,
    /// The message was converted to 7 bits because the server lacks 8BITMIME (RFC 6152 §3), or
    /// its lines to 998 octets. Signatures over the content (DKIM) no longer verify.
    Converted {
        /// What made it necessary.
        because: ConversionReason,
    },
    /// Header octets above 127 that are not UTF-8 went out unchanged: no encoding is declared
    /// for them and none can be guessed.
    UndeclaredHeaderOctets,
    /// UTF-8 in the header went out unchanged although SMTPUTF8 is not offered: whoever submitted
    /// the message had not declared it either ([`HeaderUtf8`](super::HeaderUtf8)).
    UndeclaredHeaderUtf8,
    /// The message needed a conversion, and could go unchanged only because BDAT carries any line.
    LongLinesByChunking {
        /// Octets of the longest line, CRLF not counted.
        longest: u64,
    },
    /// The server sent a reply that no command had asked for.
    UnsolicitedReply {
        /// The reply, or how the octets begin.
        text: String,
    },
}

/// What made a conversion of the message necessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConversionReason {
    /// 8BITMIME is not offered.
    NoEightBitMime,
    /// Lines longer than 998 octets (RFC 5322 §2.1.1), and BDAT is not offered.
    LongLines,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextBehindStartTls { octets, start } => write!(
                f,
                "{octets} octets behind the 220 of STARTTLS were discarded; they begin \"{start}\""
            ),
            Self::StartTlsRefused { reply } => write!(f, "STARTTLS offered, then refused: {reply}"),
            Self::StartTlsOfferedInsideTls => f.write_str("STARTTLS is still offered inside TLS"),
            Self::HeloFallback { reply } => write!(f, "EHLO refused, went on with HELO: {reply}"),
            Self::OddReply { phase, oddity } => write!(f, "{phase}: {oddity}"),
            Self::MalformedSize => f.write_str("the value of SIZE is no number"),
            Self::TooManyRecipients { postponed } => {
                write!(f, "{postponed} recipients put off to another transaction")
            }
            Self::DataWithoutRecipients => {
                f.write_str("354 although every recipient was refused; sent a single dot")
            }
            Self::DsnNotOffered => f.write_str("DSN is not offered, its parameters were dropped"),
            Self::RequireTlsDropped => {
                f.write_str("REQUIRETLS is not offered, the notification went on without it")
            }
            Self::Converted { because } => match because {
                ConversionReason::NoEightBitMime => {
                    f.write_str("8BITMIME is not offered, the message was converted to 7 bits")
                }
                ConversionReason::LongLines => f.write_str(
                    "the message was converted because it has lines longer than 998 octets",
                ),
            },
            Self::UndeclaredHeaderOctets => {
                f.write_str("header octets above 127 that are not UTF-8 were sent unchanged")
            }
            Self::UndeclaredHeaderUtf8 => f.write_str(
                "SMTPUTF8 is not offered, UTF-8 in the header that was submitted without it was \
                 sent unchanged",
            ),
            Self::LongLinesByChunking { longest } => {
                write!(f, "a line of {longest} octets was sent unchanged by BDAT")
            }
            Self::UnsolicitedReply { text } => {
                write!(f, "a reply that nothing asked for: \"{text}\"")
            }
        }
    }
}

/// Why a message could not be changed; shown beside the failure that it caused.
impl From<Obstacle> for super::outcome::Cause {
    fn from(obstacle: Obstacle) -> Self {
        Self::NotConvertible(obstacle)
    }
}
