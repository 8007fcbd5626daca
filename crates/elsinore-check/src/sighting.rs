//! What was seen of one domain: the result of measuring, before anything is judged.
//!
//! Plain values without JSON names. A bundle keeps what makes these (DNS replies, sessions, policy
//! fetches), not these: whoever recomputes a verdict measures again, in a world that is replayed.

use crate::report::{Offer, Zone, ZoneServers};
use elsinore_dane::answer::Question;
use elsinore_dane::finding::Finding;
use elsinore_dane::mta_sts::{CachedPolicy, StsFetch};
use elsinore_dane::name::DomainName;
use elsinore_dane::plan::{HostPlan, Refusal};
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::{Outcome, SessionSecurity};
use elsinore_net::doctor::triage::Blame;
use elsinore_net::resolver::Explained;
use elsinore_net::tls::{Backend, KeyProof, TlsFacts};
use std::net::IpAddr;

pub use crate::report::SenderKind;

/// All that was seen of one domain.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// The domain.
    pub domain: DomainName,
    /// When the check began; signatures and certificates are judged at this moment.
    pub began: UnixTime,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// What each kind of sender decided: one entry per [`SenderKind`], the DANE sender first.
    pub senders: Vec<SenderSighting>,
    /// Every host, in the order of the DANE sender's plan made stable: by preference, then name.
    pub hosts: Vec<HostSighting>,
    /// Every question to DNS, each once, in the order of first use.
    pub lookups: Vec<LookupSighting>,
    /// The zones from the root to the domain's, then those of the hosts, each once. Facts alone.
    pub zones: Vec<Zone>,
    /// Name servers of both sides of each cut that matters, and what each said when asked
    /// directly; [`crate::report::ServerAnswer::differs`] is left to the judge.
    pub servers: Vec<ZoneServers>,
    /// The MTA-STS policy as far as it was looked for.
    pub sts: StsSighting,
    /// The overrides of the administrator that bear on the domain, one line each.
    pub overrides: Vec<String>,
    /// Whose fault failing lookups are, when some failed.
    pub blame: Blame,
    /// Whether this check rests on a bundle rather than on the network.
    pub replayed: bool,
    /// How polite it was, and what was left out.
    pub measured: crate::report::Measured,
}

/// What one kind of sender decided, and what would come of it.
#[derive(Debug, Clone)]
pub struct SenderSighting {
    /// Which sender.
    pub kind: SenderKind,
    /// The hosts it would try in its order, or the refusal.
    pub route: RouteSighting,
    /// What its engine noted about the domain as a whole.
    pub findings: Vec<Finding>,
    /// What a delivery would come to: the fold that `send` uses, over the sessions seen.
    pub end: SenderEnd,
}

/// Whether there are hosts to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteSighting {
    /// The plans in the sender's order.
    Hosts(Vec<HostPlan>),
    /// The message is returned. The plans are those of hosts that were decided to be skipped.
    Bounce(Refusal, Vec<HostPlan>),
    /// The message waits.
    Defer(Refusal, Vec<HostPlan>),
    /// The engine came to no end in the time there was.
    TimedOut,
}

impl RouteSighting {
    /// The plans in the sender's order, those of a refusal too.
    #[must_use]
    pub fn plans(&self) -> &[HostPlan] {
        match self {
            Self::Hosts(plans) | Self::Bounce(_, plans) | Self::Defer(_, plans) => plans,
            Self::TimedOut => &[],
        }
    }
}

/// What a delivery would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderEnd {
    /// Delivered, deferred, bounced.
    pub outcome: Outcome,
    /// What the session would be worth.
    pub security: Option<SessionSecurity>,
    /// The host it would use, as the MX record names it.
    pub mx_host: Option<String>,
    /// The address it would use.
    pub mx_address: Option<IpAddr>,
    /// The reply or refusal that decides, as it would stand in the log.
    pub reply: Option<String>,
}

/// One host.
#[derive(Debug, Clone)]
pub struct HostSighting {
    /// The name as the MX record has it.
    pub mx_host: String,
    /// The host's name parsed; `None` for an address in an MX record.
    pub name: Option<DomainName>,
    /// Apex of the zone that holds the name, where found out.
    pub zone: Option<String>,
    /// Indexes in [`Sighting::lookups`] of A and AAAA.
    pub address_lookups: Vec<usize>,
    /// TLSA questions about this host: the engine's, and those put for comparison.
    pub tlsa_lookups: Vec<TlsaLookup>,
    /// Addresses and what was met there.
    pub addresses: Vec<AddressSighting>,
}

