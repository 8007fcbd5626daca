//! A world: the base Internet and the scenarios in it, built and not yet connected to anything.
//!
//! Names and addresses are those of documentation (RFC 2606, RFC 5737, RFC 3849) and the ports the
//! usual ones. What carries the traffic is somebody else's business: loopback sockets
//! ([`running`](crate::running)), a network namespace or a simulated network.

mod addresses;
mod credentials;
mod zones;

pub use credentials::{Credentials, PublicCa};

use crate::authority::{Authority, ForwardMode, Forwarder, Reaction, Transport};
use crate::policy_host::PolicyHost;
use crate::receiver::{Receiver, tls};
use crate::scenario::places::{self, Place};
use crate::scenario::{
    ChainPart, Families, Family, PolicyFault, ReceiverSpec, Scenario, TOP_LEVEL_DOMAINS, TlsKind,
};
use crate::sign::SignedTree;
use addresses::Addresses;
use elsinore_dane::time::UnixTime;
use elsinore_net::dialer::ByteStream;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use zones::Whose;

/// The lab's validating resolver, for the modes `forward` and `ad`.
pub const VALIDATING_RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53));

/// The lab's resolver that validates nothing.
pub const CARELESS_RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 54));

/// The networks a command must be allowed to contact (RFC 5737, RFC 3849).
pub const NETWORKS: [&str; 4] = [
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "2001:db8::/32",
];

/// Why a world cannot be built, in one line that names the scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: {reason}")]
pub struct WorldError {
    /// The scenario or the part of the base world.
    pub subject: String,
    /// What is wrong.
    pub reason: String,
}

impl WorldError {
    fn new(subject: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self {
            subject: subject.into(),
            reason: reason.to_string(),
        }
    }
}

/// A host with a place in the world.
#[derive(Debug)]
pub struct Placed<T> {
    /// The host.
    pub host: Arc<T>,
    /// Its IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// The TCP port it listens on.
    pub port: u16,
    /// Families whose address has nobody listening.
    dead: Vec<Family>,
}

impl<T> Placed<T> {
    /// Where somebody listens.
    fn listening(&self) -> impl Iterator<Item = SocketAddr> {
        let alive = |family| !self.dead.contains(&family);
        let ipv4 = self.ipv4.filter(|_| alive(Family::Ipv4)).map(IpAddr::V4);
        let ipv6 = self.ipv6.filter(|_| alive(Family::Ipv6)).map(IpAddr::V6);
        let port = self.port;
        ipv4.into_iter()
            .chain(ipv6)
            .map(move |address| SocketAddr::new(address, port))
    }
}

/// Somebody who listens on TCP, name servers apart.
#[derive(Debug, Clone)]
pub enum Service {
    /// A mail server.
    Mail(Arc<Receiver>),
    /// An MTA-STS policy host.
    Policy(Arc<PolicyHost>),
}

/// The base Internet and the scenarios in it.
#[derive(Debug)]
pub struct World {
    scenarios: Vec<Scenario>,
    authority: Arc<Authority>,
    validating: Forwarder,
    careless: Forwarder,
    receivers: BTreeMap<(String, String), Placed<Receiver>>,
    credentials: BTreeMap<(String, String), Credentials>,
    policy_hosts: BTreeMap<(String, String), Placed<PolicyHost>>,
    ca: PublicCa,
}

impl World {
    /// Gives out addresses, makes keys and certificates, fills the zones' places and signs them.
    ///
    /// # Errors
    /// [`WorldError`] names the scenario and what is wrong with it.
    pub fn build(scenarios: Vec<Scenario>, now: UnixTime) -> Result<Self, WorldError> {
        let openssl = |error: openssl::error::ErrorStack| WorldError::new("certificates", error);
        let ca = PublicCa::make(now).map_err(openssl)?;
        let mut addresses = Addresses::default();
        let mut receivers = BTreeMap::new();
        let mut credentials = BTreeMap::new();
        let mut policy_hosts = BTreeMap::new();
        for scenario in &scenarios {
            for spec in &scenario.receivers {
                let key = (scenario.id.clone(), spec.name.clone());
                let name = host_name(scenario, spec);
                let mut made =
                    Credentials::make(&spec.certificate, &name, &ca, now).map_err(openssl)?;
                for further in &spec.also {
                    let other = Credentials::make(&further.certificate, &name, &ca, now)
                        .map_err(openssl)?;
                    made.add(further, other);
                }
                let placed = place_receiver(scenario, spec, &made, &mut addresses)?;
                receivers.insert(key.clone(), placed);
                credentials.insert(key, made);
            }
            for spec in &scenario.policy_hosts {
                let name = format!("mta-sts.{}", spec.domain);
                let made =
                    Credentials::for_policy_host(&name, spec.fault, &ca, now).map_err(openssl)?;
                let context = tls::context(&made.presentation(), TlsKind::Modern)
                    .map_err(|error| WorldError::new(&scenario.id, error))?;
                let (ipv4, ipv6) = addresses
                    .host()
                    .ok_or_else(|| WorldError::new(&scenario.id, "no address is left"))?;
                let dead = if spec.fault == Some(PolicyFault::Dead) {
                    vec![Family::Ipv4, Family::Ipv6]
                } else {
                    Vec::new()
                };
                let placed = Placed {
                    host: Arc::new(PolicyHost::new(spec.clone(), context)),
                    ipv4: Some(ipv4),
                    ipv6: Some(ipv6),
                    port: 443,
                    dead,
                };
                policy_hosts.insert((scenario.id.clone(), spec.name.clone()), placed);
            }
        }
        let mut world = Unsigned {
            receivers: &receivers,
            policy_hosts: &policy_hosts,
            credentials: &credentials,
            addresses,
        };
        let described = zones::describe(&scenarios, &mut world, now)?;
        let tree = SignedTree::build(&described.sources, seed(), now)
            .map_err(|error| WorldError::new("zones", error))?;
        let mut authority = Authority::new(tree);
        for (address, apex) in &described.unlisted {
            authority.serve_also(*address, apex);
        }
        for (whose, behaviour) in described.behaviours {
            match whose {
                Whose::Zone(apex) => {
                    authority.misbehave_zone(&apex, &behaviour);
                }
                Whose::Server(address) => {
                    authority.misbehave(address, behaviour);
                }
            }
        }
        let authority = Arc::new(authority);
        Ok(Self {
            validating: Forwarder::new(Arc::clone(&authority), ForwardMode::Validating),
            careless: Forwarder::new(Arc::clone(&authority), ForwardMode::Oblivious),
            scenarios,
            authority,
            receivers,
            credentials,
            policy_hosts,
            ca,
        })
    }

