//! `[relay]` as written.

use crate::config::file::{Count, Parsed};
use elsinore_dane::destination::DomainPattern;
use elsinore_dane::name::DomainName;
use elsinore_dane::network::Network;
use elsinore_smtp::address::{AddressError, Mailbox};
use serde::Deserialize;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// `[relay]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RelaySection {
    /// What the relay is called: in greetings, in Received fields, and as reporting MTA.
    pub(crate) name: Option<Parsed<DomainName>>,
    /// Other names under which this relay stands in MX lists.
    pub(crate) own_names: Vec<Parsed<DomainName>>,
    /// Addresses and ports that lead here beside those it listens on, as where a router translates.
    pub(crate) own_addresses: Vec<SocketAddr>,
    /// TCP addresses where mail is accepted.
    pub(crate) listen: Option<Vec<SocketAddr>>,
    /// A unix socket where mail is accepted.
    pub(crate) socket: Option<PathBuf>,
    /// Its permission bits, octal: who may write to it may send mail.
    pub(crate) socket_mode: Option<Parsed<FileMode>>,
    /// Who may have mail relayed; loopback only when empty.
    pub(crate) allow_clients: Vec<Parsed<Network>>,
    /// Folder of the store.
    pub(crate) store: Option<PathBuf>,
    /// A store shared by several relays, instead of the folder.
    pub(crate) postgres: Option<Secret>,
    /// A file that holds the same, for who keeps passwords apart.
    pub(crate) postgres_file: Option<PathBuf>,
    /// The schema of its tables there, made when it is missing.
    pub(crate) postgres_schema: Option<String>,
    /// Connections to the server at most.
    pub(crate) postgres_pool: Option<Count>,
    /// The certificates that the server's is verified against, PEM, instead of the system's.
    pub(crate) postgres_ca: Option<PathBuf>,
    /// How long a message is tried.
    pub(crate) lifetime: Option<Span>,
    /// After how long its sender is told that it waits; never when 0.
    pub(crate) warn_after: Option<Span>,
    /// Who gets what can be told to nobody else.
    pub(crate) postmaster: Option<Parsed<Postmaster>>,
    /// What becomes of octets above 127 that were not declared.
    pub(crate) undeclared_8bit: Option<EightBit>,
    /// Form of the log.
    pub(crate) log: Option<LogFormat>,
    pub(crate) tls: RelayTlsSection,
    pub(crate) limits: LimitsSection,
    pub(crate) timeouts: RelayTimeoutsSection,
    pub(crate) retry: RetrySection,
    pub(crate) delivery: DeliverySection,
    #[serde(rename = "destination")]
    pub(crate) destinations: Vec<RelayDestinationSection>,
    pub(crate) tlsrpt: TlsRptSection,
    pub(crate) admin: AdminSection,
}

/// `[relay.tls]`: STARTTLS for clients.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RelayTlsSection {
    /// The certificate and what leads to its authority, PEM.
    pub(crate) certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub(crate) key: Option<PathBuf>,
}

/// `[relay.limits]`: what clients may do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSection {
    /// Connections at a time.
    pub(crate) connections: Option<Count>,
    /// Of which so many from one client.
    pub(crate) connections_per_client: Option<Count>,
    /// New connections of one client in a minute.
    pub(crate) connections_per_minute: Option<Count>,
    /// Recipients of one message.
    pub(crate) recipients: Option<Recipients>,
    /// Octets of one message.
    pub(crate) size: Option<Octets>,
    /// Mistakes after which a connection is closed.
    pub(crate) errors: Option<Count>,
    /// Commands in a row that bring no message nearer.
    pub(crate) idle_commands: Option<Count>,
    /// Received fields from which on a message counts as looping.
    pub(crate) received_fields: Option<Count>,
    /// Octets of a message in a second, on the average.
    pub(crate) slowest: Option<Count>,
}

/// `[relay.timeouts]`: how long clients may take, and the relay to stop.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RelayTimeoutsSection {
    /// Until the next command begins.
    pub(crate) command: Option<Span>,
    /// From the first octet of a command line to its end.
    pub(crate) line: Option<Span>,
    /// Without one octet of a message.
    pub(crate) block: Option<Span>,
    /// The TLS handshake.
    pub(crate) handshake: Option<Span>,
    /// Writing a reply.
    pub(crate) reply: Option<Span>,
    /// A session without a message.
    pub(crate) without_message: Option<Span>,
    /// Work under way, once the relay was told to stop.
    pub(crate) stop: Option<Span>,
}

