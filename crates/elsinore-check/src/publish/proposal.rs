//! The records to publish for a server's keys, each proven by the verifier, with reasons and cautions.
//!
//! Recommended is `3 1 1` for every key a server uses and for the next one. Usage 2 is made on demand.
//! PKIX usages are not used with SMTP (RFC 7672 §3.1.3), and Full records are not proposed: they carry
//! whole certificates through DNS (RFC 7671 §10.1.1).

mod caution;

pub use caution::Caution;

use super::material::{Kind, Material};
use elsinore_dane::name::{DomainName, NameError};
use elsinore_dane::obligation::DaneRequirement;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::{MatchingType, Selector, TlsaRecord, Usage};
use elsinore_dane::verify::{
    DaneVerdict, Match, Rejection, VerifyOptions, record_for, verify_dane,
};

/// TTL of a record when nothing is said: two of them are the wait of a rollover (RFC 7671 §8.1), and
/// much less would only make more questions.
pub const DEFAULT_TTL: u32 = 3600;
/// Shortest TTL that is taken: below it caches put their own minimum.
pub const SHORTEST_TTL: u32 = 30;
/// Longest TTL that is taken: a week, which is two weeks of waiting at each rollover.
pub const LONGEST_TTL: u32 = 604_800;

/// Parameters of the records wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Certificate usage.
    pub usage: Usage,
    /// Selector.
    pub selector: Selector,
    /// Matching type; not Full.
    pub matching_type: MatchingType,
}

impl Parameters {
    /// `3 1 1` (RFC 7672 §3.1).
    pub const RECOMMENDED: Self = Self {
        usage: Usage::DaneEe,
        selector: Selector::Spki,
        matching_type: MatchingType::Sha256,
    };
}

/// Whether a key is in use or will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Servers use it.
    Current,
    /// It is the key after that.
    Next,
}

impl Role {
    /// The word for people and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Next => "next",
        }
    }
}

/// What records are wanted for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The MX host, which is the TLSA base domain.
    pub host: DomainName,
    /// TCP port.
    pub port: u16,
    /// TTL in seconds.
    pub ttl: u32,
    /// Parameters.
    pub parameters: Parameters,
    /// The moment to judge by.
    pub now: UnixTime,
}

/// One record to publish.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The record.
    pub record: TlsaRecord,
    /// Whether for a key in use.
    pub role: Role,
    /// Where the keys came from that it covers.
    pub origins: Vec<String>,
    /// The key or authority in a few words.
    pub subject: String,
    /// What the verifier said.
    pub proof: Match,
}

/// A set of records to publish.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Owner of the records, such as `_25._tcp.mx.example.net`.
    pub owner: DomainName,
    /// What was wanted.
    pub wish: Wish,
    /// The records, those of keys in use first, none twice.
    pub entries: Vec<Entry>,
    /// What should be known before they are published.
    pub cautions: Vec<Caution>,
}

/// Why no records can be proposed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// The owner name would be too long.
    #[error("{0}: {1}")]
    Owner(DomainName, NameError),
    /// A usage that needs a certificate, and there is only a key.
    #[error("{origin}: a record {parameters} is made of a certificate, and this is only a key")]
    NeedsCertificate {
        /// Where the key came from.
        origin: String,
        /// The parameters.
        parameters: String,
    },
    /// The next key is one that is in use.
    #[error("{0}: the next key is the one in use; a rollover needs a new key")]
    NextIsCurrent(String),
    /// Usage 2, and no authority is there.
    #[error(
        "{0}: usage 2 names an authority, and none is in the chain; put its certificate behind the \
         server's own, where the server has to send it from (RFC 7672, section 3.1.2)"
    )]
    NoAuthority(String),
    /// A sender would refuse the server under that record.
    #[error("{origin}: with {record} senders would refuse the server: {rejection}")]
    Refused {
        /// Where the chain came from.
        origin: String,
        /// The record.
        record: TlsaRecord,
        /// What the verifier said.
        rejection: Rejection,
    },
    /// The verifier does not count the record.
    #[error("{0}: the record would not be usable")]
    Unusable(String),
}

/// The owner of TLSA records (RFC 6698 §3).
///
/// # Errors
/// [`ProposalError::Owner`] when the name gets too long.
pub fn owner_name(host: &DomainName, port: u16) -> Result<DomainName, ProposalError> {
    host.prefixed(&format!("_{port}._tcp"))
        .map_err(|error| ProposalError::Owner(host.clone(), error))
}

/// Makes the records for the keys in use and the next ones, and proves each.
///
/// # Errors
/// [`ProposalError`].
pub fn propose(
    wish: Wish,
    current: &[Material],
    next: &[Material],
) -> Result<Proposal, ProposalError> {
    let owner = owner_name(&wish.host, wish.port)?;
    for key in next {
        if current
            .iter()
            .any(|other| other.key_digest() == key.key_digest())
        {
            return Err(ProposalError::NextIsCurrent(key.origin().to_owned()));
        }
    }
    let mut entries: Vec<Entry> = Vec::new();
    let current = current.iter().map(|material| (material, Role::Current));
    let all: Vec<_> = current
        .chain(next.iter().map(|material| (material, Role::Next)))
        .collect();
    for (material, role) in &all {
        let made = entry(&wish, material, *role)?;
        match entries.iter_mut().find(|entry| entry.record == made.record) {
            Some(known) => known.origins.extend(made.origins),
            None => entries.push(made),
        }
    }
    let cautions = caution::cautions(&wish, &all);
    Ok(Proposal {
        owner,
        wish,
        entries,
        cautions,
    })
}

