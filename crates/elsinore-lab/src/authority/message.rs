//! Queries read and replies written: header bits, EDNS, size limits (RFC 1035 §4, RFC 6891).

use super::{Reaction, Transport};
use crate::zone::{Fqdn, Rdata, Rrset};
use bytes::Bytes;
use domain::base::iana::{Class, Opcode, OptRcode, Rcode, Rtype};
use domain::base::message_builder::{MessageBuilder, PushError, TreeCompressor};
use domain::base::name::FlattenInto;
use domain::base::rdata::{ComposeRecordData, UnknownRecordData};
use domain::base::{Message, Name, ParsedName, ParsedRecord, Record, ToName, Ttl};
use domain::dep::octseq::OctetsBuilder;
use domain::rdata::ZoneRecordData;

/// What this server says it can take by UDP, and never exceeds (DNS flag day 2020).
const OWN_UDP_SIZE: u16 = 1232;

/// Servers of one zone that a resolver of the lab tries at most.
pub(super) const SERVER_PATIENCE: usize = 8;

/// A question as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) message: Message<Vec<u8>>,
    /// In the case of the sender.
    pub(crate) name: Fqdn,
    pub(crate) rtype: Rtype,
    pub(crate) edns: Option<Edns>,
}

/// The EDNS fields of a query (RFC 6891 §6.1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edns {
    pub(crate) udp_size: u16,
    pub(crate) dnssec_ok: bool,
}

/// Why there is no question to answer.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// No header, or a response.
    Ignored,
    /// Answered with an error code at once.
    Refused(Vec<u8>),
}

impl Query {
    pub(crate) fn parse(octets: &[u8]) -> Result<Self, Unreadable> {
        let message = Message::from_octets(octets.to_vec()).map_err(|_| Unreadable::Ignored)?;
        if message.header().qr() {
            return Err(Unreadable::Ignored);
        }
        let refuse =
            |rcode: OptRcode, edns: bool| Unreadable::Refused(error(&message, rcode, edns));
        if message.header().opcode() != Opcode::QUERY {
            return Err(refuse(OptRcode::NOTIMP, false));
        }
        let Ok(question) = message.sole_question() else {
            return Err(refuse(OptRcode::FORMERR, false));
        };
        let edns = message.opt();
        if edns.as_ref().is_some_and(|opt| opt.version() != 0) {
            return Err(refuse(OptRcode::BADVERS, true));
        }
        if question.qclass() != Class::IN {
            return Err(refuse(OptRcode::REFUSED, edns.is_some()));
        }
        let edns = edns.map(|opt| Edns {
            udp_size: opt.udp_payload_size(),
            dnssec_ok: opt.dnssec_ok(),
        });
        let name: Name<Bytes> = question.qname().to_name();
        let rtype = question.qtype();
        Ok(Self {
            name,
            rtype,
            edns,
            message,
        })
    }

    /// Whether DNSSEC records are wanted (RFC 3225).
    pub(crate) fn dnssec_ok(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec_ok)
    }

    /// Octets that a reply may have.
    pub(crate) fn limit(&self, transport: Transport) -> usize {
        match (transport, self.edns) {
            (Transport::Tcp, _) => usize::from(u16::MAX),
            (Transport::Udp, None) => 512,
            (Transport::Udp, Some(edns)) => usize::from(edns.udp_size.clamp(512, OWN_UDP_SIZE)),
        }
    }
}

/// One record to be sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) owner: Fqdn,
    pub(crate) ttl: Ttl,
    pub(crate) data: Rdata,
    /// False when a fault made the signatures of its RRset useless. Not sent.
    pub(crate) intact: bool,
}

/// A reply before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) rcode: OptRcode,
    pub(crate) authoritative: bool,
    pub(crate) truncated: bool,
    pub(crate) recursion_available: bool,
    pub(crate) authentic: bool,
    pub(crate) answer: Vec<Entry>,
    pub(crate) authority: Vec<Entry>,
    pub(crate) additional: Vec<Entry>,
    /// Whether a lack of room for the additional section truncates (glue) or only drops it.
    pub(crate) additional_needed: bool,
    /// Extended errors (RFC 8914), sent when the query has EDNS.
    pub(crate) extended: Vec<(u16, String)>,
    /// Whether a proof that DNSSEC demands was withheld (a planted fault). Not sent.
    pub(crate) unproven: bool,
    /// Whether the reply has an OPT record when the query has one.
    pub(crate) edns: bool,
}

