//! Cases 45 to 76: DANE-TA(2), where a path to the trust anchor and a name are needed.

use crate::cases::{Case, Expect, ta};
use crate::make::{
    ANY_PURPOSE, Alg, CLIENT_AUTH, DIGITAL_SIGNATURE, KEY_CERT_SIGN, Made, SERVER_AUTH, Spec,
    basic_constraints, dns, eku, extension, key_usage, name, name_as, name_constraints, san,
    san_elements, san_raw, tlv, utc,
};
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::{Rejection, Sha1Policy};

const fn reject(rejection: Rejection) -> Expect {
    Expect::Reject(rejection)
}

const UNTRUSTED: Expect = reject(Rejection::NoTrustedPath);

fn leaf() -> Spec {
    Spec::server(&["mx.example.org"], "leaf", "Inter", "inter")
}

fn inter() -> Spec {
    Spec::authority("Inter", "inter", "Root", "root")
}

fn root() -> Spec {
    Spec::authority("Root", "root", "Root", "root")
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = anchors();
    cases.extend(chains());
    cases.extend(dates());
    cases.extend(names());
    cases.extend(constraints());
    cases.extend(signatures());
    cases.extend(searches());
    cases.extend(unusable_anchors());
    cases
}

fn anchors() -> Vec<Case> {
    let (leaf, inter, root) = (leaf().make(), inter().make(), root().make());
    let all = [&leaf, &inter, &root];
    let mut cases = Vec::new();
    for selector in 0..=1 {
        for matching in 0..=2 {
            let record = root.record(2, selector, matching);
            let id = format!("45-sent-2{selector}{matching}");
            cases.push(Case::new(id, &all, vec![record.clone()], ta(2)));
            let expected = match (selector, matching) {
                (0, 0) => ta(2),
                // The bare key signed the intermediate.
                (1, 0) => ta(1),
                _ => UNTRUSTED,
            };
            let id = format!("51-absent-2{selector}{matching}");
            cases.push(Case::new(id, &all[..2], vec![record.clone()], expected));
            let mut wrong = record.rdata().to_vec();
            let last = wrong.len() - 1;
            wrong[last] ^= 1;
            let wrong = vec![TlsaRecord::from_rdata(wrong)];
            let id = format!("51-wrong-2{selector}{matching}");
            let expected = match (selector, matching) {
                // Only its own signature is wrong, which a trust anchor does not need: the name
                // and key that the record publishes did issue the intermediate.
                (0, 0) => ta(2),
                _ => UNTRUSTED,
            };
            cases.push(Case::new(id, &all, wrong, expected));
        }
    }
    cases.push(Case::new(
        "52-leaf-only",
        &[&leaf],
        vec![inter.record(2, 0, 0)],
        ta(1),
    ));
    cases.push(Case::new(
        "53-leaf-only",
        &[&leaf],
        vec![inter.record(2, 1, 0)],
        ta(0),
    ));
    cases.push(Case::new(
        "57-201",
        &all,
        vec![inter.record(2, 0, 1)],
        ta(1),
    ));
    cases.push(Case::new(
        "57-211",
        &all[..2],
        vec![inter.record(2, 1, 1)],
        ta(1),
    ));
    cases.push(Case::new(
        "57-210",
        &all[..2],
        vec![inter.record(2, 1, 0)],
        ta(1),
    ));
    for (selector, matching) in [(0, 1), (0, 2), (1, 1), (1, 2)] {
        let id = format!("59-2{selector}{matching}");
        let record = leaf.record(2, selector, matching);
        cases.push(Case::new(id, &all, vec![record], UNTRUSTED));
    }
    cases.push(Case::new(
        "59-200",
        &all,
        vec![leaf.record(2, 0, 0)],
        UNTRUSTED,
    ));
    cases.push(Case::new(
        "59-210",
        &all,
        vec![leaf.record(2, 1, 0)],
        UNTRUSTED,
    ));
    let own = Spec::server(&["mx.example.org"], "leaf", "server", "leaf").make();
    for (selector, matching) in [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)] {
        let id = format!("60-self-signed-2{selector}{matching}");
        let record = vec![own.record(2, selector, matching)];
        cases.push(Case::new(id, &[&own], record.clone(), UNTRUSTED));
        let id = format!("60-self-signed-twice-2{selector}{matching}");
        cases.push(Case::new(id, &[&own, &own], record, UNTRUSTED));
    }
    cases.push(Case::new(
        "60-self-signed-210",
        &[&own],
        vec![own.record(2, 1, 0)],
        ta(0),
    ));
    cases
}

