//! Shared by the tests of several crates: what happens when a test lacks something on this machine.

use std::io::Write;

/// Set (to anything but nothing or 0) where every test must run, as in CI.
const NO_SKIPS: &str = "ELSINORE_NO_SKIPS";

/// Says, past the capture of the test harness, that `what` is left out and why; fails where nothing
/// may be left out.
pub(crate) fn skipped(what: &str, why: &str) {
    let forbidden =
        std::env::var_os(NO_SKIPS).is_some_and(|value| !value.is_empty() && value != "0");
    assert!(
        !forbidden,
        "{what} would be skipped, and {NO_SKIPS} is set: {why}"
    );
    // A stderr that nobody reads is no reason to fail.
    let _ = writeln!(std::io::stderr(), "SKIPPED {what}: {why}");
}
