//! The DNS part of the situations known from a widely used sender, with the verdicts of the
//! rules of this project, and further situations of its own.

use crate::drive::{Fixture, NOW, drive, summary};
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::destination::{InsecureMx, Level, Mode};
use elsinore_dane::discovery::{Discovery, DiscoveryPolicy, MessageTls, Query};
use elsinore_dane::next_hop::NextHop;

/// One situation.
struct Case<'a> {
    next_hop: &'a str,
    zone: &'a str,
    policy: DiscoveryPolicy,
    sts: Option<&'a str>,
}

fn case<'a>(next_hop: &'a str, zone: &'a str) -> Case<'a> {
    Case {
        next_hop,
        zone,
        policy: DiscoveryPolicy::default(),
        sts: None,
    }
}

impl Case<'_> {
    fn run(&self) -> (Discovery, Vec<(u32, Query)>) {
        let mut fixture = Fixture::parse(self.zone);
        fixture.policy = self.sts.map(str::to_owned);
        let hop = NextHop::parse(self.next_hop).unwrap();
        let mut discovery = Discovery::new(hop, self.policy.clone(), None, 1, NOW);
        let asked = drive(&mut discovery, &mut fixture);
        (discovery, asked)
    }

    fn check(&self, expected: &[&str]) -> Vec<(u32, Query)> {
        let (discovery, asked) = self.run();
        assert_eq!(
            summary(&discovery),
            expected,
            "{}\n{}",
            self.next_hop,
            self.zone
        );
        asked
    }
}

const DANE: &str = "mx.d dane[mx.d; mx.d d] sni=mx.d";

//= spec-test: 7672-2.1.2-3
//= spec-test: 7672-2.2-1
//= spec-test: 7672-2.2.1-7
//= spec-test: 7672-3.2-1
//= spec-test: 7672-8.1-1
#[test]
fn s01_plain_dane() {
    let zone = "d MX S 10 mx.d\nmx.d A S 192.0.2.1\n_25._tcp.mx.d TLSA S 3 1 1 32";
    let asked = case("d", zone).check(&[DANE]);
    // MX and _mta-sts together, then A and AAAA together, then TLSA: three round trips.
    assert_eq!(asked.iter().map(|(round, _)| *round).max(), Some(2));
    let first = |record_type| {
        asked.iter().find_map(|(round, query)| match query {
            Query::Dns {
                question: Question {
                    record_type: found, ..
                },
                ..
            } if *found == record_type => Some(*round),
            Query::Dns { .. } | Query::StsPolicy { .. } => None,
        })
    };
    assert_eq!(first(RecordType::Mx), first(RecordType::Txt));
    assert_eq!(first(RecordType::A), first(RecordType::Aaaa));
}

fn tlsa_names(asked: &[(u32, Query)]) -> Vec<String> {
    asked
        .iter()
        .filter_map(|(_, query)| match query {
            Query::Dns { question, .. } if question.record_type == RecordType::Tlsa => {
                Some(question.name.to_string())
            }
            Query::Dns { .. } | Query::StsPolicy { .. } => None,
        })
        .collect()
}

fn at_level(next_hop: &'static str, zone: &'static str, level: Level) -> Case<'static> {
    let mut case = case(next_hop, zone);
    case.policy.level = level;
    case
}

const SIGNED: &str = "d MX S 10 mx.d\nmx.d A S 192.0.2.1\n";

//= spec-test: 7672-2.2.2-2
#[test]
fn s04_unsigned_host_is_not_asked_for_tlsa() {
    let zone = "d MX S 10 mx.h\nmx.h A I 192.0.2.1\n_25._tcp.mx.h TLSA T ";
    let asked = case("d", zone).check(&["mx.h opportunistic sni=mx.h"]);
    assert!(tlsa_names(&asked).is_empty());
}

