//! Denials: which NSEC and NSEC3 records of a message are genuine, and what they show together.

use super::fault::Fault;
use super::keys::ZoneKeys;
use super::nsec::NsecSet;
use super::nsec3::Nsec3Set;
use super::rrset::{Signed, verify};
use crate::resolver::limits::Budget;
use crate::resolver::wire::{Message, Name, Nsec, Nsec3, Record, rtype};
use elsinore_dane::security::Cause;
use elsinore_dane::time::UnixTime;

/// NSEC and NSEC3 RRsets of one message that are verified; a proof needs three.
const MOST_PROOF_SETS: usize = 12;

/// A denial that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) enum Proof {
    /// Shown by the signed zone.
    Shown,
    /// The name lies in an opt-out span: an unsigned delegation may be there (RFC 5155 §9.2).
    OptOut,
    /// More NSEC3 iterations than are computed here; the record's own signature verified
    /// (RFC 9276 §3.2).
    Iterations(u16),
}

/// What the parent shows in place of a DS RRset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) enum DsProof {
    /// A delegation without DS: the child is unsigned.
    Unsigned,
    /// The name lies in an opt-out span: a delegation there is unsigned.
    OptOut,
    /// No delegation at all: the name belongs to the same zone, or does not exist.
    NoCut,
    /// As [`Proof::Iterations`].
    Iterations(u16),
}

/// The genuine NSEC and NSEC3 records of one zone in one message.
#[derive(Debug)]
pub(in crate::resolver) struct Proofs<'a> {
    zone: &'a Name,
    nsec: Vec<(Name, Nsec)>,
    nsec3: Vec<(Name, Nsec3)>,
    budget: &'a Budget,
    /// Owner, type and seconds of reuse of each RRset that was verified.
    pub(in crate::resolver) verified: Vec<(Name, u16, u32)>,
    /// Seconds for which they may be reused.
    pub(in crate::resolver) ttl: u32,
    /// Whether there were more records than are looked at.
    left_out: bool,
    /// Why some record does not count, if any.
    pub(in crate::resolver) fault: Option<Fault>,
}

/// The zones that claim to have signed the NSEC and NSEC3 records of `section`, the deepest
/// first.
pub(in crate::resolver) fn signers(section: &[Record]) -> Vec<Name> {
    let mut signers = Vec::new();
    for set in proof_sets(section) {
        for signer in set.signers() {
            if !signers.contains(&signer) {
                signers.push(signer);
            }
        }
    }
    signers.sort_by_key(|signer: &Name| std::cmp::Reverse(signer.label_count()));
    signers.truncate(3);
    signers
}

/// The NSEC and NSEC3 RRsets, one more than are looked at.
fn proof_sets(section: &[Record]) -> Vec<Signed<'_>> {
    let mut sets: Vec<Signed<'_>> = Vec::new();
    for record in section {
        let is_proof = matches!(record.rtype, rtype::NSEC | rtype::NSEC3);
        let is_new = !sets
            .iter()
            .any(|set| set.owner == record.owner && set.rtype == record.rtype);
        if is_proof && is_new && sets.len() <= MOST_PROOF_SETS {
            sets.extend(Signed::find(section, &record.owner, record.rtype));
        }
    }
    sets
}

impl<'a> Proofs<'a> {
    /// Verifies the records of `section` that the zone of `keys` signed.
    pub(in crate::resolver) fn collect(
        section: &[Record],
        keys: &'a ZoneKeys,
        now: UnixTime,
        budget: &'a Budget,
    ) -> Self {
        let mut proofs = Self::none(&keys.zone, budget);
        let sets = proof_sets(section);
        proofs.left_out = sets.len() > MOST_PROOF_SETS;
        for set in sets.into_iter().take(MOST_PROOF_SETS) {
            let verified = match verify(&set, keys, now, budget) {
                Ok(verified) if verified.expanded_from.is_none() => verified,
                Ok(_) => {
                    // RFC 4035 §5.4: it stands for the wildcard, not for this name.
                    let text = format!("an NSEC or NSEC3 at {} made from a wildcard", set.owner);
                    proofs
                        .fault
                        .get_or_insert(Fault::new(Cause::DenialWrong, text));
                    continue;
                }
                Err(fault) => {
                    proofs.fault.get_or_insert(fault);
                    continue;
                }
            };
            proofs.ttl = proofs.ttl.min(verified.ttl);
            proofs
                .verified
                .push((set.owner.clone(), set.rtype, verified.ttl));
            proofs.take(&set);
        }
        proofs
    }

