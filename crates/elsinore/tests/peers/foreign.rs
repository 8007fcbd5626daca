//! The scenarios on other people's name servers: every zone that needs no broken server is signed by
//! ldns, BIND's tools or Knot and served by NSD or Knot, the mail servers stay the lab's, and every
//! case must end as its scenario file says: resolved by ourselves, and through Unbound.

use crate::case::{Task, differences, is_one_run};
use crate::elsinore::{self, Dns, PROGRAM, configuration};
use crate::internet::{Denial, Internet, Link, Server, Signer, ZoneText};
use crate::namespace::{inside, notice};
use crate::unbound;
use elsinore_lab::scenario::{
    Case, Delegation, ResolverMode, Scenario, Signing, TOP_LEVEL_DOMAINS, Trouble, ZoneSpec, files,
};
use elsinore_lab::sign::Trust;
use elsinore_lab::up::add_addresses;
use elsinore_lab::world::World;
use elsinore_net::clock::{Clock, SystemClock};
use std::collections::BTreeMap;
use std::process::Command;
use tokio::net::TcpListener;

/// Cases that need TLSA records without an association, which not all of these programs read.
const UNSERVED: [&str; 4] = ["empty", "one-octet", "two-octets", "three-octets"];

#[test]
fn every_case_ends_the_same_on_foreign_servers() {
    inside(
        "foreign::every_case_ends_the_same_on_foreign_servers",
        &[
            "nsd",
            "knotd",
            "keymgr",
            "unbound",
            "ldns-keygen",
            "ldns-signzone",
            "dnssec-keygen",
            "dnssec-signzone",
        ],
        body,
    );
}

fn body() {
    let mut scenarios = files::embedded().expect("our own scenarios");
    // What is there for `check` is sent into in-process, and its name servers differ on purpose.
    scenarios.retain(|scenario| {
        scenario.checks.is_empty() && scenario.zones.iter().all(is_served_truly)
    });
    let world = World::build(scenarios, SystemClock.now()).expect("our own scenarios");
    let mut addresses = world.addresses();
    addresses.sort();
    addresses.dedup();
    add_addresses(&addresses).expect("addresses on lo");
    let zones = zones(&world);
    let signers: BTreeMap<String, usize> =
        zones.iter().fold(BTreeMap::new(), |mut counts, zone| {
            *counts.entry(format!("{:?}", zone.signer)).or_default() += 1;
            counts
        });
    let hints = world.authority().tree().root_hints();
    let internet = Internet::start(zones.clone(), &hints, world.ca_pem());
    let folder = tempfile::tempdir().expect("a folder");
    let _unbound = unbound::start(Command::new("unbound"), internet.folder(), folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(serve(&world));

    let mut problems = chains(&world, &zones, &internet);
    let mut tasks = Vec::new();
    for scenario in world.scenarios() {
        for case in scenario
            .cases
            .iter()
            .filter(|case| is_asked(scenario, case))
        {
            for dns in [
                Dns::Recursive,
                Dns::Forward(unbound::ADDRESS),
                Dns::Ad(unbound::ADDRESS),
            ] {
                tasks.push(Task {
                    scenario,
                    case,
                    dns,
                });
            }
        }
    }
    assert!(tasks.len() > 300, "{}", tasks.len());
    let found = differences(&tasks, &world, internet.folder(), &|| Command::new(PROGRAM));
    for (task, found) in tasks.iter().zip(found) {
        let is_known = matches!(task.dns, Dns::Ad(_)) && crate::upstream::is_known(&task.name());
        if found.is_empty() == is_known {
            problems.push(format!("{} {:?}: {found:#?}", task.name(), task.dns));
        }
    }
    notice(&format!(
        "{} zones signed by {signers:?}; {} messages sent",
        zones.len(),
        tasks.len()
    ));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Whether a server that does what it should can serve the zone.
fn is_served_truly(zone: &ZoneSpec) -> bool {
    zone.fault.is_empty()
        && zone.damage.is_empty()
        && zone.other_records.is_none()
        && zone.delegation != Delegation::WrongDs
        && matches!(zone.algorithm, 8 | 10 | 13..=16)
}

fn is_asked(scenario: &Scenario, case: &Case) -> bool {
    let careless = [ResolverMode::AdCareless, ResolverMode::ForwardCareless];
    let remembers =
        (scenario.receivers.iter()).any(|receiver| receiver.trouble == Some(Trouble::Greylist));
    is_one_run(case)
        && !remembers
        && !case.modes.iter().all(|mode| careless.contains(mode))
        && !UNSERVED.contains(&case.id.as_str())
}

/// The world's zones as their owners would hand them in, before signing.
fn zones(world: &World) -> Vec<ZoneText> {
    let tree = world.authority().tree();
    let mut specs: BTreeMap<&str, (usize, &ZoneSpec)> = BTreeMap::new();
    for (number, scenario) in world.scenarios().iter().enumerate() {
        specs.extend((scenario.zones.iter()).map(|zone| (zone.name.as_str(), (number, zone))));
    }
    tree.zones()
        .map(|zone| {
            let apex = zone.apex();
            let spec = specs.get(apex.as_str());
            let signing = match spec {
                Some((_, spec)) => spec.signing,
                None => (TOP_LEVEL_DOMAINS.iter())
                    .find(|(name, _)| *name == apex.as_str())
                    .map_or(Signing::Nsec, |(_, signing)| *signing),
            };
            let denial = match signing {
                // Half of them the other way, which no case can tell.
                Signing::Nsec if spec.is_some_and(|(number, _)| !number.is_multiple_of(2)) => {
                    Some(Denial::Nsec3)
                }
                Signing::Nsec => Some(Denial::Nsec),
                Signing::Nsec3 => Some(Denial::Nsec3),
                Signing::OptOut => Some(Denial::OptOut),
                Signing::Unsigned => None,
            };
            let text: String = (zone.to_text().lines())
                .filter(|line| is_content(line))
                .flat_map(|line| [line, "\n"])
                .collect();
            let number = spec.map_or(0, |(number, _)| *number);
            let is_nested = |zone: &ZoneSpec| zone.name.split('.').count() > 2;
            let server = match world.scenarios().get(number) {
                // Knot signs as it serves, too late for the DS records of children of its zones.
                Some(scenario) if number % 3 == 2 && !scenario.zones.iter().any(is_nested) => {
                    Server::Knot
                }
                _ => Server::Nsd,
            };
            let signer = match (denial, server) {
                (None, _) => Signer::Nobody,
                (Some(denial), Server::Knot) => Signer::Knot(denial),
                (Some(denial), Server::Nsd) if number.is_multiple_of(3) => Signer::Ldns(denial),
                (Some(denial), Server::Nsd) => Signer::Bind(denial),
            };
            ZoneText {
                apex: apex.to_string(),
                text,
                servers: (world.authority().addresses())
                    .filter(|address| world.authority().serves(*address, apex))
                    .collect(),
                server,
                signer,
                link: match spec {
                    Some((_, spec)) if spec.delegation == Delegation::WithoutDs => Link::NoDs,
                    _ => Link::Ds,
                },
            }
        })
        .collect()
}

/// Whether a line of a zone file is the owner's and not the signer's.
fn is_content(line: &str) -> bool {
    let mut fields = line.split(' ').skip(3);
    let rtype = fields.next().unwrap_or_default();
    let is_short = rtype == "TLSA"
        && fields.next() == Some("\\#")
        && fields
            .next()
            .is_some_and(|length| ["0", "1", "2", "3"].contains(&length));
    let of_signer = ["RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY", "DS"];
    !of_signer.contains(&rtype) && !is_short
}

/// Listens wherever a mail server or policy host of the world is.
async fn serve(world: &World) {
    for (address, service) in world.services() {
        let listener = TcpListener::bind(address)
            .await
            .expect("the world's own address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move { service.serve(Box::new(stream), address).await });
            }
        });
    }
}

