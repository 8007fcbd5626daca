//! MX records, hosts taken together, MTA-STS, TLS-RPT.

use crate::scene::{Row, Scene, fail, hold};
use elsinore_check::lint::catalogue::{domain, record};
use elsinore_check::report::{
    AliasLink, AnswerKind, Candidate, CandidateEnd, RuleFinding, Security, SenderOutcome, Severity,
};
use elsinore_dane::mta_sts::{StsFetch, StsFetchError};

pub(crate) const ROWS: &[Row] = &[
    (&domain::MX_ALIAS, alias, |_| {}),
    (
        &domain::MX_ALIAS,
        alias,
        // There is no host at its end to be named instead.
        |scene| {
            alias(scene);
            let back = link("mail.example.net", "mx1.example.org");
            scene.host(0).aliases.push(back);
        },
    ),
    (
        &domain::MX_ALIAS_TLSA_BOTH_ENDS,
        |scene| {
            alias(scene);
            scene.host(0).candidates[1].other_records = vec![("3 1 1 00".to_owned(), false)];
        },
        alias,
    ),
    (
        &domain::MX_ALIAS_LOOP,
        |scene| {
            let lookup = scene.lookup("mx1.example.org", "A");
            fail(lookup, Security::Indeterminate);
            lookup.chain = vec![
                link("mx1.example.org", "mail.example.org"),
                link("mail.example.org", "mx1.example.org"),
            ];
        },
        |scene| {
            let lookup = scene.lookup("mx1.example.org", "A");
            fail(lookup, Security::Indeterminate);
            lookup.chain = vec![link("mx1.example.org", "mail.example.org")];
        },
    ),
    (
        &domain::MX_NAME_UNFIT,
        |scene| scene.host(0).mx_host = "localhost".to_owned(),
        |scene| scene.host(0).mx_host = "localhost.example.org".to_owned(),
    ),
    (
        &domain::MX_NAME_UNFIT,
        |scene| scene.host(0).mx_host = "192.0.2.1".to_owned(),
        // Without MX records the name of the domain is no fault of an MX record.
        |scene| {
            scene.host(0).mx_host = "example".to_owned();
            scene.host(0).preference = None;
        },
    ),
    (
        &domain::MX_ADDRESS_UNFIT,
        |scene| scene.host(0).notes = vec![note("ADDRESS-REFUSED")],
        |scene| scene.host(0).notes = vec![note("NO-ADDRESS")],
    ),
    (
        &domain::MX_WITHOUT_ADDRESS,
        |scene| {
            scene.lookup("mx1.example.org", "A").kind = AnswerKind::NxDomain;
            scene.lookup("mx1.example.org", "AAAA").kind = AnswerKind::NxDomain;
        },
        // One family is enough.
        |scene| scene.lookup("mx1.example.org", "AAAA").kind = AnswerKind::NoData,
    ),
    (
        &domain::NULL_MX_MISUSED,
        |scene| {
            scene
                .lookup("example.org", "MX")
                .records
                .push("0 .".to_owned())
        },
        |scene| scene.lookup("example.org", "MX").records = vec!["0 .".to_owned()],
    ),
    (
        &domain::MX_IMPLIED,
        |scene| scene.lookup("example.org", "MX").kind = AnswerKind::NoData,
        |scene| {
            scene.lookup("example.org", "MX").kind = AnswerKind::NoData;
            scene.report.hosts.clear();
        },
    ),
    (
        &domain::TLSA_WRONG_NAME,
        |scene| stray(scene, "_25._tcp.example.org"),
        |scene| stray(scene, "_25._tcp.mx1.example.org"),
    ),
    (
        &domain::DANE_ON_SOME_MX,
        |scene| scene.host(1).tlsa.clear(),
        // What a host has whose lookup failed is not known.
        |scene| {
            scene.host(1).tlsa.clear();
            scene.host(1).skipped = Some("its TLSA lookup failed".to_owned());
        },
    ),
    (
        &domain::BACKUP_MX_BROKEN,
        |scene| broken(scene, 3, 0),
        // Nothing can be said of one that was out of reach.
        |scene| broken(scene, 3, 1),
    ),
    (
        &domain::BACKUP_MX_BROKEN,
        |scene| broken(scene, 3, 0),
        // Of the same preference as the one in use: not a backup.
        |scene| broken(scene, 1, 0),
    ),
    (
        &domain::STS_MX_UNLISTED,
        |scene| scene.report.sts.as_mut().unwrap().mx = vec!["mx1.example.org".to_owned()],
        // A pattern that is none matches nothing, and then there is no policy to speak of.
        |scene| scene.report.sts.as_mut().unwrap().mode = Some("none".to_owned()),
    ),
    (
        &domain::STS_HOST_FAILS,
        |scene| scene.report.senders[1].hosts[0].failed = 1,
        |scene| scene.report.senders[1].hosts[0].inconclusive = 1,
    ),
    (
        &domain::DANE_AND_STS_DISAGREE,
        |scene| scene.report.senders[1].outcome = SenderOutcome::Deferred,
        |scene| {
            scene.report.senders[1].outcome = SenderOutcome::Deferred;
            scene.report.senders[1].hosts[0].inconclusive = 1;
        },
    ),
    (
        &domain::DANE_AND_STS_DISAGREE,
        |scene| scene.report.senders[0].outcome = SenderOutcome::Deferred,
        // Nobody enforces a policy: it is DANE alone that fails.
        |scene| {
            scene.report.senders[0].outcome = SenderOutcome::Deferred;
            scene.report.sts = None;
        },
    ),
    (
        &domain::MAIL_HOST_MISSING,
        |scene| scene.lookup("example.org", "MX").kind = AnswerKind::NxDomain,
        // Addresses at the name itself stand in for MX records.
        |scene| {
            scene.lookup("example.org", "MX").kind = AnswerKind::NoData;
            own_addresses(scene, AnswerKind::Data);
        },
    ),
    (
        &domain::MAIL_HOST_MISSING,
        |scene| {
            scene.lookup("example.org", "MX").kind = AnswerKind::NoData;
            own_addresses(scene, AnswerKind::NoData);
        },
        |scene| {
            scene.lookup("example.org", "MX").kind = AnswerKind::NoData;
            own_addresses(scene, AnswerKind::Failed);
        },
    ),
    (
        &domain::TLS_RPT_MISSING,
        no_reports,
        // Nobody insists on anything.
        |scene| {
            no_reports(scene);
            scene
                .report
                .hosts
                .iter_mut()
                .for_each(|host| host.tlsa.clear());
            scene.report.sts = None;
        },
    ),
    (
        &domain::TLS_RPT_INVALID,
        |scene| {
            let rpt = scene.report.tls_rpt.as_mut().unwrap();
            rpt.record = None;
            scene.lookup("_smtp._tls.example.org", "TXT").records =
                vec!["\"v=TLSRPTv1 rua=mailto:tls@example.org\"".to_owned()];
        },
        // A failing lookup says nothing about the record.
        |scene| {
            let rpt = scene.report.tls_rpt.as_mut().unwrap();
            rpt.record = None;
            rpt.error = Some("the lookup failed".to_owned());
            fail(
                scene.lookup("_smtp._tls.example.org", "TXT"),
                Security::Indeterminate,
            );
        },
    ),
    (
        &domain::STS_RECORD_UNFIT,
        |scene| {
            no_policy(scene);
            scene.report.sts.as_mut().unwrap().id = None;
        },
        |scene| {
            no_policy(scene);
            scene.report.sts.as_mut().unwrap().id = None;
            fail(
                scene.lookup("_mta-sts.example.org", "TXT"),
                Security::Indeterminate,
            );
        },
    ),
    (
        &domain::STS_POLICY_UNFIT,
        |scene| {
            no_policy(scene);
            scene.sighting.sts.fetch = Some(StsFetch::Failed(StsFetchError::Status(404)));
        },
        // No connection may be ours.
        |scene| {
            no_policy(scene);
            scene.sighting.sts.fetch = Some(StsFetch::Failed(StsFetchError::Timeout));
        },
    ),
    (
        &domain::STS_MAX_AGE_SHORT,
        |scene| scene.report.sts.as_mut().unwrap().max_age_s = Some(604_799),
        |scene| scene.report.sts.as_mut().unwrap().max_age_s = Some(604_800),
    ),
    (
        &domain::STS_TESTING_ONLY,
        |scene| scene.report.sts.as_mut().unwrap().mode = Some("testing".to_owned()),
        |_| {},
    ),
    (
        &record::TLSA_SAME_KEY_EVERYWHERE,
        |scene| {
            let key = scene.certificate(&scene.leaf()).spki_sha256.clone();
            for certificate in scene.report.certificates.values_mut() {
                certificate.spki_sha256.clone_from(&key);
            }
        },
        |scene| {
            let key = scene.certificate(&scene.leaf()).spki_sha256.clone();
            for certificate in scene.report.certificates.values_mut() {
                certificate.spki_sha256.clone_from(&key);
            }
            scene.alone();
        },
    ),
];

