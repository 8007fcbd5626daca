//! Which jobs are due, and who may work on them.

use super::link::{Link, Trouble, USUAL, Work};
use crate::complaint::unreadable;
use crate::error::StoreError;
use crate::id::{JobId, MessageId};
use crate::job::{Claim, DueDestination, Lease, Leased, Settled};
use crate::message::MessageHead;
use crate::moment::Moment;
use deadpool_postgres::Object;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Row;

/// No lease is longer, and one that seems to be was given before the server's clock was set back.
const LONGEST_LEASE: Duration = Duration::from_secs(86_400);

/// The condition that nobody has a job on lease.
macro_rules! free {
    () => {
        "(lease_until IS NULL OR lease_until <= statement_timestamp()
            OR lease_until > statement_timestamp() + interval '1 day 1 minute')"
    };
}
pub(super) use free;

/// Due jobs that are looked through at most before destinations are taken one by one.
const FEW: i64 = 2000;

/// Everything that is due, as long as that is little: the usual case, whatever else waits for later.
const DUE_FEW: &str = concat!(
    "SELECT destination, due, ",
    free!(),
    " FROM job WHERE held IS NULL AND due <= $1 ORDER BY due LIMIT $2"
);

/// Destinations one after the other, however many jobs each has: each step is one look into the index
/// for the next name and one for its first free job.
const DUE_MANY: &str = concat!(
    "WITH RECURSIVE step AS (
        (SELECT destination FROM job WHERE held IS NULL AND destination > $2
            ORDER BY destination LIMIT 1)
        UNION ALL
        SELECT (SELECT destination FROM job WHERE held IS NULL AND destination > step.destination
            ORDER BY destination LIMIT 1)
        FROM step WHERE step.destination IS NOT NULL
    )
    SELECT step.destination, first.due FROM step CROSS JOIN LATERAL (
        SELECT due FROM job WHERE held IS NULL AND destination = step.destination AND due <= $1
            AND ",
    free!(),
    " ORDER BY due LIMIT 1) AS first
    WHERE step.destination IS NOT NULL LIMIT $3"
);

/// Destinations that have something to do.
pub(super) async fn waiting(
    link: &Link,
    now: Moment,
    after: Option<String>,
    at_most: usize,
) -> Result<Vec<DueDestination>, StoreError> {
    // No destination is empty, so every one comes after the empty text.
    let after = after.unwrap_or_default().replace('\0', "");
    link.run(USUAL, move |client| {
        look(client, now, after.clone(), at_most)
    })
    .await
}

fn look(
    client: &mut Object,
    now: Moment,
    after: String,
    at_most: usize,
) -> Work<'_, Vec<DueDestination>> {
    Box::pin(async move {
        let statement = client.prepare_cached(DUE_FEW).await?;
        let rows = client.query(&statement, &[&now.0, &(FEW + 1)]).await?;
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) <= FEW {
            let mut first = BTreeMap::new();
            for row in &rows {
                let (destination, due): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
                if row.try_get(2)? && destination > after {
                    first.entry(destination).or_insert(due);
                }
            }
            let all = first.into_iter().map(|(destination, due)| DueDestination {
                destination,
                since: Moment(due),
            });
            return Ok(all.take(at_most).collect());
        }
        let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
        let statement = client.prepare_cached(DUE_MANY).await?;
        let rows = client.query(&statement, &[&now.0, &after, &limit]).await?;
        rows.iter()
            .map(|row| {
                Ok(DueDestination {
                    destination: row.try_get(0)?,
                    since: Moment(row.try_get(1)?),
                })
            })
            .collect()
    })
}

