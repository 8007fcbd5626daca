//! What the writer is asked, and what callers prepare for it on their own threads.

use super::compact::Compaction;
use super::segment::{Head, KeptJob, MAX_HEAD, RecordHeader, Settles};
use super::segments::finish_single;
use crate::admin::{Deed, Filter};
use crate::content::Content;
use crate::error::StoreError;
use crate::id::MessageId;
use crate::job::Lease;
use crate::job::{Claim, Leased, Rest, Settled, Settlement, Standing};
use crate::message::NewMessage;
use crate::moment::Moment;
use crate::record::{Change, Kind, Record};
use std::io;
use std::path::Path;
use tokio::sync::oneshot;

/// Where an answer goes. Dropped without one, the asker is told what is wrong with the store.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A message ready to be written.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) id: MessageId,
    pub(super) arrived: Moment,
    pub(super) envelope: String,
    pub(super) jobs: Vec<KeptJob>,
    pub(super) header: RecordHeader,
    pub(super) head: Vec<u8>,
    pub(super) content: Content,
    /// Whether the content is a finished single.
    pub(super) single: bool,
}

/// A settlement ready to be written.
#[derive(Debug)]
pub(super) struct Closing {
    pub(super) lease: Lease,
    pub(super) rest: Option<Rest>,
    /// Each with the CRC32C of its content.
    pub(super) notices: Vec<(NewMessage, u32)>,
}

/// One thing the writer is asked.
#[derive(Debug)]
pub(super) enum Work {
    Enqueue(Box<Arrival>, Reply<()>),
    Claim(Claim, Reply<Vec<Leased>>),
    Settle(Vec<Closing>, Reply<Vec<Settled>>),
    Change(Sweep, Reply<u64>),
    BringForward(Moment, Reply<u64>),
    Record(Vec<Change>, Reply<()>),
    RecordFirst(Kind, Record, Reply<bool>),
    Tidy(Compaction, Reply<()>),
    Close(Reply<()>),
}

/// A change to many jobs, done piece by piece.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) filter: Filter,
    pub(super) deed: Deed,
    /// The last job looked at.
    pub(super) after: i64,
    /// Jobs changed.
    pub(super) done: u64,
}

impl Work {
    /// Octets that it will write, roughly.
    pub(super) fn octets(&self) -> u64 {
        match self {
            Self::Enqueue(arrival, _) if arrival.single => arrival.head.len() as u64,
            Self::Enqueue(arrival, _) => arrival.content.octets() + arrival.head.len() as u64,
            Self::Settle(closings, _) => closings
                .iter()
                .flat_map(|closing| &closing.notices)
                .map(|(notice, _)| notice.content.octets())
                .sum(),
            Self::Claim(..)
            | Self::Change(..)
            | Self::BringForward(..)
            | Self::Record(..)
            | Self::RecordFirst(..)
            | Self::Tidy(..)
            | Self::Close(_) => 0,
        }
    }
}

/// Makes a message ready. When the content is in a file in `spool`, the file becomes a single on stable
/// storage; any other file is copied later. To be called where blocking is allowed then.
///
/// # Errors
/// [`StoreError::Refused`] for a message that no store keeps; [`StoreError::Content`];
/// [`StoreError::Full`]; [`StoreError::Failed`], after which nothing may be written any more.
pub(super) fn prepare(message: NewMessage, spool: &Path) -> Result<Arrival, StoreError> {
    check(&message)?;
    let crc = checksum(&message.content)?;
    let mut arrival = arrival(message, crc, None)?;
    if let Content::File { file, .. } = &mut arrival.content
        && file.path().starts_with(spool)
    {
        finish_single(file, &arrival.header, &arrival.head)?;
        arrival.single = true;
    }
    Ok(arrival)
}

/// Makes a settlement ready. Blocks when a notice is in a file.
///
/// # Errors
/// As [`prepare`].
pub(super) fn prepare_settlement(settlement: Settlement) -> Result<Closing, StoreError> {
    let notices = settlement
        .notices
        .into_iter()
        .map(|notice| {
            check(&notice)?;
            let crc = checksum(&notice.content)?;
            Ok((notice, crc))
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Closing {
        lease: settlement.lease,
        rest: settlement.rest,
        notices,
    })
}

/// CRC32C of a content; an error when it is not as long as it says.
fn checksum(content: &Content) -> io::Result<u32> {
    match content {
        Content::Memory(octets) => Ok(crc32c::crc32c(octets)),
        Content::File { file, octets } => {
            if file.as_file().metadata()?.len() != *octets {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "the content is not as long as was said",
                ));
            }
            super::scan::crc_of(file.as_file(), 0, *octets)
        }
    }
}

/// A message with its record's head and header.
///
/// # Errors
/// [`StoreError::Refused`] for a message that no store keeps.
pub(super) fn arrival(
    message: NewMessage,
    crc: u32,
    settles: Option<Settles>,
) -> Result<Arrival, StoreError> {
    let head = Head {
        arrived: message.arrived,
        envelope: message.envelope,
        jobs: message
            .jobs
            .into_iter()
            .zip(0..)
            .map(|(job, nth)| KeptJob {
                nth,
                destination: job.destination,
                recipients: job.recipients,
                due: job.due,
                held: job.held,
                standing: Standing::default(),
            })
            .collect(),
        settles,
        copy: false,
    };
    let json = |error: serde_json::Error| StoreError::Content(error.into());
    let octets = serde_json::to_vec(&head).map_err(json)?;
    if octets.len() > MAX_HEAD {
        return Err(StoreError::Refused("too many recipients for one message"));
    }
    Ok(Arrival {
        id: message.id,
        arrived: head.arrived,
        envelope: serde_json::to_string(&head.envelope).map_err(json)?,
        jobs: head.jobs,
        header: RecordHeader::new(message.id, &octets, message.content.octets(), crc),
        head: octets,
        content: message.content,
        single: false,
    })
}

/// Whether a store keeps such a message.
///
/// # Errors
/// [`StoreError::Refused`].
pub(super) fn check(message: &NewMessage) -> Result<(), StoreError> {
    if message.jobs.is_empty() {
        return Err(StoreError::Refused("a message without jobs"));
    }
    if message.jobs.iter().any(|job| job.recipients.is_empty()) {
        return Err(StoreError::Refused("a job without recipients"));
    }
    if message.jobs.len() >= 1 << super::index::NTH_BITS {
        return Err(StoreError::Refused("too many jobs for one message"));
    }
    Ok(())
}
