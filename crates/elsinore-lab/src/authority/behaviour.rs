//! What a server does wrong, as data.

use super::answer::{answer, push_negative_soa};
use super::attack::{self, Attack};
use super::message::{Draft, Query};
use super::{Reaction, Transport, View};
use crate::zone::{Rdata, fqdn, key_name};
use domain::base::ToName;
use domain::base::iana::{OptRcode, Rtype};
use elsinore_dane::answer::RecordType;
use elsinore_dane::name::DomainName;

/// A condition and what the server then does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// When.
    pub when: When,
    /// What.
    pub act: Act,
}

impl Behaviour {
    /// For every query.
    #[must_use]
    pub const fn always(act: Act) -> Self {
        Self {
            when: When::always(),
            act,
        }
    }

    /// For queries of these types.
    #[must_use]
    pub fn for_types(types: &[RecordType], act: Act) -> Self {
        Self {
            when: When::always().of_types(types),
            act,
        }
    }

    /// For queries that fulfil the condition.
    #[must_use]
    pub const fn new(when: When, act: Act) -> Self {
        Self { when, act }
    }
}

/// Which queries a behaviour is for; all parts must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// The types asked for; every type when empty.
    pub types: Vec<RecordType>,
    /// The names asked for.
    pub names: Names,
    /// The transport; both when `None`.
    pub transport: Option<Transport>,
}

/// A set of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// Every name.
    Every,
    /// That name.
    Exactly(DomainName),
    /// That name and all below it.
    AtOrBelow(DomainName),
    /// Names that exist only because others lie below them (RFC 4592 §2.2.2).
    EmptyNonTerminals,
}

impl When {
    /// Every query.
    #[must_use]
    pub const fn always() -> Self {
        Self {
            types: Vec::new(),
            names: Names::Every,
            transport: None,
        }
    }

    /// Restricted to these types.
    #[must_use]
    pub fn of_types(self, types: &[RecordType]) -> Self {
        Self {
            types: types.to_vec(),
            ..self
        }
    }

    /// Restricted to these names.
    #[must_use]
    pub fn of_names(self, names: Names) -> Self {
        Self { names, ..self }
    }

    /// Restricted to that transport.
    #[must_use]
    pub fn over(self, transport: Transport) -> Self {
        Self {
            transport: Some(transport),
            ..self
        }
    }

    pub(super) fn holds(&self, query: &Query, transport: Transport, view: &View<'_>) -> bool {
        let asked = RecordType::from_code(query.rtype.to_int());
        (self.types.is_empty() || self.types.contains(&asked))
            && self.transport.is_none_or(|wanted| wanted == transport)
            && match &self.names {
                Names::Every => true,
                Names::Exactly(name) => fqdn(name) == query.name,
                Names::AtOrBelow(name) => key_name(&query.name).is_at_or_below(name),
                Names::EmptyNonTerminals => {
                    view.zone_for(&query.name, query.rtype).is_some_and(|zone| {
                        zone.exists(&query.name) && !zone.nodes.contains_key(&query.name)
                    })
                }
            }
    }
}

/// What a server does instead of answering right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Answers right: a way to exempt queries from a later behaviour.
    Honest,
    /// An error code and nothing else: 1 FORMERR, 2 SERVFAIL, 4 NOTIMP, 5 REFUSED, …
    Rcode(u8),
    /// The same with an extended error (RFC 8914).
    Extended {
        /// The RCODE.
        rcode: u8,
        /// INFO-CODE.
        code: u16,
        /// EXTRA-TEXT.
        text: String,
    },
    /// The right answer with an extended error beside it.
    Remark {
        /// INFO-CODE.
        code: u16,
        /// EXTRA-TEXT.
        text: String,
    },
    /// No answer.
    Silence,
    /// The connection is closed.
    Close,
    /// NOERROR and the zone's SOA without signature or proof.
    NoData,
    /// NXDOMAIN and the zone's SOA without signature or proof.
    NxDomain,
    /// The right answer, but for NXDOMAIN in place of its RCODE.
    DenyName,
    /// The answer from that version of the zone.
    FromVersion(u8),
    /// The right answer under another message id.
    WrongId,
    /// The right answer to another question (a label put in front of the name).
    WrongQuestion,
    /// The right answer with the question's name in lower case.
    LowerCase,
    /// TC set and nothing else.
    Truncate,
    /// FORMERR without OPT for a query with EDNS, else the right answer (RFC 6891 §7).
    NoEdns,
    /// The right answer without OPT record and without DNSSEC records.
    IgnoreEdns,
    /// The right answer with AA clear.
    NotAuthoritative,
    /// NOERROR, not authoritative, with the root's NS records: an upward referral.
    Lame,
    /// The right answer without any RRSIG.
    WithoutSignatures,
    /// These octets, whatever they are; the message id is put in front of them.
    Garbage(Vec<u8>),
    /// A forgery.
    Forge(Attack),
}

