//! Properties: mutation never panics, a changed digest never matches, the order of records and
//! the presence of unusable ones never matter.

use crate::cases::{Case, all, outcome};
use crate::corpora::{check_certificate, check_chain};
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::DaneVerdict;
use proptest::prelude::*;
use std::sync::OnceLock;

fn table() -> &'static [Case] {
    static TABLE: OnceLock<Vec<Case>> = OnceLock::new();
    // Cases of one record about large certificates add time and nothing else.
    TABLE.get_or_init(|| {
        let small = |case: &Case| case.chain.iter().map(Vec::len).sum::<usize>() < 8_000;
        all().into_iter().filter(small).collect()
    })
}

fn any_case() -> impl Strategy<Value = Case> {
    (0..table().len()).prop_map(|index| table()[index].clone())
}

/// Octets replaced, removed or inserted at positions given as fractions.
fn mutate(octets: &mut Vec<u8>, changes: &[(f64, u8, u8)]) {
    for (position, kind, value) in changes {
        let index = (position * octets.len() as f64) as usize;
        match kind % 3 {
            0 if index < octets.len() => octets[index] = *value,
            1 if index < octets.len() => {
                octets.remove(index);
            }
            _ => octets.insert(index.min(octets.len()), *value),
        }
    }
}

fn unusable_record() -> impl Strategy<Value = TlsaRecord> {
    let any = proptest::collection::vec(any::<u8>(), 0..80);
    any.prop_map(TlsaRecord::from_rdata)
        .prop_filter("unusable", |record| record.usability().is_err())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mutated_certificates_are_judged_without_panic(
        case in any_case(),
        which in 0..4_usize,
        changes in proptest::collection::vec((0.0..1.0_f64, any::<u8>(), any::<u8>()), 1..6),
    ) {
        let mut case = case;
        let count = case.chain.len();
        if count > 0 {
            mutate(&mut case.chain[which % count], &changes);
            check_certificate(&case.chain[which % count]);
        }
        let _ = case.verdict();
    }

    #[test]
    fn arbitrary_octets_are_judged_without_panic(
        octets in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        check_certificate(&octets);
        check_chain(&octets);
    }

    #[test]
    fn a_changed_usage_3_record_never_matches(
        selector in 0..=1_u8,
        matching in 0..=2_u8,
        position in 0.0..1.0_f64,
        change in 1..=255_u8,
    ) {
        let right = table()
            .iter()
            .find(|case| case.id == (1 + 3 * selector + matching).to_string())
            .unwrap();
        let mut case = right.clone();
        let mut rdata = case.records[0].rdata().to_vec();
        let index = 3 + (position * (rdata.len() - 3) as f64) as usize;
        rdata[index] ^= change;
        case.records = vec![TlsaRecord::from_rdata(rdata)];
        prop_assert!(matches!(case.verdict(), DaneVerdict::Rejected(_)));
    }

    #[test]
    fn order_and_unusable_records_do_not_matter(
        case in any_case(),
        extra in proptest::collection::vec(unusable_record(), 0..4),
        order in any::<u64>(),
    ) {
        let mut other = case.clone();
        other.records.extend(extra);
        // A permutation out of the seed.
        let mut seed = order;
        for index in (1..other.records.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            other.records.swap(index, (seed >> 33) as usize % (index + 1));
        }
        let (first, second) = (case.verdict(), other.verdict());
        prop_assert_eq!(
            std::mem::discriminant(&outcome(&first)),
            std::mem::discriminant(&outcome(&second))
        );
    }

    /// A record taken away from a set without Full records or agility at work can only lose the
    /// match it made itself.
    #[test]
    fn further_wrong_records_of_the_same_digest_never_reject(
        case in any_case(),
        junk in proptest::collection::vec(any::<[u8; 32]>(), 1..5),
    ) {
        if let DaneVerdict::Authenticated(found) = case.verdict() {
            let mut other = case.clone();
            let (usage, selector) = (found.usage().code(), found.selector().code());
            let sha512 = case.records.iter().any(|record| record.matching_type() == Some(2));
            for digest in junk {
                if !sha512 && found.matching_type().code() == 1 {
                    other.records.push(TlsaRecord::new(usage, selector, 1, &digest));
                }
            }
            prop_assert!(matches!(other.verdict(), DaneVerdict::Authenticated(_)));
        }
    }
}
