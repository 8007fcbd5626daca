//! Proofs by NSEC3 (RFC 5155 §8, RFC 6840 §4, RFC 9276).

use super::denial::{DsProof, Proof};
use super::fault::Fault;
use crate::resolver::limits::Budget;
use crate::resolver::wire::{Name, Nsec3, rtype};
use elsinore_dane::security::Cause;
use openssl::sha::Sha1;
use std::cell::RefCell;
use std::collections::HashMap;

/// Combinations of parameters that are looked at: a zone has one, or two while it changes them.
const MOST_PARAMETERS: usize = 3;

/// NSEC3 records of one zone whose signatures verified, all of the same parameters.
#[derive(Debug)]
pub(super) struct Nsec3Set<'a> {
    zone: &'a Name,
    records: Vec<(Vec<u8>, &'a Nsec3)>,
    iterations: u16,
    salt: &'a [u8],
    budget: &'a Budget,
    hashes: RefCell<HashMap<Name, Vec<u8>>>,
}

/// The closest encloser of a name, the record that covers the next closer name.
struct Enclosure {
    encloser: Name,
    opt_out: bool,
}

fn wrong(text: impl Into<std::sync::Arc<str>>) -> Fault {
    Fault::new(Cause::DenialWrong, text)
}

fn is_delegation(nsec3: &Nsec3) -> bool {
    nsec3.types.has(rtype::NS) && !nsec3.types.has(rtype::SOA)
}

impl<'a> Nsec3Set<'a> {
    /// Takes the records that can be used: SHA-1, no unknown flag, directly below the apex
    /// (RFC 5155 §8.1, §8.2); one set for each combination of parameters, at most
    /// [`MOST_PARAMETERS`].
    pub(super) fn by_parameters(
        zone: &'a Name,
        records: &'a [(Name, Nsec3)],
        budget: &'a Budget,
    ) -> Vec<Self> {
        let mut sets: Vec<Self> = Vec::new();
        for (owner, nsec3) in records {
            let is_usable = nsec3.algorithm == 1
                && nsec3.flags & !1 == 0
                && nsec3.next.len() == 20
                && owner.parent().as_ref() == Some(zone);
            let hash = owner.labels().next().and_then(base32hex);
            let Some(hash) = hash.filter(|_| is_usable) else {
                continue;
            };
            let known = sets
                .iter_mut()
                .find(|set| set.iterations == nsec3.iterations && set.salt == nsec3.salt);
            if let Some(set) = known {
                set.records.push((hash, nsec3));
            } else if sets.len() < MOST_PARAMETERS {
                sets.push(Self {
                    zone,
                    records: vec![(hash, nsec3)],
                    iterations: nsec3.iterations,
                    salt: &nsec3.salt,
                    budget,
                    hashes: RefCell::default(),
                });
            }
        }
        sets
    }

    pub(super) const fn iterations(&self) -> u16 {
        self.iterations
    }

    fn hash(&self, name: &Name) -> Result<Vec<u8>, Fault> {
        if let Some(hash) = self.hashes.borrow().get(name) {
            return Ok(hash.clone());
        }
        self.budget
            .hash()
            .map_err(|text| Fault::new(Cause::Limit, text))?;
        let mut digest = digest(name.wire(), self.salt);
        for _ in 0..self.iterations {
            digest = self::digest(&digest, self.salt);
        }
        self.hashes
            .borrow_mut()
            .insert(name.clone(), digest.to_vec());
        Ok(digest.to_vec())
    }

