//! The rules sentence by sentence where no other table of this folder shows them.

use crate::drive::{Fixture, NOW, drive, summary};
use elsinore_dane::answer::RecordType;
use elsinore_dane::destination::{InsecureMx, Level};
use elsinore_dane::discovery::{
    AskFreshness, DaneUse, Discovery, DiscoveryPolicy, Families, HostState, LookAhead, MessageTls,
    Query, StsUse,
};
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::obligation::Obligation;
use elsinore_dane::plan::TlsVersion;
use elsinore_dane::rule::Rule;

fn run(next_hop: &str, zone: &str, policy: DiscoveryPolicy) -> (Discovery, Vec<(u32, Query)>) {
    let hop = NextHop::parse(next_hop).unwrap();
    let mut discovery = Discovery::new(hop, policy, None, 1, NOW);
    let asked = drive(&mut discovery, &mut Fixture::parse(zone));
    (discovery, asked)
}

fn has(discovery: &Discovery, rule: Rule) -> bool {
    let hosts = discovery.plans().flat_map(|plan| &plan.findings);
    discovery
        .findings()
        .iter()
        .chain(hosts)
        .any(|finding| finding.rule == rule)
}

const TLSA: &str = "_25._tcp.mx.h TLSA S 2 0 1 32\n";

/// Rule 1: where there is no name there is no DANE, and nothing is lost without a word.
#[test]
fn next_hops() {
    for (next_hop, zone, expected, rule) in [
        (
            "d",
            "d MX S 10 192.0.2.1",
            "192.0.2.1 opportunistic sni=-",
            Some(Rule::MxIsAddress),
        ),
        (
            "d",
            "d MX S 10 2001:db8::1",
            "2001:db8::1 opportunistic sni=-",
            Some(Rule::MxIsAddress),
        ),
        (
            "[192.0.2.1]",
            "",
            "192.0.2.1 opportunistic sni=-",
            Some(Rule::AddressLiteral),
        ),
        (
            "d",
            "d MX S 10 127.0.0.1",
            "defer 4.4.4",
            Some(Rule::AddressRefused),
        ),
        // Digits that are no address are a name like any other.
        (
            "d",
            "d MX S 10 192.0.2.256",
            "bounce 5.4.4",
            Some(Rule::NoAddress),
        ),
        (
            "d",
            "d MX I 0 .\nd MX I 10 mx.h\nmx.h A I 192.0.2.1",
            "mx.h opportunistic sni=mx.h",
            Some(Rule::NullMxBesideOthers),
        ),
        (
            "d",
            "d MX I 10 .\nd MX I 20 .",
            "bounce 5.1.10",
            Some(Rule::NullMx),
        ),
        // The alias exists, what it leads to does not.
        (
            "d",
            "d CNAME S e\ne MX I !",
            "bounce 5.1.2",
            Some(Rule::DomainNotFound),
        ),
        (
            "d",
            "d CNAME S e\ne MX T ",
            "defer 4.4.3",
            Some(Rule::MxLookupFailed),
        ),
        (
            "d",
            "d CNAME B e\ne MX S 10 mx.h",
            "defer 4.4.3",
            Some(Rule::MxLookupFailed),
        ),
        // The administrator vouches for the name: no MX lookup, and the name's own alias counts.
        (
            "[mx.h]",
            "mx.h MX S 10 other.h\nmx.h A S 192.0.2.1\n_25._tcp.mx.h TLSA S 2 0 1 32",
            "mx.h dane[mx.h; mx.h] sni=mx.h",
            None,
        ),
        (
            "[mx.h]",
            "mx.h CNAME S mx.t\nmx.t A S 192.0.2.1\n_25._tcp.mx.t TLSA S 2 0 1 32",
            "mx.h dane[mx.t; mx.t mx.h] sni=mx.t",
            None,
        ),
        (
            "[mx.h]",
            "mx.h A I 192.0.2.1\nmx.h MX T ",
            "mx.h opportunistic sni=mx.h",
            None,
        ),
    ] {
        let (discovery, asked) = run(next_hop, zone, DiscoveryPolicy::default());
        assert_eq!(summary(&discovery), [expected], "{next_hop}\n{zone}");
        if let Some(rule) = rule {
            assert!(has(&discovery, rule), "{next_hop}\n{zone}\nno {rule:?}");
        }
        let asks_mx = asked.iter().any(|(_, query)| {
            matches!(query, Query::Dns { question, .. } if question.record_type == RecordType::Mx)
        });
        assert_eq!(asks_mx, !next_hop.starts_with('['), "{next_hop}");
    }
}

