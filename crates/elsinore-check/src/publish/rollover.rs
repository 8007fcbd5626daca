//! A key rollover, step by step: from what is published and presented now, what may be done next, what
//! has to wait and until when, and what would be unsafe (RFC 7671 §8.1, §8.4).
//!
//! The promise, which a property test holds it to: whoever takes each step only when it is allowed
//! never makes a sender with any RRset that it may still have in its cache meet a key which none of
//! those records matches. Whether records and chain match is the verifier's word alone
//! (`elsinore_dane::verify`).
//!
//! # The order of things
//! 1. *publish*: records of the next keys beside those of the keys in use, with every combination of
//!    parameters that is published (RFC 7671 §8, and §9 on why: a stronger digest hides weaker ones).
//! 2. *wait*: from the moment at which every authoritative server has them, twice the longest TTL seen:
//!    one for caches, one for caches behind caches and for servers that lag (RFC 7671 §8.1).
//! 3. *deploy*: the new keys on every address.
//! 4. *verify*: every address presents them.
//! 5. *retire*: the records that match no key in use any more.
//!
//! # Limitations
//! A server is seen at the addresses from which we see it: another instance behind the same anycast
//! address may still differ. The wait counts from what was seen; nobody sees what was served between
//! two looks.

mod assess;
mod memory;
mod refusals;
mod unsafe_step;
mod wanted;

pub use assess::{Assessment, Stage, assess};
pub use memory::{Memory, remember};
pub use unsafe_step::Unsafe;

use super::material::{KeyAlgorithm, Kind, Material};
use elsinore_dane::name::DomainName;
use elsinore_dane::obligation::DaneRequirement;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::{Selector, TlsaRecord};
use elsinore_dane::verify::{DaneVerdict, VerifyOptions, verify_dane};
use std::fmt;

/// TTLs that are waited for (RFC 7671 §8.1).
pub const TTLS: i64 = 2;

/// Something that can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Add the records of the next keys.
    Publish,
    /// Give the servers the next keys.
    Deploy,
    /// Be sure that every address presents them.
    Verify,
    /// Remove the records of the keys before.
    Retire,
}

impl Step {
    /// All, in their order.
    pub const ALL: [Self; 4] = [Self::Publish, Self::Deploy, Self::Verify, Self::Retire];

    /// The word for people and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Deploy => "deploy",
            Self::Verify => "verify",
            Self::Retire => "retire",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What the rollover is to come to.
#[derive(Debug, Clone)]
pub struct Goal {
    /// The MX host.
    pub host: DomainName,
    /// The keys after the rollover.
    pub next: Vec<Material>,
    /// Keys known to be in use before, besides those that are seen.
    pub current: Vec<Material>,
    /// Which keys in use they replace.
    pub replaces: Replaces,
}

impl Goal {
    /// Whether `chain` is one of the next keys; and the very certificate that was given, where records
    /// of whole certificates are published.
    fn is_next(&self, look: &Observation, chain: &Material) -> bool {
        self.next.iter().any(|next| is_same(look, next, chain))
    }
}

fn is_same(look: &Observation, next: &Material, chain: &Material) -> bool {
    let names_certificates = || {
        let published = look.servers.iter().flat_map(ServerView::records);
        let mut usable = published.filter_map(|record| record.usability().ok());
        usable.any(|record| record.selector() == Selector::Cert)
    };
    next.key_digest() == chain.key_digest()
        && (*next.kind() != Kind::Certificate
            || next.leaf() == chain.leaf()
            || !names_certificates())
}

/// Which of the keys in use are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaces {
    /// Those of the same algorithm as a next key: an ECDSA key beside an RSA key leaves that alone.
    SameAlgorithm,
    /// All of them.
    All,
}

/// What was seen in one look.
#[derive(Debug, Clone)]
pub struct Observation {
    /// When the look began.
    pub began: UnixTime,
    /// When it ended: only from here on everything was seen.
    pub ended: UnixTime,
    /// What the validating resolver says of the records.
    pub dnssec: Dnssec,
    /// Every authoritative server at every address of it.
    pub servers: Vec<ServerView>,
    /// Every address of the host, once for each algorithm offered.
    pub endpoints: Vec<EndpointView>,
}

/// What the validating resolver says of the TLSA records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dnssec {
    /// Secure: senders use them.
    Secure,
    /// Not protected, with the reason: no sender uses them.
    Insecure(String),
    /// Bogus or not found out, with the reason: senders wait.
    Failed(String),
}

/// One authoritative server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerView {
    /// Name and address, such as `ns1.example.net 192.0.2.53`.
    pub server: String,
    /// What it answers.
    pub answer: ServerAnswer,
}

/// What one authoritative server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerAnswer {
    /// The RRset.
    Records {
        /// Its records.
        records: Vec<TlsaRecord>,
        /// Its TTL in seconds.
        ttl: u32,
    },
    /// That there is none.
    Absent,
    /// Nothing usable, with the reason.
    Nothing(String),
}

/// One address, offered one algorithm.
#[derive(Debug, Clone)]
pub struct EndpointView {
    /// The address.
    pub address: String,
    /// The algorithm offered.
    pub algorithm: KeyAlgorithm,
    /// What came.
    pub presented: Presented,
}

/// What a server presents when one algorithm is offered.
#[derive(Debug, Clone)]
pub enum Presented {
    /// A chain.
    Chain(Box<Material>),
    /// It has no key of that algorithm: it presents another to who takes another.
    NoSuchKey,
    /// Nothing, with the reason.
    Nothing(String),
}

impl EndpointView {
    /// The chain, when there is one.
    #[must_use]
    pub fn chain(&self) -> Option<&Material> {
        match &self.presented {
            Presented::Chain(chain) => Some(chain),
            Presented::NoSuchKey | Presented::Nothing(_) => None,
        }
    }
}

impl ServerView {
    /// The records; none when there are none or no answer.
    #[must_use]
    pub fn records(&self) -> &[TlsaRecord] {
        match &self.answer {
            ServerAnswer::Records { records, .. } => records,
            ServerAnswer::Absent | ServerAnswer::Nothing(_) => &[],
        }
    }
}

/// Whether a sender with these records would accept this chain at that moment.
#[must_use]
pub fn accepts(
    host: &DomainName,
    records: &[TlsaRecord],
    chain: &[Vec<u8>],
    now: UnixTime,
) -> bool {
    let requirement = DaneRequirement {
        base_domain: host.clone(),
        records: records.to_vec(),
        reference_identifiers: vec![host.clone()],
        mx_secure: true,
    };
    match verify_dane(chain, &requirement, now, &VerifyOptions::smtp()) {
        DaneVerdict::Authenticated(_) => true,
        DaneVerdict::Rejected(_) | DaneVerdict::NoUsable => false,
    }
}
