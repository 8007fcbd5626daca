//! Every well-signed zone of the tree, checked whole by `ldns-verify-zone`.

use crate::peer::program;
use crate::tree::{broken, broken_tree};
use crate::unbound::now;
use std::fs;
use std::process::Command;

/// Zones that it must refuse. (Revoked keys, colliding key tags and useless extra signatures do not
/// make a zone incomplete.)
const REFUSED: [&str; 8] = [
    "badsigmx.test",
    "badsigkey.test",
    "nosigtlsa.test",
    "expired.test",
    "future.test",
    "replaced.test",
    "nokey.test",
    "algorithm200.test",
];

#[test]
fn ldns_verifies_what_is_right_and_refuses_what_is_not() {
    let Some(verify) = program("ldns-verify-zone") else {
        return;
    };
    let tree = broken_tree(now());
    let folder = tempfile::tempdir().expect("a folder");
    let mut checked = 0;
    let mut wrong = Vec::new();
    for zone in tree.zones().filter(|zone| zone.is_signed()) {
        let file = folder.path().join("zone");
        fs::write(&file, zone.to_text()).expect("a zone file");
        let output = Command::new(&verify)
            .arg(&file)
            .output()
            .expect("ldns-verify-zone runs");
        let right = !REFUSED.contains(&zone.apex().as_str());
        if output.status.success() != right {
            wrong.push(format!(
                "{}: {}{}",
                zone.apex(),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        checked += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(checked > broken(now()).len());
    println!("{checked} zones checked");
}
