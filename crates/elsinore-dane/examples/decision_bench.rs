//! How long one decision takes, the engine alone: answers are at hand, nothing is looked up.
//! `cargo run --release -p elsinore-dane --example decision_bench`

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]

use elsinore_dane::answer::{
    Answer, Denial, DenialKind, Last, Question, RecordData, RecordType, RrSet,
};
use elsinore_dane::discovery::{Discovery, DiscoveryPolicy, HostState, Query, Reply};
use elsinore_dane::name::DomainName;
use elsinore_dane::next_hop::NextHop;
use elsinore_dane::security::{Authority, Status};
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;
use std::hint::black_box;
use std::time::{Duration, Instant};

const BATCHES: usize = 200;
const PER_BATCH: u32 = 1_000;

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
        oddities: Vec::new(),
    }
}

/// The answers of one decision, by type, made up beforehand: each is taken once.
type Prepared = Vec<(RecordType, Reply)>;

fn prepare(domain: &DomainName, mx_host: &DomainName) -> Prepared {
    let names = [
        (domain.prefixed("_mta-sts").unwrap(), RecordType::Txt),
        (domain.clone(), RecordType::Mx),
        (mx_host.clone(), RecordType::A),
        (mx_host.clone(), RecordType::Aaaa),
        (mx_host.prefixed("_25._tcp").unwrap(), RecordType::Tlsa),
    ];
    names
        .into_iter()
        .map(|(name, record_type)| {
            let question = Question::new(name, record_type);
            (record_type, Reply::Dns(answer(&question, mx_host)))
        })
        .collect()
}

/// One decision: from the next hop to the plan of its host.
fn decide(next_hop: NextHop, mut prepared: Prepared, now: UnixTime) -> Discovery {
    let mut discovery = Discovery::new(next_hop, DiscoveryPolicy::default(), None, 1, now);
    while !discovery.is_finished() {
        for ask in discovery.next_asks() {
            let Query::Dns { question, .. } = &ask.query else {
                continue;
            };
            let at = prepared
                .iter()
                .position(|(record_type, _)| *record_type == question.record_type)
                .unwrap();
            discovery.handle_reply(ask.id, prepared.swap_remove(at).1, now);
        }
    }
    assert!(matches!(discovery.host(0), HostState::Decided(_)));
    discovery
}

fn main() {
    let next_hop = NextHop::parse("example.org").unwrap();
    let domain = DomainName::parse("example.org").unwrap();
    let mx_host = DomainName::parse("mx.example.org").unwrap();
    let now = UnixTime(1_800_000_000);
    let mut batches: Vec<Duration> = (0..BATCHES)
        .map(|_| {
            let work: Vec<_> = (0..PER_BATCH)
                .map(|_| (next_hop.clone(), prepare(&domain, &mx_host)))
                .collect();
            let begin = Instant::now();
            for (next_hop, prepared) in work {
                black_box(decide(next_hop, prepared, now));
            }
            begin.elapsed()
        })
        .collect();
    batches.sort_unstable();
    let per_decision = |batch: Duration| (batch / PER_BATCH).as_nanos();
    println!(
        "{BATCHES} batches of {PER_BATCH} decisions, per decision: {} ns at best, {} ns in the \
         median, {} ns at worst",
        per_decision(batches[0]),
        per_decision(batches[BATCHES / 2]),
        per_decision(batches[BATCHES - 1]),
    );
}
