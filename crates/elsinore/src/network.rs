//! From settings to the network: the dialer, the clock and the resolver every command uses, and
//! the async runtime.

use crate::config::{self, DnsMode, MinimumTls, Settings};
use crate::exit::Refusal;
use crate::output::{self, printable};
use anyhow::{Context, Result};
use elsinore_check::world::{LiveSettings, LiveWorld};
use elsinore_dane::discovery::DiscoveryPolicy;
use elsinore_dane::name::DomainName;
use elsinore_dane::plan::TlsVersion;
use elsinore_net::clock::{Clock, SystemClock};
use elsinore_net::deliver::{LegacyTls, Limits, Reuse, Sender, SenderConfig, StateFolder};
use elsinore_net::dialer::{Dialer, DirectDialer, MappedDialer};
use elsinore_net::doctor::triage::{Triage, TriageConfig};
use elsinore_net::doctor::{Doctor, DoctorConfig, Rollover};
use elsinore_net::resolver::rollover::{self, AnchorStore, LoadedAnchors, RefreshError, Refreshed};
use elsinore_net::resolver::tape::Recorder;
use elsinore_net::resolver::{
    AdTrust, Minimisation, Mode, Net, OpenSsl, Resolver, ResolverConfig, RootHints, Sha1Signatures,
    Tape, TrustAnchors,
};
use elsinore_net::tls::webpki::WebPkiRoots;
use elsinore_smtp::command::GreetingName;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How connections leave this process: directly, or through the address map of a lab.
///
/// # Errors
/// A configuration error when the map cannot be read.
pub(crate) fn dialer(settings: &Settings) -> Result<Arc<dyn Dialer>> {
    let Some(path) = &settings.lab_map else {
        return Ok(Arc::new(DirectDialer));
    };
    const KEY: &str = "[lab] map";
    let mapped =
        MappedDialer::from_text(&read(KEY, path)?).map_err(|error| in_file(KEY, path, &error))?;
    Ok(Arc::new(mapped))
}

/// The clock of this machine.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The resolver of `[dns]`, with a cache of its own, under the anchors learnt so far.
///
/// # Errors
/// A configuration error when hints or anchors cannot be read, or the mode cannot work.
pub(crate) fn resolver(settings: &Settings) -> Result<Arc<Resolver>> {
    resolver_from(settings, resolver_config(settings)?)
}

/// The same resolver at the cost of more questions: it asks label by label, and so notices servers
/// that deny empty non-terminals.
///
/// # Errors
/// As [`resolver`].
pub(crate) fn searching_resolver(settings: &Settings) -> Result<Arc<Resolver>> {
    let config = ResolverConfig {
        minimisation: Minimisation::Everywhere,
        ..resolver_config(settings)?
    };
    resolver_from(settings, config)
}

/// A resolver that knows nothing yet and keeps all that it is told on `recorder`, with its settings.
///
/// # Errors
/// As [`resolver`].
pub(crate) fn recording_resolver(
    settings: &Settings,
    recorder: &Arc<Recorder>,
) -> Result<(Arc<Resolver>, ResolverConfig)> {
    let config = ResolverConfig {
        tape: Tape::Record(Arc::clone(recorder)),
        ..resolver_config(settings)?
    };
    let resolver = resolver_from(settings, config.clone())?;
    let mut told = config;
    learn(settings, &mut told);
    Ok((resolver, told))
}

/// Whom this machine trusts in DNS: `[dns]` under the anchors learnt so far.
///
/// # Errors
/// As [`resolver`].
pub(crate) fn trust(settings: &Settings) -> Result<ResolverConfig> {
    let mut config = resolver_config(settings)?;
    learn(settings, &mut config);
    Ok(config)
}

/// Takes over the anchors learnt so far.
fn learn(settings: &Settings, config: &mut ResolverConfig) {
    if let Some(store) = anchor_store(settings) {
        let loaded = store.load();
        if let Some(problem) = &loaded.problem {
            output::diagnose(&printable(&format!("root anchors: {problem}")));
        }
        config.anchors = loaded.anchors.trust_anchors();
    }
}