/// `[relay.retry]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetrySection {
    /// The pause after the first attempt.
    pub(crate) first: Option<Span>,
    /// The longest pause.
    pub(crate) longest: Option<Span>,
    /// The first pause where DNS was in the way.
    pub(crate) dns: Option<Span>,
}

/// `[relay.delivery]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DeliverySection {
    /// Jobs worked on at a time.
    pub(crate) concurrency: Option<Count>,
    /// To one destination, to begin with.
    pub(crate) per_destination_first: Option<Count>,
    /// To one destination, at most.
    pub(crate) per_destination: Option<Count>,
    /// Messages to one destination in a minute; no bound when absent.
    pub(crate) messages_per_minute: Option<Count>,
    /// How long after its last sign of life another relay takes over what one was working on.
    pub(crate) lease: Option<Span>,
}

/// One `[[relay.destination]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelayDestinationSection {
    /// Of which destination it speaks; with a leading dot, of all below it.
    pub(crate) domain: Parsed<DomainPattern>,
    /// Jobs at a time, to begin with.
    pub(crate) first: Option<Count>,
    /// Jobs at a time, at most.
    pub(crate) concurrency: Option<Count>,
    /// Messages in a minute.
    pub(crate) messages_per_minute: Option<Count>,
}

/// `[relay.tlsrpt]`: reports about TLS (RFC 8460).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsRptSection {
    /// Whether attempts are counted and reports are sent.
    pub(crate) enabled: Option<bool>,
    /// Who sends them.
    pub(crate) organisation: Option<String>,
    /// Whom to ask about them.
    pub(crate) contact: Option<String>,
    /// From whom they come by mail.
    pub(crate) from: Option<String>,
    /// The domain that signs them (DKIM).
    pub(crate) dkim_domain: Option<Parsed<DomainName>>,
    /// The selector of its key.
    pub(crate) dkim_selector: Option<String>,
    /// The private key, PEM.
    pub(crate) dkim_key: Option<PathBuf>,
    /// Hours after midnight UTC over which they are spread.
    pub(crate) hours: Option<u32>,
    /// Whether the domains of MX hosts are told of their TLSA records too.
    pub(crate) host_reports: Option<bool>,
}

/// `[relay.admin]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AdminSection {
    /// Where health, metrics and the queue can be asked for over HTTP; nowhere when absent.
    pub(crate) listen: Option<SocketAddr>,
    /// Whether an address that is not loopback is meant.
    pub(crate) public: Option<bool>,
    /// Names that may stand in a request's Host field beside addresses and `localhost`.
    pub(crate) hosts: Vec<Parsed<DomainName>>,
    /// The file with the token for the queue, at least 16 characters.
    pub(crate) token_file: Option<PathBuf>,
}

/// `text` or `json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// `key=value`, for people.
    #[default]
    Text,
    /// One object a line, for programs.
    Json,
}

/// `refuse` or `take`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EightBit {
    /// The message is refused.
    Refuse,
    /// It is taken as if it had said so.
    Take,
}

/// Permission bits in octal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileMode(pub(crate) u32);

impl FromStr for FileMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "not permission bits, as in \"0660\"";
        let mode = u32::from_str_radix(text, 8).map_err(|_| FORM)?;
        if mode > 0o777 || text.len() < 3 {
            return Err(FORM);
        }
        Ok(Self(mode))
    }
}

/// An address, without angle brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Postmaster(pub(crate) Mailbox);

impl FromStr for Postmaster {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Mailbox::parse(text).map(Self)
    }
}

/// A number of recipients, at least 100 (RFC 5321 §4.5.3.1.8) and at most 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(crate) struct Recipients(pub(crate) u32);

impl TryFrom<u32> for Recipients {
    type Error = &'static str;

    fn try_from(count: u32) -> Result<Self, Self::Error> {
        match count {
            100..=100_000 => Ok(Self(count)),
            _ => Err("not between 100 and 100000 recipients"),
        }
    }
}

