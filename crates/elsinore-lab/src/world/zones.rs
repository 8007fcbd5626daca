//! From scenarios to zone texts: the base world, delegations, faults.

use super::{Unsigned, WorldError};
use crate::authority::{Act, Behaviour, Names, When};
use crate::scenario::{
    Damage, DamageSpec, Delegation, FaultReply, FaultSpec, Scenario, Signing as Wanted,
    TOP_LEVEL_DOMAINS, ZoneSpec,
};
use crate::zone::{
    Algorithm, DsKind, DsPlan, Fault, Signing, SigningPlan, Target, Validity, ZoneSource,
};
use elsinore_dane::answer::RecordType;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Everything `SignedTree` and `Authority` need.
pub(super) type Description = (Vec<ZoneSource>, Vec<(DomainName, Behaviour)>);

type Server = (Ipv4Addr, Ipv6Addr);

/// Describes the base world and the scenarios' zones.
pub(super) fn describe(
    scenarios: &[Scenario],
    world: &mut Unsigned<'_>,
    now: UnixTime,
) -> Result<Description, WorldError> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let root = next_server(world, "root")?;
    texts.insert(".".to_owned(), base_text(".", root));
    for (tld, _) in TOP_LEVEL_DOMAINS {
        let server = next_server(world, tld)?;
        texts.insert(tld.to_owned(), base_text(tld, server));
        delegate(&mut texts, ".", tld, server);
    }
    let mut sources = Vec::new();
    let mut behaviours = Vec::new();
    for scenario in scenarios {
        if scenario.zones.is_empty() {
            continue;
        }
        let server = next_server(world, &scenario.id)?;
        for zone in &scenario.zones {
            texts.insert(zone.name.clone(), base_text(&zone.name, server));
        }
        for zone in &scenario.zones {
            let parent = parent_of(&zone.name, &texts);
            delegate(&mut texts, &parent, &zone.name, server);
            let text = world.fill(&scenario.id, &zone.records)?;
            if let Some(own) = texts.get_mut(&zone.name) {
                own.push_str(&text);
            }
        }
        for zone in &scenario.zones {
            let apex = name(&zone.name, &scenario.id)?;
            let text = texts.remove(&zone.name).unwrap_or_default();
            sources.push(source(scenario, zone, &apex, text, now)?);
            if let Some(other) = &zone.other_records {
                let mut text = base_text(&zone.name, server);
                text.push_str(&world.fill(&scenario.id, other)?);
                sources.push(source(scenario, zone, &apex, text, now)?.with_version(1));
            }
            for fault in &zone.fault {
                behaviours.push((apex.clone(), behaviour(scenario, &apex, fault)?));
            }
        }
    }
    for (tld, signing) in TOP_LEVEL_DOMAINS {
        let apex = name(tld, tld)?;
        sources.push(base_source(
            apex,
            texts.remove(tld).unwrap_or_default(),
            signing,
        ));
    }
    let text = texts.remove(".").unwrap_or_default();
    sources.push(base_source(DomainName::root(), text, Wanted::Nsec));
    Ok((sources, behaviours))
}

fn next_server(world: &mut Unsigned<'_>, subject: &str) -> Result<Server, WorldError> {
    (world.addresses.server()).ok_or_else(|| WorldError::new(subject, "no address is left"))
}

fn name(text: &str, subject: &str) -> Result<DomainName, WorldError> {
    DomainName::parse(text)
        .map_err(|error| WorldError::new(subject, format!("\"{text}\": {error}")))
}

fn server_name(apex: &str) -> String {
    if apex == "." {
        "a.root-servers.example.".to_owned()
    } else {
        format!("ns1.{apex}.")
    }
}

/// SOA, NS and the server's addresses.
fn base_text(apex: &str, (ipv4, ipv6): Server) -> String {
    let owner = if apex == "." {
        ".".to_owned()
    } else {
        format!("{apex}.")
    };
    let server = server_name(apex);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "$TTL 300\n{owner} IN SOA {server} hostmaster.example. 1 3600 900 604800 300\n\
         {owner} IN NS {server}"
    );
    let _ = writeln!(text, "{server} IN A {ipv4}\n{server} IN AAAA {ipv6}");
    text
}

fn delegate(texts: &mut BTreeMap<String, String>, parent: &str, apex: &str, server: Server) {
    let (ipv4, ipv6) = server;
    let ns = server_name(apex);
    if let Some(text) = texts.get_mut(parent) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{apex}. IN NS {ns}\n{ns} IN A {ipv4}\n{ns} IN AAAA {ipv6}"
        );
    }
}