fn link(owner: &str, target: &str) -> AliasLink {
    AliasLink {
        owner: owner.to_owned(),
        record_type: "CNAME".to_owned(),
        target: target.to_owned(),
        security: Security::Secure,
        reason: None,
    }
}

/// The first host is an alias, and the records stand at its end.
fn alias(scene: &mut Scene) {
    let host = scene.host(0);
    host.aliases = vec![link("mx1.example.org", "mail.example.net")];
    host.tlsa_base_domain = Some("mail.example.net".to_owned());
    host.candidates[0].base = "mail.example.net".to_owned();
    host.candidates[0].end = CandidateEnd::Expanded;
    host.candidates.push(Candidate {
        base: "mx1.example.org".to_owned(),
        end: CandidateEnd::Original,
        lookup: None,
        asked_by_sender: false,
        in_force: false,
        reason: None,
        other_records: Vec::new(),
    });
}

/// One host without addresses among others is passed over; where it is the only one nothing is left.
#[test]
fn a_host_without_addresses() {
    let severity = |alone: bool| {
        let mut scene = crate::scene::quiet();
        for record_type in ["A", "AAAA"] {
            let lookup = scene.lookup("mx1.example.org", record_type);
            lookup.kind = AnswerKind::NoData;
        }
        scene.host(0).addresses.clear();
        if alone {
            scene.alone();
        }
        let findings = scene.findings();
        let one = findings.iter().find(|one| one.id == "MX-WITHOUT-ADDRESS");
        one.unwrap().severity
    };
    assert_eq!(severity(false), Severity::Weak);
    assert_eq!(severity(true), Severity::FailsNow);
}

