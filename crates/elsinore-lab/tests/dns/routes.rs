//! Zones asked for at servers of the administrator's choice.

use crate::net::summary;
use crate::world::{Bench, UPSTREAM, authority, config, name, net, server_of};
use elsinore_net::resolver::{
    ConfigError, Minimisation, Mode, Resolver, ResolverConfig, RootHints, Route, RouteKind,
};
use std::net::SocketAddr;
use std::sync::Arc;

fn route(zone: &str, kind: RouteKind, server: SocketAddr) -> Route {
    Route {
        zone: name(zone),
        kind,
        servers: vec![server],
    }
}

fn upstream() -> SocketAddr {
    UPSTREAM.parse().expect("address")
}

/// A routed zone is asked for at its own servers alone, whatever `allow_nets` says of them, and
/// its DS at the servers of its parent: it stays secure.
#[tokio::test(start_paused = true)]
async fn zones_with_servers_of_their_own() {
    let authority = authority();
    let stub = SocketAddr::new(server_of("nsec.test"), 53);
    for (kind, server) in [(RouteKind::Stub, stub), (RouteKind::Forward, upstream())] {
        let routed = ResolverConfig {
            routes: vec![route("nsec.test", kind, server)],
            allow_nets: vec!["192.0.2.0/24".parse().expect("net")],
            ..config(Mode::Recursive, &authority)
        };
        let bench = Bench::with(routed, net(&authority));
        for (question, expected) in [
            ("mx.nsec.test A", "- data S"),
            ("nowhere.nsec.test A", "- nxdomain S"),
            ("nsec.test DS", "- data S"),
            // The server of this one lies outside `allow_nets`, and no route leads to it.
            ("mx.plain.test A", "- failed ?"),
        ] {
            let answer = bench.ask(question).await;
            assert_eq!(
                summary(&answer),
                expected,
                "{kind:?} {question}: {answer:?}"
            );
        }
        let log = bench.net.take_log();
        let there = format!("@{}", server.ip());
        for line in &log {
            let below = line.contains("nsec.test ") && !line.starts_with("nsec.test DS");
            assert_eq!(line.ends_with(&there), below, "{kind:?}: {log:#?}");
        }
    }
}

/// Below a stub its servers refer on, here into a signed zone of another server; an alias that
/// leads out of the route is followed by the usual way.
#[tokio::test(start_paused = true)]
async fn beyond_the_route() {
    let authority = authority();
    let stub = SocketAddr::new(server_of("nsec.test"), 53);
    let routed = ResolverConfig {
        routes: vec![route("nsec.test", RouteKind::Stub, stub)],
        ..config(Mode::Recursive, &authority)
    };
    let bench = Bench::with(routed, net(&authority));
    for (question, expected) in [
        ("mx.deep.sub.nsec.test A", "- data S"),
        ("toplain.nsec.test A", "S data I"),
        ("tonsec.plain.test A", "I data S"),
    ] {
        let answer = bench.ask(question).await;
        assert_eq!(summary(&answer), expected, "{question}: {answer:?}");
    }
}

/// In forward mode a route takes its names away from the upstream resolvers.
#[tokio::test(start_paused = true)]
async fn beside_an_upstream() {
    let authority = authority();
    let stub = SocketAddr::new(server_of("nsec.test"), 53);
    let routed = ResolverConfig {
        routes: vec![route("nsec.test", RouteKind::Stub, stub)],
        ..config(Mode::Forward, &authority)
    };
    let bench = Bench::with(routed, net(&authority));
    assert_eq!(summary(&bench.ask("mx.nsec.test A").await), "- data S");
    let log = bench.net.take_log();
    let at_stub = |line: &String| line.ends_with(&format!("@{}", stub.ip()));
    assert!(
        log.iter()
            .any(|l| l.starts_with("mx.nsec.test A ") && at_stub(l)),
        "{log:#?}"
    );
    assert!(
        log.iter()
            .any(|l| l.starts_with("nsec.test DS ") && !at_stub(l)),
        "{log:#?}"
    );
}

/// A route for the root takes the place of the hints.
#[tokio::test(start_paused = true)]
async fn instead_of_hints() {
    let authority = authority();
    let root = SocketAddr::new(crate::world::ROOT_SERVER.parse().expect("address"), 53);
    for (kind, server) in [(RouteKind::Stub, root), (RouteKind::Forward, upstream())] {
        let routed = ResolverConfig {
            hints: RootHints::none(),
            routes: vec![route(".", kind, server)],
            ..config(Mode::Recursive, &authority)
        };
        let bench = Bench::with(routed, net(&authority));
        let answer = bench.ask("mx.nsec.test A").await;
        assert_eq!(summary(&answer), "- data S", "{kind:?}: {answer:?}");
    }
}

/// Without minimisation the root sees the whole question.
#[tokio::test(start_paused = true)]
async fn minimisation_off() {
    let authority = authority();
    let whole = ResolverConfig {
        minimisation: Minimisation::Off,
        ..config(Mode::Recursive, &authority)
    };
    let bench = Bench::with(whole, net(&authority));
    assert_eq!(summary(&bench.ask("mx.nsec.test A").await), "- data S");
    let log = bench.net.take_log();
    let to_root = format!("mx.nsec.test A @{}", crate::world::ROOT_SERVER);
    assert!(log.contains(&to_root), "{log:#?}");
}

#[test]
fn refused() {
    let authority = authority();
    let with = |mode, routes| ResolverConfig {
        routes,
        ..config(mode, &authority)
    };
    let good = route("corp.test", RouteKind::Forward, upstream());
    let empty = Route {
        servers: Vec::new(),
        ..good.clone()
    };
    for (config, expected) in [
        (
            with(Mode::Recursive, vec![empty]),
            ConfigError::EmptyRoute(name("corp.test")),
        ),
        (with(Mode::Ad, vec![good]), ConfigError::RouteInAd),
        (
            ResolverConfig {
                hints: RootHints::none(),
                ..with(Mode::Recursive, Vec::new())
            },
            ConfigError::NoHints,
        ),
    ] {
        let dialer = Arc::new(net(&authority));
        let clock = Arc::new(elsinore_net::clock::FixedClock(crate::world::NOW));
        let error = Resolver::new(config, dialer, clock).expect_err("refused");
        assert_eq!(error, expected);
    }
}
