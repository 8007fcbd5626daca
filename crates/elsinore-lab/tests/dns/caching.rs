//! What is kept, for how long, and what is concluded from it without a question.

use crate::net::{MemoryNet, question_of, summary};
use crate::world::{Bench, NOW, TEST_SERVER, authority, config, net, question};
use elsinore_dane::answer::{Answer, Last};
use elsinore_dane::time::UnixTime;
use elsinore_lab::authority::Reaction;
use elsinore_net::clock::Clock;
use elsinore_net::resolver::{
    AggressiveDenial, Freshness, Mode, Resolver, ResolverConfig, SecureResolver,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// A clock that can be set.
#[derive(Debug)]
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::Relaxed))
    }
}

fn asking(mode: Mode) -> ResolverConfig {
    ResolverConfig {
        aggressive_denial: AggressiveDenial::Asked,
        ..config(mode, &authority())
    }
}

fn ttl(answer: &Answer) -> u32 {
    match &answer.last {
        Last::Data(rrset) => rrset.ttl,
        Last::Denied(denial) => denial.ttl,
        Last::Failed(_) => panic!("{answer:?}"),
    }
}

/// Names that exist and names that do not, in zones of every kind of denial; with proofs of
/// others at hand the answers are what the servers say.
#[tokio::test(start_paused = true)]
async fn denials_are_what_the_servers_say() {
    let names = [
        "",
        "mx",
        "a",
        "b",
        "c0",
        "zz",
        "nowhere",
        "alias",
        "twice",
        "toname",
        "onlytxt",
        "ent",
        "b.ent",
        "a.b.ent",
        "c.b.ent",
        "x.wild",
        "here.wild",
        "x.here.wild",
        "*.wild",
        "wild",
        "x.walias",
        "cut.walias",
        "x.cut.walias",
        "x.odd",
        "*.odd",
        "x.dn",
        "dn",
        "deleg",
        "x.deleg",
        "_25._tcp.mx",
        "_26._tcp.mx",
        "_tcp.mx",
        "_25._tcp.a",
        "_25._tcp.wmx",
        "_25._udp.wmx",
        "x.wname",
        "x.wnodata",
    ];
    let zones = [
        "nsec.test",
        "nsec3.test",
        "optout.test",
        "iter10.test",
        "iter150.test",
        "safe.opt",
        "leaf.opt",
        "plain.test",
        "leaf.plain",
        "sub.nsec.test",
        "nowhere.test",
        "nowhere.opt",
    ];
    for mode in [Mode::Recursive, Mode::Forward] {
        let (shown, asked) = (
            Bench::new(mode),
            Bench::with(asking(mode), net(&authority())),
        );
        for rtype in ["TLSA", "A", "AAAA", "DS"] {
            for zone in zones {
                for name in names {
                    let text = match name {
                        "" => format!("{zone} {rtype}"),
                        label => format!("{label}.{zone} {rtype}"),
                    };
                    let (by_proof, by_server) = (shown.ask(&text).await, asked.ask(&text).await);
                    assert_eq!(
                        (summary(&by_proof), by_proof.final_name()),
                        (summary(&by_server), by_server.final_name()),
                        "{mode:?} {text}: {by_proof:?}, not {by_server:?}"
                    );
                    tokio::time::advance(Duration::from_millis(1)).await;
                }
            }
        }
        let (few, many) = (shown.net.take_log().len(), asked.net.take_log().len());
        assert!(
            few * 10 < many * 9,
            "{mode:?}: {few} queries instead of {many}"
        );
    }
}

