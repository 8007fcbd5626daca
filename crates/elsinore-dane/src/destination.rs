//! What the administrator decided for single destinations: level, names, pins, relay (design
//! of the levels after Postfix' `smtp_tls_policy_maps`, whose words they keep).

use crate::name::DomainName;
use crate::next_hop::{NextHop, Target};
use crate::time::UnixTime;
use std::fmt;
use std::str::FromStr;

/// How much security the administrator asks for, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// TLS is not attempted.
    None,
    /// TLS if offered, whatever the certificate.
    May,
    /// TLS always, whatever the certificate.
    Encrypt,
    /// What the recipient securely announced; opportunistic otherwise.
    #[default]
    Dane,
    /// DANE under a secure MX, or no delivery (RFC 7672 §6).
    DaneOnly,
    /// A certificate of a public CA for the MX host.
    Verify,
    /// A certificate of a public CA for the next-hop domain or a name below it.
    Secure,
    /// A pinned certificate or key.
    Fingerprint,
}

impl Level {
    /// Every level, weakest first.
    pub const ALL: [Self; 8] = [
        Self::None,
        Self::May,
        Self::Encrypt,
        Self::Dane,
        Self::DaneOnly,
        Self::Verify,
        Self::Secure,
        Self::Fingerprint,
    ];

    /// The word used in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::May => "may",
            Self::Encrypt => "encrypt",
            Self::Dane => "dane",
            Self::DaneOnly => "dane-only",
            Self::Verify => "verify",
            Self::Secure => "secure",
            Self::Fingerprint => "fingerprint",
        }
    }
}

/// How a [`Level`] relates to what the recipient announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// The level is a floor: what DANE or MTA-STS demand is demanded as well.
    #[default]
    Minimum,
    /// The level is all there is: announcements outside it are not even looked up.
    Exact,
}

impl Mode {
    /// The word used in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Minimum => "minimum",
            Self::Exact => "exact",
        }
    }
}

/// What TLSA records are worth when the MX RRset is insecure (RFC 7672 §2.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InsecureMx {
    /// They are used to authenticate the MX host; the log says *Trusted*, not *Verified*.
    #[default]
    Dane,
    /// They oblige to TLS, not to authentication.
    Encrypt,
    /// They are not looked up.
    May,
}

impl InsecureMx {
    /// The word used in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dane => "dane",
            Self::Encrypt => "encrypt",
            Self::May => "may",
        }
    }
}

/// A word of the configuration that is none of the expected ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is none of: {expected}")]
pub struct UnknownWord {
    /// What was written.
    pub found: String,
    /// The words, separated by blanks.
    pub expected: &'static str,
}

macro_rules! words {
    ($type:ty, $expected:literal, [$($value:expr),+ $(,)?]) => {
        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                [$($value),+].into_iter().find(|value| value.word() == text).ok_or_else(|| {
                    UnknownWord { found: text.to_owned(), expected: $expected }
                })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words!(
    Level,
    "none may encrypt dane dane-only verify secure fingerprint",
    [
        Self::None,
        Self::May,
        Self::Encrypt,
        Self::Dane,
        Self::DaneOnly,
        Self::Verify,
        Self::Secure,
        Self::Fingerprint
    ]
);
words!(Mode, "minimum exact", [Self::Minimum, Self::Exact]);
words!(
    InsecureMx,
    "dane encrypt may",
    [Self::Dane, Self::Encrypt, Self::May]
);

/// A name the certificate may carry at level `verify` or `secure`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MatchName {
    /// `hostname`: the MX host as the MX record names it.
    Hostname,
    /// `nexthop`: the next-hop domain.
    NextHop,
    /// `dot-nexthop`: any name below the next-hop domain.
    DotNextHop,
    /// This name.
    Name(DomainName),
    /// `.name`: any name below this one.
    Below(DomainName),
}

impl FromStr for MatchName {
    type Err = crate::name::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "hostname" => Self::Hostname,
            "nexthop" => Self::NextHop,
            "dot-nexthop" => Self::DotNextHop,
            _ => match text.strip_prefix('.') {
                Some(parent) => Self::Below(DomainName::parse(parent)?),
                None => Self::Name(DomainName::parse(text)?),
            },
        })
    }
}

/// Which destinations an override is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DomainPattern {
    /// Exactly this domain.
    Domain(DomainName),
    /// `.parent`: every name below it, not the parent itself.
    Below(DomainName),
}

impl DomainPattern {
    /// Whether `domain` is meant.
    #[must_use]
    pub fn matches(&self, domain: &DomainName) -> bool {
        match self {
            Self::Domain(name) => name == domain,
            Self::Below(parent) => parent != domain && domain.is_at_or_below(parent),
        }
    }

    /// Larger is more particular: a domain before any parent, a longer parent before a shorter.
    fn specificity(&self) -> (u8, usize) {
        match self {
            Self::Domain(_) => (1, 0),
            Self::Below(parent) => (0, parent.labels().len()),
        }
    }
}

impl FromStr for DomainPattern {
    type Err = crate::name::NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix('.') {
            Some("") | None => DomainName::parse(text).map(Self::Domain),
            Some(parent) => DomainName::parse(parent).map(Self::Below),
        }
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(name) => write!(f, "{name}"),
            Self::Below(parent) => write!(f, ".{parent}"),
        }
    }
}

