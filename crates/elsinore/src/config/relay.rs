//! `[relay]` as the relay and its tools use it.

pub(crate) mod section;

use super::file::{Count, Parsed};
use super::resolved::unwrap_all;
use crate::exit::Refusal;
use anyhow::Result;
use elsinore_dane::name::DomainName;
use elsinore_dane::network::Network;
use elsinore_net::resolver::Net;
use elsinore_queue::postgres::PostgresSettings;
use elsinore_relay::accept::{
    AcceptLimits, AcceptSettings, AcceptTimes, TlsFiles, UndeclaredEightBit,
};
use elsinore_relay::notice::NoticeSettings;
use elsinore_relay::schedule::{DestinationLimits, RetrySettings, ScheduleSettings};
use elsinore_smtp::command::GreetingName;
use elsinore_tlsrpt::settings::{DkimSettings, TlsRptSettings};
use section::{
    AdminSection, EightBit, FileMode, LimitsSection, LogFormat, Octets, Postmaster, Recipients,
    RelayDestinationSection, RelaySection, RelayTimeoutsSection, RelayTlsSection, Secret, Span,
    TlsRptSection,
};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `[relay]`, resolved.
#[derive(Debug, Clone)]
pub(crate) struct RelaySettings {
    /// How mail is accepted; the name of the relay is in it.
    pub(crate) accept: AcceptSettings,
    /// Other names under which it stands in MX lists.
    pub(crate) own_names: Vec<DomainName>,
    /// Where messages are kept; none when no folder is known.
    pub(crate) store: Option<StorePlace>,
    /// Addresses and ports that lead here beside those it listens on.
    pub(crate) own_addresses: Vec<SocketAddr>,
    /// When what is tried, and how many at once.
    pub(crate) schedule: ScheduleSettings,
    /// Reports about TLS.
    pub(crate) tlsrpt: TlsRptSettings,
    /// How senders are told.
    pub(crate) notice: NoticeSettings,
    /// Form of the log.
    pub(crate) log: LogFormat,
    /// How long work under way may go on after the relay was told to stop.
    pub(crate) stop: Duration,
    /// `[relay.admin]`.
    pub(crate) admin: AdminSettings,
}

/// Where messages are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StorePlace {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// In PostgreSQL, shared with other relays.
    Postgres(SharedPlace),
}

/// A store shared with other relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedPlace {
    /// The connection string, which may hold a password.
    pub(crate) connection: Secret,
    /// The schema of the tables.
    pub(crate) schema: String,
    /// Connections at most.
    pub(crate) pool: usize,
    /// Certificates instead of the system's.
    pub(crate) ca: Option<PathBuf>,
}

impl SharedPlace {
    /// The settings of the store, with `spool` for messages on their way.
    pub(crate) fn settings(&self, spool: PathBuf) -> PostgresSettings {
        let Secret(connection) = &self.connection;
        PostgresSettings {
            connection: connection.clone(),
            pool: self.pool,
            schema: self.schema.clone(),
            spool_folder: spool,
            tls_ca: self.ca.clone(),
        }
    }
}

/// `[relay.admin]`, resolved.
#[derive(Debug, Clone)]
pub(crate) struct AdminSettings {
    /// The unix socket in the state folder, for who owns the relay.
    pub(crate) socket: Option<PathBuf>,
    /// Where it listens on TCP.
    pub(crate) listen: Option<SocketAddr>,
    /// Whether an address that is not loopback is meant.
    pub(crate) public: bool,
    /// Names that may stand in a request's Host field.
    pub(crate) hosts: Vec<DomainName>,
    /// The file with the token.
    pub(crate) token_file: Option<PathBuf>,
}

/// How long work may go on after the relay was told to stop; systemd waits for 90 seconds.
const STOP: Duration = Duration::from_secs(30);
/// The end of the time in which the relay is to stop, for what is left to be written.
const LAST_WRITES: Duration = Duration::from_secs(5);
/// Leases are renewed three times in their time: below, a slow moment of the store would end them.
const SHORTEST_LEASE: Duration = Duration::from_secs(5);
/// The shared store has none above a day.
const LONGEST_LEASE: Duration = Duration::from_secs(12 * 3600);
/// More connections than a server of PostgreSQL serves well are a slip of the pen.
const MOST_CONNECTIONS: usize = 1000;

