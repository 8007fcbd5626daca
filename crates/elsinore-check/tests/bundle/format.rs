//! Writing and reading.

use crate::{property, sample};
use elsinore_check::bundle::{AddressFamilies, Bundle, DnsMode, unproven};
use std::fs;
use std::path::Path;

#[test]
fn what_is_written_is_read() {
    let bundle = sample::bundle();
    let written = bundle.write().unwrap();
    let read = Bundle::read(&written).unwrap();
    assert_eq!(read, bundle);
    assert_eq!(read.write().unwrap(), written);
}

#[test]
fn the_fuzzer_s_property_holds() {
    property::check_bundle(&sample::bundle().write().unwrap());
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/bundle");
    let mut seen = 0;
    for file in fs::read_dir(corpus).unwrap() {
        property::check_bundle(&fs::read(file.unwrap().path()).unwrap());
        seen += 1;
    }
    assert!(seen > 2, "{seen} corpus entries");
}

/// What stands for nothing but the word of the writer, and what the reader has set otherwise.
#[test]
fn what_is_unproven() {
    let mut bundle = sample::bundle();
    let own = sample::setting();
    let lines = unproven(&bundle, &own).join("\n");
    for part in [
        "private key",
        "left out",
        "which name server",
        "whose fault",
        "2 questions to DNS",
    ] {
        assert!(lines.contains(part), "{part}: {lines}");
    }
    assert!(!lines.contains("setting"), "{lines}");
    for rule in &mut bundle.setting.rules {
        if rule.0 == "insecure MX" {
            rule.1 = "may".to_owned();
        }
    }
    let lines = unproven(&bundle, &own).join("\n");
    let expected = "setting \"insecure MX\": \"may\" when it was measured, \"dane\" here";
    assert!(lines.contains(expected), "{lines}");
    bundle.visits.clear();
    bundle.dns.clear();
    bundle.dns_left_out = 0;
    bundle.blame = None;
    bundle.setting = sample::setting();
    assert_eq!(unproven(&bundle, &own).len(), 1);
    bundle.setting.dns = DnsMode::Ad;
    bundle.setting.families = AddressFamilies::Ipv4;
    let lines = unproven(&bundle, &own).join("\n");
    assert!(
        lines.contains("all of DNS") && lines.contains("IPv6"),
        "{lines}"
    );
}
