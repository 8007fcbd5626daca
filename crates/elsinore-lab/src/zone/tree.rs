//! A zone ready to be asked: nodes in canonical order, RRsets with their signatures, and the
//! NSEC3 chain apart from the names (its owners are no names of the zone, RFC 5155 §7.1).

use bytes::Bytes;
use domain::base::iana::{Class, Nsec3HashAlgorithm, Rtype};
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};
use domain::base::{Name, Record, Ttl};
use domain::dnssec::common::nsec3_hash;
use domain::rdata::nsec3::{Nsec3Salt, OwnerHash};
use domain::rdata::{Rrsig, ZoneRecordData};
use domain::utils::base64;
use elsinore_dane::name::DomainName;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Bound;

/// A wire-format name. Its order is the canonical one (RFC 4034 §6.1).
pub(crate) type Fqdn = Name<Bytes>;
/// RDATA of any type.
pub(crate) type Rdata = ZoneRecordData<Bytes, Fqdn>;
/// A record.
pub(crate) type Rr = Record<Fqdn, Rdata>;

/// The records of one owner and type, with the signatures that cover them.
#[derive(Debug, Clone)]
pub(crate) struct Rrset {
    pub(crate) ttl: Ttl,
    pub(crate) records: Vec<Rdata>,
    pub(crate) signatures: Vec<Rrsig<Bytes, Fqdn>>,
    /// False once a fault made the signatures useless: what a validating resolver would find.
    pub(crate) intact: bool,
}

impl Rrset {
    pub(crate) const fn new(ttl: Ttl) -> Self {
        Self {
            ttl,
            records: Vec::new(),
            signatures: Vec::new(),
            intact: true,
        }
    }
}

/// All RRsets of one owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) sets: BTreeMap<Rtype, Rrset>,
}

/// The NSEC3 records of a zone by owner hash.
#[derive(Debug, Clone)]
pub(crate) struct Nsec3Chain {
    pub(crate) iterations: u16,
    pub(crate) salt: Nsec3Salt<Bytes>,
    pub(crate) opt_out: bool,
    /// Hash to owner name and RRset, in hash order.
    pub(crate) hashes: BTreeMap<Vec<u8>, (Fqdn, Rrset)>,
}

/// One zone, signed or not, as its servers hold it.
#[derive(Debug, Clone)]
pub struct Zone {
    pub(crate) apex: Fqdn,
    pub(crate) apex_name: DomainName,
    pub(crate) version: u8,
    pub(crate) nodes: BTreeMap<Fqdn, Node>,
    pub(crate) nsec3: Option<Nsec3Chain>,
    pub(crate) signed: bool,
    /// Whether answers carry NSEC and NSEC3 records.
    pub(crate) denial_served: bool,
}

impl Zone {
    /// The zone's apex.
    #[must_use]
    pub const fn apex(&self) -> &DomainName {
        &self.apex_name
    }

    /// 0 for the version that the parent knows.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// Whether the zone is signed (says nothing of the signatures' worth).
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        self.signed
    }

    /// Whether the zone proves absence with NSEC3.
    #[must_use]
    pub const fn uses_nsec3(&self) -> bool {
        self.nsec3.is_some()
    }

    /// The whole zone as zone-file text, one record a line, signatures included: what another
    /// name server can load.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // The SOA goes first: some servers insist.
        if let Some(soa) = self.set(&self.apex, Rtype::SOA) {
            write_set(&mut text, &self.apex, soa);
        }
        for (owner, node) in &self.nodes {
            for (rtype, set) in &node.sets {
                if *rtype != Rtype::SOA {
                    write_set(&mut text, owner, set);
                }
            }
        }
        for (owner, set) in self.nsec3.iter().flat_map(|chain| chain.hashes.values()) {
            write_set(&mut text, owner, set);
        }
        text
    }

    pub(crate) fn set(&self, owner: &Fqdn, rtype: Rtype) -> Option<&Rrset> {
        self.nodes.get(owner)?.sets.get(&rtype)
    }

    /// Whether the name exists, be it as an empty non-terminal (RFC 4592 §2.2.2).
    pub(crate) fn exists(&self, name: &Fqdn) -> bool {
        self.nodes
            .range::<Fqdn, _>((Bound::Included(name), Bound::Unbounded))
            .next()
            .is_some_and(|(owner, _)| owner.ends_with(name))
    }

    /// The delegation at or above `name`, nearest the apex; never the apex itself.
    pub(crate) fn cut_above(&self, name: &Fqdn) -> Option<(&Fqdn, &Node)> {
        self.ancestors_below_apex(name)
            .find(|(_, node)| node.sets.contains_key(&Rtype::NS))
    }

    /// The DNAME strictly above `name`, nearest the apex (RFC 6672 §3.2).
    pub(crate) fn dname_above(&self, name: &Fqdn) -> Option<(&Fqdn, &Rrset)> {
        ancestors(name, &self.apex)
            .into_iter()
            .filter(|ancestor| ancestor != name)
            .find_map(|ancestor| {
                let (owner, node) = self.nodes.get_key_value(&ancestor)?;
                Some((owner, node.sets.get(&Rtype::DNAME)?))
            })
    }

    fn ancestors_below_apex(&self, name: &Fqdn) -> impl Iterator<Item = (&Fqdn, &Node)> {
        ancestors(name, &self.apex)
            .into_iter()
            .skip(1)
            .filter_map(|ancestor| self.nodes.get_key_value(&ancestor))
    }

    /// The longest existing ancestor-or-self of `name` (RFC 4592 §3.3.1).
    pub(crate) fn closest_encloser(&self, name: &Fqdn) -> Fqdn {
        ancestors(name, &self.apex)
            .into_iter()
            .rev()
            .find(|ancestor| self.exists(ancestor))
            .unwrap_or_else(|| self.apex.clone())
    }

    /// The NSEC RRset whose owner is the last at or before `name` in canonical order.
    pub(crate) fn nsec_at_or_before(&self, name: &Fqdn) -> Option<(&Fqdn, &Rrset)> {
        self.nodes
            .range::<Fqdn, _>((Bound::Unbounded, Bound::Included(name)))
            .rev()
            .find_map(|(owner, node)| Some((owner, node.sets.get(&Rtype::NSEC)?)))
    }
}

