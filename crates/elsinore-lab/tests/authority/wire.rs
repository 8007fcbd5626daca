//! Queries made and replies read for comparison, with the `domain` crate.

use domain::base::iana::{Class, Rtype};
use domain::base::rdata::UnknownRecordData;
use domain::base::{Message, MessageBuilder, Name, ToName};
use domain::rdata::ZoneRecordData;
use std::collections::BTreeSet;
use std::str::FromStr;

/// Whether a query wants DNSSEC records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dnssec {
    Wanted,
    NotWanted,
    NoEdns,
}

pub(crate) fn query(name: &str, rtype: &str, dnssec: Dnssec) -> Vec<u8> {
    query_with(name, rtype, dnssec, 1232)
}

pub(crate) fn query_with(name: &str, rtype: &str, dnssec: Dnssec, size: u16) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(0x1234);
    builder.header_mut().set_rd(true);
    let mut question = builder.question();
    let name = Name::<Vec<u8>>::from_str(name).expect("query name");
    let rtype = Rtype::from_str(rtype).expect("query type");
    question.push((name, rtype, Class::IN)).expect("room");
    let mut additional = question.additional();
    if dnssec != Dnssec::NoEdns {
        additional
            .opt(|opt| {
                opt.set_udp_payload_size(size);
                opt.set_dnssec_ok(dnssec == Dnssec::Wanted);
                Ok(())
            })
            .expect("room");
    }
    additional.finish()
}

/// The same query with CD set (RFC 4035 §3.2.2).
pub(crate) fn checking_disabled(mut query: Vec<u8>) -> Vec<u8> {
    query[3] |= 0x10;
    query
}

/// A reply in comparable form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) rcode: String,
    /// AA, TC, AD, RA as letters.
    pub(crate) flags: String,
    pub(crate) answer: BTreeSet<String>,
    pub(crate) authority: BTreeSet<String>,
    pub(crate) additional: BTreeSet<String>,
    pub(crate) ede: Vec<u16>,
}

impl Seen {
    pub(crate) fn read(octets: &[u8]) -> Self {
        let message = Message::from_octets(octets.to_vec()).expect("a DNS message");
        let header = message.header();
        let mut flags = String::new();
        for (letter, set) in [
            ('A', header.aa()),
            ('T', header.tc()),
            ('D', header.ad()),
            ('R', header.ra()),
        ] {
            if set {
                flags.push(letter);
            }
        }
        let opt = message.opt();
        let ede = opt
            .iter()
            .flat_map(|opt| opt.opt().iter::<domain::base::opt::ExtendedError<_>>())
            .map(|error| error.expect("an extended error").code().to_int())
            .collect();
        Self {
            rcode: message.opt_rcode().to_string(),
            flags,
            answer: section(&message.answer().expect("answer")),
            authority: section(&message.authority().expect("authority")),
            additional: section(&message.additional().expect("additional")),
            ede,
        }
    }

    /// The types in a section, for short tables: `MX RRSIG(MX)`.
    pub(crate) fn types(section: &BTreeSet<String>) -> String {
        let mut types: Vec<String> = section
            .iter()
            .map(|line| {
                let mut words = line.split(' ').skip(2);
                let rtype = words.next().unwrap_or_default();
                if rtype == "RRSIG" {
                    format!(
                        "RRSIG({})",
                        words.next().unwrap_or_default().to_ascii_uppercase()
                    )
                } else {
                    rtype.to_owned()
                }
            })
            .collect();
        types.sort();
        types.join(" ")
    }
}

fn section(section: &domain::base::message::RecordSection<'_, Vec<u8>>) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for record in *section {
        let record = record.expect("a record");
        if record.rtype() == Rtype::OPT {
            continue;
        }
        let owner: Name<Vec<u8>> = record.owner().to_canonical_name();
        let data = match record.to_record::<ZoneRecordData<_, _>>() {
            Ok(Some(known)) => known.data().to_string(),
            // A record that was malformed on purpose.
            _ => match record.to_record::<UnknownRecordData<_>>() {
                Ok(Some(unknown)) => unknown.data().to_string(),
                other => panic!("{other:?}"),
            },
        };
        let line = format!(
            "{owner} {} {} {data}",
            record.ttl().as_secs(),
            record.rtype()
        );
        lines.insert(line);
    }
    lines
}
