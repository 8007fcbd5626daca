//! The answers when nothing is left to try.

use super::{Answer, DomainRun, Pass};
use crate::deliver::inquiry::Verdict;
use crate::deliver::report::{Decided, Outcome, RecipientReport, ReplyText, SaidBy};
use crate::doctor::triage::Blame;
use elsinore_dane::discovery::MessageTls;
use elsinore_dane::ladder::{Conclusion, require_tls_unmet};
use elsinore_dane::plan::{EnhancedCode, Refusal};
use std::sync::Arc;

impl DomainRun<'_> {
    /// The answer for those who have none: nothing is left to try.
    fn verdict(&self, pass: Pass) -> Answer {
        if let Pass::Ended(outcome, reply) = pass {
            return Answer {
                outcome,
                reply: Some(reply),
                session: None,
            };
        }
        // Whoever was called back, or out of time, has not tried everything: the next host might take
        // the message (RFC 5321 §5.1), so that nobody is told that it cannot be delivered.
        let is_over = self.is_over();
        if !is_over && let Some(reply) = self.require_tls_refusal() {
            return Answer {
                outcome: Outcome::Bounced,
                reply: Some(reply),
                session: self.last.as_ref().and_then(|last| last.session.clone()),
            };
        }
        let outcome = match self.course.conclusion() {
            Conclusion::Bounce if !is_over => Outcome::Bounced,
            Conclusion::Bounce | Conclusion::Defer => Outcome::Deferred,
        };
        match &self.last {
            Some(last) => Answer {
                outcome,
                ..last.clone()
            },
            None => Answer {
                outcome: Outcome::Deferred,
                reply: Some(nobody_contacted()),
                session: None,
            },
        }
    }

    /// RFC 8689 §4.2.1: when no host is left, a message under REQUIRETLS is returned.
    fn require_tls_refusal(&self) -> Option<ReplyText> {
        if self.policy.message != MessageTls::Required {
            return None;
        }
        let failures = self.course.failures().iter();
        let code = require_tls_unmet(failures.map(|host| (&host.obligation, host.failure)))?;
        let text = if code == EnhancedCode::new(5, 7, 30) {
            "REQUIRETLS support required, and no host offers it"
        } else {
            "no host could be reached over authenticated TLS, which the message requires"
        };
        Some(ours(550, &code.to_string(), text))
    }

    pub(super) fn finish(mut self, pass: Pass, blame: &Blame) -> Vec<(usize, RecipientReport)> {
        let mut verdict = self.verdict(pass);
        self.findings
            .extend(blame.finding(&self.next_hop.to_string()));
        // What a server said stays as it said it.
        if let (Some(reply), Some(remark)) = (&mut verdict.reply, blame.remark())
            && reply.said_by == SaidBy::Elsinore
        {
            reply.text = format!("{} ({remark})", reply.text);
        }
        let attempts = Arc::new(self.attempts);
        let findings = Arc::new(self.findings);
        let account = Arc::new(self.account);
        self.recipients
            .into_iter()
            .map(|pending| {
                let decided = match pending.answer {
                    Some(_) => Decided::Answer,
                    None => Decided::NothingLeft,
                };
                let answer = pending.answer.unwrap_or_else(|| verdict.clone());
                let report = RecipientReport {
                    recipient: pending.recipient.mailbox.to_string(),
                    outcome: answer.outcome,
                    session: answer.session,
                    reply: answer.reply,
                    decided,
                    attempts: Arc::clone(&attempts),
                    findings: Arc::clone(&findings),
                    account: Arc::clone(&account),
                };
                (pending.index, report)
            })
            .collect()
    }
}

/// The end of a pass by decision of the engine.
pub(super) fn ended(verdict: Verdict, refusal: &Refusal) -> Pass {
    let (outcome, reply) = ended_words(verdict, refusal);
    Pass::Ended(outcome, reply)
}

/// The same, as outcome and reply.
pub(crate) fn ended_words(verdict: Verdict, refusal: &Refusal) -> (Outcome, ReplyText) {
    let (outcome, code) = match verdict {
        Verdict::Bounce => (Outcome::Bounced, 550),
        Verdict::Defer => (Outcome::Deferred, 450),
    };
    let reply = ours(code, &refusal.code.to_string(), &refusal.reason);
    (outcome, reply)
}

/// No host was there to contact.
pub(crate) fn nobody_contacted() -> ReplyText {
    ours(450, "4.4.3", "no host of this domain could be contacted")
}

/// The questions took too long.
pub(crate) fn too_slow() -> ReplyText {
    let text = "the DNS questions about this domain took too long";
    ours(450, "4.4.3", text)
}

/// A reply of this program's own.
pub(crate) fn ours(code: u16, enhanced: &str, text: &str) -> ReplyText {
    ReplyText {
        code,
        enhanced: Some(enhanced.to_owned()),
        text: text.to_owned(),
        said_by: SaidBy::Elsinore,
    }
}
