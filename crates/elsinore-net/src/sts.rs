//! MTA-STS policies: fetched over HTTPS (RFC 8461 §3.3) and kept on disk.

pub mod cache;
pub mod fetch;

pub use cache::{CacheError, PolicyCache, StoredPolicy};
pub use fetch::{PolicyFetcher, PolicySource};
