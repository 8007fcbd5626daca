//! What an attacker makes of one reply.

use crate::wire::{ADDITIONAL, ANSWER, AUTHORITY, Reply, Rr, query, wire_name};
use crate::worlds::FORGER;
use domain::base::iana::Rtype;
use domain::base::{Name, ToName};
use std::net::{Ipv4Addr, Ipv6Addr};

/// One way of answering wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mutation {
    Silence,
    /// An error code and nothing else.
    Code(u8),
    /// The first half of the right octets.
    Cut,
    /// The right reply under another id.
    WrongId,
    /// Nothing but the code.
    Empty(u8),
    /// A denial with an unsigned SOA of the zone of the name.
    OwnSoa(u8),
    /// A denial with an unsigned SOA of the attacker's unsigned zone.
    ForeignSoa(u8),
    /// A denial with an unsigned SOA at the very name: "I am an unsigned zone".
    NameSoa(u8),
    /// The right reply without signatures.
    Unsigned,
    /// The right reply without denial records.
    Unproven,
    /// The right reply with one bit of each signature flipped.
    FlippedSignatures,
    /// Unsigned data of the attacker's.
    Forged,
    /// Unsigned data of the attacker's beside the right one.
    Added,
    /// The attacker's data, validly signed by its own zone, under the name.
    ForeignSignature,
    /// An unsigned alias to a host of that name.
    Alias(&'static str),
    /// A denial with the signed proof that the zone's apex lacks some type.
    ReplayApex(u8),
    /// A denial with every signed proof of the zone that can be had.
    ReplayAll(u8),
    /// The signed proof that a sibling is delegated unsigned.
    ReplayUnsigned,
    /// A referral without DS at the apex of the zone of the name, to the forger's server.
    ReferralAtApex,
    /// The same at the name itself.
    ReferralAtName,
    /// The same with every signed proof of the zone that can be had.
    ReferralWithProofs,
}

const ALIASES: [&str; 3] = ["mx.evil.test", "mx.evil.opt", "bare.hashed.test"];

impl Mutation {
    /// Those after which nothing was learnt: none of them is a statement of a server of the zone.
    pub(crate) const FAILURES: [Self; 7] = [
        Self::Silence,
        Self::Code(2),
        Self::Code(5),
        Self::Code(4),
        Self::Code(1),
        Self::Cut,
        Self::WrongId,
    ];

    /// One of each kind, for attacks on several questions at once.
    pub(crate) const TYPICAL: [Self; 8] = [
        Self::Silence,
        Self::Code(2),
        Self::OwnSoa(0),
        Self::Empty(3),
        Self::Unsigned,
        Self::Forged,
        Self::Alias("mx.evil.opt"),
        Self::ReplayAll(0),
    ];

    pub(crate) fn all() -> Vec<Self> {
        let mut all = Self::FAILURES.to_vec();
        for rcode in [0, 3] {
            all.extend([
                Self::Empty(rcode),
                Self::OwnSoa(rcode),
                Self::ForeignSoa(rcode),
                Self::NameSoa(rcode),
                Self::ReplayApex(rcode),
                Self::ReplayAll(rcode),
            ]);
        }
        all.extend([
            Self::Unsigned,
            Self::Unproven,
            Self::FlippedSignatures,
            Self::Forged,
            Self::Added,
            Self::ForeignSignature,
            Self::ReplayUnsigned,
            Self::ReferralAtApex,
            Self::ReferralAtName,
            Self::ReferralWithProofs,
        ]);
        all.extend(ALIASES.map(Self::Alias));
        all
    }

    pub(crate) fn is_failure(self) -> bool {
        Self::FAILURES.contains(&self)
    }
}

/// What the attacker knows: the question, the zone that holds the name, the right reply of the
/// server that was asked, and what that server or the attacker's own say to other questions.
pub(crate) struct Scene<'a> {
    pub(crate) name: Name<Vec<u8>>,
    pub(crate) rtype: Rtype,
    pub(crate) apex: Name<Vec<u8>>,
    pub(crate) honest: Option<Reply>,
    pub(crate) ask: &'a dyn Fn(&[u8]) -> Option<Reply>,
    pub(crate) ask_own: &'a dyn Fn(&[u8]) -> Option<Reply>,
}

/// A reply as it will be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mutated {
    Silence,
    Reply(Reply),
    Cut,
    WrongId,
}