impl Draft {
    pub(crate) fn new(rcode: OptRcode) -> Self {
        Self {
            rcode,
            authoritative: false,
            truncated: false,
            recursion_available: false,
            authentic: false,
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            additional_needed: false,
            extended: Vec::new(),
            unproven: false,
            edns: true,
        }
    }

    pub(crate) fn authoritative(rcode: OptRcode) -> Self {
        Self {
            authoritative: true,
            ..Self::new(rcode)
        }
    }

    pub(crate) fn into_reaction(self, query: &Query, transport: Transport) -> Reaction {
        Reaction::Reply(self.write(query, transport))
    }

    /// The wire form, within the limit of the transport; TC is set and the sections are emptied
    /// when it does not fit (RFC 2181 §9).
    pub(crate) fn write(&self, query: &Query, transport: Transport) -> Vec<u8> {
        let limit = query.limit(transport);
        if !self.truncated {
            if let Ok(octets) = self.try_write(query, limit, true) {
                return octets;
            }
            if !self.additional_needed
                && let Ok(octets) = self.try_write(query, limit, false)
            {
                return octets;
            }
        }
        let mut short = Self {
            truncated: true,
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            ..self.clone()
        };
        if let Ok(octets) = short.try_write(query, limit, false) {
            return octets;
        }
        short.extended.clear();
        short
            .try_write(query, limit, false)
            .unwrap_or_else(|_| error(&query.message, OptRcode::SERVFAIL, false))
    }

    fn try_write(
        &self,
        query: &Query,
        limit: usize,
        with_additional: bool,
    ) -> Result<Vec<u8>, PushError> {
        let mut builder = MessageBuilder::from_target(TreeCompressor::new(Vec::new()))
            .map_err(|_| PushError::ShortBuf)?;
        builder.set_push_limit(limit);
        let asked = query.message.header();
        let header = builder.header_mut();
        header.set_id(asked.id());
        header.set_qr(true);
        header.set_opcode(asked.opcode());
        header.set_rd(asked.rd());
        header.set_cd(asked.cd());
        header.set_aa(self.authoritative);
        header.set_tc(self.truncated);
        header.set_ra(self.recursion_available);
        header.set_ad(self.authentic);
        header.set_rcode(self.rcode.rcode());
        let mut question = builder.question();
        question.push((query.name.clone(), query.rtype, Class::IN))?;
        let mut answer = question.answer();
        for entry in &self.answer {
            answer.push(entry.record())?;
        }
        let mut authority = answer.authority();
        for entry in &self.authority {
            authority.push(entry.record())?;
        }
        let mut additional = authority.additional();
        if with_additional {
            for entry in &self.additional {
                additional.push(entry.record())?;
            }
        }
        if self.edns
            && let Some(edns) = query.edns
        {
            additional.opt(|opt| {
                opt.set_udp_payload_size(OWN_UDP_SIZE);
                opt.set_dnssec_ok(edns.dnssec_ok);
                opt.set_rcode(self.rcode);
                for (code, text) in &self.extended {
                    let length = text.len() + 2;
                    opt.push_raw_option(
                        domain::base::iana::OptionCode::EXTENDED_ERROR,
                        u16::try_from(length).unwrap_or(2),
                        |target| {
                            target.append_slice(&code.to_be_bytes())?;
                            target.append_slice(text.as_bytes())
                        },
                    )?;
                }
                Ok(())
            })?;
        }
        Ok(additional.finish().into_target())
    }

    /// Adds an RRset, with its signatures if `dnssec`, under `owner` (which for a wildcard is
    /// the name asked for).
    pub(crate) fn push(section: &mut Vec<Entry>, owner: &Fqdn, set: &Rrset, dnssec: bool) {
        Self::push_with_ttl(section, owner, set, set.ttl, dnssec);
    }

    pub(crate) fn push_with_ttl(
        section: &mut Vec<Entry>,
        owner: &Fqdn,
        set: &Rrset,
        ttl: Ttl,
        dnssec: bool,
    ) {
        let entry = |data| Entry {
            owner: owner.clone(),
            ttl,
            data,
            intact: set.intact,
        };
        section.extend(set.records.iter().cloned().map(entry));
        if dnssec {
            section.extend(set.signatures.iter().cloned().map(Rdata::Rrsig).map(entry));
        }
    }

