//! The page over HTTP: what is asked, what is answered, what is refused, what is kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed assumption is a failed test"
)]

#[path = "../client.rs"]
mod client;
mod hostile;
mod limits;
mod reports;
#[path = "../samples.rs"]
mod samples;
