//! The decision engine, from outside: a decision table, the two invariants, and engines broken
//! on purpose.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod drive;
mod invariants;
mod outcomes;
mod rules;
mod scenarios;
mod sts;
mod table;
mod world;
