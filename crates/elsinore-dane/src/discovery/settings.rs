//! What a search is told once: by the sender, the administrator and the message.

use super::AskFreshness;
use crate::destination::{Destination, InsecureMx, Level, MatchName, Mode};
use crate::name::DomainName;
use crate::network::NetworkPolicy;
use crate::plan::TlsVersion;
use std::net::SocketAddr;

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
    /// Whether DANE is honoured.
    pub dane: DaneUse,
    /// Whether MTA-STS is honoured.
    pub sts: StsUse,
    /// How `_mta-sts` is asked: [`AskFreshness::Fresh`] before a message is given up for a
    /// policy failure (RFC 8461 §5.1).
    pub sts_freshness: AskFreshness,
    /// Whether hosts of a worse preference are looked up before the better ones are decided.
    pub look_ahead: LookAhead,
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
            dane: DaneUse::Honour,
            sts: StsUse::Honour,
            sts_freshness: AskFreshness::Cached,
            look_ahead: LookAhead::NextPreference,
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

/// Whether DANE is honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DaneUse {
    /// Yes (RFC 7672).
    #[default]
    Honour,
    /// No: TLSA records are neither looked up nor applied. This is how a sender decides that knows
    /// no DANE; a sender that delivers mail has no use for it.
    Ignore,
}

/// How far the questions run ahead of the decisions. What is decided is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LookAhead {
    /// Hosts of one preference at a time: whoever delivers mail seldom needs the worse ones.
    #[default]
    NextPreference,
    /// All hosts as soon as they are known: whoever needs every plan loses no time.
    AllHosts,
}
