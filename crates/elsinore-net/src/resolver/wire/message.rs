//! Whole messages: queries out, replies in.

use super::reader::Reader;
use super::{Name, rdata, rtype};
use elsinore_dane::answer::ExtendedError;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// Records of one reply that are read; real replies have far fewer.
const MOST_RECORDS: usize = 4_000;
/// Signatures of one reply that are put beside what they cover.
const MOST_STRAYS: usize = 32;
/// Signatures of one reply for which a place is looked for: each is compared with all records.
const MOST_PLACED: usize = 256;
/// Records of one RRset that are compared one by one when duplicates are left out.
const FEW_RECORDS: usize = 16;

/// What is asked, class IN.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::resolver) struct Question {
    pub(in crate::resolver) name: Name,
    pub(in crate::resolver) rtype: u16,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rtype = elsinore_dane::answer::RecordType::from_code(self.rtype);
        write!(f, "{} {rtype}", self.name)
    }
}

/// The header bits of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::resolver) enum QueryBits {
    /// To an authoritative server: CD and DO (RFC 6840 §5.9 wants CD on every query of a validator).
    Iterative,
    /// To a resolver whose answers are validated here: RD, CD, DO.
    Unchecked,
    /// To a resolver that validates for us: RD, AD, DO.
    Checked,
}

/// A query, ready to be written.
#[derive(Debug, Clone)]
pub(in crate::resolver) struct Query {
    pub(in crate::resolver) question: Question,
    pub(in crate::resolver) bits: QueryBits,
    /// EDNS with DO is left out for servers that answer it with FORMERR.
    pub(in crate::resolver) edns: bool,
    pub(in crate::resolver) id: u16,
    /// Seed of the letter case of the name (the "0x20" trick); 0 sends lower case.
    pub(in crate::resolver) case: u64,
}

impl Query {
    /// The name as it is sent: each letter's case drawn from `case`.
    fn cased_name<'b>(&self, buffer: &'b mut [u8; 255]) -> &'b [u8] {
        let mut bits = self.case;
        let wire = self.question.name.wire();
        // A name has 255 octets at most.
        let cased = &mut buffer[..wire.len()];
        cased.copy_from_slice(wire);
        // The length of a label is below 64 and so never a letter.
        for octet in cased.iter_mut().filter(|octet| octet.is_ascii_alphabetic()) {
            if bits & 1 == 1 {
                octet.make_ascii_uppercase();
            }
            bits = bits.rotate_right(1);
        }
        cased
    }

    /// The octets to send; the UDP payload size offered is 1232 (the value agreed on in 2020).
    pub(in crate::resolver) fn to_wire(&self) -> Vec<u8> {
        let flags: u16 = match self.bits {
            QueryBits::Iterative => 0x0010,
            QueryBits::Unchecked => 0x0110,
            QueryBits::Checked => 0x0120,
        };
        let mut name = [0; 255];
        let name = self.cased_name(&mut name);
        // Header, type and class, OPT.
        let mut wire = Vec::with_capacity(12 + name.len() + 4 + 11);
        for field in [self.id, flags, 1, 0, 0, u16::from(self.edns)] {
            wire.extend(field.to_be_bytes());
        }
        wire.extend_from_slice(name);
        wire.extend(self.question.rtype.to_be_bytes());
        wire.extend(1_u16.to_be_bytes());
        if self.edns {
            wire.push(0);
            wire.extend(rtype::OPT.to_be_bytes());
            wire.extend(1232_u16.to_be_bytes());
            wire.extend(0x0000_8000_u32.to_be_bytes());
            wire.extend(0_u16.to_be_bytes());
        }
        wire
    }
}

/// A response code, extended by EDNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::resolver) struct Rcode(pub(in crate::resolver) u16);

impl Rcode {
    pub(in crate::resolver) const NOERROR: Self = Self(0);
    pub(in crate::resolver) const FORMERR: Self = Self(1);
    pub(in crate::resolver) const NXDOMAIN: Self = Self(3);
    pub(in crate::resolver) const NOTIMP: Self = Self(4);
    pub(in crate::resolver) const REFUSED: Self = Self(5);
    pub(in crate::resolver) const YXDOMAIN: Self = Self(6);
    pub(in crate::resolver) const BADVERS: Self = Self(16);
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            6 => "YXDOMAIN",
            9 => "NOTAUTH",
            16 => "BADVERS",
            other => return write!(f, "RCODE{other}"),
        })
    }
}

/// One record of class IN, RDATA in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) struct Record {
    pub(in crate::resolver) owner: Name,
    pub(in crate::resolver) rtype: u16,
    pub(in crate::resolver) ttl: u32,
    pub(in crate::resolver) rdata: Vec<u8>,
}

