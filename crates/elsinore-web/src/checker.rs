//! What measures: the live check, or one that plays reports in tests. The page knows no more of it
//! than this.

use elsinore_check::report::Report;
use elsinore_dane::name::DomainName;
use futures_util::future::BoxFuture;
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::watch;

/// Measures one domain.
pub trait Checker: Debug + Send + Sync {
    /// Measures `domain` and says on the way what it does. `earlier` is the latest report of it that
    /// is kept, by which a record that matched once is known.
    ///
    /// # Errors
    /// One sentence for people, when no report came of it. A domain with faults, and a network that
    /// says nothing, make a report.
    fn check(
        &self,
        domain: DomainName,
        earlier: Option<Report>,
        progress: Progress,
    ) -> BoxFuture<'static, Result<Report, String>>;
}

/// Steps that are shown of one check: more than a domain with the most hosts and addresses makes.
pub(crate) const STEPS: usize = 400;

/// Where a check says what it does.
#[derive(Debug, Clone)]
pub struct Progress(pub(crate) Arc<watch::Sender<Course>>);

impl Progress {
    /// Says that something was done: one line without full stop, and what came of it.
    pub fn step(&self, step: Step) {
        self.0.send_if_modified(|course| {
            let room = course.steps.len() < STEPS;
            if room {
                course.steps.push(step);
            }
            room
        });
    }
}

/// One thing that was done while measuring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was done, as in "TLSA records of mail.example.org".
    pub what: String,
    /// What came of it, as in "2 records, secure".
    pub result: String,
    /// How that looks.
    pub look: Look,
    /// Milliseconds since the check began.
    pub after_ms: u64,
}

/// How something looks. Always shown by shape and word beside the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// As it should be.
    Good,
    /// It works, with something to say about it.
    Weak,
    /// It fails.
    Bad,
    /// Nothing can be said.
    Unknown,
    /// Neither good nor bad.
    Plain,
}

impl Look {
    /// The name used in style sheets and for icons.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Weak => "weak",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
            Self::Plain => "plain",
        }
    }
}

/// How far a check has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course {
    /// What was done so far.
    pub(crate) steps: Vec<Step>,
    /// Whether it waits for its turn.
    pub(crate) waiting: bool,
    /// How it ended.
    pub(crate) end: Option<End>,
}

/// How a check ended.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// With a report, which is kept under this name.
    Report(Arc<Finished>),
    /// Without; the sentence says why.
    Failed(String),
}

/// A report and where it is kept.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its name; `None` when it could not be kept.
    pub(crate) id: Option<crate::store::ReportId>,
    /// The report.
    pub(crate) report: Report,
    /// The same as JSON.
    pub(crate) json: String,
}