/// One TLSA question.
#[derive(Debug, Clone)]
pub struct TlsaLookup {
    /// The base domain.
    pub base: DomainName,
    /// Index in [`Sighting::lookups`].
    pub lookup: usize,
    /// Whether the DANE sender's engine put it.
    pub asked_by_sender: bool,
}

/// One address of one host.
#[derive(Debug, Clone)]
pub struct AddressSighting {
    /// The address.
    pub address: IpAddr,
    /// The sessions in the order held. Those with [`Offer::Sender`] are the rungs of the DANE
    /// sender's climb; the last of them decided.
    pub sessions: Vec<SessionSighting>,
    /// What each kind of sender comes to at this address, by the judge of the sessions: one entry
    /// per kind whose plan has this address.
    pub verdicts: Vec<AddressVerdict>,
}

/// What one kind of sender comes to at one address.
#[derive(Debug, Clone)]
pub struct AddressVerdict {
    /// Which sender.
    pub kind: SenderKind,
    /// What the session is worth, when the obligation is met.
    pub security: Option<SessionSecurity>,
    /// What stands in the way, in one line, when it is not.
    pub failure: Option<String>,
    /// Why that says nothing about the server, when it does not.
    pub inconclusive: Option<String>,
}

/// One session, ended by QUIT before MAIL.
#[derive(Debug, Clone)]
pub struct SessionSighting {
    /// Which certificates were asked for.
    pub offer: Offer,
    /// The server name sent.
    pub sni: Option<DomainName>,
    /// The library that spoke, or would have.
    pub backend: Backend,
    /// Why there was no connection; `None` when there was one.
    pub no_connection: Option<String>,
    /// The greeting, one line, when one came.
    pub greeting: Option<String>,
    /// What came of STARTTLS.
    pub starttls: StartTlsSeen,
    /// Keywords of the EHLO reply before TLS.
    pub capabilities: Vec<String>,
    /// Keywords of the EHLO reply inside TLS.
    pub capabilities_inside: Vec<String>,
    /// Whether plaintext came behind the 220 of STARTTLS (RFC 3207 §4.2).
    pub injected: bool,
    /// What was negotiated, when the handshake was completed, accepted or not.
    pub tls: Option<TlsFacts>,
    /// The certificates as sent, DER, leaf first; bounded.
    pub chain: Vec<Vec<u8>>,
    /// Whether the handshake was signed with the key of the first of them.
    pub key_proof: KeyProof,
    /// Why the handshake failed, or why the server was refused under the DANE sender's obligation.
    pub tls_failure: Option<String>,
    /// Whether the handshake failed because the server has no certificate of the one algorithm
    /// that was asked for.
    pub no_such_certificate: bool,
    /// Why the session failed otherwise: a reply, a lost connection, out of time.
    pub failure: Option<String>,
    /// Why it says nothing about the server, when it does not.
    pub inconclusive: Option<String>,
    /// What was noted.
    pub findings: Vec<Finding>,
    /// The dialogue, bounded and printable.
    pub transcript: Vec<String>,
    /// Milliseconds until the connection stood.
    pub connect_ms: Option<u64>,
    /// Milliseconds of the handshake.
    pub handshake_ms: Option<u64>,
    /// Milliseconds of the whole session.
    pub elapsed_ms: u64,
}

/// What came of STARTTLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartTlsSeen {
    /// The session ended before it.
    NotReached,
    /// Not among the capabilities.
    NotOffered,
    /// Refused with this reply.
    Refused(String),
    /// Accepted.
    Accepted,
}

/// One question to DNS.
#[derive(Debug, Clone)]
pub struct LookupSighting {
    /// The question.
    pub question: Question,
    /// What it was put for, in a few words for people.
    pub purpose: &'static str,
    /// The answer with all that it rests on.
    pub explained: Explained,
    /// Milliseconds it took.
    pub elapsed_ms: u64,
}

/// MTA-STS and TLS-RPT as far as they were looked for.
#[derive(Debug, Clone, Default)]
pub struct StsSighting {
    /// Index in [`Sighting::lookups`] of the `_mta-sts` TXT question.
    pub lookup: Option<usize>,
    /// The policy in force for the sender, when there is one.
    pub policy: Option<CachedPolicy>,
    /// What the fetch came to, when one was made: the octets, or why not.
    pub fetch: Option<StsFetch>,
    /// Index in [`Sighting::lookups`] of the `_smtp._tls` TXT question.
    pub tls_rpt_lookup: Option<usize>,
}
