//! The NSEC and NSEC3 records of each kind of negative answer (RFC 4035 §3.1.3, RFC 5155 §7.2).

use super::answer::wildcard_below;
use super::message::{Draft, Entry};
use crate::zone::{Fqdn, Nsec3Chain, Zone, ancestors};

/// What has to be shown.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proof<'a> {
    /// The name exists, maybe as an empty non-terminal, without the type.
    NoData(&'a Fqdn),
    /// The delegation has no DS.
    NoDs(&'a Fqdn),
    /// Neither the name nor a wildcard that could stand for it exists.
    NxDomain(&'a Fqdn),
    /// The name does not exist, so the wildcard stands for it.
    Expansion(&'a Fqdn, &'a Fqdn),
    /// The name does not exist and the wildcard lacks the type.
    WildcardNoData(&'a Fqdn, &'a Fqdn),
}

/// Adds the records of a proof to a section, each once.
pub(crate) fn prove(zone: &Zone, proof: &Proof<'_>, section: &mut Vec<Entry>) {
    if !zone.denial_served {
        return;
    }
    match &zone.nsec3 {
        Some(chain) => prove_nsec3(zone, chain, proof, section),
        None => prove_nsec(zone, proof, section),
    }
}

fn prove_nsec(zone: &Zone, proof: &Proof<'_>, section: &mut Vec<Entry>) {
    let mut add = |name: &Fqdn| {
        if let Some((owner, set)) = zone.nsec_at_or_before(name) {
            Draft::push_once(section, owner, set, true);
        }
    };
    match proof {
        Proof::NoData(name) | Proof::NoDs(name) | Proof::Expansion(name, _) => add(name),
        Proof::NxDomain(name) => {
            add(name);
            if let Some(wildcard) = wildcard_below(&zone.closest_encloser(name)) {
                add(&wildcard);
            }
        }
        Proof::WildcardNoData(name, wildcard) => {
            add(name);
            add(wildcard);
        }
    }
}

fn prove_nsec3(zone: &Zone, chain: &Nsec3Chain, proof: &Proof<'_>, section: &mut Vec<Entry>) {
    match proof {
        Proof::NoData(name) | Proof::NoDs(name) => match chain.matching(name) {
            Some((owner, set)) => Draft::push_once(section, owner, set, true),
            // Left out by opt-out (RFC 5155 §7.2.4 and §7.2.7).
            None => {
                prove_encloser(zone, chain, name, section);
            }
        },
        Proof::NxDomain(name) => {
            let encloser = prove_encloser(zone, chain, name, section);
            if let Some(wildcard) = wildcard_below(&encloser)
                && let Some((owner, set)) = chain.covering(&wildcard)
            {
                Draft::push_once(section, owner, set, true);
            }
        }
        // The closest encloser is the wildcard's parent (RFC 5155 §7.2.6).
        Proof::Expansion(name, wildcard) => {
            if let Some(parent) = wildcard.parent() {
                cover_next_closer(chain, name, &parent, section);
            }
        }
        Proof::WildcardNoData(name, wildcard) => {
            prove_encloser(zone, chain, name, section);
            if let Some((owner, set)) = chain.matching(wildcard) {
                Draft::push_once(section, owner, set, true);
            }
        }
    }
}

/// RFC 5155 §7.2.1: a match for the closest encloser that the chain knows, a cover for the next
/// closer name. Returns the encloser.
fn prove_encloser(zone: &Zone, chain: &Nsec3Chain, name: &Fqdn, section: &mut Vec<Entry>) -> Fqdn {
    let line = ancestors(name, &zone.apex);
    let known = line
        .iter()
        .rev()
        .filter(|ancestor| *ancestor != name)
        .find_map(|ancestor| Some((ancestor.clone(), chain.matching(ancestor)?)));
    let Some((encloser, (owner, set))) = known else {
        return zone.apex.clone();
    };
    Draft::push_once(section, owner, set, true);
    cover_next_closer(chain, name, &encloser, section);
    encloser
}

fn cover_next_closer(chain: &Nsec3Chain, name: &Fqdn, encloser: &Fqdn, section: &mut Vec<Entry>) {
    let line = ancestors(name, encloser);
    if let Some(next_closer) = line.get(1)
        && let Some((owner, set)) = chain.covering(next_closer)
    {
        Draft::push_once(section, owner, set, true);
    }
}
