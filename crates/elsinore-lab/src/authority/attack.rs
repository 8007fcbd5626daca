//! Forged answers: what someone on the path, or a dishonest server, could send to make a signed
//! zone look unsigned or empty. A validating resolver must call all of them bogus wherever the
//! zone of the question is signed.

use super::View;
use super::answer::{answer, push_negative_soa, wildcard_below};
use super::message::{Draft, Entry, Query};
use crate::zone::{Fqdn, Rdata, Zone, fqdn, scan};
use bytes::Bytes;
use domain::base::iana::{OptRcode, Rtype};
use domain::base::{Name, Ttl};
use domain::rdata::{Cname, Ns};
use elsinore_dane::name::DomainName;

/// One forgery. Where a foreign zone is named it should be an insecure one of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attack {
    /// *a*: NODATA with the SOA of another, insecure zone.
    NoDataForeignSoa(DomainName),
    /// *b*: NXDOMAIN with nothing else.
    BareNxDomain,
    /// *c*: NXDOMAIN with the SOA of another, insecure zone.
    NxDomainForeignSoa(DomainName),
    /// *d*: NODATA with the NS records of another, insecure zone.
    NoDataForeignNs(DomainName),
    /// *e*: NODATA with the right SOA and its signature, but without NSEC or NSEC3.
    NoDataWithoutProof,
    /// *f*: an unsigned CNAME to a name in an insecure zone.
    UnsignedCname(DomainName),
    /// *g*: unsigned data, as zone-file text such as `A 192.0.2.66`.
    UnsignedData(String),
    /// *h*: NOERROR with empty sections.
    EmptyNoError,
    /// *i*: NXDOMAIN with the right SOA and its signature, but without NSEC or NSEC3.
    NxDomainWithoutProof,
    /// *j*: an unsigned referral for the name itself, without DS and without proof of none.
    UnprovenReferral(DomainName),
    /// *k*: unsigned data with the NS records of an insecure zone as authority.
    UnsignedDataForeignNs(String, DomainName),
    /// *l*: NODATA, with the zone's apex NSEC or NSEC3 replayed as its proof.
    NoDataApexReplay,
    /// *m*: NXDOMAIN, with the zone's apex NSEC or NSEC3 replayed as its proof.
    NxDomainApexReplay,
    /// *n*: the records and signatures of the wildcard `*.parent` under the name asked for, even
    /// where that exists, without proof that it does not.
    WildcardReplay,
    /// *o*: NODATA for a name at or below a delegation, proven with the parent's NSEC or NSEC3 of
    /// that delegation (RFC 6840 §4.1 forbids to believe it).
    ParentDenialReplay,
    /// *p*: NODATA with the SOA of an insecure child zone in bailiwick.
    NoDataChildSoa(DomainName),
}

pub(super) fn forge(attack: &Attack, view: &View<'_>, query: &Query) -> Draft {
    let mut draft = Draft::authoritative(OptRcode::NOERROR);
    let own = view.tree.zone_of(&query.name);
    match attack {
        Attack::NoDataForeignSoa(zone) | Attack::NoDataChildSoa(zone) => {
            foreign_soa(&mut draft, view, zone);
        }
        Attack::BareNxDomain => draft.rcode = OptRcode::NXDOMAIN,
        Attack::NxDomainForeignSoa(zone) => {
            draft.rcode = OptRcode::NXDOMAIN;
            foreign_soa(&mut draft, view, zone);
        }
        Attack::NoDataForeignNs(zone) => foreign_ns(&mut draft, view, zone),
        Attack::NoDataWithoutProof => signed_soa(&mut draft, own),
        Attack::NxDomainWithoutProof => {
            draft.rcode = OptRcode::NXDOMAIN;
            signed_soa(&mut draft, own);
        }
        Attack::UnsignedCname(target) => {
            let target = fqdn(target);
            draft.answer.push(Entry {
                owner: query.name.clone(),
                ttl: Ttl::from_secs(300),
                data: Rdata::Cname(Cname::new(target.clone())),
                intact: true,
            });
            // The target is answered right, as the attacker can.
            let mut onward = query.clone();
            onward.name = target;
            draft.answer.extend(everywhere(view, &onward).answer);
        }
        Attack::UnsignedData(text) => unsigned_data(&mut draft, query, text),
        Attack::EmptyNoError => {}
        Attack::UnprovenReferral(server) => {
            draft.authoritative = false;
            draft.authority.push(Entry {
                owner: query.name.clone(),
                ttl: Ttl::from_secs(300),
                data: Rdata::Ns(Ns::new(fqdn(server))),
                intact: true,
            });
        }
        Attack::UnsignedDataForeignNs(text, zone) => {
            unsigned_data(&mut draft, query, text);
            foreign_ns(&mut draft, view, zone);
        }
        Attack::NoDataApexReplay => {
            signed_soa(&mut draft, own);
            apex_denial(&mut draft, own);
        }
        Attack::NxDomainApexReplay => {
            draft.rcode = OptRcode::NXDOMAIN;
            signed_soa(&mut draft, own);
            apex_denial(&mut draft, own);
        }
        Attack::WildcardReplay => wildcard_replay(&mut draft, query, own),
        Attack::ParentDenialReplay => parent_denial(&mut draft, view, query),
    }
    draft
}

