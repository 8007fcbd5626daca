//! The form in which DNS reaches the decision engine: a question, the alias links that were
//! followed, and what stood at the end, each with its own security. Failures are values.

use crate::name::DomainName;
use crate::security::Status;
use crate::tlsa::TlsaRecord;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The record types that are asked for. The number is the IANA type code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(
    missing_docs,
    reason = "the variants are the RR types of the same name"
)]
pub enum RecordType {
    A,
    Aaaa,
    Ns,
    Cname,
    Soa,
    Mx,
    Txt,
    Ds,
    Dnskey,
    Tlsa,
    /// Any other type, by number (RFC 3597).
    Other(u16),
}

impl RecordType {
    /// The IANA type code.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Cname => 5,
            Self::Soa => 6,
            Self::Mx => 15,
            Self::Txt => 16,
            Self::Aaaa => 28,
            Self::Ds => 43,
            Self::Dnskey => 48,
            Self::Tlsa => 52,
            Self::Other(code) => code,
        }
    }

    /// The type with that IANA code.
    #[must_use]
    pub const fn from_code(code: u16) -> Self {
        match code {
            1 => Self::A,
            2 => Self::Ns,
            5 => Self::Cname,
            6 => Self::Soa,
            15 => Self::Mx,
            16 => Self::Txt,
            28 => Self::Aaaa,
            43 => Self::Ds,
            48 => Self::Dnskey,
            52 => Self::Tlsa,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Ns => "NS",
            Self::Cname => "CNAME",
            Self::Soa => "SOA",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Ds => "DS",
            Self::Dnskey => "DNSKEY",
            Self::Tlsa => "TLSA",
            Self::Other(code) => return write!(f, "TYPE{code}"),
        })
    }
}

/// What is asked, class IN.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    /// The owner name asked for.
    pub name: DomainName,
    /// The type asked for.
    pub record_type: RecordType,
}

impl Question {
    /// A question of class IN.
    #[must_use]
    pub const fn new(name: DomainName, record_type: RecordType) -> Self {
        Self { name, record_type }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.record_type)
    }
}

/// The answer to one [`Question`]: zero or more alias links, then the end of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// The alias links in the order followed; the first owner is the question's name.
    pub chain: Vec<AliasLink>,
    /// What stood at the last name. A failure after some links keeps the links.
    pub last: Last,
    /// What servers did wrong on the way without changing the answer. Seen when servers were
    /// asked; an answer from a cache has none.
    pub oddities: Vec<Oddity>,
}

/// A fault of servers that a resolver has worked around, and others may not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Oddity {
    /// The servers of `zone` say that `name` does not exist, though it has names below it: the
    /// names below are lost to resolvers that believe them (RFC 8020 §2).
    EmptyNonTerminalDenied {
        /// The name that was denied.
        name: DomainName,
        /// The zone whose servers denied it.
        zone: DomainName,
    },
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyNonTerminalDenied { name, zone } => write!(
                f,
                "the servers of {zone} deny {name}, though there are names below it"
            ),
        }
    }
}

impl Answer {
    /// The name at which the chain ends: the last alias target, else the question's name.
    #[must_use]
    pub fn final_name(&self) -> &DomainName {
        self.chain
            .last()
            .map_or(&self.question.name, |link| &link.target)
    }

    /// The worst security of all links and the end.
    #[must_use]
    pub fn overall(&self) -> &Status {
        let mut worst = self.last.status();
        for link in &self.chain {
            if link.status.security() > worst.security() {
                worst = &link.status;
            }
        }
        worst
    }

    /// Seconds for which the whole answer may be reused: the least of its links and its end
    /// (RFC 1035 §3.2.1, RFC 2308 §5). `None` for a failure, which nobody gave a time to.
    #[must_use]
    pub fn ttl(&self) -> Option<u32> {
        let last = match &self.last {
            Last::Data(rrset) => rrset.ttl,
            Last::Denied(denial) => denial.ttl,
            Last::Failed(_) => return None,
        };
        Some(self.chain.iter().map(|link| link.ttl).fold(last, u32::min))
    }

    /// The extended DNS error that says what is wrong, if anything is: that of the server whose
    /// word decided, else our own (RFC 8914 §4).
    #[must_use]
    pub fn extended_error(&self) -> Option<ExtendedError> {
        if let Last::Failed(Failure { ede: Some(ede), .. }) = &self.last {
            return Some(ede.clone());
        }
        let status = self.overall();
        status.ede().map(|code| ExtendedError {
            code,
            text: status.reason().to_owned(),
        })
    }
}

