//! Answers questions from what was recorded.

use super::{Asked, TapeEntry, TapeOutcome, Taped, to_public};
use crate::resolver::core::{Reply, Trouble};
use crate::resolver::evidence::NOBODY;
use crate::resolver::exchange::Fault;
use crate::resolver::wire::{Message, Name, Question, rtype};
use elsinore_dane::answer;
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Cause;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What was recorded, ready to be asked. Keep one per replay: of a question that was recorded
/// several times the first asker meets what the first asker met.
#[derive(Debug)]
pub struct Recording {
    lines: HashMap<(Asked, answer::Question), Line>,
    /// The questions that each party was asked, for replies that serve for others.
    by_party: HashMap<Asked, Vec<answer::Question>>,
    missed: Mutex<Vec<(Asked, answer::Question)>>,
    /// Replies looked at for questions that were not recorded.
    searched: AtomicUsize,
}

/// Questions that were not found, at most so many of which are kept.
const MOST_MISSED: usize = 64;
/// Replies that are looked at for questions that were not recorded, in the life of a recording.
const MOST_SEARCHED: usize = 50_000;

/// All entries of one question, in order.
#[derive(Debug, Default)]
struct Line {
    entries: Vec<TapeEntry>,
    /// The entry whose turn it is; the last one stays.
    turn: AtomicUsize,
}

impl Line {
    /// The entry whose turn it is among those that `fits`.
    fn next(&self, fits: impl Fn(&TapeEntry) -> bool) -> Option<&TapeEntry> {
        let turn = self.turn.load(Ordering::Relaxed);
        let useful = |entry: &TapeEntry| entry.outcome != TapeOutcome::Abandoned && fits(entry);
        let later = (turn..self.entries.len()).find(|at| useful(&self.entries[*at]));
        let at = match later {
            Some(at) => at,
            None => (0..turn.min(self.entries.len()))
                .rev()
                .find(|at| useful(&self.entries[*at]))
                .or_else(|| (0..self.entries.len()).find(|at| fits(&self.entries[*at])))?,
        };
        self.turn.store(at + 1, Ordering::Relaxed);
        self.entries.get(at)
    }
}

