//! The session: which command may come when, and what is said.

mod commands;
mod message;

use super::answer::{Refusal, write_text};
use super::content::{Framing, Inflow};
use super::parameters::Dialect;
use super::{Action, Phase, Recipient, Sender, ServerConfig, Transaction};
use crate::command::Chunk;
use std::sync::Arc;

/// Octets of a command line, CRLF included. RFC 5321 §4.5.3.1.4 has 512, RFC 3461 §5 adds 600, others
/// less.
const MAX_COMMAND: usize = 2048;
/// Octets of a longer line that are read to find its end.
const MAX_SKIPPED: usize = 64 * 1024;
/// Octets of replies that wait until a whole group of commands has been read (RFC 2920 §3.2).
const MAX_REPLIES: usize = 8 * 1024;
/// Octets behind the bound of a message that are read to find its end, for a reply that is
/// understood.
const PATIENCE: u64 = 16 * 1024 * 1024;
/// Octets of BDAT without anything that could have made it a transaction that are read and thrown away.
const MAX_STRAY: u64 = 8 * 1024;
/// Refusals that the driver is told of until a message is accepted: a log is not filled by one client
/// that takes turns between two mistakes.
const MAX_TOLD: usize = 32;
/// Mistakes of a client that was turned away, until it is left alone.
const MAX_UNWELCOME: u32 = 5;

/// Where the session stands.
#[derive(Debug)]
enum Step {
    /// A command comes.
    Command,
    /// A line without end is thrown away; octets so far, the last of them.
    Skipping(usize, u8),
    /// The driver was asked.
    Asked(Question),
    /// 220 was said.
    Handshake,
    /// The message comes.
    Data(Inflow),
    /// A piece of it comes: octets still to come.
    Chunk(Inflow, u64, Chunk),
    /// A piece of no message comes; then this is said.
    Swallow(u64, Refusal),
    /// What there is to say is said, then it ends.
    Closing,
    Closed,
}

#[derive(Debug)]
enum Question {
    Mail(Sender),
    Recipient(Recipient),
    Data,
    Chunk(u64, Chunk),
    Commit,
}

/// The message of the transaction.
#[derive(Debug, Default)]
enum Message {
    #[default]
    None,
    /// It is being kept.
    Kept,
    /// It is lost, and what is said when its end has come.
    Lost(Refusal),
}

/// How a client was greeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Greeting {
    /// By 220.
    Welcome,
    /// By a refusal (RFC 5321 §3.1).
    TurnedAway,
}

/// One session with one client. See the [module](super) for how it is driven.
#[derive(Debug)]
pub struct ServerSession {
    config: Arc<ServerConfig>,
    greeting: Greeting,
    step: Step,
    input: Vec<u8>,
    start: usize,
    output: Vec<u8>,
    block: Vec<u8>,
    hello: Option<(String, Dialect)>,
    inside_tls: bool,
    sender: Option<Sender>,
    recipients: Vec<Recipient>,
    message: Message,
    octets: u64,
    /// BDAT between two pieces.
    pieces: Option<Inflow>,
    discard: bool,
    errors: u32,
    idle_commands: u32,
    /// Since a message was accepted.
    refused_recipients: u32,
    /// Octets of BDAT outside a transaction that are still thrown away.
    stray: u64,
    told: Vec<(u16, String)>,
    told_last: Option<(u16, String)>,
    /// How many were told of since a message was accepted.
    told_count: usize,
}

