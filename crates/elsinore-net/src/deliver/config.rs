//! What a [`Sender`](super::Sender) is told once: names, limits, timeouts, trust.

use crate::tls::MinProtocol;
use crate::tls::webpki::WebPkiRoots;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a sender, the same for every message.
#[derive(Debug, Clone)]
pub struct SenderConfig {
    /// The name given in EHLO (RFC 5321 §4.1.1.1): a fully qualified name or an address literal.
    pub helo: String,
    /// Certificate authorities for WebPKI (`tls.ca_file` included).
    pub roots: WebPkiRoots,
    /// Whether peers that rustls cannot speak to are tried with OpenSSL (`tls.legacy`).
    pub legacy: LegacyTls,
    /// The oldest protocol of an authenticated session (`tls.min_authenticated`).
    pub min_authenticated: MinProtocol,
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// How much is tried.
    pub limits: Limits,
    /// Where MTA-STS policies are kept; `None` keeps them in memory.
    pub state: Option<StateFolder>,
}

/// Whether the second rung of the TLS ladder is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LegacyTls {
    /// Peers that rustls cannot speak to are tried with OpenSSL.
    Allowed,
    /// rustls only.
    Off,
}

/// The folder for learnt state, and under which trust it is learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFolder {
    /// `state_dir`.
    pub path: PathBuf,
    /// SHA-256 over the set of DNSSEC trust anchors in use: state learnt under one set is never
    /// used under another.
    pub trust: [u8; 32],
}

/// How long each step may take (RFC 5321 §4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// The TCP connection to one address.
    pub connect: Duration,
    /// The 220 greeting (§4.5.3.2.1).
    pub greeting: Duration,
    /// The reply to EHLO, HELO, STARTTLS, RSET and QUIT.
    pub command: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// The reply to MAIL (§4.5.3.2.2).
    pub mail: Duration,
    /// The reply to RCPT (§4.5.3.2.3).
    pub rcpt: Duration,
    /// The reply to DATA (§4.5.3.2.4).
    pub data_init: Duration,
    /// One block of the message (§4.5.3.2.5).
    pub data_block: Duration,
    /// The reply to the final dot (§4.5.3.2.6).
    pub data_end: Duration,
    /// The fetch of one MTA-STS policy, from the address lookup to the last octet (RFC 8461 §3.3
    /// suggests a minute).
    pub sts_fetch: Duration,
    /// The discovery of one domain, all questions together.
    pub discovery: Duration,
    /// Everything for one domain. Once the final dot has been sent, its reply is still waited
    /// for.
    pub domain: Duration,
}

impl Timeouts {
    /// The times of RFC 5321 §4.5.3.2, and an hour for a domain.
    #[must_use]
    pub const fn rfc5321() -> Self {
        const fn minutes(count: u64) -> Duration {
            Duration::from_secs(count * 60)
        }
        Self {
            connect: Duration::from_secs(30),
            greeting: minutes(5),
            command: minutes(5),
            tls: minutes(1),
            mail: minutes(5),
            rcpt: minutes(5),
            data_init: minutes(2),
            data_block: minutes(3),
            data_end: minutes(10),
            sts_fetch: minutes(1),
            discovery: minutes(2),
            domain: minutes(60),
        }
    }

    /// Every time at most `limit`: for tests, labs and impatient users.
    #[must_use]
    pub fn capped(self, limit: Duration) -> Self {
        Self {
            connect: self.connect.min(limit),
            greeting: self.greeting.min(limit),
            command: self.command.min(limit),
            tls: self.tls.min(limit),
            mail: self.mail.min(limit),
            rcpt: self.rcpt.min(limit),
            data_init: self.data_init.min(limit),
            data_block: self.data_block.min(limit),
            data_end: self.data_end.min(limit),
            sts_fetch: self.sts_fetch.min(limit),
            discovery: self.discovery.min(limit),
            domain: self.domain,
        }
    }
}

/// How much is tried for one domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// MX hosts contacted (RFC 5321 §5.1 asks for two addresses at least).
    pub hosts: usize,
    /// Addresses contacted, all hosts together.
    pub addresses: usize,
    /// Recipients of one transaction; RFC 5321 §4.5.3.1.8 obliges servers to take 100.
    pub recipients: usize,
    /// Octets of an MTA-STS policy (RFC 8461 §3.3 suggests 64 KiB).
    pub sts_policy: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hosts: 10,
            addresses: 20,
            recipients: 100,
            sts_policy: 64 * 1024,
        }
    }
}
