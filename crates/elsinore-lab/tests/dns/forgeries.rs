//! Forgeries made of what is genuine: signed records of other names, other zones and other times,
//! and counts that are meant to wear a validator out. Every one ends as a failure with a reason.

use crate::net::{MemoryNet, question_of, summary};
use crate::reply::{Record, Reply};
use crate::world::{Bench, UPSTREAM, authority, authority_at, config, question};
use elsinore_dane::answer::{Answer, Last};
use elsinore_dane::security::Security;
use elsinore_lab::authority::{Authority, ForwardMode, Forwarder, Reaction, Transport};
use elsinore_net::resolver::Mode;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

const DAY: i64 = 86_400;
const NSEC: u16 = 47;
const NSEC3: u16 = 50;
const RRSIG: u16 = 46;

/// A name as octets; no dots inside labels.
pub(crate) fn wire(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).expect("a label"));
        octets.extend(label.bytes());
    }
    octets.push(0);
    octets
}

/// A query for `NAME TYPE` with DO.
pub(crate) fn query(text: &str) -> Vec<u8> {
    let asked = question(text);
    let mut query = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    query.extend(wire(asked.name.as_str()));
    query.extend(asked.record_type.code().to_be_bytes());
    query.extend([0, 1]);
    query.extend([0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0]);
    query
}

fn told_by(authority: &Authority, text: &str) -> Reply {
    let forwarder = Forwarder::new(Arc::new(authority.clone()), ForwardMode::Oblivious);
    let Reaction::Reply(reply) = forwarder.respond(Transport::Tcp, &query(text)) else {
        panic!("{text}: no reply");
    };
    Reply::read(&reply).expect("a reply")
}

/// What is true.
fn told(text: &str) -> Reply {
    told_by(&authority(), text)
}

/// What was true 400 days ago, or will be.
fn told_at_another_time(text: &str, days: i64) -> Reply {
    static PAST: OnceLock<Authority> = OnceLock::new();
    static FUTURE: OnceLock<Authority> = OnceLock::new();
    let kept = if days < 0 { &PAST } else { &FUTURE };
    let world = kept.get_or_init(|| authority_at(crate::world::NOW.plus_seconds(days * DAY)));
    told_by(world, text)
}

/// The network in which the reply to `victim` is `forge` of the true one: sent by the zone's own
/// server, or by somebody on the way to the upstream.
pub(crate) fn forged_net(
    victim: &str,
    forge: impl Fn(Reply) -> Reply + Send + Sync + 'static,
) -> MemoryNet {
    let honest = Arc::new(authority());
    let forwarder = Forwarder::new(Arc::clone(&honest), ForwardMode::Oblivious);
    let victim = question(victim);
    MemoryNet::new(move |server: SocketAddr, transport, query| {
        let is_upstream = server.to_string() == UPSTREAM;
        let respond = |transport| {
            if is_upstream {
                forwarder.respond(transport, query)
            } else {
                honest.respond(server.ip(), transport, query)
            }
        };
        if question_of(query).as_ref() != Some(&victim) {
            return respond(transport);
        }
        // Whole, whatever the size.
        match respond(Transport::Tcp) {
            Reaction::Reply(reply) => {
                let mut forged = forge(Reply::read(&reply).expect("a reply"));
                if transport == Transport::Udp && forged.write().len() > 1232 {
                    forged.flags[0] |= 2;
                    forged.sections = Default::default();
                }
                Reaction::Reply(forged.write())
            }
            other => other,
        }
    })
}

type Forge = fn(Reply) -> Reply;

/// The sections of another reply under this question.
fn with_sections_of(mut reply: Reply, other: Reply) -> Reply {
    reply.flags[1] = reply.flags[1] & 0xf0 | other.flags[1] & 0x0f;
    reply.sections = other.sections;
    reply
}

/// Only the proof, nothing else.
fn without_answer(mut reply: Reply) -> Reply {
    reply.sections[0].clear();
    reply.flags[1] &= 0xf0;
    reply
}

fn record(owner: &str, rtype: u16, rdata: Vec<u8>) -> Record {
    Record {
        owner: wire(owner),
        rtype,
        class: 1,
        ttl: 3600,
        rdata,
    }
}

/// An NSEC3 of everything from zero to the end, with flags and iterations, nothing in its bitmap.
fn boundless_nsec3(zone: &str, flags: u8, iterations: u16) -> Record {
    let mut rdata = vec![1, flags];
    rdata.extend(iterations.to_be_bytes());
    rdata.extend([1, 0xab, 20]);
    rdata.extend([0xff; 20]);
    record(&format!("{}.{zone}", "0".repeat(32)), NSEC3, rdata)
}

