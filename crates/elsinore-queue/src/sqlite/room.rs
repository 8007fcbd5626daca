//! Whether there is room, and the lock on the folder.

use crate::error::StoreError;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How old the number of free octets may be.
const FRESH: Duration = Duration::from_millis(100);

/// Free octets on the file system of the store.
#[derive(Debug)]
pub(super) struct Room {
    folder: PathBuf,
    reserve: u64,
    seen: Mutex<Option<(Instant, u64)>>,
}

impl Room {
    /// The room in `folder`, of which `reserve` octets are kept free.
    pub(super) const fn new(folder: PathBuf, reserve: u64) -> Self {
        Self {
            folder,
            reserve,
            seen: Mutex::new(None),
        }
    }

    /// Whether `octets` can be kept.
    ///
    /// # Errors
    /// [`StoreError::Full`]; [`StoreError::Failed`] when the file system cannot be asked.
    pub(super) fn check(&self, octets: u64) -> Result<(), StoreError> {
        let mut seen = self
            .seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        let wanted = self.reserve.saturating_add(octets);
        let free = match *seen {
            // Asked anew before anybody is refused.
            Some((at, free)) if now.duration_since(at) < FRESH && free >= wanted => free,
            _ => {
                let volume = rustix::fs::statvfs(&self.folder).map_err(|error| {
                    StoreError::Failed(format!("{}: {error}", self.folder.display()))
                })?;
                let free = volume.f_bavail.saturating_mul(volume.f_frsize);
                *seen = Some((now, free));
                free
            }
        };
        if free < wanted {
            return Err(StoreError::Full(format!(
                "{}: {} MiB are free, {} MiB of them in reserve",
                self.folder.display(),
                free >> 20,
                self.reserve >> 20
            )));
        }
        Ok(())
    }
}

/// How long a lock is waited for: whoever had it may be ending, and a child that is just being started
/// holds a copy of it for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// How often it is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Takes the lock on a store's folder; it is held while the file is.
///
/// # Errors
/// [`StoreError::InUse`], [`StoreError::ReadOnly`] and others.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("lock");
    let fault = |error: io::Error| of_folder(&path, &error);
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(fault)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(std::fs::TryLockError::WouldBlock) if begun.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(std::fs::TryLockError::WouldBlock) => return Err(in_use(&mut file)),
            Err(std::fs::TryLockError::Error(error)) => return Err(fault(error)),
        }
    }
    file.set_len(0).map_err(fault)?;
    writeln!(file, "{}", std::process::id()).map_err(fault)?;
    Ok(file)
}

/// Says whose the lock is. That is for the reader of the message; without it the message is shorter.
fn in_use(file: &mut File) -> StoreError {
    let mut owner = String::new();
    let read = file.take(32).read_to_string(&mut owner);
    let owner = owner.trim();
    let known = read.is_ok() && !owner.is_empty() && owner.bytes().all(|b| b.is_ascii_digit());
    StoreError::InUse(if known {
        format!(" ({owner})")
    } else {
        String::new()
    })
}

/// What an error in a folder of the store means at the start.
pub(super) fn of_folder(path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            StoreError::ReadOnly(text)
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(text),
        _ => StoreError::Failed(text),
    }
}
