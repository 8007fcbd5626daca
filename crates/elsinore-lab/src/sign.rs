//! Zones signed and linked: keys made, DS records of children put into their parents, RRsets and
//! denials signed (RFC 4035 §2), planted faults applied, trust anchor and root hints exported.

mod delegation;
mod fault;
mod key;
mod trust;

use crate::zone::{
    DenialPlan, Fault, Fqdn, KeyLayout, Node, Nsec3Chain, OptOut, Rdata, Rr, Rrset, Signing,
    SigningPlan, Validity, Zone, ZoneError, ZoneSource, fqdn, read_records,
};
use bytes::Bytes;
use delegation::{anchor_lines, ds_records};
use domain::base::iana::{Class, Nsec3HashAlgorithm, Rtype};
use domain::base::{Record, Ttl};
use domain::dnssec::sign::SigningConfig;
use domain::dnssec::sign::denial::config::DenialConfig;
use domain::dnssec::sign::denial::nsec3::GenerateNsec3Config;
use domain::dnssec::sign::keys::SigningKey;
use domain::dnssec::sign::records::{DefaultSorter, Rrset as DomainRrset, SortedRecords};
use domain::dnssec::sign::signatures::rrsigs::sign_rrset;
use domain::dnssec::sign::traits::SignableZoneInPlace;
use domain::rdata::dnssec::Timestamp;
use domain::rdata::nsec3::Nsec3Salt;
use domain::rdata::{Nsec3param, Rrsig};
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;
use key::{KeyOrigin, REVOKE, SECURE_ENTRY_POINT, ZONE_KEY, ZoneKey};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use trust::chain_of_trust;

/// What the chain of trust says of a zone, known from how the tree was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trust {
    /// An intact chain of DS and DNSKEY leads from the root to the zone's keys.
    Secure,
    /// The chain ends, as proven, above the zone.
    Insecure,
    /// There is a DS, but no key that it vouches for signs the zone's DNSKEY RRset.
    Bogus,
}

/// All zones of a world, signed.
#[derive(Debug, Clone)]
pub struct SignedTree {
    zones: BTreeMap<(Fqdn, u8), Zone>,
    trust: BTreeMap<Fqdn, Trust>,
    anchors: Vec<(String, String)>,
}

/// The keys of one zone.
#[derive(Debug, Clone)]
struct ZoneKeys {
    plan: SigningPlan,
    /// Signs the DNSKEY RRset; the DS points at it.
    entry: ZoneKey,
    /// Signs everything else.
    signer: ZoneKey,
    /// Published, never used.
    idle: Vec<ZoneKey>,
}

impl SignedTree {
    /// Makes keys from `seed`, links parents and children, signs and applies the faults.
    ///
    /// Signatures hold around `now` unless a plan says otherwise. The same arguments give the
    /// same names, keys (RSA keys excepted) and denial chains.
    ///
    /// # Errors
    /// [`ZoneError`] names the zone and what is wrong with its text, or what the signer said.
    pub fn build(sources: &[ZoneSource], seed: u64, now: UnixTime) -> Result<Self, ZoneError> {
        let mut keys: BTreeMap<Fqdn, ZoneKeys> = BTreeMap::new();
        for source in sources {
            let apex = fqdn(&source.apex);
            if let Signing::Signed(plan) = &source.signing
                && !keys.contains_key(&apex)
            {
                let made = ZoneKeys::make(&apex, plan, &source.faults, seed)
                    .map_err(|error| signing_error(source, &error))?;
                keys.insert(apex, made);
            }
        }
        let mut children: BTreeMap<Fqdn, Vec<Rr>> = BTreeMap::new();
        for source in sources.iter().filter(|source| source.version == 0) {
            let apex = fqdn(&source.apex);
            if let Some(keys) = keys.get(&apex) {
                let records = ds_records(&apex, keys, &source.ds)
                    .map_err(|error| signing_error(source, &error))?;
                children.insert(apex, records);
            }
        }
        let mut zones = BTreeMap::new();
        for source in sources {
            let apex = fqdn(&source.apex);
            let zone = make_zone(source, keys.get(&apex), &children, now)?;
            if zones.insert((apex, source.version), zone).is_some() {
                return Err(ZoneError::Duplicate {
                    zone: source.apex.to_string(),
                });
            }
        }
        let root = fqdn(&DomainName::root());
        let anchors = match keys.get(&root) {
            Some(keys) => anchor_lines(keys, &root).map_err(|error| ZoneError::Signing {
                zone: ".".to_owned(),
                reason: error.to_string(),
            })?,
            None => Vec::new(),
        };
        let trust = chain_of_trust(sources, &zones, &keys);
        Ok(Self {
            zones,
            trust,
            anchors,
        })
    }

