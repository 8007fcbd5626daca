//! The report as a document: the samples that views are tested with, and its schema.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod consistent;
mod samples;
mod schema;
