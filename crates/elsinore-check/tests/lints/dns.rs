//! Lookups, name servers, zones.

use crate::scene::{Row, fail, hold};
use elsinore_check::lint::catalogue::{dns, zone};
use elsinore_check::report::{AliasLink, AnswerKind, Delegation, NameServer, Proofs, Security};
use elsinore_net::doctor::triage::{Blame, OwnTrouble};

pub(crate) const ROWS: &[Row] = &[
    (
        &dns::TLSA_UNANSWERED,
        |scene| {
            fail(scene.tlsa_lookup(), Security::Indeterminate);
        },
        // Our own DNS is out of order: nothing is held against them.
        |scene| {
            fail(scene.tlsa_lookup(), Security::Indeterminate);
            scene.sighting.blame = Blame::Ours(OwnTrouble::NoAnswers);
        },
    ),
    (
        &dns::TLSA_UNANSWERED,
        // Whose fault it is was not found out, and one server refused to our face.
        |scene| {
            fail(scene.tlsa_lookup(), Security::Indeterminate);
            scene.sighting.blame = Blame::Unknown;
            scene.ask("_25._tcp.mx1.example.org", "TLSA", ["REFUSED", "timeout"]);
        },
        |scene| {
            fail(scene.tlsa_lookup(), Security::Indeterminate);
            scene.sighting.blame = Blame::Unknown;
            scene.ask("_25._tcp.mx1.example.org", "TLSA", ["timeout", "timeout"]);
        },
    ),
    (
        &dns::TLSA_DENIAL_BOGUS,
        |scene| fail(scene.tlsa_lookup(), Security::Bogus),
        |scene| {
            fail(scene.tlsa_lookup(), Security::Bogus);
            scene.tlsa_lookup().evidence =
                vec!["_25._tcp.mx1.example.org. 3600 IN TLSA 3 1 1 00".to_owned()];
        },
    ),
    (
        &dns::LOOKUP_UNANSWERED,
        |scene| {
            fail(
                scene.lookup("mx1.example.org", "A"),
                Security::Indeterminate,
            )
        },
        |scene| scene.lookup("mx1.example.org", "A").kind = AnswerKind::NoData,
    ),
    (
        &dns::NAME_ABOVE_TLSA_DENIED,
        |scene| scene.ask("_tcp.mx1.example.org", "A", ["NOERROR", "NXDOMAIN"]),
        // Where there are no records below, the denial is right.
        |scene| {
            scene.ask("_tcp.mx1.example.org", "A", ["NXDOMAIN", "NXDOMAIN"]);
            scene.tlsa_lookup().kind = AnswerKind::NxDomain;
        },
    ),
    (
        &dns::SERVERS_DIFFER,
        |scene| {
            scene.ask("example.org", "MX", ["NOERROR", "NOERROR"]);
            scene.server(1).answers[1].differs = Some("lacks a record".to_owned());
        },
        |scene| scene.ask("example.org", "MX", ["NOERROR", "NOERROR"]),
    ),
    (
        &dns::SERIALS_DIFFER,
        |scene| scene.server(1).answers[0].differs = Some("an older serial".to_owned()),
        |scene| {
            scene.ask("example.org", "MX", ["NOERROR", "NOERROR"]);
            scene.server(1).answers[1].differs = Some("lacks a record".to_owned());
        },
    ),
    (
        &dns::SERVER_FAILS,
        |scene| scene.ask("example.org", "MX", ["NOERROR", "REFUSED"]),
        // Silence is no refusal.
        |scene| scene.ask("example.org", "MX", ["NOERROR", "timeout"]),
    ),
    (
        &dns::SERVER_FAILS,
        // It answers, and not as a server of the zone.
        |scene| {
            scene.ask("example.org", "MX", ["NOERROR", "NOERROR"]);
            scene.server(1).answers[1].authoritative = false;
        },
        |scene| scene.ask("example.org", "MX", ["NOERROR", "not contacted"]),
    ),
    (
        &dns::SERVER_SILENT,
        |scene| scene.ask("example.org", "MX", ["NOERROR", "timeout"]),
        // Without IPv6 of our own no IPv6 address can be said to be silent.
        |scene| {
            scene.ask("example.org", "MX", ["NOERROR", "timeout"]);
            scene.server(1).answers[1].address = "2001:db8::53".to_owned();
        },
    ),
    (
        &dns::DELEGATION_DIFFERS,
        |scene| scene.server(1).in_delegation = false,
        |scene| {
            // Of the zone's own word nothing was had.
            scene.server(0).in_zone = false;
            scene.server(1).in_zone = false;
        },
    ),
    (
        &dns::TLSA_ANSWER_BIG,
        |scene| {
            scene.ask("_25._tcp.mx1.example.org", "TLSA", ["NOERROR", "NOERROR"]);
            scene.server(1).answers[1].octets = Some(1233);
        },
        |scene| {
            scene.ask("_25._tcp.mx1.example.org", "TLSA", ["NOERROR", "NOERROR"]);
            scene.server(1).answers[1].octets = Some(1232);
        },
    ),
    (
        &dns::TCP_FAILS,
        |scene| {
            scene.ask("_25._tcp.mx1.example.org", "TLSA", ["NOERROR", "truncated"]);
            scene.server(1).answers[1].tcp =
                Some("truncated, no answer over TCP: unreachable".to_owned());
        },
        |scene| {
            scene.ask("_25._tcp.mx1.example.org", "TLSA", ["NOERROR", "NOERROR"]);
            scene.server(1).answers[1].tcp = Some("truncated, answered over TCP".to_owned());
        },
    ),
    (
        &dns::TLSA_ALIAS,
        |scene| scene.tlsa_lookup().chain = vec![link(Security::Secure)],
        |_| {},
    ),
    (
        &dns::TLSA_ALIAS_INSECURE,
        |scene| {
            scene.tlsa_lookup().chain = vec![link(Security::Insecure)];
            scene.tlsa_lookup().security = Security::Insecure;
        },
        |scene| scene.tlsa_lookup().chain = vec![link(Security::Secure)],
    ),
    (
        &dns::TLSA_ALIAS_BROKEN,
        |scene| {
            scene.tlsa_lookup().chain = vec![link(Security::Secure)];
            fail(scene.tlsa_lookup(), Security::Indeterminate);
        },
        |scene| fail(scene.tlsa_lookup(), Security::Indeterminate),
    ),
    (
        &dns::TLSA_DENIAL_UNSIGNED,
        |scene| {
            scene.tlsa_lookup().kind = AnswerKind::NxDomain;
            scene.tlsa_lookup().security = Security::Insecure;
        },
        |scene| scene.tlsa_lookup().kind = AnswerKind::NxDomain,
    ),
    (
        &zone::ZONE_BOGUS,
        |scene| scene.zone("example.org").security = Security::Bogus,
        // The fault lies above, and is told of the zone above.
        |scene| {
            scene.zone("org").security = Security::Bogus;
            scene.zone("example.org").security = Security::Bogus;
        },
    ),
    (
        &zone::DS_MISSING,
        |scene| {
            scene.zone("example.org").security = Security::Insecure;
            scene.zone("example.org").delegation = Vec::new();
        },
        |scene| {
            scene.zone("example.org").security = Security::Insecure;
            scene.zone("example.org").delegation = Vec::new();
            scene.zone("example.org").keys = Vec::new();
        },
    ),
    (
        &zone::DS_WITHOUT_KEY,
        |scene| scene.zone("example.org").delegation.push(ds(2, false)),
        |scene| scene.zone("example.org").delegation.push(ds(2, true)),
    ),
    (
        &zone::DS_SHA1,
        |scene| scene.zone("example.org").delegation = vec![ds(1, true)],
        |scene| scene.zone("example.org").delegation = vec![ds(1, true), ds(2, true)],
    ),
    (
        &zone::ALGORITHM_OLD,
        |scene| scene.zone("example.org").keys[0].algorithm = 7,
        |scene| scene.zone("example.org").keys[0].algorithm = 8,
    ),
    (
        &zone::SIGNATURE_ENDS_SOON,
        |scene| {
            // A day left of fourteen.
            let now = scene.report.began_at;
            scene.tlsa_lookup().signatures[0].expiration_at = now + 86_400;
            scene.tlsa_lookup().signatures[0].inception_at = now - 13 * 86_400;
        },
        |scene| {
            // A day left of two: whoever signs for two days renews every day.
            let now = scene.report.began_at;
            scene.tlsa_lookup().signatures[0].expiration_at = now + 86_400;
            scene.tlsa_lookup().signatures[0].inception_at = now - 86_400;
        },
    ),
    (
        &zone::SIGNATURE_LIVES_LONG,
        |scene| {
            let now = scene.report.began_at;
            scene.tlsa_lookup().signatures[0].expiration_at = now + 5 * 365 * 86_400;
        },
        |scene| {
            let now = scene.report.began_at;
            scene.tlsa_lookup().signatures[0].expiration_at = now + 60 * 86_400;
        },
    ),
    (
        &zone::NSEC3_ITERATIONS,
        |scene| scene.zone("example.org").proofs = proofs(1, 0, false),
        |scene| scene.zone("example.org").proofs = proofs(0, 8, false),
    ),
    (
        &zone::NSEC3_SALT,
        |scene| scene.zone("example.org").proofs = proofs(0, 8, false),
        |scene| scene.zone("example.org").proofs = proofs(0, 0, false),
    ),
    (
        &zone::NSEC3_OPT_OUT,
        |scene| scene.zone("example.org").proofs = proofs(0, 0, true),
        // A registry may, and nobody else can change it.
        |scene| scene.zone("org").proofs = proofs(0, 0, true),
    ),
    (
        &zone::TLSA_TTL_LONG,
        |scene| scene.tlsa_lookup().signatures[0].original_ttl_s = 3601,
        |scene| scene.tlsa_lookup().ttl_s = Some(3601),
    ),
    (
        &zone::DOMAIN_UNSIGNED,
        |scene| {
            scene
                .report
                .hosts
                .iter_mut()
                .for_each(|host| host.tlsa.clear());
            scene.lookup("example.org", "MX").security = Security::Insecure;
        },
        |scene| scene.lookup("example.org", "MX").security = Security::Insecure,
    ),
    (
        &zone::MX_UNSIGNED_BEFORE_DANE,
        |scene| scene.lookup("example.org", "MX").security = Security::Insecure,
        |scene| {
            scene
                .report
                .hosts
                .iter_mut()
                .for_each(|host| host.tlsa.clear())
        },
    ),
    (
        &zone::HOST_UNSIGNED,
        |scene| {
            scene.host(0).address_security = Security::Insecure;
            scene.host(0).zone = Some("provider.example".to_owned());
        },
        // Its own zone: the finding about the MX records says it.
        |scene| scene.host(0).address_security = Security::Insecure,
    ),
    (
        &zone::TLSA_WITHOUT_DNSSEC,
        |scene| scene.tlsa_lookup().security = Security::Insecure,
        |scene| {
            scene.tlsa_lookup().security = Security::Insecure;
            scene.tlsa_lookup().kind = AnswerKind::NoData;
        },
    ),
];

