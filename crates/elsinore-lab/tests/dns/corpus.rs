//! The committed corpus of the fuzz target `dns_answer`, replayed, as it is and with octets
//! changed.

#[path = "../../../../fuzz/checks/dns.rs"]
mod checks;

use crate::world::{authority, question};
use elsinore_lab::authority::{Reaction, Transport};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/dns_answer")
}

#[test]
fn replayed() {
    let mut paths: Vec<_> = std::fs::read_dir(folder())
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 12, "the corpus is nearly empty");
    for path in paths {
        let octets = std::fs::read(&path).expect("a file of the corpus");
        for mode in 0..3 {
            let mut octets = octets.clone();
            octets[0] = mode;
            checks::check_dns_answer(&octets);
        }
        for place in (0..octets.len()).step_by(3) {
            for value in [0x00, 0x3f, 0xc0, 0xff] {
                let mut changed = octets.clone();
                changed[place] = value;
                checks::check_dns_answer(&changed);
            }
        }
        for length in (0..octets.len()).step_by(7) {
            checks::check_dns_answer(&octets[..length]);
        }
    }
}

/// Writes the corpus anew from the world of these tests: `cargo test --test dns -- --ignored`.
#[test]
#[ignore = "writes files"]
fn written() {
    let authority = authority();
    let root = crate::world::ROOT_SERVER;
    let leaf = crate::world::server_of("nsec.test").to_string();
    for (file, mode, server, text) in [
        ("referral-root", 0, root, "mx.nsec.test A"),
        (
            "referral-tld",
            0,
            crate::world::TEST_SERVER,
            "mx.nsec.test A",
        ),
        ("positive", 1, &leaf, "mx.nsec.test A"),
        ("denied-type", 1, &leaf, "mx.nsec.test TXT"),
        ("denied-name", 1, &leaf, "nowhere.nsec.test A"),
        ("alias", 2, &leaf, "alias.nsec.test A"),
        ("alias-out", 2, &leaf, "toplain.nsec.test A"),
        ("loop", 2, &leaf, "loop1.nsec.test A"),
        ("dname", 2, &leaf, "mx.dn.nsec.test A"),
        ("wildcard", 1, &leaf, "x.wild.nsec.test A"),
        ("keys", 1, root, ". DNSKEY"),
        ("ds", 1, crate::world::TEST_SERVER, "nsec.test DS"),
        ("tlsa", 2, &leaf, "_25._tcp.mx.nsec.test TLSA"),
        ("short-tlsa", 2, &leaf, "short.nsec.test TLSA"),
    ] {
        let asked = question(text);
        let mut query = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        for label in asked.name.labels() {
            query.push(u8::try_from(label.len()).expect("a label"));
            query.extend(label);
        }
        query.push(0);
        query.extend(asked.record_type.code().to_be_bytes());
        query.extend([0, 1]);
        let end = query.len();
        query.extend([0, 0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0]);
        let server = server.parse().expect("address");
        let Reaction::Reply(reply) = authority.respond(server, Transport::Tcp, &query) else {
            panic!("{text}: no reply");
        };
        let mut octets = vec![
            mode,
            0,
            reply[2],
            reply[3] | 0x20,
            reply[7],
            reply[9],
            reply[11],
        ];
        octets.extend(&reply[end..]);
        std::fs::write(folder().join(file), octets).expect("written");
    }
}
