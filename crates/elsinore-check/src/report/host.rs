//! MX hosts: names, TLSA records, addresses, sessions, and which record matches what.

use super::{AliasLink, RuleFinding, Security};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One MX host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// The name in the MX record, never an alias target; the domain with an implicit MX.
    pub mx_host: String,
    /// MX preference; absent for an implicit MX.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preference: Option<u16>,
    /// Apex of the zone that holds the name, a key of `Report::zones`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The alias links from the name, each with its own security.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<AliasLink>,
    /// Security of the address records.
    pub address_security: Security,
    /// Why, when it is not secure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_reason: Option<String>,
    /// Indexes in `lookups` of the A and AAAA questions.
    pub address_lookups: Vec<usize>,
    /// The obligation of the DANE sender: the word of `send`.
    pub obligation: String,
    /// Why it is not contacted, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The TLSA base domains considered, in the order tried, and those not tried with the reason.
    pub candidates: Vec<Candidate>,
    /// The TLSA base domain in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tlsa_base_domain: Option<String>,
    /// The TLSA records at the base in force, in the order published.
    pub tlsa: Vec<Tlsa>,
    /// Every address, IPv6 and IPv4.
    pub addresses: Vec<Address>,
    /// What the engine noted about this host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<RuleFinding>,
}

/// One possible TLSA base domain (RFC 7672 §2.2.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The base domain.
    pub base: String,
    /// Which end of the alias it is.
    pub end: CandidateEnd,
    /// Index in `lookups` of the TLSA question, when it was put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<usize>,
    /// Whether the sender's engine asked here; a candidate it had no reason to ask may have been
    /// asked by the check all the same, for comparison.
    pub asked_by_sender: bool,
    /// Whether it is the base in force.
    pub in_force: bool,
    /// Why it was not asked, or did not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The records published here that do not stand in [`Host::tlsa`]: presentation form, with
    /// whether each matches what the host presents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_records: Vec<(String, bool)>,
}

/// Which end of an alias.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateEnd {
    /// The name itself; there is no alias.
    Only,
    /// The fully expanded name.
    Expanded,
    /// The name in the MX record.
    Original,
}

/// One TLSA record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tlsa {
    /// Presentation form: `3 1 1 8cb0…`, the data cut after 64 octets with `…`.
    pub text: String,
    /// Certificate usage; absent when the record is too short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<u8>,
    /// Selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<u8>,
    /// Matching type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching_type: Option<u8>,
    /// Association data, hexadecimal, whole.
    pub association: String,
    /// Why it is unusable (RFC 7671 §4, RFC 7672 §3.1.3); absent when it is usable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
    /// What it is.
    pub label: TlsaLabel,
    /// The label in words: which retired key, why unusable, next or stale and why we think so.
    pub label_text: String,
    /// What it matches, everywhere.
    pub wires: Vec<Wire>,
}

/// What a TLSA record is, from what is presented everywhere.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum TlsaLabel {
    /// It matches something that is presented.
    Current,
    /// It matches nothing and another record of the set does: a key to come.
    Next,
    /// It matches nothing, and there is reason to think that it once did.
    Stale,
    /// It is the key of a public CA that is no longer used.
    RetiredCa,
    /// It matches nothing, and nothing else does either.
    Unmatched,
    /// It cannot be used.
    Unusable,
    /// Nothing was presented that it could be compared with.
    Unknown,
}

/// One match of a TLSA record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wire {
    /// Address of the server.
    pub address: String,
    /// Which certificates were asked for.
    pub offer: Offer,
    /// The certificate that matches, a key of `Report::certificates`; absent when a record that
    /// carries a whole key or certificate matched one that was not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Place in the chain as sent; 0 is the server's own certificate.
    pub depth: u32,
    /// Whether the verifier accepted the chain by this record (for usage 2: signatures, dates and
    /// names too), or the data matches and the rest does not hold.
    pub accepted: bool,
}

/// Which certificates the ClientHello asked for, and with which name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Offer {
    /// What `send` offers: everything, with the server name it would send.
    Sender,
    /// RSA certificates only.
    Rsa,
    /// ECDSA certificates only.
    Ecdsa,
    /// Everything, without a server name.
    NoName,
    /// Everything, with another server name (`Session::sni` says which).
    OtherName,
}

/// One address of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    /// The address.
    pub address: String,
    /// What a DANE sender comes to here.
    pub state: AddressState,
    /// Why, in one line, when it does not meet the obligation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The word of `send` for the session achieved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<String>,
    /// The sessions, in the order held.
    pub sessions: Vec<Session>,
}

/// What a DANE sender comes to at one address.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum AddressState {
    /// The obligation is met, whichever certificate is asked for.
    Met,
    /// It is met with what `send` offers, and not with a certificate of the other algorithm.
    MetInPart,
    /// It is not met, for reasons of theirs.
    Failed,
    /// Nothing can be said: no connection, our address is refused, out of time.
    Inconclusive,
    /// Not contacted.
    NotTried,
}

/// How far a session came.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// No connection.
    NoConnection,
    /// Connected, and no useful greeting or EHLO.
    NoGreeting,
    /// STARTTLS is not offered or was refused.
    NoTls,
    /// The handshake failed.
    HandshakeFailed,
    /// No certificate for this offer: the server has none of that algorithm.
    NoSuchCertificate,
    /// TLS was established and the server is not who it must be.
    Refused,
    /// TLS was established and the obligation met.
    Met,
    /// No TLS, and none was demanded.
    Cleartext,
}

/// One SMTP session, ended by QUIT before MAIL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Which certificates were asked for.
    pub offer: Offer,
    /// The server name sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// How far it came.
    pub state: SessionState,
    /// What stood in the way, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it says nothing about them, when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inconclusive: Option<String>,
    /// The TLS session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFacts>,
    /// The chain as sent, leaf first: keys of `Report::certificates`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// The TLSA record that the verifier accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<MatchedAt>,
    /// What was noted about this session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<RuleFinding>,
    /// The dialogue, bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<String>,
    /// Time until the connection stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<u64>,
    /// Time of the whole session.
    pub elapsed_ms: u64,
}

/// What was negotiated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsFacts {
    /// `TLSv1.3`.
    pub version: String,
    /// The cipher suite in the words of OpenSSL.
    pub cipher: String,
    /// The key exchange group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `rustls` or `openssl`.
    pub backend: String,
}

/// The TLSA record that the verifier accepted, and where it matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MatchedAt {
    /// Index in [`Host::tlsa`].
    pub record: usize,
    /// Depth in the verified path; 0 is the server's own certificate.
    pub depth: u32,
    /// The reference identifier that the certificate carries, under usage 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