/// What a second name costs when the first left its proofs: `(asked before, asked, queries)`.
#[tokio::test(start_paused = true)]
async fn queries_saved() {
    for (mode, before, asked, expected, queries) in [
        // The record that matches has all types of the name.
        (
            Mode::Recursive,
            "onlytxt.nsec.test A",
            "onlytxt.nsec.test TLSA",
            "- nodata S",
            0,
        ),
        (
            Mode::Recursive,
            "onlytxt.nsec3.test A",
            "onlytxt.nsec3.test TLSA",
            "- nodata S",
            0,
        ),
        // The span holds both names, and the wildcard.
        (
            Mode::Recursive,
            "_25._tcp.a.nsec.test TLSA",
            "_26._tcp.a.nsec.test TLSA",
            "- nxdomain S",
            0,
        ),
        (
            Mode::Recursive,
            "_25._tcp.a.nsec.test TLSA",
            "_tcp.a.nsec.test A",
            "- nxdomain S",
            0,
        ),
        (
            Mode::Recursive,
            "_25._tcp.a.nsec3.test TLSA",
            "_26._tcp.a.nsec3.test TLSA",
            "- nxdomain S",
            0,
        ),
        // Not from one host to another, which the span leaves out.
        (
            Mode::Recursive,
            "_25._tcp.a.nsec.test TLSA",
            "_25._tcp.mx.nsec.test TLSA",
            "- data S",
            1,
        ),
        // Opting out, nothing but a DS is denied; a type of a name that is in the chain is.
        (
            Mode::Recursive,
            "n1.optout.test A",
            "n2.optout.test A",
            "- nxdomain I",
            1,
        ),
        (
            Mode::Recursive,
            "onlytxt.optout.test A",
            "onlytxt.optout.test TLSA",
            "- nodata S",
            0,
        ),
        // An unsigned zone proves nothing.
        (
            Mode::Recursive,
            "n1.plain.test A",
            "n2.plain.test A",
            "- nxdomain I",
            1,
        ),
        // Fresh proofs of the top-level zone: the DS of another domain is not asked for.
        (
            Mode::Forward,
            "mx.leaf.opt A",
            "nowhere.leaf.opt A",
            "- nxdomain I",
            1,
        ),
    ] {
        let bench = Bench::new(mode);
        bench.ask(before).await;
        bench.net.take_log();
        assert_eq!(
            summary(&bench.ask(asked).await),
            expected,
            "{before}, {asked}"
        );
        let log = bench.net.take_log();
        assert_eq!(log.len(), queries, "{before}, {asked}: {log:?}");
    }
}

/// [`Freshness::Fresh`] asks whatever is known.
#[tokio::test(start_paused = true)]
async fn fresh_asks() {
    let bench = Bench::new(Mode::Recursive);
    for text in [
        "mx.nsec.test A",
        "onlytxt.nsec.test A",
        "onlytxt.nsec.test TLSA",
    ] {
        bench.ask(text).await;
        bench.net.take_log();
        bench
            .resolver
            .lookup(&question(text), Freshness::Fresh)
            .await;
        let log = bench.net.take_log();
        assert!(
            log.iter().any(|line| line.starts_with(text)),
            "{text}: {log:?}"
        );
    }
}

/// TTLs count down, and at their end the servers are asked again: `(question, TTL, and the
/// seconds after which it is asked anew)`.
#[tokio::test(start_paused = true)]
async fn ttls() {
    for (text, first) in [
        ("mx.nsec.test A", 3_600),
        ("mx.plain.test A", 3_600),
        // The SOA says 300.
        ("onlytxt.nsec.test A", 300),
        ("nowhere.nsec3.test A", 300),
        ("nowhere.plain.test A", 300),
        // The signature has 100 left.
        ("mx.soon.test A", 100),
    ] {
        let bench = Bench::with(asking(Mode::Recursive), net(&authority()));
        assert_eq!(ttl(&bench.ask(text).await), first, "{text}");
        tokio::time::advance(Duration::from_secs(40)).await;
        bench.net.take_log();
        assert_eq!(ttl(&bench.ask(text).await), first - 40, "{text}");
        tokio::time::advance(Duration::from_secs(u64::from(first) - 41)).await;
        assert_eq!(ttl(&bench.ask(text).await), 1, "{text}");
        assert_eq!(bench.net.take_log(), [""; 0], "{text}");
        tokio::time::advance(Duration::from_secs(1)).await;
        bench.ask(text).await;
        let log = bench.net.take_log();
        assert!(
            log.iter().any(|line| line.starts_with(text)),
            "{text}: {log:?}"
        );
    }
}

