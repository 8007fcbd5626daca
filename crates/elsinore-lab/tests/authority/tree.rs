//! A world that holds every kind of answer in NSEC, NSEC3, opt-out and unsigned zones.

use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_lab::sign::SignedTree;
use elsinore_lab::zone::{Algorithm, DenialPlan, KeyLayout, OptOut, SigningPlan, ZoneSource};

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
broken      IN TLSA \# 2 0301
broken      IN TLSA 3 1 1 aabbcc
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
    }
    sources
}

pub(crate) fn tree(now: UnixTime) -> SignedTree {
    SignedTree::build(&sources(), 7, now).expect("the test tree")
}
