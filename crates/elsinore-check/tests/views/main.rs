//! What people see of the sample reports, compared octet by octet with the files below
//! `tests/snapshots`. With `ELSINORE_UPDATE_SNAPSHOTS=1` the files are written anew: look at the
//! difference before it is committed.
#![allow(
    clippy::unwrap_used,
    reason = "a test binary: a failed precondition is a failed test"
)]

mod comparison;
mod picture;
mod rail;
mod snapshot;
mod terminal;
