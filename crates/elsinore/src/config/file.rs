//! The configuration file as written: TOML, every key optional, unknown keys refused with their
//! line. Each value is parsed here, so that each error can name its line.

use super::policyd::HttpPlace;
use super::relay::section::FileMode;
use super::relay::section::RelaySection;
use crate::exit::Refusal;
use crate::output::printable;
use anyhow::Result;
use clap::ValueEnum;
use elsinore_dane::destination::{DomainPattern, InsecureMx, Level, MatchName, Mode};
use elsinore_dane::name::DomainName;
use elsinore_dane::network::Network;
use elsinore_dane::next_hop::{NextHop, NextHopError};
use elsinore_dane::time::UnixTime;
use elsinore_net::doctor::{MailTarget, ProbeName};
use elsinore_web::settings::PublicUrl;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConfigFile {
    pub(crate) dns: DnsSection,
    pub(crate) tls: TlsSection,
    pub(crate) smtp: SmtpSection,
    pub(crate) policy: PolicySection,
    pub(crate) check: CheckSection,
    pub(crate) doctor: DoctorSection,
    pub(crate) lab: LabSection,
    pub(crate) web: WebSection,
    pub(crate) policyd: PolicydSection,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) relay: RelaySection,
    /// Keys of the survey: accepted in every mode, read by the survey alone.
    #[serde(rename = "survey")]
    _survey: toml::Table,
    #[serde(rename = "destination")]
    pub(crate) destinations: Vec<DestinationSection>,
}

/// `[dns]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DnsSection {
    pub(crate) mode: Option<DnsMode>,
    pub(crate) root_hints: Option<PathBuf>,
    pub(crate) trust_anchor: Option<PathBuf>,
    pub(crate) upstream: Vec<Upstream>,
    pub(crate) allow_nets: Vec<Parsed<Network>>,
    pub(crate) nta: Vec<Parsed<DomainName>>,
    /// Whose AD bit is believed.
    pub(crate) ad_trust: Option<AdTrust>,
    /// How long one lookup may take, all included.
    pub(crate) timeout: Option<Seconds>,
    /// Whether signatures with SHA-1 (algorithms 5 and 7) count.
    pub(crate) sha1: Option<bool>,
    /// Memory for everything that is kept of DNS, in units of 1,048,576 octets.
    pub(crate) cache_megabytes: Option<Megabytes>,
}

/// Where DNS answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DnsMode {
    /// From the root downwards, validated here.
    #[default]
    Recursive,
    /// From an upstream resolver, validated here.
    Forward,
    /// From a local resolver whose AD bit is believed.
    Ad,
}

/// Whose AD bit is believed in mode `ad`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AdTrust {
    /// That of resolvers on loopback; any other upstream is refused.
    #[default]
    Loopback,
    /// That of any upstream: the administrator vouches for the way there.
    Any,
}

/// `[tls]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsSection {
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) legacy: Option<bool>,
    pub(crate) min_authenticated: Option<MinimumTls>,
}

/// The lowest protocol version of an authenticated session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(crate) enum MinimumTls {
    /// TLS 1.2 (RFC 5246).
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    #[serde(rename = "1.3")]
    Tls13,
}

/// `[smtp]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SmtpSection {
    pub(crate) helo: Option<Parsed<DomainName>>,
    pub(crate) port: Option<u16>,
    pub(crate) allow_nets: Vec<Parsed<Network>>,
    pub(crate) timeouts: TimeoutsSection,
}

/// `[smtp.timeouts]`: seconds per step (RFC 5321 §4.5.3.2).
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TimeoutsSection {
    pub(crate) connect: Option<Seconds>,
    pub(crate) greeting: Option<Seconds>,
    pub(crate) hello: Option<Seconds>,
    pub(crate) handshake: Option<Seconds>,
    pub(crate) mail: Option<Seconds>,
    pub(crate) recipient: Option<Seconds>,
    pub(crate) data_start: Option<Seconds>,
    pub(crate) data_block: Option<Seconds>,
    pub(crate) data_end: Option<Seconds>,
    pub(crate) quit: Option<Seconds>,
    pub(crate) sts_fetch: Option<Seconds>,
    pub(crate) discovery: Option<Seconds>,
    pub(crate) domain: Option<Seconds>,
}

/// A whole number of seconds, at least 1 and at most a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(crate) struct Seconds(pub(crate) u32);

impl Seconds {
    /// As a duration.
    pub(crate) const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }
}

impl TryFrom<u32> for Seconds {
    type Error = &'static str;

