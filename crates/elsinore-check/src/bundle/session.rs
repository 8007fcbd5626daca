//! Visits to servers, as they stand in a bundle: what was said, and the certificates as sent.

use super::BundleError;
use super::words::{KINDS, bounded, decode, encode, micros, name, of_word, to_word};
use crate::report::{Offer, SenderKind};
use crate::world;
use elsinore_dane::ladder::Rung;
use elsinore_dane::name::DomainName;
use elsinore_net::deliver::{Heard, NoConnection, PhaseTimes, Sounding};
use elsinore_net::tls::{
    Backend, Handshake, HandshakeTrouble, KeyProof, MinProtocol, Resumption, SignatureOffer,
    TlsFacts, TlsVersion,
};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;

/// Connections of one visit, and things heard on one of them.
const MOST_SOUNDINGS: usize = 32;
const MOST_HEARD: usize = 4_096;
/// Octets said in one piece, and of one certificate.
const MOST_OCTETS: usize = 256 * 1024;
/// Certificates of one chain.
const MOST_CERTIFICATES: usize = 1_000;

/// Which visit it was.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VisitKey {
    /// Whose plan led there.
    pub sender: SenderKind,
    /// The host, as the MX record names it.
    pub mx_host: String,
    /// Its preference; `None` without an MX record.
    pub preference: Option<u16>,
    /// Its address.
    pub address: IpAddr,
    /// The TCP port.
    pub port: u16,
    /// Which certificates were asked for.
    pub offer: Offer,
    /// The server name for [`Offer::OtherName`].
    pub other_name: Option<DomainName>,
}

impl VisitKey {
    /// The key of a visit.
    #[must_use]
    pub fn of(visit: &world::Visit<'_>) -> Self {
        Self {
            sender: visit.sender,
            mx_host: visit.plan.mx_host.clone(),
            preference: visit.plan.preference,
            address: visit.address,
            port: visit.plan.port,
            offer: visit.offer,
            other_name: visit.other_name.cloned(),
        }
    }
}

/// One visit and what was heard there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visited {
    /// Which visit.
    pub key: VisitKey,
    /// Its connections.
    pub soundings: Vec<Sounding>,
}

