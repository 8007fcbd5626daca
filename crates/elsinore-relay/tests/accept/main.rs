//! Accepting mail, from the socket to the store.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bounds;
mod hostile;
mod house;
mod life;
mod store;
mod swaks;
