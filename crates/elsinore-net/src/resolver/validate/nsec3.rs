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
mod tests {
    use super::*;
    use crate::resolver::limits::Limits;
    use elsinore_dane::name::DomainName;

    fn name(text: &str) -> Name {
        Name::from_domain(&DomainName::parse(text).unwrap())
    }

    /// The example zone of RFC 5155 appendix A: salt aabbccdd, 12 iterations.
    #[test]
    fn hashes_of_rfc_5155() {
        let salt = [0xaa, 0xbb, 0xcc, 0xdd];
        for (owner, expected) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("ai.example", "gjeqe526plbf1g8mklp59enfd789njgi"),
            ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            let mut rdata = vec![1, 0, 0, 12, 4];
            rdata.extend(salt);
            rdata.push(20);
            rdata.extend([0; 20]);
            let nsec3 = Nsec3::parse(&rdata).unwrap();
            let hashed = name("example").prefixed(expected.as_bytes()).unwrap();
            assert!(nsec3_is_for(&nsec3, &hashed, &name(owner)), "{owner}");
            assert!(
                !nsec3_is_for(&nsec3, &hashed, &name("b.example")),
                "{owner}"
            );
        }
    }

    #[test]
    fn base32_refused() {
        for label in [
            "",
            "0p9mhaveqvm6t7vbl5lop2u3t2rp3to",
            "wp9mhaveqvm6t7vbl5lop2u3t2rp3tom",
        ] {
            assert_eq!(base32hex(label.as_bytes()), None, "{label}");
        }
    }

    #[test]
    fn hashing_is_bounded() {
        let budget = Budget::new(Limits {
            nsec3_hashes: 3,
            ..Limits::default()
        });
        let mut rdata = vec![1, 0, 0, 0, 0, 20];
        rdata.extend([0; 20]);
        let owner = name("example").prefixed(&[b'0'; 32]).unwrap();
        let records = vec![(owner, Nsec3::parse(&rdata).unwrap())];
        let zone = name("example");
        let sets = Nsec3Set::by_parameters(&zone, &records, &budget);
        let set = &sets[0];
        let error = set.no_name(&name("a.b.c.d.e.example")).unwrap_err();
        assert!(error.text.contains("more than 3 NSEC3 hashes"), "{error}");
    }

    /// Types that the tables below name, all below 128.
    const TYPES: &[(&str, u8)] = &[
        ("A", 1),
        ("NS", 2),
        ("CNAME", 5),
        ("SOA", 6),
        ("DNAME", 39),
        ("DS", 43),
        ("RRSIG", 46),
        ("TLSA", 52),
    ];

    fn label(hash: &[u8]) -> Vec<u8> {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
        let bits: Vec<u8> = hash
            .iter()
            .flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1))
            .collect();
        bits.chunks(5)
            .map(|five| {
                DIGITS[five
                    .iter()
                    .fold(0_usize, |n, bit| n << 1 | usize::from(*bit))]
            })
            .collect()
    }

    /// `= NAME TYPES`: the record of the name; `~ NAME TYPES`: one that covers it and nothing else;
    /// `~o`: that one with opt-out. `iterations` may follow as `/N`.
    fn nsec3(line: &str) -> (Name, Nsec3) {
        let (line, iterations) = line.split_once('/').unwrap_or((line, "0"));
        let iterations: u8 = iterations.parse().unwrap();
        let mut words = line.split_whitespace();
        let (how, whose) = (words.next().unwrap(), words.next().unwrap());
        let mut hash = digest(name(whose).wire(), &[]);
        for _ in 0..iterations {
            hash = digest(&hash, &[]);
        }
        // One up or down in the last octet suffices: the tables have few names.
        let step = |hash: [u8; 20], by: i8| {
            let mut moved = hash;
            moved[19] = moved[19].wrapping_add_signed(by);
            moved
        };
        let own = if how == "=" { hash } else { step(hash, -1) };
        let mut rdata = vec![1, u8::from(how == "~o"), 0, iterations, 0, 20];
        rdata.extend(step(hash, 1));
        let mut bitmap = [0_u8; 16];
        for word in words {
            let (_, code) = TYPES.iter().find(|(known, _)| *known == word).unwrap();
            bitmap[usize::from(code / 8)] |= 0x80 >> (code % 8);
        }
        rdata.extend([0, 16]);
        rdata.extend(bitmap);
        let owner = name("e").prefixed(&label(&own)).unwrap();
        (owner, Nsec3::parse(&rdata).unwrap())
    }

    fn check<T: PartialEq + std::fmt::Debug>(
        lines: &[&str],
        prove: impl Fn(&Nsec3Set<'_>) -> Result<T, Fault>,
        expected: Result<T, &str>,
    ) {
        let records: Vec<_> = lines.iter().map(|line| nsec3(line)).collect();
        let (zone, budget) = (name("e"), Budget::new(Limits::default()));
        let sets = Nsec3Set::by_parameters(&zone, &records, &budget);
        match (prove(&sets[0]), expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{lines:?}"),
            (Err(fault), Err(part)) => {
                assert!(fault.text.contains(part), "{lines:?}: {fault}, not {part}");
            }
            (got, expected) => panic!("{got:?}, not {expected:?}: {lines:?}"),
        }
    }

    /// RFC 5155 §8.5, §8.6, §8.7.
    #[test]
    fn no_data() {
        let shown = Ok(Proof::Shown);
        for (records, owner, rtype, expected) in [
            (&["= mx.e A RRSIG"][..], "mx.e", 52, shown.clone()),
            (&["= mx.e A TLSA"], "mx.e", 52, Err("type exists")),
            (&["= mx.e CNAME"], "mx.e", 52, Err("a CNAME exists")),
            (&["= mx.e A"], "mx.e", 255, Err("type exists")),
            // An empty non-terminal has a record without types.
            (&["= ent.e"], "ent.e", 52, shown.clone()),
            (&["= ent.e"], "ent.e", 255, shown.clone()),
            // From the right side of a cut.
            (&["= sub.e NS"], "sub.e", 52, Err("speaks of DS only")),
            (&["= sub.e NS"], "sub.e", 43, shown.clone()),
            (&["= e NS SOA"], "e", 43, Err("is the child's")),
            (&["= e NS SOA"], "e", 52, shown.clone()),
            // The wildcard has no such type.
            (
                &["= e NS SOA", "~ mx.e", "= *.e A"],
                "mx.e",
                52,
                shown.clone(),
            ),
            (
                &["= e NS SOA", "~ mx.e", "= *.e TLSA"],
                "mx.e",
                52,
                Err("type exists"),
            ),
            (
                &["= e NS SOA", "~ mx.e", "= *.e CNAME"],
                "mx.e",
                52,
                Err("a CNAME exists"),
            ),
            // Without the next closer name, or without the encloser, nothing is shown.
            (&["= e NS SOA", "= *.e A"], "mx.e", 52, Err("covers mx.e")),
            (&["~ mx.e", "= *.e A"], "mx.e", 52, Err("closest encloser")),
            (
                &["= e NS SOA", "~ mx.e"],
                "mx.e",
                52,
                Err("no NSEC3 is for *.e"),
            ),
            // In an opt-out span an unsigned delegation may be there (§8.6, §9.2), wildcard or not.
            (&["= e NS SOA", "~o mx.e"], "mx.e", 52, Ok(Proof::OptOut)),
            (
                &["= e NS SOA", "~o mx.e", "= *.e A"],
                "mx.e",
                52,
                Ok(Proof::OptOut),
            ),
            // The span has to hold the name, not something else.
            (
                &["= e NS SOA", "~o other.e"],
                "mx.e",
                52,
                Err("covers mx.e"),
            ),
        ] {
            check(records, |set| set.no_data(&name(owner), rtype), expected);
        }
    }

    /// RFC 5155 §8.3, §8.4.
    #[test]
    fn no_name() {
        let shown = Ok(Proof::Shown);
        for (records, owner, expected) in [
            (
                &["= e NS SOA", "~ mx.e", "~ *.e"][..],
                "mx.e",
                shown.clone(),
            ),
            (&["= e NS SOA", "~ b.e", "~ *.e"], "a.b.e", shown.clone()),
            // The deeper encloser decides where the wildcard would be.
            (
                &["= e NS SOA", "= b.e A", "~ a.b.e", "~ *.e"],
                "a.b.e",
                Err("the wildcard *.b.e"),
            ),
            (
                &["= e NS SOA", "= b.e A", "~ a.b.e", "~ *.b.e"],
                "a.b.e",
                shown.clone(),
            ),
            (&["= e NS SOA", "~ mx.e"], "mx.e", Err("the wildcard *.e")),
            (&["= e NS SOA", "~ *.e"], "mx.e", Err("covers mx.e")),
            (&["~ mx.e", "~ *.e"], "mx.e", Err("closest encloser")),
            (
                &["= mx.e A", "= e NS SOA", "~ *.e"],
                "mx.e",
                Err("to exist"),
            ),
            // Below a delegation or a DNAME nothing is this zone's to deny.
            (
                &["= sub.e NS", "~ mx.sub.e", "~ *.sub.e"],
                "mx.sub.e",
                Err("not an encloser"),
            ),
            (
                &["= dn.e DNAME", "~ mx.dn.e", "~ *.dn.e"],
                "mx.dn.e",
                Err("not an encloser"),
            ),
            (
                &["= e NS SOA", "~o mx.e", "~ *.e"],
                "mx.e",
                Ok(Proof::OptOut),
            ),
            // Opt-out at the wildcard does not matter (§9.2 speaks of the next closer name).
            (&["= e NS SOA", "~ mx.e", "~o *.e"], "mx.e", shown.clone()),
            // Records of other parameters speak of other hashes.
            (
                &["= e NS SOA/1", "~ mx.e/1", "~ *.e/2"],
                "mx.e",
                Err("the wildcard *.e"),
            ),
            (
                &["= e NS SOA/3", "~ mx.e/3", "~ *.e/3"],
                "mx.e",
                shown.clone(),
            ),
        ] {
            check(records, |set| set.no_name(&name(owner)), expected);
        }
    }

    /// RFC 5155 §8.8.
    #[test]
    fn expansion() {
        for (records, owner, encloser, expected) in [
            (&["~ mx.e"][..], "mx.e", "e", Ok(Proof::Shown)),
            (&["~o mx.e"], "mx.e", "e", Ok(Proof::OptOut)),
            (&["~ sub.e"], "mx.sub.e", "e", Ok(Proof::Shown)),
            (&["~ mx.sub.e"], "mx.sub.e", "e", Err("covers sub.e")),
            (&["= mx.e A"], "mx.e", "e", Err("covers mx.e")),
        ] {
            check(
                records,
                |set| set.expansion(&name(owner), &name(encloser)),
                expected,
            );
        }
    }

    /// RFC 5155 §8.6, §8.9, RFC 6840 §4.4.
    #[test]
    fn no_ds() {
        for (records, owner, expected) in [
            (&["= sub.e NS"][..], "sub.e", Ok(DsProof::Unsigned)),
            (&["= sub.e A"], "sub.e", Ok(DsProof::NoCut)),
            (&["= sub.e NS DS"], "sub.e", Err("type exists")),
            (&["= sub.e NS SOA"], "sub.e", Err("is the child's")),
            (&["= e NS SOA", "~ sub.e"], "sub.e", Ok(DsProof::NoCut)),
            (&["= e NS SOA", "~o sub.e"], "sub.e", Ok(DsProof::OptOut)),
            (&["= e NS SOA", "~o x.e"], "sub.e", Err("covers sub.e")),
            (&["~o sub.e"], "sub.e", Err("closest encloser")),
        ] {
            check(records, |set| set.no_ds(&name(owner)), expected);
        }
    }

    /// The last record of a zone leads back to the first.
    #[test]
    fn the_end_of_the_zone() {
        let mut rdata = vec![1, 0, 0, 0, 0, 20];
        rdata.extend([1; 20]);
        let owner = name("e").prefixed(&label(&[0xfe; 20])).unwrap();
        let records = vec![(owner, Nsec3::parse(&rdata).unwrap())];
        let (zone, budget) = (name("e"), Budget::new(Limits::default()));
        let set = &Nsec3Set::by_parameters(&zone, &records, &budget)[0];
        for (hash, covered) in [
            ([0xff; 20], true),
            ([0; 20], true),
            ([1; 20], false),
            ([2; 20], false),
            ([0xfe; 20], false),
            ([0xfd; 20], false),
        ] {
            let probe = name("probe.e");
            set.hashes.borrow_mut().insert(probe.clone(), hash.to_vec());
            assert_eq!(set.covering(&probe).unwrap().is_some(), covered, "{hash:?}");
        }
    }

    /// Another zone's records, unknown flags and algorithms are left aside (RFC 5155 §8.1, §8.2).
    #[test]
    fn unusable_records() {
        let budget = Budget::new(Limits::default());
        let zone = name("example");
        for (owner, algorithm, flags) in [("other", 1, 0), ("example", 2, 0), ("example", 1, 2)] {
            let mut rdata = vec![algorithm, flags, 0, 0, 0, 20];
            rdata.extend([0; 20]);
            let owner = name(owner).prefixed(&[b'0'; 32]).unwrap();
            let records = vec![(owner, Nsec3::parse(&rdata).unwrap())];
            assert!(
                Nsec3Set::by_parameters(&zone, &records, &budget).is_empty(),
                "{records:?}"
            );
        }
    }
}