/// NODATA by NSEC3 records that nobody signed, or with the signatures of others.
fn nsec3_bomb(reply: Reply, zone: &str, flags: u8, iterations: u16) -> Reply {
    let mut forged = without_answer(reply);
    let signatures: Vec<Record> = (told(&format!("nowhere.{zone} A")).sections[1].iter())
        .filter(|record| record.rtype == RRSIG)
        .cloned()
        .collect();
    let soa = told(&format!("nowhere.{zone} A")).sections[1]
        .iter()
        .find(|record| record.rtype == 6)
        .cloned();
    let bomb = boundless_nsec3(zone, flags, iterations);
    forged.sections[1].clear();
    forged.sections[1].extend(soa);
    for mut signature in signatures {
        signature.owner.clone_from(&bomb.owner);
        signature.rdata[..2].copy_from_slice(&NSEC3.to_be_bytes());
        forged.sections[1].push(signature);
    }
    forged.sections[1].push(bomb);
    forged
}

/// The honest denial of another name, whose owners are made to fit.
fn renamed(reply: Reply, other: &str) -> Reply {
    let name = reply.question[..reply.question.len() - 4].to_ascii_lowercase();
    let mut forged = with_sections_of(reply, told(other));
    let asked = question(other);
    let from = wire(asked.name.as_str());
    for record in forged.sections.iter_mut().flatten() {
        if record.owner == from {
            record.owner.clone_from(&name);
        }
    }
    forged
}

