//! Validated NSEC and NSEC3 records by zone and in the order of their names, so that what they show
//! not to exist is known without a question (RFC 8198). Nothing is judged here: the records that
//! could deny a name are picked out, and whoever asked has them judged like those of a reply.

mod order;

use super::LONGEST_DENIAL;
use super::store::{Moment, Store};
use super::weight::{Weigh, shared_block};
use crate::resolver::validate::{nsec3_hash, nsec3_owner_hash};
use crate::resolver::wire::{Name, Nsec, Nsec3, Record, rtype};
use order::Order;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::mem::size_of;
use std::sync::Arc;

/// Octets that one entry may cost beside its own: its place in a tree, its part of the zone map.
const INDEX_OCTETS: usize = 160;
/// Labels between a zone and a name in it, above which no proof by NSEC3 is put together: each
/// costs a hash.
const MOST_HASHED_LABELS: usize = 12;

/// How NSEC3 names are hashed (RFC 5155 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hashing {
    iterations: u16,
    salt: Vec<u8>,
}

/// Where in a zone an entry stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Soa,
    Nsec(Order),
    Nsec3([u8; 20]),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    zone: Name,
    place: Place,
}

/// One RRset and the signatures over it, with the TTLs it came with.
#[derive(Debug)]
struct Proof {
    records: Arc<[Record]>,
    arrived: Moment,
}

/// The places of one zone in order. One that ended may linger until it is looked at.
#[derive(Debug, Default)]
struct Zone {
    nsec: BTreeSet<Order>,
    hashing: Option<Hashing>,
    nsec3: BTreeSet<[u8; 20]>,
}

/// An RRset of one zone that was validated, with its signatures.
#[derive(Debug, Clone, Copy)]
pub(in crate::resolver) struct Validated<'a> {
    pub(in crate::resolver) zone: &'a Name,
    /// The records, then the signatures that cover them.
    pub(in crate::resolver) records: &'a [&'a Record],
    /// Seconds for which it may be used.
    pub(in crate::resolver) ttl: u32,
}

/// What might deny a name: records to be judged like the authority section of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) struct Candidate {
    pub(in crate::resolver) zone: Name,
    /// With the TTLs that are left, the zone's SOA first if it is known.
    pub(in crate::resolver) records: Vec<Record>,
    pub(in crate::resolver) has_soa: bool,
    /// Whether the name itself is denied, not only the type.
    pub(in crate::resolver) whole_name: bool,
    /// Seconds for which all of them may be used.
    pub(in crate::resolver) ttl: u32,
}

/// RRsets that were picked for a candidate.
#[derive(Debug, Default)]
struct Picked {
    sets: Vec<(Arc<[Record]>, Moment)>,
    ttl: u32,
}

/// The index of one resolver.
#[derive(Debug)]
pub(super) struct Denials {
    store: Store<Key, Proof>,
    zones: HashMap<Name, Zone>,
    hasher: RandomState,
    most_iterations: u16,
}

impl Denials {
    /// Holds at most `budget` octets, and no NSEC3 records of more than `most_iterations`.
    pub(super) fn new(budget: usize, most_iterations: u16) -> Self {
        Self {
            store: Store::new(budget),
            zones: HashMap::new(),
            hasher: RandomState::new(),
            most_iterations,
        }
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        self.store.clear();
        self.zones.clear();
    }

    pub(super) fn octets(&self) -> usize {
        self.store.octets()
    }

