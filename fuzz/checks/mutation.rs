//! Whatever an attacker does to the replies of a lookup: bogus never becomes secure, secure never
//! becomes insecure or other data, insecure never becomes secure. The replies are those of a
//! recorded world, its older and expired version among them; the octets of the fuzzer say what is
//! done to them.

use crate::reply::{Record, Reply};
use elsinore_dane::answer::{Answer, Last, Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::security::Security;
use elsinore_dane::time::UnixTime;
use elsinore_net::clock::FixedClock;
use elsinore_net::dialer::{ByteStream, Datagrams, Dialer};
use elsinore_net::resolver::{
    Freshness, Limits, Mode, Net, Resolver, ResolverConfig, RootHints, SecureResolver, TrustAnchors,
};
use futures_util::future::BoxFuture;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};

/// Written by the ignored test `world_written` of the lab.
const RECORDED: &[u8] = include_bytes!("../worlds/signed.bin");
/// The time of the recorded signatures.
pub(crate) const NOW: UnixTime = UnixTime(1_780_000_000);
/// Where the upstream of forward mode is.
pub(crate) const UPSTREAM: &str = "127.0.0.1:53";

/// What is looked up: secure, insecure and bogus.
pub(crate) const LOOKUPS: &[&str] = &[
    "_25._tcp.mx.nsec3.test TLSA",
    "_25._tcp.mx.nsec.test TLSA",
    "_25._tcp.ns.nsec.test TLSA",
    "_25._tcp.ns.nsec3.test TLSA",
    "mx.nsec3.test TXT",
    "mx.nsec.test TXT",
    "nsec.test MX",
    "x.wild.nsec.test A",
    "x.wild.nsec3.test A",
    "x.wild.nsec.test TXT",
    "mx.dn.nsec.test A",
    "alias.nsec.test A",
    "tonsec3.nsec.test A",
    "toplain.nsec.test A",
    "tonsec.plain.test A",
    "b.ent.nsec3.test A",
    "mx.deep.sub.nsec.test A",
    "mx.split.test A",
    "mx.safe.opt A",
    "mx.plain.test A",
    "nowhere.plain.test A",
    "mx.leaf.opt A",
    "mx.island.plain A",
    "a.badsig.test A",
    "mx.expired.test A",
    "mx.future.test A",
    "mx.wrongds.test A",
    "badmx.test MX",
    "mx.nosig.test A",
    "nowhere.stripped.test A",
    "tobogus.nsec.test A",
];

type Exchange = (IpAddr, Vec<u8>);

/// Replies by server and question, and texts to start from.
pub(crate) struct World {
    hints: String,
    anchor: String,
    replies: HashMap<Exchange, Vec<u8>>,
    /// Replies of the same servers long ago.
    older: HashMap<Exchange, Vec<u8>>,
    /// All records of the replies, for grafts.
    records: Vec<Record>,
    keys: Vec<Exchange>,
    truths: Mutex<HashMap<(usize, usize), Answer>>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// Name in lower case and type of a query or reply.
pub(crate) fn question_octets(message: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    while let Some(length) = message.get(end).filter(|length| **length > 0) {
        end += usize::from(*length) + 1;
    }
    let name = message.get(12..=end)?.to_ascii_lowercase();
    let rtype = message.get(end + 1..end + 3)?;
    Some([&name[..], rtype].concat())
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    let field = rest.get(2..2 + length)?;
    *rest = rest.get(2 + length..)?;
    Some(field)
}

/// The file of a world: hints, anchor, then server, question, reply now and reply long ago, each
/// with its length in front.
pub(crate) fn pack(hints: &str, anchor: &str, exchanges: &[(IpAddr, [Vec<u8>; 3])]) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut push = |field: &[u8]| {
        octets.extend(u16::try_from(field.len()).unwrap_or(0).to_be_bytes());
        octets.extend(field);
    };
    push(hints.as_bytes());
    push(anchor.as_bytes());
    for (server, fields) in exchanges {
        push(server.to_string().as_bytes());
        for field in fields {
            push(field);
        }
    }
    octets
}

impl World {
    fn unpack(mut rest: &[u8]) -> Option<Self> {
        let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
        let hints = text(field(&mut rest)?);
        let anchor = text(field(&mut rest)?);
        let (mut replies, mut older) = (HashMap::new(), HashMap::new());
        let mut records = Vec::new();
        let mut keys = Vec::new();
        while !rest.is_empty() {
            let server = text(field(&mut rest)?).parse().ok()?;
            let key = (server, field(&mut rest)?.to_vec());
            let (now, then) = (field(&mut rest)?.to_vec(), field(&mut rest)?.to_vec());
            for octets in [&now, &then] {
                let reply = Reply::read(octets)?;
                records.extend(reply.sections.into_iter().flatten());
            }
            keys.push(key.clone());
            replies.insert(key.clone(), now);
            older.insert(key, then);
        }
        Some(Self {
            hints,
            anchor,
            replies,
            older,
            records,
            keys,
            truths: Mutex::default(),
        })
    }