/// One override by the administrator (`[[destination]]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Which domains it is for.
    pub domain: DomainPattern,
    /// The security asked for; `None` leaves the default.
    pub level: Option<Level>,
    /// Floor or all there is.
    pub mode: Mode,
    /// Names for `verify` and `secure`; empty means `hostname` resp. `nexthop, dot-nexthop`.
    pub match_names: Vec<MatchName>,
    /// SHA-256 digests for `fingerprint`, of a certificate or of a SubjectPublicKeyInfo.
    pub pins: Vec<[u8; 32]>,
    /// Deliver here instead of to the domain's own MX hosts.
    pub relay: Option<NextHop>,
    /// TCP port instead of 25.
    pub port: Option<u16>,
    /// Overrides `policy.insecure_mx`.
    pub insecure_mx: Option<InsecureMx>,
    /// From this moment on the override no longer counts.
    pub expires: Option<UnixTime>,
    /// Why it was made; shown by `check`.
    pub reason: Option<String>,
}

impl Destination {
    /// An override for `domain` that changes nothing yet.
    #[must_use]
    pub const fn new(domain: DomainPattern) -> Self {
        Self {
            domain,
            level: None,
            mode: Mode::Minimum,
            match_names: Vec::new(),
            pins: Vec::new(),
            relay: None,
            port: None,
            insecure_mx: None,
            expires: None,
            reason: None,
        }
    }

    /// Whether the override has run out at `now`.
    #[must_use]
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }

    /// The next hop for a recipient of `domain`: the relay if there is one, with the port of
    /// the override unless the relay names its own.
    #[must_use]
    pub fn next_hop(&self, domain: &DomainName) -> NextHop {
        let mut hop = self.relay.clone().unwrap_or_else(|| NextHop {
            target: Target::Domain(domain.clone()),
            port: None,
        });
        hop.port = hop.port.or(self.port);
        hop
    }
}

/// What [`find`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    /// The override that applies.
    pub current: Option<&'a Destination>,
    /// More particular overrides that have run out; worth a finding.
    pub expired: Vec<&'a Destination>,
}

/// The override for `domain` at `now`: the domain itself before `.parent`, the longest parent
/// first; of two equal patterns the earlier one. Overrides that have run out are passed over.
#[must_use]
pub fn find<'a>(overrides: &'a [Destination], domain: &DomainName, now: UnixTime) -> Found<'a> {
    let mut matching: Vec<&Destination> = overrides
        .iter()
        .filter(|entry| entry.domain.matches(domain))
        .collect();
    matching.sort_by_key(|entry| std::cmp::Reverse(entry.domain.specificity()));
    let mut expired = Vec::new();
    for entry in matching {
        if !entry.is_expired(now) {
            return Found {
                current: Some(entry),
                expired,
            };
        }
        expired.push(entry);
    }
    Found {
        current: None,
        expired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pattern: &str, level: Level, expires: Option<i64>) -> Destination {
        let mut entry = Destination::new(pattern.parse().unwrap());
        entry.level = Some(level);
        entry.expires = expires.map(UnixTime);
        entry
    }

    #[test]
    fn most_particular_unexpired_override_wins() {
        let overrides = [
            entry(".example", Level::May, None),
            entry(".dept.example", Level::Encrypt, None),
            entry("host.dept.example", Level::Secure, Some(100)),
            entry("other.test", Level::None, Some(100)),
        ];
        for (domain, now, expected, expired) in [
            ("host.dept.example", 99, Some(Level::Secure), 0),
            ("host.dept.example", 100, Some(Level::Encrypt), 1),
            ("dept.example", 0, Some(Level::May), 0),
            ("a.b.dept.example", 0, Some(Level::Encrypt), 0),
            ("example", 0, None, 0),
            ("notexample", 0, None, 0),
            ("other.test", 100, None, 1),
        ] {
            let domain = DomainName::parse(domain).unwrap();
            let found = find(&overrides, &domain, UnixTime(now));
            assert_eq!(found.current.and_then(|d| d.level), expected, "{domain}");
            assert_eq!(found.expired.len(), expired, "{domain}");
        }
    }

    #[test]
    fn words_and_their_inverse() {
        for level in Level::ALL {
            assert_eq!(level.word().parse::<Level>().unwrap(), level);
        }
        assert!("Dane".parse::<Level>().is_err());
        assert_eq!("exact".parse::<Mode>().unwrap(), Mode::Exact);
        assert_eq!("may".parse::<InsecureMx>().unwrap(), InsecureMx::May);
        let name = DomainName::parse("example.org").unwrap();
        assert_eq!(
            ".example.org".parse::<MatchName>().unwrap(),
            MatchName::Below(name)
        );
        assert_eq!(
            "dot-nexthop".parse::<MatchName>().unwrap(),
            MatchName::DotNextHop
        );
    }

    #[test]
    fn relay_and_port() {
        let domain = DomainName::parse("example.org").unwrap();
        let mut entry = entry("example.org", Level::Dane, None);
        entry.port = Some(587);
        assert_eq!(entry.next_hop(&domain).to_string(), "example.org:587");
        entry.relay = Some(NextHop::parse("[relay.test]:26").unwrap());
        assert_eq!(entry.next_hop(&domain).to_string(), "[relay.test]:26");
        entry.relay = Some(NextHop::parse("[relay.test]").unwrap());
        assert_eq!(entry.next_hop(&domain).to_string(), "[relay.test]:587");
    }
}
