//! The durable queue of the relay: what a store promises, and the two stores that keep the promise.
//!
//! [`QueueStore`](store::QueueStore) is the boundary. What a message is to a store stands in
//! [`message`], what is leased and settled in [`job`], what an administrator may ask in [`admin`],
//! and what else must survive a restart in [`record`]. A store knows nothing of SMTP or DNS: it keeps
//! octets and text, and hands out jobs that are due.
//!
//! The promise: `enqueue` returns only when the message is on stable storage, and a message leaves
//! the store only by [`settle`](store::QueueStore::settle) under a lease that is still held, or by the
//! administrator's hand. A crash at any moment costs no acknowledged message; it may cost a settlement,
//! and so make a duplicate, as RFC 5321 §6.1 allows.

pub mod admin;
mod complaint;
pub mod content;
pub mod error;
pub mod id;
pub mod job;
pub mod message;
pub mod moment;
pub mod postgres;
pub mod record;
pub mod sqlite;
pub mod store;
