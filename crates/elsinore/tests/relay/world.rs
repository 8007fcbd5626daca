//! Where mail goes in these tests: a small signed Internet on loopback.

use elsinore_lab::running::{Placement, Running};
use elsinore_lab::scenario::files::read_all;
use elsinore_lab::up::write_folder;
use elsinore_lab::world::World as LabWorld;
use elsinore_net::clock::{Clock as _, SystemClock};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const ID: &str = "relay";

/// `dane` delivers under DANE, `plain` without TLS, `grey` at the second attempt, `gone` refuses every
/// message, and `home` is where senders are told.
const SCENARIO: &str = r#"
[[scenario]]
id = "relay"
title = "The far side of a relay"
shows = ["RFC 5321 §6.1"]
[[scenario.zone]]
name = "dane.example"
records = """
@             MX    10 mx
mx            A     {dane}
_25._tcp.mx   TLSA  {tlsa 3 1 1 dane}
"""
[[scenario.zone]]
name = "plain.example"
records = """
@             MX    10 mx
mx            A     {plain}
"""
[[scenario.zone]]
name = "grey.example"
records = """
@             MX    10 mx
mx            A     {grey}
"""
[[scenario.zone]]
name = "gone.example"
records = """
@             MX    10 mx
mx            A     {gone}
"""
[[scenario.zone]]
name = "home.example"
records = """
@             MX    10 mx
mx            A     {home}
"""
[[scenario.receiver]]
name = "dane"
zone = "dane.example"
addresses = "ipv4"
[[scenario.receiver]]
name = "plain"
zone = "plain.example"
addresses = "ipv4"
starttls = "absent"
[[scenario.receiver]]
name = "grey"
zone = "grey.example"
addresses = "ipv4"
trouble = "greylist"
[[scenario.receiver]]
name = "gone"
zone = "gone.example"
addresses = "ipv4"
replies = { rcpt = "550 5.1.1 gone" }
[[scenario.receiver]]
name = "home"
zone = "home.example"
addresses = "ipv4"
[[scenario.case]]
expect = { outcome = "delivered", security = "dane" }
"#;

/// The servers, and the folder with the configuration that finds them.
#[derive(Debug)]
pub(crate) struct World {
    running: Running,
    folder: TempDir,
}

impl World {
    /// Starts every server.
    pub(crate) async fn start() -> Self {
        let scenarios = read_all([("relay.toml", SCENARIO)]).expect("a scenario");
        let world = LabWorld::build(scenarios, SystemClock.now()).expect("a world");
        let running = Running::start(Arc::new(world), Placement::Loopback).await;
        let running = running.expect("servers on loopback");
        let folder = tempfile::tempdir().expect("a folder");
        write_folder(folder.path(), &running, Placement::Loopback).expect("a configuration");
        Self { running, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration with `relay`, sections of `[relay]`, behind it.
    pub(crate) fn configuration(&self, relay: &str) -> PathBuf {
        let lab = std::fs::read_to_string(self.folder().join("elsinore.toml")).expect("the lab's");
        let path = self.folder().join("relay.toml");
        std::fs::write(&path, format!("{lab}\n{relay}")).expect("a file");
        path
    }

    /// The same for one of several relays, with a state folder of its own.
    pub(crate) fn configuration_of(&self, name: &str, relay: &str) -> PathBuf {
        let lab = std::fs::read_to_string(self.folder().join("elsinore.toml")).expect("the lab's");
        let own = lab.replace("state_dir = \"state\"", &format!("state_dir = \"{name}\""));
        assert_ne!(
            lab, own,
            "the lab's configuration names its state folder otherwise"
        );
        let path = self.folder().join(format!("{name}.toml"));
        std::fs::write(&path, format!("{own}\n{relay}")).expect("a file");
        path
    }

    /// The messages that a server took, as text.
    pub(crate) fn taken(&self, server: &str) -> Vec<String> {
        let placed = self.running.world().receiver(ID, server);
        let messages = placed.expect("a server").host.mailbox().messages();
        let texts = messages.into_iter().map(|message| {
            let octets = String::from_utf8_lossy(&message.octets);
            format!(
                "{}\n{}\n{octets}",
                message.sender,
                message.recipients.join(" ")
            )
        });
        texts.collect()
    }
}
