//! Unbound's validator suite.

use super::{files, replay_file, told};
use elsinore_replay::Verdict;
use std::path::Path;

/// Files that cannot pass, each with a reason that is not our validator's. One that passes after
/// all fails the test.
const CANNOT_PASS: &[(&str, &str)] = &[];

/// Files of the suite that are looked for, at least.
const SUITE: usize = 100;

#[test]
fn unbounds_own_suite() {
    let Some(testdata) = std::env::var_os("ELSINORE_TESTDATA") else {
        eprintln!("SKIPPED: Unbound's scenario files: set ELSINORE_TESTDATA to a folder with them");
        return;
    };
    let folder = Path::new(&testdata).join("unbound-rpl");
    let files = files(&folder);
    assert!(
        files.len() >= SUITE,
        "{}: {} files",
        folder.display(),
        files.len()
    );
    let mut faults = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy();
        let outcome = replay_file(file);
        let reason = CANNOT_PASS.iter().find(|(listed, _)| *listed == name);
        match (&outcome.verdict, reason) {
            (Verdict::Passed, None) => {}
            (Verdict::Passed, Some((_, reason))) => {
                faults.push(format!(
                    "{name}: passes, though listed as unable to ({reason})"
                ));
            }
            (_, Some(_)) => {}
            (_, None) => faults.push(format!("{name}: {}", told(&outcome))),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