/// Fills in the defaults; `folder` is where the file lies, `state` the state folder, `host` what the
/// relay is called where `[relay] name` does not say.
pub(super) fn resolve(
    section: RelaySection,
    folder: &Path,
    state: Option<&Path>,
    host: GreetingName,
) -> Result<RelaySettings> {
    let wrong = |fault: &str| Err(Refusal::configuration(format!("[relay] {fault}")));
    let path = |path: PathBuf| folder.join(path);
    let stop = (section.timeouts.stop).map_or(STOP, |Span(span)| span);
    let schedule = schedule(&section, stop)?;
    let store = store(&section, folder, state)?;
    if let Some(again) = twice(&section.destinations) {
        return wrong(&format!("destination {again}: there are two; join them"));
    }
    let host = match &section.name {
        Some(Parsed(name)) => GreetingName::parse(name.as_str())
            .map_err(|error| Refusal::configuration(format!("[relay] name: {error}")))?,
        None => host,
    };
    let usual = AcceptSettings::default();
    let listen = section.listen.unwrap_or(usual.listen);
    for (count, at) in listen.iter().enumerate() {
        if at.port() != 0 && listen[..count].contains(at) {
            return wrong(&format!("listen: {at} is there twice"));
        }
    }
    if listen.is_empty() && section.socket.is_none() {
        return wrong("listen: empty, and there is no socket");
    }
    let postmaster = section
        .postmaster
        .map(|Parsed(Postmaster(mailbox))| mailbox);
    Ok(RelaySettings {
        own_names: unwrap_all(section.own_names),
        own_addresses: section.own_addresses,
        store,
        schedule,
        tlsrpt: tlsrpt(section.tlsrpt, folder)?,
        notice: NoticeSettings {
            postmaster: postmaster.clone(),
            ..NoticeSettings::new(host.clone())
        },
        log: section.log.unwrap_or_default(),
        stop,
        admin: admin(section.admin, folder, state)?,
        accept: AcceptSettings {
            listen,
            socket: section.socket.map(path),
            socket_mode: section
                .socket_mode
                .map_or(usual.socket_mode, |Parsed(FileMode(mode))| mode),
            host,
            postmaster,
            allow_clients: nets(section.allow_clients)?,
            tls: tls(section.tls, folder)?,
            limits: limits(&section.limits, usual.limits),
            times: times(&section.limits, &section.timeouts, usual.times, stop),
            undeclared_eight_bit: match section.undeclared_8bit {
                Some(EightBit::Refuse) => UndeclaredEightBit::Refused,
                Some(EightBit::Take) => UndeclaredEightBit::Taken,
                None => usual.undeclared_eight_bit,
            },
            in_memory: usual.in_memory,
        },
    })
}

fn tls(section: RelayTlsSection, folder: &Path) -> Result<Option<TlsFiles>> {
    let wrong = |fault| Err(Refusal::configuration(format!("[relay.tls] {fault}")));
    match (section.certificate, section.key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
            certificate: folder.join(certificate),
            key: folder.join(key),
        })),
        (None, None) => Ok(None),
        (Some(_), None) => wrong("a certificate and no key"),
        (None, Some(_)) => wrong("a key and no certificate"),
    }
}

fn nets(networks: Vec<Parsed<Network>>) -> Result<Vec<Net>> {
    (networks.into_iter())
        .map(|Parsed(network)| network.to_string().parse())
        .collect::<Result<_, _>>()
        .map_err(|error| Refusal::configuration(format!("[relay] allow_clients: {error}")))
}

fn limits(section: &LimitsSection, usual: AcceptLimits) -> AcceptLimits {
    let count = |own: Option<Count>, usual: u32| own.map_or(usual, |Count(count)| count);
    AcceptLimits {
        connections: many(section.connections, usual.connections),
        connections_per_client: many(section.connections_per_client, usual.connections_per_client),
        connections_per_minute: count(section.connections_per_minute, usual.connections_per_minute),
        recipients: section
            .recipients
            .map_or(usual.recipients, |Recipients(count)| {
                usize::try_from(count).unwrap_or(usize::MAX)
            }),
        message_octets: section
            .size
            .map_or(usual.message_octets, |Octets(octets)| octets),
        line_octets: usual.line_octets,
        errors: count(section.errors, usual.errors),
        idle_commands: count(section.idle_commands, usual.idle_commands),
        received_fields: many(section.received_fields, usual.received_fields),
    }
}

