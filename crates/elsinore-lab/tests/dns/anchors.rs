//! Trust that starts, and stops, at any name: islands, nested anchors, negative anchors.

use crate::net::{question_of, summary};
use crate::world::{Bench, authority, config, name, net};
use elsinore_dane::answer::{Last, RecordData};
use elsinore_net::resolver::{Mode, ResolverConfig, TrustAnchors};

/// The DNSKEY records of a zone that are marked as entry points, as anchors.
async fn keys_of(zone: &str) -> String {
    let answer = Bench::new(Mode::Recursive)
        .ask(&format!("{zone} DNSKEY"))
        .await;
    let Last::Data(set) = &answer.last else {
        panic!("{answer:?}");
    };
    let keys = set.records.iter().filter_map(|record| match record {
        RecordData::Other(text) if text.starts_with("257 ") => Some(text),
        _ => None,
    });
    keys.map(|key| format!("{zone}. IN DNSKEY {key}\n"))
        .collect()
}

/// What is anchored, what is exempt, a question, and what comes of it.
const CASES: &[(&[&str], &[&str], &str, &str)] = &[
    // An island: nothing else is signed as far as anybody knows.
    (&["nsec.test"], &[], "mx.nsec.test A", "- data S"),
    (&["nsec.test"], &[], "nowhere.nsec.test A", "- nxdomain S"),
    (&["nsec.test"], &[], "sub.nsec.test SOA", "- data S"),
    (&["nsec.test"], &[], "mx.nsec3.test A", "- data I"),
    (&["nsec.test"], &[], "nowhere.nsec3.test A", "- nxdomain I"),
    (&["nsec.test"], &[], "mx.badkeys.test A", "- data I"),
    (&["nsec.test"], &[], "mx.plain.test A", "- data I"),
    // The DS of an island lies above it, under no anchor.
    (&["nsec.test"], &[], "nsec.test DS", "- data I"),
    (&["nsec.test"], &[], "sub.nsec.test DS", "- data S"),
    // What ought to validate in an island does not.
    (&["badkeys.test"], &[], "mx.badkeys.test A", "- failed B"),
    (&["sub.nsec.test"], &[], "sub.nsec.test SOA", "- data S"),
    (&["sub.nsec.test"], &[], "mx.nsec.test A", "- data I"),
    // Nested anchors.
    (&[".", "nsec.test"], &[], "mx.nsec.test A", "- data S"),
    (&[".", "nsec.test"], &[], "mx.nsec3.test A", "- data S"),
    (&[".", "nsec.test"], &[], "nsec.test DS", "- data S"),
    // Negative anchors above, at and below an anchor: the deeper one decides.
    (&[".", "nsec.test"], &["test"], "mx.nsec.test A", "- data S"),
    (
        &[".", "nsec.test"],
        &["test"],
        "mx.nsec3.test A",
        "- data I",
    ),
    (
        &[".", "nsec.test"],
        &["nsec.test"],
        "mx.nsec.test A",
        "- data I",
    ),
    (
        &[".", "nsec.test"],
        &["sub.nsec.test"],
        "sub.nsec.test SOA",
        "- data I",
    ),
    (
        &[".", "nsec.test"],
        &["sub.nsec.test"],
        "mx.nsec.test A",
        "- data S",
    ),
    (&["."], &["."], "mx.nsec.test A", "- data I"),
];

#[tokio::test(start_paused = true)]
async fn where_trust_starts() {
    let authority = authority();
    let root = authority.tree().trust_anchor();
    for (zones, negative, question, expected) in CASES {
        let mut text = String::new();
        for zone in *zones {
            text += &match *zone {
                "." => root.clone(),
                // Another key than those that the zone publishes.
                "badkeys.test" => root.replacen('.', "badkeys.test.", 1),
                zone => keys_of(zone).await,
            };
        }
        for mode in [Mode::Recursive, Mode::Forward] {
            let config = ResolverConfig {
                anchors: TrustAnchors::parse(&text).expect("anchors"),
                negative_anchors: negative.iter().map(|text| name(text)).collect(),
                ..config(mode, &authority)
            };
            let answer = Bench::with(config, net(&authority)).ask(question).await;
            let context = format!("{mode:?} {zones:?} {negative:?} {question}: {answer:?}");
            assert_eq!(summary(&answer), *expected, "{context}");
            let reason = answer.last.status().reason();
            if *expected == "- data I" && *zones == ["nsec.test"] {
                assert_eq!(reason, "under no trust anchor", "{context}");
            }
        }
    }
}

/// Somebody above an island denies what is in it, or hands it out unsigned: bogus, whatever the
/// zones above are worth, for they are not asked.
#[tokio::test(start_paused = true)]
async fn an_island_is_not_argued_away() {
    let authority = authority();
    let text = keys_of("nsec.test").await;
    for mode in [Mode::Recursive, Mode::Forward] {
        // Every signature is taken off the answers to one question.
        let stripped = net(&authority).altered(|query, reply| {
            let victim =
                question_of(query).is_some_and(|asked| asked.to_string() == "mx.nsec.test A");
            if victim && let Some(at) = rrsig_type(reply) {
                reply[at] = 0xff;
            }
        });
        let config = ResolverConfig {
            anchors: TrustAnchors::parse(&text).expect("anchors"),
            ..config(mode, &authority)
        };
        let answer = Bench::with(config, stripped).ask("mx.nsec.test A").await;
        assert_eq!(summary(&answer), "- failed B", "{mode:?}: {answer:?}");
    }
}

/// Where the type of the first RRSIG over A stands, as `type class … covered`.
fn rrsig_type(reply: &[u8]) -> Option<usize> {
    reply
        .windows(12)
        .position(|octets| matches!(octets, [0, 46, 0, 1, _, _, _, _, _, _, 0, 1]))
}

/// Anchors of an algorithm nobody knows: the zone is unsigned as far as anybody can tell.
#[tokio::test(start_paused = true)]
async fn anchors_of_unknown_kinds() {
    let authority = authority();
    let root = authority.tree().trust_anchor();
    let odd = format!(
        "nsec.test. DS 1 208 2 {}\nnsec3.test. DS 1 13 99 00\n",
        "00".repeat(32)
    );
    for (text, question, expected, part) in [
        (
            odd.clone(),
            "mx.nsec.test A",
            "- data I",
            "unknown algorithms or digest types",
        ),
        (
            odd.clone(),
            "mx.nsec3.test A",
            "- data I",
            "unknown algorithms or digest types",
        ),
        // They do not stand in the way of an anchor above them.
        (
            format!("{root}{odd}"),
            "mx.nsec.test A",
            "- data S",
            "signed by nsec.test",
        ),
        (
            format!("{root}{odd}"),
            "mx.badkeys.test A",
            "- failed B",
            "",
        ),
    ] {
        let config = ResolverConfig {
            anchors: TrustAnchors::parse(&text).expect("anchors"),
            ..config(Mode::Recursive, &authority)
        };
        let answer = Bench::with(config, net(&authority)).ask(question).await;
        assert_eq!(summary(&answer), expected, "{question}: {answer:?}");
        let reason = answer.last.status().reason();
        assert!(reason.contains(part), "{question}: {reason}");
    }
}
