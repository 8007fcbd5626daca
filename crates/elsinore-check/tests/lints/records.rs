//! TLSA records: fields, data, and what they are as a set.

use crate::scene::{Row, Scene, hold};
use elsinore_check::lint::catalogue::record;
use elsinore_check::report::{TlsaLabel, Wire};

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OTHER: &str = "8cb0fc6c527506a053f4f14c8464bebbd6dede2738d11468dd953d7d6a3021f1";

pub(crate) const ROWS: &[Row] = &[
    (
        &record::TLSA_PKIX_USAGE,
        |scene| unusable(scene, 1, 1, 1, OTHER),
        |scene| unusable(scene, 4, 1, 1, OTHER),
    ),
    (
        &record::TLSA_NONE_USABLE,
        |scene| {
            scene.host(0).tlsa.clear();
            scene.host(0).tlsa = Vec::new();
            unusable_first(scene);
        },
        |scene| unusable(scene, 1, 1, 1, OTHER),
    ),
    (
        &record::TLSA_DIGEST_LENGTH,
        |scene| unusable(scene, 3, 1, 1, &OTHER[..62]),
        |scene| {
            scene.record(3, 1, 1, OTHER);
        },
    ),
    (
        &record::TLSA_MALFORMED,
        |scene| unusable(scene, 3, 2, 1, OTHER),
        |scene| unusable(scene, 3, 1, 1, &OTHER[..62]),
    ),
    (
        &record::TLSA_EMPTY_DIGEST,
        |scene| {
            scene.record(3, 1, 1, EMPTY);
        },
        |scene| {
            scene.record(3, 1, 1, OTHER);
        },
    ),
    (
        &record::TLSA_PLACEHOLDER,
        |scene| {
            scene.record(3, 1, 1, &"0".repeat(64));
        },
        |scene| {
            scene.record(3, 1, 1, OTHER);
        },
    ),
    (
        &record::TLSA_PLACEHOLDER,
        |scene| {
            scene.record(3, 1, 1, &"0123456789abcdef".repeat(4));
        },
        |scene| {
            scene.record(3, 1, 1, EMPTY);
        },
    ),
    (
        &record::TLSA_SAME_KEY_TWICE,
        |scene| {
            let wires = scene.host(0).tlsa[0].wires.clone();
            scene.record(3, 0, 1, OTHER).wires = wires;
        },
        // At other places: another certificate.
        |scene| {
            let wires = scene.host(0).tlsa[0].wires[..1].to_vec();
            scene.record(3, 0, 1, OTHER).wires = wires;
        },
    ),
    (
        &record::TLSA_NEAR_COPY,
        |scene| {
            let mut data = scene.host(0).tlsa[0].association.clone();
            data.replace_range(8..9, "0");
            scene.record(3, 1, 1, &data);
        },
        |scene| {
            scene.record(3, 1, 1, OTHER);
        },
    ),
    (
        &record::TLSA_CERTIFICATE_RENEWED,
        whole_certificate,
        // The key is published too, and stays at renewal.
        |scene| {
            whole_certificate(scene);
            let wires = scene.host(0).tlsa[0].wires.clone();
            scene.record(3, 1, 1, OTHER).wires = wires;
        },
    ),
    (
        &record::TLSA_CERTIFICATE_RENEWED,
        whole_certificate,
        // Issued for a year by nobody who is known to renew by program.
        |scene| {
            whole_certificate(scene);
            let leaf = scene.leaf();
            let end = scene.report.began_at + 360 * 86_400;
            scene.certificate(&leaf).not_after_at = Some(end);
        },
    ),
    (
        &record::TLSA_WHOLE_DATA,
        |scene| {
            let wires = scene.host(0).tlsa[0].wires.clone();
            scene.record(3, 1, 0, OTHER).wires = wires;
        },
        |_| {},
    ),
    (
        &record::TLSA_SHA512,
        |scene| only(scene, 2),
        |scene| only(scene, 1),
    ),
    (
        &record::TLSA_SINGLE,
        |scene| scene.host(0).tlsa.truncate(1),
        |scene| scene.host(0).tlsa.truncate(2),
    ),
    (
        &record::TLSA_TWO_ALGORITHMS,
        |scene| scene.host(0).tlsa.truncate(2),
        // The key in use and one to come: that is a change of keys.
        |scene| {
            scene.host(0).tlsa.remove(1);
        },
    ),
    (
        &record::TLSA_UNMATCHED,
        |scene| {
            scene.alone();
            scene.record(3, 1, 1, OTHER).label = TlsaLabel::Next;
        },
        |scene| {
            scene.alone();
            scene.host(0).tlsa.truncate(2);
        },
    ),
    (
        &record::TLSA_COMBINATION_UNMATCHED,
        |scene| {
            scene.record(2, 1, 1, OTHER);
        },
        |scene| {
            scene.record(3, 1, 1, OTHER);
        },
    ),
];

fn unusable(scene: &mut Scene, usage: u8, selector: u8, matching: u8, data: &str) {
    let record = scene.record(usage, selector, matching, data);
    record.unusable = Some("it cannot be used".to_owned());
    record.label = TlsaLabel::Unusable;
}

/// The only record of the first host is of no use.
fn unusable_first(scene: &mut Scene) {
    let mut record = scene.report.hosts[1].tlsa[0].clone();
    record.usage = Some(1);
    record.wires = Vec::new();
    record.unusable = Some("usage 1 (PKIX) is not used with SMTP".to_owned());
    scene.host(0).tlsa = vec![record];
}

/// Only the whole certificate stands in DNS.
fn whole_certificate(scene: &mut Scene) {
    let host = scene.host(0);
    host.tlsa.truncate(1);
    host.tlsa[0].selector = Some(0);
}

/// Every record of the first host has this matching type.
fn only(scene: &mut Scene, matching: u8) {
    let data = OTHER.repeat(usize::from(matching));
    for record in &mut scene.host(0).tlsa {
        record.matching_type = Some(matching);
        record.association.clone_from(&data);
    }
}

#[test]
fn records_and_sets() {
    hold(ROWS);
}

/// A digest of nothing stops mail when it stands alone, and not beside one that matches.
#[test]
fn severity_follows_what_the_sender_does() {
    use elsinore_check::report::Severity;
    let severity = |scene: &Scene| {
        let findings = scene.findings();
        findings
            .iter()
            .find(|one| one.id == "TLSA-EMPTY-DIGEST")
            .unwrap()
            .severity
    };
    let mut scene = crate::scene::quiet();
    scene.record(3, 1, 1, EMPTY);
    assert_eq!(severity(&scene), Severity::Weak);
    scene.host(0).tlsa.drain(..3);
    assert_eq!(severity(&scene), Severity::FailsNow);
    let _: &[Wire] = &scene.host(0).tlsa[0].wires;
}
