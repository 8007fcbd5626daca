//! The state file on disk, shared by processes that run side by side.
//!
//! Who writes holds a lock, takes the file as it is then, and renames a finished file over it:
//! readers need no lock and never see half a file, and no two writers undo each other.

use super::RootKeys;
use super::state::{Change, RootAnchors};
use super::text::{self, Unreadable};
use crate::resolver::anchors::{SHIPPED_BEFORE, TrustAnchors};
use crate::resolver::validate::Cryptography;
use elsinore_dane::time::UnixTime;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FILE: &str = "root-anchors";
/// Written here first; only the holder of the lock does, so one name is enough.
const UNFINISHED: &str = "root-anchors.new";
const LOCK: &str = "root-anchors.lock";
/// A file that could not be believed, kept for whoever wonders.
const DAMAGED: &str = "root-anchors.damaged";
/// Longest file that is read, in octets.
const LONGEST: u64 = 1 << 18;

/// Where the root's keys are kept track of.
#[derive(Debug)]
pub struct AnchorStore {
    folder: PathBuf,
    shipped: TrustAnchors,
}

/// Where anchors come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// They came with the program.
    Shipped,
    /// They were kept in this file.
    Kept(PathBuf),
}

/// What [`AnchorStore::load`] found; always usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedAnchors {
    /// The keys, with their states and times.
    pub anchors: RootAnchors,
    /// Where they come from.
    pub origin: Origin,
    /// Why there is a file that was not used, in one line. Whoever runs the program must be told.
    pub problem: Option<String>,
}

/// What recording came to.
#[derive(Debug)]
pub enum Recorded {
    /// Another process held the lock: it records the same.
    Busy,
    /// Written.
    Done {
        /// The keys after it.
        anchors: RootAnchors,
        /// What changed.
        changes: Vec<Change>,
        /// What was wrong with the keys that were seen, if they were not believed.
        fault: Option<String>,
    },
}

/// Why the state could not be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: String,
        /// What it said.
        error: io::Error,
    },
    /// The file belongs to another version of the program, which may need it.
    #[error("{0} was written by another version of elsinore and is left alone")]
    Version(String),
    /// The work was not finished.
    #[error("the state of the root's keys: {0}")]
    Abandoned(String),
}

impl AnchorStore {
    /// The store in a state folder, starting from the shipped anchors.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self::starting_from(state_dir, TrustAnchors::shipped())
    }

    /// The store in a state folder, starting from `shipped`. What was learnt from another start is
    /// not used.
    #[must_use]
    pub fn starting_from(state_dir: &Path, shipped: TrustAnchors) -> Self {
        Self {
            folder: state_dir.to_path_buf(),
            shipped,
        }
    }

    /// The state file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// What is known of the root's keys. Never fails: what cannot be read is as if it were not
    /// there, and the reason is in [`LoadedAnchors::problem`].
    #[must_use]
    pub fn load(&self) -> LoadedAnchors {
        let shipped = |problem: Option<String>| LoadedAnchors {
            anchors: RootAnchors::new(&self.shipped),
            origin: Origin::Shipped,
            problem,
        };
        let path = self.path();
        let shown = path.display();
        match self.read() {
            Ok(None) => shipped(None),
            Ok(Some(Ok(anchors))) => LoadedAnchors {
                anchors,
                origin: Origin::Kept(path),
                problem: None,
            },
            Ok(Some(Err(why))) => shipped(Some(match why {
                Unreadable::Version => {
                    format!("{shown} was written by another version; the shipped anchors are used")
                }
                Unreadable::OtherStart => format!(
                    "{shown} was learnt from other shipped anchors; those of this version are used"
                ),
                Unreadable::Damaged(text) => {
                    format!("{shown} is damaged ({text}); the shipped anchors are used")
                }
            })),
            Err(error) => shipped(Some(format!(
                "{shown} cannot be read ({error}); the shipped anchors are used"
            ))),
        }
    }

    /// Takes in the root's keys as they were seen at `now`.
    ///
    /// # Errors
    /// [`StoreError`] when nothing could be written; the file is then what it was.
    pub fn record(
        &self,
        seen: &RootKeys,
        now: UnixTime,
        cryptography: &Arc<dyn Cryptography>,
    ) -> Result<Recorded, StoreError> {
        self.change(|anchors| anchors.observe(seen, now, cryptography))
    }

    /// Takes in that the root's keys could not be had at `now`.
    ///
    /// # Errors
    /// As [`AnchorStore::record`].
    pub fn record_failure(&self, now: UnixTime) -> Result<Recorded, StoreError> {
        self.change(|anchors| {
            anchors.fail(now);
            (Vec::new(), None)
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut RootAnchors) -> (Vec<Change>, Option<String>),
    ) -> Result<Recorded, StoreError> {
        let at = |path: &Path| {
            let path = path.display().to_string();
            move |error| StoreError::Io { path, error }
        };
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let lock_path = self.folder.join(LOCK);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(at(&lock_path))?;
        // Let go when the file is closed, also by the end of the process.
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Recorded::Busy),
            Err(TryLockError::Error(error)) => return Err(at(&lock_path)(error)),
        }
        let path = self.path();
        let mut anchors = match self.read().map_err(at(&path))? {
            Some(Ok(anchors)) => anchors,
            Some(Err(Unreadable::Version)) => {
                return Err(StoreError::Version(path.display().to_string()));
            }
            Some(Err(Unreadable::Damaged(_))) => {
                let aside = self.folder.join(DAMAGED);
                fs::rename(&path, &aside).map_err(at(&aside))?;
                RootAnchors::new(&self.shipped)
            }
            Some(Err(Unreadable::OtherStart)) | None => RootAnchors::new(&self.shipped),
        };
        let (changes, fault) = change(&mut anchors);
        let unfinished = self.folder.join(UNFINISHED);
        self.write(&anchors, &unfinished, &path)
            .map_err(at(&unfinished))?;
        Ok(Recorded::Done {
            anchors,
            changes,
            fault,
        })
    }

    fn write(&self, anchors: &RootAnchors, unfinished: &Path, path: &Path) -> io::Result<()> {
        let mut file = File::create(unfinished)?;
        file.write_all(text::encode(anchors, &self.shipped.fingerprint()).as_bytes())?;
        file.sync_all()?;
        fs::rename(unfinished, path)?;
        // The rename itself is on the disk only when the folder is.
        File::open(&self.folder)?.sync_all()
    }

    /// `None` when there is no file.
    fn read(&self) -> io::Result<Option<Result<RootAnchors, Unreadable>>> {
        let file = match File::open(self.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut octets = Vec::new();
        file.take(LONGEST).read_to_end(&mut octets)?;
        let Ok(text) = String::from_utf8(octets) else {
            return Ok(Some(Err(Unreadable::Damaged("it is not text".to_owned()))));
        };
        let starts: Vec<String> = std::iter::once(self.shipped.fingerprint())
            .chain(SHIPPED_BEFORE.iter().map(|start| (*start).to_owned()))
            .collect();
        Ok(Some(text::decode(&text, &starts).map(|mut anchors| {
            anchors.add_shipped(&self.shipped);
            anchors
        })))
    }
}
