//! Planted damage, done to a zone after it was signed correctly.

use super::key::{REVOKE, ZONE_KEY, ZoneKey};
use super::{ZoneKeys, signature_over, signing_error};
use crate::zone::{
    Fault, Fqdn, Rr, Rrset, Target, Validity, Zone, ZoneError, ZoneSource, fqdn, scan,
};
use bytes::Bytes;
use domain::base::iana::{Class, Rtype};
use domain::dnssec::sign::keys::SigningKey;
use domain::rdata::Rrsig;
use elsinore_dane::time::UnixTime;

/// The same key under flags that give it key tag `wanted`, if there are any. The tag is a sum
/// that includes the flags (RFC 4034 Appendix B), whose reserved bits a validator must ignore
/// (RFC 4034 §2.1.1), so about one key in four can be given any tag.
pub(super) fn with_tag(key: &ZoneKey, wanted: u16) -> Option<ZoneKey> {
    (0..=u16::MAX)
        .filter(|flags| flags & ZONE_KEY != 0 && flags & REVOKE == 0)
        .map(|flags| (flags, tag_with(key, flags)))
        .find(|(_, tag)| *tag == wanted)
        .map(|(flags, _)| key.with_flags(flags))
}

/// The tag that `key` has under `flags`, from the sum alone.
fn tag_with(key: &ZoneKey, flags: u16) -> u16 {
    let without = key.with_flags(0).sum();
    let total = without + u32::from(flags);
    let folded = total + ((total >> 16) & 0xffff);
    (folded & 0xffff) as u16
}

impl ZoneKey {
    /// The unfolded sum of RFC 4034 Appendix B over the RDATA.
    fn sum(&self) -> u32 {
        let record = self.record();
        let mut rdata = self.flags().to_be_bytes().to_vec();
        rdata.extend_from_slice(&[3, record.algorithm().to_int()]);
        rdata.extend_from_slice(record.public_key());
        rdata
            .chunks(2)
            .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |octet| u32::from(*octet)))
            .sum()
    }
}

/// Applies every fault of the source in its order.
pub(super) fn apply(
    mut zone: Zone,
    source: &ZoneSource,
    keys: Option<&ZoneKeys>,
    now: UnixTime,
) -> Result<Zone, ZoneError> {
    for fault in &source.faults {
        match fault {
            Fault::DropSignatures(target) => each(&mut zone, target, |_, _, set| {
                set.signatures.clear();
                set.intact = false;
                Ok(())
            }),
            Fault::CorruptSignatures(target) => each(&mut zone, target, |_, _, set| {
                set.signatures.iter_mut().for_each(flip);
                set.intact = false;
                Ok(())
            }),
            Fault::Resign(target, validity) => resign(&mut zone, target, *validity, keys, now),
            Fault::UselessSignatures(target, count) => each(&mut zone, target, |_, _, set| {
                let right = set.signatures.clone();
                if let Some(first) = right.first() {
                    let useless = (0..*count).map(|number| {
                        let mut copy = first.clone();
                        flip_at(&mut copy, usize::from(number));
                        copy
                    });
                    set.signatures = useless.chain(right.iter().cloned()).collect();
                }
                Ok(())
            }),
            Fault::ReplaceData(target, text) => replace(&mut zone, source, target, text),
            Fault::StripDenial => {
                zone.denial_served = false;
                Ok(())
            }
            Fault::NoDnskey => {
                let apex = zone.apex.clone();
                if let Some(node) = zone.nodes.get_mut(&apex) {
                    node.sets.remove(&Rtype::DNSKEY);
                }
                Ok(())
            }
            // These two were done when the keys were made.
            Fault::CollidingKeys(_) | Fault::RevokedKey => Ok(()),
        }
        .map_err(|reason| signing_error(source, &reason))?;
    }
    Ok(zone)
}

fn each(
    zone: &mut Zone,
    target: &Target,
    mut damage: impl FnMut(&Fqdn, Rtype, &mut Rrset) -> Result<(), String>,
) -> Result<(), String> {
    let owner = target.owner.as_ref().map(fqdn);
    let wanted = target
        .record_type
        .map(|rtype| Rtype::from_int(rtype.code()));
    let mut touched = 0_usize;
    for (name, node) in &mut zone.nodes {
        for (rtype, set) in &mut node.sets {
            if owner.as_ref().is_none_or(|owner| owner == name)
                && wanted.is_none_or(|wanted| wanted == *rtype)
            {
                touched += 1;
                damage(name, *rtype, set)?;
            }
        }
    }
    if wanted.is_none_or(|wanted| wanted == Rtype::NSEC3) {
        for (name, set) in zone
            .nsec3
            .iter_mut()
            .flat_map(|chain| chain.hashes.values_mut())
        {
            if owner.as_ref().is_none_or(|owner| owner == name) {
                touched += 1;
                damage(name, Rtype::NSEC3, set)?;
            }
        }
    }
    if touched == 0 {
        return Err(format!("the fault touches nothing: {target:?}"));
    }
    Ok(())
}

fn flip(signature: &mut Rrsig<Bytes, Fqdn>) {
    flip_at(signature, 0);
}

fn flip_at(signature: &mut Rrsig<Bytes, Fqdn>, position: usize) {
    let mut octets = signature.signature().to_vec();
    let length = octets.len().max(1);
    if let Some(octet) = octets.get_mut((position + length / 2) % length) {
        *octet ^= 0x01;
    }
    signature.set_signature(Bytes::from(octets));
}

fn resign(
    zone: &mut Zone,
    target: &Target,
    validity: Validity,
    keys: Option<&ZoneKeys>,
    now: UnixTime,
) -> Result<(), String> {
    let Some(keys) = keys else {
        return Err("an unsigned zone cannot be signed for another time".to_owned());
    };
    let apex = zone.apex.clone();
    let signer = SigningKey::new(apex.clone(), keys.signer.flags(), keys.signer.clone());
    let entry = SigningKey::new(apex, keys.entry.flags(), keys.entry.clone());
    each(zone, target, |owner, rtype, set| {
        if set.signatures.is_empty() {
            return Ok(());
        }
        let key = if rtype == Rtype::DNSKEY {
            &entry
        } else {
            &signer
        };
        let records: Vec<Rr> = set
            .records
            .iter()
            .map(|data| Rr::new(owner.clone(), Class::IN, set.ttl, data.clone()))
            .collect();
        set.signatures = vec![signature_over(&records, key, validity)?];
        set.intact = set.intact && validity.inception <= now && now <= validity.expiry;
        Ok(())
    })
}

fn replace(
    zone: &mut Zone,
    source: &ZoneSource,
    target: &Target,
    text: &str,
) -> Result<(), String> {
    let lines: String = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| format!("replaced 3600 IN {}\n", line.trim()))
        .collect();
    let records = scan(&source.apex, &lines).map_err(|error| error.to_string())?;
    each(zone, target, |_, rtype, set| {
        let same: Vec<_> = records
            .iter()
            .filter(|record| record.rtype() == rtype)
            .map(|record| record.data().clone())
            .collect();
        if !same.is_empty() {
            set.records = same;
            set.intact = false;
        }
        Ok(())
    })
}
