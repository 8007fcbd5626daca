//! The client's side of one SMTP session, as a state machine without a network.
//!
//! The driver asks [`ClientSession::next`] what to do and reports what happened. A session
//! delivers one message to any number of recipients at one server, or only looks at the server. When
//! it is told to stay, it can deliver further messages over the same connection.
//!
//! ```text
//! loop {
//!     match session.next() {
//!         Action::Send { octets, phase }          => write all of it, or connection_lost / timed_out
//!         Action::Receive { phase }               => read some, received(octets); or connection_lost / timed_out
//!         Action::StartTls                        => handshake on this very connection, then tls_established / tls_failed
//!         Action::PullMessage { offset, at_most } => read the spooled message there, message_chunk(octets) (empty: end) / message_unreadable
//!         Action::Idle                            => take_outcome(); later next_transaction(…) or leave()
//!         Action::Close                           => close the connection, into_outcome()
//!     }
//! }
//! ```
//!
//! # Nothing is delivered twice
//! A recipient leaves a session with exactly one [`RecipientResult`]. `Delivered` means that the
//! server took responsibility (RFC 5321 §4.2.5): never offer the message to that recipient
//! again. `Failed` with [`Outlook::Temporary`] or [`Outlook::Permanent`] means that the server
//! certainly did not take it: another host may be tried at once. [`Outlook::Uncertain`] means
//! that the whole message went out and no intelligible answer came back: the server may have
//! delivered it. Such a recipient must not be offered to another host in the same attempt; it is
//! deferred and reported as a possible duplicate (RFC 5321 §4.5.3.2.6 tells why the wait for that
//! answer is ten minutes).

mod awaited;
mod content;
mod envelope;
mod event;
mod further;
mod outcome;
mod session;
mod timeouts;
mod transcript;
mod transmission;

pub use event::{ConversionReason, Event};
pub use outcome::{
    Cause, Failure, Outlook, RecipientOutcome, RecipientResult, Scope, SessionOutcome, Turn,
    Utf8Need,
};
pub use session::ClientSession;
pub use timeouts::{Phase, Timeouts};
pub use transcript::{Entry, Transcript, Transcripts};

use crate::address::{Mailbox, ReversePath};
use crate::command::{EnvelopeId, GreetingName, RcptParameters, Return};
use crate::message::Survey;
use std::sync::Arc;

/// What the driver is to do next. Until it has been done and reported, `next` answers the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write all these octets, within the time of `phase` per write. Returned once: they count
    /// as sent. When writing fails, what the server has sent may still be read and handed to
    /// [`ClientSession::received`] before [`ClientSession::connection_lost`] is called.
    Send {
        /// The octets.
        octets: Vec<u8>,
        /// Which timeout applies.
        phase: Phase,
    },
    /// Read at least one octet, within the time of `phase`.
    Receive {
        /// Which timeout applies.
        phase: Phase,
    },
    /// Begin the TLS handshake on this connection. Octets that were read from the socket but not
    /// yet handed over must be dropped or handed over *before* this action is asked for: text
    /// from outside TLS never enters the session inside it (RFC 3207 §4.2).
    StartTls,
    /// Hand over up to `at_most` octets of the spooled message from `offset` on.
    PullMessage {
        /// Octets from the beginning of the spooled message.
        offset: u64,
        /// The most octets wanted.
        at_most: usize,
    },
    /// The transaction is over and the connection stays open ([`Afterwards::Stay`]): the outcome is
    /// ready for [`ClientSession::take_outcome`]. Then comes [`ClientSession::next_transaction`] or
    /// [`ClientSession::leave`].
    Idle,
    /// Close the connection; the outcome is ready.
    Close,
}

/// Whether STARTTLS is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StartTls {
    /// Not even when offered.
    Never,
    /// When offered; a refusal leaves the session in cleartext.
    IfOffered,
    /// Always; without it the session fails for this host, for a while ([`Outlook::Temporary`]).
    Required,
}

