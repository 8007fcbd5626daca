//! The boundary between mail and DNS: a question goes in, an [`Answer`] with the security of each
//! link comes out. A lookup never fails: failure is an answer.

use elsinore_dane::answer::{Answer, Question};
use futures_util::future::BoxFuture;
use std::fmt::Debug;

/// Whether a cached answer will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// A cached answer within its TTL will do.
    Cached,
    /// Ask the servers again (the cache is refreshed).
    Fresh,
}

/// A resolver that knows what is secure. Every lookup has a deadline of the implementation's own.
pub trait SecureResolver: Debug + Send + Sync {
    /// Answers `question`, following aliases, each link with its own security.
    fn lookup<'a>(&'a self, question: &'a Question, freshness: Freshness) -> BoxFuture<'a, Answer>;
}