impl Nsec3Chain {
    pub(crate) fn hash(&self, name: &Fqdn) -> Vec<u8> {
        let hashed: Result<OwnerHash<Vec<u8>>, _> =
            nsec3_hash(name, Nsec3HashAlgorithm::SHA1, self.iterations, &self.salt);
        hashed.map(OwnerHash::into_octets).unwrap_or_default()
    }

    /// The NSEC3 whose owner is the hash of `name`.
    pub(crate) fn matching(&self, name: &Fqdn) -> Option<(&Fqdn, &Rrset)> {
        let (owner, set) = self.hashes.get(&self.hash(name))?;
        Some((owner, set))
    }

    /// The NSEC3 in whose span the hash of `name` falls; the last wraps around.
    pub(crate) fn covering(&self, name: &Fqdn) -> Option<(&Fqdn, &Rrset)> {
        let hash = self.hash(name);
        let before = self.hashes.range(..hash).next_back();
        let (_, (owner, set)) = before.or_else(|| self.hashes.iter().next_back())?;
        Some((owner, set))
    }
}

/// `apex`, then every name from it down to `name`, both included. Empty when `name` is elsewhere.
pub(crate) fn ancestors(name: &Fqdn, apex: &Fqdn) -> Vec<Fqdn> {
    if !name.ends_with(apex) {
        return Vec::new();
    }
    let mut chain = vec![name.clone()];
    let mut current = name.clone();
    while current != *apex {
        let Some(parent) = current.parent() else {
            break;
        };
        chain.push(parent.clone());
        current = parent;
    }
    chain.reverse();
    chain
}

fn write_set(text: &mut String, owner: &Fqdn, set: &Rrset) {
    let owner = owner.fmt_with_dot();
    let ttl = set.ttl.as_secs();
    for data in &set.records {
        let rtype = domain::base::RecordData::rtype(data);
        // The plain Display of some types writes the root as two dots.
        let data = data.display_zonefile(DisplayKind::Simple);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{owner} {ttl} {} {rtype} {data}", Class::IN);
    }
    for signature in &set.signatures {
        let _ = writeln!(
            text,
            "{owner} {ttl} {} RRSIG {} {} {} {} {} {} {} {} {}",
            Class::IN,
            signature.type_covered(),
            signature.algorithm().to_int(),
            signature.labels(),
            signature.original_ttl().as_secs(),
            calendar(signature.expiration().into_int()),
            calendar(signature.inception().into_int()),
            signature.key_tag(),
            signature.signer_name().fmt_with_dot(),
            base64::encode_string(signature.signature()),
        );
    }
}

/// A signature time as `YYYYMMDDHHmmSS` (RFC 4034 §3.2): some servers read no other form.
fn calendar(seconds: u32) -> String {
    let (days, rest) = (i64::from(seconds / 86_400), seconds % 86_400);
    // Years that begin in March have their leap day at the end; 719 468 days lie between
    // 0000-03-01 and 1970-01-01.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::calendar;

    #[test]
    fn signature_times() {
        for (seconds, expected) in [
            (0, "19700101000000"),
            (951_782_399, "20000228235959"),
            (951_782_400, "20000229000000"),
            (1_780_000_000, "20260528202640"),
            (u32::MAX, "21060207062815"),
        ] {
            assert_eq!(calendar(seconds), expected);
        }
    }
}