pub(super) fn react(act: &Act, view: &View<'_>, query: &Query, transport: Transport) -> Reaction {
    let honest = || answer(view, query);
    let draft = match act {
        Act::Honest => honest(),
        Act::Rcode(rcode) => Draft::new(OptRcode::masked_from_int(u16::from(*rcode))),
        Act::Extended { rcode, code, text } => Draft {
            extended: vec![(*code, text.clone())],
            ..Draft::new(OptRcode::masked_from_int(u16::from(*rcode)))
        },
        Act::Remark { code, text } => Draft {
            extended: vec![(*code, text.clone())],
            ..honest()
        },
        Act::Silence => return Reaction::Silence,
        Act::Close => return Reaction::Close,
        Act::NoData => bare(view, query, OptRcode::NOERROR),
        Act::NxDomain => bare(view, query, OptRcode::NXDOMAIN),
        Act::DenyName => Draft {
            rcode: OptRcode::NXDOMAIN,
            ..honest()
        },
        Act::FromVersion(version) => {
            let view = View {
                version: *version,
                ..*view
            };
            answer(&view, query)
        }
        Act::WrongId => {
            let mut octets = honest().write(query, transport);
            if let Some(octet) = octets.first_mut() {
                *octet ^= 0xff;
            }
            return Reaction::Reply(octets);
        }
        Act::WrongQuestion => {
            let mut other = query.clone();
            if let Some(name) = other_name(query) {
                other.name = name;
            }
            return honest().into_reaction(&other, transport);
        }
        Act::LowerCase => {
            let mut lower = query.clone();
            lower.name = query.name.to_canonical_name();
            return answer(view, &lower).into_reaction(&lower, transport);
        }
        Act::Truncate => Draft {
            truncated: true,
            ..honest()
        },
        Act::NoEdns if query.edns.is_some() => Draft {
            edns: false,
            ..Draft::new(OptRcode::FORMERR)
        },
        Act::NoEdns => honest(),
        Act::IgnoreEdns => {
            let mut plain = query.clone();
            plain.edns = None;
            return answer(view, &plain).into_reaction(&plain, transport);
        }
        Act::NotAuthoritative => Draft {
            authoritative: false,
            ..honest()
        },
        Act::Lame => lame(view),
        Act::WithoutSignatures => {
            let mut draft = honest();
            for section in [
                &mut draft.answer,
                &mut draft.authority,
                &mut draft.additional,
            ] {
                section.retain(|entry| !matches!(entry.data, Rdata::Rrsig(_)));
            }
            draft
        }
        Act::Garbage(octets) => {
            let mut reply = query.message.header().id().to_be_bytes().to_vec();
            reply.extend_from_slice(octets);
            return Reaction::Reply(reply);
        }
        Act::Forge(attack) => attack::forge(attack, view, query),
    };
    draft.into_reaction(query, transport)
}

/// A negative answer with an unsigned SOA.
fn bare(view: &View<'_>, query: &Query, rcode: OptRcode) -> Draft {
    let mut draft = Draft::authoritative(rcode);
    if let Some(zone) = view.zone_for(&query.name, query.rtype) {
        push_negative_soa(zone, &mut draft.authority, false);
    }
    draft
}

fn lame(view: &View<'_>) -> Draft {
    let mut draft = Draft::new(OptRcode::NOERROR);
    let root = fqdn(&DomainName::root());
    if let Some(set) = view
        .tree
        .zone_at(&root, 0)
        .and_then(|zone| zone.set(&root, Rtype::NS))
    {
        Draft::push(&mut draft.authority, &root, set, false);
    }
    draft
}

fn other_name(query: &Query) -> Option<crate::zone::Fqdn> {
    key_name(&query.name)
        .prefixed("other")
        .ok()
        .map(|name| fqdn(&name))
}
