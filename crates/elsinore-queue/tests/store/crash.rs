//! The process is killed at random moments, again and again, in one store.

use crate::load::{Load, Promises};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many rounds: a dozen unless `ELSINORE_CRASH_ROUNDS` says otherwise.
pub(crate) fn rounds(usual: usize) -> usize {
    std::env::var("ELSINORE_CRASH_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(usual)
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("queue");
    let mut before = BTreeSet::new();
    let mut settled = 0;
    for round in 0..rounds(12) {
        let mut load = Load::start(&folder);
        if round % 4 == 3 {
            // At the start, while the end of the segments may be read again.
            std::thread::sleep(Duration::from_millis(rand::random_range(0..40)));
        } else {
            load.listen(rand::random_range(50..600));
        }
        let lines = load.kill(true);
        let promises = Promises::read(&before, &lines);
        settled += promises.settled();
        before = promises.hold(&folder, true);
    }
    assert!(settled > 100, "only {settled} jobs were settled");
}
