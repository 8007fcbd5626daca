//! Scenarios: small pieces of Internet, what is sent into them, and what must come of it.
//!
//! They are data, one or more per TOML file. `scenarios/README.md` describes the format for
//! people who write one; the types here are that format. A [`Scenario`] adds domains, mail servers
//! and MTA-STS policy hosts to the base world (a signed root and its top-level domains); each of
//! its [`Case`]s is one message sent into it and one [`Expectation`].

pub mod case;
pub mod certificate;
pub mod check;
pub mod error;
pub mod files;
pub mod places;
pub mod server;

pub use case::{Case, CaseSettings, Expectation, ResolverMode};
pub use certificate::{AlsoSent, CertificateRecipe, ChainPart, Issuer, KeyKind};
pub use check::CheckSpec;
pub use error::ScenarioError;
pub use server::{Listed, Nsec3Spec, ServerSpec, SignatureSpan};

use serde::Deserialize;
use std::collections::BTreeMap;

/// The top-level domains of the base world, below which scenarios place their zones.
pub const TOP_LEVEL_DOMAINS: [(&str, Signing); 3] = [
    ("example", Signing::Nsec),
    ("test", Signing::OptOut),
    ("internal", Signing::Unsigned),
];

/// One scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Unique among all scenarios: lower-case letters, digits and hyphens.
    pub id: String,
    /// What is the case, in one line.
    pub title: String,
    /// The rules shown, such as `RFC 7672 §2.2.2`.
    pub shows: Vec<String>,
    /// The zones it adds.
    #[serde(default, rename = "zone")]
    pub zones: Vec<ZoneSpec>,
    /// The mail servers it adds.
    #[serde(default, rename = "receiver")]
    pub receivers: Vec<ReceiverSpec>,
    /// The MTA-STS policy hosts it adds.
    #[serde(default, rename = "policy_host")]
    pub policy_hosts: Vec<PolicyHostSpec>,
    /// What is sent, and what must come of it; at least one.
    #[serde(rename = "case")]
    pub cases: Vec<Case>,
    /// What `elsinore check` must say of its domains.
    #[serde(default, rename = "check")]
    pub checks: Vec<CheckSpec>,
    /// The file it was read from.
    #[serde(skip)]
    pub file: String,
}

/// A zone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneSpec {
    /// The apex, without trailing dot, below one of [`TOP_LEVEL_DOMAINS`] or below another zone of
    /// the scenario.
    pub name: String,
    /// Zone-file text relative to the apex, with [places](places). SOA and NS are added.
    pub records: String,
    /// What servers that disagree have instead; replies of kind `other-version` come from it.
    #[serde(default)]
    pub other_records: Option<String>,
    /// How it is signed.
    #[serde(default)]
    pub signing: Signing,
    /// The DNSSEC algorithm number (5, 7, 8, 10, 13, 14, 15, 16); any other is one nobody knows.
    #[serde(default = "ecdsa_p256")]
    pub algorithm: u8,
    /// How names are hashed where it is signed with NSEC3.
    #[serde(default)]
    pub nsec3: Option<Nsec3Spec>,
    /// When its signatures hold; an hour ago to thirty days ahead when absent.
    #[serde(default)]
    pub signatures: Option<SignatureSpan>,
    /// Its name servers besides `ns1`.
    #[serde(default)]
    pub server: Vec<ServerSpec>,
    /// What its parent says of it.
    #[serde(default)]
    pub delegation: Delegation,
    /// Signatures damaged on purpose.
    #[serde(default)]
    pub damage: Vec<DamageSpec>,
    /// Queries its servers answer wrongly; the first that fits counts.
    #[serde(default)]
    pub fault: Vec<FaultSpec>,
}

const fn ecdsa_p256() -> u8 {
    13
}

/// How a zone is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signing {
    /// With NSEC (RFC 4034 §4).
    #[default]
    Nsec,
    /// With NSEC3 (RFC 5155).
    Nsec3,
    /// With NSEC3 and opt-out (RFC 5155 §6).
    OptOut,
    /// Not at all.
    Unsigned,
}

/// What a parent zone says of its child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delegation {
    /// A DS record for the child's key, when the child is signed.
    #[default]
    Matching,
    /// No DS although the child is signed: an island (RFC 4033 §2).
    WithoutDs,
    /// A DS that matches no key of the child.
    WrongDs,
    /// The right DS, and one for a key, by its tag, that the child does not have.
    AlsoMissingKey,
    /// The right DS, as a SHA-1 digest alone (RFC 8624 §3.3 forbids to publish one).
    Sha1Ds,
}

/// A damaged signature.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DamageSpec {
    /// The owner, relative to the apex (`@` for the apex itself).
    pub name: String,
    /// The type whose signature is damaged.
    #[serde(rename = "type")]
    pub record_type: String,
    /// How.
    pub how: Damage,
}

/// How a signature is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    /// One bit of the signature is flipped.
    Flipped,
    /// The signature is left out.
    Missing,
    /// It expired.
    Expired,
    /// It is not valid yet.
    Future,
}

/// A query that is answered wrongly.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// The name asked for, relative to the apex; any name of the zone when absent.
    #[serde(default)]
    pub name: Option<String>,
    /// The type asked for; any when absent.
    #[serde(default, rename = "type")]
    pub record_type: Option<String>,
    /// How the query came; either way when absent.
    #[serde(default)]
    pub transport: Option<FaultTransport>,
    /// What the servers do.
    pub reply: FaultReply,
}

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultTransport {
    /// In a datagram.
    Udp,
    /// On a connection.
    Tcp,
}

