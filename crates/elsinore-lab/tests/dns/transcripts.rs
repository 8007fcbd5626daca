//! The reply that a validating server would send: code, bits and sections, by the bits of the query
//! (RFC 4035 §3.2, RFC 6840 §5.7 to §5.9).

use crate::world::{Bench, name};
use elsinore_dane::answer::RecordType;
use elsinore_net::resolver::{
    AuthenticBit, Checking, DnssecRecords, Mode, Recursion, Sections, Transcript, TranscriptQuery,
};

/// `NAME TYPE` and the bits of the query: `rd`, `cd`, `do`, `ad`; `full` for all sections.
fn query(text: &str) -> TranscriptQuery {
    let words: Vec<&str> = text.split(' ').collect();
    let rtype = match words[1] {
        "ANY" => RecordType::Other(255),
        "NSEC" => RecordType::Other(47),
        other => crate::world::record_type(other),
    };
    let has = |bit: &str| words[2..].contains(&bit);
    TranscriptQuery {
        name: name(words[0]),
        record_type: rtype,
        recursion: if has("rd") {
            Recursion::Desired
        } else {
            Recursion::CacheOnly
        },
        checking: if has("cd") {
            Checking::Disabled
        } else {
            Checking::Enabled
        },
        dnssec: if has("do") {
            DnssecRecords::Included
        } else {
            DnssecRecords::Omitted
        },
        authentic: if has("ad") {
            AuthenticBit::Wanted
        } else {
            AuthenticBit::Omitted
        },
        sections: if has("full") {
            Sections::Full
        } else {
            Sections::Minimal
        },
    }
}

/// `CODE [AD] [eN] | types of the answer | types of the authority section`.
fn summary(transcript: &Transcript) -> String {
    let types = |records: &[elsinore_net::resolver::ResourceRecord]| {
        let words: Vec<String> = records
            .iter()
            .map(|record| {
                let line = record.to_string();
                line.split(' ').nth(3).unwrap_or_default().to_owned()
            })
            .collect();
        words.join(" ")
    };
    let mut head = match transcript.rcode {
        0 => "NOERROR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        other => format!("RCODE{other}"),
    };
    if transcript.authentic {
        head += " AD";
    }
    if let Some(ede) = &transcript.ede {
        head += &format!(" e{}", ede.code);
    }
    let (answer, authority) = (types(&transcript.answer), types(&transcript.authority));
    format!("{head} | {answer} | {authority}")
        .trim_end()
        .to_owned()
}

