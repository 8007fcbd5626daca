//! Which keys count, and what their signatures have to satisfy.

use super::*;
use crate::resolver::config::Sha1Signatures;
use crate::resolver::limits::Limits;
use crate::resolver::wire::{Record, Rrsig};
use elsinore_dane::name::DomainName;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;

fn name(text: &str) -> Name {
    Name::from_domain(&DomainName::parse(text).unwrap())
}

/// `algorithm digest-type` of each DS record.
fn ds(records: &[(u8, u8)]) -> Vec<Vec<u8>> {
    let rdata = records.iter().map(|(algorithm, digest_type)| {
        let mut rdata = vec![0, 1, *algorithm, *digest_type];
        rdata.extend([0; 32]);
        rdata
    });
    rdata.collect()
}

/// Records of unknown kinds never hide a known one, however many and in whatever order: the
/// order of an RRset is not signed (RFC 4035 §5.2).
#[test]
fn usable() {
    let strict = OpenSsl {
        sha1: Sha1Signatures::Unknown,
    };
    let unknown = [(200, 2); 30];
    let many_and_one = [&unknown[..], &[(13, 2)]].concat();
    for (records, expected) in [
        (&[(13, 2)][..], Ok(1)),
        (&[(200, 2), (13, 2)], Ok(1)),
        (&[(13, 99), (13, 2)], Ok(1)),
        (&many_and_one, Ok(1)),
        (&[(13, 1), (13, 2)], Ok(1)),
        (&[(13, 2); 30], Ok(MOST_DS)),
        (&unknown, Err("unknown algorithm 200")),
        (&[(13, 99)], Err("unknown digest type 99")),
        (&[(5, 2)], Err("unknown algorithm 5")),
    ] {
        let rdata = ds(records);
        let rdata: Vec<&[u8]> = rdata.iter().map(Vec::as_slice).collect();
        let usable = ZoneKeys::usable_ds(&name("e"), &rdata, &strict);
        match (usable, expected) {
            (Ok(usable), Ok(count)) => assert_eq!(usable.len(), count, "{records:?}"),
            (Err(fault), Err(part)) => assert!(fault.text.contains(part), "{fault}"),
            (got, expected) => panic!("{got:?}, not {expected:?}: {records:?}"),
        }
    }
}

/// RFC 4034 §2.1.1, §2.1.2, RFC 5011 §2.1: flags, protocol, algorithm, key.
#[test]
fn zone_keys() {
    for (rdata, counts) in [
        (&[1, 1, 3, 13, 7][..], true),
        (&[1, 0, 3, 13, 7], true),
        (&[0, 0, 3, 13, 7], false),
        (&[0, 1, 3, 13, 7], false),
        (&[1, 0x81, 3, 13, 7], false),
        (&[1, 1, 2, 13, 7], false),
        (&[1, 1, 255, 13, 7], false),
        (&[1, 1, 3], false),
        (&[], false),
    ] {
        assert_eq!(zone_key(rdata).is_some(), counts, "{rdata:?}");
    }
}