/// One visit, as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Visit {
    sender: SenderKind,
    mx_host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preference: Option<u16>,
    address: IpAddr,
    port: u16,
    offer: Offer,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    other_name: Option<String>,
    connections: Vec<Connection>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Connection {
    rung: String,
    keys: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sni: Option<String>,
    oldest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heard: Option<Vec<Item>>,
    times: Times,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    kind: String,
    text: String,
    after_us: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connect_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    greeting_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hello_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starttls_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handshake_us: Option<u64>,
    total_us: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Item {
    /// What the server said, in base64.
    Octets(String),
    Handshake(Shaken),
    HandshakeFailed(Broken),
    KeyUnproven,
    LocalTrouble(String),
    Lost,
    TimedOut,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Broken {
    trouble: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shaken {
    version: String,
    cipher: String,
    cipher_bits: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    backend: String,
    /// The certificates, DER in base64, the server's own first.
    chain: Vec<String>,
    omitted: usize,
    key_proven: bool,
}

const RUNGS: &[(Rung, &str)] = &[
    (Rung::Modern, "modern"),
    (Rung::Legacy, "legacy"),
    (Rung::Cleartext, "cleartext"),
];
const OFFERS: &[(SignatureOffer, &str)] = &[
    (SignatureOffer::Any, "any"),
    (SignatureOffer::RsaOnly, "rsa"),
    (SignatureOffer::EcdsaOnly, "ecdsa"),
];
const OLDEST: &[(MinProtocol, &str)] = &[
    (MinProtocol::Any, "any"),
    (MinProtocol::Tls12, "TLSv1.2"),
    (MinProtocol::Tls13, "TLSv1.3"),
];
const VERSIONS: &[(TlsVersion, &str)] = &[
    (TlsVersion::Tls10, "TLSv1"),
    (TlsVersion::Tls11, "TLSv1.1"),
    (TlsVersion::Tls12, "TLSv1.2"),
    (TlsVersion::Tls13, "TLSv1.3"),
];
const BACKENDS: &[(Backend, &str)] = &[(Backend::Rustls, "rustls"), (Backend::OpenSsl, "openssl")];
/// The troubles that have no kind of their own beside them.
const TROUBLES: &[(HandshakeTrouble, &str)] = &[
    (HandshakeTrouble::Alert, "alert"),
    (HandshakeTrouble::UnrecognisedName, "unrecognised-name"),
    (HandshakeTrouble::NoCertificate, "no-certificate"),
    (HandshakeTrouble::Protocol, "protocol"),
];
const CONNECTION: &str = "connection";

impl Visit {
    pub(super) fn of(visited: &Visited) -> Self {
        let key = &visited.key;
        Self {
            sender: key.sender,
            mx_host: key.mx_host.clone(),
            preference: key.preference,
            address: key.address,
            port: key.port,
            offer: key.offer,
            other_name: key.other_name.as_ref().map(|name| name.as_str().to_owned()),
            connections: visited.soundings.iter().map(Connection::of).collect(),
        }
    }

    pub(super) fn read(self, place: &str) -> Result<Visited, BundleError> {
        if self.connections.len() > MOST_SOUNDINGS {
            let text = format!("more than {MOST_SOUNDINGS} connections");
            return Err(BundleError::value(place, text));
        }
        let other_name = self.other_name.map(|text| name(place, &text));
        let connections = self.connections.into_iter();
        Ok(Visited {
            key: VisitKey {
                sender: self.sender,
                mx_host: bounded(&self.mx_host),
                preference: self.preference,
                address: self.address,
                port: self.port,
                offer: self.offer,
                other_name: other_name.transpose()?,
            },
            soundings: connections
                .map(|connection| connection.read(place))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Connection {
    fn of(sounding: &Sounding) -> Self {
        let (refused, heard) = match &sounding.opened {
            Ok(heard) => (None, Some(heard.iter().map(Item::of).collect())),
            Err(trouble) => (
                Some(Refused {
                    kind: to_word(&trouble.kind, KINDS, "other"),
                    text: bounded(&trouble.text),
                    after_us: micros(trouble.after),
                }),
                None,
            ),
        };
        let times = &sounding.times;
        Self {
            rung: to_word(&sounding.rung, RUNGS, "modern"),
            keys: to_word(&sounding.offer, OFFERS, "any"),
            sni: sounding.sni.as_ref().map(|name| name.as_str().to_owned()),
            oldest: to_word(&sounding.min_protocol, OLDEST, "any"),
            refused,
            heard,
            times: Times {
                connect_us: times.connect.map(micros),
                greeting_us: times.greeting.map(micros),
                hello_us: times.hello.map(micros),
                starttls_us: times.starttls.map(micros),
                handshake_us: times.handshake.map(micros),
                total_us: micros(times.total),
            },
        }
    }

    fn read(self, place: &str) -> Result<Sounding, BundleError> {
        let opened = match (self.refused, self.heard) {
            (Some(refused), None) => Err(NoConnection {
                kind: of_word(place, &refused.kind, KINDS)?,
                text: bounded(&refused.text),
                after: Duration::from_micros(refused.after_us),
            }),
            (None, Some(heard)) => {
                if heard.len() > MOST_HEARD {
                    let text = format!("more than {MOST_HEARD} things heard");
                    return Err(BundleError::value(place, text));
                }
                let heard = heard.into_iter().map(|item| item.read(place));
                Ok(heard.collect::<Result<_, _>>()?)
            }
            (Some(_), Some(_)) | (None, None) => {
                let text = "a connection is either refused or heard";
                return Err(BundleError::value(place, text));
            }
        };
        let sni = self.sni.map(|text| name(place, &text));
        Ok(Sounding {
            rung: of_word(place, &self.rung, RUNGS)?,
            offer: of_word(place, &self.keys, OFFERS)?,
            sni: sni.transpose()?,
            min_protocol: of_word(place, &self.oldest, OLDEST)?,
            opened,
            times: PhaseTimes {
                connect: self.times.connect_us.map(Duration::from_micros),
                greeting: self.times.greeting_us.map(Duration::from_micros),
                hello: self.times.hello_us.map(Duration::from_micros),
                starttls: self.times.starttls_us.map(Duration::from_micros),
                handshake: self.times.handshake_us.map(Duration::from_micros),
                total: Duration::from_micros(self.times.total_us),
            },
        })
    }
}

impl Item {
    fn of(heard: &Heard) -> Self {
        match heard {
            Heard::Octets(octets) => Self::Octets(encode(octets)),
            Heard::Handshake(handshake) => Self::Handshake(Shaken {
                version: to_word(&handshake.facts.version, VERSIONS, "TLSv1"),
                cipher: bounded(&handshake.facts.cipher),
                cipher_bits: handshake.facts.cipher_bits,
                group: handshake.facts.group.as_deref().map(bounded),
                backend: to_word(&handshake.facts.backend, BACKENDS, "rustls"),
                chain: handshake.chain.iter().map(|der| encode(der)).collect(),
                omitted: handshake.omitted,
                key_proven: handshake.key_proof == KeyProof::Given,
            }),
            Heard::HandshakeFailed { trouble, text } => Self::HandshakeFailed(Broken {
                trouble: to_word(trouble, TROUBLES, CONNECTION),
                kind: match trouble {
                    HandshakeTrouble::Connection(kind) => Some(to_word(kind, KINDS, "other")),
                    HandshakeTrouble::Alert
                    | HandshakeTrouble::UnrecognisedName
                    | HandshakeTrouble::NoCertificate
                    | HandshakeTrouble::Protocol => None,
                },
                text: bounded(text),
            }),
            Heard::KeyUnproven => Self::KeyUnproven,
            Heard::LocalTrouble(text) => Self::LocalTrouble(bounded(text)),
            Heard::Lost => Self::Lost,
            Heard::TimedOut => Self::TimedOut,
        }
    }

    fn read(self, place: &str) -> Result<Heard, BundleError> {
        Ok(match self {
            Self::Octets(text) => Heard::Octets(decode(place, &text, MOST_OCTETS)?),
            Self::Handshake(shaken) => Heard::Handshake(shaken.read(place)?),
            Self::HandshakeFailed(broken) => Heard::HandshakeFailed {
                trouble: match (broken.trouble.as_str(), broken.kind) {
                    (CONNECTION, kind) => HandshakeTrouble::Connection(match kind {
                        Some(kind) => of_word(place, &kind, KINDS)?,
                        None => ErrorKind::Other,
                    }),
                    (word, None) => of_word(place, word, TROUBLES)?,
                    (_, Some(_)) => {
                        let text = "only the trouble of a connection has a kind";
                        return Err(BundleError::value(place, text));
                    }
                },
                text: bounded(&broken.text),
            },
            Self::KeyUnproven => Heard::KeyUnproven,
            Self::LocalTrouble(text) => Heard::LocalTrouble(bounded(&text)),
            Self::Lost => Heard::Lost,
            Self::TimedOut => Heard::TimedOut,
        })
    }
}

impl Shaken {
    fn read(self, place: &str) -> Result<Handshake, BundleError> {
        if self.chain.len() > MOST_CERTIFICATES {
            let text = format!("more than {MOST_CERTIFICATES} certificates");
            return Err(BundleError::value(place, text));
        }
        let chain = self.chain.iter().map(|der| decode(place, der, MOST_OCTETS));
        Ok(Handshake {
            facts: TlsFacts {
                version: of_word(place, &self.version, VERSIONS)?,
                cipher: bounded(&self.cipher),
                cipher_bits: self.cipher_bits,
                group: self.group.as_deref().map(bounded),
                backend: of_word(place, &self.backend, BACKENDS)?,
                // A check resumes nothing.
                resumption: Resumption::Full,
            },
            chain: chain.collect::<Result<Vec<_>, _>>()?.into(),
            omitted: self.omitted,
            key_proof: if self.key_proven {
                KeyProof::Given
            } else {
                KeyProof::Missing
            },
        })
    }
}
