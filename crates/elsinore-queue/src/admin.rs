//! What an administrator asks of the queue and does to it.

use crate::id::{JobId, MessageId};
use crate::job::Standing;
use crate::message::{MessageHead, Recipient};
use crate::moment::Moment;
use serde::{Deserialize, Serialize};

/// Which jobs are meant: those that match everything that is given. An empty filter means all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Of these messages.
    pub messages: Vec<MessageId>,
    /// To this destination; with a leading dot, to everything below it.
    pub destination: Option<String>,
    /// From this reverse path, whole or beginning with `@`: a domain. `<>` means the null path.
    pub sender: Option<String>,
    /// To this address, whole or beginning with `@`.
    pub recipient: Option<String>,
    /// The last reply holds this text, case ignored.
    pub reason: Option<String>,
    /// Whether they are held.
    pub held: Option<bool>,
}

/// One job as the listing shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// Its number.
    pub job: JobId,
    /// The message.
    pub message: MessageHead,
    /// The destination.
    pub destination: String,
    /// Recipients without an answer.
    pub recipients: Vec<Recipient>,
    /// When it is due.
    pub due: Moment,
    /// What has been tried.
    pub standing: Standing,
    /// Why it is held.
    pub held: Option<String>,
    /// Whether it is being worked on.
    pub leased: bool,
}

/// One page of a listing, in order of job numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// The jobs.
    pub jobs: Vec<JobView>,
    /// Where the next page begins; nothing when this is the last.
    pub next: Option<JobId>,
}

/// What is done to jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// Due now, and no longer held.
    Retry(Moment),
    /// Not tried until released; the reason is kept.
    Hold(String),
    /// No longer held; due as before.
    Release,
    /// Removed without a word to anybody, also while it is being worked on (its settlement is lost).
    Remove,
}

/// How full the queue is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Messages kept.
    pub messages: u64,
    /// Jobs.
    pub jobs: u64,
    /// Jobs due now or earlier, leased ones included, held ones not.
    pub due: u64,
    /// Jobs that are held.
    pub held: u64,
    /// Jobs that are being worked on.
    pub leased: u64,
    /// Octets of content.
    pub octets: u64,
    /// When the oldest message arrived.
    pub oldest: Option<Moment>,
    /// The destinations with most jobs, most first, at most 20.
    pub destinations: Vec<DestinationStats>,
}

/// How much waits for one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationStats {
    /// Its name.
    pub destination: String,
    /// Jobs.
    pub jobs: u64,
    /// When its oldest job's message arrived.
    pub oldest: Option<Moment>,
}