    /// Takes in one SOA, NSEC or NSEC3 RRset. Others are left aside, and so are NSEC3 records that
    /// prove nothing here (RFC 5155 §8.1, §8.2).
    pub(super) fn learn(&mut self, set: Validated<'_>, now: Moment) {
        let (zone, mut ttl) = (set.zone, set.ttl.min(LONGEST_DENIAL));
        let Some(first) = set.records.first() else {
            return;
        };
        let (place, hashing) = match first.rtype {
            rtype::SOA if first.owner == *zone => (Place::Soa, None),
            rtype::NSEC => (Place::Nsec(Order::of(&first.owner)), None),
            rtype::NSEC3 => match self.hashed_place(zone, first) {
                Some((hash, hashing)) => (Place::Nsec3(hash), Some(hashing)),
                None => return,
            },
            _ => return,
        };
        if place != Place::Soa {
            // RFC 9077: no longer than the zone wants its denials kept, known from before or not.
            let soa = self.find(zone, &Place::Soa, now);
            let negative = soa.and_then(|(records, _, _)| records.first()?.negative_ttl());
            ttl = ttl.min(negative.unwrap_or(u32::MAX));
        }
        if self.has_as_fresh(zone, &place, set.records, now) {
            return;
        }
        if let Some(hashing) = hashing {
            let own = self.zones.entry(zone.clone()).or_default();
            // Another salt or count begins the zone anew.
            if own.hashing.as_ref() != Some(&hashing) {
                own.nsec3.clear();
                own.hashing = Some(hashing);
            }
        }
        self.insert(zone, place, set.records, ttl, now);
    }

    fn insert(&mut self, zone: &Name, place: Place, records: &[&Record], ttl: u32, now: Moment) {
        let records: Arc<[Record]> = records.iter().copied().cloned().collect();
        let parts: usize = records.iter().map(Weigh::heap).sum();
        let list = shared_block(records.len() * size_of::<Record>());
        let order = match &place {
            Place::Nsec(order) => order.heap(),
            Place::Soa | Place::Nsec3(_) => 0,
        };
        let octets = parts + list + order + zone.heap() + INDEX_OCTETS;
        let own = self.zones.entry(zone.clone()).or_default();
        match &place {
            Place::Soa => {}
            Place::Nsec(order) => {
                own.nsec.insert(order.clone());
            }
            Place::Nsec3(hash) => {
                own.nsec3.insert(*hash);
            }
        }
        let key = Key {
            zone: zone.clone(),
            place,
        };
        let proof = Proof {
            records,
            arrived: now,
        };
        let (hash, zones) = (self.hasher.hash_one(&key) as u32, &mut self.zones);
        self.store.insert(
            (hash, key.clone()),
            (proof, octets),
            (ttl, now),
            &mut |key, _| leave(zones, &key.zone, &key.place),
        );
        // What was not kept at all leaves the index again.
        self.find(zone, &key.place, now);
    }

    /// The place of an NSEC3 record, if it is of use.
    fn hashed_place(&self, zone: &Name, record: &Record) -> Option<([u8; 20], Hashing)> {
        let nsec3 = Nsec3::parse(&record.rdata)?;
        let is_usable = nsec3.algorithm == 1
            && nsec3.flags & !1 == 0
            && nsec3.next.len() == 20
            && nsec3.iterations <= self.most_iterations
            && record.owner.parent().as_ref() == Some(zone);
        let hash = nsec3_owner_hash(&record.owner).filter(|_| is_usable)?;
        let hashing = Hashing {
            iterations: nsec3.iterations,
            salt: nsec3.salt,
        };
        Some((hash, hashing))
    }

    /// Whether the very records are there with no less of their TTL. What is judged from the index
    /// comes by here again and must not prolong itself.
    fn has_as_fresh(
        &mut self,
        zone: &Name,
        place: &Place,
        records: &[&Record],
        now: Moment,
    ) -> bool {
        self.find(zone, place, now)
            .is_some_and(|(known, arrived, _)| {
                let age = age(arrived, now);
                known.len() == records.len()
                    && known.iter().zip(records).all(|(known, new)| {
                        known.rdata == new.rdata && known.ttl.saturating_sub(age) >= new.ttl
                    })
            })
    }