fn resolver_from(settings: &Settings, mut config: ResolverConfig) -> Result<Arc<Resolver>> {
    learn(settings, &mut config);
    let resolver = Resolver::new(config, dialer(settings)?, clock())
        .map_err(|error| Refusal::configuration(error.to_string()))?;
    Ok(Arc::new(resolver))
}

/// Tells failures of the domains' DNS from failures of ours, for one run of a command: it looks once,
/// when it is asked for the first time.
///
/// # Errors
/// As [`resolver`].
pub(crate) fn triage(settings: &Settings, resolver: &Arc<Resolver>) -> Result<Triage> {
    triage_that_keeps(settings, resolver, ONE_RUN)
}

/// The same for a service: what was found out holds for `keep`.
///
/// # Errors
/// As [`resolver`].
pub(crate) fn triage_that_keeps(
    settings: &Settings,
    resolver: &Arc<Resolver>,
    keep: Duration,
) -> Result<Triage> {
    let (dns, _) = resolver_config_in_force(settings)?;
    let config = TriageConfig {
        secure: settings.doctor.names.secure.clone(),
        keep,
        ..TriageConfig::new(dns)
    };
    let resolver = Arc::<Resolver>::clone(resolver);
    Ok(Triage::new(config, resolver, dialer(settings)?, clock()))
}

/// Longer than any run of a command that is not a service.
const ONE_RUN: Duration = Duration::from_secs(86_400);

/// `[dns]` with the anchors learnt so far, and whether they are followed.
fn resolver_config_in_force(settings: &Settings) -> Result<(ResolverConfig, Rollover)> {
    let mut dns = resolver_config(settings)?;
    let Some(store) = anchor_store(settings) else {
        return Ok((dns, Rollover::Fixed));
    };
    let LoadedAnchors {
        anchors, problem, ..
    } = store.load();
    dns.anchors = anchors.trust_anchors();
    Ok((dns, Rollover::Followed { anchors, problem }))
}

/// A doctor for this machine; `adjust` says which resolvers to look at.
///
/// # Errors
/// As [`resolver`].
pub(crate) fn doctor(
    settings: &Settings,
    adjust: impl FnOnce(&mut DoctorConfig),
) -> Result<Doctor> {
    let (dns, rollover) = resolver_config_in_force(settings)?;
    let mut config = DoctorConfig {
        rollover,
        names: settings.doctor.names.clone(),
        mail: settings.doctor.mail.clone(),
        networks: settings.smtp.networks.clone(),
        state_dir: settings.state_dir.clone(),
        ..DoctorConfig::new(dns)
    };
    if let Some(timeout) = settings.doctor.timeout {
        config.patience = timeout;
    }
    adjust(&mut config);
    Doctor::new(config, dialer(settings)?, clock())
        .map_err(|error| Refusal::configuration(error.to_string()))
}

/// `[dns]` in the resolver's own terms.
fn resolver_config(settings: &Settings) -> Result<ResolverConfig> {
    let dns = &settings.dns;
    let mut config = ResolverConfig {
        mode: match dns.mode {
            DnsMode::Recursive => Mode::Recursive,
            DnsMode::Forward => Mode::Forward,
            DnsMode::Ad => Mode::Ad,
        },
        upstreams: dns.upstream.clone(),
        ad_trust: match dns.ad_trust {
            config::AdTrust::Loopback => AdTrust::LoopbackOnly,
            config::AdTrust::Any => AdTrust::AnyUpstream,
        },
        negative_anchors: dns.nta.clone(),
        allow_nets: dns
            .networks
            .allowed
            .iter()
            .map(|network| network.to_string().parse::<Net>())
            .collect::<Result<_, _>>()
            .map_err(|error| Refusal::configuration(format!("[dns] allow_nets: {error}")))?,
        anchors: trust_anchors(settings)?,
        cryptography: Arc::new(cryptography(settings)),
        ..ResolverConfig::default()
    };
    if let Some(timeout) = dns.timeout {
        config.deadline = timeout;
    }
    if let Some(octets) = dns.cache_octets {
        config.cache_octets = octets;
    }
    if let Some(path) = &dns.root_hints {
        config.hints = RootHints::parse(&read("[dns] root_hints", path)?)
            .map_err(|error| in_file("[dns] root_hints", path, &error))?;
    }
    Ok(config)
}

