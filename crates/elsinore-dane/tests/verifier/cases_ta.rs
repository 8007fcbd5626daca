//! Cases 45 to 76: DANE-TA(2), where a path to the trust anchor and a name are needed.

mod constraints;
mod names;
mod signatures;

pub(crate) use names::three_names;

use crate::cases::{Case, Expect, ta};
use crate::make::{Made, Spec, utc};
use elsinore_dane::tlsa::TlsaRecord;
use elsinore_dane::verify::Rejection;

const fn reject(rejection: Rejection) -> Expect {
    Expect::Reject(rejection)
}

const UNTRUSTED: Expect = reject(Rejection::NoTrustedPath);

pub(crate) fn leaf() -> Spec {
    Spec::server(&["mx.example.org"], "leaf", "Inter", "inter")
}

pub(crate) fn inter() -> Spec {
    Spec::authority("Inter", "inter", "Root", "root")
}

pub(crate) fn root() -> Spec {
    Spec::authority("Root", "root", "Root", "root")
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = anchors();
    cases.extend(chains());
    cases.extend(dates());
    cases.extend(names::cases());
    cases.extend(constraints::cases());
    cases.extend(signatures::cases());
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
