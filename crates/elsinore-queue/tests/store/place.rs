//! Where a store lives, and how it is opened again.

use crate::sample::Store;
use elsinore_queue::postgres::{PostgresSettings, PostgresStore};
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// One store, opened any number of times.
pub(crate) trait Place: Send + Sync {
    /// Opens it; the one opened before has been closed and dropped.
    fn open(&self) -> BoxFuture<'_, Store>;
}
/// The embedded store, in a folder of its own.
pub(crate) struct Sqlite {
    folder: tempfile::TempDir,
}

/// An empty embedded store's place.
pub(crate) fn sqlite() -> Sqlite {
    Sqlite {
        folder: tempfile::tempdir().expect("a folder"),
    }
}

impl Sqlite {
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

impl Place for Sqlite {
    fn open(&self) -> BoxFuture<'_, Store> {
        let settings = SqliteSettings {
            reserve_octets: 0,
            ..SqliteSettings::new(self.folder.path().to_path_buf())
        };
        let store = SqliteStore::open(settings).expect("opens");
        Box::pin(async move { Arc::new(store) as Store })
    }
}

/// The shared store, in a schema of its own.
pub(crate) struct Postgres {
    settings: PostgresSettings,
    _folder: tempfile::TempDir,
}

/// An empty shared store's place; nothing when PostgreSQL is not installed.
pub(crate) fn postgres() -> Option<Postgres> {
    Some(postgres_at(crate::cluster::shared()?.connection()))
}

/// An empty shared store's place on the server that the connection string leads to.
pub(crate) fn postgres_at(connection: String) -> Postgres {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = tempfile::tempdir().expect("a folder");
    Postgres {
        settings: PostgresSettings {
            connection,
            pool: 6,
            schema: format!("queue_{number}"),
            spool_folder: folder.path().to_path_buf(),
            tls_ca: None,
        },
        _folder: folder,
    }
}

impl Postgres {
    pub(crate) fn settings(&self) -> PostgresSettings {
        self.settings.clone()
    }
}

impl Place for Postgres {
    fn open(&self) -> BoxFuture<'_, Store> {
        Box::pin(async move {
            let store = PostgresStore::open(&self.settings).await.expect("opens");
            Arc::new(store) as Store
        })
    }
}