/// The right answer of all zones of the tree.
fn everywhere(view: &View<'_>, query: &Query) -> Draft {
    let zones: Vec<Fqdn> = view
        .tree
        .zones()
        .filter(|zone| zone.version() == 0)
        .map(|zone| zone.apex.clone())
        .collect();
    let view = View {
        tree: view.tree,
        zones: &zones,
        version: 0,
    };
    answer(&view, query)
}

fn foreign_soa(draft: &mut Draft, view: &View<'_>, zone: &DomainName) {
    if let Some(zone) = view.tree.zone_at(&fqdn(zone), 0) {
        push_negative_soa(zone, &mut draft.authority, false);
    }
}

fn foreign_ns(draft: &mut Draft, view: &View<'_>, zone: &DomainName) {
    let apex = fqdn(zone);
    if let Some(set) = view
        .tree
        .zone_at(&apex, 0)
        .and_then(|zone| zone.set(&apex, Rtype::NS))
    {
        Draft::push(&mut draft.authority, &apex, set, false);
    }
}

fn signed_soa(draft: &mut Draft, zone: Option<&Zone>) {
    if let Some(zone) = zone {
        push_negative_soa(zone, &mut draft.authority, true);
    }
}

fn unsigned_data(draft: &mut Draft, query: &Query, text: &str) {
    let lines: String = text
        .lines()
        .map(|line| format!("forged 300 IN {}\n", line.trim()))
        .collect();
    // Text that cannot be read forges nothing.
    for record in scan(&DomainName::root(), &lines).unwrap_or_default() {
        draft.answer.push(Entry {
            owner: query.name.clone(),
            ttl: record.ttl(),
            data: record.into_data(),
            intact: true,
        });
    }
}

fn apex_denial(draft: &mut Draft, zone: Option<&Zone>) {
    let Some(zone) = zone else { return };
    let found = match &zone.nsec3 {
        Some(chain) => chain.matching(&zone.apex),
        None => zone.nsec_at_or_before(&zone.apex),
    };
    if let Some((owner, set)) = found {
        Draft::push(&mut draft.authority, owner, set, true);
    }
}

fn wildcard_replay(draft: &mut Draft, query: &Query, zone: Option<&Zone>) {
    let Some(zone) = zone else { return };
    let parent: Option<Name<Bytes>> = query.name.parent();
    let wildcard = parent.as_ref().and_then(wildcard_below);
    if let Some(set) = wildcard.and_then(|wildcard| zone.set(&wildcard, query.rtype)) {
        Draft::push(&mut draft.answer, &query.name, set, true);
    }
}

fn parent_denial(draft: &mut Draft, view: &View<'_>, query: &Query) {
    let Some(child) = view.tree.zone_of(&query.name) else {
        return;
    };
    let above = child.apex.parent();
    let Some(parent) = above.and_then(|above| view.tree.zone_of(&above)) else {
        return;
    };
    push_negative_soa(parent, &mut draft.authority, true);
    let found = match &parent.nsec3 {
        Some(chain) => chain.matching(&child.apex),
        None => parent.nsec_at_or_before(&child.apex),
    };
    if let Some((owner, set)) = found {
        Draft::push(&mut draft.authority, owner, set, true);
    }
}