/// Rule 1, RFC 5321 §5.1: a relay drops its own preference and all worse ones.
#[test]
fn a_relay_finds_itself() {
    let equal = "d MX I 10 a.d\nd MX I 20 b.d\nd MX I 20 c.d\na.d A I 192.0.2.1\nb.d A I 192.0.2.2\nc.d A I 192.0.2.3";
    for (zone, own_name, own_address, expected) in [
        ("d MX I -\nd A I 192.0.2.1", "d", "", "bounce 5.4.6"),
        (
            "d MX I -\nd A I 192.0.2.1",
            "",
            "192.0.2.1:25",
            "bounce 5.4.6",
        ),
        ("d MX I 10 192.0.2.1", "", "192.0.2.1:25", "bounce 5.4.6"),
        // Its own address counts though it may not be contacted.
        (
            "d MX I 10 b.d\nb.d A I 127.0.0.1",
            "",
            "127.0.0.1:25",
            "bounce 5.4.6",
        ),
        (
            equal,
            "",
            "192.0.2.2:25",
            "a.d opportunistic sni=a.d | skip(loop) | skip(loop)",
        ),
        (
            equal,
            "c.d",
            "",
            "a.d opportunistic sni=a.d | skip(loop) | skip(loop)",
        ),
    ] {
        let policy = DiscoveryPolicy {
            own_names: own_name
                .parse()
                .into_iter()
                .filter(|_| !own_name.is_empty())
                .collect(),
            own_addresses: own_address.parse().into_iter().collect(),
            ..DiscoveryPolicy::default()
        };
        let (discovery, _) = run("d", zone, policy);
        let found = summary(&discovery).join(" | ");
        let found = found
            .replace("b.d skip", "skip")
            .replace("c.d skip", "skip");
        assert_eq!(found, expected, "{zone}");
        assert!(has(&discovery, Rule::OwnHost), "{zone}");
    }
}

/// Rule 2: a host without a usable address is unreachable, which is no absence.
#[test]
fn unreachable_hosts() {
    let two =
        |first: &str, second: &str| format!("d MX I 10 a.d\nd MX I 20 b.d\n{first}\n{second}");
    let good = "b.d A I 192.0.2.2";
    let absent = "b.d A I -";
    for (zone, families, expected) in [
        (
            two("a.d A I 10.0.0.1", good),
            Families::Both,
            "a.d skip(addresses-refused) | b.d opportunistic sni=b.d",
        ),
        (
            two("a.d A I 10.0.0.1\na.d AAAA I ::1", absent),
            Families::Both,
            "defer 4.4.4",
        ),
        (
            two("a.d AAAA I 2001:db8::1", good),
            Families::Ipv4,
            "a.d skip(addresses-refused) | b.d opportunistic sni=b.d",
        ),
        (
            two("a.d AAAA I 2001:db8::1", absent),
            Families::Ipv4,
            "defer 4.4.4",
        ),
        (
            two("a.d A I 192.0.2.1", absent),
            Families::Ipv6,
            "defer 4.4.4",
        ),
        (two("a.d A I -", absent), Families::Both, "bounce 5.4.4"),
        (two("a.d A S !", absent), Families::Both, "bounce 5.4.4"),
        (
            two("a.d A T \na.d AAAA I -", absent),
            Families::Both,
            "defer 4.4.3",
        ),
        (
            two("a.d A I 10.0.0.1\na.d AAAA T ", absent),
            Families::Both,
            "defer 4.4.4",
        ),
        (
            two("a.d A I 192.0.2.1\na.d AAAA B ", good),
            Families::Both,
            "a.d opportunistic sni=a.d | b.d opportunistic sni=b.d",
        ),
    ] {
        let policy = DiscoveryPolicy {
            families,
            ..DiscoveryPolicy::default()
        };
        let (discovery, _) = run("d", &zone, policy);
        assert_eq!(summary(&discovery).join(" | "), expected, "{zone}");
    }
}

/// The addresses of a host are tried in turn, IPv6 first, and none that is refused.
#[test]
fn addresses_in_turn() {
    let zone = "d MX I 10 mx.h\nmx.h A I 192.0.2.1\nmx.h A I 192.0.2.2\nmx.h A I 10.0.0.1\nmx.h A I 192.0.2.3\nmx.h AAAA I 2001:db8::1\nmx.h AAAA I 2001:db8::2";
    let (discovery, _) = run("d", zone, DiscoveryPolicy::default());
    let plan = discovery.plans().next().unwrap();
    let found: Vec<String> = plan.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "2001:db8::1",
            "192.0.2.1",
            "2001:db8::2",
            "192.0.2.2",
            "192.0.2.3"
        ]
    );
}

