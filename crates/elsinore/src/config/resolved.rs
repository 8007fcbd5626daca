//! The configuration as the commands use it: file and flags merged, paths made absolute, defaults
//! filled in, contradictions refused.

use super::file::{
    AdTrust, ConfigFile, DestinationSection, DnsMode, Megabytes, MinimumTls, Parsed, Pause, Pin,
    Relay, Seconds, SessionCount, TimeoutsSection, Upstream,
};
use super::policyd::PolicydSettings;
use super::relay::RelaySettings;
use super::web::WebSettings;
use crate::cli::{Format, GlobalArguments};
use crate::exit::Refusal;
use crate::network;
use anyhow::Result;
use elsinore_dane::destination::{Destination, DomainPattern, InsecureMx, Level};
use elsinore_dane::name::DomainName;
use elsinore_dane::network::{Network, NetworkPolicy};
use elsinore_net::clock::{Clock, SystemClock};
use elsinore_net::deliver::Timeouts;
use elsinore_net::doctor::{MailTarget, ProbeName, ProbeNames, default_targets};
use elsinore_smtp::client::Timeouts as SmtpTimeouts;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything a command may need to know.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Form of the result.
    pub(crate) format: Format,
    /// `[dns]`.
    pub(crate) dns: DnsSettings,
    /// `[tls]`.
    pub(crate) tls: TlsSettings,
    /// `[smtp]`.
    pub(crate) smtp: SmtpSettings,
    /// `[doctor]`.
    pub(crate) doctor: DoctorSettings,
    /// `[check]`.
    pub(crate) check: CheckSettings,
    /// `[policy] insecure_mx`.
    pub(crate) insecure_mx: InsecureMx,
    /// Folder for what is learnt; `None` when neither the configuration nor the environment
    /// (`XDG_STATE_HOME`, `HOME`) names one.
    pub(crate) state_dir: Option<PathBuf>,
    /// `[web]`.
    pub(crate) web: WebSettings,
    /// `[policyd]`.
    pub(crate) policyd: PolicydSettings,
    /// `[relay]`.
    pub(crate) relay: RelaySettings,
    /// Address map of a running lab. Present only together with `dns.trust_anchor`.
    pub(crate) lab_map: Option<PathBuf>,
    /// `[[destination]]`, in the order written; their `nta` is part of `dns.nta` already.
    pub(crate) destinations: Vec<Destination>,
}

/// `[dns]`, resolved.
#[derive(Debug, Clone)]
pub(crate) struct DnsSettings {
    /// Where answers come from.
    pub(crate) mode: DnsMode,
    /// Zone-file text with NS, A and AAAA records; the built-in hints when `None`.
    pub(crate) root_hints: Option<PathBuf>,
    /// Zone-file text with DS or DNSKEY records; the built-in anchors when `None`.
    pub(crate) trust_anchor: Option<PathBuf>,
    /// Upstream resolvers of the modes `forward` and `ad`; exempt from `networks`.
    pub(crate) upstream: Vec<SocketAddr>,
    /// Addresses that name servers may have.
    pub(crate) networks: NetworkPolicy,
    /// Negative trust anchors (RFC 7646).
    pub(crate) nta: Vec<DomainName>,
    /// Whose AD bit is believed in mode `ad`.
    pub(crate) ad_trust: AdTrust,
    /// Time for one lookup, all included; the resolver's own default when absent.
    pub(crate) timeout: Option<Duration>,
    /// Whether signatures with SHA-1 (algorithms 5 and 7) count.
    pub(crate) sha1: bool,
    /// Octets for everything that is kept of DNS; the resolver's own default when absent.
    pub(crate) cache_octets: Option<usize>,
}

/// `[tls]`, resolved.
#[derive(Debug, Clone)]
pub(crate) struct TlsSettings {
    /// Certification authorities beside the built-in ones, PEM.
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether the legacy rung of the TLS ladder is used.
    pub(crate) legacy: bool,
    /// Lowest protocol version of an authenticated session.
    pub(crate) min_authenticated: MinimumTls,
}

/// `[smtp]`, resolved.
#[derive(Debug, Clone)]
pub(crate) struct SmtpSettings {
    /// Name for EHLO; the machine's own when `None`.
    pub(crate) helo: Option<DomainName>,
    /// TCP port of MX hosts.
    pub(crate) port: u16,
    /// Addresses that mail servers and MTA-STS policy hosts may have.
    pub(crate) networks: NetworkPolicy,
    /// How long each step may take.
    pub(crate) timeouts: Timeouts,
}

/// `[check]`, resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckSettings {
    /// Most sessions open at once.
    pub(crate) sessions: usize,
    /// The pause between two sessions at one address; the usual one when absent.
    pub(crate) pause: Option<Duration>,
    /// Longest that one step of a session may take; the usual time when absent.
    pub(crate) patience: Option<Duration>,
}