/// What is wrong with a signature before any key is tried (RFC 4035 §5.3.1).
#[test]
fn refused_signatures() {
    const NOW: u32 = 1_000_000;
    let keys = ZoneKeys {
        zone: name("e"),
        ttl: 0,
        keys: vec![zone_key(&[1, 1, 3, 13, 7]).unwrap()],
        demanded: Vec::new(),
        cryptography: Arc::new(OpenSsl::default()),
    };
    let tag = keys.keys[0].tag;
    let check = |owner: &str, labels: u8, inception: u32, expiration: u32, signer: &str| {
        let record = Record {
            owner: name(owner),
            rtype: rtype::A,
            ttl: 60,
            rdata: vec![192, 0, 2, 1],
        };
        let rrsig = Rrsig {
            covered: rtype::A,
            algorithm: 13,
            labels,
            original_ttl: 60,
            expiration,
            inception,
            key_tag: tag,
            signer: name(signer),
            signature: vec![0; 64],
            head: vec![0; 20],
        };
        let set = Signed {
            owner: name(owner),
            rtype: rtype::A,
            records: vec![&record],
            signatures: vec![rrsig],
            signature_ttl: 60,
        };
        let budget = Budget::new(Limits::default());
        verify(&set, &keys, UnixTime(NOW.into()), &budget).unwrap_err()
    };
    let late = NOW + 1;
    for (owner, labels, inception, expiration, signer, part) in [
        ("mx.e", 2, NOW, NOW, "e", "the ECDSA key has"),
        ("mx.e", 3, NOW, NOW, "e", "more labels than the name"),
        ("*.e", 2, NOW, NOW, "e", "more labels than the name"),
        ("mx.e", 0, NOW, NOW, "e", "fewer labels than e has"),
        ("mx.other", 2, NOW, NOW, "e", "not of e"),
        ("mx.e", 2, NOW, NOW, "mx.e", "no signature by e"),
        ("mx.e", 2, late, late, "e", "not valid for another"),
        ("mx.e", 2, 0, NOW - 1, "e", "expired"),
        // Inception after expiration: no moment is in between, on either side of the wrap.
        ("mx.e", 2, late, NOW - 1, "e", "expired"),
        ("mx.e", 2, late, NOW + 5, "e", "not valid for another"),
        // Serial numbers: 2^31 and more ahead is behind.
        ("mx.e", 2, 0, NOW + (1 << 31), "e", "expired"),
        (
            "mx.e",
            2,
            NOW.wrapping_sub(1 << 30),
            late,
            "e",
            "the ECDSA key has",
        ),
    ] {
        let text = check(owner, labels, inception, expiration, signer).text;
        assert!(text.contains(part), "{owner} {labels} {signer}: {text}");
    }
}

/// Takes every signature for valid.
#[derive(Debug)]
struct Willing;

impl Cryptography for Willing {
    fn supports(&self, _: u8) -> bool {
        true
    }

    fn verify(&self, _: u8, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn digest(&self, _: u8, octets: &[u8]) -> Option<Vec<u8>> {
        Some(octets.to_vec())
    }
}

/// RFC 6840 §5.11: any algorithm will do, unless each of them was asked for.
#[test]
fn demanded_algorithms() {
    let all: Vec<ZoneKey> = [8, 13]
        .iter()
        .filter_map(|algorithm| zone_key(&[1, 1, 3, *algorithm, 7]))
        .collect();
    let record = Record {
        owner: name("mx.e"),
        rtype: rtype::A,
        ttl: 60,
        rdata: vec![192, 0, 2, 1],
    };
    for (signed_with, demanded, holds) in [
        (&[13][..], &[][..], true),
        (&[13], &[13], true),
        (&[13], &[8, 13], false),
        (&[8, 13], &[8, 13], true),
        (&[13, 13], &[8, 13], false),
        (&[], &[], false),
    ] {
        let keys = ZoneKeys {
            zone: name("e"),
            ttl: 0,
            keys: all.clone(),
            demanded: demanded.to_vec(),
            cryptography: Arc::new(Willing),
        };
        let signatures = signed_with.iter().map(|algorithm| Rrsig {
            covered: rtype::A,
            algorithm: *algorithm,
            labels: 2,
            original_ttl: 60,
            expiration: 1_000,
            inception: 0,
            key_tag: key_tag(&[1, 1, 3, *algorithm, 7]),
            signer: name("e"),
            signature: vec![0; 64],
            head: vec![0; 20],
        });
        let set = Signed {
            owner: name("mx.e"),
            rtype: rtype::A,
            records: vec![&record],
            signatures: signatures.collect(),
            signature_ttl: 60,
        };
        let budget = Budget::new(Limits::default());
        let verified = verify(&set, &keys, UnixTime(500), &budget);
        assert_eq!(verified.is_ok(), holds, "{signed_with:?} {demanded:?}");
    }
}

/// Keys by letter, as [`RECORDS`] names them.
struct World(Vec<(char, PKey<Private>)>);

impl World {
    fn new() -> Self {
        let key = |letter| (letter, PKey::generate_ed25519().unwrap());
        Self("AB".chars().map(key).collect())
    }

