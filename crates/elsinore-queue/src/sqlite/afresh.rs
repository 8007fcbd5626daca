//! What a failed fsync leaves behind.
//!
//! The kernel reports it once and then takes the octets it could not write for written: whoever reads
//! them gets them from memory, whoever syncs again is told that all is well, and a loss of power shows
//! that they never were on disk. So a store that has seen one writes no more, and whatever may be such
//! octets is written afresh when a store is opened: the log of the index and the segments that reach
//! beyond what the index had known as synced, always; the index too when the mark of a failure is there.
//! Into a new file: ext4 may leave what is written over such octets in place unreadable on disk.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

/// What the name of a new file ends in, until it takes the place of the old one.
pub(super) const NEW: &str = ".new";
/// Octets written at once.
const BLOCK: usize = 1 << 20;

/// Writes a file that has octets behind `from` afresh, and syncs it. Where there is no room for a
/// second one, the octets behind `from` are written in place, which is as much as can be done. The
/// folder is left to be synced.
///
/// # Errors
/// What the file system says.
pub(super) fn write_afresh(path: &Path, from: u64) -> io::Result<()> {
    let old = match File::options().read(true).write(true).open(path) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let end = old.metadata()?.len();
    if from >= end {
        return Ok(());
    }
    let mut name = path.as_os_str().to_owned();
    name.push(NEW);
    let name = PathBuf::from(name);
    match copy(&old, &name) {
        Ok(new) => {
            new.sync_all()?;
            std::fs::rename(&name, path)
        }
        Err(_) => {
            let _stays = std::fs::remove_file(&name);
            in_place(&old, from, end)
        }
    }
}

/// The file that says that a store has failed, beside its index.
pub(super) fn mark(database: &Path) -> PathBuf {
    database.with_file_name("failed")
}

fn copy(mut old: &File, name: &Path) -> io::Result<File> {
    let mut new = File::create(name)?;
    let known = old.metadata()?;
    new.set_permissions(known.permissions())?;
    // Not ours to give where somebody else's file is opened.
    let _ours = fchown(&new, Some(known.uid()), Some(known.gid()));
    let mut block = vec![0; BLOCK];
    loop {
        let length = old.read(&mut block)?;
        let Some(block) = block.get(..length).filter(|block| !block.is_empty()) else {
            return Ok(new);
        };
        new.write_all(block)?;
    }
}

fn in_place(file: &File, from: u64, end: u64) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    let mut at = from;
    while at < end {
        let most = usize::try_from(end - at).map_or(block.len(), |left| left.min(block.len()));
        let Some(block) = block.get_mut(..most) else {
            break;
        };
        file.read_exact_at(block, at)?;
        file.write_all_at(block, at)?;
        at += most as u64;
    }
    file.sync_all()
}

/// Removes what a crash left of files that were to be new.
pub(super) fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if (entry.file_name().to_str()).is_some_and(|name| name.ends_with(NEW)) {
            let _stays = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_octets_stay_as_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        write_afresh(&path, 0).expect("nothing to do");
        assert!(!path.exists());
        let octets: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &octets).expect("written");
        for from in [0, 1, 1 << 20, 3_000_000, 3_000_001, 4_000_000] {
            let before = path.metadata().expect("there").ino();
            write_afresh(&path, from).expect("written");
            assert!(std::fs::read(&path).expect("reads") == octets, "{from}");
            let is_new = path.metadata().expect("there").ino() != before;
            assert_eq!(is_new, from < 3_000_001, "{from}");
        }
        // Where no second file can be made.
        let name = folder.path().join("file.new");
        std::fs::create_dir(&name).expect("in the way");
        write_afresh(&path, 5).expect("written in place");
        assert!(std::fs::read(&path).expect("reads") == octets);
        std::fs::remove_dir(&name).expect("removed");
        std::fs::write(&name, b"left by a crash").expect("written");
        sweep(folder.path());
        assert!(!name.exists() && path.exists());
    }
}
