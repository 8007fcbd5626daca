//! The octets of a message on their way in and out.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// The octets of a message that is to be kept.
#[derive(Debug)]
pub enum Content {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file of the store's own spool folder; gone when this value is dropped, unless the store
    /// took it over.
    File {
        /// The file, positioned anywhere.
        file: tempfile::NamedTempFile,
        /// Its length in octets.
        octets: u64,
    },
}

impl Content {
    /// Its length in octets.
    #[must_use]
    pub fn octets(&self) -> u64 {
        match self {
            Self::Memory(octets) => u64::try_from(octets.len()).unwrap_or(u64::MAX),
            Self::File { octets, .. } => *octets,
        }
    }
}

/// A message that arrives block by block: in memory while it is small, then in a file.
#[derive(Debug)]
pub struct Incoming {
    folder: PathBuf,
    in_memory: usize,
    memory: Vec<u8>,
    file: Option<(tempfile::NamedTempFile, u64)>,
}

impl Incoming {
    /// A message of which at most `in_memory` octets are held in memory; from there on it is in a
    /// file in `folder`.
    #[must_use]
    pub const fn new(folder: PathBuf, in_memory: usize) -> Self {
        Self {
            folder,
            in_memory,
            memory: Vec::new(),
            file: None,
        }
    }

    /// Appends `block`. Blocks the thread once the message is in a file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn push(&mut self, block: &[u8]) -> io::Result<()> {
        if let Some((file, octets)) = &mut self.file {
            file.write_all(block)?;
            *octets = octets.saturating_add(u64::try_from(block.len()).unwrap_or(u64::MAX));
            return Ok(());
        }
        if self.memory.len().saturating_add(block.len()) <= self.in_memory {
            self.memory.extend_from_slice(block);
            return Ok(());
        }
        let mut file = tempfile::Builder::new()
            .prefix("incoming-")
            .tempfile_in(&self.folder)?;
        file.write_all(&self.memory)?;
        file.write_all(block)?;
        let octets = self.memory.len().saturating_add(block.len());
        self.memory = Vec::new();
        self.file = Some((file, u64::try_from(octets).unwrap_or(u64::MAX)));
        Ok(())
    }

    /// Whether the next `block` octets would be written to a file.
    #[must_use]
    pub const fn spills(&self, block: usize) -> bool {
        self.file.is_some() || self.memory.len().saturating_add(block) > self.in_memory
    }

    /// All of it.
    #[must_use]
    pub fn finish(self) -> Content {
        match self.file {
            None => Content::Memory(self.memory),
            Some((file, octets)) => Content::File { file, octets },
        }
    }
}

/// Something that is read from any octet on.
pub trait BodyReader: Read + Seek + Send {}
impl<T: Read + Seek + Send> BodyReader for T {}

/// The octets of a kept message, to be read any number of times; they stay readable while this is
/// held, whatever becomes of the message.
pub trait Body: fmt::Debug + Send + Sync {
    /// Their number.
    fn octets(&self) -> u64;
    /// Opens them at the first octet.
    ///
    /// # Errors
    /// What the file system says; [`io::ErrorKind::InvalidData`] when a checksum is wrong.
    fn open(&self) -> io::Result<Box<dyn BodyReader>>;
    /// All of them, where they are in memory already.
    fn in_memory(&self) -> Option<Arc<[u8]>> {
        None
    }
}

/// A body in memory.
#[derive(Debug, Clone)]
pub struct BodyInMemory(pub Arc<[u8]>);

impl Body for BodyInMemory {
    fn octets(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    fn open(&self) -> io::Result<Box<dyn BodyReader>> {
        Ok(Box::new(io::Cursor::new(Arc::clone(&self.0))))
    }

    fn in_memory(&self) -> Option<Arc<[u8]>> {
        Some(Arc::clone(&self.0))
    }
}

/// A stretch of a file.
#[derive(Debug, Clone)]
pub struct BodyInFile {
    /// The file; it may be removed while this is held.
    pub file: Arc<File>,
    /// First octet of the body.
    pub start: u64,
    /// Octets of the body.
    pub octets: u64,
}

impl Body for BodyInFile {
    fn octets(&self) -> u64 {
        self.octets
    }

    fn open(&self) -> io::Result<Box<dyn BodyReader>> {
        Ok(Box::new(Stretch {
            body: self.clone(),
            at: 0,
        }))
    }
}

#[derive(Debug)]
struct Stretch {
    body: BodyInFile,
    at: u64,
}

impl Read for Stretch {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt as _;
        let left = self.body.octets.saturating_sub(self.at);
        let most = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        let start = self.body.start.saturating_add(self.at);
        let length = self.body.file.read_at(&mut block[..most], start)?;
        if length == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += u64::try_from(length).unwrap_or(0);
        Ok(length)
    }
}

impl Seek for Stretch {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let at = match position {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.body.octets.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_spills_into_a_file_and_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut incoming = Incoming::new(folder.path().to_path_buf(), 10);
        incoming.push(b"0123456789").expect("in memory");
        assert!(incoming.spills(1));
        incoming.push(b"abc").expect("in a file");
        let Content::File { file, octets } = incoming.finish() else {
            panic!("not in a file");
        };
        assert_eq!(octets, 13);
        let body = BodyInFile {
            file: Arc::new(file.reopen().expect("the file")),
            start: 8,
            octets: 4,
        };
        let mut reader = body.open().expect("opens");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("reads");
        assert_eq!(text, "89ab");
        reader.seek(SeekFrom::End(-1)).expect("seeks");
        text.clear();
        reader.read_to_string(&mut text).expect("reads");
        assert_eq!(text, "b");
    }
}