    /// The records at a place, when they came, and the seconds they may still be used.
    fn find(
        &mut self,
        zone: &Name,
        place: &Place,
        now: Moment,
    ) -> Option<(Arc<[Record]>, Moment, u32)> {
        let key = Key {
            zone: zone.clone(),
            place: place.clone(),
        };
        let hash = self.hasher.hash_one(&key) as u32;
        if let Some((proof, left)) = self.store.find(hash, &key, now) {
            return Some((Arc::clone(&proof.records), proof.arrived, left));
        }
        leave(&mut self.zones, zone, place);
        None
    }

    /// Whether this very SOA record is there.
    pub(super) fn knows_soa(&mut self, soa: &Record, now: Moment) -> bool {
        self.find(&soa.owner, &Place::Soa, now)
            .is_some_and(|(known, _, _)| known.iter().any(|known| known.rdata == soa.rdata))
    }

    /// Records that might deny `rtype` at `name`, of the deepest zone that has any; for DS of a
    /// zone above.
    pub(super) fn candidate(&mut self, name: &Name, rtype: u16, now: Moment) -> Option<Candidate> {
        let labels = name.label_count();
        let deepest = match rtype {
            rtype::DS => labels.checked_sub(1)?,
            _ => labels,
        };
        let zone = (0..=deepest)
            .rev()
            .map(|count| name.suffix(count))
            .find(|zone| self.zones.contains_key(zone))?;
        let mut picked = Picked {
            sets: Vec::new(),
            ttl: LONGEST_DENIAL,
        };
        let by_nsec = self.pick_nsec(&zone, name, &mut picked, now);
        let whole_name = match by_nsec {
            Some(whole_name) => whole_name,
            None => {
                picked.sets.clear();
                self.pick_nsec3(&zone, name, rtype, &mut picked, now)?
            }
        };
        let soa = self.find(&zone, &Place::Soa, now);
        let has_soa = soa.is_some();
        let mut records = Vec::new();
        if let Some((soa, arrived, left)) = soa {
            picked.ttl = picked.ttl.min(left);
            records.extend(aged(&soa, arrived, now));
        }
        for (set, arrived) in &picked.sets {
            records.extend(aged(set, *arrived, now));
        }
        Some(Candidate {
            zone,
            records,
            has_soa,
            whole_name,
            ttl: picked.ttl,
        })
    }

    fn pick(
        &mut self,
        zone: &Name,
        place: &Place,
        picked: &mut Picked,
        now: Moment,
    ) -> Option<Arc<[Record]>> {
        let (records, arrived, left) = self.find(zone, place, now)?;
        picked.ttl = picked.ttl.min(left);
        if !picked
            .sets
            .iter()
            .any(|(set, _)| Arc::ptr_eq(set, &records))
        {
            picked.sets.push((Arc::clone(&records), arrived));
        }
        Some(records)
    }

    /// The record at or before a name.
    fn pick_before(
        &mut self,
        zone: &Name,
        name: &Name,
        picked: &mut Picked,
        now: Moment,
    ) -> Option<(Name, Nsec)> {
        let own = self.zones.get(zone)?;
        let order = own.nsec.range(..=Order::of(name)).next_back()?.clone();
        let records = self.pick(zone, &Place::Nsec(order), picked, now)?;
        let first = records.first()?;
        Some((first.owner.clone(), Nsec::parse(&first.rdata)?))
    }

    /// One record that matches or covers, and one for the wildcard (RFC 8198 §5.1).
    fn pick_nsec(
        &mut self,
        zone: &Name,
        name: &Name,
        picked: &mut Picked,
        now: Moment,
    ) -> Option<bool> {
        let (owner, nsec) = self.pick_before(zone, name, picked, now)?;
        if owner == *name || nsec.next.is_below(name) {
            return Some(false);
        }
        let (a, b) = (
            name.common_ancestor(&owner),
            name.common_ancestor(&nsec.next),
        );
        let encloser = if a.label_count() >= b.label_count() {
            a
        } else {
            b
        };
        let wildcard = encloser.wildcard()?;
        let (owner, nsec) = self.pick_before(zone, &wildcard, picked, now)?;
        Some(owner != wildcard && !nsec.next.is_below(&wildcard))
    }

