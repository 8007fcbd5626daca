//! The algorithm of RFC 1034 §4.3.2 with wildcards (RFC 4592), DNAME (RFC 6672) and what
//! DNSSEC adds to each kind of answer (RFC 4035 §3.1, RFC 5155 §7.2).

use super::View;
use super::denial::{self, Proof};
use super::message::{Draft, Entry, Query};
use crate::zone::{Fqdn, Node, Rdata, Rrset, Zone};
use bytes::Bytes;
use domain::base::iana::{OptRcode, Rtype};
use domain::base::name::RelativeName;
use domain::base::{Name, ToName, Ttl};
use domain::rdata::Cname;

/// Alias links that one answer follows at most.
const MAX_LINKS: usize = 16;

/// Answers a question from the zones of a view.
pub(crate) fn answer(view: &View<'_>, query: &Query) -> Draft {
    let mut draft = Draft::authoritative(OptRcode::NOERROR);
    let dnssec = query.dnssec_ok();
    let mut name = query.name.clone();
    let mut seen = vec![name.clone()];
    loop {
        let first = draft.answer.is_empty();
        let Some(zone) = view.zone_for(&name, query.rtype) else {
            return if first {
                Draft::new(OptRcode::REFUSED)
            } else {
                draft
            };
        };
        let step = Step {
            zone,
            name: &name,
            rtype: query.rtype,
            dnssec: dnssec && zone.signed,
        };
        match step.take(&mut draft) {
            Next::Done => return draft,
            // The target is looked for in the zones served here only, and not for ever.
            Next::Follow(target) => {
                if seen.contains(&target) || seen.len() > MAX_LINKS {
                    return draft;
                }
                seen.push(target.clone());
                name = target;
            }
        }
    }
}

enum Next {
    Done,
    Follow(Fqdn),
}

/// One pass of the algorithm, for one name in one zone.
struct Step<'a> {
    zone: &'a Zone,
    name: &'a Fqdn,
    rtype: Rtype,
    dnssec: bool,
}

