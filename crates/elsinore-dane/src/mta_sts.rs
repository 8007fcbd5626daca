//! MTA-STS as a sender sees it: the TXT record, the policy and its age (RFC 8461 §3 to §5).
//! Fetching over HTTPS is the caller's.

mod pattern;
mod policy;
mod record;

pub use pattern::MxPattern;
pub use policy::{MAX_POLICY_OCTETS, PolicyError, StsMode, StsPolicy};
pub use record::{RecordError, StsRecord, announced, select, select_in};

use crate::name::DomainName;
use crate::time::UnixTime;

/// A policy that was fetched, with the `id` of the TXT record that announced it.
///
/// The trust anchors under which the `id` was learnt are the caller's to store beside it: what
/// was learnt under one set of anchors is never used under another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedPolicy {
    /// The policy domain: the recipient's domain or the smart host's (RFC 8461 §3.4).
    pub domain: DomainName,
    /// The `id` of the record.
    pub id: String,
    /// The policy.
    pub policy: StsPolicy,
    /// When it was fetched.
    pub fetched_at: UnixTime,
}

impl CachedPolicy {
    /// The first moment at which the policy no longer binds (RFC 8461 §3.2, `max_age`).
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.fetched_at.plus_seconds(i64::from(self.policy.max_age))
    }

    /// Whether the policy still binds at `now`. A clock that ran backwards does not unbind it.
    #[must_use]
    pub fn is_current(&self, now: UnixTime) -> bool {
        now < self.expires_at()
    }

    /// Whether it is time to fetch the policy again before it expires (RFC 8461 §3.3 suggests
    /// daily, §10 says why): a day after the fetch, or after half its life when that is shorter.
    /// Answered `false` for mode `none`, which nothing is lost by forgetting.
    #[must_use]
    pub fn wants_refresh(&self, now: UnixTime) -> bool {
        if self.policy.mode == StsMode::None {
            return false;
        }
        let after = (i64::from(self.policy.max_age) / 2).min(REFRESH_SECONDS);
        now >= self.fetched_at.plus_seconds(after)
    }
}

impl CachedPolicy {
    /// The same for a look that does not wait for mail: between three quarters of that time and all of
    /// it, by `spread` out of 1,000, so that policies fetched together do not stay together.
    #[must_use]
    pub fn wants_refresh_ahead(&self, now: UnixTime, spread: u16) -> bool {
        let after = (i64::from(self.policy.max_age) / 2).min(REFRESH_SECONDS);
        let early = after / 4 * i64::from(spread.min(1_000)) / 1_000;
        self.wants_refresh(now.plus_seconds(early))
    }
}

/// One day, in seconds.
const REFRESH_SECONDS: i64 = 86_400;

/// What came of fetching a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StsFetch {
    /// The body of a 200 reply, at most [`MAX_POLICY_OCTETS`].
    Fetched(Vec<u8>),
    /// No policy could be fetched.
    Failed(StsFetchError),
}

/// Why no policy could be fetched (RFC 8461 §3.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StsFetchError {
    /// The policy host has no address, or its lookup failed.
    #[error("the address lookup of the policy host failed: {0}")]
    Dns(String),
    /// No connection to the policy host.
    #[error("no connection to the policy host: {0}")]
    Connect(String),
    /// The certificate of the policy host is not valid for it.
    #[error("the policy host's certificate is not valid: {0}")]
    Certificate(String),
    /// The TLS handshake failed for another reason.
    #[error("the TLS handshake with the policy host failed: {0}")]
    Tls(String),
    /// Not an answer of status 200; redirects are not followed.
    #[error("the policy host answered with HTTP status {0}")]
    Status(u16),
    /// Not `text/plain`.
    #[error("the policy is not text/plain")]
    MediaType,
    /// Longer than [`MAX_POLICY_OCTETS`].
    #[error("the policy is longer than 64 kilobytes")]
    TooLarge,
    /// Malformed HTTP.
    #[error("the policy host's answer is malformed: {0}")]
    Http(String),
    /// The deadline passed.
    #[error("the policy host did not answer in time")]
    Timeout,
    /// Not tried again yet after a recent failure for the same `id` (RFC 8461 §3.3).
    #[error("not fetched again yet after a recent failure")]
    Throttled,
    /// This sender does not fetch policies.
    #[error("policies are not fetched")]
    Disabled,
}
