//! Tests of elsinore-tlsrpt.
#![allow(
    clippy::unwrap_used,
    reason = "a test binary: a failed precondition is a failed test"
)]

mod accounting;
mod count;
mod dispatch;
mod fixture;
mod letter;
mod reading;
mod rules;
