//! Replays the scenario files of Unbound's test suite (`.rpl`) through the resolver.
//!
//! A file scripts authoritative servers, asks questions and says what a validating server must
//! answer. Here the servers live behind a [`Dialer`](elsinore_net::dialer::Dialer), the time is
//! tokio's paused clock, and the questions go to a [`Resolver`](elsinore_net::resolver::Resolver)
//! in this process.
//!
//! The crate is for tests: it brings signature algorithms that are dead on the Internet. The
//! command does not depend on it.

mod clock;
mod compare;
mod expression;
mod matching;
mod network;
mod play;
mod scenario;
mod settings;
mod verifier;
mod wire;

use scenario::Scenario;
use settings::Unfit;
use std::fmt;

/// What came of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every step went as the file says.
    Passed,
    /// One did not, or the file asks for something that is not supported: a line.
    Failed(String),
    /// It is about something that is no resolver: a line.
    Skipped(String),
}

/// What came of one file, with what helps to understand a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What came of it.
    pub verdict: Verdict,
    /// Every difference, what the resolver says, questions without an answer in the script.
    pub details: Vec<String>,
}

impl Outcome {
    fn failed(reason: String) -> Self {
        Self {
            verdict: Verdict::Failed(reason),
            details: Vec::new(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(reason) => write!(f, "FAILED: {reason}"),
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
        }
    }
}

/// Replays the scenario in `text`.
#[must_use]
pub fn replay(text: &str) -> Outcome {
    let scenario = match Scenario::parse(text) {
        Ok(scenario) => scenario,
        Err(fault) => return Outcome::failed(fault.to_string()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(replay_parsed(&scenario)),
        Err(error) => Outcome::failed(format!("no runtime: {error}")),
    }
}

async fn replay_parsed(scenario: &Scenario) -> Outcome {
    let setup = match settings::read(scenario) {
        Ok(setup) => setup,
        Err(Unfit::Unsupported(reason)) => return Outcome::failed(reason),
        Err(Unfit::Foreign(reason)) => {
            return Outcome {
                verdict: Verdict::Skipped(reason),
                details: Vec::new(),
            };
        }
    };
    if scenario.steps.is_empty() {
        return Outcome::failed("no step, so nothing was looked at".to_owned());
    }
    match play::play(scenario, setup).await {
        Ok(()) => Outcome {
            verdict: Verdict::Passed,
            details: Vec::new(),
        },
        Err(mishap) => Outcome {
            verdict: Verdict::Failed(mishap.summary),
            details: mishap.details,
        },
    }
}
