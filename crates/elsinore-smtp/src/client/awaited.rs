//! Replies that are still to come.

use super::timeouts::Phase;

/// A command that was sent and whose reply has not come, in the order of sending
/// (RFC 2920 §3.1: replies are matched by counting).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Mail,
    /// The index of the recipient in the transaction.
    Rcpt(usize),
    Data,
    /// A BDAT chunk that is not the last.
    Chunk,
    /// The final dot or the last BDAT chunk.
    End,
    Rset,
    Quit,
}

impl Awaited {
    pub(super) const fn phase(self) -> Phase {
        match self {
            Self::Greeting => Phase::Greeting,
            Self::Ehlo | Self::Helo => Phase::Hello,
            Self::StartTls => Phase::StartTls,
            Self::Mail => Phase::Mail,
            Self::Rcpt(_) => Phase::Recipient,
            Self::Data => Phase::DataStart,
            Self::Chunk => Phase::DataBlock,
            Self::End => Phase::DataEnd,
            Self::Rset => Phase::Reset,
            Self::Quit => Phase::Quit,
        }
    }
}