/// The deepest zone above `apex`.
fn parent_of(apex: &str, texts: &BTreeMap<String, String>) -> String {
    let mut rest = apex;
    while let Some((_, above)) = rest.split_once('.') {
        if texts.contains_key(above) {
            return above.to_owned();
        }
        rest = above;
    }
    ".".to_owned()
}

fn plan(signing: Wanted) -> Option<SigningPlan> {
    match signing {
        Wanted::Nsec => Some(SigningPlan::default()),
        Wanted::Nsec3 => Some(SigningPlan::nsec3()),
        Wanted::OptOut => Some(SigningPlan::opt_out()),
        Wanted::Unsigned => None,
    }
}

fn base_source(apex: DomainName, text: String, signing: Wanted) -> ZoneSource {
    match plan(signing) {
        Some(plan) => ZoneSource::signed(apex, text, plan),
        None => ZoneSource::unsigned(apex, text),
    }
}

fn algorithm(number: u8) -> Algorithm {
    match number {
        8 => Algorithm::RsaSha256(2048),
        10 => Algorithm::RsaSha512(2048),
        13 => Algorithm::EcdsaP256,
        14 => Algorithm::EcdsaP384,
        15 => Algorithm::Ed25519,
        16 => Algorithm::Ed448,
        other => Algorithm::Unknown(other),
    }
}

fn source(
    scenario: &Scenario,
    zone: &ZoneSpec,
    apex: &DomainName,
    text: String,
    now: UnixTime,
) -> Result<ZoneSource, WorldError> {
    let mut source = base_source(apex.clone(), text, zone.signing);
    if let Signing::Signed(plan) = &mut source.signing {
        plan.algorithm = algorithm(zone.algorithm);
    }
    source = source.with_ds(match zone.delegation {
        Delegation::Matching => DsPlan::Matching,
        Delegation::WithoutDs => DsPlan::Omitted,
        Delegation::WrongDs => DsPlan::Only(vec![DsKind::WrongDigest]),
    });
    for damage in &zone.damage {
        source = source.with_fault(fault(scenario, apex, damage, now)?);
    }
    Ok(source)
}

fn owner(scenario: &Scenario, apex: &DomainName, relative: &str) -> Result<DomainName, WorldError> {
    if relative == "@" {
        return Ok(apex.clone());
    }
    name(&format!("{relative}.{apex}"), &scenario.id)
}

fn record_type(scenario: &Scenario, text: &str) -> Result<RecordType, WorldError> {
    const KNOWN: [RecordType; 10] = [
        RecordType::A,
        RecordType::Aaaa,
        RecordType::Ns,
        RecordType::Cname,
        RecordType::Soa,
        RecordType::Mx,
        RecordType::Txt,
        RecordType::Ds,
        RecordType::Dnskey,
        RecordType::Tlsa,
    ];
    (KNOWN.into_iter())
        .find(|known| known.to_string() == text)
        .ok_or_else(|| WorldError::new(&scenario.id, format!("\"{text}\" is not a known type")))
}

fn fault(
    scenario: &Scenario,
    apex: &DomainName,
    damage: &DamageSpec,
    now: UnixTime,
) -> Result<Fault, WorldError> {
    let target = Target::rrset(
        owner(scenario, apex, &damage.name)?,
        record_type(scenario, &damage.record_type)?,
    );
    Ok(match damage.how {
        Damage::Flipped => Fault::CorruptSignatures(target),
        Damage::Missing => Fault::DropSignatures(target),
        Damage::Expired => Fault::Resign(target, Validity::expired(now)),
        Damage::Future => Fault::Resign(target, Validity::future(now)),
    })
}

fn behaviour(
    scenario: &Scenario,
    apex: &DomainName,
    fault: &FaultSpec,
) -> Result<Behaviour, WorldError> {
    let mut when = When::always().of_names(match &fault.name {
        Some(relative) => Names::Exactly(owner(scenario, apex, relative)?),
        None => Names::AtOrBelow(apex.clone()),
    });
    if let Some(text) = &fault.record_type {
        when = when.of_types(&[record_type(scenario, text)?]);
    }
    let act = match fault.reply {
        FaultReply::FormErr => Act::Rcode(1),
        FaultReply::ServFail => Act::Rcode(2),
        FaultReply::NotImp => Act::Rcode(4),
        FaultReply::Refused => Act::Rcode(5),
        FaultReply::Silence => Act::Silence,
        FaultReply::NoData => Act::NoData,
        FaultReply::NxDomain => Act::NxDomain,
        FaultReply::OtherVersion => Act::FromVersion(1),
    };
    Ok(Behaviour::new(when, act))
}
