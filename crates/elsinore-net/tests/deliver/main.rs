//! The delivery driver on a scripted DNS and scripted servers, all in memory: which hosts are
//! tried, over which rungs, and what each recipient is told.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set up its world has failed"
)]

mod fixture;
mod hostile;
mod hosts;
mod ladder;
#[path = "../tls/pki.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of TLS, which need more of it"
)]
mod pki;
mod policy;
mod probe;
mod recipients;
mod refresh;
mod reuse;
#[path = "../tls/server.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of TLS, which need more of it"
)]
mod server;
mod sts;
mod table;
