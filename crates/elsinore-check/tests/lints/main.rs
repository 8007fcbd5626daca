//! Each lint: a sighting that triggers it, and a neighbour that differs in the one fact and does
//! not. The scenarios of the lab do the same end to end.
#![allow(
    clippy::unwrap_used,
    reason = "a test binary: a failed precondition is a failed test"
)]

mod chains;
mod dns;
mod domain;
mod presented;
mod records;
mod scene;
mod time_line;
mod whole;
