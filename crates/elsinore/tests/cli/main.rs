//! The built binary, run as a person or a script would: exit codes, one-line errors, output.
#![allow(
    clippy::unwrap_used,
    reason = "a test binary: a failed precondition is a failed test"
)]

mod bad_configuration;
mod check;
mod command;
mod explain;
mod lab_up;
mod policyd;
mod relay;
mod root_anchors;
mod send;
mod sendmail;
mod tlsa;
mod tlsa_live;
mod tlsa_make;
mod tlsa_nsupdate;
mod tlsa_plan;
mod tlsrpt;
mod usage;
mod web;