    /// One record that matches, or those of the closest encloser proof and one for the wildcard
    /// (RFC 8198 §5.2). In an opt-out span only a DS can be denied.
    fn pick_nsec3(
        &mut self,
        zone: &Name,
        name: &Name,
        rtype: u16,
        picked: &mut Picked,
        now: Moment,
    ) -> Option<bool> {
        let own = self.zones.get(zone)?;
        let hashing = own.hashing.clone()?;
        if own.nsec3.is_empty() || name.label_count() - zone.label_count() > MOST_HASHED_LABELS {
            return None;
        }
        let hash = |name: &Name| nsec3_hash(name, hashing.iterations, &hashing.salt);
        let mut next_closer = hash(name);
        if self.has_hash(zone, &next_closer) {
            self.pick(zone, &Place::Nsec3(next_closer), picked, now)?;
            return Some(false);
        }
        let mut encloser = name.parent()?;
        loop {
            if !encloser.is_at_or_below(zone) {
                return None;
            }
            let hashed = hash(&encloser);
            if self.has_hash(zone, &hashed) {
                self.pick(zone, &Place::Nsec3(hashed), picked, now)?;
                break;
            }
            next_closer = hashed;
            encloser = encloser.parent()?;
        }
        let covering = self.pick_covering(zone, &next_closer, picked, now)?;
        let opts_out = covering
            .first()
            .and_then(|record| Nsec3::parse(&record.rdata))?
            .opt_out;
        if opts_out {
            return (rtype == rtype::DS).then_some(false);
        }
        let wildcard = hash(&encloser.wildcard()?);
        if self.has_hash(zone, &wildcard) {
            self.pick(zone, &Place::Nsec3(wildcard), picked, now)?;
            return Some(false);
        }
        let covering = self.pick_covering(zone, &wildcard, picked, now);
        // The absence of a delegation needs no word about the wildcard (RFC 5155 §8.6).
        (covering.is_some() || rtype == rtype::DS).then_some(true)
    }

    fn has_hash(&self, zone: &Name, hash: &[u8; 20]) -> bool {
        self.zones
            .get(zone)
            .is_some_and(|own| own.nsec3.contains(hash))
    }

    /// The record before a hash, going round.
    fn pick_covering(
        &mut self,
        zone: &Name,
        hash: &[u8; 20],
        picked: &mut Picked,
        now: Moment,
    ) -> Option<Arc<[Record]>> {
        let own = self.zones.get(zone)?;
        let before = own.nsec3.range(..*hash).next_back();
        let place = *before.or_else(|| own.nsec3.last())?;
        self.pick(zone, &Place::Nsec3(place), picked, now)
    }
}

/// Takes a place out of the index, and the zone with its last.
fn leave(zones: &mut HashMap<Name, Zone>, zone: &Name, place: &Place) {
    let Some(own) = zones.get_mut(zone) else {
        return;
    };
    match place {
        Place::Soa => {}
        Place::Nsec(order) => {
            own.nsec.remove(order);
        }
        Place::Nsec3(hash) => {
            own.nsec3.remove(hash);
        }
    }
    if own.nsec.is_empty() && own.nsec3.is_empty() {
        zones.remove(zone);
    }
}

/// Whole seconds since `arrived`.
fn age(arrived: Moment, now: Moment) -> u32 {
    let milliseconds = now.steady.saturating_sub(arrived.steady);
    u32::try_from(milliseconds / 1_000).unwrap_or(u32::MAX)
}

/// Records with what is left of their TTLs.
fn aged(records: &[Record], arrived: Moment, now: Moment) -> impl Iterator<Item = Record> {
    let age = age(arrived, now);
    records.iter().map(move |record| Record {
        ttl: record.ttl.saturating_sub(age),
        ..record.clone()
    })
}

#[cfg(test)]
mod tests;