    fn matching(&self, name: &Name) -> Result<Option<&'a Nsec3>, Fault> {
        let hash = self.hash(name)?;
        Ok(self
            .records
            .iter()
            .find(|(own, _)| *own == hash)
            .map(|(_, nsec3)| *nsec3))
    }

    fn covering(&self, name: &Name) -> Result<Option<&'a Nsec3>, Fault> {
        let hash = self.hash(name)?;
        Ok(self
            .records
            .iter()
            .find(|(own, nsec3)| {
                if nsec3.next > *own {
                    *own < hash && hash < nsec3.next
                } else {
                    hash > *own || hash < nsec3.next
                }
            })
            .map(|(_, nsec3)| *nsec3))
    }

    /// The closest encloser proof (RFC 5155 §8.3), sought from the apex down: the first ancestor
    /// that exists and whose child on the way to `name` does not. Hashes are dear, and enclosers
    /// lie near the apex, however long the name.
    fn enclosure(&self, name: &Name) -> Result<Enclosure, Fault> {
        if !name.is_at_or_below(self.zone) {
            return Err(wrong(format!("{name} is not in {}", self.zone)));
        }
        let mut uncovered = None;
        for labels in self.zone.label_count()..name.label_count() {
            let encloser = name.suffix(labels);
            let Some(nsec3) = self.matching(&encloser)? else {
                continue;
            };
            let next_closer = name.suffix(labels + 1);
            let Some(covering) = self.covering(&next_closer)? else {
                uncovered = Some(next_closer);
                continue;
            };
            if is_delegation(nsec3) || nsec3.types.has(rtype::DNAME) {
                return Err(wrong(format!(
                    "{encloser} is a delegation or a DNAME, not an encloser"
                )));
            }
            return Ok(Enclosure {
                encloser,
                opt_out: covering.opt_out,
            });
        }
        Err(wrong(match uncovered {
            Some(next_closer) => format!("no NSEC3 covers {next_closer}"),
            None => format!("no NSEC3 shows a closest encloser of {name}"),
        }))
    }

    pub(super) fn no_data(&self, name: &Name, rtype: u16) -> Result<Proof, Fault> {
        if let Some(nsec3) = self.matching(name)? {
            return lacks(name, nsec3, rtype).map(|()| Proof::Shown);
        }
        let enclosure = self.enclosure(name)?;
        if enclosure.opt_out {
            return Ok(Proof::OptOut);
        }
        let wildcard = enclosure
            .encloser
            .wildcard()
            .ok_or_else(|| wrong("name too long for a wildcard"))?;
        let nsec3 = self.matching(&wildcard)?.ok_or_else(|| {
            wrong(format!(
                "{name} is shown not to exist, no NSEC3 is for {wildcard}"
            ))
        })?;
        lacks(&wildcard, nsec3, rtype).map(|()| Proof::Shown)
    }

    pub(super) fn no_name(&self, name: &Name) -> Result<Proof, Fault> {
        if self.matching(name)?.is_some() {
            return Err(wrong(format!("an NSEC3 shows {name} to exist")));
        }
        let enclosure = self.enclosure(name)?;
        let wildcard = enclosure
            .encloser
            .wildcard()
            .ok_or_else(|| wrong("name too long for a wildcard"))?;
        self.covering(&wildcard)?
            .ok_or_else(|| wrong(format!("no NSEC3 covers the wildcard {wildcard}")))?;
        Ok(if enclosure.opt_out {
            Proof::OptOut
        } else {
            Proof::Shown
        })
    }

    pub(super) fn expansion(&self, name: &Name, encloser: &Name) -> Result<Proof, Fault> {
        let next_closer = name.suffix(encloser.label_count() + 1);
        let covering = self.covering(&next_closer)?.ok_or_else(|| {
            wrong(format!(
                "wildcard answer, and no NSEC3 covers {next_closer}"
            ))
        })?;
        Ok(if covering.opt_out {
            Proof::OptOut
        } else {
            Proof::Shown
        })
    }

    pub(super) fn no_ds(&self, name: &Name) -> Result<DsProof, Fault> {
        if let Some(nsec3) = self.matching(name)? {
            lacks(name, nsec3, rtype::DS)?;
            return Ok(if nsec3.types.has(rtype::NS) {
                DsProof::Unsigned
            } else {
                DsProof::NoCut
            });
        }
        let enclosure = self.enclosure(name)?;
        Ok(if enclosure.opt_out {
            DsProof::OptOut
        } else {
            DsProof::NoCut
        })
    }
}

/// As for NSEC: neither the type nor CNAME, and from the right side of a cut.
fn lacks(name: &Name, nsec3: &Nsec3, rtype: u16) -> Result<(), Fault> {
    // Nobody has the type ANY; a name without any type has but what denies the others.
    let has_any = rtype == rtype::ANY && !nsec3.types.has_only(&[rtype::RRSIG]);
    if has_any || nsec3.types.has(rtype) {
        return Err(wrong(format!(
            "the NSEC3 of {name} says that the type exists"
        )));
    }
    if nsec3.types.has(rtype::CNAME) {
        return Err(wrong(format!(
            "the NSEC3 of {name} says that a CNAME exists"
        )));
    }
    if rtype == rtype::DS {
        if nsec3.types.has(rtype::SOA) && !name.is_root() {
            return Err(wrong(format!(
                "the NSEC3 of {name} is the child's, not the parent's"
            )));
        }
    } else if is_delegation(nsec3) {
        return Err(wrong(format!(
            "the NSEC3 of {name} is the parent's and speaks of DS only"
        )));
    }
    Ok(())
}

/// Whether the NSEC3 record at `owner` is the one of `name` (and not one that covers it). One hash
/// of at most 500 iterations; more are not computed.
pub(in crate::resolver) fn nsec3_is_for(nsec3: &Nsec3, owner: &Name, name: &Name) -> bool {
    if nsec3.algorithm != 1 || nsec3.iterations > 500 {
        return false;
    }
    nsec3_owner_hash(owner) == Some(nsec3_hash(name, nsec3.iterations, &nsec3.salt))
}

/// The hash of a name (RFC 5155 §5). The caller bounds the iterations.
pub(in crate::resolver) fn nsec3_hash(name: &Name, iterations: u16, salt: &[u8]) -> [u8; 20] {
    let mut hash = digest(name.wire(), salt);
    for _ in 0..iterations {
        hash = digest(&hash, salt);
    }
    hash
}

/// The hash that an NSEC3 record stands at; `None` when its first label is none.
pub(in crate::resolver) fn nsec3_owner_hash(owner: &Name) -> Option<[u8; 20]> {
    base32hex(owner.labels().next()?)?.try_into().ok()
}

fn digest(octets: &[u8], salt: &[u8]) -> [u8; 20] {
    let mut sha = Sha1::new();
    sha.update(octets);
    sha.update(salt);
    sha.finish()
}

/// Base 32 with the extended hex alphabet, unpadded (RFC 4648 §7), of exactly 20 octets.
fn base32hex(label: &[u8]) -> Option<Vec<u8>> {
    if label.len() != 32 {
        return None;
    }
    let mut octets = Vec::with_capacity(20);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in label {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'v' => digit - b'a' + 10,
            _ => return None,
        };
        bits = bits << 5 | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            octets.push(u8::try_from(bits >> held & 0xff).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    Some(octets)
}

#[cfg(test)]
mod tests;
