//! Forgeries: a server or somebody on the path sends what nobody signed. In a signed zone every
//! one of them must end as a failure; none may pass as data, as an absence or as insecurity.

use crate::net::{MemoryNet, question_of, summary};
use crate::world::{Bench, UPSTREAM, authority, config, name, question};
use elsinore_dane::answer::{Answer, Last, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Security;
use elsinore_lab::authority::{
    Act, Attack, Authority, Behaviour, ForwardMode, Forwarder, Names, Reaction, When,
};
use elsinore_net::resolver::Mode;
use std::net::SocketAddr;
use std::sync::Arc;

/// Questions in signed zones, one for each way of proving absence.
const TARGETS: &[&str] = &[
    "_25._tcp.mx.nsec.test TLSA",
    "_25._tcp.mx.nsec3.test TLSA",
    "_25._tcp.mx.safe.opt TLSA",
    "mx.nsec.test A",
    "nsec3.test MX",
    "alias.nsec.test A",
    "x.wild.nsec.test A",
];

fn attacks() -> Vec<(&'static str, Attack)> {
    let plain = || name("plain.test");
    let a = || "A 192.0.2.66\nTLSA 3 1 1 00\nMX 5 mx.plain.test.".to_owned();
    vec![
        ("a", Attack::NoDataForeignSoa(plain())),
        ("b", Attack::BareNxDomain),
        ("c", Attack::NxDomainForeignSoa(plain())),
        ("d", Attack::NoDataForeignNs(plain())),
        ("e", Attack::NoDataWithoutProof),
        ("f", Attack::UnsignedCname(name("mx.plain.test"))),
        ("g", Attack::UnsignedData(a())),
        ("h", Attack::EmptyNoError),
        ("i", Attack::NxDomainWithoutProof),
        ("j", Attack::UnprovenReferral(name("ns.plain.test"))),
        ("k", Attack::UnsignedDataForeignNs(a(), plain())),
        ("l", Attack::NoDataApexReplay),
        ("m", Attack::NxDomainApexReplay),
        ("n", Attack::WildcardReplay),
        ("p", Attack::NoDataChildSoa(name("plain.test"))),
    ]
}

/// Zones that are shown unsigned, each in another way: by NSEC, under opt-out, below an unsigned
/// zone, as a signed island there, and as children of the very zone that is attacked.
const INSECURE_ZONES: &[&str] = &[
    "leaf.opt",
    "plain",
    "leaf.plain",
    "island.plain",
    "cut.walias.nsec.test",
    "cut.walias.nsec3.test",
];

/// The questions to which these are tried.
const INSECURE_TARGETS: &[&str] = &["_25._tcp.mx.nsec.test TLSA", "_25._tcp.mx.nsec3.test TLSA"];

/// The attacks that lean on an insecure zone, with every such zone there is.
fn insecure_attacks() -> Vec<(&'static str, Attack)> {
    let data = || "A 192.0.2.66\nTLSA 3 1 1 00\nMX 5 mx.plain.test.".to_owned();
    INSECURE_ZONES
        .iter()
        .flat_map(|zone| {
            let zone = || name(zone);
            [
                ("a", Attack::NoDataForeignSoa(zone())),
                ("c", Attack::NxDomainForeignSoa(zone())),
                ("d", Attack::NoDataForeignNs(zone())),
                ("k", Attack::UnsignedDataForeignNs(data(), zone())),
                ("p", Attack::NoDataChildSoa(zone())),
            ]
        })
        .collect()
}

/// The world with one question answered by a forger, at its zone's own servers.
fn dishonest_server(attack: &Attack, target: &Question) -> Authority {
    let mut authority = authority();
    let apex = authority.tree().zone_of_name(&target.name);
    let when = When::always().of_names(Names::Exactly(target.name.clone()));
    let forgery = Behaviour::new(
        when.of_types(&[target.record_type]),
        Act::Forge(attack.clone()),
    );
    assert!(authority.misbehave_zone(&apex, &forgery) > 0, "{apex}");
    authority
}

/// A network in which the upstream resolver is honest but somebody sits on the way to it.
fn dishonest_path(attack: &Attack, target: &Question) -> MemoryNet {
    let honest = Arc::new(authority());
    let forwarder = Forwarder::new(Arc::clone(&honest), ForwardMode::Oblivious);
    let forger = dishonest_server(attack, target);
    let apex = honest.tree().zone_of_name(&target.name);
    let server = forger
        .addresses()
        .find(|address| crate::world::serves(&apex, *address))
        .expect("a server of the zone");
    let target = target.clone();
    MemoryNet::new(move |peer: SocketAddr, transport, query| {
        assert_eq!(peer.to_string(), UPSTREAM);
        if question_of(query).as_ref() == Some(&target) {
            // A forger passes for a resolver: RA is set.
            match forger.respond(server, transport, query) {
                Reaction::Reply(mut reply) => {
                    reply[3] |= 0x80;
                    Reaction::Reply(reply)
                }
                other => other,
            }
        } else {
            forwarder.respond(transport, query)
        }
    })
}

/// The end of the answer is a failure, or it is what is true anyway.
fn refused(forged: &Answer, honest: &Answer) -> bool {
    match &forged.last {
        Last::Failed(_) => true,
        _ => forged.last == honest.last && forged.chain == honest.chain,
    }
}

async fn run(mode: Mode) {
    let honest = Bench::new(mode);
    let mut wrong = Vec::new();
    let mut refusals = 0;
    for text in TARGETS {
        let target = question(text);
        let truth = honest.ask(text).await;
        assert_eq!(
            truth.overall().security(),
            Security::Secure,
            "{text}: {truth:?}"
        );
        let mut all = attacks();
        if INSECURE_TARGETS.contains(text) {
            all.extend(insecure_attacks());
        }
        for (letter, attack) in all {
            let bench = match mode {
                Mode::Recursive => Bench::over(mode, &dishonest_server(&attack, &target)),
                _ => Bench::with(config(mode, &authority()), dishonest_path(&attack, &target)),
            };
            let answer = bench.ask(text).await;
            refusals += usize::from(matches!(answer.last, Last::Failed(_)));
            if !refused(&answer, &truth) {
                wrong.push(format!(
                    "{letter} on {text}: {}: {answer:?}",
                    summary(&answer)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{mode:?}\n{}", wrong.join("\n"));
    // Nearly every forgery shows as a failure; a few contain the truth.
    assert!(refusals > 145, "{refusals}");
}

#[tokio::test(start_paused = true)]
async fn recursive() {
    run(Mode::Recursive).await;
}

#[tokio::test(start_paused = true)]
async fn forward() {
    run(Mode::Forward).await;
}

/// *o*: the parent's NSEC or NSEC3 of a delegation denies nothing but DS (RFC 6840 §4.1).
#[tokio::test(start_paused = true)]
async fn parent_denial_replayed() {
    for mode in [Mode::Recursive, Mode::Forward] {
        for text in [
            "mx.nsec.test A",
            "nsec.test MX",
            "mx.safe.opt A",
            "safe.opt MX",
        ] {
            let target = question(text);
            let attack = Attack::ParentDenialReplay;
            let bench = match mode {
                Mode::Recursive => Bench::over(mode, &dishonest_server(&attack, &target)),
                _ => Bench::with(config(mode, &authority()), dishonest_path(&attack, &target)),
            };
            let answer = bench.ask(text).await;
            assert_eq!(
                summary(&answer),
                "- failed B",
                "{mode:?} {text}: {answer:?}"
            );
        }
    }
}

/// *n*: a wildcard's records under a name that exists.
#[tokio::test(start_paused = true)]
async fn wildcard_replayed_over_an_existing_name() {
    for text in [
        "here.wild.nsec.test A",
        "here.wild.nsec3.test A",
        "here.wild.nsec.test MX",
    ] {
        let target = question(text);
        for mode in [Mode::Recursive, Mode::Forward] {
            let attack = Attack::WildcardReplay;
            let bench = match mode {
                Mode::Recursive => Bench::over(mode, &dishonest_server(&attack, &target)),
                _ => Bench::with(config(mode, &authority()), dishonest_path(&attack, &target)),
            };
            let answer = bench.ask(text).await;
            assert_eq!(
                summary(&answer),
                "- failed B",
                "{mode:?} {text}: {answer:?}"
            );
        }
    }
}

/// Somebody answers the questions of the chain of trust itself.
#[tokio::test(start_paused = true)]
async fn chain_of_trust_forged() {
    let rdata = "DS 1 13 2 00000000000000000000000000000000000000000000000000000000000000ff";
    let key = "DNSKEY 257 3 13 oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZeqCYKD5ar0IRd8KqXXFJkqmVfRvMGPmM1x8fGAa2XhSA==";
    for (forged, attack) in [
        ("nsec.test DS", Attack::UnsignedData(rdata.to_owned())),
        ("nsec.test DS", Attack::EmptyNoError),
        ("nsec.test DS", Attack::BareNxDomain),
        ("nsec.test DS", Attack::NoDataForeignSoa(name("plain.test"))),
        ("nsec.test DS", Attack::NoDataWithoutProof),
        ("nsec.test DS", Attack::NoDataApexReplay),
        ("nsec.test DS", Attack::UnsignedCname(name("mx.plain.test"))),
        ("test DS", Attack::EmptyNoError),
        ("test DS", Attack::NoDataApexReplay),
        ("nsec.test DNSKEY", Attack::UnsignedData(key.to_owned())),
        ("nsec.test DNSKEY", Attack::EmptyNoError),
        (". DNSKEY", Attack::EmptyNoError),
    ] {
        let path = dishonest_path(&attack, &question(forged));
        let bench = Bench::with(config(Mode::Forward, &authority()), path);
        for text in ["mx.nsec.test A", "_25._tcp.ns.nsec.test TLSA"] {
            let answer = bench.ask(text).await;
            assert_eq!(
                summary(&answer),
                "- failed B",
                "{forged} {attack:?} {text}: {answer:?}"
            );
        }
    }
}

/// A wildcard alias replayed over a delegation, in place of its DS or the denial of it: it shows
/// no absence of a cut without the proof that the name does not exist (RFC 4035 §5.3.4).
#[tokio::test(start_paused = true)]
async fn wildcard_replayed_over_a_delegation() {
    for apex in ["nsec.test", "nsec3.test"] {
        let forwarder = Forwarder::new(Arc::new(authority()), ForwardMode::Oblivious);
        let target = question(&format!("cut.walias.{apex} DS"));
        let net = MemoryNet::new(move |_: SocketAddr, transport, query| {
            if question_of(query).as_ref() != Some(&target) {
                return forwarder.respond(transport, query);
            }
            // What is true of `cuz.walias` is sent under the name `cut.walias`.
            let mut other = query.to_vec();
            other[15] = b'z';
            match forwarder.respond(transport, &other) {
                Reaction::Reply(mut reply) => {
                    reply[15] = query[15];
                    Reaction::Reply(reply)
                }
                other => other,
            }
        });
        let bench = Bench::with(config(Mode::Forward, &authority()), net);
        let answer = bench.ask(&format!("ns.cut.walias.{apex} A")).await;
        assert_eq!(summary(&answer), "- failed B", "{apex}: {answer:?}");
        let reason = answer.last.status().reason();
        assert!(reason.contains("wildcard answer, and no NSEC"), "{reason}");
    }
}

/// What a zone's own parent signs about it cannot be outdone by the child: a referral with the DS
/// taken out leads to the DS question, not to insecurity.
#[tokio::test(start_paused = true)]
async fn referral_without_ds() {
    let honest = authority();
    let net = MemoryNet::new(move |server: SocketAddr, transport, query| {
        let asked = question_of(query);
        let reaction = honest.respond(server.ip(), transport, query);
        let strips = server.ip().to_string() == crate::world::TEST_SERVER
            && asked.is_some_and(|question| question.record_type != RecordType::Ds);
        match reaction {
            Reaction::Reply(reply) if strips => Reaction::Reply(without_authority_security(&reply)),
            other => other,
        }
    });
    let bench = Bench::with(config(Mode::Recursive, &authority()), net);
    for (text, expected) in [
        ("mx.nsec.test A", "- data S"),
        ("mx.plain.test A", "- data I"),
    ] {
        let answer = bench.ask(text).await;
        assert_eq!(summary(&answer), expected, "{text}: {answer:?}");
    }
}

type Flat<'a> = domain::base::Record<
    domain::base::ParsedName<&'a [u8]>,
    domain::rdata::AllRecordData<&'a [u8], domain::base::ParsedName<&'a [u8]>>,
>;

fn flat<'a>(record: domain::base::ParsedRecord<'a, Vec<u8>>) -> Flat<'a> {
    record.into_any_record().expect("a record")
}

/// Takes DS, NSEC, NSEC3 and RRSIG out of the authority section.
fn without_authority_security(reply: &[u8]) -> Vec<u8> {
    use domain::base::iana::Rtype;
    use domain::base::{Message, MessageBuilder};
    let message = Message::from_octets(reply.to_vec()).expect("a reply");
    let mut builder = MessageBuilder::new_vec();
    *builder.header_mut() = message.header();
    let mut questions = builder.question();
    for question in message.question() {
        questions.push(question.expect("a question")).expect("room");
    }
    let mut answer = questions.answer();
    for record in message.answer().expect("answer") {
        answer.push(flat(record.expect("a record"))).expect("room");
    }
    let mut authority = answer.authority();
    for record in message.authority().expect("authority") {
        let record = record.expect("a record");
        let secures = matches!(
            record.rtype(),
            Rtype::DS | Rtype::NSEC | Rtype::NSEC3 | Rtype::RRSIG
        );
        if !secures {
            authority.push(flat(record)).expect("room");
        }
    }
    let mut additional = authority.additional();
    for record in message.additional().expect("additional") {
        let record = record.expect("a record");
        if record.rtype() != Rtype::OPT {
            additional.push(flat(record)).expect("room");
        }
    }
    additional.finish()
}

/// The apex of the zone that holds a name.
trait ZoneOf {
    fn zone_of_name(&self, name: &DomainName) -> DomainName;
}

impl ZoneOf for elsinore_lab::sign::SignedTree {
    fn zone_of_name(&self, name: &DomainName) -> DomainName {
        let mut apex = name.clone();
        while self.zone(&apex, 0).is_none() {
            apex = apex.parent().expect("the root is a zone");
        }
        apex
    }
}
