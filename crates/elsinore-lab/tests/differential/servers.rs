//! The tree on loopback: NSD and, for the top-level zones, Knot; one server for each tier, so that every step from
//! parent to child is a real referral.

use crate::contents::{SERVERS, content};
use crate::daemon::{Daemon, Ready};
use crate::fault::{served, unsigned};
use crate::plan::Plan;
use crate::random::Random;
use crate::sign::{Key, Pool, ds_records, sign};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// The served tree.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) plans: Vec<Plan>,
    pub(crate) asked: Vec<crate::contents::Asked>,
    pub(crate) hints: PathBuf,
    pub(crate) anchor: PathBuf,
    servers: Vec<Daemon>,
}

impl Tree {
    /// Fails with the log of a server that has ended.
    pub(crate) fn still_served(&mut self) {
        for (tier, server) in self.servers.iter_mut().enumerate() {
            let place = addresses(tier)[0];
            server.wait_until("is still there", |_| TcpStream::connect(place).is_ok());
        }
    }
}

/// Writes, signs, breaks and serves `plans`.
pub(crate) fn serve(plans: Vec<Plan>, random: &mut Random, folder: &Path) -> Tree {
    let keys = folder.join("keys");
    fs::create_dir(&keys).expect("a folder");
    let pool = Pool::make(&keys);
    let mut asked = BTreeSet::new();
    let mut texts = Vec::new();
    for index in 0..plans.len() {
        let content = content(index, &plans, random);
        asked.extend(content.questions(random));
        texts.push(content.text().to_owned());
    }
    let mut anchor = String::new();
    // Children before parents: their DS records belong into the parents' text.
    for tier in (0..SERVERS.len()).rev() {
        let here: Vec<usize> = (0..plans.len())
            .filter(|index| plans[*index].tier == tier)
            .collect();
        let made = sign_all(&here, &plans, &texts, &pool, folder);
        for (index, ds) in here.into_iter().zip(made) {
            match plans[index].parent {
                Some(parent) if plans[index].has_ds() => texts[parent].push_str(&ds),
                None => anchor = ds,
                Some(_) => {}
            }
        }
    }
    let hints = folder.join("hints");
    let (four, six) = SERVERS[0];
    let text = format!(". 3600 IN NS ns.\nns. 3600 IN A {four}\nns. 3600 IN AAAA {six}\n");
    fs::write(&hints, text).expect("a file");
    let anchor_file = folder.join("anchor");
    // The root's DS has the owner `.` already.
    fs::write(&anchor_file, anchor).expect("a file");
    let servers = (0..SERVERS.len())
        .map(|tier| {
            let zones: Vec<(usize, &Plan)> = plans
                .iter()
                .enumerate()
                .filter(|(_, plan)| plan.served_by() == tier)
                .collect();
            // Knot 3.2.6 ends (SIGSEGV) on questions about some of the damaged zones further down.
            if tier == 1 {
                knot(tier, &zones, folder)
            } else {
                nsd(tier, &zones, folder)
            }
        })
        .collect();
    Tree {
        plans,
        asked: asked.into_iter().collect(),
        hints,
        anchor: anchor_file,
        servers,
    }
}

fn zone_file(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("zone{index}"))
}

/// Signs the zones at `indices` on two threads; returns the DS records for their parents.
fn sign_all(
    indices: &[usize],
    plans: &[Plan],
    texts: &[String],
    pool: &Pool,
    folder: &Path,
) -> Vec<String> {
    let halves = indices.split_at(indices.len() / 2);
    let half = |indices: &[usize]| -> Vec<String> {
        indices
            .iter()
            .map(|index| one_zone(*index, &plans[*index], &texts[*index], pool, folder))
            .collect()
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| half(halves.0));
        let mut second = half(halves.1);
        let mut made = first.join().expect("the other half");
        made.append(&mut second);
        made
    })
}

fn one_zone(index: usize, plan: &Plan, text: &str, pool: &Pool, folder: &Path) -> String {
    let file = zone_file(folder, index);
    let Some(signing) = &plan.signing else {
        fs::write(file, unsigned(text)).expect("a zone file");
        return ds_records(plan, &[], pool.any());
    };
    let signed = sign(plan, signing, text, index, pool, folder);
    fs::write(file, served(plan, &signing.denial, &signed)).expect("a zone file");
    let entry: &[Key] = &signed.secure_entry;
    ds_records(plan, entry, &signed.stranger)
}

fn addresses(tier: usize) -> Vec<SocketAddr> {
    let (four, six) = SERVERS[tier];
    [four, six]
        .map(|address| SocketAddr::new(address.parse().expect("an address"), 53))
        .to_vec()
}

fn nsd(tier: usize, zones: &[(usize, &Plan)], folder: &Path) -> Daemon {
    let here = folder.display();
    let mut config = format!(
        "server:\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{here}\"\n  database: \"\"\n  \
         pidfile: \"{here}/nsd{tier}.pid\"\n  xfrdfile: \"{here}/nsd{tier}.xfrd\"\n  \
         zonelistfile: \"{here}/nsd{tier}.zonelist\"\n  xfrdir: \"{here}\"\n  server-count: 1\n  \
         rrl-ratelimit: 0\n  verbosity: 1\n  minimal-responses: yes\n  refuse-any: no\n"
    );
    for address in addresses(tier) {
        let _ = writeln!(config, "  ip-address: {}", address.ip());
    }
    config.push_str("remote-control:\n  control-enable: no\n");
    for (index, plan) in zones {
        let _ = write!(
            config,
            "zone:\n  name: \"{}\"\n  zonefile: \"zone{index}\"\n",
            plan.name("@")
        );
    }
    let file = folder.join(format!("nsd{tier}.conf"));
    fs::write(&file, config).expect("a configuration");
    let mut command = Command::new("nsd");
    command.arg("-d").arg("-c").arg(&file);
    let places = addresses(tier);
    Daemon::start(
        &format!("nsd{tier}"),
        command,
        folder,
        &Ready::Listening(&places),
    )
}

fn knot(tier: usize, zones: &[(usize, &Plan)], folder: &Path) -> Daemon {
    let here = folder.join(format!("knot{tier}"));
    fs::create_dir_all(here.join("db")).expect("a folder");
    let mut config = format!(
        "server:\n  rundir: {here}\n  user: root:root\n  tcp-workers: 1\n  udp-workers: 1\n  \
         background-workers: 1\n",
        here = here.display()
    );
    for address in addresses(tier) {
        let _ = writeln!(config, "  listen: {}@53", address.ip());
    }
    let _ = write!(
        config,
        "database:\n  storage: {here}/db\nlog:\n  - target: stderr\n    any: info\n\
         template:\n  - id: default\n    storage: {zones}\n    zonefile-sync: -1\n    \
         semantic-checks: off\n    journal-content: none\nzone:\n",
        here = here.display(),
        zones = folder.display(),
    );
    for (index, plan) in zones {
        let apex = plan.name("@");
        let _ = write!(config, "  - domain: {apex}\n    file: zone{index}\n");
    }
    let file = here.join("knot.conf");
    fs::write(&file, config).expect("a configuration");
    let mut command = Command::new("knotd");
    command.arg("-c").arg(&file);
    let places = addresses(tier);
    let mut daemon = Daemon::start(
        &format!("knot{tier}"),
        command,
        folder,
        &Ready::Listening(&places),
    );
    daemon.wait_until("has loaded its zones", |daemon| {
        daemon.log().matches("] loaded, serial").count() >= zones.len()
    });
    daemon
}
