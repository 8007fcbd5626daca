//! DNS replies taken apart and put together again, record by record: what an attacker does.

/// A record with all names in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) owner: Vec<u8>,
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    pub(crate) rdata: Vec<u8>,
}

/// A reply: header, question, and three sections of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) id: [u8; 2],
    pub(crate) flags: [u8; 2],
    /// Name, type and class as they came.
    pub(crate) question: Vec<u8>,
    pub(crate) sections: [Vec<Record>; 3],
}

impl Reply {
    /// Takes a message with one question apart; `None` when it is not one.
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let count = |at: usize| Some(u16::from_be_bytes([*octets.get(at)?, *octets.get(at + 1)?]));
        let mut at = 12;
        read_name(octets, &mut at)?;
        at += 4;
        let question = octets.get(12..at)?.to_vec();
        let mut sections: [Vec<Record>; 3] = Default::default();
        for (section, place) in sections.iter_mut().zip([6, 8, 10]) {
            for _ in 0..count(place)? {
                section.push(read_record(octets, &mut at)?);
            }
        }
        Some(Self {
            id: [*octets.first()?, *octets.get(1)?],
            flags: [*octets.get(2)?, *octets.get(3)?],
            question,
            sections,
        })
    }

    /// The message without compression. Sections of more than 65,535 records are cut.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut octets = self.id.to_vec();
        octets.extend(self.flags);
        octets.extend([0, 1]);
        for section in &self.sections {
            let count = u16::try_from(section.len()).unwrap_or(u16::MAX);
            octets.extend(count.to_be_bytes());
        }
        octets.extend(&self.question);
        for record in self.sections.iter().flatten() {
            octets.extend(&record.owner);
            octets.extend(record.rtype.to_be_bytes());
            octets.extend(record.class.to_be_bytes());
            octets.extend(record.ttl.to_be_bytes());
            let length = u16::try_from(record.rdata.len()).unwrap_or(u16::MAX);
            octets.extend(length.to_be_bytes());
            octets.extend(record.rdata.iter().take(usize::from(length)));
        }
        octets
    }
}

/// A name in full, lower case; `at` moves behind it.
fn read_name(octets: &[u8], at: &mut usize) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    let mut place = *at;
    let mut is_elsewhere = false;
    // No name has more than 127 labels, and each pointer must be worth a label.
    for _ in 0..255 {
        let length = usize::from(*octets.get(place)?);
        if length >= 0xc0 {
            let low = usize::from(*octets.get(place + 1)?);
            if !is_elsewhere {
                *at = place + 2;
                is_elsewhere = true;
            }
            place = (length & 0x3f) << 8 | low;
            continue;
        }
        name.extend(octets.get(place..=place + length)?);
        place += length + 1;
        if length == 0 {
            if !is_elsewhere {
                *at = place;
            }
            return Some(name.to_ascii_lowercase());
        }
    }
    None
}

fn read_record(octets: &[u8], at: &mut usize) -> Option<Record> {
    let owner = read_name(octets, at)?;
    let fixed = octets.get(*at..*at + 10)?;
    let rtype = u16::from_be_bytes([fixed[0], fixed[1]]);
    let class = u16::from_be_bytes([fixed[2], fixed[3]]);
    let ttl = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
    let end = *at + 10 + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
    let mut place = *at + 10;
    *at = end;
    octets.get(..end)?;
    // Octets before the first name, and how many names there are.
    let (before, names) = match rtype {
        2 | 5 | 12 | 39 => (0, 1),
        15 => (2, 1),
        6 => (0, 2),
        _ => (0, 0),
    };
    let mut rdata = octets.get(place..place + before)?.to_vec();
    place += before;
    for _ in 0..names {
        rdata.extend(read_name(octets, &mut place)?);
    }
    rdata.extend(octets.get(place..end)?);
    Some(Record {
        owner,
        rtype,
        class,
        ttl,
        rdata,
    })
}
