//! The message: a regular file is read where it lies, anything else is spooled to a temporary
//! file first, so that it can be read again for every transaction without ever being in memory.
//!
//! Either way the file is opened once and read by offset. So the copy needs no name, and nothing
//! of the message stays behind however this process ends; and a caller's file that is replaced
//! meanwhile is still the one that was looked at.

use anyhow::{Context, Result};
use elsinore_net::deliver::{Spool, SpoolReader};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// A message that can be read any number of times.
#[derive(Debug)]
pub(super) struct SpooledMessage(Arc<File>);

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
            return Ok(Self(Arc::new(file)));
        }
        Self::copy(file).with_context(|| format!("cannot spool {source}"))
    }

    fn copy(mut source: impl Read) -> Result<Self> {
        let mut copy = tempfile::tempfile()
            .with_context(|| format!("no temporary file in {}", std::env::temp_dir().display()))?;
        io::copy(&mut source, &mut copy)?;
        Ok(Self(Arc::new(copy)))
    }
}

impl Spool for SpooledMessage {
    fn open(&self) -> io::Result<Box<dyn SpoolReader>> {
        Ok(Box::new(OffsetReader {
            file: Arc::clone(&self.0),
            offset: 0,
        }))
    }
}

/// Reads a shared file from an offset of its own.
#[derive(Debug)]
struct OffsetReader {
    file: Arc<File>,
    /// Octets from the beginning.
    offset: u64,
}

impl Read for OffsetReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl Seek for OffsetReader {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let offset = match target {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.offset.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.offset = offset.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_do_not_disturb_each_other() {
        let message = SpooledMessage::copy(&b"0123456789"[..]).unwrap();
        let (mut one, mut other) = (message.open().unwrap(), message.open().unwrap());
        for (target, at, rest) in [
            (SeekFrom::Start(3), 3, "3456789"),
            (SeekFrom::End(-2), 8, "89"),
            (SeekFrom::Current(-4), 6, "6789"),
            (SeekFrom::Start(12), 12, ""),
        ] {
            assert_eq!(one.seek(target).unwrap(), at);
            let mut text = String::new();
            one.read_to_string(&mut text).unwrap();
            assert_eq!(text, rest, "{target:?}");
        }
        assert!(one.seek(SeekFrom::Current(-20)).is_err());
        let mut text = String::new();
        other.read_to_string(&mut text).unwrap();
        assert_eq!(text, "0123456789");
    }
}
