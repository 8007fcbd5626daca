//! Phases of a session and how long each may take (RFC 5321 §4.5.3.2).

use std::fmt;
use std::time::Duration;

/// Where a session stands: names the timeout that applies and says in outcomes where it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Waiting for the first reply.
    Greeting,
    /// EHLO or HELO.
    Hello,
    /// STARTTLS and its reply.
    StartTls,
    /// The TLS handshake.
    Handshake,
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA and its 354.
    DataStart,
    /// A block of the message, or the reply to a BDAT chunk that is not the last.
    DataBlock,
    /// The reply to the final dot or to the last BDAT chunk.
    DataEnd,
    /// RSET.
    Reset,
    /// QUIT.
    Quit,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Handshake => "TLS handshake",
            Self::Mail => "MAIL",
            Self::Recipient => "RCPT",
            Self::DataStart => "DATA",
            Self::DataBlock => "message content",
            Self::DataEnd => "end of message",
            Self::Reset => "RSET",
            Self::Quit => "QUIT",
        })
    }
}

/// A duration per phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// [`Phase::Greeting`]; RFC 5321 §4.5.3.2.1: 5 minutes.
    pub greeting: Duration,
    /// [`Phase::Hello`], [`Phase::StartTls`] and [`Phase::Reset`], which RFC 5321 does not name:
    /// 5 minutes as for MAIL.
    pub hello: Duration,
    /// [`Phase::Handshake`]: 1 minute.
    pub handshake: Duration,
    /// [`Phase::Mail`]; RFC 5321 §4.5.3.2.2: 5 minutes.
    pub mail: Duration,
    /// [`Phase::Recipient`]; RFC 5321 §4.5.3.2.3: 5 minutes.
    pub recipient: Duration,
    /// [`Phase::DataStart`]; RFC 5321 §4.5.3.2.4: 2 minutes.
    pub data_start: Duration,
    /// [`Phase::DataBlock`]; RFC 5321 §4.5.3.2.5: 3 minutes.
    pub data_block: Duration,
    /// [`Phase::DataEnd`]; RFC 5321 §4.5.3.2.6: 10 minutes. Shortening this one makes
    /// duplicates.
    pub data_end: Duration,
    /// [`Phase::Quit`]: 10 seconds, nothing depends on it any more.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        Self {
            greeting: minutes(5),
            hello: minutes(5),
            handshake: minutes(1),
            mail: minutes(5),
            recipient: minutes(5),
            data_start: minutes(2),
            data_block: minutes(3),
            data_end: minutes(10),
            quit: Duration::from_secs(10),
        }
    }
}

impl Timeouts {
    /// How long one read or write in that phase may take.
    #[must_use]
    pub const fn of(&self, phase: Phase) -> Duration {
        match phase {
            Phase::Greeting => self.greeting,
            Phase::Hello | Phase::StartTls | Phase::Reset => self.hello,
            Phase::Handshake => self.handshake,
            Phase::Mail => self.mail,
            Phase::Recipient => self.recipient,
            Phase::DataStart => self.data_start,
            Phase::DataBlock => self.data_block,
            Phase::DataEnd => self.data_end,
            Phase::Quit => self.quit,
        }
    }
}