    /// Records that were verified before, of the zone `zone`.
    pub(in crate::resolver) fn known(
        section: &[Record],
        zone: &'a Name,
        budget: &'a Budget,
    ) -> Self {
        let mut proofs = Self::none(zone, budget);
        for set in proof_sets(section) {
            proofs.take(&set);
        }
        proofs
    }

    const fn none(zone: &'a Name, budget: &'a Budget) -> Self {
        Self {
            zone,
            nsec: Vec::new(),
            nsec3: Vec::new(),
            budget,
            verified: Vec::new(),
            ttl: u32::MAX,
            left_out: false,
            fault: None,
        }
    }

    fn take(&mut self, set: &Signed<'_>) {
        for record in &set.records {
            if set.rtype == rtype::NSEC {
                let nsec = Nsec::parse(&record.rdata);
                // A next name outside the zone can prove nothing about it.
                self.nsec.extend(
                    nsec.filter(|nsec| nsec.next.is_at_or_below(self.zone))
                        .map(|nsec| (set.owner.clone(), nsec)),
                );
            } else {
                let nsec3 = Nsec3::parse(&record.rdata);
                self.nsec3
                    .extend(nsec3.map(|nsec3| (set.owner.clone(), nsec3)));
            }
        }
    }

    fn with<T>(
        &self,
        by_nsec: impl Fn(&NsecSet<'_>) -> Result<T, Fault>,
        by_nsec3: impl Fn(&Nsec3Set<'_>) -> Result<T, Fault>,
        too_many: impl Fn(u16) -> T,
    ) -> Result<T, Fault> {
        let mut fault = self.fault.clone();
        if !self.nsec.is_empty() {
            match by_nsec(&NsecSet(&self.nsec)) {
                Ok(proof) => return Ok(proof),
                Err(wrong) => fault = fault.or(Some(wrong)),
            }
        }
        // Only records of the same parameters speak of the same hashes (RFC 5155 §8.2).
        let sets = Nsec3Set::by_parameters(self.zone, &self.nsec3, self.budget);
        let limits = &self.budget.limits;
        let (few, many): (Vec<_>, Vec<_>) = sets
            .iter()
            .partition(|set| set.iterations() <= limits.nsec3_iterations_insecure);
        for set in few {
            match by_nsec3(set) {
                Ok(proof) => return Ok(proof),
                Err(wrong) => fault = fault.or(Some(wrong)),
            }
        }
        for iterations in many.iter().map(|set| set.iterations()) {
            if iterations <= limits.nsec3_iterations_bogus {
                return Ok(too_many(iterations));
            }
            let limit = limits.nsec3_iterations_bogus;
            let text = format!(
                "{}: {iterations} NSEC3 iterations, more than {limit}",
                self.zone
            );
            fault = fault.or(Some(Fault::new(Cause::Nsec3Iterations, text)));
        }
        if self.left_out {
            // Whatever is wrong with those that were looked at: another might have been the proof.
            let text = format!("more than {MOST_PROOF_SETS} NSEC and NSEC3 RRsets in one reply");
            fault = Some(Fault::new(Cause::Limit, text));
        }
        Err(fault.unwrap_or_else(|| {
            let text = format!("no NSEC or NSEC3 record of {}", self.zone);
            Fault::new(Cause::DenialMissing, text)
        }))
    }

    /// That `name` exists without `rtype` (and without CNAME).
    pub(in crate::resolver) fn no_data(&self, name: &Name, rtype: u16) -> Result<Proof, Fault> {
        self.with(
            |set| set.no_data(name, rtype),
            |set| set.no_data(name, rtype),
            Proof::Iterations,
        )
    }

    /// That neither `name` nor a wildcard for it exists.
    pub(in crate::resolver) fn no_name(&self, name: &Name) -> Result<Proof, Fault> {
        self.with(
            |set| set.no_name(name),
            |set| set.no_name(name),
            Proof::Iterations,
        )
    }

    /// That `name` does not exist, so that the wildcard below `encloser` may answer for it.
    pub(in crate::resolver) fn expansion(
        &self,
        name: &Name,
        encloser: &Name,
    ) -> Result<Proof, Fault> {
        self.with(
            |set| set.expansion(name, encloser),
            |set| set.expansion(name, encloser),
            Proof::Iterations,
        )
    }

    /// What stands in place of a DS RRset at `name`.
    pub(in crate::resolver) fn no_ds(&self, name: &Name) -> Result<DsProof, Fault> {
        self.with(
            |set| set.no_ds(name),
            |set| set.no_ds(name),
            DsProof::Iterations,
        )
    }
}

/// Longest reuse of a denial, in seconds (RFC 2308 §5).
const LONGEST_DENIAL: u32 = 10_800;

/// The smallest negative TTL of the SOA records of `message`, at most three hours; 60 s without
/// any.
pub(in crate::resolver) fn negative_ttl(message: &Message) -> u32 {
    message
        .authority
        .iter()
        .filter(|record| record.rtype == rtype::SOA)
        .filter_map(Record::negative_ttl)
        .min()
        .unwrap_or(60)
        .min(LONGEST_DENIAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::limits::Limits;
    use elsinore_dane::name::DomainName;

    /// Twelve NSEC records that deny nothing are looked at; with a thirteenth that is what is said.
    #[test]
    fn most_proof_sets() {
        let name = |text: &str| Name::from_domain(&DomainName::parse(text).unwrap());
        let zone = name("e");
        let budget = Budget::new(Limits::default());
        for (count, part) in [
            (MOST_PROOF_SETS, "no signature"),
            (MOST_PROOF_SETS + 1, "more than 12 NSEC and NSEC3 RRsets"),
        ] {
            let records: Vec<Record> = (0..count)
                .map(|number| Record {
                    owner: name(&format!("n{number}.e")),
                    rtype: rtype::NSEC,
                    ttl: 60,
                    rdata: [zone.wire(), &[0, 1, 0x40]].concat(),
                })
                .collect();
            let keys = ZoneKeys::without_any(&zone);
            let proofs = Proofs::collect(&records, &keys, UnixTime(0), &budget);
            let fault = proofs.no_name(&name("nowhere.e")).unwrap_err();
            assert!(fault.text.contains(part), "{count}: {fault}");
        }
    }

    #[test]
    fn negative_ttls() {
        for (soas, expected) in [
            (&[][..], 60),
            (&[(3600, 300)], 300),
            (&[(60, 300)], 60),
            (&[(3600, 300), (30, 900)], 30),
            // Whoever forges a denial of an unsigned zone does not choose for how long.
            (&[(2_000_000, 2_000_000)], LONGEST_DENIAL),
        ] {
            let mut wire = vec![0, 1, 0x81, 0x80, 0, 0, 0, 0, 0, soas.len() as u8, 0, 0];
            for (ttl, minimum) in soas {
                wire.extend([0, 0, 6, 0, 1]);
                wire.extend(u32::to_be_bytes(*ttl));
                wire.extend([0, 22, 0, 0]);
                wire.extend([0; 16]);
                wire.extend(u32::to_be_bytes(*minimum));
            }
            let message = Message::parse(&wire).unwrap();
            assert_eq!(negative_ttl(&message), expected, "{soas:?}");
        }
    }
}