fn chains() -> Vec<Case> {
    let (leaf, inter, root) = (leaf().make(), inter().make(), root().make());
    let stranger = Spec::authority("Stranger", "other", "Stranger", "other").make();
    let cross = Spec::authority("Root", "root", "Elder", "elder").make();
    let elder = Spec::authority("Elder", "elder", "Elder", "elder").make();
    let garbage = Made {
        der: b"no certificate at all".to_vec(),
        spki: Vec::new(),
    };
    let right = || vec![root.record(2, 0, 1)];
    let trailing = inter_with(|s| s.trailing = vec![0]);
    let many: Vec<&Made> = std::iter::once(&leaf)
        .chain(std::iter::repeat_n(&stranger, 90))
        .chain([&root, &inter])
        .collect();
    vec![
        Case::new("54-reordered", &[&leaf, &root, &inter], right(), ta(2)),
        Case::new(
            "55-duplicates",
            &[&leaf, &inter, &leaf, &inter, &root, &root],
            right(),
            ta(2),
        ),
        Case::new(
            "55-unrelated",
            &[&leaf, &stranger, &inter, &stranger, &root],
            right(),
            ta(2),
        ),
        Case::new("55-ninety", &many, right(), ta(2)),
        Case::new(
            "55-garbage",
            &[&leaf, &garbage, &inter, &root],
            right(),
            ta(2),
        ),
        Case::new(
            "55-trailing-issuer",
            &[&leaf, &trailing, &root],
            right(),
            UNTRUSTED,
        ),
        Case::new(
            "56-cross",
            &[&leaf, &inter, &cross, &elder],
            vec![elder.record(2, 1, 1)],
            ta(3),
        ),
        Case::new(
            "56-key-of-cross",
            &[&leaf, &inter, &cross],
            vec![root.record(2, 1, 1)],
            ta(2),
        ),
        Case::new("56-both", &[&leaf, &inter, &cross, &root], right(), ta(2)),
        Case::new(
            "58-unrelated-anchor",
            &[&leaf, &inter, &root, &stranger],
            vec![stranger.record(2, 0, 1)],
            UNTRUSTED,
        ),
        Case::new(
            "58-unrelated-full",
            &[&leaf, &inter, &root],
            vec![stranger.record(2, 0, 0)],
            UNTRUSTED,
        ),
        Case::new(
            "58-unrelated-key",
            &[&leaf, &inter, &root],
            vec![stranger.record(2, 1, 0)],
            UNTRUSTED,
        ),
        Case::new(
            "58-same-name-other-key",
            &[&leaf, &inter],
            vec![
                Spec::authority("Root", "other", "Root", "other")
                    .make()
                    .record(2, 0, 0),
            ],
            UNTRUSTED,
        ),
    ]
}

fn inter_with(change: impl FnOnce(&mut Spec)) -> Made {
    inter().with(change).make()
}

fn leaf_with(change: impl FnOnce(&mut Spec)) -> Made {
    leaf().with(change).make()
}

fn root_with(change: impl FnOnce(&mut Spec)) -> Made {
    root().with(change).make()
}

fn past(spec: &mut Spec) {
    spec.not_after = utc("250102000000Z");
}

fn future(spec: &mut Spec) {
    spec.not_before = utc("340101000000Z");
}

