//! What should be known before records are published. None of these keeps a record from working now.

use super::{Role, Wish};
use crate::publish::material::{KeyAlgorithm, KeyFacts, Kind, Material};
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::{MatchingType, Selector, Usage};
use std::fmt;

/// A certificate that lives no longer than this comes from a client that renews by itself: public
/// authorities give 90 days and less that way.
const AUTOMATIC: i64 = 100 * 86_400;

/// One thing to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caution {
    /// Only keys in use have records.
    NoNextKey,
    /// The certificate is renewed automatically, and each renewal changes what the record names.
    RecordChangesAtRenewal {
        /// Where it came from.
        origin: String,
        /// Days for which it is valid.
        days: i64,
    },
    /// The certificate is renewed automatically, and the client may make a new key each time.
    KeyMayChangeAtRenewal {
        /// Where it came from.
        origin: String,
        /// Days for which it is valid.
        days: i64,
    },
    /// The key is too short.
    WeakKey {
        /// Where it came from.
        origin: String,
        /// The key.
        key: KeyFacts,
    },
    /// Few senders know the algorithm.
    RareAlgorithm {
        /// Where it came from.
        origin: String,
        /// The key.
        key: KeyFacts,
    },
    /// The certificate is not valid now, which usage 3 does not look at.
    NotValidNow {
        /// Where it came from.
        origin: String,
        /// First second.
        from: UnixTime,
        /// Last second.
        until: UnixTime,
    },
    /// The certificate does not carry the host's name, which usage 3 does not look at.
    NameNotCarried {
        /// Where it came from.
        origin: String,
        /// The host.
        host: String,
    },
    /// Usage 2: when this certificate ends, senders refuse the server.
    EndsUnderUsage2 {
        /// Where it came from.
        origin: String,
        /// Last second.
        until: UnixTime,
    },
    /// Usage 2: the authority may sign the next certificate with another of its keys.
    AuthorityMayChange {
        /// Common name of the authority.
        authority: String,
    },
    /// Usage 2: the server has to send the authority's certificate.
    AuthorityMustBeSent,
    /// Only SHA2-512.
    OnlySha512,
}

impl Caution {
    /// A stable name for JSON.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        match self {
            Self::NoNextKey => "no-next-key",
            Self::RecordChangesAtRenewal { .. } => "record-changes-at-renewal",
            Self::KeyMayChangeAtRenewal { .. } => "key-may-change-at-renewal",
            Self::WeakKey { .. } => "weak-key",
            Self::RareAlgorithm { .. } => "rare-algorithm",
            Self::NotValidNow { .. } => "not-valid-now",
            Self::NameNotCarried { .. } => "name-not-carried",
            Self::EndsUnderUsage2 { .. } => "ends-under-usage-2",
            Self::AuthorityMayChange { .. } => "authority-may-change",
            Self::AuthorityMustBeSent => "authority-must-be-sent",
            Self::OnlySha512 => "only-sha2-512",
        }
    }
}

impl fmt::Display for Caution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNextKey => f.write_str(
                "only the key in use has a record: make the next key now, keep it off line, and \
                 publish its record too (--next), so that a lost or stolen key can be replaced at \
                 once",
            ),
            Self::RecordChangesAtRenewal { origin, days } => write!(
                f,
                "{origin}: the certificate is valid for {days} days only, and every renewal makes \
                 this record wrong; use 3 1 1 and keep the key"
            ),
            Self::KeyMayChangeAtRenewal { origin, days } => write!(
                f,
                "{origin}: the certificate is valid for {days} days only; see to it that renewals \
                 keep the key (certbot: reuse_key = True), else plan each as a rollover (elsinore \
                 tlsa plan)"
            ),
            Self::WeakKey { origin, key } => write!(
                f,
                "{origin}: {key} is too short for today; roll over to RSA of 2048 bits or more, or \
                 to ECDSA P-256"
            ),
            Self::RareAlgorithm { origin, key } => write!(
                f,
                "{origin}: many senders cannot use a certificate with an {key}; offer RSA or ECDSA \
                 beside it"
            ),
            Self::NotValidNow {
                origin,
                from,
                until,
            } => write!(
                f,
                "{origin}: the certificate is valid from {} to {}, not now; DANE senders do not \
                 look at it under usage 3, those by MTA-STS do",
                day(*from),
                day(*until)
            ),
            Self::NameNotCarried { origin, host } => write!(
                f,
                "{origin}: the certificate does not name {host}; DANE senders do not look at it \
                 under usage 3, those by MTA-STS do"
            ),
            Self::EndsUnderUsage2 { origin, until } => write!(
                f,
                "{origin}: under usage 2 senders refuse the server once this certificate ends, on \
                 {}",
                day(*until)
            ),
            Self::AuthorityMayChange { authority } => write!(
                f,
                "public authorities sign with several intermediates in turn; if {authority} is one \
                 of them, the next certificate may come from a sibling: publish a record for each, \
                 or use 3 1 1"
            ),
            Self::AuthorityMustBeSent => f.write_str(
                "the server has to send the authority's certificate with its own, a root too; \
                 senders that do not receive it refuse the server",
            ),
            Self::OnlySha512 => f.write_str(
                "senders need not know SHA2-512, and a set of nothing else should not be published \
                 (RFC 7671, section 2); use matching type 1",
            ),
        }
    }
}