    /// Adds an RRset unless the section has it.
    pub(crate) fn push_once(section: &mut Vec<Entry>, owner: &Fqdn, set: &Rrset, dnssec: bool) {
        let mut fresh = Vec::new();
        Self::push(&mut fresh, owner, set, dnssec);
        for entry in fresh {
            if !section.contains(&entry) {
                section.push(entry);
            }
        }
    }
}

impl Entry {
    fn record(&self) -> Record<&Fqdn, &Rdata> {
        Record::new(&self.owner, Class::IN, self.ttl, &self.data)
    }

    pub(crate) fn rtype(&self) -> Rtype {
        domain::base::RecordData::rtype(&self.data)
    }
}

/// Reads the records of a reply back into entries; malformed ones end the section.
pub(crate) fn read_sections(octets: &[u8]) -> Option<(Rcode, bool, [Vec<Entry>; 3])> {
    let message = Message::from_octets(Bytes::copy_from_slice(octets)).ok()?;
    let header = message.header();
    let sections = [
        message.answer().ok()?,
        message.authority().ok()?,
        message.additional().ok()?,
    ];
    let read = sections.map(|section| {
        section
            .map_while(Result::ok)
            .filter_map(|record| entry(&record))
            .collect()
    });
    Some((header.rcode(), header.tc(), read))
}

/// A record as an entry; one that is malformed for its type is kept as octets.
fn entry(record: &ParsedRecord<'_, Bytes>) -> Option<Entry> {
    let owner: Fqdn = record.owner().to_name();
    let ttl = record.ttl();
    let data = match record.to_record::<ZoneRecordData<_, ParsedName<Bytes>>>() {
        Ok(Some(known)) => {
            let known: Record<Fqdn, Rdata> = known.flatten_into();
            known.into_data()
        }
        _ => {
            let unknown = record.to_record::<UnknownRecordData<Bytes>>().ok()??;
            Rdata::Unknown(unknown.into_data())
        }
    };
    Some(Entry {
        owner,
        ttl,
        data,
        intact: true,
    })
}

/// A query with DO and CD set, as a resolver sends it.
pub(super) fn ask(name: &Fqdn, rtype: Rtype) -> Option<Vec<u8>> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(1);
    builder.header_mut().set_cd(true);
    let mut question = builder.question();
    question.push((name, rtype, Class::IN)).ok()?;
    let mut additional = question.additional();
    additional
        .opt(|opt| {
            opt.set_udp_payload_size(OWN_UDP_SIZE);
            opt.set_dnssec_ok(true);
            Ok(())
        })
        .ok()?;
    Some(additional.finish())
}

/// Whether a reply answers a query: same id, same question, in the same case.
pub(super) fn belongs(query: &[u8], reply: &[u8]) -> bool {
    let (Ok(query), Ok(reply)) = (Message::from_octets(query), Message::from_octets(reply)) else {
        return false;
    };
    let octets = |message: &Message<&[u8]>| {
        let question = message.sole_question().ok()?;
        let name: Name<Vec<u8>> = question.qname().to_name();
        Some((name.as_slice().to_vec(), question.qtype()))
    };
    reply.header().qr()
        && query.header().id() == reply.header().id()
        && octets(&query) == octets(&reply)
}

/// Whether two records have the same RDATA, in whatever representation.
pub(super) fn same_data(one: &Entry, other: &Entry) -> bool {
    let canonical = |entry: &Entry| {
        let mut octets = Vec::new();
        // Appending to a Vec cannot fail.
        let Ok(()) = entry.data.compose_canonical_rdata(&mut octets);
        octets
    };
    one.rtype() == other.rtype() && canonical(one) == canonical(other)
}

/// A reply that is only an error code.
fn error(message: &Message<Vec<u8>>, rcode: OptRcode, edns: bool) -> Vec<u8> {
    let builder = MessageBuilder::new_vec();
    let mut additional = builder.start_answer(message, rcode.rcode()).map_or_else(
        |_| MessageBuilder::new_vec().additional(),
        domain::base::message_builder::AnswerBuilder::additional,
    );
    additional.header_mut().set_id(message.header().id());
    additional.header_mut().set_qr(true);
    additional.header_mut().set_rcode(rcode.rcode());
    if edns {
        // An OPT record always fits behind one question.
        let _ = additional.opt(|opt| {
            opt.set_udp_payload_size(OWN_UDP_SIZE);
            opt.set_rcode(rcode);
            Ok(())
        });
    }
    additional.finish()
}