impl Scene<'_> {
    pub(crate) fn apply(&self, mutation: Mutation) -> Mutated {
        let honest = || self.honest.clone().unwrap_or_else(|| Reply::empty(0));
        let reply = match mutation {
            Mutation::Silence => return Mutated::Silence,
            Mutation::Cut => return Mutated::Cut,
            Mutation::WrongId => return Mutated::WrongId,
            Mutation::Code(rcode) => Reply {
                authoritative: false,
                ..Reply::empty(rcode)
            },
            Mutation::Empty(rcode) => Reply::empty(rcode),
            Mutation::OwnSoa(rcode) => with_soa(rcode, &self.apex),
            Mutation::ForeignSoa(rcode) => with_soa(rcode, &wire_name("evil.opt")),
            Mutation::NameSoa(rcode) => with_soa(rcode, &self.name),
            Mutation::Unsigned => retained(honest(), |record| record.rtype != Rtype::RRSIG),
            Mutation::Unproven => retained(honest(), |record| !record.denies()),
            Mutation::FlippedSignatures => flipped(honest()),
            Mutation::Forged => {
                let mut reply = Reply::empty(0);
                reply.sections[ANSWER] = self.forged();
                reply
            }
            Mutation::Added => {
                let mut reply = honest();
                reply.rcode = 0;
                reply.sections[ANSWER].extend(self.forged());
                reply
            }
            Mutation::ForeignSignature => self.foreign_signature(),
            Mutation::Alias(target) => {
                let target = wire_name(target);
                let mut reply = Reply::empty(0);
                let cname = Rr::new(&self.name, Rtype::CNAME, target.as_slice().to_vec());
                reply.sections[ANSWER].push(cname);
                reply
            }
            Mutation::ReplayApex(rcode) => self.replay(rcode, &[self.at_apex()]),
            Mutation::ReplayAll(rcode) => self.replay(rcode, &self.everywhere()),
            Mutation::ReplayUnsigned => self.replay(0, &self.unsigned_siblings()),
            Mutation::ReferralAtApex => referral(&self.apex),
            Mutation::ReferralAtName => referral(&self.name),
            Mutation::ReferralWithProofs => {
                let mut reply = referral(&self.apex);
                let proofs = self.replay(0, &self.everywhere());
                let [_, authority, _] = proofs.sections;
                reply.sections[AUTHORITY].extend(authority.into_iter().filter(Rr::denies));
                reply
            }
        };
        Mutated::Reply(reply)
    }

    fn forged(&self) -> Vec<Rr> {
        forged(&self.name, self.rtype)
    }

    /// The attacker's records of that type with their signatures, moved under the name.
    fn foreign_signature(&self) -> Reply {
        let owner = match self.rtype {
            Rtype::A | Rtype::AAAA => "mx.evil.test",
            Rtype::TLSA => "_25._tcp.mx.evil.test",
            _ => "evil.test",
        };
        let donor = (self.ask_own)(&query(&wire_name(owner), self.rtype));
        let mut reply = donor.unwrap_or_else(|| Reply::empty(0));
        reply.sections[ADDITIONAL].clear();
        for record in &mut reply.sections[ANSWER] {
            record.owner = self.name.clone();
        }
        reply
    }

    fn at_apex(&self) -> Vec<u8> {
        query(&self.apex, Rtype::from_int(65_280))
    }

    fn unsigned_siblings(&self) -> Vec<Vec<u8>> {
        ["plain.test", "leaf.opt"]
            .map(|sibling| query(&wire_name(sibling), Rtype::DS))
            .to_vec()
    }

    fn everywhere(&self) -> Vec<Vec<u8>> {
        let mut donors = vec![self.at_apex(), query(&self.name, Rtype::from_int(65_280))];
        for label in ["0", "b-nowhere", "n-nowhere", "zz-nowhere"] {
            let below: Name<Vec<u8>> = wire_name(label)
                .into_relative()
                .chain(self.apex.clone())
                .expect("a short name")
                .to_name();
            donors.push(query(&below, Rtype::A));
        }
        donors.extend(self.unsigned_siblings());
        donors
    }

    /// A denial that consists of the denials in the right replies to other questions.
    fn replay(&self, rcode: u8, donors: &[Vec<u8>]) -> Reply {
        let mut reply = Reply::empty(rcode);
        let authority = &mut reply.sections[AUTHORITY];
        for donor in donors {
            let Some(given) = (self.ask)(donor) else {
                continue;
            };
            let [_, given, _] = given.sections;
            let has_soa = authority
                .iter()
                .any(|record: &Rr| record.rtype == Rtype::SOA);
            for record in given {
                let soa = record.covered().unwrap_or(record.rtype) == Rtype::SOA;
                let kept = record.denies() || (soa && !has_soa);
                if kept && !authority.contains(&record) {
                    authority.push(record);
                }
            }
        }
        reply
    }
}

