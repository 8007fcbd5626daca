//! A whole lookup with our own validation: alias by alias to the end, under one deadline.

use super::Freshness;
use super::anchors::Start;
use super::config::Mode;
use super::core::{Core, Found, Trouble, Work};
use super::evidence::{Evidence, Records};
use super::limits::Budget;
use super::retry::Bogus;
use super::step::{End, Step};
use super::transcript::{Checking, Recursion};
use super::trust::{Trust, holder};
use super::wire::{Message, Name, Question, rtype};
use elsinore_dane::answer::{self, AliasLink, Answer, Failure, Last, RrSet};
use elsinore_dane::security::{Cause, Status};
use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Names, from the top, that are taken for zone cuts before anything is known: a top-level zone and
/// a domain.
const AHEAD: usize = 2;

/// How a lookup is to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) freshness: Freshness,
    pub(super) recursion: Recursion,
    pub(super) checking: Checking,
    pub(super) records: Records,
}

/// A lookup that is over: the answer, and the reply behind each of its parts.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) answer: Answer,
    /// Behind each link.
    pub(super) links: Vec<Option<Arc<Evidence>>>,
    /// Behind the end.
    pub(super) end: Option<Arc<Evidence>>,
}

type Chain = Mutex<Vec<(AliasLink, Option<Arc<Evidence>>)>>;

impl Core {
    /// Answers `question`; a failure keeps the links that were followed before it.
    pub(super) async fn follow(&self, question: &answer::Question, freshness: Freshness) -> Answer {
        let manner = Manner {
            freshness,
            recursion: Recursion::Desired,
            checking: Checking::Enabled,
            records: Records::Dropped,
        };
        self.follow_in(question, manner).await.answer
    }

    /// The answer and what it rests on, in whatever mode. In mode *ad* the one reply stands behind
    /// all links.
    pub(super) async fn answer_in(&self, question: &answer::Question, manner: Manner) -> Followed {
        if self.config.mode != Mode::Ad {
            return self.follow_in(question, manner).await;
        }
        let freshness = match manner.recursion {
            // An answer from the cache has no reply beside it any more.
            Recursion::Desired => Freshness::Fresh,
            Recursion::CacheOnly => Freshness::Cached,
        };
        let answer = self
            .ask_validator(question, freshness, manner.recursion)
            .await;
        let asked = Question {
            name: Name::from_domain(&question.name),
            rtype: question.record_type.code(),
        };
        let reply = self.cache.find::<Found>(&asked);
        let evidence = reply.map(|(found, _)| Arc::new(Evidence::new(&found, &asked)));
        Followed {
            links: vec![evidence.clone(); answer.chain.len()],
            answer,
            end: evidence,
        }
    }

    /// As [`follow`](Self::follow), with what the answer rests on.
    pub(super) async fn follow_in(&self, question: &answer::Question, manner: Manner) -> Followed {
        let (wanted_keys, wanted) = mpsc::unbounded_channel();
        let work = Work {
            budget: Budget::new(self.config.limits),
            freshness: manner.freshness,
            recursion: manner.recursion,
            checking: manner.checking,
            records: manner.records,
            wanted_keys,
            oddities: Mutex::default(),
        };
        let chain = Mutex::new(Vec::new());
        let lookup = async {
            tokio::select! {
                // What is in the cache is answered without a question ahead.
                biased;
                last = self.follow_chain(question, &work, &chain) => last,
                never = self.fetch_ahead(question, wanted, &work) => match never {},
            }
        };
        let deadline = self.config.deadline;
        let (last, evidence) = timeout(deadline, lookup).await.unwrap_or_else(|_| {
            let mut text = format!("{question}: no answer within {} s", deadline.as_secs());
            if let Some(server) = work.budget.silent_server() {
                // Writing to a String cannot fail.
                let _ = write!(text, "; {server} says nothing");
            }
            let trouble = Trouble::new(text).because(Cause::Deadline);
            (Last::Failed(trouble.into_failure()), None)
        });
        let chain = chain.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (chain, links) = chain.into_iter().unzip();
        Followed {
            answer: Answer {
                question: question.clone(),
                chain,
                last,
                oddities: work.take_oddities(),
            },
            links,
            end: evidence,
        }
    }

    /// Fetches keys beside the lookup itself: those of zones that referrals announce, and, where
    /// an upstream hides the referrals, those that the uppermost names turn out to have.
    async fn fetch_ahead(
        &self,
        question: &answer::Question,
        mut wanted: mpsc::UnboundedReceiver<Name>,
        work: &Work,
    ) -> std::convert::Infallible {
        if work.recursion == Recursion::CacheOnly || work.checking == Checking::Disabled {
            return std::future::pending().await;
        }
        let mut running = FuturesUnordered::new();
        running.push(self.prime(work).boxed());
        let name = Name::from_domain(&question.name);
        if let Start::Keys(start, _) = self.starts().of(&name)
            && start.is_root()
        {
            running.push(self.fetch_keys(start, work).boxed());
        }
        if self.config.mode == Mode::Forward {
            for count in 1..=name.label_count().min(AHEAD) {
                running.push(self.fetch_cut(name.suffix(count), work).boxed());
            }
        }
        loop {
            tokio::select! {
                Some(zone) = wanted.recv() => running.push(self.fetch_keys(zone, work).boxed()),
                Some(()) = running.next() => {}
                else => std::future::pending().await,
            }
        }
    }