    /// RDATA of `A`: flags 257, protocol 3, Ed25519; `A0` without SEP, `A!` revoked, `A-` without
    /// the zone flag, `A4` with protocol 4, `A?` with an algorithm nobody knows.
    fn rdata(&self, word: &str) -> Vec<u8> {
        let (letter, mark) = word.split_at(1);
        let letter = letter.chars().next().unwrap();
        let key = &self.0.iter().find(|(name, _)| *name == letter).unwrap().1;
        let mut rdata = match mark {
            "" => vec![1, 1, 3, 15],
            "0" => vec![1, 0, 3, 15],
            "!" => vec![1, 0x81, 3, 15],
            "-" => vec![0, 1, 3, 15],
            "4" => vec![1, 1, 4, 15],
            "?" => vec![1, 1, 3, 200],
            _ => panic!("{word}"),
        };
        rdata.extend(key.raw_public_key().unwrap());
        rdata
    }

    /// DS RDATA of `A:2`: the key and the digest type; `A:2x` with another digest.
    fn ds(&self, word: &str) -> Vec<u8> {
        let (key, digest) = word.split_once(':').unwrap();
        let (digest_type, is_wrong) = match digest.strip_suffix('x') {
            Some(digest) => (digest, true),
            None => (digest, false),
        };
        let digest_type: u8 = digest_type.parse().unwrap();
        let rdata = self.rdata(key);
        let input = [name("e").wire(), &rdata].concat();
        let known = OpenSsl::default().digest(digest_type, &input);
        let mut digest = known.unwrap_or_else(|| vec![0; 32]);
        if is_wrong {
            digest[0] ^= 1;
        }
        let mut ds = key_tag(&rdata).to_be_bytes().to_vec();
        ds.extend([rdata[3], digest_type]);
        ds.extend(digest);
        ds
    }

