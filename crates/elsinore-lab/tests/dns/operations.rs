//! Anchors, caches, deadlines, and how many questions an answer costs.

use crate::net::{MemoryNet, summary};
use crate::world::{Bench, NOW, authority, config, name, net, question};
use elsinore_dane::answer::Last;
use elsinore_lab::authority::Reaction;
use elsinore_net::clock::FixedClock;
use elsinore_net::resolver::{
    Freshness, Mode, Resolver, ResolverConfig, SecureResolver, TrustAnchors,
};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn foreign_anchors_make_everything_bogus() {
    let authority = authority();
    for mode in [Mode::Recursive, Mode::Forward] {
        let shipped = ResolverConfig {
            anchors: TrustAnchors::shipped(),
            ..config(mode, &authority)
        };
        let bench = Bench::with(shipped, net(&authority));
        for question in ["mx.nsec.test A", "mx.plain.test A", "nowhere.plain.test A"] {
            let answer = bench.ask(question).await;
            assert_eq!(
                summary(&answer),
                "- failed B",
                "{mode:?} {question}: {answer:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dnskey_anchor() {
    let authority = authority();
    let anchors = TrustAnchors::parse(&authority.tree().trust_anchor_dnskey()).expect("anchor");
    let with_key = ResolverConfig {
        anchors,
        ..config(Mode::Recursive, &authority)
    };
    let bench = Bench::with(with_key, net(&authority));
    assert_eq!(summary(&bench.ask("mx.nsec.test A").await), "- data S");
}

#[tokio::test(start_paused = true)]
async fn negative_trust_anchor() {
    let authority = authority();
    for mode in [Mode::Recursive, Mode::Forward] {
        let with_nta = ResolverConfig {
            negative_anchors: vec![name("badkeys.test"), name("mx.expired.test")],
            ..config(mode, &authority)
        };
        let bench = Bench::with(with_nta, net(&authority));
        for (question, expected) in [
            ("mx.badkeys.test A", "- data I"),
            ("nowhere.badkeys.test A", "- nxdomain I"),
            ("mx.expired.test A", "- data I"),
            ("expired.test MX", "- failed B"),
            ("mx.nsec.test A", "- data S"),
        ] {
            let answer = bench.ask(question).await;
            assert_eq!(
                summary(&answer),
                expected,
                "{mode:?} {question}: {answer:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cache_and_freshness() {
    for mode in [Mode::Recursive, Mode::Forward, Mode::Ad] {
        let bench = Bench::new(mode);
        let first = bench.ask("alias.nsec.test A").await;
        assert!(!bench.net.take_log().is_empty());
        tokio::time::advance(Duration::from_secs(100)).await;
        let second = bench.ask("alias.nsec.test A").await;
        assert_eq!(bench.net.take_log(), Vec::<String>::new(), "{mode:?}");
        assert_eq!(summary(&first), summary(&second));
        let (Last::Data(fresh), Last::Data(aged)) = (&first.last, &second.last) else {
            panic!("{first:?} {second:?}");
        };
        assert!(
            aged.ttl <= fresh.ttl - 100,
            "{mode:?}: {} {}",
            fresh.ttl,
            aged.ttl
        );
        let asked = question("alias.nsec.test A");
        let third = bench.resolver.lookup(&asked, Freshness::Fresh).await;
        assert_eq!(summary(&third), summary(&first));
        let asked_again = bench.net.take_log();
        assert!(
            asked_again
                .iter()
                .any(|line| line.starts_with("alias.nsec.test A")),
            "{mode:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_ttl_outlives_its_signature() {
    let bench = Bench::new(Mode::Recursive);
    let answer = bench.ask("mx.soon.test A").await;
    let Last::Data(rrset) = &answer.last else {
        panic!("{answer:?}");
    };
    assert!(rrset.ttl <= 100, "{}", rrset.ttl);
}

/// Failures are kept for seconds: a burst asks once, a later question asks again.
#[tokio::test(start_paused = true)]
async fn failures_are_kept_shortly() {
    let bench = Bench::new(Mode::Recursive);
    for _ in 0..3 {
        assert_eq!(summary(&bench.ask("mx.refused.test A").await), "- failed ?");
    }
    let asked = bench.net.take_log();
    assert!(
        asked
            .iter()
            .filter(|line| line.starts_with("mx.refused.test A"))
            .count()
            <= 2
    );
    tokio::time::advance(Duration::from_secs(6)).await;
    bench.ask("mx.refused.test A").await;
    assert!(!bench.net.take_log().is_empty());
}

/// Nobody answers: the lookup ends by its deadline and says so.
#[tokio::test(start_paused = true)]
async fn deadline() {
    let authority = authority();
    for mode in [Mode::Recursive, Mode::Forward, Mode::Ad] {
        let silent = MemoryNet::new(|_, _, _| Reaction::Silence);
        let bench = Bench::with(config(mode, &authority), silent);
        let start = tokio::time::Instant::now();
        let answer = bench.ask("mx.nsec.test A").await;
        assert_eq!(summary(&answer), "- failed ?", "{mode:?}");
        assert!(
            start.elapsed() <= Duration::from_secs(10),
            "{mode:?} {:?}",
            start.elapsed()
        );
    }
}

/// Identical questions at one time go out once.
#[tokio::test(start_paused = true)]
async fn joined_in_flight() {
    let bench = Bench::new(Mode::Recursive);
    let asked = question("mx.nsec.test A");
    let lookups = (0..100).map(|_| bench.resolver.lookup(&asked, Freshness::Cached));
    for answer in join_all(lookups).await {
        assert_eq!(summary(&answer), "- data S");
    }
    let log = bench.net.take_log();
    let mut sorted = log.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(log.len(), sorted.len(), "{log:#?}");
}

/// What a cold question costs: the root, the top-level zone, the zone, and the keys of each; once
/// for all, the root is asked who serves it (RFC 9609). The
/// root sees one label, the top-level zone two.
#[tokio::test(start_paused = true)]
async fn questions_of_a_cold_lookup() {
    let bench = Bench::new(Mode::Recursive);
    bench.ask("_25._tcp.mx.nsec.test TLSA").await;
    let mut log = bench.net.take_log();
    log.sort();
    let zone = crate::world::server_of("nsec.test");
    let mut expected = vec![
        ". DNSKEY @192.0.2.1".to_owned(),
        ". NS @192.0.2.1".to_owned(),
        "test A @192.0.2.1".to_owned(),
        "test DNSKEY @192.0.2.2".to_owned(),
        "nsec.test A @192.0.2.2".to_owned(),
        format!("nsec.test DNSKEY @{zone}"),
        format!("_25._tcp.mx.nsec.test TLSA @{zone}"),
    ];
    expected.sort();
    assert_eq!(log, expected);
}

/// Round trips, one after the other, counted in virtual time: the keys of a zone are fetched while
/// its answer is on the way; through an upstream, the DS and the keys of the uppermost names are
/// asked for at once, whether they are signed zones or not.
#[tokio::test(start_paused = true)]
async fn round_trips_of_a_cold_lookup() {
    let round_trip = Duration::from_millis(50);
    let authority = authority();
    for (mode, cold, second) in [
        (Mode::Recursive, 3, 1),
        (Mode::Forward, 1, 1),
        (Mode::Ad, 1, 1),
    ] {
        let far = net(&authority).with_round_trip(round_trip);
        let bench = Bench::with(config(mode, &authority), far);
        for (question, expected) in [("nsec.test MX", cold), ("mx.nsec.test A", second)] {
            let start = tokio::time::Instant::now();
            let answer = bench.ask(question).await;
            assert_eq!(summary(&answer), "- data S", "{mode:?}");
            let trips = start.elapsed().as_millis() / round_trip.as_millis();
            assert_eq!(
                trips,
                expected,
                "{mode:?} {question}: {:#?}",
                bench.net.take_log()
            );
        }
    }
}

/// Memory is bounded whatever is asked.
#[tokio::test(start_paused = true)]
async fn many_names() {
    let authority = authority();
    let small = ResolverConfig {
        cache_octets: 100_000,
        ..config(Mode::Recursive, &authority)
    };
    let dialer = Arc::new(net(&authority));
    let resolver = Resolver::new(small, dialer, Arc::new(FixedClock(NOW))).expect("config");
    for number in 0..300 {
        let asked = question(&format!("n{number}.plain.test A"));
        let answer = resolver.lookup(&asked, Freshness::Cached).await;
        assert_eq!(summary(&answer), "- nxdomain I", "{number}");
    }
}
