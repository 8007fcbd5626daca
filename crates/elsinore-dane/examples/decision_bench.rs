//! How long one decision takes, the engine alone: answers are at hand, nothing is looked up.
//! `cargo run --release -p elsinore-dane --example decision_bench`

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]

use elsinore_dane::answer::{
    Answer, Denial, DenialKind, Last, Question, RecordData, RecordType, RrSet,
};
use elsinore_dane::discovery::{Discovery, DiscoveryPolicy, Query, Reply};
use elsinore_dane::name::DomainName;
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::security::{Authority, Status};
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use std::hint::black_box;
use std::time::{Duration, Instant};

const RUNS: u32 = 200_000;

/// A signed domain with one MX host, one address and one TLSA record.
fn answer(question: &Question, mx_host: &DomainName) -> Answer {
    let status = || Status::assertion(Authority::Fixture, "signed");
    let record = match question.record_type {
        RecordType::Mx => Some(RecordData::Mx {
            preference: 10,
            exchange: mx_host.clone(),
        }),
        RecordType::A => Some(RecordData::A([192, 0, 2, 1].into())),
        RecordType::Tlsa => Some(RecordData::Tlsa(TlsaRecord::new(3, 1, 1, &[7; 32]))),
        _ => None,
    };
    let last = match record {
        Some(record) => Last::Data(RrSet {
            owner: question.name.clone(),
            records: vec![record],
            status: status(),
            ttl: 300,
        }),
        None => Last::Denied(Denial {
            kind: DenialKind::NoData,
            status: status(),
            ttl: 300,
        }),
    };
    Answer {
        question: question.clone(),
        chain: Vec::new(),
        last,
    }
}

/// One decision, without the time it takes to make up the answers and to set the search up.
fn decide(next_hop: &NextHop, mx_host: &DomainName, now: UnixTime) -> Duration {
    let next_hop = next_hop.clone();
    let policy = DiscoveryPolicy::default();
    let begin = Instant::now();
    let mut discovery = Discovery::new(next_hop, policy, None, 1, now);
    let mut spent = begin.elapsed();
    while !discovery.is_finished() {
        let begin = Instant::now();
        let asks = discovery.next_asks();
        spent += begin.elapsed();
        let replies: Vec<_> = asks
            .iter()
            .filter_map(|ask| match &ask.query {
                Query::Dns { question, .. } => {
                    Some((ask.id, Reply::Dns(answer(question, mx_host))))
                }
                Query::StsPolicy { .. } => None,
            })
            .collect();
        let begin = Instant::now();
        for (id, reply) in replies {
            discovery.handle_reply(id, reply, now);
        }
        spent += begin.elapsed();
    }
    black_box(discovery.host(0));
    spent
}

fn main() {
    let next_hop = NextHop::parse("example.org").unwrap();
    let mx_host = DomainName::parse("mx.example.org").unwrap();
    let now = UnixTime(1_800_000_000);
    let mut best = Duration::MAX;
    let mut total = Duration::ZERO;
    for _ in 0..RUNS {
        let spent = decide(&next_hop, &mx_host, now);
        best = best.min(spent);
        total += spent;
    }
    println!(
        "{RUNS} decisions: {} ns each on average, {} ns at best (clock readings included)",
        (total / RUNS).as_nanos(),
        best.as_nanos()
    );
}
