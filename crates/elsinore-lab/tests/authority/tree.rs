//! A world that holds every kind of answer in NSEC, NSEC3, opt-out and unsigned zones.

use elsinore_dane::answer::RecordType;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_lab::sign::SignedTree;
use elsinore_lab::zone::{
    Algorithm, DenialPlan, DsKind, DsPlan, Fault, KeyLayout, OptOut, SigningPlan, Target, Validity,
    ZoneSource,
};

/// A moment for everything that does not talk to other software.
pub(crate) const NOW: UnixTime = UnixTime(1_780_000_000);

pub(crate) fn name(text: &str) -> DomainName {
    text.parse().expect("test name")
}

/// What every leaf zone holds, whatever its signing.
const LEAF: &str = r"
$TTL 3600
@           IN SOA ns hostmaster 1 7200 900 1209600 300
@           IN NS ns
@           IN MX 10 mx
ns          IN A 192.0.2.53
ns          IN AAAA 2001:db8::53
mx          IN A 192.0.2.25
mx          IN AAAA 2001:db8::25
_25._tcp.mx IN TLSA 3 1 1 0102030405060708091011121314151617181920212223242526272829303132
alias       IN CNAME mx
twice       IN CNAME alias
dangling    IN CNAME nowhere
outside     IN CNAME mx.elsewhere.test.
loop1       IN CNAME loop2
loop2       IN CNAME loop1
*.wild      IN A 192.0.2.80
*.wild      IN TXT v=wild
*._tcp.wmx  IN TLSA 3 1 1 0202030405060708091011121314151617181920212223242526272829303132
*.walias    IN CNAME mx
*.wnone     IN CNAME nowhere
below.*.odd IN A 192.0.2.81
a.b.ent     IN A 192.0.2.82
moved       IN DNAME target
x.target    IN A 192.0.2.83
signed      IN NS ns.signed
ns.signed   IN A 192.0.2.55
unsigned    IN NS ns.unsigned
ns.unsigned IN A 192.0.2.55
ns.unsigned IN AAAA 2001:db8::55
glueless    IN NS ns.elsewhere.test.
deep.unsigned2 IN NS ns.unsigned
";

const CHILD: &str = r"
$TTL 3600
@  IN SOA ns hostmaster 1 7200 900 1209600 300
@  IN NS ns
ns IN A 192.0.2.55
@  IN MX 10 ns
";

/// The zones whose leaves are compared.
pub(crate) const LEAVES: [&str; 5] = [
    "nsec.test",
    "nsec3.test",
    "salted.test",
    "optout.test",
    "plain.test",
];

/// A small zone for everything that is broken.
const SMALL: &str = r"
$TTL 3600
@           IN SOA ns hostmaster 1 7200 900 1209600 300
@           IN NS ns
@           IN MX 10 mx
ns          IN A 192.0.2.53
mx          IN A 192.0.2.25
_25._tcp.mx IN TLSA 3 1 1 0102030405060708091011121314151617181920212223242526272829303132
*.w         IN A 192.0.2.80
";

/// What is asked of each broken zone.
pub(crate) const SMALL_QUESTIONS: [(&str, &str); 6] = [
    ("", "MX"),
    ("mx.", "A"),
    ("mx.", "AAAA"),
    ("_25._tcp.mx.", "TLSA"),
    ("nowhere.", "A"),
    ("q.w.", "A"),
];

/// One zone per fault, by the first label of its apex below `test`.
pub(crate) fn broken(now: UnixTime) -> Vec<ZoneSource> {
    let plain = SigningPlan::default;
    let zone = |label: &str, plan| ZoneSource::signed(name(&format!("{label}.test")), SMALL, plan);
    let iterations = |iterations| {
        SigningPlan::with_denial(DenialPlan::Nsec3 {
            iterations,
            salt: vec![1],
            opt_out: OptOut::No,
        })
    };
    let mut zones = vec![
        zone("badsigmx", plain())
            .with_fault(Fault::CorruptSignatures(Target::of_type(RecordType::Mx))),
        zone("badsigkey", plain()).with_fault(Fault::CorruptSignatures(Target::of_type(
            RecordType::Dnskey,
        ))),
        zone("nosigtlsa", plain())
            .with_fault(Fault::DropSignatures(Target::of_type(RecordType::Tlsa))),
        zone("expired", plain())
            .with_fault(Fault::Resign(Target::everything(), Validity::expired(now))),
        zone("future", SigningPlan::nsec3())
            .with_fault(Fault::Resign(Target::everything(), Validity::future(now))),
        zone("replaced", plain()).with_fault(Fault::ReplaceData(
            Target::rrset(name("mx.replaced.test"), RecordType::A),
            "A 192.0.2.66".to_owned(),
        )),
        zone("stripped", plain()).with_fault(Fault::StripDenial),
        zone("stripped3", SigningPlan::nsec3()).with_fault(Fault::StripDenial),
        zone("nokey", plain()).with_fault(Fault::NoDnskey),
        zone("revoked", plain()).with_fault(Fault::RevokedKey),
        zone("colliding", plain()).with_fault(Fault::CollidingKeys(2)),
        zone("useless", plain())
            .with_fault(Fault::UselessSignatures(Target::of_type(RecordType::Mx), 2)),
        zone("wrongds", plain()).with_ds(DsPlan::Only(vec![DsKind::WrongDigest])),
        zone("missingkey", plain()).with_ds(DsPlan::Only(vec![DsKind::MissingKey])),
        zone("dsalgorithm", plain()).with_ds(DsPlan::Only(vec![DsKind::Algorithm(14)])),
        zone("unknowndigest", plain()).with_ds(DsPlan::Only(vec![DsKind::UnknownDigest(200)])),
        zone("sha384", plain()).with_ds(DsPlan::Only(vec![DsKind::Digest(4)])),
        zone("mixedds", plain()).with_ds(DsPlan::Only(vec![
            DsKind::UnknownDigest(200),
            DsKind::Algorithm(200),
            DsKind::MissingKey,
            DsKind::Digest(2),
        ])),
        zone("island", plain()).with_ds(DsPlan::Omitted),
        zone("iterations100", iterations(100)),
        zone("iterations500", iterations(500)),
        zone(
            "split",
            SigningPlan {
                keys: KeyLayout::Split,
                ..SigningPlan::nsec3()
            },
        ),
    ];
    for algorithm in [
        Algorithm::RsaSha1(1024),
        Algorithm::RsaSha1Nsec3(1024),
        Algorithm::RsaSha256(1024),
        Algorithm::RsaSha512(1024),
        Algorithm::EcdsaP256,
        Algorithm::EcdsaP384,
        Algorithm::Ed25519,
        Algorithm::Ed448,
        Algorithm::Unknown(200),
    ] {
        let label = format!("algorithm{}", algorithm.number());
        zones.push(zone(&label, SigningPlan::with_algorithm(algorithm)));
    }
    zones
}

