//! An upstream resolver over the same world, for the `forward` and `ad` modes.
//!
//! It asks the servers as any resolver would, misbehaviour included. What it says of DNSSEC comes
//! not from checking signatures but from knowing how the world was made: an answer is secure when
//! the chain of trust of its zone is intact and the answer is what an honest server would send.

use super::message::{self, Draft, Entry, Query, SERVER_PATIENCE};
use super::{Authority, Reaction, Transport};
use crate::sign::Trust;
use crate::zone::{Fqdn, Rdata, fqdn};
use domain::base::ToName;
use domain::base::iana::{OptRcode, Rcode, Rtype};
use elsinore_dane::name::DomainName;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Alias links followed at most.
const MAX_LINKS: usize = 12;
/// Referrals followed at most for one name.
const MAX_REFERRALS: usize = 16;

/// How an upstream resolver treats DNSSEC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForwardMode {
    /// Knows nothing of validation: passes on what the servers say, signatures included when the
    /// query has DO, never sets AD.
    Oblivious,
    /// Validates: AD for secure answers when the query has DO or AD (RFC 6840 §5.7, §5.8),
    /// SERVFAIL with an extended error for bogus ones unless the query has CD.
    Validating,
    /// Sets AD for secure answers, but hands out bogus ones too, without AD.
    Permissive,
}

/// Somebody between a resolver and the servers: gets the server, the transport, the query and
/// what the server did, and says what the resolver gets to see of it.
pub type Interceptor = dyn Fn(IpAddr, Transport, &[u8], Reaction) -> Reaction + Send + Sync;

/// A resolver that recurses through the servers of an [`Authority`].
#[derive(Clone)]
pub struct Forwarder {
    authority: Arc<Authority>,
    mode: ForwardMode,
    interceptor: Option<Arc<Interceptor>>,
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder")
            .field("mode", &self.mode)
            .field("intercepted", &self.interceptor.is_some())
            .finish_non_exhaustive()
    }
}

/// What was found at one name.
struct Hop {
    rcode: Rcode,
    answer: Vec<Entry>,
    authority: Vec<Entry>,
}

/// What a validating resolver would say of one hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Secure,
    Insecure,
    Bogus,
}

impl Forwarder {
    /// A resolver over that world.
    #[must_use]
    pub const fn new(authority: Arc<Authority>, mode: ForwardMode) -> Self {
        Self {
            authority,
            mode,
            interceptor: None,
        }
    }

    /// The same resolver with somebody on its way to the servers. What it says of DNSSEC still
    /// comes from how the world was made: a forgery in a secure zone is bogus.
    #[must_use]
    pub fn intercepted(self, interceptor: Arc<Interceptor>) -> Self {
        Self {
            interceptor: Some(interceptor),
            ..self
        }
    }

    /// What the resolver does with a query.
    #[must_use]
    pub fn respond(&self, transport: Transport, query: &[u8]) -> Reaction {
        match Query::parse(query) {
            Ok(query) => self.resolve(&query).into_reaction(&query, transport),
            Err(message::Unreadable::Ignored) => Reaction::Silence,
            Err(message::Unreadable::Refused(reply)) => Reaction::Reply(reply),
        }
    }

    fn resolve(&self, query: &Query) -> Draft {
        let mut draft = Draft {
            recursion_available: true,
            ..Draft::new(OptRcode::NOERROR)
        };
        let mut verdict = Verdict::Secure;
        let mut name = query.name.clone();
        for _ in 0..MAX_LINKS {
            let Some(hop) = self.iterate(&name, query.rtype) else {
                // 22: No Reachable Authority (RFC 8914 §4.23).
                return self.failure(22, &format!("no server answered for {name}"));
            };
            verdict = verdict.max(self.judge(&name, query.rtype, &hop));
            draft.rcode = OptRcode::from_rcode(hop.rcode);
            let target = alias_target(&name, query.rtype, &hop.answer);
            for entry in hop.answer {
                if !draft.answer.contains(&entry) {
                    draft.answer.push(entry);
                }
            }
            draft.authority.extend(hop.authority);
            match target {
                Some(target) => name = target,
                None => return self.finish(draft, verdict, query),
            }
        }
        self.failure(0, "alias chain too long")
    }

