//! What a zone is made from: zone-file text, how it is signed, and what is broken on purpose.
//!
//! A [`ZoneSource`] is a description only. [`SignedTree`](crate::sign::SignedTree) turns a set of
//! them into signed zones whose parents hold the matching DS records.

mod text;
mod tree;

use elsinore_dane::answer::RecordType;
use elsinore_dane::name::DomainName;
use elsinore_dane::time::UnixTime;

pub(crate) use text::{fqdn, key_name, read_records, scan};
pub use tree::Zone;
pub(crate) use tree::{Fqdn, Node, Nsec3Chain, Rdata, Rr, Rrset, ancestors};

/// One zone as its author writes it.
#[derive(Debug, Clone)]
pub struct ZoneSource {
    /// The zone's apex.
    pub apex: DomainName,
    /// 0 for the zone that the parent knows. Other numbers are further *versions* of the same
    /// zone, which servers can be told to mix in (the inconsistent domain of several servers).
    /// All versions are signed with the same keys.
    pub version: u8,
    /// Zone-file text (RFC 1035 §5.1); relative names are relative to the apex. It holds no
    /// DNSSEC records: those are made here. Any RDATA can be given as `\# LENGTH HEX`
    /// (RFC 3597 §5), malformed ones too.
    pub text: String,
    /// Whether and how the zone is signed.
    pub signing: Signing,
    /// Which DS records the parent publishes.
    pub ds: DsPlan,
    /// Damage done after signing, in this order.
    pub faults: Vec<Fault>,
}

impl ZoneSource {
    /// An unsigned zone.
    #[must_use]
    pub fn unsigned(apex: DomainName, text: impl Into<String>) -> Self {
        Self {
            apex,
            version: 0,
            text: text.into(),
            signing: Signing::Unsigned,
            ds: DsPlan::default(),
            faults: Vec::new(),
        }
    }

    /// A zone signed as `plan` says, with its DS at the parent and nothing broken.
    #[must_use]
    pub fn signed(apex: DomainName, text: impl Into<String>, plan: SigningPlan) -> Self {
        Self {
            signing: Signing::Signed(plan),
            ..Self::unsigned(apex, text)
        }
    }

    /// The same zone with one more thing broken.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The same zone with other DS records at its parent.
    #[must_use]
    pub fn with_ds(mut self, ds: DsPlan) -> Self {
        self.ds = ds;
        self
    }

    /// The same zone as another version.
    #[must_use]
    pub const fn with_version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }
}

/// Whether a zone is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// No DNSSEC records at all.
    Unsigned,
    /// Signed with keys made at start.
    Signed(SigningPlan),
}

/// How a zone is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningPlan {
    /// The algorithm of all keys of the zone.
    pub algorithm: Algorithm,
    /// One key for all, or two.
    pub keys: KeyLayout,
    /// How absence is proven.
    pub denial: DenialPlan,
    /// Validity of the signatures; the tree's default when `None`.
    pub validity: Option<Validity>,
}

impl Default for SigningPlan {
    /// P-256 (the fastest to sign), one key, NSEC.
    fn default() -> Self {
        Self {
            algorithm: Algorithm::EcdsaP256,
            keys: KeyLayout::Combined,
            denial: DenialPlan::Nsec,
            validity: None,
        }
    }
}

impl SigningPlan {
    /// The default plan with another algorithm.
    #[must_use]
    pub fn with_algorithm(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            ..Self::default()
        }
    }

    /// The default plan with another proof of absence.
    #[must_use]
    pub fn with_denial(denial: DenialPlan) -> Self {
        Self {
            denial,
            ..Self::default()
        }
    }

    /// The default plan with NSEC3 as RFC 9276 §3.1 wants it: no extra iterations, no salt.
    #[must_use]
    pub fn nsec3() -> Self {
        Self::with_denial(DenialPlan::Nsec3 {
            iterations: 0,
            salt: Vec::new(),
            opt_out: OptOut::No,
        })
    }

    /// [`Self::nsec3`] with opt-out (RFC 5155 §6).
    #[must_use]
    pub fn opt_out() -> Self {
        Self::with_denial(DenialPlan::Nsec3 {
            iterations: 0,
            salt: Vec::new(),
            opt_out: OptOut::Yes,
        })
    }
}

/// A DNSSEC algorithm (IANA registry "DNS Security Algorithm Numbers").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// 5, RSA with SHA-1, modulus length in bits.
    RsaSha1(u32),
    /// 7, RSA with SHA-1 in a zone that may use NSEC3 (RFC 5155 §2), modulus length in bits.
    RsaSha1Nsec3(u32),
    /// 8, RSA with SHA-256 (RFC 5702), modulus length in bits.
    RsaSha256(u32),
    /// 10, RSA with SHA-512 (RFC 5702), modulus length in bits.
    RsaSha512(u32),
    /// 13, ECDSA P-256 with SHA-256 (RFC 6605).
    EcdsaP256,
    /// 14, ECDSA P-384 with SHA-384 (RFC 6605).
    EcdsaP384,
    /// 15 (RFC 8080).
    Ed25519,
    /// 16 (RFC 8080).
    Ed448,
    /// A number that nobody implements; keys and signatures are P-256 under that number.
    Unknown(u8),
}