/// A forged reply: to which question, how, and what the reason of the failure says.
const FORGERIES: &[(&str, &str, Forge, &str)] = &[
    (
        "an unsigned NSEC3 that hashes 65,535 times, so that the zone should count as insecure",
        "_25._tcp.mx.nsec3.test TLSA",
        |reply| nsec3_bomb(reply, "nsec3.test", 0, 65_535),
        "",
    ),
    (
        "the same with 101",
        "_25._tcp.mx.nsec3.test TLSA",
        |reply| nsec3_bomb(reply, "nsec3.test", 0, 101),
        "does not verify",
    ),
    (
        "the same in a zone of NSEC",
        "_25._tcp.mx.nsec.test TLSA",
        |reply| nsec3_bomb(reply, "nsec.test", 0, 101),
        "",
    ),
    (
        "an unsigned NSEC3 with opt-out over everything",
        "_25._tcp.mx.nsec3.test TLSA",
        |reply| nsec3_bomb(reply, "nsec3.test", 1, 1),
        "does not verify",
    ),
    (
        "the opt-out bit set in genuine NSEC3 records",
        "nowhere.nsec3.test A",
        |mut reply| {
            for record in reply.sections[1]
                .iter_mut()
                .filter(|one| one.rtype == NSEC3)
            {
                record.rdata[1] |= 1;
            }
            reply
        },
        "does not verify",
    ),
    (
        "genuine denials with more iterations",
        "nowhere.nsec3.test A",
        |mut reply| {
            for record in reply.sections[1]
                .iter_mut()
                .filter(|one| one.rtype == NSEC3)
            {
                record.rdata[3] = 200;
            }
            reply
        },
        "does not verify",
    ),
    (
        "the opt-out span of a delegation in place of the DS of another",
        "safe.opt DS",
        |reply| with_sections_of(reply, told("leaf.opt DS")),
        "",
    ),
    (
        "the denial of a name that does not exist, in the same opt-out zone, in place of a DS",
        "safe.opt DS",
        |reply| without_answer(with_sections_of(reply, told("nowhere.opt A"))),
        "",
    ),
    (
        "the proof of a sibling zone",
        "mx.nsec.test A",
        |reply| with_sections_of(reply, told("mx.alg8.test TXT")),
        "",
    ),
    (
        "the proof of a sibling zone with its owners changed",
        "mx.nsec.test A",
        |reply| renamed(reply, "mx.alg8.test TXT"),
        "",
    ),
    (
        "the proof of a child zone",
        "sub.nsec.test DS",
        |reply| with_sections_of(reply, told("sub.nsec.test TXT")),
        "",
    ),
    (
        "the child's own apex in place of its DS",
        "nsec.test DS",
        |reply| with_sections_of(reply, told("nsec.test TXT")),
        "",
    ),
    (
        "an empty non-terminal's proof in place of a DS",
        "sub.nsec.test DS",
        |reply| with_sections_of(reply, told("b.ent.nsec.test A")),
        "",
    ),
    (
        "the denial of another type at the name",
        "mx.nsec.test A",
        |reply| with_sections_of(reply, told("mx.nsec.test TXT")),
        "",
    ),
    (
        "an NSEC from before the wildcard, without one for the wildcard itself",
        "x.wild.nsec.test A",
        |reply| with_sections_of(reply, told("nowhere.nsec.test A")),
        "",
    ),
    (
        "the same by NSEC3",
        "x.wild.nsec3.test A",
        |reply| with_sections_of(reply, told("nowhere.nsec3.test A")),
        "",
    ),
    (
        "a wildcard's data under a name of more labels than its proof covers",
        "here.wild.nsec.test A",
        |reply| renamed(reply, "x.wild.nsec.test A"),
        "",
    ),
    (
        "a wildcard's data without any proof",
        "x.wild.nsec3.test A",
        |mut reply| {
            reply.sections[1].clear();
            reply
        },
        "no NSEC",
    ),
    (
        "a signed alias of another name",
        "mx.nsec.test A",
        |reply| {
            let mut forged = renamed(reply, "alias.nsec.test A");
            forged.sections[0].retain(|one| one.rtype != 1 && one.rdata[..2] != [0, 1]);
            forged
        },
        "does not verify",
    ),
    (
        "an unsigned alias into an unsigned zone, with what is there",
        "mx.nsec.test A",
        |mut reply| {
            let target = told("mx.plain.test A");
            reply.sections[0] = vec![record("mx.nsec.test", 5, wire("mx.plain.test"))];
            reply.sections[0].extend(target.sections[0].iter().cloned());
            reply
        },
        "",
    ),
    (
        "an unsigned DNAME of the zone",
        "mx.nsec.test A",
        |mut reply| {
            let target = told("mx.plain.test A");
            reply.sections[0] = vec![
                record("nsec.test", 39, wire("plain.test")),
                record("mx.nsec.test", 5, wire("mx.plain.test")),
            ];
            reply.sections[0].extend(target.sections[0].iter().cloned());
            reply
        },
        "",
    ),
    (
        "genuine records with one more",
        "mx.nsec.test A",
        |mut reply| {
            let more = record("mx.nsec.test", 1, vec![192, 0, 2, 66]);
            reply.sections[0].push(more);
            reply
        },
        "does not verify",
    ),
    (
        "a signature by a key of the parent",
        "mx.nsec.test A",
        |mut reply| {
            for one in reply.sections[0]
                .iter_mut()
                .filter(|one| one.rtype == RRSIG)
            {
                let signer = wire("test");
                let old = wire("nsec.test").len();
                one.rdata.splice(18..18 + old, signer);
            }
            reply
        },
        "",
    ),
    (
        "a proof that ended a year ago",
        "nowhere.nsec.test A",
        |reply| with_sections_of(reply, told_at_another_time("nowhere.nsec.test A", -400)),
        "expired",
    ),
    (
        "an NSEC3 proof that ended a year ago, for a name that exists now",
        "_25._tcp.mx.nsec3.test TLSA",
        |reply| {
            let older = told_at_another_time("_26._tcp.mx.nsec3.test TLSA", -400);
            with_sections_of(reply, older)
        },
        "",
    ),
    (
        "data signed a year ago",
        "mx.nsec.test A",
        |reply| with_sections_of(reply, told_at_another_time("mx.nsec.test A", -400)),
        "expired",
    ),
    (
        "data signed for next year",
        "mx.nsec.test A",
        |reply| with_sections_of(reply, told_at_another_time("mx.nsec.test A", 400)),
        "not valid for another",
    ),
    (
        "keys of a year ago",
        "nsec.test DNSKEY",
        |reply| with_sections_of(reply, told_at_another_time("nsec.test DNSKEY", -400)),
        "expired",
    ),
    (
        "three hundred keys of one tag",
        "nsec.test DNSKEY",
        |mut reply| {
            let key = reply.sections[0]
                .iter()
                .find(|one| one.rtype == 48)
                .cloned();
            let key = key.expect("a key");
            for number in 0..300_u16 {
                let mut more = key.clone();
                // The tag is a sum of 16-bit words: what one gains another loses.
                let [high, low] = number.wrapping_add(1).to_be_bytes();
                let add = |rdata: &mut Vec<u8>, at: usize, plus: bool| {
                    let old = u16::from_be_bytes([rdata[at], rdata[at + 1]]);
                    let by = u16::from_be_bytes([high, low]);
                    let new = if plus {
                        old.wrapping_add(by)
                    } else {
                        old.wrapping_sub(by)
                    };
                    rdata[at..at + 2].copy_from_slice(&new.to_be_bytes());
                };
                add(&mut more.rdata, 10, true);
                add(&mut more.rdata, 20, false);
                reply.sections[0].insert(0, more);
            }
            reply
        },
        "",
    ),
    (
        "two hundred signatures over the keys",
        "nsec.test DNSKEY",
        |reply| with_useless_signatures(reply, 200),
        "signatures",
    ),
    (
        "two hundred signatures over the data",
        "mx.nsec.test A",
        |reply| with_useless_signatures(reply, 200),
        "signatures",
    ),
    (
        "three hundred NSEC3 records",
        "a.b.c.d.e.f.g.nsec3.test A",
        |mut reply| {
            let one = reply.sections[1]
                .iter()
                .find(|one| one.rtype == NSEC3)
                .cloned();
            let one = one.expect("a proof");
            for number in 0..300_u16 {
                let mut more = one.clone();
                let hash = format!("{number:032}");
                more.owner[1..33].copy_from_slice(hash.as_bytes());
                reply.sections[1].insert(0, more);
            }
            reply.sections[1].retain(|one| one.rtype != RRSIG);
            reply
        },
        "",
    ),
    (
        "a denial by NSEC in a zone of NSEC3, unsigned",
        "_25._tcp.mx.nsec3.test TLSA",
        |reply| {
            let mut forged = without_answer(reply);
            let mut rdata = wire("zzz.nsec3.test");
            rdata.extend([0, 1, 0x02]);
            forged.sections[1] = vec![record("_25._tcp.mx.nsec3.test", NSEC, rdata)];
            forged
        },
        "",
    ),
];

