//! What an administrator asks, and the records, read beside the writer.

use super::index::{NTH_BITS, job_number, number};
use super::rows::{JOB_COLUMNS, JobRow, MESSAGE_COLUMNS, MessageRow, job_row, message_row};
use crate::admin::{DestinationStats, Filter, Stats};
use crate::job::Standing;
use crate::moment::Moment;
use crate::record::{Kind, Record, Tally};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Rows looked at in one piece.
const PIECE: usize = 2000;
/// Destinations in the statistics.
const DESTINATIONS: i64 = 20;

/// A part of all jobs that match a filter.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// Those that match.
    pub(super) jobs: Vec<(JobRow, MessageRow)>,
    /// The last job looked at, when there may be more.
    pub(super) next: Option<i64>,
}

/// Looks at the next jobs after the job `after`, at most 2,000 rows.
///
/// # Errors
/// What SQLite says.
pub(super) fn piece(sql: &Connection, filter: &Filter, after: i64) -> rusqlite::Result<Piece> {
    let mut conditions = String::new();
    let mut values = vec![Value::Integer(after), Value::Integer(PIECE as i64)];
    let mut bind = |value: Value| {
        values.push(value);
        values.len()
    };
    match filter.destination.as_deref() {
        Some(below) if below.starts_with('.') => {
            let text = bind(Value::Text(below.to_ascii_lowercase()));
            conditions.push_str(&format!(
                " AND substr(j.destination, -length(?{text})) = ?{text}"
            ));
        }
        Some(name) => {
            let text = bind(Value::Text(name.to_ascii_lowercase()));
            conditions.push_str(&format!(" AND j.destination = ?{text}"));
        }
        None => {}
    }
    match filter.held {
        Some(true) => conditions.push_str(" AND j.held IS NOT NULL"),
        Some(false) => conditions.push_str(" AND j.held IS NULL"),
        None => {}
    }
    if filter.reason.is_some() {
        conditions.push_str(" AND j.standing IS NOT NULL");
    }
    if !filter.messages.is_empty() {
        let mut known = sql.prepare_cached("SELECT num FROM message WHERE id = ?1")?;
        let mut nums = Vec::new();
        for id in &filter.messages {
            let num: Option<i64> = known
                .query_row([id.octets()], |row| row.get(0))
                .optional()?;
            if let Some(num) = num
                && job_number(num + 1, 0) - 1 > after
            {
                nums.push(num);
            }
        }
        nums.sort_unstable();
        nums.dedup();
        // A message at a time: each has its own stretch of job numbers.
        let Some(num) = nums.first().copied() else {
            return Ok(Piece::default());
        };
        let from = bind(Value::Integer(job_number(num, 0)));
        let to = bind(Value::Integer(job_number(num + 1, 0)));
        conditions.push_str(&format!(" AND j.job >= ?{from} AND j.job < ?{to}"));
        let mut piece = rows(sql, &conditions, &values, filter)?;
        if piece.next.is_none() && nums.len() > 1 {
            piece.next = Some(job_number(num + 1, 0) - 1);
        }
        return Ok(piece);
    }
    rows(sql, &conditions, &values, filter)
}

fn rows(
    sql: &Connection,
    conditions: &str,
    values: &[Value],
    filter: &Filter,
) -> rusqlite::Result<Piece> {
    let mut query = sql.prepare_cached(&format!(
        "SELECT {JOB_COLUMNS}, {MESSAGE_COLUMNS} FROM job j
         CROSS JOIN message m ON m.num = j.job >> {NTH_BITS}
         WHERE j.job > ?1{conditions} ORDER BY j.job LIMIT ?2"
    ))?;
    let mut rows = query.query(rusqlite::params_from_iter(values))?;
    let mut piece = Piece::default();
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        looked_at += 1;
        let job = job_row(row, 0)?;
        let message = message_row(row, 6)?;
        if looked_at == PIECE {
            piece.next = Some(job.job);
        }
        if matches(filter, &job, &message) {
            piece.jobs.push((job, message));
        }
    }
    Ok(piece)
}

/// What SQL has not decided.
fn matches(filter: &Filter, job: &JobRow, message: &MessageRow) -> bool {
    let sender = filter.sender.as_deref().is_none_or(|wanted| {
        let wanted = if wanted == "<>" { "" } else { wanted };
        message.damage.is_none() && address_is(&message.envelope.reverse_path, wanted)
    });
    let recipient = filter.recipient.as_deref().is_none_or(|wanted| {
        job.recipients
            .iter()
            .any(|recipient| address_is(&recipient.address, wanted))
    });
    let reason = filter.reason.as_deref().is_none_or(|wanted| {
        last_reply(&job.standing).is_some_and(|reply| {
            reply
                .to_ascii_lowercase()
                .contains(&wanted.to_ascii_lowercase())
        })
    });
    sender && recipient && reason
}

