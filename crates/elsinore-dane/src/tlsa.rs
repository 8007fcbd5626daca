//! The TLSA record (RFC 6698 §2, RFC 7218), which records are usable and which of those count.

mod agility;
mod text;
mod usability;

pub use agility::effective;
pub use text::TlsaTextError;
pub use usability::{MatchingType, Selector, Unusable, UsableTlsa, Usage};

use std::fmt;

/// One TLSA record as published. Any RDATA is accepted: what is too short or unknown is unusable,
/// never an error (RFC 7672 §3.1, RFC 6698 §4.1).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TlsaRecord {
    rdata: Vec<u8>,
}

impl TlsaRecord {
    /// Takes RDATA of any length, 0 octets included.
    #[must_use]
    pub const fn from_rdata(rdata: Vec<u8>) -> Self {
        Self { rdata }
    }

    /// Builds a record from its fields.
    #[must_use]
    pub fn new(usage: u8, selector: u8, matching_type: u8, association: &[u8]) -> Self {
        let mut rdata = vec![usage, selector, matching_type];
        rdata.extend_from_slice(association);
        Self { rdata }
    }

    /// The whole RDATA.
    #[must_use]
    pub fn rdata(&self) -> &[u8] {
        &self.rdata
    }

    /// Certificate usage; `None` when the RDATA is too short to hold one.
    #[must_use]
    pub fn usage(&self) -> Option<u8> {
        self.rdata.first().copied()
    }

    /// Selector; `None` when the RDATA is too short to hold one.
    #[must_use]
    pub fn selector(&self) -> Option<u8> {
        self.rdata.get(1).copied()
    }

    /// Matching type; `None` when the RDATA is too short to hold one.
    #[must_use]
    pub fn matching_type(&self) -> Option<u8> {
        self.rdata.get(2).copied()
    }

    /// Certificate association data; empty when the RDATA has three octets or fewer.
    #[must_use]
    pub fn association(&self) -> &[u8] {
        self.rdata.get(3..).unwrap_or_default()
    }
}

impl fmt::Display for TlsaRecord {
    /// Presentation format (RFC 6698 §2.2); RFC 3597 form when fields are missing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = match self.rdata.as_slice() {
            [usage, selector, matching, rest @ ..] => {
                write!(f, "{usage} {selector} {matching} ")?;
                rest
            }
            short => {
                write!(f, "\\# {} ", short.len())?;
                short
            }
        };
        body.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for TlsaRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLSA({self})")
    }
}
