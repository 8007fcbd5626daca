//! What is put together from the index is what the zone's server would have said, for zones with
//! wildcards, empty names, delegations, aliases and spans that opt out.

use super::*;
use crate::resolver::limits::{Budget, Limits};
use crate::resolver::validate::{DsProof, Proof as Shown, Proofs};
use elsinore_dane::name::DomainName;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const A: u16 = 1;
const TLSA: u16 = 52;

fn name(text: &str) -> Name {
    Name::from_domain(&DomainName::parse(text).unwrap())
}

fn at(seconds: u64) -> Moment {
    Moment {
        steady: seconds * 1_000,
        wall: 1_700_000_000 + seconds.cast_signed(),
    }
}

/// What the authoritative server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// Data, an alias or a referral.
    Something,
    NoData,
    NoName,
}

/// A zone without its signatures: types by name.
#[derive(Debug, Clone)]
struct World {
    apex: Name,
    names: BTreeMap<Name, BTreeSet<u16>>,
}

impl World {
    /// The apex, and of `given` what neither a delegation nor a DNAME hides.
    fn new(apex: Name, given: &[(Name, BTreeSet<u16>)]) -> Self {
        let mut names: BTreeMap<Name, BTreeSet<u16>> = BTreeMap::new();
        names.insert(apex.clone(), BTreeSet::from([rtype::SOA, rtype::NS]));
        for (name, types) in given {
            // What a wildcard NS or DNAME means is left open (RFC 4592 §4.2, §4.4).
            if name.is_wildcard() && (types.contains(&rtype::NS) || types.contains(&rtype::DNAME)) {
                continue;
            }
            names.entry(name.clone()).or_insert_with(|| types.clone());
        }
        let hiding: Vec<Name> = names
            .iter()
            .filter(|(name, types)| {
                **name != apex && (types.contains(&rtype::NS) || types.contains(&rtype::DNAME))
            })
            .map(|(name, _)| name.clone())
            .collect();
        names.retain(|name, _| !hiding.iter().any(|above| name.is_below(above)));
        Self { apex, names }
    }

    fn has(&self, name: &Name, rtype: u16) -> bool {
        self.names
            .get(name)
            .is_some_and(|types| types.contains(&rtype))
    }

    fn is_delegation(&self, name: &Name) -> bool {
        *name != self.apex && self.has(name, rtype::NS)
    }

    fn exists(&self, name: &Name) -> bool {
        self.names.keys().any(|other| other.is_at_or_below(name))
    }

    fn at_name(&self, owner: &Name, rtype: u16) -> Says {
        if self.has(owner, rtype) || self.has(owner, rtype::CNAME) {
            Says::Something
        } else {
            Says::NoData
        }
    }

    fn says(&self, name: &Name, rtype: u16) -> Says {
        for count in self.apex.label_count()..=name.label_count() {
            let above = name.suffix(count);
            let refers = self.is_delegation(&above) && (above != *name || rtype != rtype::DS);
            if refers || (above != *name && self.has(&above, rtype::DNAME)) {
                return Says::Something;
            }
        }
        if self.exists(name) {
            return self.at_name(name, rtype);
        }
        let mut encloser = name.parent().unwrap();
        while !self.exists(&encloser) {
            encloser = encloser.parent().unwrap();
        }
        let wildcard = encloser.wildcard().unwrap();
        if self.exists(&wildcard) {
            return self.at_name(&wildcard, rtype);
        }
        Says::NoName
    }

    fn bitmap(&self, name: &Name) -> Vec<u8> {
        let mut bitmap = vec![0, 32];
        bitmap.extend([0; 32]);
        for rtype in self.names.get(name).into_iter().flatten() {
            bitmap[2 + usize::from(*rtype / 8)] |= 0x80 >> (rtype % 8);
        }
        bitmap
    }

