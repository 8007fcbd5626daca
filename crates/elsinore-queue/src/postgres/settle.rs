//! What became of jobs: one transaction for a batch, each settlement under its lease or not at all.

mod unclear;

pub(super) use unclear::Unclear;

use super::link::{Link, Trouble, USUAL, Work};
use super::wake::Bell;
use super::write::{Rows, addresses, insert_all, json, plain};
use crate::error::StoreError;
use crate::job::{Lease, Rest, Settled, Settlement};
use crate::message::Recipient;
use deadpool_postgres::{Object, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use unclear::Commit;

/// A settlement in the form of its rows.
#[derive(Debug)]
struct Closing {
    lease: Lease,
    rest: Option<RestRow>,
    notices: Vec<Rows>,
}

#[derive(Debug)]
struct RestRow {
    due: i64,
    held: Option<String>,
    recipients: String,
    addresses: String,
    standing: String,
    reply: String,
}

impl RestRow {
    fn of(rest: &Rest) -> Result<Self, StoreError> {
        let recipients: &[Recipient] = &rest.recipients;
        let reply = rest.standing.last.as_ref().map(|last| plain(&last.reply));
        Ok(Self {
            due: rest.due.0,
            held: rest.held.as_deref().map(plain),
            recipients: json(&recipients)?,
            addresses: addresses(recipients),
            standing: json(&rest.standing)?,
            reply: reply.unwrap_or_default(),
        })
    }
}

/// Settles a batch.
pub(super) async fn settle(
    link: &Link,
    bell: &Bell,
    unclear: &Unclear,
    settlements: Vec<Settlement>,
) -> Result<Vec<Settled>, StoreError> {
    let mut all = Vec::with_capacity(settlements.len());
    let mut within = USUAL;
    let mut notices = false;
    for settlement in settlements {
        let mut closing = Closing {
            lease: settlement.lease,
            rest: settlement.rest.as_ref().map(RestRow::of).transpose()?,
            notices: Vec::with_capacity(settlement.notices.len()),
        };
        for notice in settlement.notices {
            let rows = Rows::of(notice).await?;
            within = within.max(rows.time().saturating_add(Duration::from_secs(5)));
            closing.notices.push(rows);
            notices = true;
        }
        all.push(closing);
    }
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let all = Arc::new(all);
    let commit = Commit::default();
    let written = {
        let (all, commit) = (Arc::clone(&all), commit.clone());
        link.run(within, move |client| {
            write(client, Arc::clone(&all), commit.clone())
        })
        .await
    };
    let answers = match written {
        Ok(answers) => answers,
        Err(error) => {
            if let (StoreError::Unavailable(_), Some((transaction, answers))) =
                (&error, commit.take())
            {
                let leases = all.iter().map(|closing| closing.lease);
                unclear.keep(transaction, leases.zip(answers));
            }
            return Err(error);
        }
    };
    if notices {
        bell.ring();
    }
    Ok(answers)
}

fn write(client: &mut Object, all: Arc<Vec<Closing>>, commit: Commit) -> Work<'_, Vec<Settled>> {
    Box::pin(async move {
        commit.take();
        let transaction = client.transaction().await?;
        if all.iter().all(|closing| closing.notices.is_empty()) {
            // What a crash of the server undoes is done again when the lease ends: a duplicate, as
            // RFC 5321 §6.1 allows. A lease is never undone: claims are durable.
            transaction
                .batch_execute("SET LOCAL synchronous_commit = off")
                .await?;
        }
        let mut held = held(&transaction, &all).await?;
        let mut answers = Vec::with_capacity(all.len());
        let mut done = Removal::default();
        let mut rests = Vec::new();
        let mut notices = Vec::new();
        for closing in all.iter() {
            let Some(job) = held.remove(&closing.lease) else {
                answers.push(Settled::Lost);
                continue;
            };
            answers.push(Settled::Done);
            notices.extend(&closing.notices);
            match &closing.rest {
                Some(rest) => rests.push((closing.lease.job.0, rest)),
                None => done.add(closing.lease.job.0, job),
            }
        }
        // Notices first: one that has the name of a message which is just closed is refused.
        if !notices.is_empty() {
            insert_all(&transaction, &notices).await?;
        }
        done.carry_out(&transaction).await?;
        put_back(&transaction, &rests).await?;
        let number = transaction
            .query_one("SELECT txid_current_if_assigned()", &[])
            .await?;
        // Nothing was written without a number.
        if let Some(number) = number.try_get::<_, Option<i64>>(0)? {
            commit.is_asked_for(number, answers.clone());
        }
        transaction.commit().await?;
        Ok(answers)
    })
}

/// A job that is to go: its message, and how many jobs that began with.
#[derive(Debug)]
pub(super) struct Going {
    pub(super) message: Vec<u8>,
    pub(super) jobs: i32,
}