    pub(crate) fn recorded() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| match Self::unpack(RECORDED) {
            Some(world) => world,
            None => unreachable!("the recorded world is whole"),
        })
    }
}

/// One thing done to replies: to which question (by number), what, and three numbers.
#[derive(Debug, Clone, Copy)]
struct Tampering {
    victim: u8,
    act: u8,
    numbers: [u8; 3],
}

impl Tampering {
    fn apply(self, world: &World, key: &Exchange, octets: Vec<u8>) -> Vec<u8> {
        let [a, b, c] = self.numbers;
        let number = usize::from(a) << 8 | usize::from(b);
        let Some(mut reply) = Reply::read(&octets) else {
            return octets;
        };
        let graft = |index: usize| world.records[index % world.records.len()].clone();
        match self.act % 20 {
            0 => {
                let mut octets = octets;
                let start = 12 + reply.question.len();
                let place = start + number % (octets.len() - start).max(1);
                if let Some(octet) = octets.get_mut(place) {
                    *octet ^= c.max(1);
                }
                return octets;
            }
            1 => with_record(&mut reply, a, b, |section, index| {
                section.remove(index);
            }),
            2 => with_record(&mut reply, a, b, |section, index| {
                section.push(section[index].clone());
            }),
            3 => {
                let mut moved = None;
                with_record(&mut reply, a, b, |section, index| {
                    moved = Some(section.remove(index));
                });
                reply.sections[usize::from(c) % 3].extend(moved);
            }
            4 => reply.sections[usize::from(c) % 3].push(graft(number)),
            5 => with_record(&mut reply, a, b, |section, index| {
                let rtype = section[index].rtype;
                let mut others = world.records.iter().filter(|other| other.rtype == rtype);
                let count = others.clone().count();
                if let Some(other) = others.nth(usize::from(c) * 7 % count.max(1)) {
                    section[index].rdata.clone_from(&other.rdata);
                }
            }),
            6 => with_record(&mut reply, a, b, |section, index| {
                section[index].ttl = u32::from(c) << 24 | 7;
            }),
            7 => with_record(&mut reply, a, b, |section, index| {
                let rdata = &mut section[index].rdata;
                let place = usize::from(c) * 5 % rdata.len().max(1);
                if let Some(octet) = rdata.get_mut(place) {
                    *octet ^= c | 1;
                }
            }),
            8 => exchange_signatures(&mut reply, a, b),
            9 => with_record(&mut reply, a, b, |section, index| {
                let name = &key.1[..key.1.len() - 2];
                section[index].owner = name.to_vec();
            }),
            10 => reply.flags[1] = reply.flags[1] & 0xf0 | (a % 16),
            11 => reply.flags[0] ^= a & 0x87,
            12 => reply.sections[usize::from(a) % 3].clear(),
            // Everything of another reply, in place of this or in addition.
            13 | 14 => {
                let other = &world.keys[number % world.keys.len()];
                let other = world
                    .replies
                    .get(other)
                    .and_then(|octets| Reply::read(octets));
                if let Some(other) = other {
                    if self.act % 20 == 13 {
                        reply.sections = other.sections;
                        reply.flags[1] = reply.flags[1] & 0xf0 | other.flags[1] & 0x0f;
                    } else {
                        for (section, more) in reply.sections.iter_mut().zip(other.sections) {
                            section.extend(more);
                        }
                    }
                }
            }
            15 => {
                let mut octets = octets;
                octets.truncate(12 + reply.question.len() + number % octets.len().max(1));
                return octets;
            }
            // The reply of long ago, in place of this or mixed with it.
            16 | 17 => {
                let older = world.older.get(key).and_then(|octets| Reply::read(octets));
                if let Some(older) = older {
                    for (section, old) in reply.sections.iter_mut().zip(older.sections) {
                        if self.act % 20 == 16 {
                            *section = old;
                        } else {
                            section.extend(old);
                        }
                    }
                }
            }
            // A whole RRset with its signatures gets another owner: that of the question.
            18 => {
                let name = key.1[..key.1.len() - 2].to_vec();
                let section = &mut reply.sections[usize::from(a) % 3];
                if let Some(owner) = section.first().map(|record| record.owner.clone()) {
                    for record in section.iter_mut().filter(|record| record.owner == owner) {
                        record.owner.clone_from(&name);
                    }
                }
            }
            // An NSEC3 or RRSIG is made to say less: iterations, flags, labels.
            _ => {
                for record in reply.sections.iter_mut().flatten() {
                    let place = match record.rtype {
                        50 => 1 + usize::from(a) % 3,
                        46 => usize::from(a) % 18,
                        47 => record.rdata.len().saturating_sub(1),
                        _ => continue,
                    };
                    if let Some(octet) = record.rdata.get_mut(place) {
                        *octet = b;
                    }
                }
            }
        }
        reply.write()
    }
}

