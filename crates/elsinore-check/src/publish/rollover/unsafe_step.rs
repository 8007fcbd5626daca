//! What makes a step unsafe, by name.

use crate::publish::moment;
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;

/// Why a step must not be taken now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    /// The records do not validate or could not be looked up.
    #[error("the TLSA records cannot be looked up securely: {0}")]
    DnssecFailed(String),
    /// A server lacks a record of a next key.
    #[error("{server} does not serve {record} yet")]
    NextNotPublished {
        /// The server.
        server: String,
        /// The record.
        record: TlsaRecord,
    },
    /// No authoritative server is known.
    #[error("no authoritative server of the zone could be found")]
    NoServer,
    /// A server says nothing, so it may serve anything.
    #[error("{server} gives no answer ({reason}), so what it serves to others is not known")]
    ServerUnreachable {
        /// The server.
        server: String,
        /// Why.
        reason: String,
    },
    /// Caches may still hold records without the next keys.
    #[error(
        "caches may hold the records without the next key until {}: every server has been seen with \
         both since {} only, and twice the TTL of {} has to pass",
        moment::second(*until),
        moment::second(*since),
        moment::length(i64::from(*ttl))
    )]
    WaitNotOver {
        /// Since when all servers have been seen with them.
        since: UnixTime,
        /// Longest TTL seen, in seconds.
        ttl: u32,
        /// The end of the wait.
        until: UnixTime,
    },
    /// A key that is presented matches no record of a server: mail is refused already.
    #[error(
        "{address} presents a {key} that none of the records of {server} matches: mail is refused"
    )]
    KeyNotCovered {
        /// The address.
        address: String,
        /// The key.
        key: String,
        /// The server.
        server: String,
    },
    /// A key of the future would match no record of a server.
    #[error("the {key} from {origin} would match none of the records of {server}")]
    NextNotCovered {
        /// Where the key came from.
        origin: String,
        /// The key.
        key: String,
        /// The server.
        server: String,
    },
    /// The key to be replaced is still in use.
    #[error("{address} still presents the old {key}")]
    OldKeyServed {
        /// The address.
        address: String,
        /// The key.
        key: String,
    },
    /// The next key is not in use.
    #[error("{address} does not present the {key} from {origin}")]
    NextNotServed {
        /// The address.
        address: String,
        /// The key.
        key: String,
        /// Where the key came from.
        origin: String,
    },
    /// An address cannot be reached, so it may present anything.
    #[error("{address} could not be looked at ({reason}), so which key it presents is not known")]
    AddressUnreachable {
        /// The address.
        address: String,
        /// Why.
        reason: String,
    },
    /// The host has no address, or none was looked at.
    #[error("no address of the host was looked at")]
    NoAddress,
    /// Without the old records a key in use would match nothing.
    #[error("without the old records the {key} at {address} would match none of those of {server}")]
    RetireBreaks {
        /// The address.
        address: String,
        /// The key.
        key: String,
        /// The server.
        server: String,
    },
    /// Records of whole certificates are published, and only the next key is known.
    #[error(
        "{parameters} is published, which names the certificate: give the next certificate, not only {origin}"
    )]
    CertificateNeeded {
        /// The parameters.
        parameters: String,
        /// Where the key came from.
        origin: String,
    },
    /// The next key is the one before.
    #[error("the next key from {origin} is the current one")]
    NextIsCurrent {
        /// Where the key came from.
        origin: String,
    },
}

impl Unsafe {
    /// A stable name for JSON and for hooks.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        match self {
            Self::DnssecFailed(_) => "dnssec-failed",
            Self::NextNotPublished { .. } => "next-not-published",
            Self::NoServer => "no-server",
            Self::ServerUnreachable { .. } => "server-unreachable",
            Self::WaitNotOver { .. } => "wait-not-over",
            Self::KeyNotCovered { .. } => "key-not-covered",
            Self::NextNotCovered { .. } => "next-not-covered",
            Self::OldKeyServed { .. } => "old-key-served",
            Self::NextNotServed { .. } => "next-not-served",
            Self::AddressUnreachable { .. } => "address-unreachable",
            Self::NoAddress => "no-address",
            Self::RetireBreaks { .. } => "retire-breaks",
            Self::CertificateNeeded { .. } => "certificate-needed",
            Self::NextIsCurrent { .. } => "next-is-current",
        }
    }
}