/// The anchors of `[dns] trust_anchor`, or those that come with the program.
fn trust_anchors(settings: &Settings) -> Result<TrustAnchors> {
    const KEY: &str = "[dns] trust_anchor";
    let Some(path) = &settings.dns.trust_anchor else {
        return Ok(TrustAnchors::shipped());
    };
    let anchors =
        TrustAnchors::parse(&read(KEY, path)?).map_err(|error| in_file(KEY, path, &error))?;
    // With another owner name by mistake, everything would be insecure without a word.
    if !anchors.cover_the_root(&cryptography(settings)) {
        return Err(Refusal::configuration(format!(
            "{KEY} {}: holds no anchor of the root of a known algorithm and digest",
            path.display()
        )));
    }
    Ok(anchors)
}

/// Where rollovers of the root's keys are followed (RFC 5011): in the state folder, unless the
/// administrator named the anchors or believes somebody's AD bit.
pub(crate) fn anchor_store(settings: &Settings) -> Option<Arc<AnchorStore>> {
    let follows = settings.dns.trust_anchor.is_none() && settings.dns.mode != DnsMode::Ad;
    let folder = settings.state_dir.as_ref().filter(|_| follows)?;
    Some(Arc::new(AnchorStore::new(folder)))
}

/// Longest wait, once the work of a command is done, for a look at the root's keys that was begun
/// beside it.
const ROLLOVER_GRACE: Duration = Duration::from_secs(3);

/// Does `work` and, if it is time to, looks at the root's keys beside it (RFC 5011 §2.3). The work
/// never waits for that, and does not care what comes of it.
pub(crate) async fn beside_rollover<T>(
    settings: &Settings,
    resolver: &Arc<Resolver>,
    work: impl Future<Output = T>,
) -> T {
    let Some(store) = anchor_store(settings) else {
        return work.await;
    };
    let resolver = Arc::clone(resolver);
    let refresh = tokio::spawn(async move { rollover::refresh(&resolver, &store).await });
    let done = work.await;
    match tokio::time::timeout(ROLLOVER_GRACE, refresh).await {
        Ok(Ok(Ok(Refreshed::Done(changes)))) => {
            for change in changes {
                output::diagnose(&change.to_string());
            }
        }
        // That DNS is out of order shows in the work itself; the next attempt is due in an hour.
        Ok(Ok(Ok(Refreshed::NotDue | Refreshed::Busy) | Err(RefreshError::Lookup(_)))) => {}
        Ok(Ok(Err(error))) => output::diagnose(&printable(&format!("root anchors: {error}"))),
        // Cut off: due again in the next run.
        Ok(Err(_)) | Err(_) => {}
    }
    done
}

/// The algorithms that count.
fn cryptography(settings: &Settings) -> OpenSsl {
    OpenSsl {
        sha1: if settings.dns.sha1 {
            Sha1Signatures::Accepted
        } else {
            Sha1Signatures::Unknown
        },
    }
}

fn read(key: &str, path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => {
            Refusal::configuration(format!("{key} {}: not a text file", path.display()))
        }
        _ => in_file(key, path, &error),
    })
}

fn in_file(key: &str, path: &Path, error: &dyn std::error::Error) -> anyhow::Error {
    Refusal::configuration(format!("{key} {}: {error}", path.display()))
}

/// The name for EHLO: `[smtp] helo`, else this machine's name, else the literal of loopback,
/// which RFC 5321 §4.1.4 wants from a client without a name.
pub(crate) fn helo(settings: &Settings) -> Result<GreetingName> {
    greeting(settings.smtp.helo.as_ref())
}

