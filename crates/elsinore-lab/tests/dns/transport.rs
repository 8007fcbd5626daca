//! Many lookups at one time, servers that say nothing, and connections.

use crate::net::{MemoryNet, question_of, summary};
use crate::world::{Bench, NOW, authority, config, name, question, server_of};
use elsinore_dane::answer::{Answer, Last};
use elsinore_lab::authority::{Act, Behaviour, Reaction, Transport, When};
use elsinore_net::clock::FixedClock;
use elsinore_net::resolver::{Freshness, Mode, Resolver, ResolverConfig, SecureResolver};
use futures_util::future::join_all;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

fn resolver(net: &MemoryNet, change: impl FnOnce(&mut ResolverConfig)) -> Arc<Resolver> {
    let mut setting = config(Mode::Recursive, &authority());
    change(&mut setting);
    let dialer = Arc::new(net.clone());
    Arc::new(Resolver::new(setting, dialer, Arc::new(FixedClock(NOW))).expect("config"))
}

/// Puts all questions at one time; gives each answer and how long it took.
async fn at_once(
    resolver: &Arc<Resolver>,
    questions: impl IntoIterator<Item = String>,
) -> Vec<(Answer, Duration)> {
    let tasks = questions.into_iter().map(|text| {
        let resolver = Arc::clone(resolver);
        tokio::spawn(async move {
            let start = Instant::now();
            let asked = question(&text);
            let answer = resolver.lookup(&asked, Freshness::Cached).await;
            (answer, start.elapsed())
        })
    });
    let done = join_all(tasks).await.into_iter();
    done.map(|task| task.expect("no lookup panics")).collect()
}

/// Thousands of lookups wait for a server that says nothing. They end within the deadline; the
/// others do not wait at all, with many sockets and with very few.
#[tokio::test(start_paused = true)]
async fn a_dead_server_costs_others_nothing() {
    for sockets in [10_000, 40] {
        let net = crate::world::net(&authority());
        let resolver = resolver(&net, |setting| setting.sockets = sockets);
        let dead = (0..3_000).map(|number| format!("n{number}.silent.test A"));
        let alive = (0..300).map(|number| format!("n{number}.plain.test A"));
        let answers = at_once(&resolver, dead.chain(alive)).await;
        for (answer, time) in &answers[..3_000] {
            assert_eq!(summary(answer), "- failed ?", "{sockets}: {answer:?}");
            assert!(*time <= Duration::from_secs(10), "{sockets}: {time:?}");
        }
        for (answer, time) in &answers[3_000..] {
            assert_eq!(summary(answer), "- nxdomain I", "{sockets}: {answer:?}");
            assert_eq!(*time, Duration::ZERO, "{sockets}: {answer:?}");
        }
        // Once it is known to be dead nobody is sent there, but for one now and then.
        net.take_log();
        let (answer, time) = at_once(&resolver, ["again.silent.test A".to_owned()])
            .await
            .remove(0);
        assert_eq!(summary(&answer), "- failed ?");
        assert_eq!(time, Duration::ZERO, "{answer:?}");
        let there = format!("@{}", server_of("silent.test"));
        assert!(!net.take_log().iter().any(|line| line.ends_with(&there)));
    }
}

/// What was dead and speaks again is found out within the half minute for which it is left alone.
#[tokio::test(start_paused = true)]
async fn a_server_comes_back() {
    let honest = authority();
    let is_up = Arc::new(AtomicUsize::new(0));
    let (plain, up) = (server_of("plain.test"), Arc::clone(&is_up));
    let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
        if server.ip() == plain && up.load(Ordering::Relaxed) == 0 {
            return Reaction::Silence;
        }
        honest.respond(server.ip(), transport, query)
    });
    let bench = Bench::with(config(Mode::Recursive, &authority()), net);
    for number in 0..6 {
        let answer = bench.ask(&format!("n{number}.plain.test A")).await;
        assert_eq!(summary(&answer), "- failed ?", "{answer:?}");
        tokio::time::advance(Duration::from_secs(20)).await;
    }
    is_up.store(1, Ordering::Relaxed);
    tokio::time::advance(Duration::from_secs(30)).await;
    let answer = bench.ask("mx.plain.test A").await;
    assert_eq!(summary(&answer), "- data I", "{answer:?}");
}

/// Twenty thousand lookups in flight at a server that takes its time: all are answered, over a
/// bounded number of sockets.
#[tokio::test(start_paused = true)]
async fn twenty_thousand_in_flight() {
    let net = crate::world::net(&authority()).with_round_trip(Duration::from_millis(100));
    let resolver = resolver(&net, |setting| setting.sockets = 1_000);
    let questions = (0..20_000).map(|number| format!("n{number}.plain.test A"));
    for (answer, time) in at_once(&resolver, questions).await {
        assert_eq!(summary(&answer), "- nxdomain I", "{answer:?}");
        assert!(time < Duration::from_secs(10), "{time:?}");
    }
    assert!(net.most_sockets() <= 1_000, "{}", net.most_sockets());
}