/// Asked in this order of one resolver.
const QUERIES: &[(&str, &str)] = &[
    ("mx.nsec.test A do", "SERVFAIL e0 |  |"),
    ("mx.nsec.test A rd do", "NOERROR AD | A RRSIG |"),
    ("mx.nsec.test A do", "NOERROR AD | A RRSIG |"),
    ("mx.nsec.test A rd ad", "NOERROR AD | A |"),
    ("mx.nsec.test A rd", "NOERROR | A |"),
    ("mx.nsec.test A rd cd do", "NOERROR AD | A RRSIG |"),
    (
        "alias.nsec.test A rd do",
        "NOERROR AD | CNAME RRSIG A RRSIG |",
    ),
    ("alias.nsec.test CNAME do", "NOERROR AD | CNAME RRSIG |"),
    ("alias.nsec.test ANY rd do", "NOERROR AD | CNAME RRSIG |"),
    ("mx.plain.test A rd do", "NOERROR | A |"),
    ("toplain.nsec.test A rd do", "NOERROR | CNAME RRSIG A |"),
    (
        "onlytxt.nsec.test A rd do",
        "NOERROR AD |  | SOA RRSIG NSEC RRSIG",
    ),
    ("onlytxt.nsec.test A rd", "NOERROR |  | SOA"),
    (
        "nowhere.nsec.test A rd do",
        "NXDOMAIN AD |  | SOA RRSIG NSEC RRSIG NSEC RRSIG",
    ),
    (
        "x.wild.nsec.test A rd do",
        "NOERROR AD | A RRSIG | NSEC RRSIG",
    ),
    ("x.wild.nsec.test A rd", "NOERROR | A |"),
    // The record of the name itself is data, asked for with DO or without.
    ("mx.nsec.test NSEC rd ad", "NOERROR AD | NSEC |"),
    (
        "mx.dn.nsec.test A rd do",
        "NOERROR AD | DNAME RRSIG CNAME A RRSIG |",
    ),
    (
        "mx.dn.nsec.test CNAME do",
        "NOERROR AD | DNAME RRSIG CNAME |",
    ),
    ("nowhere.leaf.opt A rd do", "NXDOMAIN |  | SOA"),
    ("a.badsig.test A rd do", "SERVFAIL e6 |  |"),
    ("a.badsig.test A do", "SERVFAIL e6 |  |"),
    ("a.badsig.test A rd cd do", "NOERROR | A RRSIG |"),
    ("mx.expired.test A rd do", "SERVFAIL e7 |  |"),
    ("mx.future.test A rd do", "SERVFAIL e8 |  |"),
    ("mx.wrongds.test A rd do", "SERVFAIL e9 |  |"),
    ("mx.nosig.test A rd do", "SERVFAIL e10 |  |"),
    ("mx.stripped.test TXT rd do", "SERVFAIL e12 |  |"),
    ("mx.newalgds.test A rd do", "NOERROR e1 | A RRSIG |"),
    ("mx.newdigest.test A rd do", "NOERROR e2 | A RRSIG |"),
    (
        "nowhere.iter150.test A rd do",
        "NXDOMAIN e27 |  | SOA RRSIG NSEC3 RRSIG NSEC3 RRSIG NSEC3 RRSIG",
    ),
    ("mx.servfail.test A rd do", "SERVFAIL e23 |  |"),
    ("mx.refused.test A rd do", "SERVFAIL e22 |  |"),
    ("mx.silent.test A rd do", "SERVFAIL e22 |  |"),
    ("loop.nsec.test A rd do", "SERVFAIL e0 |  |"),
];

#[tokio::test(start_paused = true)]
async fn replies() {
    let bench = Bench::new(Mode::Recursive);
    let mut wrong = Vec::new();
    for (text, expected) in QUERIES {
        let query = query(text);
        bench.net.take_log();
        let transcript = bench.resolver.transcript(&query).await;
        let asked = bench.net.take_log();
        let got = summary(&transcript);
        if got != *expected {
            wrong.push(format!(
                "{text}: {got}, not {expected}: {}",
                transcript.status.reason()
            ));
        }
        // Without RD no packet is sent.
        if query.recursion == Recursion::CacheOnly && !asked.is_empty() {
            wrong.push(format!("{text}: asked {asked:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What an answer rests on is the same set of records in each mode.
#[tokio::test(start_paused = true)]
async fn explained() {
    for mode in [Mode::Recursive, Mode::Forward, Mode::Ad] {
        let bench = Bench::new(mode);
        let question = crate::world::question("alias.nsec.test A");
        let freshness = elsinore_net::resolver::Freshness::Cached;
        let explained = bench.resolver.explain(&question, freshness).await;
        let lines = |rests_on: &elsinore_net::resolver::RestsOn| -> Vec<String> {
            let records = rests_on.records.iter().chain(&rests_on.proofs);
            let lines = records.map(ToString::to_string);
            let words = lines.map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                format!("{} {}", words[0], words[3])
            });
            words.collect()
        };
        assert_eq!(
            explained.links.iter().map(lines).collect::<Vec<_>>(),
            [["alias.nsec.test. CNAME", "alias.nsec.test. RRSIG"]],
            "{mode:?}"
        );
        assert_eq!(
            explained.end.as_ref().map(lines).unwrap_or_default(),
            ["mx.nsec.test. A", "mx.nsec.test. RRSIG"],
            "{mode:?}"
        );
    }
}
