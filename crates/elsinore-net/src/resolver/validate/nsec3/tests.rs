//! Tables for the rules of RFC 5155 §8.

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