    /// Every zone, every version.
    pub fn zones(&self) -> impl Iterator<Item = &Zone> {
        self.zones.values()
    }

    /// One zone; version 0 is the one the parent knows.
    #[must_use]
    pub fn zone(&self, apex: &DomainName, version: u8) -> Option<&Zone> {
        self.zones.get(&(fqdn(apex), version))
    }

    /// What the chain of trust says of the zone that `name` is in (version 0).
    #[must_use]
    pub fn trust(&self, name: &DomainName) -> Trust {
        self.trust_of(&fqdn(name))
    }

    pub(crate) fn trust_of(&self, name: &Fqdn) -> Trust {
        self.zone_of(name)
            .and_then(|zone| self.trust.get(&zone.apex))
            .copied()
            .unwrap_or(Trust::Insecure)
    }

    /// The deepest zone (version 0) at or above `name`.
    pub(crate) fn zone_of(&self, name: &Fqdn) -> Option<&Zone> {
        let mut current = name.clone();
        loop {
            if let Some(zone) = self.zones.get(&(current.clone(), 0)) {
                return Some(zone);
            }
            current = current.parent()?;
        }
    }

    pub(crate) fn zone_at(&self, apex: &Fqdn, version: u8) -> Option<&Zone> {
        self.zones.get(&(apex.clone(), version))
    }

    /// The root's trust anchor as DS records in zone-file text; empty when the root is unsigned.
    #[must_use]
    pub fn trust_anchor(&self) -> String {
        self.anchors.iter().map(|(ds, _)| ds.as_str()).collect()
    }

    /// The root's trust anchor as DNSKEY records in zone-file text.
    #[must_use]
    pub fn trust_anchor_dnskey(&self) -> String {
        self.anchors.iter().map(|(_, key)| key.as_str()).collect()
    }

    /// The root's name servers and their addresses as zone-file text.
    #[must_use]
    pub fn root_hints(&self) -> String {
        let mut text = String::new();
        let root = fqdn(&DomainName::root());
        let Some(servers) = self
            .zone_at(&root, 0)
            .and_then(|zone| zone.set(&root, Rtype::NS))
        else {
            return text;
        };
        for server in &servers.records {
            // Writing to a String cannot fail.
            let _ = writeln!(text, ". 3600000 IN NS {server}");
            let Rdata::Ns(ns) = server else { continue };
            for rtype in [Rtype::A, Rtype::AAAA] {
                for address in self.addresses_of(ns.nsdname(), rtype) {
                    let owner = ns.nsdname().fmt_with_dot();
                    let _ = writeln!(text, "{owner} 3600000 IN {rtype} {address}");
                }
            }
        }
        text
    }

    /// The addresses of a name anywhere in the tree, glue included.
    pub(crate) fn addresses_of(&self, name: &Fqdn, rtype: Rtype) -> Vec<std::net::IpAddr> {
        let mut found = Vec::new();
        for zone in self.zones.values() {
            for data in zone.set(name, rtype).iter().flat_map(|set| &set.records) {
                if let Some(address) = crate::authority::address_of(data)
                    && !found.contains(&address)
                {
                    found.push(address);
                }
            }
        }
        found
    }
}

impl ZoneKeys {
    fn make(
        apex: &Fqdn,
        plan: &SigningPlan,
        faults: &[Fault],
        seed: u64,
    ) -> Result<Self, openssl::error::ErrorStack> {
        let origin = |role, number| KeyOrigin {
            seed,
            apex,
            role,
            number,
        };
        let revoked = faults.contains(&Fault::RevokedKey);
        let revoke = if revoked { REVOKE } else { 0 };
        let entry = ZoneKey::make(
            &origin("entry", 0),
            plan.algorithm,
            ZONE_KEY | SECURE_ENTRY_POINT | revoke,
        )?;
        let signer = match plan.keys {
            KeyLayout::Combined => entry.clone(),
            KeyLayout::Split => ZoneKey::make(&origin("zone", 0), plan.algorithm, ZONE_KEY)?,
        };
        let colliding = faults.iter().fold(0, |sum, fault| match fault {
            Fault::CollidingKeys(count) => sum + u32::from(*count),
            _ => sum,
        });
        let mut idle = Vec::new();
        let mut number = 1;
        while idle.len() < colliding as usize {
            let candidate = ZoneKey::make(&origin("zone", number), plan.algorithm, ZONE_KEY)?;
            number += 1;
            // RSA keys are shared, so their octets differ only in the flags.
            let tag = signer.tag();
            idle.extend(fault::with_tag(&candidate, tag));
            if number > colliding * 64 + 64 {
                break;
            }
        }
        Ok(Self {
            plan: plan.clone(),
            entry,
            signer,
            idle,
        })
    }

