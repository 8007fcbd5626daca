//! What can be wrong with a store.

use std::io;

/// Why a store could not do what it was asked. Nothing was done, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No room: below the reserve that is kept free, or the disk is full.
    #[error("no room: {0}")]
    Full(String),
    /// A write or an fsync failed. What is on disk is unknown until the next start, so this store
    /// refuses everything from here on (a second fsync would say "done" of octets the kernel has
    /// dropped).
    #[error("the store has failed and is closed: {0}")]
    Failed(String),
    /// Written by a newer version.
    #[error(
        "the store has version {found}, this program knows {known}: it was written by a newer one"
    )]
    Newer {
        /// Its version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// Another process has it open.
    #[error("the store is in use by another process{0}")]
    InUse(String),
    /// The file system does not let us write.
    #[error("the store cannot be written: {0}")]
    ReadOnly(String),
    /// Contents that cannot be right.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// A server that cannot be reached for the moment, or that refused. Whether an enqueue reached it
    /// is unknown: the client must be told 451, and may send again.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// No message of this name.
    #[error("no such message")]
    Unknown,
    /// The content could not be read.
    #[error("the content cannot be read: {0}")]
    Content(#[from] io::Error),
    /// Something the caller may not ask for.
    #[error("{0}")]
    Refused(&'static str),
}
