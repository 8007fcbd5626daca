//! The worlds: one tree of zones in which every shape of a mail domain occurs, the servers that
//! are broken by nature, and what each domain is owed when nobody interferes.

use elsinore_dane::answer::RecordType;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_lab::authority::{Act, Authority, Behaviour, Names, When};
use elsinore_lab::sign::SignedTree;
use elsinore_lab::zone::{Algorithm, SigningPlan, ZoneSource};
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

pub(crate) const NOW: UnixTime = UnixTime(1_780_000_000);

/// Where servers that answer forged referrals are. No zone of the tree has a server there.
pub(crate) const FORGER: &str = "198.51.100.66";

/// One recipient domain and its plan in an undisturbed world: `host obligation` each, hosts
/// sorted by name; or the refusal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) domain: &'static str,
    pub(crate) expected: &'static str,
}

const fn case(domain: &'static str, expected: &'static str) -> Case {
    Case { domain, expected }
}

/// Every shape. `dane[base]` is DANE under a secure MX, `halfdane[base]` under an insecure one.
pub(crate) const CASES: &[Case] = &[
    // Signed domain, signed host: proofs by NSEC, by NSEC3, below an opt-out parent.
    case("nsec.test", "mx.nsec.test dane[mx.nsec.test]"),
    case("hashed.test", "mx.hashed.test dane[mx.hashed.test]"),
    case("safe.opt", "mx.safe.opt dane[mx.safe.opt]"),
    // A host that is an alias: securely to a host with records at the end, at the front, at both.
    case("aliasend.nsec.test", "a1.nsec.test dane[mx.hashed.test]"),
    case("aliasfront.nsec.test", "a2.nsec.test dane[a2.nsec.test]"),
    case("aliasboth.nsec.test", "a3.nsec.test dane[mx.hashed.test]"),
    case("aliasnone.nsec.test", "a4.nsec.test opportunistic"),
    // Securely to an unsigned zone: only the front counts.
    case("aliasout.nsec.test", "a5.nsec.test dane[a5.nsec.test]"),
    case("aliasoutbare.nsec.test", "a6.nsec.test opportunistic"),
    // Out of an unsigned zone into a signed one.
    case("aliasin.plain.test", "a7.plain.test opportunistic"),
    case("dname.nsec.test", "mx.dn.nsec.test dane[mx.hashed.test]"),
    case("viacname.nsec.test", "t1.nsec.test dane[t1.nsec.test]"),
    case("viaplain.nsec.test", "t2.nsec.test opportunistic"),
    case("viaboth.nsec.test", "t3.nsec.test opportunistic"),
    case("wild.nsec.test", "w.nsec.test dane[w.nsec.test]"),
    case(
        "wildhost.hashed.test",
        "any.wh.hashed.test dane[any.wh.hashed.test]",
    ),
    case("unusable.nsec.test", "u.nsec.test encrypt"),
    case("absent.nsec.test", "bare.nsec.test opportunistic"),
    case("absent.hashed.test", "bare.hashed.test opportunistic"),
    // Next hops that are aliases, and one without MX.
    case("nexthop.nsec.test", "mx.hashed.test dane[mx.hashed.test]"),
    case(
        "nexthopout.nsec.test",
        "mx.nsec.test halfdane[mx.nsec.test]",
    ),
    case(
        "implicit.nsec.test",
        "implicit.nsec.test dane[implicit.nsec.test]",
    ),
    // An unsigned domain with signed hosts.
    case(
        "mixed.plain.test",
        "a2.nsec.test halfdane[a2.nsec.test], u.nsec.test encrypt",
    ),
    case(
        "two.nsec.test",
        "mx.hashed.test dane[mx.hashed.test], mx.plain.test opportunistic",
    ),
    // Unsigned by NSEC, by NSEC3, by opt-out.
    case("plain.test", "mx.plain.test opportunistic"),
    case("leaf.opt", "mx.leaf.opt opportunistic"),
    // Servers of unsigned zones that fail for CNAME, TLSA, TXT and DS queries, for a host that
    // is an alias and one that is none, under a signed and an unsigned domain.
    case(
        "notimp.test",
        "alias.notimp.test opportunistic, mx.notimp.test opportunistic",
    ),
    case(
        "servfail.test",
        "alias.servfail.test opportunistic, mx.servfail.test opportunistic",
    ),
    case(
        "silent.test",
        "alias.silent.test opportunistic, mx.silent.test opportunistic",
    ),
    case(
        "outsourced.nsec.test",
        "alias.silent.test opportunistic, mx.notimp.test opportunistic",
    ),
    // MX and A from one version of the zone, a parking wildcard from another, CNAME denied.
    case(
        "parked.test",
        "mx.parked.test opportunistic, parked.test opportunistic",
    ),
    // No mail, as signed.
    case("nowhere.nsec.test", "bounce 5.1.2"),
    case("nowhere.hashed.test", "bounce 5.1.2"),
    case("null.nsec.test", "bounce 5.1.10"),
];

