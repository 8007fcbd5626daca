//! The mapping as a table, and by every combination; the document; the protocol over real sockets.
#![allow(missing_docs, reason = "a test binary has no public items")]

mod combinations;
mod document;
mod house;
mod protocol;
mod rows;
