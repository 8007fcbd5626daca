//! Mode *ad*: the AD bit of a resolver on loopback, and the zone-status questions of rule 5.

use crate::net::{MemoryNet, question_of, summary};
use crate::world::{Bench, authority, config, name, net, question};
use elsinore_dane::answer::RecordType;
use elsinore_dane::security::Security;
use elsinore_lab::authority::{Act, Behaviour, ForwardMode, Forwarder, Names, Reaction, When};
use elsinore_net::resolver::Mode;
use std::net::SocketAddr;
use std::sync::Arc;

#[tokio::test(start_paused = true)]
//= spec-test: 7672-2.1.1-5
async fn one_bit() {
    let bench = Bench::new(Mode::Ad);
    for (question, expected) in [
        ("mx.nsec.test A", "- data S"),
        ("_25._tcp.mx.nsec3.test TLSA", "- data S"),
        ("mx.plain.test A", "- data I"),
        ("mx.leaf.opt A", "- data I"),
        ("nowhere.nsec.test A", "- nxdomain S"),
        ("mx.nsec.test TXT", "- nodata S"),
        ("nowhere.plain.test A", "- nxdomain I"),
        ("nowhere.optout.test A", "- nxdomain I"),
        ("alias.nsec.test A", "S data S"),
        ("twice.nsec.test A", "SS data S"),
        // The bit covers the whole chain; the first link is judged by its zone or by itself.
        ("toplain.nsec.test A", "S data I"),
        ("tonsec.plain.test A", "I data I"),
        // A validator that rejects says so; one that reaches nobody does not.
        ("a.badsig.test A", "- failed B"),
        ("mx.silent.test A", "- failed ?"),
        ("tobogus.nsec.test A", "- failed B"),
    ] {
        let answer = bench.ask(question).await;
        assert_eq!(summary(&answer), expected, "{question}: {answer:?}");
    }
}

/// An unsigned zone whose servers know nothing of CNAME queries: its parent, by NSEC or under
/// opt-out, shows it unsigned, and that is enough.
#[tokio::test(start_paused = true)]
async fn inconsistent_alias_in_an_unsigned_zone() {
    for apex in ["plain.test", "leaf.opt", "leaf.plain"] {
        for act in [
            Act::NoData,
            Act::NxDomain,
            Act::Rcode(4),
            Act::Rcode(2),
            Act::Silence,
        ] {
            for types in [
                &[RecordType::Cname][..],
                &[RecordType::Cname, RecordType::Ds, RecordType::Tlsa][..],
            ] {
                let mut authority = authority();
                authority.misbehave_zone(&name(apex), &Behaviour::for_types(types, act.clone()));
                let bench = Bench::over(Mode::Ad, &authority);
                let answer = bench.ask(&format!("alias.{apex} A")).await;
                assert_eq!(
                    summary(&answer),
                    "I data I",
                    "{apex} {act:?} {types:?}: {answer:?}"
                );
                let asked_cname = bench
                    .net
                    .take_log()
                    .iter()
                    .any(|line| line.contains("CNAME"));
                assert!(!asked_cname, "{apex}: the zone's status decides");
            }
        }
    }
}

/// The same behaviour in a signed zone is not believed: an attacker who strips the alias or makes
/// its query fail gets a failure, never an insecure first link.
#[tokio::test(start_paused = true)]
async fn failing_alias_in_a_signed_zone() {
    for act in [
        Act::NoData,
        Act::NxDomain,
        Act::Rcode(4),
        Act::Rcode(2),
        Act::Silence,
    ] {
        let mut authority = authority();
        let when = When::always()
            .of_types(&[RecordType::Cname])
            .of_names(Names::Exactly(name("toplain.nsec.test")));
        authority.misbehave_zone(&name("nsec.test"), &Behaviour::new(when, act.clone()));
        let bench = Bench::over(Mode::Ad, &authority);
        let answer = bench.ask("toplain.nsec.test A").await;
        let first = answer.chain[0].status.security();
        assert!(first > Security::Insecure, "{act:?}: {answer:?}");
    }
}

