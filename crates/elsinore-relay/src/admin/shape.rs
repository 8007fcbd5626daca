//! The JSON of the queue: what `/v1/queue` speaks and what `elsinore queue --format json` prints.
//! Moments are RFC 3339 in UTC.

use elsinore_queue::admin::{Filter, JobView, Page, Stats};
use elsinore_queue::id::{JobId, MessageId};
use elsinore_queue::moment::Moment;
use serde::{Deserialize, Serialize};

/// The version of these shapes.
pub const SCHEMA_VERSION: u32 = 1;

/// Some jobs, in order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobList {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Where the next page begins; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<JobId>,
}

/// One message for one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub job: JobId,
    /// The message.
    pub id: MessageId,
    /// Where it is to go.
    pub destination: String,
    /// The reverse path; empty for `<>`.
    pub sender: String,
    /// Recipients without an answer.
    pub recipients: Vec<String>,
    /// Where the message came from.
    pub origin: String,
    /// Octets of the message.
    pub octets: u64,
    /// When the message arrived.
    pub arrived: String,
    /// When it is due.
    pub due: String,
    /// Attempts that ended without the job being done.
    pub attempts: u32,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
    /// When the sender was told that it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warned: Option<String>,
    /// Why it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Whether it is being worked on.
    pub leased: bool,
}

/// The last attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// When it ended.
    pub at: String,
    /// The MX host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mx_host: Option<String>,
    /// The reply or refusal.
    pub reply: String,
    /// What was found, in plain words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

impl From<JobView> for Job {
    fn from(view: JobView) -> Self {
        Self {
            job: view.job,
            id: view.message.id,
            destination: view.destination,
            sender: view.message.envelope.reverse_path,
            recipients: (view.recipients.into_iter())
                .map(|recipient| recipient.address)
                .collect(),
            origin: view.message.envelope.origin,
            octets: view.message.octets,
            arrived: written(view.message.arrived),
            due: written(view.due),
            attempts: view.standing.attempts,
            last: view.standing.last.map(|last| Last {
                at: written(last.at),
                mx_host: last.mx_host,
                reply: last.reply,
                findings: last.findings,
            }),
            warned: view.standing.warned.map(written),
            held: view.held,
            leased: view.leased,
        }
    }
}

impl From<Page> for JobList {
    fn from(page: Page) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            jobs: page.jobs.into_iter().map(Job::from).collect(),
            next: page.next,
        }
    }
}

/// How full the queue is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fullness {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Messages kept.
    pub messages: u64,
    /// Jobs.
    pub jobs: u64,
    /// Jobs that are due.
    pub due: u64,
    /// Jobs that are held.
    pub held: u64,
    /// Jobs under way.
    pub leased: u64,
    /// Octets of content.
    pub octets: u64,
    /// When the oldest message arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
    /// The destinations with most jobs.
    pub destinations: Vec<DestinationFullness>,
}

/// How much waits for one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationFullness {
    /// Its name.
    pub destination: String,
    /// Jobs.
    pub jobs: u64,
    /// When the message of the oldest arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<String>,
}

impl From<Stats> for Fullness {
    fn from(stats: Stats) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            messages: stats.messages,
            jobs: stats.jobs,
            due: stats.due,
            held: stats.held,
            leased: stats.leased,
            octets: stats.octets,
            oldest: stats.oldest.map(written),
            destinations: (stats.destinations.into_iter())
                .map(|one| DestinationFullness {
                    destination: one.destination,
                    jobs: one.jobs,
                    oldest: one.oldest.map(written),
                })
                .collect(),
        }
    }
}

/// Which jobs, from where on, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListWish {
    /// Which.
    pub filter: Filter,
    /// After this one.
    pub after: Option<JobId>,
    /// At most so many; 100 when absent, never more than 1000.
    pub limit: Option<usize>,
}

/// A change that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeWish {
    /// Which jobs.
    #[serde(default)]
    pub filter: Filter,
    /// That a filter without anything in it is meant: all jobs.
    #[serde(default)]
    pub all: bool,
    /// What to do.
    pub deed: DeedWish,
}

/// What to do to jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeedWish {
    /// Try now; no longer held.
    Retry,
    /// Not to be tried until released; why.
    Hold(String),
    /// No longer held.
    Release,
    /// Gone, without a word to anybody.
    Remove,
}

/// What was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Jobs.
    pub changed: u64,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// In one line.
    pub error: String,
}

/// A moment as it is written: RFC 3339 in UTC, to the second.
fn written(moment: Moment) -> String {
    crate::log::line::moment(moment)
}
