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

#[cfg(test)]
mod tests {
    use super::*;
    use elsinore_dane::name::DomainName;

    fn wire(name: &str) -> Vec<u8> {
        let name: DomainName = name.parse().expect("test name");
        Name::from_domain(&name).wire().to_vec()
    }

    /// Data of each type that is known here, and of some that are malformed.
    #[test]
    fn data() {
        let signature = [
            &[0, 1, 13, 2, 0, 0, 14, 16][..],
            &1_440_022_830_u32.to_be_bytes(),
            &0_u32.to_be_bytes(),
            &[0, 7],
            &wire("e"),
            b"abc",
        ]
        .concat();
        let soa = [&wire("ns.e")[..], &wire("h.e"), &[0, 0, 0, 1].repeat(5)].concat();
        let nsec = [&wire("b.e")[..], &[0, 1, 0x60, 1, 1, 0x40]].concat();
        let nsec3 = [&[1, 1, 0, 5, 2, 0xaa, 0xbb, 5][..], b"fooba", &[0, 1, 0x40]].concat();
        let naptr = [&[0, 1, 0, 2, 1, b's', 0, 0][..], &wire("e")].concat();
        for (rtype, octets, expected) in [
            (1, vec![192, 0, 2, 1], "192.0.2.1"),
            (
                28,
                [0x20, 1, 0xd, 0xb8].into_iter().chain([0; 12]).collect(),
                "2001:db8::",
            ),
            (2, wire("ns.e"), "ns.e."),
            (5, wire(r"a\.b.e"), r"a\.b.e."),
            (39, vec![0], "."),
            (6, soa, "ns.e. h.e. 1 1 1 1 1"),
            (15, [&[0, 10][..], &wire("mx.e")].concat(), "10 mx.e."),
            (
                33,
                [&[0, 1, 0, 2, 0, 25][..], &wire("e")].concat(),
                "1 2 25 e.",
            ),
            (35, naptr, "1 2 \"s\" \"\" \"\" e."),
            (16, b"\x03a\"b\x01\xff".to_vec(), "\"a\\\"b\" \"\\255\""),
            (43, vec![0, 7, 13, 2, 0xab, 0xcd], "7 13 2 abcd"),
            (48, vec![1, 1, 3, 13, 1, 2, 3], "257 3 13 AQID"),
            (52, vec![3, 1, 1, 0xab], "3 1 1 ab"),
            (44, vec![4, 2, 0xab], "4 2 ab"),
            (
                46,
                signature,
                "A 13 2 3600 20150819222030 19700101000000 7 e. YWJj",
            ),
            (47, nsec, "b.e. A NS CAA"),
            (50, nsec3, "1 1 5 aabb cpnmuoj1 A"),
            (51, vec![1, 0, 0, 0, 0], "1 0 0 -"),
            (257, b"\x00\x05issueca.e".to_vec(), "0 issue \"ca.e\""),
            // RFC 3597: unknown types, and data that is not what its type says.
            (65_280, vec![1, 255], "\\# 2 01ff"),
            (65_280, vec![], "\\# 0"),
            (1, vec![1, 2, 3], "\\# 3 010203"),
            (15, vec![0], "\\# 1 00"),
            (5, [wire("e"), vec![9]].concat(), "\\# 4 01650009"),
            (16, vec![9, b'a'], "\\# 2 0961"),
            (47, [wire("e"), vec![0, 9]].concat(), "\\# 5 0165000009"),
            (257, vec![0, 1, b' '], "\\# 3 000120"),
        ] {
            assert_eq!(rdata(rtype, &octets), expected, "{rtype}");
        }
    }

    #[test]
    fn types_and_names() {
        for (rtype, expected) in [(1, "A"), (46, "RRSIG"), (255, "ANY"), (999, "TYPE999")] {
            assert_eq!(mnemonic(rtype), expected);
        }
        assert_eq!(absolute(&Name::root()), ".");
    }
}