const TLSA: &str = "TLSA 3 1 1 0102030405060708091011121314151617181920212223242526272829303132";
const OTHER: &str = "TLSA 3 1 1 a102030405060708091011121314151617181920212223242526272829303132";

/// With an algorithm that is quick to verify: it is done some hundred thousand times.
fn quick(plan: SigningPlan) -> SigningPlan {
    SigningPlan {
        algorithm: Algorithm::RsaSha256(1024),
        ..plan
    }
}

fn head(server: &str) -> String {
    format!(
        "$TTL 3600\n@ IN SOA ns hostmaster 1 7200 900 1209600 300\n@ IN NS ns\nns IN A {server}\n"
    )
}

fn mx_host(address: u8) -> String {
    format!("@ IN MX 10 mx\nmx IN A 192.0.2.{address}\nmx IN AAAA 2001:db8::{address}\n")
}

/// Apex, server, whether and how it is signed, what it holds beside the usual.
fn zones() -> Vec<(&'static str, &'static str, Option<SigningPlan>, String)> {
    let nsec = || Some(quick(SigningPlan::default()));
    let hashed = || Some(SigningPlan::nsec3());
    let dane = |address| {
        format!(
            "{}_25._tcp.mx IN {TLSA}\nbare IN A 192.0.2.99\n",
            mx_host(address)
        )
    };
    let broken = |address| format!("{}@ IN MX 20 alias\nalias IN CNAME mx\n", mx_host(address));
    let host = |name: &str, address: u8| format!("{name} IN A 192.0.2.{address}\n");
    let many = format!(
        "{}{}{}{}{}{}{}
aliasend IN MX 10 a1
aliasfront IN MX 10 a2
aliasboth IN MX 10 a3
aliasnone IN MX 10 a4
aliasout IN MX 10 a5
aliasoutbare IN MX 10 a6
dname IN MX 10 mx.dn
viacname IN MX 10 t1
viaplain IN MX 10 t2
viaboth IN MX 10 t3
wild IN MX 10 w
unusable IN MX 10 u
absent IN MX 10 bare
nexthop IN CNAME hashed.test.
nexthopout IN CNAME tonsec.plain.test.
two IN MX 10 mx.hashed.test.
two IN MX 20 mx.plain.test.
outsourced IN MX 10 mx.notimp.test.
outsourced IN MX 20 alias.silent.test.
null IN MX 0 .
_25._tcp.implicit IN {TLSA}
a1 IN CNAME mx.hashed.test.
a2 IN CNAME bare.hashed.test.
_25._tcp.a2 IN {TLSA}
a3 IN CNAME mx.hashed.test.
_25._tcp.a3 IN {OTHER}
a4 IN CNAME bare.hashed.test.
a5 IN CNAME mx.plain.test.
_25._tcp.a5 IN {TLSA}
a6 IN CNAME mx.plain.test.
dn IN DNAME hashed.test.
_25._tcp.t1 IN CNAME _dane.hashed.test.
_25._tcp.t2 IN CNAME _dane.plain.test.
_25._tcp.t3 IN CNAME back.plain.test.
*._tcp.w IN {TLSA}
_25._tcp.u IN TLSA 0 1 1 0102
",
        dane(25),
        host("implicit", 31),
        host("t1", 32),
        host("t2", 33),
        host("t3", 38),
        host("w", 34),
        host("u", 35),
    );
    vec![
        ("nsec.test", "192.0.2.11", nsec(), many),
        (
            "hashed.test",
            "192.0.2.12",
            hashed(),
            format!(
                "{}_dane IN {TLSA}\nabsent IN MX 10 bare\nwildhost IN MX 10 any.wh\n\
                 *.wh IN A 192.0.2.36\n*._tcp.any.wh IN {TLSA}\nany.wh IN A 192.0.2.37\n",
                dane(26)
            ),
        ),
        ("safe.opt", "192.0.2.13", hashed(), dane(27)),
        (
            "plain.test",
            "192.0.2.14",
            None,
            format!(
                "{}_dane IN {TLSA}\n_25._tcp.mx IN {TLSA}\n\
                 back IN CNAME _dane.hashed.test.\naliasin IN MX 10 a7\n\
                 a7 IN CNAME mx.nsec.test.\ntonsec IN MX 10 mx.nsec.test.\n\
                 mixed IN MX 10 a2.nsec.test.\nmixed IN MX 20 u.nsec.test.\n",
                mx_host(28)
            ),
        ),
        ("leaf.opt", "192.0.2.15", None, mx_host(29)),
        ("notimp.test", "192.0.2.16", None, broken(41)),
        ("servfail.test", "192.0.2.17", None, broken(42)),
        ("silent.test", "192.0.2.18", None, broken(43)),
        (
            "parked.test",
            "192.0.2.19",
            None,
            format!(
                "{}@ IN MX 20 parked.test.\n@ IN A 192.0.2.44\n",
                mx_host(44)
            ),
        ),
        // The attacker's own: signed and delegated like anybody's.
        (
            "evil.test",
            "192.0.2.20",
            nsec(),
            format!(
                "{}_25._tcp.mx IN {OTHER}\n@ IN TXT \"v=STSv1; id=1;\"\n",
                mx_host(66)
            ),
        ),
        ("evil.opt", "192.0.2.21", None, mx_host(67)),
    ]
}

