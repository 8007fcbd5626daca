//! Every kind of resolver, real ones and boxes in front of real ones, and what is said of each in
//! each part it can play.

use crate::proxy::{self, Transport, asked_type, behind, has_edns, refusal, without_do};
use crate::unbound::{Unbound, free_port, installed};
use crate::world::World;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

const TLSA: u16 = 52;

/// Runs at the same time: most of their time they wait for somebody who does not answer.
const SIDE_BY_SIDE: usize = 24;

const MODES: [&str; 3] = ["recursive", "forward", "ad"];

/// One resolver, and what must be said of it: as a resolver of the machine (mode `recursive`), as
/// upstream of mode `forward`, and as the one whose AD bit is believed (mode `ad`); the exit code
/// and each line as `verdict finding`.
struct Case {
    name: &'static str,
    at: SocketAddr,
    bystander: (i32, &'static [&'static str]),
    source: (i32, &'static [&'static str]),
    validator: (i32, &'static [&'static str]),
}

#[test]
fn every_kind_is_recognised() {
    let Some(program) = installed() else {
        return;
    };
    let world = World::now();
    let unbound = |settings: &str| Unbound::start(&program, &world, settings);
    let validating = unbound("ede: yes");
    let permissive = unbound("ede: yes\nval-permissive-mode: yes");
    let careless = unbound("module-config: \"iterator\"");
    let without_tcp = unbound("ede: yes\ndo-tcp: no");
    let without_reasons = unbound("");
    let refusing = unbound("access-control: 127.0.0.0/8 refuse");
    let wrong_clock = unbound("ede: yes\nval-override-date: \"20200101000000\"");
    let (good, open) = (validating.at, careless.at);

    let stripping =
        proxy::start(move |transport, query| behind(open, transport, &without_do(query)));
    let stripping_validator =
        proxy::start(move |transport, query| behind(good, transport, &without_do(query)));
    let blind = proxy::start(move |transport, query| {
        let mut reply = behind(open, transport, query)?;
        reply[3] |= 0x20;
        Some(reply)
    });
    let shy = proxy::start(move |transport, query| {
        let mut reply = behind(good, transport, query)?;
        reply[3] &= !0x20;
        Some(reply)
    });
    let slow = proxy::start(move |transport, query| {
        thread::sleep(Duration::from_millis(1_100));
        behind(good, transport, query)
    });
    let no_edns = proxy::start(move |transport, query| {
        if has_edns(query) {
            return Some(refusal(query, 1));
        }
        behind(good, transport, query)
    });
    let without_tlsa = |manner: fn(&[u8]) -> Option<Vec<u8>>| {
        proxy::start(move |transport, query| {
            if asked_type(query) == TLSA {
                return manner(query);
            }
            behind(good, transport, query)
        })
    };
    let tlsa_notimp = without_tlsa(|query| Some(refusal(query, 4)));
    let tlsa_empty = without_tlsa(|query| Some(refusal(query, 0)));
    let tlsa_dropped = without_tlsa(|_| None);
    let tcp_only = proxy::start(move |transport, query| match transport {
        Transport::Udp => None,
        Transport::Tcp => behind(good, transport, query),
    });
    let ignores_cd = proxy::start(move |transport, query| {
        let mut query = query.to_vec();
        query[3] &= !0x10;
        behind(good, transport, &query)
    });
    let hole = proxy::start(|_, _| None);
    let garbage = proxy::start(|_, query| {
        let mut octets = query.to_vec();
        octets.extend([0xc0, 0xff, 0x00, 0x17].repeat(9));
        octets[2] |= 0x80;
        octets[7] = 200;
        Some(octets)
    });
    let dead: SocketAddr = (Ipv4Addr::LOCALHOST, free_port()).into();
    let authoritative = (world.listeners.places())
        .iter()
        .find(|(server, _)| server.to_string() == "192.0.2.1")
        .expect("the root's server")
        .1;

    let well: (i32, &[&str]) = (0, &["ok validating"]);
    // Those that take long come first.
    let cases = [
        Case {
            name: "silence for TLSA",
            at: tlsa_dropped,
            bystander: (0, &["ok validating", "warn loses-tlsa"]),
            source: (1, &["ok validating", "fail loses-tlsa"]),
            validator: (1, &["ok validating", "fail loses-tlsa"]),
        },
        Case {
            name: "slow",
            at: slow,
            bystander: (0, &["ok validating", "warn slow"]),
            source: (0, &["ok validating", "warn slow"]),
            validator: (0, &["ok validating", "warn slow"]),
        },
        Case {
            name: "dead: a black hole",
            at: hole,
            bystander: (0, &["warn dead"]),
            source: (1, &["fail dead"]),
            validator: (1, &["fail dead"]),
        },
        Case {
            name: "TCP alone",
            at: tcp_only,
            bystander: (0, &["warn no-udp"]),
            source: (1, &["fail no-udp"]),
            validator: (1, &["fail no-udp"]),
        },
        Case {
            name: "validating",
            at: good,
            bystander: well,
            source: well,
            validator: well,
        },
        Case {
            name: "permissive",
            at: permissive.at,
            bystander: (0, &["warn permissive"]),
            source: (0, &["warn permissive"]),
            validator: (1, &["fail permissive"]),
        },
        Case {
            name: "not validating",
            at: open,
            bystander: (0, &["warn not-validating"]),
            source: (0, &["ok not-validating"]),
            validator: (1, &["fail not-validating"]),
        },
        Case {
            name: "RRSIG-stripping",
            at: stripping,
            bystander: (0, &["warn not-validating", "warn strips-signatures"]),
            source: (1, &["ok not-validating", "fail strips-signatures"]),
            validator: (1, &["fail not-validating", "warn strips-signatures"]),
        },
        Case {
            name: "a validating one behind a box that strips",
            at: stripping_validator,
            bystander: (0, &["warn validating-without-ad", "warn strips-signatures"]),
            source: (1, &["ok validating-without-ad", "fail strips-signatures"]),
            validator: (1, &["fail validating-without-ad", "warn strips-signatures"]),
        },
        Case {
            name: "without TCP",
            at: without_tcp.at,
            bystander: (0, &["ok validating", "warn no-tcp"]),
            source: (1, &["ok validating", "fail no-tcp"]),
            validator: (1, &["ok validating", "fail no-tcp"]),
        },
        Case {
            name: "without EDE",
            at: without_reasons.at,
            bystander: well,
            source: well,
            validator: (0, &["ok validating", "note no-reasons"]),
        },
        Case {
            name: "refusing",
            at: refusing.at,
            bystander: (0, &["warn refusing"]),
            source: (1, &["fail refusing"]),
            validator: (1, &["fail refusing"]),
        },
        Case {
            name: "with a clock years behind",
            at: wrong_clock.at,
            bystander: (0, &["warn rejects-everything-signed"]),
            source: (0, &["warn rejects-everything-signed"]),
            validator: (1, &["fail rejects-everything-signed"]),
        },
        Case {
            name: "AD on everything",
            at: blind,
            bystander: (0, &["warn ad-on-everything"]),
            source: (0, &["warn ad-on-everything"]),
            validator: (1, &["fail ad-on-everything"]),
        },
        Case {
            name: "AD cleared",
            at: shy,
            bystander: (0, &["warn validating-without-ad"]),
            source: (0, &["ok validating-without-ad"]),
            validator: (1, &["fail validating-without-ad"]),
        },
        Case {
            name: "no EDNS",
            at: no_edns,
            bystander: (0, &["warn no-edns"]),
            source: (1, &["fail no-edns"]),
            validator: (1, &["fail no-edns"]),
        },
        Case {
            name: "NOTIMP for TLSA",
            at: tlsa_notimp,
            bystander: (0, &["ok validating", "warn loses-tlsa"]),
            source: (1, &["ok validating", "fail loses-tlsa"]),
            validator: (1, &["ok validating", "fail loses-tlsa"]),
        },
        Case {
            name: "nothing where TLSA is",
            at: tlsa_empty,
            bystander: (0, &["ok validating", "warn loses-tlsa"]),
            source: (1, &["ok validating", "fail loses-tlsa"]),
            validator: (1, &["ok validating", "fail loses-tlsa"]),
        },
        Case {
            name: "CD ignored",
            at: ignores_cd,
            bystander: well,
            source: (0, &["ok validating", "warn ignores-cd"]),
            validator: well,
        },
        Case {
            name: "octets that are no DNS",
            at: garbage,
            bystander: (0, &["warn no-dns"]),
            source: (1, &["fail no-dns"]),
            validator: (1, &["fail no-dns"]),
        },
        Case {
            name: "an authoritative server",
            at: authoritative,
            bystander: (0, &["warn no-recursion"]),
            source: (1, &["fail no-recursion"]),
            validator: (1, &["fail no-recursion"]),
        },
        Case {
            name: "dead: nobody listens",
            at: dead,
            bystander: (0, &["warn dead"]),
            source: (1, &["fail dead"]),
            validator: (1, &["fail dead"]),
        },
    ];
    let queue = Mutex::new((cases.iter()).flat_map(|case| MODES.map(|mode| (case, mode))));
    let next = || queue.lock().expect("no thread fails with the lock").next();
    let problems = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some((case, mode)) = next() {
                    let found = difference(&world, case, mode);
                    let mut problems = problems.lock().expect("no thread fails with the lock");
                    problems.extend(found);
                }
            });
        }
    });
    let problems = problems.into_inner().expect("no thread failed");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn difference(world: &World, case: &Case, mode: &str) -> Option<String> {
    let at = case.at.to_string();
    let (arguments, expected) = match mode {
        "forward" => (["--upstream", &at], case.source),
        "ad" => (["--upstream", &at], case.validator),
        _ => (["--resolver", &at], case.bystander),
    };
    let machine = world.machine().reaching(case.at);
    let said = machine.doctor(&[&["--dns-mode", mode], &arguments[..]].concat());
    let got = (said.code, said.of("resolver"));
    (got.0 != expected.0 || got.1 != expected.1).then(|| {
        format!(
            "{} in mode {mode}: expected {expected:?}, got {got:?}\n{}\n{}",
            case.name,
            said.text_of("resolver"),
            said.text_of("lookups")
        )
    })
}