/// `elsinore dns` on each zone: a record that is there, a type and a name that are not; each secure
/// where the lab's own tree is.
fn chains(world: &World, zones: &[ZoneText], internet: &Internet) -> Vec<String> {
    let text = configuration(internet.folder(), "", "", "");
    let mut problems = Vec::new();
    for zone in zones {
        let apex = zone.apex.parse().expect("a name");
        let expected = match world.authority().tree().trust(&apex) {
            Trust::Secure => "secure",
            Trust::Insecure => "insecure",
            Trust::Bogus => "bogus",
        };
        let below = if zone.apex == "." {
            "nowhere".to_owned()
        } else {
            format!("nowhere.{}", zone.apex)
        };
        // An opt-out span may hold unsigned delegations, so it proves no absence (RFC 5155 §12.2).
        let is_optout = matches!(
            zone.signer,
            Signer::Ldns(Denial::OptOut)
                | Signer::Bind(Denial::OptOut)
                | Signer::Knot(Denial::OptOut)
        );
        let of_absence = if is_optout { "insecure" } else { expected };
        for (name, rtype, kinds, expected) in [
            (&zone.apex, "SOA", &["data"][..], expected),
            (&zone.apex, "TYPE65280", &["nodata"][..], expected),
            (&below, "A", &["nxdomain", "data", "nodata"][..], of_absence),
        ] {
            let arguments = ["dns", name, rtype].map(str::to_owned);
            let command = Command::new(PROGRAM);
            match elsinore::run(command, &text, Dns::Recursive, &arguments, "") {
                Ok(object) => {
                    let answer = &object["answer"];
                    let kind = answer["kind"].as_str().unwrap_or_default();
                    if answer["security"] != expected || !kinds.contains(&kind) {
                        problems.push(format!("{name} {rtype}: expected {expected}: {answer}"));
                    }
                }
                Err(error) => problems.push(error),
            }
        }
    }
    problems
}
