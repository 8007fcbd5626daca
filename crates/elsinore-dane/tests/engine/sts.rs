//! MTA-STS over time: what a cached policy survives, when it is fetched again, and that nobody
//! waits for that (RFC 8461 §3.1, §3.3, §5.1).

use crate::drive::{Fixture, NOW, Oracle, drive, name, summary};
use elsinore_dane::discovery::{Discovery, DiscoveryPolicy, HostState, MessageTls, Query, Reply};
use elsinore_dane::mta_sts::{CachedPolicy, StsPolicy};
use elsinore_dane::next_hop::NextHop;

const DAY: i64 = 86_400;
const ENFORCED: &str = "mx.h Sts[mx.h] sni=mx.h";
const OPPORTUNISTIC: &str = "mx.h opportunistic sni=mx.h";

fn policy(mode: &str) -> String {
    format!(
        "version: STSv1\nmode: {mode}\nmx: mx.h\nmax_age: {}\n",
        7 * DAY
    )
}

fn cached(domain: &str, age: i64) -> CachedPolicy {
    CachedPolicy {
        domain: name(domain),
        id: "1".to_owned(),
        policy: StsPolicy::parse(policy("enforce").as_bytes()).unwrap(),
        fetched_at: NOW.plus_seconds(-age),
    }
}

fn start(records: &str, cached: Option<CachedPolicy>, message: MessageTls) -> (Discovery, Fixture) {
    let zone = format!("d MX I 10 mx.h\nmx.h A I 192.0.2.1\n{records}");
    let policy = DiscoveryPolicy {
        message,
        ..DiscoveryPolicy::default()
    };
    let hop = NextHop::parse("d").unwrap();
    (
        Discovery::new(hop, policy, cached, 1, NOW),
        Fixture::parse(&zone),
    )
}

fn fetches(asked: &[(u32, Query)]) -> usize {
    let is_fetch = |query: &Query| matches!(query, Query::StsPolicy { .. });
    asked.iter().filter(|(_, query)| is_fetch(query)).count()
}

#[test]
fn what_a_cached_policy_survives() {
    let young = || Some(cached("d", 3600));
    let same = "_mta-sts.d TXT I v=STSv1; id=1;";
    let newer = "_mta-sts.d TXT I v=STSv1; id=2;";
    for (what, cached, records, fetched, expected, expected_fetches) in [
        ("no record", young(), "", None, ENFORCED, 0),
        ("denied", young(), "_mta-sts.d TXT S -", None, ENFORCED, 0),
        ("failed", young(), "_mta-sts.d TXT T ", None, ENFORCED, 0),
        ("bogus", young(), "_mta-sts.d TXT B ", None, ENFORCED, 0),
        (
            "malformed",
            young(),
            "_mta-sts.d TXT I v=STSv1; id=;",
            None,
            ENFORCED,
            0,
        ),
        (
            "two records",
            young(),
            "_mta-sts.d TXT I v=STSv1; id=1;\n_mta-sts.d TXT I v=STSv1; id=2;",
            None,
            ENFORCED,
            0,
        ),
        ("newer, not fetched", young(), newer, None, ENFORCED, 1),
        (
            "newer, garbage",
            young(),
            newer,
            Some("<html>".to_owned()),
            ENFORCED,
            1,
        ),
        (
            "newer, none",
            young(),
            newer,
            Some(policy("none")),
            OPPORTUNISTIC,
            1,
        ),
        (
            "newer, testing",
            young(),
            newer,
            Some(policy("testing")),
            OPPORTUNISTIC,
            1,
        ),
        (
            "the same",
            young(),
            same,
            Some(policy("enforce")),
            ENFORCED,
            0,
        ),
        (
            "the same, old",
            Some(cached("d", DAY)),
            same,
            Some(policy("enforce")),
            ENFORCED,
            1,
        ),
        (
            "the same, old, not fetched",
            Some(cached("d", DAY)),
            same,
            None,
            ENFORCED,
            1,
        ),
        (
            "run out",
            Some(cached("d", 7 * DAY)),
            same,
            None,
            OPPORTUNISTIC,
            1,
        ),
        (
            "another domain's",
            Some(cached("e", 3600)),
            "",
            None,
            OPPORTUNISTIC,
            0,
        ),
        ("none, and none published", None, "", None, OPPORTUNISTIC, 0),
        (
            "behind an alias",
            None,
            "_mta-sts.d CNAME I sts.p\nsts.p TXT I v=STSv1; id=1;",
            Some(policy("enforce")),
            ENFORCED,
            1,
        ),
        (
            "among others",
            None,
            "_mta-sts.d TXT I v=spf1 -all\n_mta-sts.d TXT I v=STSv1; id=1;",
            Some(policy("enforce")),
            ENFORCED,
            1,
        ),
    ] {
        let (mut discovery, mut fixture) = start(records, cached, MessageTls::Unspecified);
        fixture.policy = fetched;
        let asked = drive(&mut discovery, &mut fixture);
        assert_eq!(summary(&discovery), [expected], "{what}");
        assert_eq!(fetches(&asked), expected_fetches, "{what}");
    }
}