fn times(
    limits: &LimitsSection,
    section: &RelayTimeoutsSection,
    usual: AcceptTimes,
    stop: Duration,
) -> AcceptTimes {
    let span = |own: Option<Span>, usual| own.map_or(usual, |Span(span)| span);
    AcceptTimes {
        command: span(section.command, usual.command),
        line: span(section.line, usual.line),
        block: span(section.block, usual.block),
        handshake: span(section.handshake, usual.handshake),
        reply: span(section.reply, usual.reply),
        without_message: span(section.without_message, usual.without_message),
        slowest: limits
            .slowest
            .map_or(usual.slowest, |Count(octets)| u64::from(octets)),
        grace: usual.grace,
        last_messages: usual.last_messages.min(stop.saturating_sub(LAST_WRITES)),
    }
}

fn schedule(section: &RelaySection, stop: Duration) -> Result<ScheduleSettings> {
    let usual = ScheduleSettings::default();
    let span = |own: Option<Span>, usual| own.map_or(usual, |Span(span)| span);
    let wrong = |fault: &str| Err(Refusal::configuration(format!("[relay] {fault}")));
    let RetrySettings {
        first,
        longest,
        dns,
        lifetime,
    } = usual.retry;
    let retry = RetrySettings {
        first: span(section.retry.first, first),
        longest: span(section.retry.longest, longest),
        dns: span(section.retry.dns, dns),
        lifetime: span(section.lifetime, lifetime),
    };
    if retry.lifetime < Duration::from_secs(60) {
        return wrong("lifetime: less than a minute");
    }
    if retry.first.is_zero() || retry.dns.is_zero() {
        return wrong("retry: a pause of nothing");
    }
    if retry.longest < retry.first {
        return wrong("retry: longest is shorter than first");
    }
    let warn_after = section.warn_after.map(|Span(span)| span);
    let delivery = &section.delivery;
    let lease = span(delivery.lease, usual.lease);
    if lease < SHORTEST_LEASE || lease > LONGEST_LEASE {
        return Err(Refusal::configuration(
            "[relay.delivery] lease: from 5 seconds to 12 hours",
        ));
    }
    let limits = destination_limits(
        delivery.per_destination_first,
        delivery.per_destination,
        delivery.messages_per_minute,
        usual.limits,
    );
    let overrides = section.destinations.iter().map(|own| {
        let Parsed(domain) = &own.domain;
        let own = destination_limits(own.first, own.concurrency, own.messages_per_minute, limits);
        (domain.clone(), own)
    });
    let overrides = overrides.collect();
    let sessions = many(delivery.concurrency, usual.sessions);
    Ok(ScheduleSettings {
        sessions,
        // What waits beside what is worked on, so that nobody waits for the store.
        leased: usual.leased.max(sessions.saturating_mul(4)),
        lease,
        limits,
        overrides,
        retry,
        warn_after: match warn_after {
            Some(span) if span.is_zero() => None,
            Some(span) => Some(span),
            None => usual.warn_after,
        },
        drain: stop.saturating_sub(LAST_WRITES),
        ..usual
    })
}

fn destination_limits(
    first: Option<Count>,
    most: Option<Count>,
    per_minute: Option<Count>,
    usual: DestinationLimits,
) -> DestinationLimits {
    let most = many(most, usual.most);
    DestinationLimits {
        first: many(first, usual.first).min(most),
        most,
        per_minute: per_minute.map_or(usual.per_minute, |Count(count)| Some(count)),
    }
}

