//! DNS messages taken apart and put together again, without compression and without judgement.

use domain::base::iana::Rtype;
use domain::base::name::FlattenInto;
use domain::base::rdata::ComposeRecordData;
use domain::base::{Message, Name, ParsedName, ParsedRecord, Record, ToName};
use domain::rdata::AllRecordData;

/// One record; names in its RDATA are written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rr {
    pub(crate) owner: Name<Vec<u8>>,
    pub(crate) rtype: Rtype,
    pub(crate) ttl: u32,
    pub(crate) rdata: Vec<u8>,
}

impl Rr {
    pub(crate) fn new(owner: &Name<Vec<u8>>, rtype: Rtype, rdata: Vec<u8>) -> Self {
        Self {
            owner: owner.clone(),
            rtype,
            ttl: 300,
            rdata,
        }
    }

    /// The type that a signature covers.
    pub(crate) fn covered(&self) -> Option<Rtype> {
        let octets = self.rdata.first_chunk::<2>()?;
        (self.rtype == Rtype::RRSIG).then(|| Rtype::from_int(u16::from_be_bytes(*octets)))
    }

    /// Whether this is a denial record or the signature of one.
    pub(crate) fn denies(&self) -> bool {
        matches!(
            self.covered().unwrap_or(self.rtype),
            Rtype::NSEC | Rtype::NSEC3
        )
    }
}

/// A reply. The OPT record is left out; the resolver does without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) rcode: u8,
    pub(crate) authoritative: bool,
    pub(crate) truncated: bool,
    pub(crate) sections: [Vec<Rr>; 3],
}

pub(crate) const ANSWER: usize = 0;
pub(crate) const AUTHORITY: usize = 1;
pub(crate) const ADDITIONAL: usize = 2;

impl Reply {
    /// An authoritative reply with empty sections.
    pub(crate) fn empty(rcode: u8) -> Self {
        Self {
            rcode,
            authoritative: true,
            truncated: false,
            sections: Default::default(),
        }
    }

    pub(crate) fn parse(octets: &[u8]) -> Option<Self> {
        let message = Message::from_octets(octets).ok()?;
        let header = message.header();
        let sections = [
            message.answer().ok()?,
            message.authority().ok()?,
            message.additional().ok()?,
        ]
        .map(|section| {
            section
                .map_while(Result::ok)
                .filter(|record| record.rtype() != Rtype::OPT)
                .filter_map(flat)
                .collect()
        });
        Some(Self {
            rcode: header.rcode().to_int(),
            authoritative: header.aa(),
            truncated: header.tc(),
            sections,
        })
    }

    /// The reply to `query`: its id, its question in its letter case, then the sections.
    pub(crate) fn write(&self, query: &[u8]) -> Vec<u8> {
        let mut octets = query[..2].to_vec();
        let flags = 0x8000
            | u16::from(self.authoritative) << 10
            | u16::from(self.truncated) << 9
            | u16::from_be_bytes([query[2], query[3]]) & 0x0110
            // RA and, whether true or not, AD: nobody may believe it.
            | 0x00a0
            | u16::from(self.rcode);
        octets.extend(flags.to_be_bytes());
        octets.extend(1_u16.to_be_bytes());
        for section in &self.sections {
            let count = u16::try_from(section.len()).expect("few records");
            octets.extend(count.to_be_bytes());
        }
        octets.extend(&query[12..question_end(query)]);
        for record in self.sections.iter().flatten() {
            octets.extend(record.owner.as_slice());
            octets.extend(record.rtype.to_int().to_be_bytes());
            octets.extend(1_u16.to_be_bytes());
            octets.extend(record.ttl.to_be_bytes());
            let length = u16::try_from(record.rdata.len()).expect("short RDATA");
            octets.extend(length.to_be_bytes());
            octets.extend(&record.rdata);
        }
        octets
    }
}

type Flat = Record<Name<Vec<u8>>, AllRecordData<Vec<u8>, Name<Vec<u8>>>>;

fn flat(record: ParsedRecord<'_, &[u8]>) -> Option<Rr> {
    let owner: Name<Vec<u8>> = record.owner().to_name();
    let ttl = record.ttl().as_secs();
    let record = record
        .into_any_record::<AllRecordData<&[u8], ParsedName<&[u8]>>>()
        .ok()?;
    let record: Flat = record.flatten_into();
    let rtype = domain::base::RecordData::rtype(record.data());
    let mut rdata = Vec::new();
    // Appending to a Vec cannot fail.
    let Ok(()) = record.data().compose_rdata(&mut rdata);
    Some(Rr {
        owner,
        rtype,
        ttl,
        rdata,
    })
}

/// Where the first question of a message ends.
pub(crate) fn question_end(message: &[u8]) -> usize {
    let mut position = 12;
    while let Some(length) = message.get(position).filter(|length| **length > 0) {
        position += usize::from(*length) + 1;
    }
    (position + 5).min(message.len())
}

/// The query with its id zeroed and its question in lower case, for comparison.
pub(crate) fn normalised(query: &[u8]) -> Vec<u8> {
    let mut octets = query.to_vec();
    octets[..2].fill(0);
    let end = question_end(query).saturating_sub(4);
    octets[12..end].make_ascii_lowercase();
    octets
}

/// `reply`, which was made for the normalised form of `query`, as a reply to `query` itself.
pub(crate) fn addressed_to(reply: &[u8], query: &[u8]) -> Vec<u8> {
    let mut octets = reply.to_vec();
    octets[..2].copy_from_slice(&query[..2]);
    let end = question_end(query);
    if octets.len() >= end {
        octets[12..end].copy_from_slice(&query[12..end]);
    }
    octets
}

/// A query with DO set.
pub(crate) fn query(name: &Name<Vec<u8>>, rtype: Rtype) -> Vec<u8> {
    let mut octets = Vec::with_capacity(64);
    for field in [0, 0, 1, 0, 0, 1_u16] {
        octets.extend(field.to_be_bytes());
    }
    octets.extend(name.as_slice());
    octets.extend(rtype.to_int().to_be_bytes());
    octets.extend(1_u16.to_be_bytes());
    octets.push(0);
    for field in [Rtype::OPT.to_int(), 1232, 0, 0x8000, 0] {
        octets.extend(field.to_be_bytes());
    }
    octets
}

pub(crate) fn wire_name(text: &str) -> Name<Vec<u8>> {
    text.parse().expect("test name")
}
