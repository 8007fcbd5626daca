//! What a resolver is told: the mode, where to ask, whom to trust, how far to go.

use super::anchors::TrustAnchors;
use super::hints::RootHints;
use super::limits::Limits;
use super::nets::Net;
use super::route::Route;
use super::tape::Tape;
use super::validate::{Cryptography, OpenSsl};
use elsinore_dane::name::DomainName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How answers are found and who vouches for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
//= spec: 7672-2.1.1-5
pub enum Mode {
    /// Iterate from the root hints and validate here.
    #[default]
    Recursive,
    /// Ask the upstream resolvers with CD=1 and DO=1 and validate here.
    Forward,
    /// Believe the AD bit of the upstream resolvers (RFC 6698 §A.3).
    Ad,
}

/// Whose AD bit is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdTrust {
    /// Only that of a resolver on a loopback address; any other upstream is refused.
    #[default]
    LoopbackOnly,
    /// That of every configured upstream: the administrator vouches for the path.
    AnyUpstream,
}

/// What signatures of algorithms 5 and 7 (SHA-1) count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sha1Signatures {
    /// They validate, as they still do nearly everywhere.
    #[default]
    Accepted,
    /// The algorithms count as unknown: a zone that has no other is insecure (RFC 4035 §5.2).
    Unknown,
}

/// How much of a name the servers on the way to it get to see (RFC 9156).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Minimisation {
    /// Every server is asked the whole question.
    Off,
    /// The servers of the root and of top-level zones see one label more than their own zone. An
    /// error or a denial of the shortened name is not believed: the whole name is asked then, so
    /// that a server that denies empty non-terminals hides nothing below them.
    #[default]
    Relaxed,
    /// As `Relaxed`, but at every zone: servers below top-level zones, too, see a name label by
    /// label. It hides little more, for the whole name goes to the same servers in the end, and
    /// costs queries; what it brings to light is servers that deny empty non-terminals
    /// ([`Oddity`](elsinore_dane::answer::Oddity)).
    Everywhere,
}

/// What validated NSEC and NSEC3 records are used for beyond the reply they came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AggressiveDenial {
    /// What they show not to exist is denied without a query (RFC 8198).
    #[default]
    Synthesised,
    /// Every denial is asked for.
    Asked,
}

/// What a zone that is signed with several algorithms must show (RFC 6840 §5.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AlgorithmDowngrade {
    /// One valid signature of any algorithm will do, as a validator should have it.
    #[default]
    Accepted,
    /// Every algorithm of the DS set or the trust anchors must have a valid signature, so that
    /// breaking the weakest of them is not enough. Zones amid a change of algorithm may fail.
    Refused,
}

/// Everything a [`Resolver`](super::Resolver) is built from.
#[derive(Debug, Clone)]
pub struct ResolverConfig {
    /// Recursive, forward or ad.
    pub mode: Mode,
    /// Root servers, for [`Mode::Recursive`].
    pub hints: RootHints,
    /// Where trust starts, for [`Mode::Recursive`] and [`Mode::Forward`]. Names under no anchor
    /// are insecure.
    pub anchors: TrustAnchors,
    /// Upstream resolvers, for [`Mode::Forward`] and [`Mode::Ad`]; exempt from `allow_nets`.
    pub upstreams: Vec<SocketAddr>,
    /// Zones asked for at servers of their own, for [`Mode::Recursive`] and [`Mode::Forward`].
    pub routes: Vec<Route>,
    /// How much of a name servers on the way get to see, for [`Mode::Recursive`].
    pub minimisation: Minimisation,
    /// Whose AD bit is believed, for [`Mode::Ad`].
    pub ad_trust: AdTrust,
    /// Names at and below which signatures are not asked for: all there is insecure (RFC 7646),
    /// down to a deeper trust anchor. At the name of a trust anchor the negative one decides.
    pub negative_anchors: Vec<DomainName>,
    /// Ranges opened for name servers beside the globally routable addresses.
    pub allow_nets: Vec<Net>,
    /// The algorithms and digests that count, and the code that checks them.
    pub cryptography: Arc<dyn Cryptography>,
    /// Sockets open at one time, at most. By default half of the files that the process may open
    /// when the configuration is made.
    pub sockets: usize,
    /// Whether one of several algorithms of a zone will do.
    pub algorithm_downgrade: AlgorithmDowngrade,
    /// How long one lookup may take, all included.
    pub deadline: Duration,
    /// Bounds on the work of one lookup.
    pub limits: Limits,
    /// Whether cached proofs answer for names they were not asked for, for [`Mode::Recursive`] and
    /// [`Mode::Forward`].
    pub aggressive_denial: AggressiveDenial,
    /// Octets of memory that all caches together take, at most, their own tables included.
    pub cache_octets: usize,
    /// Whether what is asked and answered is recorded, or comes from a recording.
    pub tape: Tape,
}