impl Record {
    /// Whether this is a signature over records of type `rtype` (RFC 4034 §3.1.1).
    pub(in crate::resolver) fn covers(&self, rtype: u16) -> bool {
        self.rtype == rtype::RRSIG && self.rdata.starts_with(&rtype.to_be_bytes())
    }
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) struct Message {
    pub(in crate::resolver) rcode: Rcode,
    pub(in crate::resolver) authoritative: bool,
    pub(in crate::resolver) truncated: bool,
    pub(in crate::resolver) authentic: bool,
    pub(in crate::resolver) recursion_available: bool,
    pub(in crate::resolver) answer: Vec<Record>,
    pub(in crate::resolver) authority: Vec<Record>,
    pub(in crate::resolver) additional: Vec<Record>,
    pub(in crate::resolver) ede: Option<ExtendedError>,
    /// Put together from what was learnt before: there is nothing to learn from it.
    pub(in crate::resolver) is_recalled: bool,
    /// The octets it was read from, where a tape records them.
    pub(in crate::resolver) wire: Option<Arc<[u8]>>,
}

impl Message {
    /// Parses a reply; `None` when it is malformed anywhere. A truncated reply may end early.
    pub(in crate::resolver) fn parse(wire: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(wire);
        let _id = reader.u16()?;
        let flags = reader.u16()?;
        let truncated = flags & 0x0200 != 0;
        let [questions, answers, authorities, additionals] =
            [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?].map(usize::from);
        // A record has eleven octets at least, whatever the header claims.
        let room = |count: usize| Vec::with_capacity(count.min(wire.len() / 11));
        for _ in 0..questions {
            reader.skip_name()?;
            reader.take(4)?;
        }
        if answers + authorities + additionals > MOST_RECORDS {
            return None;
        }
        let mut message = Self {
            rcode: Rcode(flags & 0x0f),
            authoritative: flags & 0x0400 != 0,
            truncated,
            authentic: flags & 0x0020 != 0,
            recursion_available: flags & 0x0080 != 0,
            answer: room(answers),
            authority: room(authorities),
            additional: room(additionals),
            ede: None,
            is_recalled: false,
            wire: None,
        };
        for (section, count) in [answers, authorities, additionals].into_iter().enumerate() {
            for _ in 0..count {
                match message.read_record(&mut reader, section) {
                    Some(()) => {}
                    None if truncated => return Some(message),
                    None => return None,
                }
            }
        }
        message.gather_signatures();
        Some(message)
    }

    /// Puts signatures beside what they cover: some servers have them in another section, though
    /// RFC 4035 §3.1.1 wants them in the same. A signature counts by what it verifies, wherever it
    /// stood.
    fn gather_signatures(&mut self) {
        let mut moves = Vec::new();
        let sections = self.sections();
        let records = sections.iter().enumerate().flat_map(|(from, section)| {
            let places = section.iter().enumerate();
            places.map(move |(index, record)| (from, index, record))
        });
        let signatures = records
            .filter(|(_, _, record)| record.rtype == rtype::RRSIG)
            .take(MOST_PLACED);
        for (from, index, record) in signatures {
            let has_home = |to: &usize| {
                sections[*to]
                    .iter()
                    .any(|other| record.covers(other.rtype) && other.owner == record.owner)
            };
            if moves.len() < MOST_STRAYS
                && !has_home(&from)
                && let Some(to) = (0..sections.len()).find(has_home)
            {
                moves.push((from, index, to));
            }
        }
        // From the back, so that the places before stay what they were.
        for (from, index, to) in moves.into_iter().rev() {
            let sections = [&mut self.answer, &mut self.authority, &mut self.additional];
            let stray = sections[from].remove(index);
            if !sections[to].contains(&stray) {
                sections[to].push(stray);
            }
        }
    }

    const fn sections(&self) -> [&Vec<Record>; 3] {
        [&self.answer, &self.authority, &self.additional]
    }

    /// Whether the authority section has something to prove a denial with, valid or not.
    pub(in crate::resolver) fn has_proof(&self) -> bool {
        let is_proof = |record: &Record| matches!(record.rtype, rtype::NSEC | rtype::NSEC3);
        self.authority.iter().any(is_proof)
    }

    fn read_record(&mut self, reader: &mut Reader<'_>, section: usize) -> Option<()> {
        let owner = reader.name()?;
        let rtype = reader.u16()?;
        let class = reader.u16()?;
        let ttl = reader.u32()?;
        let length = usize::from(reader.u16()?);
        if rtype == rtype::OPT {
            self.rcode.0 |= u16::try_from(ttl >> 24).unwrap_or(0) << 4;
            self.ede = extended_error(reader.take(length)?).or(self.ede.take());
            return Some(());
        }
        let rdata = rdata::canonical(rtype, reader.window(length)?)?;
        if class != 1 {
            return Some(());
        }
        let record = Record {
            owner,
            rtype,
            // RFC 2181 §8: a TTL with the top bit set is zero.
            ttl: if ttl > i32::MAX as u32 { 0 } else { ttl },
            rdata,
        };
        match section {
            0 => self.answer.push(record),
            1 => self.authority.push(record),
            _ => self.additional.push(record),
        }
        Some(())
    }

