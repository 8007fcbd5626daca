//! What an attempt means for its job: who is done, who waits until when, who is to be told. Pure.

use super::backoff::{Trouble, jittered, pause};
use super::lifetime::{Age, span};
use super::settings::ScheduleSettings;
use crate::notice::{Told, plain};
use elsinore_dane::rule::Rule;
use elsinore_net::deliver::{Decided, Outcome, RecipientReport, ReplyText, SaidBy};
use elsinore_queue::job::{LastAttempt, Leased, Rest, Standing};
use elsinore_queue::message::Recipient;
use elsinore_queue::moment::Moment;
use std::sync::Arc;
use std::time::Duration;

/// Longest reply that is kept, in octets.
const LONGEST_REPLY: usize = 1000;

/// What is to be written about a job.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    /// What is left to do.
    pub(super) rest: Option<Rest>,
    /// Who is to be told what; NOTIFY is not applied yet.
    pub(super) told: Vec<Told>,
}

/// What a destination is held to have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// A server answered: it works.
    Served,
    /// No host could be used.
    Failed,
    /// Nothing about the destination.
    Nothing,
}

/// What a verdict is reached with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) settings: &'a ScheduleSettings,
    pub(super) job: &'a Leased,
    /// When the attempt ended.
    pub(super) now: Moment,
    /// By how much the clock was set forward since the job was last looked at.
    pub(super) stepped: Duration,
    /// Drawn from 0 up to 1.
    pub(super) chance: f64,
}

impl Circumstances<'_> {
    /// The verdict on an attempt; `reports` has one entry for each recipient of the job, in its order.
    pub(super) fn after(&self, reports: &[RecipientReport]) -> Verdict {
        self.after_trouble(reports, trouble(reports))
    }

    /// The same, when it is known what kept the job from being done.
    pub(super) fn after_trouble(
        &self,
        reports: &[RecipientReport],
        trouble: Option<Trouble>,
    ) -> Verdict {
        let standing = &self.job.standing;
        let counts = trouble.is_some_and(Trouble::counts);
        let attempts = standing.attempts.saturating_add(u32::from(counts));
        let retry = &self.settings.retry;
        let pause = pause(
            retry,
            trouble.unwrap_or(Trouble::Answered),
            standing.attempts,
            self.chance,
        );
        self.verdict(reports, attempts, counts, self.now.plus(pause))
    }

    /// The reports about recipients that are not tried because their destination is left alone; `last`
    /// is what was last found out about it.
    pub(super) fn untried(&self, last: &RecipientReport) -> Vec<RecipientReport> {
        let recipients = self.job.recipients.iter();
        recipients
            .map(|recipient| RecipientReport {
                recipient: recipient.address.clone(),
                outcome: Outcome::Deferred,
                ..last.clone()
            })
            .collect()
    }

    /// The verdict on a job that is not tried because its destination is left alone until `until`.
    pub(super) fn put_off(&self, reports: &[RecipientReport], until: Moment) -> Verdict {
        // The due times are spread so that they do not all come at once.
        let due = self.now.plus(jittered(until.since(self.now), self.chance));
        self.verdict(reports, self.job.standing.attempts, true, due)
    }

    /// `looked` says whether something was found out about the destination.
    fn verdict(
        &self,
        reports: &[RecipientReport],
        attempts: u32,
        looked: bool,
        due: Moment,
    ) -> Verdict {
        let age = Age {
            settings: self.settings,
            job: self.job,
            now: self.now,
            stepped: self.stepped,
        };
        let judged = age.judge(looked);
        let lifetime = self.settings.retry.lifetime;
        let mut told = Vec::new();
        let mut waiting: Vec<(&Recipient, &RecipientReport)> = Vec::new();
        for (recipient, report) in self.job.recipients.iter().zip(reports) {
            match report.outcome {
                Outcome::Delivered => {
                    let is_told = report
                        .session
                        .as_ref()
                        .is_some_and(|facts| facts.offers_dsn);
                    if !is_told && recipient.notify.is_some() {
                        told.push(Told::relayed(recipient, report, self.now));
                    }
                }
                Outcome::Bounced => told.push(Told::failed(recipient, report, self.now)),
                Outcome::Deferred if judged.is_over => {
                    let kept = self.now.since(judged.from);
                    told.push(Told::expired(recipient, report, self.now, kept));
                }
                Outcome::Deferred => waiting.push((recipient, report)),
            }
        }
        let Some((_, first)) = waiting.first() else {
            return Verdict { rest: None, told };
        };
        let mut warned = self.job.standing.warned;
        let is_late = |after| self.now >= judged.from.plus(after);
        if warned.is_none() && self.settings.warn_after.is_some_and(is_late) {
            warned = Some(self.now);
            let until = judged.expires.max(self.now.plus(span(lifetime)));
            let delayed = waiting
                .iter()
                .map(|(recipient, report)| Told::delayed(recipient, report, self.now, until));
            told.extend(delayed);
        }
        let rest = Rest {
            // The last attempt is made when the time is over, not hours after.
            due: if self.now < judged.expires {
                due.min(judged.expires)
            } else {
                due
            },
            recipients: waiting
                .iter()
                .map(|(recipient, _)| (*recipient).clone())
                .collect(),
            standing: Standing {
                attempts,
                last: Some(last_attempt(first, self.now)),
                warned,
                lived: judged.lived,
            },
            held: None,
        };
        Verdict {
            rest: Some(rest),
            told,
        }
    }

    /// The verdict on a job whose message cannot be read: kept for the administrator.
    pub(super) fn held(&self, why: String) -> Verdict {
        let rest = Rest {
            due: self.now,
            recipients: self.job.recipients.clone(),
            standing: self.job.standing.clone(),
            held: Some(why),
        };
        Verdict {
            rest: Some(rest),
            told: Vec::new(),
        }
    }
}

