//! The DANE verifier: a table of cases, the same cases put to OpenSSL, the replay of OpenSSL's
//! own suite, and properties.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy sees tests in #[test] functions only"
)]

mod bounds;
mod cases;
mod cases_ee;
mod cases_mix;
mod cases_ta;
mod corpora;
mod danetest;
mod differential;
mod handshake;
mod inspection;
mod make;
mod oracle;
mod pins;
mod properties;
mod real_handshake;
mod records;
#[path = "../skipped.rs"]
mod skipped;
mod tlsa_text;