impl Step<'_> {
    fn take(&self, draft: &mut Draft) -> Next {
        if let Some((cut, node)) = self.zone.cut_above(self.name)
            && !(cut == self.name && self.rtype == Rtype::DS)
        {
            self.refer(draft, cut, node);
            return Next::Done;
        }
        if let Some((owner, set)) = self.zone.dname_above(self.name) {
            return self.redirect(draft, owner, set);
        }
        if let Some(node) = self.zone.nodes.get(self.name) {
            return self.match_node(draft, node, None);
        }
        if self.zone.exists(self.name) {
            self.no_data(draft, Proof::NoData(self.name));
            return Next::Done;
        }
        let encloser = self.zone.closest_encloser(self.name);
        let wildcard = wildcard_below(&encloser);
        if let Some(wildcard) = wildcard.filter(|wildcard| self.zone.exists(wildcard)) {
            return match self.zone.nodes.get(&wildcard) {
                Some(node) => self.match_node(draft, node, Some(&wildcard)),
                None => {
                    self.no_data(draft, Proof::WildcardNoData(self.name, &wildcard));
                    Next::Done
                }
            };
        }
        draft.rcode = OptRcode::NXDOMAIN;
        self.no_data(draft, Proof::NxDomain(self.name));
        Next::Done
    }

    /// RFC 1034 §4.3.2 step 3a, and 3c when the node is a wildcard.
    fn match_node(&self, draft: &mut Draft, node: &Node, wildcard: Option<&Fqdn>) -> Next {
        if matches!(self.rtype, Rtype::ANY | Rtype::RRSIG) {
            if self.some_of(draft, node) {
                self.prove_expansion(draft, wildcard);
                return Next::Done;
            }
        } else if let Some(set) = node.sets.get(&self.rtype) {
            Draft::push(&mut draft.answer, self.name, set, self.dnssec);
            self.prove_expansion(draft, wildcard);
            if self.rtype == Rtype::NS {
                self.add_addresses(draft, set);
            }
            return Next::Done;
        } else if let Some(set) = node.sets.get(&Rtype::CNAME) {
            Draft::push(&mut draft.answer, self.name, set, self.dnssec);
            self.prove_expansion(draft, wildcard);
            return match set.records.first() {
                Some(Rdata::Cname(cname)) => Next::Follow(cname.cname().clone()),
                _ => Next::Done,
            };
        }
        match wildcard {
            Some(wildcard) => self.no_data(draft, Proof::WildcardNoData(self.name, wildcard)),
            None => self.no_data(draft, Proof::NoData(self.name)),
        }
        Next::Done
    }

    /// One RRset is enough for ANY (RFC 8482 §4.1); all signatures of the owner for RRSIG.
    fn some_of(&self, draft: &mut Draft, node: &Node) -> bool {
        if self.rtype == Rtype::ANY {
            let Some(set) = node.sets.values().next() else {
                return false;
            };
            Draft::push(&mut draft.answer, self.name, set, self.dnssec);
            return true;
        }
        let before = draft.answer.len();
        for set in node.sets.values() {
            for signature in &set.signatures {
                draft.answer.push(Entry {
                    owner: self.name.clone(),
                    ttl: set.ttl,
                    data: Rdata::Rrsig(signature.clone()),
                    intact: set.intact,
                });
            }
        }
        draft.answer.len() > before
    }

    fn prove_expansion(&self, draft: &mut Draft, wildcard: Option<&Fqdn>) {
        if let Some(wildcard) = wildcard
            && self.dnssec
        {
            self.prove(draft, &Proof::Expansion(self.name, wildcard));
        }
    }

    fn prove(&self, draft: &mut Draft, proof: &Proof<'_>) {
        draft.unproven |= !self.zone.denial_served;
        denial::prove(self.zone, proof, &mut draft.authority);
    }

    /// SOA and proof; also for a name error, whose code the caller sets (RFC 2308 §2).
    fn no_data(&self, draft: &mut Draft, proof: Proof<'_>) {
        push_negative_soa(self.zone, &mut draft.authority, self.dnssec);
        if self.dnssec {
            self.prove(draft, &proof);
        }
    }

    /// RFC 1034 §4.3.2 step 3b with RFC 4035 §3.1.4: NS, then DS or the proof that there is none.
    fn refer(&self, draft: &mut Draft, cut: &Fqdn, node: &Node) {
        let Some(servers) = node.sets.get(&Rtype::NS) else {
            return;
        };
        if draft.answer.is_empty() {
            draft.authoritative = false;
        }
        Draft::push(&mut draft.authority, cut, servers, false);
        if self.dnssec {
            match node.sets.get(&Rtype::DS) {
                Some(ds) => Draft::push(&mut draft.authority, cut, ds, true),
                None => self.prove(draft, &Proof::NoDs(cut)),
            }
        }
        self.add_addresses(draft, servers);
        draft.additional_needed = true;
    }

    /// Addresses of name servers, from glue or the zone itself.
    fn add_addresses(&self, draft: &mut Draft, servers: &Rrset) {
        for data in &servers.records {
            let Rdata::Ns(ns) = data else { continue };
            for rtype in [Rtype::A, Rtype::AAAA] {
                if let Some(set) = self.zone.set(ns.nsdname(), rtype) {
                    Draft::push_once(&mut draft.additional, ns.nsdname(), set, self.dnssec);
                }
            }
        }
    }

    /// RFC 6672 §3.2: the DNAME, and a CNAME made from it that no signature covers.
    fn redirect(&self, draft: &mut Draft, owner: &Fqdn, set: &Rrset) -> Next {
        Draft::push_once(&mut draft.answer, owner, set, self.dnssec);
        let Some(Rdata::Dname(dname)) = set.records.first() else {
            return Next::Done;
        };
        let Some(target) = substitute(self.name, owner, dname.dname()) else {
            draft.rcode = OptRcode::YXDOMAIN;
            return Next::Done;
        };
        draft.answer.push(Entry {
            owner: self.name.clone(),
            ttl: set.ttl,
            data: Rdata::Cname(Cname::new(target.clone())),
            intact: set.intact,
        });
        if self.rtype == Rtype::CNAME {
            return Next::Done;
        }
        Next::Follow(target)
    }
}

/// The SOA of a negative answer, with the negative TTL (RFC 2308 §3).
pub(crate) fn push_negative_soa(zone: &Zone, section: &mut Vec<Entry>, dnssec: bool) {
    if let Some(set) = zone.set(&zone.apex, Rtype::SOA) {
        let minimum = set.records.iter().find_map(|data| match data {
            Rdata::Soa(soa) => Some(soa.minimum()),
            _ => None,
        });
        let ttl: Ttl = minimum.map_or(set.ttl, |minimum| minimum.min(set.ttl));
        Draft::push_with_ttl(section, &zone.apex, set, ttl, dnssec);
    }
}

/// `*.name`; `None` when that is too long for a name.
pub(crate) fn wildcard_below(name: &Fqdn) -> Option<Fqdn> {
    RelativeName::wildcard_vec()
        .chain(name)
        .ok()
        .map(|chain| chain.to_name::<Bytes>())
}

/// `name` with the suffix `owner` replaced; `None` when the result is too long.
fn substitute(name: &Fqdn, owner: &Fqdn, target: &Fqdn) -> Option<Fqdn> {
    let name: Name<Bytes> = name.clone();
    let prefix = name.strip_suffix(owner).ok()?;
    prefix
        .chain(target)
        .ok()
        .map(|chain| chain.to_name::<Bytes>())
}
