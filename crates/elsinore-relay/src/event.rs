//! Everything that happens in a relay, as values. Whoever has something to say makes an [`Event`];
//! the log, the metrics and the reports about TLS are made of them, and of nothing else.

use elsinore_net::deliver::{Outcome, SendReport, SessionSecurity};
use elsinore_queue::id::MessageId;
use elsinore_queue::message::MessageHead;
use elsinore_queue::moment::Moment;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A message was acknowledged: it is on stable storage.
    Accepted {
        /// The message.
        message: Arc<MessageHead>,
        /// Its recipients, over all destinations.
        recipients: usize,
        /// Over which TLS it came, in the words of the Received field; none for cleartext.
        tls: Option<String>,
    },
    /// A client was refused something.
    Refused {
        /// Its address, or `local`.
        client: String,
        /// The reply code.
        code: u16,
        /// The reply's text, in one line.
        text: String,
    },
    /// A connection was closed at the door.
    TurnedAway {
        /// The client's address, or `local`.
        client: String,
        /// Why.
        why: TurnedAway,
    },
    /// A job was tried: every host and address that was contacted, and what came of it.
    Tried {
        /// The message.
        message: Arc<MessageHead>,
        /// The destination.
        destination: String,
        /// Everything that was found out.
        report: Arc<SendReport>,
        /// How long it took.
        took: Duration,
    },
    /// A recipient got an answer, or waits.
    Recipient {
        /// The message.
        message: MessageId,
        /// The reverse path, empty for `<>`.
        sender: String,
        /// The address.
        recipient: String,
        /// What became of it.
        outcome: Outcome,
        /// What the session achieved.
        security: Option<SessionSecurity>,
        /// The host and address, as in Postfix' `relay=`: `host[address]:port`.
        relay: Option<String>,
        /// The reply, in one line.
        reply: Option<String>,
        /// Time since the message arrived.
        delay: Duration,
        /// When it is tried again.
        next: Option<Moment>,
    },
    /// A notification was queued.
    Notified {
        /// The message it is about.
        about: MessageId,
        /// The notification.
        notice: MessageId,
        /// What it says: `failed`, `delayed`, `delivered`, `relayed`, `postmaster`.
        kind: &'static str,
    },
    /// A notification could be sent to nobody.
    Dropped {
        /// The message it would have been about.
        about: MessageId,
        /// Why.
        reason: String,
    },
    /// A destination that was authenticated is no longer: mail went there by a session that achieved
    /// less. Where no mail goes at all, the attempts tell why.
    ProtectionLost {
        /// The destination.
        destination: String,
        /// What was achieved before.
        was: SessionSecurity,
        /// What is achieved now.
        is: SessionSecurity,
        /// Why, in one line.
        why: String,
    },
    /// A lease had run out before the job was settled: somebody else may have tried it too.
    LeaseLost {
        /// The message.
        message: MessageId,
        /// The destination.
        destination: String,
    },
    /// Something about this process or machine that an administrator should know.
    Notice {
        /// How bad.
        severity: Severity,
        /// Of what it speaks: `store`, `listener`, `configuration`, `resolver`, `tlsrpt`, `relay`.
        part: &'static str,
        /// One line.
        text: String,
    },
}

/// Why a client was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TurnedAway {
    /// Its mail is not relayed.
    NotAllowed,
    /// There are too many connections.
    Full,
    /// It has too many connections.
    TooManyOfOne,
    /// It makes too many connections in a minute.
    TooFast,
}

impl TurnedAway {
    /// One word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotAllowed => "not-allowed",
            Self::Full => "full",
            Self::TooManyOfOne => "too-many",
            Self::TooFast => "too-fast",
        }
    }
}

impl fmt::Display for TurnedAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAllowed => "relaying denied",
            Self::Full => "too many connections",
            Self::TooManyOfOne => "too many connections of yours",
            Self::TooFast => "too many connections a minute",
        })
    }
}

/// How bad an [`Event::Notice`] is, in the words of syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody should look.
    Error,
    /// Something may become an error.
    Warning,
    /// Good to know.
    Info,
}

/// Whoever wants to know what happens. Must not block and must not wait.
pub trait Journal: fmt::Debug + Send + Sync {
    /// Takes notice of `event`.
    fn note(&self, event: &Event);
}

/// Several journals, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Journals(pub Vec<Arc<dyn Journal>>);

impl Journal for Journals {
    fn note(&self, event: &Event) {
        for journal in &self.0 {
            journal.note(event);
        }
    }
}