/// Text that is not shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A span of time: a whole number of seconds, or a number with `s`, `m`, `h` or `d` after it. At most
/// 100 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(crate) struct Span(pub(crate) Duration);

impl Span {
    /// As it would be written, in the largest unit that fits.
    pub(crate) fn text(span: Duration) -> String {
        let seconds = span.as_secs();
        for (unit, letter) in [(86_400, 'd'), (3_600, 'h'), (60, 'm')] {
            if seconds > 0 && seconds.is_multiple_of(unit) {
                return format!("{}{letter}", seconds / unit);
            }
        }
        format!("{seconds}s")
    }
}

impl TryFrom<toml::Value> for Span {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        const FORM: &str = "not a span of time (90, \"90s\", \"5m\", \"4h\" or \"5d\")";
        let seconds = match &value {
            toml::Value::Integer(seconds) => u64::try_from(*seconds).map_err(|_| FORM)?,
            toml::Value::String(text) => {
                with_unit(text, &[("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)]).ok_or(FORM)?
            }
            _ => return Err(FORM),
        };
        match seconds {
            0..=8_640_000 => Ok(Self(Duration::from_secs(seconds))),
            _ => Err("more than 100 days"),
        }
    }
}

/// A number of octets: a whole number, or one with `K`, `M` or `G` after it (1024, 1024² and 1024³).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(crate) struct Octets(pub(crate) u64);

impl Octets {
    /// As it would be written, in the largest unit that fits.
    pub(crate) fn text(octets: u64) -> String {
        for (unit, letter) in [(1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')] {
            if octets > 0 && octets.is_multiple_of(unit) {
                return format!("{}{letter}", octets / unit);
            }
        }
        octets.to_string()
    }
}

impl TryFrom<toml::Value> for Octets {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        const FORM: &str = "not a number of octets (65536, \"64K\", \"50M\" or \"1G\")";
        let octets = match &value {
            toml::Value::Integer(octets) => u64::try_from(*octets).map_err(|_| FORM)?,
            toml::Value::String(text) => {
                with_unit(text, &[("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30)]).ok_or(FORM)?
            }
            _ => return Err(FORM),
        };
        match octets {
            // RFC 5321 §4.5.3.1.7: a message of 64 KiB must be taken.
            0..65_536 => Err("less than 64K"),
            65_536..=4_294_967_296 => Ok(Self(octets)),
            _ => Err("more than 4G"),
        }
    }
}

/// A whole number with one of `units` after it.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = units.iter().find_map(|(letter, unit)| {
        let number = text.strip_suffix(letter)?;
        Some((number.trim_end(), *unit))
    })?;
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_octets_as_people_write_them() {
        let text = |text: &str| toml::Value::String(text.to_owned());
        for (value, seconds) in [
            (toml::Value::Integer(90), Some(90)),
            (text("90s"), Some(90)),
            (text("5 m"), Some(300)),
            (text("4h"), Some(14_400)),
            (text("5d"), Some(432_000)),
            (text("0s"), Some(0)),
            (text("5"), None),
            (text("-5d"), None),
            (text("101d"), None),
            (text("d"), None),
            (text("99999999999999999999d"), None),
            (toml::Value::Integer(-1), None),
            (toml::Value::Boolean(true), None),
        ] {
            let span = Span::try_from(value.clone()).ok();
            assert_eq!(
                span,
                seconds.map(|s| Span(Duration::from_secs(s))),
                "{value}"
            );
        }
        for (value, octets) in [
            (text("64K"), Some(65_536)),
            (text("50M"), Some(52_428_800)),
            (toml::Value::Integer(65_536), Some(65_536)),
            (text("63K"), None),
            (text("5G"), None),
            (text("5T"), None),
        ] {
            assert_eq!(
                Octets::try_from(value.clone()).ok(),
                octets.map(Octets),
                "{value}"
            );
        }
        assert_eq!(Span::text(Duration::from_secs(432_000)), "5d");
        assert_eq!(Span::text(Duration::from_secs(90)), "90s");
        assert_eq!(Octets::text(52_428_800), "50M");
        assert_eq!(Octets::text(65_537), "65537");
    }
}