    fn finish(&self, mut draft: Draft, verdict: Verdict, query: &Query) -> Draft {
        let header = query.message.header();
        if self.mode == ForwardMode::Validating && verdict == Verdict::Bogus && !header.cd() {
            // 6: DNSSEC Bogus (RFC 8914 §4.7).
            return self.failure(6, "validation failure");
        }
        draft.authentic = self.mode != ForwardMode::Oblivious
            && verdict == Verdict::Secure
            && (query.dnssec_ok() || header.ad());
        if !query.dnssec_ok() {
            let wanted = query.rtype;
            for section in [&mut draft.answer, &mut draft.authority] {
                section.retain(|entry| {
                    let rtype = entry.rtype();
                    rtype == wanted || !matches!(rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3)
                });
            }
        }
        draft
    }

    fn failure(&self, code: u16, text: &str) -> Draft {
        let extended = match self.mode {
            ForwardMode::Oblivious => Vec::new(),
            ForwardMode::Validating | ForwardMode::Permissive => vec![(code, text.to_owned())],
        };
        Draft {
            recursion_available: true,
            extended,
            ..Draft::new(OptRcode::SERVFAIL)
        }
    }

    /// From the root's servers down to an answer, a denial or nothing.
    fn iterate(&self, name: &Fqdn, rtype: Rtype) -> Option<Hop> {
        let root = fqdn(&DomainName::root());
        let mut zone = root.clone();
        let mut servers = self.servers_of_root(&root);
        for _ in 0..MAX_REFERRALS {
            let (rcode, [answer, authority, additional]) = self.ask_any(&servers, name, rtype)?;
            let hop = relevant(name, rtype, rcode, answer, &authority);
            if !hop.answer.is_empty() || rcode == Rcode::NXDOMAIN {
                return Some(hop);
            }
            let Some(cut) = deeper_cut(&authority, &zone, name) else {
                return Some(hop);
            };
            servers = self.servers_at(&authority, &additional, &cut);
            zone = cut;
        }
        None
    }

    fn servers_of_root(&self, root: &Fqdn) -> Vec<IpAddr> {
        let tree = self.authority.tree();
        tree.zone_at(root, 0)
            .map(|zone| super::server_addresses(tree, zone))
            .unwrap_or_default()
    }

    fn servers_at(&self, authority: &[Entry], glue: &[Entry], cut: &Fqdn) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for entry in authority.iter().filter(|entry| entry.owner == *cut) {
            let Rdata::Ns(ns) = &entry.data else { continue };
            let given = glue
                .iter()
                .filter(|entry| entry.owner == *ns.nsdname())
                .filter_map(|entry| wire_address(&entry.data));
            addresses.extend(given);
            if addresses.is_empty() {
                for rtype in [Rtype::A, Rtype::AAAA] {
                    addresses.extend(self.authority.tree().addresses_of(ns.nsdname(), rtype));
                }
            }
        }
        addresses
    }

    /// The first usable reply of some servers.
    fn ask_any(
        &self,
        servers: &[IpAddr],
        name: &Fqdn,
        rtype: Rtype,
    ) -> Option<(Rcode, [Vec<Entry>; 3])> {
        let query = message::ask(name, rtype)?;
        for server in servers.iter().take(SERVER_PATIENCE) {
            for transport in [Transport::Udp, Transport::Tcp] {
                let mut reaction = self.authority.respond(*server, transport, &query);
                if let Some(interceptor) = &self.interceptor {
                    reaction = interceptor(*server, transport, &query, reaction);
                }
                let Some(reply) = reaction.reply() else { break };
                if !message::belongs(&query, reply) {
                    break;
                }
                let Some((rcode, truncated, sections)) = message::read_sections(reply) else {
                    break;
                };
                if truncated {
                    continue;
                }
                if matches!(rcode, Rcode::NOERROR | Rcode::NXDOMAIN) {
                    return Some((rcode, sections));
                }
                break;
            }
        }
        None
    }

    /// Compares a hop with what honest servers of any version of the zone would have sent.
    fn judge(&self, name: &Fqdn, rtype: Rtype, hop: &Hop) -> Verdict {
        let tree = self.authority.tree();
        let deciding = match (rtype, name.parent()) {
            (Rtype::DS, Some(parent)) => parent,
            _ => name.clone(),
        };
        match tree.trust_of(&deciding) {
            Trust::Insecure => return Verdict::Insecure,
            Trust::Bogus => return Verdict::Bogus,
            Trust::Secure => {}
        }
        let Some(zone) = tree.zone_of(&deciding) else {
            return Verdict::Insecure;
        };
        let Some(query) = message::ask(name, rtype).and_then(|query| Query::parse(&query).ok())
        else {
            return Verdict::Bogus;
        };
        let honest = tree
            .zones()
            .filter(|other| other.apex == zone.apex)
            .map(|other| self.authority.honest(&query, other.version))
            .map(|draft| {
                let rcode = draft.rcode.rcode();
                let honest = relevant(name, rtype, rcode, draft.answer, &draft.authority);
                (honest, draft.unproven)
            })
            .find(|(honest, _)| same_hop(honest, hop));
        let Some((honest, false)) = honest else {
            return Verdict::Bogus;
        };
        if honest
            .answer
            .iter()
            .chain(&honest.authority)
            .any(|entry| !entry.intact)
        {
            return Verdict::Bogus;
        }
        if weak_denial(zone, name, &honest) {
            return Verdict::Insecure;
        }
        Verdict::Secure
    }
}

