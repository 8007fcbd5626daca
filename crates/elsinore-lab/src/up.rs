//! A lab that stays: the folder with everything a command needs to use it, and, for software that
//! is not ours, a network namespace of its own.

mod namespace;

pub use namespace::{Namespace, add_addresses};

use crate::running::{Placement, Running};
use crate::scenario::check::STATES;
use crate::scenario::{Delegation, Signing, ZoneSpec};
use crate::world::{NETWORKS, VALIDATING_RESOLVER, World};
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The configuration file in a lab's folder.
pub const CONFIGURATION: &str = "elsinore.toml";

/// A new folder for a lab, removed with all that is in it when this is dropped.
#[derive(Debug)]
pub struct LabFolder {
    folder: TempDir,
    /// Locked as long as the lab runs, by which [`remove_dead`] knows it from one that was killed.
    _lock: File,
}

const PREFIX: &str = "elsinore-lab-";
const LOCK: &str = "running.lock";

impl LabFolder {
    /// Makes a folder of a name of its own, for this user alone, in the system's place for
    /// temporary files.
    ///
    /// # Errors
    /// The operating system's.
    pub fn create() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        // Locked before it gets its name, so that nobody sees it unlocked.
        let unnamed = folder.path().join("lock");
        let lock = File::create_new(&unnamed)?;
        lock.lock()?;
        std::fs::rename(unnamed, folder.path().join(LOCK))?;
        remove_dead(&std::env::temp_dir(), folder.path());
        let _lock = lock;
        Ok(Self { folder, _lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes from `parent` the folders that labs of the same user left behind because they were
/// killed. `own` is a folder of that user's. What cannot be looked at or removed stays.
fn remove_dead(parent: &Path, own: &Path) {
    let owner = |path: &Path| std::fs::symlink_metadata(path).map(|found| (found.uid(), found));
    let (Ok((user, _)), Ok(entries)) = (owner(own), std::fs::read_dir(parent)) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let named = (path.file_name().and_then(|name| name.to_str()))
            .is_some_and(|name| name.starts_with(PREFIX));
        // A folder of the same user, never a link: nobody else can have put the lock there.
        let ours = named && owner(&path).is_ok_and(|(uid, found)| uid == user && found.is_dir());
        let dead = || File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if ours && dead() {
            // A folder that stays is no reason not to start.
            let _ = std::fs::remove_dir_all(&path);
        }
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
    std::fs::write(
        folder.join("resolv.conf"),
        format!("nameserver {VALIDATING_RESOLVER}\n"),
    )?;
    let path = folder.join(CONFIGURATION);
    std::fs::write(&path, configuration(placement, running.world()))?;
    Ok(path)
}

fn configuration(placement: Placement, world: &World) -> String {
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
         allow_nets = [{networks}]\n\n\
         [check]\n\
         pause = 0.0\n\n\
         [doctor]\n\
         resolv_conf = \"resolv.conf\"\n\
         {}",
        doctor(world)
    );
    if placement == Placement::Loopback {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n[lab]\nmap = \"addresses.txt\"\n");
    }
    text
}

/// The names that `elsinore doctor` asks for: zones of the scenarios, by what is known of them, and
/// a mail server that is up. A kind that no scenario has is left to the program, whose own names
/// do not exist here.
fn doctor(world: &World) -> String {
    let zones = || world.scenarios().iter().flat_map(|one| &one.zones);
    let sound = |zone: &&ZoneSpec| zone.damage.is_empty() && zone.fault.is_empty();
    let signed = |zone: &&ZoneSpec| sound(zone) && zone.signing == Signing::Nsec;
    let below_top = |zone: &&ZoneSpec| zone.name.matches('.').count() == 1;
    let secure = zones()
        .filter(below_top)
        .find(|zone| signed(zone) && zone.delegation == Delegation::Matching);
    let bogus = zones()
        .filter(below_top)
        .find(|zone| sound(zone) && zone.delegation == Delegation::WrongDs);
    let insecure = zones()
        .filter(below_top)
        .find(|zone| sound(zone) && zone.signing == Signing::Unsigned);
    let mut text = String::new();
    for (key, zone) in [("secure", secure), ("bogus", bogus), ("insecure", insecure)] {
        if let Some(zone) = zone {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key} = [\"{}\"]", zone.name);
        }
    }
    let mail = secure.map_or_else(String::new, |zone| format!("\"@{}\"", zone.name));
    let _ = writeln!(text, "mail = [{mail}]");
    text
}

/// A domain of each state that `elsinore check` knows, as far as the scenarios have one.
fn worth_checking(world: &World) -> Vec<(&'static str, &str)> {
    STATES
        .into_iter()
        .filter_map(|state| {
            world.scenarios().iter().find_map(|scenario| {
                let check = (scenario.checks.iter())
                    .find(|check| check.state == state && check.at.is_none())?;
                let first = || Some(scenario.zones.first()?.name.as_str());
                Some((state, check.domain.as_deref().or_else(first)?))
            })
        })
        .collect()
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
    line("elsinore doctor");
    for (state, domain) in worth_checking(world) {
        line(&format!("elsinore check {domain}    # {state}"));
    }
    line("elsinore web");
    if namespace.is_some() {
        line(&format!("posttls-finger -c -l dane {domain}"));
    }
    text.push_str(
        "\n`elsinore lab list` tells what each domain shows. Ctrl-C ends the lab and removes its \
         folder.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_killed_labs_go_and_others_stay() {
        let place = TempDir::new().unwrap();
        let folder = |name: &str, lock: bool| {
            let path = place.path().join(name);
            std::fs::create_dir(&path).unwrap();
            if lock {
                std::fs::write(path.join(LOCK), "").unwrap();
            }
            path
        };
        let killed = folder("elsinore-lab-killed", true);
        let running = folder("elsinore-lab-running", true);
        let starting = folder("elsinore-lab-starting", false);
        let other = folder("another", true);
        let held = File::open(running.join(LOCK)).unwrap();
        held.lock().unwrap();
        std::os::unix::fs::symlink(&other, place.path().join("elsinore-lab-link")).unwrap();
        remove_dead(place.path(), place.path());
        for (path, stays) in [
            (killed, false),
            (running, true),
            (starting, true),
            (other, true),
        ] {
            assert_eq!(path.exists(), stays, "{}", path.display());
        }
    }
}