/// Rule 4: families that differ are asked again once, past the cache; then the stronger result
/// binds whatever address is used.
#[test]
fn families_that_differ() {
    let lines = "mx.h A S 192.0.2.1\nmx.h AAAA I 2001:db8::1\n";
    for (tlsa, expected) in [
        ("S 2 0 1 32", "mx.h dane[mx.h; mx.h d] sni=mx.h"),
        ("S 1 1 1 32", "mx.h encrypt sni=mx.h"),
        ("S !", "mx.h opportunistic sni=mx.h"),
        ("T ", "defer 4.7.5"),
    ] {
        let zone = format!("d MX S 10 mx.h\n{lines}_25._tcp.mx.h TLSA {tlsa}");
        let (discovery, asked) = run("d", &zone, DiscoveryPolicy::default());
        assert_eq!(summary(&discovery), [expected], "{tlsa}");
        let freshness: Vec<AskFreshness> = asked
            .iter()
            .filter_map(|(_, query)| match query {
                Query::Dns {
                    question,
                    freshness,
                } if question.record_type == RecordType::A => Some(*freshness),
                Query::Dns { .. } | Query::StsPolicy { .. } => None,
            })
            .collect();
        assert_eq!(freshness, [AskFreshness::Cached, AskFreshness::Fresh]);
        assert!(has(&discovery, Rule::AddressFamiliesDisagree));
        if let HostState::Decided(plan) = discovery.host(0)
            && tlsa != "T "
        {
            assert_eq!(plan.addresses.len(), 2);
        }
    }
    // Agreement costs no second question.
    let zone = format!("d MX S 10 mx.h\nmx.h A S 192.0.2.1\nmx.h AAAA S -\n{TLSA}");
    let (_, asked) = run("d", &zone, DiscoveryPolicy::default());
    assert_eq!(asked.len(), 5);
}

/// Rule 8: an authenticated session needs TLS 1.2 or what the administrator wants beyond it.
#[test]
fn lowest_versions() {
    for (zone, min, expected) in [
        (TLSA, TlsVersion::Tls12, TlsVersion::Tls12),
        (TLSA, TlsVersion::Tls13, TlsVersion::Tls13),
        (
            "_25._tcp.mx.h TLSA S 1 1 1 32",
            TlsVersion::Tls13,
            TlsVersion::Tls10,
        ),
        (
            "_25._tcp.mx.h TLSA S !",
            TlsVersion::Tls13,
            TlsVersion::Tls10,
        ),
    ] {
        let zone = format!("d MX S 10 mx.h\nmx.h A S 192.0.2.1\n{zone}");
        let policy = DiscoveryPolicy {
            min_authenticated: min,
            ..DiscoveryPolicy::default()
        };
        let (discovery, _) = run("d", &zone, policy);
        assert_eq!(
            discovery.plans().next().unwrap().min_tls,
            expected,
            "{zone}"
        );
    }
}

