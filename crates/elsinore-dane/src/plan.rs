//! The result of discovery: per MX host the addresses and the obligation, or why there is none.

use crate::finding::Finding;
use crate::name::DomainName;
use crate::obligation::Obligation;
use std::net::IpAddr;

/// One host of the plan, in the order in which hosts are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPlan {
    /// The host as the MX record (or the administrator) names it, never an alias target; the
    /// text of an address literal when there is no name.
    pub mx_host: String,
    /// MX preference; `None` for an implicit MX and for a configured host.
    pub preference: Option<u16>,
    /// How the host was found, and whether that can be believed.
    pub source: HostSource,
    /// The secure end of the host's alias chain, when the host is an alias and every link and
    /// the address are secure.
    pub secure_expansion: Option<DomainName>,
    /// Addresses in the order to try, IPv6 and IPv4 interleaved. Empty when the host is skipped.
    pub addresses: Vec<IpAddr>,
    /// TCP port.
    pub port: u16,
    /// What the session is obliged to.
    pub obligation: Obligation,
    /// The lowest TLS version the obligation allows.
    pub min_tls: TlsVersion,
    /// Server name to send (RFC 7672 §8.1); `None` for address literals.
    pub sni: Option<DomainName>,
    /// Where the host stands under the domain's MTA-STS policy.
    pub sts: StsStance,
    /// What was noticed about this host.
    pub findings: Vec<Finding>,
}

impl HostPlan {
    /// Whether the session may be reported as delivery to the next-hop domain itself: the MX
    /// RRset (or its absence) is secure, or the administrator named the host (RFC 7672 §2.2.1).
    #[must_use]
    pub const fn mx_secure(&self) -> bool {
        self.source.is_trusted()
    }
}

/// How a host was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostSource {
    /// An MX RRset, every alias link and the set itself secure.
    SecureMx,
    /// An MX RRset that nothing protects.
    InsecureMx,
    /// No MX records, securely denied: the domain is its own host (RFC 5321 §5.1).
    SecureImplicit,
    /// No MX records, denied without protection.
    InsecureImplicit,
    /// Named by the administrator, or an address literal: no MX lookup.
    Configured,
}

impl HostSource {
    /// Whether the step from the next-hop domain to the host can be believed.
    #[must_use]
    pub const fn is_trusted(self) -> bool {
        match self {
            Self::SecureMx | Self::SecureImplicit | Self::Configured => true,
            Self::InsecureMx | Self::InsecureImplicit => false,
        }
    }

    /// Whether an MX record named the host.
    #[must_use]
    pub const fn is_mx(self) -> bool {
        match self {
            Self::SecureMx | Self::InsecureMx => true,
            Self::SecureImplicit | Self::InsecureImplicit | Self::Configured => false,
        }
    }
}

/// Where one host stands under the domain's MTA-STS policy (RFC 8461 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StsStance {
    /// No policy applies, or DANE decides alone.
    #[default]
    None,
    /// An *enforce* policy lists the host; a valid certificate for it is required.
    Enforced,
    /// An *enforce* policy does not list the host: it is skipped.
    Refused,
    /// A *testing* policy lists the host: the session is evaluated for reports only.
    TestingListed,
    /// A *testing* policy does not list the host: a failure for reports only.
    TestingUnlisted,
}

/// TLS protocol versions, for lower bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.0 (RFC 2246); only ever opportunistic.
    Tls10,
    /// TLS 1.1 (RFC 4346); only ever opportunistic.
    Tls11,
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// A decision about the whole destination: no host will be contacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// RFC 3463 code, `5.x` for a bounce and `4.x` for a deferral.
    pub code: EnhancedCode,
    /// One line, lower case, no full stop.
    pub reason: String,
}

/// An enhanced status code (RFC 3463 §2, registry of RFC 5248).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    /// 2, 4 or 5.
    pub class: u8,
    /// Subject.
    pub subject: u16,
    /// Detail.
    pub detail: u16,
}

impl EnhancedCode {
    /// The code `class.subject.detail`.
    #[must_use]
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self {
            class,
            subject,
            detail,
        }
    }
}

impl std::fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}
