//! The attacker on the path, and the network that it sits in.

use crate::drive::UPSTREAM;
use crate::mutation::{Mutated, Mutation, Scene, forger};
use crate::net::{MemoryNet, question_of};
use crate::wire::{Reply, addressed_to, normalised, query, question_end, wire_name};
use crate::worlds::{FORGER, authority};
use domain::base::Name;
use domain::base::iana::Rtype;
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_lab::authority::{ForwardMode, Forwarder, Reaction, Transport};
use elsinore_net::resolver::Mode;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where the attacker sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Between the resolver under test and whom it asks.
    Front,
    /// Between the upstream resolver and the servers.
    Behind,
}

/// Which exchanges are attacked, whatever the transport and however often they are repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Victim {
    /// One question at one server.
    Exchange(Place, IpAddr, Question),
    /// One question at every server.
    Question(Place, Question),
    /// Every question of these types.
    Types(Place, &'static [RecordType]),
}

impl Victim {
    fn is(&self, place: Place, server: IpAddr, asked: &Question) -> bool {
        match self {
            Self::Exchange(at, address, question) => {
                *at == place && *address == server && question == asked
            }
            Self::Question(at, question) => *at == place && question == asked,
            Self::Types(at, types) => *at == place && types.contains(&asked.record_type),
        }
    }
}

/// What is done to whom. The first that fits is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Attack(pub(crate) Vec<(Victim, Mutation)>);

impl Attack {
    pub(crate) fn one(victim: Victim, mutation: Mutation) -> Self {
        Self(vec![(victim, mutation)])
    }

    pub(crate) fn is_failure(&self) -> bool {
        self.0.iter().all(|(_, mutation)| mutation.is_failure())
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str("none")?;
        }
        for (index, (victim, mutation)) in self.0.iter().enumerate() {
            let and = if index > 0 { " and " } else { "" };
            match victim {
                Victim::Exchange(place, server, question) => {
                    write!(f, "{and}{mutation:?} for {question} @{server} ({place:?})")?;
                }
                Victim::Question(place, question) => {
                    write!(f, "{and}{mutation:?} for {question} ({place:?})")?;
                }
                Victim::Types(place, types) => {
                    write!(f, "{and}{mutation:?} for all {types:?} ({place:?})")?;
                }
            }
        }
        Ok(())
    }
}

type Memo = HashMap<(SocketAddr, Transport, Vec<u8>), Reaction>;

/// The world as one mode of resolution sees it. Right replies are made once.
pub(crate) struct Network {
    mode: Mode,
    forwarder: Forwarder,
    memo: Mutex<Memo>,
    /// What the upstream resolver asks the servers for a query, undisturbed.
    trails: Mutex<HashMap<(Transport, Vec<u8>), Exchanges>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The exchanges of a run.
pub(crate) type Exchanges = BTreeSet<(Place, IpAddr, Question)>;

impl Network {
    pub(crate) fn new(mode: Mode) -> Arc<Self> {
        let forwarding = match mode {
            Mode::Ad => ForwardMode::Validating,
            Mode::Recursive | Mode::Forward => ForwardMode::Oblivious,
        };
        Arc::new(Self {
            mode,
            forwarder: Forwarder::new(authority(), forwarding),
            memo: Mutex::default(),
            trails: Mutex::default(),
        })
    }

    /// The right reply, whoever is asked.
    fn honest(&self, server: SocketAddr, transport: Transport, octets: &[u8]) -> Reaction {
        let key = (server, transport, normalised(octets));
        let known = lock(&self.memo).get(&key).cloned();
        let reaction = known.unwrap_or_else(|| {
            let reaction = if server.to_string() == UPSTREAM {
                self.forwarder.respond(transport, &key.2)
            } else {
                authority().respond(server.ip(), transport, &key.2)
            };
            lock(&self.memo).insert(key, reaction.clone());
            reaction
        });
        match reaction {
            Reaction::Reply(reply) => Reaction::Reply(addressed_to(&reply, octets)),
            other => other,
        }
    }

    /// The network with `attack` in it, and the exchanges it will have seen.
    pub(crate) fn under(self: &Arc<Self>, attack: Attack) -> (MemoryNet, Arc<Mutex<Exchanges>>) {
        let seen = Arc::new(Mutex::new(Exchanges::new()));
        let tap = Arc::clone(&seen);
        let network = Arc::clone(self);
        let attack = Arc::new(attack);
        let behind = (self.mode == Mode::Ad).then(|| {
            let (network, attack, tap) = (Arc::clone(self), Arc::clone(&attack), Arc::clone(&seen));
            self.forwarder.clone().intercepted(Arc::new(
                move |server: IpAddr, transport, octets: &[u8], reaction| {
                    let server = SocketAddr::new(server, 53);
                    note(&tap, Place::Behind, server.ip(), octets);
                    network
                        .attacked(&attack, Place::Behind, server, transport, octets)
                        .unwrap_or(reaction)
                },
            ))
        });
        let net = MemoryNet::new(move |server: SocketAddr, transport, octets: &[u8]| {
            note(&tap, Place::Front, server.ip(), octets);
            if let Some(reaction) =
                network.attacked(&attack, Place::Front, server, transport, octets)
            {
                return reaction;
            }
            match &behind {
                // Whom the attack does not touch gets the right answer, which is known.
                Some(forwarder) if network.is_touched(&attack, transport, octets, &tap) => {
                    forwarder.respond(transport, octets)
                }
                _ => network.honest(server, transport, octets),
            }
        });
        (net, seen)
    }

