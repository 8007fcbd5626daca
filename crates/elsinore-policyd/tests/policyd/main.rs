//! The mapping as a table, and by every combination; the document; the protocol over real sockets.
#![allow(missing_docs, reason = "a test binary has no public items")]
#![allow(
    clippy::unwrap_used,
    reason = "a test binary: a failed precondition is a failed test"
)]

mod combinations;
mod document;
mod house;
mod http;
mod protocol;
mod rows;
