//! The DNS part of the situations known from a widely used sender, with the verdicts of the
//! rules of this project, and further situations of its own.

use crate::drive::{Fixture, NOW, drive, summary};
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::discovery::{Discovery, DiscoveryPolicy, Query};
use elsinore_dane::next_hop::NextHop;

/// One situation.
struct Case<'a> {
    next_hop: &'a str,
    zone: &'a str,
    policy: DiscoveryPolicy,
    sts: Option<&'a str>,
}

fn case<'a>(next_hop: &'a str, zone: &'a str) -> Case<'a> {
    Case {
        next_hop,
        zone,
        policy: DiscoveryPolicy::default(),
        sts: None,
    }
}

impl Case<'_> {
    fn run(&self) -> (Discovery, Vec<(u32, Query)>) {
        let mut fixture = Fixture::parse(self.zone);
        fixture.policy = self.sts.map(str::to_owned);
        let hop = NextHop::parse(self.next_hop).unwrap();
        let mut discovery = Discovery::new(hop, self.policy.clone(), None, 1, NOW);
        let asked = drive(&mut discovery, &mut fixture);
        (discovery, asked)
    }

    fn check(&self, expected: &[&str]) -> Vec<(u32, Query)> {
        let (discovery, asked) = self.run();
        assert_eq!(
            summary(&discovery),
            expected,
            "{}\n{}",
            self.next_hop,
            self.zone
        );
        asked
    }
}

const DANE: &str = "mx.d dane[mx.d; mx.d d] sni=mx.d";

#[test]
fn s01_plain_dane() {
    let zone = "d MX S 10 mx.d\nmx.d A S 192.0.2.1\n_25._tcp.mx.d TLSA S 3 1 1 32";
    let asked = case("d", zone).check(&[DANE]);
    // MX and _mta-sts together, then A and AAAA together, then TLSA: three round trips.
    assert_eq!(asked.iter().map(|(round, _)| *round).max(), Some(2));
    let first = |record_type| {
        asked.iter().find_map(|(round, query)| match query {
            Query::Dns {
                question: Question {
                    record_type: found, ..
                },
                ..
            } if *found == record_type => Some(*round),
            Query::Dns { .. } | Query::StsPolicy { .. } => None,
        })
    };
    assert_eq!(first(RecordType::Mx), first(RecordType::Txt));
    assert_eq!(first(RecordType::A), first(RecordType::Aaaa));
}
