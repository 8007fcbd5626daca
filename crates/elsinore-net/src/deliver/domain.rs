//! All recipients of one domain: host by host and address by address, until each recipient has
//! an answer or nothing is left to try.
//!
//! # Who is asked next
//! Trouble with a host (no connection, no greeting, 421, a failed or insufficient TLS session)
//! leads to its next address and then to the next host. Once a server speaks to us, its answer
//! about message or recipient is the answer of this attempt: 5yz bounces, 4yz waits. RFC 5321
//! §5.1 allows to ask another host after a 4yz about a recipient; this sender does not, because a
//! host of worse preference may be less protected, and the next attempt begins with the best
//! again. A recipient for whom the final dot was sent is never offered twice in one attempt.
//!
//! Here stands the loop over hosts, addresses and rungs. What it shares with the checker stands
//! beside it: the bounds and the conclusion in `course.rs`, the order of rungs in `climb.rs`, a single
//! connection in `contact.rs`. The transaction is in `domain/transaction.rs`, the answer when nothing
//! is left in `domain/verdict.rs`.
//!
//! File size: the steps of one loop, which share its state.

mod transaction;
mod verdict;

use verdict::ended;
pub(super) use verdict::{ended_words, nobody_contacted, ours, too_slow};

use super::Sender;
use super::account::{DomainAccount, TlsAccount, TlsEnd};
use super::climb::{Climb, More, Then};
use super::contact::{Manner, contact};
use super::course::{Course, Turn};
use super::envelope::{Envelope, Message};
use super::evidence;
use super::inquiry::{Inquiry, NextHost};
use super::report::{Attempt, Outcome, RecipientReport, ReplyText, SessionFacts};
use crate::doctor::triage::Blame;
use crate::session::SessionResult;
use elsinore_dane::discovery::{AskFreshness, DiscoveryPolicy};
use elsinore_dane::finding::Finding;
use elsinore_dane::ladder::{ConnectionFailure, Rung};
use elsinore_dane::mta_sts::StsMode;
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::obligation::{Obligation, SkipReason};
use elsinore_dane::plan::HostPlan;
use elsinore_dane::rule::Rule;
use elsinore_smtp::client::{Outlook, Recipient, RecipientResult, Scope};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a policy that is being refreshed is waited for when everything else is done.
const GRACE: Duration = Duration::from_secs(5);

/// What became of a recipient here.
#[derive(Debug, Clone)]
struct Answer {
    outcome: Outcome,
    reply: Option<ReplyText>,
    session: Option<Arc<SessionFacts>>,
}

/// One recipient and its place in the envelope.
#[derive(Debug)]
struct Pending {
    index: usize,
    recipient: Recipient,
    answer: Option<Answer>,
}

/// What follows an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// The next address, or the next host.
    GoOn,
    /// Every recipient has its answer.
    Done,
}

/// What follows a pass over the hosts.
enum Pass {
    /// Hosts were tried, or skipped.
    Tried,
    /// The engine, or a bound, ended it.
    Ended(Outcome, ReplyText),
}

/// The run of one domain.
pub(super) struct DomainRun<'a> {
    sender: &'a Sender,
    envelope: &'a Envelope,
    message: &'a Message,
    next_hop: NextHop,
    policy: DiscoveryPolicy,
    recipients: Vec<Pending>,
    attempts: Vec<Attempt>,
    findings: Vec<Finding>,
    account: DomainAccount,
    course: Course,
    last: Option<Answer>,
    deadline: Instant,
}

impl<'a> DomainRun<'a> {
    pub(super) fn new(
        sender: &'a Sender,
        envelope: &'a Envelope,
        message: &'a Message,
        (next_hop, policy): (NextHop, DiscoveryPolicy),
        recipients: Vec<(usize, Recipient)>,
        findings: Vec<Finding>,
    ) -> Self {
        Self {
            sender,
            envelope,
            message,
            next_hop,
            policy,
            recipients: recipients
                .into_iter()
                .map(|(index, recipient)| Pending {
                    index,
                    recipient,
                    answer: None,
                })
                .collect(),
            attempts: Vec::new(),
            findings,
            account: DomainAccount::default(),
            course: Course::new(sender.config.limits),
            last: None,
            deadline: Instant::now() + sender.config.timeouts.domain,
        }
    }