/// What follows the last transaction when the server is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Afterwards {
    /// QUIT.
    Quit,
    /// [`Action::Idle`]: another transaction may come. A session that failed ends all the same.
    Stay,
}

/// Whether an extension is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// When the server offers it.
    WhenOffered,
    /// Never.
    Never,
}

/// What a session is told about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// The name in EHLO and HELO.
    pub greeting_name: GreetingName,
    /// The use of STARTTLS.
    pub starttls: StartTls,
    /// The use of PIPELINING (RFC 2920).
    pub pipelining: Use,
    /// The use of CHUNKING (RFC 3030).
    pub chunking: Use,
    /// Recipients in one transaction; more are spread over several transactions of the session.
    /// RFC 5321 §4.5.3.1.8 has every server accept 100.
    pub recipients_per_transaction: usize,
    /// What follows the last transaction.
    pub afterwards: Afterwards,
    /// Whether the dialogue is written down.
    pub transcript: Transcripts,
}

impl ClientConfig {
    /// STARTTLS when offered, every extension when offered, 100 recipients per transaction, then
    /// QUIT.
    #[must_use]
    pub const fn new(greeting_name: GreetingName) -> Self {
        Self {
            greeting_name,
            starttls: StartTls::IfOffered,
            pipelining: Use::WhenOffered,
            chunking: Use::WhenOffered,
            recipients_per_transaction: 100,
            afterwards: Afterwards::Quit,
            transcript: Transcripts::Kept,
        }
    }
}

/// What a session is for.
#[derive(Debug, Clone)]
pub enum Task {
    /// Deliver a message.
    Deliver(Arc<Transaction>),
    /// Look: QUIT where MAIL would come.
    Probe,
}

/// A message and its envelope.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// The sender.
    pub reverse_path: ReversePath,
    /// The recipients, each once. None at all is answered by QUIT.
    pub recipients: Vec<Recipient>,
    /// What the survey of the message found.
    pub message: Arc<Survey>,
    /// Whether UTF-8 in the header was declared.
    pub header_utf8: HeaderUtf8,
    /// REQUIRETLS.
    pub require_tls: RequireTls,
    /// RET, passed on where the server offers DSN. RET=HDRS under REQUIRETLS in any case
    /// (RFC 8689 §5).
    pub ret: Option<Return>,
    /// ENVID, passed on where the server offers DSN.
    pub envelope_id: Option<EnvelopeId>,
}

/// Whether whoever submitted the message declared that its header may hold UTF-8, by SMTPUTF8 at
/// MAIL (RFC 6531 §3.4). It matters only where the header does hold UTF-8 and the server does not
/// offer SMTPUTF8. An address that needs SMTPUTF8 never goes to such a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderUtf8 {
    /// Declared, or the message is ours: it fails there with status 5.6.9 (RFC 6531 §3.5).
    Declared,
    /// Not declared, as by most programs older than SMTPUTF8 and many younger ones. RFC 6531 §3.2
    /// would have it returned; it goes on as it came ([`Event::UndeclaredHeaderUtf8`]), under
    /// 8BITMIME, or fails with status 5.6.3 where that is not offered either. Servers that offer
    /// SMTPUTF8 are told.
    Undeclared,
    /// The same, and no server is told: for a program that hands the message to its own relay and
    /// could not know whether its caller meant to declare anything. The relay then sees it as
    /// undeclared.
    Withheld,
}

/// Whether the message may only travel under REQUIRETLS (RFC 8689).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequireTls {
    /// Only to servers that promise it inside TLS. With a null reverse path the parameter is
    /// left out where it is not offered (RFC 8689 §5).
    Yes,
    /// No such demand.
    No,
}

/// One recipient with its DSN parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub mailbox: Mailbox,
    /// NOTIFY and ORCPT, passed on where the server offers DSN.
    pub parameters: RcptParameters,
}

impl Recipient {
    /// A recipient without DSN parameters.
    #[must_use]
    pub fn new(mailbox: Mailbox) -> Self {
        Self {
            mailbox,
            parameters: RcptParameters::default(),
        }
    }
}