fn last_reply(standing: &Standing) -> Option<&str> {
    standing.last.as_ref().map(|last| last.reply.as_str())
}

/// Whether an address is the wanted one, or in the wanted domain.
fn address_is(address: &str, wanted: &str) -> bool {
    if wanted.starts_with('@') {
        let domain = address.rfind('@').and_then(|at| address.get(at..));
        return domain.is_some_and(|domain| domain.eq_ignore_ascii_case(wanted));
    }
    address.eq_ignore_ascii_case(wanted)
}

/// How full the queue is; leases are the caller's to count.
///
/// # Errors
/// What SQLite says.
pub(super) fn stats(sql: &Connection, now: Moment) -> rusqlite::Result<Stats> {
    let (messages, octets, oldest): (i64, i64, Option<i64>) = sql.query_row(
        "SELECT count(*), coalesce(sum(octets), 0), min(arrived) FROM message",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let (jobs, due, held): (i64, i64, i64) = sql.query_row(
        "SELECT count(*), coalesce(sum(due <= ?1 AND held IS NULL), 0),
                coalesce(sum(held IS NOT NULL), 0) FROM job",
        [now.0],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let mut query = sql.prepare_cached(
        "SELECT most.destination, most.jobs, m.arrived
         FROM (SELECT destination, sum(jobs) AS jobs, min(first) AS first FROM (
                 SELECT destination, count(*) AS jobs, min(job) AS first
                 FROM job INDEXED BY job_due WHERE held IS NULL GROUP BY destination
                 UNION ALL
                 SELECT destination, count(*), min(job)
                 FROM job INDEXED BY job_held WHERE held IS NOT NULL GROUP BY destination)
               GROUP BY destination ORDER BY jobs DESC, destination LIMIT ?1) AS most
         LEFT JOIN message m ON m.num = most.first >> 20
         ORDER BY most.jobs DESC, most.destination",
    )?;
    let destinations = query
        .query_map([DESTINATIONS], |row| {
            Ok(DestinationStats {
                destination: row.get(0)?,
                jobs: number(row.get(1)?),
                oldest: row.get::<_, Option<i64>>(2)?.map(Moment),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Stats {
        messages: number(messages),
        jobs: number(jobs),
        due: number(due),
        held: number(held),
        leased: 0,
        octets: number(octets),
        oldest: oldest.map(Moment),
        destinations,
    })
}

/// Records, as [`QueueStore::records`](crate::store::QueueStore::records) says.
///
/// # Errors
/// What SQLite says.
pub(super) fn records(
    sql: &Connection,
    kind: Kind,
    prefix: &str,
    after: Option<&str>,
    at_most: usize,
) -> rusqlite::Result<Vec<Record>> {
    sql.prepare_cached(
        "SELECT key, value FROM record WHERE kind = ?1 AND key >= ?2 AND (?3 IS NULL OR key > ?3)
         AND substr(key, 1, length(?2)) = ?2 ORDER BY key LIMIT ?4",
    )?
    .query_map(params![kind.word(), prefix, after, limit(at_most)], |row| {
        Ok(Record {
            key: row.get(0)?,
            value: row.get(1)?,
        })
    })?
    .collect()
}

/// Counts, as [`QueueStore::tallies`](crate::store::QueueStore::tallies) says.
///
/// # Errors
/// What SQLite says.
pub(super) fn tallies(
    sql: &Connection,
    kind: Kind,
    prefix: &str,
    after: Option<&str>,
    at_most: usize,
) -> rusqlite::Result<Vec<Tally>> {
    sql.prepare_cached(
        "SELECT key, count FROM tally WHERE kind = ?1 AND key >= ?2 AND (?3 IS NULL OR key > ?3)
         AND substr(key, 1, length(?2)) = ?2 ORDER BY key LIMIT ?4",
    )?
    .query_map(params![kind.word(), prefix, after, limit(at_most)], |row| {
        Ok(Tally {
            key: row.get(0)?,
            count: row.get(1)?,
        })
    })?
    .collect()
}

fn limit(at_most: usize) -> i64 {
    i64::try_from(at_most).unwrap_or(i64::MAX)
}
