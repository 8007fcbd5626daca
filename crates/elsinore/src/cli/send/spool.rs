//! The message: a regular file is read where it lies, anything else is spooled to a temporary
//! file first, so that it can be read again for every transaction without ever being in memory.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A message that can be read any number of times.
#[derive(Debug)]
pub(super) enum SpooledMessage {
    /// A file of the caller's.
    InPlace(PathBuf),
    /// Our copy, removed when dropped.
    Copied(NamedTempFile),
}

impl SpooledMessage {
    /// Takes the message from `source`, `-` being stdin.
    ///
    /// # Errors
    /// When it cannot be read, or the copy cannot be written.
    pub(super) fn take(source: &str) -> Result<Self> {
        if source == "-" {
            return Self::copy(io::stdin().lock()).context("cannot spool the message from stdin");
        }
        let path = Path::new(source);
        let file = File::open(path).with_context(|| format!("cannot read {source}"))?;
        let metadata = file
            .metadata()
            .with_context(|| format!("cannot read {source}"))?;
        if metadata.is_file() {
            return Ok(Self::InPlace(path.to_path_buf()));
        }
        Self::copy(file).with_context(|| format!("cannot spool {source}"))
    }

    fn copy(mut source: impl Read) -> Result<Self> {
        let mut copy = NamedTempFile::with_prefix("elsinore-")?;
        io::copy(&mut source, &mut copy)?;
        copy.flush()?;
        Ok(Self::Copied(copy))
    }

    /// Where the message lies.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::InPlace(path) => path,
            Self::Copied(copy) => copy.path(),
        }
    }
}