/// The host is decided while the refresh is still to be put, and what the refresh brings is
/// offered for keeping.
#[test]
fn a_refresh_holds_up_nobody() {
    let record = "_mta-sts.d TXT I v=STSv1; id=1;";
    let (mut discovery, mut fixture) =
        start(record, Some(cached("d", DAY)), MessageTls::Unspecified);
    let mut fetch = None;
    while fetch.is_none() && matches!(discovery.host(0), HostState::Undecided) {
        for ask in discovery.next_asks() {
            match &ask.query {
                Query::Dns {
                    question,
                    freshness,
                } => {
                    let answer = fixture.dns(question, *freshness);
                    discovery.handle_reply(ask.id, Reply::Dns(answer), NOW);
                }
                Query::StsPolicy { .. } => fetch = Some(ask),
            }
        }
    }
    let fetch = fetch.or_else(|| discovery.next_fetch()).unwrap();
    while matches!(discovery.host(0), HostState::Undecided) {
        let asks = discovery.next_asks();
        assert!(!asks.is_empty(), "the host waits for the refresh");
        for ask in asks {
            let Query::Dns {
                question,
                freshness,
            } = &ask.query
            else {
                panic!("fetched twice");
            };
            let answer = fixture.dns(question, *freshness);
            discovery.handle_reply(ask.id, Reply::Dns(answer), NOW);
        }
    }
    assert_eq!(summary(&discovery), [ENFORCED]);
    assert!(discovery.sts_update().is_none());
    fixture.policy = Some(policy("enforce"));
    let reply = Reply::StsPolicy(fixture.policy(&name("d")));
    discovery.handle_reply(fetch.id, reply, NOW);
    assert_eq!(discovery.sts_update().unwrap().fetched_at, NOW);
    assert_eq!(summary(&discovery), [ENFORCED]);
}

/// RFC 8689 §4.2.1 asks that MTA-STS vouch for the name as in RFC 8461 §4.1, which knows no
/// modes: a policy in testing that lists the host does, and the certificate is then demanded by
/// REQUIRETLS, not by the policy.
#[test]
fn what_vouches_for_a_host_under_requiretls() {
    let record = "_mta-sts.d TXT I v=STSv1; id=1;";
    let other = "version: STSv1\nmode: testing\nmx: other.h\nmax_age: 9\n".to_owned();
    let none = "version: STSv1\nmode: none\nmax_age: 9\n".to_owned();
    for (what, fetched, expected) in [
        ("enforced", Some(policy("enforce")), ENFORCED),
        (
            "testing",
            Some(policy("testing")),
            "mx.h RequireTls[mx.h] sni=mx.h",
        ),
        ("testing, others", Some(other), "bounce 5.7.10"),
        ("none", Some(none), "bounce 5.7.10"),
        ("not fetched", None, "bounce 5.7.10"),
    ] {
        let (mut discovery, mut fixture) = start(record, None, MessageTls::Required);
        fixture.policy = fetched;
        drive(&mut discovery, &mut fixture);
        assert_eq!(summary(&discovery), [expected], "{what}");
    }
}
