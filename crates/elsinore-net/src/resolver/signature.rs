//! What an RRSIG record says of itself (RFC 4034 §3.1). Nothing here is verified: what a signature
//! is worth is the validator's word, in the status beside it.

use super::evidence::ResourceRecord;
use super::wire::{Name, Record, Rrsig, rtype};
use elsinore_dane::answer::RecordType;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;

/// The fields of one RRSIG record, without the signature itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Signature {
    /// The owner of the records it covers.
    pub owner: DomainName,
    /// The type of the records it covers.
    pub covered: RecordType,
    /// IANA number of the algorithm.
    pub algorithm: u8,
    /// Labels of the owner without root and wildcard; fewer than the owner has when the records
    /// were made from a wildcard (RFC 4034 §3.1.3).
    pub labels: u8,
    /// The TTL of the records as their zone has it, in seconds.
    pub original_ttl: u32,
    /// Not valid after.
    pub expiration: UnixTime,
    /// Not valid before.
    pub inception: UnixTime,
    /// The tag of the key that made it (RFC 4034 appendix B).
    pub key_tag: u16,
    /// The zone that made it.
    pub signer: DomainName,
}

impl Signature {
    /// Reads an RRSIG record; `None` when it is another type or malformed. Its times are serial
    /// numbers of 32 bits (RFC 4034 §3.1.5), taken for the times nearest to `now`.
    #[must_use]
    pub fn read(record: &ResourceRecord, now: UnixTime) -> Option<Self> {
        (record.record_type.code() == rtype::RRSIG)
            .then(|| Self::of(&record.owner, &Rrsig::parse(&record.rdata)?, now))
            .flatten()
    }

    /// The signatures over `covered` among `records`, in their order.
    #[must_use]
    pub fn over(covered: RecordType, records: &[ResourceRecord], now: UnixTime) -> Vec<Self> {
        let all = records.iter().filter_map(|record| Self::read(record, now));
        all.filter(|signature| signature.covered == covered)
            .collect()
    }

    fn of(owner: &DomainName, rrsig: &Rrsig, now: UnixTime) -> Option<Self> {
        Some(Self {
            owner: owner.clone(),
            covered: RecordType::from_code(rrsig.covered),
            algorithm: rrsig.algorithm,
            labels: rrsig.labels,
            original_ttl: rrsig.original_ttl,
            expiration: nearest(rrsig.expiration, now),
            inception: nearest(rrsig.inception, now),
            key_tag: rrsig.key_tag,
            signer: rrsig.signer.to_domain(),
        })
    }
}

/// The signatures over the records of `owner` and `rtype` in one section of a message.
pub(super) fn signatures_over(
    section: &[Record],
    owner: &Name,
    rtype: u16,
    now: UnixTime,
) -> Vec<Signature> {
    let domain = owner.to_domain();
    section
        .iter()
        .filter(|record| record.owner == *owner && record.covers(rtype))
        .filter_map(|record| Signature::of(&domain, &Rrsig::parse(&record.rdata)?, now))
        .collect()
}

/// The time with this serial number that is nearest to `now`.
fn nearest(serial: u32, now: UnixTime) -> UnixTime {
    let clock = now.0.rem_euclid(1 << 32) as u32;
    UnixTime(now.0 + i64::from(serial.wrapping_sub(clock).cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(record_type: u16, rdata: Vec<u8>) -> ResourceRecord {
        ResourceRecord {
            owner: "a.example".parse().unwrap(),
            record_type: RecordType::from_code(record_type),
            ttl: 60,
            rdata,
        }
    }

    fn rdata(expiration: u32, inception: u32) -> Vec<u8> {
        let mut rdata = vec![0, 1, 13, 2, 0, 0, 14, 16];
        rdata.extend(expiration.to_be_bytes());
        rdata.extend(inception.to_be_bytes());
        rdata.extend([0x12, 0x34]);
        rdata.extend(b"\x07example\x00");
        rdata.extend([9; 64]);
        rdata
    }

    #[test]
    fn fields() {
        let now = UnixTime(1_800_000_000);
        let read = Signature::read(&record(46, rdata(1_800_000_100, 1_799_999_000)), now).unwrap();
        assert_eq!(read.covered, RecordType::A);
        assert_eq!((read.algorithm, read.labels), (13, 2));
        assert_eq!((read.original_ttl, read.key_tag), (3_600, 0x1234));
        assert_eq!(read.expiration, UnixTime(1_800_000_100));
        assert_eq!(read.inception, UnixTime(1_799_999_000));
        assert_eq!(read.signer.as_str(), "example");
        assert_eq!(Signature::read(&record(1, vec![1, 2, 3, 4]), now), None);
        assert_eq!(Signature::read(&record(46, vec![0, 1, 13]), now), None);
    }

    /// Beyond 2106 the numbers begin anew.
    #[test]
    fn times_wrap() {
        let after_wrap = UnixTime((1 << 32) + 50);
        let read = Signature::read(&record(46, rdata(100, u32::MAX)), after_wrap).unwrap();
        assert_eq!(read.expiration, UnixTime((1 << 32) + 100));
        assert_eq!(read.inception, UnixTime((1 << 32) - 1));
    }
}
