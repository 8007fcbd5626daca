//! Everything that was asked of servers, and what came back, to be met again without a network.
//!
//! Questions are recorded in one place, where the servers of a zone or the configured resolvers are
//! asked, so that priming, keys, DS records and referrals are on the tape as well. A replay is
//! answered by zone and question, whichever server it would have chosen, for that choice is partly
//! chance. It believes nothing more than the live resolver would: every recorded reply is judged
//! again, by the trust anchors and the [`Clock`](crate::clock::Clock) of the replaying party.
//!
//! # Limitations
//! What comes out of the cache asks nobody and is not on the tape: a recording is complete only for
//! a resolver whose cache began empty together with it. While a tape runs, denials are asked for
//! and not made from cached proofs (as
//! [`AggressiveDenial::Asked`](super::AggressiveDenial::Asked)), and aliases are asked for by each
//! question, for what the cache holds at one moment is partly chance too. In mode *ad* there is nothing on the tape that a stranger could
//! check: an AD bit is only the word of who recorded it.

mod recorder;
mod recording;

pub(super) use recorder::Pending;
pub use recorder::Recorder;
pub use recording::Recording;

use super::core::{Core, Reply, Trouble, Work};
use super::exchange::Fault;
use super::wire::{self, Message};
use elsinore_dane::answer::{ExtendedError, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Cause;
use elsinore_dane::time::UnixTime;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What becomes of the questions that a resolver asks.
#[derive(Debug, Clone, Default)]
pub enum Tape {
    /// They go to servers, and nothing is kept.
    #[default]
    Off,
    /// They go to servers, and what comes back is kept as well.
    Record(Arc<Recorder>),
    /// They are answered by a recording, and nothing is sent. A question that is not on it fails.
    Replay(Arc<Recording>),
}

impl Tape {
    /// Whether there is one.
    pub(super) const fn is_running(&self) -> bool {
        match self {
            Self::Off => false,
            Self::Record(_) | Self::Replay(_) => true,
        }
    }
}

/// One question and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapeEntry {
    /// Who was asked.
    pub asked: Asked,
    /// The question as it was sent; its name may be cut short (RFC 9156).
    pub question: Question,
    /// Who answered; `None` where nobody did.
    pub server: Option<SocketAddr>,
    /// When the question was put, by the resolver's clock.
    pub sent: UnixTime,
    /// How long it took, all servers that were tried included.
    pub elapsed: Duration,
    /// What came of it.
    pub outcome: TapeOutcome,
}

/// To whom a question went.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Asked {
    /// To the authoritative servers of this zone, until one of them gave a usable reply.
    Zone(DomainName),
    /// To the recursive resolvers that are configured for names below this zone.
    Resolvers(DomainName),
    /// To this very server, by UDP.
    ServerByUdp(SocketAddr),
    /// To this very server, by TCP.
    ServerByTcp(SocketAddr),
}

/// What came of one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TapeOutcome {
    /// A reply: the whole message as it came.
    Reply(Arc<[u8]>),
    /// No usable reply.
    Failed(TapeFailure),
    /// Nobody waited for the reply any more: the lookup was over, or its time was. A replay falls
    /// back on this only where nothing else was recorded of the question.
    Abandoned,
}

/// Why there was no usable reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapeFailure {
    /// What kind of trouble it was.
    pub cause: Cause,
    /// One line: who failed and how.
    pub reason: String,
    /// What the server said of it.
    pub ede: Option<ExtendedError>,
}

/// Octets that an entry counts for beside its reply and its texts.
const ENTRY_OCTETS: usize = 200;

impl TapeEntry {
    /// Octets that it counts for.
    fn octets(&self) -> usize {
        let outcome = match &self.outcome {
            TapeOutcome::Reply(wire) => wire.len(),
            TapeOutcome::Failed(failure) => failure.reason.len(),
            TapeOutcome::Abandoned => 0,
        };
        ENTRY_OCTETS + self.question.name.as_str().len() + outcome
    }
}

/// A question of servers that may be on a tape.
pub(super) struct Taped<'a> {
    /// Who is asked.
    pub(super) asked: Asked,
    /// What.
    pub(super) question: &'a wire::Question,
    /// Whose recorded reply counts.
    pub(super) may_answer: &'a (dyn Fn(SocketAddr) -> bool + Sync),
    /// Whether a reply is of use.
    pub(super) accept: &'a (dyn Fn(&Message) -> Result<(), Fault> + Sync),
}

impl Core {
    /// Has `ask` find the reply and keeps it, or takes it from a recording.
    pub(super) async fn taped<F>(
        &self,
        taped: Taped<'_>,
        work: &Work,
        ask: impl FnOnce() -> F,
    ) -> Result<Reply, Trouble>
    where
        F: Future<Output = Result<Reply, Trouble>>,
    {
        let question = taped.question;
        match &self.config.tape {
            Tape::Off => ask().await,
            Tape::Record(recorder) => {
                let public = to_public(question);
                let pending = Pending::new(recorder, taped.asked, public, self.now());
                let outcome = ask().await;
                match &outcome {
                    Ok(reply) => {
                        let wire = reply.message.wire.clone().unwrap_or_default();
                        pending.end(Some(reply.server), TapeOutcome::Reply(wire));
                    }
                    Err(trouble) => pending.end(
                        None,
                        TapeOutcome::Failed(TapeFailure {
                            cause: trouble.cause,
                            reason: trouble.text.clone(),
                            ede: trouble.ede.clone(),
                        }),
                    ),
                }
                outcome
            }
            Tape::Replay(recording) => {
                // A recording may be made to lead in circles: replays pay for questions too.
                work.budget.query().map_err(|text| {
                    Trouble::new(format!("{question}: {text}")).because(Cause::Limit)
                })?;
                recording.reply(&taped)
            }
        }
    }
}

fn to_public(question: &wire::Question) -> Question {
    Question::new(
        question.name.to_domain(),
        RecordType::from_code(question.rtype),
    )
}
