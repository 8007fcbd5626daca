//! From scenarios to zone texts: the base world, delegations, faults.

use super::{Unsigned, WorldError};
use crate::authority::{Act, Behaviour, Names, Transport, When};
use crate::scenario::server::SERIAL;
use crate::scenario::{
    Damage, DamageSpec, Delegation, FaultReply, FaultSpec, FaultTransport, Listed, Nsec3Spec,
    Scenario, ServerSpec, SignatureSpan, Signing as Wanted, TOP_LEVEL_DOMAINS, ZoneSpec,
};
use crate::zone::{
    Algorithm, DenialPlan, DsKind, DsPlan, Fault, Signing, SigningPlan, Target, Validity,
    ZoneSource,
};
use elsinore_dane::answer::RecordType;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Everything `SignedTree` and `Authority` need.
#[derive(Debug, Default)]
pub(super) struct Description {
    pub(super) sources: Vec<ZoneSource>,
    /// In the order in which they are judged.
    pub(super) behaviours: Vec<(Whose, Behaviour)>,
    /// Servers of a zone that its own NS records do not name.
    pub(super) unlisted: Vec<(IpAddr, DomainName)>,
}

/// Whose behaviour it is.
#[derive(Debug)]
pub(super) enum Whose {
    /// That of every server of the zone.
    Zone(DomainName),
    /// That of the server at this address.
    Server(IpAddr),
}

type Server = (Ipv4Addr, Ipv6Addr);

/// Describes the base world and the scenarios' zones.
pub(super) fn describe(
    scenarios: &[Scenario],
    world: &mut Unsigned<'_>,
    now: UnixTime,
) -> Result<Description, WorldError> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    let root = next_server(world, "root")?;
    texts.insert(".".to_owned(), base_text(".", root, SERIAL));
    for (tld, _) in TOP_LEVEL_DOMAINS {
        let server = next_server(world, tld)?;
        texts.insert(tld.to_owned(), base_text(tld, server, SERIAL));
        delegate(&mut texts, ".", tld, server);
    }
    let mut described = Description::default();
    for scenario in scenarios {
        if scenario.zones.is_empty() {
            continue;
        }
        let server = next_server(world, &scenario.id)?;
        for zone in &scenario.zones {
            texts.insert(zone.name.clone(), base_text(&zone.name, server, SERIAL));
        }
        let mut further = Vec::new();
        for zone in &scenario.zones {
            let parent = parent_of(&zone.name, &texts);
            delegate(&mut texts, &parent, &zone.name, server);
            for spec in &zone.server {
                let addresses = next_server(world, &scenario.id)?;
                list(&mut texts, &parent, &zone.name, spec, addresses);
                further.push((zone, spec, addresses));
            }
        }
        // What every version of a zone has: SOA, servers, delegations.
        let heads = texts.clone();
        for zone in &scenario.zones {
            let text = world.fill(&scenario.id, &zone.records)?;
            if let Some(own) = texts.get_mut(&zone.name) {
                own.push_str(&text);
            }
        }
        let head = |zone: &ZoneSpec| heads.get(&zone.name).cloned().unwrap_or_default();
        for (zone, spec, addresses) in further {
            let version = Version {
                scenario,
                zone,
                head: head(zone),
                now,
            };
            serve_apart(&mut described, &version, spec, addresses, world)?;
        }
        for zone in &scenario.zones {
            let apex = name(&zone.name, &scenario.id)?;
            let text = texts.remove(&zone.name).unwrap_or_default();
            let sources = &mut described.sources;
            sources.push(source(scenario, zone, &apex, text, now)?);
            if let Some(other) = &zone.other_records {
                let mut text = head(zone);
                text.push_str(&world.fill(&scenario.id, other)?);
                sources.push(source(scenario, zone, &apex, text, now)?.with_version(1));
            }
            for fault in &zone.fault {
                let behaviour = behaviour(scenario, &apex, fault)?;
                described
                    .behaviours
                    .push((Whose::Zone(apex.clone()), behaviour));
            }
        }
    }
    for (tld, signing) in TOP_LEVEL_DOMAINS {
        let apex = name(tld, tld)?;
        let text = texts.remove(tld).unwrap_or_default();
        described.sources.push(base_source(apex, text, signing));
    }
    let text = texts.remove(".").unwrap_or_default();
    let root = base_source(DomainName::root(), text, Wanted::Nsec);
    described.sources.push(root);
    Ok(described)
}

/// Names a further server of a zone where it is listed.
fn list(
    texts: &mut BTreeMap<String, String>,
    parent: &str,
    apex: &str,
    spec: &ServerSpec,
    (ipv4, ipv6): Server,
) {
    let host = format!("{}.{apex}.", spec.name);
    let addresses = format!("{host} IN A {ipv4}\n{host} IN AAAA {ipv6}\n");
    let delegation = format!("{apex}. IN NS {host}\n");
    if spec.listed != Listed::Child
        && let Some(text) = texts.get_mut(parent)
    {
        text.push_str(&delegation);
        text.push_str(&addresses);
    }
    if let Some(text) = texts.get_mut(apex) {
        if spec.listed != Listed::Parent {
            text.push_str(&delegation);
        }
        text.push_str(&addresses);
    }
}

