//! What a server, or somebody who forges its address, puts into replies for others: records out of
//! bailiwick, guesses of IDs and spellings, errors that ask for less security, cut streams.

use crate::forgeries::{forged_net, wire};
use crate::net::{MemoryNet, question_of, summary};
use crate::reply::{Record, Reply};
use crate::world::{Bench, UPSTREAM, authority, config, server_of};
use elsinore_dane::answer::Last;
use elsinore_lab::authority::{ForwardMode, Forwarder, Reaction, Transport};
use elsinore_net::resolver::Mode;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Where the attacker would like to be asked.
const EVIL: [u8; 4] = [192, 0, 2, 66];

fn record(owner: &str, rtype: u16, rdata: Vec<u8>) -> Record {
    Record {
        owner: wire(owner),
        rtype,
        class: 1,
        ttl: 86_400,
        rdata,
    }
}

/// Delegations and addresses of others that a server adds to all its replies.
fn poison() -> [Vec<Record>; 2] {
    let victims = ["", "test", "plain", "plain.test", "nsec.test", "leaf.plain"];
    let authority = (victims.iter())
        .map(|zone| record(zone, 2, wire("evil.leaf.opt")))
        .collect();
    let mut additional = vec![record("evil.leaf.opt", 1, EVIL.to_vec())];
    for host in [
        "mx.plain.test",
        "mx.nsec.test",
        "ns.plain.test",
        "mx.leaf.plain",
        "ns.test",
    ] {
        additional.push(record(host, 1, EVIL.to_vec()));
    }
    [authority, additional]
}

/// The server of an unsigned zone speaks for others, in each section: nobody believes it, and
/// nobody asks the servers it names.
#[tokio::test(start_paused = true)]
async fn records_out_of_bailiwick() {
    for place in 0..3 {
        let honest = authority();
        let liar = server_of("leaf.opt");
        let net = MemoryNet::new(move |server: SocketAddr, _, query| {
            match honest.respond(server.ip(), Transport::Tcp, query) {
                Reaction::Reply(reply) if server.ip() == liar => {
                    let mut reply = Reply::read(&reply).expect("a reply");
                    let [authority, additional] = poison();
                    match place {
                        0 => reply.sections[0].extend(additional),
                        1 => {
                            reply.sections[1].extend(authority);
                            reply.sections[2].extend(additional);
                        }
                        _ => reply.sections[2].extend(additional),
                    }
                    Reaction::Reply(reply.write())
                }
                other => other,
            }
        });
        let bench = Bench::with(config(Mode::Recursive, &authority()), net);
        let honest = Bench::new(Mode::Recursive);
        for text in [
            "mx.leaf.opt A",
            "nowhere.leaf.opt A",
            "onlytxt.leaf.opt TXT",
        ] {
            bench.ask(text).await;
        }
        for text in [
            "mx.plain.test A",
            "mx.nsec.test A",
            "mx.leaf.plain A",
            "mx.alg8.test A",
        ] {
            let answer = bench.ask(text).await;
            let truth = honest.ask(text).await;
            assert_eq!(summary(&answer), summary(&truth), "{place} {text}");
            let (Last::Data(got), Last::Data(expected)) = (&answer.last, &truth.last) else {
                panic!("{answer:?}");
            };
            assert_eq!(got.records, expected.records, "{place} {text}");
        }
        let log = bench.net.take_log();
        assert!(
            !log.iter().any(|line| line.ends_with("@192.0.2.66")),
            "{log:#?}"
        );
    }
}

