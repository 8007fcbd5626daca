//! Further transactions over the same connection (RFC 5321 §3.3, §4.1.4: a session may carry any
//! number of them).

use super::awaited::Awaited;
use super::outcome::{
    Cause, Failure, Outlook, RecipientOutcome, RecipientResult, Scope, SessionOutcome, Turn,
};
use super::session::{ClientSession, Connection, Step};
use super::timeouts::Phase;
use super::{Afterwards, Transaction};
use crate::status::EnhancedStatus;
use std::sync::Arc;

/// How the server has taken to the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the first of its connection.
    First,
    /// A later one, of which the server has heard nothing.
    Unasked,
    /// A later one, of which it has accepted nothing yet.
    Asked,
    /// A later one, whose MAIL was accepted.
    Accepted,
    /// A later one, of whose message something was sent.
    Sent,
}

impl Standing {
    /// A command was said.
    pub(super) fn asked(&mut self, awaited: Awaited) {
        if *self == Self::Unasked && matches!(awaited, Awaited::Mail | Awaited::Rset) {
            *self = Self::Asked;
        }
    }

    /// MAIL was accepted.
    pub(super) fn accepted(&mut self) {
        if *self == Self::Asked {
            *self = Self::Accepted;
        }
    }

    /// The message begins.
    pub(super) fn sent(&mut self) {
        if *self != Self::First {
            *self = Self::Sent;
        }
    }

    const fn turn(self, failure: Option<&Failure>) -> Turn {
        match (self, failure) {
            (Self::First, _) => Turn::First,
            (Self::Asked, _) | (Self::Accepted, Some(_)) => Turn::Stale,
            (Self::Unasked | Self::Sent, _) | (Self::Accepted, None) => Turn::Later,
        }
    }
}

impl ClientSession {
    /// Begins another transaction after [`Action::Idle`](super::Action::Idle). When the connection
    /// was lost since, the outcome says so by [`Turn::Stale`].
    pub fn next_transaction(&mut self, transaction: Arc<Transaction>) {
        let recipients = transaction.recipients.len();
        self.envelope = self.envelope.succeeding(recipients);
        self.results = vec![None; recipients];
        self.content = None;
        self.transaction = Some(transaction);
        self.failure = None;
        self.standing = Standing::Unasked;
        self.transcript
            .note("another transaction on the same connection");
        if self.step != Step::Idle || !self.is_undisturbed() {
            self.connection = Connection::Lost;
        }
        self.begin_work();
    }

    /// Ends an idle session with QUIT.
    pub fn leave(&mut self) {
        if self.step == Step::Idle {
            self.step = Step::Quit;
        }
    }

    /// The result of the transaction that is over, after [`Action::Idle`](super::Action::Idle). What
    /// was noticed and the transcript go with it, so that the next one has its own.
    #[must_use]
    pub fn take_outcome(&mut self) -> SessionOutcome {
        self.outcome()
    }

    /// Every recipient with its result; what is about the connection stays.
    pub(super) fn outcome(&mut self) -> SessionOutcome {
        let turn = self.standing.turn(self.failure.as_ref());
        let transaction = self.transaction.as_deref();
        let recipients = transaction.map(|it| it.recipients.as_slice());
        let recipients = recipients
            .unwrap_or_default()
            .iter()
            .zip(std::mem::take(&mut self.results))
            .map(|(recipient, result)| RecipientOutcome {
                recipient: recipient.mailbox.clone(),
                // Every way to the end settles every recipient; were one forgotten, "not
                // delivered" would be the wrong guess and "uncertain" the safe one.
                result: result.unwrap_or(RecipientResult::Failed(Failure {
                    outlook: Outlook::Uncertain,
                    scope: Scope::Host,
                    phase: Phase::Quit,
                    cause: Cause::ConnectionLost,
                    status: EnhancedStatus::temporary(4, 2),
                    reply: None,
                })),
            })
            .collect();
        SessionOutcome {
            recipients,
            failure: self.failure.take(),
            greeting: self.greeting.clone(),
            capabilities: self.capabilities.clone(),
            offered_before_tls: self.offered_before_tls.clone(),
            inside_tls: self.inside_tls,
            transcript: self.transcript.take(),
            events: std::mem::take(&mut self.events),
            turn,
        }
    }

    /// Every recipient is settled: QUIT, or the wait for another transaction where the session is in
    /// step with its server.
    pub(super) fn end_work(&mut self) {
        let in_doubt = |result: &Option<RecipientResult>| match result {
            Some(RecipientResult::Failed(failure)) => failure.outlook == Outlook::Uncertain,
            Some(RecipientResult::Delivered(_)) => false,
            None => true,
        };
        let in_step = self.failure.is_none() && !self.results.iter().any(in_doubt);
        self.step = match self.config.afterwards {
            Afterwards::Stay if in_step && self.connection == Connection::Open => Step::Idle,
            Afterwards::Stay | Afterwards::Quit => Step::Quit,
        };
    }

    /// Whether nothing happened to an idle session. A server that speaks unasked has closed the
    /// connection (421, RFC 5321 §3.8) or is out of step: either way nothing more is to be said.
    pub(super) fn is_undisturbed(&mut self) -> bool {
        if self.connection == Connection::Open
            && let Ok(None) = self.parser.next_reply()
            && self.parser.discard().is_none()
        {
            return true;
        }
        self.step = Step::Closed;
        false
    }
}
