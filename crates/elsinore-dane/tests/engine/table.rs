//! The decision table: every combination of MX, addresses, alias links, TLSA, MTA-STS and level.
//! Above, the distinct results, each with the levels that lead to it (`!` is mode exact); below,
//! which combination has which. `UPDATE=1` writes it anew; a change of a line is a change of behaviour to be reviewed.

use crate::drive::{Fixture, NOW, drive, summary};
use elsinore_dane::destination::{Level, Mode};
use elsinore_dane::discovery::{Discovery, DiscoveryPolicy, MessageTls};
use elsinore_dane::next_hop::NextHop;
use std::fmt::Write;

const PATH: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/engine/decision_table.tsv"
);

/// Word, next hop, host, MX line.
const MX: [(&str, &str, &str, &str); 6] = [
    ("secure", "d", "mx.h", "d MX S 10 mx.h\n"),
    ("insecure", "d", "mx.h", "d MX I 10 mx.h\n"),
    ("failed", "d", "mx.h", "d MX T \n"),
    ("none-secure", "d", "d", "d MX S -\n"),
    ("none-insecure", "d", "d", "d MX I -\n"),
    ("configured", "[mx.h]", "mx.h", ""),
];

/// Word, lines with `HOST` for the host. An alias leads to `mx.t`.
const ADDRESSES: [(&str, &str); 12] = [
    ("S", "HOST A S 192.0.2.1\n"),
    ("I", "HOST A I 192.0.2.1\n"),
    ("failed", "HOST A T \nHOST AAAA B \n"),
    ("absent", "HOST A S -\nHOST AAAA S -\n"),
    ("S+failed", "HOST A S 192.0.2.1\nHOST AAAA T \n"),
    ("S+I", "HOST A S 192.0.2.1\nHOST AAAA I 2001:db8::1\n"),
    ("S>S", "HOST CNAME S mx.t\nmx.t A S 192.0.2.1\n"),
    ("S>I", "HOST CNAME S mx.t\nmx.t A I 192.0.2.1\n"),
    ("I>S", "HOST CNAME I mx.t\nmx.t A S 192.0.2.1\n"),
    ("I>I", "HOST CNAME I mx.t\nmx.t A I 192.0.2.1\n"),
    ("?>I", "HOST CNAME T mx.t\nmx.t A I 192.0.2.1\n"),
    (
        "S>S>S",
        "HOST CNAME S mx.i\nmx.i CNAME S mx.t\nmx.t A S 192.0.2.1\n",
    ),
];

const TLSA: [(&str, &str); 5] = [
    ("usable", "S 2 0 1 32"),
    ("unusable", "S 1 1 1 32"),
    ("absent", "S !"),
    ("insecure", "I 2 0 1 32"),
    ("failed", "T "),
];

const STS: [(&str, &str, &str); 5] = [
    ("-", "", ""),
    ("failed", "_mta-sts.POLICY TXT T \n", ""),
    (
        "enforce",
        "_mta-sts.POLICY TXT I v=STSv1; id=1\n",
        "enforce\nmx: HOST",
    ),
    (
        "enforce-other",
        "_mta-sts.POLICY TXT I v=STSv1; id=1\n",
        "enforce\nmx: other",
    ),
    (
        "testing",
        "_mta-sts.POLICY TXT I v=STSv1; id=1\n",
        "testing\nmx: other",
    ),
];

fn demands() -> Vec<(String, DiscoveryPolicy)> {
    let mut demands = Vec::new();
    for (mode, suffix) in [(Mode::Minimum, ""), (Mode::Exact, "!")] {
        for level in Level::ALL {
            let policy = DiscoveryPolicy {
                level,
                mode,
                pins: vec![[7; 32]],
                ..DiscoveryPolicy::default()
            };
            demands.push((format!("{level}{suffix}"), policy));
        }
    }
    for (word, message) in [
        ("REQUIRETLS", MessageTls::Required),
        ("TLS-Required:No", MessageTls::Optional),
    ] {
        let policy = DiscoveryPolicy {
            message,
            ..DiscoveryPolicy::default()
        };
        demands.push((word.to_owned(), policy));
    }
    demands
}

/// The results of all demands in one cell: those that agree stand together.
fn decide(next_hop: &str, fixture: &Fixture, demands: &[(String, DiscoveryPolicy)]) -> String {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (word, policy) in demands {
        let hop = NextHop::parse(next_hop).unwrap();
        let mut discovery = Discovery::new(hop, policy.clone(), None, 1, NOW);
        drive(&mut discovery, &mut fixture.clone());
        let result = summary(&discovery).join(", ");
        match groups.iter_mut().find(|(known, _)| *known == result) {
            Some((_, words)) => words.push(word),
            None => groups.push((result, vec![word])),
        }
    }
    groups
        .iter()
        .map(|(result, words)| format!("{result} <= {}", words.join(" ")))
        .collect::<Vec<_>>()
        .join("\t")
}

fn table() -> String {
    let demands = demands();
    let mut rows = String::from("mx\taddress\ttlsa-original\ttlsa-expanded\tsts\tresult\n");
    let mut results: Vec<String> = Vec::new();
    for (mx_word, next_hop, host, mx) in MX {
        for (address_word, addresses) in ADDRESSES {
            let is_alias = address_word.contains('>');
            for (original_word, original) in TLSA {
                for (expanded_word, expanded) in TLSA {
                    // Without an alias there is one name only.
                    if !is_alias && expanded_word != "absent" {
                        continue;
                    }
                    for (sts_word, record, policy) in STS {
                        let mut zone = format!("{mx}{addresses}_25._tcp.HOST TLSA {original}\n");
                        if is_alias {
                            writeln!(zone, "_25._tcp.mx.t TLSA {expanded}").unwrap();
                        }
                        zone.push_str(record);
                        let policy_domain = next_hop.trim_matches(['[', ']']);
                        let zone = zone.replace("HOST", host).replace("POLICY", policy_domain);
                        let mut fixture = Fixture::parse(&zone);
                        if !policy.is_empty() {
                            let policy = policy.replace("HOST", host);
                            fixture.policy =
                                Some(format!("version: STSv1\nmax_age: 9\nmode: {policy}\n"));
                        }
                        let shown = if is_alias { expanded_word } else { "-" };
                        let result = decide(next_hop, &fixture, &demands);
                        let number = results.iter().position(|known| *known == result);
                        let number = number.unwrap_or_else(|| {
                            results.push(result);
                            results.len() - 1
                        });
                        writeln!(
                            rows,
                            "{mx_word}\t{address_word}\t{original_word}\t{shown}\t{sts_word}\tR{number}"
                        )
                        .unwrap();
                    }
                }
            }
        }
    }
    let results = results.iter().enumerate();
    let results = results.fold(String::new(), |mut text, (number, result)| {
        writeln!(text, "R{number}\t{result}").unwrap();
        text
    });
    format!("{results}\n{rows}")
}

#[test]
fn decision_table() {
    let found = table();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PATH, &found).unwrap();
    }
    let expected = std::fs::read_to_string(PATH).unwrap();
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", number + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}