    fn published(&self) -> Vec<&ZoneKey> {
        let mut keys = vec![&self.entry];
        if self.plan.keys == KeyLayout::Split {
            keys.push(&self.signer);
        }
        keys.extend(&self.idle);
        keys
    }
}

fn signing_error(source: &ZoneSource, error: &impl ToString) -> ZoneError {
    ZoneError::Signing {
        zone: source.apex.to_string(),
        reason: error.to_string(),
    }
}

fn make_zone(
    source: &ZoneSource,
    keys: Option<&ZoneKeys>,
    children: &BTreeMap<Fqdn, Vec<Rr>>,
    now: UnixTime,
) -> Result<Zone, ZoneError> {
    let apex = fqdn(&source.apex);
    let mut records = read_records(source)?;
    let keys = keys.filter(|_| matches!(source.signing, Signing::Signed(_)));
    if keys.is_some() {
        let delegations: BTreeSet<Fqdn> = records
            .iter()
            .filter(|record| record.rtype() == Rtype::NS && *record.owner() != apex)
            .map(|record| record.owner().clone())
            .collect();
        for (child, ds) in children {
            if delegations.contains(child) {
                records.extend(ds.iter().cloned());
            }
        }
    }
    level_ttls(&mut records);
    let mut zone = Zone {
        apex_name: source.apex.clone(),
        version: source.version,
        nodes: BTreeMap::new(),
        nsec3: None,
        signed: keys.is_some(),
        denial_served: true,
        apex: apex.clone(),
    };
    let Some(keys) = keys else {
        let sorted: SortedRecords<Fqdn, Rdata> = SortedRecords::from(records);
        place(&mut zone, sorted.into_inner());
        return fault::apply(zone, source, None, now);
    };
    let Signing::Signed(plan) = &source.signing else {
        return Ok(zone);
    };
    let validity = plan.validity.unwrap_or(Validity::around(now));
    let signer = SigningKey::new(apex.clone(), keys.signer.flags(), keys.signer.clone());
    let entry = SigningKey::new(apex.clone(), keys.entry.flags(), keys.entry.clone());
    let config: SigningConfig<Bytes, DefaultSorter> = SigningConfig::new(
        denial_config(&plan.denial).map_err(|reason| signing_error(source, &reason))?,
        timestamp(validity.inception),
        timestamp(validity.expiry),
    );
    let ttl = records
        .iter()
        .find(|record| record.rtype() == Rtype::SOA)
        .map_or(Ttl::from_secs(3600), Record::ttl);
    let mut sorted: SortedRecords<Fqdn, Rdata> = SortedRecords::from(records);
    sorted
        .sign_zone(&apex, &config, &[&signer])
        .map_err(|error| signing_error(source, &error))?;
    let dnskeys: Vec<Rr> = keys
        .published()
        .into_iter()
        .map(|key| Rr::new(apex.clone(), Class::IN, ttl, Rdata::Dnskey(key.record())))
        .collect();
    let signature = signature_over(&dnskeys, &entry, validity)
        .map_err(|reason| signing_error(source, &reason))?;
    let mut all = sorted.into_inner();
    clear_parameter_flags(&mut all, &signer, validity)
        .map_err(|reason| signing_error(source, &reason))?;
    all.extend(dnskeys);
    place(&mut zone, all);
    if let Some(set) = zone
        .nodes
        .get_mut(&apex)
        .and_then(|node| node.sets.get_mut(&Rtype::DNSKEY))
    {
        set.signatures.push(signature);
    }
    if let DenialPlan::Nsec3 { .. } = plan.denial
        && zone.nsec3.is_none()
    {
        return Err(signing_error(source, &"no NSEC3 chain was made"));
    }
    fault::apply(zone, source, Some(keys), now)
}

/// RFC 2181 §5.2: all records of an RRset have one TTL; the smallest is taken.
fn level_ttls(records: &mut Vec<Rr>) {
    let mut least: BTreeMap<(Fqdn, Rtype), Ttl> = BTreeMap::new();
    for record in records.iter() {
        let key = (record.owner().clone(), record.rtype());
        let ttl = record.ttl();
        least
            .entry(key)
            .and_modify(|known| *known = ttl.min(*known))
            .or_insert(ttl);
    }
    for record in records {
        if let Some(ttl) = least.get(&(record.owner().clone(), record.rtype())) {
            record.set_ttl(*ttl);
        }
    }
}

fn denial_config(plan: &DenialPlan) -> Result<DenialConfig<Bytes, DefaultSorter>, String> {
    Ok(match plan {
        DenialPlan::Nsec => DenialConfig::Nsec(Default::default()),
        DenialPlan::Nsec3 {
            iterations,
            salt,
            opt_out,
        } => {
            let salt = Nsec3Salt::from_octets(Bytes::from(salt.clone()))
                .map_err(|error| error.to_string())?;
            let parameters = Nsec3param::new(Nsec3HashAlgorithm::SHA1, 0, *iterations, salt);
            let config = GenerateNsec3Config::new(parameters);
            DenialConfig::Nsec3(match opt_out {
                OptOut::No => config,
                OptOut::Yes => config.with_opt_out(),
            })
        }
    })
}