/// Truncated replies one after the other take one connection; after a few idle seconds it is
/// closed.
#[tokio::test(start_paused = true)]
async fn connections_are_used_again() {
    let bench = Bench::new(Mode::Recursive);
    for owner in ["mx", "a", "b"] {
        let answer = bench.ask(&format!("{owner}.onlytcp.test A")).await;
        assert_eq!(summary(&answer), "- data S", "{answer:?}");
    }
    assert_eq!(bench.net.connections(), 1);
    tokio::time::sleep(Duration::from_secs(20)).await;
    bench.ask("onlytcp.test MX").await;
    assert_eq!(bench.net.connections(), 2);
}

/// A server that closes a connection which it has used before is asked on a new one; one that
/// never answers on any has failed.
#[tokio::test(start_paused = true)]
async fn connections_that_are_closed() {
    for (answered, expected) in [(1, "- data S"), (0, "- failed ?")] {
        let honest = authority();
        let victim = server_of("onlytcp.test");
        let on_connection = Mutex::new(0);
        let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
            if server.ip() == victim && transport == Transport::Tcp {
                let mut count = on_connection.lock().expect("no test panics here");
                if *count == answered {
                    *count = 0;
                    return Reaction::Close;
                }
                *count += 1;
            }
            honest.respond(server.ip(), transport, query)
        });
        let bench = Bench::with(config(Mode::Recursive, &authority()), net);
        for owner in ["mx", "a"] {
            let answer = bench.ask(&format!("{owner}.onlytcp.test A")).await;
            assert_eq!(summary(&answer), expected, "{answer:?}");
        }
    }
}

/// A server that only TCP reaches costs patience once, and is asked by TCP from then on.
#[tokio::test(start_paused = true)]
async fn nothing_but_tcp() {
    let mut authority = authority();
    let behaviour = Behaviour::new(When::always().over(Transport::Udp), Act::Silence);
    authority.misbehave_zone(&name("nsec.test"), &behaviour);
    let bench = Bench::over(Mode::Recursive, &authority);
    let start = Instant::now();
    assert_eq!(summary(&bench.ask("mx.nsec.test A").await), "- data S");
    assert!(start.elapsed() > Duration::ZERO);
    let start = Instant::now();
    assert_eq!(summary(&bench.ask("a.nsec.test A").await), "- data S");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// A reply of nearly 64 KB comes whole over TCP; one that ends before its announced length is a
/// failure.
#[tokio::test(start_paused = true)]
async fn the_longest_reply() {
    let honest = authority();
    let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
        let asked = question_of(query).map(|asked| asked.to_string());
        if asked.as_deref() != Some("huge.plain.test TXT") {
            return honest.respond(server.ip(), transport, query);
        }
        let mut reply = query.to_vec();
        // QR, AA; without the OPT record.
        reply[2] |= 0x84;
        reply[10..12].fill(0);
        reply.truncate(query.len() - 11);
        if transport == Transport::Udp {
            reply[2] |= 0x02;
            return Reaction::Reply(reply);
        }
        let records: u8 = 244;
        reply[6..8].copy_from_slice(&[0, records]);
        for number in 0..records {
            // A pointer to the question's name, TXT, IN, a TTL, one string of 255 octets.
            reply.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 1, 0, 255]);
            reply.extend([number; 255]);
        }
        assert!((65_000..=65_535).contains(&reply.len()), "{}", reply.len());
        Reaction::Reply(reply)
    });
    let bench = Bench::with(config(Mode::Recursive, &authority()), net);
    let answer = bench.ask("huge.plain.test TXT").await;
    let Last::Data(rrset) = &answer.last else {
        panic!("{answer:?}");
    };
    assert_eq!(rrset.records.len(), 244);
}

/// A lookup that is given up half-way leaves its question to the next who waits for it.
#[tokio::test(start_paused = true)]
async fn the_leader_leaves() {
    let net = crate::world::net(&authority()).with_round_trip(Duration::from_millis(100));
    let resolver = resolver(&net, |_| {});
    let asked = question("mx.nsec.test A");
    let first = {
        let (resolver, asked) = (Arc::clone(&resolver), asked.clone());
        tokio::spawn(async move { resolver.lookup(&asked, Freshness::Cached).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = {
        let (resolver, asked) = (Arc::clone(&resolver), asked.clone());
        tokio::spawn(async move { resolver.lookup(&asked, Freshness::Cached).await })
    };
    tokio::time::sleep(Duration::from_millis(10)).await;
    first.abort();
    assert_eq!(summary(&second.await.expect("answered")), "- data S");
}
