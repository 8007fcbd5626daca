//! The authoritative name servers of a world, as one pure function from a query to a reaction.
//!
//! Which server serves which zone follows from the NS and address records of the zones
//! themselves. Answers follow RFC 1034 §4.3.2, RFC 4035 §3.1, RFC 5155 §7.2, RFC 6672 §3.2 and
//! RFC 8482; a server can be told to misbehave by [`Behaviour`]s, which are data.

mod answer;
mod attack;
mod behaviour;
mod denial;
mod forwarder;
mod message;
mod serve;

use crate::sign::SignedTree;
use crate::zone::{Fqdn, Rdata, Zone, fqdn};
use domain::base::iana::Rtype;
use elsinore_dane::name::DomainName;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

pub use attack::Attack;
pub use behaviour::{Act, Behaviour, Names, When};
pub use forwarder::{ForwardMode, Forwarder, Interceptor};
pub use serve::{Listeners, Responder};

/// How a query arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram; answers are limited by the EDNS size, 512 octets without EDNS.
    Udp,
    /// A stream; answers have up to 65 535 octets. Length prefixes are the caller's business.
    Tcp,
}

/// What a server does with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Sends this message.
    Reply(Vec<u8>),
    /// Never answers.
    Silence,
    /// Closes the connection (TCP), or answers with an ICMP refusal (UDP; where that cannot be
    /// shown, silence).
    Close,
}

impl Reaction {
    /// The octets of a reply.
    #[must_use]
    pub fn reply(&self) -> Option<&[u8]> {
        match self {
            Self::Reply(octets) => Some(octets),
            Self::Silence | Self::Close => None,
        }
    }
}

/// All name servers of a world.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Shared: signed zones are large, and clones only differ in their servers.
    tree: Arc<SignedTree>,
    servers: BTreeMap<IpAddr, Server>,
}

#[derive(Debug, Clone, Default)]
struct Server {
    zones: Vec<Fqdn>,
    behaviours: Vec<Behaviour>,
}

impl Authority {
    /// Serves each zone (version 0) of the tree at every address that its apex NS records have
    /// anywhere in the tree.
    #[must_use]
    pub fn new(tree: SignedTree) -> Self {
        let mut servers: BTreeMap<IpAddr, Server> = BTreeMap::new();
        for zone in tree.zones().filter(|zone| zone.version() == 0) {
            for address in server_addresses(&tree, zone) {
                servers
                    .entry(address)
                    .or_default()
                    .zones
                    .push(zone.apex.clone());
            }
        }
        let tree = Arc::new(tree);
        Self { tree, servers }
    }

    /// Lets the server at `address` serve the zone at `apex` too. Without such a zone in the tree
    /// it goes on refusing.
    pub fn serve_also(&mut self, address: IpAddr, apex: &DomainName) {
        let zones = &mut self.servers.entry(address).or_default().zones;
        let apex = fqdn(apex);
        if !zones.contains(&apex) {
            zones.push(apex);
        }
    }

    /// Adds a behaviour to one server. The first whose condition holds decides; later ones are
    /// not looked at. Returns whether that server exists.
    pub fn misbehave(&mut self, address: IpAddr, behaviour: Behaviour) -> bool {
        match self.servers.get_mut(&address) {
            Some(server) => {
                server.behaviours.push(behaviour);
                true
            }
            None => false,
        }
    }

    /// Adds a behaviour to every server of the zone at `apex`; returns how many there are.
    pub fn misbehave_zone(&mut self, apex: &DomainName, behaviour: &Behaviour) -> usize {
        let apex = fqdn(apex);
        let mut count = 0;
        for server in self.servers.values_mut() {
            if server.zones.contains(&apex) {
                server.behaviours.push(behaviour.clone());
                count += 1;
            }
        }
        count
    }

    /// The addresses that answer on port 53, in order.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.servers.keys().copied()
    }

    /// Whether the server at `address` serves the zone at `apex`.
    #[must_use]
    pub fn serves(&self, address: IpAddr, apex: &DomainName) -> bool {
        let apex = fqdn(apex);
        self.servers
            .get(&address)
            .is_some_and(|server| server.zones.contains(&apex))
    }

    /// The zones behind the servers.
    #[must_use]
    pub fn tree(&self) -> &SignedTree {
        &self.tree
    }

    /// What the server at `server` does with `query`. An address where no server is stays silent.
    #[must_use]
    pub fn respond(&self, server: IpAddr, transport: Transport, query: &[u8]) -> Reaction {
        let Some(server) = self.servers.get(&server) else {
            return Reaction::Silence;
        };
        let query = match message::Query::parse(query) {
            Ok(query) => query,
            Err(message::Unreadable::Ignored) => return Reaction::Silence,
            Err(message::Unreadable::Refused(reply)) => return Reaction::Reply(reply),
        };
        let view = View {
            tree: &self.tree,
            zones: &server.zones,
            version: 0,
        };
        match server
            .behaviours
            .iter()
            .find(|behaviour| behaviour.when.holds(&query, transport, &view))
        {
            Some(behaviour) => behaviour::react(&behaviour.act, &view, &query, transport),
            None => answer::answer(&view, &query).into_reaction(&query, transport),
        }
    }

    /// Answers as a well-behaved server of every zone would, in that version of each.
    pub(crate) fn honest(&self, query: &message::Query, version: u8) -> message::Draft {
        let zones: Vec<Fqdn> = self
            .tree
            .zones()
            .filter(|zone| zone.version() == 0)
            .map(|zone| zone.apex.clone())
            .collect();
        let view = View {
            tree: &self.tree,
            zones: &zones,
            version,
        };
        answer::answer(&view, query)
    }
}

/// The zones one server sees, in one version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) tree: &'a SignedTree,
    pub(crate) zones: &'a [Fqdn],
    pub(crate) version: u8,
}

impl<'a> View<'a> {
    /// The deepest served zone at or above `name` that answers for `rtype`: DS belongs to the
    /// parent's side of a cut (RFC 4035 §3.1.4.1), if the parent is served here.
    pub(crate) fn zone_for(&self, name: &Fqdn, rtype: Rtype) -> Option<&'a Zone> {
        if rtype == Rtype::DS
            && let Some(parent) = name.parent()
            && let Some(zone) = self.deepest(&parent)
        {
            return Some(zone);
        }
        self.deepest(name)
    }

    fn deepest(&self, name: &Fqdn) -> Option<&'a Zone> {
        let mut current = name.clone();
        loop {
            if self.zones.contains(&current) {
                return self
                    .tree
                    .zone_at(&current, self.version)
                    .or_else(|| self.tree.zone_at(&current, 0));
            }
            current = current.parent()?;
        }
    }
}

/// The address in A or AAAA data; `None` for other types and for malformed data.
pub(crate) fn address_of(data: &Rdata) -> Option<IpAddr> {
    let Rdata::Unknown(unknown) = data else {
        return None;
    };
    let octets = unknown.data().as_ref();
    match unknown.rtype() {
        Rtype::A => <[u8; 4]>::try_from(octets)
            .ok()
            .map(|octets| Ipv4Addr::from(octets).into()),
        Rtype::AAAA => <[u8; 16]>::try_from(octets)
            .ok()
            .map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

fn server_addresses(tree: &SignedTree, zone: &Zone) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    let Some(servers) = zone.set(&zone.apex, Rtype::NS) else {
        return addresses;
    };
    for data in &servers.records {
        let Rdata::Ns(ns) = data else { continue };
        for rtype in [Rtype::A, Rtype::AAAA] {
            for address in tree.addresses_of(ns.nsdname(), rtype) {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
    }
    addresses
}
