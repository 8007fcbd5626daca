//! Zones signed by ldns, BIND's tools or Knot, served by NSD and Knot on their real addresses.

use crate::daemon::{Daemon, Ready};
use crate::namespace::run;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A zone to be signed and served.
#[derive(Debug, Clone)]
pub(crate) struct ZoneText {
    /// Without trailing dot, except for the root.
    pub(crate) apex: String,
    /// Zone-file text with absolute names, without DS records of children.
    pub(crate) text: String,
    /// Where it is served.
    pub(crate) servers: Vec<IpAddr>,
    pub(crate) server: Server,
    pub(crate) signer: Signer,
    pub(crate) link: Link,
}

/// Who serves a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Nsd,
    Knot,
}

/// Who signs a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signer {
    Nobody,
    /// ldns-signzone.
    Ldns(Denial),
    /// dnssec-signzone.
    Bind(Denial),
    /// knotd itself, with keys that it makes itself.
    Knot(Denial),
}

/// How a signed zone proves absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denial {
    Nsec,
    Nsec3,
    OptOut,
}

/// Whether the parent has a DS record of a signed zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Ds,
    NoDs,
}

/// The servers, and a folder with what is needed to trust them.
#[derive(Debug)]
pub(crate) struct Internet {
    _servers: Vec<Daemon>,
    folder: TempDir,
}

