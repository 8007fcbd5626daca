//! Connections to the server: how they are made, how long anything may take, and what errors mean.

use super::PostgresSettings;
use crate::complaint::Complaints;
use crate::error::StoreError;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use futures_util::future::BoxFuture;
use openssl::ssl::{SslConnector, SslMethod, SslVersion};
use postgres_openssl::MakeTlsConnector;
use std::error::Error as _;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;

/// Waiting for a connection, new or from the pool.
const CONNECTING: Duration = Duration::from_secs(10);
/// Waiting for the answer to one piece of work of usual size. Above the server's own bound of a
/// statement, so that its reason is heard first.
pub(super) const USUAL: Duration = Duration::from_secs(45);
/// What the server is told about time: a statement, a wait for a lock, and a transaction whose client
/// has fallen silent, which would keep rows from everybody else.
const SERVER_BOUNDS: &str = "-c statement_timeout=30s -c lock_timeout=20s \
    -c idle_in_transaction_session_timeout=30s -c default_transaction_isolation=read\\ committed";
/// Times that a transaction is tried which the server gave up for the sake of another.
const ATTEMPTS: usize = 8;
/// The longest error text that is passed on, in characters.
const LONGEST_TEXT: usize = 300;

/// Why a piece of work did not come to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server gave it up for the sake of another (deadlock): to be done again.
    Again(String),
    /// For good.
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = text_of(&error);
        let Some(code) = error.code() else {
            return Self::Store(StoreError::Unavailable(text));
        };
        let damaged = [
            SqlState::DATA_CORRUPTED,
            SqlState::INDEX_CORRUPTED,
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
        ];
        if *code == SqlState::T_R_DEADLOCK_DETECTED || *code == SqlState::T_R_SERIALIZATION_FAILURE
        {
            Self::Again(text)
        } else if *code == SqlState::DISK_FULL {
            Self::Store(StoreError::Full(text))
        } else if damaged.contains(code) {
            Self::Store(StoreError::Damaged(text))
        } else {
            Self::Store(StoreError::Unavailable(text))
        }
    }
}

/// One line that says what the server or the network said.
fn text_of(error: &tokio_postgres::Error) -> String {
    let text = match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            text
        }
    };
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_TEXT)
        .collect()
}

/// What is done on a connection.
pub(super) type Work<'c, T> = BoxFuture<'c, Result<T, Trouble>>;

/// The way to the server.
pub(super) struct Link {
    pool: Pool,
    config: tokio_postgres::Config,
    tls: MakeTlsConnector,
    /// Why the server cannot be used, as far as is known.
    trouble: Mutex<Option<String>>,
    /// What is wrong with single jobs.
    pub(super) complaints: Complaints,
    /// Told when something went wrong, so that the watcher looks at once.
    doubt: Notify,
}

