//! From the root to the servers of a zone: odd delegations, and referrals that lead nowhere.

use crate::net::{MemoryNet, question_of, summary};
use crate::world::{Bench, NOW, ROOT_SERVER, TEST_SERVER, config, name};
use elsinore_lab::authority::{Authority, Reaction};
use elsinore_lab::sign::SignedTree;
use elsinore_lab::zone::{SigningPlan, ZoneSource};
use elsinore_net::resolver::{Limits, Mode, ResolverConfig, RootHints};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Where the leaf zones are, and where nobody is.
const LEAVES: &str = "192.0.2.6";
const NOBODY: &str = "192.0.2.250";

/// Delegations of `test`: apex, NS and glue records of the parent.
fn delegations() -> Vec<(&'static str, String)> {
    vec![
        (
            "hosts",
            format!("hosts IN NS ns.hosts\nns.hosts IN A {LEAVES}\n"),
        ),
        // The name server is an alias.
        ("aliased", "aliased IN NS alias.hosts\n".to_owned()),
        ("twice", "twice IN NS alias2.hosts\n".to_owned()),
        // The glue is dead; another server has no glue, or the glue is of old.
        (
            "deadglue",
            format!(
                "deadglue IN NS ns.deadglue\nns.deadglue IN A {NOBODY}\ndeadglue IN NS there.hosts\n"
            ),
        ),
        // One family only, and it takes a question to find it.
        ("four", "four IN NS four.hosts\n".to_owned()),
        ("six", "six IN NS six.hosts\n".to_owned()),
        // Servers without an address, and servers that need each other.
        ("nowhere", "nowhere IN NS nobody.hosts\n".to_owned()),
        ("loopa", "loopa IN NS ns.loopb\n".to_owned()),
        ("loopb", "loopb IN NS ns.loopa\n".to_owned()),
    ]
}

fn authority() -> Authority {
    let head = "$TTL 3600\n@ IN SOA ns hostmaster 1 7200 900 1209600 300\n";
    let root = format!(
        "{head}@ IN NS ns.root-zone\nns.root-zone IN A {ROOT_SERVER}\n\
         test IN NS ns.test\nns.test IN A {TEST_SERVER}\n"
    );
    let mut test = format!("{head}@ IN NS ns\nns IN A {TEST_SERVER}\n");
    let mut zones = Vec::new();
    for (apex, records) in delegations() {
        test.push_str(&records);
        let mut text = format!("{head}@ IN NS there.hosts.test.\nmx IN A 192.0.2.125\n");
        if apex == "hosts" {
            let _ = write!(
                text,
                "there IN A {LEAVES}\nfour IN A {LEAVES}\nsix IN AAAA 2001:db8::6\n\
                 alias IN CNAME there\nalias2 IN CNAME alias\n"
            );
        }
        zones.push(ZoneSource::unsigned(name(&format!("{apex}.test")), text));
    }
    zones.push(ZoneSource::signed(name("."), root, SigningPlan::default()));
    zones.push(ZoneSource::signed(
        name("test"),
        test,
        SigningPlan::default(),
    ));
    let tree = SignedTree::build(&zones, 7, NOW).expect("the world is sound");
    let mut authority = Authority::new(tree);
    for (apex, _) in delegations() {
        for address in [LEAVES, "2001:db8::6"] {
            let address: IpAddr = address.parse().expect("address");
            authority.serve_also(address, &name(&format!("{apex}.test")));
        }
    }
    authority
}

fn bench(change: impl FnOnce(&mut ResolverConfig)) -> Bench {
    let authority = authority();
    let mut setting = config(Mode::Recursive, &authority);
    change(&mut setting);
    let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
        if server.ip().to_string() == NOBODY {
            return Reaction::Silence;
        }
        authority.respond(server.ip(), transport, query)
    });
    Bench::with(setting, net)
}

#[tokio::test(start_paused = true)]
async fn odd_delegations() {
    for (question, expected, part) in [
        ("mx.hosts.test A", "- data I", "delegated unsigned"),
        ("mx.aliased.test A", "- data I", "delegated unsigned"),
        ("mx.twice.test A", "- data I", "delegated unsigned"),
        ("mx.deadglue.test A", "- data I", "delegated unsigned"),
        ("mx.four.test A", "- data I", "delegated unsigned"),
        ("mx.six.test A", "- data I", "delegated unsigned"),
        (
            "mx.nowhere.test A",
            "- failed ?",
            "no name server of nowhere.test",
        ),
        ("mx.loopa.test A", "- failed ?", ""),
    ] {
        let bench = bench(|_| {});
        let answer = bench.ask(question).await;
        let reason = answer.last.status().reason().to_owned();
        let log = bench.net.take_log();
        assert_eq!(summary(&answer), expected, "{question}: {reason} {log:#?}");
        assert!(reason.contains(part), "{question}: {reason}");
        assert!(log.len() <= 40, "{question}: {} queries", log.len());
    }
}