/// A clock that is set a year forth or back: what was secure by the old time is judged by the new
/// one, whether it was kept or not; set right again, all is well again.
#[tokio::test(start_paused = true)]
async fn the_clock_jumps() {
    const YEAR: i64 = 31_536_000;
    let authority = authority();
    for mode in [Mode::Recursive, Mode::Forward] {
        let clock = Arc::new(SetClock(AtomicI64::new(NOW.0)));
        let dialer = Arc::new(net(&authority));
        let config = config(mode, &authority);
        let resolver = Resolver::new(config, dialer, Arc::clone(&clock) as Arc<_>).expect("config");
        for (offset, expected) in [
            (0, "S"),
            (YEAR, "B"),
            (0, "S"),
            (-YEAR, "B"),
            (0, "S"),
            // A correction by seconds changes nothing.
            (-5, "S"),
            (5, "S"),
        ] {
            clock.0.store(NOW.0 + offset, Ordering::Relaxed);
            for (text, kind) in [
                ("mx.nsec.test A", "data"),
                ("nowhere.nsec.test A", "nxdomain"),
            ] {
                let answer = resolver.lookup(&question(text), Freshness::Cached).await;
                let kind = if expected == "B" { "failed" } else { kind };
                assert_eq!(
                    summary(&answer),
                    format!("- {kind} {expected}"),
                    "{mode:?} {offset} {text}"
                );
            }
            // What is bogus is kept for half a minute by the steady clock.
            tokio::time::advance(Duration::from_secs(301)).await;
        }
    }
}

/// A clock by which every look at it takes a second.
#[derive(Debug)]
struct SlowClock(AtomicI64);

impl Clock for SlowClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Denials that are made of those before, all the time, end with the first: the servers are asked
/// again after the 300 s of the SOA, however long a judgement takes.
#[tokio::test(start_paused = true)]
async fn denials_do_not_live_on_their_own_word() {
    let authority = authority();
    let clock = Arc::new(SlowClock(AtomicI64::new(NOW.0)));
    let net = net(&authority);
    let config = config(Mode::Recursive, &authority);
    let dialer = Arc::new(net.clone());
    let resolver = Resolver::new(config, dialer, Arc::clone(&clock) as Arc<_>).expect("config");
    let time = || clock.0.load(Ordering::Relaxed);
    let mut asked = time();
    for number in 0..1_000 {
        let text = format!("_{number}._tcp.a.nsec.test TLSA");
        let start = time();
        let answer = resolver.lookup(&question(&text), Freshness::Cached).await;
        assert_eq!(summary(&answer), "- nxdomain S", "{text}");
        if net.take_log().iter().any(|line| line.starts_with(&text)) {
            assert!(start - asked <= 400, "{text}: {} s", start - asked);
            asked = time();
        }
        assert!(time() - asked <= 400, "{text}: {} s", time() - asked);
    }
}

