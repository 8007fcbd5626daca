//! Writes that the kernel takes and cannot put on the disk: fsync fails. From then on nothing is
//! acknowledged, the store says why, and the next start has everything that was acknowledged before.
//!
//! The errors are real: a file system in a file on another one that has no room left. The kernel reports
//! them once, and goes on as if the octets were on the disk; which they are not is seen when the file
//! system is mounted anew.

use crate::crash::rounds;
use crate::load::{Load, Promises};
use crate::power::Volume;
use elsinore_queue::error::StoreError;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Which files lie where fsync fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    All,
    Segments,
    Index,
}

/// A store's folder with those files on `volume`, the others in `elsewhere`.
fn lay_out(failing: Failing, volume: &Path, elsewhere: &Path) -> std::path::PathBuf {
    let (folder, other) = match failing {
        Failing::All => return volume.join("queue"),
        Failing::Segments => (elsewhere.join("queue"), volume),
        Failing::Index => (volume.join("queue"), elsewhere),
    };
    std::fs::create_dir(&folder).expect("a folder");
    for part in ["segments", "incoming"] {
        std::fs::create_dir(other.join(part)).expect("a folder");
        std::os::unix::fs::symlink(other.join(part), folder.join(part)).expect("a link");
    }
    folder
}

/// Rounds in one store: under load the volume beneath fills up, and the store is opened again, at once
/// or after the file system was mounted anew.
fn fails_again_and_again(failing: Failing) {
    // One after the other: errors of a loop device are told to whoever has it next.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(volume) = Volume::thin(128) else {
        return;
    };
    let elsewhere = tempfile::tempdir().expect("a folder");
    let folder = lay_out(failing, volume.path(), elsewhere.path());
    let mut before = BTreeSet::new();
    let (mut settled, mut in_place) = (0, 0);
    let mut round = 0;
    // Until the file system has gone on once after its error.
    while round < rounds(5) || (in_place == 0 && round < 60) {
        round += 1;
        let mut load = Load::start(&folder);
        load.listen(rand::random_range(50..400));
        volume.fill_beneath(true);
        let (lines, why) = load.end();
        let why = why.strip_prefix("true ").unwrap_or_else(|| {
            panic!("{failing:?}: something was done after the store had failed: {why}")
        });
        let words = ["fsync of ", "I/O error", "Read-only file system"];
        assert!(words.iter().any(|word| why.contains(word)), "{why}");
        volume.fill_beneath(false);
        let promises = Promises::read(&before, &lines);
        settled += promises.settled();
        // In the kernel's memory stands what the disk has not got. Where the file system goes on after
        // the error, as it does unless its own tables were concerned, the store is opened on that.
        let at_once = if round > 2 {
            promises.hold_if_open(&folder, false)
        } else {
            Err(StoreError::Unknown)
        };
        volume.again();
        before = match at_once {
            Ok(found) => {
                in_place += 1;
                assert_eq!(Promises::read(&found, &[]).hold(&folder, false), found);
                found
            }
            // The file system did not go on, or it told of its error once more.
            Err(
                StoreError::Unknown
                | StoreError::ReadOnly(_)
                | StoreError::Failed(_)
                | StoreError::Full(_),
            ) => promises.hold(&folder, false),
            Err(error) => panic!("{failing:?}: {error}"),
        };
    }
    assert!(settled > 50, "only {settled} jobs were settled");
    eprintln!("{failing:?}: {settled} settled, opened at once {in_place} times in {round} rounds");
    assert!(in_place > 0, "{failing:?}: never opened at once");
}

#[test]
fn of_everything() {
    fails_again_and_again(Failing::All);
}

#[test]
fn of_the_segments_alone() {
    fails_again_and_again(Failing::Segments);
}

#[test]
fn of_the_index_alone() {
    fails_again_and_again(Failing::Index);
}
