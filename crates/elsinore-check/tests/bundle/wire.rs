//! DNS messages as a forger sees them: records found in their octets, and replies made up.

/// One record: its type, and where its type and its RDATA stand.
pub(crate) struct Place {
    pub(crate) record_type: u16,
    pub(crate) at_type: usize,
    pub(crate) rdata: std::ops::Range<usize>,
}

fn skip_name(wire: &[u8], mut at: usize) -> usize {
    loop {
        match wire[at] {
            0 => return at + 1,
            length if length >= 0xc0 => return at + 2,
            length => at += 1 + usize::from(length),
        }
    }
}

fn number(wire: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([wire[at], wire[at + 1]])
}

/// Every record of a message.
pub(crate) fn records(wire: &[u8]) -> Vec<Place> {
    let count = |at| usize::from(number(wire, at));
    let mut at = 12;
    for _ in 0..count(4) {
        at = skip_name(wire, at) + 4;
    }
    let mut places = Vec::new();
    for _ in 0..count(6) + count(8) + count(10) {
        let at_type = skip_name(wire, at);
        let start = at_type + 10;
        let end = start + usize::from(number(wire, at_type + 8));
        places.push(Place {
            record_type: number(wire, at_type),
            at_type,
            rdata: start..end,
        });
        at = end;
    }
    places
}

/// The same message without records of `record_type`: they become records of a type that nobody
/// knows.
pub(crate) fn without(wire: &[u8], record_type: u16) -> Vec<u8> {
    let mut forged = wire.to_vec();
    for place in records(wire) {
        if place.record_type == record_type {
            forged[place.at_type..place.at_type + 2].copy_from_slice(&65_280_u16.to_be_bytes());
        }
    }
    forged
}

/// The same message with one octet of each record of `record_type` changed, `back` octets before
/// the end of its RDATA.
pub(crate) fn with_flipped(wire: &[u8], record_type: u16, back: usize) -> Vec<u8> {
    let mut forged = wire.to_vec();
    for place in records(wire) {
        if place.record_type == record_type && place.rdata.len() > back {
            forged[place.rdata.end - 1 - back] ^= 1;
        }
    }
    forged
}

fn labels(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        wire.push(u8::try_from(label.len()).unwrap());
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire
}

/// An authoritative reply without signatures: these answers, or none, with this code. `authentic`
/// sets the AD bit.
pub(crate) fn unsigned_reply(
    name: &str,
    record_type: u16,
    rcode: u8,
    answers: &[Vec<u8>],
    authentic: bool,
) -> Vec<u8> {
    let flags = [0x84, rcode | if authentic { 0xa0 } else { 0x80 }];
    let mut wire = vec![0, 0];
    wire.extend(flags);
    for count in [1, u16::try_from(answers.len()).unwrap(), 0, 0] {
        wire.extend(count.to_be_bytes());
    }
    wire.extend(labels(name));
    wire.extend(record_type.to_be_bytes());
    wire.extend(1_u16.to_be_bytes());
    for rdata in answers {
        wire.extend(labels(name));
        wire.extend(record_type.to_be_bytes());
        wire.extend(1_u16.to_be_bytes());
        wire.extend(3_600_u32.to_be_bytes());
        wire.extend(u16::try_from(rdata.len()).unwrap().to_be_bytes());
        wire.extend(rdata);
    }
    wire
}

/// RDATA of an MX record.
pub(crate) fn mx(preference: u16, host: &str) -> Vec<u8> {
    [preference.to_be_bytes().to_vec(), labels(host)].concat()
}