impl fmt::Debug for Link {
    /// Without the configuration: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    /// Reads the settings; connects nowhere yet.
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let config = config(settings)?;
        let tls = connector(settings)?;
        let manager = Manager::from_config(
            config.clone(),
            tls.clone(),
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(settings.pool.max(2))
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            pool,
            config,
            tls,
            trouble: Mutex::new(None),
            complaints: Complaints::default(),
            doubt: Notify::new(),
        })
    }

    /// Does `work` on a connection, again when the server asks for that, within `within` each time.
    pub(super) async fn run<T>(
        &self,
        within: Duration,
        work: impl for<'c> Fn(&'c mut Object) -> Work<'c, T> + Send,
    ) -> Result<T, StoreError>
    where
        T: Send,
    {
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            let mut client = self.client().await?;
            let outcome = timeout(within, work(&mut client)).await;
            match outcome {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Trouble::Again(text))) => reason = text,
                Ok(Err(Trouble::Store(StoreError::Unavailable(text)))) => {
                    // Whatever state the connection is in, the next one is a fresh one.
                    drop(Object::take(client));
                    return Err(self.unavailable(text));
                }
                Ok(Err(Trouble::Store(error))) => return Err(error),
                Err(_) => {
                    drop(Object::take(client));
                    let seconds = within.as_secs();
                    return Err(self.unavailable(format!("no answer within {seconds} s")));
                }
            }
        }
        Err(self.unavailable(reason))
    }

    async fn client(&self) -> Result<Object, StoreError> {
        match timeout(CONNECTING, self.pool.get()).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(deadpool_postgres::PoolError::Backend(error))) => {
                Err(self.unavailable(text_of(&error)))
            }
            Ok(Err(deadpool_postgres::PoolError::Closed)) => {
                Err(StoreError::Unavailable("the store is closed".to_owned()))
            }
            Ok(Err(error)) => Err(self.unavailable(error.to_string())),
            Err(_) => Err(self.unavailable("no connection in time".to_owned())),
        }
    }

    /// A connection of its own, and what drives it.
    pub(super) async fn connect(&self) -> Result<(tokio_postgres::Client, Driver), StoreError> {
        let connecting = self.config.connect(self.tls.clone());
        match timeout(CONNECTING, connecting).await {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(error)) => Err(StoreError::Unavailable(text_of(&error))),
            Err(_) => Err(StoreError::Unavailable("no connection in time".to_owned())),
        }
    }

    /// Refuses a server on which the promise could not be kept.
    pub(super) async fn look_at_server(&self) -> Result<(), StoreError> {
        let (fsync, encoding): (String, String) = self
            .run(USUAL, |client| {
                let client: &Object = client;
                Box::pin(async move {
                    let sql = "SELECT current_setting('fsync'), current_setting('server_encoding')";
                    let row = client.query_one(sql, &[]).await?;
                    Ok((row.try_get(0)?, row.try_get(1)?))
                })
            })
            .await?;
        if fsync != "on" {
            return Err(StoreError::Refused(
                "PostgreSQL runs with fsync = off: it would lose acknowledged messages",
            ));
        }
        if encoding != "UTF8" {
            return Err(StoreError::Refused(
                "the database does not have the encoding UTF8",
            ));
        }
        Ok(())
    }

    /// Whether the server could be used when it was last tried.
    pub(super) fn health(&self) -> Result<(), StoreError> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match &*trouble {
            None => Ok(()),
            Some(text) => Err(StoreError::Unavailable(text.clone())),
        }
    }

    /// Notes what the watcher found.
    pub(super) fn note(&self, found: Result<(), &StoreError>) {
        let text = found.err().map(|error| match error {
            StoreError::Unavailable(text) => text.clone(),
            other => other.to_string(),
        });
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    /// Resolves when something has gone wrong since.
    pub(super) async fn doubted(&self) {
        self.doubt.notified().await;
    }

    fn unavailable(&self, text: String) -> StoreError {
        let error = StoreError::Unavailable(text);
        self.note(Err(&error));
        self.doubt.notify_one();
        error
    }

    /// Lets go of the server.
    pub(super) fn close(&self) {
        self.pool.close();
        self.note(Err(&StoreError::Unavailable(
            "the store is closed".to_owned(),
        )));
    }
}

/// What drives a connection.
pub(super) type Driver = tokio_postgres::Connection<
    tokio_postgres::Socket,
    postgres_openssl::TlsStream<tokio_postgres::Socket>,
>;

/// Reads the settings; connects nowhere.
pub(super) fn check(settings: &PostgresSettings) -> Result<(), StoreError> {
    config(settings)?;
    connector(settings).map(drop)
}

/// The connection string with what it leaves open.
fn config(settings: &PostgresSettings) -> Result<tokio_postgres::Config, StoreError> {
    let name = &settings.schema;
    let letters = name
        .bytes()
        .all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_');
    let leading = name.bytes().next().is_some_and(|o| !o.is_ascii_digit());
    if !letters || !leading || name.len() > 40 || name.starts_with("pg_") {
        return Err(StoreError::Refused(
            "the schema must be named by lower-case letters, digits and underscores, at most 40",
        ));
    }
    // The library knows libpq's two strongest modes as one, of which the connector makes the strongest.
    let text = settings
        .connection
        .replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require");
    let mut config: tokio_postgres::Config = text
        .parse()
        .map_err(|_| StoreError::Refused("the connection string of PostgreSQL cannot be read"))?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        config.host_path("/var/run/postgresql");
    }
    let local = config.get_hostaddrs().is_empty()
        && config
            .get_hosts()
            .iter()
            .all(|host| matches!(host, Host::Unix(_)));
    let mode = match config.get_ssl_mode() {
        SslMode::Disable => SslMode::Disable,
        // There is no TLS on a unix socket.
        _ if local => SslMode::Disable,
        _ => SslMode::Require,
    };
    config.ssl_mode(mode);
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECTING);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(30));
    }
    config.keepalives_idle(Duration::from_secs(30));
    if config.get_application_name().is_none() {
        config.application_name("elsinore");
    }
    let own = format!("{SERVER_BOUNDS} -c search_path={name}");
    let options = match config.get_options() {
        Some(given) => format!("{given} {own}"),
        None => own,
    };
    config.options(options);
    Ok(config)
}

fn connector(settings: &PostgresSettings) -> Result<MakeTlsConnector, StoreError> {
    let refused = |_| StoreError::Refused("the certificates for PostgreSQL cannot be read");
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(refused)?;
    builder
        .set_min_proto_version(Some(SslVersion::TLS1_2))
        .map_err(refused)?;
    if let Some(file) = &settings.tls_ca {
        let store = openssl::x509::store::X509StoreBuilder::new().map_err(refused)?;
        builder.set_cert_store(store.build());
        builder.set_ca_file(file).map_err(refused)?;
    }
    Ok(MakeTlsConnector::new(builder.build()))
}
