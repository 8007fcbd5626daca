//! Packets as octets: what the resolver sent, and what a scripted server sends back.

use crate::scenario::{Adjustments, Asked, Flags, Packet};
use domain::base::iana::{OptRcode, Rtype};
use domain::base::name::ToName;
use domain::base::rdata::ComposeRecordData;
use domain::base::{Message, Name};

/// UDP size that replies announce (the size is not compared).
const PAYLOAD: u16 = 1232;

/// A packet that somebody sent, as far as entries can tell packets apart.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) opcode: u8,
    pub(crate) rcode: OptRcode,
    pub(crate) flags: Flags,
    pub(crate) question: Vec<Asked>,
    pub(crate) has_edns: bool,
    /// The RDATA of the OPT record.
    pub(crate) edns_options: Vec<u8>,
}

impl Seen {
    /// Reads a query of the resolver; `None` when it is no DNS message.
    pub(crate) fn query(octets: &[u8]) -> Option<Self> {
        let message = Message::from_octets(octets).ok()?;
        let header = message.header();
        let mut question = Vec::new();
        for asked in message.question() {
            let asked = asked.ok()?;
            question.push(Asked {
                name: asked.qname().to_vec(),
                rtype: asked.qtype(),
                class: asked.qclass(),
            });
        }
        let opt = message.opt();
        let mut edns_options = Vec::new();
        if let Some(opt) = &opt {
            opt.opt().compose_rdata(&mut edns_options).ok()?;
        }
        let flags = header.flags();
        Some(Self {
            opcode: header.opcode().to_int(),
            rcode: message.opt_rcode(),
            flags: Flags {
                qr: flags.qr,
                aa: flags.aa,
                tc: flags.tc,
                rd: flags.rd,
                ra: flags.ra,
                ad: flags.ad,
                cd: flags.cd,
                dnssec_ok: opt
                    .as_ref()
                    .is_some_and(domain::base::opt::OptRecord::dnssec_ok),
            },
            question,
            has_edns: opt.is_some(),
            edns_options,
        })
    }
}

/// The reply to `query` that a scripted server sends: `packet`, with what `adjust` takes from the
/// query. A name that is the one asked for gets the letter case of the query, as every real
/// server does it: resolvers vary it on purpose.
pub(crate) fn reply(packet: &Packet, adjust: Adjustments, query: &[u8]) -> Vec<u8> {
    let asked = question_octets(query);
    let mut reply = match &packet.octets {
        Some(octets) => octets.clone(),
        None => composed(packet, asked.filter(|_| adjust.copy_query)),
    };
    // Unbound's program hands a reply to the question it is for whatever its identifier; here the
    // identifier is what brings it there.
    if let ([high, low, ..], [first, second, ..]) = (query, reply.as_mut_slice()) {
        (*first, *second) = (*high, *low);
    }
    if let Some(asked) = asked
        && let Some(there) = reply.get_mut(HEADER..HEADER + asked.len())
        && there.eq_ignore_ascii_case(asked)
    {
        there.copy_from_slice(asked);
    }
    reply
}

/// Leaves the header, with TC set, and the question (RFC 2181 §9).
pub(crate) fn truncate(reply: &mut Vec<u8>) {
    let length = HEADER + question_octets(reply).map_or(0, <[u8]>::len);
    reply.truncate(length);
    if let Some(flags) = reply.get_mut(2) {
        *flags |= 0x02;
    }
    // Answer, authority and additional counts.
    if let Some(counts) = reply.get_mut(6..HEADER) {
        counts.fill(0);
    }
}

/// Octets of a message header.
const HEADER: usize = 12;

/// The question section of a query with one question: name, type and class.
fn question_octets(query: &[u8]) -> Option<&[u8]> {
    let question = query.get(HEADER..)?;
    let name = Name::<[u8]>::from_slice(question.get(..name_length(question)?)?).ok()?;
    question.get(..name.len() + 4)
}

/// Length of the uncompressed name at the beginning.
fn name_length(octets: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let label = usize::from(*octets.get(at)?);
        at += 1 + label;
        match label {
            0 => return Some(at),
            1..=63 => {}
            _ => return None,
        }
    }
}

fn composed(packet: &Packet, copied: Option<&[u8]>) -> Vec<u8> {
    let mut octets = vec![0, 0];
    let Flags {
        qr,
        aa,
        tc,
        rd,
        ra,
        ad,
        cd,
        dnssec_ok,
    } = packet.flags;
    let bit = |flag: bool, place: u8| u8::from(flag) << place;
    let rcode = packet.rcode.to_int();
    octets.push(bit(qr, 7) | packet.opcode << 3 | bit(aa, 2) | bit(tc, 1) | bit(rd, 0));
    octets.push(bit(ra, 7) | bit(ad, 5) | bit(cd, 4) | (rcode & 0x0f) as u8);
    let has_opt = dnssec_ok || !packet.edns_options.is_empty();
    let question = match copied {
        Some(asked) => asked.to_vec(),
        None => packet.question.iter().flat_map(asked_octets).collect(),
    };
    let questions = copied.map_or(packet.question.len(), |_| 1);
    let counts = [
        questions,
        packet.answer.len(),
        packet.authority.len(),
        packet.additional.len() + usize::from(has_opt),
    ];
    for count in counts {
        // A file with more than 65,535 records in a section does not exist.
        octets.extend((count as u16).to_be_bytes());
    }
    octets.extend(question);
    for record in [&packet.answer, &packet.authority, &packet.additional]
        .into_iter()
        .flatten()
    {
        octets.extend(record.owner.as_slice());
        octets.extend(record.rtype.to_int().to_be_bytes());
        octets.extend(record.class.to_int().to_be_bytes());
        octets.extend(record.ttl.to_be_bytes());
        octets.extend((record.rdata.len() as u16).to_be_bytes());
        octets.extend(&record.rdata);
    }
    if has_opt {
        octets.push(0);
        octets.extend(Rtype::OPT.to_int().to_be_bytes());
        octets.extend(PAYLOAD.to_be_bytes());
        octets.extend([(rcode >> 4) as u8, 0, u8::from(dnssec_ok) << 7, 0]);
        octets.extend((packet.edns_options.len() as u16).to_be_bytes());
        octets.extend(&packet.edns_options);
    }
    octets
}

fn asked_octets(asked: &Asked) -> Vec<u8> {
    let mut octets = asked.name.as_slice().to_vec();
    octets.extend(asked.rtype.to_int().to_be_bytes());
    octets.extend(asked.class.to_int().to_be_bytes());
    octets
}