/// An error proves nothing: whoever makes the zone-status questions of a signed zone fail, and the
/// alias with them, gets a failure. With the zone's status hidden alone, the alias decides.
#[tokio::test(start_paused = true)]
async fn errors_prove_nothing() {
    let honest = Arc::new(authority());
    for rcode in [1, 2, 4, 5] {
        for (fails, expected) in [
            (&[RecordType::Ds][..], "S data I"),
            (&[RecordType::Cname][..], "? data I"),
            (&[RecordType::Ds, RecordType::Cname][..], "? data I"),
        ] {
            let forwarder = Forwarder::new(Arc::clone(&honest), ForwardMode::Validating);
            let net = MemoryNet::new(move |_: SocketAddr, transport, query| {
                let asked = question_of(query).map(|question| question.record_type);
                if asked.is_some_and(|asked| fails.contains(&asked)) {
                    let mut reply = query.to_vec();
                    reply[2] |= 0x80;
                    reply[3] = 0x80 | rcode;
                    return Reaction::Reply(reply);
                }
                forwarder.respond(transport, query)
            });
            let bench = Bench::with(config(Mode::Ad, &honest), net);
            let answer = bench.ask("toplain.nsec.test A").await;
            assert_eq!(
                summary(&answer),
                expected,
                "rcode {rcode} {fails:?}: {answer:?}"
            );
        }
    }
}

/// The denials of an opt-out parent carry no AD bit, and still show the zone unsigned; a signed
/// zone below the same parent has its DS, and an alias that fails there is a failure.
#[tokio::test(start_paused = true)]
async fn below_an_opt_out_parent() {
    for (apex, expected) in [("leaf.opt", "I data I"), ("safe.opt", "? data I")] {
        let mut authority = authority();
        let act = Behaviour::for_types(&[RecordType::Cname], Act::Rcode(2));
        authority.misbehave_zone(&name(apex), &act);
        let bench = Bench::over(Mode::Ad, &authority);
        let denial = bench.ask("leaf.opt DS").await;
        assert_eq!(summary(&denial), "- nodata I", "{denial:?}");
        let answer = bench.ask(&format!("toplain.{apex} A")).await;
        assert_eq!(summary(&answer), expected, "{apex}: {answer:?}");
    }
}

/// When not even DS queries work, the alias itself decides, and its failure is a failure.
#[tokio::test(start_paused = true)]
async fn nothing_shown() {
    let honest = Arc::new(authority());
    let upstream = |fails: &'static [RecordType]| {
        let forwarder = Forwarder::new(Arc::clone(&honest), ForwardMode::Validating);
        MemoryNet::new(move |_: SocketAddr, transport, query| {
            let asked = question_of(query).map(|question| question.record_type);
            if asked.is_some_and(|asked| fails.contains(&asked)) {
                return Reaction::Silence;
            }
            forwarder.respond(transport, query)
        })
    };
    for (fails, expected) in [
        (&[RecordType::Ds][..], "I data I"),
        (&[RecordType::Ds, RecordType::Cname][..], "? data I"),
    ] {
        let bench = Bench::with(config(Mode::Ad, &honest), upstream(fails));
        let answer = bench.ask("alias.plain.test A").await;
        assert_eq!(summary(&answer), expected, "{fails:?}: {answer:?}");
    }
}

/// Under a negative trust anchor the first link needs no question: it is insecure.
#[tokio::test(start_paused = true)]
async fn alias_under_a_negative_trust_anchor() {
    let honest = Arc::new(authority());
    let forwarder = Forwarder::new(Arc::clone(&honest), ForwardMode::Validating);
    let net = MemoryNet::new(move |_: SocketAddr, transport, query| {
        let asked = question_of(query).map(|question| question.record_type);
        if matches!(asked, Some(RecordType::Ds | RecordType::Cname)) {
            return Reaction::Silence;
        }
        forwarder.respond(transport, query)
    });
    let mut with_nta = config(Mode::Ad, &honest);
    with_nta.negative_anchors = vec![name("nsec.test")];
    let bench = Bench::with(with_nta, net);
    for question in ["alias.nsec.test A", "toplain.nsec.test A"] {
        let answer = bench.ask(question).await;
        assert_eq!(
            answer.chain[0].status.security(),
            Security::Insecure,
            "{answer:?}"
        );
    }
}

/// A negative trust anchor takes the AD bit back.
#[tokio::test(start_paused = true)]
async fn negative_trust_anchor() {
    let authority = authority();
    let mut with_nta = config(Mode::Ad, &authority);
    with_nta.negative_anchors = vec![name("nsec.test")];
    let bench = Bench::with(with_nta, net(&authority));
    assert_eq!(summary(&bench.ask("mx.nsec.test A").await), "- data I");
    assert_eq!(summary(&bench.ask("mx.nsec3.test A").await), "- data S");
    assert!(
        question("mx.nsec.test A")
            .name
            .is_at_or_below(&name("nsec.test"))
    );
}
