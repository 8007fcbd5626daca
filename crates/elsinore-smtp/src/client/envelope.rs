//! MAIL, RCPT and DATA: which commands go into one flight and what their replies mean.

use super::awaited::Awaited;
use super::content::Content;
use super::event::Event;
use super::outcome::{Failure, Outlook, RecipientResult, Scope, Utf8Need};
use super::session::{ClientSession, Step};
use super::timeouts::Phase;
use super::transmission::{Framing, Transmission, utf8_failure};
use super::{Recipient, RequireTls, Transaction, Use};
use crate::command::{Command, MailParameters, RcptParameters, Return};
use crate::ehlo::Capabilities;
use crate::reply::Reply;
use crate::status::StatusClass;

/// Commands in one flight. Their replies, of 512 octets at most each, and the commands
/// themselves fit the buffers of both sides, so that neither blocks the other
/// (RFC 2920 §3.1 asks for this care).
const FLIGHT: usize = 50;

/// Where the current transaction stands.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// Recipients that wait for a transaction, last first.
    waiting: Vec<usize>,
    /// Recipients of the current transaction, in the order of RCPT.
    batch: Vec<usize>,
    /// How many of `batch` have been said.
    said: usize,
    accepted: Vec<usize>,
    /// Put off by 452 or 552 although others were accepted.
    postponed: Vec<(usize, Failure)>,
    transmission: Option<Transmission>,
    data: DataStart,
    mail_refused: bool,
    /// The server knows of an unfinished transaction.
    dirty: bool,
    open: bool,
}

/// How far DATA has come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum DataStart {
    #[default]
    Unsaid,
    Said,
    GoAhead,
    Refused,
}

impl Envelope {
    pub(super) fn new(recipients: usize) -> Self {
        Self {
            waiting: (0..recipients).rev().collect(),
            ..Self::default()
        }
    }

    /// The same for another message of the same session.
    pub(super) fn succeeding(&self, recipients: usize) -> Self {
        Self {
            dirty: self.dirty,
            ..Self::new(recipients)
        }
    }

    /// Whether no recipient is left for another transaction of this session.
    pub(super) fn is_last_transaction(&self) -> bool {
        self.waiting.is_empty() && self.postponed.is_empty()
    }

    /// Recipients of the current transaction that the server accepted.
    pub(super) fn accepted(&self) -> &[usize] {
        &self.accepted
    }
}

impl ClientSession {
    /// Goes one flight further.
    pub(super) fn advance_envelope(&mut self) {
        if !self.envelope.open {
            return self.open_transaction();
        }
        if self.envelope.mail_refused {
            // 354 after a refused MAIL: whatever would be sent now belongs to no sender, and a
            // dot could complete it. Only closing the connection is safe.
            if self.envelope.data == DataStart::GoAhead {
                self.step = Step::Closed;
            } else {
                self.end_work();
            }
            return;
        }
        if self.envelope.said < self.envelope.batch.len() {
            return self.say_recipients();
        }
        match (self.envelope.accepted.is_empty(), self.envelope.data) {
            (true, DataStart::GoAhead) => {
                // RFC 2920 §3.1: a single dot ends the empty message nobody is to receive.
                self.note(Event::DataWithoutRecipients);
                self.envelope.data = DataStart::Refused;
                self.say(".", Awaited::End);
            }
            (_, DataStart::Refused) | (true, _) => self.close_transaction(),
            (false, DataStart::GoAhead) => self.begin_content(),
            (false, DataStart::Unsaid | DataStart::Said) => {
                match self.envelope.transmission.map(|it| it.framing) {
                    Some(Framing::Bdat) => self.begin_content(),
                    _ => self.say_data(),
                }
            }
        }
    }

    fn begin_content(&mut self) {
        let (Some(transmission), Some(transaction)) =
            (self.envelope.transmission, self.transaction.as_ref())
        else {
            self.step = Step::Quit;
            return;
        };
        let pipelining = self.may_pipeline();
        self.standing.sent();
        self.content = Some(Content::new(
            &transaction.message,
            transmission,
            if pipelining {
                super::content::Window::Several
            } else {
                super::content::Window::One
            },
        ));
        self.step = Step::Content;
    }

    pub(super) fn may_pipeline(&self) -> bool {
        self.config.pipelining == Use::WhenOffered
            && self
                .capabilities
                .as_ref()
                .is_some_and(|offered| offered.pipelining)
    }

