//! What changed between two reports, and why: a table of things that happen to domains.

use crate::snapshot::samples;
use elsinore_check::compare::{Change, ChangeKind, Direction, compare};
use elsinore_check::report::{AddressState, AnswerKind, Report, Security, State, TlsaLabel};

fn sample(name: &str) -> Report {
    let (_, report) = samples().into_iter().find(|(one, _)| one == name).unwrap();
    report
}

#[test]
fn nothing_changed() {
    for (name, report) in samples() {
        let mut later = report.clone();
        later.began_at += 86_400;
        later.elapsed_ms += 7;
        for session in (later.hosts.iter_mut().flat_map(|host| &mut host.addresses))
            .flat_map(|address| &mut address.sessions)
        {
            session.elapsed_ms += 3;
            session.transcript.push("250 more".to_owned());
        }
        let comparison = compare(&report, &later);
        assert_eq!(comparison.changes, [], "{name}");
        assert_eq!(comparison.later_at - comparison.earlier_at, 86_400);
    }
}

/// The leaf of the first host's first session gets another digest, and another key if wanted.
fn renew(report: &mut Report, new_key: Option<&str>) {
    let old = report.hosts[0].addresses[0].sessions[0].chain[0].clone();
    let fresh = format!("{:0<64}", "feed");
    let mut certificate = report.certificates.remove(&old).unwrap();
    certificate.not_after_at = Some(1_800_000_000);
    if let Some(key) = new_key {
        certificate.spki_sha256 = key.to_owned();
    }
    report.certificates.insert(fresh.clone(), certificate);
    for host in &mut report.hosts {
        for session in host
            .addresses
            .iter_mut()
            .flat_map(|address| &mut address.sessions)
        {
            for link in &mut session.chain {
                if *link == old {
                    link.clone_from(&fresh);
                }
            }
        }
        for wire in host.tlsa.iter_mut().flat_map(|record| &mut record.wires) {
            if wire.certificate.as_ref() == Some(&old) {
                wire.certificate = Some(fresh.clone());
            }
        }
    }
}

fn lose_ds(report: &mut Report) {
    let zone = report
        .zones
        .iter_mut()
        .find(|zone| zone.apex == "example.org")
        .unwrap();
    zone.security = Security::Insecure;
    zone.reason = Some("org shows a delegation of example.org without DS".to_owned());
    zone.delegation.clear();
    let lookup = report.mx_lookup.unwrap();
    report.lookups[lookup].security = Security::Insecure;
    for host in &mut report.hosts {
        host.tlsa.clear();
        host.tlsa_base_domain = None;
        host.obligation = "may".to_owned();
    }
    report.state = State::NotProtected;
    for sender in &mut report.senders {
        sender.security = Some("encrypted".to_owned());
    }
}

fn one_host(report: &mut Report) {
    report.hosts.truncate(1);
}

type Row = (
    &'static str,
    &'static str,
    fn(&mut Report),
    &'static [(ChangeKind, Direction, &'static str, &'static str)],
);

