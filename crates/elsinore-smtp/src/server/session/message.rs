//! The message, by DATA or BDAT.

use super::{Message, PATIENCE, Question, ServerSession, Step};
use crate::command::{Body, Chunk};
use crate::server::EightBit;
use crate::server::answer::Refusal;
use crate::server::content::{Flaw, Found, Inflow};

impl ServerSession {
    pub(super) fn bdat(&mut self, octets: u64, place: Chunk) {
        if let Some(inflow) = self.pieces.take() {
            return self.begin_chunk(inflow, octets, place);
        }
        if self.sender.is_none() {
            self.swallow(octets, Refusal::permanent(503, (5, 1), "MAIL comes first"));
        } else if self.recipients.is_empty() {
            let refusal = Refusal::permanent(554, (5, 1), "no recipient was accepted");
            self.swallow(octets, refusal);
        } else {
            self.step = Step::Asked(Question::Chunk(octets, place));
        }
    }

    pub(super) fn begin_chunk(&mut self, inflow: Inflow, octets: u64, place: Chunk) {
        let all = self.octets.saturating_add(octets);
        if all > self.config.message_octets {
            let refusal = self.too_big();
            if all - self.config.message_octets > PATIENCE {
                self.reset();
                self.say_no(&refusal);
                return self.close();
            }
            self.lose(refusal);
        }
        self.step = Step::Chunk(inflow, octets, place);
        if octets == 0 && place == Chunk::More {
            self.idle();
        }
    }

    /// Octets that belong to no message are read and thrown away (RFC 3030 §2), a bounded number.
    pub(super) fn swallow(&mut self, octets: u64, refusal: Refusal) {
        let Some(left) = self.stray.checked_sub(octets) else {
            self.say_no(&refusal);
            return self.close();
        };
        self.stray = left;
        self.step = Step::Swallow(octets, refusal);
    }

    pub(super) fn read_chunk(&mut self) -> bool {
        let input = self.input.get(self.start..).unwrap_or_default();
        let (Step::Chunk(_, left, _) | Step::Swallow(left, _)) = &mut self.step else {
            return false;
        };
        let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
        if length == 0 {
            return false;
        }
        *left -= length as u64;
        self.start += length;
        if let Step::Chunk(inflow, ..) = &mut self.step {
            let octets = input.get(..length).unwrap_or_default();
            // A counted message has no end within.
            let _ = inflow.push(octets, &mut self.block);
            let flaw = inflow.flaw();
            self.octets = self.octets.saturating_add(length as u64);
            self.judge_block(flaw);
        }
        true
    }

    pub(super) fn chunk_ends(&mut self) {
        match std::mem::replace(&mut self.step, Step::Command) {
            Step::Chunk(mut inflow, _, place) => {
                if place == Chunk::Last {
                    inflow.finish();
                    return self.message_ends(&inflow);
                }
                if let Message::Lost(refusal) = std::mem::take(&mut self.message) {
                    self.reset();
                    self.excuse();
                    return self.mistake(&refusal);
                }
                self.message = Message::Kept;
                self.pieces = Some(inflow);
                self.say(250, "2.0.0 go on");
            }
            Step::Swallow(_, refusal) => self.mistake(&refusal),
            step => self.step = step,
        }
    }

    pub(super) fn read_data(&mut self) -> bool {
        let input = self.input.get(self.start..).unwrap_or_default();
        let Step::Data(inflow) = &mut self.step else {
            return false;
        };
        if input.is_empty() {
            return false;
        }
        let found = inflow.push(input, &mut self.block);
        let flaw = inflow.flaw();
        self.octets = self.octets.saturating_add(self.block.len() as u64);
        let taken = match found {
            Found::More => input.len(),
            Found::End(taken) => taken,
            Found::Ambiguous => {
                self.block.clear();
                self.reset();
                self.say_no(&Refusal::permanent(
                    554,
                    (6, 0),
                    "a dot alone on its line, but not between two CR LF: where does the message end?",
                ));
                self.close();
                return true;
            }
        };
        self.start += taken;
        self.judge_block(flaw);
        if found != Found::More
            && let Step::Data(inflow) = std::mem::replace(&mut self.step, Step::Command)
        {
            self.message_ends(&inflow);
        } else if self.octets > self.config.message_octets.saturating_add(PATIENCE) {
            self.reset();
            self.say_no(&self.too_big());
            self.close();
        }
        true
    }

    /// What was just read is handed on, unless the message is lost.
    pub(super) fn judge_block(&mut self, flaw: Option<Flaw>) {
        let refusal = match flaw {
            Some(Flaw::LoneLineEnd) => Some((6, 0, "a CR or an LF alone in the message")),
            Some(Flaw::Nul) => Some((6, 0, "a NUL in the message")),
            Some(Flaw::LongLine) => Some((6, 0, "a line of the message is too long")),
            None => None,
        };
        if let Some((subject, detail, text)) = refusal {
            self.lose(Refusal::permanent(554, (subject, detail), text));
        } else if self.octets > self.config.message_octets {
            self.lose(self.too_big());
        }
        if !matches!(self.message, Message::Kept) {
            self.block.clear();
        }
    }

    pub(super) fn message_ends(&mut self, inflow: &Inflow) {
        self.judge_block(inflow.flaw());
        let declared = self
            .sender
            .as_ref()
            .is_some_and(|sender| sender.body != Body::SevenBit || sender.smtp_utf8);
        if inflow.eight_bit() && !declared && self.config.undeclared_eight_bit == EightBit::Refused
        {
            let text = "octets above 127, but BODY=8BITMIME was not said";
            self.lose(Refusal::permanent(554, (6, 3), text));
            self.block.clear();
        }
        match std::mem::take(&mut self.message) {
            Message::Lost(refusal) => {
                self.reset();
                self.mistake(&refusal);
            }
            Message::Kept => {
                self.message = Message::Kept;
                self.step = Step::Asked(Question::Commit);
            }
            Message::None => self.reset(),
        }
    }

    /// The message will be refused at its end; the first reason stands.
    pub(super) fn lose(&mut self, refusal: Refusal) {
        if matches!(self.message, Message::Kept) {
            self.message = Message::Lost(refusal);
            self.discard = true;
        }
    }

    pub(super) fn too_big(&self) -> Refusal {
        let most = self.config.message_octets;
        Refusal::permanent(552, (3, 4), format!("a message may have {most} octets"))
    }
}
