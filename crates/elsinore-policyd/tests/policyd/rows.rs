//! Each row of the mapping, as cases.

use crate::house::{name, plan, policy, refusal, sts};
use elsinore_dane::destination::{Level, MatchName, Mode};
use elsinore_dane::finding::Finding;
use elsinore_dane::mta_sts::StsMode;
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::rule::Rule;
use elsinore_net::deliver::RouteSighting;
use elsinore_policyd::mapping::{Row, map, without_lookup};
use std::collections::BTreeSet;

/// Hosts, whether the MX is secure, whether a policy is enforced, level; row and reply.
const CASES: &[(&str, bool, bool, Level, Row, &str)] = {
    use Level::{Dane, Encrypt, Verify};
    use Row::{
        EncryptFloor, EveryHostDane, FloorNotKnown, InsecureMxDane, InsecureMxDaneAndSts, NotKnown,
        Nothing, SomeDane, SomeDaneRestBound, SomeUnusable, Sts, Unusable, VerifyFloor,
    };
    const S0: &str = "OK secure match=mx0.example.org servername=hostname";
    &[
        ("P", true, false, Dane, EveryHostDane, "OK dane-only"),
        ("PP", true, true, Dane, EveryHostDane, "OK dane-only"),
        ("PN", true, false, Dane, EveryHostDane, "OK dane-only"),
        ("PF", true, false, Dane, EveryHostDane, "OK dane-only"),
        ("PA", true, false, Dane, EveryHostDane, "OK dane-only"),
        ("PO", true, false, Dane, SomeDane, "OK dane"),
        ("PE", true, false, Dane, SomeDane, "OK dane"),
        ("OPA", true, false, Dane, SomeDane, "OK dane"),
        ("PS", true, true, Dane, SomeDaneRestBound, "OK dane-only"),
        ("PU", true, true, Dane, SomeDaneRestBound, "OK dane-only"),
        (
            "PE",
            true,
            false,
            Encrypt,
            SomeDaneRestBound,
            "OK dane-only",
        ),
        ("PV", true, false, Verify, SomeDaneRestBound, "OK dane-only"),
        ("S", true, true, Dane, Sts, S0),
        ("S", false, true, Dane, Sts, S0),
        ("SU", false, true, Dane, Sts, S0),
        (
            "SN",
            false,
            true,
            Dane,
            Sts,
            "OK secure match=mx0.example.org:mx1.example.org servername=hostname",
        ),
        ("SF", true, true, Dane, Sts, S0),
        ("SA", true, true, Dane, Sts, S0),
        (
            "SA",
            false,
            true,
            Dane,
            Sts,
            "OK secure match=mx0.example.org:mx1.example.org servername=hostname",
        ),
        ("SF", false, true, Dane, Sts, S0),
        ("B", false, true, Dane, InsecureMxDaneAndSts, S0),
        (
            "BS",
            false,
            true,
            Dane,
            InsecureMxDaneAndSts,
            "OK secure match=mx0.example.org:mx1.example.org servername=hostname",
        ),
        ("I", false, false, Dane, InsecureMxDane, "OK dane"),
        ("IO", false, false, Dane, InsecureMxDane, "OK dane"),
        ("IA", false, false, Dane, InsecureMxDane, "OK dane"),
        ("I", false, false, Encrypt, InsecureMxDane, "OK dane"),
        ("E", true, false, Dane, Unusable, "OK encrypt"),
        ("EN", true, false, Dane, Unusable, "OK encrypt"),
        ("EO", true, false, Dane, SomeUnusable, "OK dane"),
        ("EF", true, false, Dane, NotKnown, "OK dane"),
        ("OF", true, false, Dane, NotKnown, "OK dane"),
        ("OZ", true, false, Dane, NotKnown, "OK dane"),
        ("OA", false, false, Dane, NotKnown, "OK dane"),
        ("OR", false, false, Dane, NotKnown, "OK dane"),
        ("O", true, false, Dane, Nothing, "OK may"),
        ("O", false, false, Dane, Nothing, "OK may"),
        ("ON", false, false, Dane, Nothing, "OK may"),
        (
            "V",
            false,
            false,
            Verify,
            VerifyFloor,
            "OK verify match=hostname servername=hostname",
        ),
        ("S", false, true, Verify, Sts, S0),
        ("E", false, false, Encrypt, EncryptFloor, "OK encrypt"),
        ("IE", false, false, Encrypt, EncryptFloor, "OK encrypt"),
        ("EA", false, false, Encrypt, FloorNotKnown, "OK dane-only"),
        ("VA", false, false, Verify, FloorNotKnown, "OK dane-only"),
    ]
};

