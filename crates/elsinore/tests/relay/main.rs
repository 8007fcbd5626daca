//! The relay as a whole: the program, real clients, real servers, and SIGKILL.

mod client;
#[path = "../../../elsinore-queue/tests/store/cluster.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of the stores, which need more of it"
)]
mod cluster;
mod crash;
mod load;
mod process;
mod shared;
mod world;
