//! The relay: accepts mail, answers 250 when it is on stable storage, delivers it over the best
//! authenticated TLS that the recipient announced, for days if need be, and says so.
//!
//! What decides where mail may go and how the server must prove itself is in `elsinore-net` and
//! below, the same as for `elsinore send`. Here is what makes a service of it:
//!
//! - [`accept`]: listeners, clients, limits; ends in `enqueue`.
//! - [`schedule`]: which job is tried when, how many at once; ends in `settle`.
//! - [`notice`]: what senders are told: bounces, warnings, receipts.
//! - [`policies`]: MTA-STS policies, kept beside the mail.
//! - [`event`]: everything that happens, as values; the log, the metrics and the reports about TLS
//!   are made of it.
//! - [`admin`]: the address for the administrator and the machines that watch.

pub mod accept;
pub mod admin;
pub mod clock;
pub mod event;
pub mod log;
pub mod metrics;
pub mod notice;
pub mod policies;
pub mod relay;
pub mod schedule;
pub mod service;