impl ServerSession {
    /// A session on a connection that has just been accepted.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>) -> Self {
        let output = format!("220 {} ESMTP\r\n", config.host).into_bytes();
        Self::greeted(config, Greeting::Welcome, output)
    }

    /// A session with a client whose mail is not taken: greeted by `refusal`, a 554, it hears 503 to a
    /// few commands until it says QUIT (RFC 5321 §3.1; RFC 7504 §3 leaves 521 to hosts that take
    /// nobody's mail). None of that is [told](Self::told).
    #[must_use]
    pub fn turned_away(config: Arc<ServerConfig>, refusal: &Refusal) -> Self {
        let mut output = Vec::new();
        refusal.write(&mut output);
        Self::greeted(config, Greeting::TurnedAway, output)
    }

    fn greeted(config: Arc<ServerConfig>, greeting: Greeting, output: Vec<u8>) -> Self {
        Self {
            config,
            greeting,
            step: Step::Command,
            input: Vec::new(),
            start: 0,
            output,
            block: Vec::new(),
            hello: None,
            inside_tls: false,
            sender: None,
            recipients: Vec::new(),
            message: Message::None,
            octets: 0,
            pieces: None,
            discard: false,
            errors: 0,
            idle_commands: 0,
            refused_recipients: 0,
            stray: MAX_STRAY,
            told: Vec::new(),
            told_last: None,
            told_count: 0,
        }
    }

    /// What to do next.
    #[allow(
        clippy::should_implement_trait,
        reason = "a session waits for its driver between actions; it is no iterator"
    )]
    pub fn next(&mut self) -> Action {
        self.block.clear();
        loop {
            if std::mem::take(&mut self.discard) {
                return Action::Discard;
            }
            if self.output.len() > MAX_REPLIES {
                return self.flush();
            }
            match &self.step {
                Step::Closed => return Action::Close,
                Step::Closing if self.output.is_empty() => self.step = Step::Closed,
                Step::Handshake if self.output.is_empty() => return Action::StartTls,
                Step::Closing | Step::Handshake => return self.flush(),
                Step::Asked(question) => return question.action(),
                Step::Command
                | Step::Skipping(..)
                | Step::Data(_)
                | Step::Chunk(..)
                | Step::Swallow(..) => {
                    if !self.advance() {
                        if !self.output.is_empty() {
                            return self.flush();
                        }
                        return Action::Receive(self.phase());
                    }
                    if !self.block.is_empty() {
                        return Action::Block;
                    }
                }
            }
        }
    }

    fn flush(&mut self) -> Action {
        Action::Send(std::mem::take(&mut self.output))
    }

    fn phase(&self) -> Phase {
        match self.step {
            Step::Data(_) | Step::Chunk(..) | Step::Swallow(..) => Phase::Block,
            _ if self.start < self.input.len() => Phase::Line,
            Step::Skipping(..) => Phase::Line,
            _ => Phase::Command,
        }
    }

    /// Octets from the client, as they came.
    pub fn received(&mut self, octets: &[u8]) {
        if matches!(self.step, Step::Handshake | Step::Closing | Step::Closed) {
            return;
        }
        self.input.drain(..self.start);
        self.start = 0;
        self.input.extend_from_slice(octets);
    }

    /// The handshake succeeded. What was said before is forgotten (RFC 3207 §4.2).
    pub fn tls_established(&mut self) {
        if matches!(self.step, Step::Handshake) {
            self.inside_tls = true;
            self.hello = None;
            self.stray = MAX_STRAY;
            self.input.clear();
            self.start = 0;
            self.step = Step::Command;
        }
    }

    /// Ends the session: `refusal` is said once what was said before has gone out. Nothing more is
    /// read; a message under way is lost.
    pub fn end(&mut self, refusal: &Refusal) {
        if !matches!(self.step, Step::Closed | Step::Closing) {
            self.reset();
            self.say_no(refusal);
            self.close();
        }
    }

    /// What MAIL said, inside a transaction and when asked about [`Action::Mail`].
    #[must_use]
    pub fn sender(&self) -> Option<&Sender> {
        match &self.step {
            Step::Asked(Question::Mail(sender)) => Some(sender),
            _ => self.sender.as_ref(),
        }
    }

    /// The recipients that were accepted in this transaction.
    #[must_use]
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// Whether MAIL was accepted and its message has neither been taken nor refused.
    #[must_use]
    pub const fn in_transaction(&self) -> bool {
        self.sender.is_some()
    }

    /// The octets of [`Action::Block`].
    #[must_use]
    pub fn block(&self) -> &[u8] {
        &self.block
    }

    /// The name the client gave, and whether by EHLO.
    #[must_use]
    pub fn hello(&self) -> Option<(&str, bool)> {
        let (name, dialect) = self.hello.as_ref()?;
        Some((name, *dialect != Dialect::Plain))
    }

    /// Refusals since this was asked last: code and text, those that repeat the one before left out. A
    /// bounded number until the next message is accepted. For the log.
    pub fn told(&mut self) -> Vec<(u16, String)> {
        std::mem::take(&mut self.told)
    }

    /// The envelope of the complete message, when asked about [`Action::Commit`].
    pub fn take_transaction(&mut self) -> Option<Transaction> {
        let sender = self.sender.take()?;
        Some(Transaction {
            sender,
            recipients: std::mem::take(&mut self.recipients),
        })
    }

    /// Yes to what was asked last.
    pub fn accept(&mut self) {
        self.accept_as("accepted");
    }

    /// Yes to what was asked last, with `text` in the reply to a complete message.
    pub fn accept_as(&mut self, text: &str) {
        let Step::Asked(question) = std::mem::replace(&mut self.step, Step::Command) else {
            return;
        };
        match question {
            Question::Mail(sender) => {
                self.sender = Some(sender);
                self.say(250, "2.1.0 sender accepted");
            }
            Question::Recipient(recipient) => {
                self.recipients.push(recipient);
                self.say(250, "2.1.5 recipient accepted");
            }
            Question::Data => {
                self.message = Message::Kept;
                self.octets = 0;
                self.say(354, "end with a dot on a line of its own");
                self.step = Step::Data(Inflow::new(Framing::Dot, self.config.line_octets));
            }
            Question::Chunk(octets, place) => {
                self.message = Message::Kept;
                self.octets = 0;
                let inflow = Inflow::new(Framing::Counted, self.config.line_octets);
                self.begin_chunk(inflow, octets, place);
            }
            Question::Commit => {
                self.message = Message::None;
                self.idle_commands = 0;
                self.errors = 0;
                self.refused_recipients = 0;
                self.stray = MAX_STRAY;
                self.told_last = None;
                self.told_count = 0;
                self.reset();
                self.say(250, &format!("2.0.0 {text}"));
            }
        }
    }

    /// No to what was asked last; to [`Action::Block`] too: the message is then lost, which is said
    /// at its end.
    pub fn refuse(&mut self, refusal: Refusal) {
        if matches!(self.step, Step::Data(_) | Step::Chunk(..)) {
            self.lose(refusal);
            return;
        }
        let Step::Asked(question) = std::mem::replace(&mut self.step, Step::Command) else {
            return;
        };
        match question {
            Question::Mail(_) | Question::Recipient(_) => {
                self.excuse();
                self.mistake(&refusal);
            }
            Question::Data => {
                self.say_no(&refusal);
                self.reset();
                self.idle();
                self.stop_at_pipelined_message();
            }
            Question::Chunk(octets, _) => {
                self.reset();
                self.excuse();
                self.swallow(octets, refusal);
            }
            Question::Commit => {
                self.message = Message::None;
                self.reset();
                self.say_no(&refusal);
                self.idle();
            }
        }
    }

    /// Takes one step with what there is to read; false when there is too little.
    fn advance(&mut self) -> bool {
        match &mut self.step {
            Step::Command => self.read_command(),
            Step::Skipping(..) => self.skip(),
            Step::Data(_) => self.read_data(),
            Step::Chunk(_, left, _) | Step::Swallow(left, _) if *left == 0 => {
                self.chunk_ends();
                true
            }
            Step::Chunk(..) | Step::Swallow(..) => self.read_chunk(),
            Step::Asked(_) | Step::Handshake | Step::Closing | Step::Closed => false,
        }
    }

    fn rest(&self) -> &[u8] {
        self.input.get(self.start..).unwrap_or_default()
    }

    /// Ends the transaction (RFC 5321 §4.1.1.5).
    fn reset(&mut self) {
        if matches!(self.message, Message::Kept) {
            self.discard = true;
        }
        self.message = Message::None;
        self.sender = None;
        self.recipients = Vec::new();
        self.pieces = None;
    }

    /// A client that pipelines may have sent its message before it can know that there is no transaction
    /// (RFC 3030 §4.2): that much of BDAT is no mistake of its own.
    fn excuse(&mut self) {
        self.stray = self.config.message_octets.saturating_add(PATIENCE);
    }

    fn out_of_order(&mut self, text: &'static str) {
        self.mistake(&Refusal::permanent(503, (5, 1), text));
    }

    /// Says no, and counts it.
    fn mistake(&mut self, refusal: &Refusal) {
        self.say_no(refusal);
        self.errors += 1;
        let most = match self.greeting {
            Greeting::Welcome => self.config.errors,
            Greeting::TurnedAway => self.config.errors.min(MAX_UNWELCOME),
        };
        if self.errors >= most {
            self.too_many_errors();
        }
    }

    /// Counts a command that brought no message nearer.
    fn idle(&mut self) {
        self.idle_commands += 1;
        if self.idle_commands >= self.config.idle_commands {
            self.too_many_errors();
        }
    }

    fn too_many_errors(&mut self) {
        self.reset();
        self.say_no(&Refusal::temporary(421, (7, 0), "too many errors"));
        self.close();
    }

    fn close(&mut self) {
        self.step = Step::Closing;
        self.input = Vec::new();
        self.start = 0;
    }

    fn say(&mut self, code: u16, text: &str) {
        self.output.extend_from_slice(format!("{code} ").as_bytes());
        write_text(text, &mut self.output);
        self.output.extend_from_slice(b"\r\n");
    }

    fn say_no(&mut self, refusal: &Refusal) {
        refusal.write(&mut self.output);
        if self.greeting == Greeting::TurnedAway || self.told_count >= MAX_TOLD {
            return;
        }
        let text = format!("{} {}", refusal.status, refusal.text);
        let said = (refusal.code, text);
        if self.told_last.as_ref() != Some(&said) {
            self.told_last = Some(said.clone());
            self.told.push(said);
            self.told_count += 1;
        }
    }
}

impl Question {
    fn action(&self) -> Action {
        match self {
            Self::Mail(_) => Action::Mail,
            Self::Recipient(recipient) => Action::Recipient(recipient.clone()),
            Self::Data | Self::Chunk(..) => Action::Content,
            Self::Commit => Action::Commit,
        }
    }
}
