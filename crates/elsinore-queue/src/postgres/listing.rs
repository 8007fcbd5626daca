//! What an administrator sees and does.

use super::lease::{free, head, message_id, parsed};
use super::link::{Link, Trouble, USUAL, Work};
use super::settle::{Going, Removal};
use super::write::plain;
use crate::admin::{Deed, DestinationStats, Filter, JobView, Page, Stats};
use crate::complaint::unreadable;
use crate::error::StoreError;
use crate::id::{JobId, MessageId};
use crate::message::{Envelope, MessageHead};
use crate::moment::Moment;
use deadpool_postgres::Object;
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Jobs that are changed in one transaction at most, so that none takes long.
const CHUNK: i64 = 5000;
/// Destinations in the statistics.
const DESTINATIONS: i64 = 20;

/// The condition that a filter makes: `$1` to `$9`.
const MATCHES: &str = "($1::bytea[] IS NULL OR job.message = ANY ($1))
    AND ($2::text IS NULL OR job.destination = $2)
    AND ($3::text IS NULL OR (right(job.destination, length($3)) = $3
        AND length(job.destination) > length($3)))
    AND ($4::text IS NULL OR lower(message.reverse_path) = $4)
    AND ($5::text IS NULL OR right(lower(message.reverse_path), length($5)) = $5)
    AND ($6::text IS NULL OR strpos(lower(job.addresses), $6) > 0)
    AND ($7::text IS NULL OR strpos(lower(job.reply), $7) > 0)
    AND ($8::boolean IS NULL OR (job.held IS NOT NULL) = $8)
    AND ($9::bigint IS NULL OR job.id > $9)";

/// A filter in the form of `$1` to `$8`.
#[derive(Debug)]
struct Condition {
    messages: Option<Vec<Vec<u8>>>,
    destination: Option<String>,
    below: Option<String>,
    sender: Option<String>,
    sender_domain: Option<String>,
    recipient: Option<String>,
    reason: Option<String>,
    held: Option<bool>,
}

impl Condition {
    fn of(filter: &Filter) -> Self {
        let text = |text: &Option<String>| text.as_deref().map(|text| plain(text).to_lowercase());
        let (below, destination) = split(text(&filter.destination), '.');
        let (sender_domain, sender) = split(text(&filter.sender), '@');
        let messages = filter.messages.iter().map(|id| id.octets().to_vec());
        Self {
            messages: (!filter.messages.is_empty()).then(|| messages.collect()),
            destination,
            below,
            sender: sender.map(|path| if path == "<>" { String::new() } else { path }),
            sender_domain,
            // Addresses stand between line feeds.
            recipient: text(&filter.recipient).map(|address| match address.strip_prefix('@') {
                Some(_) => format!("{address}\n"),
                None => format!("\n{address}\n"),
            }),
            reason: text(&filter.reason),
            held: filter.held,
        }
    }

    fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![
            &self.messages,
            &self.destination,
            &self.below,
            &self.sender,
            &self.sender_domain,
            &self.recipient,
            &self.reason,
            &self.held,
        ]
    }
}

/// A text that begins with `mark`, or one that does not.
fn split(text: Option<String>, mark: char) -> (Option<String>, Option<String>) {
    match text {
        Some(text) if text.starts_with(mark) => (Some(text), None),
        other => (None, other),
    }
}

/// A page of the listing.
pub(super) async fn list(
    link: &Link,
    filter: Filter,
    after: Option<JobId>,
    at_most: usize,
) -> Result<Page, StoreError> {
    let condition = Arc::new(Condition::of(&filter));
    link.run(USUAL, move |client| {
        page(client, Arc::clone(&condition), after, at_most)
    })
    .await
}

fn page(
    client: &mut Object,
    condition: Arc<Condition>,
    after: Option<JobId>,
    at_most: usize,
) -> Work<'_, Page> {
    Box::pin(async move {
        let sql = format!(
            "SELECT job.id, job.destination, job.recipients, job.due, job.standing, job.held,
                NOT {}, message.id, message.arrived, message.octets, message.envelope
            FROM job JOIN message ON message.id = job.message
            WHERE {MATCHES} ORDER BY job.id LIMIT $10",
            free!()
        );
        let after = after.map(|job| job.0);
        // One more than is shown, to know whether there is another page.
        let limit = i64::try_from(at_most).unwrap_or(i64::MAX - 1) + 1;
        let mut parameters = condition.parameters();
        parameters.push(&after);
        parameters.push(&limit);
        let rows = client.query(&sql, &parameters).await?;
        let jobs = rows.iter().take(at_most).map(view);
        let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
        let last = jobs.last().map(|view| view.job);
        Ok(Page {
            next: if rows.len() > at_most { last } else { None },
            jobs,
        })
    })
}

fn view(row: &Row) -> Result<JobView, Trouble> {
    // What cannot be read is left empty and shown as held, as it will be when it is due.
    let mut damage = None;
    let recipients = or_damage(parsed(row.try_get(2)?), &mut damage)?;
    let standing = or_damage(parsed(row.try_get(4)?), &mut damage)?;
    let message = match head(row, 7) {
        Err(Trouble::Store(StoreError::Damaged(why))) => {
            damage.get_or_insert(why);
            MessageHead {
                id: message_id(row.try_get(7)?).unwrap_or_else(|_| MessageId::from_octets([0; 10])),
                arrived: Moment(row.try_get(8)?),
                octets: 0,
                envelope: Envelope::unreadable(),
            }
        }
        head => head?,
    };
    Ok(JobView {
        job: JobId(row.try_get(0)?),
        destination: row.try_get(1)?,
        recipients: recipients.unwrap_or_default(),
        due: Moment(row.try_get(3)?),
        standing: standing.unwrap_or_default(),
        held: row
            .try_get::<_, Option<String>>(5)?
            .or_else(|| damage.as_deref().map(unreadable)),
        leased: row.try_get(6)?,
        message,
    })
}