impl Default for ResolverConfig {
    fn default() -> Self {
        Self {
            mode: Mode::Recursive,
            hints: RootHints::shipped(),
            anchors: TrustAnchors::shipped(),
            upstreams: Vec::new(),
            routes: Vec::new(),
            minimisation: Minimisation::Relaxed,
            ad_trust: AdTrust::LoopbackOnly,
            negative_anchors: Vec::new(),
            allow_nets: Vec::new(),
            cryptography: Arc::new(OpenSsl::default()),
            sockets: open_files() / 2,
            algorithm_downgrade: AlgorithmDowngrade::Accepted,
            deadline: Duration::from_secs(10),
            limits: Limits::default(),
            aggressive_denial: AggressiveDenial::Synthesised,
            cache_octets: 128 << 20,
            tape: Tape::Off,
        }
    }
}

/// The files that this process may open.
fn open_files() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    // Who has no limit has a million.
    let current = limit.current.unwrap_or(1 << 20).min(1 << 20);
    usize::try_from(current).unwrap_or(1 << 10)
}

/// Raises the number of files that this process may open to what the system grants it, for the
/// sockets of many lookups at one time. Where the system refuses, the limit stays.
pub fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, wanted);
}

/// Why a configuration cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `forward` and `ad` need somebody to ask.
    #[error("dns: this mode needs at least one upstream resolver")]
    NoUpstream,
    /// The AD bit of a resolver that is not on this machine.
    #[error(
        "dns: {0} is not on loopback: its AD bit cannot be trusted over the network, unless the \
         administrator vouches for the way there (ad_trust)"
    )]
    RemoteAd(SocketAddr),
    /// No root server to start from.
    #[error("dns: no root server to start from")]
    NoHints,
    /// No trust anchor.
    #[error("dns: no trust anchor")]
    NoAnchor,
    /// All anchors of the root are of algorithms or digest types that cannot be checked here:
    /// everything would be insecure.
    #[error(
        "dns: the trust anchors of the root are of algorithms or digest types that cannot be \
         checked: everything would be insecure"
    )]
    UnusableAnchor,
    /// A route without a server.
    #[error("dns: the route for {0} names no server")]
    EmptyRoute(DomainName),
    /// The AD bit comes from the upstream alone: what another server says has none.
    #[error("dns: mode ad asks its upstream for everything and knows no routes")]
    RouteInAd,
}

impl ResolverConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let needs_upstream = matches!(self.mode, Mode::Forward | Mode::Ad);
        if needs_upstream && self.upstreams.is_empty() {
            return Err(ConfigError::NoUpstream);
        }
        let covered = self.routes.iter().any(|route| route.zone.is_root());
        if self.mode == Mode::Recursive && self.hints.addresses().is_empty() && !covered {
            return Err(ConfigError::NoHints);
        }
        if let Some(route) = self.routes.iter().find(|route| route.servers.is_empty()) {
            return Err(ConfigError::EmptyRoute(route.zone.clone()));
        }
        if self.mode == Mode::Ad && !self.routes.is_empty() {
            return Err(ConfigError::RouteInAd);
        }
        if self.mode != Mode::Ad && self.anchors.is_empty() {
            return Err(ConfigError::NoAnchor);
        }
        if self.mode != Mode::Ad && self.anchors.has_unusable_root(self.cryptography.as_ref()) {
            return Err(ConfigError::UnusableAnchor);
        }
        //= spec: 7672-2.1.1-6
        if self.mode == Mode::Ad && self.ad_trust == AdTrust::LoopbackOnly {
            for upstream in &self.upstreams {
                if !upstream.ip().to_canonical().is_loopback() {
                    return Err(ConfigError::RemoteAd(*upstream));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What README.md and the benchmarks say of a resolver that was told nothing.
    #[test]
    fn defaults() {
        let config = ResolverConfig::default();
        assert_eq!(config.deadline, Duration::from_secs(10));
        assert_eq!(config.cache_octets, 128 * 1_048_576);
        assert_eq!(config.mode, Mode::Recursive);
        assert_eq!(config.minimisation, Minimisation::Relaxed);
        let counted = (0..=u8::MAX).filter(|code| config.cryptography.supports(*code));
        assert_eq!(counted.collect::<Vec<u8>>(), [5, 7, 8, 10, 13, 14, 15, 16]);
    }

    #[test]
    //= spec-test: 7672-2.1.1-6
    fn checked() {
        let with = |mode, upstreams: &[&str], ad_trust| ResolverConfig {
            mode,
            upstreams: upstreams.iter().map(|text| text.parse().unwrap()).collect(),
            ad_trust,
            ..ResolverConfig::default()
        };
        let local = AdTrust::LoopbackOnly;
        for (config, expected) in [
            (with(Mode::Recursive, &[], local), Ok(())),
            (
                with(Mode::Forward, &[], local),
                Err(ConfigError::NoUpstream),
            ),
            (with(Mode::Forward, &["192.0.2.1:53"], local), Ok(())),
            (with(Mode::Ad, &["127.0.0.1:53", "[::1]:53"], local), Ok(())),
            (
                with(Mode::Ad, &["127.0.0.1:53", "192.0.2.1:53"], local),
                Err(ConfigError::RemoteAd("192.0.2.1:53".parse().unwrap())),
            ),
            (
                with(Mode::Ad, &["192.0.2.1:53"], AdTrust::AnyUpstream),
                Ok(()),
            ),
        ] {
            assert_eq!(config.check(), expected, "{config:?}");
        }
    }
}