//= spec-test: 7672-2.2.1-4
//= spec-test: 7672-3.2.2-5
#[test]
fn s05_insecure_mx() {
    let zone = "d MX I 10 mx.h\nmx.h A S 192.0.2.1\n_25._tcp.mx.h TLSA S 3 1 1 32";
    case("d", zone).check(&["mx.h halfdane[mx.h; mx.h] sni=mx.h"]);
    let mut other = case("d", zone);
    other.policy.insecure_mx = InsecureMx::Encrypt;
    other.check(&["mx.h encrypt sni=mx.h"]);
    other.policy.insecure_mx = InsecureMx::May;
    let asked = other.check(&["mx.h opportunistic sni=mx.h"]);
    assert!(tlsa_names(&asked).is_empty());
    for insecure_mx in [InsecureMx::Dane, InsecureMx::Encrypt, InsecureMx::May] {
        let mut mandatory = at_level("d", zone, Level::DaneOnly);
        mandatory.policy.insecure_mx = insecure_mx;
        mandatory.check(&["defer 4.7.5"]);
    }
}

//= spec-test: 7672-2.1.2-1
#[test]
fn s06_failed_mx_defers_without_trying_addresses() {
    for how in ["B", "T"] {
        let zone = format!("d MX {how} \nd A S 192.0.2.1");
        let asked = case("d", &zone).check(&["defer 4.4.3"]);
        assert_eq!(asked.len(), 2);
    }
}

//= spec-test: 7672-3.2.2-6
#[test]
fn s07_s08_implicit_mx() {
    let zone = "d MX S -\nd A S 192.0.2.1\n_25._tcp.d TLSA S 3 1 1 32";
    case("d", zone).check(&["d dane[d; d] sni=d"]);
    let zone = "d MX S -\nd A S 192.0.2.1\n_25._tcp.d TLSA S !";
    case("d", zone).check(&["d opportunistic sni=d"]);
    let zone = "d CNAME S t\nt A S 192.0.2.1\n_25._tcp.t TLSA S 2 0 1 32";
    case("d", zone).check(&["d dane[t; t d] sni=t"]);
}

//= spec-test: 7672-2.2.3-1
#[test]
fn s09_ports_and_brackets() {
    let zone = "mx.d A S 192.0.2.1\n_587._tcp.mx.d TLSA S 3 1 1 32\nd MX S 10 mx.d";
    let asked = case("[mx.d]:587", zone).check(&["mx.d dane[mx.d; mx.d] sni=mx.d"]);
    assert_eq!(tlsa_names(&asked), ["_587._tcp.mx.d"]);
    case("d:587", zone).check(&["mx.d dane[mx.d; mx.d d] sni=mx.d"]);
}

//= spec-test: 7672-2.2-8
//= spec-test: 7672-2.2-9
#[test]
fn s10_addresses_have_no_dane() {
    case("[192.0.2.1]", "").check(&["192.0.2.1 opportunistic sni=-"]);
    case("d", "d MX S 10 192.0.2.1").check(&["192.0.2.1 opportunistic sni=-"]);
    at_level("[192.0.2.1]", "", Level::DaneOnly).check(&["defer 4.7.5"]);
    at_level("d", "d MX S 10 192.0.2.1", Level::DaneOnly).check(&["defer 4.7.5"]);
}

const ALIAS: &str = "d MX S 10 mx.h\nmx.h CNAME S mx.t\nmx.t A S 192.0.2.1\n";

//= spec-test: 7672-2.2.3-4
//= spec-test: 7672-2.1.2-5
//= spec-test: 7672-2.1.2-6
//= spec-test: 7672-2.2.1-5
//= spec-test: 7672-2.2.2-7
#[test]
fn s11_to_s15_secure_alias() {
    for (tlsa, expected, asked_count) in [
        (
            "_25._tcp.mx.t TLSA S 3 1 1 32",
            "mx.h dane[mx.t; mx.t d] sni=mx.t",
            1,
        ),
        (
            "_25._tcp.mx.t TLSA S !\n_25._tcp.mx.h TLSA S 3 1 1 32",
            "mx.h dane[mx.h; mx.h d] sni=mx.h",
            2,
        ),
        (
            "_25._tcp.mx.t TLSA B \n_25._tcp.mx.h TLSA S 3 1 1 32",
            "defer 4.7.5",
            1,
        ),
        (
            "_25._tcp.mx.t TLSA S 1 1 1 32\n_25._tcp.mx.h TLSA S 3 1 1 32",
            "mx.h encrypt sni=mx.h",
            1,
        ),
        (
            "_25._tcp.mx.t TLSA I 3 1 1 32\n_25._tcp.mx.h TLSA S 3 1 1 32",
            "mx.h dane[mx.h; mx.h d] sni=mx.h",
            2,
        ),
    ] {
        let zone = format!("{ALIAS}{tlsa}");
        let asked = case("d", &zone).check(&[expected]);
        assert_eq!(tlsa_names(&asked).len(), asked_count, "{tlsa}");
    }
}

