//! Digest algorithm agility (RFC 7671 §9).

use super::{MatchingType, Selector, TlsaRecord, UsableTlsa, Usage};

/// The records that take part in matching, in the order published.
///
/// Unusable and malformed records are dropped first and so never suppress another. Then, within
/// each pair of usage and selector, only Full(0) records and those with the strongest digest
/// published for that pair remain: SHA2-512 before SHA2-256. A matching weaker digest beside a
/// stronger one that does not match is therefore no match.
#[must_use]
pub fn effective(records: &[TlsaRecord]) -> Vec<UsableTlsa<'_>> {
    let mut usable: Vec<UsableTlsa<'_>> = records
        .iter()
        .filter_map(|record| record.usability().ok())
        .collect();
    //= spec: 7672-5-2
    // Four pairs of usage and selector; Full is the smallest value and never the strongest.
    let mut strongest = [MatchingType::Full; 4];
    for record in &usable {
        let slot = &mut strongest[pair(record)];
        *slot = (*slot).max(record.matching_type);
    }
    usable.retain(|record| {
        record.matching_type == MatchingType::Full
            || record.matching_type == strongest[pair(record)]
    });
    usable
}

const fn pair(record: &UsableTlsa<'_>) -> usize {
    match (record.usage, record.selector) {
        (Usage::DaneTa, Selector::Cert) => 0,
        (Usage::DaneTa, Selector::Spki) => 1,
        (Usage::DaneEe, Selector::Cert) => 2,
        (Usage::DaneEe, Selector::Spki) => 3,
    }
}
