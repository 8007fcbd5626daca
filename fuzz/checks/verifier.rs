//! What must hold of the verifier for any input. The fuzz targets call these, and so does
//! `cargo test` with the committed corpora.

use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::{DaneRequirement, PinRequirement};
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::{TlsaRecord, effective};
use elsinore_dane::verify::{
    DaneVerdict, VerifyOptions, inspect, verify_dane, verify_handshake_signature, verify_pins,
};

const NOW: UnixTime = UnixTime(1_790_000_000);

fn requirement(records: Vec<TlsaRecord>) -> DaneRequirement {
    let base_domain = DomainName::root();
    DaneRequirement {
        reference_identifiers: vec![base_domain.clone()],
        base_domain,
        records,
        mx_secure: true,
    }
}

/// RDATA of any kind: usable or not, but always in a way that can be written and read again.
pub(crate) fn check_tlsa_rdata(octets: &[u8]) {
    let record = TlsaRecord::from_rdata(octets.to_vec());
    match record.usability() {
        Ok(usable) => {
            assert_eq!(record.usage(), Some(usable.usage().code()));
            assert_eq!(record.selector(), Some(usable.selector().code()));
            assert_eq!(record.matching_type(), Some(usable.matching_type().code()));
            assert!(!usable.association().is_empty());
            let length = usable.matching_type().digest_length();
            assert!(length.is_none_or(|length| length == usable.association().len()));
            assert_eq!(effective(std::slice::from_ref(&record)).len(), 1);
        }
        Err(reason) => {
            assert!(!reason.to_string().is_empty());
            let verdict = verify_dane(
                &[octets],
                &requirement(vec![record.clone()]),
                NOW,
                &VerifyOptions::smtp(),
            );
            assert_eq!(verdict, DaneVerdict::NoUsable);
        }
    }
    assert_eq!(record.to_string().parse(), Ok(record));
}

/// Any octets as a certificate: a leaf is matched by its own record exactly when its key can be
/// found, and never by another's.
pub(crate) fn check_certificate(octets: &[u8]) {
    let own = requirement(vec![TlsaRecord::new(3, 0, 0, octets)]);
    let verdict = verify_dane(&[octets], &own, NOW, &VerifyOptions::smtp());
    let summary = inspect(octets);
    assert_eq!(
        matches!(verdict, DaneVerdict::Authenticated(_)),
        summary.is_ok()
    );
    let foreign = requirement(vec![
        TlsaRecord::new(3, 1, 1, &[0x5a; 32]),
        TlsaRecord::new(2, 0, 2, &[0x5a; 64]),
    ]);
    let verdict = verify_dane(&[octets, octets], &foreign, NOW, &VerifyOptions::smtp());
    assert!(matches!(verdict, DaneVerdict::Rejected(_)));
    if let Ok(summary) = summary {
        for digest in [summary.sha256, summary.public_key_sha256] {
            let pins = PinRequirement {
                sha256: vec![digest],
            };
            assert!(verify_pins(&[octets], &pins).is_ok());
        }
    }
    for scheme in [0x0201, 0x0401, 0x0403, 0x0804, 0x0807, 0x0808, 0x0809] {
        // Whatever it says, it must say it.
        let _ = verify_handshake_signature(octets, scheme, b"message", octets);
    }
}

/// Any octets as a chain with records: pieces of two octets of length each; the first octet says
/// how many of them are records.
///
/// The order of the records does not matter, and an unusable record beside them changes nothing.
pub(crate) fn check_chain(octets: &[u8]) {
    let Some((count, mut rest)) = octets.split_first() else {
        return;
    };
    let mut pieces = Vec::new();
    while let [high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (piece, after) = more.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    let (records, chain) = pieces.split_at(usize::from(*count).min(pieces.len()));
    let mut records: Vec<TlsaRecord> = records
        .iter()
        .map(|piece| TlsaRecord::from_rdata(piece.to_vec()))
        .collect();
    let options = VerifyOptions::smtp();
    let verdict =
        |records: &[TlsaRecord]| verify_dane(chain, &requirement(records.to_vec()), NOW, &options);
    let first = verdict(&records);
    if let DaneVerdict::Authenticated(found) = &first {
        assert!(records.contains(found.record()));
        assert!(found.depth() <= options.limits.depth);
    }
    assert_eq!(
        first == DaneVerdict::NoUsable,
        effective(&records).is_empty()
    );
    let same =
        |other: &DaneVerdict| std::mem::discriminant(&first) == std::mem::discriminant(other);
    records.reverse();
    assert!(same(&verdict(&records)));
    records.push(TlsaRecord::new(1, 1, 1, &[0; 32]));
    records.push(TlsaRecord::new(3, 1, 2, &[0; 63]));
    assert!(same(&verdict(&records)));
}