/// The forger's server: it has whatever is asked for, and no DNSSEC records.
pub(crate) fn forger(name: &Name<Vec<u8>>, rtype: Rtype) -> Reply {
    match rtype {
        Rtype::DS | Rtype::DNSKEY | Rtype::CNAME => with_soa(0, name),
        _ => {
            let mut reply = Reply::empty(0);
            reply.sections[ANSWER] = forged(name, rtype);
            reply
        }
    }
}

/// The attacker's data of a type: its own address, mail host, key; among its mail hosts are
/// signed ones of others.
fn forged(name: &Name<Vec<u8>>, rtype: Rtype) -> Vec<Rr> {
    let own = wire_name("mx.evil.opt");
    let mx = |preference: u8, host: &str| {
        let mut rdata = vec![0, preference];
        rdata.extend(wire_name(host).as_slice());
        rdata
    };
    let rdatas = match rtype {
        Rtype::A => vec![Ipv4Addr::new(192, 0, 2, 66).octets().to_vec()],
        Rtype::AAAA => {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x66);
            vec![address.octets().to_vec()]
        }
        Rtype::MX => vec![
            mx(5, "mx.evil.opt"),
            mx(6, "mx.nsec.test"),
            mx(7, "a5.nsec.test"),
            mx(8, "u.nsec.test"),
            mx(9, "mx.plain.test"),
        ],
        Rtype::TLSA => vec![[&[3, 1, 1][..], &[0x66; 32]].concat()],
        Rtype::TXT => vec![b"\x0dv=STSv1; id=6".to_vec()],
        Rtype::CNAME | Rtype::NS => vec![own.as_slice().to_vec()],
        Rtype::DS => vec![[&[0, 1, 13, 2][..], &[0x66; 32]].concat()],
        Rtype::DNSKEY => vec![[&[1, 1, 3, 13][..], &[0x66; 64]].concat()],
        Rtype::SOA => vec![soa()],
        _ => Vec::new(),
    };
    rdatas
        .into_iter()
        .map(|rdata| Rr::new(name, rtype, rdata))
        .collect()
}

fn soa() -> Vec<u8> {
    let mut rdata = wire_name("ns.evil.opt").as_slice().to_vec();
    rdata.extend(wire_name("hostmaster.evil.opt").as_slice());
    for field in [1, 7200, 900, 1_209_600, 300_u32] {
        rdata.extend(field.to_be_bytes());
    }
    rdata
}

fn with_soa(rcode: u8, apex: &Name<Vec<u8>>) -> Reply {
    let mut reply = Reply::empty(rcode);
    reply.sections[AUTHORITY].push(Rr::new(apex, Rtype::SOA, soa()));
    reply
}

/// To a server below the cut, with glue, so that every resolver can go there.
fn referral(cut: &Name<Vec<u8>>) -> Reply {
    let mut reply = Reply {
        authoritative: false,
        ..Reply::empty(0)
    };
    let server: Option<Name<Vec<u8>>> = wire_name("ns")
        .into_relative()
        .chain(cut.clone())
        .ok()
        .map(|chain| chain.to_name());
    // Below the longest names there is no room for a server.
    if let Some(server) = server {
        let ns = Rr::new(cut, Rtype::NS, server.as_slice().to_vec());
        reply.sections[AUTHORITY].push(ns);
        let address: Ipv4Addr = FORGER.parse().expect("address");
        let glue = Rr::new(&server, Rtype::A, address.octets().to_vec());
        reply.sections[ADDITIONAL].push(glue);
    }
    reply
}

fn retained(mut reply: Reply, keep: impl Fn(&Rr) -> bool) -> Reply {
    for section in &mut reply.sections {
        section.retain(&keep);
    }
    reply
}

fn flipped(mut reply: Reply) -> Reply {
    for record in reply.sections.iter_mut().flatten() {
        if record.rtype == Rtype::RRSIG
            && let Some(octet) = record.rdata.last_mut()
        {
            *octet ^= 1;
        }
    }
    reply
}