/// The leases of a batch that are held, their jobs locked in the order of their numbers: two that
/// settle the same jobs do not wait for each other in a circle.
async fn held(
    transaction: &Transaction<'_>,
    all: &[Closing],
) -> Result<BTreeMap<Lease, Going>, Trouble> {
    const SQL: &str = "SELECT job.id, job.epoch, job.message, message.jobs
        FROM job JOIN message ON message.id = job.message
        WHERE job.id = ANY ($1) AND job.lease_until IS NOT NULL
        ORDER BY job.id FOR UPDATE OF job";
    let ids: Vec<i64> = all.iter().map(|closing| closing.lease.job.0).collect();
    let statement = transaction.prepare_cached(SQL).await?;
    let mut held = BTreeMap::new();
    for row in transaction.query(&statement, &[&ids]).await? {
        let lease = Lease {
            job: crate::id::JobId(row.try_get(0)?),
            epoch: row.try_get(1)?,
        };
        let going = Going {
            message: row.try_get(2)?,
            jobs: row.try_get(3)?,
        };
        held.insert(lease, going);
    }
    Ok(held)
}

/// Jobs that go, and with the last job of a message the message.
#[derive(Debug, Default)]
pub(super) struct Removal {
    jobs: Vec<i64>,
    /// Messages that never had another job.
    alone: Vec<Vec<u8>>,
    /// Messages that may have others.
    shared: Vec<Vec<u8>>,
}

impl Removal {
    pub(super) fn add(&mut self, job: i64, going: Going) {
        self.jobs.push(job);
        if going.jobs == 1 {
            self.alone.push(going.message);
        } else {
            self.shared.push(going.message);
        }
    }

    /// Removes them. The caller has locked the jobs.
    pub(super) async fn carry_out(mut self, transaction: &Transaction<'_>) -> Result<(), Trouble> {
        const ALONE: &str = "WITH jobs AS (DELETE FROM job WHERE id = ANY ($1)),
            messages AS (DELETE FROM message WHERE id = ANY ($2))
            DELETE FROM body WHERE message = ANY ($2)";
        // Locked first and looked at in a second statement: of two that remove the last two jobs of a
        // message at the same time, the later one sees what the earlier one did.
        const LOCK: &str = "SELECT FROM message WHERE id = ANY ($1) ORDER BY id FOR UPDATE";
        const SHARED: &str = "WITH gone AS (DELETE FROM message WHERE id = ANY ($1)
                AND NOT EXISTS (SELECT FROM job WHERE job.message = message.id) RETURNING id)
            DELETE FROM body WHERE message = ANY (ARRAY(SELECT id FROM gone))";
        if self.jobs.is_empty() {
            return Ok(());
        }
        let statement = transaction.prepare_cached(ALONE).await?;
        transaction
            .execute(&statement, &[&self.jobs, &self.alone])
            .await?;
        if self.shared.is_empty() {
            return Ok(());
        }
        self.shared.sort();
        self.shared.dedup();
        let statement = transaction.prepare_cached(LOCK).await?;
        transaction.execute(&statement, &[&self.shared]).await?;
        let statement = transaction.prepare_cached(SHARED).await?;
        transaction.execute(&statement, &[&self.shared]).await?;
        Ok(())
    }
}

/// Jobs that are to be tried again. What the administrator held meanwhile stays held.
async fn put_back(transaction: &Transaction<'_>, rests: &[(i64, &RestRow)]) -> Result<(), Trouble> {
    const SQL: &str = "UPDATE job SET due = rest.due, held = coalesce(rest.held, job.held),
            recipients = rest.recipients, addresses = rest.addresses, standing = rest.standing,
            reply = rest.reply, lease_until = NULL
        FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
            $7::text[]) AS rest (id, due, held, recipients, addresses, standing, reply)
        WHERE job.id = ANY ($1) AND job.id = rest.id";
    if rests.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = rests.iter().map(|(id, _)| *id).collect();
    let dues: Vec<i64> = rests.iter().map(|(_, rest)| rest.due).collect();
    let helds: Vec<Option<&str>> = rests.iter().map(|(_, rest)| rest.held.as_deref()).collect();
    let column = |of: fn(&RestRow) -> &String| -> Vec<&str> {
        rests.iter().map(|(_, rest)| of(rest).as_str()).collect()
    };
    let recipients = column(|rest| &rest.recipients);
    let addresses = column(|rest| &rest.addresses);
    let standings = column(|rest| &rest.standing);
    let replies = column(|rest| &rest.reply);
    let statement = transaction.prepare_cached(SQL).await?;
    transaction
        .execute(
            &statement,
            &[
                &ids,
                &dues,
                &helds,
                &recipients,
                &addresses,
                &standings,
                &replies,
            ],
        )
        .await?;
    Ok(())
}