    /// Takes the next batch of recipients and says MAIL, unless the server is known to be unable
    /// to take the message.
    fn open_transaction(&mut self) {
        let Some(transaction) = self.transaction.clone() else {
            self.step = Step::Quit;
            return;
        };
        let offered = self.capabilities.clone().unwrap_or_default();
        self.refuse_utf8_recipients(&transaction, &offered);
        let results = &self.results;
        self.envelope
            .waiting
            .retain(|index| results.get(*index).is_some_and(Option::is_none));
        if self.envelope.waiting.is_empty() {
            self.end_work();
            return;
        }
        if self.envelope.dirty {
            self.envelope.dirty = false;
            let line = Command::Rset.to_string();
            return self.say(&line, Awaited::Rset);
        }
        let most = self.config.recipients_per_transaction.max(1);
        let waiting = &mut self.envelope.waiting;
        let mut batch = waiting.split_off(waiting.len().saturating_sub(most));
        batch.reverse();
        let transmission = match self.choose_transmission(&transaction, &offered, &batch) {
            Ok(transmission) => transmission,
            Err(failure) => return self.end(*failure),
        };
        self.envelope = Envelope {
            waiting: std::mem::take(&mut self.envelope.waiting),
            batch,
            transmission: Some(transmission),
            open: true,
            dirty: true,
            ..Envelope::default()
        };
        let mail = Command::Mail(
            &transaction.reverse_path,
            self.mail_parameters(&transaction, &offered, transmission),
        )
        .to_string();
        self.say(&mail, Awaited::Mail);
        if self.may_pipeline() {
            self.say_recipients();
        }
    }

    /// RFC 6531 §3.1 lets such a recipient fail alone.
    fn refuse_utf8_recipients(&mut self, transaction: &Transaction, offered: &Capabilities) {
        if offered.smtp_utf8 {
            return;
        }
        for (index, recipient) in transaction.recipients.iter().enumerate() {
            if recipient.mailbox.needs_smtp_utf8() {
                let failure = Failure {
                    scope: Scope::Recipient,
                    ..utf8_failure(Utf8Need::Recipient)
                };
                self.settle(index, RecipientResult::Failed(failure));
            }
        }
    }

    fn mail_parameters(
        &mut self,
        transaction: &Transaction,
        offered: &Capabilities,
        transmission: Transmission,
    ) -> MailParameters {
        let wants_dsn = transaction.ret.is_some()
            || transaction.envelope_id.is_some()
            || transaction
                .recipients
                .iter()
                .any(|recipient| recipient.parameters != RcptParameters::default());
        if wants_dsn && !offered.dsn {
            self.note(Event::DsnNotOffered);
        }
        // RFC 8689 §5, also where a notification goes on without the parameter.
        let ret = match (transaction.require_tls, transaction.ret) {
            (RequireTls::Yes, Some(_)) => Some(Return::Headers),
            (RequireTls::Yes | RequireTls::No, ret) => ret,
        };
        MailParameters {
            size: offered
                .size
                .map(|_| transaction.message.octets(transmission.encoding)),
            body: transmission.body,
            smtp_utf8: transmission.smtp_utf8,
            require_tls: transmission.require_tls,
            ret: ret.filter(|_| offered.dsn),
            envelope_id: transaction.envelope_id.clone().filter(|_| offered.dsn),
        }
    }

    /// Says the next recipients: one, or a flight under PIPELINING, then with DATA as its last
    /// command when all recipients are in it.
    fn say_recipients(&mut self) {
        let Some(transaction) = self.transaction.clone() else {
            return;
        };
        let dsn = self
            .capabilities
            .as_ref()
            .is_some_and(|offered| offered.dsn);
        let room = if self.may_pipeline() { FLIGHT } else { 1 };
        let from = self.envelope.said;
        let flight: Vec<usize> = self
            .envelope
            .batch
            .iter()
            .skip(from)
            .take(room)
            .copied()
            .collect();
        self.envelope.said += flight.len();
        for index in flight {
            if let Some(recipient) = transaction.recipients.get(index) {
                let parameters = if dsn {
                    self.recipient_parameters(recipient)
                } else {
                    RcptParameters::default()
                };
                let line = Command::Rcpt(&recipient.mailbox, parameters).to_string();
                self.say(&line, Awaited::Rcpt(index));
            }
        }
        let framing = self.envelope.transmission.map(|it| it.framing);
        if self.may_pipeline()
            && self.envelope.said == self.envelope.batch.len()
            && framing == Some(Framing::Data)
        {
            self.say_data();
        }
    }

    /// NOTIFY and ORCPT as they came; beyond ASCII only where the transaction is (RFC 6533 §3).
    fn recipient_parameters(&self, recipient: &Recipient) -> RcptParameters {
        let smtp_utf8 = self.envelope.transmission.is_some_and(|it| it.smtp_utf8);
        let original = recipient.parameters.original.as_ref();
        RcptParameters {
            notify: recipient.parameters.notify,
            original: original.map(|original| {
                if smtp_utf8 {
                    original.clone()
                } else {
                    original.in_ascii()
                }
            }),
        }
    }

