//! The extensions that decide in a DANE-TA chain (RFC 5280 §4.2.1), decoded strictly.

use super::der::{DerError, Element, Reader, boolean, small_integer, tag};

/// What a certificate's extensions say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extensions<'a> {
    /// Contents of the SubjectAltName list (§4.2.1.6).
    pub(crate) subject_alt_name: Option<&'a [u8]>,
    /// §4.2.1.9.
    pub(crate) basic_constraints: Option<BasicConstraints>,
    /// The bits of keyUsage, the first named bit highest (§4.2.1.3).
    pub(crate) key_usage: Option<u8>,
    /// Contents of the ExtKeyUsage list (§4.2.1.12).
    pub(crate) extended_key_usage: Option<&'a [u8]>,
    /// Contents of the NameConstraints (§4.2.1.10).
    pub(crate) name_constraints: Option<&'a [u8]>,
    /// A critical extension that is not one of those decoded or named here.
    pub(crate) unknown_critical: bool,
}

/// BasicConstraints (§4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BasicConstraints {
    pub(crate) authority: bool,
    pub(crate) path_length: Option<u32>,
}

/// keyCertSign, bit 5 of keyUsage.
pub(crate) const KEY_CERT_SIGN: u8 = 0b0000_0100;

/// `id-ce`, 2.5.29, as encoded.
const ID_CE: [u8; 2] = [0x55, 0x1d];

impl<'a> Extensions<'a> {
    /// Decodes the list, at least one extension, none twice (§4.1.2.9, §4.2).
    pub(crate) fn parse(list: Element<'a>) -> Result<Self, DerError> {
        let mut extensions = Self::default();
        let mut reader = list.reader();
        let mut seen: Vec<&[u8]> = Vec::new();
        if reader.is_empty() {
            return Err(DerError);
        }
        while !reader.is_empty() {
            let mut fields = reader.expect(tag::SEQUENCE)?.reader();
            let id = fields.expect(tag::OID)?.contents;
            let critical = match fields.optional(tag::BOOLEAN)? {
                Some(element) => boolean(element.contents)?,
                None => false,
            };
            let value = fields.expect(tag::OCTET_STRING)?.contents;
            fields.finish()?;
            seen.push(id);
            extensions.take(id, critical, value)?;
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        if seen.len() != count {
            return Err(DerError);
        }
        Ok(extensions)
    }

    fn take(&mut self, id: &[u8], critical: bool, value: &'a [u8]) -> Result<(), DerError> {
        let number = match *id {
            [first, second, number] if [first, second] == ID_CE => Some(number),
            _ => None,
        };
        match number {
            Some(15) => self.key_usage = Some(key_usage(value)?),
            Some(17) => self.subject_alt_name = Some(non_empty_sequence(value)?),
            Some(19) => self.basic_constraints = Some(basic_constraints(value)?),
            Some(30) => self.name_constraints = Some(non_empty_sequence(value)?),
            Some(37) => self.extended_key_usage = Some(non_empty_sequence(value)?),
            // Key identifiers help to find a path and decide nothing; policies are not evaluated
            // because no policy is required (RFC 5280 §6.1.1, any-policy accepted).
            Some(14 | 35 | 32 | 33 | 36 | 54) => {}
            _ => self.unknown_critical |= critical,
        }
        Ok(())
    }

    /// Whether the extended key usages admit a TLS server: absent, serverAuth or any.
    pub(crate) fn admits_server(&self) -> Result<bool, DerError> {
        const SERVER_AUTH: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 3, 1];
        const ANY: [u8; 4] = [0x55, 0x1d, 0x25, 0];
        let Some(list) = self.extended_key_usage else {
            return Ok(true);
        };
        let mut reader = Reader::new(list);
        let mut admitted = false;
        while !reader.is_empty() {
            let purpose = reader.expect(tag::OID)?.contents;
            admitted |= purpose == SERVER_AUTH || purpose == ANY;
        }
        Ok(admitted)
    }
}

fn non_empty_sequence(value: &[u8]) -> Result<&[u8], DerError> {
    let mut reader = Reader::new(value);
    let list = reader.expect(tag::SEQUENCE)?;
    reader.finish()?;
    if list.contents.is_empty() {
        return Err(DerError);
    }
    Ok(list.contents)
}

fn basic_constraints(value: &[u8]) -> Result<BasicConstraints, DerError> {
    let mut outer = Reader::new(value);
    let mut fields = outer.expect(tag::SEQUENCE)?.reader();
    outer.finish()?;
    let authority = match fields.optional(tag::BOOLEAN)? {
        Some(element) => boolean(element.contents)?,
        None => false,
    };
    let path_length = match fields.optional(tag::INTEGER)? {
        Some(element) => Some(small_integer(element.contents)?),
        None => None,
    };
    fields.finish()?;
    Ok(BasicConstraints {
        authority,
        path_length,
    })
}

fn key_usage(value: &[u8]) -> Result<u8, DerError> {
    let mut reader = Reader::new(value);
    let bits = reader.expect(tag::BIT_STRING)?;
    reader.finish()?;
    match bits.contents {
        // Octet 0 counts the unused bits; the bits that matter stand in the next one.
        [0..=7, first, ..] => Ok(*first),
        [0] => Ok(0),
        _ => Err(DerError),
    }
}