fn dates() -> Vec<Case> {
    let (leaf, inter, root) = (leaf().make(), inter().make(), root().make());
    let right = |root: &Made| vec![root.record(2, 0, 1)];
    let old = [leaf_with(past), inter_with(past), root_with(past)];
    let new = [leaf_with(future), inter_with(future), root_with(future)];
    let bad_times = leaf_with(|s| s.not_after = utc("nonsense12345"));
    let expired = |depth| reject(Rejection::Expired { depth });
    let early = |depth| reject(Rejection::NotYetValid { depth });
    vec![
        Case::new(
            "61-leaf",
            &[&old[0], &inter, &root],
            right(&root),
            expired(0),
        ),
        Case::new(
            "61-inter",
            &[&leaf, &old[1], &root],
            right(&root),
            expired(1),
        ),
        Case::new(
            "61-anchor",
            &[&leaf, &inter, &old[2]],
            right(&old[2]),
            expired(2),
        ),
        Case::new(
            "61-anchor-200",
            &[&leaf, &inter],
            vec![old[2].record(2, 0, 0)],
            expired(2),
        ),
        Case::new(
            "61-anchor-210-sent",
            &[&leaf, &inter, &old[2]],
            vec![root.record(2, 1, 0)],
            expired(2),
        ),
        Case::new(
            "61-anchor-210-absent",
            &[&leaf, &inter],
            vec![old[2].record(2, 1, 0)],
            ta(1),
        ),
        Case::new(
            "61-anchor-not-self-signed",
            &[&leaf, &old[1]],
            vec![inter.record(2, 1, 1)],
            expired(1),
        ),
        Case::new(
            "61-leaf-early",
            &[&new[0], &inter, &root],
            right(&root),
            early(0),
        ),
        Case::new(
            "61-inter-early",
            &[&leaf, &new[1], &root],
            right(&root),
            early(1),
        ),
        Case::new(
            "61-anchor-early",
            &[&leaf, &inter, &new[2]],
            right(&new[2]),
            early(2),
        ),
        Case::new(
            "61-bad-times",
            &[&bad_times, &inter, &root],
            right(&root),
            reject(Rejection::Malformed { depth: 0 }),
        ),
        Case::new(
            "61-another-path-is-valid",
            &[&leaf, &old[1], &inter, &root],
            right(&root),
            ta(2),
        ),
    ]
}

/// Case 62: one of three reference identifiers is enough.
pub(crate) fn three_names() -> Vec<Case> {
    let names = ["mx.example.org", "example.org", "alias.example.net"];
    let (inter, root) = (inter().make(), root().make());
    names
        .iter()
        .map(|carried| {
            let leaf = leaf_with(|s| s.extensions = vec![san(&[carried])]);
            let record = vec![root.record(2, 0, 1)];
            Case::new(
                format!("62-{carried}"),
                &[&leaf, &inter, &root],
                record,
                ta(2),
            )
            .names(&names)
        })
        .collect()
}