#[test]
fn s16_to_s24_aliases_by_their_links() {
    let both = "_25._tcp.mx.h TLSA S 3 1 1 32\n_25._tcp.mx.t TLSA S 3 1 1 32\n";
    for (links, expected, asked) in [
        // Secure first link, insecure end: the original name only.
        (
            "mx.h CNAME S mx.t\nmx.t A I 192.0.2.1",
            "mx.h dane[mx.h; mx.h d] sni=mx.h",
            vec!["_25._tcp.mx.h"],
        ),
        (
            "mx.h CNAME I mx.t\nmx.t A I 192.0.2.1",
            "mx.h opportunistic sni=mx.h",
            vec![],
        ),
        (
            "mx.h CNAME I mx.t\nmx.t A S 192.0.2.1",
            "mx.h opportunistic sni=mx.h",
            vec![],
        ),
        // Whether the alias itself is signed could not be found out.
        (
            "mx.h CNAME T mx.t\nmx.t A I 192.0.2.1",
            "defer 4.7.5",
            vec![],
        ),
        (
            "mx.h CNAME B mx.t\nmx.t A I 192.0.2.1",
            "defer 4.7.5",
            vec![],
        ),
        ("mx.h A I 192.0.2.1", "mx.h opportunistic sni=mx.h", vec![]),
        // Three names, TLSA in between only.
        (
            "mx.h CNAME S mx.i\nmx.i CNAME S mx.e\nmx.e A S 192.0.2.1\n_25._tcp.mx.i TLSA S 3 1 1 32\n_25._tcp.mx.e TLSA S !",
            "mx.h dane[mx.h; mx.h d] sni=mx.h",
            vec!["_25._tcp.mx.e", "_25._tcp.mx.h"],
        ),
        (
            "mx.h CNAME S mx.i\nmx.i CNAME I mx.t\nmx.t A S 192.0.2.1",
            "mx.h dane[mx.h; mx.h d] sni=mx.h",
            vec!["_25._tcp.mx.h"],
        ),
    ] {
        let zone = format!("d MX S 10 mx.h\n{both}{links}");
        let found = case("d", &zone).check(&[expected]);
        assert_eq!(tlsa_names(&found), asked, "{links}");
    }
}

/// The zone is shown unsigned, and its servers say one thing of A and another of AAAA.
#[test]
fn the_inconsistent_domain_gets_its_mail() {
    for aaaa in [
        "mx.h AAAA T ",
        "mx.h AAAA I -",
        "mx.h AAAA B ",
        "mx.h AAAA I !",
    ] {
        let zone = format!("d MX S 10 mx.h\nmx.h CNAME I mx.t\nmx.t A I 192.0.2.1\n{aaaa}");
        case("d", &zone).check(&["mx.h opportunistic sni=mx.h"]);
    }
}

//= spec-test: 7672-2.2.3-3
#[test]
fn s25_alias_at_the_tlsa_name() {
    let zone = format!("{SIGNED}_25._tcp.mx.d CNAME S tlsa.p\ntlsa.p TLSA S 3 1 1 32");
    case("d", &zone).check(&[DANE]);
    for links in [
        "_25._tcp.mx.d CNAME S tlsa.p\ntlsa.p TLSA I 3 1 1 32",
        "_25._tcp.mx.d CNAME I tlsa.p\ntlsa.p TLSA S 3 1 1 32",
    ] {
        let zone = format!("{SIGNED}{links}");
        case("d", &zone).check(&["mx.d opportunistic sni=mx.d"]);
    }
}

