//! A minimal DER reader: one element after another, as slices of the input.
//!
//! It keeps no stack and never recurses; whoever descends does so along a fixed structure. Tags
//! of one octet and definite lengths only (X.509 needs no others). Lengths that are longer than
//! DER allows are accepted: a leaf that is matched by DANE-EE counts as it was sent.

/// The input is not what the reader was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed DER")]
pub(crate) struct DerError;

/// Tag octets of X.509.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const NUMERIC_STRING: u8 = 0x12;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const T61_STRING: u8 = 0x14;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const VISIBLE_STRING: u8 = 0x1a;
    pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// Context-specific, primitive: `[number] IMPLICIT` of a primitive type.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// Context-specific, constructed: `[number] EXPLICIT`, or IMPLICIT of a constructed type.
    pub(crate) const fn context_constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// The identifier octet.
    pub(crate) tag: u8,
    /// Identifier, length and contents as they stand in the input.
    pub(crate) whole: &'a [u8],
    /// The contents octets.
    pub(crate) contents: &'a [u8],
}

impl<'a> Element<'a> {
    /// A reader over the contents.
    pub(crate) const fn reader(&self) -> Reader<'a> {
        Reader {
            rest: self.contents,
        }
    }
}

/// Reads elements one after another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Ends the reading.
    pub(crate) const fn finish(self) -> Result<(), DerError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DerError)
        }
    }

    /// The tag of the next element, if there is one.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, DerError> {
        let (header, length) = match *self.rest {
            // A tag number above 30 would follow in further octets.
            [tag, ..] if tag & 0x1f == 0x1f => return Err(DerError),
            [_, short @ 0..=0x7f, ..] => (2, usize::from(short)),
            // 0x80 is the indefinite length of BER.
            [_, long @ 0x81..=0x84, ref more @ ..] => {
                let count = usize::from(long & 0x7f);
                let octets = more.get(..count).ok_or(DerError)?;
                let length = octets
                    .iter()
                    .fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
                (2 + count, usize::try_from(length).map_err(|_| DerError)?)
            }
            _ => return Err(DerError),
        };
        let end = header.checked_add(length).ok_or(DerError)?;
        let whole = self.rest.get(..end).ok_or(DerError)?;
        self.rest = &self.rest[end..];
        Ok(Element {
            tag: whole[0],
            whole,
            contents: &whole[header..],
        })
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        if self.peek() != Some(tag) {
            return Err(DerError);
        }
        self.element()
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerError> {
        if self.peek() == Some(tag) {
            return self.element().map(Some);
        }
        Ok(None)
    }
}

/// The octets of a BIT STRING without unused bits.
pub(crate) const fn bit_string_octets(contents: &[u8]) -> Result<&[u8], DerError> {
    match contents {
        [0, octets @ ..] => Ok(octets),
        _ => Err(DerError),
    }
}

/// A BOOLEAN; anything but zero is true, as in BER.
pub(crate) const fn boolean(contents: &[u8]) -> Result<bool, DerError> {
    match contents {
        [octet] => Ok(*octet != 0),
        _ => Err(DerError),
    }
}

/// A non-negative INTEGER; values beyond `u32` saturate.
pub(crate) fn small_integer(contents: &[u8]) -> Result<u32, DerError> {
    match contents {
        [] | [0x80..=0xff, ..] => Err(DerError),
        octets => Ok(octets.iter().fold(0_u32, |sum, octet| {
            sum.checked_mul(256).map_or(u32::MAX, |shifted| {
                shifted.saturating_add(u32::from(*octet))
            })
        })),
    }
}
