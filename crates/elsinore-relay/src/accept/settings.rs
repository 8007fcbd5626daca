//! What an administrator may set about accepting mail.

use elsinore_net::resolver::Net;
use elsinore_smtp::address::Mailbox;
use elsinore_smtp::command::GreetingName;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How mail is accepted. Everything but the addresses may change while the relay runs: it holds for
/// connections that come after the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptSettings {
    /// TCP addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// A unix socket to listen on, whose clients are on this machine; none when absent.
    pub socket: Option<PathBuf>,
    /// Permission bits of that socket: who may write to it may send mail.
    pub socket_mode: u32,
    /// The name this relay has in its greeting and in Received fields.
    pub host: GreetingName,
    /// Where mail to `postmaster` without a domain goes (RFC 5321 §4.5.1); `postmaster@host` when
    /// absent.
    pub postmaster: Option<Mailbox>,
    /// Whose mail is relayed; loopback alone when this is empty. Nobody else's, whatever else is set.
    pub allow_clients: Vec<Net>,
    /// Certificate and key for STARTTLS; not offered when absent.
    pub tls: Option<TlsFiles>,
    /// Bounds on what clients may take.
    pub limits: AcceptLimits,
    /// How long clients may take.
    pub times: AcceptTimes,
    /// Octets above 127 in a message that was not declared 8BITMIME (RFC 6152 §3).
    pub undeclared_eight_bit: UndeclaredEightBit,
    /// Octets of a message that are held in memory before it goes into a file.
    pub in_memory: usize,
}

/// What becomes of a message with octets above 127 that did not say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UndeclaredEightBit {
    /// It is refused, 554 5.6.3.
    Refused,
    /// It is taken as if it had said so.
    Taken,
}

/// The certificate for STARTTLS. Both files are looked at every few seconds and on SIGHUP, and taken
/// only when they fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the certificate, then what leads to its issuer.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// Bounds on what clients may take of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptLimits {
    /// Connections in all. Above it: 421 4.3.2, above twice the number no answer at all.
    pub connections: usize,
    /// Connections of one client; an IPv6 client is a /64. The unix socket has no such bound.
    pub connections_per_client: usize,
    /// New connections of one client in a minute; the unix socket has no such bound. High by default:
    /// against a client that runs wild, not against one with a connection for each message.
    pub connections_per_minute: u32,
    /// Recipients of one message; from there on 452 4.5.3 (RFC 5321 §4.5.3.1.10). At least 100
    /// (RFC 5321 §4.5.3.1.8).
    pub recipients: usize,
    /// Octets of a message, said by SIZE (RFC 1870).
    pub message_octets: u64,
    /// Octets of a line of a message.
    pub line_octets: u64,
    /// Mistakes in one session; then 421 4.7.0.
    pub errors: u32,
    /// Commands in a row that bring no message nearer, such as NOOP and RSET; then 421 4.7.0.
    pub idle_commands: u32,
    /// Received fields of a message; more are a loop (RFC 5321 §6.3), 554 5.4.6.
    pub received_fields: usize,
}

/// How long clients may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptTimes {
    /// Until the next command begins (RFC 5321 §4.5.3.2.7: at least 5 minutes).
    pub command: Duration,
    /// From the first octet of a command line to its end.
    pub line: Duration,
    /// Without one octet of the message.
    pub block: Duration,
    /// The TLS handshake.
    pub handshake: Duration,
    /// Writing a reply.
    pub reply: Duration,
    /// Session time without a message being accepted, the time in which messages arrive not counted.
    pub without_message: Duration,
    /// Octets per second of a message, on the average since it began; see
    /// [`grace`](Self::grace).
    pub slowest: u64,
    /// Time of a message that does not count for [`slowest`](Self::slowest).
    pub grace: Duration,
    /// How long sessions inside a transaction may go on after the relay was told to stop.
    pub last_messages: Duration,
}

/// The port where nothing else is said.
pub const DEFAULT_PORT: u16 = 2525;

impl Default for AcceptSettings {
    fn default() -> Self {
        Self {
            listen: vec![
                SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT),
                SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), DEFAULT_PORT),
            ],
            socket: None,
            socket_mode: 0o666,
            host: GreetingName::localhost(),
            postmaster: None,
            allow_clients: Vec::new(),
            tls: None,
            limits: AcceptLimits::default(),
            times: AcceptTimes::default(),
            // Exim and many programs that send mail never say BODY=8BITMIME; a refusal would bounce what
            // we can carry, or convert where the next server cannot.
            undeclared_eight_bit: UndeclaredEightBit::Taken,
            in_memory: 128 * 1024,
        }
    }
}

impl Default for AcceptLimits {
    fn default() -> Self {
        Self {
            connections: 500,
            connections_per_client: 200,
            connections_per_minute: 600_000,
            recipients: 1000,
            message_octets: 50 * 1024 * 1024,
            line_octets: 1024 * 1024,
            errors: 20,
            idle_commands: 100,
            received_fields: 50,
        }
    }
}

impl Default for AcceptTimes {
    fn default() -> Self {
        Self {
            command: Duration::from_secs(300),
            line: Duration::from_secs(60),
            block: Duration::from_secs(180),
            handshake: Duration::from_secs(60),
            reply: Duration::from_secs(120),
            without_message: Duration::from_secs(1800),
            slowest: 200,
            grace: Duration::from_secs(60),
            last_messages: Duration::from_secs(20),
        }
    }
}

impl AcceptSettings {
    /// Whether mail of a client at `address` is relayed.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.allow_clients.is_empty() {
            return address.is_loopback();
        }
        self.allow_clients.iter().any(|net| net.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_means_loopback_only() {
        let nets = |list: &[&str]| -> Vec<Net> {
            list.iter().map(|net| net.parse().expect("a net")).collect()
        };
        for (list, address, allowed) in [
            (&[][..], "127.0.0.1", true),
            (&[], "127.255.0.9", true),
            (&[], "::1", true),
            (&[], "::ffff:127.0.0.1", true),
            (&[], "192.0.2.1", false),
            (&[], "10.0.0.1", false),
            (&[], "fe80::1", false),
            (&["192.0.2.0/24"], "192.0.2.1", true),
            (&["192.0.2.0/24"], "::ffff:192.0.2.1", true),
            (&["192.0.2.0/24"], "127.0.0.1", false),
            (&["2001:db8::/32"], "2001:db8::1", true),
            (&["2001:db8::/32"], "192.0.2.1", false),
        ] {
            let settings = AcceptSettings {
                allow_clients: nets(list),
                ..AcceptSettings::default()
            };
            let address = address.parse().expect("an address");
            assert_eq!(settings.allows(address), allowed, "{list:?} {address}");
        }
    }
}