/// Denials that prove nothing: under opt-out (RFC 5155 §9.2) or too many iterations
/// (RFC 9276 §3.2).
fn weak_denial(zone: &crate::zone::Zone, name: &Fqdn, hop: &Hop) -> bool {
    let Some(chain) = &zone.nsec3 else {
        return false;
    };
    let uses_chain = hop
        .authority
        .iter()
        .any(|entry| entry.rtype() == Rtype::NSEC3);
    let covered = hop.rcode == Rcode::NXDOMAIN || chain.matching(name).is_none();
    uses_chain && (chain.iterations > 100 || (chain.opt_out && covered))
}

/// What of a reply concerns `name`: its records and signatures, the alias above or at it, and
/// what proves a denial or an expansion.
fn relevant(
    name: &Fqdn,
    rtype: Rtype,
    rcode: Rcode,
    answer: Vec<Entry>,
    authority: &[Entry],
) -> Hop {
    let is_dname = |entry: &Entry| {
        let covers =
            matches!(&entry.data, Rdata::Rrsig(rrsig) if rrsig.type_covered() == Rtype::DNAME);
        (entry.rtype() == Rtype::DNAME || covers)
            && entry.owner != *name
            && name.ends_with(&entry.owner)
    };
    let answer: Vec<Entry> = answer
        .into_iter()
        .filter(|entry| entry.owner == *name || is_dname(entry))
        .collect();
    // After an alias, a code and a denial in the same reply speak of its target.
    let rcode = match alias_target(name, rtype, &answer) {
        Some(_) => Rcode::NOERROR,
        None => rcode,
    };
    let authority = authority
        .iter()
        .filter(|entry| {
            let covered = match &entry.data {
                Rdata::Rrsig(rrsig) => rrsig.type_covered(),
                _ => entry.rtype(),
            };
            matches!(covered, Rtype::NSEC | Rtype::NSEC3)
                || (answer.is_empty() && covered == Rtype::SOA)
        })
        .cloned()
        .collect();
    Hop {
        rcode,
        answer,
        authority,
    }
}

fn alias_target(name: &Fqdn, rtype: Rtype, answer: &[Entry]) -> Option<Fqdn> {
    if rtype == Rtype::CNAME || answer.iter().any(|entry| entry.rtype() == rtype) {
        return None;
    }
    answer.iter().find_map(|entry| match &entry.data {
        Rdata::Cname(cname) if entry.owner == *name => Some(cname.cname().clone()),
        _ => None,
    })
}

/// Equal but for order and TTL.
fn same_hop(one: &Hop, other: &Hop) -> bool {
    let same = |one: &[Entry], other: &[Entry]| {
        one.len() == other.len()
            && one.iter().all(|entry| {
                other.iter().any(|candidate| {
                    candidate.owner == entry.owner && message::same_data(candidate, entry)
                })
            })
    };
    one.rcode == other.rcode
        && same(&one.answer, &other.answer)
        && same(&one.authority, &other.authority)
}

fn deeper_cut(authority: &[Entry], zone: &Fqdn, name: &Fqdn) -> Option<Fqdn> {
    if authority.iter().any(|entry| entry.rtype() == Rtype::SOA) {
        return None;
    }
    authority
        .iter()
        .find(|entry| {
            entry.rtype() == Rtype::NS
                && entry.owner != *zone
                && entry.owner.ends_with(zone)
                && name.ends_with(&entry.owner)
        })
        .map(|entry| entry.owner.to_name())
}

fn wire_address(data: &Rdata) -> Option<IpAddr> {
    match data {
        Rdata::A(a) => Some(a.addr().into()),
        Rdata::Aaaa(aaaa) => Some(aaaa.addr().into()),
        other => super::address_of(other),
    }
}
