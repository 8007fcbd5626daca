//! RDATA: canonical form for every type, and the fields of the few types that are read here.

use super::reader::Reader;
use super::{Name, rtype};
use elsinore_dane::answer::RecordData;
use elsinore_dane::tlsa::TlsaRecord;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// How RDATA is laid out where names may stand in it (RFC 4034 §6.2 with the corrections of
/// RFC 6840 §5.1: names inside NSEC keep their case, that of the RRSIG signer does not).
#[derive(Debug, Clone, Copy)]
enum Part {
    Octets(usize),
    CharacterString,
    Name,
}

const fn layout(rtype: u16) -> Option<&'static [Part]> {
    use Part::{CharacterString as Text, Name, Octets};
    Some(match rtype {
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME
        2..=5 | 7..=9 | 12 | 39 => &[Name],
        // SOA
        6 => &[Name, Name, Octets(20)],
        // MINFO, RP
        14 | 17 => &[Name, Name],
        // MX, AFSDB, RT, KX
        15 | 18 | 21 | 36 => &[Octets(2), Name],
        // PX
        26 => &[Octets(2), Name, Name],
        // SRV
        33 => &[Octets(6), Name],
        // NAPTR
        35 => &[Octets(4), Text, Text, Text, Name],
        _ => return None,
    })
}

/// Reads RDATA into canonical form; `None` when a type that is known here is malformed.
pub(super) fn canonical(rtype: u16, mut reader: Reader<'_>) -> Option<Vec<u8>> {
    if rtype == rtype::RRSIG {
        let (head, signer, signature) = (reader.take(18)?, reader.name()?, reader.rest());
        return Some([head, signer.wire(), signature].concat());
    }
    let Some(parts) = layout(rtype) else {
        let octets = reader.rest();
        let fixed = match rtype {
            rtype::A => Some(4),
            rtype::AAAA => Some(16),
            _ => None,
        };
        if fixed.is_some_and(|length| length != octets.len()) {
            return None;
        }
        return Some(octets.to_vec());
    };
    if let [Part::Name] = parts {
        let name = reader.name()?;
        return reader.is_at_end().then(|| name.wire().to_vec());
    }
    let mut rdata = Vec::with_capacity(64);
    for part in parts {
        match part {
            Part::Octets(length) => rdata.extend_from_slice(reader.take(*length)?),
            Part::Name => rdata.extend_from_slice(reader.name()?.wire()),
            Part::CharacterString => {
                let length = reader.u8()?;
                rdata.push(length);
                rdata.extend_from_slice(reader.take(length.into())?);
            }
        }
    }
    rdata.shrink_to_fit();
    reader.is_at_end().then_some(rdata)
}

/// The single name of NS, CNAME, DNAME or PTR data; the first of SOA.
fn first_name(rdata: &[u8]) -> Option<Name> {
    Reader::new(rdata).name()
}

impl super::Record {
    /// The name this record points to, for NS, CNAME and DNAME.
    pub(in crate::resolver) fn target(&self) -> Option<Name> {
        first_name(&self.rdata)
    }

    /// The negative TTL of a SOA record (RFC 2308 §5): the smaller of its TTL and MINIMUM.
    pub(in crate::resolver) fn negative_ttl(&self) -> Option<u32> {
        let minimum = self.rdata.last_chunk::<4>()?;
        Some(u32::from_be_bytes(*minimum).min(self.ttl))
    }
}

/// RRSIG RDATA (RFC 4034 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) struct Rrsig {
    pub(in crate::resolver) covered: u16,
    pub(in crate::resolver) algorithm: u8,
    pub(in crate::resolver) labels: u8,
    pub(in crate::resolver) original_ttl: u32,
    pub(in crate::resolver) expiration: u32,
    pub(in crate::resolver) inception: u32,
    pub(in crate::resolver) key_tag: u16,
    pub(in crate::resolver) signer: Name,
    pub(in crate::resolver) signature: Vec<u8>,
    /// The RDATA without the signature, signer in canonical form: the head of what is signed.
    pub(in crate::resolver) head: Vec<u8>,
}