/// Questions for addresses at the domain itself.
fn own_addresses(scene: &mut Scene, kind: AnswerKind) {
    for record_type in ["A", "AAAA"] {
        let mut lookup = scene.lookup("mx1.example.org", record_type).clone();
        lookup.name = "example.org".to_owned();
        lookup.kind = kind;
        scene.report.lookups.push(lookup);
    }
}

fn note(rule: &str) -> RuleFinding {
    RuleFinding {
        rule: rule.to_owned(),
        rfc: 5321,
        section: "5.1".to_owned(),
        subject: "mx1.example.org".to_owned(),
        evidence: "10.0.0.25".to_owned(),
    }
}

fn stray(scene: &mut Scene, name: &str) {
    let mut lookup = scene.tlsa_lookup().clone();
    lookup.name = name.to_owned();
    scene.report.lookups.push(lookup);
}

/// No address of a host meets the obligation; of `inconclusive` ones nothing is known.
fn broken(scene: &mut Scene, host: usize, inconclusive: u32) {
    let outlook = &mut scene.report.senders[0].hosts[host];
    outlook.met = 0;
    outlook.failed = 2;
    outlook.inconclusive = inconclusive;
}

fn no_reports(scene: &mut Scene) {
    scene.report.tls_rpt.as_mut().unwrap().record = None;
    let lookup = scene.lookup("_smtp._tls.example.org", "TXT");
    lookup.kind = AnswerKind::NxDomain;
    lookup.records = Vec::new();
}

fn no_policy(scene: &mut Scene) {
    let sts = scene.report.sts.as_mut().unwrap();
    sts.mode = None;
    sts.mx = Vec::new();
    sts.error = Some("it is not valid".to_owned());
}

#[test]
fn hosts_and_policies() {
    hold(ROWS);
}

/// What is to be pasted is exact.
#[test]
fn advice_can_be_pasted() {
    let paste = |scene: &Scene, id: &str| {
        let findings = scene.findings();
        let one = findings.into_iter().find(|one| one.id == id).unwrap();
        one.advice.unwrap().paste
    };
    let mut scene = crate::scene::quiet();
    no_reports(&mut scene);
    assert_eq!(
        paste(&scene, "TLS-RPT-MISSING"),
        ["_smtp._tls.example.org. 3600 IN TXT \"v=TLSRPTv1; rua=mailto:tls-reports@example.org\""]
    );
    let mut scene = crate::scene::quiet();
    alias(&mut scene);
    assert_eq!(
        paste(&scene, "MX-ALIAS"),
        ["example.org. 3600 IN MX 10 mail.example.net."]
    );
    let mut scene = crate::scene::quiet();
    scene.alone();
    let leaf = scene.leaf();
    let key = scene.certificate(&leaf).spki_sha256.clone();
    scene.refuse(0, 0);
    scene.refuse(0, 1);
    assert!(paste(&scene, "TLSA-NO-MATCH").contains(&format!(
        "_25._tcp.mx1.example.org. 3600 IN TLSA 3 1 1 {key}"
    )));
}