fn sources() -> Vec<ZoneSource> {
    let parents = [
        (".", "192.0.2.1", quick(SigningPlan::default())),
        ("test", "192.0.2.2", quick(SigningPlan::default())),
        ("opt", "192.0.2.3", quick(SigningPlan::opt_out())),
    ];
    let mut texts: Vec<String> = parents
        .iter()
        .map(|(apex, server, _)| match *apex {
            "." => head(server).replace("ns", "ns.root-zone"),
            _ => head(server),
        })
        .collect();
    for (apex, server, _) in &parents[1..] {
        let _ = write!(
            texts[0],
            "{apex}. IN NS ns.{apex}.\nns.{apex}. IN A {server}\n"
        );
    }
    let mut made = Vec::new();
    for (apex, server, plan, text) in zones() {
        let parent = if apex.ends_with(".opt") { 2 } else { 1 };
        let _ = write!(
            texts[parent],
            "{apex}. IN NS ns.{apex}.\nns.{apex}. IN A {server}\n"
        );
        let text = head(server) + &text;
        made.push(match plan {
            Some(plan) => ZoneSource::signed(name(apex), text, plan),
            None => ZoneSource::unsigned(name(apex), text),
        });
    }
    let parking = head("192.0.2.19") + "* IN CNAME park.plain.test.\n@ IN A 192.0.2.45\n";
    made.push(ZoneSource::unsigned(name("parked.test"), parking).with_version(1));
    for ((apex, _, plan), text) in parents.into_iter().zip(texts) {
        made.push(ZoneSource::signed(name(apex), text, plan));
    }
    made
}

/// The tree and its servers, the broken ones included.
pub(crate) fn authority() -> Arc<Authority> {
    static BUILT: OnceLock<Arc<Authority>> = OnceLock::new();
    Arc::clone(BUILT.get_or_init(|| {
        let tree = SignedTree::build(&sources(), 11, NOW).expect("the world is sound");
        let mut authority = Authority::new(tree);
        let broken = [
            RecordType::Cname,
            RecordType::Tlsa,
            RecordType::Txt,
            RecordType::Ds,
        ];
        for (apex, act) in [
            ("notimp.test", Act::Rcode(4)),
            ("servfail.test", Act::Rcode(2)),
            ("silent.test", Act::Silence),
        ] {
            let behaviour = Behaviour::for_types(&broken, act);
            assert!(authority.misbehave_zone(&name(apex), &behaviour) > 0);
        }
        let mx = Names::Exactly(name("mx.parked.test"));
        for behaviour in [
            Behaviour::for_types(&[RecordType::Cname], Act::NoData),
            Behaviour::new(
                When::always().of_types(&[RecordType::Aaaa]).of_names(mx),
                Act::FromVersion(1),
            ),
            Behaviour::for_types(&[RecordType::Tlsa, RecordType::Txt], Act::FromVersion(1)),
        ] {
            authority.misbehave_zone(&name("parked.test"), &behaviour);
        }
        Arc::new(authority)
    }))
}

pub(crate) fn name(text: &str) -> DomainName {
    text.parse().expect("test name")
}
