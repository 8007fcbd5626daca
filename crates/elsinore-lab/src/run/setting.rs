//! From a case to the sender's own configuration.

use crate::scenario::case::{DestinationSpec, RequireTlsSpec};
use crate::scenario::{Case, ResolverMode, Scenario};
use crate::world::{CARELESS_RESOLVER, NETWORKS, VALIDATING_RESOLVER, World};
use elsinore_dane::destination::{Destination, DomainPattern, InsecureMx};
use elsinore_dane::name::DomainName;
use elsinore_dane::network::{Network, NetworkPolicy};
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::{
    Envelope, LegacyTls, Message, SenderConfig, SpooledBytes, StateFolder, TlsWish,
};
use elsinore_net::resolver::{Mode, Net, ResolverConfig, RootHints, TrustAnchors};
use elsinore_net::sts::{PolicyCache, StoredPolicy};
use elsinore_net::tls::webpki::WebPkiRoots;
use elsinore_smtp::address::{Mailbox, ReversePath};
use elsinore_smtp::client::{HeaderUtf8, Recipient};
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::message::{BlindCopies, Completion};
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The sending host's name.
pub(crate) const GREETING_NAME: &str = "client.sender.example";

/// Seconds a step of a session may take unless the case says otherwise.
const STEP: u64 = 10;

/// How long one lookup may take: loopback answers at once, or never.
const LOOKUP: Duration = Duration::from_secs(5);

fn text(error: impl Display) -> String {
    error.to_string()
}

/// The resolver of that mode.
pub(crate) fn resolver(
    world: &World,
    case: &Case,
    mode: ResolverMode,
) -> Result<ResolverConfig, String> {
    let tree = world.authority().tree();
    let (mode, upstream) = match mode {
        ResolverMode::Recursive => (Mode::Recursive, None),
        ResolverMode::Forward => (Mode::Forward, Some(VALIDATING_RESOLVER)),
        ResolverMode::ForwardCareless => (Mode::Forward, Some(CARELESS_RESOLVER)),
        ResolverMode::Ad => (Mode::Ad, Some(VALIDATING_RESOLVER)),
        ResolverMode::AdCareless => (Mode::Ad, Some(CARELESS_RESOLVER)),
    };
    let nets: Result<Vec<Net>, _> = NETWORKS.iter().map(|one| one.parse()).collect();
    let anchors = (case.settings.nta.iter()).map(|name| DomainName::parse(name).map_err(text));
    Ok(ResolverConfig {
        mode,
        hints: RootHints::parse(&tree.root_hints()).map_err(text)?,
        anchors: TrustAnchors::parse(&tree.trust_anchor()).map_err(text)?,
        upstreams: upstream
            .map(|address| (address, 53).into())
            .into_iter()
            .collect(),
        negative_anchors: anchors.collect::<Result<_, _>>()?,
        allow_nets: nets.map_err(text)?,
        deadline: LOOKUP,
        ..ResolverConfig::default()
    })
}

/// The sender's configuration for a case.
pub(crate) fn sender(
    world: &World,
    scenario: &Scenario,
    case: &Case,
    roots: &WebPkiRoots,
    state: &Path,
) -> Result<SenderConfig, String> {
    let name = GreetingName::parse(GREETING_NAME).map_err(text)?;
    let mut config = SenderConfig::new(name).map_err(text)?;
    config.roots = roots.clone();
    config.state = Some(StateFolder {
        path: state.to_path_buf(),
        trust: openssl::sha::sha256(world.authority().tree().trust_anchor().as_bytes()),
    });
    let networks: Result<Vec<Network>, _> = NETWORKS.iter().map(|one| one.parse()).collect();
    config.policy.networks = NetworkPolicy {
        allowed: networks.map_err(text)?,
    };
    if let Some(word) = &case.settings.insecure_mx {
        config.policy.insecure_mx = word.parse::<InsecureMx>().map_err(text)?;
    }
    if case.settings.legacy == Some(false) {
        config.legacy = LegacyTls::Off;
    }
    let names = (case.settings.own_names.iter()).map(|name| DomainName::parse(name).map_err(text));
    config.policy.own_names = names.collect::<Result<_, _>>()?;
    let step = Duration::from_secs(case.settings.timeout.unwrap_or(STEP));
    config.timeouts = config.timeouts.capped(step);
    // A policy host that never finishes must cost its own time only, as with the defaults.
    config.timeouts.sts_fetch = step / 2;
    config.timeouts.discovery = step * 2;
    // A server that crawls is given up on with the domain, not with a step.
    config.timeouts.domain = step * 6;
    for spec in &case.destination {
        config
            .destinations
            .push(destination(world, scenario, spec)?);
    }
    Ok(config)
}