impl Rrsig {
    pub(in crate::resolver) fn parse(rdata: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(rdata);
        Some(Self {
            covered: reader.u16()?,
            algorithm: reader.u8()?,
            labels: reader.u8()?,
            original_ttl: reader.u32()?,
            expiration: reader.u32()?,
            inception: reader.u32()?,
            key_tag: reader.u16()?,
            signer: reader.name()?,
            head: reader.read().to_vec(),
            signature: reader.rest().to_vec(),
        })
    }
}

/// DS RDATA (RFC 4034 §5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) struct Ds {
    pub(in crate::resolver) key_tag: u16,
    pub(in crate::resolver) algorithm: u8,
    pub(in crate::resolver) digest_type: u8,
    pub(in crate::resolver) digest: Vec<u8>,
}

impl Ds {
    pub(in crate::resolver) fn parse(rdata: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(rdata);
        Some(Self {
            key_tag: reader.u16()?,
            algorithm: reader.u8()?,
            digest_type: reader.u8()?,
            digest: reader.rest().to_vec(),
        })
    }
}

/// The types present at a name (RFC 4034 §4.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) struct TypeBitmap(Vec<u8>);

impl TypeBitmap {
    /// Takes the window blocks; `None` when they are not well formed.
    fn parse(octets: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(octets);
        let mut last = None;
        while !reader.is_at_end() {
            let window = reader.u8()?;
            let length = reader.u8()?;
            if !(1..=32).contains(&length) || last.is_some_and(|last| last >= window) {
                return None;
            }
            last = Some(window);
            reader.take(length.into())?;
        }
        Some(Self(octets.to_vec()))
    }

    /// Whether no other types are present than these.
    pub(in crate::resolver) fn has_only(&self, allowed: &[u16]) -> bool {
        let mut reader = Reader::new(&self.0);
        while let (Some(window), Some(length)) = (reader.u8(), reader.u8()) {
            let block = reader.take(length.into()).unwrap_or_default();
            for (index, octet) in (0_u8..).zip(block) {
                let has_other = (0..8_u8).any(|bit| {
                    let rtype = u16::from_be_bytes([window, index.wrapping_mul(8) | bit]);
                    octet & (0x80 >> bit) != 0 && !allowed.contains(&rtype)
                });
                if has_other {
                    return false;
                }
            }
        }
        true
    }

    pub(in crate::resolver) fn has(&self, rtype: u16) -> bool {
        let [window, low] = rtype.to_be_bytes();
        let mut reader = Reader::new(&self.0);
        while let (Some(number), Some(length)) = (reader.u8(), reader.u8()) {
            let Some(block) = reader.take(length.into()) else {
                return false;
            };
            if number == window {
                return block
                    .get(usize::from(low / 8))
                    .is_some_and(|octet| octet & (0x80 >> (low % 8)) != 0);
            }
        }
        false
    }
}

/// NSEC RDATA (RFC 4034 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) struct Nsec {
    pub(in crate::resolver) next: Name,
    pub(in crate::resolver) types: TypeBitmap,
}

impl Nsec {
    pub(in crate::resolver) fn parse(rdata: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(rdata);
        Some(Self {
            next: reader.name()?,
            types: TypeBitmap::parse(reader.rest())?,
        })
    }
}

/// NSEC3 RDATA (RFC 5155 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::resolver) struct Nsec3 {
    pub(in crate::resolver) algorithm: u8,
    pub(in crate::resolver) opt_out: bool,
    pub(in crate::resolver) flags: u8,
    pub(in crate::resolver) iterations: u16,
    pub(in crate::resolver) salt: Vec<u8>,
    pub(in crate::resolver) next: Vec<u8>,
    pub(in crate::resolver) types: TypeBitmap,
}

impl Nsec3 {
    pub(in crate::resolver) fn parse(rdata: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(rdata);
        let algorithm = reader.u8()?;
        let flags = reader.u8()?;
        let iterations = reader.u16()?;
        let salt = reader.u8()?;
        let salt = reader.take(salt.into())?.to_vec();
        let next = reader.u8()?;
        let next = reader.take(next.into())?.to_vec();
        Some(Self {
            algorithm,
            opt_out: flags & 1 == 1,
            flags,
            iterations,
            salt,
            next,
            types: TypeBitmap::parse(reader.rest())?,
        })
    }
}