/// `[doctor]`, resolved.
#[derive(Debug, Clone)]
pub(crate) struct DoctorSettings {
    /// Where this machine's resolvers are listed.
    pub(crate) resolv_conf: PathBuf,
    /// Names of which it is known what they are.
    pub(crate) names: ProbeNames,
    /// Mail servers to knock at; nobody when empty.
    pub(crate) mail: Vec<MailTarget>,
    /// How long a resolver or a root server may take for one answer; the usual time when absent.
    pub(crate) timeout: Option<Duration>,
}

/// The file that services and their tools read when nothing names another.
pub(crate) const SERVICE_FILE: &str = "/etc/elsinore/elsinore.toml";

/// `arguments`, with [`SERVICE_FILE`] where they name no file and it exists.
pub(crate) fn of_service(arguments: &GlobalArguments) -> GlobalArguments {
    let mut arguments = arguments.clone();
    if arguments.config.is_none() && Path::new(SERVICE_FILE).exists() {
        arguments.config = Some(PathBuf::from(SERVICE_FILE));
    }
    arguments
}

impl Settings {
    /// The same as [`resolve`](Self::resolve) for services and their tools, which read
    /// [`SERVICE_FILE`] when nothing names another.
    ///
    /// # Errors
    /// A configuration error of one line.
    pub(crate) fn resolve_service(arguments: &GlobalArguments) -> Result<Self> {
        Self::resolve(&of_service(arguments))
    }

    /// Reads the file that `arguments` name (none is fine) and applies the flags.
    ///
    /// # Errors
    /// A configuration error of one line.
    pub(crate) fn resolve(arguments: &GlobalArguments) -> Result<Self> {
        // An empty variable (a typing error in a unit file, say) would otherwise mean that the
        // defaults apply, and mail would leave without the administrator's overrides.
        if (arguments.config.as_ref()).is_some_and(|path| path.as_os_str().is_empty()) {
            return Err(Refusal::configuration(
                "ELSINORE_CONFIG (or --config) is set and empty: name a file, or leave it out to use \
                 the defaults",
            ));
        }
        let (file, folder) = match &arguments.config {
            Some(path) => {
                let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
                (ConfigFile::read(path)?, folder)
            }
            None => (ConfigFile::default(), PathBuf::new()),
        };
        // Paths in the file are relative to the file, paths in flags to the working folder.
        let path = |flag: &Option<PathBuf>, key: Option<PathBuf>| {
            flag.clone().or_else(|| key.map(|path| folder.join(path)))
        };
        let trust_anchor = path(&arguments.trust_anchor, file.dns.trust_anchor);
        let lab_map = path(&None, file.lab.map);
        if lab_map.is_some() && trust_anchor.is_none() {
            return Err(Refusal::configuration(
                "[lab] map needs an explicit [dns] trust_anchor: addresses of a lab are never \
                 mixed with the trust of the open Internet",
            ));
        }
        let mode = arguments.dns_mode.or(file.dns.mode).unwrap_or_default();
        let upstream = if arguments.upstream.is_empty() {
            file.dns.upstream
        } else {
            arguments.upstream.clone()
        };
        if mode != DnsMode::Recursive && upstream.is_empty() {
            return Err(Refusal::configuration(
                "[dns] mode \"forward\" and \"ad\" need an [dns] upstream",
            ));
        }
        let mut nta: Vec<DomainName> = unwrap_all(file.dns.nta);
        nta.extend(arguments.nta.iter().cloned());
        let now = SystemClock.now();
        for section in &file.destinations {
            let runs = section.expires.is_none_or(|expiry| now < expiry.0);
            if section.nta && runs {
                let Parsed(DomainPattern::Domain(name) | DomainPattern::Below(name)) =
                    &section.domain;
                nta.push(name.clone());
            }
        }
        for (count, section) in file.destinations.iter().enumerate() {
            let known = &file.destinations[..count];
            if let Some(again) = known.iter().find(|one| one.domain == section.domain) {
                let Parsed(domain) = &again.domain;
                return Err(Refusal::configuration(format!(
                    "[[destination]] {domain}: there are two; join them or remove one"
                )));
            }
        }
        let port = file.smtp.port.unwrap_or(25);
        if port == 0 {
            return Err(Refusal::configuration("[smtp] port: 0 is not a port"));
        }
        let state_dir = path(&arguments.state_dir, file.state_dir).or_else(default_state_dir);
        let relay = super::relay::resolve(
            file.relay,
            &folder,
            state_dir.as_deref(),
            network::greeting(file.smtp.helo.as_ref().map(|Parsed(name)| name))?,
        )?;
        Ok(Self {
            format: arguments.format.plain(),
            dns: DnsSettings {
                mode,
                root_hints: path(&arguments.root_hints, file.dns.root_hints),
                trust_anchor,
                upstream: upstream.into_iter().map(|Upstream(at)| at).collect(),
                networks: networks(file.dns.allow_nets),
                nta,
                ad_trust: file.dns.ad_trust.unwrap_or_default(),
                timeout: file.dns.timeout.map(Seconds::duration),
                sha1: file.dns.sha1.unwrap_or(true),
                cache_octets: file.dns.cache_megabytes.map(Megabytes::octets),
            },
            tls: TlsSettings {
                ca_file: path(&arguments.ca_file, file.tls.ca_file),
                legacy: file.tls.legacy.unwrap_or(true),
                min_authenticated: file.tls.min_authenticated.unwrap_or_default(),
            },
            smtp: SmtpSettings {
                helo: file.smtp.helo.map(|Parsed(name)| name),
                port,
                networks: networks(file.smtp.allow_nets),
                timeouts: timeouts(&file.smtp.timeouts),
            },
            doctor: DoctorSettings {
                resolv_conf: path(&None, file.doctor.resolv_conf)
                    .unwrap_or_else(|| PathBuf::from("/etc/resolv.conf")),
                names: probe_names(file.doctor.secure, file.doctor.bogus, file.doctor.insecure),
                mail: file.doctor.mail.map_or_else(default_targets, unwrap_all),
                timeout: file.doctor.timeout.map(Seconds::duration),
            },
            check: CheckSettings {
                sessions: (file.check.sessions).map_or(32, |SessionCount(count)| count as usize),
                pause: file.check.pause.map(|Pause(pause)| pause),
                patience: file.check.patience.map(Seconds::duration),
            },
            insecure_mx: unwrap_one(file.policy.insecure_mx).unwrap_or_default(),
            state_dir,
            relay,
            web: super::web::resolve(file.web),
            policyd: super::policyd::resolve(file.policyd, &folder),
            lab_map,
            destinations: file
                .destinations
                .into_iter()
                .map(destination)
                .collect::<Result<_>>()?,
        })
    }
}

