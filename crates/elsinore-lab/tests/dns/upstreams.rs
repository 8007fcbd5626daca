//! Several upstream resolvers: each has to pass signatures on, and one that fails is made up for
//! by the others.

use crate::net::{MemoryNet, summary};
use crate::world::{Bench, authority, config};
use elsinore_dane::security::Security;
use elsinore_lab::authority::{Authority, ForwardMode, Forwarder, Reaction, Transport};
use elsinore_net::resolver::{Mode, ResolverConfig};
use std::net::SocketAddr;
use std::sync::Arc;

/// What an upstream resolver is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upstream {
    Validating,
    Oblivious,
    /// Removes every RRSIG, as some home routers do.
    Strips,
    /// Sends no DNSSEC record at all, whatever is asked.
    Silent,
    Refuses,
    /// Answers SERVFAIL for bogus data though CD is set, with an extended error.
    IgnoresCd,
    /// Truncates, and takes no connection.
    NoTcp,
}

use Upstream::{IgnoresCd, NoTcp, Oblivious, Refuses, Silent, Strips, Validating};

fn addresses(count: usize) -> Vec<SocketAddr> {
    (1..=count)
        .map(|number| format!("192.0.2.{}:53", 100 + number))
        .map(|text| text.parse().expect("address"))
        .collect()
}

/// A network of these upstreams, in the order of [`addresses`].
fn net(authority: &Authority, upstreams: &'static [Upstream]) -> MemoryNet {
    let authority = Arc::new(authority.clone());
    let validating = Forwarder::new(Arc::clone(&authority), ForwardMode::Validating);
    let oblivious = Forwarder::new(Arc::clone(&authority), ForwardMode::Oblivious);
    let places = addresses(upstreams.len());
    MemoryNet::new(move |server, transport, query| {
        let place = places.iter().position(|place| *place == server);
        let Some(place) = place else {
            return Reaction::Silence;
        };
        match upstreams[place] {
            Validating => validating.respond(transport, query),
            Oblivious => oblivious.respond(transport, query),
            Silent => Reaction::Silence,
            Refuses => {
                let mut reply = query.to_vec();
                reply[2] |= 0x80;
                reply[3] = 5;
                Reaction::Reply(reply)
            }
            Strips => {
                // Without DO nothing of DNSSEC is sent but what was asked for itself.
                let mut plain = query.to_vec();
                let end = plain.len();
                plain[end - 4] &= 0x7f;
                oblivious.respond(transport, &plain)
            }
            IgnoresCd => {
                let mut checking = query.to_vec();
                checking[3] &= !0x10;
                validating.respond(transport, &checking)
            }
            NoTcp if transport == Transport::Tcp => Reaction::Close,
            NoTcp => {
                let mut reply = query.to_vec();
                reply[2] |= 0x82;
                reply[3] = 0x80;
                Reaction::Reply(reply)
            }
        }
    })
}

fn bench(upstreams: &'static [Upstream]) -> Bench {
    let authority = authority();
    let several = ResolverConfig {
        upstreams: addresses(upstreams.len()),
        ..config(Mode::Forward, &authority)
    };
    Bench::with(several, net(&authority, upstreams))
}

/// One good upstream is enough, whatever the others do, and whichever is asked first.
#[tokio::test(start_paused = true)]
async fn one_good_upstream_is_enough() {
    let cases: [&'static [Upstream]; 7] = [
        &[Validating, Oblivious],
        &[Strips, Oblivious],
        &[Silent, Validating],
        &[Refuses, Validating],
        &[NoTcp, Validating],
        &[IgnoresCd, Oblivious],
        &[Strips, Silent, Refuses, NoTcp, Validating],
    ];
    for upstreams in cases {
        // The order is random among those nothing is known of.
        for _ in 0..6 {
            let bench = bench(upstreams);
            for (question, expected) in [
                ("mx.nsec.test A", "- data S"),
                ("mx.plain.test A", "- data I"),
                ("nowhere.nsec3.test A", "- nxdomain S"),
                ("a.badsig.test A", "- failed B"),
            ] {
                let answer = bench.ask(question).await;
                assert_eq!(
                    summary(&answer),
                    expected,
                    "{upstreams:?} {question}: {answer:?}"
                );
            }
        }
    }
}

/// Where no upstream is good the lookup fails and says why; nothing is ever insecure for that.
#[tokio::test(start_paused = true)]
async fn no_good_upstream() {
    let cases: [(&'static [Upstream], &str, &str); 6] = [
        (&[Strips], "mx.nsec.test A", "strips the signatures"),
        (&[Strips], "mx.plain.test A", "strips the signatures"),
        (
            &[Strips, Strips],
            "nowhere.nsec.test A",
            "strips the signatures",
        ),
        (&[Silent, Silent], "mx.nsec.test A", "says nothing"),
        (&[Refuses], "mx.nsec.test A", "REFUSED"),
        (&[NoTcp], "mx.nsec.test A", "truncated over UDP; TCP"),
    ];
    for (upstreams, question, part) in cases {
        let bench = bench(upstreams);
        let answer = bench.ask(question).await;
        let status = answer.last.status();
        let context = format!("{upstreams:?} {question}: {}", status.reason());
        assert_eq!(status.security(), Security::Indeterminate, "{context}");
        assert!(status.reason().contains(part), "{context}");
    }
}

/// A validating upstream that rejects in spite of CD says so by an extended error: bogus, not
/// merely failed.
#[tokio::test(start_paused = true)]
async fn upstream_that_ignores_cd() {
    let bench = bench(&[IgnoresCd]);
    for (question, expected) in [
        ("mx.nsec.test A", "- data S"),
        ("a.badsig.test A", "- failed B"),
        ("mx.silent.test A", "- failed ?"),
    ] {
        let answer = bench.ask(question).await;
        assert_eq!(summary(&answer), expected, "{question}: {answer:?}");
    }
}

/// A resolver that strips signatures is left alone for some minutes, and then given a chance.
#[tokio::test(start_paused = true)]
async fn stripping_is_remembered() {
    let bench = bench(&[Strips]);
    bench.ask("mx.nsec.test A").await;
    assert!(!bench.net.take_log().is_empty());
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    bench.ask("mx.nsec.test AAAA").await;
    assert_eq!(bench.net.take_log(), Vec::<String>::new());
    tokio::time::advance(std::time::Duration::from_secs(300)).await;
    bench.ask("mx.nsec.test MX").await;
    assert!(!bench.net.take_log().is_empty());
}