    fn try_from(seconds: u32) -> Result<Self, Self::Error> {
        match seconds {
            1..=86_400 => Ok(Self(seconds)),
            _ => Err("not between 1 and 86400 seconds"),
        }
    }
}

/// A number of mebibytes, at least 1 and at most 65536.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(crate) struct Megabytes(u32);

impl Megabytes {
    /// As octets.
    pub(crate) const fn octets(self) -> usize {
        (self.0 as usize).saturating_mul(1 << 20)
    }
}

impl TryFrom<u32> for Megabytes {
    type Error = &'static str;

    fn try_from(megabytes: u32) -> Result<Self, Self::Error> {
        match megabytes {
            1..=65_536 => Ok(Self(megabytes)),
            _ => Err("not between 1 and 65536 megabytes"),
        }
    }
}

/// `[policy]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PolicySection {
    pub(crate) insecure_mx: Option<Parsed<InsecureMx>>,
}

/// `[doctor]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DoctorSection {
    pub(crate) resolv_conf: Option<PathBuf>,
    pub(crate) secure: Vec<Parsed<ProbeName>>,
    pub(crate) bogus: Vec<Parsed<ProbeName>>,
    pub(crate) insecure: Vec<Parsed<ProbeName>>,
    pub(crate) mail: Option<Vec<Parsed<MailTarget>>>,
    /// How long a resolver or a root server may take for one answer.
    pub(crate) timeout: Option<Seconds>,
}

/// `[check]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CheckSection {
    /// Sessions open at once, everywhere.
    pub(crate) sessions: Option<SessionCount>,
    /// The pause between two sessions at one address.
    pub(crate) pause: Option<Pause>,
    /// Longest that one step of a session may take.
    pub(crate) patience: Option<Seconds>,
}

/// A number of sessions, at least 1 and at most 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(crate) struct SessionCount(pub(crate) u32);

impl TryFrom<u32> for SessionCount {
    type Error = &'static str;

    fn try_from(count: u32) -> Result<Self, Self::Error> {
        match count {
            1..=1_000 => Ok(Self(count)),
            _ => Err("not between 1 and 1000 sessions"),
        }
    }
}

impl FromStr for SessionCount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(
            text.parse::<u32>()
                .map_err(|_| "not a number of sessions")?,
        )
    }
}

/// A pause in seconds, with a fraction if need be, at most an hour.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Pause(pub(crate) Duration);

impl TryFrom<f64> for Pause {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        if !(0.0..=3_600.0).contains(&seconds) {
            return Err("not between 0 and 3600 seconds");
        }
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

impl FromStr for Pause {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.parse::<f64>().map_err(|_| "not a number of seconds")?)
    }
}

/// `[lab]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LabSection {
    pub(crate) map: Option<PathBuf>,
}

/// `[web]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WebSection {
    /// Address and port to listen on.
    pub(crate) listen: Option<SocketAddr>,
    /// Whether an address that is not loopback is meant.
    pub(crate) public: Option<bool>,
    /// What the page is called from outside.
    pub(crate) url: Option<Parsed<PublicUrl>>,
    /// Whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<Parsed<Network>>,
    /// Connections served at a time.
    pub(crate) connections: Option<Count>,
    /// Of which so many from one client.
    pub(crate) connections_per_client: Option<Count>,
    /// Checks measured at a time.
    pub(crate) checks_at_once: Option<Count>,
    /// Checks that may wait for their turn.
    pub(crate) checks_waiting: Option<Count>,
    /// Checks one client may begin in an hour.
    pub(crate) checks_per_client_hour: Option<Count>,
    /// Visits to one mail server address in an hour, over all checks.
    pub(crate) visits_per_address_hour: Option<Count>,
    /// A report younger than this is shown instead of measuring again.
    pub(crate) recent: Option<Seconds>,
    /// How long one check may take.
    pub(crate) check_timeout: Option<Seconds>,
    /// Reports kept.
    pub(crate) reports: Option<Count>,
    /// Days a report is kept.
    pub(crate) report_days: Option<Count>,
    /// Memory on disk for reports, in units of 1,048,576 octets.
    pub(crate) report_megabytes: Option<Megabytes>,
}

