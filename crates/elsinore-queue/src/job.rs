//! Jobs: one message for one destination. They are leased, and settled under the lease.

use crate::id::JobId;
use crate::message::{MessageHead, NewMessage, Recipient};
use crate::moment::Moment;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The right to work on a job. Each lease of a job has a higher epoch than those before, so whoever
/// slept past the end of a lease cannot overwrite what was settled since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Which lease of this job.
    pub epoch: i64,
}

/// What has been tried for a job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// Attempts that ended without the job being done.
    pub attempts: u32,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastAttempt>,
    /// When its sender was told that it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warned: Option<Moment>,
    /// How its lifetime is counted.
    #[serde(default, skip_serializing_if = "Lived::is_plain")]
    pub lived: Lived,
}

/// What a job has lived through, as far as the times of its message do not say it: clocks are set, and
/// relays are off for days.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Lived {
    /// From when the lifetime counts, where that is not the arrival of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Moment>,
    /// How often it was found out that the destination does not take it, by an attempt of its own or
    /// of another job.
    pub looks: u32,
    /// When that was found out last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked: Option<Moment>,
    /// What was tried after the end of the lifetime, where that came unforeseen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Grace>,
}

impl Lived {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Attempts after the end of a lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grace {
    /// As [`Lived::looks`].
    pub looks: u32,
    /// The time between the attempts so far, in milliseconds.
    pub millis: u64,
}

/// What the last attempt came to, for the listing and for notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAttempt {
    /// When it ended.
    pub at: Moment,
    /// The MX host, where one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mx_host: Option<String>,
    /// The reply or refusal in one line, at most 1000 octets: code, enhanced status, text.
    pub reply: String,
    /// Findings in plain words, each one line, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

/// A destination with jobs that are due and not leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDestination {
    /// Its name, as in [`NewJob`](crate::message::NewJob).
    pub destination: String,
    /// When its first job became due.
    pub since: Moment,
}

/// Which jobs are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The time: jobs due later are not wanted.
    pub now: Moment,
    /// How long the lease lasts, by a clock that does not jump.
    pub lease_for: Duration,
    /// Destinations, and the most jobs wanted of each; those due first come first.
    pub from: Vec<(String, usize)>,
}

/// A job on lease.
#[derive(Debug, Clone)]
pub struct Leased {
    /// The lease.
    pub lease: Lease,
    /// The message.
    pub message: Arc<MessageHead>,
    /// The destination, as in [`NewJob`](crate::message::NewJob).
    pub destination: String,
    /// The recipients that have no answer yet.
    pub recipients: Vec<Recipient>,
    /// What has been tried.
    pub standing: Standing,
}

/// What became of a job, to be written under its lease.
#[derive(Debug)]
pub struct Settlement {
    /// The lease it was worked on under.
    pub lease: Lease,
    /// What is left to do; nothing when every recipient has an answer.
    pub rest: Option<Rest>,
    /// Notifications that this makes necessary: queued in the same transaction, or not at all.
    pub notices: Vec<NewMessage>,
}

/// What is left of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// When it is due again.
    pub due: Moment,
    /// The recipients without an answer; at least one.
    pub recipients: Vec<Recipient>,
    /// What has been tried, this attempt included.
    pub standing: Standing,
    /// Why it is not to be tried until it is released.
    pub held: Option<String>,
}

/// What became of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Written.
    Done,
    /// The lease was no longer held, or the job is gone: nothing was written, no notice was queued.
    Lost,
}
