//! The rail itself: names that hold, wires that lead somewhere, folding.

use crate::snapshot::samples;
use elsinore_check::rail::{Item, Mark, NodeKind, Rail};
use elsinore_check::report::{AddressState, Report};
use std::collections::BTreeSet;

fn sample(name: &str) -> Report {
    let (_, report) = samples().into_iter().find(|(one, _)| one == name).unwrap();
    report
}

/// Every item of the rail, in the order of reading.
fn walk<'a>(items: &'a [Item<'a>], found: &mut Vec<&'a Item<'a>>) {
    for item in items {
        found.push(item);
        walk(&item.children, found);
    }
}

#[test]
fn names_are_unique_and_anchors_exist() {
    for (name, report) in samples() {
        let rail = Rail::of(&report);
        let (trunk, lanes) = (rail.trunk(), rail.outline());
        let mut items = Vec::new();
        walk(&trunk, &mut items);
        walk(&lanes, &mut items);
        assert!(!items.is_empty(), "{name}");
        let mut known = BTreeSet::new();
        for item in items {
            let id = &item.node.id;
            let plain = |one: char| matches!(one, 'a'..='z' | '0'..='9' | '-');
            assert!(!id.is_empty() && id.chars().all(plain), "{name}: {id}");
            assert!(known.insert(id.clone()), "{name}: {id} twice");
            if let Some(anchor) = &item.node.anchor {
                assert!(exists(&report, anchor), "{name}: {anchor}");
            }
            // A state is never told by its sign alone.
            if item.node.mark != Mark::Plain {
                assert!(!item.node.word.is_empty(), "{name}: {id}");
            }
        }
        assert_eq!(rail, Rail::of(&report), "{name}");
    }
}

fn exists(report: &Report, anchor: &str) -> bool {
    let parts: Vec<&str> = anchor.split('-').collect();
    let at = |place: usize| parts[place].parse::<usize>().unwrap();
    match parts[0] {
        "zone" => at(1) < report.zones.len(),
        "lookup" => at(1) < report.lookups.len(),
        "host" => at(1) < report.hosts.len(),
        "tlsa" => at(2) < report.hosts[at(1)].tlsa.len(),
        "address" => at(2) < report.hosts[at(1)].addresses.len(),
        "session" => at(3) < report.hosts[at(1)].addresses[at(2)].sessions.len(),
        "certificate" => (report.certificates.keys()).any(|key| key.starts_with(parts[1])),
        _ => false,
    }
}

/// Every wire of the report is drawn: from the record to the certificate.
#[test]
fn wires_lead_from_records_to_certificates() {
    let report = sample("broken");
    let rail = Rail::of(&report);
    let lanes = rail.outline();
    let mut items = Vec::new();
    walk(&lanes, &mut items);
    let wired: Vec<(&str, &str)> = (items.iter())
        .flat_map(|item| {
            item.wires
                .iter()
                .map(|wire| (&*item.node.title, &*wire.letter))
        })
        .collect();
    assert_eq!(wired, [("0: mx.hoster.example, by Hoster CA", "A")]);
}

/// Eight hosts that look the same are drawn once, and the ninth, at which something fails, stands
/// out, whatever its preference.
#[test]
fn the_odd_one_is_pulled_out() {
    let mut report = sample("protected");
    let model = report.hosts[0].clone();
    report.hosts = (0..9)
        .map(|number| {
            let mut host = model.clone();
            host.mx_host = format!("mx{number}.example.org");
            host.preference = Some(10 * (number + 1));
            for address in &mut host.addresses {
                address.address = format!("192.0.2.{number}");
            }
            for wire in host.tlsa.iter_mut().flat_map(|record| &mut record.wires) {
                wire.address = format!("192.0.2.{number}");
            }
            host
        })
        .collect();
    let counts = |report: &Report| -> Vec<(String, usize)> {
        (Rail::of(report).outline().iter())
            .map(|item| (item.node.title.clone(), item.count))
            .collect()
    };
    assert_eq!(counts(&report), [("10 mx0.example.org".to_owned(), 9)]);
    report.hosts[4].addresses[0].state = AddressState::Failed;
    report.hosts[4].addresses[0].reason = Some("no TLSA record matches".to_owned());
    assert_eq!(
        counts(&report),
        [
            ("10 mx0.example.org".to_owned(), 8),
            ("50 mx4.example.org".to_owned(), 1)
        ]
    );
    // The reasons of two hosts differ by their names alone.
    report.hosts[7].addresses[0].state = AddressState::Failed;
    for (number, name) in [(4, "mx4"), (7, "mx7")] {
        let reason = format!("{name}.example.org[192.0.2.{number}]: no TLSA record matches");
        report.hosts[number].addresses[0].reason = Some(reason);
    }
    assert_eq!(counts(&report)[1], ("50 mx4.example.org".to_owned(), 2));
}

/// A break stands where trust ends, once, with the fix of the finding about it.
#[test]
fn breaks_are_named_where_trust_ends() {
    let report = sample("refused");
    let rail = Rail::of(&report);
    let broken: Vec<_> = (rail.stem.iter())
        .filter_map(|node| Some((node.kind, node.trouble.as_ref()?)))
        .collect();
    let [(NodeKind::Zone, trouble)] = broken.as_slice() else {
        panic!("{broken:?}");
    };
    assert_eq!(trouble.fix.as_deref(), Some("Sign the zone again."));
    assert_eq!(trouble.finding, Some(0));
    // A finding about the same name and another matter mends nothing here.
    for (id, mends) in [
        ("ZONE-BOGUS", true),
        ("LOOKUP-UNANSWERED", true),
        ("STS-MX-UNLISTED", false),
        ("TLSA-NO-MATCH", false),
    ] {
        let mut report = report.clone();
        report.findings.truncate(1);
        report.findings[0].id = id.to_owned();
        let fixes: Vec<_> = (Rail::of(&report).stem.iter())
            .filter_map(|node| node.trouble.as_ref()?.fix.clone())
            .collect();
        assert_eq!(fixes.len(), usize::from(mends), "{id}: {fixes:?}");
    }
}