fn tlsrpt(section: TlsRptSection, folder: &Path) -> Result<TlsRptSettings> {
    let wrong = |fault: String| Refusal::configuration(format!("[relay.tlsrpt] {fault}"));
    let usual = TlsRptSettings::default();
    let dkim = match (section.dkim_domain, section.dkim_selector, section.dkim_key) {
        (Some(Parsed(domain)), Some(selector), Some(key)) => Some(DkimSettings {
            domain,
            selector,
            key_file: folder.join(key),
        }),
        (None, None, None) => None,
        _ => {
            return Err(wrong(
                "dkim_domain, dkim_selector and dkim_key: all three or none".to_owned(),
            ));
        }
    };
    let settings = TlsRptSettings {
        enabled: section.enabled.unwrap_or(usual.enabled),
        organisation: section.organisation.unwrap_or(usual.organisation),
        contact: section.contact.unwrap_or(usual.contact),
        from: section.from,
        dkim,
        hours: section.hours.unwrap_or(usual.hours),
        host_reports: section.host_reports.unwrap_or(usual.host_reports),
        ..usual
    };
    settings.check().map_err(|error| wrong(error.to_string()))?;
    Ok(settings)
}

fn many(own: Option<Count>, usual: usize) -> usize {
    own.map_or(usual, |Count(count)| {
        usize::try_from(count).unwrap_or(usize::MAX)
    })
}

/// The domain that two sections speak of.
fn twice(sections: &[RelayDestinationSection]) -> Option<String> {
    let again = sections.iter().enumerate().find(|(count, section)| {
        (sections[..*count].iter()).any(|earlier| earlier.domain == section.domain)
    });
    again.map(|(_, section)| section.domain.0.to_string())
}

/// Where messages are kept; files are named from `folder` on.
fn store(
    section: &RelaySection,
    folder: &Path,
    state: Option<&Path>,
) -> Result<Option<StorePlace>> {
    let wrong = |fault: &str| Err(Refusal::configuration(format!("[relay] {fault}")));
    let connection = match (&section.store, &section.postgres, &section.postgres_file) {
        (own, None, None) => {
            let own = own.as_ref().map(|own| folder.join(own));
            let own = own.or_else(|| Some(state?.join("queue")));
            return Ok(own.map(StorePlace::Folder));
        }
        (None, Some(connection), None) => connection.clone(),
        (None, None, Some(file)) => {
            let file = folder.join(file);
            let text = std::fs::read_to_string(&file).map_err(|error| {
                Refusal::configuration(format!("[relay] postgres_file {}: {error}", file.display()))
            })?;
            Secret(text.trim().to_owned())
        }
        (None, Some(_), Some(_)) => return wrong("postgres and postgres_file: name one"),
        (Some(_), ..) => return wrong("store and postgres: messages are kept in one place"),
    };
    let usual = PostgresSettings::default();
    let shared = SharedPlace {
        connection,
        schema: section.postgres_schema.clone().unwrap_or(usual.schema),
        pool: many(section.postgres_pool, usual.pool),
        ca: section.postgres_ca.as_ref().map(|file| folder.join(file)),
    };
    if !(2..=MOST_CONNECTIONS).contains(&shared.pool) {
        return wrong("postgres_pool: from 2 to 1000");
    }
    if let Some(file) = &shared.ca
        && let Err(error) = std::fs::File::open(file)
    {
        return wrong(&format!("postgres_ca {}: {error}", file.display()));
    }
    // Nothing is connected to; what it says never repeats the connection string.
    match shared.settings(PathBuf::new()).check() {
        Ok(()) => Ok(Some(StorePlace::Postgres(shared))),
        Err(error) => wrong(&format!("postgres: {error}")),
    }
}

fn admin(section: AdminSection, folder: &Path, state: Option<&Path>) -> Result<AdminSettings> {
    let wrong = |fault: &str| Err(Refusal::configuration(format!("[relay.admin] {fault}")));
    if let Some(at) = section.listen {
        let loopback = at.ip().to_canonical().is_loopback();
        if !loopback && section.public != Some(true) {
            return wrong(&format!(
                "listen: {at} is not on loopback; say public = true if others shall see the queue's \
                 numbers"
            ));
        }
    }
    Ok(AdminSettings {
        socket: state.map(|state| state.join("relay.sock")),
        listen: section.listen,
        public: section.public.unwrap_or(false),
        hosts: unwrap_all(section.hosts),
        token_file: section.token_file.map(|file| folder.join(file)),
    })
}