/// The record of one key, proven.
fn entry(wish: &Wish, material: &Material, role: Role) -> Result<Entry, ProposalError> {
    let Parameters {
        usage,
        selector,
        matching_type,
    } = wish.parameters;
    let origin = || material.origin().to_owned();
    if *material.kind() != Kind::Certificate
        && (usage == Usage::DaneTa || selector == Selector::Cert)
    {
        return Err(ProposalError::NeedsCertificate {
            origin: origin(),
            parameters: format!(
                "{} {} {}",
                usage.code(),
                selector.code(),
                matching_type.code()
            ),
        });
    }
    let make = |certificate: &[u8]| {
        record_for(certificate, usage, selector, matching_type)
            .map_err(|_| ProposalError::Unusable(origin()))
    };
    match usage {
        Usage::DaneEe => {
            let record = make(material.leaf())?;
            let proof = prove(wish, material, &record)?;
            Ok(Entry {
                record,
                role,
                origins: vec![origin()],
                subject: material.key().to_string(),
                proof,
            })
        }
        Usage::DaneTa => {
            // The authority that signed the server's own certificate, found by the verifier.
            let mut refused = None;
            for authority in material.chain().iter().skip(1) {
                let record = make(authority)?;
                match prove(wish, material, &record) {
                    Ok(proof) if proof.depth() == 1 => {
                        let names = elsinore_dane::verify::inspect(authority)
                            .map(|summary| summary.subject_common_names.join(", "))
                            .unwrap_or_default();
                        return Ok(Entry {
                            record,
                            role,
                            origins: vec![origin()],
                            subject: format!("authority {names}"),
                            proof,
                        });
                    }
                    Ok(_) => {}
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
            Err(refused.unwrap_or_else(|| ProposalError::NoAuthority(origin())))
        }
    }
}

/// What the verifier says of a server that presents this chain under this record alone.
fn prove(wish: &Wish, material: &Material, record: &TlsaRecord) -> Result<Match, ProposalError> {
    let requirement = DaneRequirement {
        base_domain: wish.host.clone(),
        records: vec![record.clone()],
        reference_identifiers: vec![wish.host.clone()],
        mx_secure: true,
    };
    match verify_dane(
        material.chain(),
        &requirement,
        wish.now,
        &VerifyOptions::smtp(),
    ) {
        DaneVerdict::Authenticated(proof) => Ok(proof),
        DaneVerdict::Rejected(rejection) => Err(ProposalError::Refused {
            origin: material.origin().to_owned(),
            record: record.clone(),
            rejection,
        }),
        DaneVerdict::NoUsable => Err(ProposalError::Unusable(material.origin().to_owned())),
    }
}

impl Proposal {
    /// Why these parameters, in whole sentences.
    #[must_use]
    pub fn reasons(&self) -> Vec<&'static str> {
        let Parameters {
            usage,
            selector,
            matching_type,
        } = self.wish.parameters;
        let mut reasons = vec![match (usage, selector) {
            (Usage::DaneEe, Selector::Spki) => {
                "Usage 3, selector 1: the server's own key. Names, dates and authorities do not matter to the \
                 sender (RFC 7672, section 3.1.1), and a renewed certificate with the same key \
                 needs no new record."
            }
            (Usage::DaneEe, Selector::Cert) => {
                "Usage 3, selector 0: the server's own certificate as a whole. Every renewal needs a new record \
                 beforehand; 3 1 1 would not, as long as the key stays."
            }
            (Usage::DaneTa, Selector::Spki) => {
                "Usage 2, selector 1: the key of the authority. New certificates and keys need no new record while \
                 this authority signs them; in exchange senders check names, dates and the whole \
                 chain, and the server has to send the authority's certificate (RFC 7672, section \
                 3.1.2)."
            }
            (Usage::DaneTa, Selector::Cert) => {
                "Usage 2, selector 0: the authority's certificate as a whole. It fails as soon as the authority \
                 uses another certificate for the same key, as with cross-signing; 2 1 1 does not."
            }
        }];
        reasons.push(match matching_type {
            MatchingType::Sha256 => {
                "Matching type 1: SHA2-256, the one digest that every sender has to know (RFC \
                 7671, section 2)."
            }
            MatchingType::Sha512 => {
                "Matching type 2: SHA2-512, which senders need not know (RFC 7671, section 2); it \
                 adds nothing to SHA2-256 today."
            }
            MatchingType::Full => "Matching type 0: the data itself.",
        });
        reasons
    }
}
