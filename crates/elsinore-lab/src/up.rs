//! A lab that stays: the folder with everything a command needs to use it, and, for software that
//! is not ours, a network namespace of its own.

mod namespace;

pub use namespace::{Namespace, add_addresses};

use crate::running::{Placement, Running};
use crate::world::{NETWORKS, VALIDATING_RESOLVER, World};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The configuration file in a lab's folder.
pub const CONFIGURATION: &str = "elsinore.toml";

/// A new folder for a lab, removed with all that is in it when this is dropped.
#[derive(Debug)]
pub struct LabFolder {
    folder: TempDir,
}

impl LabFolder {
    /// Makes a folder of a name of its own, for this user alone, in the system's place for
    /// temporary files.
    ///
    /// # Errors
    /// The operating system's.
    pub fn create() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("elsinore-lab-").tempdir()?;
        Ok(Self { folder })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Writes everything a command needs into `folder`: `elsinore.toml`, and beside it the trust
/// anchor, the root hints, the CA and, for loopback, the address map. Returns the path of the
/// configuration file.
///
/// # Errors
/// The operating system's.
pub fn write_folder(folder: &Path, running: &Running, placement: Placement) -> io::Result<PathBuf> {
    let tree = running.world().authority().tree();
    std::fs::write(folder.join("trust-anchor.txt"), tree.trust_anchor())?;
    std::fs::write(folder.join("root-hints.txt"), tree.root_hints())?;
    std::fs::write(folder.join("ca.pem"), running.world().ca_pem())?;
    if placement == Placement::Loopback {
        std::fs::write(folder.join("addresses.txt"), running.map().to_text())?;
    }
    let path = folder.join(CONFIGURATION);
    std::fs::write(&path, configuration(placement))?;
    Ok(path)
}

fn configuration(placement: Placement) -> String {
    let networks: Vec<String> = NETWORKS.iter().map(|one| format!("\"{one}\"")).collect();
    let networks = networks.join(", ");
    let mut text = format!(
        "# A running lab. It is gone when `elsinore lab up` ends.\n\
         state_dir = \"state\"\n\n\
         [dns]\n\
         root_hints = \"root-hints.txt\"\n\
         trust_anchor = \"trust-anchor.txt\"\n\
         upstream = [\"{VALIDATING_RESOLVER}:53\"]\n\
         allow_nets = [{networks}]\n\n\
         [tls]\n\
         ca_file = \"ca.pem\"\n\n\
         [smtp]\n\
         helo = \"client.example\"\n\
         allow_nets = [{networks}]\n"
    );
    if placement == Placement::Loopback {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n[lab]\nmap = \"addresses.txt\"\n");
    }
    text
}

/// How a running lab is used, for people.
#[must_use]
pub fn instructions(configuration: &Path, world: &World, namespace: Option<&str>) -> String {
    let shown = configuration.display();
    let prefix = namespace.map_or_else(String::new, |name| format!("ip netns exec {name} "));
    let domain = (world.scenarios().iter())
        .find_map(|scenario| scenario.zones.first())
        .map_or("example", |zone| zone.name.as_str());
    let mut text = format!(
        "{} scenarios are up: mail servers, signed zones, policy hosts. Try, in another shell:\n\n",
        world.scenarios().len()
    );
    // Writing to a String cannot fail.
    let _ = writeln!(text, "    export ELSINORE_CONFIG={shown}");
    let mut line = |command: &str| {
        let _ = writeln!(text, "    {prefix}{command}");
    };
    line(&format!("elsinore dns {domain} MX"));
    line(&format!(
        "elsinore send --from alice@sender.example --to bob@{domain} --file message.eml"
    ));
    line(&format!("elsinore --dns-mode ad dns {domain} MX"));
    if namespace.is_some() {
        line(&format!("posttls-finger -c -l dane {domain}"));
    }
    text.push_str(
        "\n`elsinore lab list` tells what each domain shows. Ctrl-C ends the lab and removes its \
         folder.\n",
    );
    text
}