    /// The scenarios in it.
    #[must_use]
    pub fn scenarios(&self) -> &[Scenario] {
        &self.scenarios
    }

    /// The name servers.
    #[must_use]
    pub const fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// A mail server of a scenario.
    #[must_use]
    pub fn receiver(&self, scenario: &str, name: &str) -> Option<&Placed<Receiver>> {
        self.receivers.get(&(scenario.to_owned(), name.to_owned()))
    }

    /// The mail servers of a scenario, by name.
    pub fn receivers_of<'a>(
        &'a self,
        scenario: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Placed<Receiver>)> {
        (self.receivers.iter())
            .filter(move |((id, _), _)| id == scenario)
            .map(|((_, name), placed)| (name.as_str(), placed))
    }

    /// A policy host of a scenario.
    #[must_use]
    pub fn policy_host(&self, scenario: &str, name: &str) -> Option<&PolicyHost> {
        let key = (scenario.to_owned(), name.to_owned());
        self.policy_hosts.get(&key).map(|placed| &*placed.host)
    }

    /// The lab's public CA, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.ca.pem()
    }

    /// The addresses on which a name server or resolver answers, UDP and TCP port 53.
    #[must_use]
    pub fn dns_addresses(&self) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = self.authority.addresses().collect();
        all.extend([VALIDATING_RESOLVER, CARELESS_RESOLVER]);
        all
    }

    /// Everybody but the name servers who listens, with the address.
    #[must_use]
    pub fn services(&self) -> Vec<(SocketAddr, Service)> {
        let mut all = Vec::new();
        for placed in self.receivers.values() {
            let service = Service::Mail(Arc::clone(&placed.host));
            all.extend(placed.listening().map(|address| (address, service.clone())));
        }
        for placed in self.policy_hosts.values() {
            let service = Service::Policy(Arc::clone(&placed.host));
            all.extend(placed.listening().map(|address| (address, service.clone())));
        }
        all
    }

    /// Every address of the world, those with nobody listening among them.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = self.authority.addresses().collect();
        for placed in self.receivers.values() {
            all.extend(placed.ipv4.map(IpAddr::V4));
            all.extend(placed.ipv6.map(IpAddr::V6));
        }
        for placed in self.policy_hosts.values() {
            all.extend(placed.ipv4.map(IpAddr::V4));
            all.extend(placed.ipv6.map(IpAddr::V6));
        }
        all
    }

    /// What the name server or resolver at `server` does with a query.
    #[must_use]
    pub fn respond(&self, server: IpAddr, transport: Transport, query: &[u8]) -> Reaction {
        if server == VALIDATING_RESOLVER {
            self.validating.respond(transport, query)
        } else if server == CARELESS_RESOLVER {
            self.careless.respond(transport, query)
        } else {
            self.authority.respond(server, transport, query)
        }
    }

    /// Fills the places of a text that belongs to `scenario`.
    ///
    /// # Errors
    /// [`WorldError`] when a place names a host that the scenario does not have.
    pub fn fill(&self, scenario: &str, text: &str) -> Result<String, WorldError> {
        places::fill(text, |place| {
            place_value(
                scenario,
                place,
                &self.receivers,
                &self.policy_hosts,
                &self.credentials,
            )
        })
        .map_err(|reason| WorldError::new(scenario, reason))
    }
}