/// The day of a moment, UTC, as RFC 3339 writes it.
pub(super) fn day(moment: UnixTime) -> String {
    super::super::moment::day(moment)
}

/// Everything to know about these keys under these parameters.
pub(super) fn cautions(wish: &Wish, keys: &[(&Material, Role)]) -> Vec<Caution> {
    let parameters = wish.parameters;
    let mut found = Vec::new();
    if parameters.usage == Usage::DaneEe && keys.iter().all(|(_, role)| *role == Role::Current) {
        found.push(Caution::NoNextKey);
    }
    for (material, _) in keys {
        of_key(wish, material, &mut found);
    }
    if parameters.usage == Usage::DaneTa {
        found.push(Caution::AuthorityMustBeSent);
        let mut authorities: Vec<String> = keys
            .iter()
            .map(|(material, _)| material.issuer_names().join(", "))
            .collect();
        authorities.sort();
        authorities.dedup();
        found.extend(
            authorities
                .into_iter()
                .map(|authority| Caution::AuthorityMayChange { authority }),
        );
    }
    if parameters.matching_type == MatchingType::Sha512 {
        found.push(Caution::OnlySha512);
    }
    found
}

fn of_key(wish: &Wish, material: &Material, found: &mut Vec<Caution>) {
    let origin = || material.origin().to_owned();
    let key = *material.key();
    if key.is_weak() {
        found.push(Caution::WeakKey {
            origin: origin(),
            key,
        });
    }
    if matches!(key.algorithm, KeyAlgorithm::EdDsa | KeyAlgorithm::Other) {
        found.push(Caution::RareAlgorithm {
            origin: origin(),
            key,
        });
    }
    if *material.kind() != Kind::Certificate {
        return;
    }
    if let Some((from, until)) = material.validity() {
        let length = until.0.saturating_sub(from.0);
        let days = length / 86_400;
        let is_valid = (from..=until).contains(&wish.now);
        match (wish.parameters.usage, wish.parameters.selector) {
            // The verifier has refused what is not valid now.
            (Usage::DaneTa, _) => found.push(Caution::EndsUnderUsage2 {
                origin: origin(),
                until,
            }),
            (Usage::DaneEe, _) if !is_valid => found.push(Caution::NotValidNow {
                origin: origin(),
                from,
                until,
            }),
            (Usage::DaneEe, Selector::Cert) if length <= AUTOMATIC => {
                found.push(Caution::RecordChangesAtRenewal {
                    origin: origin(),
                    days,
                });
            }
            (Usage::DaneEe, Selector::Spki) if length <= AUTOMATIC => {
                found.push(Caution::KeyMayChangeAtRenewal {
                    origin: origin(),
                    days,
                });
            }
            (Usage::DaneEe, _) => {}
        }
    }
    if wish.parameters.usage == Usage::DaneEe && !carries(material, wish) {
        found.push(Caution::NameNotCarried {
            origin: origin(),
            host: wish.host.to_string(),
        });
    }
}

/// Whether a DNS name of the certificate covers the host. For a caution only: what counts is the
/// verifier's word (usage 2) or WebPKI's.
fn carries(material: &Material, wish: &Wish) -> bool {
    let host = wish.host.as_str();
    material.names().iter().any(|name| {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        match name.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
            None => name == host,
        }
    })
}
