//! The table of verifier cases and the test that runs it.

use crate::make::{Made, NOW};
use crate::{cases_ee, cases_mix, cases_ta};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::DaneRequirement;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::{
    DaneVerdict, EeNameChecks, Rejection, Sha1Policy, VerifyOptions, verify_dane,
};

/// What the verifier has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Authenticated by a record of this usage at this depth.
    Match {
        usage: u8,
        depth: usize,
    },
    Reject(Rejection),
    NoUsable,
}

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) records: Vec<TlsaRecord>,
    /// The first is the TLSA base domain.
    pub(crate) names: Vec<&'static str>,
    pub(crate) options: VerifyOptions,
    pub(crate) expected: Expect,
}

pub(crate) const EE: Expect = Expect::Match { usage: 3, depth: 0 };

pub(crate) const fn ta(depth: usize) -> Expect {
    Expect::Match { usage: 2, depth }
}

impl Case {
    pub(crate) fn new(
        id: impl Into<String>,
        chain: &[&Made],
        records: Vec<TlsaRecord>,
        expected: Expect,
    ) -> Self {
        Self {
            id: id.into(),
            chain: chain.iter().map(|made| made.der.clone()).collect(),
            records,
            names: vec!["mx.example.org"],
            options: VerifyOptions::smtp(),
            expected,
        }
    }

    pub(crate) fn names(mut self, names: &[&'static str]) -> Self {
        self.names = names.to_vec();
        self
    }

    pub(crate) fn sha1(mut self, policy: Sha1Policy) -> Self {
        self.options.sha1 = policy;
        self
    }

    pub(crate) fn ee_name_checks(mut self, checks: EeNameChecks) -> Self {
        self.options.ee_name_checks = checks;
        self
    }

    pub(crate) fn requirement(&self) -> DaneRequirement {
        let names: Vec<DomainName> = self
            .names
            .iter()
            .map(|name| DomainName::parse(name).unwrap())
            .collect();
        DaneRequirement {
            base_domain: names[0].clone(),
            records: self.records.clone(),
            reference_identifiers: names,
            mx_secure: true,
        }
    }

    pub(crate) fn verdict(&self) -> DaneVerdict {
        let requirement = self.requirement();
        verify_dane(&self.chain, &requirement, UnixTime(NOW), &self.options)
    }
}

/// The verdict in the words of the table.
pub(crate) fn outcome(verdict: &DaneVerdict) -> Expect {
    match verdict {
        DaneVerdict::Authenticated(found) => Expect::Match {
            usage: found.usage().code(),
            depth: found.depth(),
        },
        DaneVerdict::Rejected(rejection) => Expect::Reject(*rejection),
        DaneVerdict::NoUsable => Expect::NoUsable,
    }
}

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = cases_ee::cases();
    cases.extend(cases_ta::cases());
    cases.extend(cases_mix::cases());
    cases
}

#[test]
fn every_case_has_its_verdict() {
    let mut failures = Vec::new();
    let cases = all();
    for case in &cases {
        let actual = outcome(&case.verdict());
        if actual != case.expected {
            failures.push(format!(
                "{}: expected {:?}, got {actual:?}",
                case.id, case.expected
            ));
        }
    }
    let mut ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), cases.len(), "two cases have the same id");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_match_names_its_record_and_its_name() {
    let case = cases_ta::three_names()
        .into_iter()
        .next()
        .expect("the table has such a case");
    let DaneVerdict::Authenticated(found) = case.verdict() else {
        panic!("{} must match", case.id);
    };
    assert_eq!(found.record(), &case.records[0]);
    assert_eq!(
        found.matched_name().map(DomainName::as_str),
        Some("mx.example.org")
    );
    assert_eq!(
        found.to_string(),
        "TLSA 2 0 1 matched the trust anchor at depth 2, name mx.example.org"
    );
}

#[test]
fn rejections_are_one_line_and_have_a_report_type() {
    const TYPES: [&str; 4] = [
        "certificate-host-mismatch",
        "certificate-expired",
        "certificate-not-trusted",
        "validation-failure",
    ];
    for case in all() {
        if let DaneVerdict::Rejected(rejection) = case.verdict() {
            let text = rejection.to_string();
            assert!(!text.is_empty() && !text.contains('\n') && !text.ends_with('.'));
            assert!(TYPES.contains(&rejection.rfc8460_result_type()), "{text}");
        }
    }
}

#[test]
fn an_empty_certificate_message_and_undecodable_leaves() {
    let made = crate::make::Spec::server(&["mx.example.org"], "leaf", "Root", "root").make();
    let requirement = Case::new("x", &[], vec![made.record(3, 1, 1)], EE).requirement();
    let verdict = |chain: &[Vec<u8>]| {
        outcome(&verify_dane(
            chain,
            &requirement,
            UnixTime(NOW),
            &VerifyOptions::smtp(),
        ))
    };
    assert_eq!(verdict(&[]), Expect::Reject(Rejection::NoCertificate));
    for leaf in [
        Vec::new(),
        vec![0x30],
        vec![0; 100_000],
        vec![0x30; 100_000],
        made.der[..made.der.len() / 2].to_vec(),
    ] {
        let chain = [leaf, made.der.clone()];
        assert_eq!(verdict(&chain), Expect::Reject(Rejection::LeafUndecodable));
    }
}