impl Internet {
    /// Signs the zones, children first, and starts their servers. `hints` are the root hints,
    /// `ca` the CA file that configurations name.
    pub(crate) fn start(mut zones: Vec<ZoneText>, hints: &str, ca: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Children before parents: their DS records belong into the parents' text.
        zones.sort_by_key(|zone| std::cmp::Reverse(depth(&zone.apex)));
        let mut delegations = Delegations {
            apexes: zones.iter().map(|zone| zone.apex.clone()).collect(),
            ds: BTreeMap::new(),
        };
        let mut servers = Vec::new();
        let (of_knot, of_nsd): (Vec<_>, Vec<_>) =
            (zones.into_iter()).partition(|zone| zone.server == Server::Knot);
        if !of_knot.is_empty() {
            let (daemon, records) = knot(&of_knot, folder.path());
            servers.push(daemon);
            for (zone, records) in of_knot.iter().zip(records) {
                delegations.add(zone, &records);
            }
        }
        let mut anchor = String::new();
        let mut signed: BTreeMap<&str, Vec<(ZoneText, PathBuf)>> = BTreeMap::new();
        for (number, mut zone) in of_nsd.into_iter().enumerate() {
            let ds = delegations.ds.get(&zone.apex);
            zone.text.push_str(ds.map_or("", String::as_str));
            let (file, records) = sign(&zone, number, folder.path());
            delegations.add(&zone, &records);
            if zone.apex == "." {
                anchor = records;
            }
            let level = ["root", "top-level", "domains"][depth(&zone.apex).min(2)];
            signed.entry(level).or_default().push((zone, file));
        }
        for (level, zones) in &signed {
            servers.push(nsd(level, zones, folder.path()));
        }
        for (name, text) in [
            ("root-hints.txt", hints),
            ("trust-anchor.txt", &anchor),
            ("ca.pem", ca),
        ] {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        Self {
            _servers: servers,
            folder,
        }
    }

    /// Root hints, trust anchor and CA file.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Labels: 0 for the root.
fn depth(apex: &str) -> usize {
    apex.split('.').filter(|label| !label.is_empty()).count()
}

/// The DS records collected so far, by the zone that must have them.
#[derive(Debug)]
struct Delegations {
    apexes: BTreeSet<String>,
    ds: BTreeMap<String, String>,
}

impl Delegations {
    fn add(&mut self, zone: &ZoneText, records: &str) {
        if zone.apex != "." && zone.link == Link::Ds {
            let parent = self.parent(&zone.apex);
            self.ds.entry(parent).or_default().push_str(records);
        }
    }

    /// The deepest zone above.
    fn parent(&self, apex: &str) -> String {
        let mut rest = apex;
        while let Some((_, above)) = rest.split_once('.') {
            if self.apexes.contains(above) {
                return above.to_owned();
            }
            rest = above;
        }
        ".".to_owned()
    }
}

/// Signs a zone by command and returns the file to be served and the DS records, absolute.
fn sign(zone: &ZoneText, number: usize, folder: &Path) -> (PathBuf, String) {
    let plain = folder.join(format!("zone{number}"));
    let signed = folder.join(format!("zone{number}.signed"));
    fs::write(&plain, &zone.text).expect("a zone file");
    let keys = folder.join(format!("keys{number}"));
    fs::create_dir(&keys).expect("a folder for keys");
    let path = |path: &Path| path.display().to_string();
    match zone.signer {
        Signer::Nobody | Signer::Knot(_) => (plain, String::new()),
        Signer::Ldns(denial) => {
            let made = Command::new("ldns-keygen")
                .args([
                    "-k",
                    "-a",
                    "ECDSAP256SHA256",
                    "-r",
                    "/dev/urandom",
                    &zone.apex,
                ])
                .current_dir(&keys)
                .output()
                .expect("ldns-keygen runs");
            let name = String::from_utf8_lossy(&made.stdout).trim().to_owned();
            let key = path(&keys.join(&name));
            let (plain, output) = (path(&plain), path(&signed));
            let mut arguments: Vec<&str> = match denial {
                Denial::Nsec => vec![],
                Denial::Nsec3 => vec!["-n"],
                Denial::OptOut => vec!["-n", "-p"],
            };
            arguments.extend(["-o", &zone.apex, "-f", &output, &plain, &key]);
            run("ldns-signzone", &arguments);
            let records = fs::read_to_string(keys.join(format!("{name}.ds")));
            (signed, records.expect("ldns-keygen writes the DS record"))
        }
        Signer::Bind(denial) => {
            let here = path(&keys);
            let generate = [
                "-q",
                "-K",
                &here,
                "-f",
                "KSK",
                "-a",
                "ECDSAP256SHA256",
                &zone.apex,
            ];
            run("dnssec-keygen", &generate);
            let (plain, output) = (path(&plain), path(&signed));
            // One key for all, found by itself.
            let mut arguments = vec!["-S", "-z", "-K", &here, "-d", &here, "-o", &zone.apex];
            arguments.extend(match denial {
                Denial::Nsec => vec![],
                Denial::Nsec3 => vec!["-3", "-"],
                Denial::OptOut => vec!["-3", "-", "-A"],
            });
            arguments.extend(["-f", &output, &plain]);
            run("dnssec-signzone", &arguments);
            let records = fs::read_to_string(
                keys.join(format!("dsset-{}.", zone.apex.trim_end_matches('.'))),
            );
            (
                signed,
                records.expect("dnssec-signzone writes the DS records"),
            )
        }
    }
}

fn places(zones: impl IntoIterator<Item = Vec<IpAddr>>) -> BTreeSet<IpAddr> {
    zones.into_iter().flatten().collect()
}

fn nsd(level: &str, zones: &[(ZoneText, PathBuf)], folder: &Path) -> Daemon {
    let here = folder.display();
    let mut config = format!(
        "server:\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{here}\"\n  database: \"\"\n  \
         pidfile: \"{here}/{level}.pid\"\n  xfrdfile: \"{here}/{level}.xfrd\"\n  \
         zonelistfile: \"{here}/{level}.zonelist\"\n  xfrdir: \"{here}\"\n  server-count: 1\n  \
         rrl-ratelimit: 0\n  verbosity: 1\n"
    );
    let addresses = places(zones.iter().map(|(zone, _)| zone.servers.clone()));
    for address in &addresses {
        let _ = writeln!(config, "  ip-address: {address}");
    }
    config.push_str("remote-control:\n  control-enable: no\n");
    for (zone, file) in zones {
        let (apex, file) = (&zone.apex, file.display());
        let _ = write!(
            config,
            "zone:\n  name: \"{apex}\"\n  zonefile: \"{file}\"\n"
        );
    }
    let file = folder.join(format!("{level}.conf"));
    fs::write(&file, config).expect("a configuration");
    let mut command = Command::new("nsd");
    command.arg("-d").arg("-c").arg(&file);
    let places: Vec<_> = addresses
        .into_iter()
        .map(|address| (address, 53).into())
        .collect();
    let name = format!("nsd-{level}");
    Daemon::start(&name, command, folder, &Ready::Listening(&places))
}

/// Starts Knot, lets it sign, and returns each zone's DS records.
fn knot(zones: &[ZoneText], folder: &Path) -> (Daemon, Vec<String>) {
    let folder = folder.join("knot");
    fs::create_dir_all(folder.join("db")).expect("a folder");
    let here = folder.display();
    let mut config = format!("server:\n  rundir: {here}\n  user: root:root\n");
    let addresses = places(zones.iter().map(|zone| zone.servers.clone()));
    for address in &addresses {
        let _ = writeln!(config, "  listen: {address}@53");
    }
    let _ = write!(
        config,
        "database:\n  storage: {here}/db\nlog:\n  - target: stderr\n    any: info\n\
         policy:\n\
         \x20 - id: nsec\n    algorithm: ecdsap256sha256\n    single-type-signing: on\n\
         \x20 - id: nsec3\n    algorithm: ed25519\n    single-type-signing: off\n    nsec3: on\n\
         \x20 - id: optout\n    algorithm: rsasha256\n    single-type-signing: on\n    nsec3: on\n    \
         nsec3-opt-out: on\n\
         template:\n  - id: default\n    storage: {here}\n    zonefile-sync: -1\nzone:\n"
    );
    for (number, zone) in zones.iter().enumerate() {
        fs::write(folder.join(format!("zone{number}")), &zone.text).expect("a zone file");
        let policy = match zone.signer {
            Signer::Knot(Denial::OptOut) => "optout",
            Signer::Knot(Denial::Nsec3) => "nsec3",
            _ => "nsec",
        };
        let signing = match zone.signer {
            Signer::Knot(_) => "on",
            _ => "off",
        };
        let apex = &zone.apex;
        let _ = write!(
            config,
            "  - domain: {apex}\n    file: zone{number}\n    dnssec-signing: {signing}\n    \
             dnssec-policy: {policy}\n"
        );
    }
    let file = folder.join("knot.conf");
    fs::write(&file, config).expect("a configuration");
    let mut command = Command::new("knotd");
    command.arg("-c").arg(&file);
    let places: Vec<_> = addresses
        .into_iter()
        .map(|address| (address, 53).into())
        .collect();
    let mut daemon = Daemon::start("knot", command, &folder, &Ready::Listening(&places));
    let is_signed = |zone: &&ZoneText| matches!(zone.signer, Signer::Knot(_));
    let to_be_signed = zones.iter().filter(is_signed).count();
    daemon.wait_until("has signed its zones", |daemon| {
        daemon.log().matches("DNSSEC, successfully signed").count() >= to_be_signed
    });
    let file = file.display().to_string();
    let ds = |zone: &ZoneText| {
        if !is_signed(&zone) {
            return String::new();
        }
        let printed = run("keymgr", &["-c", &file, &zone.apex, "ds"]);
        // Owner, type, key tag, algorithm, digest type; SHA-256 is enough.
        let lines = printed
            .lines()
            .filter(|line| line.split(' ').nth(4) == Some("2"));
        lines.map(|line| format!("{line}\n")).collect()
    };
    (daemon, zones.iter().map(ds).collect())
}