/// A sound delegation costs no question for addresses that are not needed: glue will do, and of a
/// server without glue one family.
#[tokio::test(start_paused = true)]
async fn no_address_that_is_not_needed() {
    for (question, addresses) in [("mx.hosts.test A", 0), ("mx.four.test A", 1)] {
        let bench = bench(|_| {});
        bench.ask(question).await;
        let log = bench.net.take_log();
        let asked = log
            .iter()
            .filter(|line| line.starts_with("ns.") || line.starts_with("four.hosts"));
        assert_eq!(asked.count(), addresses, "{question}: {log:#?}");
    }
}

/// The bounds on depth and queries end what servers that need each other set off.
#[tokio::test(start_paused = true)]
async fn servers_that_need_each_other() {
    for queries in [5, 150] {
        let bench = bench(|setting| {
            setting.limits = Limits {
                queries,
                ..Limits::default()
            };
        });
        assert_eq!(summary(&bench.ask("mx.loopa.test A").await), "- failed ?");
        let asked = u32::try_from(bench.net.take_log().len()).expect("few");
        assert!(asked <= queries.min(40), "{asked}");
    }
}

/// All hints dead: the reason says whose silence it is.
#[tokio::test(start_paused = true)]
async fn dead_hints() {
    let hints = format!(". NS a.root.\na.root. A {NOBODY}\n. NS b.root.\nb.root. A 192.0.2.251\n");
    let bench = bench(|setting| setting.hints = RootHints::parse(&hints).expect("hints"));
    let answer = bench.ask("mx.hosts.test A").await;
    assert_eq!(summary(&answer), "- failed ?");
    let reason = answer.last.status().reason();
    assert!(
        reason.contains("no root server answers") && reason.contains("timeout"),
        "{reason}"
    );
}

/// Half of the hints are dead: once the root has said who serves it, they are asked no more.
#[tokio::test(start_paused = true)]
async fn priming() {
    let hints =
        format!(". NS a.root.\na.root. A {NOBODY}\n. NS b.root.\nb.root. A {ROOT_SERVER}\n");
    let bench = bench(|setting| setting.hints = RootHints::parse(&hints).expect("hints"));
    // A lookup that is over takes its priming with it; the next one goes on.
    for question in ["mx.hosts.test A", "mx.four.test A", "nothing A"] {
        bench.ask(question).await;
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
    }
    bench.net.take_log();
    for number in 0..20 {
        bench.ask(&format!("mx.nothing{number} A")).await;
    }
    let log = bench.net.take_log();
    assert!(log.iter().all(|line| !line.ends_with(NOBODY)), "{log:#?}");
    assert!(log.iter().all(|line| !line.starts_with(". NS")), "{log:#?}");
}

/// A name in wire form.
fn wire(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).expect("a label"));
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}

/// A referral for `cut` to `ns.attacker.test`, with glue.
fn referral(query: &[u8], cut: &str) -> Vec<u8> {
    let mut reply = query[..query.len() - 11].to_vec();
    reply[2] |= 0x80;
    reply[6..12].copy_from_slice(&[0, 0, 0, 1, 0, 1]);
    let server = wire("ns.attacker.test");
    reply.extend(wire(cut));
    reply.extend([0, 2, 0, 1, 0, 0, 14, 16, 0]);
    reply.push(u8::try_from(server.len()).expect("short"));
    reply.extend(&server);
    reply.extend(&server);
    reply.extend([0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 66]);
    reply
}

/// A referral has to lead down, towards the name. Nobody it names otherwise is asked.
#[tokio::test(start_paused = true)]
async fn referrals_that_lead_elsewhere() {
    let honest = Arc::new(authority());
    for (cut, followed) in [
        (".", false),
        ("test", false),
        ("four.test", false),
        ("example", false),
        ("below.mx.hosts.test", false),
        ("xhosts.test", false),
        ("hosts.test", true),
    ] {
        let authority = Arc::clone(&honest);
        let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
            let asked = question_of(query).map(|asked| asked.name.to_string());
            let is_victim = asked.is_some_and(|asked| asked.ends_with("hosts.test"));
            if is_victim && server.ip().to_string() == TEST_SERVER {
                return Reaction::Reply(referral(query, cut));
            }
            authority.respond(server.ip(), transport, query)
        });
        let bench = Bench::with(config(Mode::Recursive, &honest), net);
        let answer = bench.ask("mx.hosts.test A").await;
        assert!(
            summary(&answer).starts_with("- failed"),
            "{cut}: {answer:?}"
        );
        let log = bench.net.take_log();
        let went_there = log.iter().any(|line| line.ends_with("@192.0.2.66"));
        assert_eq!(went_there, followed, "{cut}: {log:#?}");
    }
}
