//! Accepting mail, from the socket to the store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
mod bounds;
mod full;
mod hostile;
mod house;
mod life;
mod memory;
mod store;
mod swaks;