#[test]
fn hosts() {
    for &(letters, secure, enforced, level, row, reply) in CASES {
        let mut policy = policy();
        policy.level = level;
        let plan = plan(letters, secure, enforced.then(|| sts(StsMode::Enforce)));
        let mapped = map(&policy, &plan);
        let what = format!("{letters} secure={secure} enforced={enforced} {level}");
        assert_eq!(
            (mapped.row, mapped.answer.plain().as_str()),
            (row, reply),
            "{what}"
        );
    }
}

#[test]
fn every_row_has_a_case() {
    let mut seen: BTreeSet<Row> = CASES.iter().map(|case| case.4).collect();
    // In tests of their own below, and in those of the desk.
    seen.extend([
        Row::Level,
        Row::GoneButSts,
        Row::Gone,
        Row::Deferred,
        Row::NotADestination,
    ]);
    assert_eq!(seen, BTreeSet::from(Row::ALL));
}

#[test]
fn a_testing_policy_changes_nothing() {
    let testing = plan("O", false, Some(sts(StsMode::Testing)));
    let mapped = map(&policy(), &testing);
    assert_eq!(mapped.answer.with_tlsrpt(), "OK may");
}

#[test]
fn policy_attributes_are_given_only_where_patterns_let_in_nobody_else() {
    let enforced = || Some(sts(StsMode::Enforce));
    let whole = map(&policy(), &plan("SS", true, enforced())).answer;
    assert_eq!(
        whole.with_tlsrpt(),
        "OK secure match=mx0.example.org:mx1.example.org servername=hostname policy_type=sts \
         policy_domain=example.org mx_host_pattern=*.example.org \
         { policy_string = version: STSv1 } { policy_string = mode: enforce } \
         { policy_string = mx: *.example.org } { policy_string = max_age: 86400 }"
    );
    // Postfix 3.10.5 goes by the patterns, which list the host that is left out.
    for letters in ["SF", "SA", "SZ", "SR"] {
        let answer = map(&policy(), &plan(letters, true, enforced())).answer;
        assert_eq!(answer.plain(), answer.with_tlsrpt(), "{letters}");
    }
    let mut incomplete = plan("S", true, enforced());
    incomplete.complete = false;
    let answer = map(&policy(), &incomplete).answer;
    assert_eq!(answer.plain(), answer.with_tlsrpt());
}

#[test]
fn domains_without_hosts() {
    let enforced = || Some(sts(StsMode::Enforce));
    let pattern = "OK secure match=.example.org servername=hostname";
    for (route, sts, row, reply) in [
        (
            RouteSighting::Bounce(refusal(5)),
            None,
            Row::Gone,
            "NOTFOUND ",
        ),
        (
            RouteSighting::Bounce(refusal(5)),
            Some(sts(StsMode::Testing)),
            Row::Gone,
            "NOTFOUND ",
        ),
        (
            RouteSighting::Bounce(refusal(5)),
            enforced(),
            Row::GoneButSts,
            pattern,
        ),
        (
            RouteSighting::Defer(refusal(4)),
            None,
            Row::Deferred,
            "TEMP the reason",
        ),
        (
            RouteSighting::Defer(refusal(4)),
            enforced(),
            Row::Deferred,
            "TEMP the reason",
        ),
        (
            RouteSighting::TimedOut,
            None,
            Row::Deferred,
            "TEMP the questions about the domain took too long",
        ),
    ] {
        let mut plan = plan("", true, sts);
        plan.route = route;
        let mapped = map(&policy(), &plan);
        assert_eq!((mapped.row, mapped.answer.plain().as_str()), (row, reply));
    }
}

#[test]
fn hosts_that_were_not_decided_count_as_unknown() {
    for (letters, row) in [
        ("O", Row::NotKnown),
        ("P", Row::EveryHostDane),
        ("E", Row::NotKnown),
    ] {
        let mut late = plan(letters, true, None);
        late.route = RouteSighting::TimedOut;
        late.complete = false;
        assert_eq!(map(&policy(), &late).row, row, "{letters}");
        let mut cut = plan(letters, true, None);
        cut.findings.push(Finding::new(
            Rule::TooManyHosts,
            "example.org",
            "60 MX hosts",
        ));
        assert_eq!(map(&policy(), &cut).row, row, "{letters}");
    }
}

