//! Every kind of answer, in both modes that validate: question, then the security of each link,
//! what stands at the end and its security.

use crate::net::summary;
use crate::world::Bench;
use elsinore_net::resolver::Mode;

pub(crate) const KINDS: &[(&str, &str)] = &[
    // Positive.
    ("nsec.test MX", "- data S"),
    ("mx.nsec.test A", "- data S"),
    ("mx.nsec.test AAAA", "- data S"),
    ("_25._tcp.mx.nsec.test TLSA", "- data S"),
    ("short.nsec.test TLSA", "- data S"),
    ("nsec3.test MX", "- data S"),
    ("_25._tcp.mx.nsec3.test TLSA", "- data S"),
    ("_25._tcp.big.nsec3.test TLSA", "- data S"),
    ("plain.test MX", "- data I"),
    ("_25._tcp.mx.plain.test TLSA", "- data I"),
    ("mx.leaf.opt A", "- data I"),
    ("mx.safe.opt A", "- data S"),
    ("mx.leaf.plain A", "- data I"),
    ("mx.island.plain A", "- data I"),
    ("mx.nods.test A", "- data I"),
    ("mx.deep.sub.nsec.test A", "- data S"),
    ("ns.sub.nsec.test A", "- data S"),
    ("test DS", "- data S"),
    ("nsec.test DS", "- data S"),
    ("nsec.test DNSKEY", "- data S"),
    (". NS", "- data S"),
    // Denials.
    ("mx.nsec.test TXT", "- nodata S"),
    ("mx.nsec3.test TXT", "- nodata S"),
    ("nowhere.nsec.test A", "- nxdomain S"),
    ("nowhere.nsec3.test A", "- nxdomain S"),
    ("a.b.c.nowhere.nsec3.test A", "- nxdomain S"),
    ("b.ent.nsec.test A", "- nodata S"),
    ("b.ent.nsec3.test A", "- nodata S"),
    ("_tcp.mx.nsec.test TLSA", "- nodata S"),
    ("_25._tcp.ns.nsec.test TLSA", "- nxdomain S"),
    ("_25._tcp.ns.nsec3.test TLSA", "- nxdomain S"),
    ("x.wild.nsec.test TXT", "- nodata S"),
    ("x.wild.nsec3.test TXT", "- nodata S"),
    // The wildcard exists as an empty name: a NODATA, not an NXDOMAIN (RFC 4592 §4.9).
    ("x.odd.nsec.test A", "- nodata S"),
    ("x.odd.nsec3.test A", "- nodata S"),
    ("mx.plain.test TXT", "- nodata I"),
    ("nowhere.plain.test A", "- nxdomain I"),
    ("plain.test DS", "- nodata S"),
    ("leaf.opt DS", "- nodata I"),
    ("mx.nsec.test DS", "- nodata S"),
    ("nowhere.optout.test A", "- nxdomain I"),
    ("mx.optout.test TXT", "- nodata S"),
    ("nowhere.opt A", "- nxdomain I"),
    ("nowhere A", "- nxdomain S"),
    ("a.deleg.optout.test DS", "- failed ?"),
    // Aliases.
    ("alias.nsec.test A", "S data S"),
    ("twice.nsec3.test AAAA", "SS data S"),
    ("tonsec3.nsec.test A", "S data S"),
    ("toplain.nsec.test A", "S data I"),
    ("tonsec.plain.test A", "I data S"),
    ("viaplain.nsec.test A", "SI data S"),
    ("viaplain.nsec3.test A", "SI data S"),
    ("tobogus.nsec.test A", "S failed B"),
    ("tobogus.plain.test A", "I failed B"),
    ("todead.nsec.test A", "S failed ?"),
    ("toname.nsec.test A", "S nxdomain S"),
    ("toname.nsec3.test A", "S nxdomain S"),
    ("toname3.nsec.test A", "S nxdomain S"),
    ("tonodata.nsec.test A", "S nodata S"),
    ("tonodata3.nsec.test A", "S nodata S"),
    ("toname.plain.test A", "I nxdomain I"),
    ("_25._tcp.ta.nsec.test TLSA", "S data S"),
    ("_25._tcp.ta.nsec3.test TLSA", "S data S"),
    ("_25._tcp.tb.nsec.test TLSA", "S data S"),
    ("_25._tcp.tc.nsec.test TLSA", "S data I"),
    ("mx.dn.nsec.test A", "S data S"),
    ("nowhere.dn.nsec.test A", "S nxdomain S"),
    ("mx.dn.plain.test A", "I data S"),
    ("loop.nsec.test A", "S failed ?"),
    ("loop1.nsec.test A", "SS failed ?"),
    ("loopout.nsec.test A", "SI failed ?"),
    ("alias.nsec.test CNAME", "- data S"),
    // Wildcards.
    ("x.wild.nsec.test A", "- data S"),
    ("x.wild.nsec3.test A", "- data S"),
    ("x.y.z.wild.nsec.test A", "- data S"),
    ("x.y.z.wild.nsec3.test A", "- data S"),
    ("here.wild.nsec.test A", "- data S"),
    ("*.wild.nsec.test A", "- data S"),
    ("here.wild.nsec.test MX", "- nodata S"),
    ("_25._tcp.wmx.nsec.test TLSA", "- data S"),
    ("_25._tcp.wmx.nsec3.test TLSA", "- data S"),
    ("x.walias.nsec.test A", "S data S"),
    ("x.walias.nsec3.test A", "S data S"),
    ("x.wname.nsec.test A", "S nxdomain S"),
    ("x.wname.nsec3.test A", "S nxdomain S"),
    ("x.wnodata.nsec.test A", "S nodata S"),
    ("x.wnodata.nsec3.test A", "S nodata S"),
    ("x.wplain.nsec.test A", "S data I"),
    // Beside a wildcard alias: a delegation, and a name that only the wildcard makes.
    ("ns.cut.walias.nsec.test A", "- data I"),
    ("ns.cut.walias.nsec3.test A", "- data I"),
    ("x.walias.nsec.test DS", "S nodata S"),
    ("x.walias.nsec3.test DS", "S nodata S"),
];

async fn check(mode: Mode) {
    let bench = Bench::new(mode);
    let mut wrong = Vec::new();
    for (question, expected) in KINDS {
        let answer = bench.ask(question).await;
        let got = summary(&answer);
        if got != *expected {
            wrong.push(format!("{question}: {got}, not {expected}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{mode:?}\n{}", wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
//= spec-test: 7672-2.1.1-1
//= spec-test: 7672-2.1.1-3
async fn recursive() {
    check(Mode::Recursive).await;
}

#[tokio::test(start_paused = true)]
async fn forward() {
    check(Mode::Forward).await;
}

/// Eleven links are followed, a twelfth is not.
#[tokio::test(start_paused = true)]
async fn long_chains() {
    let bench = Bench::new(Mode::Recursive);
    assert_eq!(
        summary(&bench.ask("c11.nsec.test A").await),
        "SSSSSSSSSSS data S"
    );
    let answer = bench.ask("c12.nsec.test A").await;
    assert_eq!(summary(&answer), "SSSSSSSSSSS failed ?");
    assert!(
        answer
            .last
            .status()
            .reason()
            .contains("more than 11 aliases"),
        "{answer:?}"
    );
}