    /// Whether the upstream resolver would put a question that is attacked, were it asked this.
    /// What it does up to the first such question is what it does undisturbed.
    fn is_touched(
        &self,
        attack: &Attack,
        transport: Transport,
        octets: &[u8],
        seen: &Mutex<Exchanges>,
    ) -> bool {
        let key = (transport, normalised(octets));
        let known = lock(&self.trails).get(&key).cloned();
        let trail = known.unwrap_or_else(|| {
            let trail = Arc::new(Mutex::new(Exchanges::new()));
            let tap = Arc::clone(&trail);
            let walker = self.forwarder.clone().intercepted(Arc::new(
                move |server: IpAddr, _, octets: &[u8], reaction| {
                    note(&tap, Place::Behind, server, octets);
                    reaction
                },
            ));
            let _ = walker.respond(transport, octets);
            let trail = lock(&trail).clone();
            lock(&self.trails).insert(key, trail.clone());
            trail
        });
        lock(seen).extend(trail.iter().cloned());
        let mut victims = attack.0.iter();
        victims.any(|(victim, _)| {
            trail
                .iter()
                .any(|(place, server, asked)| victim.is(*place, *server, asked))
        })
    }

    /// What the attacker sends instead, if it cares.
    fn attacked(
        &self,
        attack: &Attack,
        place: Place,
        server: SocketAddr,
        transport: Transport,
        octets: &[u8],
    ) -> Option<Reaction> {
        let asked = question_of(octets)?;
        if server.ip().to_string() == FORGER {
            let (name, rtype) = wire_question(octets)?;
            return Some(Reaction::Reply(forger(&name, rtype).write(octets)));
        }
        let (_, mutation) = attack
            .0
            .iter()
            .find(|(victim, _)| victim.is(place, server.ip(), &asked))?;
        let right = || match self.honest(server, transport, octets) {
            Reaction::Reply(reply) => Some(reply),
            Reaction::Silence | Reaction::Close => None,
        };
        Some(match self.mutated(place, server, octets, *mutation)? {
            Mutated::Silence => Reaction::Silence,
            Mutated::Reply(reply) => Reaction::Reply(reply.write(octets)),
            Mutated::Cut => {
                let mut reply = right()?;
                let end = question_end(&reply).max(reply.len() / 2);
                reply.truncate(end);
                Reaction::Reply(reply)
            }
            Mutated::WrongId => {
                let mut reply = right()?;
                reply[0] ^= 0xff;
                Reaction::Reply(reply)
            }
        })
    }

    fn mutated(
        &self,
        place: Place,
        server: SocketAddr,
        octets: &[u8],
        mutation: Mutation,
    ) -> Option<Mutated> {
        let asked = question_of(octets)?;
        let (name, rtype) = wire_question(octets)?;
        let ask = |octets: &[u8]| {
            let reaction = self.honest(server, Transport::Tcp, octets);
            reaction.reply().and_then(Reply::parse)
        };
        let ask_own = |octets: &[u8]| {
            let parent: SocketAddr = "192.0.2.2:53".parse().expect("address");
            let own: SocketAddr = "192.0.2.20:53".parse().expect("address");
            let (_, rtype) = wire_question(octets)?;
            let server = if rtype == Rtype::DS { parent } else { own };
            let reaction = self.honest(server, Transport::Tcp, octets);
            reaction.reply().and_then(Reply::parse)
        };
        debug_assert!(place == Place::Behind || self.mode != Mode::Ad || mutation.is_failure());
        let scene = Scene {
            apex: wire_name(apex_of(&asked).as_str()),
            honest: ask(octets),
            name,
            rtype,
            ask: &ask,
            ask_own: &ask_own,
        };
        Some(scene.apply(mutation))
    }

    /// The mutations of one exchange that differ from the right reply and from each other.
    pub(crate) fn mutations(
        &self,
        place: Place,
        server: IpAddr,
        question: &Question,
        wanted: &[Mutation],
    ) -> Vec<Mutation> {
        let name: Name<Vec<u8>> = wire_name(question.name.as_str());
        let octets = query(&name, Rtype::from_int(question.record_type.code()));
        let port = SocketAddr::new(server, 53);
        let honest = self.honest(port, Transport::Tcp, &octets);
        let mut seen: Vec<Mutated> = Vec::new();
        match honest.reply().and_then(Reply::parse) {
            Some(reply) => seen.push(Mutated::Reply(reply)),
            None => seen.push(Mutated::Silence),
        }
        let mut kept = Vec::new();
        for mutation in wanted {
            let made = self.mutated(place, port, &octets, *mutation);
            if let Some(made) = made
                && !seen.contains(&made)
            {
                seen.push(made);
                kept.push(*mutation);
            }
        }
        kept
    }
}

fn note(seen: &Mutex<Exchanges>, place: Place, server: IpAddr, octets: &[u8]) {
    if let Some(question) = question_of(octets) {
        lock(seen).insert((place, server, question));
    }
}

fn wire_question(octets: &[u8]) -> Option<(Name<Vec<u8>>, Rtype)> {
    let end = question_end(octets);
    let name = Name::from_octets(octets.get(12..end.checked_sub(4)?)?.to_vec()).ok()?;
    let code = octets.get(end - 4..end - 2)?.first_chunk::<2>()?;
    Some((name, Rtype::from_int(u16::from_be_bytes(*code))))
}

/// The zone that a question is about; for DS the one above.
pub(crate) fn apex_of(asked: &Question) -> DomainName {
    let world = authority();
    let mut apex: DomainName = asked.name.clone();
    if asked.record_type == RecordType::Ds {
        apex = apex.parent().unwrap_or_else(DomainName::root);
    }
    while world.tree().zone(&apex, 0).is_none() {
        apex = apex.parent().unwrap_or_else(DomainName::root);
    }
    apex
}