    fn nsec(&self) -> Vec<Record> {
        let owners: Vec<&Name> = self.names.keys().collect();
        let next = owners.iter().cycle().skip(1);
        owners
            .iter()
            .zip(next)
            .map(|(owner, next)| {
                let rdata = [next.wire(), &self.bitmap(owner)].concat();
                record((*owner).clone(), rtype::NSEC, rdata)
            })
            .collect()
    }

    /// With `opt_out`, unsigned delegations are left out of the chain.
    fn nsec3(&self, opt_out: bool) -> Vec<Record> {
        let mut hashed: BTreeMap<[u8; 20], Name> = BTreeMap::new();
        let left_out =
            |name: &Name| opt_out && self.is_delegation(name) && !self.has(name, rtype::DS);
        for owner in self.names.keys().filter(|name| !left_out(name)) {
            for count in self.apex.label_count()..=owner.label_count() {
                let name = owner.suffix(count);
                hashed.insert(nsec3_hash(&name, 1, &[7]), name);
            }
        }
        let next = hashed.keys().cycle().skip(1);
        hashed
            .iter()
            .zip(next)
            .map(|((hash, name), next)| {
                let mut rdata = vec![1, u8::from(opt_out), 0, 1, 1, 7, 20];
                rdata.extend(next);
                rdata.extend(self.bitmap(name));
                let owner = self.apex.prefixed(&base32hex(hash)).unwrap();
                record(owner, rtype::NSEC3, rdata)
            })
            .collect()
    }
}

fn record(owner: Name, rtype: u16, rdata: Vec<u8>) -> Record {
    Record {
        owner,
        rtype,
        ttl: 3_600,
        rdata,
    }
}

fn base32hex(octets: &[u8; 20]) -> Vec<u8> {
    let bit = |at: usize| octets[at / 8] >> (7 - at % 8) & 1;
    let digit = |at: usize| (0..5).fold(0, |value, bit_at| value << 1 | bit(at * 5 + bit_at));
    (0..32)
        .map(|at| b"0123456789abcdefghijklmnopqrstuv"[usize::from(digit(at))])
        .collect()
}

/// What is concluded without a question; `None` when one has to be asked.
fn concluded(index: &mut Denials, name: &Name, rtype: u16, now: Moment) -> Option<Says> {
    let budget = Budget::new(Limits::default());
    let candidate = index.candidate(name, rtype, now)?;
    let proofs = Proofs::known(&candidate.records, &candidate.zone, &budget);
    let (proof, says) = if candidate.whole_name {
        (proofs.no_name(name), Says::NoName)
    } else {
        (proofs.no_data(name, rtype), Says::NoData)
    };
    matches!(proof, Ok(Shown::Shown)).then_some(says)
}

fn learn(index: &mut Denials, zone: &Name, record: &Record, ttl: u32, now: Moment) {
    index.learn(
        Validated {
            zone,
            records: &[record],
            ttl,
        },
        now,
    );
}

fn labels() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(
        prop::sample::select(vec!["a", "b", "*", "mx", "_tcp"]),
        0..4,
    )
}

fn below(apex: &Name) -> impl Strategy<Value = Name> + use<> {
    let apex = apex.clone();
    labels().prop_map(move |labels| {
        labels.into_iter().fold(apex.clone(), |name, label| {
            name.prefixed(label.as_bytes()).unwrap()
        })
    })
}