pub(crate) fn sources() -> Vec<ZoneSource> {
    let salted = SigningPlan {
        algorithm: Algorithm::Ed25519,
        keys: KeyLayout::Split,
        denial: DenialPlan::Nsec3 {
            iterations: 5,
            salt: vec![0xab, 0xcd],
            opt_out: OptOut::No,
        },
        validity: None,
    };
    let mut sources = vec![
        ZoneSource::signed(
            DomainName::root(),
            ". 86400 IN SOA a.root. hostmaster. 1 7200 900 1209600 300\n\
             . 86400 IN NS a.root.\na.root. 86400 IN A 192.0.2.1\na.root. 86400 IN AAAA 2001:db8::1\n\
             test. 3600 IN NS ns.test.\nns.test. 3600 IN A 192.0.2.2\n",
            SigningPlan::with_algorithm(Algorithm::RsaSha256(2048)),
        ),
        ZoneSource::signed(
            name("test"),
            "@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 300\n@ 3600 IN NS ns\nns 3600 IN A 192.0.2.2\n\
             nsec 3600 IN NS ns.nsec\nns.nsec 3600 IN A 192.0.2.53\n\
             nsec3 3600 IN NS ns.nsec3\nns.nsec3 3600 IN A 192.0.2.53\n\
             salted 3600 IN NS ns.salted\nns.salted 3600 IN A 192.0.2.53\n\
             optout 3600 IN NS ns.optout\nns.optout 3600 IN A 192.0.2.53\n\
             plain 3600 IN NS ns.plain\nns.plain 3600 IN A 192.0.2.53\n\
             elsewhere 3600 IN NS ns.elsewhere\nns.elsewhere 3600 IN A 192.0.2.54\n",
            SigningPlan {
                keys: KeyLayout::Split,
                ..SigningPlan::nsec3()
            },
        ),
        ZoneSource::signed(name("nsec.test"), LEAF, SigningPlan::default()),
        ZoneSource::signed(name("nsec3.test"), LEAF, SigningPlan::nsec3()),
        ZoneSource::signed(name("salted.test"), LEAF, salted),
        ZoneSource::signed(name("optout.test"), LEAF, SigningPlan::opt_out()),
        ZoneSource::unsigned(name("plain.test"), LEAF),
        ZoneSource::unsigned(
            name("elsewhere.test"),
            "@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 300\n@ 3600 IN NS ns\n\
             ns 3600 IN A 192.0.2.54\nmx 3600 IN A 192.0.2.26\n",
        ),
    ];
    for leaf in LEAVES {
        let child = name(&format!("signed.{leaf}"));
        sources.push(ZoneSource::signed(child, CHILD, SigningPlan::default()));
        let child = name(&format!("unsigned.{leaf}"));
        sources.push(ZoneSource::unsigned(child, CHILD));
        let child = name(&format!("glueless.{leaf}"));
        let text = CHILD.replace("IN NS ns", "IN NS ns.elsewhere.test.");
        sources.push(ZoneSource::unsigned(child, text));
        let child = name(&format!("deep.unsigned2.{leaf}"));
        let text = CHILD.replace("IN NS ns", &format!("IN NS ns.unsigned.{leaf}."));
        sources.push(ZoneSource::unsigned(child, text));
    }
    sources
}

pub(crate) fn tree(now: UnixTime) -> SignedTree {
    SignedTree::build(&sources(), 7, now).expect("the test tree")
}

/// The same with every broken zone.
pub(crate) fn broken_tree(now: UnixTime) -> SignedTree {
    let mut sources = sources();
    let broken = broken(now);
    for zone in &broken {
        let label = zone.apex.as_str().trim_end_matches(".test");
        for source in sources
            .iter_mut()
            .filter(|source| source.apex == name("test"))
        {
            let delegation =
                format!("{label} 3600 IN NS ns.{label}\nns.{label} 3600 IN A 192.0.2.53\n");
            source.text.push_str(&delegation);
        }
    }
    sources.extend(broken);
    SignedTree::build(&sources, 7, now).expect("the broken tree")
}
