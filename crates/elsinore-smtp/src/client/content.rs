//! The message on its way out, under DATA or BDAT.

use super::Action;
use super::awaited::Awaited;
use super::outcome::{Cause, Failure, Outlook, RecipientResult, Scope};
use super::session::{ClientSession, Step};
use super::timeouts::Phase;
use super::transmission::{Framing, Transmission};
use crate::command::{Chunk, Command};
use crate::framing::DotStuffing;
use crate::message::{MessageError, Outflow, Survey};
use crate::reply::Reply;
use crate::status::EnhancedStatus;
use std::sync::Arc;

/// Octets asked for at a time.
const PULL: usize = 65_536;
/// Octets at which a BDAT chunk is closed. Larger chunks mean fewer replies to wait for where
/// PIPELINING is missing.
const CHUNK: usize = 262_144;
/// BDAT chunks whose replies may be outstanding under PIPELINING (RFC 3030 §2).
const WINDOW: usize = 8;

/// How many BDAT chunks may be unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    One,
    Several,
}

/// The state of the transfer.
#[derive(Debug)]
pub(super) struct Content {
    outflow: Outflow,
    framing: Framing,
    stuffing: DotStuffing,
    /// Octets prepared and not yet framed.
    prepared: Vec<u8>,
    /// Octets of the spooled message taken so far.
    pulled: u64,
    sent: u64,
    window: usize,
    ended: bool,
}

impl Content {
    pub(super) fn new(message: &Arc<Survey>, transmission: Transmission, window: Window) -> Self {
        Self {
            outflow: Outflow::new(Arc::clone(message), transmission.encoding),
            framing: transmission.framing,
            stuffing: DotStuffing::new(),
            prepared: Vec::new(),
            pulled: 0,
            sent: 0,
            window: match window {
                Window::One => 0,
                Window::Several => WINDOW,
            },
            ended: false,
        }
    }

    /// Whether the message has been read to its end.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// How many replies may be outstanding while more is sent.
    pub(super) const fn window(&self) -> usize {
        if self.ended { 0 } else { self.window }
    }
}

impl ClientSession {
    pub(super) fn advance_content(&mut self) -> Option<Action> {
        let Some(content) = &self.content else {
            self.step = Step::Quit;
            return None;
        };
        if content.ended {
            // The reply to the end has been taken: nothing is left to do here.
            self.close_transaction();
            return None;
        }
        Some(Action::PullMessage {
            offset: content.pulled,
            at_most: PULL,
        })
    }

    pub(super) fn absorb_chunk(&mut self, octets: &[u8]) {
        if self.step != Step::Content {
            return;
        }
        let Some(content) = self.content.as_mut().filter(|content| !content.ended) else {
            return;
        };
        content.pulled += octets.len() as u64;
        let prepared = if octets.is_empty() {
            content.ended = true;
            content.outflow.finish(&mut content.prepared)
        } else {
            content.outflow.push(octets, &mut content.prepared)
        };
        match prepared {
            Ok(()) => self.frame(),
            // Closed without the final dot: the server must not deliver what it has
            // (RFC 5321 §4.1.1.4).
            Err(MessageError::Changed) => self.abandon(Cause::MessageChanged),
            Err(error) => self.abandon(Cause::Message(error)),
        }
    }

    /// Turns what is prepared into octets on the wire.
    fn frame(&mut self) {
        let Some(mut content) = self.content.take() else {
            return;
        };
        let prepared = std::mem::take(&mut content.prepared);
        match content.framing {
            Framing::Data => {
                content.sent += prepared.len() as u64;
                self.send_stuffed(&mut content.stuffing, &prepared);
                if content.ended {
                    self.transcript
                        .note(&format!("message of {} octets", content.sent));
                    self.say(".", Awaited::End);
                    self.quit_behind_message();
                }
            }
            Framing::Bdat if content.ended => {
                self.say_chunk(&prepared, Chunk::Last);
                self.quit_behind_message();
            }
            Framing::Bdat if prepared.len() >= CHUNK => {
                self.say_chunk(&prepared, Chunk::More);
            }
            Framing::Bdat => content.prepared = prepared,
        }
        self.content = Some(content);
    }

    fn say_chunk(&mut self, octets: &[u8], position: Chunk) {
        let awaited = match position {
            Chunk::More => Awaited::Chunk,
            Chunk::Last => Awaited::End,
        };
        let line = Command::Bdat(octets.len(), position).to_string();
        self.say(&line, awaited);
        self.send_content(octets);
        self.transcript.note(&format!("{} octets", octets.len()));
    }

    /// The reply to a chunk that was not the last.
    pub(super) fn on_chunk_reply(&mut self, reply: Reply) {
        if reply.is_success() {
            return;
        }
        // RFC 3030 §2: the transaction has failed and no further chunk may be sent. If the last
        // one is out already, its reply still comes and cannot be a success any more.
        let failure = Self::failure_of(Scope::Message, Phase::DataBlock, reply);
        for index in self.envelope.accepted().to_vec() {
            self.settle(index, RecipientResult::Failed(failure.clone()));
        }
        if let Some(content) = &mut self.content {
            content.ended = true;
        }
    }

    /// The reply to the end of the message. When QUIT is on its way already, the work is done.
    pub(super) fn on_end_reply(&mut self, reply: Reply) {
        self.on_responsibility(reply);
        if self.step == Step::Content && self.awaited.contains(&Awaited::Quit) {
            self.close_transaction();
            self.step = Step::Quit;
        }
    }

    /// The moment at which responsibility passes, or does not.
    fn on_responsibility(&mut self, reply: Reply) {
        if self.step != Step::Content {
            // The reply to the single dot of an empty message.
            return;
        }
        if reply.is_success() && self.content.as_ref().is_some_and(|content| content.ended) {
            self.transaction_is_clean();
            for index in self.envelope.accepted().to_vec() {
                self.settle(index, RecipientResult::Delivered(reply.clone()));
            }
            return;
        }
        let failure = match reply.class() {
            Some(_) if !reply.is_success() => {
                self.transaction_is_clean();
                Self::failure_of(Scope::Message, Phase::DataEnd, reply)
            }
            // A success in the middle of the message, or a 3yz at its end: nobody can tell.
            _ => Failure {
                outlook: Outlook::Uncertain,
                scope: Scope::Host,
                phase: Phase::DataEnd,
                cause: Cause::UnexpectedReply,
                status: EnhancedStatus::temporary(5, 0),
                reply: Some(reply),
            },
        };
        let complete = self.content.as_ref().is_some_and(|content| content.ended);
        for index in self.envelope.accepted().to_vec() {
            self.settle(index, RecipientResult::Failed(failure.clone()));
        }
        if !complete {
            // Refused while the message was still being written: there is no way back to
            // commands but the end of the connection.
            self.end(failure);
            self.step = Step::Closed;
        }
    }
}