//= spec-test: 7672-2.2-3
//= spec-test: 7672-2.2-5
//= spec-test: 7672-2.2-7
//= spec-test: 7672-6-1
//= spec-test: 7672-2.1.1-7
//= spec-test: 7672-2.2.1-9
#[test]
fn s26_to_s29_tlsa_answers() {
    for (tlsa, expected, mandatory) in [
        ("T ", "defer 4.7.5", "defer 4.7.5"),
        ("B ", "defer 4.7.5", "defer 4.7.5"),
        ("S !", "mx.d opportunistic sni=mx.d", "defer 4.7.5"),
        ("S -", "mx.d opportunistic sni=mx.d", "defer 4.7.5"),
        ("I 3 1 1 32", "mx.d opportunistic sni=mx.d", "defer 4.7.5"),
        ("S 0 0 1 32", "mx.d encrypt sni=mx.d", "defer 4.7.5"),
        ("S 1 1 1 32", "mx.d encrypt sni=mx.d", "defer 4.7.5"),
        ("S 3 1 1 31", "mx.d encrypt sni=mx.d", "defer 4.7.5"),
        ("S 3 2 1 32", "mx.d encrypt sni=mx.d", "defer 4.7.5"),
        ("S 3 1 255 32", "mx.d encrypt sni=mx.d", "defer 4.7.5"),
        ("S 4 1 1 32", "mx.d encrypt sni=mx.d", "defer 4.7.5"),
        ("S 3 1 0 0", "mx.d encrypt sni=mx.d", "defer 4.7.5"),
        ("S 1 1 1 32\n_25._tcp.mx.d TLSA S 3 1 1 32", DANE, DANE),
        ("S 3 1 0 0\n_25._tcp.mx.d TLSA S 2 0 2 64", DANE, DANE),
    ] {
        let zone = format!("{SIGNED}_25._tcp.mx.d TLSA {tlsa}");
        case("d", &zone).check(&[expected]);
        let mut only = case("d", &zone);
        only.policy.level = Level::DaneOnly;
        only.check(&[mandatory]);
    }
}

#[test]
fn s34_weaker_host_is_used_and_said() {
    let zone = "d MX S 10 mx.h\nd MX S 20 mx.u\nmx.h A S 192.0.2.1\n_25._tcp.mx.h TLSA T \nmx.u A I 192.0.2.2";
    let case = case("d", zone);
    case.check(&[
        "mx.h skip(tlsa-lookup-failed)",
        "mx.u opportunistic sni=mx.u",
    ]);
    let (discovery, _) = case.run();
    assert!(discovery.weaker_than_better(1).is_some());
    assert!(discovery.weaker_than_better(0).is_none());
}

//= spec-test: 7672-2.1.2-2
#[test]
fn s35_address_families() {
    let tlsa = "_25._tcp.mx.d TLSA S 3 1 1 32\n";
    for (addresses, expected) in [
        ("mx.d A B \nmx.d AAAA S 2001:db8::1", DANE),
        ("mx.d A S 192.0.2.1\nmx.d AAAA I 2001:db8::1", DANE),
        ("mx.d A I 192.0.2.1\nmx.d AAAA S 2001:db8::1", DANE),
        (
            "mx.d A I 192.0.2.1\nmx.d AAAA T ",
            "mx.d opportunistic sni=mx.d",
        ),
        ("mx.d A B \nmx.d AAAA T ", "defer 4.4.3"),
        ("mx.d A B \nmx.d AAAA S -", "defer 4.4.3"),
    ] {
        let zone = format!("d MX S 10 mx.d\n{tlsa}{addresses}");
        case("d", &zone).check(&[expected]);
    }
}

//= spec-test: 7672-2.2.2-3
#[test]
fn s36_nothing_there() {
    for (zone, expected) in [
        ("d MX S 0 .", "bounce 5.1.10"),
        ("d MX I 0 .", "bounce 5.1.10"),
        ("d MX S !", "bounce 5.1.2"),
        ("d MX I !", "bounce 5.1.2"),
        ("d MX S 10 mx.d\nmx.d A S -", "bounce 5.4.4"),
        (
            "d MX S 10 mx.d\nd MX S 20 b.d\nmx.d A S -\nb.d A B \nb.d AAAA B ",
            "defer 4.4.3",
        ),
        ("d MX S 10 mx.d\nmx.d A S 127.0.0.1", "defer 4.4.4"),
        ("d MX S -\nd A S -", "bounce 5.4.4"),
    ] {
        case("d", zone).check(&[expected]);
    }
    let zone = format!("{SIGNED}d MX S 0 .\n_25._tcp.mx.d TLSA S 3 1 1 32");
    case("d", &zone).check(&[DANE]);
}

