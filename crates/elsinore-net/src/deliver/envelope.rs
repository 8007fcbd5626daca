//! What is sent: the envelope (RFC 5321 §2.3.1) and the message behind it.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the sender asks of TLS for this message (RFC 8689).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TlsWish {
    /// What the recipient announces and the administrator decides.
    #[default]
    AsAnnounced,
    /// REQUIRETLS: authenticated at every hop, or not at all (§2).
    Require,
    /// `TLS-Required: No`: delivery matters more than security (§3).
    NotRequired,
}

/// Where the octets of a message are; opened anew for every transaction.
pub trait Spool: fmt::Debug + Send + Sync {
    /// Opens the message at its first octet.
    ///
    /// # Errors
    /// What the file system says.
    fn open(&self) -> io::Result<Box<dyn Read + Send>>;
}

/// A message in a file.
#[derive(Debug, Clone)]
pub struct SpooledFile(pub PathBuf);

impl Spool for SpooledFile {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(&self.0)?))
    }
}

impl SpooledFile {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// A message in memory, for small ones and for tests.
#[derive(Debug, Clone)]
pub struct SpooledBytes(pub Arc<[u8]>);

impl Spool for SpooledBytes {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(Arc::clone(&self.0))))
    }
}
