//! Cases 71 and 72: algorithms, digests and key sizes inside the chain.

use super::{UNTRUSTED, inter, leaf, reject, root};
use crate::cases::{Case, ta};
use crate::make::{Alg, Spec};
use elsinore_dane::verify::{Rejection, Sha1Policy};

pub(super) fn cases() -> Vec<Case> {
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
