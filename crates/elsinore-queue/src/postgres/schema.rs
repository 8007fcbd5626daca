//! The tables, and how older ones become these.

use super::link::{Link, USUAL, Work};
use crate::error::StoreError;
use deadpool_postgres::Object;

/// The steps from nothing to the newest version, which is their number. Each is written once and never
/// changed again. `{schema}` is the schema; the search path is set to it.
const STEPS: &[&str] = &[
    // 1. Names of messages are their ten octets, times are milliseconds. Text that a stranger wrote is
    // JSON, or in a column of its own where the administrator filters by it. Octets that are text and
    // compressed seldom: stored outside the row, as they are.
    r#"
    CREATE TABLE message (
        id bytea PRIMARY KEY,
        arrived bigint NOT NULL,
        octets bigint NOT NULL,
        crc bigint NOT NULL,
        jobs integer NOT NULL,
        envelope text NOT NULL,
        reverse_path text NOT NULL
    );
    CREATE TABLE body (
        message bytea NOT NULL,
        part integer NOT NULL,
        octets bytea NOT NULL,
        PRIMARY KEY (message, part)
    );
    ALTER TABLE body ALTER COLUMN octets SET STORAGE EXTERNAL;
    CREATE TABLE job (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        message bytea NOT NULL,
        arrived bigint NOT NULL,
        destination text COLLATE "C" NOT NULL,
        due bigint NOT NULL,
        held text,
        epoch bigint NOT NULL DEFAULT 0,
        lease_until timestamptz,
        recipients text NOT NULL,
        addresses text NOT NULL,
        standing text NOT NULL,
        reply text NOT NULL DEFAULT ''
    ) WITH (fillfactor = 70);
    CREATE INDEX job_message ON job (message);
    CREATE INDEX job_destination_due ON job (destination, due, id) WHERE held IS NULL;
    CREATE INDEX job_due ON job (due) WHERE held IS NULL;
    CREATE TABLE record (
        kind text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        value bytea NOT NULL,
        PRIMARY KEY (kind, key)
    );
    CREATE TABLE tally (
        kind text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        count bigint NOT NULL,
        PRIMARY KEY (kind, key)
    ) WITH (fillfactor = 70);
    ALTER TABLE job SET (autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0.05);
    ALTER TABLE message SET (autovacuum_vacuum_scale_factor = 0.05,
        autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
    ALTER TABLE body SET (autovacuum_vacuum_scale_factor = 0.05,
        autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
        toast.autovacuum_vacuum_scale_factor = 0.05,
        toast.autovacuum_vacuum_threshold = 2000, toast.autovacuum_vacuum_cost_delay = 0);
    ALTER TABLE tally SET (autovacuum_vacuum_scale_factor = 0.05,
        autovacuum_vacuum_threshold = 1000);
    "#,
];

/// Makes the tables, or brings them to the newest version. Relays that start at once wait for each
/// other.
pub(super) async fn prepare(link: &Link, schema: &str) -> Result<(), StoreError> {
    let schema = schema.to_owned();
    link.run(USUAL, move |client| migrate(client, schema.clone()))
        .await
}

fn migrate(client: &mut Object, schema: String) -> Work<'_, ()> {
    Box::pin(async move {
        let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
        let transaction = client.transaction().await?;
        transaction
            .execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('elsinore ' || $1, 0))",
                &[&schema],
            )
            .await?;
        let there = transaction
            .query_one(
                "SELECT to_regclass($1) IS NOT NULL",
                &[&format!("{schema}.version")],
            )
            .await?
            .try_get::<_, bool>(0)?;
        let found = if there {
            let row = transaction
                .query_one("SELECT number FROM version", &[])
                .await?;
            row.try_get(0)?
        } else {
            transaction
                .batch_execute(&format!(
                    "CREATE SCHEMA IF NOT EXISTS {schema};
                     CREATE TABLE {schema}.version (number bigint NOT NULL);
                     INSERT INTO {schema}.version VALUES (0);"
                ))
                .await?;
            0_i64
        };
        if found > known {
            return Err(StoreError::Newer { found, known }.into());
        }
        for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
            transaction.batch_execute(step).await?;
        }
        if found < known {
            transaction
                .execute("UPDATE version SET number = $1", &[&known])
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    })
}
