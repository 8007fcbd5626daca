//! What came of a session, recipient by recipient.

use super::event::Event;
use super::timeouts::Phase;
use super::transcript::Transcript;
use crate::address::Mailbox;
use crate::ehlo::Capabilities;
use crate::eight_bit::Obstacle;
use crate::message::MessageError;
use crate::reply::{Reply, ReplyError};
use crate::status::EnhancedStatus;
use std::fmt;
use std::sync::Arc;

/// The result of a whole session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionOutcome {
    /// One entry per recipient of the envelope, in its order. Empty for a probe.
    pub recipients: Vec<RecipientOutcome>,
    /// What ended the session before its work was done; `None` when it came to its QUIT. It is
    /// about the session, never [`Outlook::Uncertain`]: whether to offer the message again is
    /// decided by each recipient's own result.
    pub failure: Option<Failure>,
    /// The server's greeting.
    pub greeting: Option<Reply>,
    /// What the server offered last: inside TLS when TLS was established.
    pub capabilities: Option<Arc<Capabilities>>,
    /// What the server offered before TLS, when the session went on inside TLS. Nothing protected
    /// it, and nothing was done for its sake but STARTTLS (RFC 3207 §4.2).
    pub offered_before_tls: Option<Arc<Capabilities>>,
    /// Whether what was said last was said inside TLS.
    pub inside_tls: bool,
    /// The dialogue.
    pub transcript: Transcript,
    /// What was noticed.
    pub events: Vec<Event>,
    /// Which transaction of its connection this was.
    pub turn: Turn,
}

/// Which transaction of its connection an outcome is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turn {
    /// The first.
    First,
    /// A later one, on a connection that served before.
    Later,
    /// A later one, and the server was gone, or would have no more of it, before anything of the
    /// message was sent: lost, 421, no answer in time, MAIL or RSET refused. That is no failure of the
    /// host; a new connection says what it thinks of the message.
    Stale,
}

/// The result for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientOutcome {
    /// The recipient.
    pub recipient: Mailbox,
    /// What became of it.
    pub result: RecipientResult,
}

/// What became of one recipient at this server.
///
/// The three results exclude each other and say whether the message may be offered again: see
/// the module's section on duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientResult {
    /// The server has taken responsibility with this reply. Never send to this recipient again.
    Delivered(Reply),
    /// It has not, or may not have ([`Outlook::Uncertain`]).
    Failed(Failure),
}

/// Why something failed, and what that means for another attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What may be done next.
    pub outlook: Outlook,
    /// What the failure concerns.
    pub scope: Scope,
    /// Where the dialogue stood.
    pub phase: Phase,
    /// What happened.
    pub cause: Cause,
    /// The enhanced status: the server's, or ours where it sent none.
    pub status: EnhancedStatus,
    /// The reply that decided, if one did.
    pub reply: Option<Reply>,
}

/// What may be done after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outlook {
    /// Not delivered here; try the next host or wait.
    Temporary,
    /// Not delivered here, and this host will not change its mind. With [`Scope::Host`] other
    /// hosts are still to be tried; otherwise the recipient bounces.
    Permanent,
    /// The message was sent to its end and the answer is missing or unintelligible. It may have
    /// been delivered: do not try another host now; defer, and say that a duplicate is possible.
    Uncertain,
}

/// What a failure concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The server or the connection: says nothing about message or recipient.
    Host,
    /// The message or its sender: the same for all recipients of this server.
    Message,
    /// This recipient only.
    Recipient,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// A negative reply; it stands in [`Failure::reply`].
    #[error("refused by the server")]
    Refused,
    /// A reply whose code makes no sense where it came; it stands in [`Failure::reply`].
    #[error("unexpected reply")]
    UnexpectedReply,
    /// Octets that are no reply.
    #[error("{0}")]
    MalformedReply(ReplyError),
    /// A reply that no command had asked for: commands and replies can no longer be matched.
    #[error("a reply came that nothing had asked for")]
    OutOfStep,
    /// The connection broke or was closed.
    #[error("connection lost")]
    ConnectionLost,
    /// The time of the phase ran out.
    #[error("timed out")]
    TimedOut,
    /// TLS is required and STARTTLS is not offered.
    #[error("TLS is required and STARTTLS is not offered")]
    TlsNotOffered,
    /// TLS is required and STARTTLS was refused; the reply stands in [`Failure::reply`].
    #[error("TLS is required and STARTTLS was refused")]
    TlsRefused,
    /// The handshake failed or its peer was not accepted.
    #[error("TLS failed: {0}")]
    TlsFailed(String),
    /// REQUIRETLS is demanded and not offered inside TLS (RFC 8689 §4.2.1).
    #[error("REQUIRETLS is not offered")]
    RequireTlsNotOffered,
    /// REQUIRETLS is demanded and the session is in cleartext (RFC 8689 §4.2.1).
    #[error("the message requires TLS and the session has none")]
    RequireTlsWithoutTls,
    /// The message exceeds the announced SIZE (RFC 1870 §6.1).
    #[error("the message has {octets} octets, the server accepts {limit}")]
    TooLarge {
        /// Octets as they would be sent.
        octets: u64,
        /// The server's limit in octets.
        limit: u64,
    },
    /// An address or the header needs SMTPUTF8, and it is not offered (RFC 6531 §3.1).
    #[error("SMTPUTF8 is needed for {0} and not offered")]
    SmtpUtf8NotOffered(Utf8Need),
    /// 8BITMIME is missing or lines are too long, and the message cannot be converted.
    #[error("the server cannot take the message as it is, and it cannot be converted: {0}")]
    NotConvertible(Obstacle),
    /// The spooled message could not be read to its end.
    #[error("the spooled message could not be read: {0}")]
    MessageUnreadable(String),
    /// The spooled message is not the one that was surveyed.
    #[error("the spooled message changed while it was being sent")]
    MessageChanged,
    /// The message contains what must not be sent. The survey would have said so: it changed.
    #[error("{0}")]
    Message(#[from] MessageError),
}

/// What needs SMTPUTF8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Utf8Need {
    /// The sender's address.
    Sender,
    /// The recipient's address.
    Recipient,
    /// The message's header.
    Header,
}

impl fmt::Display for Utf8Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sender => "the sender's address",
            Self::Recipient => "the recipient's address",
            Self::Header => "the message header",
        })
    }
}

impl fmt::Display for Failure {
    /// One line: cause, phase, reply.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.cause, self.phase)?;
        if self.outlook == Outlook::Uncertain {
            f.write_str(", after the whole message was sent: it may have been delivered")?;
        }
        if let Some(reply) = &self.reply {
            write!(f, ": {reply}")?;
        }
        Ok(())
    }
}

impl Failure {
    /// Whether another host may be tried for the same recipient in the same attempt: never after
    /// [`Outlook::Uncertain`], never after a permanent answer about message or recipient.
    #[must_use]
    pub fn may_try_next_host(&self) -> bool {
        match self.outlook {
            // A message that this host could not even read is no better at another server.
            Outlook::Temporary => !matches!(
                self.cause,
                Cause::MessageUnreadable(_) | Cause::MessageChanged | Cause::Message(_)
            ),
            Outlook::Permanent => self.scope == Scope::Host,
            Outlook::Uncertain => false,
        }
    }
}

impl SessionOutcome {
    /// Whether the server took responsibility for at least one recipient.
    #[must_use]
    pub fn delivered_any(&self) -> bool {
        self.recipients
            .iter()
            .any(|recipient| matches!(recipient.result, RecipientResult::Delivered(_)))
    }
}
