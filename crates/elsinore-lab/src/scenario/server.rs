//! Name servers that a zone has besides its first, each with a mind of its own.

use super::FaultSpec;
use serde::Deserialize;

/// A further name server of a zone. The first, `ns1`, is every zone's own and serves every zone
/// of the scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSpec {
    /// Its name below the apex, such as `ns2`; unique in the zone.
    pub name: String,
    /// Which NS RRsets name it.
    #[serde(default)]
    pub listed: Listed,
    /// Zone-file text it serves in place of the zone's; signed with the same keys.
    #[serde(default)]
    pub records: Option<String>,
    /// The serial of that text's SOA (RFC 1035 §3.3.13); the zone's is 10.
    #[serde(default = "same_serial")]
    pub serial: u32,
    /// When the signatures of that text hold; as the zone's when absent.
    #[serde(default)]
    pub signatures: Option<SignatureSpan>,
    /// Queries this server answers wrongly, judged before the zone's own; the first that fits
    /// counts.
    #[serde(default)]
    pub fault: Vec<FaultSpec>,
}

/// The serial of every zone that says nothing else.
pub const SERIAL: u32 = 10;

const fn same_serial() -> u32 {
    SERIAL
}

/// Which NS RRsets name a server (RFC 1034 §4.2.2: both should be the same).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listed {
    /// The parent's delegation and the zone itself.
    #[default]
    Both,
    /// The parent's delegation alone.
    Parent,
    /// The zone alone.
    Child,
}

/// When signatures hold, in hours from the start of the lab (RFC 4034 §3.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureSpan {
    /// The first hour; negative is in the past.
    #[serde(default = "an_hour_ago")]
    pub from_hours: i64,
    /// The last hour.
    pub until_hours: i64,
}

const fn an_hour_ago() -> i64 {
    -1
}

/// How a zone with NSEC3 hashes its names (RFC 5155 §3.1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nsec3Spec {
    /// Additional iterations; RFC 9276 §3.1 wants none.
    #[serde(default)]
    pub iterations: u16,
    /// The salt as text, its octets are taken; RFC 9276 §3.1 wants none.
    #[serde(default)]
    pub salt: String,
}