impl Recording {
    /// A recording of these entries, in the order in which they were made.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = TapeEntry>) -> Self {
        let mut lines: HashMap<_, Line> = HashMap::new();
        let mut by_party: HashMap<_, Vec<answer::Question>> = HashMap::new();
        for entry in entries {
            let key = (entry.asked.clone(), entry.question.clone());
            let line = lines.entry(key).or_default();
            if line.entries.is_empty() {
                let questions = by_party.entry(entry.asked.clone()).or_default();
                questions.push(entry.question.clone());
            }
            line.entries.push(entry);
        }
        Self {
            lines,
            by_party,
            missed: Mutex::default(),
            searched: AtomicUsize::new(0),
        }
    }

    /// Questions that were put and are not on the recording, the first few.
    #[must_use]
    pub fn missed(&self) -> Vec<(Asked, answer::Question)> {
        let missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        missed.clone()
    }

    /// What was recorded of a question to one server; one entry after the other where there are
    /// several, the last one again and again.
    pub(in crate::resolver) fn entry(
        &self,
        asked: &Asked,
        question: &answer::Question,
    ) -> Option<&TapeEntry> {
        self.find(asked, question, |_| true)
    }

    fn find(
        &self,
        asked: &Asked,
        question: &answer::Question,
        fits: impl Fn(&TapeEntry) -> bool,
    ) -> Option<&TapeEntry> {
        let line = self.lines.get(&(asked.clone(), question.clone()));
        let found = line.and_then(|line| line.next(fits));
        if line.is_none() {
            let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
            let miss = (asked.clone(), question.clone());
            if missed.len() < MOST_MISSED && !missed.contains(&miss) {
                missed.push(miss);
            }
        }
        found
    }

    /// The reply from a server that may answer, if it is of use.
    ///
    /// # Errors
    /// The failure that was recorded, or that nothing was.
    pub(in crate::resolver) fn reply(&self, taped: &Taped<'_>) -> Result<Reply, Trouble> {
        let question = taped.question;
        let public = to_public(question);
        let fits = |entry: &TapeEntry| entry.server.is_none_or(taped.may_answer);
        let Some(entry) = self.find(&taped.asked, &public, fits) else {
            if let Some(reply) = self.other(taped) {
                return Ok(reply);
            }
            return Err(absent(format!("{question}: not in the recording")));
        };
        let wire = match &entry.outcome {
            TapeOutcome::Reply(wire) => wire,
            TapeOutcome::Failed(failure) => {
                return Err(Trouble {
                    text: failure.reason.clone(),
                    ede: failure.ede.clone(),
                    cause: failure.cause,
                    is_remembered: true,
                });
            }
            TapeOutcome::Abandoned => {
                let text = format!("{question}: the recording ends before its reply");
                return Err(absent(text).because(Cause::Deadline));
            }
        };
        let server = entry.server.unwrap_or(NOBODY);
        let message = Message::parse(wire).ok_or(Fault::Malformed);
        match message.and_then(|message| (taped.accept)(&message).map(|()| message)) {
            Ok(message) => Ok(Reply {
                message: Arc::new(message),
                server,
            }),
            Err(fault) => Err(Trouble {
                ede: fault.ede(),
                cause: fault.cause(),
                is_remembered: true,
                ..Trouble::new(format!("{question}: {} says {fault}", server.ip()))
            }),
        }
    }

    /// A reply that was given to another question and serves for this one as well: a referral that
    /// leads to it, or an alias chain that ends at it. Which of several lookups at one time met it
    /// first was chance.
    fn other(&self, taped: &Taped<'_>) -> Option<Reply> {
        for other in self.by_party.get(&taped.asked)? {
            let Some(line) = self.lines.get(&(taped.asked.clone(), other.clone())) else {
                continue;
            };
            for entry in &line.entries {
                let TapeOutcome::Reply(wire) = &entry.outcome else {
                    continue;
                };
                let Some(server) = entry.server.filter(|server| (taped.may_answer)(*server)) else {
                    continue;
                };
                // Recordings of strangers may be large; what serves is found among few.
                if self.searched.fetch_add(1, Ordering::Relaxed) >= MOST_SEARCHED {
                    return None;
                }
                let Some(message) = Message::parse(wire) else {
                    continue;
                };
                let serves = match &taped.asked {
                    Asked::Zone(zone) if leads_on(&message, zone, taped.question) => true,
                    _ => {
                        other.record_type.code() == taped.question.rtype
                            && ends_at(&message, other, taped.question)
                    }
                };
                if serves && (taped.accept)(&message).is_ok() {
                    let message = Arc::new(message);
                    return Some(Reply { message, server });
                }
            }
        }
        None
    }
}

/// Whether a reply of the servers of `zone` refers to a zone that holds `question`.
fn leads_on(message: &Message, zone: &DomainName, question: &Question) -> bool {
    let zone = Name::from_domain(zone);
    // The DS of a cut stands above it.
    let labels = question.name.label_count();
    let deepest = labels.saturating_sub(usize::from(question.rtype == rtype::DS));
    message.is_answer()
        && message.answer.is_empty()
        && message.authority.iter().any(|record| {
            record.rtype == rtype::NS
                && record.owner.is_below(&zone)
                && question.name.is_at_or_below(&record.owner)
                && record.owner.label_count() <= deepest
        })
}

/// Whether the aliases of a reply to `other` come by the name of `question`.
fn ends_at(message: &Message, other: &answer::Question, question: &Question) -> bool {
    let mut name = Name::from_domain(&other.name);
    for _ in 0..message.answer.len() {
        let links = Message::rrset(&message.answer, &name, rtype::CNAME);
        let Some(target) = links.first().and_then(|link| link.target()) else {
            return false;
        };
        if target == question.name {
            return true;
        }
        name = target;
    }
    false
}

/// What is not recorded was not found out; nobody is asked instead.
fn absent(text: String) -> Trouble {
    Trouble {
        is_remembered: true,
        ..Trouble::new(text).because(Cause::NotCached)
    }
}
