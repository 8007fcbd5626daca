//! From a next hop to a plan: which questions to ask, and what their answers oblige to.
//!
//! [`Discovery`] performs no I/O. The caller puts the questions of [`Discovery::next_asks`],
//! all at once, and hands each answer to [`Discovery::handle_reply`] in whatever order they
//! come. Hosts are decided one by one, in order of trial: as soon as [`Discovery::host`] says
//! `Decided` for the first one, mail can be delivered to it while the others are still looked up.

use crate::answer::{Answer, Question};
use crate::destination::{Destination, InsecureMx, Level, MatchName, Mode};
use crate::finding::Finding;
use crate::mta_sts::{CachedPolicy, StsFetch};
use crate::name::DomainName;
use crate::network::NetworkPolicy;
use crate::next_hop::NextHop;
use crate::plan::{HostPlan, Refusal, TlsVersion};
use crate::time::UnixTime;
use std::net::SocketAddr;

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
pub struct AskId(u32);

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

/// What the sender, the administrator and the message bring to the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscoveryPolicy {
    /// TCP port when the next hop names none.
    pub port: u16,
    /// Security asked for.
    pub level: Level,
    /// Floor or all there is.
    pub mode: Mode,
    /// Names for `verify` and `secure`; empty means the level's default.
    pub match_names: Vec<MatchName>,
    /// SHA-256 digests for `fingerprint`.
    pub pins: Vec<[u8; 32]>,
    /// What TLSA records are worth under an insecure MX.
    pub insecure_mx: InsecureMx,
    /// What the message itself asks for.
    pub message: MessageTls,
    /// The lowest TLS version of an authenticated session.
    pub min_authenticated: TlsVersion,
    /// Which addresses may be contacted.
    pub networks: NetworkPolicy,
    /// Which address families this machine can use.
    pub families: Families,
    /// Names of this relay; empty for `send`.
    pub own_names: Vec<DomainName>,
    /// Addresses and ports this relay listens on; empty for `send`.
    pub own_addresses: Vec<SocketAddr>,
    /// Whether MTA-STS is honoured.
    pub sts: StsUse,
    /// How `_mta-sts` is asked: [`AskFreshness::Fresh`] before a message is given up for a
    /// policy failure (RFC 8461 §5.1).
    pub sts_freshness: AskFreshness,
}

impl Default for DiscoveryPolicy {
    fn default() -> Self {
        Self {
            port: 25,
            level: Level::Dane,
            mode: Mode::Minimum,
            match_names: Vec::new(),
            pins: Vec::new(),
            insecure_mx: InsecureMx::Dane,
            message: MessageTls::Unspecified,
            min_authenticated: TlsVersion::Tls12,
            networks: NetworkPolicy::default(),
            families: Families::Both,
            own_names: Vec::new(),
            own_addresses: Vec::new(),
            sts: StsUse::Honour,
            sts_freshness: AskFreshness::Cached,
        }
    }
}

impl DiscoveryPolicy {
    /// Applies what `destination` sets. The next hop is [`Destination::next_hop`]'s.
    pub fn apply(&mut self, destination: &Destination) {
        if let Some(level) = destination.level {
            self.level = level;
            self.mode = destination.mode;
        }
        self.match_names.clone_from(&destination.match_names);
        self.pins.clone_from(&destination.pins);
        if let Some(insecure_mx) = destination.insecure_mx {
            self.insecure_mx = insecure_mx;
        }
    }
}

/// What a message asks for (RFC 8689). The ESMTP parameter beats the header field (§4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MessageTls {
    /// Neither. Notifications with an empty return path are sent like this too: REQUIRETLS is
    /// passed on where offered but must not stop them (§5).
    #[default]
    Unspecified,
    /// `REQUIRETLS` on MAIL FROM.
    Required,
    /// Header field `TLS-Required: No`: DANE and MTA-STS are not even looked up.
    Optional,
}

/// Address families that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Families {
    /// IPv6 and IPv4.
    #[default]
    Both,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

/// Whether MTA-STS is honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StsUse {
    /// Yes (RFC 8461).
    #[default]
    Honour,
    /// No: neither looked up nor applied.
    Ignore,
}

/// Whether there are hosts to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// Not known yet.
    Undecided,
    /// There are hosts; ask [`Discovery::host`] for each.
    Hosts {
        /// How many, those to be skipped included.
        count: usize,
    },
    /// The message is returned.
    Bounce(&'a Refusal),
    /// The message waits: no host can be tried now.
    Defer(&'a Refusal),
}

/// What is known of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostState<'a> {
    /// Questions are still open.
    Undecided,
    /// The plan; its obligation may be to skip the host.
    Decided(&'a HostPlan),
}

/// The state machine.
#[derive(Debug, Clone)]
pub struct Discovery {
    findings: Vec<Finding>,
}

impl Discovery {
    /// Starts the search. `sts_cached` is the stored policy of [`Discovery::policy_domain`], if
    /// any, whatever its age; `seed` shuffles hosts of equal preference.
    #[must_use]
    pub fn new(
        _next_hop: NextHop,
        _policy: DiscoveryPolicy,
        _sts_cached: Option<CachedPolicy>,
        _seed: u64,
        _now: UnixTime,
    ) -> Self {
        Self {
            findings: Vec::new(),
        }
    }

    /// The domain whose MTA-STS policy counts (RFC 8461 §3.4): the next-hop domain, or the name
    /// of the smart host; `None` for address literals.
    #[must_use]
    pub fn policy_domain(_next_hop: &NextHop) -> Option<&DomainName> {
        None
    }

    /// The questions to put now, all at once; each is returned once. Questions about hosts of a
    /// worse preference are returned when all better hosts are decided, so a caller that
    /// delivers to the first host need not call again.
    pub fn next_asks(&mut self) -> Vec<Ask> {
        Vec::new()
    }

    /// Takes the answer to an earlier [`Ask`]. Unknown and repeated numbers are ignored.
    pub fn handle_reply(&mut self, _id: AskId, _reply: Reply, _now: UnixTime) {}

    /// Whether there are hosts to try. `Hosts` can turn into `Bounce` or `Defer` when the last
    /// host is decided and every one is to be skipped.
    #[must_use]
    pub fn route(&self) -> Route<'_> {
        Route::Undecided
    }

    /// What is known of the host at `index`, in order of trial.
    #[must_use]
    pub fn host(&self, _index: usize) -> HostState<'_> {
        HostState::Undecided
    }

    /// Whether nothing is left to ask or to decide.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        false
    }

    /// What was noticed about the domain as a whole.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// A newly fetched policy, to be stored.
    #[must_use]
    pub fn sts_update(&self) -> Option<&CachedPolicy> {
        None
    }

    /// The policy that applies: the fetched one, else an unexpired cached one.
    #[must_use]
    pub fn sts_policy(&self) -> Option<&CachedPolicy> {
        None
    }

    /// To be asked before the host at `index` is used: the finding that it is weaker than what a
    /// host of better preference promised, or might have promised had its TLSA lookup not failed
    /// (RFC 7672 §2.2.1 demands the order, this project demands that it be said).
    #[must_use]
    pub fn weaker_than_better(&self, _index: usize) -> Option<Finding> {
        None
    }
}
