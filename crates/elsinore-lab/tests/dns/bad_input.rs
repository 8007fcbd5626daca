//! What bad input gets: a clear reason in the status, never a panic, never a silent "insecure".

use crate::forgeries::{query, wire};
use crate::net::{MemoryNet, question_of, summary};
use crate::reply::{Record, Reply};
use crate::world::{Bench, NOW, UPSTREAM, authority, config, net, question};
use elsinore_dane::answer::{Answer, Last, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use elsinore_lab::authority::{ForwardMode, Forwarder, Reaction, Transport};
use elsinore_net::clock::FixedClock;
use elsinore_net::resolver::{
    Freshness, Mode, Resolver, ResolverConfig, RootHints, SecureResolver, TrustAnchors,
};
use futures_util::future::join_all;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const VALIDATING: [Mode; 2] = [Mode::Recursive, Mode::Forward];

/// A failure whose reason has `part`.
fn assert_failed(answer: &Answer, expected: &str, part: &str, of: &str) {
    let reason = answer.last.status().reason();
    assert_eq!(summary(answer), expected, "{of}: {reason}");
    assert!(reason.contains(part), "{of}: {reason}");
}

#[test]
fn anchors_that_are_none() {
    let digest = "00".repeat(32);
    for (text, part) in [
        (String::new(), "no "),
        ("; nothing\n".to_owned(), "no "),
        (
            "example. IN A 192.0.2.1".to_owned(),
            "neither DS nor DNSKEY",
        ),
        (". IN DS 1 8 2 00".to_owned(), "digest"),
        (format!(". IN DS x 8 2 {digest}"), "DS"),
        (". IN DNSKEY 257 3 8 !!!".to_owned(), "DNSKEY"),
        ("this is no zone file".to_owned(), "line 1"),
    ] {
        let error = TrustAnchors::parse(&text).expect_err(&text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// Anchors that are no keys of this root: nothing is found out, and nothing passes as insecure.
/// Anchors of a kind that cannot be checked are refused.
#[tokio::test(start_paused = true)]
async fn anchors_of_others() {
    let authority = authority();
    let own = authority.tree().trust_anchor();
    let mut words: Vec<&str> = own.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "DS").expect("a DS");
    let flipped = "00".repeat(words[at + 4].len() / 2);
    let mut other_digest = words.clone();
    other_digest[at + 4] = &flipped;
    let other_digest = other_digest.join(" ");
    words[at + 2] = "200";
    let other_algorithm = words.join(" ");
    for mode in VALIDATING {
        let with_unknown = ResolverConfig {
            anchors: TrustAnchors::parse(&other_algorithm).expect("a DS"),
            ..config(mode, &authority)
        };
        let clock = Arc::new(FixedClock(NOW));
        let refused = Resolver::new(with_unknown, Arc::new(net(&authority)), clock);
        let error = refused.expect_err("unknown").to_string();
        assert!(error.contains("everything would be insecure"), "{error}");
        for (anchors, part) in [
            (TrustAnchors::shipped(), "no key of . matches"),
            (
                TrustAnchors::parse(&other_digest).expect("a DS"),
                "no key of . matches",
            ),
        ] {
            let with_anchors = ResolverConfig {
                anchors,
                ..config(mode, &authority)
            };
            let bench = Bench::with(with_anchors, net(&authority));
            for text in ["mx.nsec.test A", "mx.plain.test A", "nowhere.plain.test A"] {
                let answer = bench.ask(text).await;
                assert_failed(&answer, "- failed B", part, &format!("{mode:?} {text}"));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hints_all_dead() {
    let none = RootHints::parse("").expect_err("no server");
    assert!(
        none.to_string().contains("no name server of the root"),
        "{none}"
    );
    let authority = authority();
    for (react, part) in [
        // Not only the first lookup, but the next too, when the servers are known to be dead.
        (Reaction::Silence, "nothing"),
        (Reaction::Close, ""),
        (Reaction::Reply(vec![0; 12]), "nothing"),
    ] {
        let dead = {
            let react = react.clone();
            MemoryNet::new(move |_, _, _| react.clone())
        };
        let hints = ". 3600 IN NS a.\na. 3600 IN A 192.0.2.250\na. 3600 IN AAAA 2001:db8::dead\n";
        let with_hints = ResolverConfig {
            hints: RootHints::parse(hints).expect("hints"),
            ..config(Mode::Recursive, &authority)
        };
        let bench = Bench::with(with_hints, dead);
        for text in ["mx.nsec.test A", "mx.plain.test MX"] {
            let start = Instant::now();
            let answer = bench.ask(text).await;
            assert_failed(&answer, "- failed ?", part, text);
            let reason = answer.last.status().reason();
            let names_one = reason.contains("192.0.2.250") || reason.contains("2001:db8::dead");
            assert!(names_one, "{reason}");
            assert!(start.elapsed() <= Duration::from_secs(10), "{react:?}");
        }
    }
}

/// An upstream that drops what DNSSEC needs: signatures, denials, or the types themselves. Even a
/// zone that is unsigned cannot be shown to be.
#[tokio::test(start_paused = true)]
async fn resolver_that_strips() {
    let signatures: &[u16] = &[46];
    let denials: &[u16] = &[46, 47, 50];
    let everything: &[u16] = &[43, 46, 47, 48, 50];
    for stripped in [signatures, denials, everything] {
        let forwarder = Forwarder::new(Arc::new(authority()), ForwardMode::Oblivious);
        let net =
            MemoryNet::new(
                move |_, transport, query| match forwarder.respond(transport, query) {
                    Reaction::Reply(reply) => {
                        let mut reply = Reply::read(&reply).expect("a reply");
                        for section in &mut reply.sections {
                            section.retain(|record| !stripped.contains(&record.rtype));
                        }
                        Reaction::Reply(reply.write())
                    }
                    other => other,
                },
            );
        let bench = Bench::with(config(Mode::Forward, &authority()), net);
        for text in [
            "mx.nsec.test A",
            "_25._tcp.mx.nsec3.test TLSA",
            "mx.nsec.test TXT",
            "mx.plain.test A",
            "nowhere.plain.test A",
            "mx.leaf.opt A",
        ] {
            let answer = bench.ask(text).await;
            let reason = answer.last.status().reason();
            let got = summary(&answer);
            assert!(
                ["- failed ?", "- failed B"].contains(&got.as_str()),
                "{text}: {answer:?}"
            );
            let says_so = [
                "strips the signatures",
                "no signature",
                "publishes no DNSKEY",
            ];
            assert!(
                says_so.iter().any(|part| reason.contains(part)),
                "{text}: {reason}"
            );
        }
    }
}

/// A clock that is wrong by a year makes everything expired or not yet valid, and says so.
#[tokio::test(start_paused = true)]
async fn clock_wrong_by_a_year() {
    for mode in VALIDATING {
        for (days, part) in [(365_i64, "expired"), (-365, "not valid for another")] {
            let dialer = Arc::new(net(&authority()));
            let clock = Arc::new(FixedClock(NOW.plus_seconds(days * 86_400)));
            let config = config(mode, &authority());
            let resolver = Resolver::new(config, dialer, clock).expect("config");
            for text in ["mx.nsec.test A", "nowhere.nsec3.test A", "mx.plain.test A"] {
                let answer = resolver.lookup(&question(text), Freshness::Cached).await;
                assert_failed(
                    &answer,
                    "- failed B",
                    part,
                    &format!("{mode:?} {days} {text}"),
                );
            }
        }
    }
    for time in [
        0,
        -1,
        i64::MAX / 2,
        i64::from(u32::MAX),
        i64::from(u32::MAX) + 1,
    ] {
        let dialer = Arc::new(net(&authority()));
        let config = config(Mode::Recursive, &authority());
        let clock = Arc::new(FixedClock(UnixTime(time)));
        let resolver = Resolver::new(config, dialer, clock).expect("config");
        let asked = question("mx.nsec.test A");
        let answer = resolver.lookup(&asked, Freshness::Cached).await;
        assert_eq!(summary(&answer), "- failed B", "{time}: {answer:?}");
    }
}

/// Names at the limits of length and depth, and labels of every octet there is.
#[tokio::test(start_paused = true)]
async fn odd_names() {
    let mut fronts: Vec<Vec<Vec<u8>>> = Vec::new();
    for octet in 0..=255_u8 {
        fronts.push(vec![vec![octet], vec![b'x', octet]]);
    }
    for first in (0..=255_u8).step_by(63) {
        let label: Vec<u8> = (0..63).map(|add| first.wrapping_add(add)).collect();
        fronts.push(vec![label.clone(), label]);
    }
    for mode in VALIDATING {
        let bench = Bench::new(mode);
        for (zone, expected) in [
            ("nsec.test", "- nxdomain S"),
            ("nsec3.test", "- nxdomain S"),
            ("plain.test", "- nxdomain I"),
        ] {
            let apex: DomainName = zone.parse().expect("a zone");
            let room = 255
                - 1
                - apex
                    .labels()
                    .iter()
                    .map(|label| label.len() + 1)
                    .sum::<usize>();
            // As many labels as fit, and as few.
            let mut fronts = fronts.clone();
            let mut deep = vec![b"y".to_vec(); room / 2];
            if room % 2 == 1 {
                deep[0] = b"yy".to_vec();
            }
            fronts.push(deep);
            let mut long = vec![vec![b'z'; 63]; room / 64];
            long.push(vec![b'z'; room % 64 - 1]);
            fronts.push(long);
            for front in fronts {
                let labels = front.iter().cloned().chain(apex.labels());
                let labels: Vec<Vec<u8>> = labels.collect();
                let name = DomainName::from_labels(labels.iter().map(Vec::as_slice)).expect("fits");
                let is_wildcard = front.iter().any(|label| label == b"*");
                let is_there = labels.len() == 4 && front[0] == front[1];
                let asked = Question::new(name, RecordType::A);
                let answer = bench.resolver.lookup(&asked, Freshness::Cached).await;
                let got = summary(&answer);
                assert!(
                    got == expected || is_wildcard || is_there,
                    "{mode:?} {asked}: {got}: {answer:?}"
                );
            }
        }
    }
}

fn padding(owner: &str, octets: usize) -> Record {
    Record {
        owner: wire(owner),
        rtype: 65_280,
        class: 1,
        ttl: 60,
        rdata: vec![0x55; octets],
    }
}

/// A network in which the upstream and all servers answer `text` with what `make` makes of the
/// true reply: truncated over UDP, whole over TCP.
fn large_net(text: &str, make: impl Fn(Reply) -> Vec<u8> + Send + Sync + 'static) -> MemoryNet {
    let honest = Arc::new(authority());
    let forwarder = Forwarder::new(Arc::clone(&honest), ForwardMode::Oblivious);
    let victim = question(text);
    MemoryNet::new(move |server: SocketAddr, transport, query| {
        let reaction = if server.to_string() == UPSTREAM {
            forwarder.respond(Transport::Tcp, query)
        } else {
            honest.respond(server.ip(), Transport::Tcp, query)
        };
        let Reaction::Reply(reply) = reaction else {
            return reaction;
        };
        if question_of(query).as_ref() != Some(&victim) {
            return Reaction::Reply(reply);
        }
        let mut reply = Reply::read(&reply).expect("a reply");
        if transport == Transport::Udp {
            reply.flags[0] |= 2;
            reply.sections = Default::default();
            return Reaction::Reply(reply.write());
        }
        Reaction::Reply(make(reply))
    })
}

/// Fills a reply up to 65,535 octets with records of nobody's interest.
fn filled(mut reply: Reply, section: usize) -> Vec<u8> {
    let name = "padding.test";
    while reply.write().len() + 60_100 < 65_535 {
        reply.sections[section].push(padding(name, 60_000));
    }
    let left = 65_535 - reply.write().len();
    let fixed = wire(name).len() + 10;
    reply.sections[section].push(padding(name, left - fixed));
    let octets = reply.write();
    assert_eq!(octets.len(), 65_535);
    octets
}

/// Answers of the greatest length that a stream carries: read when they are sound, a failure with
/// a reason when they are not.
#[tokio::test(start_paused = true)]
async fn answers_of_64_kb() {
    for mode in VALIDATING {
        for section in 0..3 {
            for (text, expected) in [
                ("mx.nsec.test A", "- data S"),
                ("mx.nsec.test TXT", "- nodata S"),
                ("mx.plain.test A", "- data I"),
            ] {
                let net = large_net(text, move |reply| filled(reply, section));
                let bench = Bench::with(config(mode, &authority()), net);
                let answer = bench.ask(text).await;
                let got = summary(&answer);
                // Among the answers stands what nobody asked for: that may be refused.
                let fine = got == expected || (section == 0 && got.starts_with("- failed"));
                assert!(fine, "{mode:?} {section} {text}: {answer:?}");
            }
        }
        // One RRset that fills the message.
        let text = "mx.plain.test TXT";
        let net = large_net(text, |mut reply| {
            reply.sections = Default::default();
            let strings = [&[255_u8][..], &[0x41; 255]].concat().repeat(40);
            for number in 0..6_u8 {
                let mut rdata = strings.clone();
                rdata[1] = number;
                reply.sections[0].push(Record {
                    owner: wire("mx.plain.test"),
                    rtype: 16,
                    class: 1,
                    ttl: 60,
                    rdata,
                });
            }
            reply.write()
        });
        let bench = Bench::with(config(mode, &authority()), net);
        let answer = bench.ask(text).await;
        assert_eq!(summary(&answer), "- data I", "{mode:?} {answer:?}");
        let Last::Data(rrset) = &answer.last else {
            panic!("{answer:?}");
        };
        assert_eq!(rrset.records.len(), 6);
        // More records than any RRset has.
        let text = "mx.plain.test A";
        let net = large_net(text, |mut reply| {
            for number in 0..2_000_u32 {
                reply.sections[0].push(Record {
                    owner: wire("mx.plain.test"),
                    rtype: 1,
                    class: 1,
                    ttl: 60,
                    rdata: number.to_be_bytes().to_vec(),
                });
            }
            let mut octets = reply.write();
            // The counts promise more than there is.
            octets[6..8].fill(0xff);
            octets
        });
        let bench = Bench::with(config(mode, &authority()), net);
        let answer = bench.ask(text).await;
        assert_failed(&answer, "- failed ?", "malformed", &format!("{mode:?}"));
    }
}

/// Names that are none, for the place `at` of a message.
fn malformed_names(at: usize) -> Vec<(&'static str, Vec<u8>)> {
    let pointer = |to: usize| -> Vec<u8> {
        let to = u16::try_from(to).expect("a place within a message");
        (0xc000 | to).to_be_bytes().to_vec()
    };
    let itself = pointer(at);
    let labels = vec![63; 64];
    vec![
        ("itself", itself.clone()),
        ("a label and itself", [&[1, b'a'][..], &itself].concat()),
        ("each other", [pointer(at + 2), itself].concat()),
        ("forwards", pointer(at + 40)),
        ("out of the message", pointer(0x3fff)),
        ("into the header", pointer(2)),
        ("half a pointer", vec![0xc0]),
        ("a kind of label that nobody uses", vec![0x80, 1, 2, 0]),
        ("another", vec![0x41, 1, 2, 0]),
        ("too long", [labels.repeat(5), vec![0]].concat()),
        ("without an end", labels),
    ]
}

/// The reply to a query whose question ends at `end`: one record in `section`, with the malformed
/// name of that number as owner, or inside the data of that type.
fn malformed(
    query: &[u8],
    end: usize,
    section: usize,
    inside: Option<u16>,
    name: usize,
) -> Vec<u8> {
    let mut reply = query[..end].to_vec();
    (reply[2], reply[3]) = (0x84, 0x80);
    reply[6..12].fill(0);
    reply[7 + 2 * section] = 1;
    let Some(rtype) = inside else {
        reply.extend(malformed_names(end).swap_remove(name).1);
        reply.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 66]);
        return reply;
    };
    let before = match rtype {
        15 => 2,
        46 => 18,
        _ => 0,
    };
    reply.extend([0xc0, 12]);
    reply.extend(rtype.to_be_bytes());
    reply.extend([0, 1, 0, 0, 0, 60]);
    let name = malformed_names(reply.len() + 2 + before)
        .swap_remove(name)
        .1;
    let length = u16::try_from(before + name.len()).expect("short");
    reply.extend(length.to_be_bytes());
    reply.extend(vec![0; before]);
    reply.extend(name);
    reply
}

/// Names that point at themselves, at each other, forwards, out of the message, or are no names,
/// as owner and inside data, in each section.
#[tokio::test(start_paused = true)]
async fn compression_loops() {
    let end = query("mx.plain.test A").len() - 11;
    // The data of an NSEC is looked at where it proves something, which it does not here.
    let types = [None, Some(5), Some(15), Some(6), Some(46), Some(2)];
    let honest = Arc::new(authority());
    let forwarder = Forwarder::new(Arc::clone(&honest), ForwardMode::Oblivious);
    for mode in VALIDATING {
        for (number, (what, _)) in malformed_names(0).into_iter().enumerate() {
            for (section, inside) in (0..3).flat_map(|place| types.map(|inside| (place, inside))) {
                let (honest, forwarder) = (Arc::clone(&honest), forwarder.clone());
                let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
                    let asked = question_of(query).map(|asked| asked.to_string());
                    if asked.as_deref() == Some("mx.plain.test A") {
                        Reaction::Reply(malformed(query, end, section, inside, number))
                    } else if server.to_string() == UPSTREAM {
                        forwarder.respond(transport, query)
                    } else {
                        honest.respond(server.ip(), transport, query)
                    }
                });
                let bench = Bench::with(config(mode, &authority()), net);
                let start = Instant::now();
                let answer = bench.ask("mx.plain.test A").await;
                let of = format!("{mode:?}, {what}, {section}, in {inside:?}");
                assert_eq!(summary(&answer), "- failed ?", "{of}: {answer:?}");
                assert!(!answer.last.status().reason().is_empty(), "{of}");
                assert!(start.elapsed() <= Duration::from_secs(10), "{of}");
            }
        }
    }
}

/// A dead name server costs a lookup at most its deadline, and other lookups nothing, however many
/// wait for it.
#[tokio::test(start_paused = true)]
async fn dead_server() {
    let round_trip = Duration::from_millis(20);
    let far = || net(&authority()).with_round_trip(round_trip);
    let alone = {
        let bench = Bench::with(config(Mode::Recursive, &authority()), far());
        let start = Instant::now();
        assert_eq!(summary(&bench.ask("mx.nsec.test A").await), "- data S");
        start.elapsed()
    };
    let bench = Bench::with(config(Mode::Recursive, &authority()), far());
    let start = Instant::now();
    let waiting = join_all((0..2_000).map(|number| {
        let bench = &bench;
        async move {
            let answer = bench.ask(&format!("n{number}.silent.test A")).await;
            assert_eq!(summary(&answer), "- failed ?", "{answer:?}");
            start.elapsed()
        }
    }));
    let beside = async {
        // The others are on their way.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let begin = Instant::now();
        assert_eq!(summary(&bench.ask("mx.nsec.test A").await), "- data S");
        begin.elapsed()
    };
    let (waited, beside) = tokio::join!(waiting, beside);
    assert!(
        beside <= alone,
        "{beside:?} beside the dead, {alone:?} alone"
    );
    let longest = waited.into_iter().max().expect("lookups");
    assert!(longest <= Duration::from_millis(10_001), "{longest:?}");
}

/// A resolver that says nothing about some names, because it waits for their dead servers itself,
/// is not dead: what else is asked of it is answered.
#[tokio::test(start_paused = true)]
async fn upstream_that_waits_for_others() {
    let forwarder = Forwarder::new(Arc::new(authority()), ForwardMode::Oblivious);
    let net = MemoryNet::new(move |_, transport, query| {
        let asked = question_of(query).map_or_else(String::new, |asked| asked.to_string());
        if asked.contains("silent.test A") {
            return Reaction::Silence;
        }
        forwarder.respond(transport, query)
    });
    let bench = Bench::with(config(Mode::Forward, &authority()), net);
    assert_eq!(summary(&bench.ask("nsec.test MX").await), "- data S");
    let waiting = join_all((0..50).map(|number| {
        let bench = &bench;
        async move {
            let answer = bench.ask(&format!("n{number}.silent.test A")).await;
            assert_eq!(summary(&answer), "- failed ?", "{answer:?}");
        }
    }));
    let beside = async {
        for (text, expected) in [
            ("mx.nsec.test A", "- data S"),
            ("mx.nsec3.test A", "- data S"),
            ("a.nsec.test A", "- data S"),
            ("b.nsec.test A", "- data S"),
            ("mx.plain.test A", "- data I"),
        ] {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            let answer = bench.ask(text).await;
            assert_eq!(summary(&answer), expected, "{text}: {answer:?}");
        }
    };
    tokio::join!(waiting, beside);
    assert_eq!(summary(&bench.ask("ns.nsec.test A").await), "- data S");
}

/// A lame server sends the referral of the root, with the proof that the top-level zone is
/// unsigned: that denies nothing of the zone it was asked about.
#[tokio::test(start_paused = true)]
async fn referral_upwards_with_a_proof() {
    let honest = authority();
    let lame = crate::world::server_of("leaf.plain");
    let root = crate::world::ROOT_SERVER.parse().expect("an address");
    let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
        let speaks = if server.ip() == lame {
            root
        } else {
            server.ip()
        };
        honest.respond(speaks, transport, query)
    });
    let bench = Bench::with(config(Mode::Recursive, &authority()), net);
    for text in [
        "mx.leaf.plain A",
        "nowhere.leaf.plain TLSA",
        "leaf.plain MX",
    ] {
        let answer = bench.ask(text).await;
        assert_failed(&answer, "- failed ?", "no answer, no referral", text);
    }
}
