//! `elsinore doctor` on machines that are well and machines that are not: Unbound in many
//! configurations, resolvers that misbehave as boxes in the field do, wrong clocks, stale anchors,
//! closed ports. Everything is on free ports of loopback.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot set up its world must fail"
)]

mod blame;
#[path = "../peers/daemon.rs"]
#[allow(dead_code, reason = "the other tests that share it use all of it")]
mod daemon;
mod garbage;
mod machine;
mod proxy;
mod resolvers;
#[path = "../../../elsinore-dane/tests/skipped.rs"]
mod skipped;
mod unbound;
mod world;