fn destination(
    world: &World,
    scenario: &Scenario,
    spec: &DestinationSpec,
) -> Result<Destination, String> {
    let domain: DomainPattern = spec.domain.parse().map_err(text)?;
    let mut destination = Destination::new(domain);
    if let Some(word) = &spec.level {
        destination.level = Some(word.parse().map_err(text)?);
    }
    if let Some(word) = &spec.mode {
        destination.mode = word.parse().map_err(text)?;
    }
    for name in &spec.match_names {
        destination.match_names.push(name.parse().map_err(text)?);
    }
    for pin in &spec.pins {
        destination
            .pins
            .push(digest(&world.fill(&scenario.id, pin).map_err(text)?)?);
    }
    if let Some(relay) = &spec.relay {
        let filled = world.fill(&scenario.id, relay).map_err(text)?;
        destination.relay = Some(NextHop::parse(&filled).map_err(text)?);
    }
    destination.port = spec.port;
    if let Some(word) = &spec.insecure_mx {
        destination.insecure_mx = Some(word.parse().map_err(text)?);
    }
    Ok(destination)
}

fn digest(pin: &str) -> Result<[u8; 32], String> {
    let wrong = || format!("{pin} is not sha256: and 64 hexadecimal digits");
    let digits = pin.strip_prefix("sha256:").ok_or_else(wrong)?;
    if digits.len() != 64 || !digits.is_ascii() {
        return Err(wrong());
    }
    let mut digest = [0; 32];
    for (index, octet) in digest.iter_mut().enumerate() {
        let pair = &digits[2 * index..2 * index + 2];
        *octet = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(digest)
}

/// Puts the case's policies where the sender will find them.
pub(crate) fn store_policies(
    config: &SenderConfig,
    case: &Case,
    now: UnixTime,
) -> Result<(), String> {
    let cache = PolicyCache::new(config.state.as_ref(), config.roots.fingerprint());
    for spec in &case.cached_policy {
        let policy = StoredPolicy {
            id: spec.id.clone(),
            fetched: now.plus_seconds(-spec.age),
            body: spec.policy.replace('\n', "\r\n").into_bytes(),
        };
        let domain = DomainName::parse(&spec.domain).map_err(text)?;
        cache.store(&domain, &policy).map_err(text)?;
    }
    Ok(())
}

/// The recipients of a case, as the envelope has them.
pub(crate) fn recipients(
    world: &World,
    scenario: &Scenario,
    case: &Case,
) -> Result<Vec<String>, String> {
    if case.to.is_empty() {
        let first = scenario
            .zones
            .first()
            .ok_or("the case names no recipient")?;
        return Ok(vec![format!("bob@{}", first.name)]);
    }
    (case.to.iter())
        .map(|to| world.fill(&scenario.id, to).map_err(text))
        .collect()
}

/// The envelope and the message.
pub(crate) fn letter(
    world: &World,
    scenario: &Scenario,
    case: &Case,
    now: UnixTime,
) -> Result<(Envelope, Message), String> {
    let recipients = recipients(world, scenario, case)?;
    let message = case.message.clone().unwrap_or_else(|| {
        format!(
            "From: Alice <alice@sender.example>\nTo: <{}>\nSubject: Who's there?\n\n\
             Nay, answer me: stand, and unfold yourself.\n",
            recipients.join(">, <")
        )
    });
    let sender = ReversePath::parse(&case.from).map_err(text)?;
    let completion = Completion {
        now: now.0,
        token: rand::random(),
        host: GreetingName::parse(GREETING_NAME).map_err(text)?,
        sender: sender.clone(),
        blind_copies: BlindCopies::Remove,
    };
    let spool = Arc::new(SpooledBytes(message.into_bytes().into()));
    let message = Message::survey(spool, completion).map_err(text)?;
    let recipients: Result<Vec<Recipient>, String> = (recipients.iter())
        .map(|one| Mailbox::parse(one).map(Recipient::new).map_err(text))
        .collect();
    let envelope = Envelope {
        reverse_path: sender,
        recipients: recipients?,
        header_utf8: if case.undeclared_utf8 {
            HeaderUtf8::Undeclared
        } else {
            HeaderUtf8::Declared
        },
        tls: match case.require_tls {
            RequireTlsSpec::Unsaid => TlsWish::AsAnnounced,
            RequireTlsSpec::Required => TlsWish::Require,
            RequireTlsSpec::Waived => TlsWish::NotRequired,
        },
        ret: None,
        envelope_id: None,
    };
    Ok((envelope, message))
}
