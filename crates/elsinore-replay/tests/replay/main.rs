//! The runner itself, on scenario files of our own.

use elsinore_replay::{Verdict, replay};

#[test]
fn an_empty_file_fails() {
    assert!(matches!(replay("").verdict, Verdict::Failed(_)));
}
