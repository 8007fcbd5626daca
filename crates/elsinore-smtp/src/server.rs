//! The server's side of one SMTP session, as a state machine without a network.
//!
//! The driver asks [`ServerSession::next`] what to do and reports what happened. The session knows the
//! protocol; whose mail is taken, and where it is kept, is the driver's.
//!
//! ```text
//! loop {
//!     match session.next() {
//!         Action::Send(octets)      => write all of it
//!         Action::Receive(phase)    => read some, received(octets), within the time of `phase`
//!         Action::StartTls          => handshake on this very connection, then tls_established
//!         Action::Mail              => look at sender(), then accept / refuse
//!         Action::Recipient(who)    => accept / refuse
//!         Action::Content           => accept / refuse: a message begins
//!         Action::Block             => keep block(); when that fails refuse
//!         Action::Commit            => keep the message for good, take_transaction(), then accept_as / refuse
//!         Action::Discard           => forget what was kept of the message
//!         Action::Close             => close the connection
//!     }
//! }
//! ```
//!
//! Offered are PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531),
//! CHUNKING (RFC 3030, without BINARYMIME), DSN (RFC 3461), ENHANCEDSTATUSCODES (RFC 2034), STARTTLS
//! (RFC 3207) where it is configured, and inside TLS REQUIRETLS (RFC 8689 §2).
//!
//! # One reading of the octets
//! Only CRLF ends a line, and only a dot alone between two CRLF ends a message (RFC 5321 §2.3.8,
//! §4.1.1.4). A message with a lone CR or LF or a NUL is refused, by BDAT too: without BINARYMIME its
//! content is text in lines (RFC 3030 §2), and a host behind us may have to be given it by DATA. Where another reader could see the
//! end of the message at another place (`LF . LF`, `CR . CRLF` and their like), or another command
//! line (LF alone), or where nobody can tell where the next command begins (BDAT without a size), the
//! session ends there: nothing behind such a place is ever read as a command.
//!
//! # Bounds
//! The session holds one command line, one block of a message, replies of a few kilobytes and the
//! recipients of one transaction, whose number is bounded; never a message.

mod answer;
mod content;
mod parameters;
mod received;
mod request;
mod session;

pub use answer::Refusal;
pub use received::ReceivedFields;
pub use session::ServerSession;

use crate::address::{Mailbox, ReversePath};
use crate::command::{Body, GreetingName};

/// What the driver is to do next. Until it has been done and reported, `next` answers the same, but
/// for [`Send`](Self::Send) and [`Discard`](Self::Discard), which count as done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write all these octets.
    Send(Vec<u8>),
    /// Read at least one octet.
    Receive(Phase),
    /// Begin the TLS handshake on this connection, with nothing that was read before.
    StartTls,
    /// A transaction begins: [`ServerSession::sender`].
    Mail,
    /// Another recipient of it.
    Recipient(Recipient),
    /// The client wants to send the message, whose declared size is in the sender's parameters.
    Content,
    /// More of the message: [`ServerSession::block`], until `next` is asked again.
    Block,
    /// The message is complete. What the client is told stands for good (RFC 5321 §4.2.5).
    Commit,
    /// There will be no message: what was kept of it can go.
    Discard,
    /// Close the connection.
    Close,
}

/// What is being waited for (RFC 5321 §4.5.3.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The first octet of a command.
    Command,
    /// The rest of a command line.
    Line,
    /// More of a message.
    Block,
}

/// How a session behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The name in the greeting.
    pub host: GreetingName,
    /// Who is meant by `postmaster` without a domain (RFC 5321 §4.5.1).
    pub postmaster: Mailbox,
    /// Octets of a message (RFC 1870).
    pub message_octets: u64,
    /// Octets of a line of a message, CRLF not counted.
    pub line_octets: u64,
    /// Recipients of a message (RFC 5321 §4.5.3.1.8).
    pub recipients: usize,
    /// Mistakes, and refused recipients and senders, after which the session ends.
    pub errors: u32,
    /// Recipients that cannot be used or are too many, before a message is accepted, from which on each
    /// is a mistake.
    pub refused_recipients: u32,
    /// Commands that bring no message nearer, and messages that the driver did not keep, in a row, after
    /// which the session ends.
    pub idle_commands: u32,
    /// Whether STARTTLS is offered.
    pub starttls: Offer,
    /// What becomes of octets above 127 that were not declared.
    pub undeclared_eight_bit: EightBit,
}

/// Whether something is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offer {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// What becomes of octets above 127 in a message that is not declared to have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EightBit {
    /// The message is refused (RFC 6152 §3 allows them only under BODY=8BITMIME).
    Refused,
    /// The message is taken.
    Taken,
}

/// What MAIL said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The reverse path.
    pub reverse_path: ReversePath,
    /// SIZE (RFC 1870 §6.1).
    pub size: Option<u64>,
    /// BODY (RFC 6152 §2); never [`Body::BinaryMime`].
    pub body: Body,
    /// SMTPUTF8 (RFC 6531 §3.4).
    pub smtp_utf8: bool,
    /// REQUIRETLS (RFC 8689 §2).
    pub require_tls: bool,
    /// RET (RFC 3461 §4.3), `FULL` or `HDRS`.
    pub ret: Option<String>,
    /// ENVID (RFC 3461 §4.4), xtext as it came.
    pub envelope_id: Option<String>,
}

/// What RCPT said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The forward path without its source route.
    pub mailbox: Mailbox,
    /// NOTIFY (RFC 3461 §4.1), in upper case.
    pub notify: Option<String>,
    /// ORCPT (RFC 3461 §4.2): address type, semicolon, xtext as it came.
    pub original: Option<String>,
}

/// The envelope of a complete message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// What MAIL said.
    pub sender: Sender,
    /// The recipients that were accepted, in their order, at least one.
    pub recipients: Vec<Recipient>,
}
