//! What the A and AAAA lookups of one host say: addresses, and how far the way to them is secure
//! (RFC 7672 §2.2.2). Each family is judged by itself.

use super::flaw::{Flaw, Flaws};
use crate::answer::{Answer, Last, RecordData};
use crate::name::DomainName;
use crate::security::Security;
use std::net::IpAddr;

/// The most addresses of one family that are considered.
const MAX_ADDRESSES: usize = 16;

/// One family of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Family {
    /// No answer yet.
    Pending,
    /// The lookup failed; the reason.
    Failed(String),
    /// There is data, but whether the zone of the host's own name is signed is unknown.
    Unjudged(String),
    /// An answer, data or denial.
    Seen(Seen),
}

/// An answer that can be believed for what its security says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Security of the first response: of the first alias, or of the data when there is none.
    pub(super) first: Security,
    /// Whether every link and the data are secure.
    pub(super) is_whole_secure: bool,
    /// The end of the alias chain, when the host is an alias.
    pub(super) expansion: Option<DomainName>,
    /// The addresses; empty for a denial.
    pub(super) addresses: Vec<IpAddr>,
    /// Why it is not secure; empty when it is.
    pub(super) reason: String,
}

impl Seen {
    /// The TLSA base domains in the order in which they are tried (RFC 7672 §2.2.3): the secure
    /// expansion, then the name itself if its own zone is signed. Never a name in between.
    pub(super) fn candidates(&self, name: &DomainName, flaws: Flaws) -> Vec<DomainName> {
        if flaws.has(Flaw::TlsaAskedInUnsignedZones) {
            return vec![name.clone()];
        }
        if self.is_whole_secure {
            return match &self.expansion {
                //= spec: 7672-2.2.2-6
                //= spec: 7672-2.2.3-6
                Some(expansion) if flaws.has(Flaw::ExpandedOnly) => vec![expansion.clone()],
                Some(_) if flaws.has(Flaw::OriginalOnly) => vec![name.clone()],
                Some(expansion) => vec![expansion.clone(), name.clone()],
                //= spec: 7672-2.2.2-4
                None => vec![name.clone()],
            };
        }
        //= spec: 7672-2.2.2-5
        if self.first == Security::Secure && !flaws.has(Flaw::FirstLinkIgnored) {
            return vec![name.clone()];
        }
        //= spec: 7672-2.2.2-2
        Vec::new()
    }
}

impl Family {
    /// Judges an answer of type A or AAAA.
    pub(super) fn judge(answer: &Answer, flaws: Flaws) -> Self {
        let addresses = match &answer.last {
            Last::Failed(failure) => return Self::Failed(failure.status.reason().to_owned()),
            Last::Denied(_) => Vec::new(),
            Last::Data(set) => addresses(&set.records),
        };
        let last = answer.last.status();
        let first = answer.chain.first().map_or(last, |link| &link.status);
        let mut first_security = first.security();
        if matches!(first_security, Security::Indeterminate | Security::Bogus) {
            if !flaws.has(Flaw::UnknownZoneIsUnsigned) {
                return Self::Unjudged(first.reason().to_owned());
            }
            first_security = Security::Insecure;
        }
        //= spec: 7672-2.1.3-1
        //= spec: 7672-2.1.3-2
        //= spec: 7672-2.1.3-3
        let overall = if flaws.has(Flaw::LastLinkDecides) {
            last
        } else {
            answer.overall()
        };
        //= spec: 7672-2.1.1-2
        match overall.security() {
            Security::Secure | Security::Insecure => {}
            Security::Indeterminate | Security::Bogus => {
                if !flaws.has(Flaw::UnknownZoneIsUnsigned) {
                    return Self::Failed(overall.reason().to_owned());
                }
            }
        }
        let is_whole_secure = overall.security() == Security::Secure;
        Self::Seen(Seen {
            first: first_security,
            is_whole_secure,
            expansion: answer.chain.last().map(|link| link.target.clone()),
            addresses,
            reason: if is_whole_secure {
                String::new()
            } else {
                overall.reason().to_owned()
            },
        })
    }

    pub(super) const fn seen(&self) -> Option<&Seen> {
        match self {
            Self::Seen(seen) => Some(seen),
            Self::Pending | Self::Failed(_) | Self::Unjudged(_) => None,
        }
    }

    /// Takes the result of asking again; one that failed does not replace one that did not.
    pub(super) fn renew(&mut self, newer: Self) {
        if newer.seen().is_some() || self.seen().is_none() {
            *self = newer;
        }
    }
}

fn addresses(records: &[RecordData]) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = Vec::with_capacity(records.len().min(MAX_ADDRESSES));
    for record in records {
        let address = match record {
            RecordData::A(v4) => IpAddr::V4(*v4),
            RecordData::Aaaa(v6) => IpAddr::V6(*v6),
            RecordData::Mx { .. }
            | RecordData::Tlsa(_)
            | RecordData::Txt(_)
            | RecordData::Name(_)
            | RecordData::Other(_) => continue,
        };
        if addresses.len() == MAX_ADDRESSES {
            break;
        }
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// IPv6 and IPv4 in turn, IPv6 first, each family in the order in which DNS gave it.
pub(super) fn interleave(v6: &[IpAddr], v4: &[IpAddr]) -> Vec<IpAddr> {
    let mut both = Vec::with_capacity(v6.len() + v4.len());
    for index in 0..v6.len().max(v4.len()) {
        both.extend(v6.get(index));
        both.extend(v4.get(index));
    }
    both
}
