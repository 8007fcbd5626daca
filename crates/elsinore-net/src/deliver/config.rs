//! What a [`Sender`](super::Sender) is told once: names, limits, timeouts, trust.

use crate::tls::webpki::{RootsError, WebPkiRoots};
use elsinore_dane::destination::Destination;
use elsinore_dane::discovery::DiscoveryPolicy;
use elsinore_smtp::client::Timeouts as SmtpTimeouts;
use elsinore_smtp::command::GreetingName;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a sender, the same for every message.
#[derive(Debug, Clone)]
pub struct SenderConfig {
    /// The name given in EHLO (RFC 5321 §4.1.1.1): a fully qualified name or an address literal.
    pub greeting_name: GreetingName,
    /// The policy before destination overrides and the message's own wish: port, level, minimum
    /// protocol, networks, families, insecure MX.
    pub policy: DiscoveryPolicy,
    /// Overrides by the administrator (`[[destination]]`).
    pub destinations: Vec<Destination>,
    /// Certificate authorities for WebPKI (`tls.ca_file` included).
    pub roots: WebPkiRoots,
    /// Whether peers that rustls cannot speak to are tried with OpenSSL (`tls.legacy`).
    pub legacy: LegacyTls,
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// How much is tried.
    pub limits: Limits,
    /// Where MTA-STS policies are kept; `None` keeps them in memory.
    pub state: Option<StateFolder>,
    /// Which connections are kept for further messages.
    pub reuse: Reuse,
}

impl SenderConfig {
    /// Defaults throughout: Mozilla's authorities, both TLS libraries, policies in memory, a
    /// connection for each message.
    ///
    /// # Errors
    /// [`RootsError`] when the built-in authorities cannot be loaded.
    pub fn new(greeting_name: GreetingName) -> Result<Self, RootsError> {
        Ok(Self {
            greeting_name,
            policy: DiscoveryPolicy::default(),
            destinations: Vec::new(),
            roots: WebPkiRoots::new(None)?,
            legacy: LegacyTls::Allowed,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            state: None,
            reuse: Reuse::never(),
        })
    }
}

/// Whether the second rung of the TLS ladder is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LegacyTls {
    /// Peers that rustls cannot speak to are tried with OpenSSL.
    Allowed,
    /// rustls only.
    Off,
}

/// How long connections are kept for further messages, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reuse {
    /// How long a connection waits for its next message before it is left.
    pub idle_for: Duration,
    /// How old a connection may be when its last message begins.
    pub age: Duration,
    /// Messages that one connection carries.
    pub transactions: u32,
    /// Connections that may wait at one address under one demand; none switches reuse off.
    pub idle_per_server: usize,
    /// Connections that may wait in all; none switches reuse off.
    pub idle_in_all: usize,
}

impl Reuse {
    /// A connection for each message.
    #[must_use]
    pub const fn never() -> Self {
        Self {
            idle_for: Duration::ZERO,
            age: Duration::ZERO,
            transactions: 1,
            idle_per_server: 0,
            idle_in_all: 0,
        }
    }

    /// For a relay: four seconds of waiting, five minutes and 100 messages in all, 20 connections to
    /// one server and 200 altogether. A server has few to spare, and RFC 5321 §4.5.3.2.7 lets it close
    /// one that says nothing for five minutes; most do much earlier.
    #[must_use]
    pub const fn for_a_relay() -> Self {
        Self {
            idle_for: Duration::from_secs(4),
            age: Duration::from_secs(300),
            transactions: 100,
            idle_per_server: 20,
            idle_in_all: 200,
        }
    }
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

/// How long each step may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// The TCP connection to one address.
    pub connect: Duration,
    /// The phases of an SMTP session (RFC 5321 §4.5.3.2).
    pub smtp: SmtpTimeouts,
    /// The fetch of one MTA-STS policy, from the address lookup to the last octet (RFC 8461 §3.3
    /// suggests a minute).
    pub sts_fetch: Duration,
    /// The search for the next host of one domain, all its questions together.
    pub discovery: Duration,
    /// Everything for one domain. Once the final dot has been sent, its reply is still waited
    /// for.
    pub domain: Duration,
}

impl Default for Timeouts {
    /// The times of RFC 5321 §4.5.3.2, and an hour for a domain.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            smtp: SmtpTimeouts::default(),
            sts_fetch: Duration::from_secs(60),
            discovery: Duration::from_secs(120),
            domain: Duration::from_secs(3600),
        }
    }
}

impl Timeouts {
    /// Every step at most `limit`, the whole as before: for tests, labs and impatient users.
    #[must_use]
    pub fn capped(self, limit: Duration) -> Self {
        let smtp = self.smtp;
        Self {
            connect: self.connect.min(limit),
            smtp: SmtpTimeouts {
                greeting: smtp.greeting.min(limit),
                hello: smtp.hello.min(limit),
                handshake: smtp.handshake.min(limit),
                mail: smtp.mail.min(limit),
                recipient: smtp.recipient.min(limit),
                data_start: smtp.data_start.min(limit),
                data_block: smtp.data_block.min(limit),
                data_end: smtp.data_end.min(limit),
                quit: smtp.quit.min(limit),
            },
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