#[test]
fn reasons_of_strangers_are_one_printable_line() {
    let mut plan = plan("", true, None);
    let mut refusal = refusal(4);
    refusal.reason = format!("a\r\nOK may,{}\u{1b}[2J\u{e9}", "x".repeat(1000));
    plan.route = RouteSighting::Defer(refusal);
    let reply = map(&policy(), &plan).answer.plain();
    assert!(
        reply.len() < 220 && reply.bytes().all(|b| (b' '..=b'~').contains(&b)),
        "{reply}"
    );
}

#[test]
fn levels_of_the_administrator() {
    use Level::{Dane, DaneOnly, Encrypt, Fingerprint, May, None as Clear, Secure, Verify};
    let names = |names: &[&str]| -> Vec<MatchName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    };
    let digests = "01".repeat(31);
    let pin = format!("OK fingerprint match={}01|", "01:".repeat(31));
    let pins = format!("{pin}{}AB", "AB:".repeat(31));
    assert_eq!(digests.len(), 62);
    for (level, mode, matching, expected) in [
        (Clear, Mode::Exact, vec![], Some("OK none")),
        (Clear, Mode::Minimum, vec![], None),
        (May, Mode::Exact, vec![], Some("OK may")),
        (May, Mode::Minimum, vec![], None),
        (Encrypt, Mode::Exact, vec![], Some("OK encrypt")),
        (Encrypt, Mode::Minimum, vec![], None),
        (Dane, Mode::Exact, vec![], None),
        (DaneOnly, Mode::Exact, vec![], Some("OK dane-only")),
        (DaneOnly, Mode::Minimum, vec![], Some("OK dane-only")),
        (Verify, Mode::Minimum, vec![], None),
        (Verify, Mode::Minimum, names(&["hostname"]), None),
        (
            Verify,
            Mode::Exact,
            vec![],
            Some("OK verify match=hostname servername=hostname"),
        ),
        (
            Verify,
            Mode::Minimum,
            names(&["mx.example.org", ".example.net"]),
            Some("OK verify match=mx.example.org:.example.net servername=hostname"),
        ),
        (
            Secure,
            Mode::Minimum,
            vec![],
            Some("OK secure match=nexthop:dot-nexthop servername=hostname"),
        ),
        (
            Secure,
            Mode::Exact,
            names(&["nexthop", "hostname"]),
            Some("OK secure match=nexthop:hostname servername=hostname"),
        ),
        (Fingerprint, Mode::Minimum, vec![], Some(pins.as_str())),
    ] {
        let mut policy = policy();
        (policy.level, policy.mode, policy.match_names) = (level, mode, matching);
        policy.pins = vec![[1; 32], [0xab; 32]];
        let hop = NextHop::domain(name("example.org"));
        let mapped = without_lookup(&hop, &policy);
        let reply = mapped.as_ref().map(|mapped| mapped.answer.plain());
        assert_eq!(reply.as_deref(), expected, "{level} {mode}");
        assert!(mapped.is_none_or(|mapped| mapped.row == Row::Level));
    }
    let mut policy = policy();
    policy.level = Fingerprint;
    let hop = NextHop::domain(name("example.org"));
    let reply = without_lookup(&hop, &policy).unwrap().answer.plain();
    assert_eq!(reply, "TEMP level fingerprint without a pin");
}

#[test]
fn addresses_need_no_lookup() {
    let hop = NextHop::parse("[192.0.2.1]:26").unwrap();
    for (level, reply) in [
        (Level::Dane, "OK may"),
        (Level::Encrypt, "OK encrypt"),
        (Level::Verify, "TEMP level verify for an address"),
        (Level::DaneOnly, "OK dane-only"),
    ] {
        let mut policy = policy();
        policy.level = level;
        assert_eq!(without_lookup(&hop, &policy).unwrap().answer.plain(), reply);
    }
}

/// Postfix splits its list at colons, and takes `hostname` and the like for keywords.
#[test]
fn a_name_with_a_colon_never_enters_a_list() {
    for label in ["hostname:x", "nexthop:x", "dot-nexthop:x"] {
        let mut forged = plan("SS", false, Some(sts(StsMode::Enforce)));
        forged.hosts[1].mx_host = format!("{label}.example.org");
        let answer = map(&policy(), &forged).answer.plain();
        assert_eq!(
            answer, "OK secure match=mx0.example.org servername=hostname",
            "{label}"
        );
    }
}