/// The sample, what happens to it, and the changes that must be among those found, the cause being
/// part of the text.
const ROWS: &[Row] = &[
    (
        "DS lost",
        "protected",
        lose_ds,
        &[
            (
                ChangeKind::State,
                Direction::Worse,
                "was protected, is not protected",
                "example.org: the DS record at the parent is lost",
            ),
            (
                ChangeKind::Sender,
                Direction::Worse,
                "was: delivered (dane); is: delivered (encrypted)",
                "DS record",
            ),
            (
                ChangeKind::Zone,
                Direction::Worse,
                "the DS record at the parent is lost",
                "without DS",
            ),
            (
                ChangeKind::Mx,
                Direction::Worse,
                "the MX records were secure, are insecure",
                "",
            ),
            (
                ChangeKind::Tlsa,
                Direction::Worse,
                "the TLSA records are gone",
                "",
            ),
        ],
    ),
    (
        "certificate renewed with the same key",
        "protected",
        |report| {
            one_host(report);
            renew(report, None);
        },
        &[(
            ChangeKind::Certificate,
            Direction::Neutral,
            "renewed with the same key, now until 2027-01-15",
            "",
        )],
    ),
    (
        "key changed without TLSA",
        "protected",
        |report| {
            renew(report, Some("00"));
            let host = &mut report.hosts[0];
            for record in &mut host.tlsa {
                record
                    .wires
                    .retain(|wire| !wire.certificate.as_deref().unwrap().starts_with("feed"));
                if record.wires.is_empty() && record.label == TlsaLabel::Current {
                    record.label = TlsaLabel::Unmatched;
                }
            }
            host.addresses[0].state = AddressState::Failed;
            host.addresses[0].reason = Some("no TLSA record matches".to_owned());
            report.state = State::PartlyProtected;
        },
        &[
            (
                ChangeKind::State,
                Direction::Worse,
                "was protected, is partly protected",
                "matched, and nothing does any more",
            ),
            (
                ChangeKind::Certificate,
                Direction::Worse,
                "with a new key without a TLSA record for it",
                "",
            ),
            (
                ChangeKind::Address,
                Direction::Worse,
                "no longer met",
                "no TLSA record matches",
            ),
            (
                ChangeKind::Tlsa,
                Direction::Worse,
                "matched, and nothing does any more",
                "",
            ),
        ],
    ),
    (
        "rolled over to the record that waited",
        "protected",
        |report| {
            renew(report, Some("00"));
            let tlsa = &mut report.hosts[0].tlsa;
            let wires = std::mem::take(&mut tlsa[0].wires);
            tlsa[0].label = TlsaLabel::Stale;
            tlsa[2].label = TlsaLabel::Current;
            tlsa[2].wires = wires;
        },
        &[
            (
                ChangeKind::Certificate,
                Direction::Neutral,
                "new key that a TLSA record matches",
                "",
            ),
            (
                ChangeKind::Tlsa,
                Direction::Neutral,
                "the key was rolled over",
                "",
            ),
            (
                ChangeKind::Tlsa,
                Direction::Neutral,
                "matched and no longer does; another record does",
                "",
            ),
        ],
    ),
    (
        "host added without protection",
        "protected",
        |report| {
            let mut host = report.hosts[0].clone();
            host.mx_host = "new.example.net".to_owned();
            host.obligation = "may".to_owned();
            report.hosts.push(host);
            report.state = State::PartlyProtected;
        },
        &[
            (
                ChangeKind::State,
                Direction::Worse,
                "partly",
                "new.example.net: MX host added",
            ),
            (
                ChangeKind::Mx,
                Direction::Worse,
                "MX host added at 10 (may)",
                "",
            ),
        ],
    ),
    (
        "host removed, another one moved",
        "protected",
        |report| {
            report.hosts.pop();
            report.hosts[0].preference = Some(5);
        },
        &[
            (ChangeKind::Mx, Direction::Neutral, "MX host removed", ""),
            (
                ChangeKind::Mx,
                Direction::Neutral,
                "the preference was 10, is 5",
                "",
            ),
        ],
    ),
    (
        "TLSA record added and removed",
        "protected",
        |report| {
            report.hosts[0].tlsa[2].association = "ab".repeat(32);
            report.hosts[0].tlsa[2].text = format!("3 1 1 {}", "ab".repeat(32));
        },
        &[
            (
                ChangeKind::Tlsa,
                Direction::Neutral,
                "TLSA record added: 3 1 1 abababab…abababab",
                "",
            ),
            (
                ChangeKind::Tlsa,
                Direction::Neutral,
                "TLSA record removed: 3 1 1 d20187ed…",
                "",
            ),
        ],
    ),
    (
        "one address fails, another is new",
        "protected",
        |report| {
            let addresses = &mut report.hosts[1].addresses;
            addresses[0].state = AddressState::Failed;
            addresses[0].reason = Some("STARTTLS is not offered".to_owned());
            addresses[1].address = "192.0.2.77".to_owned();
        },
        &[
            (
                ChangeKind::Address,
                Direction::Worse,
                "no longer met",
                "STARTTLS is not offered",
            ),
            (
                ChangeKind::Address,
                Direction::Neutral,
                "addresses added: 192.0.2.77",
                "",
            ),
            (
                ChangeKind::Address,
                Direction::Neutral,
                "addresses gone: ",
                "",
            ),
        ],
    ),
    (
        "policy weakened, reports gone",
        "protected",
        |report| {
            report.sts.as_mut().unwrap().mode = Some("testing".to_owned());
            report.tls_rpt.as_mut().unwrap().rua.clear();
        },
        &[
            (
                ChangeKind::Sts,
                Direction::Worse,
                "MTA-STS was enforce, is testing",
                "",
            ),
            (ChangeKind::TlsRpt, Direction::Worse, "now nowhere", ""),
        ],
    ),
    (
        "zone broken",
        "protected",
        |report| {
            let zone = report.zones.last_mut().unwrap();
            zone.security = Security::Bogus;
            zone.reason = Some("the signature expired".to_owned());
            report.hosts.clear();
            report.state = State::Refused;
        },
        &[
            (
                ChangeKind::State,
                Direction::Worse,
                "is mail will be refused",
                "is bogus",
            ),
            (
                ChangeKind::Zone,
                Direction::Worse,
                "is bogus",
                "the signature expired",
            ),
        ],
    ),
    (
        "finding mended",
        "broken",
        |report| {
            let gone = report.findings.remove(1);
            assert_eq!(gone.id, "TLSA-EMPTY-DIGEST");
        },
        &[(
            ChangeKind::Finding,
            Direction::Better,
            "gone: A TLSA record is the digest of nothing (TLSA-EMPTY-DIGEST)",
            "",
        )],
    ),
    (
        "finding new",
        "protected",
        |report| report.findings.push(sample("broken").findings[0].clone()),
        &[(
            ChangeKind::Finding,
            Direction::Worse,
            "new, fails now: ",
            "presented: ECDSA",
        )],
    ),
    (
        "name server added, alias moved",
        "broken",
        |report| {
            let zone = &mut report.servers[0];
            zone.servers[0].name = "ns9.new.example".to_owned();
            report.hosts[0].aliases[0].target = "mx.other.example".to_owned();
        },
        &[
            (
                ChangeKind::NameServers,
                Direction::Neutral,
                "name servers added: ns9.new.example",
                "",
            ),
            (
                ChangeKind::Alias,
                Direction::Neutral,
                "was an alias of mx.hoster.example, is an alias of mx.other.example",
                "",
            ),
        ],
    ),
];