impl Service {
    /// Serves one connection to its end.
    pub async fn serve(&self, stream: Box<dyn ByteStream>, address: SocketAddr) {
        match self {
            Self::Mail(receiver) => receiver.serve(stream, address).await,
            Self::Policy(host) => host.serve(stream).await,
        }
    }
}

/// What is known before the zones are signed.
struct Unsigned<'a> {
    receivers: &'a BTreeMap<(String, String), Placed<Receiver>>,
    policy_hosts: &'a BTreeMap<(String, String), Placed<PolicyHost>>,
    credentials: &'a BTreeMap<(String, String), Credentials>,
    addresses: Addresses,
}

impl Unsigned<'_> {
    fn fill(&self, scenario: &str, text: &str) -> Result<String, WorldError> {
        places::fill(text, |place| {
            place_value(
                scenario,
                place,
                self.receivers,
                self.policy_hosts,
                self.credentials,
            )
        })
        .map_err(|reason| WorldError::new(scenario, reason))
    }
}

/// The same keys and NSEC3 chains in every run would hide faults that depend on them.
fn seed() -> u64 {
    rand::random()
}

/// The name a receiver gives itself and is certified for: its own, below its zone.
fn host_name(scenario: &Scenario, spec: &ReceiverSpec) -> String {
    let first = || (scenario.zones.first()).map(|zone| zone.name.as_str());
    let apex = (spec.zone.as_deref().or_else(first)).unwrap_or(TOP_LEVEL_DOMAINS[0].0);
    format!("{}.{apex}", spec.name)
}

fn place_receiver(
    scenario: &Scenario,
    spec: &ReceiverSpec,
    credentials: &Credentials,
    addresses: &mut Addresses,
) -> Result<Placed<Receiver>, WorldError> {
    let context = tls::context(&credentials.presentation(), spec.tls)
        .map_err(|error| WorldError::new(&scenario.id, error))?;
    let (ipv4, ipv6) = addresses
        .host()
        .ok_or_else(|| WorldError::new(&scenario.id, "no address is left"))?;
    let host = Receiver::new(spec.clone(), host_name(scenario, spec), Some(context));
    Ok(Placed {
        host: Arc::new(host),
        ipv4: (spec.addresses != Families::Ipv6).then_some(ipv4),
        ipv6: (spec.addresses != Families::Ipv4).then_some(ipv6),
        port: spec.port,
        dead: spec.dead.clone(),
    })
}

fn place_value(
    scenario: &str,
    place: &Place,
    receivers: &BTreeMap<(String, String), Placed<Receiver>>,
    policy_hosts: &BTreeMap<(String, String), Placed<PolicyHost>>,
    credentials: &BTreeMap<(String, String), Credentials>,
) -> Result<String, String> {
    let key = |name: &str| (scenario.to_owned(), name.to_owned());
    let credentials_of = |name: &str| {
        (credentials.get(&key(name))).ok_or_else(|| format!("there is no receiver \"{name}\""))
    };
    match place {
        Place::Ipv4(name) => (receivers.get(&key(name)).map(|placed| placed.ipv4))
            .or_else(|| policy_hosts.get(&key(name)).map(|placed| placed.ipv4))
            .flatten()
            .map(|address| address.to_string())
            .ok_or_else(|| format!("\"{name}\" has no IPv4 address")),
        Place::Ipv6(name) => (receivers.get(&key(name)).map(|placed| placed.ipv6))
            .or_else(|| policy_hosts.get(&key(name)).map(|placed| placed.ipv6))
            .flatten()
            .map(|address| address.to_string())
            .ok_or_else(|| format!("\"{name}\" has no IPv6 address")),
        Place::Tlsa {
            usage,
            selector,
            matching_type,
            host,
            also,
            part,
        } => {
            let credentials = credentials_of(host)?;
            let of = match also {
                None => credentials,
                Some(name) => (credentials.also(name))
                    .ok_or_else(|| format!("\"{host}\" has no certificate \"{name}\""))?,
            };
            of.tlsa(*part, (*usage, *selector, *matching_type))
        }
        Place::Slip {
            usage,
            selector,
            matching_type,
            host,
        } => {
            let fields = (*usage, *selector, *matching_type);
            let mut text = credentials_of(host)?.tlsa(ChainPart::Leaf, fields)?;
            // Exchanged octets that are equal would be no slip.
            let (last, other) = (
                text.split_off(text.len() - 2),
                text.split_off(text.len() - 2),
            );
            text.push_str(&last);
            text.push_str(if last == other { "00" } else { &other });
            Ok(text)
        }
        Place::WrongTlsa {
            usage,
            selector,
            matching_type,
        } => {
            let length = match matching_type {
                2 => 64,
                _ => 32,
            };
            // A digest that nobody has, and that looks like one.
            let digest = openssl::sha::sha512(b"nothing has this digest");
            let mut association = String::new();
            for octet in digest.iter().take(length) {
                // Writing to a String cannot fail.
                let _ = write!(association, "{octet:02x}");
            }
            Ok(format!("{usage} {selector} {matching_type} {association}"))
        }
        Place::Pin { host, of_key } => credentials_of(host)?.pin(*of_key),
    }
}

#[cfg(test)]
mod tests;
