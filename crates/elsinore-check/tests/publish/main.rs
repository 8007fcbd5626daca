//! What is made to be published: hostile input, and the rollover as a property.
#![allow(
    clippy::unwrap_used,
    reason = "a test binary: a failed precondition is a failed test"
)]

mod caches;
mod hostile;
mod keys;
mod rollover;
