//! The chain of trust as it was built: what a right validator must find, zone by zone.

use super::key::REVOKE;
use super::{Trust, ZoneKeys};
use crate::zone::{DsKind, DsPlan, Fqdn, Rdata, Rrset, Zone, ZoneSource};
use domain::base::iana::Rtype;
use std::collections::BTreeMap;

/// Follows DS and DNSKEY from the root down, on what the sources say and the faults did.
pub(super) fn chain_of_trust(
    sources: &[ZoneSource],
    zones: &BTreeMap<(Fqdn, u8), Zone>,
    keys: &BTreeMap<Fqdn, ZoneKeys>,
) -> BTreeMap<Fqdn, Trust> {
    let mut trust: BTreeMap<Fqdn, Trust> = BTreeMap::new();
    // Canonical order puts a parent before its children (RFC 4034 §6.1).
    for ((apex, version), zone) in zones {
        if *version != 0 {
            continue;
        }
        let source = sources
            .iter()
            .find(|source| source.version == 0 && source.apex == zone.apex_name);
        let own = own_trust(apex, zone, keys.get(apex));
        let mut above = apex.parent();
        let parent = loop {
            match above {
                None => break None,
                Some(name) => match trust.get(&name) {
                    Some(trust) => break Some((name.clone(), *trust)),
                    None => above = name.parent(),
                },
            }
        };
        let verdict = match (parent, source) {
            (None, _) => own,
            (Some((_, Trust::Insecure)), _) => Trust::Insecure,
            (Some((_, Trust::Bogus)), _) => Trust::Bogus,
            (Some((parent, Trust::Secure)), source) => {
                let ds = zones
                    .get(&(parent, 0))
                    .and_then(|zone| zone.set(apex, Rtype::DS));
                match (ds, source) {
                    (None, _) => Trust::Insecure,
                    (Some(set), _) if !set.intact => Trust::Bogus,
                    (Some(set), Some(source)) => ds_trust(set, source, own),
                    (Some(_), None) => Trust::Bogus,
                }
            }
        };
        trust.insert(apex.clone(), verdict);
    }
    trust
}

/// Whether the zone's own DNSKEY RRset holds together.
fn own_trust(apex: &Fqdn, zone: &Zone, keys: Option<&ZoneKeys>) -> Trust {
    let Some(keys) = keys.filter(|_| zone.signed) else {
        return Trust::Insecure;
    };
    let revoked = keys.entry.flags() & REVOKE != 0;
    match zone.set(apex, Rtype::DNSKEY) {
        Some(set) if set.intact && !revoked => Trust::Secure,
        _ => Trust::Bogus,
    }
}

/// RFC 4035 §5.2: unknown algorithms and digests do not count; one matching DS is enough.
fn ds_trust(set: &Rrset, source: &ZoneSource, own: Trust) -> Trust {
    let known = |data: &&Rdata| match data {
        Rdata::Ds(ds) => {
            matches!(ds.algorithm().to_int(), 5 | 7 | 8 | 10 | 13..=16)
                && matches!(ds.digest_type().to_int(), 1 | 2 | 4)
        }
        _ => false,
    };
    if !set.records.iter().any(|data| known(&data)) {
        return Trust::Insecure;
    }
    let matching = match &source.ds {
        DsPlan::Matching => true,
        DsPlan::Omitted => false,
        DsPlan::Only(kinds) => kinds
            .iter()
            .any(|kind| matches!(kind, DsKind::Digest(1 | 2 | 4))),
    };
    match (matching, own) {
        (true, Trust::Secure) => Trust::Secure,
        _ => Trust::Bogus,
    }
}
