//! Cases 77 to 85: several records, digest agility, and DANE-EE with name checks.

use crate::cases::{Case, EE, Expect, ta};
use crate::make::Spec;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::{EeNameChecks, Rejection};

pub(crate) fn cases() -> Vec<Case> {
    let leaf = Spec::server(&["mx.example.org"], "leaf", "Root", "root").make();
    let root = Spec::authority("Root", "root", "Root", "root").make();
    let chain = [&leaf, &root];
    let wrong = |usage, selector, matching: u8| {
        let length = if matching == 1 { 32 } else { 64 };
        TlsaRecord::new(usage, selector, matching, &vec![0x5a; length])
    };
    let no_match = Expect::Reject(Rejection::NoMatch);
    let untrusted = Expect::Reject(Rejection::NoTrustedPath);
    let mismatch = Expect::Reject(Rejection::NameMismatch);
    let mut cases = Vec::new();
    let mut add = |id: &str, records: Vec<TlsaRecord>, expected| {
        cases.push(Case::new(id, &chain, records, expected));
    };
    let (ee, anchor) = (leaf.record(3, 1, 1), root.record(2, 0, 1));
    add(
        "77-anchor-hits",
        vec![wrong(3, 1, 1), anchor.clone()],
        ta(1),
    );
    add("78-leaf-hits", vec![ee.clone(), wrong(2, 0, 1)], EE);
    add("78-both-hit", vec![anchor.clone(), ee.clone()], EE);
    add(
        "78-both-miss",
        vec![wrong(3, 1, 1), wrong(2, 0, 1)],
        untrusted,
    );
    //= spec-test: 7672-5-1
    //= spec-test: 7672-5-2
    add(
        "79-stronger-misses",
        vec![wrong(3, 1, 2), ee.clone()],
        no_match,
    );
    add(
        "79-stronger-hits",
        vec![leaf.record(3, 1, 2), wrong(3, 1, 1)],
        EE,
    );
    add(
        "79-two-of-the-stronger",
        vec![wrong(3, 1, 2), leaf.record(3, 1, 2)],
        EE,
    );
    add("79-anchor", vec![wrong(2, 0, 2), anchor.clone()], untrusted);
    add("80-other-selector", vec![wrong(3, 0, 2), ee.clone()], EE);
    add(
        "80-other-selector-anchor",
        vec![wrong(2, 1, 2), anchor.clone()],
        ta(1),
    );
    add("81-full", vec![wrong(3, 1, 2), leaf.record(3, 1, 0)], EE);
    add(
        "81-full-misses",
        vec![TlsaRecord::new(3, 1, 0, &[1, 2, 3]), ee.clone()],
        EE,
    );
    add(
        "81-full-anchor",
        vec![wrong(2, 0, 2), root.record(2, 0, 0)],
        ta(1),
    );
    add(
        "82-independent",
        vec![wrong(3, 0, 2), anchor.clone()],
        ta(1),
    );
    add("82-independent-leaf", vec![wrong(2, 1, 2), ee.clone()], EE);
    let short = TlsaRecord::new(3, 1, 2, &[0x5a; 63]);
    add("83-malformed-stronger", vec![short, ee.clone()], EE);
    add(
        "83-unknown-digest",
        vec![TlsaRecord::new(3, 1, 3, &[0x5a; 64]), ee.clone()],
        EE,
    );
    add("83-pkix-usage", vec![leaf.record(1, 1, 2), ee.clone()], EE);
    let mut many: Vec<TlsaRecord> = (0_u8..199)
        .map(|n| TlsaRecord::new(3, n % 2, 1, &[n; 32]))
        .collect();
    add("84-200-records-miss", many.clone(), no_match);
    many.push(ee.clone());
    add("84-200-records", many, EE);
    add("85-no-record", vec![], Expect::NoUsable);
    let junk = |n: u8| TlsaRecord::from_rdata(vec![n; usize::from(n)]);
    add(
        "85-none-usable",
        (0..20).map(junk).collect(),
        Expect::NoUsable,
    );
    let named = |id: &str, records, names: &[&'static str], expected| {
        Case::new(id, &chain, records, expected)
            .names(names)
            .ee_name_checks(EeNameChecks::Check)
    };
    cases.push(named(
        "85-name-checked",
        vec![ee.clone()],
        &["mx.example.org"],
        EE,
    ));
    cases.push(named(
        "85-name-missing",
        vec![ee.clone()],
        &["other.test"],
        mismatch,
    ));
    cases.push(named(
        "85-name-missing-anchor",
        vec![ee, anchor],
        &["other.test"],
        mismatch,
    ));
    cases
}
