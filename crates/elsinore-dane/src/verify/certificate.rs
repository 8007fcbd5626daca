//! The walk through a certificate (RFC 5280 §4.1): slices of the octets as sent, nothing encoded
//! again.
//!
//! [`Certificate::parse`] goes no further than it must to find the public key, so that a leaf
//! matched by DANE-EE may have any version, serial number, times, names, extensions and trailing
//! octets (RFC 7672 §3.1.1). What DANE-TA needs is read later, strictly, by the methods.

use super::der::{DerError, Element, Reader, bit_string_octets, tag};
use super::extensions::Extensions;

/// One certificate, as slices of what the server sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Certificate<'a> {
    entry: &'a [u8],
    after_outer: &'a [u8],
    version: Option<Element<'a>>,
    tbs: Element<'a>,
    inner_algorithm: Element<'a>,
    issuer: Element<'a>,
    validity: Element<'a>,
    subject: Element<'a>,
    public_key: Element<'a>,
    after_public_key: &'a [u8],
    after_tbs: &'a [u8],
}

/// The algorithm and the octets of a certificate's signature.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CertificateSignature<'a> {
    /// AlgorithmIdentifier, whole element.
    pub(crate) algorithm: &'a [u8],
    /// The signature value.
    pub(crate) value: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Finds the parts up to the SubjectPublicKeyInfo.
    pub(crate) fn parse(entry: &'a [u8]) -> Result<Self, DerError> {
        let mut input = Reader::new(entry);
        let outer = input.expect(tag::SEQUENCE)?;
        let mut certificate = outer.reader();
        let tbs = certificate.expect(tag::SEQUENCE)?;
        let mut fields = tbs.reader();
        let version = fields.optional(tag::context_constructed(0))?;
        fields.expect(tag::INTEGER)?;
        let inner_algorithm = fields.expect(tag::SEQUENCE)?;
        let issuer = fields.expect(tag::SEQUENCE)?;
        let validity = fields.expect(tag::SEQUENCE)?;
        let subject = fields.expect(tag::SEQUENCE)?;
        let public_key = fields.expect(tag::SEQUENCE)?;
        Ok(Self {
            entry,
            after_outer: input.rest(),
            version,
            tbs,
            inner_algorithm,
            issuer,
            validity,
            subject,
            public_key,
            after_public_key: fields.rest(),
            after_tbs: certificate.rest(),
        })
    }

    /// The whole entry of the certificate message, trailing octets included: what selector
    /// Cert(0) is taken over. A record's publisher who hashes the file that the server sends
    /// gets the same value.
    pub(crate) const fn entry(&self) -> &'a [u8] {
        self.entry
    }

    /// Whether octets follow the certificate inside its entry.
    pub(crate) const fn has_trailing_octets(&self) -> bool {
        !self.after_outer.is_empty()
    }

    /// The signed part, whole element.
    pub(crate) const fn tbs(&self) -> &'a [u8] {
        self.tbs.whole
    }

    /// The issuer's name, contents of the SEQUENCE.
    pub(crate) const fn issuer(&self) -> &'a [u8] {
        self.issuer.contents
    }

    /// The subject's name, contents of the SEQUENCE.
    pub(crate) const fn subject(&self) -> &'a [u8] {
        self.subject.contents
    }

    /// The SubjectPublicKeyInfo as sent, whole element: what selector SPKI(1) is taken over.
    pub(crate) const fn public_key_info(&self) -> &'a [u8] {
        self.public_key.whole
    }

    /// The version: 1 when absent, else one more than the number encoded (RFC 5280 §4.1.2.1).
    pub(crate) fn version(&self) -> Result<u32, DerError> {
        let Some(explicit) = self.version else {
            return Ok(1);
        };
        let mut reader = explicit.reader();
        let number = super::der::small_integer(reader.expect(tag::INTEGER)?.contents)?;
        reader.finish()?;
        Ok(number.saturating_add(1))
    }

    /// The signature, on condition that the algorithm inside the signed part is the same
    /// (RFC 5280 §4.1.1.2) and nothing follows.
    pub(crate) fn signature(&self) -> Result<CertificateSignature<'a>, DerError> {
        let mut reader = Reader::new(self.after_tbs);
        let algorithm = reader.expect(tag::SEQUENCE)?;
        let value = reader.expect(tag::BIT_STRING)?;
        reader.finish()?;
        if algorithm.contents != self.inner_algorithm.contents || self.has_trailing_octets() {
            return Err(DerError);
        }
        Ok(CertificateSignature {
            algorithm: algorithm.whole,
            value: bit_string_octets(value.contents)?,
        })
    }

    /// First and last second of validity, both inclusive, in seconds since 1970 (RFC 5280
    /// §4.1.2.5).
    pub(crate) fn validity(&self) -> Result<(i64, i64), DerError> {
        let mut reader = self.validity.reader();
        let not_before = time(reader.element()?)?;
        let not_after = time(reader.element()?)?;
        reader.finish()?;
        Ok((not_before, not_after))
    }

    /// The extensions, strictly: known ones decoded, none twice.
    pub(crate) fn extensions(&self) -> Result<Extensions<'a>, DerError> {
        let mut reader = Reader::new(self.after_public_key);
        // issuerUniqueID and subjectUniqueID decide nothing.
        reader.optional(tag::context(1))?;
        reader.optional(tag::context(2))?;
        let field = reader.optional(tag::context_constructed(3))?;
        reader.finish()?;
        match field {
            None => Ok(Extensions::default()),
            // Extensions exist since version 3 only (RFC 5280 §4.1.2.9).
            Some(_) if self.version()? != 3 => Err(DerError),
            Some(field) => {
                let mut wrapper = field.reader();
                let list = wrapper.expect(tag::SEQUENCE)?;
                wrapper.finish()?;
                Extensions::parse(list)
            }
        }
    }
}

