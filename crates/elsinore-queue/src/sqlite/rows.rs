//! Rows of the index as values. What cannot be read of a row is left empty, and the row says why: one
//! that is damaged must cost nothing but itself.

use super::index::number;
use super::scan::Place;
use crate::id::MessageId;
use crate::job::Standing;
use crate::message::{Envelope, Recipient};
use crate::moment::Moment;
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Error, Row};

/// A job's row.
#[derive(Debug)]
pub(super) struct JobRow {
    pub(super) job: i64,
    pub(super) destination: String,
    pub(super) due: i64,
    pub(super) held: Option<String>,
    pub(super) recipients: Vec<Recipient>,
    pub(super) standing: Standing,
    /// Why some of it could not be read.
    pub(super) damage: Option<String>,
}

/// The message of a job.
#[derive(Debug)]
pub(super) struct MessageRow {
    pub(super) id: MessageId,
    pub(super) arrived: Moment,
    pub(super) envelope: Envelope,
    pub(super) place: Place,
    /// Why some of it could not be read.
    pub(super) damage: Option<String>,
}

/// The columns that [`message_row`] reads.
pub(super) const MESSAGE_COLUMNS: &str =
    "m.id, m.arrived, m.envelope, m.segment, m.start, m.length, m.body, m.octets, m.crc";

/// The columns that [`job_row`] reads.
pub(super) const JOB_COLUMNS: &str =
    "j.job, j.destination, j.due, j.held, j.recipients, j.standing";

/// A message in a row, from column `from` on.
///
/// # Errors
/// What SQLite says, but not that a value is none.
pub(super) fn message_row(row: &Row<'_>, from: usize) -> rusqlite::Result<MessageRow> {
    let mut read = Reader { row, damage: None };
    let id = read.value::<[u8; 10]>(from)?.unwrap_or_default();
    let arrived = read.value(from + 1)?.unwrap_or_default();
    let envelope = read.json(from + 2)?;
    let place = Place {
        segment: read.number(from + 3)?,
        start: read.number(from + 4)?,
        length: read.number(from + 5)?,
        body: read.number(from + 6)?,
        octets: read.number(from + 7)?,
        crc: read.value(from + 8)?.unwrap_or_default(),
    };
    Ok(MessageRow {
        id: MessageId::from_octets(id),
        arrived: Moment(arrived),
        envelope: envelope.unwrap_or_else(Envelope::unreadable),
        place,
        damage: read.damage,
    })
}

/// A job in a row, from column `from` on.
///
/// # Errors
/// What SQLite says, but not that a value is none.
pub(super) fn job_row(row: &Row<'_>, from: usize) -> rusqlite::Result<JobRow> {
    let mut read = Reader { row, damage: None };
    let job = row.get(from)?;
    let destination = read.value(from + 1)?.unwrap_or_default();
    let due = read.value(from + 2)?.unwrap_or_default();
    let held = read.value(from + 3)?.unwrap_or_default();
    let recipients = read.json(from + 4)?.unwrap_or_default();
    let standing = if row.get_ref(from + 5)? == ValueRef::Null {
        Standing::default()
    } else {
        read.json(from + 5)?.unwrap_or_default()
    };
    Ok(JobRow {
        job,
        destination,
        due,
        held,
        recipients,
        standing,
        damage: read.damage,
    })
}

/// Reads values, and keeps why the first of them could not be read.
struct Reader<'a, 'b> {
    row: &'a Row<'b>,
    damage: Option<String>,
}

impl Reader<'_, '_> {
    /// A value; nothing when it is none.
    fn value<T: FromSql>(&mut self, column: usize) -> rusqlite::Result<Option<T>> {
        match self.row.get(column) {
            Ok(value) => Ok(Some(value)),
            Err(
                error @ (Error::FromSqlConversionFailure(..)
                | Error::InvalidColumnType(..)
                | Error::IntegralValueOutOfRange(..)
                | Error::Utf8Error(..)),
            ) => {
                self.damaged(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn number(&mut self, column: usize) -> rusqlite::Result<u64> {
        Ok(number(self.value(column)?.unwrap_or_default()))
    }

    fn json<T: serde::de::DeserializeOwned>(
        &mut self,
        column: usize,
    ) -> rusqlite::Result<Option<T>> {
        let read = match self.row.get_ref(column)? {
            ValueRef::Text(text) => serde_json::from_slice(text).map_err(|error| error.to_string()),
            other => Err(format!("{} instead of text", other.data_type())),
        };
        Ok(read.map_err(|why| self.damaged(why)).ok())
    }

    fn damaged(&mut self, why: String) {
        self.damage.get_or_insert(why);
    }
}
