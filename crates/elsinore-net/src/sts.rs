//! MTA-STS policies: fetched over HTTPS (RFC 8461 §3.3) and kept on disk.

pub mod cache;
pub mod fetch;
pub(crate) mod store;

pub use cache::{CacheError, PolicyCache, StoredPolicy, trust_name};
pub use fetch::{PolicyFetcher, PolicySource};
pub use store::{PolicyStore, Stored};