/// One durable statement for all destinations: jobs that another is just taking are passed over. The
/// picked ones are an array, so that the plan is one of few rows whatever the statistics say.
const CLAIM: &str = concat!(
    "WITH leased AS (
        UPDATE job SET epoch = epoch + 1,
            lease_until = statement_timestamp() + $4::bigint * interval '1 millisecond'
        WHERE id = ANY (ARRAY(
            SELECT picked.id FROM unnest($1::text[], $2::bigint[]) AS wanted (name, most)
            CROSS JOIN LATERAL (
                SELECT id FROM job WHERE destination = wanted.name AND held IS NULL AND due <= $3
                    AND ",
    free!(),
    " ORDER BY due, id LIMIT wanted.most FOR UPDATE SKIP LOCKED) AS picked))
        RETURNING id, epoch, due, destination, message, recipients, standing
    )
    SELECT leased.id, leased.epoch, leased.destination, leased.recipients, leased.standing,
        message.id, message.arrived, message.octets, message.envelope
    FROM leased JOIN message ON message.id = leased.message
    ORDER BY leased.destination, leased.due, leased.id"
);

/// Leases jobs.
pub(super) async fn claim(link: &Link, claim: Claim) -> Result<Vec<Leased>, StoreError> {
    let wanted: Vec<(String, i64)> = claim
        .from
        .iter()
        .filter(|(name, most)| *most > 0 && !name.contains('\0'))
        .map(|(name, most)| (name.clone(), i64::try_from(*most).unwrap_or(i64::MAX)))
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = Arc::new(wanted);
    let (now, lease_for) = (claim.now, millis(claim.lease_for));
    let (leased, damaged) = link
        .run(USUAL, move |client| {
            take(client, Arc::clone(&wanted), now, lease_for)
        })
        .await?;
    for Damaged {
        lease,
        destination,
        why,
    } in damaged
    {
        link.complaints.held(lease.job.0, &destination, &why);
    }
    Ok(leased)
}

/// A job that was leased and cannot be read.
#[derive(Debug)]
struct Damaged {
    lease: Lease,
    destination: String,
    /// Why it is held.
    why: String,
}

fn take(
    client: &mut Object,
    wanted: Arc<Vec<(String, i64)>>,
    now: Moment,
    lease_for: i64,
) -> Work<'_, (Vec<Leased>, Vec<Damaged>)> {
    Box::pin(async move {
        let names: Vec<&str> = wanted.iter().map(|(name, _)| &**name).collect();
        let most: Vec<i64> = wanted.iter().map(|(_, most)| *most).collect();
        let statement = client.prepare_cached(CLAIM).await?;
        let rows = client
            .query(&statement, &[&names, &most, &now.0, &lease_for])
            .await?;
        let mut all = Vec::with_capacity(rows.len());
        let mut damaged = Vec::new();
        for row in &rows {
            match leased(row) {
                Ok(job) => all.push(job),
                Err(Trouble::Store(StoreError::Damaged(why))) => damaged.push(Damaged {
                    lease: lease(row)?,
                    destination: row.try_get(2)?,
                    why: unreadable(&why),
                }),
                Err(trouble) => return Err(trouble),
            }
        }
        hold(client, &damaged).await?;
        Ok((all, damaged))
    })
}

/// Holds jobs that cannot be read: one of them must not keep the others from being claimed.
async fn hold(client: &Object, damaged: &[Damaged]) -> Result<(), Trouble> {
    const SQL: &str = "UPDATE job SET held = damaged.why, lease_until = NULL
        FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS damaged (id, epoch, why)
        WHERE job.id = damaged.id AND job.epoch = damaged.epoch";
    if damaged.is_empty() {
        return Ok(());
    }
    let leases: Vec<Lease> = damaged.iter().map(|job| job.lease).collect();
    let (ids, epochs) = columns(&leases);
    let whys: Vec<&str> = damaged.iter().map(|job| job.why.as_str()).collect();
    client.execute(SQL, &[&ids, &epochs, &whys]).await?;
    Ok(())
}

fn lease(row: &Row) -> Result<Lease, Trouble> {
    Ok(Lease {
        job: JobId(row.try_get(0)?),
        epoch: row.try_get(1)?,
    })
}

fn leased(row: &Row) -> Result<Leased, Trouble> {
    Ok(Leased {
        lease: lease(row)?,
        destination: row.try_get(2)?,
        recipients: parsed(row.try_get(3)?)?,
        standing: parsed(row.try_get(4)?)?,
        message: Arc::new(head(row, 5)?),
    })
}

/// What stands in four columns from the one numbered `first`.
pub(super) fn head(row: &Row, first: usize) -> Result<MessageHead, Trouble> {
    Ok(MessageHead {
        id: message_id(row.try_get(first)?)?,
        arrived: Moment(row.try_get(first + 1)?),
        octets: u64::try_from(row.try_get::<_, i64>(first + 2)?).unwrap_or(0),
        envelope: parsed(row.try_get(first + 3)?)?,
    })
}

/// The name of a message in its column.
pub(super) fn message_id(octets: &[u8]) -> Result<MessageId, StoreError> {
    let octets = <[u8; 10]>::try_from(octets)
        .map_err(|_| StoreError::Damaged("the name of a message has no ten octets".to_owned()))?;
    Ok(MessageId::from_octets(octets))
}

/// What a column of JSON says.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn millis(lease_for: Duration) -> i64 {
    i64::try_from(lease_for.min(LONGEST_LEASE).as_millis()).unwrap_or(0)
}