/// The domain is taken from its owner: its servers go on answering, the zone above does not know it
/// any more. Names further down, asked for shortly before the delegation ends, do not live on.
#[tokio::test(start_paused = true)]
async fn ghosts_end() {
    let authority = authority();
    let (taken, there) = (Arc::new(AtomicBool::new(false)), authority.clone());
    let flag = Arc::clone(&taken);
    let net = MemoryNet::new(move |server, transport, query| {
        let is_taken = flag.load(Ordering::Relaxed) && server.ip().to_string() == TEST_SERVER;
        let is_ours = question_of(query)
            .is_some_and(|question| question.name.as_str().ends_with("nsec.test"));
        match there.respond(server.ip(), transport, query) {
            // NXDOMAIN, without anything else.
            Reaction::Reply(mut reply) if is_taken && is_ours => {
                reply[3] = reply[3] & 0xf0 | 3;
                reply[6..12].fill(0);
                let end = 12
                    + query[12..]
                        .iter()
                        .position(|octet| *octet == 0)
                        .unwrap_or(0)
                    + 5;
                reply.truncate(end);
                Reaction::Reply(reply)
            }
            other => other,
        }
    });
    let bench = Bench::with(config(Mode::Recursive, &authority), net);
    assert_eq!(summary(&bench.ask("mx.nsec.test A").await), "- data S");
    taken.store(true, Ordering::Relaxed);
    tokio::time::advance(Duration::from_secs(3_500)).await;
    assert_eq!(
        summary(&bench.ask("mx.deep.sub.nsec.test A").await),
        "- data S"
    );
    bench.net.take_log();
    tokio::time::advance(Duration::from_secs(99)).await;
    assert_eq!(
        summary(&bench.ask("a.deep.sub.nsec.test A").await),
        "- data S"
    );
    let log = bench.net.take_log();
    assert!(
        log.iter().all(|line| !line.ends_with(TEST_SERVER)),
        "{log:?}"
    );
    tokio::time::advance(Duration::from_secs(2)).await;
    let answer = bench.ask("b.deep.sub.nsec.test A").await;
    assert!(summary(&answer).starts_with("- failed"), "{answer:?}");
    // Nobody but the zone above was asked for it.
    let log = bench.net.take_log();
    let (above, below): (Vec<_>, Vec<_>) = log
        .iter()
        .filter(|line| line.starts_with("b.deep.sub.nsec.test A"))
        .partition(|line| line.ends_with(&format!("@{TEST_SERVER}")));
    assert!(!above.is_empty() && below.is_empty(), "{log:?}");
}

/// Servers that fail are asked after 5 seconds, then after 10, 20, and every 30.
#[tokio::test(start_paused = true)]
async fn failures_back_off() {
    let bench = Bench::new(Mode::Recursive);
    let mut asked = Vec::new();
    for second in 0..120 {
        bench.ask("mx.refused.test A").await;
        if !bench.net.take_log().is_empty() {
            asked.push(second);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(asked, [0, 5, 15, 35, 65, 95]);
}

/// The addresses of a server outside its zone are looked up once for their TTL, however many
/// zones it serves.
#[tokio::test(start_paused = true)]
async fn server_addresses() {
    let bench = Bench::new(Mode::Recursive);
    for (seconds, name) in [(0, "mx.glueless.test A"), (70, "a.glueless.test A")] {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        bench.ask(name).await;
        let log = bench.net.take_log();
        let lookups = log
            .iter()
            .filter(|line| line.starts_with("outside.nsec.test A"));
        assert_eq!(lookups.count(), usize::from(seconds == 0), "{log:?}");
    }
}

/// Whatever is asked, the cache stays within its budget; without any it is slow and right.
#[tokio::test(start_paused = true)]
async fn within_the_budget() {
    let authority = authority();
    for budget in [0, 2_000, 50_000, 1 << 20] {
        let config = ResolverConfig {
            cache_octets: budget,
            ..config(Mode::Recursive, &authority)
        };
        let bench = Bench::with(config, net(&authority));
        for number in 0..100 {
            for (text, expected) in [
                (format!("n{number}.nsec3.test A"), "- nxdomain S"),
                (format!("n{number}.leaf.opt A"), "- nxdomain I"),
                (format!("n{number}.wild.nsec.test A"), "- data S"),
                ("mx.nsec.test A".to_owned(), "- data S"),
            ] {
                assert_eq!(
                    summary(&bench.ask(&text).await),
                    expected,
                    "{budget} {text}"
                );
                assert!(bench.resolver.cache_octets() <= budget, "{budget} {text}");
            }
        }
    }
}