/// Forged datagrams that arrive before the genuine one: every guess of ID and spelling but the
/// right one, in an unsigned zone, where no signature protects.
#[tokio::test(start_paused = true)]
async fn flood_of_guesses() {
    let forged = |query: &[u8]| -> Vec<Vec<u8>> {
        let evil = |id: [u8; 2], question: &[u8]| {
            let mut octets = id.to_vec();
            octets.extend([0x84, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            octets.extend(question);
            octets.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4]);
            octets.extend(EVIL);
            octets
        };
        let mut end = 12;
        while query[end] > 0 {
            end += usize::from(query[end]) + 1;
        }
        let asked = &query[12..end + 5];
        let (id, other) = ([query[0], query[1]], [query[0] ^ 1, query[1]]);
        let mut forged = vec![
            evil(other, asked),
            evil(id, &wire_question("mx.nsec.test", asked)),
            evil(id, &asked.to_ascii_lowercase()),
            evil(id, &asked.to_ascii_uppercase()),
            query.to_vec(),
            id.to_vec(),
        ];
        for place in 0..asked.len() - 5 {
            if asked[place].is_ascii_alphabetic() {
                let mut spelled = asked.to_vec();
                spelled[place] ^= 0x20;
                forged.push(evil(id, &spelled));
            }
        }
        // A spelling that happens to be the right one is no guess.
        forged.retain(|reply| reply[..2] != id || reply.get(12..end + 5) != Some(asked));
        forged
    };
    for mode in [Mode::Recursive, Mode::Forward] {
        let net = crate::world::net(&authority()).flooded(forged);
        let bench = Bench::with(config(mode, &authority()), net);
        let honest = Bench::new(mode);
        for text in ["mx.plain.test A", "mx.nsec.test A", "mx.leaf.opt A"] {
            let answer = bench.ask(text).await;
            match &answer.last {
                Last::Failed(_) => {}
                Last::Data(rrset) => {
                    let truth = honest.ask(text).await;
                    let Last::Data(expected) = &truth.last else {
                        panic!("{truth:?}");
                    };
                    assert_eq!(rrset.records, expected.records, "{mode:?} {text}");
                }
                Last::Denied(_) => panic!("{mode:?} {text}: {answer:?}"),
            }
        }
    }
}

fn wire_question(name: &str, asked: &[u8]) -> Vec<u8> {
    [&wire(name)[..], &asked[asked.len() - 4..]].concat()
}

/// Errors that would make a resolver ask without EDNS, and then plain DNS without signatures, as
/// from a server of long ago: in a signed zone that is a failure, whoever sends it.
#[tokio::test(start_paused = true)]
async fn less_security_asked_for() {
    let without_signatures = |reply: &[u8]| {
        let mut reply = Reply::read(reply).expect("a reply");
        for section in &mut reply.sections {
            section.retain(|record| ![41, 43, 46, 47, 48, 50].contains(&record.rtype));
        }
        reply
    };
    for mode in [Mode::Recursive, Mode::Forward] {
        // FORMERR, NOTIMP, and BADVERS, whose upper bits are in the OPT record.
        for code in [1_u8, 4, 16] {
            let honest = Arc::new(authority());
            let forwarder = Forwarder::new(Arc::clone(&honest), ForwardMode::Oblivious);
            let victim = server_of("nsec.test");
            let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
                let is_upstream = server.to_string() == UPSTREAM;
                let reaction = if is_upstream {
                    forwarder.respond(Transport::Tcp, query)
                } else if server.ip() == victim {
                    honest.respond(server.ip(), Transport::Tcp, query)
                } else {
                    return honest.respond(server.ip(), transport, query);
                };
                let Reaction::Reply(reply) = reaction else {
                    return reaction;
                };
                let mut stripped = without_signatures(&reply);
                if query[11] > 0 {
                    stripped.flags[1] = stripped.flags[1] & 0xf0 | code & 0x0f;
                    stripped.sections = Default::default();
                    if code > 15 {
                        let mut opt = record("", 41, Vec::new());
                        (opt.class, opt.ttl) = (1232, 1 << 24);
                        stripped.sections[2].push(opt);
                    }
                }
                Reaction::Reply(stripped.write())
            });
            let bench = Bench::with(config(mode, &authority()), net);
            for text in [
                "mx.nsec.test A",
                "_25._tcp.ns.nsec.test TLSA",
                "mx.nsec.test TXT",
            ] {
                let answer = bench.ask(text).await;
                let got = summary(&answer);
                assert!(
                    got == "- failed B" || got == "- failed ?",
                    "{mode:?} {code}: {answer:?}"
                );
            }
        }
    }
}

