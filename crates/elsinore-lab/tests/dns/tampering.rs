//! Downgrade-proof on the wire: whatever is done to any one reply of a lookup in a signed zone,
//! the outcome is the truth or a failure, never an absence and never insecurity.

use crate::net::{MemoryNet, question_of, summary};
use crate::world::{Bench, UPSTREAM, authority, config};
use elsinore_dane::answer::{Answer, Last};
use elsinore_lab::authority::{Authority, ForwardMode, Forwarder, Reaction};
use elsinore_net::resolver::Mode;
use std::net::SocketAddr;
use std::sync::Arc;

const QUESTIONS: &[&str] = &[
    "_25._tcp.mx.nsec3.test TLSA",
    "_25._tcp.ns.nsec.test TLSA",
    "mx.nsec3.test TXT",
    "x.wild.nsec.test A",
    "mx.dn.nsec.test A",
    "mx.deep.sub.nsec.test A",
];

/// What is done to a reply.
#[derive(Debug, Clone, Copy)]
enum Tampering {
    Silence,
    Code(u8),
    /// All sections gone, with this code.
    Emptied(u8),
    /// Only the answer section is left.
    AnswerOnly,
    /// The answer section is counted as part of the authority section.
    NoAnswer,
    /// The bit of this value is flipped, this share (in twentieths) into what follows the question.
    Flip(usize, u8),
}

impl Tampering {
    fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Silence,
            Self::Code(0),
            Self::Code(2),
            Self::Code(3),
            Self::Code(5),
            Self::Emptied(0),
            Self::Emptied(2),
            Self::Emptied(3),
            Self::AnswerOnly,
            Self::NoAnswer,
        ];
        all.extend((0..20).map(|share| Self::Flip(share, 1 << (share % 8))));
        all
    }

    fn apply(self, mut reply: Vec<u8>) -> Reaction {
        let mut start = 12;
        while let Some(length) = reply.get(start).filter(|length| **length > 0) {
            start += usize::from(*length) + 1;
        }
        start += 5;
        match self {
            Self::Silence => return Reaction::Silence,
            Self::Code(code) => reply[3] = reply[3] & 0xf0 | code,
            Self::Emptied(code) => {
                reply[3] = reply[3] & 0xf0 | code;
                reply[6..12].fill(0);
                reply.truncate(start);
            }
            Self::AnswerOnly => reply[8..12].fill(0),
            Self::NoAnswer => {
                reply[9] += reply[7];
                reply[6..8].fill(0);
            }
            Self::Flip(share, bit) => {
                let place = start + (reply.len() - start) * share / 20;
                if let Some(octet) = reply.get_mut(place) {
                    *octet ^= bit;
                }
            }
        }
        Reaction::Reply(reply)
    }
}

/// A network in which every reply to the question `victim` (as `NAME TYPE`) is tampered with.
fn tampered(world: &Arc<Authority>, victim: &str, how: Tampering) -> MemoryNet {
    let world = Arc::clone(world);
    let forwarder = Forwarder::new(Arc::clone(&world), ForwardMode::Oblivious);
    let victim = victim.to_owned();
    MemoryNet::new(move |server: SocketAddr, transport, query| {
        let reaction = if server.to_string() == UPSTREAM {
            forwarder.respond(transport, query)
        } else {
            world.respond(server.ip(), transport, query)
        };
        let hit = question_of(query).is_some_and(|asked| asked.to_string() == victim);
        match reaction {
            Reaction::Reply(reply) if hit => how.apply(reply),
            other => other,
        }
    })
}

/// All but the TTLs, which nobody protects downwards.
fn essence(answer: &Answer) -> String {
    let links: Vec<_> = answer
        .chain
        .iter()
        .map(|link| (&link.owner, &link.target))
        .collect();
    let mut records = match &answer.last {
        Last::Data(rrset) => rrset.records.clone(),
        Last::Denied(_) | Last::Failed(_) => Vec::new(),
    };
    records.sort_by_key(|record| format!("{record:?}"));
    format!("{} {links:?} {records:?}", summary(answer))
}

async fn run(mode: Mode) {
    let world = Arc::new(authority());
    let mut wrong = Vec::new();
    let (mut runs, mut failures) = (0, 0);
    for question in QUESTIONS {
        let honest = Bench::over(mode, &world);
        let truth = honest.ask(question).await;
        assert!(
            !summary(&truth).contains(['I', '?', 'B']),
            "{question}: {truth:?}"
        );
        let mut victims: Vec<String> = honest
            .net
            .take_log()
            .iter()
            .filter_map(|line| Some(line.split_once(" @")?.0.to_owned()))
            .collect();
        victims.sort();
        victims.dedup();
        for victim in &victims {
            for how in Tampering::all() {
                let net = tampered(&world, victim, how);
                let answer = Bench::with(config(mode, &world), net).ask(question).await;
                runs += 1;
                match answer.last {
                    Last::Failed(_) => failures += 1,
                    _ if essence(&answer) == essence(&truth) => {}
                    _ => wrong.push(format!("{question}, {how:?} of {victim}: {answer:?}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{mode:?}\n{}", wrong.join("\n"));
    // Both outcomes occur, or the test shows nothing.
    assert!(
        failures > runs / 10 && failures < runs,
        "{mode:?}: {failures} of {runs}"
    );
}

#[tokio::test(start_paused = true)]
async fn recursive() {
    run(Mode::Recursive).await;
}

#[tokio::test(start_paused = true)]
async fn forward() {
    run(Mode::Forward).await;
}