fn with_record(reply: &mut Reply, a: u8, b: u8, act: impl FnOnce(&mut Vec<Record>, usize)) {
    let section = &mut reply.sections[usize::from(a) % 3];
    if !section.is_empty() {
        let index = usize::from(b) % section.len();
        act(section, index);
    }
}

/// Two RRSIG records keep everything but their signatures.
fn exchange_signatures(reply: &mut Reply, a: u8, b: u8) {
    let mut all: Vec<&mut Record> = (reply.sections.iter_mut().flatten())
        .filter(|record| record.rtype == 46)
        .collect();
    if all.len() < 2 {
        return;
    }
    let first = usize::from(a) % all.len();
    let second = usize::from(b) % all.len();
    let one = all[first].rdata.clone();
    let two = all[second].rdata.clone();
    all[first].rdata = two;
    all[second].rdata = one;
}

/// The network of a world, with an attacker on it.
#[derive(Debug, Clone)]
struct Attacked {
    world: &'static World,
    tamperings: Arc<[Tampering]>,
    /// The questions so far, in the order in which they were first put.
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Attacked {
    fn reply(&self, server: IpAddr, query: &[u8]) -> Option<Vec<u8>> {
        let key = (server, question_octets(query)?);
        let mut reply = self.world.replies.get(&key)?.clone();
        let number = {
            let mut seen = self.seen.lock().ok()?;
            match seen.iter().position(|question| *question == key.1) {
                Some(number) => number,
                None => {
                    seen.push(key.1.clone());
                    seen.len() - 1
                }
            }
        };
        for tampering in self.tamperings.iter() {
            if usize::from(tampering.victim % 8) == number % 8 {
                reply = tampering.apply(self.world, &key, reply);
            }
        }
        // ID and spelling are those of the query: this attacker sees it.
        reply.get_mut(..2)?.copy_from_slice(query.get(..2)?);
        let end = 12 + key.1.len() - 2;
        if let (Some(mine), Some(asked)) = (reply.get_mut(12..end), query.get(12..end)) {
            mine.copy_from_slice(asked);
        }
        Some(reply)
    }
}

impl Dialer for Attacked {
    fn connect(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn datagrams(&self, peer: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        Ok(Box::new(Socket {
            net: self.clone(),
            peer: peer.ip(),
            pending: Mutex::default(),
        }))
    }
}

/// Replies that were not read yet, and who waits for one.
type Pending = (VecDeque<Vec<u8>>, Option<Waker>);

#[derive(Debug)]
struct Socket {
    net: Attacked,
    peer: IpAddr,
    pending: Mutex<Pending>,
}

impl Datagrams for Socket {
    fn send(&self, query: &[u8]) -> io::Result<()> {
        let refused = io::ErrorKind::ConnectionRefused;
        let reply = self.net.reply(self.peer, query).ok_or(refused)?;
        let mut pending = self.pending.lock().map_err(|_| refused)?;
        pending.0.push_back(reply);
        if let Some(reader) = pending.1.take() {
            reader.wake();
        }
        Ok(())
    }

    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Ok(mut pending) = self.pending.lock() else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let Some(reply) = pending.0.pop_front() else {
            pending.1 = Some(context.waker().clone());
            return Poll::Pending;
        };
        let length = reply.len().min(buffer.len());
        buffer[..length].copy_from_slice(&reply[..length]);
        Poll::Ready(Ok(length))
    }
}

fn question(text: &str) -> Question {
    let types = [
        ("A", RecordType::A),
        ("MX", RecordType::Mx),
        ("TXT", RecordType::Txt),
        ("TLSA", RecordType::Tlsa),
    ];
    let (name, rtype) = text.split_once(' ').unwrap_or((text, "A"));
    let known = types.iter().find(|(word, _)| *word == rtype);
    match (DomainName::parse(name), known) {
        (Ok(name), Some((_, rtype))) => Question::new(name, *rtype),
        _ => unreachable!("the questions are ours"),
    }
}

fn lookup(mode: Mode, text: &str, tamperings: &[Tampering]) -> Answer {
    let world = World::recorded();
    let nets: Result<Vec<Net>, _> = ["0.0.0.0/0", "::/0"].into_iter().map(str::parse).collect();
    let (Ok(allow_nets), Ok(upstream), Ok(hints), Ok(anchors)) = (
        nets,
        UPSTREAM.parse(),
        RootHints::parse(&world.hints),
        TrustAnchors::parse(&world.anchor),
    ) else {
        unreachable!("the recorded world is whole");
    };
    let config = ResolverConfig {
        mode,
        hints,
        anchors,
        upstreams: vec![upstream],
        allow_nets,
        limits: Limits {
            queries: 60,
            ..Limits::default()
        },
        ..ResolverConfig::default()
    };
    let net = Attacked {
        world,
        tamperings: tamperings.into(),
        seen: Arc::default(),
    };
    let clock = Arc::new(FixedClock(NOW));
    let Ok(resolver) = Resolver::new(config, Arc::new(net), clock) else {
        unreachable!("a configuration that works");
    };
    // Whoever does not answer costs no time.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let Ok(runtime) = runtime else {
        unreachable!("no thread is started");
    };
    let question = question(text);
    runtime.block_on(resolver.lookup(&question, Freshness::Cached))
}