fn names() -> Vec<Case> {
    let (inter, root) = (inter().make(), root().make());
    let mut cases = three_names();
    let mismatch = reject(Rejection::NameMismatch);
    let mut add = |id: &str, subject: Vec<u8>, extensions: Vec<Vec<u8>>, reference, expected| {
        let leaf = leaf_with(|s| {
            s.subject = subject;
            s.extensions = extensions;
        });
        let record = vec![root.record(2, 0, 1)];
        let case = Case::new(id, &[&leaf, &inter, &root], record, expected);
        cases.push(case.names(&[reference]));
    };
    let cn = |text: &str| name(text);
    let address = tlv(0x87, &[192, 0, 2, 1]);
    let both = |text: &str| vec![san(&[text])];
    let mx = "mx.example.org";
    add("63-none", cn("server"), both("other.test"), mx, mismatch);
    add("63-no-names", cn(""), vec![], mx, mismatch);
    add("64-wildcard", cn("x"), both("*.example.org"), mx, ta(2));
    add(
        "64-two-labels",
        cn("x"),
        both("*.example.org"),
        "a.mx.example.org",
        mismatch,
    );
    add(
        "64-bare-domain",
        cn("x"),
        both("*.example.org"),
        "example.org",
        mismatch,
    );
    add(
        "64-top-level",
        cn("x"),
        both("*.test"),
        "example.test",
        mismatch,
    );
    add("64-partial", cn("x"), both("m*.example.org"), mx, mismatch);
    add("64-inner", cn("x"), both("mx.*.org"), mx, mismatch);
    add(
        "64-underscore",
        cn("x"),
        both("*.example.org"),
        "my_mx.example.org",
        mismatch,
    );
    add("64-wildcard-cn", cn("*.example.org"), vec![], mx, ta(2));
    add("65-cn", cn(mx), vec![], mx, ta(2));
    add(
        "65-cn-beside-address",
        cn(mx),
        vec![san_elements(&[&address])],
        mx,
        ta(2),
    );
    add(
        "65-cn-printable",
        name_as(0x13, mx.as_bytes()),
        vec![],
        mx,
        ta(2),
    );
    let wide: Vec<u8> = mx.bytes().flat_map(|octet| [0, octet]).collect();
    add("65-cn-bmp", name_as(0x1e, &wide), vec![], mx, ta(2));
    add(
        "66-cn-beside-dns-name",
        cn(mx),
        both("other.test"),
        mx,
        mismatch,
    );
    add(
        "67-nul",
        cn("x"),
        vec![san_raw(&[b"mx.example.org\0.evil.test"])],
        mx,
        mismatch,
    );
    add(
        "67-nul-at-end",
        cn("x"),
        vec![san_raw(&[b"mx.example.org\0"])],
        mx,
        mismatch,
    );
    add(
        "67-nul-in-cn",
        cn("mx.example.org\0.evil.test"),
        vec![],
        mx,
        mismatch,
    );
    add("68-case", cn("x"), both("MX.Example.ORG"), mx, ta(2));
    add(
        "68-case-of-reference",
        cn("x"),
        both(mx),
        "MX.EXAMPLE.org",
        ta(2),
    );
    add(
        "68-dot-of-reference",
        cn("x"),
        both(mx),
        "mx.example.org.",
        ta(2),
    );
    add(
        "68-dot-of-certificate",
        cn("x"),
        both("mx.example.org."),
        mx,
        ta(2),
    );
    add(
        "68-a-label",
        cn("x"),
        both("xn--bcher-kva.example.org"),
        "b\u{fc}cher.example.org",
        ta(2),
    );
    add(
        "68-u-label",
        cn("x"),
        vec![san_raw(&["b\u{fc}cher.example.org".as_bytes()])],
        "b\u{fc}cher.example.org",
        mismatch,
    );
    add(
        "68-garbage-san",
        cn(mx),
        vec![extension(&[0x55, 0x1d, 17], false, b"\xff\xff")],
        mx,
        reject(Rejection::Malformed { depth: 0 }),
    );
    cases
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn constraints() -> Vec<Case> {
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

fn signatures() -> Vec<Case> {
    let rsa_inter = Spec::authority("Inter", "rsa1024-inter", "Root", "root");
    let plain_root = root().make();
    let mut cases = Vec::new();
    let mut add = |id: &str, inter: &Spec, leaf: Spec, expected, policy| {
        let (leaf, inter) = (leaf.make(), inter.make());
        let case = Case::new(
            id,
            &[&leaf, &inter, &plain_root],
            vec![plain_root.record(2, 0, 1)],
            expected,
        );
        cases.push(case.sha1(policy));
    };
    let by_rsa = |alg| {
        leaf().with(|s| {
            s.signer = "rsa1024-inter".to_owned();
            s.alg = alg;
        })
    };
    let refuse = Sha1Policy::Refuse;
    add("71-pss-20", &rsa_inter, by_rsa(Alg::Pss(20)), ta(2), refuse);
    add("71-pss-0", &rsa_inter, by_rsa(Alg::Pss(0)), ta(2), refuse);
    add(
        "71-pss-max",
        &rsa_inter,
        by_rsa(Alg::Pss(94)),
        ta(2),
        refuse,
    );
    let pss_inter = rsa_inter
        .clone()
        .with(|s| s.spki = crate::cases_ee::pss_spki("rsa1024-inter"));
    add(
        "71-pss-key",
        &pss_inter,
        by_rsa(Alg::Pss(32)),
        ta(2),
        refuse,
    );
    add(
        "71-pss-key-pkcs1",
        &pss_inter,
        by_rsa(Alg::Usual),
        UNTRUSTED,
        refuse,
    );
    add(
        "72-sha1",
        &rsa_inter,
        by_rsa(Alg::Sha1),
        reject(Rejection::ObsoleteDigest { depth: 0 }),
        refuse,
    );
    add(
        "72-sha1-accepted",
        &rsa_inter,
        by_rsa(Alg::Sha1),
        ta(2),
        Sha1Policy::Accept,
    );
    let ecdsa_sha1 = || leaf().with(|s| s.alg = Alg::Sha1);
    add(
        "72-ecdsa-sha1",
        &inter(),
        ecdsa_sha1(),
        reject(Rejection::ObsoleteDigest { depth: 0 }),
        refuse,
    );
    add(
        "72-ecdsa-sha1-accepted",
        &inter(),
        ecdsa_sha1(),
        ta(2),
        Sha1Policy::Accept,
    );
    add(
        "72-md5",
        &rsa_inter,
        by_rsa(Alg::Md5),
        reject(Rejection::ObsoleteDigest { depth: 0 }),
        Sha1Policy::Accept,
    );
    add(
        "72-rsa-1024-issuer",
        &rsa_inter,
        by_rsa(Alg::Usual),
        ta(2),
        refuse,
    );
    let short = Spec::authority("Inter", "rsa768-inter", "Root", "root");
    let by_short = leaf().with(|s| s.signer = "rsa768-inter".to_owned());
    add(
        "72-rsa-768-issuer",
        &short,
        by_short,
        reject(Rejection::ShortIssuerKey { depth: 1 }),
        refuse,
    );
    for key in ["ed25519-inter", "ed448-inter", "p521-inter"] {
        let inter = Spec::authority("Inter", key, "Root", "root");
        let leaf = leaf().with(|s| s.signer = key.to_owned());
        add(&format!("72-{key}"), &inter, leaf, ta(2), refuse);
    }
    let forged = leaf().with(|s| s.signer = "other".to_owned());
    add("72-forged", &inter(), forged, UNTRUSTED, refuse);
    cases
}

fn searches() -> Vec<Case> {
    let (plain_leaf, plain_inter, plain_root) = (leaf().make(), inter().make(), root().make());
    let decoy = Spec::authority("Inter", "other", "Root", "root").make();
    let right = || vec![plain_root.record(2, 0, 1)];
    // A and B vouch for each other, and neither for the key of the record.
    let a = Spec::authority("A", "a", "B", "b").make();
    let b = Spec::authority("B", "b", "A", "a").make();
    let by_a = Spec::server(&["mx.example.org"], "leaf", "A", "a").make();
    let bare = || vec![plain_root.record(2, 1, 0)];
    // Fifty certificates of one name and one key: every one may stand above every other.
    let loops: Vec<Made> = (0..50)
        .map(|serial| {
            Spec::authority("A", "a", "A", "a")
                .with(|s| s.serial = vec![serial])
                .make()
        })
        .collect();
    let crowd: Vec<&Made> = std::iter::once(&by_a).chain(&loops).collect();
    let decoys: Vec<Made> = (0..50)
        .map(|serial| {
            Spec::authority("Inter", "other", "Root", "root")
                .with(|s| s.serial = vec![serial])
                .make()
        })
        .collect();
    let mut behind_decoys: Vec<&Made> = std::iter::once(&plain_leaf).chain(&decoys).collect();
    behind_decoys.extend([&plain_inter, &plain_root]);
    let mut cases = vec![
        Case::new(
            "73-two-issuers",
            &[&plain_leaf, &decoy, &plain_inter, &plain_root],
            right(),
            ta(2),
        ),
        Case::new("73-fifty-decoys", &behind_decoys, right(), ta(2)),
        Case::new("74-loop", &[&by_a, &a, &b], bare(), UNTRUSTED),
        Case::new(
            "74-fifty-of-one-name",
            &crowd,
            bare(),
            reject(Rejection::SearchBound),
        ),
        Case::new("74-without-anchor", &crowd, right(), UNTRUSTED),
    ];
    for length in [9, 10, 11] {
        let mut chain = vec![Spec::server(&["mx.example.org"], "leaf", "CA1", "ca1").make()];
        for level in 1..=length {
            let above = (level + 1).min(length);
            let (subject, issuer) = (format!("CA{level}"), format!("CA{above}"));
            let (key, signer) = (format!("ca{level}"), format!("ca{above}"));
            chain.push(Spec::authority(&subject, &key, &issuer, &signer).make());
        }
        let expected = if length <= 10 { ta(length) } else { UNTRUSTED };
        let record = chain[length].record(2, 0, 1);
        let chain: Vec<&Made> = chain.iter().collect();
        cases.push(Case::new(
            format!("74-depth-{length}"),
            &chain,
            vec![record],
            expected,
        ));
    }
    cases
}

fn unusable_anchors() -> Vec<Case> {
    let (leaf, inter, root) = (leaf().make(), inter().make(), root().make());
    let chain = [&leaf, &inter, &root];
    let long = [&root.der[..], &[0]].concat();
    let long_key = [&root.spki[..], &[0]].concat();
    [
        ("76-200-garbage", 0, b"garbage".to_vec()),
        ("76-200-key", 0, root.spki.clone()),
        ("76-200-cut", 0, root.der[..40].to_vec()),
        ("76-200-trailing", 0, long),
        ("76-210-garbage", 1, b"garbage".to_vec()),
        ("76-210-certificate", 1, root.der.clone()),
        ("76-210-cut", 1, root.spki[..40].to_vec()),
        ("76-210-trailing", 1, long_key),
    ]
    .into_iter()
    .map(|(id, selector, octets)| {
        let record = TlsaRecord::new(2, selector, 0, &octets);
        Case::new(id, &chain, vec![record], Expect::NoUsable)
    })
    .collect()
}