fn find<'a>(
    changes: &'a [Change],
    row: &str,
    wanted: &(ChangeKind, Direction, &str, &str),
) -> &'a Change {
    let (kind, direction, text, cause) = wanted;
    changes
        .iter()
        .find(|one| {
            one.kind == *kind
                && one.direction == *direction
                && one.text.contains(text)
                && one.cause.as_deref().unwrap_or_default().contains(cause)
        })
        .unwrap_or_else(|| panic!("{row}: no {wanted:?} in {changes:#?}"))
}

#[test]
fn what_happens_to_domains() {
    for (row, name, happen, wanted) in ROWS {
        let earlier = sample(name);
        let mut later = earlier.clone();
        happen(&mut later);
        let changes = compare(&earlier, &later).changes;
        for one in *wanted {
            find(&changes, row, one);
        }
        let opposed = |wanted: Direction, found: Direction| {
            wanted == Direction::Worse && found == Direction::Better
        };
        let first = wanted[0].1;
        assert!(
            !changes.iter().any(|one| opposed(first, one.direction)),
            "{row}: {changes:#?}"
        );
        // What got worse is better the other way round.
        let back = compare(&later, &earlier).changes;
        let count = |changes: &[Change], direction: Direction| {
            (changes.iter())
                .filter(|one| one.direction == direction && one.kind == ChangeKind::State)
                .count()
        };
        assert_eq!(
            count(&changes, Direction::Worse),
            count(&back, Direction::Better),
            "{row}"
        );
    }
}

/// A check that could not tell says nothing about what it did not see.
#[test]
fn what_could_not_be_told_is_no_change() {
    let earlier = sample("protected");
    let mut later = earlier.clone();
    later.state = State::CouldNotTell;
    later.inconclusive = vec!["our line is down".to_owned()];
    later.hosts.clear();
    later.certificates.clear();
    let lookup = later.mx_lookup.unwrap();
    later.lookups[lookup].kind = AnswerKind::Failed;
    later.lookups[lookup].security = Security::Indeterminate;
    for zone in later.zones.iter_mut().skip(1) {
        zone.security = Security::Indeterminate;
    }
    let changes = compare(&earlier, &later).changes;
    let [only] = changes.as_slice() else {
        panic!("{changes:#?}")
    };
    assert_eq!(
        (only.kind, only.direction),
        (ChangeKind::State, Direction::Neutral)
    );
    assert_eq!(only.cause.as_deref(), Some("our line is down"));
    // The same when it can be told again.
    let changes = compare(&later, &earlier).changes;
    assert_eq!(changes.len(), 1, "{changes:#?}");
    assert_eq!(changes[0].direction, Direction::Neutral);
}