    fn say_data(&mut self) {
        self.envelope.data = DataStart::Said;
        let line = Command::Data.to_string();
        self.say(&line, Awaited::Data);
    }

    pub(super) fn on_envelope_reply(&mut self, awaited: Awaited, reply: Reply) {
        match awaited {
            Awaited::Mail if reply.is_success() => self.standing.accepted(),
            Awaited::Mail => {
                // The same sender and message would be refused for every recipient.
                self.envelope.mail_refused = true;
                let failure = Self::failure_of(Scope::Message, Phase::Mail, reply);
                self.settle_all(&failure);
            }
            Awaited::Rcpt(index) => self.on_recipient_reply(index, reply),
            Awaited::Data if reply.code() == 354 => self.envelope.data = DataStart::GoAhead,
            Awaited::Data => {
                self.envelope.data = DataStart::Refused;
                let failure = Self::failure_of(Scope::Message, Phase::DataStart, reply);
                for index in self.envelope.accepted.clone() {
                    self.settle(index, RecipientResult::Failed(failure.clone()));
                }
            }
            Awaited::Rset if !reply.is_success() => {
                self.end(Self::failure_of(Scope::Host, Phase::Reset, reply));
            }
            _ => {}
        }
    }

    fn on_recipient_reply(&mut self, index: usize, reply: Reply) {
        if reply.is_success() {
            if !self.envelope.mail_refused {
                self.envelope.accepted.push(index);
            }
            return;
        }
        let too_many = is_too_many(&reply, !self.envelope.accepted.is_empty());
        let mut failure = Self::failure_of(Scope::Recipient, Phase::Recipient, reply);
        if too_many {
            failure.outlook = Outlook::Temporary;
            failure.status = failure.status.with_class(StatusClass::Temporary);
            self.envelope.postponed.push((index, failure));
        } else {
            self.settle(index, RecipientResult::Failed(failure));
        }
    }

    /// Settles all that are open, in this transaction and those to come, without ending the
    /// dialogue: replies may still be on their way.
    fn settle_all(&mut self, failure: &Failure) {
        for index in 0..self.results.len() {
            self.settle(index, RecipientResult::Failed(failure.clone()));
        }
    }

    /// The transaction is over, one way or the other.
    pub(super) fn close_transaction(&mut self) {
        self.content = None;
        let delivered = self.envelope.accepted.iter().any(|index| {
            matches!(
                self.results.get(*index),
                Some(Some(RecipientResult::Delivered(_)))
            )
        });
        let postponed = std::mem::take(&mut self.envelope.postponed);
        if delivered && !postponed.is_empty() {
            // Each further transaction delivers to someone or postpones nobody, so this ends.
            self.note(Event::TooManyRecipients {
                postponed: postponed.len(),
            });
            self.envelope
                .waiting
                .extend(postponed.into_iter().rev().map(|(index, _)| index));
        } else {
            for (index, failure) in postponed {
                self.settle(index, RecipientResult::Failed(failure));
            }
        }
        // What was refused as a message would be refused again for the other recipients.
        let refused = self
            .envelope
            .accepted
            .first()
            .and_then(|index| self.results.get(*index))
            .and_then(Option::as_ref);
        if let Some(RecipientResult::Failed(failure)) = refused {
            let failure = Failure {
                // These were never offered the message: there is nothing uncertain about them.
                outlook: match failure.outlook {
                    Outlook::Uncertain => Outlook::Temporary,
                    known => known,
                },
                ..failure.clone()
            };
            self.settle_all(&failure);
        }
        self.envelope.accepted.clear();
        self.envelope.open = false;
        self.step = Step::Envelope;
        // Whatever else the server says when everybody has an answer changes none of them.
        if self.results.iter().all(Option::is_some) {
            self.end_work();
        }
    }

    /// The server has answered the end of the message: no RSET is needed.
    pub(super) fn transaction_is_clean(&mut self) {
        self.envelope.dirty = false;
    }
}

/// RFC 5321 §4.5.3.1.10: 452 says that there are too many recipients, and so does 552 from old
/// servers. Both have other meanings too, which an enhanced status tells apart (X.5.3 is "too
/// many recipients"); without one, a 552 counts as "too many" only behind accepted recipients.
fn is_too_many(reply: &Reply, others_accepted: bool) -> bool {
    let named = reply
        .status()
        .map(|status| (status.subject, status.detail) == (5, 3));
    matches!(reply.code(), 452 | 552) && named.unwrap_or(others_accepted)
}
