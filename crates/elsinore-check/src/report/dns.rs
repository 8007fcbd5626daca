//! DNS as it was seen: zones, lookups, name servers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What DNSSEC says (RFC 4033 §5).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// Validated up to a trust anchor.
    Secure,
    /// Shown not to be protected.
    Insecure,
    /// Could not be found out.
    Indeterminate,
    /// Ought to validate and does not.
    Bogus,
}

/// One zone on the way from the root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Zone {
    /// The apex; `.` for the root.
    pub apex: String,
    /// The apex of the zone above; absent for the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Security of the zone's keys.
    pub security: Security,
    /// Why, when it is not secure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The DS records at the parent; for the root the trust anchors.
    pub delegation: Vec<Delegation>,
    /// The DNSKEY records.
    pub keys: Vec<Key>,
    /// The signatures over the DS and the DNSKEY set that count.
    pub signatures: Vec<Signature>,
    /// `NSEC` or `NSEC3`, with iterations, salt and opt-out in words, where a proof showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proofs: Option<Proofs>,
    /// Serial of the SOA record, where seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u32>,
}

/// How a zone proves absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proofs {
    /// Whether NSEC3 is used (RFC 5155); NSEC otherwise (RFC 4034 §4).
    pub nsec3: bool,
    /// Additional iterations (RFC 5155 §3.1.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u16>,
    /// Octets of the salt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt_octets: Option<u8>,
    /// Whether an opt-out span was seen.
    #[serde(default)]
    pub opt_out: bool,
}

/// One DS record, or a trust anchor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delegation {
    /// Key tag.
    pub tag: u16,
    /// DNSSEC algorithm number.
    pub algorithm: u8,
    /// Digest type (IANA registry); absent for an anchor given as DNSKEY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_type: Option<u8>,
    /// Whether a published key fits it.
    pub has_key: bool,
}

/// One DNSKEY record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// Key tag.
    pub tag: u16,
    /// DNSSEC algorithm number.
    pub algorithm: u8,
    /// Flags: 256 zone key, 257 with the secure entry point bit, 385 revoked.
    pub flags: u16,
    /// Bits of the key.
    pub bits: u32,
    /// Whether a DS record or an anchor vouches for it.
    pub anchored: bool,
    /// Whether it signs the DNSKEY set.
    pub signs_keys: bool,
}

/// One RRSIG record (RFC 4034 §3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signature {
    /// Owner of the signed set.
    pub owner: String,
    /// Type covered, such as `MX`.
    pub covers: String,
    /// The zone that signed.
    pub signer: String,
    /// Key tag.
    pub tag: u16,
    /// DNSSEC algorithm number.
    pub algorithm: u8,
    /// Valid from.
    pub inception_at: i64,
    /// Valid until.
    pub expiration_at: i64,
    /// Original TTL in seconds.
    pub original_ttl_s: u32,
}

/// What kind of answer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum AnswerKind {
    /// Records.
    Data,
    /// The name exists, the type does not.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// Not found out.
    Failed,
}

/// One question and all that its answer rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lookup {
    /// Name asked for.
    pub name: String,
    /// Type asked for, such as `TLSA`.
    pub record_type: String,
    /// What it was asked for, in a few words for people.
    pub purpose: String,
    /// What came.
    pub kind: AnswerKind,
    /// The worst security of the alias links and the end.
    pub security: Security,
    /// Why, when it is not secure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The alias links in the order followed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<AliasLink>,
    /// The records at the end, in presentation form without owner, class and TTL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<String>,
    /// TTL of the end in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u32>,
    /// The signatures it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
    /// Raw evidence: records, signatures and proofs as lines of a zone file (dig form).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// Time it took.
    pub elapsed_ms: u64,
}

/// One link of an alias chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AliasLink {
    /// The alias.
    pub owner: String,
    /// `CNAME` or `DNAME`.
    pub record_type: String,
    /// What it stands for.
    pub target: String,
    /// Security of this link alone.
    pub security: Security,
    /// Why, when it is not secure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The name servers of a zone, from both sides of the cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ZoneServers {
    /// The zone.
    pub zone: String,
    /// The union of both sets, sorted by name.
    pub servers: Vec<NameServer>,
}

/// One name server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NameServer {
    /// Its name.
    pub name: String,
    /// Whether the parent's delegation names it.
    pub in_delegation: bool,
    /// Whether the zone itself names it.
    pub in_zone: bool,
    /// What each of its addresses said to each question.
    pub answers: Vec<ServerAnswer>,
}

/// What one server said to one question, asked directly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerAnswer {
    /// Address of the server.
    pub address: String,
    /// Name asked for.
    pub name: String,
    /// Type asked for.
    pub record_type: String,
    /// `NOERROR`, `SERVFAIL`…, or `timeout`, `unreachable`, `malformed`.
    pub result: String,
    /// Whether the answer was authoritative (AA).
    #[serde(default)]
    pub authoritative: bool,
    /// The records, sorted, in presentation form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<String>,
    /// Octets of the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub octets: Option<u32>,
    /// Whether the reply over UDP was cut (TC), and whether TCP then worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<String>,
    /// How it differs from what most servers say; absent when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
    /// Time it took.
    pub elapsed_ms: u64,
}