//= spec-test: 7672-3.2.2-2
//= spec-test: 7672-3.2.2-3
//= spec-test: 7672-3.2.2-4
#[test]
fn s38_next_hop_alias() {
    let rest = "e MX S 10 mx.h\nmx.h A S 192.0.2.1\n_25._tcp.mx.h TLSA S 2 0 1 32";
    let zone = format!("d CNAME S e\n{rest}");
    case("d", &zone).check(&["mx.h dane[mx.h; mx.h d e] sni=mx.h"]);
    let zone = format!("d CNAME I e\n{rest}");
    case("d", &zone).check(&["mx.h halfdane[mx.h; mx.h] sni=mx.h"]);
}

#[test]
fn s39_long_names_have_no_tlsa() {
    let long = [
        "a".repeat(60),
        "b".repeat(60),
        "c".repeat(60),
        "e".repeat(60),
    ]
    .join(".");
    let zone = format!("d MX S 10 {long}.d\n{long}.d A S 192.0.2.1");
    let asked = case("d", &zone).check(&[&format!("{long}.d opportunistic sni={long}.d")]);
    assert!(tlsa_names(&asked).is_empty());
}

#[test]
fn s42_mta_sts() {
    let record = "_mta-sts.d TXT I v=STSv1; id=1;\n";
    let enforce = "version: STSv1\nmode: enforce\nmx: *.h\nmax_age: 86400\n";
    let half = "_25._tcp.mx.h TLSA S 3 1 1 32\n";
    for (mx, address, tlsa, expected) in [
        ("I 10 mx.h", "I", "", "mx.h Sts[mx.h] sni=mx.h"),
        ("I 10 a.mx.h", "I", "", "defer 4.7.5"),
        ("I 10 h", "I", "", "defer 4.7.5"),
        (
            "I 10 mx.h",
            "S",
            half,
            "mx.h halfdane[mx.h; mx.h]+Sts[mx.h] sni=mx.h",
        ),
        ("S 10 mx.h", "S", half, "mx.h dane[mx.h; mx.h d] sni=mx.h"),
        (
            "S 10 mx.h",
            "S",
            "_25._tcp.mx.h TLSA S 1 1 1 32",
            "mx.h Sts[mx.h] sni=mx.h",
        ),
        ("S 10 mx.h", "S", "_25._tcp.mx.h TLSA B ", "defer 4.7.5"),
    ] {
        let host = mx.split(' ').next_back().unwrap();
        let zone = format!("d MX {mx}\n{host} A {address} 192.0.2.1\n{record}{tlsa}");
        let mut case = case("d", &zone);
        case.sts = Some(enforce);
        case.check(&[expected]);
    }
    // A policy that cannot be fetched, a record that cannot be looked up: no policy.
    let zone = format!("d MX I 10 mx.h\nmx.h A I 192.0.2.1\n{record}");
    case("d", &zone).check(&["mx.h opportunistic sni=mx.h"]);
    case("d", "d MX I 10 mx.h\nmx.h A I 192.0.2.1\n_mta-sts.d TXT T ")
        .check(&["mx.h opportunistic sni=mx.h"]);
}

#[test]
fn s43_requiretls_and_tls_optional() {
    let with = |zone: &'static str, message| {
        let mut case = case("d", zone);
        case.policy.message = message;
        case
    };
    let dane = "d MX S 10 mx.d\nmx.d A S 192.0.2.1\n_25._tcp.mx.d TLSA S 3 1 1 32";
    let unusable = "d MX S 10 mx.d\nmx.d A S 192.0.2.1\n_25._tcp.mx.d TLSA S 1 1 1 32";
    let none = "d MX S 10 mx.d\nmx.d A S 192.0.2.1\n_25._tcp.mx.d TLSA S !";
    let half = "d MX I 10 mx.d\nmx.d A S 192.0.2.1\n_25._tcp.mx.d TLSA S 3 1 1 32";
    let failed = "d MX S 10 mx.d\nmx.d A S 192.0.2.1\n_25._tcp.mx.d TLSA T ";
    for (zone, expected) in [
        (dane, DANE),
        (unusable, "mx.d RequireTls[mx.d] sni=mx.d"),
        (none, "mx.d RequireTls[mx.d] sni=mx.d"),
        (half, "bounce 5.7.10"),
        (failed, "defer 4.7.5"),
    ] {
        with(zone, MessageTls::Required).check(&[expected]);
    }
    for zone in [dane, unusable, none, half, failed] {
        let asked = with(zone, MessageTls::Optional).check(&["mx.d opportunistic sni=mx.d"]);
        assert!(tlsa_names(&asked).is_empty());
    }
}

