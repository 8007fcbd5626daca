//! The session as a whole: greeting, EHLO, STARTTLS, and how everything ends.

use super::awaited::Awaited;
use super::content::Content;
use super::envelope::Envelope;
use super::event::Event;
use super::further::Standing;
use super::outcome::{Cause, Failure, Outlook, RecipientResult, Scope, SessionOutcome};
use super::timeouts::Phase;
use super::transcript::Transcript;
use super::{Action, Afterwards, ClientConfig, StartTls, Task, Transaction};
use crate::command::Command;
use crate::ehlo::{Capabilities, SizeLimit};
use crate::framing::DotStuffing;
use crate::reply::{Reply, ReplyParser};
use crate::status::{EnhancedStatus, StatusClass};
use std::collections::VecDeque;
use std::sync::Arc;

/// What comes when no reply is awaited any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Say EHLO.
    Hello,
    /// Decide about STARTTLS, then go on.
    Secure,
    /// The driver is to shake hands.
    Handshake,
    /// Begin, continue or end transactions.
    Envelope,
    /// Send the message.
    Content,
    /// Wait for another transaction.
    Idle,
    /// Say QUIT.
    Quit,
    /// Nothing any more.
    Closed,
}

/// One session with one server. See the [module](super) for how it is driven.
#[derive(Debug)]
pub struct ClientSession {
    pub(super) config: ClientConfig,
    pub(super) transaction: Option<Arc<Transaction>>,
    pub(super) step: Step,
    pub(super) awaited: VecDeque<Awaited>,
    pub(super) envelope: Envelope,
    pub(super) content: Option<Content>,
    pub(super) results: Vec<Option<RecipientResult>>,
    pub(super) capabilities: Option<Arc<Capabilities>>,
    pub(super) offered_before_tls: Option<Arc<Capabilities>>,
    pub(super) inside_tls: bool,
    pub(super) events: Vec<Event>,
    pub(super) transcript: Transcript,
    pub(super) standing: Standing,
    pub(super) parser: ReplyParser,
    outbox: Vec<u8>,
    outbox_phase: Phase,
    pub(super) connection: Connection,
    pub(super) greeting: Option<Reply>,
    pub(super) failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    Open,
    Lost,
}

/// Octets of the message that are queued before they are sent, at least.
const FULL: usize = 65_536;
/// Most events kept: a server cannot fill the memory with oddities.
const MAX_EVENTS: usize = 200;

impl ClientSession {
    /// A session on a connection that has just been opened.
    #[must_use]
    pub fn new(config: ClientConfig, task: Task) -> Self {
        let transaction = match task {
            Task::Deliver(transaction) => Some(transaction),
            Task::Probe => None,
        };
        let recipients = transaction.as_ref().map_or(0, |it| it.recipients.len());
        let transcript = Transcript::new(config.transcript);
        Self {
            config,
            transaction,
            step: Step::Hello,
            awaited: VecDeque::from([Awaited::Greeting]),
            envelope: Envelope::new(recipients),
            content: None,
            results: vec![None; recipients],
            capabilities: None,
            offered_before_tls: None,
            inside_tls: false,
            events: Vec::new(),
            transcript,
            standing: Standing::First,
            parser: ReplyParser::new(),
            outbox: Vec::new(),
            outbox_phase: Phase::Greeting,
            connection: Connection::Open,
            greeting: None,
            failure: None,
        }
    }

