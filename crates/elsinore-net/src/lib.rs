//! The only crate with DNS, TCP, TLS, HTTPS and the clock. It drives the pure crates:
//! `elsinore-dane` decides, `elsinore-smtp` speaks, this crate carries.

pub mod clock;
pub mod deliver;
pub mod dialer;
pub mod doctor;
pub mod host_field;
pub mod https;
pub mod own_addresses;
pub mod resolver;
pub mod session;
pub mod sts;
pub mod tls;