impl Algorithm {
    /// The IANA number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::RsaSha1(_) => 5,
            Self::RsaSha1Nsec3(_) => 7,
            Self::RsaSha256(_) => 8,
            Self::RsaSha512(_) => 10,
            Self::EcdsaP256 => 13,
            Self::EcdsaP384 => 14,
            Self::Ed25519 => 15,
            Self::Ed448 => 16,
            Self::Unknown(number) => number,
        }
    }
}

/// Which keys a zone has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyLayout {
    /// One key signs everything (flags 257).
    Combined,
    /// A key-signing key (257) signs the DNSKEY RRset, a zone-signing key (256) the rest.
    Split,
}

/// How a zone proves absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenialPlan {
    /// NSEC (RFC 4034 §4).
    Nsec,
    /// NSEC3 (RFC 5155).
    Nsec3 {
        /// Additional hash iterations (RFC 5155 §3.1.3).
        iterations: u16,
        /// Salt, at most 255 octets.
        salt: Vec<u8>,
        /// Whether unsigned delegations are left out.
        opt_out: OptOut,
    },
}

/// The opt-out flag of NSEC3 (RFC 5155 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OptOut {
    /// Every delegation is in the chain.
    No,
    /// Unsigned delegations are not, and the chain says so.
    Yes,
}

/// From when to when signatures hold (RFC 4034 §3.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First second of validity.
    pub inception: UnixTime,
    /// Last second of validity.
    pub expiry: UnixTime,
}

impl Validity {
    /// From an hour before `now` until thirty days after.
    #[must_use]
    pub const fn around(now: UnixTime) -> Self {
        Self {
            inception: now.plus_seconds(-3600),
            expiry: now.plus_seconds(30 * 86_400),
        }
    }

    /// Ended three days before `now`: beyond the clock skew that resolvers forgive.
    #[must_use]
    pub const fn expired(now: UnixTime) -> Self {
        Self {
            inception: now.plus_seconds(-30 * 86_400),
            expiry: now.plus_seconds(-3 * 86_400),
        }
    }

    /// Begins three days after `now`.
    #[must_use]
    pub const fn future(now: UnixTime) -> Self {
        Self {
            inception: now.plus_seconds(3 * 86_400),
            expiry: now.plus_seconds(30 * 86_400),
        }
    }
}

/// Which DS records the parent holds for a zone. The parent's text never has DS records of its
/// own for zones of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DsPlan {
    /// One SHA-256 DS for each secure entry point of a signed zone, none for an unsigned one.
    #[default]
    Matching,
    /// None: a signed zone becomes an island (insecure).
    Omitted,
    /// Exactly these.
    Only(Vec<DsKind>),
}

/// One DS record, derived from the zone's first secure entry point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DsKind {
    /// Right, with digest type 1, 2 or 4.
    Digest(u8),
    /// Right in everything but the digest, which is changed (type 2).
    WrongDigest,
    /// For a key that the zone does not have.
    MissingKey,
    /// With this algorithm number (type 2, digest right).
    Algorithm(u8),
    /// With this unknown digest type; 32 octets of digest.
    UnknownDigest(u8),
}

/// Which RRsets of a zone a fault touches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Owner name; every owner when `None`.
    pub owner: Option<DomainName>,
    /// Type of the RRset (of the RRset covered, for signatures); every type when `None`.
    pub record_type: Option<RecordType>,
}

impl Target {
    /// Every RRset of the zone.
    #[must_use]
    pub const fn everything() -> Self {
        Self {
            owner: None,
            record_type: None,
        }
    }

    /// The RRsets of that type everywhere in the zone.
    #[must_use]
    pub const fn of_type(record_type: RecordType) -> Self {
        Self {
            owner: None,
            record_type: Some(record_type),
        }
    }

    /// One RRset.
    #[must_use]
    pub const fn rrset(owner: DomainName, record_type: RecordType) -> Self {
        Self {
            owner: Some(owner),
            record_type: Some(record_type),
        }
    }
}

/// Damage to a signed zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The signatures of these RRsets are missing.
    DropSignatures(Target),
    /// One bit of each signature of these RRsets is flipped.
    CorruptSignatures(Target),
    /// These RRsets are signed for another time.
    Resign(Target, Validity),
    /// Each of these RRsets has that many useless signatures before the right ones
    /// (RFC 9364 implementations must bound the work).
    UselessSignatures(Target, u8),
    /// The RRset is replaced by other data after signing; the text has one record per line
    /// without owner, for example `A 192.0.2.66`.
    ReplaceData(Target, String),
    /// No NSEC or NSEC3 record is in any answer.
    StripDenial,
    /// That many further DNSKEYs whose key tag is that of the signing key, none of which made
    /// any signature (the KeyTrap shape, CVE-2023-50387).
    CollidingKeys(u8),
    /// The key that signs is published with the REVOKE bit (RFC 5011 §2.1).
    RevokedKey,
    /// The DNSKEY RRset is gone.
    NoDnskey,
}

/// Why a set of zones cannot be built. The text names the zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// The text is not zone-file syntax, or one of its rules is broken.
    #[error("zone {zone}: {reason}")]
    Text {
        /// Apex of the zone.
        zone: String,
        /// What is wrong, with the line where known.
        reason: String,
    },
    /// Keys or signatures could not be made.
    #[error("zone {zone}: signing failed: {reason}")]
    Signing {
        /// Apex of the zone.
        zone: String,
        /// What the signer said.
        reason: String,
    },
    /// Two sources have the same apex and version.
    #[error("zone {zone} is given twice")]
    Duplicate {
        /// Apex of the zone.
        zone: String,
    },
}
