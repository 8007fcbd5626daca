//! The resolver against a world of signed and broken zones, without sockets: every kind of answer
//! in each mode, and every forgery refused.
#![allow(missing_docs, reason = "a test binary has no public items")]

mod ad;
mod anchors;
mod attacks;
mod bad_input;
mod broken;
mod caching;
mod cohosted;
mod corpus;
mod forgeries;
mod iteration;
mod kinds;
mod limits;
#[path = "../../../../fuzz/checks/mutation.rs"]
mod mutated;
mod mutation;
mod net;
mod operations;
#[allow(dead_code, reason = "the tests of the authority use all of it")]
#[path = "../authority/peer.rs"]
mod peer;
mod poison;
#[path = "../../../../fuzz/checks/reply.rs"]
mod reply;
mod retries;
mod rollover;
mod routes;
mod servers;
mod tampering;
mod tape;
mod transcripts;
mod transport;
mod unbound;
mod upstreams;
#[allow(dead_code, reason = "the tests of the authority use all of it")]
#[path = "../authority/wire.rs"]
mod wire;
mod world;
