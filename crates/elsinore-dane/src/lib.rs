//! DANE for SMTP, decided: which server may receive a message, and how that server must prove
//! who it is.
//!
//! This crate performs no I/O, reads no clock, logs nothing, spawns nothing and is not async.
//! DNS answers, fetched MTA-STS policies, certificate chains and the time are arguments; plans,
//! obligations and [findings](finding::Finding) are results. A domain goes through it like this:
//!
//! 1. [`next_hop`]: what the envelope or the administrator named as the destination;
//! 2. [`discovery`]: the state machine that asks questions ([`answer::Question`]) and takes
//!    answers ([`answer::Answer`]), link by link with their [`security`];
//! 3. [`plan`]: per MX host, the addresses to try and the [`obligation`] of the session;
//! 4. [`verify`]: whether a presented certificate chain meets that obligation.
//!
//! Every decision names its [`rule::Rule`], and every rule its RFC and section.

pub mod achieved;
pub mod answer;
pub mod destination;
pub mod discovery;
pub mod finding;
pub mod ladder;
pub mod mta_sts;
pub mod name;
pub mod network;
pub mod next_hop;
pub mod obligation;
pub mod plan;
pub mod policy;
pub mod rule;
pub mod security;
pub mod time;
pub mod tlsa;
pub mod verify;
