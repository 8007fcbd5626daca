//! One server forges, others do not: what is bogus here is asked for again there, a few times.

use crate::net::{MemoryNet, question_of, summary};
use crate::world::{Bench, ROOT_SERVER, authority, config, name};
use elsinore_lab::authority::{ForwardMode, Forwarder, Reaction};
use elsinore_net::resolver::{Mode, ResolverConfig, Route, RouteKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Root servers, or upstream resolvers: as many as there are letters.
const SERVERS: &[&str] = &[
    "192.0.2.201",
    "192.0.2.202",
    "192.0.2.203",
    "192.0.2.204",
    "192.0.2.205",
    "192.0.2.206",
];

/// A network in which the first `forgers` of [`SERVERS`] break the signatures of one answer.
fn net(victim: &'static str, forgers: usize) -> MemoryNet {
    let authority = Arc::new(authority());
    let forwarder = Forwarder::new(Arc::clone(&authority), ForwardMode::Permissive);
    MemoryNet::new(move |server: SocketAddr, transport, query| {
        let place = SERVERS
            .iter()
            .position(|one| *one == server.ip().to_string());
        let upstream = query.get(2).is_some_and(|flags| flags & 1 == 1);
        let root: IpAddr = ROOT_SERVER.parse().expect("address");
        let mut reaction = match place {
            Some(_) if upstream => forwarder.respond(transport, query),
            Some(_) => authority.respond(root, transport, query),
            None => authority.respond(server.ip(), transport, query),
        };
        let hit = question_of(query).is_some_and(|asked| asked.to_string() == victim);
        if let Reaction::Reply(reply) = &mut reaction
            && hit
            && place.is_some_and(|place| place < forgers)
        {
            // Somewhere in the signature, which stands last before the OPT record.
            let at = reply.len() - 30;
            reply[at] ^= 0x55;
        }
        reaction
    })
}

fn setting(mode: Mode) -> ResolverConfig {
    let servers: Vec<SocketAddr> = SERVERS
        .iter()
        .map(|address| format!("{address}:53").parse().expect("address"))
        .collect();
    // A stub, so that these stay the root's servers whatever the root says.
    let root = Route {
        zone: name("."),
        kind: RouteKind::Stub,
        servers: servers.clone(),
    };
    ResolverConfig {
        routes: match mode {
            Mode::Recursive => vec![root],
            Mode::Forward | Mode::Ad => Vec::new(),
        },
        upstreams: servers,
        ..config(mode, &authority())
    }
}

#[tokio::test(start_paused = true)]
async fn another_server_is_asked() {
    for (mode, victim) in [
        (Mode::Recursive, ". DNSKEY"),
        (Mode::Forward, ". DNSKEY"),
        (Mode::Forward, "nsec.test DNSKEY"),
        (Mode::Forward, "nsec.test DS"),
        (Mode::Forward, "mx.nsec.test A"),
    ] {
        for (forgers, expected) in [
            (0, "- data S"),
            (1, "- data S"),
            (3, "- data S"),
            (SERVERS.len(), "- failed B"),
        ] {
            let bench = Bench::with(setting(mode), net(victim, forgers));
            let answer = bench.ask("mx.nsec.test A").await;
            let context = format!("{mode:?} {victim}, {forgers} forgers: {answer:?}");
            assert_eq!(summary(&answer), expected, "{context}");
            let log = bench.net.take_log();
            let asked = log
                .iter()
                .filter(|line| line.starts_with(&format!("{victim} @")))
                .count();
            assert!(asked <= 4, "{asked} times: {context}");
        }
    }
}
