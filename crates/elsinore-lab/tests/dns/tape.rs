//! A recording gives the answers again without a network, and nobody gains by changing it.

use crate::net::{MemoryNet, summary};
use crate::world::{Bench, NOW, authority, config, net, question};
use elsinore_dane::answer::Last;
use elsinore_dane::security::Security;
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::FixedClock;
use elsinore_net::resolver::TrustAnchors;
use elsinore_net::resolver::servers_of::{NamedBy, ServerReplyKind};
use elsinore_net::resolver::tape::{Recorder, Recording, TapeEntry, TapeOutcome};
use elsinore_net::resolver::zones::{DenialView, DsStanding, Vouched};
use elsinore_net::resolver::{Explained, Freshness, Mode, Resolver, ResolverConfig, Tape};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;

/// What a check of a domain asks, in a few zones of every kind.
const QUESTIONS: &[&str] = &[
    "nsec.test MX",
    "mx.nsec.test A",
    "mx.nsec.test AAAA",
    "_25._tcp.mx.nsec.test TLSA",
    "_26._tcp.mx.nsec3.test TLSA",
    "alias.nsec.test A",
    "x.wild.nsec3.test A",
    "nowhere.optout.test A",
    "mx.plain.test A",
    "_25._tcp.mx.plain.test TLSA",
    "mx.leaf.opt A",
    "mx.deep.sub.nsec.test A",
    "mx.badsig.test A",
    "_25._tcp.mx.badtlsa.test TLSA",
    "mx.expired.test A",
    "mx.wrongds.test A",
    "mx.nokeys.test A",
    "mx.iter150.test A",
    "mx.servfail.test A",
    "mx.silent.test A",
    "mx.refused.test A",
    "mx.halfdead.test A",
    "mx.glueless.test A",
    "_25._tcp.mx.tlsafail.test TLSA",
    "mx.onlytcp.test A",
    "nowhere.test A",
];

/// A network without servers: nobody may be asked.
fn nobody() -> MemoryNet {
    MemoryNet::new(|server, _, _| panic!("{server} was asked"))
}

fn taped(mode: Mode, tape: Tape) -> ResolverConfig {
    ResolverConfig {
        tape,
        ..config(mode, &authority())
    }
}

async fn answers(resolver: &Resolver) -> Vec<Explained> {
    let questions: Vec<_> = QUESTIONS.iter().map(|text| question(text)).collect();
    let asked = questions
        .iter()
        .map(|question| resolver.explain(question, Freshness::Cached));
    join_all(asked).await
}

async fn recorded(mode: Mode) -> (Vec<Explained>, Vec<TapeEntry>) {
    let recorder = Arc::new(Recorder::default());
    let tape = Tape::Record(Arc::clone(&recorder));
    let bench = Bench::with(taped(mode, tape), net(&authority()));
    let answers = answers(&bench.resolver).await;
    assert_eq!(recorder.left_out(), 0);
    (answers, recorder.entries())
}

fn replaying(mode: Mode, entries: Vec<TapeEntry>) -> Bench {
    let tape = Tape::Replay(Arc::new(Recording::new(entries)));
    Bench::with(taped(mode, tape), nobody())
}

fn told(explained: &Explained) -> (String, String) {
    let answer = &explained.answer;
    let mut records: Vec<String> = explained
        .end
        .iter()
        .flat_map(|end| end.records.iter().chain(&end.proofs))
        .map(|record| {
            format!(
                "{} {:?} {:?}",
                record.owner, record.record_type, record.rdata
            )
        })
        .collect();
    records.sort();
    let status = answer.overall();
    let reason = match &answer.last {
        // Which server was asked last is chance.
        Last::Failed(_) if status.security() == Security::Indeterminate => "",
        _ => status.reason(),
    };
    (
        format!("{} {} {}", answer.question, summary(answer), reason),
        records.join("\n"),
    )
}

