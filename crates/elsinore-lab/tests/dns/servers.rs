//! Servers that fail, each in its own way.

use crate::net::{MemoryNet, question_of, summary};
use crate::world::{Bench, ROOT_SERVER, authority, config, name, server_of};
use elsinore_dane::answer::{Oddity, RecordType};
use elsinore_lab::authority::{Act, Authority, Behaviour, Names, Reaction, Transport, When};
use elsinore_net::resolver::{Limits, Minimisation, Mode, ResolverConfig};
use std::net::SocketAddr;
use std::sync::Mutex;

/// Adds the faults of servers to the world.
pub(crate) fn misbehave(authority: &mut Authority) {
    let always = Behaviour::always;
    let over = |transport, act| Behaviour::new(When::always().over(transport), act);
    for (apex, behaviour) in [
        (
            "servfail.test",
            always(Act::Extended {
                rcode: 2,
                code: 23,
                text: "no upstream".to_owned(),
            }),
        ),
        ("silent.test", always(Act::Silence)),
        ("refused.test", always(Act::Rcode(5))),
        ("notimp.test", always(Act::Rcode(4))),
        ("lame.test", always(Act::Lame)),
        ("noedns.test", always(Act::NoEdns)),
        ("old.plain", always(Act::NoEdns)),
        ("onlytcp.test", over(Transport::Udp, Act::Truncate)),
        ("notcp.test", over(Transport::Udp, Act::Truncate)),
        ("notcp.test", over(Transport::Tcp, Act::Close)),
        ("mangled.test", always(Act::LowerCase)),
        ("wrongid.test", always(Act::WrongId)),
        ("wrongq.test", always(Act::WrongQuestion)),
        (
            "ent.test",
            Behaviour::new(
                When::always().of_names(Names::EmptyNonTerminals),
                Act::NxDomain,
            ),
        ),
        (
            "tlsafail.test",
            Behaviour::for_types(&[RecordType::Tlsa], Act::Rcode(2)),
        ),
        (
            "garbage.test",
            always(Act::Garbage(vec![0x80, 0, 0, 1, 0xff])),
        ),
    ] {
        assert!(authority.misbehave(server_of(apex), behaviour), "{apex}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_failures() {
    let bench = Bench::new(Mode::Recursive);
    for (question, expected, part) in [
        ("mx.servfail.test A", "- failed ?", "SERVFAIL"),
        ("mx.silent.test A", "- failed ?", "timeout"),
        ("mx.refused.test A", "- failed ?", "REFUSED"),
        ("mx.notimp.test A", "- failed ?", "NOTIMP"),
        ("mx.lame.test A", "- failed ?", "no answer, no referral"),
        ("mx.wrongid.test A", "- failed ?", "timeout"),
        ("mx.wrongq.test A", "- failed ?", "timeout"),
        ("mx.garbage.test A", "- failed ?", "timeout"),
        ("mx.notcp.test A", "- failed ?", "nothing"),
        ("mx.onlytcp.test A", "- data S", "signed by onlytcp.test"),
        ("mx.mangled.test A", "- data S", "signed by mangled.test"),
        (
            "_25._tcp.mx.ent.test TLSA",
            "- data S",
            "signed by ent.test",
        ),
        ("mx.tlsafail.test A", "- data S", "signed by tlsafail.test"),
        ("tlsafail.test MX", "- data S", "signed by tlsafail.test"),
        ("_25._tcp.mx.tlsafail.test TLSA", "- failed ?", "SERVFAIL"),
        // Plain DNS carries no signatures, and the zone is signed.
        ("mx.noedns.test A", "- failed B", "DNSKEY"),
        ("mx.old.plain A", "- data I", "delegated unsigned"),
        ("mx.halfdead.test A", "- data I", "delegated unsigned"),
        ("mx.glueless.test A", "- data I", "delegated unsigned"),
        ("mx.onlysix.test A", "- data I", "delegated unsigned"),
        ("mx.farsix.test A", "- data I", "delegated unsigned"),
        ("mx.deadsix.test A", "- data I", "delegated unsigned"),
        ("mx.deadfour.test A", "- data I", "delegated unsigned"),
        (
            "mx.linklocal.test A",
            "- failed ?",
            "no name server of linklocal.test has an address",
        ),
        (
            "mx.private.test A",
            "- failed ?",
            "no name server of private.test has an address",
        ),
        (
            "mx.selfish.test A",
            "- failed ?",
            "no name server of selfish.test has an address",
        ),
        (
            "_25._tcp.big.nsec.test TLSA",
            "- data S",
            "signed by nsec.test",
        ),
    ] {
        let answer = bench.ask(question).await;
        let reason = answer.last.status().reason();
        assert_eq!(summary(&answer), expected, "{question}: {reason}");
        assert!(reason.contains(part), "{question}: {reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_extended_error_is_passed_on() {
    let bench = Bench::new(Mode::Recursive);
    let answer = bench.ask("mx.servfail.test A").await;
    let elsinore_dane::answer::Last::Failed(failure) = answer.last else {
        panic!("{answer:?}");
    };
    let ede = failure.ede.expect("an extended error");
    assert_eq!((ede.code, ede.text.as_str()), (23, "no upstream"));
}

/// A server that denies an empty non-terminal hides nothing below it, and is found out where
/// names are asked for label by label. A sound one raises no remark.
#[tokio::test(start_paused = true)]
async fn empty_non_terminal_denied() {
    let authority = authority();
    for (minimisation, question, zone) in [
        (Minimisation::Off, "_25._tcp.mx.ent.test TLSA", None),
        (Minimisation::Relaxed, "_25._tcp.mx.ent.test TLSA", None),
        (
            Minimisation::Everywhere,
            "_25._tcp.mx.ent.test TLSA",
            Some("ent.test"),
        ),
        (Minimisation::Everywhere, "_25._tcp.mx.nsec.test TLSA", None),
    ] {
        let config = ResolverConfig {
            minimisation,
            ..config(Mode::Recursive, &authority)
        };
        let bench = Bench::with(config, crate::world::net(&authority));
        let answer = bench.ask(question).await;
        assert_eq!(summary(&answer), "- data S", "{minimisation:?}: {answer:?}");
        let expected: Vec<Oddity> = zone
            .map(|zone| Oddity::EmptyNonTerminalDenied {
                name: name("_tcp.mx.ent.test"),
                zone: name(zone),
            })
            .into_iter()
            .collect();
        assert_eq!(answer.oddities, expected, "{minimisation:?}");
    }
    // What does not exist is denied rightly.
    let everywhere = ResolverConfig {
        minimisation: Minimisation::Everywhere,
        ..config(Mode::Recursive, &authority)
    };
    let bench = Bench::with(everywhere, crate::world::net(&authority));
    let answer = bench.ask("a.b.nowhere.nsec.test A").await;
    assert_eq!(
        (summary(&answer).as_str(), answer.oddities),
        ("- nxdomain S", vec![])
    );
}

/// When the servers of a parent do not answer DS queries, what came with the referral decides.
#[tokio::test(start_paused = true)]
async fn ds_queries_fail() {
    for act in [Act::Rcode(2), Act::Silence] {
        let mut authority = authority();
        let only_ds = Behaviour::for_types(&[RecordType::Ds], act.clone());
        assert_eq!(authority.misbehave_zone(&name("test"), &only_ds), 1);
        let recursive = Bench::over(Mode::Recursive, &authority);
        for (question, expected) in [
            ("nsec.test DS", "- failed ?"),
            ("mx.nsec.test A", "- data S"),
            ("mx.plain.test A", "- data I"),
            ("nowhere.plain.test A", "- nxdomain I"),
        ] {
            let answer = recursive.ask(question).await;
            assert_eq!(summary(&answer), expected, "{act:?} {question}: {answer:?}");
        }
        // An upstream passes no referrals on: nothing is shown.
        let forward = Bench::over(Mode::Forward, &authority);
        for question in ["mx.nsec.test A", "mx.plain.test A"] {
            let answer = forward.ask(question).await;
            assert_eq!(
                summary(&answer),
                "- failed ?",
                "{act:?} {question}: {answer:?}"
            );
        }
    }
}

/// A host without IPv6: every datagram to such an address is refused at once. What has an IPv4
/// address is reached, what has none is not.
#[tokio::test(start_paused = true)]
async fn no_route_for_ipv6() {
    let honest = authority();
    let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
        if server.is_ipv6() {
            return Reaction::Close;
        }
        honest.respond(server.ip(), transport, query)
    });
    let bench = Bench::with(config(Mode::Recursive, &authority()), net);
    for (question, expected) in [
        ("mx.deadsix.test A", "- data I"),
        ("mx.nsec.test A", "- data S"),
        ("mx.onlysix.test A", "- failed ?"),
    ] {
        let answer = bench.ask(question).await;
        assert_eq!(summary(&answer), expected, "{question}: {answer:?}");
    }
}

/// An "upstream resolver" that does not recurse hands out referrals. They deny nothing, least of
/// all a DS or the records of a mail server.
#[tokio::test(start_paused = true)]
async fn upstream_without_recursion() {
    for mode in [Mode::Forward, Mode::Ad] {
        let honest = authority();
        let root = ROOT_SERVER.parse().expect("address");
        let net = MemoryNet::new(move |_: SocketAddr, transport, query| {
            honest.respond(root, transport, query)
        });
        let bench = Bench::with(config(mode, &authority()), net);
        for question in ["mx.plain.test A", "plain.test MX", "mx.nsec.test A"] {
            let answer = bench.ask(question).await;
            assert_eq!(
                summary(&answer),
                "- failed ?",
                "{mode:?} {question}: {answer:?}"
            );
            let reason = answer.last.status().reason();
            assert!(reason.contains("no recursion"), "{question}: {reason}");
        }
    }
}

/// A lookup that runs out of its own budget half-way leaves no failure behind for others: what
/// it has found out stays, and the next lookup goes on from there.
#[tokio::test(start_paused = true)]
async fn a_spent_budget_is_nobody_elses_failure() {
    let authority = authority();
    for mode in [Mode::Recursive, Mode::Forward] {
        let short = ResolverConfig {
            limits: Limits {
                signatures: 3,
                ..Limits::default()
            },
            ..config(mode, &authority)
        };
        let bench = Bench::with(short, crate::world::net(&authority));
        let mut summaries = Vec::new();
        for _ in 0..3 {
            let answer = bench.ask("mx.nsec.test A").await;
            summaries.push(summary(&answer));
        }
        assert_eq!(summaries[0], "- failed B", "{mode:?}");
        assert_eq!(summaries[2], "- data S", "{mode:?}: {summaries:?}");
    }
}

/// One forged reply is one failure: after the seconds for which a failure is kept the servers
/// are asked again, whatever TTL the forger chose.
#[tokio::test(start_paused = true)]
async fn a_forged_reply_is_not_judged_twice() {
    for (mode, forged) in [
        (Mode::Recursive, "mx.replaced.test A"),
        (Mode::Forward, "nsec.test DS"),
        (Mode::Forward, "nsec.test DNSKEY"),
        (Mode::Forward, "mx.nsec.test A"),
    ] {
        let honest = crate::world::net(&authority());
        let victim = if mode == Mode::Recursive {
            "mx.nsec.test A"
        } else {
            forged
        };
        let left = Mutex::new(1);
        let net = honest.altered(move |query, reply| {
            let hit = question_of(query).is_some_and(|asked| asked.to_string() == victim);
            let mut left = left.lock().expect("no test panics here");
            if hit && *left > 0 {
                *left -= 1;
                // Somewhere in the signature, which stands last before the OPT record.
                let place = reply.len() - 30;
                for octet in &mut reply[place..place + 4] {
                    *octet ^= 0x55;
                }
            }
        });
        let bench = Bench::with(config(mode, &authority()), net);
        let first = bench.ask("mx.nsec.test A").await;
        assert!(
            summary(&first).starts_with("- failed"),
            "{mode:?} {victim}: {first:?}"
        );
        tokio::time::advance(std::time::Duration::from_secs(31)).await;
        let second = bench.ask("mx.nsec.test A").await;
        assert_eq!(
            summary(&second),
            "- data S",
            "{mode:?} {victim}: {second:?}"
        );
    }
}
