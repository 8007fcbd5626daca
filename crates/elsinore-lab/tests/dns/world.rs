//! The world: a signed root, three top-level zones, and below them one zone for each thing that
//! can be right or wrong.

use crate::net::MemoryNet;
use elsinore_dane::answer::{Answer, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_lab::authority::{Authority, ForwardMode, Forwarder};
use elsinore_lab::sign::SignedTree;
use elsinore_lab::zone::{
    Algorithm, DenialPlan, DsKind, DsPlan, Fault, OptOut, SigningPlan, Target, Validity, ZoneSource,
};
use elsinore_net::clock::FixedClock;
use elsinore_net::resolver::{
    Freshness, Mode, Resolver, ResolverConfig, RootHints, SecureResolver, TrustAnchors,
};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

pub(crate) const NOW: UnixTime = UnixTime(1_780_000_000);
/// Where the upstream resolver of the modes forward and ad is.
pub(crate) const UPSTREAM: &str = "127.0.0.1:53";

pub(crate) fn name(text: &str) -> DomainName {
    text.parse().expect("test name")
}

pub(crate) fn record_type(text: &str) -> RecordType {
    match text {
        "A" => RecordType::A,
        "AAAA" => RecordType::Aaaa,
        "MX" => RecordType::Mx,
        "TXT" => RecordType::Txt,
        "TLSA" => RecordType::Tlsa,
        "CNAME" => RecordType::Cname,
        "DS" => RecordType::Ds,
        "DNSKEY" => RecordType::Dnskey,
        "NS" => RecordType::Ns,
        "SOA" => RecordType::Soa,
        other => panic!("{other}"),
    }
}

pub(crate) fn question(text: &str) -> Question {
    let (owner, rtype) = text.split_once(' ').expect("NAME TYPE");
    Question::new(name(owner), record_type(rtype))
}

const TLSA: &str = "TLSA 3 1 1 0102030405060708091011121314151617181920212223242526272829303132";

/// What every leaf zone holds.
fn leaf(server: &str) -> String {
    format!(
        "$TTL 3600
@ IN SOA ns hostmaster 1 7200 900 1209600 300
@ IN NS ns
ns IN A {server}
@ IN MX 10 mx
mx IN A 192.0.2.125
mx IN AAAA 2001:db8::25
_25._tcp.mx IN {TLSA}
short IN TLSA \\# 1 03
onlytxt IN TXT \"x\"
alias IN CNAME mx
twice IN CNAME alias
toplain IN CNAME mx.plain.test.
tonsec IN CNAME mx.nsec.test.
tonsec3 IN CNAME mx.nsec3.test.
toname IN CNAME nowhere
toname3 IN CNAME nowhere.nsec3.test.
tonodata IN CNAME onlytxt
tonodata3 IN CNAME onlytxt.nsec3.test.
tobogus IN CNAME a.badsig.test.
viaplain IN CNAME tonsec.plain.test.
todead IN CNAME mx.silent.test.
loop IN CNAME loop
loop1 IN CNAME loop2
loop2 IN CNAME loop1
loopout IN CNAME loopback.plain.test.
loopback IN CNAME loopout.nsec.test.
dn IN DNAME nsec3.test.
*.wild IN A 192.0.2.80
*.wild IN MX 5 mx
*._tcp.wmx IN {TLSA}
*.walias IN CNAME mx
cut.walias IN NS ns.cut.walias
ns.cut.walias IN A {server}
below.*.odd IN A 192.0.2.86
*.wname IN CNAME nowhere
*.wnodata IN CNAME onlytxt
*.wplain IN CNAME mx.plain.test.
here.wild IN A 192.0.2.81
a.b.ent IN A 192.0.2.82
_25._tcp.ta IN CNAME _dane
_dane IN {TLSA}
_25._tcp.tb IN CNAME _dane.nsec3.test.
_25._tcp.tc IN CNAME _dane.plain.test.
c0 IN A 192.0.2.83
deleg IN NS ns.deleg
ns.deleg IN A 192.0.2.90
a IN A 192.0.2.84
b IN A 192.0.2.85
"
    )
}

/// Twelve aliases in a row, and an RRset that fits no datagram.
fn long() -> String {
    let mut text = String::new();
    for link in 1..=12 {
        let _ = writeln!(text, "c{link} IN CNAME c{}", link - 1);
    }
    for number in 0..90 {
        let _ = writeln!(text, "_25._tcp.big IN TLSA 3 1 1 {number:064x}");
    }
    text
}

fn signed(plan: SigningPlan) -> impl Fn(DomainName, String) -> ZoneSource {
    move |apex, text| ZoneSource::signed(apex, text, plan.clone())
}

fn nsec3(iterations: u16) -> SigningPlan {
    SigningPlan::with_denial(DenialPlan::Nsec3 {
        iterations,
        salt: vec![0xab],
        opt_out: OptOut::No,
    })
}

/// The leaf zones: apex and how the zone is made from its text.
type Make = Box<dyn Fn(DomainName, String) -> ZoneSource>;

fn leaves() -> Vec<(&'static str, Make)> {
    let plain = || SigningPlan::default();
    let with = |fault: fn() -> Fault| -> Make {
        Box::new(move |apex, text| {
            ZoneSource::signed(apex, text, SigningPlan::default()).with_fault(fault())
        })
    };
    let ds = |kinds: Vec<DsKind>| -> Make {
        Box::new(move |apex, text| {
            ZoneSource::signed(apex, text, SigningPlan::default())
                .with_ds(DsPlan::Only(kinds.clone()))
        })
    };
    let alg =
        |algorithm: Algorithm| -> Make { Box::new(signed(SigningPlan::with_algorithm(algorithm))) };
    let mut leaves: Vec<(&'static str, Make)> = vec![
        ("nsec.test", Box::new(signed(plain()))),
        ("nsec3.test", Box::new(signed(SigningPlan::nsec3()))),
        ("optout.test", Box::new(signed(SigningPlan::opt_out()))),
        ("plain.test", Box::new(ZoneSource::unsigned)),
        ("leaf.opt", Box::new(ZoneSource::unsigned)),
        ("safe.opt", Box::new(signed(plain()))),
        ("leaf.plain", Box::new(ZoneSource::unsigned)),
        ("old.plain", Box::new(ZoneSource::unsigned)),
        ("island.plain", Box::new(signed(plain()))),
        ("deep.sub.nsec.test", Box::new(signed(plain()))),
        (
            "nods.test",
            Box::new(|apex, text| {
                ZoneSource::signed(apex, text, SigningPlan::default()).with_ds(DsPlan::Omitted)
            }),
        ),
        (
            "badsig.test",
            with(|| Fault::CorruptSignatures(Target::rrset(name("a.badsig.test"), RecordType::A))),
        ),
        (
            "badmx.test",
            with(|| Fault::CorruptSignatures(Target::of_type(RecordType::Mx))),
        ),
        (
            "badtlsa.test",
            with(|| Fault::CorruptSignatures(Target::of_type(RecordType::Tlsa))),
        ),
        (
            "badkeys.test",
            with(|| Fault::CorruptSignatures(Target::of_type(RecordType::Dnskey))),
        ),
        (
            "expired.test",
            with(|| Fault::Resign(Target::everything(), Validity::expired(NOW))),
        ),
        (
            "future.test",
            with(|| Fault::Resign(Target::everything(), Validity::future(NOW))),
        ),
        (
            "soon.test",
            with(|| {
                Fault::Resign(
                    Target::rrset(name("mx.soon.test"), RecordType::A),
                    Validity {
                        inception: NOW.plus_seconds(-600),
                        expiry: NOW.plus_seconds(100),
                    },
                )
            }),
        ),
        (
            "nosig.test",
            with(|| Fault::DropSignatures(Target::of_type(RecordType::A))),
        ),
        ("stripped.test", with(|| Fault::StripDenial)),
        ("nokeys.test", with(|| Fault::NoDnskey)),
        ("revoked.test", with(|| Fault::RevokedKey)),
        ("collide2.test", with(|| Fault::CollidingKeys(1))),
        ("collide20.test", with(|| Fault::CollidingKeys(20))),
        (
            "sigs4.test",
            with(|| Fault::UselessSignatures(Target::everything(), 4)),
        ),
        (
            "sigs100.test",
            with(|| Fault::UselessSignatures(Target::everything(), 100)),
        ),
        (
            "replaced.test",
            with(|| {
                Fault::ReplaceData(
                    Target::rrset(name("mx.replaced.test"), RecordType::A),
                    "A 192.0.2.66".to_owned(),
                )
            }),
        ),
        ("wrongds.test", ds(vec![DsKind::WrongDigest])),
        ("otherds.test", ds(vec![DsKind::MissingKey])),
        (
            "mixedds.test",
            ds(vec![
                DsKind::Algorithm(200),
                DsKind::UnknownDigest(99),
                DsKind::MissingKey,
                DsKind::Digest(2),
            ]),
        ),
        ("sha1ds.test", ds(vec![DsKind::Digest(1)])),
        ("sha384ds.test", ds(vec![DsKind::Digest(4)])),
        ("newalgds.test", ds(vec![DsKind::Algorithm(200)])),
        ("newdigest.test", ds(vec![DsKind::UnknownDigest(99)])),
        (
            "weakds.test",
            ds(vec![DsKind::Digest(1), DsKind::WrongDigest]),
        ),
        ("alg5.test", alg(Algorithm::RsaSha1(1024))),
        ("alg8.test", alg(Algorithm::RsaSha256(2048))),
        ("alg10.test", alg(Algorithm::RsaSha512(1024))),
        ("alg14.test", alg(Algorithm::EcdsaP384)),
        ("alg15.test", alg(Algorithm::Ed25519)),
        ("alg16.test", alg(Algorithm::Ed448)),
        ("alg99.test", alg(Algorithm::Unknown(99))),
        ("rsa512.test", alg(Algorithm::RsaSha256(512))),
        ("rsa4096.test", alg(Algorithm::RsaSha256(4096))),
        (
            "split.test",
            Box::new(signed(SigningPlan {
                keys: elsinore_lab::zone::KeyLayout::Split,
                ..SigningPlan::nsec3()
            })),
        ),
        (
            "alg7.test",
            Box::new(signed(SigningPlan {
                algorithm: Algorithm::RsaSha1Nsec3(1024),
                ..SigningPlan::nsec3()
            })),
        ),
    ];
    for (apex, iterations) in [
        ("iter10.test", 10),
        ("iter100.test", 100),
        ("iter101.test", 101),
        ("iter150.test", 150),
        ("iter500.test", 500),
        ("iter501.test", 501),
    ] {
        leaves.push((apex, Box::new(signed(nsec3(iterations)))));
    }
    for apex in [
        "servfail.test",
        "silent.test",
        "refused.test",
        "notimp.test",
        "lame.test",
        "noedns.test",
        "onlytcp.test",
        "notcp.test",
        "mangled.test",
        "wrongid.test",
        "wrongq.test",
        "ent.test",
        "tlsafail.test",
        "garbage.test",
        "remark.test",
    ] {
        leaves.push((apex, Box::new(signed(plain()))));
    }
    leaves
}

/// The address of the server of each leaf zone.
pub(crate) fn server_of(apex: &str) -> IpAddr {
    let index = leaves()
        .iter()
        .position(|(leaf, _)| *leaf == apex)
        .expect("a leaf zone");
    leaf_address(index)
}

fn leaf_address(index: usize) -> IpAddr {
    format!("198.51.100.{}", index + 1)
        .parse()
        .expect("address")
}

pub(crate) const ROOT_SERVER: &str = "192.0.2.1";
pub(crate) const TEST_SERVER: &str = "192.0.2.2";

fn sources() -> Vec<ZoneSource> {
    let head = |server: &str| {
        format!(
            "$TTL 3600\n@ IN SOA ns hostmaster 1 7200 900 1209600 300\n@ IN NS ns\nns IN A {server}\n"
        )
    };
    let mut zones: Vec<(&str, String)> = vec![
        (".", head(ROOT_SERVER).replace("ns", "ns.root-zone")),
        ("test", head(TEST_SERVER)),
        ("opt", head("192.0.2.3")),
        ("plain", head("192.0.2.4")),
        ("sub.nsec.test", head("192.0.2.5")),
    ];
    for (tld, server) in [
        ("test", TEST_SERVER),
        ("opt", "192.0.2.3"),
        ("plain", "192.0.2.4"),
    ] {
        let _ = write!(
            zones[0].1,
            "{tld}. IN NS ns.{tld}.\nns.{tld}. IN A {server}\n"
        );
    }
    let mut made = Vec::new();
    for (index, (apex, make)) in leaves().into_iter().enumerate() {
        let address = leaf_address(index);
        let parent = match apex {
            "deep.sub.nsec.test" => 4,
            _ if apex.ends_with(".test") => 1,
            _ if apex.ends_with(".opt") => 2,
            _ => 3,
        };
        let _ = write!(
            zones[parent].1,
            "{apex}. IN NS ns.{apex}.\nns.{apex}. IN A {address}\n"
        );
        let mut text = leaf(&address.to_string());
        if matches!(apex, "nsec.test" | "nsec3.test") {
            text.push_str(&long());
        }
        if apex == "nsec.test" {
            text.push_str("sub IN NS ns.sub\nns.sub IN A 192.0.2.5\n");
        }
        made.push(make(name(apex), text));
        // The delegation beside the wildcard alias leads somewhere in two of them.
        if matches!(apex, "nsec.test" | "nsec3.test") {
            let child = name(&format!("cut.walias.{apex}"));
            made.push(ZoneSource::unsigned(child, head(&address.to_string())));
        }
    }
    // Further delegations of `test`: one of two servers dead, no glue, a server that is an alias,
    // a server on a private address, no server at all; IPv6 only, with glue and without; one of
    // the two families of a server dead.
    for (apex, servers, glue) in [
        (
            "halfdead",
            "halfdead IN NS dead.halfdead\nhalfdead IN NS ns.halfdead\n",
            "dead.halfdead IN A 192.0.2.250\nns.halfdead IN A 192.0.2.6\n",
        ),
        ("glueless", "glueless IN NS outside.nsec.test.\n", ""),
        (
            "private",
            "private IN NS ns.private\n",
            "ns.private IN A 10.0.0.1\n",
        ),
        ("selfish", "selfish IN NS ns.selfish\n", ""),
        (
            "onlysix",
            "onlysix IN NS ns.onlysix\n",
            "ns.onlysix IN AAAA 2001:db8::6\n",
        ),
        ("farsix", "farsix IN NS outside6.nsec.test.\n", ""),
        (
            "deadsix",
            "deadsix IN NS ns.deadsix\n",
            "ns.deadsix IN AAAA 2001:db8::dead\nns.deadsix IN A 192.0.2.6\n",
        ),
        (
            "deadfour",
            "deadfour IN NS ns.deadfour\n",
            "ns.deadfour IN A 192.0.2.250\nns.deadfour IN AAAA 2001:db8::6\n",
        ),
        (
            "linklocal",
            "linklocal IN NS ns.linklocal\n",
            "ns.linklocal IN AAAA fe80::6\n",
        ),
    ] {
        zones[1].1.push_str(servers);
        zones[1].1.push_str(glue);
        let text = head("192.0.2.6").replace(
            "@ IN NS ns\n",
            match apex {
                "glueless" => "@ IN NS outside.nsec.test.\nmx IN A 192.0.2.125\n",
                "farsix" => "@ IN NS outside6.nsec.test.\nmx IN A 192.0.2.125\n",
                _ => "@ IN NS ns\nmx IN A 192.0.2.125\n",
            },
        );
        made.push(ZoneSource::unsigned(name(&format!("{apex}.test")), text));
    }
    let outside = made
        .iter_mut()
        .find(|zone| zone.apex == name("nsec.test"))
        .expect("nsec.test");
    outside
        .text
        .push_str("outside IN A 192.0.2.6\noutside6 IN AAAA 2001:db8::6\n");
    for (apex, text) in zones {
        made.push(match apex {
            "plain" => ZoneSource::unsigned(name(apex), text),
            "opt" => ZoneSource::signed(name(apex), text, SigningPlan::opt_out()),
            "sub.nsec.test" => ZoneSource::signed(name(apex), text, SigningPlan::nsec3()),
            _ => ZoneSource::signed(name(apex), text, SigningPlan::default()),
        });
    }
    made
}

/// The world as it ought to be, signed once for all tests.
pub(crate) fn authority() -> Authority {
    static BUILT: OnceLock<Authority> = OnceLock::new();
    BUILT.get_or_init(|| authority_at(NOW)).clone()
}

/// The world as it was or will be at another time, with the same keys.
pub(crate) fn authority_at(now: UnixTime) -> Authority {
    let tree = SignedTree::build(&sources(), 7, now).expect("the world is sound");
    let mut authority = Authority::new(tree);
    for (apex, address) in [
        ("halfdead.test", "192.0.2.6"),
        ("glueless.test", "192.0.2.6"),
        ("deadsix.test", "192.0.2.6"),
        ("onlysix.test", "2001:db8::6"),
        ("farsix.test", "2001:db8::6"),
        ("deadfour.test", "2001:db8::6"),
    ] {
        authority.serve_also(address.parse().expect("address"), &name(apex));
    }
    crate::servers::misbehave(&mut authority);
    authority
}

/// Whether the server at `address` serves the zone at `apex`.
pub(crate) fn serves(apex: &DomainName, address: IpAddr) -> bool {
    let address = address.to_string();
    match apex.as_str() {
        "." => address == ROOT_SERVER,
        "test" => address == TEST_SERVER,
        leaf => address == server_of(leaf).to_string(),
    }
}

/// A resolver and the network it speaks to.
pub(crate) struct Bench {
    pub(crate) resolver: Resolver,
    pub(crate) net: MemoryNet,
}

pub(crate) fn config(mode: Mode, authority: &Authority) -> ResolverConfig {
    ResolverConfig {
        mode,
        hints: RootHints::parse(&authority.tree().root_hints()).expect("hints"),
        anchors: TrustAnchors::parse(&authority.tree().trust_anchor()).expect("anchor"),
        upstreams: vec![UPSTREAM.parse().expect("address")],
        allow_nets: ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"]
            .map(|net| net.parse().expect("net"))
            .to_vec(),
        ..ResolverConfig::default()
    }
}

pub(crate) fn net(authority: &Authority) -> MemoryNet {
    let authority = Arc::new(authority.clone());
    let forwarder = Forwarder::new(Arc::clone(&authority), ForwardMode::Validating);
    MemoryNet::new(move |server: SocketAddr, transport, query| {
        if server.to_string() == UPSTREAM {
            forwarder.respond(transport, query)
        } else {
            authority.respond(server.ip(), transport, query)
        }
    })
}

impl Bench {
    pub(crate) fn with(config: ResolverConfig, net: MemoryNet) -> Self {
        let dialer = Arc::new(net.clone());
        let resolver = Resolver::new(config, dialer, Arc::new(FixedClock(NOW))).expect("config");
        Self { resolver, net }
    }

    pub(crate) fn over(mode: Mode, authority: &Authority) -> Self {
        Self::with(config(mode, authority), net(authority))
    }

    pub(crate) fn new(mode: Mode) -> Self {
        Self::over(mode, &authority())
    }

    pub(crate) async fn ask(&self, text: &str) -> Answer {
        self.resolver
            .lookup(&question(text), Freshness::Cached)
            .await
    }
}
