//! Why records are unusable, and which usable ones take part.

use crate::make::Spec;
use elsinore_dane::tlsa::{MatchingType, Selector, TlsaRecord, Unusable, Usage, effective};

#[test]
fn reasons() {
    let root = Spec::authority("Root", "root", "Root", "root").make();
    let digest = [7; 32];
    let record =
        |usage, selector, matching, data: &[u8]| TlsaRecord::new(usage, selector, matching, data);
    for (record, expected) in [
        (TlsaRecord::from_rdata(vec![]), Unusable::TooShort(0)),
        (TlsaRecord::from_rdata(vec![3]), Unusable::TooShort(1)),
        (TlsaRecord::from_rdata(vec![3, 1]), Unusable::TooShort(2)),
        (record(3, 1, 1, &[]), Unusable::Empty),
        (record(3, 0, 0, &[]), Unusable::Empty),
        (record(0, 0, 1, &digest), Unusable::PkixUsage(0)),
        (record(1, 1, 1, &digest), Unusable::PkixUsage(1)),
        (record(4, 1, 1, &digest), Unusable::UnknownUsage(4)),
        (record(255, 9, 9, &[]), Unusable::UnknownUsage(255)),
        (record(3, 2, 1, &digest), Unusable::UnknownSelector(2)),
        (record(2, 255, 1, &digest), Unusable::UnknownSelector(255)),
        (record(3, 1, 3, &digest), Unusable::UnknownMatchingType(3)),
        (
            record(2, 0, 255, &digest),
            Unusable::UnknownMatchingType(255),
        ),
        (
            record(3, 1, 1, &digest[1..]),
            Unusable::DigestLength {
                expected: 32,
                actual: 31,
            },
        ),
        (
            record(2, 0, 2, &digest),
            Unusable::DigestLength {
                expected: 64,
                actual: 32,
            },
        ),
        (record(2, 0, 0, &root.spki), Unusable::NotACertificate),
        (record(2, 0, 0, &root.der[1..]), Unusable::NotACertificate),
        (record(2, 1, 0, &root.der), Unusable::NotAPublicKey),
        (record(2, 1, 0, b"x"), Unusable::NotAPublicKey),
    ] {
        assert_eq!(record.usability(), Err(expected), "{record}");
        let text = expected.to_string();
        assert!(!text.is_empty() && !text.contains('\n'), "{text}");
    }
}

#[test]
fn usable_fields() {
    let root = Spec::authority("Root", "root", "Root", "root").make();
    for (usage_code, usage) in [(2, Usage::DaneTa), (3, Usage::DaneEe)] {
        for (selector_code, selector) in [(0, Selector::Cert), (1, Selector::Spki)] {
            for (matching_code, matching) in [
                (0, MatchingType::Full),
                (1, MatchingType::Sha256),
                (2, MatchingType::Sha512),
            ] {
                let record = root.record(usage_code, selector_code, matching_code);
                let usable = record.usability().unwrap();
                assert_eq!(usable.usage(), usage);
                assert_eq!(usable.selector(), selector);
                assert_eq!(usable.matching_type(), matching);
                assert_eq!(usable.association(), record.association());
            }
        }
    }
    // Usage 3 Full is compared, not decoded.
    for selector in 0..=1 {
        assert!(TlsaRecord::new(3, selector, 0, b"x").usability().is_ok());
    }
}

#[test]
fn digest_agility() {
    let digest = |usage, selector, matching: u8| {
        let length = if matching == 2 { 64 } else { 32 };
        TlsaRecord::new(usage, selector, matching, &vec![matching; length])
    };
    let full = TlsaRecord::new(3, 1, 0, b"key");
    let short = TlsaRecord::new(3, 1, 2, &[0; 63]);
    for (records, expected) in [
        (vec![], vec![]),
        (vec![digest(3, 1, 1)], vec![0]),
        (vec![digest(3, 1, 1), digest(3, 1, 2)], vec![1]),
        (
            vec![digest(3, 1, 2), digest(3, 1, 1), digest(3, 1, 2)],
            vec![0, 2],
        ),
        (vec![digest(3, 1, 1), digest(3, 0, 2)], vec![0, 1]),
        (vec![digest(3, 1, 1), digest(2, 1, 2)], vec![0, 1]),
        (
            vec![full.clone(), digest(3, 1, 1), digest(3, 1, 2)],
            vec![0, 2],
        ),
        (vec![full.clone(), full], vec![0, 1]),
        (vec![digest(3, 1, 1), short], vec![0]),
        (vec![digest(3, 1, 1), digest(1, 1, 2)], vec![0]),
    ] {
        let kept: Vec<&TlsaRecord> = effective(&records)
            .iter()
            .map(elsinore_dane::tlsa::UsableTlsa::record)
            .collect();
        let expected: Vec<&TlsaRecord> = expected.iter().map(|index| &records[*index]).collect();
        assert_eq!(kept, expected, "{records:?}");
    }
}
