//! The boundary between mail and DNS: a question goes in, an [`Answer`] with the security of each
//! link comes out. A lookup never fails: failure is an answer.

mod ad;
mod aliases;
mod anchors;
mod cache;
mod chain;
mod config;
mod core;
mod evidence;
mod exchange;
mod fetch;
mod hints;
mod iterate;
mod keep;
mod limits;
mod nets;
pub(crate) mod probe;
mod retry;
pub mod rollover;
mod route;
mod servers;
pub mod servers_of;
mod signature;
mod step;
mod synthesis;
pub mod tape;
mod transcript;
mod trust;
mod upstream;
mod validate;
mod wire;
mod zone_text;
pub mod zones;

pub use anchors::{AnchorError, TrustAnchors};
pub use config::{
    AdTrust, AggressiveDenial, AlgorithmDowngrade, ConfigError, Minimisation, Mode, ResolverConfig,
    Sha1Signatures, raise_file_limit,
};
pub use evidence::ResourceRecord;
pub use hints::{HintsError, RootHints};
pub use limits::Limits;
pub use nets::{Net, NetError, may_contact};
pub use route::{Route, RouteKind};
pub use signature::Signature;
pub use tape::Tape;
pub use transcript::{
    AuthenticBit, Checking, DnssecRecords, Explained, Recursion, RestsOn, Sections, Transcript,
    TranscriptQuery,
};
pub use validate::{Cryptography, OpenSsl};

use crate::clock::Clock;
use crate::dialer::Dialer;
use elsinore_dane::answer::{Answer, Question};
use futures_util::future::BoxFuture;
use std::fmt::Debug;
use std::sync::Arc;

/// Whether a cached answer will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// A cached answer within its TTL will do.
    Cached,
    /// Ask the servers again (the cache is refreshed).
    Fresh,
}

/// A resolver that knows what is secure. Every lookup has a deadline of the implementation's own.
//= spec: 7672-2.1.1-1
pub trait SecureResolver: Debug + Send + Sync {
    /// Answers `question`, following aliases, each link with its own security.
    fn lookup<'a>(&'a self, question: &'a Question, freshness: Freshness) -> BoxFuture<'a, Answer>;
}

/// The resolver of this project in its three modes. Cheap to share behind an [`Arc`]; caches are
/// its own.
#[derive(Debug)]
pub struct Resolver {
    core: core::Core,
}

impl Resolver {
    /// A resolver that asks through `dialer` and judges signature times by `clock`.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration cannot work: no upstream, a remote AD bit, no
    /// anchor, no root server.
    pub fn new(
        config: ResolverConfig,
        dialer: Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            core: core::Core::new(config, dialer, clock),
        })
    }

    /// Octets of memory in use by the cache, its tables included; never more than
    /// [`ResolverConfig::cache_octets`].
    #[must_use]
    pub fn cache_octets(&self) -> usize {
        self.core.cache.octets()
    }
}

impl SecureResolver for Resolver {
    fn lookup<'a>(&'a self, question: &'a Question, freshness: Freshness) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            match self.core.config.mode {
                Mode::Recursive | Mode::Forward => self.core.follow(question, freshness).await,
                Mode::Ad => {
                    let recursion = Recursion::Desired;
                    self.core
                        .ask_validator(question, freshness, recursion)
                        .await
                }
            }
        })
    }
}