/// What the versions of a zone have in common.
struct Version<'a> {
    scenario: &'a Scenario,
    zone: &'a ZoneSpec,
    head: String,
    now: UnixTime,
}

impl Version<'_> {
    /// What a server has that does not serve the zone's own records.
    fn source(
        &self,
        apex: &DomainName,
        spec: &ServerSpec,
        records: &str,
    ) -> Result<ZoneSource, WorldError> {
        let mut text = self.head.replace(&soa_tail(SERIAL), &soa_tail(spec.serial));
        text.push_str(records);
        let mut own = source(self.scenario, self.zone, apex, text, self.now)?;
        own.faults.clear();
        if let (Some(span), Signing::Signed(plan)) = (spec.signatures, &mut own.signing) {
            plan.validity = Some(validity(span, self.now));
        }
        Ok(own)
    }
}

/// A further server's own text, if it has one, and what it does wrong.
fn serve_apart(
    described: &mut Description,
    version: &Version<'_>,
    spec: &ServerSpec,
    addresses: Server,
    world: &Unsigned<'_>,
) -> Result<(), WorldError> {
    let scenario = version.scenario;
    let apex = name(&version.zone.name, &scenario.id)?;
    let mut behaviours = Vec::new();
    for fault in &spec.fault {
        behaviours.push(behaviour(scenario, &apex, fault)?);
    }
    if let Some(records) = &spec.records {
        let records = world.fill(&scenario.id, records)?;
        let own = version.source(&apex, spec, &records)?;
        // Versions 0 and 1 are the zone's own.
        let taken = (described.sources.iter()).filter(|one| one.apex == apex);
        let number = u8::try_from(taken.count() + 2).map_err(|_| {
            WorldError::new(&scenario.id, "too many servers with their own records")
        })?;
        described.sources.push(own.with_version(number));
        let everything = When::always().of_names(Names::AtOrBelow(apex.clone()));
        behaviours.push(Behaviour::new(everything, Act::FromVersion(number)));
    }
    let (ipv4, ipv6) = addresses;
    for address in [IpAddr::V4(ipv4), IpAddr::V6(ipv6)] {
        if spec.listed == Listed::Parent {
            described.unlisted.push((address, apex.clone()));
        }
        for behaviour in &behaviours {
            (described.behaviours).push((Whose::Server(address), behaviour.clone()));
        }
    }
    Ok(())
}

fn validity(span: SignatureSpan, now: UnixTime) -> Validity {
    const HOUR: i64 = 3600;
    Validity {
        inception: now.plus_seconds(span.from_hours.saturating_mul(HOUR)),
        expiry: now.plus_seconds(span.until_hours.saturating_mul(HOUR)),
    }
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
fn base_text(apex: &str, (ipv4, ipv6): Server, serial: u32) -> String {
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
        "$TTL 300\n{owner} IN SOA {server}{}\n{owner} IN NS {server}",
        soa_tail(serial)
    );
    let _ = writeln!(text, "{server} IN A {ipv4}\n{server} IN AAAA {ipv6}");
    text
}

/// What follows the server's name in a SOA.
fn soa_tail(serial: u32) -> String {
    format!(" hostmaster.example. {serial} 3600 900 604800 300")
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
        5 => Algorithm::RsaSha1(2048),
        7 => Algorithm::RsaSha1Nsec3(2048),
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
        plan.validity = zone.signatures.map(|span| validity(span, now));
        if let Some(spec) = &zone.nsec3 {
            hash_as(&mut plan.denial, spec);
        }
    }
    source = source.with_ds(match zone.delegation {
        Delegation::Matching => DsPlan::Matching,
        Delegation::WithoutDs => DsPlan::Omitted,
        Delegation::WrongDs => DsPlan::Only(vec![DsKind::WrongDigest]),
        Delegation::AlsoMissingKey => DsPlan::Only(vec![DsKind::Digest(2), DsKind::MissingKey]),
        Delegation::Sha1Ds => DsPlan::Only(vec![DsKind::Digest(1)]),
    });
    for damage in &zone.damage {
        source = source.with_fault(fault(scenario, apex, damage, now)?);
    }
    Ok(source)
}

fn hash_as(denial: &mut DenialPlan, spec: &Nsec3Spec) {
    if let DenialPlan::Nsec3 {
        iterations, salt, ..
    } = denial
    {
        *iterations = spec.iterations;
        *salt = spec.salt.clone().into_bytes();
    }
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
    if let Some(transport) = fault.transport {
        when = when.over(match transport {
            FaultTransport::Udp => Transport::Udp,
            FaultTransport::Tcp => Transport::Tcp,
        });
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
        FaultReply::NxDomainProven => Act::DenyName,
        FaultReply::Lame => Act::Lame,
        FaultReply::Truncated => Act::Truncate,
        FaultReply::Closed => Act::Close,
        FaultReply::WithoutSignatures => Act::WithoutSignatures,
    };
    Ok(Behaviour::new(when, act))
}