/// One error of a kind that says "no EDNS", forged or by accident, from a server that speaks it:
/// signatures go on being asked for.
#[tokio::test(start_paused = true)]
async fn less_security_once() {
    for first in [true, false] {
        let honest = Arc::new(authority());
        let victim = server_of("nsec.test");
        let is_armed = Arc::new(AtomicBool::new(first));
        let armed = Arc::clone(&is_armed);
        let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
            if server.ip() == victim && armed.swap(false, Ordering::Relaxed) {
                // A header alone repeats no question.
                let mut reply = query[..12].to_vec();
                reply[2] |= 0x80;
                reply[3] = 1;
                reply[4..12].fill(0);
                return Reaction::Reply(reply);
            }
            honest.respond(server.ip(), transport, query)
        });
        let bench = Bench::with(config(Mode::Recursive, &authority()), net);
        if !first {
            assert_eq!(summary(&bench.ask("mx.nsec.test A").await), "- data S");
            is_armed.store(true, Ordering::Relaxed);
        }
        bench.ask("ns.nsec.test A").await;
        // What failed is kept for a minute; what is known of a server that was never heard to
        // speak EDNS, for some more.
        let seconds = if first { 400 } else { 61 };
        tokio::time::advance(Duration::from_secs(seconds)).await;
        for text in ["a.nsec.test A", "ns.nsec.test A", "mx.nsec.test AAAA"] {
            let answer = bench.ask(text).await;
            assert_eq!(summary(&answer), "- data S", "{first} {text}: {answer:?}");
        }
    }
}

/// Datagrams say that the reply is too long, and the stream ends in its midst, or claims in turn
/// that there is more: nothing was found out.
#[tokio::test(start_paused = true)]
async fn cut_streams() {
    for mode in [Mode::Recursive, Mode::Forward] {
        for over_tcp in 0..3 {
            let honest = Arc::new(authority());
            let forwarder = Forwarder::new(Arc::clone(&honest), ForwardMode::Oblivious);
            let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
                let reaction = if server.to_string() == UPSTREAM {
                    forwarder.respond(Transport::Tcp, query)
                } else {
                    honest.respond(server.ip(), Transport::Tcp, query)
                };
                let is_victim = question_of(query)
                    .is_some_and(|asked| asked.to_string().starts_with("mx.nsec.test"));
                let Reaction::Reply(mut reply) = reaction else {
                    return reaction;
                };
                if !is_victim {
                    return Reaction::Reply(reply);
                }
                match (transport, over_tcp) {
                    (Transport::Udp, _) => {
                        // The answer is left in: it is not to be used.
                        reply[2] |= 2;
                    }
                    (Transport::Tcp, 0) => reply.truncate(reply.len() / 2),
                    (Transport::Tcp, 1) => {
                        reply[2] |= 2;
                        reply[6..12].fill(0);
                    }
                    (Transport::Tcp, _) => return Reaction::Close,
                }
                Reaction::Reply(reply)
            });
            let bench = Bench::with(config(mode, &authority()), net);
            for text in ["mx.nsec.test A", "mx.nsec.test TXT"] {
                let answer = bench.ask(text).await;
                let got = summary(&answer);
                assert!(
                    got == "- failed ?" || got == "- failed B",
                    "{mode:?} {over_tcp} {text}: {answer:?}"
                );
            }
        }
    }
}

/// A reply about one name with answers for another beside it: what was not asked is not kept.
#[tokio::test(start_paused = true)]
async fn answers_to_what_nobody_asked() {
    for mode in [Mode::Recursive, Mode::Forward] {
        let net = forged_net("mx.plain.test A", |mut reply| {
            for name in ["ns.plain.test", "other.plain.test", "mx.nsec.test"] {
                reply.sections[0].push(record(name, 1, EVIL.to_vec()));
            }
            reply
        });
        let bench = Bench::with(config(mode, &authority()), net);
        let honest = Bench::new(mode);
        for text in [
            "mx.plain.test A",
            "ns.plain.test A",
            "other.plain.test A",
            "mx.nsec.test A",
        ] {
            let (answer, truth) = (bench.ask(text).await, honest.ask(text).await);
            assert_eq!(
                summary(&answer),
                summary(&truth),
                "{mode:?} {text}: {answer:?}"
            );
            if let (Last::Data(got), Last::Data(expected)) = (&answer.last, &truth.last) {
                assert_eq!(got.records, expected.records, "{mode:?} {text}");
            }
        }
    }
}