/// RDATA in the form the decision engine takes.
pub(in crate::resolver) fn record_data(rtype: u16, rdata: &[u8]) -> RecordData {
    let mut reader = Reader::new(rdata);
    let known = match rtype {
        1 => <[u8; 4]>::try_from(rdata)
            .ok()
            .map(|octets| RecordData::A(Ipv4Addr::from(octets))),
        28 => <[u8; 16]>::try_from(rdata)
            .ok()
            .map(|octets| RecordData::Aaaa(Ipv6Addr::from(octets))),
        15 => reader
            .u16()
            .zip(reader.name())
            .map(|(preference, name)| RecordData::Mx {
                preference,
                exchange: name.to_domain(),
            }),
        52 => Some(RecordData::Tlsa(TlsaRecord::from_rdata(rdata.to_vec()))),
        16 => Some(RecordData::Txt(strings(reader).concat())),
        2 | 5 | 12 | 39 => reader.name().map(|name| RecordData::Name(name.to_domain())),
        _ => None,
    };
    known.unwrap_or_else(|| RecordData::Other(presentation(rtype, rdata)))
}

fn strings(mut reader: Reader<'_>) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    while let Some(length) = reader.u8() {
        let Some(part) = reader.take(length.into()) else {
            break;
        };
        parts.push(part.to_vec());
    }
    parts
}

/// Presentation format for SOA, DS and DNSKEY, RFC 3597 form for the rest.
fn presentation(rtype: u16, rdata: &[u8]) -> String {
    let mut reader = Reader::new(rdata);
    match rtype {
        rtype::SOA => {
            if let (Some(primary), Some(mailbox)) = (reader.name(), reader.name()) {
                let mut text = format!("{primary} {mailbox}");
                while let Some(number) = reader.u32() {
                    let _ = write!(text, " {number}");
                }
                return text;
            }
        }
        rtype::DS => {
            if let Some(ds) = Ds::parse(rdata) {
                let digest = hex(&ds.digest);
                return format!(
                    "{} {} {} {digest}",
                    ds.key_tag, ds.algorithm, ds.digest_type
                );
            }
        }
        rtype::DNSKEY => {
            if let (Some(flags), Some(protocol), Some(algorithm)) =
                (reader.u16(), reader.u8(), reader.u8())
            {
                let key = openssl::base64::encode_block(reader.rest());
                return format!("{flags} {protocol} {algorithm} {key}");
            }
        }
        _ => {}
    }
    format!("\\# {} {}", rdata.len(), hex(rdata))
        .trim_end()
        .to_owned()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitmaps() {
        // Window 0: types 2 and 6; window 1: type 257.
        let bitmap = TypeBitmap::parse(&[0, 1, 0b0010_0010, 1, 1, 0b0100_0000]).unwrap();
        for (rtype, present) in [(2, true), (6, true), (5, false), (257, true), (9000, false)] {
            assert_eq!(bitmap.has(rtype), present, "{rtype}");
        }
        for (allowed, expected) in [
            (&[2, 6, 257][..], true),
            (&[2, 6, 257, 1], true),
            (&[2, 6], false),
            (&[6, 257], false),
            (&[], false),
        ] {
            assert_eq!(bitmap.has_only(allowed), expected, "{allowed:?}");
        }
        assert!(TypeBitmap::parse(&[]).unwrap().has_only(&[]));
        for bad in [
            &[0_u8, 0][..],
            &[0, 33],
            &[0, 2, 1],
            &[1, 1, 1, 0, 1, 1],
            &[0],
        ] {
            assert_eq!(TypeBitmap::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn data_of_strangers() {
        assert_eq!(
            record_data(52, &[3]),
            RecordData::Tlsa(TlsaRecord::from_rdata(vec![3]))
        );
        assert_eq!(
            record_data(16, b"\x02ab\x01c"),
            RecordData::Txt(b"abc".to_vec())
        );
        assert_eq!(record_data(16, b"\x09ab"), RecordData::Txt(Vec::new()));
        assert_eq!(
            record_data(99, &[1, 255]),
            RecordData::Other("\\# 2 01ff".to_owned())
        );
        assert_eq!(record_data(99, &[]), RecordData::Other("\\# 0".to_owned()));
        assert_eq!(
            record_data(15, &[0]),
            RecordData::Other("\\# 1 00".to_owned())
        );
    }
}