/// What is true of a lookup when nobody interferes.
pub(crate) fn truth(mode: usize, number: usize) -> Answer {
    let kept = &World::recorded().truths;
    let known = kept
        .lock()
        .ok()
        .and_then(|kept| kept.get(&(mode, number)).cloned());
    known.unwrap_or_else(|| {
        let answer = lookup(MODES[mode], LOOKUPS[number], &[]);
        if let Ok(mut kept) = kept.lock() {
            kept.insert((mode, number), answer.clone());
        }
        answer
    })
}

pub(crate) const MODES: [Mode; 2] = [Mode::Recursive, Mode::Forward];

/// What stands at one place of an answer: a link or the end, without TTLs, which nobody protects
/// downwards, and without reasons.
fn places(answer: &Answer) -> Vec<(Security, String)> {
    let mut places: Vec<_> = (answer.chain.iter())
        .map(|link| {
            let text = format!("{} -> {}", link.owner, link.target);
            (link.status.security(), text)
        })
        .collect();
    let text = match &answer.last {
        Last::Data(rrset) => {
            let mut records: Vec<String> = (rrset.records.iter())
                .map(|record| format!("{record:?}"))
                .collect();
            records.sort();
            format!("{} {records:?}", rrset.owner)
        }
        Last::Denied(denial) => format!("{:?}", denial.kind),
        Last::Failed(_) => "failed".to_owned(),
    };
    places.push((answer.last.status().security(), text));
    places
}

/// Whether `answer` is as it may be when the truth was tampered with.
fn is_harmless(answer: &Answer, truth: &Answer) -> bool {
    let mut mine = places(answer).into_iter();
    for (security, text) in places(truth) {
        let Some((got, other)) = mine.next() else {
            return false;
        };
        match security {
            // Nobody finds out more than there is: a failure ends the answer.
            _ if got > Security::Insecure => return true,
            Security::Secure if got == Security::Secure && text == other => {}
            // From here on nothing is protected; but nothing becomes secure either.
            Security::Insecure => return got == Security::Insecure,
            _ => return false,
        }
    }
    true
}

/// The first octet chooses the mode, the second the lookup; then five octets for each tampering.
/// Returns whether the attack changed anything that shows.
pub(crate) fn check_mutated_answers(octets: &[u8]) -> bool {
    let [mode, number, script @ ..] = octets else {
        return false;
    };
    let mode = usize::from(*mode) % MODES.len();
    let number = usize::from(*number) % LOOKUPS.len();
    let tamperings: Vec<Tampering> = script
        .chunks_exact(5)
        .take(6)
        .map(|five| Tampering {
            victim: five[0],
            act: five[1],
            numbers: [five[2], five[3], five[4]],
        })
        .collect();
    let truth = truth(mode, number);
    let answer = lookup(MODES[mode], LOOKUPS[number], &tamperings);
    assert!(
        is_harmless(&answer, &truth),
        "{:?} {}: {tamperings:?}\n{answer:#?}\nin truth {truth:#?}",
        MODES[mode],
        LOOKUPS[number]
    );
    places(&answer) != places(&truth)
}