/// The names of the file; of a kind that it does not name, the usual ones.
fn probe_names(
    secure: Vec<Parsed<ProbeName>>,
    bogus: Vec<Parsed<ProbeName>>,
    insecure: Vec<Parsed<ProbeName>>,
) -> ProbeNames {
    let usual = ProbeNames::default();
    let or = |own: Vec<Parsed<ProbeName>>, usual| match own.is_empty() {
        true => usual,
        false => unwrap_all(own),
    };
    ProbeNames {
        secure: or(secure, usual.secure),
        bogus: or(bogus, usual.bogus),
        insecure: or(insecure, usual.insecure),
    }
}

fn networks(allowed: Vec<Parsed<Network>>) -> NetworkPolicy {
    NetworkPolicy {
        allowed: unwrap_all(allowed),
    }
}

pub(super) fn unwrap_all<T>(values: Vec<Parsed<T>>) -> Vec<T> {
    values.into_iter().map(|Parsed(value)| value).collect()
}

pub(super) fn unwrap_one<T>(value: Option<Parsed<T>>) -> Option<T> {
    value.map(|Parsed(value)| value)
}

fn destination(section: DestinationSection) -> Result<Destination> {
    let Parsed(domain) = section.domain;
    let wrong = |fault: &str| Refusal::configuration(format!("[[destination]] {domain}: {fault}"));
    let level = unwrap_one(section.level);
    let pins: Vec<Pin> = unwrap_all(section.pins);
    if level == Some(Level::Fingerprint) && pins.is_empty() {
        return Err(wrong("level \"fingerprint\" needs pins"));
    }
    if section.port == Some(0) {
        return Err(wrong("0 is not a port"));
    }
    Ok(Destination {
        level,
        mode: unwrap_one(section.mode).unwrap_or_default(),
        match_names: unwrap_all(section.matches),
        pins: pins.into_iter().map(|Pin(digest)| digest).collect(),
        relay: unwrap_one(section.relay).map(|Relay(hop)| hop),
        port: section.port,
        insecure_mx: unwrap_one(section.insecure_mx),
        expires: section.expires.map(|expiry| expiry.0),
        reason: section.reason,
        ..Destination::new(domain)
    })
}

/// The times of RFC 5321, overridden where the file says so.
fn timeouts(section: &TimeoutsSection) -> Timeouts {
    let default = Timeouts::default();
    let or = |own: Option<Seconds>, default| own.map_or(default, Seconds::duration);
    Timeouts {
        connect: or(section.connect, default.connect),
        sts_fetch: or(section.sts_fetch, default.sts_fetch),
        discovery: or(section.discovery, default.discovery),
        domain: or(section.domain, default.domain),
        smtp: SmtpTimeouts {
            greeting: or(section.greeting, default.smtp.greeting),
            hello: or(section.hello, default.smtp.hello),
            handshake: or(section.handshake, default.smtp.handshake),
            mail: or(section.mail, default.smtp.mail),
            recipient: or(section.recipient, default.smtp.recipient),
            data_start: or(section.data_start, default.smtp.data_start),
            data_block: or(section.data_block, default.smtp.data_block),
            data_end: or(section.data_end, default.smtp.data_end),
            quit: or(section.quit, default.smtp.quit),
        },
    }
}

/// `$XDG_STATE_HOME/elsinore`, else `$HOME/.local/state/elsinore`.
fn default_state_dir() -> Option<PathBuf> {
    let folder = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    Some(state?.join("elsinore"))
}