    /// What becomes of the zone `e` with these keys, signed by those, under these DS records or,
    /// with a word without colon, this DNSKEY anchor.
    fn outcome(&self, keys: &str, signers: &str, vouchers: &str) -> KeyOutcome {
        let records: Vec<Record> = keys
            .split(' ')
            .map(|word| Record {
                owner: name("e"),
                rtype: rtype::DNSKEY,
                ttl: 60,
                rdata: self.rdata(word),
            })
            .collect();
        let mut sorted: Vec<&[u8]> = records.iter().map(|r| r.rdata.as_slice()).collect();
        sorted.sort_unstable();
        let signatures = signers.split(' ').map(|word| {
            let rdata = self.rdata(word);
            let mut head = rtype::DNSKEY.to_be_bytes().to_vec();
            head.extend([rdata[3], 1]);
            head.extend(60_u32.to_be_bytes());
            head.extend(2_000_u32.to_be_bytes());
            head.extend(0_u32.to_be_bytes());
            head.extend(key_tag(&rdata).to_be_bytes());
            head.extend(name("e").wire());
            let mut signed = head.clone();
            for rdata in &sorted {
                signed.extend(name("e").wire());
                signed.extend([0, 48, 0, 1, 0, 0, 0, 60, 0]);
                signed.push(u8::try_from(rdata.len()).unwrap());
                signed.extend(*rdata);
            }
            let letter = word.chars().next().unwrap();
            let key = &self.0.iter().find(|(name, _)| *name == letter).unwrap().1;
            let mut signer = Signer::new_without_digest(key).unwrap();
            Rrsig::parse(&[head, signer.sign_oneshot_to_vec(&signed).unwrap()].concat()).unwrap()
        });
        let set = Signed {
            owner: name("e"),
            rtype: rtype::DNSKEY,
            records: records.iter().collect(),
            signatures: signatures.collect(),
            signature_ttl: 60,
        };
        let cryptography: Arc<dyn Cryptography> = Arc::new(OpenSsl::default());
        let policy = Policy {
            cryptography: &cryptography,
            downgrade: AlgorithmDowngrade::Accepted,
        };
        let budget = Budget::new(Limits::default());
        let (now, words) = (UnixTime(1_000), vouchers.split(' '));
        if vouchers.contains(':') {
            let ds: Vec<Vec<u8>> = words.map(|word| self.ds(word)).collect();
            let ds: Vec<&[u8]> = ds.iter().map(Vec::as_slice).collect();
            ZoneKeys::from_ds(&set, &ds, policy, now, &budget)
        } else {
            let anchors: Vec<Anchor> = words.map(|word| Anchor::Dnskey(self.rdata(word))).collect();
            ZoneKeys::from_anchors(&set, &anchors, policy, now, &budget)
        }
    }
}

/// Which keys enter by which DS records and anchors (RFC 4035 §5.2, RFC 4509 §3, RFC 5011 §2.1,
/// RFC 6840 §5.2, §5.12, §6.2): keys published, keys that sign them, vouchers, what comes of it.
const RECORDS: &[(&str, &str, &str, &str)] = &[
    ("A B0", "A", "A:2", "secure"),
    ("A B0", "A B0", "A:2", "secure"),
    // The flag SEP means nothing.
    ("A0", "A0", "A0:2", "secure"),
    ("A B0", "B0", "B0:2", "secure"),
    ("A B0", "A B0", "B0", "secure"),
    // Who is vouched for has to sign.
    ("A B0", "B0", "A:2", "signed by key"),
    ("A B0", "B0", "A", "signed by key"),
    ("A", "A", "B:2", "no key of e matches a DS record"),
    ("A", "A", "B", "no key of e matches a trust anchor"),
    ("A", "A", "A:2x", "no key of e matches a DS record"),
    // Extra signatures of keys that are not there do not matter.
    ("A", "B A", "A:2", "secure"),
    // Any DS record will do.
    ("A", "A", "B:2 A:2", "secure"),
    ("A", "A", "A:2x A:4", "secure"),
    ("A", "A", "A:2x A:2", "secure"),
    // SHA-1 does not count beside a stronger digest, right or wrong.
    ("A", "A", "A:1", "secure"),
    ("A", "A", "A:1x A:2", "secure"),
    ("A", "A", "A:1 A:2x", "no key of e matches a DS record"),
    ("A B", "A B", "A:1 B:2", "secure"),
    ("A", "A", "A:1 B:2", "no key of e matches a DS record"),
    // Unknown kinds are passed by, and alone leave the zone unsigned.
    ("A", "A", "A:99 A:2", "secure"),
    ("A", "A", "A?:2 A:2", "secure"),
    ("A", "A", "A:1 A:99", "secure"),
    (
        "A",
        "A",
        "A:99",
        "insecure: the DS records of e use unknown digest type 99 only",
    ),
    (
        "A?",
        "A?",
        "A?:2",
        "insecure: e is signed with unknown algorithm 200 only",
    ),
    ("A", "A", "A?:2 B:2", "no key of e matches a DS record"),
    // Keys that may not sign: revoked, of no zone, of another protocol.
    ("A!", "A!", "A!:2", "no key of e matches a DS record"),
    ("A!", "A!", "A:2", "no key of e matches a DS record"),
    ("A!", "A!", "A!", "no key of e matches a trust anchor"),
    ("A-", "A-", "A-:2", "no key of e matches a DS record"),
    ("A4", "A4", "A4:2", "no key of e matches a DS record"),
    ("A! B", "A! B", "A:2 B:2", "secure"),
];

#[test]
fn vouched_keys() {
    let world = World::new();
    for (keys, signers, vouchers, expected) in RECORDS {
        let got = match world.outcome(keys, signers, vouchers) {
            KeyOutcome::Secure(keys) => {
                assert_eq!(keys.ttl, 60);
                "secure".to_owned()
            }
            KeyOutcome::Insecure(fault) => format!("insecure: {fault}"),
            KeyOutcome::Bogus(fault) => fault.to_string(),
        };
        let context = format!("{keys}, signed by {signers}, under {vouchers}: {got}");
        assert!(got.contains(expected), "{context}");
        assert_eq!(got == "secure", *expected == "secure", "{context}");
        assert_eq!(
            got.starts_with("insecure"),
            expected.starts_with("insecure"),
            "{context}"
        );
    }
}

/// Bounds on what a zone may make us try, each with its reason.
#[test]
fn most_keys_and_ds_records() {
    let world = World::new();
    for (keys, vouchers, expected) in [
        (
            "A ".repeat(MOST_KEYS + 1),
            "A:2".to_owned(),
            "publishes more than 64 keys",
        ),
        (
            "A ".to_owned(),
            "B:2 ".repeat(MOST_DS) + "A:2",
            "no key of e matches one of the first 24 DS records",
        ),
    ] {
        match world.outcome(keys.trim_end(), "A", &vouchers) {
            KeyOutcome::Bogus(fault) => assert!(fault.text.contains(expected), "{fault}"),
            KeyOutcome::Secure(_) | KeyOutcome::Insecure(_) => panic!("not bogus: {expected}"),
        }
    }
}