/// The signer copies the opt-out flag into NSEC3PARAM, whose flags must be zero: servers ignore
/// the whole record otherwise (RFC 5155 §4.1.2).
fn clear_parameter_flags(
    records: &mut Vec<Rr>,
    signer: &SigningKey<Bytes, ZoneKey>,
    validity: Validity,
) -> Result<(), String> {
    let Some(record) = records.iter_mut().find(
        |record| matches!(record.data(), Rdata::Nsec3param(parameters) if parameters.flags() != 0),
    ) else {
        return Ok(());
    };
    let Rdata::Nsec3param(parameters) = record.data() else {
        return Ok(());
    };
    let cleared = Nsec3param::new(
        parameters.hash_algorithm(),
        0,
        parameters.iterations(),
        parameters.salt().clone(),
    );
    *record = Rr::new(
        record.owner().clone(),
        record.class(),
        record.ttl(),
        Rdata::Nsec3param(cleared),
    );
    let fresh = record.clone();
    let signature = signature_over(std::slice::from_ref(&fresh), signer, validity)?;
    records.retain(|record| {
        !matches!(record.data(), Rdata::Rrsig(rrsig) if rrsig.type_covered() == Rtype::NSEC3PARAM)
    });
    records.push(Rr::new(
        fresh.owner().clone(),
        fresh.class(),
        fresh.ttl(),
        Rdata::Rrsig(signature),
    ));
    Ok(())
}

/// Signature times are taken modulo 2^32 (RFC 4034 §3.1.5).
fn timestamp(time: UnixTime) -> Timestamp {
    Timestamp::from(u32::try_from(time.0.rem_euclid(1 << 32)).unwrap_or(0))
}

fn signature_over(
    records: &[Rr],
    key: &SigningKey<Bytes, ZoneKey>,
    validity: Validity,
) -> Result<Rrsig<Bytes, Fqdn>, String> {
    let set = DomainRrset::new_from_owned(records).map_err(|_| "empty RRset".to_owned())?;
    let (inception, expiry) = (timestamp(validity.inception), timestamp(validity.expiry));
    sign_rrset(key, &set, inception, expiry)
        .map(Record::into_data)
        .map_err(|error| error.to_string())
}

/// Sorts records into nodes, RRsets and the NSEC3 chain, signatures beside what they cover.
fn place(zone: &mut Zone, records: Vec<Rr>) {
    let (signatures, others): (Vec<Rr>, Vec<Rr>) = records
        .into_iter()
        .partition(|record| record.rtype() == Rtype::RRSIG);
    for record in others {
        let (owner, ttl) = (record.owner().clone(), record.ttl());
        if let Rdata::Nsec3(nsec3) = record.data() {
            let chain = zone.nsec3.get_or_insert_with(|| Nsec3Chain {
                iterations: nsec3.iterations(),
                salt: nsec3.salt().clone(),
                opt_out: nsec3.opt_out(),
                hashes: BTreeMap::new(),
            });
            let mut set = Rrset::new(ttl);
            let hash = owner_hash(&owner);
            set.records.push(record.into_data());
            chain.hashes.insert(hash, (owner, set));
            continue;
        }
        let rtype = record.rtype();
        let node: &mut Node = zone.nodes.entry(owner).or_default();
        let set = node.sets.entry(rtype).or_insert_with(|| Rrset::new(ttl));
        set.records.push(record.into_data());
    }
    for record in signatures {
        let owner = record.owner().clone();
        let Rdata::Rrsig(signature) = record.into_data() else {
            continue;
        };
        let covered = signature.type_covered();
        let set = if covered == Rtype::NSEC3 {
            zone.nsec3
                .as_mut()
                .and_then(|chain| chain.hashes.get_mut(&owner_hash(&owner)))
                .map(|(_, set)| set)
        } else {
            zone.nodes
                .get_mut(&owner)
                .and_then(|node| node.sets.get_mut(&covered))
        };
        if let Some(set) = set {
            set.signatures.push(signature);
        }
    }
}

/// The hash in the first label of an NSEC3 owner; empty when it is none (never for ours).
fn owner_hash(owner: &Fqdn) -> Vec<u8> {
    let label = owner.first();
    std::str::from_utf8(label.as_slice())
        .ok()
        .and_then(|text| domain::utils::base32::decode_hex::<Vec<u8>>(text).ok())
        .unwrap_or_default()
}
