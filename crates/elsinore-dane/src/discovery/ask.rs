//! Questions out, answers in.

use crate::answer::{Answer, Question};
use crate::mta_sts::StsFetch;
use crate::name::DomainName;

/// A question to be put, and the number under which its answer is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Hand this back with the reply.
    pub id: AskId,
    /// What to ask.
    pub query: Query,
}

/// The number of an [`Ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(pub(super) usize);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// A DNS question.
    Dns {
        /// The question.
        question: Question,
        /// Whether a cached answer will do.
        freshness: AskFreshness,
    },
    /// `https://mta-sts.<domain>/.well-known/mta-sts.txt` (RFC 8461 §3.3).
    StsPolicy {
        /// The policy domain.
        domain: DomainName,
        /// The `id` of the TXT record, for limiting repeated failures per id.
        id: String,
    },
}

/// Whether a cached answer will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AskFreshness {
    /// An answer within its TTL will do.
    #[default]
    Cached,
    /// The servers are to be asked again.
    Fresh,
}

/// What came back for an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// For [`Query::Dns`].
    Dns(Answer),
    /// For [`Query::StsPolicy`].
    StsPolicy(StsFetch),
}