    async fn follow_chain(
        &self,
        question: &answer::Question,
        work: &Work,
        chain: &Chain,
    ) -> (Last, Option<Arc<Evidence>>) {
        let rtype = question.record_type.code();
        let mut name = Name::from_domain(&question.name);
        let mut visited = vec![name.clone()];
        let mut given: Option<Found> = None;
        loop {
            let asked = Question {
                name: name.clone(),
                rtype,
            };
            let step = self.step(&asked, &mut given, work).await;
            let evidence = step.evidence;
            let last = match step.end {
                End::Data(records, status, ttl) => Last::Data(RrSet {
                    owner: name.to_domain(),
                    records,
                    status,
                    ttl,
                }),
                End::Denied(denial) => Last::Denied(denial),
                End::Failed(failure) => Last::Failed(failure),
                End::Alias(kind, target, status, ttl) => {
                    let limit = work.budget.limits.alias_links;
                    if visited.len() > limit {
                        let text = format!("{question}: more than {limit} aliases in a row");
                        return (failed(text), evidence);
                    }
                    let link = AliasLink {
                        owner: name.to_domain(),
                        kind,
                        target: target.to_domain(),
                        status,
                        ttl,
                    };
                    chain
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((link, evidence.clone()));
                    if visited.contains(&target) {
                        let text = format!("{question}: alias loop at {target}");
                        return (failed(text), evidence);
                    }
                    visited.push(target.clone());
                    name = target;
                    continue;
                }
            };
            return (last, evidence);
        }
    }

    /// One name of the chain: from the cache, from the reply at hand, or asked anew.
    async fn step(&self, asked: &Question, given: &mut Option<Found>, work: &Work) -> Step {
        if work.freshness == Freshness::Cached
            && let Some(step) = self.known_step(asked, work)
        {
            return step;
        }
        if let Some(found) = given.as_ref().filter(|found| speaks_of(found, asked)) {
            let step = self.judge(asked, found, work).await;
            if !step.is_failed() {
                self.keep_step(asked, &step, work);
                return step;
            }
        }
        if let Some(step) = self.deny_from_cache(asked, work).await {
            self.keep_step(asked, &step, work);
            return step;
        }
        let step = match self.fetch_answer(asked, work).await {
            Ok(found) => {
                let (step, found) = self.judge_until_good(asked, found, work).await;
                *given = Some(found);
                step
            }
            Err(trouble) => match self.alias_alone(asked, work).await {
                Some(step) => step,
                None => Step::failed(trouble.into_failure()),
            },
        };
        self.keep_step(asked, &step, work);
        step
    }

    /// Judges `found`, and what other servers say when that is bogus.
    async fn judge_until_good(
        &self,
        asked: &Question,
        mut found: Found,
        work: &Work,
    ) -> (Step, Found) {
        let mut bogus = Bogus::default();
        loop {
            let step = self.judge(asked, &found, work).await;
            if !step.is_failed() {
                return (step, found);
            }
            // Where the zone itself is not to be trusted, another reply would fare no better.
            let zone = self.trust(&holder(&asked.name, asked.rtype), work).await;
            if matches!(zone, Trust::Failed(_)) {
                // The next lookup asks anew instead of judging the same reply once more.
                self.cache.forget::<Found>(asked);
                return (step, found);
            }
            match bogus.other_than(&found, asked, self, work).await {
                Some(other) => found = other,
                None => return (step, found),
            }
        }
    }

    /// Behind an upstream resolver one failing end hides the whole chain: the first link is then
    /// asked for by itself. Only an alias that holds up is of use; all else leaves the failure.
    async fn alias_alone(&self, asked: &Question, work: &Work) -> Option<Step> {
        if self.config.mode != Mode::Forward || matches!(asked.rtype, rtype::CNAME | rtype::DS) {
            return None;
        }
        let question = Question {
            name: asked.name.clone(),
            rtype: rtype::CNAME,
        };
        let found = self.fetch_answer(&question, work).await.ok()?;
        let step = self.judge(asked, &found, work).await;
        matches!(step.end, End::Alias(..)).then_some(step)
    }

    fn keep_step(&self, asked: &Question, step: &Step, work: &Work) {
        let is_own_fault = step.is_failed() && work.budget.is_overdrawn();
        if is_own_fault
            || work.recursion == Recursion::CacheOnly
            || work.checking == Checking::Disabled
        {
            return;
        }
        let ttl = match &step.end {
            End::Failed(failure) => self.failure_ttl(asked, failure),
            _ => step.ttl(),
        };
        self.cache.keep(asked, Arc::new(step.clone()), ttl);
        // Judged: the step is what counts from now on.
        self.cache.forget::<Found>(asked);
    }
}

fn failed(text: String) -> Last {
    Last::Failed(Failure {
        status: Status::indeterminate(text).because(Cause::AliasLoop),
        ede: None,
    })
}

/// Whether a reply to an earlier name of the chain also tells about `asked`: it has records for
/// it, or it denies it with the SOA of a zone that holds it.
fn speaks_of(found: &Found, asked: &Question) -> bool {
    let message: &Message = &found.message;
    let name = &asked.name;
    if !name.is_at_or_below(&found.bailiwick) {
        return false;
    }
    let has = |wanted: u16| {
        message
            .answer
            .iter()
            .any(|record| record.rtype == wanted && record.owner == *name)
    };
    let denied = message
        .authority
        .iter()
        .any(|record| record.rtype == rtype::SOA && name.is_at_or_below(&record.owner));
    has(asked.rtype) || has(rtype::CNAME) || denied
}
