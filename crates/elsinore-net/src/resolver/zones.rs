//! Every zone from the root down to the one that holds a name: what its parent says of it, what
//! keys it has, what signs them, and how it denies. The verdict on each zone is that of the chain
//! of trust; what stands beside it are the records on which it rests, told field by field.

mod walk;

use super::Signature;
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Status;

/// One zone on the way down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneView {
    /// Its apex.
    pub apex: DomainName,
    /// The apex of the zone above; `None` for the root.
    pub parent: Option<DomainName>,
    /// What its data is worth, and why: *secure* with keys that a chain of trust reaches.
    pub status: Status,
    /// The trust anchors for the zone, then the DS records at the parent, usable or not.
    pub ds: Vec<DsView>,
    /// Seconds for which the DS records, or their denial, may be reused; `None` where neither was
    /// seen.
    pub ds_ttl: Option<u32>,
    /// The signatures over the DS records, by the parent.
    pub ds_signatures: Vec<Signature>,
    /// The DNSKEY records of the zone; empty where there are none, or where nobody asked, as below
    /// a zone that is shown unsigned.
    pub keys: Vec<KeyView>,
    /// Seconds for which the DNSKEY records may be reused; `None` where none were seen.
    pub keys_ttl: Option<u32>,
    /// The signatures over the DNSKEY records.
    pub key_signatures: Vec<Signature>,
    /// How the zone denies names, where that was seen.
    pub denial: Option<DenialView>,
    /// The serial number of its SOA record, where that was had.
    pub serial: Option<u32>,
}

/// One DS record (RFC 4034 §5.1), or a trust anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DsView {
    /// The tag of the key it is for.
    pub key_tag: u16,
    /// IANA number of that key's algorithm.
    pub algorithm: u8,
    /// IANA number of the digest: 1 SHA-1, 2 SHA-256, 4 SHA-384; `None` for an anchor that is the
    /// key itself.
    pub digest_type: Option<u8>,
    /// The digest; empty where there is none.
    pub digest: Vec<u8>,
    /// Who says it.
    pub source: DsSource,
    /// What it does for the zone.
    pub standing: DsStanding,
}

/// Who vouches for the keys of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DsSource {
    /// The zone above, by a DS record.
    Parent,
    /// The configuration of this resolver, by a trust anchor.
    Anchor,
}

/// What one DS record does for its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DsStanding {
    /// A published key matches it.
    Matches,
    /// No published key matches it.
    MatchesNone,
    /// Its algorithm or digest type is unknown here, so it is passed over (RFC 4035 §5.2).
    Unknown,
    /// The keys of the zone were not had, so there was nothing to compare.
    Uncompared,
}

/// One DNSKEY record (RFC 4034 §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    /// Its tag (RFC 4034 appendix B).
    pub key_tag: u16,
    /// IANA number of the algorithm.
    pub algorithm: u8,
    /// The flags: 256 zone key, 257 with the SEP bit, 385 and 384 revoked (RFC 5011 §3).
    pub flags: u16,
    /// Length of the key in bits: of the modulus for RSA, of the curve for others; `None` where the
    /// algorithm is unknown or the key malformed.
    pub bits: Option<u32>,
    /// What vouches for it.
    pub vouched: Vouched,
    /// Whether a signature over the DNSKEY records verifies with this very key.
    pub signs_keys: bool,
}

/// What vouches for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vouched {
    /// A trust anchor of this program.
    ByAnchor,
    /// A DS record at the parent.
    ByDs,
    /// Neither: it counts by the signature of a key that is vouched for.
    No,
}

/// How a zone proves that something is not there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DenialView {
    /// With NSEC records (RFC 4034 §4).
    Nsec,
    /// With NSEC3 records (RFC 5155).
    Nsec3 {
        /// Extra hash iterations; RFC 9276 §3.1 wants zero.
        iterations: u16,
        /// The salt; RFC 9276 §3.1 wants none.
        salt: Vec<u8>,
        /// Whether one of the records seen spans unsigned delegations (RFC 5155 §6).
        opt_out: bool,
    },
}