/// Rule 14: what REQUIRETLS is not satisfied by, and that an administrator's demand is no
/// announcement that `TLS-Required: No` could take back.
#[test]
fn messages_and_levels() {
    let half = format!("d MX I 10 mx.h\nmx.h A S 192.0.2.1\n{TLSA}");
    let unusable = "d MX I 10 mx.h\nmx.h A S 192.0.2.1\n_25._tcp.mx.h TLSA S 1 1 1 32";
    let plain = "d MX I 10 mx.h\nmx.h A I 192.0.2.1";
    for (zone, level, insecure_mx, message, expected) in [
        (
            &*half,
            Level::Dane,
            InsecureMx::Dane,
            MessageTls::Required,
            "bounce 5.7.10",
        ),
        (
            &*half,
            Level::Dane,
            InsecureMx::Encrypt,
            MessageTls::Required,
            "bounce 5.7.10",
        ),
        (
            &*half,
            Level::Dane,
            InsecureMx::May,
            MessageTls::Required,
            "bounce 5.7.10",
        ),
        (
            unusable,
            Level::Dane,
            InsecureMx::Dane,
            MessageTls::Required,
            "bounce 5.7.10",
        ),
        (
            plain,
            Level::Encrypt,
            InsecureMx::Dane,
            MessageTls::Required,
            "bounce 5.7.10",
        ),
        // The name that is verified comes from the insecure MX RRset itself.
        (
            plain,
            Level::Verify,
            InsecureMx::Dane,
            MessageTls::Required,
            "bounce 5.7.10",
        ),
        (
            plain,
            Level::Secure,
            InsecureMx::Dane,
            MessageTls::Required,
            "mx.h Administrator[d .d] sni=mx.h",
        ),
        (
            &*half,
            Level::Dane,
            InsecureMx::Dane,
            MessageTls::Optional,
            "mx.h opportunistic sni=mx.h",
        ),
        (
            &*half,
            Level::Encrypt,
            InsecureMx::Dane,
            MessageTls::Optional,
            "mx.h encrypt sni=mx.h",
        ),
        (
            &*half,
            Level::DaneOnly,
            InsecureMx::May,
            MessageTls::Optional,
            "defer 4.7.5",
        ),
    ] {
        let policy = DiscoveryPolicy {
            level,
            insecure_mx,
            message,
            ..DiscoveryPolicy::default()
        };
        let (discovery, _) = run("d", zone, policy);
        assert_eq!(
            summary(&discovery),
            [expected],
            "{level} {insecure_mx} {message:?}\n{zone}"
        );
    }
}

const THREE: &str = "d MX S 10 mx.h\nd MX S 20 b.h\nd MX S 30 c.h\n\
    mx.h A S 192.0.2.1\nb.h A S 192.0.2.2\nc.h A S 192.0.2.3\n\
    _25._tcp.mx.h TLSA S 3 1 1 32\n_25._tcp.b.h TLSA S 3 0 9 1\n_25._tcp.c.h TLSA T -\n";

/// Whoever wants every plan waits for the slowest host, not for one host after the other; what is
/// decided is the same.
#[test]
fn looking_ahead_changes_the_order_of_questions_alone() {
    let plans_of = |look_ahead| {
        let policy = DiscoveryPolicy {
            look_ahead,
            ..DiscoveryPolicy::default()
        };
        let (discovery, asked) = run("d", THREE, policy);
        let rounds = asked.iter().map(|(round, _)| round + 1).max();
        let plans: Vec<_> = discovery.plans().cloned().collect();
        (plans, asked.len(), rounds)
    };
    let (one_by_one, questions, rounds) = plans_of(LookAhead::NextPreference);
    let (at_once, same_questions, fewer_rounds) = plans_of(LookAhead::AllHosts);
    assert_eq!(one_by_one, at_once);
    assert_eq!(questions, same_questions);
    assert_eq!((rounds, fewer_rounds), (Some(7), Some(3)));
}

/// A sender without DANE puts no TLSA question and owes what MTA-STS and the administrator say.
#[test]
fn a_sender_without_dane() {
    for (dane, sts, expected, asked_for_tlsa) in [
        (DaneUse::Honour, StsUse::Honour, "authenticate", true),
        (DaneUse::Honour, StsUse::Ignore, "authenticate", true),
        (DaneUse::Ignore, StsUse::Honour, "authenticate", false),
        (DaneUse::Ignore, StsUse::Ignore, "opportunistic", false),
    ] {
        let policy = DiscoveryPolicy {
            dane,
            sts,
            ..DiscoveryPolicy::default()
        };
        let mut fixture = Fixture::parse(&format!("{THREE}_mta-sts.d TXT I v=STSv1; id=1;\n"));
        fixture.policy = Some("version: STSv1\nmode: enforce\nmx: *.h\nmax_age: 86400\n".into());
        let hop = NextHop::parse("d").unwrap();
        let mut discovery = Discovery::new(hop, policy, None, 1, NOW);
        let asked = drive(&mut discovery, &mut fixture);
        let first = discovery.plans().next().unwrap();
        assert_eq!(first.obligation.word(), expected, "{dane:?} {sts:?}");
        let owes_dane = match &first.obligation {
            Obligation::Authenticate(requirements) => requirements.dane.is_some(),
            _ => false,
        };
        assert_eq!(owes_dane, dane == DaneUse::Honour);
        let tlsa = asked.iter().any(|(_, query)| match query {
            Query::Dns { question, .. } => question.record_type == RecordType::Tlsa,
            Query::StsPolicy { .. } => false,
        });
        assert_eq!(tlsa, asked_for_tlsa, "{dane:?} {sts:?}");
    }
}
