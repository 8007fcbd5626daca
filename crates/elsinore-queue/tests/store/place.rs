//! Where a store lives, and how it is opened again.

use crate::sample::Store;
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};
use futures_util::future::BoxFuture;
use std::sync::Arc;

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
