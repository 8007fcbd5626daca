//! Bundles: what is written is read, what is garbage is refused, and nobody gains by changing one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod forged;
mod format;
mod garbage;
mod lab;
#[path = "../../../../fuzz/checks/bundle.rs"]
mod property;
mod sample;
mod verdict;
mod wire;
