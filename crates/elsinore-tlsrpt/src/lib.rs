//! Reports about TLS (RFC 8460): counted, built, signed, sent, read.
//!
//! - [`count`]: from what a delivery found out to rows, a pure function;
//! - [`ledger`]: rows added up in memory and in the store ([`tally`]);
//! - [`document`]: the report; [`build`]: made of a day's counts;
//! - [`policy`]: where a domain wants its reports;
//! - [`dkim`], [`letter`]: how they go there; [`dispatch`]: when; [`forecast`]: all of that without
//!   sending anything;
//! - [`read`]: reports of other people; [`shown`]: what of ours is in the store; [`words`]: both in
//!   plain words; [`score`]: numbers about all of it.

pub mod build;
pub mod count;
pub mod day;
pub mod dispatch;
pub mod dkim;
pub mod document;
pub mod forecast;
pub mod ledger;
pub mod letter;
pub mod policy;
pub mod read;
pub mod score;
pub mod settings;
pub mod shown;
pub mod tally;
pub mod terms;
pub mod words;

/// The origin of messages that carry reports ([`Envelope::origin`]): their sessions are not counted
/// (RFC 8460 §3).
///
/// [`Envelope::origin`]: elsinore_queue::message::Envelope::origin
pub const ORIGIN: &str = "tlsrpt";
