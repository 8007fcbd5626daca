//! The words for records and certificates, however odd these are.

use super::*;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;

fn leaf(name: &str, not_after: Option<i64>) -> CertificateSummary {
    CertificateSummary {
        sha256: [0xcc; 32],
        public_key_sha256: [0xab; 32],
        subject_common_names: vec![name.to_owned()],
        issuer_common_names: Vec::new(),
        subject_alt_names: vec!["other.example".to_owned()],
        further_names: 2,
        not_before: None,
        not_after: not_after.map(UnixTime),
        self_issued: true,
    }
}

fn requirement(records: Vec<TlsaRecord>) -> DaneRequirement {
    DaneRequirement {
        base_domain: DomainName::parse("mx.example").unwrap(),
        records,
        reference_identifiers: vec![DomainName::parse("mx.example").unwrap()],
        mx_secure: true,
    }
}

#[test]
fn records_are_shortened_and_counted() {
    let one = TlsaRecord::new(3, 1, 1, &[7; 32]);
    for (records, expected) in [
        (vec![one.clone()], "3 1 1 0707070707070707…"),
        (
            vec![one.clone(), TlsaRecord::new(2, 0, 9, &[1, 2])],
            "3 1 1 0707070707070707…, 2 0 9 0102",
        ),
        (
            vec![TlsaRecord::from_rdata(vec![3, 1])],
            "a record of 2 octets",
        ),
        (Vec::new(), "none"),
    ] {
        assert_eq!(published(&records), expected);
    }
    let many = published(&vec![one; 1000]);
    assert!(many.ends_with("0707070707070707… and 996 more"), "{many}");
    assert!(many.len() < 150, "{many}");
}

#[test]
fn the_certificate_is_shown_as_its_record() {
    let key = format!("3 1 1 {}", "ab".repeat(32));
    let certificate = format!("3 0 1 {}", "cc".repeat(32));
    let of_key = || vec![TlsaRecord::new(3, 1, 1, &[7; 32])];
    let of_certificate = vec![TlsaRecord::new(2, 0, 1, &[7; 32])];
    for (name, not_after, records, rejection, expected) in [
        (
            "mx.example",
            Some(1_798_761_600),
            of_key(),
            Rejection::NoMatch,
            format!("{key}, subject \"mx.example\", notAfter 2027-01-01T00:00:00Z"),
        ),
        (
            "a\"\u{202e}\n",
            None,
            of_certificate,
            Rejection::NoTrustedPath,
            format!("{key}, {certificate}, subject \"a\\\"\\u{{202e}}\\n\""),
        ),
        (
            "b",
            Some(i64::MAX),
            of_key(),
            Rejection::NameMismatch,
            format!(
                "{key}, subject \"b\", notAfter 9223372036854775807, \
                 names \"other.example\" and 2 more, expected \"mx.example\""
            ),
        ),
    ] {
        let shown = presented(&leaf(name, not_after), &requirement(records), rejection);
        assert_eq!(shown, expected);
    }
    let long = "ä".repeat(255);
    let shown = presented(
        &leaf(&long, None),
        &requirement(of_key()),
        Rejection::NoMatch,
    );
    assert!(shown.ends_with("ä\"…") && shown.len() < 200, "{shown}");
}
