//! What is sent: the envelope (RFC 5321 §2.3.1) and the message behind it.

use super::recall::Recall;
use elsinore_smtp::address::ReversePath;
use elsinore_smtp::client::{HeaderUtf8, Recipient};
use elsinore_smtp::command::{EnvelopeId, Return};
use elsinore_smtp::message::{Completion, MessageError, Survey, Surveyor};
use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
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

/// A spooled message, readable from any octet on.
pub trait SpoolReader: Read + Seek + Send {}
impl<T: Read + Seek + Send> SpoolReader for T {}

/// Where the octets of a message are; opened anew for every transaction.
pub trait Spool: fmt::Debug + Send + Sync {
    /// Opens the message at its first octet.
    ///
    /// # Errors
    /// What the file system says.
    fn open(&self) -> io::Result<Box<dyn SpoolReader>>;

    /// All of it, where it is in memory: it is then read in place, and never opened.
    fn in_memory(&self) -> Option<Arc<[u8]>> {
        None
    }

    /// Hears that the last octets go to a session: from here on the final dot may have been sent, and
    /// whoever gives the session up does not know what became of the message.
    fn reached_end(&self) {}
}

/// A message in a file.
#[derive(Debug, Clone)]
pub struct SpooledFile(pub PathBuf);

impl Spool for SpooledFile {
    fn open(&self) -> io::Result<Box<dyn SpoolReader>> {
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
    fn open(&self) -> io::Result<Box<dyn SpoolReader>> {
        Ok(Box::new(Cursor::new(Arc::clone(&self.0))))
    }

    fn in_memory(&self) -> Option<Arc<[u8]>> {
        Some(Arc::clone(&self.0))
    }
}

/// The envelope (RFC 5321 §2.3.1).
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Where notifications go.
    pub reverse_path: ReversePath,
    /// The recipients, with their DSN parameters.
    pub recipients: Vec<Recipient>,
    /// Whether UTF-8 in the header was declared when the message was submitted (RFC 6531 §3.4).
    pub header_utf8: HeaderUtf8,
    /// What the sender asks of TLS.
    pub tls: TlsWish,
    /// RET (RFC 3461 §4.3).
    pub ret: Option<Return>,
    /// ENVID (RFC 3461 §4.4).
    pub envelope_id: Option<EnvelopeId>,
}

/// A spooled message and what a first reading of it found.
#[derive(Debug, Clone)]
pub struct Message {
    /// The octets.
    pub spool: Arc<dyn Spool>,
    /// What the message needs of a server, and what is added to it.
    pub survey: Arc<Survey>,
    /// By which its delivery is called back.
    pub recall: Recall,
}

/// Why a message cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum UnsendableMessage {
    /// The spool cannot be read.
    #[error("the message cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It contains what must not be sent.
    #[error("{0}")]
    Content(#[from] MessageError),
}

impl Message {
    /// Reads the spool once, in blocks, and surveys it. Blocks the thread while it reads.
    ///
    /// # Errors
    /// [`UnsendableMessage`].
    pub fn survey(
        spool: Arc<dyn Spool>,
        completion: Completion,
    ) -> Result<Self, UnsendableMessage> {
        let mut surveyor = Surveyor::new(completion);
        let mut reader = spool.open()?;
        let mut block = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut block) {
                Ok(0) => break,
                Ok(length) => surveyor.push(&block[..length])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let survey = Arc::new(surveyor.finish()?);
        Ok(Self {
            spool,
            survey,
            recall: Recall::default(),
        })
    }
}