fn with_useless_signatures(mut reply: Reply, count: u16) -> Reply {
    let one = reply.sections[0]
        .iter()
        .find(|one| one.rtype == RRSIG)
        .cloned();
    let one = one.expect("a signature");
    for number in 0..count {
        let mut more = one.clone();
        let end = more.rdata.len();
        more.rdata[end - 2..].copy_from_slice(&number.to_be_bytes());
        reply.sections[0].insert(0, more);
    }
    reply
}

/// Whether a lookup of the victim itself, or of a name that needs it, has failed.
fn has_failed(answer: &Answer) -> bool {
    matches!(answer.last, Last::Failed(_)) && answer.overall().security() > Security::Insecure
}

#[tokio::test(start_paused = true)]
async fn every_one_fails() {
    let mut wrong = Vec::new();
    for mode in [Mode::Recursive, Mode::Forward] {
        for (what, victim, forge, part) in FORGERIES {
            // In recursive mode the DS comes with the referral.
            if victim.ends_with(" DS") && mode == Mode::Recursive {
                continue;
            }
            // What hangs on a DS or on keys shows below.
            let (name, rtype) = victim.split_once(' ').expect("NAME TYPE");
            let asked = match rtype {
                "DS" | "DNSKEY" => format!("mx.{name} A").replace("mx.sub.", "mx.deep.sub."),
                _ => (*victim).to_owned(),
            };
            let bench = Bench::with(config(mode, &authority()), forged_net(victim, forge));
            let answer = bench.ask(&asked).await;
            let reason = answer.last.status().reason();
            if !has_failed(&answer) || !reason.contains(part) {
                wrong.push(format!("{mode:?}, {what}: {}: {reason}", summary(&answer)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same for what comes with a referral: the parent's servers, or somebody in their place, send
/// the proof of another delegation, or one of another time, instead of the DS.
#[tokio::test(start_paused = true)]
async fn referrals() {
    type Of = fn() -> Reply;
    let cases: &[(&str, &str, Of)] = &[
        ("safe.opt", "192.0.2.3", || told("leaf.opt DS")),
        ("safe.opt", "192.0.2.3", || told("nowhere.opt A")),
        ("nsec.test", "192.0.2.2", || told("plain.test DS")),
        ("nsec.test", "192.0.2.2", || told("nsec.test TXT")),
        ("nsec.test", "192.0.2.2", || {
            told_at_another_time("nsec.test DS", -400)
        }),
        ("nsec.test", "192.0.2.2", || {
            nsec3_bomb(told("nsec.test DS"), "nsec3.test", 1, 1)
        }),
    ];
    for (zone, server, proof) in cases {
        let honest = authority();
        let server: SocketAddr = format!("{server}:53").parse().expect("an address");
        let proof = proof();
        let inside = question(&format!("{zone} A")).name;
        let net = MemoryNet::new(move |peer: SocketAddr, _, query| {
            let reaction = honest.respond(peer.ip(), Transport::Tcp, query);
            let below = question_of(query).is_some_and(|asked| asked.name.is_at_or_below(&inside));
            match reaction {
                Reaction::Reply(reply) if peer == server && below => {
                    let mut reply = Reply::read(&reply).expect("a reply");
                    // The DS question itself gets the same lie.
                    reply.sections[0].clear();
                    reply.sections[1].retain(|record| record.rtype == 2);
                    for section in &proof.sections[..2] {
                        reply.sections[1].extend(section.iter().cloned());
                    }
                    Reaction::Reply(reply.write())
                }
                other => other,
            }
        });
        let bench = Bench::with(config(Mode::Recursive, &authority()), net);
        for text in [format!("mx.{zone} A"), format!("_25._tcp.mx.{zone} TLSA")] {
            let answer = bench.ask(&text).await;
            assert!(
                has_failed(&answer),
                "{text}: {}: {answer:?}",
                summary(&answer)
            );
        }
    }
}
