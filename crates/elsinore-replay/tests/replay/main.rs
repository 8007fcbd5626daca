//! Scenario files: Unbound's own where they are at hand, ours, and ours spoiled. A runner that
//! cannot fail is worth nothing.

mod spoiled;
mod unbound;

use elsinore_replay::{Outcome, Verdict, replay};
use std::path::{Path, PathBuf};

/// The `.rpl` files of a folder in order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rpl"))
        .collect();
    files.sort();
    files
}

fn replay_file(path: &Path) -> Outcome {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    replay(&String::from_utf8_lossy(&text))
}

/// What failed, as the runner tells it.
fn told(outcome: &Outcome) -> String {
    format!(
        "{}\n    {}",
        outcome.verdict,
        outcome.details.join("\n    ")
    )
}

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

#[test]
fn our_own_files_pass() {
    let files = files(&ours());
    assert!(!files.is_empty());
    for file in files {
        let outcome = replay_file(&file);
        assert_eq!(
            outcome.verdict,
            Verdict::Passed,
            "{}: {}",
            file.display(),
            told(&outcome)
        );
    }
}
