//! Records as zone-file text (RFC 1035 §5.1, RFC 4034, RFC 5155 §3.3, RFC 3597 §5).

use super::reader::Reader;
use super::{Name, rtype};
use elsinore_dane::answer::RecordType;
use std::fmt::Write as _;

/// Mnemonics beside those that [`RecordType`] prints itself.
const MNEMONICS: &[(u16, &str)] = &[
    (12, "PTR"),
    (13, "HINFO"),
    (17, "RP"),
    (18, "AFSDB"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (39, "DNAME"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (53, "SMIMEA"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (62, "CSYNC"),
    (63, "ZONEMD"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (255, "ANY"),
    (257, "CAA"),
];

/// The name of a type, `TYPEn` where it has none here.
pub(in crate::resolver) fn mnemonic(rtype: u16) -> String {
    MNEMONICS
        .iter()
        .find(|(code, _)| *code == rtype)
        .map_or_else(
            || RecordType::from_code(rtype).to_string(),
            |(_, word)| (*word).to_owned(),
        )
}

/// A name with its trailing dot.
pub(in crate::resolver) fn absolute(name: &Name) -> String {
    if name.is_root() {
        ".".to_owned()
    } else {
        format!("{name}.")
    }
}

/// RDATA of a type; RFC 3597 form where the type is not known here or the data is malformed.
pub(in crate::resolver) fn rdata(rtype: u16, rdata: &[u8]) -> String {
    known(rtype, rdata).unwrap_or_else(|| {
        format!("\\# {} {}", rdata.len(), hex(rdata))
            .trim_end()
            .to_owned()
    })
}

fn known(rtype: u16, rdata: &[u8]) -> Option<String> {
    let mut reader = Reader::new(rdata);
    let text = match rtype {
        rtype::A => std::net::Ipv4Addr::from(<[u8; 4]>::try_from(reader.rest()).ok()?).to_string(),
        rtype::AAAA => {
            std::net::Ipv6Addr::from(<[u8; 16]>::try_from(reader.rest()).ok()?).to_string()
        }
        2 | 5 | 12 | 39 => name(&mut reader)?,
        rtype::SOA => {
            let mut words = vec![name(&mut reader)?, name(&mut reader)?];
            for _ in 0..5 {
                words.push(reader.u32()?.to_string());
            }
            words.join(" ")
        }
        15 | 18 => format!("{} {}", reader.u16()?, name(&mut reader)?),
        33 => format!(
            "{} {} {} {}",
            reader.u16()?,
            reader.u16()?,
            reader.u16()?,
            name(&mut reader)?
        ),
        16 | 99 => {
            let mut words = Vec::new();
            while !reader.is_at_end() {
                words.push(character_string(&mut reader)?);
            }
            words.join(" ")
        }
        35 => {
            let (order, preference) = (reader.u16()?, reader.u16()?);
            let strings = [
                character_string(&mut reader)?,
                character_string(&mut reader)?,
                character_string(&mut reader)?,
            ];
            let replacement = name(&mut reader)?;
            format!("{order} {preference} {} {replacement}", strings.join(" "))
        }
        rtype::DS | 59 => {
            let (tag, algorithm, digest) = (reader.u16()?, reader.u8()?, reader.u8()?);
            format!("{tag} {algorithm} {digest} {}", hex(reader.rest()))
        }
        44 => format!("{} {} {}", reader.u8()?, reader.u8()?, hex(reader.rest())),
        52 | 53 => {
            let (usage, selector, matching) = (reader.u8()?, reader.u8()?, reader.u8()?);
            format!("{usage} {selector} {matching} {}", hex(reader.rest()))
        }
        rtype::DNSKEY | 60 => {
            let (flags, protocol, algorithm) = (reader.u16()?, reader.u8()?, reader.u8()?);
            let key = openssl::base64::encode_block(reader.rest());
            format!("{flags} {protocol} {algorithm} {key}")
        }
        rtype::RRSIG => {
            let (covered, algorithm, labels) = (reader.u16()?, reader.u8()?, reader.u8()?);
            let (ttl, expiration, inception) = (reader.u32()?, reader.u32()?, reader.u32()?);
            let (tag, signer) = (reader.u16()?, name(&mut reader)?);
            let covered = mnemonic(covered);
            let signature = openssl::base64::encode_block(reader.rest());
            format!(
                "{covered} {algorithm} {labels} {ttl} {} {} {tag} {signer} {signature}",
                moment(expiration),
                moment(inception)
            )
        }
        rtype::NSEC => {
            let next = name(&mut reader)?;
            [vec![next], bitmap(&mut reader)?].concat().join(" ")
        }
        rtype::NSEC3 => {
            let parameters = nsec3_parameters(&mut reader)?;
            let length = reader.u8()?;
            let next = base32hex(reader.take(length.into())?);
            [vec![parameters, next], bitmap(&mut reader)?]
                .concat()
                .join(" ")
        }
        51 => nsec3_parameters(&mut reader)?,
        257 => {
            let flags = reader.u8()?;
            let length = reader.u8()?;
            let tag = reader.take(length.into())?;
            if tag.is_empty() || !tag.iter().all(u8::is_ascii_alphanumeric) {
                return None;
            }
            let tag = String::from_utf8_lossy(tag).into_owned();
            format!("{flags} {tag} {}", quoted(reader.rest()))
        }
        _ => return None,
    };
    // What is left over belongs to no field.
    reader.is_at_end().then_some(text)
}

fn name(reader: &mut Reader<'_>) -> Option<String> {
    reader.name().map(|name| absolute(&name))
}

fn character_string(reader: &mut Reader<'_>) -> Option<String> {
    let length = reader.u8()?;
    Some(quoted(reader.take(length.into())?))
}

fn quoted(octets: &[u8]) -> String {
    let mut text = String::from("\"");
    for octet in octets {
        match octet {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(*octet));
            }
            b' '..=b'~' => text.push(char::from(*octet)),
            other => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\{other:03}");
            }
        }
    }
    text + "\""
}

fn nsec3_parameters(reader: &mut Reader<'_>) -> Option<String> {
    let (algorithm, flags, iterations) = (reader.u8()?, reader.u8()?, reader.u16()?);
    let length = reader.u8()?;
    let salt = match reader.take(length.into())? {
        [] => "-".to_owned(),
        salt => hex(salt),
    };
    Some(format!("{algorithm} {flags} {iterations} {salt}"))
}

/// The types of a bitmap (RFC 4034 §4.1.2).
fn bitmap(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let mut types = Vec::new();
    while !reader.is_at_end() {
        let window = reader.u8()?;
        let length = reader.u8()?;
        for (index, octet) in reader.take(length.into())?.iter().enumerate() {
            for bit in (0..8_u16).filter(|bit| octet & (0x80 >> bit) != 0) {
                // At most 32 octets a block: `length` counts in one octet, so the sum is bounded.
                let low = u16::try_from(index).ok()? * 8 + bit;
                types.push(mnemonic(u16::from(window) << 8 | low & 0xff));
            }
        }
    }
    Some(types)
}

/// `YYYYMMDDHHmmSS`; the plain number of seconds is as valid in a zone file (RFC 4034 §3.2).
fn moment(seconds: u32) -> String {
    jiff::Timestamp::from_second(seconds.into()).map_or_else(
        |_| seconds.to_string(),
        |time| time.strftime("%Y%m%d%H%M%S").to_string(),
    )
}

fn base32hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut text = String::new();
    let (mut bits, mut held) = (0_u32, 0);
    for octet in octets {
        bits = bits << 8 | u32::from(*octet);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(char::from(DIGITS[(bits >> held & 31) as usize]));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        text.push(char::from(DIGITS[(bits << (5 - held) & 31) as usize]));
    }
    text
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
