//! The delivery of one message: per recipient domain the discovery, per host and address a
//! session, per recipient an outcome.

pub mod config;
pub mod envelope;
pub mod report;

pub use config::{LegacyTls, Limits, SenderConfig, StateFolder, Timeouts};
pub use envelope::{
    Envelope, Message, Spool, SpoolReader, SpooledBytes, SpooledFile, TlsWish, UnsendableMessage,
};
pub use report::{
    Attempt, MatchedTlsa, ObligationWord, Outcome, RecipientReport, ReplyText, SaidBy, SendReport,
    SessionFacts, SessionSecurity,
};