fn world() -> impl Strategy<Value = World> {
    let apex = name("z");
    let types = prop::sample::select(vec![
        &[A][..],
        &[TLSA],
        &[A, TLSA],
        &[rtype::CNAME],
        &[rtype::NS],
        &[rtype::NS, rtype::DS],
        &[rtype::DNAME],
    ]);
    let types = types.prop_map(|types| types.iter().copied().collect());
    prop::collection::vec((below(&apex), types), 0..12)
        .prop_map(move |given| World::new(apex.clone(), &given))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chain {
    Nsec,
    Nsec3,
    OptOut,
}

fn chains() -> impl Strategy<Value = Chain> {
    prop::sample::select(vec![Chain::Nsec, Chain::Nsec3, Chain::OptOut])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// Whatever part of the chain is known: what is concluded is what the server says. When all
    /// of it is known, no denial has to be asked for, but in opt-out spans.
    #[test]
    fn sound_and_whole(
        world in world(),
        chain in chains(),
        part in prop::option::of(any::<u64>()),
        asked in prop::collection::vec((below(&name("z")), prop::sample::select(vec![A, TLSA, rtype::DS])), 1..20),
    ) {
        let records = match chain {
            Chain::Nsec => world.nsec(),
            Chain::Nsec3 => world.nsec3(false),
            Chain::OptOut => world.nsec3(true),
        };
        let mut index = Denials::new(1 << 20, 100);
        for (number, record) in records.iter().enumerate() {
            if part.is_none_or(|bits| bits >> (number % 64) & 1 == 1) {
                learn(&mut index, &world.apex, record, 3_600, at(0));
            }
        }
        for (name, rtype) in asked {
            if rtype == rtype::DS && name == world.apex {
                continue;
            }
            let says = world.says(&name, rtype);
            let concluded = concluded(&mut index, &name, rtype, at(1));
            if let Some(concluded) = concluded {
                prop_assert_eq!(concluded, says, "{} {}", name, rtype);
            } else if part.is_none() && chain != Chain::OptOut {
                prop_assert_eq!(says, Says::Something, "{} {} had to be asked", name, rtype);
            }
        }
    }

    /// What stands in place of a DS: never nothing where there is one, never "no delegation" where
    /// there is one.
    #[test]
    fn no_ds(
        world in world(),
        chain in chains(),
        part in prop::option::of(any::<u64>()),
        asked in prop::collection::vec(below(&name("z")), 1..20),
    ) {
        let records = match chain {
            Chain::Nsec => world.nsec(),
            Chain::Nsec3 => world.nsec3(false),
            Chain::OptOut => world.nsec3(true),
        };
        let mut index = Denials::new(1 << 20, 100);
        for (number, record) in records.iter().enumerate() {
            if part.is_none_or(|bits| bits >> (number % 64) & 1 == 1) {
                learn(&mut index, &world.apex, record, 3_600, at(0));
            }
        }
        for name in asked {
            if name == world.apex {
                continue;
            }
            // The budget is that of one lookup.
            let budget = Budget::new(Limits::default());
            let proof = index.candidate(&name, rtype::DS, at(1)).and_then(|candidate| {
                Proofs::known(&candidate.records, &candidate.zone, &budget).no_ds(&name).ok()
            });
            let is_hidden = world.says(&name.parent().unwrap(), A) == Says::Something
                && !world.exists(&name);
            match proof {
                Some(DsProof::Unsigned) => {
                    prop_assert!(world.is_delegation(&name) && !world.has(&name, rtype::DS), "{}", name);
                }
                Some(DsProof::NoCut) => prop_assert!(!world.is_delegation(&name), "{}", name),
                Some(DsProof::OptOut) => {
                    prop_assert!(chain == Chain::OptOut && !world.has(&name, rtype::DS), "{}", name);
                }
                Some(DsProof::Iterations(_)) => prop_assert!(false, "too many iterations"),
                None if part.is_some() => {}
                None => prop_assert!(
                    world.has(&name, rtype::DS) || world.has(&name, rtype::CNAME) || is_hidden
                        || world.names.keys().any(|above| name.is_below(above)
                            && (world.is_delegation(above) || world.has(above, rtype::DNAME))),
                    "{} had to be asked", name
                ),
            }
        }
    }
}

#[test]
fn ages_and_bounds() {
    let apex = name("z");
    let world = World::new(
        apex.clone(),
        &[
            (name("b.z"), BTreeSet::from([A])),
            (name("m.z"), BTreeSet::from([A])),
        ],
    );
    let chain = world.nsec();
    let mut soa = record(
        apex.clone(),
        rtype::SOA,
        [&[0; 20][..], &900_u32.to_be_bytes()].concat(),
    );
    soa.ttl = 3_600;
    // `(seconds of NSEC, SOA known, seconds later, still denied)`
    for (ttl, with_soa, later, denied) in [
        (3_600, false, 3_599, true),
        (3_600, false, 3_600, false),
        // RFC 9077: no longer than the SOA says.
        (3_600, true, 899, true),
        (3_600, true, 900, false),
        (86_400, false, u64::from(LONGEST_DENIAL) - 1, true),
        (86_400, false, u64::from(LONGEST_DENIAL), false),
    ] {
        let mut index = Denials::new(1 << 20, 100);
        if with_soa {
            learn(&mut index, &apex, &soa, 3_600, at(0));
        }
        for record in &chain {
            learn(&mut index, &apex, record, ttl, at(0));
        }
        let concluded = concluded(&mut index, &name("c.z"), A, at(later));
        assert_eq!(concluded.is_some(), denied, "{ttl} {with_soa} {later}");
        assert!(!index.zones.is_empty(), "others are still in the index");
    }
}

/// Records that come by again with no more time left, as those of a denial made from the index do,
/// do not prolong themselves; fresh ones do.
#[test]
fn not_prolonged_by_itself() {
    let world = World::new(name("z"), &[]);
    let chain = world.nsec();
    let mut index = Denials::new(1 << 20, 100);
    learn(&mut index, &world.apex, &chain[0], 100, at(0));
    let old = Record {
        ttl: 3_600 - 90,
        ..chain[0].clone()
    };
    learn(&mut index, &world.apex, &old, 100, at(90));
    assert_eq!(
        concluded(&mut index, &name("a.z"), A, at(99)),
        Some(Says::NoName)
    );
    assert_eq!(concluded(&mut index, &name("a.z"), A, at(101)), None);
    assert!(index.zones.is_empty());
    learn(&mut index, &world.apex, &chain[0], 100, at(101));
    learn(&mut index, &world.apex, &chain[0], 100, at(150));
    assert_eq!(
        concluded(&mut index, &name("a.z"), A, at(249)),
        Some(Says::NoName)
    );
}

/// A chain of a million spans stays within the budget, index included; zones that are gone leave
/// nothing behind.
#[test]
fn bounded() {
    let budget = 300_000;
    let mut index = Denials::new(budget, 100);
    for number in 0..20_000_u32 {
        let zone = name(&format!("zone{number}"));
        let next = [zone.wire(), &[0, 1, 0x40]].concat();
        learn(
            &mut index,
            &zone,
            &record(zone.clone(), rtype::NSEC, next),
            3_600,
            at(0),
        );
        assert!(index.octets() <= budget);
        assert!(index.zones.len() <= index.store.len());
    }
    let places: usize = index
        .zones
        .values()
        .map(|zone| zone.nsec.len() + zone.nsec3.len())
        .sum();
    assert_eq!(places, index.store.len());
    assert!(places > 300, "{places}");
}

/// Records that could prove nothing, or were salted anew, take no room.
#[test]
fn unusable() {
    let world = World::new(name("z"), &[(name("a.z"), BTreeSet::from([A]))]);
    let good = world.nsec3(false);
    let mut index = Denials::new(1 << 20, 100);
    for (offset, value) in [(0, 2), (1, 2), (2, 1), (6, 19)] {
        let mut bad = good[0].clone();
        bad.rdata[offset] = value;
        learn(&mut index, &world.apex, &bad, 3_600, at(0));
    }
    learn(&mut index, &name("y"), &good[0], 3_600, at(0));
    assert!(index.zones.is_empty());
    for record in &good {
        learn(&mut index, &world.apex, record, 3_600, at(0));
    }
    assert_eq!(
        concluded(&mut index, &name("b.z"), A, at(0)),
        Some(Says::NoName)
    );
    let mut salted = good[0].clone();
    salted.rdata[5] = 8;
    learn(&mut index, &world.apex, &salted, 3_600, at(0));
    assert_eq!(index.zones[&world.apex].nsec3.len(), 1);
    assert_eq!(concluded(&mut index, &name("b.z"), A, at(0)), None);
}