    /// Whether its code is one that an answer has: data, an alias or a denial; or the code for a
    /// name that a DNAME would make too long (RFC 6672 §2.2), when the DNAME is there.
    pub(in crate::resolver) fn is_answer(&self) -> bool {
        match self.rcode {
            Rcode::NOERROR | Rcode::NXDOMAIN => true,
            Rcode::YXDOMAIN => self
                .answer
                .iter()
                .any(|record| record.rtype == rtype::DNAME),
            _ => false,
        }
    }

    /// Whether no signature stands in its answer and authority sections.
    pub(in crate::resolver) fn is_unsigned(&self) -> bool {
        let mut records = self.answer.iter().chain(&self.authority);
        !records.any(|record| record.rtype == rtype::RRSIG)
    }

    /// Whether it is NOERROR without data and without the SOA that a denial has (RFC 2308 §2.2).
    pub(in crate::resolver) fn is_empty_answer(&self) -> bool {
        self.rcode == Rcode::NOERROR
            && self.answer.is_empty()
            && !self
                .authority
                .iter()
                .any(|record| record.rtype == rtype::SOA)
    }

    /// The records of one owner and type in `section`, without duplicates.
    pub(in crate::resolver) fn rrset<'a>(
        section: &'a [Record],
        owner: &Name,
        rtype: u16,
    ) -> Vec<&'a Record> {
        let mut found: Vec<&Record> = Vec::new();
        // Beside the first few, which are all that most have: a reply of 64 KB has thousands.
        let mut many: HashSet<&[u8]> = HashSet::new();
        for record in section {
            if record.rtype != rtype || record.owner != *owner {
                continue;
            }
            let few = found.iter().take(FEW_RECORDS);
            let is_new = !few.into_iter().any(|other| other.rdata == record.rdata);
            if is_new && (found.len() < FEW_RECORDS || many.insert(&record.rdata)) {
                found.push(record);
            }
        }
        found
    }
}

/// The first extended error among the EDNS options (RFC 8914 §2); its text is cut at 200 octets
/// and freed of control characters.
fn extended_error(options: &[u8]) -> Option<ExtendedError> {
    let mut reader = Reader::new(options);
    while let (Some(code), Some(length)) = (reader.u16(), reader.u16()) {
        let option = reader.take(length.into())?;
        if code == 15 && option.len() >= 2 {
            let text: String = String::from_utf8_lossy(&option[2..])
                .chars()
                .filter(|character| !character.is_control())
                .take(200)
                .collect();
            return Some(ExtendedError {
                code: u16::from_be_bytes([option[0], option[1]]),
                text,
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_domain(&text.parse().unwrap())
    }

    fn record(owner: &str, rtype: u16, rdata: Vec<u8>) -> Record {
        Record {
            owner: name(owner),
            rtype,
            ttl: 60,
            rdata,
        }
    }

    /// Duplicates go, however many records there are, and the order stays.
    #[test]
    fn rrsets_without_duplicates() {
        for count in [0_u16, 1, 15, 16, 17, 3_000] {
            let address = |n: u16| record("a", rtype::A, n.to_be_bytes().to_vec());
            let mut section: Vec<Record> = (0..count).chain(0..count).map(address).collect();
            section.push(record("b", rtype::A, vec![1]));
            section.push(record("a", rtype::AAAA, vec![2]));
            let found = Message::rrset(&section, &name("a"), rtype::A);
            let expected: Vec<Vec<u8>> = (0..count).map(|n| n.to_be_bytes().to_vec()).collect();
            let found: Vec<Vec<u8>> = found.iter().map(|record| record.rdata.clone()).collect();
            assert_eq!(found, expected, "{count}");
        }
    }

    /// A signature in another section finds what it covers; one behind more of them than are looked
    /// at does not.
    #[test]
    fn strays_are_placed_up_to_a_bound() {
        for (before, expected) in [(0, 1), (MOST_PLACED - 1, 1), (MOST_PLACED, 0)] {
            let signature = |covered: u16, last: usize| {
                let number = u16::try_from(last).unwrap().to_be_bytes();
                let rdata = [covered.to_be_bytes().as_slice(), &number].concat();
                record("a", rtype::RRSIG, rdata)
            };
            let mut message = Message {
                answer: vec![record("a", rtype::A, vec![0; 4])],
                additional: (0..before)
                    .map(|number| signature(rtype::NS, number))
                    .chain([signature(rtype::A, 0)])
                    .collect(),
                rcode: Rcode::NOERROR,
                authoritative: true,
                truncated: false,
                authentic: false,
                recursion_available: false,
                authority: Vec::new(),
                ede: None,
                is_recalled: false,
                wire: None,
            };
            message.gather_signatures();
            assert_eq!(message.answer.len(), 1 + expected, "{before}");
        }
    }
}
