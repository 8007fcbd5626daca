//! Cases 69, 70 and 75: what certificates say of themselves and of those below.

use super::{inter, inter_with, leaf, leaf_with, reject, root, root_with};
use crate::cases::{Case, ta};
use crate::make::{
    ANY_PURPOSE, CLIENT_AUTH, DIGITAL_SIGNATURE, KEY_CERT_SIGN, Made, SERVER_AUTH, Spec,
    basic_constraints, dns, eku, extension, key_usage, name, name_as, name_constraints, san, tlv,
};
use elsinore_dane::verify::Rejection;

#[allow(clippy::too_many_lines, reason = "a table")]
pub(super) fn cases() -> Vec<Case> {
    let (plain_leaf, plain_inter, plain_root) = (leaf().make(), inter().make(), root().make());
    let no_authority = |depth| reject(Rejection::NotAnAuthority { depth });
    let too_long = |depth| reject(Rejection::PathTooLong { depth });
    let violated = |depth| reject(Rejection::NameConstraints { depth });
    let wrong_purpose = |depth| reject(Rejection::WrongPurpose { depth });
    let unknown_critical = |s: &mut Spec| {
        s.extensions
            .push(extension(&[0x2a, 0x03, 0x04], true, &[0x05, 0x00]));
    };
    let mut cases = Vec::new();
    let mut root_case = |id: &str, root: &Made, expected| {
        let chain = [&plain_leaf, &plain_inter, root];
        cases.push(Case::new(id, &chain, vec![root.record(2, 0, 1)], expected));
    };
    let pathlen = |length| {
        vec![
            basic_constraints(true, Some(length)),
            key_usage(KEY_CERT_SIGN),
        ]
    };
    let limits = |permitted: &[Vec<u8>], excluded: &[Vec<u8>]| {
        vec![
            basic_constraints(true, None),
            name_constraints(permitted, excluded),
        ]
    };
    let extended = |extensions: Vec<Vec<u8>>| root_with(|s| s.extensions = extensions);
    //= spec-test: 7672-3.1.2-1
    root_case("69-pathlen-0", &extended(pathlen(0)), too_long(2));
    root_case("69-pathlen-1", &extended(pathlen(1)), ta(2));
    root_case("69-anchor-without-constraints", &extended(vec![]), ta(2));
    root_case(
        "69-anchor-not-ca",
        &extended(vec![basic_constraints(false, None)]),
        no_authority(2),
    );
    root_case(
        "69-anchor-usage",
        &extended(vec![
            basic_constraints(true, None),
            key_usage(DIGITAL_SIGNATURE),
        ]),
        no_authority(2),
    );
    root_case(
        "69-permitted",
        &extended(limits(&[dns("example.org")], &[])),
        ta(2),
    );
    root_case(
        "69-permitted-dotted",
        &extended(limits(&[dns(".example.org")], &[])),
        ta(2),
    );
    root_case(
        "69-not-permitted",
        &extended(limits(&[dns("example.net")], &[])),
        violated(2),
    );
    root_case(
        "69-excluded",
        &extended(limits(&[], &[dns("example.org")])),
        violated(2),
    );
    root_case(
        "69-excluded-elsewhere",
        &extended(limits(&[], &[dns("example.net")])),
        ta(2),
    );
    root_case(
        "69-excluded-inside-permitted",
        &extended(limits(&[dns("org")], &[dns("mx.example.org")])),
        violated(2),
    );
    root_case(
        "69-address-constraint",
        &extended(limits(&[tlv(0x87, &[192, 0, 2, 0, 255, 255, 255, 0])], &[])),
        ta(2),
    );
    root_case(
        "69-directory-elsewhere",
        &extended(limits(&[tlv(0xa4, &name("elsewhere"))], &[])),
        violated(2),
    );
    root_case(
        "70-anchor-client-only",
        &extended(vec![basic_constraints(true, None), eku(&[CLIENT_AUTH])]),
        wrong_purpose(2),
    );
    root_case(
        "75-version-1-anchor",
        &root_with(|s| {
            s.version = None;
            s.extensions = vec![];
        }),
        ta(2),
    );
    root_case(
        "75-version-1-with-extensions",
        &root_with(|s| s.version = None),
        reject(Rejection::Malformed { depth: 2 }),
    );
    root_case(
        "69-critical-anchor",
        &root_with(unknown_critical),
        reject(Rejection::UnknownCriticalExtension { depth: 2 }),
    );
    let mut inter_case = |id: &str, inter: &Made, expected| {
        let chain = [&plain_leaf, inter, &plain_root];
        cases.push(Case::new(
            id,
            &chain,
            vec![plain_root.record(2, 0, 1)],
            expected,
        ));
    };
    let extended = |extensions: Vec<Vec<u8>>| inter_with(|s| s.extensions = extensions);
    inter_case("69-no-constraints", &extended(vec![]), no_authority(1));
    inter_case(
        "69-not-ca",
        &extended(vec![basic_constraints(false, None)]),
        no_authority(1),
    );
    inter_case(
        "69-no-cert-sign",
        &extended(vec![
            basic_constraints(true, None),
            key_usage(DIGITAL_SIGNATURE),
        ]),
        no_authority(1),
    );
    inter_case(
        "69-no-key-usage",
        &extended(vec![basic_constraints(true, None)]),
        ta(2),
    );
    inter_case(
        "69-inter-not-permitted",
        &extended(limits(&[dns("example.net")], &[])),
        violated(1),
    );
    inter_case("69-inter-pathlen-0", &extended(pathlen(0)), ta(2));
    inter_case(
        "70-inter-client-only",
        &extended(vec![basic_constraints(true, None), eku(&[CLIENT_AUTH])]),
        wrong_purpose(1),
    );
    inter_case(
        "75-version-1-inter",
        &inter_with(|s| {
            s.version = None;
            s.extensions = vec![];
        }),
        no_authority(1),
    );
    inter_case(
        "69-critical-inter",
        &inter_with(unknown_critical),
        reject(Rejection::UnknownCriticalExtension { depth: 1 }),
    );
    inter_case(
        "69-duplicate-extension",
        &extended(vec![
            basic_constraints(true, None),
            basic_constraints(true, None),
        ]),
        reject(Rejection::Malformed { depth: 1 }),
    );
    let mut leaf_case = |id: &str, leaf: &Made, expected| {
        let chain = [leaf, &plain_inter, &plain_root];
        cases.push(Case::new(
            id,
            &chain,
            vec![plain_root.record(2, 0, 1)],
            expected,
        ));
    };
    let names = || san(&["mx.example.org"]);
    let extended = |extensions: Vec<Vec<u8>>| leaf_with(|s| s.extensions = extensions);
    leaf_case(
        "70-client-only",
        &extended(vec![names(), eku(&[CLIENT_AUTH])]),
        wrong_purpose(0),
    );
    leaf_case(
        "70-any",
        &extended(vec![names(), eku(&[ANY_PURPOSE])]),
        ta(2),
    );
    leaf_case(
        "70-server-and-client",
        &extended(vec![names(), eku(&[CLIENT_AUTH, SERVER_AUTH])]),
        ta(2),
    );
    leaf_case("70-none", &extended(vec![names()]), ta(2));
    leaf_case(
        "70-authority",
        &extended(vec![names(), basic_constraints(true, None)]),
        ta(2),
    );
    leaf_case(
        "70-authority-cert-sign",
        &extended(vec![
            names(),
            basic_constraints(true, None),
            key_usage(KEY_CERT_SIGN),
        ]),
        ta(2),
    );
    leaf_case(
        "70-critical",
        &leaf_with(unknown_critical),
        reject(Rejection::UnknownCriticalExtension { depth: 0 }),
    );
    leaf_case(
        "70-duplicate-extension",
        &extended(vec![names(), names()]),
        reject(Rejection::Malformed { depth: 0 }),
    );
    leaf_case(
        "70-version-1",
        &leaf_with(|s| {
            s.version = None;
            s.extensions = vec![];
            s.subject = name("mx.example.org");
        }),
        ta(2),
    );
    leaf_case(
        "70-negative-serial",
        &leaf_with(|s| s.serial = vec![0x91]),
        ta(2),
    );
    leaf_case(
        "70-trailing",
        &leaf_with(|s| s.trailing = vec![0]),
        reject(Rejection::Malformed { depth: 0 }),
    );
    leaf_case(
        "70-algorithms-differ",
        &leaf_with(|s| s.inner_algorithm = Some(tlv(0x30, &tlv(0x06, &[0x2b, 0x65, 0x70])))),
        reject(Rejection::Malformed { depth: 0 }),
    );
    let other_case = name_as(0x13, b"  INTER ");
    leaf_case(
        "70-issuer-spelt-otherwise",
        &leaf_with(|s| s.issuer = other_case),
        ta(2),
    );
    cases
}