/// What a broken name server replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultReply {
    /// RCODE 2.
    ServFail,
    /// RCODE 4.
    NotImp,
    /// RCODE 5.
    Refused,
    /// RCODE 1.
    FormErr,
    /// Nothing.
    Silence,
    /// "No such data", with the SOA and no proof.
    NoData,
    /// "No such name", with the SOA and no proof.
    NxDomain,
    /// The answer of the zone's other version.
    #[serde(rename = "other-version")]
    OtherVersion,
    /// "No such name" with everything else as in the right answer, proofs included: what servers
    /// say that know no empty non-terminals (RFC 8020 §2).
    #[serde(rename = "nxdomain-proven")]
    NxDomainProven,
    /// A referral to the root: the server does not know the zone.
    Lame,
    /// TC, and nothing else.
    Truncated,
    /// The connection is closed; a datagram gets no reply.
    Closed,
    /// The right answer without signatures.
    #[serde(rename = "without-signatures")]
    WithoutSignatures,
}

/// A mail server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverSpec {
    /// How places and expectations call it: `{mx}`; unique in the scenario.
    pub name: String,
    /// The zone it calls itself after; the first when absent.
    #[serde(default)]
    pub zone: Option<String>,
    /// The address families it has.
    #[serde(default)]
    pub addresses: Families,
    /// Families whose address has nobody listening.
    #[serde(default)]
    pub dead: Vec<Family>,
    /// The TCP port it listens on.
    #[serde(default = "smtp_port")]
    pub port: u16,
    /// Its certificate.
    #[serde(default)]
    pub certificate: CertificateRecipe,
    /// Certificates it has besides.
    #[serde(default)]
    pub also: Vec<AlsoSent>,
    /// What it does about STARTTLS.
    #[serde(default)]
    pub starttls: StartTls,
    /// The TLS it speaks.
    #[serde(default)]
    pub tls: TlsKind,
    /// EHLO keywords it does not offer, of `PIPELINING 8BITMIME SMTPUTF8 CHUNKING DSN
    /// ENHANCEDSTATUSCODES REQUIRETLS`.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// The limit it announces with SIZE and enforces, octets.
    #[serde(default)]
    pub size: Option<u64>,
    /// Replies other than the usual ones, per phase: `banner`, `ehlo`, `mail`, `rcpt`, `data`,
    /// `message`.
    #[serde(default)]
    pub replies: BTreeMap<Phase, String>,
    /// Replies to RCPT per mailbox.
    #[serde(default)]
    pub recipients: BTreeMap<String, String>,
    /// Trouble in the dialogue.
    #[serde(default)]
    pub trouble: Option<Trouble>,
}

const fn smtp_port() -> u16 {
    25
}

/// Which families a host has addresses of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Families {
    /// IPv4 and IPv6.
    #[default]
    Both,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

/// One address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// What a mail server does about STARTTLS (RFC 3207).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartTls {
    /// Offers it and means it.
    #[default]
    Offered,
    /// Does not offer it.
    Absent,
    /// Offers it and answers 454.
    Refused4xx,
    /// Offers it and answers 502.
    Refused5xx,
    /// Sends text behind the 220 before the handshake.
    Injected,
    /// Answers 220 and closes the connection in the handshake.
    Broken,
}

/// The TLS a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsKind {
    /// TLS 1.2 and 1.3.
    #[default]
    Modern,
    /// TLS 1.0 alone.
    #[serde(rename = "tls1.0")]
    Tls10,
    /// TLS 1.2 alone, with CBC suites and RSA key exchange alone.
    #[serde(rename = "tls1.2-rsa-cbc")]
    RsaCbc,
}

/// A phase of the dialogue whose reply can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The greeting.
    Banner,
    /// EHLO.
    Ehlo,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, or BDAT before the last.
    Data,
    /// The end of the message.
    Message,
}

/// Trouble a mail server makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The EHLO reply never ends.
    EndlessReply,
    /// Says nothing after the connection is open.
    Hang,
    /// Takes the message and closes without a reply.
    DropAfterMessage,
    /// Refuses the first attempt of each sender and recipient with 451.
    Greylist,
    /// Sends a greeting that never ends, an octet now and then.
    Tarpit,
    /// Sends greeting lines without end, as fast as they are taken.
    EndlessGreeting,
    /// Sends megabytes that are one line.
    LongLine,
}

/// An MTA-STS policy host (RFC 8461 §3.3).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyHostSpec {
    /// How places call it: `{sts}`; unique in the scenario.
    pub name: String,
    /// The policy domain; the host is `mta-sts.` and it.
    pub domain: String,
    /// The policy text, lines ended by LF here and CRLF on the wire.
    pub policy: String,
    /// What is wrong with it.
    #[serde(default)]
    pub fault: Option<PolicyFault>,
}

/// What is wrong with a policy host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyFault {
    /// 301 to another URL of the same host that has the policy (RFC 8461 §3.3 forbids following).
    Redirect,
    /// 404.
    NotFound,
    /// A certificate of another name.
    WrongName,
    /// A certificate of no known CA.
    SelfSigned,
    /// Never ends the reply.
    Slow,
    /// A body of megabytes.
    Huge,
    /// `text/html`.
    WrongType,
    /// Nobody listens.
    Dead,
}