/// What the sender is told of a recipient whose message went out and whose answer was not waited for.
pub(super) const MAY_HAVE_COME: &str = "the relay was stopped after the message had been sent and before \
    the reply came: it may have been delivered";

/// What a delivery came to that was called back.
#[derive(Debug)]
pub(super) enum CalledBack {
    /// Nobody has an answer, and no final dot was sent.
    Untouched,
    /// Somebody has; of the others the reports say that they did not have their turn.
    Answered(Vec<RecipientReport>),
}

/// Puts the reports of a delivery that was called back in order.
pub(super) fn called_back(job: &Leased, reports: Vec<RecipientReport>) -> CalledBack {
    let is_open = |report: &RecipientReport| {
        report.outcome == Outcome::Deferred && report.decided == Decided::NothingLeft
    };
    if reports.iter().all(is_open) {
        return CalledBack::Untouched;
    }
    let told = |(mut report, recipient): (RecipientReport, &Recipient)| {
        let by_us = report.reply.as_ref().map(|reply| reply.said_by) == Some(SaidBy::Elsinore);
        if is_open(&report) {
            let text = "the relay was stopped before the recipient had its turn".to_owned();
            ours(&recipient.address, Outcome::Deferred, (451, "4.3.0", text))
        } else {
            if report.outcome == Outcome::Deferred && by_us {
                let text = MAY_HAVE_COME.to_owned();
                let may = ours(&recipient.address, Outcome::Deferred, (451, "4.3.0", text));
                report.reply = may.reply;
            }
            report
        }
    };
    let reports = reports.into_iter().zip(&job.recipients).map(told);
    CalledBack::Answered(reports.collect())
}

