//! A small signed Internet: for tests, for `elsinore lab`, for benchmarks.

pub mod authority;
pub mod pki;
pub mod policy_host;
pub mod receiver;
pub mod run;
pub mod running;
pub mod scenario;
pub mod sign;
pub mod simulated;
pub mod up;
pub mod world;
pub mod zone;