/// The same, `[smtp] helo` alone being known.
///
/// # Errors
/// A configuration error.
pub(crate) fn greeting(helo: Option<&DomainName>) -> Result<GreetingName> {
    let loopback = || GreetingName::parse("[127.0.0.1]").context("no name for EHLO");
    match helo {
        Some(name) => GreetingName::parse(name.as_str())
            .map_err(|error| Refusal::configuration(format!("[smtp] helo: {error}"))),
        None => std::fs::read_to_string("/proc/sys/kernel/hostname")
            .ok()
            .and_then(|name| GreetingName::parse(name.trim()).ok())
            .map_or_else(loopback, Ok),
    }
}

/// The sender, with everything that the configuration says.
///
/// # Errors
/// A configuration error.
pub(crate) fn sender(
    settings: &Settings,
    helo: &GreetingName,
    resolver: &Arc<Resolver>,
) -> Result<Sender> {
    let config = sender_config(settings, helo)?;
    let triage = Arc::new(triage(settings, resolver)?);
    let resolver = Arc::<Resolver>::clone(resolver);
    Ok(Sender::new(config, resolver, dialer(settings)?, clock()).with_triage(triage))
}

/// The network for a check: sessions as the sender's, one at a time at each address, with the
/// manners of `[check]`.
///
/// # Errors
/// A configuration error.
pub(crate) fn live_world(
    settings: &Settings,
    sender: &SenderConfig,
    resolver: &Arc<Resolver>,
) -> Result<LiveWorld> {
    let triage = Arc::new(triage(settings, resolver)?);
    let mut live = LiveSettings::new(sender.clone());
    live.most_sessions = settings.check.sessions;
    live.pause = settings.check.pause.unwrap_or(live.pause);
    live.patience = settings.check.patience.unwrap_or(live.patience);
    let resolver = Arc::<Resolver>::clone(resolver);
    Ok(LiveWorld::new(live, resolver, dialer(settings)?, clock()).with_triage(triage))
}

/// The settings of the sender.
///
/// # Errors
/// A configuration error.
pub(crate) fn sender_config(settings: &Settings, helo: &GreetingName) -> Result<SenderConfig> {
    let roots = WebPkiRoots::new(settings.tls.ca_file.as_deref())
        .map_err(|error| Refusal::configuration(format!("[tls] ca_file {error}")))?;
    Ok(SenderConfig {
        greeting_name: helo.clone(),
        policy: DiscoveryPolicy {
            port: settings.smtp.port,
            insecure_mx: settings.insecure_mx,
            min_authenticated: match settings.tls.min_authenticated {
                MinimumTls::Tls12 => TlsVersion::Tls12,
                MinimumTls::Tls13 => TlsVersion::Tls13,
            },
            networks: settings.smtp.networks.clone(),
            ..DiscoveryPolicy::default()
        },
        destinations: settings.destinations.clone(),
        roots,
        legacy: if settings.tls.legacy {
            LegacyTls::Allowed
        } else {
            LegacyTls::Off
        },
        timeouts: settings.smtp.timeouts,
        limits: Limits::default(),
        state: state(settings)?,
        reuse: Reuse::never(),
    })
}

/// Where learnt state is kept, named after the trust it was learnt under, so that nothing learnt
/// in a lab or from another resolver is ever believed outside it.
///
/// # Errors
/// A configuration error.
pub(crate) fn state(settings: &Settings) -> Result<Option<StateFolder>> {
    let Some(path) = settings.state_dir.clone() else {
        return Ok(None);
    };
    let trust = match settings.dns.mode {
        DnsMode::Recursive | DnsMode::Forward => trust_anchors(settings)?.fingerprint(),
        DnsMode::Ad => format!("ad {:?}", settings.dns.upstream),
    };
    Ok(Some(StateFolder {
        path,
        trust: openssl::sha::sha256(trust.as_bytes()),
    }))
}

/// Runs `work` to its end on a runtime of its own.
///
/// # Errors
/// When the runtime cannot start, or what `work` returns.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the async runtime")?
        .block_on(work)
}
