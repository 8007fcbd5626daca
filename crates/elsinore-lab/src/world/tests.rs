//! The embedded scenarios fit into one world.

use super::*;
use crate::scenario::files;

#[test]
fn every_embedded_scenario_fits_into_one_world() {
    let now = UnixTime(1_800_000_000);
    let world = World::build(files::embedded().unwrap(), now).unwrap_or_else(|e| panic!("{e}"));
    let services = world.services();
    let mut seen = std::collections::BTreeSet::new();
    for (address, _) in &services {
        assert!(seen.insert(*address), "{address} twice");
    }
    assert!(world.ca_pem().contains("BEGIN CERTIFICATE"));
    assert!(!world.authority().tree().trust_anchor().is_empty());
    assert!(world.authority().tree().root_hints().contains("192.0.2.1"));
}