/// Leases as two columns.
fn columns(leases: &[Lease]) -> (Vec<i64>, Vec<i64>) {
    leases
        .iter()
        .map(|lease| (lease.job.0, lease.epoch))
        .unzip()
}

/// The condition that a lease, one of those in the columns, is the last one of its job and not given up.
macro_rules! held_lease {
    () => {
        "id = ANY ($1) AND lease_until IS NOT NULL
            AND (id, epoch) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))"
    };
}

/// Prolongs leases. One that has ended, but was given to nobody since, begins anew.
pub(super) async fn renew(
    link: &Link,
    leases: Vec<Lease>,
    lease_for: Duration,
) -> Result<Vec<Settled>, StoreError> {
    const SQL: &str = concat!(
        "UPDATE job SET lease_until = statement_timestamp() + $3::bigint * interval '1 millisecond'
        WHERE ",
        held_lease!(),
        " RETURNING id, epoch"
    );
    let columns = Arc::new(columns(&leases));
    let lease_for = millis(lease_for);
    let held = link
        .run(USUAL, move |client| {
            let columns = Arc::clone(&columns);
            let client: &Object = client;
            Box::pin(async move {
                let statement = client.prepare_cached(SQL).await?;
                let rows = client
                    .query(&statement, &[&columns.0, &columns.1, &lease_for])
                    .await?;
                let mut held = BTreeSet::new();
                for row in &rows {
                    held.insert(Lease {
                        job: JobId(row.try_get(0)?),
                        epoch: row.try_get(1)?,
                    });
                }
                Ok(held)
            })
        })
        .await?;
    let answers = leases.iter().map(|lease| {
        if held.contains(lease) {
            Settled::Done
        } else {
            Settled::Lost
        }
    });
    Ok(answers.collect())
}

/// Ends leases.
pub(super) async fn hand_back(link: &Link, leases: Vec<Lease>) -> Result<(), StoreError> {
    const SQL: &str = concat!("UPDATE job SET lease_until = NULL WHERE ", held_lease!());
    let columns = Arc::new(columns(&leases));
    link.run(USUAL, move |client| {
        let columns = Arc::clone(&columns);
        let client: &Object = client;
        Box::pin(async move {
            let statement = client.prepare_cached(SQL).await?;
            client
                .execute(&statement, &[&columns.0, &columns.1])
                .await?;
            Ok(())
        })
    })
    .await
}

/// When the first free job is due.
pub(super) async fn next_due(link: &Link) -> Result<Option<Moment>, StoreError> {
    const SQL: &str = concat!(
        "SELECT due FROM job WHERE held IS NULL AND ",
        free!(),
        " ORDER BY due LIMIT 1"
    );
    link.run(USUAL, |client| {
        let client: &Object = client;
        Box::pin(async move {
            let statement = client.prepare_cached(SQL).await?;
            match client.query_opt(&statement, &[]).await? {
                None => Ok(None),
                Some(row) => Ok(Some(Moment(row.try_get(0)?))),
            }
        })
    })
    .await
}

/// Lets nothing be due later, some thousand jobs at a time.
pub(super) async fn bring_forward(link: &Link, latest: Moment) -> Result<u64, StoreError> {
    const SQL: &str = "UPDATE job SET due = $1 WHERE id = ANY (ARRAY(
        SELECT id FROM job WHERE due > $1 ORDER BY id LIMIT 20000 FOR UPDATE))";
    let mut all = 0_u64;
    loop {
        match link
            .run(USUAL, move |client| {
                let client: &Object = client;
                Box::pin(async move { Ok(client.execute(SQL, &[&latest.0]).await?) })
            })
            .await?
        {
            0 => return Ok(all),
            changed => all = all.saturating_add(changed),
        }
    }
}