/// Whether `input` is one SubjectPublicKeyInfo and nothing else (RFC 5280 §4.1).
pub(crate) fn is_public_key_info(input: &[u8]) -> bool {
    let walk = || -> Result<(), DerError> {
        let mut outer = Reader::new(input);
        let mut fields = outer.expect(tag::SEQUENCE)?.reader();
        outer.finish()?;
        fields
            .expect(tag::SEQUENCE)?
            .reader()
            .expect(tag::OID)
            .map(drop)?;
        bit_string_octets(fields.expect(tag::BIT_STRING)?.contents)?;
        fields.finish()
    };
    walk().is_ok()
}

/// UTCTime or GeneralizedTime in the only forms that RFC 5280 §4.1.2.5 allows: seconds present,
/// no fraction, `Z`.
fn time(element: Element<'_>) -> Result<i64, DerError> {
    let (digits, offset) = match element.tag {
        tag::UTC_TIME if element.contents.len() == 13 => (&element.contents[..12], 2),
        tag::GENERALIZED_TIME if element.contents.len() == 15 => (&element.contents[..14], 4),
        _ => return Err(DerError),
    };
    if element.contents.last() != Some(&b'Z') || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DerError);
    }
    let number = |slice: &[u8]| {
        slice
            .iter()
            .fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'))
    };
    let year = match (offset, number(&digits[..offset])) {
        (2, short @ 50..) => 1900 + short,
        (2, short) => 2000 + short,
        (_, full) => full,
    };
    let pair = |index: usize| number(&digits[offset + 2 * index..offset + 2 * index + 2]);
    let (month, day, hour, minute, second) = (pair(0), pair(1), pair(2), pair(3), pair(4));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return Err(DerError),
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return Err(DerError);
    }
    Ok(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March so
/// that the leap day comes last.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719_468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (tag, text, expected) in [
            (tag::UTC_TIME, "700101000000Z", Some(0)),
            (tag::UTC_TIME, "500101000000Z", Some(-631_152_000)),
            (tag::UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (
                tag::GENERALIZED_TIME,
                "20240229120000Z",
                Some(1_709_208_000),
            ),
            (
                tag::GENERALIZED_TIME,
                "00000101000000Z",
                Some(-62_167_219_200),
            ),
            (
                tag::GENERALIZED_TIME,
                "99991231235959Z",
                Some(253_402_300_799),
            ),
            (tag::GENERALIZED_TIME, "20230229120000Z", None),
            (tag::GENERALIZED_TIME, "20241329120000Z", None),
            (tag::GENERALIZED_TIME, "20240229120060Z", None),
            (tag::GENERALIZED_TIME, "20240229120000.", None),
            (tag::UTC_TIME, "7001010000Z", None),
            (tag::UTC_TIME, "700101000000+", None),
            (tag::INTEGER, "700101000000Z", None),
        ] {
            let element = Element {
                tag,
                whole: &[],
                contents: text.as_bytes(),
            };
            assert_eq!(time(element).ok(), expected, "{text}");
        }
    }
}