/// `[policyd]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PolicydSection {
    /// TCP addresses of the socketmap server.
    pub(crate) listen: Option<Vec<SocketAddr>>,
    /// A unix socket of the socketmap server.
    pub(crate) socket: Option<PathBuf>,
    /// Its permission bits, octal: who may write to it may ask.
    pub(crate) socket_mode: Option<Parsed<FileMode>>,
    /// Address of lookup, health and metrics; `off` for none.
    pub(crate) http: Option<Parsed<HttpPlace>>,
    /// Names that requests by HTTP may call it by, beside addresses and `localhost`.
    pub(crate) hosts: Vec<Parsed<DomainName>>,
    /// Whether an address that is not loopback is meant.
    pub(crate) public: Option<bool>,
    /// Connections served at a time, socketmap and HTTP apart.
    pub(crate) connections: Option<Count>,
    /// Destinations looked up at a time.
    pub(crate) lookups: Option<Count>,
    /// Memory for answers, in units of 1,048,576 octets.
    pub(crate) cache_megabytes: Option<Megabytes>,
}

/// A number of something, at least 1 and at most 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(crate) struct Count(pub(crate) u32);

impl TryFrom<u32> for Count {
    type Error = &'static str;

    fn try_from(count: u32) -> Result<Self, Self::Error> {
        match count {
            1..=1_000_000 => Ok(Self(count)),
            _ => Err("not between 1 and 1000000"),
        }
    }
}

/// One `[[destination]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DestinationSection {
    pub(crate) domain: Parsed<DomainPattern>,
    pub(crate) level: Option<Parsed<Level>>,
    pub(crate) mode: Option<Parsed<Mode>>,
    #[serde(default, rename = "match")]
    pub(crate) matches: Vec<Parsed<MatchName>>,
    #[serde(default)]
    pub(crate) pins: Vec<Parsed<Pin>>,
    pub(crate) relay: Option<Parsed<Relay>>,
    pub(crate) port: Option<u16>,
    pub(crate) insecure_mx: Option<Parsed<InsecureMx>>,
    #[serde(default)]
    pub(crate) nta: bool,
    pub(crate) expires: Option<Expiry>,
    pub(crate) reason: Option<String>,
}

/// A next hop instead of the domain's own MX hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relay(pub(crate) NextHop);

impl FromStr for Relay {
    type Err = NextHopError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NextHop::parse(text).map(Self)
    }
}

/// `sha256:HEX`, colons between octets allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pin(pub(crate) [u8; 32]);

impl FromStr for Pin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a pin is sha256: and 64 hexadecimal digits";
        let digits = text.strip_prefix("sha256:").ok_or(FORM)?.replace(':', "");
        if digits.len() != 64 || !digits.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return Err(FORM);
        }
        let mut digest = [0; 32];
        for (octet, pair) in digest.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| FORM)?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| FORM)?;
        }
        Ok(Self(digest))
    }
}

/// The moment a destination's override ends: a date (its beginning, UTC) or a date and time, as
/// a TOML value or as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(crate) struct Expiry(pub(crate) UnixTime);

impl TryFrom<toml::Value> for Expiry {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        const FORM: &str = "not a date (2027-01-31) or a date and time (2027-01-31T00:00:00Z)";
        let text = match &value {
            toml::Value::Datetime(datetime) => datetime.to_string(),
            toml::Value::String(text) => text.clone(),
            _ => return Err(FORM),
        };
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(UnixTime(timestamp.as_second())));
        }
        let date: jiff::civil::Date = text.parse().map_err(|_| FORM)?;
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| FORM)?;
        Ok(Self(UnixTime(midnight.timestamp().as_second())))
    }
}

/// The address of an upstream resolver; port 53 unless given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Upstream(pub(crate) SocketAddr);

impl FromStr for Upstream {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(SocketAddr::new(address, 53)));
        }
        text.parse().map(Self).map_err(|_| "not IP or IP:PORT")
    }
}

impl TryFrom<String> for Upstream {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A value written as a string and parsed by its own `FromStr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed<T>(pub(crate) T);

impl<'de, T> Deserialize<'de> for Parsed<T>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map(Self)
            .map_err(|problem| serde::de::Error::custom(format_args!("{text:?}: {problem}")))
    }
}

impl ConfigFile {
    /// Reads and parses `path`.
    ///
    /// # Errors
    /// A configuration error of one line, with the line of the file where there is one.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let fault = match error.kind() {
                std::io::ErrorKind::InvalidData => "not a text file".to_owned(),
                _ => error.to_string(),
            };
            Refusal::configuration(format!(
                "cannot read the configuration {shown} (of --config or ELSINORE_CONFIG): {fault}"
            ))
        })?;
        toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            let message = (error.message().replace('\n', " "))
                .replace("expected u16", "expected a number from 0 to 65535")
                .replace("expected u32", "expected a whole number, 0 or more");
            let written = text.lines().nth(line - 1).unwrap_or_default().trim();
            let message = printable(&format!("{message}, in the line: {written}"));
            Refusal::configuration(format!("{shown}:{line}: {message}"))
        })
    }
}
