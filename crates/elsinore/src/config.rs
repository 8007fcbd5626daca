//! The configuration in two stages: [`file`] is exactly what was written, [`resolved`] is what
//! the commands use, flags applied.

pub(crate) mod file;
mod policyd;
pub(crate) mod relay;
pub(crate) mod resolved;
pub(crate) mod shown;
pub(crate) mod start;
mod web;

pub(crate) use file::{AdTrust, DnsMode, MinimumTls, Pause, Seconds, SessionCount, Upstream};
pub(crate) use resolved::{Settings, of_service};