    /// What to do next.
    #[allow(
        clippy::should_implement_trait,
        reason = "a session waits for its driver between actions; it is no iterator"
    )]
    pub fn next(&mut self) -> Action {
        loop {
            match self.step {
                Step::Closed => return Action::Close,
                Step::Idle => {
                    if self.is_undisturbed() {
                        return Action::Idle;
                    }
                    continue;
                }
                _ => {}
            }
            if !self.outbox.is_empty()
                && self.connection == Connection::Open
                && !self.waits_for_more_content()
            {
                return Action::Send {
                    octets: std::mem::take(&mut self.outbox),
                    phase: self.outbox_phase,
                };
            }
            if self.step == Step::Handshake {
                match self.connection {
                    Connection::Open => return Action::StartTls,
                    Connection::Lost => self.abandon(Cause::ConnectionLost),
                }
                continue;
            }
            if self.must_read() {
                match self.parser.next_reply() {
                    Ok(Some(reply)) => self.on_reply(reply),
                    Ok(None) if self.connection == Connection::Lost => {
                        self.abandon(Cause::ConnectionLost);
                    }
                    Ok(None) => {
                        return Action::Receive {
                            phase: self.phase(),
                        };
                    }
                    Err(error) => self.abandon(Cause::MalformedReply(error)),
                }
                continue;
            }
            if let Some(action) = self.advance() {
                return action;
            }
        }
    }

    /// Octets from the server, as they came.
    pub fn received(&mut self, octets: &[u8]) {
        match self.step {
            Step::Closed => {}
            // Read from the socket after the 220 of STARTTLS and yet not TLS.
            Step::Handshake => {
                self.parser.push(octets);
                self.discard_cleartext();
            }
            _ => self.parser.push(octets),
        }
    }

    /// Drops what the server said outside TLS behind the point where TLS begins.
    fn discard_cleartext(&mut self) {
        if let Some((octets, start)) = self.parser.discard() {
            self.note(Event::TextBehindStartTls { octets, start });
        }
    }

    /// The connection was closed or broke, in reading or in writing. What was received before is
    /// still taken into account.
    pub fn connection_lost(&mut self) {
        self.connection = Connection::Lost;
    }

    /// The time of the phase named by the last action ran out.
    pub fn timed_out(&mut self) {
        self.abandon(Cause::TimedOut);
    }

    /// The handshake asked for by [`Action::StartTls`] succeeded and the peer is accepted.
    /// Everything the server said before is forgotten (RFC 3207 §4.2).
    pub fn tls_established(&mut self) {
        if self.step == Step::Handshake {
            self.transcript.note("TLS established");
            self.inside_tls = true;
            // Kept for whoever looks at the server; this session never reads it again.
            self.offered_before_tls = self.capabilities.take();
            self.step = Step::Hello;
        }
    }

    /// Whether the session carries no mail: it says QUIT where MAIL would come.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        self.transaction.is_none()
    }

    /// Writes a remark of the driver's into the transcript. `text` is one line.
    pub fn remark(&mut self, text: &str) {
        self.transcript.note(text);
    }

    /// The handshake failed, or the peer is not who it must be. `reason` is one line.
    pub fn tls_failed(&mut self, reason: &str) {
        if self.step == Step::Handshake {
            self.abandon(Cause::TlsFailed(reason.to_owned()));
        }
    }

    /// The octets asked for by [`Action::PullMessage`]; none at all is the end of the message.
    pub fn message_chunk(&mut self, octets: &[u8]) {
        self.absorb_chunk(octets);
    }

    /// The message cannot be read. The connection is closed without the final dot, so that
    /// nothing is delivered. `reason` is one line.
    pub fn message_unreadable(&mut self, reason: &str) {
        self.abandon(Cause::MessageUnreadable(reason.to_owned()));
    }

    /// Where the dialogue stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match (self.awaited.front(), self.step) {
            (Some(awaited), _) => awaited.phase(),
            (None, Step::Hello | Step::Secure) => Phase::Hello,
            (None, Step::Handshake) => Phase::Handshake,
            (None, Step::Envelope) => Phase::Mail,
            (None, Step::Content) => Phase::DataBlock,
            (None, Step::Idle | Step::Quit | Step::Closed) => Phase::Quit,
        }
    }

    /// What was noticed so far.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The result. Complete once [`Action::Close`] was returned; asked for earlier, it counts as
    /// a connection lost at this point.
    #[must_use]
    pub fn into_outcome(mut self) -> SessionOutcome {
        if self.step != Step::Closed {
            self.abandon(Cause::ConnectionLost);
        }
        self.outcome()
    }

    /// Whether a reply has to come before anything else can be done.
    fn must_read(&self) -> bool {
        match &self.content {
            Some(content) if self.step == Step::Content => match self.connection {
                Connection::Open => self.awaited.len() > content.window(),
                // Nothing can be sent any more; what the server said last may say why.
                Connection::Lost => true,
            },
            _ => !self.awaited.is_empty(),
        }
    }

    fn on_reply(&mut self, reply: Reply) {
        self.transcript.reply(&reply);
        let phase = self.phase();
        for oddity in reply.oddities() {
            self.note(Event::OddReply {
                phase,
                oddity: oddity.clone(),
            });
        }
        // A reply that comes while the message is still being written under DATA can only be a
        // complaint about it.
        let awaited = self.awaited.pop_front().unwrap_or(Awaited::End);
        if reply.code() == 421 && awaited != Awaited::Quit {
            // RFC 5321 §4.2.3: may come at any time; the server closes the connection.
            self.fail_with_reply(Scope::Host, phase, reply);
            self.step = Step::Closed;
            return;
        }
        match awaited {
            Awaited::Greeting => {
                self.greeting = Some(reply.clone());
                if reply.code() != 220 {
                    self.fail_with_reply(Scope::Host, phase, reply);
                }
            }
            Awaited::Ehlo => self.on_ehlo(reply),
            Awaited::Helo if reply.code() == 250 => {
                self.capabilities = Some(Arc::default());
                self.step = Step::Secure;
            }
            Awaited::Helo => self.fail_with_reply(Scope::Host, phase, reply),
            Awaited::StartTls => self.on_starttls(reply),
            Awaited::Quit => self.step = Step::Closed,
            Awaited::Mail | Awaited::Rcpt(_) | Awaited::Data | Awaited::Rset => {
                self.on_envelope_reply(awaited, reply);
            }
            Awaited::Chunk => self.on_chunk_reply(reply),
            Awaited::End => self.on_end_reply(reply),
        }
    }

    fn on_ehlo(&mut self, reply: Reply) {
        match reply.class() {
            // RFC 5321 §4.3.2 has 250 only; a belated second greeting must not pass for it.
            Some(StatusClass::Success) if reply.code() == 250 => {
                let offered = Capabilities::from_reply(&reply);
                if offered.size == Some(SizeLimit::Malformed) {
                    self.note(Event::MalformedSize);
                }
                if self.inside_tls && offered.starttls {
                    self.note(Event::StartTlsOfferedInsideTls);
                }
                self.capabilities = Some(Arc::new(offered));
                self.step = Step::Secure;
            }
            Some(StatusClass::Permanent) => {
                self.note(Event::HeloFallback { reply });
                let line = Command::Helo(&self.config.greeting_name).to_string();
                self.say(&line, Awaited::Helo);
            }
            Some(StatusClass::Success | StatusClass::Temporary) | None => {
                self.fail_with_reply(Scope::Host, Phase::Hello, reply);
            }
        }
    }

    fn on_starttls(&mut self, reply: Reply) {
        if reply.code() == 220 {
            self.discard_cleartext();
            self.step = Step::Handshake;
            return;
        }
        match self.config.starttls {
            StartTls::Required => self.end(Failure {
                outlook: Outlook::Temporary,
                scope: Scope::Host,
                phase: Phase::StartTls,
                cause: Cause::TlsRefused,
                status: EnhancedStatus::temporary(7, 0),
                reply: Some(reply),
            }),
            StartTls::IfOffered | StartTls::Never => {
                self.note(Event::StartTlsRefused { reply });
                self.begin_work();
            }
        }
    }

    /// Does what comes when no reply is awaited; an action when the driver is needed.
    fn advance(&mut self) -> Option<Action> {
        if !matches!(self.step, Step::Content | Step::Quit) && self.out_of_step() {
            return None;
        }
        match self.step {
            Step::Hello => {
                let line = Command::Ehlo(&self.config.greeting_name).to_string();
                self.say(&line, Awaited::Ehlo);
            }
            Step::Secure => self.secure(),
            Step::Envelope => self.advance_envelope(),
            Step::Content => return self.advance_content(),
            Step::Quit => {
                if self.connection == Connection::Lost {
                    self.step = Step::Closed;
                } else {
                    let line = Command::Quit.to_string();
                    self.say(&line, Awaited::Quit);
                }
            }
            Step::Handshake | Step::Idle | Step::Closed => {}
        }
        None
    }

    /// A reply that nothing asked for makes every later match of commands and replies a guess:
    /// a stray 250 could pass for an acceptance.
    fn out_of_step(&mut self) -> bool {
        match self.parser.next_reply() {
            Ok(Some(reply)) if reply.code() == 421 => {
                self.transcript.reply(&reply);
                self.fail_with_reply(Scope::Host, self.phase(), reply);
                self.step = Step::Closed;
                return true;
            }
            Ok(Some(reply)) => {
                let text = reply.to_string();
                self.transcript.server(&text);
                self.note(Event::UnsolicitedReply { text });
            }
            Ok(None) | Err(_) => match self.parser.discard() {
                None => return false,
                Some((_, text)) => self.note(Event::UnsolicitedReply { text }),
            },
        }
        self.abandon(Cause::OutOfStep);
        true
    }

    fn secure(&mut self) {
        let offered = self
            .capabilities
            .as_ref()
            .is_some_and(|offered| offered.starttls);
        match (self.inside_tls, self.config.starttls, offered) {
            (false, StartTls::IfOffered | StartTls::Required, true) => {
                let line = Command::StartTls.to_string();
                self.say(&line, Awaited::StartTls);
            }
            (false, StartTls::Required, false) => self.end(Failure {
                outlook: Outlook::Temporary,
                scope: Scope::Host,
                phase: Phase::StartTls,
                cause: Cause::TlsNotOffered,
                status: EnhancedStatus::temporary(7, 10),
                reply: None,
            }),
            _ => self.begin_work(),
        }
    }

    pub(super) fn begin_work(&mut self) {
        match &self.transaction {
            Some(transaction) if !transaction.recipients.is_empty() => self.step = Step::Envelope,
            Some(_) => self.end_work(),
            None => self.step = Step::Quit,
        }
    }

    /// Queues one command line and the reply it will bring.
    pub(super) fn say(&mut self, line: &str, awaited: Awaited) {
        self.transcript.client(line);
        self.outbox.extend_from_slice(line.as_bytes());
        self.outbox.extend_from_slice(b"\r\n");
        self.outbox_phase = awaited.phase();
        self.awaited.push_back(awaited);
        self.standing.asked(awaited);
    }

    /// Queues QUIT behind the end of the message when nothing else is to follow in this session:
    /// as the last command of a group it saves a round trip (RFC 2920 §3.1).
    pub(super) fn quit_behind_message(&mut self) {
        if self.may_pipeline()
            && self.envelope.is_last_transaction()
            && self.config.afterwards == Afterwards::Quit
        {
            let phase = self.outbox_phase;
            self.say(&Command::Quit.to_string(), Awaited::Quit);
            self.outbox_phase = phase;
        }
    }

    /// Whether what is queued may wait for the next block of the message, so that a small message
    /// goes out in one piece.
    fn waits_for_more_content(&self) -> bool {
        self.step == Step::Content
            && self.outbox.len() < FULL
            && self
                .content
                .as_ref()
                .is_some_and(|content| !content.has_ended())
            && !self.must_read()
    }

    /// Queues octets of the message.
    pub(super) fn send_content(&mut self, octets: &[u8]) {
        self.outbox.extend_from_slice(octets);
        self.outbox_phase = Phase::DataBlock;
    }

    /// The same under DATA.
    pub(super) fn send_stuffed(&mut self, stuffing: &mut DotStuffing, octets: &[u8]) {
        self.outbox.reserve(octets.len() + 64);
        stuffing.push(octets, &mut self.outbox);
        self.outbox_phase = Phase::DataBlock;
    }

    pub(super) fn note(&mut self, event: Event) {
        if self.events.len() < MAX_EVENTS && !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    /// Settles a recipient, once: the first result stands.
    pub(super) fn settle(&mut self, index: usize, result: RecipientResult) {
        if let Some(slot @ None) = self.results.get_mut(index) {
            *slot = Some(result);
        }
    }

    /// A failure made of a reply; the class of the reply decides the outlook.
    pub(super) fn failure_of(scope: Scope, phase: Phase, reply: Reply) -> Failure {
        let (outlook, cause) = match reply.class() {
            Some(StatusClass::Permanent) => (Outlook::Permanent, Cause::Refused),
            Some(StatusClass::Temporary) => (Outlook::Temporary, Cause::Refused),
            Some(StatusClass::Success) | None => (Outlook::Temporary, Cause::UnexpectedReply),
        };
        let status = match (&cause, reply.status_or_default()) {
            (Cause::Refused, Some(status)) => status,
            _ => EnhancedStatus::temporary(5, 0),
        };
        Failure {
            outlook,
            scope,
            phase,
            cause,
            status,
            reply: Some(reply),
        }
    }

    fn fail_with_reply(&mut self, scope: Scope, phase: Phase, reply: Reply) {
        self.end(Self::failure_of(scope, phase, reply));
    }

    /// Settles every open recipient with that failure and goes on to QUIT.
    pub(super) fn end(&mut self, failure: Failure) {
        for slot in self.results.iter_mut().filter(|slot| slot.is_none()) {
            *slot = Some(RecipientResult::Failed(failure.clone()));
        }
        self.failure.get_or_insert(failure);
        self.step = Step::Quit;
    }

    /// The connection can no longer be used: settles every open recipient and closes. Recipients
    /// whose message has been sent to its end become uncertain.
    pub(super) fn abandon(&mut self, cause: Cause) {
        match self.step {
            Step::Closed => return,
            // The work is done; how the connection ends says nothing any more.
            Step::Idle | Step::Quit => {
                self.step = Step::Closed;
                return;
            }
            Step::Hello | Step::Secure | Step::Handshake | Step::Envelope | Step::Content => {}
        }
        let phase = self.phase();
        self.transcript.note(&cause.to_string());
        let scope = match &cause {
            Cause::MessageUnreadable(_) | Cause::MessageChanged | Cause::Message(_) => {
                Scope::Message
            }
            _ => Scope::Host,
        };
        let failure = Failure {
            outlook: Outlook::Temporary,
            scope,
            phase,
            status: match &cause {
                Cause::TimedOut | Cause::ConnectionLost => EnhancedStatus::temporary(4, 2),
                Cause::TlsFailed(_) => EnhancedStatus::temporary(7, 5),
                Cause::MessageUnreadable(_) | Cause::MessageChanged | Cause::Message(_) => {
                    EnhancedStatus::temporary(3, 0)
                }
                _ => EnhancedStatus::temporary(5, 0),
            },
            cause,
            reply: None,
        };
        if self.awaited.contains(&Awaited::End) {
            let uncertain = Failure {
                outlook: Outlook::Uncertain,
                phase: Phase::DataEnd,
                ..failure.clone()
            };
            for index in self.envelope.accepted().to_vec() {
                self.settle(index, RecipientResult::Failed(uncertain.clone()));
            }
        }
        self.end(failure);
        self.step = Step::Closed;
    }
}