    /// Runs to the end; one report per recipient, with its place in the envelope.
    pub(super) async fn run(mut self) -> Vec<(usize, RecipientReport)> {
        let mut inquiry =
            Inquiry::new(self.sender, self.next_hop.clone(), self.policy.clone()).await;
        let mut pass = self.pass(&mut inquiry).await;
        self.settle(&mut inquiry).await;
        self.findings.extend(inquiry.findings());
        self.account = inquiry.account();
        let enforced = inquiry
            .sts_policy()
            .filter(|policy| policy.policy.mode == StsMode::Enforce)
            .map(|policy| policy.id.clone());
        if let Some(id) = enforced
            && !self.is_done()
            && !self.is_over()
            && self.failed_for_sts()
            && let Some(again) = self.ask_again(&id).await
        {
            pass = again;
        }
        let blame = self.blame(&pass).await;
        self.finish(pass, &blame)
    }

    /// Whose fault it is that lookups failed; asked only when mail stays behind because of them.
    async fn blame(&self, pass: &Pass) -> Blame {
        let Some(triage) = &self.sender.triage else {
            return Blame::Unknown;
        };
        let waits = matches!(pass, Pass::Tried | Pass::Ended(Outcome::Deferred, _));
        if self.is_done() || !waits || !self.lookups_failed() {
            return Blame::Unknown;
        }
        let blame = self.message.recall.or(triage.blame()).await;
        blame.unwrap_or(Blame::Unknown)
    }

    fn lookups_failed(&self) -> bool {
        let of_attempts = self.attempts.iter().flat_map(|attempt| &attempt.findings);
        (self.findings.iter().chain(of_attempts)).any(|finding| {
            matches!(
                finding.rule,
                Rule::MxLookupFailed
                    | Rule::AddressLookupFailed
                    | Rule::TlsaLookupFailed
                    | Rule::ZoneStatusUnknown
            )
        })
    }