/// What kept the job from being done; the first recipient that waits decides, but for trouble of ours.
pub(super) fn trouble(reports: &[RecipientReport]) -> Option<Trouble> {
    let mut waiting = reports
        .iter()
        .filter(|report| report.outcome == Outcome::Deferred)
        .map(trouble_of);
    let first = waiting.next()?;
    Some(if waiting.any(|trouble| trouble == Trouble::Ours) {
        Trouble::Ours
    } else {
        first
    })
}

fn trouble_of(report: &RecipientReport) -> Trouble {
    if report.decided == Decided::Answer {
        return Trouble::Answered;
    }
    if has(report, |rule| rule == Rule::OurDnsFails) {
        return Trouble::Ours;
    }
    let contacted = report.attempts.iter().any(|one| one.session.is_some());
    if !contacted && (lookups_failed(report) || is_about_dns(report.reply.as_ref())) {
        return Trouble::TheirDns;
    }
    Trouble::Destination
}

/// What the attempt says about the destination as a whole.
pub(super) fn shown(reports: &[RecipientReport]) -> Shown {
    let answered = |report: &RecipientReport| {
        report.decided == Decided::Answer
            && (report.outcome != Outcome::Deferred
                || report.reply.as_ref().map(|reply| reply.said_by) == Some(SaidBy::Server))
    };
    if reports.iter().any(answered) {
        return Shown::Served;
    }
    let failed = |report: &RecipientReport| {
        report.outcome == Outcome::Deferred
            && match trouble_of(report) {
                // The answer to the final dot did not come.
                Trouble::Answered | Trouble::Destination => true,
                // Only where it is known that ours works.
                Trouble::TheirDns => has(report, |rule| rule == Rule::TheirDnsFails),
                Trouble::Ours => false,
            }
    };
    if reports.iter().any(failed) {
        Shown::Failed
    } else {
        Shown::Nothing
    }
}

fn has(report: &RecipientReport, wanted: impl Fn(Rule) -> bool) -> bool {
    let of_hosts = report.attempts.iter().flat_map(|attempt| &attempt.findings);
    (report.findings.iter().chain(of_hosts)).any(|finding| wanted(finding.rule))
}

fn lookups_failed(report: &RecipientReport) -> bool {
    has(report, |rule| {
        matches!(
            rule,
            Rule::MxLookupFailed
                | Rule::AddressLookupFailed
                | Rule::TlsaLookupFailed
                | Rule::ZoneStatusUnknown
        )
    })
}

/// 4.4.3 is "directory server failure" (RFC 3463 §3.5): our own word for DNS that does not answer.
fn is_about_dns(reply: Option<&ReplyText>) -> bool {
    reply.is_some_and(|reply| {
        reply.said_by == SaidBy::Elsinore && reply.enhanced.as_deref() == Some("4.4.3")
    })
}

fn last_attempt(report: &RecipientReport, at: Moment) -> LastAttempt {
    let mut reply = (report.reply.as_ref()).map_or_else(String::new, ToString::to_string);
    let mut end = LONGEST_REPLY.min(reply.len());
    while !reply.is_char_boundary(end) {
        end -= 1;
    }
    reply.truncate(end);
    let of_attempts = report
        .attempts
        .last()
        .map(|attempt| attempt.mx_host.clone());
    LastAttempt {
        at,
        mx_host: (report.session.as_ref())
            .map(|session| session.mx_host.clone())
            .or(of_attempts),
        reply,
        findings: plain(report),
    }
}

/// The report about a recipient of whom only we have something to say.
pub(super) fn ours(
    recipient: &str,
    outcome: Outcome,
    (code, enhanced, text): (u16, &str, String),
) -> RecipientReport {
    RecipientReport {
        recipient: recipient.to_owned(),
        outcome,
        session: None,
        reply: Some(ReplyText {
            code,
            enhanced: Some(enhanced.to_owned()),
            text,
            said_by: SaidBy::Elsinore,
        }),
        decided: Decided::Answer,
        account: Arc::default(),
        attempts: Arc::new(Vec::new()),
        findings: Arc::new(Vec::new()),
    }
}