/// What was read; nothing, and why, when it is damaged.
fn or_damage<T>(
    read: Result<T, StoreError>,
    damage: &mut Option<String>,
) -> Result<Option<T>, StoreError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Damaged(why)) => {
            damage.get_or_insert(why);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Does something to all that match, some thousand jobs at a time.
pub(super) async fn change(link: &Link, filter: Filter, deed: Deed) -> Result<u64, StoreError> {
    let condition = Arc::new(Condition::of(&filter));
    let deed = Arc::new(deed);
    let mut after = None;
    let mut all = 0_u64;
    loop {
        let (condition, deed) = (Arc::clone(&condition), Arc::clone(&deed));

        let (changed, last) = link
            .run(USUAL, move |client| {
                change_some(client, Arc::clone(&condition), Arc::clone(&deed), after)
            })
            .await?;
        all = all.saturating_add(changed);
        if last.is_none() {
            return Ok(all);
        }
        after = last;
    }
}

/// Changes those that come first after a number; the answer is how many, and the last number.
fn change_some(
    client: &mut Object,
    condition: Arc<Condition>,
    deed: Arc<Deed>,
    after: Option<i64>,
) -> Work<'_, (u64, Option<i64>)> {
    Box::pin(async move {
        let transaction = client.transaction().await?;
        let sql = format!(
            "SELECT job.id, job.message, message.jobs
            FROM job JOIN message ON message.id = job.message
            WHERE {MATCHES} ORDER BY job.id LIMIT {CHUNK} FOR UPDATE OF job"
        );
        let mut parameters = condition.parameters();
        parameters.push(&after);
        let rows = transaction.query(&sql, &parameters).await?;
        let mut ids: Vec<i64> = Vec::with_capacity(rows.len());
        let mut removal = Removal::default();
        for row in &rows {
            let going = Going {
                message: row.try_get(1)?,
                jobs: row.try_get(2)?,
            };
            ids.push(row.try_get(0)?);
            removal.add(row.try_get(0)?, going);
        }
        match &*deed {
            Deed::Retry(now) => {
                let sql = "UPDATE job SET due = $2, held = NULL WHERE id = ANY ($1)";
                transaction.execute(sql, &[&ids, &now.0]).await?;
            }
            Deed::Hold(why) => {
                let sql = "UPDATE job SET held = $2 WHERE id = ANY ($1)";
                transaction.execute(sql, &[&ids, &plain(why)]).await?;
            }
            Deed::Release => {
                let sql = "UPDATE job SET held = NULL WHERE id = ANY ($1)";
                transaction.execute(sql, &[&ids]).await?;
            }
            Deed::Remove => removal.carry_out(&transaction).await?,
        }
        transaction.commit().await?;
        Ok((
            u64::try_from(ids.len()).unwrap_or(u64::MAX),
            ids.last().copied(),
        ))
    })
}

/// How full the queue is. Three looks at one moment.
pub(super) async fn stats(link: &Link, now: Moment) -> Result<Stats, StoreError> {
    link.run(USUAL, move |client| count(client, now)).await
}

fn count(client: &mut Object, now: Moment) -> Work<'_, Stats> {
    const MESSAGES: &str =
        "SELECT count(*), coalesce(sum(octets), 0)::bigint, min(arrived) FROM message";
    const JOBS: &str = concat!(
        "SELECT count(*), count(*) FILTER (WHERE due <= $1 AND held IS NULL),
            count(*) FILTER (WHERE held IS NOT NULL), count(*) FILTER (WHERE NOT ",
        free!(),
        ") FROM job"
    );
    const BY_DESTINATION: &str = "SELECT destination, count(*), min(arrived) FROM job
        GROUP BY destination ORDER BY count(*) DESC, destination LIMIT $1";
    Box::pin(async move {
        let transaction = client
            .build_transaction()
            .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        let number = |row: &Row, column: usize| -> Result<u64, Trouble> {
            Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0))
        };
        let messages = transaction.query_one(MESSAGES, &[]).await?;
        let jobs = transaction.query_one(JOBS, &[&now.0]).await?;
        let mut destinations = Vec::new();
        for row in transaction.query(BY_DESTINATION, &[&DESTINATIONS]).await? {
            destinations.push(DestinationStats {
                destination: row.try_get(0)?,
                jobs: number(&row, 1)?,
                oldest: row.try_get::<_, Option<i64>>(2)?.map(Moment),
            });
        }
        transaction.commit().await?;
        Ok(Stats {
            messages: number(&messages, 0)?,
            octets: number(&messages, 1)?,
            oldest: messages.try_get::<_, Option<i64>>(2)?.map(Moment),
            jobs: number(&jobs, 0)?,
            due: number(&jobs, 1)?,
            held: number(&jobs, 2)?,
            leased: number(&jobs, 3)?,
            destinations,
        })
    })
}