    /// Whether nothing new is begun.
    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline || self.message.recall.is_called()
    }

    fn is_done(&self) -> bool {
        self.recipients
            .iter()
            .all(|pending| pending.answer.is_some())
    }

    /// Whether a host was lost to an enforced policy.
    fn failed_for_sts(&self) -> bool {
        self.course.failures().iter().any(|host| {
            evidence::owes_sts(&host.obligation)
                || host.obligation == Obligation::Skip(SkipReason::StsMismatch)
        })
    }

    /// RFC 8461 §5.1: before a message is given up for a policy, DNS is asked for a newer one.
    async fn ask_again(&mut self, known: &str) -> Option<Pass> {
        let mut policy = self.policy.clone();
        policy.sts_freshness = AskFreshness::Fresh;
        let mut inquiry = Inquiry::new(self.sender, self.next_hop.clone(), policy).await;
        let until = self.discovery_deadline();
        // A host on which the policy bears is decided when the policy is; one that DANE alone
        // decides about may stand before it. The hosts are bounded by the engine.
        let asked = async {
            let mut index = 0;
            while let NextHost::Plan(_) = inquiry.next_host(index, until).await {
                index += 1;
            }
        };
        // Nothing is known of the policy then, and nothing given up for it.
        self.message.recall.or(asked).await?;
        let newer = inquiry
            .sts_policy()
            .filter(|policy| policy.id != known)
            .map(|policy| policy.id.clone());
        let evidence = match &newer {
            Some(id) => format!("policy {known:?} failed and {id:?} has replaced it"),
            None => format!("policy {known:?} is still the current one"),
        };
        self.findings.push(Finding::new(
            Rule::StsAskedAgain,
            self.next_hop.to_string(),
            evidence,
        ));
        if newer.is_none() {
            self.settle(&mut inquiry).await;
            return None;
        }
        self.course = Course::new(self.sender.config.limits);
        let pass = self.pass(&mut inquiry).await;
        self.settle(&mut inquiry).await;
        self.findings.extend(inquiry.findings());
        self.account = inquiry.account();
        Some(pass)
    }

    /// Waits a little for a policy that is being refreshed.
    async fn settle(&self, inquiry: &mut Inquiry<'_>) {
        // What was called back leaves it to the next delivery.
        let _ = self.message.recall.or(inquiry.settle(GRACE)).await;
    }

    fn discovery_deadline(&self) -> Instant {
        (Instant::now() + self.sender.config.timeouts.discovery).min(self.deadline)
    }

    /// Tries the hosts in order.
    async fn pass(&mut self, inquiry: &mut Inquiry<'_>) -> Pass {
        for index in 0.. {
            let until = self.discovery_deadline();
            let next = tokio::select! {
                biased;
                next = inquiry.next_host(index, until) => next,
                () = self.message.recall.called() => NextHost::TimedOut,
            };
            let plan = match next {
                NextHost::Plan(plan) => plan,
                NextHost::None => break,
                NextHost::Refused(verdict, refusal) => return ended(verdict, &refusal),
                NextHost::TimedOut => {
                    return Pass::Ended(Outcome::Deferred, too_slow());
                }
            };
            match self.course.host(&plan) {
                Turn::Contact => {}
                Turn::Skip(reason) => {
                    self.skip(&plan, reason);
                    continue;
                }
                Turn::Bound => {
                    let (hosts, addresses) = self.course.contacted();
                    self.findings.push(Finding::new(
                        Rule::DeliveryBound,
                        plan.mx_host.clone(),
                        format!("{hosts} hosts and {addresses} addresses were tried"),
                    ));
                    break;
                }
            }
            let weaker = inquiry.weaker(index);
            if self.host(inquiry, &plan, weaker).await == Flow::Done {
                break;
            }
            if self.message.recall.is_called() {
                break;
            }
            if Instant::now() >= self.deadline {
                self.findings.push(Finding::new(
                    Rule::DeliveryBound,
                    self.next_hop.to_string(),
                    "the time for this domain is over",
                ));
                break;
            }
        }
        // A domain all of whose hosts are to be skipped is refused as a whole.
        match inquiry.refusal() {
            Some((verdict, refusal)) if self.course.contacted().0 == 0 => ended(verdict, &refusal),
            _ => Pass::Tried,
        }
    }

    /// Records a host that is not contacted.
    fn skip(&mut self, plan: &HostPlan, reason: SkipReason) {
        self.attempts.push(Attempt {
            mx_host: plan.mx_host.clone(),
            mx_address: None,
            obligation: evidence::obligation_word(&plan.obligation),
            outcome: Outcome::Deferred,
            reason: Some(format!("not contacted: {}", with_cause(plan, reason))),
            skipped: Some(reason),
            findings: plan.findings.clone(),
            session: None,
            log_line: None,
            account: TlsAccount::of_plan(plan, &[]),
        });
    }

    /// Tries the addresses of one host.
    async fn host(
        &mut self,
        inquiry: &mut Inquiry<'_>,
        plan: &HostPlan,
        weaker: Option<Finding>,
    ) -> Flow {
        let mut findings = plan.findings.clone();
        findings.extend(weaker);
        let account = TlsAccount::of_plan(plan, &inquiry.overheard().sets);
        for address in &plan.addresses {
            if self.is_over() || !self.course.address() {
                return Flow::GoOn;
            }
            let begun = (findings.clone(), account.clone());
            let flow = inquiry.beside(self.address(plan, *address, begun)).await;
            if flow == Flow::Done {
                return Flow::Done;
            }
        }
        Flow::GoOn
    }

    /// One address, down the ladder: each rung on a new connection.
    async fn address(
        &mut self,
        plan: &HostPlan,
        address: IpAddr,
        (mut findings, mut account): (Vec<Finding>, TlsAccount),
    ) -> Flow {
        let peer = SocketAddr::new(address, plan.port);
        account.sending_address = self.sender.dialer.local_address(peer);
        let Some(rung) = self.sender.known_rung(peer, &plan.obligation) else {
            return Flow::GoOn;
        };
        let mut climb = Climb::new(plan, rung);
        loop {
            let result = match self.transact(&climb, peer).await {
                Ok(result) => result,
                Err(reason) => {
                    let reason = reason.to_string();
                    let facts = Arc::new(evidence::facts(climb.plan(), address, None));
                    findings.push(Finding::new(
                        Rule::ServerUnavailable,
                        format!("{}[{address}]:{}", plan.mx_host, plan.port),
                        reason.clone(),
                    ));
                    self.last = Some(Answer {
                        outcome: Outcome::Deferred,
                        reply: Some(ours(450, "4.4.1", &reason)),
                        session: Some(Arc::clone(&facts)),
                    });
                    self.course.failed(plan, ConnectionFailure::NotConnected);
                    let noted = (findings, None, account);
                    self.record(plan, facts, Outcome::Deferred, Some(reason), noted);
                    return Flow::GoOn;
                }
            };
            findings.extend(evidence::findings(climb.plan(), peer, &result));
            let roots = &self.sender.config.roots;
            account.take(climb.plan(), &result, (roots, self.sender.clock.now()));
            if result.transaction > 1 {
                account.end = TlsEnd::Reused;
            }
            if climb.teaches(&result) {
                self.sender.remember_rung(peer, Rung::Legacy);
            }
            let facts = Arc::new(evidence::facts(climb.plan(), address, Some(&result)));
            let outcome = self.apply(&result, &facts);
            let log_line = match (&result.tls, &result.tls_failure) {
                (Some(tls), _) => evidence::log_line(plan, address, (tls, result.transaction)),
                (None, Some(failure)) => evidence::refused_line(plan, address, failure),
                (None, None) => None,
            };
            let more = if !self.is_over() && !self.is_done() {
                More::Allowed
            } else {
                More::Over
            };
            match climb.after(&result, self.sender.legacy_rung(), more) {
                Then::Answered => {
                    let reason = self.reason(outcome);
                    self.record(plan, facts, outcome, reason, (findings, log_line, account));
                    return self.flow();
                }
                Then::Again => {}
                Then::AgainFromTheTop => self.sender.forget_rung(peer),
                Then::GivenUp(failure) => {
                    let reason = evidence::reason(&result);
                    self.course.failed(plan, failure);
                    let noted = (findings, log_line, account);
                    self.record(plan, facts, outcome, Some(reason), noted);
                    return self.flow();
                }
            }
        }
    }

    fn flow(&self) -> Flow {
        if self.is_done() {
            Flow::Done
        } else {
            Flow::GoOn
        }
    }

    fn record(
        &mut self,
        plan: &HostPlan,
        facts: Arc<SessionFacts>,
        outcome: Outcome,
        reason: Option<String>,
        (findings, log_line, account): (Vec<Finding>, Option<String>, TlsAccount),
    ) {
        self.attempts.push(Attempt {
            mx_host: plan.mx_host.clone(),
            mx_address: Some(facts.mx_address),
            obligation: evidence::obligation_word(&plan.obligation),
            outcome,
            reason,
            skipped: None,
            findings,
            session: Some(facts),
            log_line,
            account,
        });
    }

    /// Takes the answers of a session; the best outcome among them is the attempt's.
    fn apply(&mut self, result: &SessionResult, facts: &Arc<SessionFacts>) -> Outcome {
        let mut best = None;
        let mut open = self
            .recipients
            .iter_mut()
            .filter(|pending| pending.answer.is_none());
        for entry in &result.outcome.recipients {
            // The session was given the open recipients, and answers in their order.
            let Some(pending) = open.next() else { break };
            let (outcome, reply, is_final) = match &entry.result {
                RecipientResult::Delivered(reply) => {
                    (Outcome::Delivered, evidence::reply_text(reply), true)
                }
                RecipientResult::Failed(failure) => {
                    let outcome = match failure.outlook {
                        Outlook::Permanent if failure.scope != Scope::Host => Outcome::Bounced,
                        Outlook::Permanent | Outlook::Temporary | Outlook::Uncertain => {
                            Outcome::Deferred
                        }
                    };
                    let is_final =
                        failure.scope != Scope::Host || failure.outlook == Outlook::Uncertain;
                    (outcome, evidence::failure_text(failure), is_final)
                }
            };
            best = Some(best.map_or(outcome, |other: Outcome| other.min(outcome)));
            let answer = Answer {
                outcome,
                reply: Some(reply),
                session: Some(Arc::clone(facts)),
            };
            if is_final {
                pending.answer = Some(answer);
            } else {
                self.last = Some(answer);
            }
        }
        best.unwrap_or(Outcome::Deferred)
    }

    /// What stood in the way of a session that was not (all) delivered.
    fn reason(&self, outcome: Outcome) -> Option<String> {
        if outcome == Outcome::Delivered {
            return None;
        }
        self.recipients
            .iter()
            .filter_map(|pending| pending.answer.as_ref())
            .filter(|answer| answer.outcome == outcome)
            .find_map(|answer| answer.reply.as_ref())
            .map(ToString::to_string)
    }
}

/// Why a host is skipped, with what the lookup that failed ran into.
fn with_cause(plan: &HostPlan, reason: SkipReason) -> String {
    let rule = match reason {
        SkipReason::AddressLookupFailed => Some(Rule::AddressLookupFailed),
        SkipReason::TlsaLookupFailed => Some(Rule::TlsaLookupFailed),
        SkipReason::ZoneStatusUnknown => Some(Rule::ZoneStatusUnknown),
        _ => None,
    };
    let cause = (plan.findings.iter()).find(|finding| Some(finding.rule) == rule);
    match cause {
        Some(finding) => format!("{} ({})", reason.sentence(), finding.evidence),
        None => reason.sentence().to_owned(),
    }
}