fn link(security: Security) -> AliasLink {
    AliasLink {
        owner: "_25._tcp.mx1.example.org".to_owned(),
        record_type: "CNAME".to_owned(),
        target: "tlsa.example.org".to_owned(),
        security,
        reason: None,
    }
}

fn ds(digest_type: u8, has_key: bool) -> Delegation {
    Delegation {
        tag: 1,
        algorithm: 13,
        digest_type: Some(digest_type),
        has_key,
    }
}

fn proofs(iterations: u16, salt: u8, opt_out: bool) -> Option<Proofs> {
    Some(Proofs {
        nsec3: true,
        iterations: Some(iterations),
        salt_octets: Some(salt),
        opt_out,
    })
}

#[test]
fn answers_servers_and_zones() {
    hold(ROWS);
}

/// A question for one's own resolver tells nothing of a server: the line to paste names it.
#[test]
fn the_server_is_asked() {
    let paste = |scene: &crate::scene::Scene| {
        let findings = scene.findings();
        let one = findings.iter().find(|one| one.id == "TLSA-UNANSWERED");
        one.unwrap().advice.clone().unwrap().paste
    };
    let mut scene = crate::scene::quiet();
    fail(scene.tlsa_lookup(), Security::Indeterminate);
    scene.report.servers.clear();
    assert_eq!(
        paste(&scene),
        ["dig +dnssec _25._tcp.mx1.example.org. TLSA"]
    );
    let mut scene = crate::scene::quiet();
    fail(scene.tlsa_lookup(), Security::Indeterminate);
    for server in &mut scene.report.servers[0].servers {
        server.answers.clear();
    }
    scene.ask("_25._tcp.mx1.example.org", "TLSA", ["NOERROR", "REFUSED"]);
    assert_eq!(
        paste(&scene),
        ["dig @198.51.100.2 +dnssec +norecurse _25._tcp.mx1.example.org. TLSA"]
    );
}

/// The culprit is named, with what it said.
#[test]
fn the_server_is_named() {
    let mut scene = crate::scene::quiet();
    scene.ask("example.org", "MX", ["NOERROR", "REFUSED"]);
    let findings = scene.findings();
    let one = findings
        .iter()
        .find(|one| one.id == "SERVER-FAILS")
        .unwrap();
    assert_eq!(one.subject, "ns2.example.org");
    assert_eq!(one.evidence, "[198.51.100.2] example.org MX: REFUSED");
    let _: &NameServer = scene.server(0);
}