#[test]
fn levels() {
    let dane = "d MX S 10 mx.d\nmx.d A S 192.0.2.1\n_25._tcp.mx.d TLSA S 3 1 1 32";
    let none = "d MX S 10 mx.d\nmx.d A S 192.0.2.1\n_25._tcp.mx.d TLSA S !";
    let secure = "mx.d dane[mx.d; mx.d d]+Administrator[d .d] sni=mx.d";
    let verify = "mx.d dane[mx.d; mx.d d]+Administrator[mx.d] sni=mx.d";
    for (level, mode, with_tlsa, without) in [
        (
            Level::None,
            Mode::Minimum,
            DANE,
            "mx.d opportunistic sni=mx.d",
        ),
        (
            Level::None,
            Mode::Exact,
            "mx.d cleartext sni=mx.d",
            "mx.d cleartext sni=mx.d",
        ),
        (
            Level::May,
            Mode::Exact,
            "mx.d opportunistic sni=mx.d",
            "mx.d opportunistic sni=mx.d",
        ),
        (Level::Encrypt, Mode::Minimum, DANE, "mx.d encrypt sni=mx.d"),
        (
            Level::Encrypt,
            Mode::Exact,
            "mx.d encrypt sni=mx.d",
            "mx.d encrypt sni=mx.d",
        ),
        (
            Level::Verify,
            Mode::Minimum,
            verify,
            "mx.d Administrator[mx.d] sni=mx.d",
        ),
        (
            Level::Secure,
            Mode::Minimum,
            secure,
            "mx.d Administrator[d .d] sni=mx.d",
        ),
        (
            Level::Fingerprint,
            Mode::Minimum,
            "defer 4.7.5",
            "defer 4.7.5",
        ),
    ] {
        for (zone, expected) in [(dane, with_tlsa), (none, without)] {
            let mut case = at_level("d", zone, level);
            case.policy.mode = mode;
            case.check(&[expected]);
        }
    }
    let mut pinned = at_level("d", none, Level::Fingerprint);
    pinned.policy.pins = vec![[7; 32]];
    pinned.check(&["mx.d pins sni=mx.d"]);
}

//= spec-test: 7672-2.2.1-1
//= spec-test: 7672-2.2.1-2
//= spec-test: 7672-2.2.1-3
#[test]
fn preferences_and_loops() {
    let zone = "d MX S 30 c.d\nd MX S 10 a.d\nd MX S 20 b.d\na.d A I 192.0.2.1\nb.d A I 192.0.2.2\nc.d A S 192.0.2.3\n_25._tcp.c.d TLSA S 3 1 1 32";
    let [a, b, c] = [
        "a.d opportunistic sni=a.d",
        "b.d opportunistic sni=b.d",
        "c.d dane[c.d; c.d d] sni=c.d",
    ];
    case("d", zone).check(&[a, b, c]);
    let mut relay = case("d", zone);
    relay.policy.own_names = vec!["b.d".parse().unwrap()];
    relay.check(&[a, "b.d skip(loop)", "c.d skip(loop)"]);
    relay.policy.own_names = vec!["a.d".parse().unwrap()];
    relay.check(&["bounce 5.4.6"]);
    relay.policy.own_names.clear();
    relay.policy.own_addresses = vec!["192.0.2.2:25".parse().unwrap()];
    relay.check(&[a, "b.d skip(loop)", "c.d skip(loop)"]);
    relay.policy.own_addresses = vec!["192.0.2.2:26".parse().unwrap()];
    relay.check(&[a, b, c]);
}
