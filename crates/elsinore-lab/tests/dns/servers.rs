//! Servers that fail, each in its own way.

use crate::net::summary;
use crate::world::{Bench, name, server_of};
use elsinore_dane::answer::RecordType;
use elsinore_lab::authority::{Act, Authority, Behaviour, Names, Transport, When};
use elsinore_net::resolver::Mode;

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

/// When the servers of a parent do not answer DS queries, what came with the referral decides.
#[tokio::test(start_paused = true)]
async fn ds_queries_fail() {
    let mut authority = crate::world::authority();
    let act = Behaviour::for_types(&[RecordType::Ds], Act::Rcode(2));
    assert_eq!(authority.misbehave_zone(&name("test"), &act), 1);
    let recursive = Bench::over(Mode::Recursive, &authority);
    for (question, expected) in [
        ("mx.nsec.test A", "- data S"),
        ("mx.plain.test A", "- data I"),
        ("nowhere.plain.test A", "- nxdomain I"),
    ] {
        let answer = recursive.ask(question).await;
        assert_eq!(summary(&answer), expected, "{question}: {answer:?}");
    }
    // An upstream passes no referrals on: nothing is shown.
    let forward = Bench::over(Mode::Forward, &authority);
    for question in ["mx.nsec.test A", "mx.plain.test A"] {
        let answer = forward.ask(question).await;
        assert_eq!(summary(&answer), "- failed ?", "{question}: {answer:?}");
    }
}