#[tokio::test(start_paused = true)]
async fn the_same_answers_without_a_network() {
    for mode in [Mode::Recursive, Mode::Forward] {
        let (live, entries) = recorded(mode).await;
        let bench = replaying(mode, entries);
        let replayed = answers(&bench.resolver).await;
        for (live, replayed) in live.iter().zip(&replayed) {
            assert_eq!(told(live), told(replayed), "{mode:?}");
        }
        assert!(bench.net.take_log().is_empty(), "{mode:?}");
        let secure = |answer: &&Explained| answer.answer.overall().security() == Security::Secure;
        assert!(live.iter().filter(secure).count() > 5, "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_recorded_fails() {
    let (_, entries) = recorded(Mode::Recursive).await;
    let bench = replaying(Mode::Recursive, entries);
    for text in [
        "mx.alg8.test A",
        "nsec.test TXT",
        "_25._tcp.mx.alg8.test TLSA",
    ] {
        let answer = bench.ask(text).await;
        let status = answer.last.status();
        assert!(matches!(answer.last, Last::Failed(_)), "{text}");
        assert!(
            status.reason().contains("not in the recording"),
            "{status:?}"
        );
    }
}

/// The replaying party's clock and anchors decide, not the recording.
#[tokio::test(start_paused = true)]
async fn judged_by_whoever_replays() {
    let (_, entries) = recorded(Mode::Recursive).await;
    let tape = || Tape::Replay(Arc::new(Recording::new(entries.clone())));
    let foreign = TrustAnchors::parse(
        ". DS 1 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    )
    .unwrap();
    for (anchors, now) in [
        (foreign, NOW),
        (
            config(Mode::Recursive, &authority()).anchors,
            UnixTime(NOW.0 + 400 * 86_400),
        ),
    ] {
        let config = ResolverConfig {
            anchors,
            ..taped(Mode::Recursive, tape())
        };
        let resolver =
            Resolver::new(config, Arc::new(nobody()), Arc::new(FixedClock(now))).unwrap();
        for answer in answers(&resolver).await {
            let security = answer.answer.overall().security();
            assert_ne!(security, Security::Secure, "{}", answer.answer.question);
        }
    }
}

/// One octet of one reply changed at a time, and replies left out: nothing that is secure then is
/// anything but what was secure before.
#[tokio::test(start_paused = true)]
async fn changed_replies_prove_nothing_new() {
    let asked = question("_25._tcp.mx.nsec.test TLSA");
    let recorder = Arc::new(Recorder::default());
    let tape = Tape::Record(Arc::clone(&recorder));
    let bench = Bench::with(taped(Mode::Recursive, tape), net(&authority()));
    let live = bench.resolver.explain(&asked, Freshness::Cached).await;
    let entries = recorder.entries();
    let mut changed = 0;
    for (at, entry) in entries.iter().enumerate() {
        let TapeOutcome::Reply(wire) = &entry.outcome else {
            continue;
        };
        for place in (2..wire.len()).step_by(17).map(Some).chain([None]) {
            let mut forged = entries.clone();
            match place {
                Some(place) => {
                    let mut octets = wire.to_vec();
                    octets[place] ^= 0x41;
                    forged[at].outcome = TapeOutcome::Reply(octets.into());
                }
                None => {
                    forged.remove(at);
                }
            }
            let bench = replaying(Mode::Recursive, forged);
            let replayed = bench.resolver.explain(&asked, Freshness::Cached).await;
            let status = replayed.answer.overall();
            if status.security() == Security::Secure {
                assert_eq!(
                    summary(&replayed.answer),
                    summary(&live.answer),
                    "{place:?}"
                );
                let records = |explained: &Explained| match &explained.answer.last {
                    Last::Data(set) => set.records.clone(),
                    other => panic!("{other:?}"),
                };
                assert_eq!(records(&replayed), records(&live));
            } else {
                // Unsigned is what only a parent can show.
                assert_ne!(status.security(), Security::Insecure, "{status:?}");
                changed += 1;
            }
        }
    }
    assert!(changed > 10, "{changed}");
}

#[tokio::test(start_paused = true)]
async fn zones_from_the_root_down() {
    let recorder = Arc::new(Recorder::default());
    let tape = Tape::Record(Arc::clone(&recorder));
    let live = Bench::with(taped(Mode::Recursive, tape), net(&authority()));
    let forward = Bench::new(Mode::Forward);
    for (name, expected) in [
        ("mx.nsec.test", ". secure, test secure, nsec.test secure"),
        (
            "_25._tcp.mx.nsec3.test",
            ". secure, test secure, nsec3.test secure",
        ),
        (
            "mx.plain.test",
            ". secure, test secure, plain.test insecure",
        ),
        ("mx.leaf.opt", ". secure, opt secure, leaf.opt insecure"),
        (
            "mx.badkeys.test",
            ". secure, test secure, badkeys.test bogus",
        ),
        (
            "mx.wrongds.test",
            ". secure, test secure, wrongds.test bogus",
        ),
        (
            "mx.deep.sub.nsec.test",
            ". secure, test secure, nsec.test secure, sub.nsec.test secure, \
             deep.sub.nsec.test secure",
        ),
    ] {
        let zones = live.resolver.zones(&crate::world::name(name)).await;
        let told = |zones: &[elsinore_net::resolver::zones::ZoneView]| {
            let told: Vec<String> = zones
                .iter()
                .map(|zone| format!("{} {}", zone.apex, zone.status.security()))
                .collect();
            told.join(", ")
        };
        assert_eq!(told(&zones), expected, "{name}");
        for zone in zones
            .iter()
            .filter(|z| z.status.security() == Security::Secure)
        {
            let by_anchor = zone.apex.is_root();
            assert!(
                zone.ds.iter().any(|ds| ds.standing == DsStanding::Matches),
                "{zone:?}"
            );
            assert_eq!(zone.ds_signatures.is_empty(), by_anchor);
            assert!(!zone.key_signatures.is_empty());
            let vouched = if by_anchor {
                Vouched::ByAnchor
            } else {
                Vouched::ByDs
            };
            let entry = zone.keys.iter().find(|key| key.vouched == vouched);
            assert!(
                entry.is_some_and(|key| key.signs_keys && key.bits.is_some()),
                "{zone:?}"
            );
            assert!(zone.serial.is_some() && zone.keys_ttl.is_some());
            match zone.apex.as_str() {
                "nsec3.test" | "sub.nsec.test" => {
                    assert!(
                        matches!(zone.denial, Some(DenialView::Nsec3 { .. })),
                        "{zone:?}"
                    );
                }
                "opt" => assert!(
                    matches!(zone.denial, Some(DenialView::Nsec3 { opt_out: true, .. })),
                    "{zone:?}"
                ),
                _ => assert_eq!(zone.denial, Some(DenialView::Nsec), "{}", zone.apex),
            }
        }
        let upstream = forward.resolver.zones(&crate::world::name(name)).await;
        if expected.ends_with(" secure") {
            assert_eq!(told(&upstream), expected, "{name}");
        }
        let replay = replaying(Mode::Recursive, recorder.entries());
        let again = replay.resolver.zones(&crate::world::name(name)).await;
        assert_eq!(told(&again), expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn servers_of_both_sides() {
    let recorder = Arc::new(Recorder::default());
    let tape = Tape::Record(Arc::clone(&recorder));
    let live = Bench::with(taped(Mode::Recursive, tape), net(&authority()));
    for (zone, expected) in [
        ("nsec.test", "ns.nsec.test both 1 glue 1 addresses []"),
        (
            "halfdead.test",
            "dead.halfdead.test parent 1 glue 0 addresses; ns.halfdead.test both",
        ),
        (
            "glueless.test",
            "outside.nsec.test both 0 glue 1 addresses []",
        ),
    ] {
        let name = crate::world::name(zone);
        let servers = live.resolver.zone_servers(&name).await;
        let told: Vec<String> = servers
            .servers
            .iter()
            .map(|server| {
                let by = match server.named_by {
                    NamedBy::Both => "both",
                    NamedBy::Parent => "parent",
                    NamedBy::Zone => "zone",
                };
                let (glue, addresses) = (server.glue.len(), server.addresses.len());
                format!("{} {by} {glue} glue {addresses} addresses", server.name)
            })
            .collect();
        let told = told.join("; ");
        let expected = expected.trim_end_matches(" []");
        assert!(
            told.starts_with(expected),
            "{told}, not {expected}: {servers:?}"
        );
        assert_eq!(servers.parent.as_ref().map(|p| p.as_str()), Some("test"));
        assert!(servers.delegation_ttl.is_some());
        let replay = replaying(Mode::Recursive, recorder.entries());
        assert_eq!(
            replay.resolver.zone_servers(&name).await.servers,
            servers.servers
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_server_at_a_time() {
    let recorder = Arc::new(Recorder::default());
    let tape = Tape::Record(Arc::clone(&recorder));
    let live = Bench::with(taped(Mode::Recursive, tape), net(&authority()));
    let address_of = |zone: &str| {
        let address = crate::world::server_of(zone);
        std::net::SocketAddr::new(address.to_string().parse().unwrap(), 53)
    };
    for (zone, asked, expected) in [
        ("nsec.test", "_25._tcp.mx.nsec.test TLSA", "0 aa records"),
        ("nsec.test", "_tcp.mx.nsec.test A", "0 aa none"),
        ("nsec.test", "nowhere.nsec.test A", "3 aa none"),
        ("nsec.test", "nsec.test SOA", "0 aa records serial 1"),
        ("refused.test", "mx.refused.test A", "5"),
        ("silent.test", "mx.silent.test A", "silent"),
        ("onlytcp.test", "mx.onlytcp.test A", "0 aa records"),
    ] {
        let asked = match asked.split_once(' ') {
            Some((name, "SOA")) => elsinore_dane::answer::Question::new(
                crate::world::name(name),
                elsinore_dane::answer::RecordType::Soa,
            ),
            _ => question(asked),
        };
        let server = address_of(zone);
        let reply = live.resolver.ask_server(server, &asked).await;
        let told = match reply.said() {
            Some(said) => {
                let aa = if said.authoritative { " aa" } else { "" };
                let records = match (said.authoritative, said.answer.is_empty()) {
                    (false, _) => "",
                    (true, true) => " none",
                    (true, false) => " records",
                };
                let serial = said
                    .answer
                    .iter()
                    .any(|record| record.record_type.code() == 6)
                    .then(|| said.serial())
                    .flatten();
                let serial = serial.map_or(String::new(), |serial| format!(" serial {serial}"));
                format!("{}{aa}{records}{serial}", said.rcode)
            }
            None => "silent".to_owned(),
        };
        assert_eq!(told, expected, "{asked}: {reply:?}");
        let replay = replaying(Mode::Recursive, recorder.entries());
        let again = replay.resolver.ask_server(server, &asked).await;
        assert_eq!(
            (&again.udp, &again.tcp),
            (&reply.udp, &reply.tcp),
            "{asked}"
        );
        let other = replay
            .resolver
            .ask_server(server, &question("elsewhere.test A"))
            .await;
        assert_eq!(other.udp, ServerReplyKind::NotRecorded);
    }
    let private = "10.0.0.1:53".parse().unwrap();
    let reply = live
        .resolver
        .ask_server(private, &question("nsec.test MX"))
        .await;
    assert_eq!(reply.udp, ServerReplyKind::NotContacted);
    assert_eq!(reply.elapsed, Duration::ZERO);
}
