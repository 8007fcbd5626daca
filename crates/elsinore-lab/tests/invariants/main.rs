//! The invariants on wire answers: whatever an attacker makes of the replies on the way, no host
//! owes less than its signed data demand, and in unsigned zones no failing lookup of what could
//! not have protected anything stops mail. The real resolver in each of its modes, the real
//! search, a signed world in memory.
#![allow(missing_docs, reason = "a test binary has no public items")]

mod attacker;
mod downgrade;
mod drive;
mod flawed;
mod judge;
mod mutation;
#[path = "../dns/net.rs"]
#[allow(dead_code, reason = "shared with the tests of the resolver")]
mod net;
mod robust;
mod runs;
mod wire;
mod worlds;
