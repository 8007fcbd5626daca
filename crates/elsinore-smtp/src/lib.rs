//! The SMTP dialogue, without a network: replies, commands, the message on its way out, and the
//! client's side of a session as a state machine.
//!
//! This crate performs no I/O, reads no clock, logs nothing, spawns nothing and is not async.
//! Octets from the server and chunks of the message are arguments; octets to send, typed events
//! and a [`client::SessionOutcome`] are results. A message goes through it like this:
//!
//! 1. [`message::Surveyor`] reads the spooled message once, in chunks, and says what it needs
//!    (8BITMIME, SMTPUTF8, its size, its longest line) or why it cannot be sent at all;
//! 2. [`client::ClientSession`] speaks with one server: the driver does what each
//!    [`client::Action`] says and reports back;
//! 3. the session pulls the message in chunks, prepares it ([`message`]), converts it where the
//!    server makes that necessary ([`eight_bit`]) and frames it ([`framing`]).
//!
//! Nothing of a message is held beyond the chunk at hand.

pub mod address;
pub mod client;
pub mod command;
pub mod dsn;
pub mod ehlo;
pub mod eight_bit;
pub mod framing;
pub mod message;
pub mod reply;
pub mod server;
pub mod status;
pub mod text;