/// One alias: `owner CNAME target`, possibly synthesised from a DNAME.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasLink {
    /// The alias.
    pub owner: DomainName,
    /// Whether the link is a CNAME or was synthesised from a DNAME (RFC 6672 §3).
    pub kind: AliasKind,
    /// The name it stands for.
    pub target: DomainName,
    /// Security of this link alone.
    pub status: Status,
    /// Seconds for which the link may be reused.
    pub ttl: u32,
}

/// Which record made an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AliasKind {
    /// A CNAME record (RFC 1034 §3.6.2).
    Cname,
    /// A DNAME record and the CNAME synthesised from it (RFC 6672).
    Dname,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Last {
    /// Records of the type asked for.
    Data(RrSet),
    /// *Shown* absent: with proof when secure, under an unsigned delegation when insecure.
    Denied(Denial),
    /// Not found out. Never to be taken for an absence.
    Failed(Failure),
}

impl Last {
    /// The status of the end alone.
    #[must_use]
    pub const fn status(&self) -> &Status {
        match self {
            Self::Data(rrset) => &rrset.status,
            Self::Denied(denial) => &denial.status,
            Self::Failed(failure) => &failure.status,
        }
    }
}

/// One RRset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RrSet {
    /// Owner of the records (the end of the alias chain).
    pub owner: DomainName,
    /// The records; at least one.
    pub records: Vec<RecordData>,
    /// [`Security::Secure`](crate::security::Security) or `Insecure` only.
    pub status: Status,
    /// Seconds for which the set may be reused; never beyond its signature's expiry.
    pub ttl: u32,
}

/// A denial of existence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What is denied.
    pub kind: DenialKind,
    /// `Secure` or `Insecure` only.
    pub status: Status,
    /// Seconds for which the denial may be reused (RFC 2308 §5).
    pub ttl: u32,
}

/// The two denials (RFC 2308 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenialKind {
    /// The name exists, the type does not.
    NoData,
    /// The name does not exist.
    NxDomain,
}

/// A lookup that ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `Bogus` or `Indeterminate` only.
    pub status: Status,
    /// The extended DNS error the server sent, if any (RFC 8914).
    pub ede: Option<ExtendedError>,
}

/// An extended DNS error (RFC 8914 §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedError {
    /// INFO-CODE.
    pub code: u16,
    /// EXTRA-TEXT, may be empty; text of a stranger, to be shown quoted.
    pub text: String,
}

impl ExtendedError {
    /// The name of the code in the registry "Extended DNS Error Codes"; nothing for codes
    /// assigned later than RFC 9276.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        const NAMES: [&str; 25] = [
            "Other Error",
            "Unsupported DNSKEY Algorithm",
            "Unsupported DS Digest Type",
            "Stale Answer",
            "Forged Answer",
            "DNSSEC Indeterminate",
            "DNSSEC Bogus",
            "Signature Expired",
            "Signature Not Yet Valid",
            "DNSKEY Missing",
            "RRSIGs Missing",
            "No Zone Key Bit Set",
            "NSEC Missing",
            "Cached Error",
            "Not Ready",
            "Blocked",
            "Censored",
            "Filtered",
            "Prohibited",
            "Stale NXDomain Answer",
            "Not Authoritative",
            "Not Supported",
            "No Reachable Authority",
            "Network Error",
            "Invalid Data",
        ];
        match self.code {
            25 => Some("Signature Expired before Valid"),
            26 => Some("Too Early"),
            27 => Some("Unsupported NSEC3 Iterations Value"),
            code => NAMES.get(usize::from(code)).copied(),
        }
    }
}

/// The data of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A mail exchanger (RFC 5321 §5.1); a root `exchange` is a null MX (RFC 7505).
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// The MX host.
        exchange: DomainName,
    },
    /// A TLSA record, usable or not.
    Tlsa(TlsaRecord),
    /// A TXT record, its character-strings joined without separator (RFC 8461 §3.1).
    Txt(Vec<u8>),
    /// A name: NS or CNAME data.
    Name(DomainName),
    /// Anything else: the RDATA in presentation format, or RFC 3597 form.
    Other(String),
}
